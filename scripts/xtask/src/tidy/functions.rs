//! Rules about functions: how long they are, and what they take.

use super::rust_code::{closing, is_word, line_at, word_positions};
use super::tree::{File, Finding, Tree};

const FUNCTION_LINES_MAX: usize = 70;

/// From the line of its `fn` to its closing brace, a function fits a screen.
pub fn length(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        for function in functions(file) {
            let Some(body_end) = function.body_end else { continue };
            let first = line_at(&file.code, function.start);
            let lines = line_at(&file.code, body_end - 1) - first + 1;
            if lines > FUNCTION_LINES_MAX {
                let name = &function.name;
                let message = format!("`{name}` has {lines} lines; let its parts have names");
                findings.push(file.finding(first, message));
            }
        }
    }
    findings
}

/// `connect(true)` says nothing: an enum with two names does. Only writing a boolean takes one.
pub fn boolean_parameters(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        let functions = functions(file);
        for function in functions.iter().filter(|function| !function.name.contains("bool")) {
            let parameters = split_parameters(&file.code[function.parameters.clone()]);
            let boolean = parameters.iter().find(|parameter| {
                parameter.split_once(':').is_some_and(|(_, kind)| kind.trim() == "bool")
            });
            if let Some(parameter) = boolean {
                let line = line_at(&file.code, function.start);
                let message =
                    format!("`{}` takes `{}`; use an enum", function.name, parameter.trim());
                findings.push(file.finding(line, message));
            }
        }
    }
    findings
}

/// Where a function stands in the code of its file.
struct Function {
    name: String,
    /// The byte of its `fn`.
    start: usize,
    /// What stands between the parentheses.
    parameters: std::ops::Range<usize>,
    /// Just behind its closing brace; nothing for a declaration in a trait.
    body_end: Option<usize>,
}

fn functions(file: &File) -> Vec<Function> {
    word_positions(&file.code, "fn").into_iter().filter_map(|at| function(&file.code, at)).collect()
}

/// The function whose `fn` is at `start`; nothing if that is a function pointer's type.
fn function(code: &str, start: usize) -> Option<Function> {
    let bytes = code.as_bytes();
    let name_start = start + 2 + code[start + 2..].find(|c: char| !c.is_whitespace())?;
    let name: String =
        code[name_start..].bytes().take_while(|&b| is_word(b)).map(char::from).collect();
    if name.is_empty() || name_start == start + 2 {
        return None;
    }
    let open = parameters_open(bytes, name_start + name.len())?;
    let close = closing(code, open);
    let mut at = close;
    let body_end = loop {
        match *bytes.get(at)? {
            b';' => break None,
            b'{' => break Some(closing(code, at)),
            b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    };
    Some(Function { name, start, parameters: open + 1..close.saturating_sub(1), body_end })
}

/// The parenthesis of the parameters: the first one outside the generics' angle brackets.
fn parameters_open(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0;
    for at in from..bytes.len() {
        match bytes[at] {
            b'<' => depth += 1,
            // The arrow of `Fn() -> T` closes nothing.
            b'>' if bytes[at - 1] != b'-' => depth -= 1,
            b'(' if depth == 0 => return Some(at),
            b'{' | b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn split_parameters(text: &str) -> Vec<String> {
    let mut parameters = vec![String::new()];
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parameters.push(String::new());
                continue;
            }
            _ => {}
        }
        parameters.last_mut().expect("it begins with one").push(character);
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::{boolean_parameters, length};
    use crate::tidy::tree::Tree;

    fn function_of(lines: usize) -> String {
        let body = "    step(\"}\"); // }\n".repeat(lines - 2);
        format!("fn long<F: Fn() -> [u8; 2]>(f: F) -> [u8; 2] where F: Copy {{\n{body}}}\n")
    }

    #[test]
    fn a_function_of_71_lines_is_found_and_one_of_70_is_not() {
        let tree = Tree::of(&[("a.rs", &function_of(70)), ("b.rs", &function_of(71))]);
        let findings = length(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("b.rs", 1));
        assert!(findings[0].message.contains("71 lines"), "{findings:?}");
    }

    #[test]
    fn generated_functions_may_be_long() {
        let text = function_of(300);
        assert!(length(&Tree::of(&[("net/protocol/src/generated/b.rs", &text)])).is_empty());
    }

    #[test]
    fn a_boolean_parameter_is_found_and_a_predicate_is_not() {
        let good =
            "fn a(f: impl Fn(bool) -> bool, p: fn(x: bool)) -> bool { true }\ntype F = fn(bool);";
        let bad = "trait T {\n    fn set(&mut self, n: Vec<(u8, u8)>, on: bool);\n}";
        let findings = boolean_parameters(&Tree::of(&[("a.rs", good), ("b.rs", bad)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("b.rs", 2));
    }
}
