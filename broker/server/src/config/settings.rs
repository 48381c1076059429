//! Raw settings, each with the place that it was given at: file, environment, command line.
//!
//! Later places win: defaults, then the file, then the environment, then the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::keys::{BROKER_KEYS, OTHER_WAYS, broker_key};
use super::properties;
use super::without_effect::{Standing, kafka_broker_settings, without_effect};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere.
    Default,
    /// In a file.
    File {
        /// Its path as it was given.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// In an environment variable.
    Environment(String),
    /// By `--set`.
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Default => write!(f, "the default"),
            Place::File { path, line } => write!(f, "{path}, line {line}"),
            Place::Environment(name) => write!(f, "environment variable {name}"),
            Place::CommandLine => write!(f, "--set on the command line"),
        }
    }
}

/// Why settings can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// No such setting.
    UnknownKey {
        /// What was given.
        key: String,
        /// Where.
        place: Place,
        /// The nearest that exists.
        nearest: Option<&'static str>,
    },
    /// The bytes are no UTF-8.
    NotText {
        /// Where.
        place: Place,
    },
    /// Not `key=value`.
    NotASetting {
        /// What was given.
        text: String,
        /// Where.
        place: Place,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsError::UnknownKey { key, place, nearest } => {
                write!(f, "{place}: there is no setting {key:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => write!(f, "; `ringmain serve --help` lists them all"),
                }
            }
            SettingsError::NotText { place } => {
                write!(f, "{place} is no UTF-8 text; write it anew")
            }
            SettingsError::NotASetting { text, place } => {
                write!(f, "{place}: {text:?} is no setting; write key=value")
            }
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As text, without space around it.
    pub value: String,
    /// For messages.
    pub place: Place,
}

/// What was given, by key. The keys are ours or Kafka's; values are not checked yet.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    given: BTreeMap<String, Given>,
}

impl Settings {
    /// Nothing given: all defaults.
    pub fn new() -> Settings {
        Settings::default()
    }

    /// Warnings about what was given and has no effect, one for each setting, in the order of the
    /// places.
    pub fn warnings(&self) -> Vec<String> {
        let mut given: Vec<_> = self.given.iter().collect();
        given.sort_by_key(|(_, given)| &given.place);
        given.into_iter().filter_map(|(name, given)| self.warning(name, given)).collect()
    }

    fn warning(&self, name: &str, given: &Given) -> Option<String> {
        let place = &given.place;
        if let Some(way) = OTHER_WAYS.iter().find(|way| way.name == name) {
            let wins = |other: &str| self.given.contains_key(other).then(|| other.to_string());
            let before = OTHER_WAYS.iter().take_while(|other| other.name != name);
            let before = before.filter(|other| other.of == way.of).map(|other| other.name);
            if let Some(winner) = std::iter::once(way.of).chain(before).find_map(wins) {
                return Some(format!("{place}: {name} is not used: {winner} is given, too"));
            }
        }
        if let Some(why) = not_obeyed(name, &given.value) {
            return Some(format!("{place}: {name} is not obeyed yet: {why}"));
        }
        let reason = without_effect(name)?;
        let verdict = match reason.standing {
            Standing::Later => "is not obeyed yet",
            Standing::Never => "has no meaning here",
            Standing::Unsafe(_) => "has no effect as it is given, else it would be refused",
        };
        Some(format!("{place}: {name} {verdict}: {}", reason.why))
    }

    /// What was given that is refused, as ignoring it would cost data or safety: the name, what was
    /// given, and why.
    pub(crate) fn unsafe_ones(&self) -> impl Iterator<Item = (&str, &Given, &'static str)> {
        self.given.iter().filter_map(|(name, given)| {
            let reason = without_effect(name)?;
            match reason.standing {
                Standing::Unsafe(harmless) if !harmless(&given.value) => {
                    Some((name.as_str(), given, reason.why))
                }
                _ => None,
            }
        })
    }

    /// What was given for a key.
    pub fn given(&self, key: &str) -> Option<&Given> {
        self.given.get(key)
    }

    /// Takes one setting; it wins over what was there.
    pub fn set(&mut self, key: &str, value: &str, place: Place) -> Result<(), SettingsError> {
        let ours = broker_key(key).is_some() || OTHER_WAYS.iter().any(|way| way.name == key);
        if !ours && without_effect(key).is_none() {
            let nearest = nearest(key);
            return Err(SettingsError::UnknownKey { key: key.into(), place, nearest });
        }
        self.given.insert(key.into(), Given { value: value.trim().into(), place });
        Ok(())
    }

    /// Takes `key=value`, as after `--set`.
    pub fn set_argument(&mut self, argument: &str) -> Result<(), SettingsError> {
        let (key, value) = argument.split_once('=').ok_or_else(|| SettingsError::NotASetting {
            text: argument.into(),
            place: Place::CommandLine,
        })?;
        self.set(key.trim(), value, Place::CommandLine)
    }

    /// Takes a Java properties file: its path for messages, and its bytes.
    pub fn set_properties(&mut self, path: &str, bytes: &[u8]) -> Result<(), SettingsError> {
        let text = str::from_utf8(bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            SettingsError::NotText { place: Place::File { path: path.into(), line } }
        })?;
        for property in properties::entries(text) {
            let place = Place::File { path: path.into(), line: property.line };
            let Some(value) = property.value else {
                return Err(SettingsError::NotASetting { text: property.key, place });
            };
            self.set(&property.key, &value, place)?;
        }
        Ok(())
    }

    /// Takes environment variables: `RINGMAIN_LOG_SEGMENT_BYTES` is `log.segment.bytes`,
    /// `RINGMAIN_SHARDS` is `ringmain.shards`. Others than `RINGMAIN_…` are left alone.
    pub fn set_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), SettingsError> {
        for (name, value) in variables {
            if !name.as_encoded_bytes().starts_with(b"RINGMAIN_") {
                continue;
            }
            let place = || Place::Environment(name.to_string_lossy().into_owned());
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                return Err(SettingsError::NotText { place: place() });
            };
            let dotted = name["RINGMAIN_".len()..].to_ascii_lowercase().replace('_', ".");
            let own = format!("ringmain.{dotted}");
            let key = if broker_key(&own).is_some() { own } else { dotted };
            self.set(&key, value, place())?;
        }
        Ok(())
    }
}

/// Why a value of a setting that is ours is stored only; nothing if it asks for nothing more.
fn not_obeyed(name: &str, value: &str) -> Option<&'static str> {
    let of = OTHER_WAYS.iter().find(|way| way.name == name).map_or(name, |way| way.of);
    broker_key(of)?.not_obeyed(value)
}

/// The setting that is most like `name`, if one is much like it: ours before Kafka's others.
fn nearest(name: &str) -> Option<&'static str> {
    let ours = BROKER_KEYS.iter().map(|key| key.name).chain(OTHER_WAYS.iter().map(|way| way.name));
    let known = ours.chain(kafka_broker_settings());
    let (distance, key) =
        known.map(|key| (edit_distance(name, key), key)).min_by_key(|(d, _)| *d)?;
    (distance <= name.len() / 3).then_some(key)
}

/// How many bytes must be added, taken away or exchanged to make `a` of `b` (Levenshtein 1966).
pub fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn later_places_win_and_are_remembered() {
        let mut settings = Settings::new();
        settings.set_properties("a.properties", b"# x\n\nlog.segment.bytes = 65536\n").unwrap();
        let line_three = Place::File { path: "a.properties".into(), line: 3 };
        let given = Given { value: "65536".into(), place: line_three };
        assert_eq!(settings.given("log.segment.bytes"), Some(&given));
        let variables = [("RINGMAIN_LOG_SEGMENT_BYTES", "1"), ("RINGMAIN_SHARDS", "2"), ("X", "y")];
        settings.set_environment(variables.map(|(k, v)| (k.into(), v.into()))).unwrap();
        settings.set_argument("log.segment.bytes=70000").unwrap();
        assert_eq!(settings.given("log.segment.bytes").unwrap().place, Place::CommandLine);
        assert_eq!(settings.given("ringmain.shards").unwrap().value, "2");
    }

    #[test]
    fn a_distance_is_the_fewest_changes() {
        for (from, to, changes) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3)] {
            assert_eq!(edit_distance(from, to), changes);
            assert_eq!(edit_distance(to, from), changes);
        }
    }

    #[test]
    fn a_variable_that_is_no_text_is_refused_by_its_name_and_strangers_are_left_alone() {
        let bad = || OsString::from_vec(b"\xff".to_vec());
        let stranger = [("PATH".into(), bad()), (bad(), bad())];
        assert_eq!(Settings::new().set_environment(stranger), Ok(()));
        for (name, value) in [
            ("RINGMAIN_SHARDS".into(), bad()),
            (OsString::from_vec(b"RINGMAIN_\xff".to_vec()), "1".into()),
        ] {
            let error = Settings::new().set_environment([(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with("environment variable RINGMAIN_"), "{error}");
            assert!(error.contains("UTF-8"), "{error}");
        }
        let error = Settings::new().set_properties("f", b"# a\nlog.dirs=\xe4").unwrap_err();
        assert!(error.to_string().starts_with("f, line 2 is no UTF-8"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_place_and_remedy() {
        let error = Settings::new().set_argument("log.segment.byte=1").unwrap_err();
        let text = "--set on the command line: there is no setting \"log.segment.byte\"; did you \
                    mean log.segment.bytes?";
        assert_eq!(error.to_string(), text);
        let mut settings = Settings::new();
        assert!(settings.set_argument("nonsense").is_err());
        assert!(
            settings.set_properties("f", b"zzzz=1").unwrap_err().to_string().contains("--help")
        );
    }

    #[test]
    fn a_kafka_setting_without_effect_gets_one_warning_of_its_own() {
        let mut settings = Settings::new();
        settings.set_properties("f", b"num.io.threads=8\noffsets.retention.minutes=1").unwrap();
        settings.set_argument("num.io.threads=9").unwrap();
        let [groups, threads] = &settings.warnings()[..] else {
            panic!("{:?}", settings.warnings())
        };
        assert_eq!(
            threads,
            "--set on the command line: num.io.threads has no meaning here: a shard does its own \
             networking and I/O, one thread a core; see ringmain.shards"
        );
        let later = "f, line 2: offsets.retention.minutes is not obeyed yet: ";
        assert!(groups.starts_with(later), "{groups}");
    }

    #[test]
    fn a_setting_that_is_only_taken_as_it_is_given_is_not_called_meaningless() {
        let mut settings = Settings::new();
        settings.set_argument("process.roles=broker,controller").unwrap();
        let [warning] = &settings.warnings()[..] else { panic!("{:?}", settings.warnings()) };
        let text = "process.roles has no effect as it is given, else it would be refused: a broker";
        assert!(warning.contains(text), "{warning}");
    }

    #[test]
    fn a_retention_that_would_remove_something_gets_a_warning_by_the_name_that_was_given() {
        for name in ["ms", "minutes", "hours", "bytes"].map(|unit| format!("log.retention.{unit}"))
        {
            let mut settings = Settings::new();
            settings.set_argument(&format!("{name}=168")).unwrap();
            let [warning] = &settings.warnings()[..] else { panic!("{:?}", settings.warnings()) };
            assert!(warning.contains(&format!("{name} is not obeyed yet: nothing")), "{warning}");
            settings.set_argument(&format!("{name}=-1")).unwrap();
            assert_eq!(settings.warnings(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_way_to_say_a_setting_that_another_way_outdoes_gets_a_warning() {
        let mut settings = Settings::new();
        settings.set_argument("log.roll.hours=1").unwrap();
        assert_eq!(settings.warnings(), Vec::<String>::new());
        settings.set_argument("log.retention.hours=1").unwrap();
        settings.set_argument("log.retention.minutes=-1").unwrap();
        let [warning] = &settings.warnings()[..] else { panic!("{:?}", settings.warnings()) };
        let text = "log.retention.hours is not used: log.retention.minutes is given, too";
        assert!(warning.ends_with(text), "{warning}");
    }
}
