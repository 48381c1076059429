//! `ringmain topic`: makes topics, lists, describes, changes and deletes them.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use clap::Subcommand;

use serde_json::{Map, Value};

use crate::client::error::ClientError;
use crate::ending::Ending;
use crate::fault::{self, Fault};
use crate::options::{Changes, Reader};

/// What can be done with topics.
#[derive(Clone, Debug, Subcommand)]
pub enum Topic {
    Create(create::Create),
    List(list::List),
    Describe(describe::Describe),
    Alter(alter::Alter),
    Delete(delete::Delete),
}

/// Why it could not be done.
#[derive(Debug)]
pub enum TopicError {
    /// The cluster can't be asked, or refuses.
    Client(ClientError),
    /// This topic was refused.
    Of {
        /// Which.
        topic: String,
        /// Why.
        error: ClientError,
    },
    /// Nothing is to be changed.
    Nothing,
    /// A setting stands on the command line more than once.
    Twice {
        /// Its name.
        setting: String,
    },
    /// The settings are changed, the partitions are not.
    Half {
        /// What was set and unset.
        changes: Box<Changes>,
        /// Why there are no more partitions.
        error: ClientError,
    },
    /// Some of several topics were refused, and each was said already.
    Some {
        /// So many.
        refused: usize,
        /// Of so many.
        of: usize,
    },
    /// The answer can't be written out.
    Output(io::Error),
}

impl Topic {
    /// Who reads what is answered.
    pub fn reader(&self) -> Reader {
        let asking = match self {
            Self::Create(args) => &args.asking,
            Self::List(args) => &args.asking,
            Self::Describe(args) => &args.asking,
            Self::Alter(args) => &args.asking,
            Self::Delete(args) => &args.asking,
        };
        asking.reader()
    }
}

/// Does it.
pub fn run(topic: &Topic) -> Result<Ending, TopicError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match topic {
        Topic::Create(args) => create::run(args, &mut out),
        Topic::List(args) => list::run(args, &mut out),
        Topic::Describe(args) => describe::run(args, &mut out),
        Topic::Alter(args) => alter::run(args, &mut out),
        Topic::Delete(args) => delete::run(args, &mut out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        // Whoever reads no further has seen what he wanted.
        Err(TopicError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Ending::Done)
        }
        outcome => outcome.map(|()| Ending::Done),
    }
}

type Out = BufWriter<StdoutLock<'static>>;

/// What several topics came to: each refusal is said, the others go on.
fn all_or_some(
    refusals: Vec<(String, ClientError)>,
    of: usize,
    reader: Reader,
) -> Result<(), TopicError> {
    let refused = refusals.len();
    for (topic, error) in refusals {
        let refusal = TopicError::Of { topic, error };
        if of == 1 {
            return Err(refusal);
        }
        fault::say(&refusal, reader);
    }
    match refused {
        0 => Ok(()),
        refused => Err(TopicError::Some { refused, of }),
    }
}

impl Fault for TopicError {
    fn kafka_code(&self) -> Option<i16> {
        match self {
            Self::Client(error) | Self::Of { error, .. } | Self::Half { error, .. } => {
                error.kafka_code()
            }
            Self::Nothing | Self::Twice { .. } | Self::Some { .. } | Self::Output(_) => None,
        }
    }

    fn fields(&self) -> Map<String, Value> {
        let fields: Vec<(&str, Value)> = match self {
            Self::Of { topic, .. } => vec![("topic", topic.clone().into())],
            Self::Half { changes, .. } => {
                vec![("set", changes.set_json().into()), ("unset", changes.unset.clone().into())]
            }
            Self::Some { refused, of } => {
                vec![("refused", (*refused).into()), ("of", (*of).into())]
            }
            Self::Client(_) | Self::Nothing | Self::Twice { .. } | Self::Output(_) => Vec::new(),
        };
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl From<ClientError> for TopicError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for TopicError {
    /// The writing side uses `?`; what is asked comes in other errors.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) | Self::Of { error, .. } => error.fmt(f),
            Self::Nothing => {
                write!(f, "say what to change: give --partitions, --set or --unset")
            }
            Self::Twice { setting } => write!(f, "{setting} is given twice: give it once"),
            Self::Half { error, .. } => {
                write!(f, "the settings are changed, but not the number of partitions: {error}")
            }
            Self::Some { refused, of } => {
                let were = if *refused == 1 { "was" } else { "were" };
                write!(f, "{refused} of {of} topics {were} refused")
            }
            Self::Output(error) => write!(f, "the answer cannot be written out: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::error::Refusal;
    use protocol::ErrorCode;

    #[test]
    fn a_change_that_was_half_done_says_which_half() {
        let code = ErrorCode::InvalidPartitions;
        let refusal = Refusal::new("give t 3 partitions".to_owned(), code.number(), None);
        let set = vec!["segment.ms=777".parse().expect("a setting")];
        let changes = Changes { set, unset: vec!["retention.ms".to_owned()] };
        let half = TopicError::Half { changes: Box::new(changes), error: refusal.into() };
        let said = half.to_string();
        assert!(said.starts_with("the settings are changed, but not the number"), "{said}");
        assert!(said.ends_with("cannot give t 3 partitions: INVALID_PARTITIONS"), "{said}");
        assert_eq!(half.kafka_code(), Some(code.number()));
        let fields = Value::Object(half.fields());
        assert_eq!(fields["set"]["segment.ms"], "777");
        assert_eq!(fields["unset"][0], "retention.ms");
    }

    #[test]
    fn one_is_and_several_are() {
        let said = |refused| TopicError::Some { refused, of: 3 }.to_string();
        assert_eq!(said(1), "1 of 3 topics was refused");
        assert_eq!(said(2), "2 of 3 topics were refused");
    }
}
