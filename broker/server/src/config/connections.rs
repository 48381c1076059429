//! How many connections there may be: in all, from one address, and how fast they may come.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Limits on the connections of the whole broker, whichever shard they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub all_max: u32,
    /// `max.connections.per.ip`.
    pub address_max: u32,
    /// `max.connections.per.ip.overrides`.
    pub overrides: BTreeMap<IpAddr, u32>,
    /// `max.connection.creation.rate`; none if it limits nothing.
    pub second_max: Option<u32>,
}

/// Why a list of exceptions is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverridesError {
    /// An entry that is not an address, a colon and a number.
    Entry(String),
}

impl fmt::Display for OverridesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverridesError::Entry(entry) = self;
        write!(
            f,
            "a list of address:count, such as 10.0.0.7:100,::1:50; \"{entry}\" is none of these \
             (names of hosts are not looked up)"
        )
    }
}

impl ConnectionLimits {
    /// Exceptions by address, from `address:count,...`.
    pub fn parse_overrides(list: &str) -> Result<BTreeMap<IpAddr, u32>, OverridesError> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let parse = |entry: &str| {
            let (address, max) = entry.rsplit_once(':')?;
            let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
            let max = max.trim().parse().ok().filter(|max| *max <= i32::MAX as u32)?;
            Some((address.to_canonical(), max))
        };
        entries.map(|e| parse(e).ok_or_else(|| OverridesError::Entry(e.into()))).collect()
    }

    /// Whether any of them asks to count connections: by default there is nothing to count for.
    pub(crate) fn are_counted(&self) -> bool {
        let none = i32::MAX as u32;
        self.all_max < none || self.address_max < none || !self.overrides.is_empty()
    }

    /// How many there may be from an address.
    pub(crate) fn of_address(&self, address: IpAddr) -> u32 {
        self.overrides.get(&address).copied().unwrap_or(self.address_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_addresses_and_numbers() {
        let parse = ConnectionLimits::parse_overrides;
        assert_eq!(parse(""), Ok(BTreeMap::new()));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let expect = BTreeMap::from([(address("10.0.0.7"), 3), (address("::1"), 0)]);
        assert_eq!(parse(" 10.0.0.7:3, [::1]:0,"), Ok(expect.clone()));
        assert_eq!(parse("::ffff:10.0.0.7:3,::1:0"), Ok(expect));
        for bad in ["host:3", "10.0.0.7", "10.0.0.7:", "10.0.0.7:-1", "10.0.0.7:2147483648"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
