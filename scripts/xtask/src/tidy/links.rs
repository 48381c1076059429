//! The rule that every link between the project's own pages leads somewhere.

use super::tree::{File, Finding, Tree};

/// A link names a file or folder of the project and, behind `#`, a heading of that page.
pub fn resolve(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { file.path.clone() } else { beside(&file.path, path) };
            if !tree.holds(&path) {
                findings.push(file.finding(line, format!("`{target}`: there is no {path}")));
            } else if !anchor.is_empty()
                && !tree.file(&path).is_some_and(|f| has_heading(f, anchor))
            {
                findings
                    .push(file.finding(line, format!("`{target}`: {path} has no such heading")));
            }
        }
    }
    findings
}

/// Every target of a Markdown link outside of fences and code spans, with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        if let Some((_, target)) = definition(line) {
            links.push((index + 1, target.to_string()));
        }
        for (at, _) in prose.match_indices("](") {
            let target = &prose[at + 2..];
            let end = target.find([')', ' ']).unwrap_or(target.len());
            links.push((index + 1, target[..end].to_string()));
        }
    }
    links
}

/// A line of the form `[name]: target`, as its name and target.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, target) = line.trim_start().strip_prefix('[')?.split_once("]: ")?;
    Some((name, target.split_whitespace().next()?))
}

/// `target` as seen from the folder of the page at `from`.
fn beside(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Whether the page has a heading with this anchor, made as Git hosts make them.
fn has_heading(page: &File, anchor: &str) -> bool {
    let headings = page.text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches('#').trim()).any(|heading| slug(heading) == anchor)
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::tidy::tree::Tree;

    #[test]
    fn dead_links_are_found_and_living_ones_are_not() {
        let page = "[a](b.md) [a](../README.md#run-it-now) [a](#here) [a](https://x) `[a](no.md)`\n\
                    # Here\n```\n[a](no.md)\n```\n[a](../engine) [a](c.md)\n[a](b.md#there)\n\
                    [x]: no.md\n[y]: b.md\n";
        let tree = Tree::of(&[
            ("README.md", "## Run it, now\n"),
            ("docs/a.md", page),
            ("docs/b.md", ""),
            ("engine/a.rs", ""),
        ]);
        let findings = resolve(&tree);
        let lines: Vec<_> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [6, 7, 8], "{findings:?}");
    }
}
