//! Rules about who may use whom, read from docs/architecture.md and every Cargo.toml.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Finding, Package, Tree};

/// The page that is the law: a fenced block with the levels, and a table with the column `may use`.
const PAGE: &str = "docs/architecture.md";

/// The one crate that may be missing from the table: it may use no other crate of the project.
const OUTSIDE: &str = "xtask";

/// Every third-party crate, and the only crates that may name it: those that do.
const CONFINED: [(&str, &[&str]); 17] = [
    ("io-uring", &["runtime"]),
    ("core_affinity", &["runtime"]),
    ("libc", &["runtime"]),
    ("hdrhistogram", &["runtime"]),
    ("tokio", &["control"]),
    ("hyper", &["control"]),
    ("hyper-util", &["control"]),
    ("http-body-util", &["control"]),
    ("crc32c", &["record", "storage", "fuzz"]),
    ("flate2", &["record"]),
    ("lz4_flex", &["record"]),
    ("snap", &["record"]),
    ("zstd", &["record"]),
    ("clap", &["cli", "bench", "xtask"]),
    ("mimalloc", &["cli"]),
    ("serde", &["metadata", "bench", "xtask"]),
    // Metadata records, schemas, answers to operators, tests.
    ("serde_json", &["metadata", "protocol", "cli", "bench", "xtask", "conformance"]),
];

/// An edge goes from a line of the table to a lower one, never sideways, never up.
pub fn edges(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else {
        return vec![finding(PAGE, "it is missing: the layers stand there")];
    };
    let levels = levels(&page.text);
    let mut findings = Vec::new();
    if levels.is_empty() {
        findings
            .push(page.finding(0, "it has no fenced table of lines such as `0  record · runtime`"));
    }
    for name in levels.keys().filter(|name| tree.packages().iter().all(|p| p.name != **name)) {
        findings.push(page.finding(0, format!("`{name}` stands in the table but is no crate")));
    }
    for package in tree.packages() {
        let level = levels.get(package.name.as_str()).copied();
        if level.is_none() && package.name != OUTSIDE {
            findings.push(finding(&package.name, "this crate has no place in the table"));
        }
        for needed in package.dependencies.iter().filter(|needed| needed.path.is_some()) {
            let below = levels.get(needed.name.as_str()).copied();
            let down = matches!((level, below), (Some(level), Some(below)) if below < level);
            if !down {
                let message = format!(
                    "it uses {}: level {} may not use level {}",
                    needed.name,
                    level.map_or("?".to_string(), |level| level.to_string()),
                    below.map_or("?".to_string(), |level| level.to_string()),
                );
                findings.push(finding(&package.name, &message));
            }
        }
    }
    findings
}

/// An edge between two crates is one that the page names: who adds one changes the page, where a
/// reviewer sees it.
pub fn named_edges(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else { return Vec::new() };
    let allowed = allowed(&page.text);
    let mut findings = Vec::new();
    for package in tree.packages().iter().filter(|package| package.name != OUTSIDE) {
        let ours = package.dependencies.iter().filter(|needed| needed.path.is_some());
        let used: BTreeSet<&str> = ours.map(|needed| needed.name.as_str()).collect();
        let Some(named) = allowed.get(package.name.as_str()) else {
            findings.push(finding(&package.name, "the table has no row that says what it may use"));
            continue;
        };
        for name in used.difference(named) {
            let message = format!("it uses {name}: {PAGE} does not say that it may");
            findings.push(finding(&package.name, &message));
        }
        for name in named.difference(&used) {
            let message =
                format!("{} may use {name} and does not; take its name out", package.name);
            findings.push(page.finding(0, message));
        }
    }
    findings
}

/// Third-party names do not spread: whoever replaces one opens one crate.
pub fn third_party(tree: &Tree) -> Vec<Finding> {
    const HERE: &str = "scripts/xtask/src/tidy/layers.rs";
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for package in tree.packages() {
        for needed in package.dependencies.iter().filter(|needed| needed.path.is_none()) {
            used.insert((needed.name.as_str(), package.name.as_str()));
            let rule = CONFINED.iter().find(|(name, _)| *name == needed.name);
            let message = match rule {
                Some((_, homes)) if homes.contains(&package.name.as_str()) => continue,
                Some((name, homes)) => format!("it uses {name}, which only {homes:?} may"),
                None => format!("it uses {}, which has no line in {HERE}", needed.name),
            };
            findings.push(finding(&package.name, &message));
        }
    }
    for (name, homes) in CONFINED {
        for home in homes.iter().filter(|home| !used.contains(&(name, **home))) {
            findings.push(finding(HERE, &format!("{home} does not use {name}; take its name out")));
        }
    }
    findings
}

/// A known-bad build exists to be caught; nobody gets one without asking.
pub fn known_bad_features(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages() {
        for feature in default_features(package) {
            if is_known_bad(&feature) {
                findings.push(finding(&package.name, &format!("`{feature}` is on by default")));
            }
        }
        for needed in &package.dependencies {
            for feature in needed.features.iter().filter(|feature| is_known_bad(feature)) {
                let message = format!("it always asks {} for `{feature}`", needed.name);
                findings.push(finding(&package.name, &message));
            }
        }
    }
    findings
}

fn is_known_bad(feature: &str) -> bool {
    feature.rsplit('/').next().is_some_and(|name| name.starts_with("known-bad"))
}

/// Everything that the feature `default` switches on, directly or through another feature.
fn default_features(package: &Package) -> Vec<String> {
    let mut reached = Vec::new();
    let mut open = vec!["default".to_string()];
    while let Some(feature) = open.pop() {
        for next in package.features.get(&feature).into_iter().flatten() {
            if !reached.contains(next) {
                reached.push(next.clone());
                open.push(next.clone());
            }
        }
    }
    reached
}

/// The level of each crate: lines `N  name · name  (remark)  name` of the first fence that has any.
fn levels(page: &str) -> BTreeMap<&str, u32> {
    let mut levels = BTreeMap::new();
    let mut fenced = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            if !fenced && !levels.is_empty() {
                break;
            }
            continue;
        }
        let Some((number, names)) = line.trim_start().split_once(' ') else { continue };
        let Ok(level) = number.parse() else { continue };
        if fenced {
            levels.extend(crate_names(names).map(|name| (name, level)));
        }
    }
    levels
}

/// What each crate may use: rows `| a, b | c, d |` of the table whose second column is `may use`,
/// with `–` for nothing.
fn allowed(page: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut allowed = BTreeMap::new();
    let rows = page.lines().skip_while(|line| !line.contains("| may use |")).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        let mut cells = row.split('|').skip(1).map(listed);
        let (Some(crates), Some(used)) = (cells.next(), cells.next()) else { continue };
        allowed.extend(crates.iter().map(|name| (*name, used.clone())));
    }
    allowed
}

fn listed(cell: &str) -> BTreeSet<&str> {
    cell.split(',').map(str::trim).filter(|name| !matches!(*name, "" | "–")).collect()
}

/// The names in a line of the table; what stands in parentheses is for people.
fn crate_names(line: &str) -> impl Iterator<Item = &str> {
    let outside = line.split('(').map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
    outside.flat_map(|part| part.split(['·', ' '])).filter(|name| !name.is_empty())
}

fn finding(place: &str, message: &str) -> Finding {
    Finding { path: place.to_string(), line: 0, message: message.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{CONFINED, edges, known_bad_features, named_edges, third_party};
    use crate::tidy::tree::Tree;

    const TABLE: &str = "# Layers\n```\n2  cli (the binary) · bench\n\
                         1  storage\n0  record · protocol  (pure)     runtime  (the world)\n```\n";

    fn package(name: &str, needs: &[&str], features: &str) -> String {
        let needs: Vec<_> = needs
            .iter()
            .map(|need| match need.strip_prefix('@') {
                Some(ours) => format!(r#"{{"name":"{ours}","path":"x","features":[]}}"#),
                None => format!(r#"{{"name":"{need}","path":null,"features":[]}}"#),
            })
            .collect();
        let needs = needs.join(",");
        format!(r#"{{"name":"{name}","dependencies":[{needs}],"features":{features}}}"#)
    }

    fn tree(page: &str, packages: &[String]) -> Tree {
        let json = format!(r#"{{"packages":[{}]}}"#, packages.join(","));
        Tree::of(&[("docs/architecture.md", page)]).with_packages(&json)
    }

    fn house(more: &[String]) -> Vec<String> {
        let mut packages =
            Vec::from(["record", "protocol", "runtime"].map(|name| package(name, &[], "{}")));
        packages.extend_from_slice(more);
        packages
    }

    #[test]
    fn edges_down_pass_and_edges_sideways_up_or_unknown_are_found() {
        let storage = package("storage", &["@record", "@runtime"], "{}");
        let rest = [package("cli", &["@storage"], "{}"), package("bench", &[], "{}")];
        let good = house(&[storage.clone(), rest[0].clone(), rest[1].clone()]);
        assert_eq!(edges(&tree(TABLE, &good)), []);
        for (name, needs) in [("storage", "@cli"), ("bench", "@cli"), ("xtask", "@record")] {
            let mut packages: Vec<_> = good
                .iter()
                .filter(|p| !p.contains(&format!("\"name\":\"{name}\",\"dep")))
                .cloned()
                .collect();
            packages.push(package(name, &[needs], "{}"));
            let findings = edges(&tree(TABLE, &packages));
            assert_eq!(findings.len(), 1, "{name} -> {needs}: {findings:?}");
        }
    }

    #[test]
    fn a_crate_outside_the_table_and_a_name_without_a_crate_are_found() {
        let packages = house(&[package("extra", &[], "{}")]);
        let messages: Vec<_> =
            edges(&tree("```\n0  record protocol · runtime · ghost\n```", &packages))
                .into_iter()
                .map(|f| f.message)
                .collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].contains("`ghost`"), "{messages:?}");
        assert_eq!(edges(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn an_edge_that_the_page_does_not_name_and_a_name_without_an_edge_are_found() {
        const ROWS: &str = "| crate | may use | may never know |\n| --- | --- | --- |\n\
                            | record, runtime, protocol | – | time |\n\
                            | storage | runtime, record | topics |\n\nbehind | it | all |\n";
        let found = |needs: &[&str], name| {
            let packages = house(&[package(name, needs, "{}")]);
            let findings = named_edges(&tree(ROWS, &packages));
            findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
        };
        assert_eq!(found(&["@record", "@runtime"], "storage"), Vec::<String>::new());
        let more = found(&["@record", "@runtime", "@protocol"], "storage");
        assert!(more.len() == 1 && more[0].contains("it uses protocol"), "{more:?}");
        let less = found(&["@record"], "storage");
        assert!(less.len() == 1 && less[0].contains("may use runtime and does not"), "{less:?}");
        let rowless = found(&[], "server");
        assert!(rowless.len() == 1 && rowless[0].contains("no row"), "{rowless:?}");
    }

    #[test]
    fn a_confined_crate_elsewhere_is_found() {
        let packages = lawful(&[package("server", &["libc", "snap", "unheard-of"], "{}")]);
        let findings = third_party(&tree("", &packages));
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings.iter().all(|finding| finding.path == "server"), "{findings:?}");
    }

    #[test]
    fn a_home_that_does_not_use_its_crate_is_found() {
        assert_eq!(third_party(&tree("", &lawful(&[]))), []);
        let without_cli: Vec<_> =
            lawful(&[]).into_iter().filter(|json| !json.contains("\"cli\"")).collect();
        let findings = third_party(&tree("", &without_cli));
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings[0].message.contains("cli does not use clap"), "{findings:?}");
    }

    /// Packages that use what they may, and `more`.
    fn lawful(more: &[String]) -> Vec<String> {
        let mut homes: Vec<&str> = CONFINED.iter().flat_map(|(_, homes)| *homes).copied().collect();
        homes.sort();
        homes.dedup();
        let uses = |home: &str| -> Vec<&str> {
            let theirs = CONFINED.iter().filter(|(_, homes)| homes.contains(&home));
            theirs.map(|(name, _)| *name).collect()
        };
        let mut packages: Vec<_> =
            homes.into_iter().map(|home| package(home, &uses(home), "{}")).collect();
        packages.extend_from_slice(more);
        packages
    }

    #[test]
    fn a_known_bad_feature_on_by_default_is_found() {
        let off = package("a", &[], r#"{"default":["x"],"x":[],"known-bad-y":[]}"#);
        let on = package("b", &[], r#"{"default":["x"],"x":["c/known-bad-y"]}"#);
        let findings = known_bad_features(&tree("", &[off, on]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].path, "b");
    }
}
