//! Rules about Cargo.toml files.

use super::tree::{File, Finding, Tree};

/// Versions and lints stand in one place, the root manifest.
pub fn members(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifests = tree.files().iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    for file in manifests.filter(|file| !file.text.contains("[workspace]")) {
        for (line, section, entry) in entries(file) {
            let inherits = entry.contains("workspace = true");
            if section.ends_with("dependencies") && !inherits {
                findings
                    .push(file.finding(line, "say `workspace = true`; the root has the version"));
            }
        }
        if !file.text.contains("[lints]\nworkspace = true") {
            findings.push(file.finding(0, "take the lints from the workspace"));
        }
    }
    findings
}

/// Whoever adds a third-party crate says in half a line why.
pub fn reasons(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.file("Cargo.toml") else { return Vec::new() };
    let mut findings = Vec::new();
    for (line, section, entry) in entries(file) {
        let ours = entry.contains("path = ");
        let reason = entry.split_once("# ").is_some_and(|(_, reason)| reason.trim().len() > 8);
        if section == "workspace.dependencies" && !ours && !reason {
            findings.push(file.finding(line, "end the line with `# ` and why this crate is here"));
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
    use super::{members, reasons};
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
    }

    #[test]
    fn a_crate_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\nours = { path = \"ours\" }\n\
                    snap = \"1.1\" # snappy batches\nzstd = \"1\"\n[profile.dev]\nopt-level = 1\n";
        let lines: Vec<_> =
            reasons(&Tree::of(&[("Cargo.toml", text)])).into_iter().map(|f| f.line).collect();
        assert_eq!(lines, [4]);
    }
}
