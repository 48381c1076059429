//! Kafka's own message classes as a process that encodes and decodes on request.
//!
//! The process is `java/CodecOracle.java`, which also draws the frames that they exchange.

pub mod values;

use std::fmt;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::java;

/// Why the oracle has no answer.
#[derive(Debug)]
pub enum OracleError {
    /// The process cannot be started or ended; its own words are on standard error.
    Process(io::Error),
    /// Kafka's classes refuse the message.
    Refused {
        /// The exception.
        reason: String,
    },
    /// The answer is not JSON.
    Json(serde_json::Error),
}

impl fmt::Display for OracleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(error) => write!(f, "the oracle's process: {error}; is a JDK installed?"),
            Self::Refused { reason } => write!(f, "Kafka's classes refuse the message: {reason}"),
            Self::Json(error) => write!(f, "the oracle's answer is not JSON: {error}"),
        }
    }
}

impl std::error::Error for OracleError {}

impl From<io::Error> for OracleError {
    fn from(error: io::Error) -> Self {
        Self::Process(error)
    }
}

impl From<serde_json::Error> for OracleError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Whether the oracle adds tagged fields that no schema knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownTags {
    /// The message as it is.
    None,
    /// Two in every struct. Only versions in the flexible form can carry them.
    Everywhere,
}

/// The running process; it ends when this is dropped.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: ChildStdout,
}

impl Oracle {
    /// Starts the process, which takes about a second.
    ///
    /// # Panics
    ///
    /// If it is not installed.
    pub fn start() -> Result<Self, OracleError> {
        let mut oracle = java::ours("CodecOracle");
        let mut child = oracle.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().expect("it was asked to be piped");
        Ok(Self { child, questions, answers })
    }

    /// The body of message `name` in `version` from its JSON.
    pub fn encode(
        &mut self,
        name: &str,
        version: i16,
        json: &Value,
        unknown_tags: UnknownTags,
    ) -> Result<Vec<u8>, OracleError> {
        let flags = match unknown_tags {
            UnknownTags::None => 0,
            UnknownTags::Everywhere => 1,
        };
        self.ask(b'E', flags, version, name, json.to_string().as_bytes())
    }

    /// The JSON of the body of message `name` in `version`; bytes behind it are refused.
    pub fn decode(&mut self, name: &str, version: i16, body: &[u8]) -> Result<Value, OracleError> {
        let json = self.ask(b'D', 0, version, name, body)?;
        Ok(serde_json::from_slice(&json)?)
    }

    /// The schema of message `name`.
    pub fn schema(&mut self, name: &str) -> Result<Value, OracleError> {
        let text = self.ask(b'S', 0, 0, name, &[])?;
        let text = String::from_utf8_lossy(&text);
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        let json: String = text.lines().filter(|line| !is_comment(line)).collect();
        Ok(serde_json::from_str(&json)?)
    }

    /// Every API with its versions, and every error code, as Kafka's classes have them.
    pub fn facts(&mut self) -> Result<Value, OracleError> {
        let json = self.ask(b'F', 0, 0, "", &[])?;
        Ok(serde_json::from_slice(&json)?)
    }

    fn ask(
        &mut self,
        what: u8,
        flags: u8,
        version: i16,
        name: &str,
        content: &[u8],
    ) -> Result<Vec<u8>, OracleError> {
        let mut question = vec![what, flags];
        question.extend(version.to_be_bytes());
        question.extend((name.len() as u16).to_be_bytes());
        question.extend(name.as_bytes());
        question.extend(content);
        let questions = self.questions.as_mut().expect("it is only taken on drop");
        questions.write_all(&(question.len() as u32).to_be_bytes())?;
        questions.write_all(&question)?;
        questions.flush()?;

        let mut size = [0; 4];
        self.answers.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.answers.read_exact(&mut answer)?;
        match answer.split_first() {
            Some((0, content)) => Ok(content.to_vec()),
            _ => {
                Err(OracleError::Refused { reason: String::from_utf8_lossy(&answer).into_owned() })
            }
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The end of its input ends the process.
        self.questions = None;
        if let Err(error) = self.child.wait() {
            eprintln!("the oracle's process cannot be waited for: {error}");
        }
    }
}
