//! Who may ask, and for how long: a few connections at once, one request each, in bounded time.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::pages::Pages;

/// Connections at once: a few scrapers, a health check, and somebody who looks. The process keeps
/// descriptors for as many.
const CONNECTIONS_MAX: usize = 8;
/// From connecting to the last byte of the request's head.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// From connecting to the last byte of the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// What a request's head may have.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// How long to wait after an accept that failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What one too many is told.
const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves whoever connects, for as long as the thread lives.
pub(crate) async fn accept(listener: TcpListener, pages: Rc<Pages>) {
    // Each connection holds one clone beside this one.
    let places = Rc::new(());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if Rc::strong_count(&places) > CONNECTIONS_MAX {
            // A fresh socket takes so few bytes at once; if not, the peer finds it closed.
            let _told_or_not = stream.try_write(TURNED_AWAY);
            continue;
        }
        let (place, pages) = (places.clone(), pages.clone());
        tokio::task::spawn_local(async move {
            serve(stream, pages).await;
            drop(place);
        });
    }
}

/// Serves one request. Connections are not kept: whoever asks every few seconds pays little for a
/// new one, and nobody holds a place by doing nothing.
async fn serve(stream: TcpStream, pages: Rc<Pages>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(pages.answer(&request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever went wrong, it is the peer's affair, and it has been told if it listened.
    let _ended = tokio::time::timeout(CONNECTION_TIME, connection).await;
}
