//! Rules about places: what may lie where.

use super::rust_code::{line_at, word_positions};
use super::tree::{Finding, Tree};

/// What the root folder holds; everything else lives in a folder of its kind.
const ROOT: [&str; 20] = [
    ".cargo",
    ".ci",
    ".git",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "bench",
    "broker",
    "clippy.toml",
    "deny.toml",
    "docs",
    "engine",
    "net",
    "replication",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "scripts",
    "tests",
];

/// What running the project leaves in the root folder; git does not see it.
const LEFT_BY_RUNS: [&str; 2] = ["target", "data"];

/// A reader sees at once what the project is made of.
pub fn root(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in tree.root_entries() {
        if !ROOT.contains(&name.as_str()) && !LEFT_BY_RUNS.contains(&name.as_str()) {
            let message = "it does not belong into the root folder".to_string();
            findings.push(Finding { path: name.clone(), line: 0, message });
        }
    }
    findings
}

/// `foo.rs` lies beside the folder `foo`.
pub fn no_mod_rs(tree: &Tree) -> Vec<Finding> {
    let misnamed = tree.files().iter().filter(|file| file.path.ends_with("/mod.rs"));
    misnamed.map(|file| file.finding(0, "name it after its module, beside the folder")).collect()
}

/// A name has one path, except that a crate's front door may show it.
pub fn reexports(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust().filter(|file| !file.path.ends_with("/lib.rs")) {
        for at in word_positions(&file.code, "pub use") {
            findings
                .push(file.finding(line_at(&file.code, at), "re-export in lib.rs or not at all"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{no_mod_rs, reexports, root};
    use crate::tidy::tree::Tree;

    #[test]
    fn a_stray_file_in_the_root_is_found() {
        let tree = Tree::of(&[]).with_root_entries(&["Cargo.toml", "target", "notes.txt"]);
        let paths: Vec<_> = root(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["notes.txt"]);
    }

    #[test]
    fn mod_rs_is_found() {
        assert_eq!(no_mod_rs(&Tree::of(&[("a/mod.rs", ""), ("a/mode.rs", "")])).len(), 1);
    }

    #[test]
    fn a_reexport_outside_of_lib_rs_is_found() {
        let text = "pub use a::B;\nuse c::D;\n";
        let findings = reexports(&Tree::of(&[("x/src/lib.rs", text), ("x/src/y.rs", text)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].path, "x/src/y.rs");
    }
}
