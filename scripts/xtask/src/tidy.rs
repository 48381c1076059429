//! `cargo xtask tidy`: the house rules as code. Each rule is a function from the tree to findings.

mod banned;
mod comments;
mod confinement;
mod functions;
mod layers;
mod links;
mod manifests;
mod names;
mod places;
mod sizes;

mod rust_code;
mod tree;

use crate::steps::{StepError, announce};
use crate::workspace;
use tree::{Finding, Tree};

/// A rule of the house: what it demands, and who breaks it.
type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

/// Every rule, in the order in which its findings are printed.
const RULES: [Rule; 28] = [
    ("the crates' edges point down in the table of docs/architecture.md", layers::edges),
    ("third-party crates stay where they belong", layers::third_party),
    ("crates use what the page says", layers::named_edges),
    ("known-bad features are never on by default", layers::known_bad_features),
    ("member manifests take versions and lints from the workspace", manifests::members),
    ("every third-party crate has its reason, and somebody who uses it", manifests::reasons),
    ("the workspace's lints are as strict as they were", manifests::lints),
    ("the root folder holds only what belongs there", places::root),
    ("no mod.rs", places::no_mod_rs),
    ("`pub use` only in lib.rs", places::reexports),
    ("files have at most 1,000 lines", sizes::files),
    ("lines have at most 100 columns", sizes::columns),
    ("inline tests have at most 150 lines", sizes::inline_tests),
    ("functions have at most 70 lines", functions::length),
    ("no boolean parameters", functions::boolean_parameters),
    ("every Rust file opens with `//!` and a sentence", comments::opening),
    ("nothing is commented out", comments::commented_out),
    ("every unwrap has its proof on the line above", comments::proofs),
    ("nothing is left unfinished", banned::unfinished),
    ("every test runs, and fails by an assertion", banned::muted_tests),
    ("no machine's own paths, no issue numbers, no registries", banned::foreign_words),
    ("errors have types", banned::untyped_errors),
    ("unsafe only in engine/runtime", confinement::unsafe_code),
    ("the lint against unsafe is lifted exactly once", confinement::unsafe_lint),
    ("only engine/runtime touches the world", confinement::world),
    ("no map whose order is random", confinement::random_order),
    ("names say what a thing is", names::empty_words),
    ("links resolve", links::resolve),
];

/// Checks every rule and prints each place that breaks one.
pub fn run() -> Result<(), StepError> {
    announce(&format!("tidy: {} house rules", RULES.len()));
    let tree = Tree::read(&workspace::root())?;
    let mut count = 0;
    for (demand, rule) in RULES {
        let findings = rule(&tree);
        if findings.is_empty() {
            continue;
        }
        println!("{demand}:");
        for finding in &findings {
            println!("  {finding}");
        }
        count += findings.len();
    }
    if count > 0 { Err(StepError::Untidy { count }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{RULES, Tree, workspace};

    #[test]
    fn the_tree_keeps_every_rule() {
        let tree = Tree::read(&workspace::root()).expect("the workspace can be read");
        assert!(tree.files().len() > 100, "only {} files were found", tree.files().len());
        let mut broken = Vec::new();
        for (demand, rule) in RULES {
            broken.extend(rule(&tree).iter().map(|finding| format!("{demand}: {finding}")));
        }
        assert!(broken.is_empty(), "{} findings:\n{}", broken.len(), broken.join("\n"));
    }
}
