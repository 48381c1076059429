//! What the kernel offers, found out once at the start and said in one line.

use crate::start::choice::DriverWanted;
use io_uring::{IoUring, Probe, opcode};
use std::fmt;
use std::fs;
use std::io;

/// Linux's bit of the capability to lock any amount of memory.
const CAP_IPC_LOCK: u32 = 14;

/// How much memory the process may lock, which is what registering it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedMemory {
    /// As much as there is.
    Unlimited,
    /// So many bytes, for all processes of the user.
    AtMost(u64),
}

/// What the kernel offers.
#[derive(Debug)]
pub struct KernelOffer {
    release: String,
    /// None if it was not asked for one.
    ring: Option<Result<Features, io::Error>>,
    /// How much memory may be registered.
    pub locked_memory: LockedMemory,
}

#[derive(Debug)]
struct Features {
    messages: bool,
    truncates: bool,
}

impl KernelOffer {
    /// Asks the kernel. Takes a few system calls; no shard needs to run. A kernel that is not to
    /// give a ring is not asked for one: there are profiles that kill who asks.
    pub fn probe(driver: DriverWanted) -> KernelOffer {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        KernelOffer {
            release: release.trim().to_owned(),
            ring: (driver != DriverWanted::Posix).then(features),
            locked_memory: locked_memory(),
        }
    }

    /// Why shards can't run on io_uring here, in the kernel's words; none if they can, or nobody
    /// wants to know.
    pub fn refusal(&self) -> Option<&io::Error> {
        self.ring.as_ref()?.as_ref().err()
    }

    /// Whether so many bytes of memory can be registered: all or none.
    pub fn registers(&self, bytes: u64) -> bool {
        match self.locked_memory {
            LockedMemory::Unlimited => true,
            LockedMemory::AtMost(limit) => bytes <= limit,
        }
    }
}

impl fmt::Display for KernelOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {}", self.release)?;
        match &self.ring {
            None => return Ok(()),
            Some(Err(e)) => return write!(f, ": no io_uring ({e})"),
            Some(Ok(features)) => {
                let yes = |is: bool| if is { "yes" } else { "no" };
                write!(
                    f,
                    ": io_uring with ring messages {}, truncate {}, ",
                    yes(features.messages),
                    yes(features.truncates)
                )?;
            }
        }
        match self.locked_memory {
            LockedMemory::Unlimited => f.write_str("locked memory unlimited"),
            LockedMemory::AtMost(bytes) => write!(f, "locked memory {} KiB", bytes / 1024),
        }
    }
}

/// One operation goes all the way: a profile may allow a ring to be made, and not to be used.
fn features() -> io::Result<Features> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    let mut ring: IoUring = builder.build(8)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    // SAFETY: an operation that does nothing points to nothing.
    unsafe { ring.submission().push(&opcode::Nop::new().build()) }.expect("there are 8 places");
    ring.submit_and_wait(1)?;
    Ok(Features {
        messages: probe.is_supported(opcode::MsgRingData::CODE),
        truncates: probe.is_supported(opcode::Ftruncate::CODE),
    })
}

fn locked_memory() -> LockedMemory {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if may_lock_all(&status) {
        return LockedMemory::Unlimited;
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one rlimit.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
    match limit.rlim_cur {
        libc::RLIM_INFINITY => LockedMemory::Unlimited,
        bytes if got == 0 => LockedMemory::AtMost(bytes),
        _ => LockedMemory::AtMost(0),
    }
}

fn may_lock_all(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> CAP_IPC_LOCK & 1 == 1)
}

#[cfg(test)]
impl KernelOffer {
    /// An offer of a kernel that answers so when it is asked for a ring.
    pub(crate) fn with_ring(ring: Result<(), i32>) -> KernelOffer {
        let features = |()| Features { messages: true, truncates: true };
        KernelOffer {
            release: String::new(),
            ring: Some(ring.map(features).map_err(io::Error::from_raw_os_error)),
            locked_memory: LockedMemory::Unlimited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capability_is_read_from_its_bit() {
        assert!(may_lock_all("Name:\tx\nCapEff:\t0000000000004000\n"));
        assert!(!may_lock_all("CapEff:\tffffffffffffbfff\n"));
        assert!(!may_lock_all("CapPrm:\tffffffffffffffff\n"));
    }

    #[test]
    fn the_offer_is_one_line() {
        for driver in [DriverWanted::Auto, DriverWanted::Posix] {
            let text = KernelOffer::probe(driver).to_string();
            assert!(text.starts_with("Linux ") && text.lines().count() == 1, "{text:?}");
            assert_eq!(text.contains("io_uring"), driver == DriverWanted::Auto, "{text:?}");
        }
    }
}
