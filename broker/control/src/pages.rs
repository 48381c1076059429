//! What can be asked for, and the answers: a closed list of pages.

use std::fmt::Write;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use server::{Ask, Observer, ShardState, Told};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::gather::{PATIENCE, gather};
use crate::metrics;

/// How long a page of metrics counts as fresh: however many ask at once, the shards are asked at
/// most so often.
const FRESH_FOR: Duration = Duration::from_millis(100);

const PLAIN: &str = "text/plain; charset=utf-8";
/// Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
const INDEX: &str = "Ringmain\n\
    /metrics   what the broker counts, for Prometheus\n\
    /healthz   200 while every shard answers\n\
    /readyz    200 while every shard serves clients\n";

/// The pages of one broker.
pub(crate) struct Pages {
    observer: Observer,
    /// The last page of metrics. Locked while a new one is made, so that all who wait get that.
    metrics: Mutex<Option<(Instant, Bytes)>>,
}

impl Pages {
    /// Pages about those whom `observer` asks.
    pub(crate) fn new(observer: Observer) -> Pages {
        Pages { observer, metrics: Mutex::new(None) }
    }

    /// Answers a request, whose body nobody reads.
    pub(crate) async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut refused = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/" => page(StatusCode::OK, PLAIN, INDEX),
            "/metrics" => page(StatusCode::OK, EXPOSITION, self.metrics().await),
            "/healthz" => verdict(&gather(&self.observer, Ask::State).await, Wanted::Alive),
            "/readyz" => verdict(&gather(&self.observer, Ask::State).await, Wanted::Ready),
            _ => page(StatusCode::NOT_FOUND, PLAIN, "no such page; / lists those that there are\n"),
        }
    }

    async fn metrics(&self) -> Bytes {
        let mut kept = self.metrics.lock().await;
        if let Some((made_at, page)) = &*kept
            && made_at.elapsed() < FRESH_FOR
        {
            return page.clone();
        }
        let page = Bytes::from(metrics::page(&gather(&self.observer, Ask::Reading).await));
        *kept = Some((Instant::now(), page.clone()));
        page
    }
}

/// What is asked of every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// That it answers.
    Alive,
    /// That it serves clients.
    Ready,
}

/// 200 if all shards are as wanted, else 503; a line for each that is not.
fn verdict(told: &[Option<Told>], wanted: Wanted) -> Response<Full<Bytes>> {
    let mut faults = String::new();
    for (shard, told) in told.iter().enumerate() {
        let fault = match (told, wanted) {
            (None, _) => format!("gave no answer in {} s", PATIENCE.as_secs()),
            (Some(Told { state: ShardState::Serving, .. }), _) | (Some(_), Wanted::Alive) => {
                continue;
            }
            (Some(Told { state, .. }), Wanted::Ready) => format!("is {}", state.name()),
        };
        writeln!(faults, "shard {shard} {fault}").expect("text grows");
    }
    match faults.is_empty() {
        true => page(StatusCode::OK, PLAIN, "ok\n"),
        false => page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, faults),
    }
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // Whoever asks wants to know how it is now.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: ShardState) -> Option<Told> {
        Some(Told { state, reading: None })
    }

    #[test]
    fn a_broker_is_healthy_while_all_answer_and_ready_while_all_serve() {
        use ShardState::{Serving, Starting, Stopping};
        for (shards, alive, ready) in [
            ([told(Serving), told(Serving)], 200, 200),
            ([told(Serving), told(Starting)], 200, 503),
            ([told(Stopping), told(Serving)], 200, 503),
            ([told(Serving), None], 503, 503),
        ] {
            let status = |wanted| verdict(&shards, wanted).status().as_u16();
            assert_eq!(
                (status(Wanted::Alive), status(Wanted::Ready)),
                (alive, ready),
                "{shards:?}"
            );
        }
    }
}
