//! The thread: from its socket, which is bound before the broker starts, to its end.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread::{self, JoinHandle};

use runtime::{Level, say};
use server::Observer;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::connections;
use crate::pages::Pages;

/// Who says what this thread says, in the broker's log.
const SOURCE: &str = "control";

/// A bound address: whoever connects waits until it is served.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Binds the address; port 0 lets the system choose.
    pub fn bind(address: SocketAddr) -> io::Result<Listening> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Listening { listener, address })
    }

    /// Starts the thread. It serves until what this returns is dropped.
    pub fn serve(self, observer: Observer) -> io::Result<Control> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("control".to_owned());
        let thread = thread.spawn(move || {
            let serving = LocalSet::new();
            serving.block_on(&tokio, run(self, observer, stopped));
        })?;
        Ok(Control { stop: Some(stop), thread: Some(thread) })
    }
}

/// The thread while it runs; it ends when this is dropped.
pub struct Control {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cuts what it has begun, so this takes no time. Its panic has been said already.
            let _ended_or_panicked = thread.join();
        }
    }
}

/// Serves until `stopped`; what runs then is cut.
async fn run(listening: Listening, observer: Observer, stopped: oneshot::Receiver<()>) {
    let Listening { listener, address } = listening;
    match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => {
            let pages = Rc::new(Pages::new(observer));
            tokio::task::spawn_local(connections::accept(listener, pages));
            say(Level::Info, SOURCE, format_args!("http://{address}/metrics, /healthz, /readyz"));
        }
        Err(e) => say(Level::Warn, SOURCE, format_args!("nothing is served at {address}: {e}")),
    }
    let _dropped = stopped.await;
}
