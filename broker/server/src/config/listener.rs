//! Where a broker listens, and what it tells its clients.

use std::collections::BTreeMap;
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

/// A listener by its name, as in `NAME://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Upper case. `PLAINTEXT` if none was given.
    pub name: String,
    /// Where.
    pub address: ListenAddress,
}

/// Why a listener can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerError {
    /// None for clients.
    None,
    /// More than one for clients.
    Several,
    /// Another protocol than PLAINTEXT.
    Protocol {
        /// The listener.
        name: String,
        /// What it should speak.
        protocol: String,
    },
    /// A name that is no protocol and stands for none.
    Unmapped(String),
    /// No port, or none that is a number.
    Port(String),
    /// No host where clients are told one, and a machine without a name.
    NoHost,
    /// The address of every interface where clients are told one.
    Everywhere(String),
    /// A name where an address is needed.
    Host(String),
    /// Not `NAME:PROTOCOL`.
    Map(String),
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenerError::None => write!(
                f,
                "one listener for clients, PLAINTEXT://host:port; those of \
                 controller.listener.names are not opened"
            ),
            ListenerError::Several => {
                write!(f, "one listener for clients, PLAINTEXT://host:port; leave out the others")
            }
            ListenerError::Protocol { name, protocol } => write!(
                f,
                "listener {name} is to speak {protocol}, and nothing is encrypted or authenticated \
                 yet; write PLAINTEXT://host:port where the network is safe"
            ),
            ListenerError::Unmapped(name) => write!(
                f,
                "{name} is no protocol; write PLAINTEXT://host:port, or add {name}:PLAINTEXT to \
                 listener.security.protocol.map"
            ),
            ListenerError::Port(text) => {
                write!(f, "{text:?} has no port from 0 to 65535; write PLAINTEXT://host:port")
            }
            ListenerError::NoHost => {
                write!(
                    f,
                    "clients need a host, and this machine has no name; give them one in \
                     advertised.listeners=PLAINTEXT://host:port"
                )
            }
            ListenerError::Everywhere(host) => write!(
                f,
                "no client can connect to {host}, which stands for every interface; give them a \
                 name or an address of this machine in advertised.listeners=PLAINTEXT://host:port"
            ),
            ListenerError::Host(host) => write!(
                f,
                "{host:?} is no IP address; listen on one (0.0.0.0 for every interface) and give \
                 the name in advertised.listeners"
            ),
            ListenerError::Map(text) => write!(f, "{text:?} is not NAME:PROTOCOL"),
        }
    }
}

/// The names that listeners have, and what they are for.
#[derive(Clone, Debug, Default)]
pub struct ListenerNames {
    controllers: Vec<String>,
    protocols: BTreeMap<String, String>,
}

impl ListenerNames {
    /// From `controller.listener.names` and `listener.security.protocol.map`. Names are compared
    /// without regard to case, as in Kafka.
    pub fn parse(controllers: &str, map: &str) -> Result<ListenerNames, ListenerError> {
        let controllers = parts(controllers).map(str::to_ascii_uppercase).collect();
        let mut protocols = BTreeMap::new();
        for part in parts(map) {
            let (name, protocol) =
                part.split_once(':').ok_or_else(|| ListenerError::Map(part.into()))?;
            let upper = |text: &str| text.trim().to_ascii_uppercase();
            protocols.insert(upper(name), upper(protocol));
        }
        Ok(ListenerNames { controllers, protocols })
    }

    /// The one listener for clients that the text names: `NAME://host:port`, or `host:port`,
    /// separated by commas.
    pub fn for_clients(&self, text: &str) -> Result<Listener, ListenerError> {
        let all: Vec<Listener> = parts(text).map(Listener::parse).collect::<Result<_, _>>()?;
        let not_controllers = |l: &Listener| !self.controllers.contains(&l.name);
        let mut rest: Vec<Listener> = all.into_iter().filter(not_controllers).collect();
        for listener in &rest {
            // Too many or not: one that must not be there for its protocol is refused for that.
            self.check_protocol(&listener.name)?;
        }
        let listener = rest.pop().ok_or(ListenerError::None)?;
        if rest.is_empty() { Ok(listener) } else { Err(ListenerError::Several) }
    }

    fn check_protocol(&self, name: &str) -> Result<(), ListenerError> {
        match self.protocols.get(name).map_or(name, String::as_str) {
            "PLAINTEXT" => Ok(()),
            protocol @ ("SSL" | "SASL_PLAINTEXT" | "SASL_SSL") => {
                Err(ListenerError::Protocol { name: name.into(), protocol: protocol.into() })
            }
            unknown => Err(ListenerError::Unmapped(unknown.into())),
        }
    }
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl Listener {
    fn parse(text: &str) -> Result<Listener, ListenerError> {
        let (name, address) = text.split_once("://").unwrap_or(("PLAINTEXT", text));
        let address = ListenAddress::parse(address)?;
        Ok(Listener { name: name.to_ascii_uppercase(), address })
    }
}

impl ListenAddress {
    /// From `host:port`.
    pub(crate) fn parse(text: &str) -> Result<ListenAddress, ListenerError> {
        let no_port = || ListenerError::Port(text.into());
        let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
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

    /// What a client can connect to: the machine's name if there is no host. "Every interface" is
    /// no address for it. Both as in Kafka.
    pub(crate) fn for_clients(
        &self,
        host_name: Option<&str>,
    ) -> Result<ListenAddress, ListenerError> {
        let host = match self.host.as_str() {
            "" => host_name.ok_or(ListenerError::NoHost)?,
            host if host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) => {
                return Err(ListenerError::Everywhere(host.into()));
            }
            host => host,
        };
        Ok(ListenAddress { host: host.into(), port: self.port })
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

    fn parse(text: &str) -> Result<ListenAddress, ListenerError> {
        ListenerNames::default().for_clients(text).map(|listener| listener.address)
    }

    #[test]
    fn kafkas_form_and_the_short_form_are_taken() {
        let address = |host: &str, port| Ok(ListenAddress { host: host.into(), port });
        assert_eq!(parse("PLAINTEXT://127.0.0.1:9092"), address("127.0.0.1", 9092));
        assert_eq!(parse("localhost:1"), address("localhost", 1));
        assert_eq!(parse("plaintext://[::1]:9"), address("::1", 9));
    }

    #[test]
    fn clients_are_told_the_machines_name_and_never_every_interface() {
        let told =
            |text: &str, name| parse(text).unwrap().for_clients(name).map(|told| told.to_string());
        assert_eq!(told("h:1", Some("machine")), Ok("h:1".into()));
        assert_eq!(told(":1", Some("machine")), Ok("machine:1".into()));
        assert_eq!(told(":1", None), Err(ListenerError::NoHost));
        for host in ["0.0.0.0", "::", "0:0::0"] {
            let refused = Err(ListenerError::Everywhere(host.into()));
            assert_eq!(told(&format!("[{host}]:1"), Some("machine")), refused);
        }
    }

    #[test]
    fn a_controllers_listener_is_left_out_and_names_stand_for_protocols() {
        let map = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,OUTSIDE:SASL_SSL,INSIDE:PLAINTEXT";
        let names = ListenerNames::parse("CONTROLLER", map).unwrap();
        let found = |text| names.for_clients(text).map(|l| (l.name, l.address.port));
        assert_eq!(found("PLAINTEXT://:1,CONTROLLER://:2"), Ok(("PLAINTEXT".into(), 1)));
        assert_eq!(found("controller://:2, inside://:3"), Ok(("INSIDE".into(), 3)));
        assert_eq!(found("CONTROLLER://:2"), Err(ListenerError::None));
        let closed =
            |name: &str| ListenerError::Protocol { name: name.into(), protocol: "SASL_SSL".into() };
        assert_eq!(found("OUTSIDE://:4"), Err(closed("OUTSIDE")));
        assert_eq!(found("INSIDE://:3,OUTSIDE://:4"), Err(closed("OUTSIDE")));
        let bad = ListenerNames::parse("", "A").unwrap_err();
        assert_eq!(bad, ListenerError::Map("A".into()));
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        let refused = |text| parse(text).unwrap_err();
        assert!(matches!(refused("SSL://h:1"), ListenerError::Protocol { .. }));
        assert_eq!(refused("HTTP://h:1"), ListenerError::Unmapped("HTTP".into()));
        assert_eq!(refused("PLAINTEXT://h:1,PLAINTEXT://h:2"), ListenerError::Several);
        assert_eq!(refused("h"), ListenerError::Port("h".into()));
        assert_eq!(refused("h:99999"), ListenerError::Port("h:99999".into()));
        assert_eq!(refused(" , "), ListenerError::None);
        let named = parse("kafka.example:1").unwrap();
        assert!(matches!(named.to_bind(), Err(ListenerError::Host(_))));
    }
}
