//! How a command says what went wrong: a person reads a sentence, a program JSON.

use std::fmt::{self, Display, Formatter};

use protocol::ErrorCode;
use serde_json::{Map, Value};

use crate::client::error::ClientError;
use crate::options::Reader;

/// Something that went wrong; its text says what to do next.
pub trait Fault: Display {
    /// Kafka's number of it, if Kafka has one.
    fn kafka_code(&self) -> Option<i16> {
        None
    }

    /// What else a program may want to know.
    fn fields(&self) -> Map<String, Value> {
        Map::new()
    }
}

/// Something that a command says and goes on.
pub struct Notice {
    words: String,
    code: Option<i16>,
}

impl Notice {
    /// Because of this, which may pass, something is tried again.
    pub fn trying_again(error: &ClientError) -> Self {
        Self { words: format!("trying again: {error}"), code: error.kafka_code() }
    }

    /// What was tried again succeeds.
    pub fn going_on() -> Self {
        Self { words: "the broker is there again: going on".to_owned(), code: None }
    }

    /// What is to come is not what was asked for.
    pub fn out_of_range(words: String) -> Self {
        Self { words, code: Some(ErrorCode::OffsetOutOfRange.number()) }
    }
}

impl Display for Notice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Fault for Notice {
    fn kafka_code(&self) -> Option<i16> {
        self.code
    }

    fn fields(&self) -> Map<String, Value> {
        Map::from_iter([("goes_on".to_owned(), true.into())])
    }
}

/// Says it, on the standard error.
pub fn say(fault: &impl Fault, reader: Reader) {
    match reader {
        Reader::Person => eprintln!("ringmain: {fault}"),
        Reader::Program => eprintln!("{}", program_line(fault)),
    }
}

fn program_line(fault: &impl Fault) -> Value {
    let code = fault.kafka_code();
    let mut fields = fault.fields();
    let name = code.and_then(ErrorCode::from_number).map(ErrorCode::name);
    fields.insert("error".to_owned(), name.into());
    fields.insert("code".to_owned(), code.into());
    fields.insert("message".to_owned(), fault.to_string().into());
    Value::Object(fields)
}

/// The end of a help text, with what `--json` makes of errors.
pub fn with_errors(help: &str) -> String {
    format!("{help}\n\n{ERRORS}")
}

const ERRORS: &str = "\
Errors with --json, one object a line on the standard error (the exit status is the same):
  error    Kafka's name, as UNKNOWN_TOPIC_OR_PARTITION; null if Kafka has none
  code     Kafka's number, as 3; null if Kafka has none
  message  what a person would read
  goes_on  true where the command goes on all the same, as when it tries again
  A command line that cannot be understood is answered with words, and exit status 2.";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Of(ClientError);

    impl fmt::Display for Of {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Fault for Of {
        fn kafka_code(&self) -> Option<i16> {
            self.0.kafka_code()
        }
    }

    #[test]
    fn a_program_reads_kafkas_name_and_number_where_there_is_one() {
        let known = program_line(&Of(ClientError::NoTopic { topic: "t".to_owned() }));
        assert_eq!(
            (&known["error"], &known["code"]),
            (&json!("UNKNOWN_TOPIC_OR_PARTITION"), &json!(3))
        );
        assert!(known["message"].as_str().is_some_and(|text| text.contains("no topic t")));
        let none = program_line(&Of(ClientError::Address { text: "x".to_owned() }));
        assert_eq!((&none["error"], &none["code"]), (&Value::Null, &Value::Null));
        assert_eq!(none["goes_on"], Value::Null);
    }

    #[test]
    fn a_program_can_tell_what_goes_on_from_what_is_over() {
        let away = ClientError::NoLeader { topic: "t".to_owned(), partition: 3 };
        let again = program_line(&Notice::trying_again(&away));
        assert_eq!(
            (&again["error"], &again["goes_on"]),
            (&json!("LEADER_NOT_AVAILABLE"), &json!(true))
        );
        let words = again["message"].as_str().expect("text");
        assert!(words.starts_with("trying again: partition 3 of t"), "{words}");
        assert_eq!(program_line(&Notice::going_on())["goes_on"], true);
    }
}
