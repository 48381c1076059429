//! What an operator sees of a broker where io_uring is forbidden, or that is told to do without it.

use std::time::Duration;

use conformance::broker::{Broker, Kind};
use conformance::wait;

/// Far more than a line needs from the broker to its log.
const SAID_WITHIN: Duration = Duration::from_secs(10);

/// The one line of the broker's log that names the driver.
fn line_about_the_driver(broker: &Broker) -> String {
    let of_driver = |line: &&str| line.contains("io_uring") || line.contains("epoll");
    let found = || {
        let said = broker.said();
        let lines: Vec<String> = said.lines().filter(of_driver).map(str::to_owned).collect();
        assert!(lines.len() < 2, "{said}");
        lines.into_iter().next()
    };
    wait::until("a line about the driver", SAID_WITHIN, found)
}

#[test]
fn a_broker_says_in_one_line_that_io_uring_is_forbidden_and_what_to_do() {
    let settings = [("ringmain.shards", "2")];
    let mut broker = Broker::start(Kind::RingmainWithoutIoUring, "forbidden", &settings);
    let line = line_about_the_driver(&broker);
    let parts = [
        " WARN  start Linux ",
        "no io_uring (Operation not permitted",
        "2 shards on epoll",
        "allow io_uring (sysctl kernel.io_uring_disabled=0, the seccomp profile",
    ];
    for part in parts {
        assert!(line.contains(part), "{part} in {line}");
    }
    broker.stop();
}

#[test]
fn a_broker_does_without_io_uring_if_it_is_told_to() {
    let settings = [("ringmain.shards", "1"), ("ringmain.driver", "posix")];
    let mut broker = Broker::start(Kind::Ringmain, "told-to", &settings);
    let line = line_about_the_driver(&broker);
    assert!(line.contains(" INFO  start Linux "), "{line}");
    assert!(line.contains("1 shards on epoll as asked for"), "{line}");
    broker.stop();
}
