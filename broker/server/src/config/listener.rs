//! Where a broker listens, and what it tells its clients.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A host and a port, as in `PLAINTEXT://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an address; empty for every interface.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
}

/// Why a listener can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerError {
    /// More than one.
    Several,
    /// Another protocol than PLAINTEXT.
    Protocol(String),
    /// No port, or none that is a number.
    Port(String),
    /// A name where an address is needed.
    Host(String),
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenerError::Several => write!(f, "one listener, PLAINTEXT://host:port"),
            ListenerError::Protocol(name) => {
                write!(f, "{name} is not there yet; write PLAINTEXT://host:port")
            }
            ListenerError::Port(text) => write!(f, "{text:?} has no port; write host:port"),
            ListenerError::Host(host) => write!(
                f,
                "{host:?} is no IP address; listen on one (0.0.0.0 for every interface) and give \
                 the name in advertised.listeners"
            ),
        }
    }
}

impl ListenAddress {
    /// Parses `PLAINTEXT://host:port`, or `host:port`.
    pub fn parse(text: &str) -> Result<ListenAddress, ListenerError> {
        if text.contains(',') {
            return Err(ListenerError::Several);
        }
        let address = match text.split_once("://") {
            Some((protocol, address)) if protocol.eq_ignore_ascii_case("PLAINTEXT") => address,
            Some((protocol, _)) => return Err(ListenerError::Protocol(protocol.into())),
            None => text,
        };
        let no_port = || ListenerError::Port(address.into());
        let (host, port) = address.rsplit_once(':').ok_or_else(no_port)?;
        let port = port.parse().map_err(|_| no_port())?;
        Ok(ListenAddress { host: host.trim_matches(['[', ']']).into(), port })
    }

    /// The address to bind.
    pub fn to_bind(&self) -> Result<SocketAddr, ListenerError> {
        let ip: IpAddr = match self.host.as_str() {
            "" => Ipv4Addr::UNSPECIFIED.into(),
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            host => host.parse().map_err(|_| ListenerError::Host(host.into()))?,
        };
        Ok(SocketAddr::new(ip, self.port))
    }

    /// What a client can connect to: "every interface" is no address for it.
    pub fn for_clients(&self) -> ListenAddress {
        let host = match self.host.as_str() {
            "" | "0.0.0.0" | "::" => "localhost",
            host => host,
        };
        ListenAddress { host: host.into(), port: self.port }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_form_and_the_short_form_are_taken() {
        let address = |host: &str, port| ListenAddress { host: host.into(), port };
        assert_eq!(
            ListenAddress::parse("PLAINTEXT://127.0.0.1:9092"),
            Ok(address("127.0.0.1", 9092))
        );
        assert_eq!(ListenAddress::parse("localhost:1"), Ok(address("localhost", 1)));
        assert_eq!(ListenAddress::parse("PLAINTEXT://[::1]:9"), Ok(address("::1", 9)));
        assert_eq!(
            ListenAddress::parse("PLAINTEXT://:9092").unwrap().for_clients().host,
            "localhost"
        );
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        let refused = |text| ListenAddress::parse(text).unwrap_err();
        assert_eq!(refused("SSL://h:1"), ListenerError::Protocol("SSL".into()));
        assert_eq!(refused("PLAINTEXT://h:1,PLAINTEXT://h:2"), ListenerError::Several);
        assert_eq!(refused("h"), ListenerError::Port("h".into()));
        assert_eq!(refused("h:99999"), ListenerError::Port("h:99999".into()));
        let named = ListenAddress::parse("kafka.example:1").unwrap();
        assert!(matches!(named.to_bind(), Err(ListenerError::Host(_))));
    }
}
