//! `cargo xtask fuzz TARGET SECONDS`: searches for bytes that a decoder does not stand.
//!
//! cargo-fuzz wants a nightly compiler for its flags; the pinned one takes them when it is told
//! that it is one. Everything that a search finds and makes lies in `target/fuzz/TARGET`.

mod chosen;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{StepError, announce, cargo, step};
use crate::{peers, workspace};

/// What each target is, and its inputs: `tests/fuzz/src/target.rs` has the same names.
const CORPUS: &str = "tests/fuzz/corpus";
/// The longest input, in bytes: so long are those that the repository keeps.
const INPUT_BYTES_MAX: u64 = 4096;
/// How many inputs the repository keeps of one target, finds apart.
const CHOSEN_MAX: usize = 40;
/// An input that once was a find keeps its place for ever, by this beginning of its name.
const FIND: &str = "find-";

/// What becomes of a search's corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It stays where the next search goes on.
    InTarget,
    /// Besides, the inputs that see most replace those in the repository.
    InRepository,
}

/// Searches for `seconds`; a find ends it with an error that names the input.
pub fn run(target: &str, seconds: u64, keep: Keep) -> Result<(), StepError> {
    peers::install_cargo_fuzz()?;
    let folder = workspace::root().join("target/fuzz").join(target);
    let [seeds, corpus, finds] = ["seeds", "corpus", "finds"].map(|name| folder.join(name));
    for made in [&corpus, &finds] {
        fs::create_dir_all(made).map_err(|source| file_error(made, source))?;
    }
    let mut write_seeds = cargo(&["run", "--quiet", "--package", "fuzz", "--", "seeds", target]);
    step("write the seeds", write_seeds.arg(&seeds))?;
    let kept = workspace::root().join(CORPUS).join(target);
    fs::create_dir_all(&kept).map_err(|source| file_error(&kept, source))?;
    let mut search = cargo_fuzz(target);
    search.args([&corpus, &kept, &seeds]).arg("--");
    search.arg(format!("-max_total_time={seconds}")).args(limits());
    // Of a directory, it must end with a slash.
    search.arg(format!("-artifact_prefix={}/", finds.display()));
    step(&format!("fuzz {target} for {seconds} s"), &mut search)?;
    if keep == Keep::InRepository {
        choose(target, &folder, &[&corpus, &kept, &seeds])?;
    }
    Ok(())
}

/// cargo-fuzz, about to run the program of that target.
fn cargo_fuzz(target: &str) -> Command {
    let mut command = Command::new(peers::cargo_fuzz());
    command.args(["fuzz", "run", "--fuzz-dir", "tests/fuzz/targets", "--target-dir"]);
    command.arg(workspace::root().join("target/fuzz/build")).arg(target);
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(workspace::root());
    command
}

/// What an input may cost: more is a find.
fn limits() -> [String; 6] {
    [
        format!("-max_len={INPUT_BYTES_MAX}"),
        "-timeout=20".to_string(),
        // One allocation, and all of them: an input has a few KiB, and 256 KiB may come out of it.
        "-malloc_limit_mb=64".to_string(),
        "-rss_limit_mb=1536".to_string(),
        "-detect_leaks=0".to_string(),
        "-print_final_stats=1".to_string(),
    ]
}

/// Puts into the repository, of all inputs in `from`, the few that see most.
fn choose(target: &str, folder: &Path, from: &[&PathBuf]) -> Result<(), StepError> {
    let (merged, control) = (folder.join("merged"), folder.join("merged.control"));
    if merged.exists() {
        fs::remove_dir_all(&merged).map_err(|source| file_error(&merged, source))?;
    }
    fs::create_dir_all(&merged).map_err(|source| file_error(&merged, source))?;
    if control.exists() {
        fs::remove_file(&control).map_err(|source| file_error(&control, source))?;
    }
    let mut merge = cargo_fuzz(target);
    merge.arg(&merged).args(from).args(["--", "-merge=1"]).args(limits());
    merge.arg(format!("-merge_control_file={}", control.display()));
    step(&format!("look what each input of {target} sees"), &mut merge)?;
    let seen = fs::read(&control).map_err(|source| file_error(&control, source))?;
    let chosen = chosen::chosen(&String::from_utf8_lossy(&seen), CHOSEN_MAX);
    let chosen: Result<Vec<_>, _> = chosen
        .into_iter()
        .map(|path| fs::read(&path).map_err(|source| file_error(Path::new(&path), source)))
        .collect();
    let chosen = chosen?;
    let kept = workspace::root().join(CORPUS).join(target);
    for entry in fs::read_dir(&kept).map_err(|source| file_error(&kept, source))?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(FIND) {
            fs::remove_file(entry.path()).map_err(|source| file_error(&entry.path(), source))?;
        }
    }
    announce(&format!("{} inputs of {target} are kept in {CORPUS}", chosen.len()));
    for (number, bytes) in chosen.into_iter().enumerate() {
        let path = kept.join(format!("{number:02}"));
        fs::write(&path, bytes).map_err(|source| file_error(&path, source))?;
    }
    Ok(())
}

fn file_error(path: &Path, source: std::io::Error) -> StepError {
    StepError::File { path: path.to_path_buf(), source }
}
