//! `ringmain topic`: makes topics, lists, describes, changes and deletes them.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use clap::Subcommand;

use crate::client::error::ClientError;
use crate::ending::Ending;

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
fn all_or_some(mut refusals: Vec<ClientError>, of: usize) -> Result<(), TopicError> {
    if of == 1
        && let Some(only) = refusals.pop()
    {
        return Err(only.into());
    }
    for refusal in &refusals {
        eprintln!("ringmain: {refusal}");
    }
    match refusals.len() {
        0 => Ok(()),
        refused => Err(TopicError::Some { refused, of }),
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
            Self::Client(error) => error.fmt(f),
            Self::Some { refused, of } => write!(f, "{refused} of {of} topics were refused"),
            Self::Output(error) => write!(f, "the answer cannot be written out: {error}"),
        }
    }
}
