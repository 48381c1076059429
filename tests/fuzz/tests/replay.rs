//! Every input that is kept, and every one that the encoders make, is taken without a find.

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::Target;

/// What is kept of one target: a few dozen inputs, of a few KiB each.
const KEPT_MAX: usize = 64;
const KEPT_BYTES_MAX: usize = 4 << 10;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn corpus(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder().join("corpus").join(target.name());
    let entries = fs::read_dir(&folder).expect("each target has a folder");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(&path).expect("a readable file"));
    paths.into_iter().map(read).collect()
}

/// Runs what is kept of a target, and its seeds whole, cut and with a byte changed here and there.
fn replay(target: Target) {
    for (path, bytes) in corpus(target) {
        println!("{}", path.display());
        target.run(&bytes);
    }
    for (number, seed) in target.seeds().into_iter().enumerate() {
        println!("seed {number}");
        target.run(&seed);
        for step in 1..=4 {
            target.run(&seed[..seed.len() * step / 5]);
            let mut changed = seed.clone();
            let at = (seed.len() - 1) * step / 4;
            changed[at] ^= 1 << (step + 2);
            target.run(&changed);
        }
    }
}

#[test]
fn requests_do_no_harm() {
    replay(Target::Request);
}

#[test]
fn record_batches_do_no_harm() {
    replay(Target::RecordBatches);
}

#[test]
fn journals_do_no_harm() {
    replay(Target::Journal);
}

#[test]
fn manifests_do_no_harm() {
    replay(Target::Manifest);
}

#[test]
fn indexes_do_no_harm() {
    replay(Target::Indexes);
}

#[test]
fn every_target_has_its_program_and_keeps_a_small_corpus() {
    let manifest = fs::read_to_string(folder().join("targets/Cargo.toml")).expect("a manifest");
    for target in Target::ALL {
        let name = target.name();
        assert_eq!(Target::named(name), Some(target));
        let program = format!("name = \"{name}\"\npath = \"src/{name}.rs\"");
        assert!(manifest.contains(&program), "no program {name} in {manifest}");
        let source = folder().join(format!("targets/src/{name}.rs"));
        let source = fs::read_to_string(source).expect("a program's source");
        assert!(source.contains(&format!("Target::{target:?}.run(bytes)")), "{source}");
        let kept = corpus(target);
        assert!((1..=KEPT_MAX).contains(&kept.len()), "{name}: {} inputs", kept.len());
        for (path, bytes) in kept {
            assert!(bytes.len() <= KEPT_BYTES_MAX, "{} has {}", path.display(), bytes.len());
        }
    }
}
