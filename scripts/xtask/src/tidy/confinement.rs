//! Rules about who may touch the world: everything above engine/runtime runs in a simulator, too.

use std::collections::BTreeMap;

use super::rust_code::{is_word, line_at, word_positions};
use super::tree::{File, Finding, Tree};

const RUNTIME: &str = "engine/runtime/src/";

/// The crates that run outside of a shard: the control thread, the command line, the tasks, and
/// what tests the broker.
const EXEMPT: [&str; 7] = [
    RUNTIME,
    "engine/runtime/tests/",
    "broker/control/",
    "broker/cli/",
    "bench/",
    "scripts/",
    "tests/",
];

/// What asks the operating system for something, or lets two threads share something.
const WORLD: [&str; 16] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::sync",
    "core::sync",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::process",
    "std::env",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::hash::RandomState",
    "tokio",
    "glommio",
    "libc",
];

/// Values that only look like the world: an address opens no socket.
const VALUES: [&str; 8] = [
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
    "std::net::SocketAddrV4",
    "std::net::SocketAddrV6",
    "std::net::AddrParseError",
    "std::net::ToSocketAddrs",
];

/// Only the runtime has a reason for it.
pub fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| !file.path.starts_with(RUNTIME)) {
        for at in word_positions(&file.code, "unsafe") {
            let line = line_at(&file.code, at);
            findings.push(file.finding(line, "unsafe belongs to engine/runtime"));
        }
    }
    findings
}

/// One line lifts the lint, in the runtime's lib.rs; a second one would be a second place to watch.
pub fn unsafe_lint(tree: &Tree) -> Vec<Finding> {
    let home = format!("{RUNTIME}lib.rs");
    let mut findings = Vec::new();
    let mut count = 0;
    for file in tree.files() {
        for at in lifts(&file.code) {
            if file.path == home && count == 0 {
                count += 1;
            } else {
                let line = line_at(&file.code, at);
                findings.push(file.finding(line, "the lint is lifted once, in engine/runtime"));
            }
        }
    }
    if count == 0
        && let Some(file) = tree.file(&home)
    {
        findings.push(file.finding(1, "`#![allow(unsafe_code)]` is missing"));
    }
    findings
}

/// Where an attribute names the lint among those that it lifts or softens.
fn lifts(code: &str) -> Vec<usize> {
    let softening = |at: &usize| {
        let open = code[..*at].rfind('(').unwrap_or(0);
        let closed = code[open..*at].contains(')');
        let words = ["allow", "expect", "warn"];
        !closed && words.iter().any(|word| code[..open].ends_with(word))
    };
    word_positions(code, "unsafe_code").into_iter().filter(softening).collect()
}

/// Time, disk, network, threads and locks come from the runtime.
pub fn world(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust().filter(|file| !is_exempt(file)) {
        // Tests of such a crate run as programs of their own, and say where they put their files.
        let program = |path: &str| {
            file.is_test() && ["std::process", "std::env"].iter().any(|own| is_within(path, own))
        };
        for (line, path) in paths(&file.code) {
            let world = match path.strip_suffix("::*") {
                Some(all) => WORLD.iter().any(|banned| is_within(banned, all)),
                None => WORLD.iter().any(|banned| is_within(&path, banned) && !program(&path)),
            };
            let value = VALUES.iter().any(|allowed| is_within(&path, allowed));
            if world && !value {
                findings.push(file.finding(line, format!("`{path}`: take it from engine/runtime")));
            }
        }
        for word in ["print!", "println!", "eprint!", "eprintln!"] {
            for at in word_positions(&file.code, word).into_iter().filter(|_| !file.is_test()) {
                let line = line_at(&file.code, at);
                findings.push(file.finding(line, format!("`{word}`: say it by Shard::log")));
            }
        }
    }
    findings
}

/// A map with a random seed gives each run another order.
pub fn random_order(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.handwritten_rust().filter(|file| !is_exempt(file)) {
        // Naming one in a `use` is enough: whoever fixes the hasher names it by a path of its own.
        for word in ["HashMap", "HashSet"] {
            for at in word_positions(&file.code, word) {
                let line = line_at(&file.code, at);
                findings.push(
                    file.finding(line, "its order is random; use a BTreeMap or fix the hasher"),
                );
            }
        }
    }
    findings
}

fn is_exempt(file: &File) -> bool {
    EXEMPT.iter().any(|folder| file.path.starts_with(folder))
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path that the code names, with its line; the groups of a `use` are taken apart, and what
/// begins with a name that a `use` brought in is written out.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let mut known = BTreeMap::new();
    let mut covered = 0;
    for at in word_positions(code, "use") {
        let Some(length) = code[at..].find(';') else { continue };
        let body: String =
            code[at + 3..at + length].split_whitespace().collect::<Vec<_>>().join(" ");
        collect_direct(code, covered..at, &mut paths);
        let line = line_at(code, at);
        expand("", &body, &mut |path, name| {
            known.insert(name, path.clone());
            paths.push((line, path));
        });
        covered = at + length;
    }
    collect_direct(code, covered..code.len(), &mut paths);
    for (_, path) in &mut paths {
        let Some((first, rest)) = path.split_once("::") else { continue };
        if let Some(whole) = known.get(first) {
            *path = format!("{whole}::{rest}");
        }
    }
    paths
}

/// The paths that stand in code outside of `use`.
fn collect_direct(code: &str, range: std::ops::Range<usize>, paths: &mut Vec<(usize, String)>) {
    let bytes = &code.as_bytes()[..range.end];
    let is_path = |byte: u8| is_word(byte) || byte == b':';
    let mut at = range.start;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|&&byte| is_path(byte)).count();
        let path = code[at..at + length].trim_start_matches("::");
        if path.contains("::") {
            paths.push((line_at(code, at), path.to_string()));
        }
        at += length.max(1);
    }
}

/// Gives `add` every single path of a `use` tree such as `std::{fs, sync::{Arc, Mutex}}`, and the
/// name that it brings in.
fn expand(prefix: &str, tree: &str, add: &mut impl FnMut(String, String)) {
    let mut depth = 0;
    let mut start = 0;
    let mut parts = Vec::new();
    for (index, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, group)) => {
                let group = group.strip_suffix('}').unwrap_or(group);
                expand(&format!("{prefix}{}", head.trim()), group, add);
            }
            None => {
                let (name, alias) = part.split_once(" as ").unwrap_or((part, ""));
                let path = format!("{prefix}{name}");
                let path = path.trim_start_matches("::").trim_end_matches("::self").to_string();
                let last = path.rsplit("::").next().unwrap_or(&path).to_string();
                add(path, if alias.is_empty() { last } else { alias.to_string() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{random_order, unsafe_code, unsafe_lint, world};
    use crate::tidy::tree::Tree;

    #[test]
    fn unsafe_outside_the_runtime_is_found() {
        let text = "// unsafe\nlet unsafe_code = \"unsafe\";\nunsafe { f() }\n";
        let tree = Tree::of(&[("engine/runtime/src/a.rs", text), ("engine/record/src/a.rs", text)]);
        let findings = unsafe_code(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("engine/record/src/a.rs", 3));
    }

    #[test]
    fn a_second_lift_of_the_lint_is_found_and_so_is_its_absence() {
        let lift = "//! The runtime.\n#![allow(unsafe_code)]\n";
        let home = "engine/runtime/src/lib.rs";
        assert!(unsafe_lint(&Tree::of(&[(home, lift)])).is_empty());
        assert_eq!(unsafe_lint(&Tree::of(&[(home, lift), ("a.rs", lift)])).len(), 1);
        assert_eq!(unsafe_lint(&Tree::of(&[(home, "")])).len(), 1);
        let hidden = "#![allow(\n    clippy::all,\n    unsafe_code,\n)]\n#![deny(unsafe_code)]\n";
        let findings = unsafe_lint(&Tree::of(&[(home, lift), ("a.rs", hidden)]));
        assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn the_world_is_found_in_groups_and_in_paths_and_addresses_are_values() {
        let text = "use std::net::{IpAddr, SocketAddr};\n\
                    use std::{fs, time::{Duration, Instant}};\n\
                    use std::collections::BTreeMap;\n\
                    // std::fs\n\
                    fn f() { let a = ::std::thread::sleep(x); }\n\
                    use std::sync::Arc as A;\n\
                    fn g(a: std::net::SocketAddr) {}\n\
                    use std::{io, time as t, collections::*};\n\
                    fn h() -> io::Result<t::Duration> { t::Instant::now(); io::stderr() }\n\
                    use std::time::*;\nfn i() { println!(); }\n";
        let tree = Tree::of(&[("engine/storage/src/a.rs", text), ("broker/cli/src/a.rs", text)]);
        let found: Vec<_> = world(&tree).into_iter().map(|f| (f.line, f.message)).collect();
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 2, 5, 6, 9, 9, 10, 11], "{found:?}");
    }

    #[test]
    fn randomly_ordered_maps_are_found() {
        let text = "a: HashMap<A, B>;\nb = MyHashMap::new();\nc = HashSet::with_capacity(3);\n\
                    d = e.collect::<HashMap<_, _>>();\n";
        let lines: Vec<_> = random_order(&Tree::of(&[("engine/storage/src/a.rs", text)]))
            .into_iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [1, 4, 3]);
    }
}
