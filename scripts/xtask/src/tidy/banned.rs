//! Words that must not stand in the project, and what to write in their place.

use super::rust_code::{line_at, word_positions};
use super::tree::{File, Finding, Tree};

/// What is unfinished is finished, or becomes a line in docs with its consequence.
pub fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The words are put together here, so that this file does not hold them.
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let macros = ["todo!", "unimplemented!", "dbg!"];
    for file in tree.files().iter().filter(|file| !is_lock(file)) {
        for word in words {
            push_all(&mut findings, file, &file.text, word, "finish it, or state the gap in docs");
        }
        for word in macros {
            push_all(&mut findings, file, &file.code, word, "finish it, or return an error");
        }
    }
    findings
}

/// A test that is switched off, or that any panic satisfies, shows nothing.
pub fn muted_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for word in ["ignore", "should_panic"] {
            for at in word_positions(&file.code, word) {
                // In an attribute, be it the whole one or a part of `cfg_attr`.
                let line_begin = file.code[..at].rfind('\n').map_or(0, |end| end + 1);
                if file.code[line_begin..at].contains("#[") {
                    let line = line_at(&file.code, at);
                    findings.push(file.finding(line, format!("`{word}`: let it run and assert")));
                }
            }
        }
    }
    findings
}

/// The project speaks of itself alone, and builds on every machine.
pub fn foreign_words(tree: &Tree) -> Vec<Finding> {
    const PATHS: [&str; 5] = [
        concat!("/wor", "k/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        "/Users/",
        "../shared",
    ];
    const REGISTRIES: [&str; 5] = [
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("repo.maven", ".apache"),
        concat!("npmjs", ".org"),
        concat!("golang", ".org"),
    ];
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| !is_lock(file) && !is_this_file(file)) {
        for path in PATHS {
            push_all(
                &mut findings,
                file,
                &file.text,
                path,
                "a path of one machine; say it relatively",
            );
        }
        // The list of allowed sources is the one place that must name them.
        if file.path != "deny.toml" {
            for registry in REGISTRIES {
                push_all(
                    &mut findings,
                    file,
                    &file.text,
                    registry,
                    "leave the registry to the tools",
                );
            }
        }
        // Lower case letter for letter, so that an index means the same in both.
        let lower = file.text.to_ascii_lowercase();
        for word in ["issue", "issues", "pull", "pr", "bug", "ticket"] {
            for at in word_positions(&lower, word) {
                let rest = lower[at + word.len()..].trim_start_matches([' ', '/']);
                let number = rest.strip_prefix('#').unwrap_or(rest);
                let marked = word.starts_with("issue") || number.len() < rest.len();
                if marked && number.starts_with(|c: char| c.is_ascii_digit()) {
                    let line = line_at(&file.text, at);
                    findings.push(file.finding(line, "an issue's number; say what it is about"));
                }
            }
        }
    }
    findings
}

/// The caller decides by the kind of an error: it needs one.
pub fn untyped_errors(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        const WORDS: [&str; 6] = [
            "Box<dyn Error",
            "Box<dyn std::error::Error",
            "Box<dyn core::error::Error",
            "anyhow",
            "eyre",
            "Other(String)",
        ];
        for word in WORDS {
            push_all(
                &mut findings,
                file,
                &file.code,
                word,
                "make an enum of this operation's errors",
            );
        }
    }
    findings
}

fn push_all(findings: &mut Vec<Finding>, file: &File, text: &str, word: &str, advice: &str) {
    for at in word_positions(text, word) {
        findings.push(file.finding(line_at(text, at), format!("`{word}`: {advice}")));
    }
}

fn is_lock(file: &File) -> bool {
    file.path.ends_with("Cargo.lock")
}

/// Its own list is the one place that may name what it forbids.
fn is_this_file(file: &File) -> bool {
    file.path == "scripts/xtask/src/tidy/banned.rs"
}

#[cfg(test)]
mod tests {
    use super::{foreign_words, muted_tests, unfinished, untyped_errors};
    use crate::tidy::tree::{Finding, Tree};

    fn lines(findings: Vec<Finding>) -> Vec<usize> {
        findings.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_comments_and_in_code() {
        let (later, mend) = (concat!("TO", "DO"), concat!("FIX", "ME"));
        let text =
            format!("// {later}: this\nlet a = \"todo!()\";\n    todo!()\n// {mend}\n dbg!(a)");
        assert_eq!(lines(unfinished(&Tree::of(&[("a.rs", &text)]))), [1, 4, 3, 5]);
        assert_eq!(lines(unfinished(&Tree::of(&[("a.md", &text)]))), [1, 4]);
    }

    #[test]
    fn muted_tests_are_found() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n#[should_panic]\nfn b() {}\n\
                    // #[ignore]\n\
                    #[cfg_attr(debug_assertions, ignore)]\nlet ignore = 1;";
        assert_eq!(lines(muted_tests(&Tree::of(&[("a.rs", text)]))), [2, 7, 4]);
    }

    #[test]
    fn machine_paths_issue_numbers_and_registries_are_found() {
        let text = format!(
            "{}b\nIssue #12\nan issue of 12\n{}\nsee ../shared\nissues/7\nPR #3\npull 3 kegs",
            "/wor".to_string() + "k/",
            { "https://".to_string() + "crates" + ".io/x" }
        );
        let mut found = lines(foreign_words(&Tree::of(&[("a.md", &text)])));
        found.sort();
        assert_eq!(found, [1, 2, 4, 5, 6, 7]);
        assert_eq!(lines(foreign_words(&Tree::of(&[("deny.toml", &text)]))).len(), 5);
    }

    #[test]
    fn untyped_errors_are_found() {
        let text = "fn a() -> Result<(), Box<dyn Error>>;\nuse anyhow::Error;\n// anyhow\n\
                    Other(String),\nfn source(&self) -> Option<&(dyn Error + 'static)>;";
        assert_eq!(lines(untyped_errors(&Tree::of(&[("a.rs", text)]))), [1, 2, 4]);
    }
}
