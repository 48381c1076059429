//! Raw settings, each with the place that it was given at: file, environment, command line.
//!
//! Later places win: defaults, then the file, then the environment, then the command line.

use std::collections::BTreeMap;
use std::fmt;

use super::keys::{ALIASES, BROKER_KEYS, WITHOUT_MEANING, broker_key};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What was given, by key. Keys exist in the table; values are not checked yet.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    given: BTreeMap<&'static str, Given>,
    notes: Vec<String>,
}

impl Settings {
    /// Nothing given: all defaults.
    pub fn new() -> Settings {
        Settings::default()
    }

    /// Lines for the log about settings that were accepted but mean nothing here.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What was given for a key.
    pub fn given(&self, key: &str) -> Option<&Given> {
        self.given.get(key)
    }

    /// Takes one setting; it wins over what was there.
    pub fn set(&mut self, key: &str, value: &str, place: Place) -> Result<(), SettingsError> {
        let name = ALIASES.iter().find(|(alias, _)| *alias == key).map_or(key, |(_, name)| name);
        if let Some(key) = broker_key(name) {
            self.given.insert(key.name, Given { value: value.trim().into(), place });
            return Ok(());
        }
        if let Some((_, why)) = WITHOUT_MEANING.iter().find(|(without, _)| *without == name) {
            self.notes.push(format!("{place}: {name} has no meaning here: {why}"));
            return Ok(());
        }
        Err(SettingsError::UnknownKey { key: key.into(), place, nearest: nearest(name) })
    }

    /// Takes `key=value`, as after `--set`.
    pub fn set_argument(&mut self, argument: &str) -> Result<(), SettingsError> {
        let (key, value) = argument.split_once('=').ok_or_else(|| SettingsError::NotASetting {
            text: argument.into(),
            place: Place::CommandLine,
        })?;
        self.set(key.trim(), value, Place::CommandLine)
    }

    /// Takes the text of a Java properties file (comments with `#` or `!`, `=` or `:` between key
    /// and value).
    pub fn set_properties(&mut self, path: &str, text: &str) -> Result<(), SettingsError> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let place = Place::File { path: path.into(), line: index + 1 };
            let (key, value) = line
                .split_once(['=', ':'])
                .ok_or(SettingsError::NotASetting { text: line.into(), place: place.clone() })?;
            self.set(key.trim(), value, place)?;
        }
        Ok(())
    }

    /// Takes environment variables: `RINGMAIN_LOG_SEGMENT_BYTES` is `log.segment.bytes`,
    /// `RINGMAIN_SHARDS` is `ringmain.shards`. Others than `RINGMAIN_…` are left alone.
    pub fn set_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), SettingsError> {
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix("RINGMAIN_") else { continue };
            let dotted = rest.to_ascii_lowercase().replace('_', ".");
            let own = format!("ringmain.{dotted}");
            let key = if broker_key(&own).is_some() { own } else { dotted };
            self.set(&key, &value, Place::Environment(name))?;
        }
        Ok(())
    }
}

/// The key that is most like `name`, if one is much like it.
fn nearest(name: &str) -> Option<&'static str> {
    let (distance, key) =
        BROKER_KEYS.iter().map(|key| (edit_distance(name, key.name), key.name)).min()?;
    (distance <= name.len() / 3).then_some(key)
}

/// How many letters must change to make `a` of `b` (Levenshtein 1966).
fn edit_distance(a: &str, b: &str) -> usize {
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
    use super::*;

    #[test]
    fn later_places_win_and_are_remembered() {
        let mut settings = Settings::new();
        settings.set_properties("a.properties", "# x\n\nlog.segment.bytes = 65536\n").unwrap();
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
    fn an_unknown_key_is_refused_with_place_and_remedy() {
        let error = Settings::new().set_argument("log.segment.byte=1").unwrap_err();
        let text = "--set on the command line: there is no setting \"log.segment.byte\"; did you \
                    mean log.segment.bytes?";
        assert_eq!(error.to_string(), text);
        let mut settings = Settings::new();
        assert!(settings.set_argument("nonsense").is_err());
        assert!(settings.set_properties("f", "zzzz=1").unwrap_err().to_string().contains("--help"));
    }

    #[test]
    fn a_kafka_key_without_meaning_gets_its_own_message() {
        let mut settings = Settings::new();
        settings.set_argument("num.io.threads=8").unwrap();
        assert_eq!(settings.notes().len(), 1);
        assert!(settings.notes()[0].contains("ringmain.shards"), "{:?}", settings.notes());
        settings.set_argument("log.dir=/x").unwrap();
        assert_eq!(settings.given("log.dirs").unwrap().value, "/x");
    }
}
