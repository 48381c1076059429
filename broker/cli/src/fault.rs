//! How a command says what went wrong: a person reads a sentence, a program JSON.

use std::fmt::Display;

use protocol::ErrorCode;
use serde_json::{Map, Value};

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
  A command line that cannot be understood is answered with words, and exit status 2.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::error::ClientError;
    use serde_json::json;
    use std::fmt;

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
    }
}
