//! Replays inputs without a fuzzer, and writes seeds for one: `fuzz replay|seeds TARGET PATH...`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use fuzz::Target;

const USAGE: &str = "usage: fuzz replay TARGET FILE...   run inputs, say each before it begins\n\
                     \x20      fuzz seeds TARGET FOLDER    write what a search begins with";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["replay", target, files @ ..] if !files.is_empty() => {
            Target::named(target).map(|target| replay(target, files))
        }
        ["seeds", target, folder] => {
            Target::named(target).map(|target| write_seeds(target, Path::new(folder)))
        }
        _ => None,
    };
    match done {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("fuzz: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}\ntargets: {:?}", Target::ALL.map(Target::name));
            ExitCode::FAILURE
        }
    }
}

fn replay(target: Target, files: &[&str]) -> std::io::Result<()> {
    for file in files {
        println!("{file}");
        target.run(&fs::read(file)?);
    }
    Ok(())
}

fn write_seeds(target: Target, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in target.seeds().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed)?;
    }
    Ok(())
}
