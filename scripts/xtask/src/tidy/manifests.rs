//! Rules about Cargo.toml files.

use super::tree::{File, Finding, Tree};

/// Versions and lints stand in one place, the root manifest.
pub fn members(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifests = tree.files().iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    for file in manifests.filter(|file| !file.text.lines().any(|line| line == "[workspace]")) {
        for (line, section, entry) in entries(file) {
            let entry = entry.split('#').next().unwrap_or(entry);
            let inherits = entry.contains("workspace = true");
            // `[dependencies.name]` has the version in a line of its own.
            if section.contains("dependencies") && !inherits {
                findings
                    .push(file.finding(line, "say `workspace = true`; the root has the version"));
            }
        }
        let lints = |(_, section, entry)| section == "lints" && entry == "workspace = true";
        if !entries(file).into_iter().any(lints) {
            findings.push(file.finding(0, "take the lints from the workspace"));
        }
    }
    findings
}

/// What the workspace's lints must say, whoever edits them.
pub fn lints(tree: &Tree) -> Vec<Finding> {
    const LINTS: [&str; 5] = [
        "unsafe_code = \"deny\"",
        "missing_docs = \"warn\"",
        "undocumented_unsafe_blocks = \"deny\"",
        "disallowed_methods = \"deny\"",
        "disallowed_types = \"deny\"",
    ];
    let Some(file) = tree.file("Cargo.toml") else { return Vec::new() };
    let stated = |lint: &str| {
        let mut entries = entries(file).into_iter();
        entries.any(|(_, section, entry)| section.starts_with("workspace.lints") && entry == lint)
    };
    let missing = LINTS.into_iter().filter(|lint| !stated(lint));
    missing.map(|lint| file.finding(0, format!("`{lint}` is missing in its lints"))).collect()
}

/// Whoever adds a third-party crate says in half a line why.
pub fn reasons(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.file("Cargo.toml") else { return Vec::new() };
    let mut findings = Vec::new();
    for (line, section, entry) in entries(file) {
        let ours = entry.contains("path = ");
        let reason = entry.split_once("# ").is_some_and(|(_, reason)| reason.trim().len() > 8);
        if section.starts_with("workspace.dependencies") && !ours && !reason {
            findings.push(file.finding(line, "end the line with `# ` and why this crate is here"));
        }
        let name = entry.split([' ', '=', '.']).next().unwrap_or(entry);
        let used = tree.packages().iter().flat_map(|package| &package.dependencies);
        if section == "workspace.dependencies" && !ours && !used.into_iter().any(|u| u.name == name)
        {
            findings.push(file.finding(line, format!("no member uses {name}; take it out")));
        }
    }
    findings
}

/// Every entry `name = ...` with its line and the section that it stands in.
fn entries(file: &File) -> Vec<(usize, &str, &str)> {
    let mut section = "";
    let mut entries = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if line.contains('=') && !line.starts_with('#') {
            entries.push((index + 1, section, line));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{lints, members, reasons};
    use crate::tidy::tree::Tree;

    #[test]
    fn a_version_in_a_member_is_found_and_so_are_missing_lints() {
        let good = "[lints]\nworkspace = true\n[dependencies]\na.workspace = true\n\
                    b = { workspace = true, optional = true }\n";
        let bad = "[dependencies]\na = \"1\"\n[dev-dependencies]\nb = { path = \"../b\" }\n";
        let tree = Tree::of(&[("a/Cargo.toml", good), ("b/Cargo.toml", bad)]);
        let places: Vec<_> = members(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [2, 4, 0].map(|line| ("b/Cargo.toml".to_string(), line));
        assert_eq!(places, expected);
        let sly = "# [workspace]\n[lints]\nworkspace = true\n[dependencies.a]\nversion = \"1\"\n\
                   [dev-dependencies]\nb = \"1\" # workspace = true\n";
        let lines: Vec<_> = members(&Tree::of(&[("c/Cargo.toml", sly)]));
        assert_eq!(lines.into_iter().map(|f| f.line).collect::<Vec<_>>(), [5, 7]);
        let own = format!("[workspace]\n{sly}");
        assert!(members(&Tree::of(&[("d/Cargo.toml", &own)])).is_empty());
    }

    #[test]
    fn a_lint_that_is_taken_back_is_found() {
        let good = "[workspace.lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n\
                    [workspace.lints.clippy]\nundocumented_unsafe_blocks = \"deny\"\n\
                    disallowed_methods = \"deny\"\ndisallowed_types = \"deny\"\n";
        assert_eq!(lints(&Tree::of(&[("Cargo.toml", good)])), []);
        let allowed = good.replace("types = \"deny\"", "types = \"allow\"");
        assert_eq!(lints(&Tree::of(&[("Cargo.toml", &allowed)])).len(), 1);
    }

    #[test]
    fn a_crate_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\nours = { path = \"ours\" }\n\
                    snap = \"1.1\" # snappy batches\nzstd = \"1\"\n[profile.dev]\nopt-level = 1\n";
        let json = r#"{"packages":[{"name":"a","features":{},"dependencies":[
            {"name":"ours","path":"x","features":[]},
            {"name":"zstd","path":null,"features":[]}]}]}"#;
        let tree = Tree::of(&[("Cargo.toml", text)]).with_packages(json);
        let lines: Vec<_> = reasons(&tree).into_iter().map(|f| f.line).collect();
        assert_eq!(lines, [3, 4], "snap is not used, zstd has no reason");
    }
}
