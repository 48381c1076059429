//! Counts the connections of the whole broker, on shard 0, if a setting limits them.
//!
//! A shard asks before it serves a new connection, and tells when one has ended: a message each
//! way, and none at all while nothing is limited.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::config::connections::ConnectionLimits;

/// Who is in. Bounded by the connections that the shards have.
#[derive(Default)]
pub(crate) struct Doorkeeper(RefCell<Inside>);

#[derive(Default)]
struct Inside {
    all: u32,
    by_address: BTreeMap<IpAddr, u32>,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many as there may be in all.
    Broker {
        /// How many that is.
        max: u32,
    },
    /// There are as many as there may be from its address.
    Address {
        /// How many that is.
        max: u32,
    },
}

impl Full {
    /// Every [`Full::reason`].
    pub(crate) const REASONS: [&str; 2] = ["all", "address"];

    /// One word for it, which metrics tell.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Full::Broker { .. } => "all",
            Full::Address { .. } => "address",
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Full::Broker { max } => {
                write!(f, "this broker has max.connections={max} connections open")
            }
            Full::Address { max } => write!(
                f,
                "its address has {max} connections open, as many as max.connections.per.ip or its \
                 entry in max.connections.per.ip.overrides allows"
            ),
        }
    }
}

impl Doorkeeper {
    /// Lets one in, if it may.
    pub(crate) fn enter(&self, limits: &ConnectionLimits, address: IpAddr) -> Result<(), Full> {
        let mut inside = self.0.borrow_mut();
        if inside.all >= limits.all_max {
            return Err(Full::Broker { max: limits.all_max });
        }
        let max = limits.of_address(address);
        if inside.by_address.get(&address).copied().unwrap_or(0) >= max {
            return Err(Full::Address { max });
        }
        inside.all += 1;
        *inside.by_address.entry(address).or_default() += 1;
        Ok(())
    }

    /// One that was let in has ended.
    pub(crate) fn leave(&self, address: IpAddr) {
        let mut inside = self.0.borrow_mut();
        let of_address = inside.by_address.get_mut(&address).expect("it was let in");
        *of_address -= 1;
        if *of_address == 0 {
            inside.by_address.remove(&address);
        }
        inside.all -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_let_in_as_there_may_be_and_more_when_some_have_left() {
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let limits = ConnectionLimits {
            all_max: 4,
            address_max: 2,
            overrides: BTreeMap::from([(b, 3), (c, 0)]),
            second_max: None,
        };
        let door = Doorkeeper::default();
        assert_eq!(door.enter(&limits, c), Err(Full::Address { max: 0 }));
        let both = [Full::Broker { max: 4 }, Full::Address { max: 0 }];
        assert_eq!(both.map(Full::reason), Full::REASONS);
        assert_eq!((door.enter(&limits, a), door.enter(&limits, a)), (Ok(()), Ok(())));
        assert_eq!(door.enter(&limits, a), Err(Full::Address { max: 2 }));
        assert_eq!((door.enter(&limits, b), door.enter(&limits, b)), (Ok(()), Ok(())));
        assert_eq!(door.enter(&limits, b), Err(Full::Broker { max: 4 }));
        door.leave(a);
        assert_eq!(door.enter(&limits, b), Ok(()));
        door.leave(b);
        assert_eq!(door.enter(&limits, a), Ok(()));
        assert_eq!(door.0.borrow().by_address.len(), 2);
    }
}
