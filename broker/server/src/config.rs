//! The broker's settings, checked: raw text becomes a [`Config`] or a refusal that names key, place
//! and remedy.

pub(crate) mod keys;
pub(crate) mod without_effect;

mod properties;
pub(crate) mod settings;

pub(crate) mod connections;
pub(crate) mod listener;
pub(crate) mod topic;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use metadata::BrokerId;
use runtime::DriverWanted;
use storage::JournalConfig;

use connections::ConnectionLimits;
use keys::{BROKER_KEYS, Key, Kind, Scope, TOPIC_KEYS, number, other_ways};
use listener::{ListenAddress, ListenerError, ListenerNames};
use settings::{Given, Place, Settings};
use topic::{Source, Synonym, TopicConfig, TopicDefaults, TopicSetting};

/// How many shards are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    /// One a core that we may use.
    Auto,
    /// So many.
    Exactly(u16),
}

/// Where those who watch the broker find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminListener {
    /// The address to bind; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether somebody asked for it. The default's port may be taken, by another broker on the
    /// same machine, say; one that was asked for may not.
    pub is_given: bool,
}

/// All settings of a broker. Sizes are bytes, times milliseconds.
#[derive(Clone, Debug)]
pub struct Config {
    /// `node.id`.
    pub broker: BrokerId,
    /// `listeners`.
    pub listener: ListenAddress,
    /// `advertised.listeners`, or the listener.
    pub advertised: ListenAddress,
    /// `log.dirs`.
    pub data_folder: PathBuf,
    /// `ringmain.admin.listener`, none if it is empty.
    pub admin: Option<AdminListener>,
    /// `ringmain.shards`.
    pub shards: Shards,
    /// `ringmain.driver`.
    pub driver: DriverWanted,
    /// `ringmain.journal.file.bytes`.
    pub journal_file_bytes: u64,
    /// `ringmain.journal.files.max`.
    pub journal_files_max: u32,
    /// `ringmain.journal.mark.delay.ms`.
    pub journal_mark_delay_ms: u64,
    /// `ringmain.tail.bytes`, of each shard.
    pub tail_bytes: u64,
    /// `ringmain.request.bytes`, of each shard.
    pub request_bytes: u64,
    /// `ringmain.disk.reserve.bytes`.
    pub disk_reserve_bytes: u64,
    /// `num.partitions`.
    pub partition_count: u32,
    /// `default.replication.factor`.
    pub replication_factor: u16,
    /// `auto.create.topics.enable`.
    pub creates_topics: bool,
    /// `delete.topic.enable`.
    pub deletes_topics: bool,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `connections.max.idle.ms`, none for ever.
    pub connection_idle_max: Option<Duration>,
    /// `max.connections` and its like.
    pub connections: ConnectionLimits,
    /// `ringmain.memory.bytes`, of all shards together; none for a part of what the machine has.
    pub memory_bytes: Option<u64>,
    /// `socket.request.max.bytes`.
    pub request_size_max: u32,
    /// `fetch.max.bytes`.
    pub fetch_size_max: u32,
    /// What a topic has that sets nothing itself.
    pub topic: TopicConfig,
    /// The same in full and in text.
    pub topic_defaults: TopicDefaults,
    /// The broker's own settings in text, in the order of their table.
    pub broker_settings: Vec<BrokerSetting>,
}

/// A setting of the broker as it holds.
#[derive(Clone, Debug)]
pub struct BrokerSetting {
    /// Which.
    pub key: &'static Key,
    /// Its value, in text.
    pub value: String,
    /// Why it is that.
    pub source: Source,
    /// What was given, and the default.
    pub synonyms: Vec<Synonym>,
}

/// Why a broker can't start with what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A value that is none for its key.
    Value {
        /// Which setting.
        key: String,
        /// What was given.
        value: String,
        /// Where.
        place: Place,
        /// What it should be.
        wanted: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError::Value { key, value, place, wanted } = self;
        write!(f, "{place}: {key}={value} can't be: {wanted}")
    }
}

/// What a value of this kind should be, in words.
pub(crate) fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Number { min, max } if min == max => format!("{min} is the only choice"),
        Kind::Number { min, max } if max == i64::MAX => format!("a whole number from {min} on"),
        Kind::Number { min, max } => format!("a whole number from {min} to {max}"),
        Kind::NumberOr { word, min, max } => format!("{word}, or a number from {min} to {max}"),
        Kind::Fraction => "a number from 0 to 1".into(),
        Kind::Switch => "true or false".into(),
        Kind::Choice([word]) => format!("{word} is the only choice"),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::ListOf([word]) => format!("{word} is the only choice"),
        Kind::ListOf(words) => format!("some of {}, with commas between them", words.join(", ")),
        Kind::List => "words with commas between them".into(),
        Kind::Text => "it may not be empty".into(),
        Kind::OptionalText => "any text".into(),
    }
}

/// Whether `value` is one of this kind.
pub(crate) fn fits(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Number { min, max } => value.parse().is_ok_and(|n: i64| (min..=max).contains(&n)),
        Kind::NumberOr { word, min, max } => value == word || fits(number(min, max), value),
        Kind::Fraction => value.parse().is_ok_and(|n: f64| (0.0..=1.0).contains(&n)),
        Kind::Switch => ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)),
        Kind::Choice(words) => words.contains(&value),
        Kind::ListOf(words) => value.split(',').all(|word| words.contains(&word.trim())),
        Kind::List => true,
        Kind::Text => !value.is_empty(),
        Kind::OptionalText => true,
    }
}

/// Reads checked values out of settings.
struct Reader<'a>(&'a Settings);

impl Reader<'_> {
    fn key(&self, name: &str) -> &'static Key {
        keys::broker_key(name).expect("only keys of the table are read")
    }

    /// What was given for a setting, or by another way to say it: how it was said, and its text in
    /// the setting's own unit.
    fn given(&self, name: &str) -> Result<Option<(&Given, String)>, ConfigError> {
        if let Some(given) = self.0.given(name) {
            return Ok(Some((given, given.value.clone())));
        }
        for way in other_ways(name) {
            let Some(given) = self.0.given(way.name) else { continue };
            if !fits(way.kind, &given.value) {
                return Err(refusal(way.name, given, wanted(way.kind)));
            }
            let number = way.factor.and_then(|factor| Some((factor, given.value.parse().ok()?)));
            let text = match number {
                Some((factor, number @ 1_i64..)) => number.saturating_mul(factor).to_string(),
                _ => given.value.clone(),
            };
            return Ok(Some((given, text)));
        }
        Ok(None)
    }

    fn text(&self, name: &str) -> Result<String, ConfigError> {
        let key = self.key(name);
        match self.given(name)? {
            None => Ok(key.default.into()),
            Some((_, text)) if fits(key.kind, &text) => Ok(text),
            Some(_) => Err(self.refuse(name, format!("{} ({})", wanted(key.kind), key.doc))),
        }
    }

    fn switch(&self, name: &str) -> Result<bool, ConfigError> {
        Ok(self.text(name)?.eq_ignore_ascii_case("true"))
    }

    fn number<N: TryFrom<i64>>(&self, name: &str) -> Result<N, ConfigError> {
        let text = self.text(name)?;
        // The table's range for the key lies within the type that it is read as.
        let number: i64 = text.parse().expect("checked against the kind, or the default");
        N::try_from(number).map_err(|_| self.refuse(name, wanted(self.key(name).kind)))
    }

    /// The refusal of what was given for a setting, by the name and in the unit of how it was said.
    fn refuse(&self, name: &str, wanted: String) -> ConfigError {
        let key = self.key(name);
        let ways = std::iter::once(key.name).chain(other_ways(name).map(|way| way.name));
        let mut given = ways.filter_map(|way| Some((way, self.0.given(way)?)));
        let default = Given { value: key.default.into(), place: Place::Default };
        match given.next() {
            Some((way, given)) => refusal(way, given, wanted),
            None => refusal(key.name, &default, wanted),
        }
    }
}

fn refusal(key: &str, given: &Given, wanted: String) -> ConfigError {
    let Given { value, place } = given.clone();
    ConfigError::Value { key: key.into(), value, place, wanted }
}

impl Config {
    /// Checks every setting, alone and together. `host_name` is the machine's, which clients are
    /// told where nobody names a host.
    pub fn check(settings: &Settings, host_name: Option<&str>) -> Result<Config, ConfigError> {
        if let Some((name, given, why)) = settings.unsafe_ones().next() {
            return Err(refusal(name, given, why.into()));
        }
        let read = Reader(settings);
        let (listener, advertised) = read.listeners(host_name)?;
        let topic_defaults = read.topic_defaults()?;
        let config = Config {
            broker: BrokerId(read.number("node.id")?),
            advertised,
            listener,
            data_folder: read.data_folder()?,
            admin: read.admin_listener()?,
            shards: read.shards()?,
            driver: read.driver()?,
            journal_file_bytes: read.number("ringmain.journal.file.bytes")?,
            journal_files_max: read.number("ringmain.journal.files.max")?,
            journal_mark_delay_ms: read.number("ringmain.journal.mark.delay.ms")?,
            tail_bytes: read.number("ringmain.tail.bytes")?,
            request_bytes: read.number("ringmain.request.bytes")?,
            disk_reserve_bytes: read.number("ringmain.disk.reserve.bytes")?,
            partition_count: read.number("num.partitions")?,
            replication_factor: read.number("default.replication.factor")?,
            creates_topics: read.switch("auto.create.topics.enable")?,
            deletes_topics: read.switch("delete.topic.enable")?,
            producer_id_expiration_ms: read.number("producer.id.expiration.ms")?,
            connection_idle_max: read.idle_max()?,
            connections: read.connections()?,
            memory_bytes: read.memory_bytes()?,
            request_size_max: read.number("socket.request.max.bytes")?,
            fetch_size_max: read.number("fetch.max.bytes")?,
            topic: TopicConfig::from_checked(&|name| topic_defaults.value(name)),
            topic_defaults,
            broker_settings: read.broker_settings()?,
        };
        config.check_together(&read)?;
        Ok(config)
    }

    /// What the journal of one shard is told.
    pub fn journal(&self) -> JournalConfig {
        JournalConfig {
            file_bytes: self.journal_file_bytes,
            files_max: self.journal_files_max,
            tail_bytes: self.tail_bytes,
            mark_delay: Duration::from_millis(self.journal_mark_delay_ms),
            ..JournalConfig::default()
        }
    }

    /// What the requests of one shard hold at most: the other lanes have a quarter of the limit,
    /// however large the largest request may be.
    pub(crate) fn request_bytes_in_all(&self) -> u64 {
        self.request_bytes.max(u64::from(self.request_size_max) + self.request_bytes / 4)
    }

    /// The largest record batch that a shard can take: it must fit one journal file behind a
    /// commit's header, and a quarter of the tail.
    pub fn batch_size_max(&self) -> u64 {
        self.journal().largest_payload_bytes() as u64
    }

    fn check_together(&self, read: &Reader<'_>) -> Result<(), ConfigError> {
        let max = self.batch_size_max();
        if self.topic.batch_size_max > max {
            let wanted = format!(
                "at most {max} with these settings: a batch fits one journal file \
                 (ringmain.journal.file.bytes={}) and a quarter of the tail \
                 (ringmain.tail.bytes={})",
                self.journal_file_bytes, self.tail_bytes
            );
            return Err(read.refuse("message.max.bytes", wanted));
        }
        if u64::from(self.request_size_max) > self.request_bytes {
            let wanted = format!("at most ringmain.request.bytes={}", self.request_bytes);
            return Err(read.refuse("socket.request.max.bytes", wanted));
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Where to listen, and what clients are told.
    fn listeners(
        &self,
        host_name: Option<&str>,
    ) -> Result<(ListenAddress, ListenAddress), ConfigError> {
        let refuse = |name| move |e: ListenerError| self.refuse(name, e.to_string());
        let controllers = self.0.given("controller.listener.names").map_or("", |g| &g.value);
        let map = self.text("listener.security.protocol.map")?;
        let names = ListenerNames::parse(controllers, &map)
            .map_err(refuse("listener.security.protocol.map"))?;
        let listener = names.for_clients(&self.text("listeners")?).map_err(refuse("listeners"))?;
        listener.address.to_bind().map_err(refuse("listeners"))?;
        let text = self.text("advertised.listeners")?;
        if text.is_empty() {
            let told = listener.address.for_clients(host_name).map_err(refuse("listeners"))?;
            return Ok((listener.address, told));
        }
        let told = names.for_clients(&text).map_err(refuse("advertised.listeners"))?;
        if told.name != listener.name {
            let wanted = format!("the listener is called {}; use that name", listener.name);
            return Err(self.refuse("advertised.listeners", wanted));
        }
        let told = told.address.for_clients(host_name).map_err(refuse("advertised.listeners"))?;
        Ok((listener.address, told))
    }

    fn admin_listener(&self) -> Result<Option<AdminListener>, ConfigError> {
        let name = "ringmain.admin.listener";
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        let wanted = "an IP address and a port, such as 127.0.0.1:9644, or nothing for none";
        let address = ListenAddress::parse(&text).and_then(|address| address.to_bind());
        let address = address.map_err(|_| self.refuse(name, wanted.into()))?;
        Ok(Some(AdminListener { address, is_given: self.given(name)?.is_some() }))
    }

    fn data_folder(&self) -> Result<PathBuf, ConfigError> {
        let text = self.text("log.dirs")?;
        if text.contains(',') {
            let wanted = "one folder: a broker has one data folder on one device";
            return Err(self.refuse("log.dirs", wanted.into()));
        }
        Ok(PathBuf::from(text))
    }

    fn idle_max(&self) -> Result<Option<Duration>, ConfigError> {
        let ms: i64 = self.number("connections.max.idle.ms")?;
        Ok(u64::try_from(ms).ok().map(Duration::from_millis))
    }

    fn connections(&self) -> Result<ConnectionLimits, ConfigError> {
        let (per_address, name) = ("max.connections.per.ip", "max.connections.per.ip.overrides");
        let overrides = ConnectionLimits::parse_overrides(&self.text(name)?);
        let overrides = overrides.map_err(|e| self.refuse(name, e.to_string()))?;
        let address_max = self.number(per_address)?;
        // Kafka's rule: with nobody excepted, nobody could connect.
        if address_max == 0 && overrides.is_empty() {
            let expected = format!("1 at least, unless {name} excepts some");
            return Err(self.refuse(per_address, expected));
        }
        let second_max = self.number("max.connection.creation.rate")?;
        Ok(ConnectionLimits {
            all_max: self.number("max.connections")?,
            address_max,
            overrides,
            second_max: (second_max < i32::MAX as u32).then_some(second_max),
        })
    }

    fn memory_bytes(&self) -> Result<Option<u64>, ConfigError> {
        // The table lets nothing pass but the word and numbers that fit.
        Ok(self.text("ringmain.memory.bytes")?.parse().ok())
    }

    fn shards(&self) -> Result<Shards, ConfigError> {
        match self.text("ringmain.shards")?.as_str() {
            "auto" => Ok(Shards::Auto),
            number => Ok(Shards::Exactly(number.parse().expect("the table's range is of u16"))),
        }
    }

    fn driver(&self) -> Result<DriverWanted, ConfigError> {
        Ok(match self.text("ringmain.driver")?.as_str() {
            "uring" => DriverWanted::Uring,
            "posix" => DriverWanted::Posix,
            _auto => DriverWanted::Auto,
        })
    }

    fn topic_defaults(&self) -> Result<TopicDefaults, ConfigError> {
        let mut settings = Vec::with_capacity(TOPIC_KEYS.len());
        for key in TOPIC_KEYS {
            let Scope::Topic { broker_key } = key.scope else { continue };
            let (value, source) = match broker_key.filter(|name| keys::broker_key(name).is_some()) {
                Some(broker_key) => {
                    let is_given = self.given(broker_key)?.is_some();
                    let source = if is_given { Source::Broker } else { Source::Default };
                    (self.text(broker_key)?, source)
                }
                None => (key.default.into(), Source::Default),
            };
            let setting = TopicSetting { name: key.name, value, source };
            settings.push((setting, self.synonyms(key)?));
        }
        Ok(TopicDefaults::new(settings))
    }

    /// Every setting of the broker, in the order of the table.
    fn broker_settings(&self) -> Result<Vec<BrokerSetting>, ConfigError> {
        let setting = |key: &'static Key| {
            let is_given = self.given(key.name)?.is_some();
            let source = if is_given { Source::Broker } else { Source::Default };
            let (value, synonyms) = (self.text(key.name)?, self.synonyms(key)?);
            Ok(BrokerSetting { key, value, source, synonyms })
        };
        BROKER_KEYS.iter().map(setting).collect()
    }

    /// What the broker's own setting behind `key` is, given and by default, the one that wins
    /// first.
    fn synonyms(&self, key: &'static Key) -> Result<Vec<Synonym>, ConfigError> {
        let name = match key.scope {
            Scope::Broker => Some(key.name),
            Scope::Topic { broker_key } => broker_key,
        };
        let Some(name) = name else { return Ok(Vec::new()) };
        let default = keys::broker_key(name).map_or(key.default, |own| own.default);
        let given = self.given(name)?;
        let given = given.map(|(_, value)| Synonym { name, value, source: Source::Broker });
        let is_told = key.scope == Scope::Broker || !keys::WITHOUT_DEFAULT.contains(&name);
        let default = Synonym { name, value: default.into(), source: Source::Default };
        Ok(given.into_iter().chain(is_told.then_some(default)).collect())
    }
}

#[cfg(test)]
mod tests;
