//! Stands between clients and a broker, and keeps the requests that pass.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

/// Of one API in one version so many different requests are kept.
const KEPT_MAX: usize = 4;
/// A longer request holds much data, and not more kinds of fields.
const KEPT_BYTES_MAX: usize = 16 << 10;
/// What every request begins with: its API, and the version of it.
const KIND_BYTES: usize = 4;

/// An API's number, and a version of it.
pub type Kind = (i16, i16);

/// Whole frames, sizes included.
pub type Requests = BTreeMap<Kind, Vec<Vec<u8>>>;

/// A listener that hands on what comes to a broker, which must advertise it.
#[derive(Debug)]
pub struct Capture {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    broker: OnceLock<String>,
    requests: Mutex<Requests>,
}

impl Capture {
    /// Listens at an address of its own. It ends with the process.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
        let address = listener.local_addr().expect("it listens");
        let shared = Arc::new(Shared::default());
        let of_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&of_threads);
                // Whoever is cut off here tries again.
                thread::spawn(move || drop(pass(client, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Where clients should come to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it hands on to the broker at `address`.
    ///
    /// # Panics
    ///
    /// If it was told before.
    pub fn hand_on_to(&self, address: String) {
        self.shared.broker.set(address).expect("it has one broker");
    }

    /// The requests that have passed since this was asked last.
    pub fn take(&self) -> Requests {
        let mut requests = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut requests)
    }
}

/// Hands on in both directions until one side ends.
fn pass(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let broker = shared.broker.get().ok_or(io::ErrorKind::NotConnected)?;
    let broker = TcpStream::connect(broker)?;
    for stream in [&client, &broker] {
        stream.set_nodelay(true)?;
    }
    let (mut answers, mut asker) = (broker.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let copied = io::copy(&mut answers, &mut asker);
        drop(asker.shutdown(Shutdown::Both));
        copied
    });
    let handed_on = hand_on(client, &broker, &shared.requests);
    broker.shutdown(Shutdown::Both)?;
    handed_on
}

fn hand_on(
    mut client: TcpStream,
    mut broker: &TcpStream,
    requests: &Mutex<Requests>,
) -> io::Result<()> {
    loop {
        let mut frame = vec![0; size_of::<u32>()];
        client.read_exact(&mut frame)?;
        let size = u32::from_be_bytes(frame[..].try_into().expect("it is as long"));
        frame.resize(frame.len() + size as usize, 0);
        client.read_exact(&mut frame[size_of::<u32>()..])?;
        broker.write_all(&frame)?;
        keep(requests, frame);
    }
}

fn keep(requests: &Mutex<Requests>, frame: Vec<u8>) {
    let Some(kind) = kind(&frame).filter(|_| frame.len() <= KEPT_BYTES_MAX) else { return };
    let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = requests.entry(kind).or_default();
    if kept.len() < KEPT_MAX && !kept.contains(&frame) {
        kept.push(frame);
    }
}

/// What a frame asks for.
pub fn kind(frame: &[u8]) -> Option<Kind> {
    let kind = frame.get(size_of::<u32>()..size_of::<u32>() + KIND_BYTES)?;
    let number = |at: usize| i16::from_be_bytes([kind[at], kind[at + 1]]);
    Some((number(0), number(2)))
}
