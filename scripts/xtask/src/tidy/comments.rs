//! Rules about comments: what must have one, and what must not be one.

use super::tree::{Finding, Tree};

/// Line one of every file says what it is for.
pub fn opening(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| file.path.ends_with(".rs")) {
        let first = file.text.lines().next().unwrap_or("");
        let sentence = first.strip_prefix("//! ").is_some_and(|text| text.trim().len() > 8);
        if !sentence {
            findings.push(file.finding(1, "open it with `//! ` and what it is for"));
        }
    }
    findings
}

/// Old code is in the history, not in comments.
pub fn commented_out(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        for (index, line) in file.text.lines().enumerate() {
            let Some(comment) = line.trim_start().strip_prefix("//") else { continue };
            // Documentation may show code.
            if !comment.starts_with(['/', '!']) && looks_like_code(comment.trim()) {
                findings.push(file.finding(index + 1, "code in a comment; delete it"));
            }
        }
    }
    findings
}

/// A statement or an opened block; prose ends otherwise.
fn looks_like_code(comment: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "let ", "fn ", "pub ", "use ", "if ", "for ", "match ", "return ", "self.", "assert", "}",
        "#[",
    ];
    let begins = BEGINNINGS.iter().any(|beginning| comment.starts_with(beginning));
    let ends = [";", "{", "}", ")]", "},"].iter().any(|ending| comment.ends_with(ending));
    begins && ends || looks_like_a_call_or_an_assignment(comment)
}

/// `a.b(c);` or `a.b = c;`: a place without spaces, then a parenthesis or an equals sign.
fn looks_like_a_call_or_an_assignment(comment: &str) -> bool {
    let is_place = |c: char| c.is_alphanumeric() || "_.:[]*&".contains(c);
    let rest = comment.trim_start_matches(is_place);
    let begun = rest.len() < comment.len();
    let goes_on = ["(", " = ", " += ", " -= "].iter().any(|middle| rest.starts_with(middle));
    begun && goes_on && comment.ends_with(';')
}

/// An unwrap may stand only where the line above proves that it can't fail.
pub fn proofs(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        let tests = file.test_modules();
        let in_tests = |line| file.is_test() || tests.iter().any(|module| module.contains(&line));
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, code) in file.code.lines().enumerate() {
            let proven = index > 0 && lines[index - 1].trim_start().starts_with("//");
            if !in_tests(index + 1) && !proven && code.contains(".unwrap()") {
                let message = "unwrap without proof; handle it, or `expect` with the proof";
                findings.push(file.finding(index + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{commented_out, opening, proofs};
    use crate::tidy::tree::Tree;

    #[test]
    fn a_file_without_an_opening_sentence_is_found() {
        let tree = Tree::of(&[
            ("a.rs", "//! Keeps the bytes of one segment.\n"),
            ("b.rs", "use a;\n//! Too late to say so.\n"),
            ("c.rs", "//! \n"),
            ("d.rs", ""),
        ]);
        let paths: Vec<_> = opening(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["b.rs", "c.rs", "d.rs"]);
    }

    #[test]
    fn code_in_a_comment_is_found_and_prose_is_not() {
        let prose = "// let it be known; the ring owns this buffer\n// for a reader, enough.\n";
        let text = format!(
            "{prose}// let a = b;\n    // if full {{\n/// let a = b;\n//let a = b;\n\
             // log.append(batch);\n// self.end += 1;\n// append(batch) is called; see log.rs\n"
        );
        let lines: Vec<_> =
            commented_out(&Tree::of(&[("a.rs", &text)])).into_iter().map(|f| f.line).collect();
        assert_eq!(lines, [3, 4, 6, 7, 8]);
    }

    #[test]
    fn an_unwrap_without_proof_is_found_outside_tests() {
        let text = "a.unwrap();\n// It was checked above.\na.unwrap();\nf(\".unwrap()\");\n\
                    #[cfg(test)]\nmod tests { a.unwrap() }\n";
        let lines: Vec<_> =
            proofs(&Tree::of(&[("a.rs", text)])).into_iter().map(|f| f.line).collect();
        assert_eq!(lines, [1]);
        let early = "#[cfg(test)]\nuse a::b;\na.unwrap();\n";
        assert_eq!(proofs(&Tree::of(&[("a.rs", early)])).len(), 1);
        assert!(proofs(&Tree::of(&[("tests/a.rs", text), ("b/tests.rs", text)])).is_empty());
    }
}
