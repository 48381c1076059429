//! The measured span, agreed with whoever started the load.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use crate::error::LoadError;

/// The measured span: from the answer to `begin` to `end`.
#[derive(Debug)]
pub struct Span {
    began: Instant,
}

impl Span {
    /// Says `begin` and waits for a line, so that the other side can look at the broker first.
    pub fn begin() -> Result<Self, LoadError> {
        say("begin")?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(LoadError::Pipe)?;
        Ok(Self { began: Instant::now() })
    }

    /// Says `end`, and how long the span was.
    pub fn end(self) -> Result<Duration, LoadError> {
        let length = self.began.elapsed();
        say("end")?;
        Ok(length)
    }
}

/// Writes one line at once.
pub fn say(line: &str) -> Result<(), LoadError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(LoadError::Pipe)
}
