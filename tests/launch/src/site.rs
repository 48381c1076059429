//! Where a broker lives: its folder and its ports, the same over all its restarts.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::LaunchError;

/// What is shown of a broker's output.
const LAST_WORDS_BYTES: usize = 8192;

/// Ports are taken in pairs, below those that Linux gives to outgoing connections (from 32,768): a
/// client that keeps dialling a dead broker could otherwise be given the very port that it dials,
/// meet itself, and keep the restarted broker out.
const FIRST_PORT: u16 = 20_000;
const PAIRS: u32 = 6_000;
/// Processes that run side by side have ids close to each other: so many pairs lie between them.
const PAIRS_PER_PROCESS: u32 = 64;

/// The place of one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    folder: PathBuf,
    port: u16,
}

impl Site {
    /// A place in `folder`, with two ports that nobody listens on, others each time.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, LaunchError> {
        Ok(Self { folder: folder.into(), port: free_ports()? })
    }

    /// Everything that the broker leaves on a disk lies below it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The clients' port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of Kafka's controller.
    pub fn controller_port(&self) -> u16 {
        self.port + 1
    }

    /// Where clients find the broker.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The folder that holds the broker's records.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The file of the broker's output, all starts after one another.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    /// The end of the broker's output, as far as it can be read.
    pub fn last_words(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LAST_WORDS_BYTES)..];
        String::from_utf8_lossy(tail).into_owned()
    }

    /// The log twice, for standard output and error.
    pub(crate) fn logs(&self) -> Result<[File; 2], LaunchError> {
        let path = self.log_path();
        let open = || -> io::Result<[File; 2]> {
            let log = File::options().create(true).append(true).open(&path)?;
            Ok([log.try_clone()?, log])
        };
        open().map_err(LaunchError::file(&path))
    }
}

fn free_ports() -> Result<u16, LaunchError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() % PAIRS * PAIRS_PER_PROCESS;
    for _ in 0..PAIRS {
        let pair = (first + NEXT.fetch_add(1, Ordering::Relaxed)) % PAIRS;
        let port = FIRST_PORT + 2 * u16::try_from(pair).expect("PAIRS fits");
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free(port) && is_free(port + 1) {
            return Ok(port);
        }
    }
    Err(LaunchError::NoPort)
}

#[cfg(test)]
mod tests {
    use super::Site;

    #[test]
    fn sites_share_no_port_and_take_none_of_linuxs() {
        let mut ports = Vec::new();
        for _ in 0..100 {
            let site = Site::new("/nowhere").unwrap();
            ports.extend([site.port(), site.controller_port()]);
        }
        assert!(ports.iter().all(|port| (20_000..32_000).contains(port)), "{ports:?}");
        ports.sort();
        ports.dedup();
        assert_eq!(ports.len(), 200);
    }
}
