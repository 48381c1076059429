//! Who may ask, and for how long: a few connections at once, one request each, in bounded time.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::pages::Pages;
use crate::places::{AllBusy, Places};

/// Connections at once: a few scrapers, a health check, and somebody who looks; the others are for
/// those that ask nothing, who must not keep a health check from its answer. The process keeps
/// descriptors for as many.
const CONNECTIONS_MAX: usize = 32;
/// From connecting to the last byte of the request's head.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// From connecting to the last byte of the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// What a request's head may have.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// How long to wait after an accept that failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What one too many is told: not 503, as a broker that is not healthy says so.
const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves whoever connects, for as long as the thread lives.
pub(crate) async fn accept(listener: TcpListener, pages: Rc<Pages>) {
    let places = Rc::new(RefCell::new(Places::<AbortHandle>::new(CONNECTIONS_MAX)));
    let mut last_id = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let room = places.borrow_mut().free_one();
        match room {
            Ok(None) => {}
            Ok(Some(idle)) => idle.abort(),
            Err(AllBusy) => {
                // A fresh socket takes so few bytes at once; if not, the peer finds it closed.
                let _told_or_not = stream.try_write(TURNED_AWAY);
                continue;
            }
        }
        last_id += 1;
        let visit = Visit { places: places.clone(), id: last_id };
        let serving = tokio::task::spawn_local(serve(stream, pages.clone(), visit));
        places.borrow_mut().take(last_id, serving.abort_handle());
    }
}

/// One connection's place, until this is dropped.
struct Visit {
    places: Rc<RefCell<Places<AbortHandle>>>,
    id: u64,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.places.borrow_mut().leave(self.id);
    }
}

/// Serves one request. Connections are not kept: whoever asks every few seconds pays little for a
/// new one, and nobody holds a place by doing nothing.
async fn serve(stream: TcpStream, pages: Rc<Pages>, visit: Visit) {
    let service = service_fn(|request: Request<Incoming>| {
        visit.places.borrow_mut().ask(visit.id);
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
