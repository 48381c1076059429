//! The vocabulary between a shard and the world: operations that own nothing; their completions.
//!
//! A driver is handed an [`Op`] with a [`Key`] and answers with one [`Completion`] under that key,
//! but with none for [`Op::Cancel`] and for anything pushed under [`Key::NOBODY`]. Results are
//! Linux's: a count or a descriptor if not negative, else `-errno`. The pointers in an operation
//! stay valid until its completion, because the ring's slot owns what they point to (`ring.rs`).
//! Nothing may be assumed about the order of completions.

use crate::disk::{DirEntry, FileSystem, Space};
use crate::lease::Lease;
use crate::time::Instant;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::{io, mem};

/// Names one operation in flight: the slot's generation above its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) u64);

impl Key {
    /// The key of operations whose completion interests nobody: the driver swallows it.
    pub(crate) const NOBODY: Key = Key(u64::MAX);
}

/// An open file, socket or pipe end as the driver knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fd {
    /// The process-wide number (a number of the simulated node in the simulator).
    pub(crate) raw: RawFd,
    /// Its place in this ring's table of registered files, if it has one.
    pub(crate) slot: Option<u32>,
}

impl Fd {
    /// A descriptor that is not registered with this ring, for instance one of another shard.
    pub(crate) fn plain(raw: RawFd) -> Fd {
        Fd { raw, slot: None }
    }
}

/// Who may listen at an address already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nobody.
    Nobody,
    /// Another shard of this process, which did so first.
    OurOwn,
}

/// Whether a sync saves all of the inode or only what reading the data back needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncKind {
    /// `fdatasync`.
    Data,
    /// `fsync`.
    All,
}

/// What an unlink removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnlinkKind {
    /// A file's name.
    File,
    /// An empty directory.
    Directory,
}

/// Whether closing may take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseKind {
    /// A socket or a pipe.
    Quick,
    /// A file: if its name is gone, its blocks are given back.
    MayBlock,
}

/// One thing that a driver is asked to do. See the module for the contract.
pub(crate) enum Op {
    /// Result: the new descriptor; the peer's address is written to `peer`.
    Accept {
        fd: Fd,
        peer: *mut PeerAddr,
    },
    Connect {
        fd: Fd,
        peer: *const PeerAddr,
    },
    Recv {
        fd: Fd,
        memory: *mut u8,
        len: u32,
    },
    /// Into memory of the driver's: the completion carries [`Payload::Bytes`]. `-ENOBUFS` if the
    /// driver is out of it: nothing was received then.
    RecvPooled {
        fd: Fd,
    },
    /// May be short.
    Send {
        fd: Fd,
        memory: *const u8,
        len: u32,
    },
    /// May be short: what the socket takes at once, `-EAGAIN` if that is nothing.
    TrySendMsg {
        fd: Fd,
        message: *const libc::msghdr,
    },
    /// Completes when the socket takes bytes again, or is broken.
    PollWritable {
        fd: Fd,
    },
    /// Completes when the peer sends no more, or the socket is broken.
    PollEnd {
        fd: Fd,
    },
    /// Moves up to `len` bytes between a pipe and something else, short if that has no more.
    /// `position` is the file's; none for a pipe or a socket. `-EAGAIN` if a socket is full.
    Splice {
        from: Fd,
        position: Option<u64>,
        to: Fd,
        len: u32,
    },
    /// Both directions of a socket end; what waits on it completes.
    Shutdown {
        fd: Fd,
    },
    /// Result: the new descriptor. `flags` are `open(2)`'s, `path` a C string.
    Open {
        path: *const libc::c_char,
        flags: i32,
    },
    /// `stx_size` and `stx_mode` are what is wanted.
    Stat {
        fd: Fd,
        into: *mut libc::statx,
    },
    Read {
        fd: Fd,
        memory: *mut u8,
        len: u32,
        position: u64,
    },
    /// May be short: the caller treats that as an error. `fixed`: the registered memory's index.
    Write {
        fd: Fd,
        memory: *const u8,
        len: u32,
        position: u64,
        fixed: Option<u16>,
    },
    /// A write that is durable once it completes (`RWF_DSYNC`), with what reading it back needs.
    /// It saves itself alone.
    WriteDurable {
        fd: Fd,
        memory: *const u8,
        len: u32,
        position: u64,
        fixed: Option<u16>,
    },
    Sync {
        fd: Fd,
        kind: SyncKind,
    },
    /// `fallocate(2)` with mode 0: the size grows.
    Allocate {
        fd: Fd,
        position: u64,
        len: u64,
    },
    /// Cached pages of the range are not needed any more.
    DropCached {
        fd: Fd,
        position: u64,
        len: u64,
    },
    Truncate {
        fd: Fd,
        len: u64,
    },
    MakeDir {
        path: *const libc::c_char,
    },
    Rename {
        from: *const libc::c_char,
        to: *const libc::c_char,
    },
    Unlink {
        path: *const libc::c_char,
        kind: UnlinkKind,
    },
    /// What only a thread that may block can do.
    Blocking(Blocking),
    /// Closes the descriptor and frees its place in the table. `-EBADF` cannot happen.
    Close {
        fd: Fd,
        kind: CloseKind,
    },
    /// The operation of that key shall end soon; it still completes (often with `-ECANCELED`).
    Cancel {
        key: Key,
    },
}

/// Operations that the ring cannot do without blocking; they own their arguments.
#[derive(Clone, Debug)]
pub(crate) enum Blocking {
    /// Completion: [`Payload::Entries`].
    List(PathBuf),
    /// Completion: [`Payload::Space`].
    FreeSpace(PathBuf),
    /// Completion: [`Payload::FileSystem`].
    Identity(PathBuf),
    /// `syncfs` of the file system that holds the path.
    SyncFs(PathBuf),
    /// `ftruncate`, where the kernel has no such operation (before Linux 6.9).
    Truncate { raw: RawFd, len: u64 },
}

/// What a completion brings beside its number.
#[derive(Debug)]
pub(crate) enum Payload {
    None,
    Bytes(Lease),
    Entries(Vec<DirEntry>),
    Space(Space),
    FileSystem(FileSystem),
}

/// The end of an operation.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) key: Key,
    pub(crate) result: i32,
    pub(crate) payload: Payload,
}

impl Completion {
    /// A completion that is only a number.
    pub(crate) fn number(key: Key, result: i32) -> Completion {
        Completion { key, result, payload: Payload::None }
    }
}

/// How long a turn of the driver may wait for a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: tasks are ready.
    No,
    /// Until a completion, a foreign ring of the bell, or that moment.
    Until(Instant),
    /// Until a completion or a foreign ring of the bell.
    Forever,
}

/// A socket address in the kernel's form, with room for any family we speak.
#[repr(C)]
pub(crate) struct PeerAddr {
    pub(crate) storage: libc::sockaddr_storage,
    pub(crate) len: libc::socklen_t,
}

impl PeerAddr {
    /// Room for an address that is not known yet.
    pub(crate) fn unknown() -> PeerAddr {
        // SAFETY: sockaddr_storage is plain integers; all-zero is the unspecified address.
        let storage = unsafe { mem::zeroed() };
        PeerAddr { storage, len: mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    pub(crate) fn new(addr: &SocketAddr) -> PeerAddr {
        let mut peer = PeerAddr::unknown();
        peer.set(addr);
        peer
    }

    pub(crate) fn set(&mut self, addr: &SocketAddr) {
        let storage: *mut libc::sockaddr_storage = &mut self.storage;
        match addr {
            SocketAddr::V4(v4) => {
                let inet = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: a sockaddr_storage is at least as large and as aligned as any address.
                unsafe { storage.cast::<libc::sockaddr_in>().write(inet) };
                self.len = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(v6) => {
                let inet = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: as above.
                unsafe { storage.cast::<libc::sockaddr_in6>().write(inet) };
                self.len = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
    }

    /// The address; an error if the family is neither IPv4 nor IPv6.
    pub(crate) fn get(&self) -> io::Result<SocketAddr> {
        let storage: *const libc::sockaddr_storage = &self.storage;
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says which address was written, and the storage is aligned.
                let inet = unsafe { storage.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(inet.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddr::from((ip, u16::from_be(inet.sin_port))))
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let inet = unsafe { storage.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(inet.sin6_addr.s6_addr);
                Ok(SocketAddr::from((ip, u16::from_be(inet.sin6_port))))
            }
            family => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("address family {family} is neither IPv4 nor IPv6"),
            )),
        }
    }
}

/// A driver's number as a result: a count or descriptor, or the error.
pub(crate) fn check(result: i32) -> io::Result<usize> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernels_form() {
        for text in ["127.0.0.1:9092", "[::1]:1", "[fe80::17]:65535"] {
            let addr: SocketAddr = text.parse().expect("a literal address");
            assert_eq!(PeerAddr::new(&addr).get().expect("a family we speak"), addr);
        }
        assert!(PeerAddr::unknown().get().is_err());
    }
}
