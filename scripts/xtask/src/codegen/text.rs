//! Names and layout of the generated text.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::steps::{StepError, cannot_start};
use crate::workspace;

/// `FetchOffset` and `fetchOffset` as `fetch_offset`.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut previous = '_';
    for letter in name.chars() {
        if letter.is_uppercase() && (previous.is_lowercase() || previous.is_ascii_digit()) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        previous = letter;
    }
    match snake.as_str() {
        "type" | "match" => format!("r#{snake}"),
        _ => snake,
    }
}

/// `FetchOffset` as `fetchOffset`, as Kafka names a field in JSON.
pub fn camel_case(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The text as rustfmt lays it out by the workspace's rules.
pub fn rustfmt(text: &str) -> Result<String, StepError> {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--config-path"]).arg(workspace::root());
    command.current_dir(workspace::root()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let title = "lay out generated code";
    let mut child = command.spawn().map_err(|source| cannot_start(title, &command, source))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // rustfmt reads its whole input before it writes; if it does not, its status says so.
    let written = stdin.write_all(text.as_bytes());
    drop(stdin);
    let output =
        child.wait_with_output().map_err(|source| cannot_start(title, &command, source))?;
    if written.is_err() || !output.status.success() {
        return Err(StepError::Failed { title: title.to_string(), status: output.status });
    }
    let answer = |error: std::string::FromUtf8Error| StepError::Answer {
        title: title.to_string(),
        reason: error.to_string(),
    };
    String::from_utf8(output.stdout).map_err(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rust_and_json() {
        assert_eq!(snake_case("FetchOffset"), "fetch_offset");
        assert_eq!(snake_case("timeoutMs"), "timeout_ms");
        assert_eq!(snake_case("Type"), "r#type");
        assert_eq!(camel_case("FetchOffset"), "fetchOffset");
    }
}
