//! Rules about names.

use super::rust_code::{is_word, line_at, word_positions};
use super::tree::{Finding, Tree};

/// Endings that say nothing of what a type is.
const EMPTY: [&str; 9] =
    ["Manager", "Service", "Impl", "Helper", "Util", "Utils", "Base", "Data", "Info"];

/// A type is named after what it is: `ProducerIdBlock`, not what is left when nobody decided.
pub fn empty_words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        for keyword in ["struct", "enum", "trait", "type"] {
            for at in word_positions(&file.code, keyword) {
                let rest = file.code[at + keyword.len()..].trim_start();
                let end = rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len());
                let name = &rest[..end];
                if EMPTY.iter().any(|word| name.ends_with(word)) {
                    let line = line_at(&file.code, at);
                    findings.push(
                        file.finding(line, format!("`{name}` names nothing; say what it is")),
                    );
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::empty_words;
    use crate::tidy::tree::Tree;

    #[test]
    fn empty_names_are_found_and_generated_ones_are_not() {
        let text =
            "pub struct LogManager;\nenum Database {}\n/// trait XHelper\ntrait LogUtil<T> {}\n";
        let tree = Tree::of(&[("a.rs", text), ("net/protocol/src/generated/b.rs", text)]);
        let lines: Vec<_> = empty_words(&tree).into_iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 4]);
    }
}
