//! Rules of size: files, lines, inline tests.

use super::tree::{File, Finding, Tree};

const FILE_LINES_MAX: usize = 1_000;
const LINE_COLUMNS_MAX: usize = 100;
const INLINE_TEST_LINES_MAX: usize = 150;

/// A file holds one idea.
pub fn files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| is_source(file)) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(file.finding(0, format!("{lines} lines; give its parts files")));
        }
    }
    findings
}

/// Two files fit side by side on one screen; an address cannot be broken and may be longer.
pub fn columns(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| is_source(file)) {
        for (index, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX && !line.contains("://") {
                findings
                    .push(file.finding(index + 1, format!("{columns} columns; break the line")));
            }
        }
    }
    findings
}

/// Longer tests live in a file of their own beside the code, `foo/tests.rs`.
pub fn inline_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust() {
        for module in file.test_modules() {
            let lines = module.end() - module.start() + 1;
            if lines > INLINE_TEST_LINES_MAX {
                let message = format!("{lines} lines of inline tests; move them to tests.rs");
                findings.push(file.finding(*module.start(), message));
            }
        }
    }
    findings
}

fn is_source(file: &File) -> bool {
    let source = [".rs", ".py", ".sh", ".java"].iter().any(|end| file.path.ends_with(end));
    source && !file.is_generated()
}

#[cfg(test)]
mod tests {
    use super::{columns, files, inline_tests};
    use crate::tidy::tree::Tree;

    #[test]
    fn a_file_of_1001_lines_is_found_unless_it_is_generated() {
        let (fits, long) = ("x\n".repeat(1_000), "x\n".repeat(1_001));
        let tree = Tree::of(&[
            ("a.rs", &fits),
            ("b.rs", &long),
            ("net/protocol/src/generated/d.rs", &long),
        ]);
        let findings = files(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].path, "b.rs");
    }

    #[test]
    fn a_line_of_101_columns_is_found_unless_it_is_an_address() {
        let (fits, long) = ("é".repeat(100), "é".repeat(101));
        let text = format!("{fits}\n{long}\nhttps://{long}\n");
        let tree = Tree::of(&[
            ("a.py", &text),
            ("b.md", &text),
            ("net/protocol/src/generated/d.rs", &text),
        ]);
        let places: Vec<_> = columns(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        assert_eq!(places, [("a.py".to_string(), 2)]);
    }

    #[test]
    fn long_inline_tests_are_found() {
        let text =
            |lines: usize| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(lines - 3));
        assert_eq!(inline_tests(&Tree::of(&[("a.rs", &text(150))])), []);
        assert_eq!(inline_tests(&Tree::of(&[("a.rs", &text(151))])).len(), 1);
        let between = text(151).replace("mod tests", "#[allow(x, reason = \"[\")]\npub mod sim");
        assert_eq!(inline_tests(&Tree::of(&[("a.rs", &between)])).len(), 1);
        let beside = format!("#[cfg(test)]\nmod tests;\n\nmod long {{\n{}}}\n", "\n".repeat(200));
        assert_eq!(inline_tests(&Tree::of(&[("a.rs", &beside)])), []);
    }
}
