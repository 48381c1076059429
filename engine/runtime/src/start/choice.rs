//! Which driver the shards of a process get, and the line that says so.

use super::RuntimeConfig;
use crate::calls::unix_ms;
use crate::driver::DriverConfig;
use crate::log::{Level, write_line};
use crate::posix::THREADS;
use crate::probe::KernelOffer;
use crate::uring::{Got, UringConfig};
use std::fmt;
use std::io;

/// Which driver serves the shards' operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverWanted {
    /// io_uring; epoll and threads where the kernel, or who guards it, does not allow that.
    Auto,
    /// io_uring, or no start.
    Uring,
    /// Epoll for sockets and threads for files: slower, and needs no io_uring.
    Posix,
}

/// The driver of all shards. A kernel that is only short of something is not asked for less: what
/// it then says is the start's error.
pub(super) fn choose(config: &RuntimeConfig, offer: &KernelOffer) -> DriverConfig {
    let uring = UringConfig {
        entries: config.ring_entries,
        registers_memory: offer.registers(config.chunk_memory_bytes),
        recv_buffers: config.receive_buffers,
    };
    match config.driver {
        DriverWanted::Posix => DriverConfig::Posix,
        DriverWanted::Auto if offer.refusal().is_some_and(is_denied) => DriverConfig::Posix,
        DriverWanted::Auto | DriverWanted::Uring => DriverConfig::Uring(uring),
    }
}

/// Whether the kernel has no such thing (or not all that we need of it: Linux before 6.1), or it is
/// forbidden: by the sysctl `kernel.io_uring_disabled`, by a seccomp profile, by a security module.
fn is_denied(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES | libc::EINVAL | libc::EOPNOTSUPP)
    )
}

/// Says what the kernel offers, and what the shards have got of it. `got` is of every shard.
pub(super) fn announce(
    wanted: DriverWanted,
    offer: &KernelOffer,
    got: &[Option<Got>],
    open_files: u32,
) {
    let rings: Vec<Got> = got.iter().copied().flatten().collect();
    let fell_back = rings.is_empty() && wanted != DriverWanted::Posix;
    let shards = got.len();
    let words = fmt::from_fn(|f| {
        write!(f, "{offer}, open files {open_files}; {shards} shards")?;
        if !rings.is_empty() {
            return on_rings(f, &rings);
        }
        let how = if fell_back { "" } else { " as asked for" };
        write!(f, " on epoll{how}, each with {THREADS} threads for files")?;
        if fell_back {
            let remedy = "sysctl kernel.io_uring_disabled=0, the seccomp profile, Linux 6.1";
            write!(f, ", which is slower: allow io_uring ({remedy})")?;
        }
        Ok(())
    });
    let level = if fell_back { Level::Warn } else { Level::Info };
    write_line(unix_ms(), level, &"start", &words);
}

/// What rings got differently is told of the one that got least.
fn on_rings(f: &mut fmt::Formatter<'_>, rings: &[Got]) -> fmt::Result {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let memory = yes(rings.iter().all(|got| got.memory));
    let pooled = yes(rings.iter().all(|got| got.pooled_receives));
    let places = rings.iter().map(|got| got.files).min().unwrap_or(0);
    write!(
        f,
        ", {places} registered files each, registered memory {memory}, pooled receives {pooled}"
    )
}

#[cfg(test)]
mod tests;
