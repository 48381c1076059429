//! Which settings make a broker, and how the others are refused.

use super::keys::BROKER_KEYS;
use super::*;

fn check(arguments: &[&str]) -> Result<Config, String> {
    let mut settings = Settings::new();
    for argument in arguments {
        settings.set_argument(argument).map_err(|e| e.to_string())?;
    }
    Config::check(&settings, Some("machine")).map_err(|e| e.to_string())
}

#[test]
fn the_defaults_make_a_broker() {
    let config = check(&[]).unwrap();
    assert_eq!((config.listener.port, config.partition_count), (9092, 1));
    assert_eq!(config.topic.segment_size_bytes, 1 << 30);
    for key in BROKER_KEYS {
        assert!(fits(key.kind, key.default), "{}={}", key.name, key.default);
    }
}

#[test]
fn an_impossible_value_is_refused_with_key_place_and_remedy() {
    assert_eq!(
        check(&["num.partitions=0"]).unwrap_err(),
        "--set on the command line: num.partitions=0 can't be: a whole number from 1 to 10000 \
         (partitions of a topic that names no number)"
    );
    assert!(check(&["ringmain.driver=epoll"]).unwrap_err().contains("one of auto, uring, posix"));
    assert!(check(&["ringmain.shards=0"]).unwrap_err().contains("auto, or a number"));
    assert!(check(&["log.dirs=a,b"]).unwrap_err().contains("one folder"));
    assert!(check(&["listeners=SSL://:1"]).unwrap_err().contains("PLAINTEXT"));
}

#[test]
fn the_driver_is_the_one_that_is_named() {
    let wanted = |arguments: &[&str]| check(arguments).unwrap().driver;
    assert_eq!(wanted(&[]), DriverWanted::Auto);
    assert_eq!(wanted(&["ringmain.driver=uring"]), DriverWanted::Uring);
    assert_eq!(wanted(&["ringmain.driver=posix"]), DriverWanted::Posix);
}

#[test]
fn a_batch_that_no_journal_file_could_take_is_refused_with_the_arithmetic() {
    let error = check(&["message.max.bytes=20000000"]).unwrap_err();
    assert!(error.contains("ringmain.journal.file.bytes=16777216"), "{error}");
    let room = ["ringmain.journal.file.bytes=33554432", "ringmain.tail.bytes=134217728"];
    assert!(check(&[room[0], room[1], "message.max.bytes=20000000"]).is_ok());
}

#[test]
fn a_topic_follows_the_broker_where_it_sets_nothing() {
    let config = check(&["log.segment.bytes=65536"]).unwrap();
    let own = [("segment.ms".to_string(), "5".to_string())].into();
    let topic = config.topic.with(&own);
    assert_eq!((topic.segment_size_bytes, topic.segment_ms), (65536, 5));
}

#[test]
fn hours_and_minutes_are_taken_where_milliseconds_are_not_given() {
    let retention = |arguments: &[&str]| {
        let config = check(arguments).map(|c| c.topic.with(&Default::default()));
        config.map(|topic| topic.segment_ms)
    };
    assert_eq!(retention(&["log.roll.hours=2"]), Ok(7_200_000));
    assert_eq!(retention(&["log.roll.ms=5", "log.roll.hours=2"]), Ok(5));
    assert_eq!(
        retention(&["log.roll.hours=0"]).unwrap_err(),
        "--set on the command line: log.roll.hours=0 can't be: a whole number from 1 to 2147483647"
    );
    assert!(check(&["log.retention.hours=-1"]).is_ok());
    assert!(check(&["log.retention.minutes=x", "log.retention.hours=1"]).is_err());
    assert_eq!(check(&["broker.id=7"]).unwrap().broker.0, 7);
    let folder = check(&["log.dirs=/a", "log.dir=/b"]).unwrap().data_folder;
    assert_eq!(folder, PathBuf::from("/a"), "as Kafka decides");
}

#[test]
fn what_would_cost_data_or_safety_if_ignored_is_refused() {
    for (argument, harmless) in [
        ("authorizer.class.name=org.example.A", "authorizer.class.name="),
        ("create.topic.policy.class.name=P", "create.topic.policy.class.name="),
        ("config.providers=env", "config.providers="),
        ("process.roles=controller", "process.roles=controller,broker"),
        ("process.roles=broker", "process.roles=broker,controller"),
        ("controller.quorum.voters=1@a:1,2@b:1", "controller.quorum.voters=1@a:1"),
        ("controller.quorum.bootstrap.servers=a:1,b:1", "controller.quorum.bootstrap.servers=a:1"),
        ("default.replication.factor=3", "default.replication.factor=1"),
        ("listeners=SASL_SSL://:9092", "listeners=PLAINTEXT://:9092"),
    ] {
        let error = check(&[argument]).unwrap_err();
        assert!(error.contains(&format!("{argument} can't be")), "{error}");
        assert!(check(&[harmless]).is_ok(), "{harmless}");
    }
}

#[test]
fn nobody_may_connect_only_where_some_are_excepted() {
    let none = "max.connections.per.ip=0";
    assert!(check(&[none]).unwrap_err().contains("max.connections.per.ip=0 can't be: 1 at least"));
    let config = check(&[none, "max.connections.per.ip.overrides=10.0.0.7:3"]).unwrap();
    let limits = config.connections;
    assert_eq!((limits.all_max, limits.address_max), (i32::MAX as u32, 0));
    assert_eq!(limits.overrides.into_values().collect::<Vec<_>>(), [3]);
    assert!(check(&["max.connections.per.ip.overrides=host:3"]).is_err());
}

#[test]
fn clients_are_told_an_address_that_they_can_reach() {
    let told = |arguments: &[&str]| check(arguments).map(|config| config.advertised.to_string());
    assert_eq!(told(&[]), Ok("127.0.0.1:9092".into()));
    assert_eq!(told(&["listeners=PLAINTEXT://:5"]), Ok("machine:5".into()));
    let other = "advertised.listeners=PLAINTEXT://kafka.example:6";
    assert_eq!(told(&["listeners=PLAINTEXT://:5", other]), Ok("kafka.example:6".into()));
    assert_eq!(told(&["advertised.listeners=PLAINTEXT://:6"]), Ok("machine:6".into()));
    assert_eq!(
        told(&["listeners=PLAINTEXT://0.0.0.0:5"]).unwrap_err(),
        "--set on the command line: listeners=PLAINTEXT://0.0.0.0:5 can't be: no client can \
         connect to 0.0.0.0, which stands for every interface; give them a name or an address of \
         this machine in advertised.listeners=PLAINTEXT://host:port"
    );
    for host in ["0.0.0.0", "[::]"] {
        let everywhere = format!("listeners=PLAINTEXT://{host}:5");
        assert!(told(&[&everywhere]).unwrap_err().contains("set on the command line: listeners="));
        assert_eq!(told(&[&everywhere, other]), Ok("kafka.example:6".into()));
        let told = told(&[&format!("advertised.listeners=PLAINTEXT://{host}:6")]);
        assert!(told.unwrap_err().contains("line: advertised.listeners="));
    }
    let map = "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT";
    assert!(told(&[map, "listeners=A://:5", "advertised.listeners=B://h:5"]).is_err());
    assert_eq!(told(&[map, "listeners=A://:5", "advertised.listeners=A://h:5"]), Ok("h:5".into()));
}

#[test]
fn the_admin_listener_is_an_address_or_none() {
    let admin = |arguments: &[&str]| check(arguments).map(|config| config.admin);
    let listener = |text: &str, is_given| {
        let address = text.parse().unwrap();
        Ok(Some(AdminListener { address, is_given }))
    };
    assert_eq!(admin(&[]), listener("127.0.0.1:9644", false));
    assert_eq!(admin(&["ringmain.admin.listener="]), Ok(None));
    assert_eq!(admin(&["ringmain.admin.listener=:7"]), listener("0.0.0.0:7", true));
    assert_eq!(admin(&["ringmain.admin.listener=[::1]:0"]), listener("[::1]:0", true));
    for bad in ["9644", "here:9644", "127.0.0.1:port"] {
        let error = admin(&[&format!("ringmain.admin.listener={bad}")]).unwrap_err();
        assert!(error.contains("such as 127.0.0.1:9644"), "{error}");
    }
}

/// They used to get a quarter on top of a memory that the largest request took almost whole.
#[test]
fn by_default_the_largest_request_leaves_the_others_their_part_of_the_memory() {
    let config = check(&[]).unwrap();
    let rest = config.request_bytes - u64::from(config.request_size_max);
    assert!(rest >= config.request_bytes / 4, "{rest} of {}", config.request_bytes);
}
