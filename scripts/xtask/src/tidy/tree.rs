//! What the rules look at: the workspace's text files and its packages.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::rust_code;
use crate::steps::{StepError, answer, cargo};

/// Folders that hold no part of the project, wherever they are: build output, caches.
const SKIPPED_FOLDERS: [&str; 4] = ["target", ".git", "__pycache__", "node_modules"];
/// The records of a broker that was started in the root.
const RECORDS_FOLDER: &str = "data/";

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the root.
    pub path: String,
    /// Counted from 1; 0 means the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// A text file of the project.
#[derive(Debug)]
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The text without comments and without what literals hold, line for line; empty unless Rust.
    pub code: String,
}

impl File {
    /// A file with this path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { rust_code::code_only(text) } else { String::new() };
        Self { path: path.to_string(), text: text.to_string(), code }
    }

    /// Whether a program wrote it: such files are exempt from rules of size and style.
    pub fn is_generated(&self) -> bool {
        let place = self.path.strip_prefix("net/protocol/src/generated");
        place.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    }

    /// Whether it is Rust written by hand.
    pub fn is_handwritten_rust(&self) -> bool {
        self.path.ends_with(".rs") && !self.is_generated()
    }

    /// The finding `message` at this line, counted from 1.
    pub fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Whether the whole file belongs to tests.
    pub fn is_test(&self) -> bool {
        let path = &self.path;
        path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
    }

    /// The lines, from 1, of each module of tests that stands in the file.
    pub fn test_modules(&self) -> Vec<std::ops::RangeInclusive<usize>> {
        let mut modules = Vec::new();
        for (at, attribute) in self.code.match_indices("#[cfg(test)]") {
            let mut rest = self.code[at + attribute.len()..].trim_start();
            // Other attributes may stand between.
            while rest.starts_with("#[") {
                rest = rest[rust_code::closing(rest, 1)..].trim_start();
            }
            let rest = rest.strip_prefix("pub ").unwrap_or(rest);
            let Some(open) = rest.find(['{', ';']) else { continue };
            if rest.starts_with("mod ") && rest.as_bytes()[open] == b'{' {
                let open = self.code.len() - rest.len() + open;
                let end = rust_code::closing(&self.code, open) - 1;
                let line = |at| rust_code::line_at(&self.code, at);
                modules.push(line(at)..=line(end));
            }
        }
        modules
    }
}

/// A crate of the workspace, as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// The crate's name.
    pub name: String,
    /// Its dependencies of all kinds.
    pub dependencies: Vec<Dependency>,
    /// Feature to what it switches on.
    pub features: std::collections::BTreeMap<String, Vec<String>>,
}

/// One dependency of a crate.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The name of the crate that is needed.
    pub name: String,
    /// Its folder, if it is a crate of the workspace.
    pub path: Option<String>,
    /// The features that are asked for.
    pub features: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The project as the rules see it.
#[derive(Debug)]
pub struct Tree {
    files: Vec<File>,
    packages: Vec<Package>,
    root_entries: Vec<String>,
    paths: Vec<String>,
}

impl Tree {
    /// Reads every text file below `root`, and the packages.
    pub fn read(root: &Path) -> Result<Self, StepError> {
        let mut tree = Self::of(&[]);
        tree.walk(root, "")?;
        let mut metadata = cargo(&["metadata", "--format-version=1", "--no-deps", "--offline"]);
        let json = answer("cargo metadata", &mut metadata)?;
        tree.packages = parse_packages(&json)?;
        Ok(tree)
    }

    /// A tree of these files, `(path, text)`, without packages: what the rules' own tests look at.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let paths = files.iter().map(|(path, _)| path.to_string()).collect();
        let files = files.iter().map(|(path, text)| File::new(path, text)).collect();
        Self { files, packages: Vec::new(), root_entries: Vec::new(), paths }
    }

    /// The same tree with packages.
    #[cfg(test)]
    pub fn with_packages(mut self, json: &str) -> Self {
        self.packages = parse_packages(json).expect("the sample is what cargo would print");
        self
    }

    /// The same tree with these names in its root folder.
    #[cfg(test)]
    pub fn with_root_entries(mut self, names: &[&str]) -> Self {
        self.root_entries = names.iter().map(|name| name.to_string()).collect();
        self
    }

    /// All text files, sorted by path.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The Rust files that people write.
    pub fn handwritten_rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_handwritten_rust())
    }

    /// The crates of the workspace.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The names in the root folder.
    pub fn root_entries(&self) -> &[String] {
        &self.root_entries
    }

    /// The file with this path, if it is a text file of the project.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether a file or a folder has this path.
    pub fn holds(&self, path: &str) -> bool {
        self.paths.iter().any(|known| {
            known == path || known.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<(), StepError> {
        let file_error = |path: &Path, source| StepError::File { path: path.to_path_buf(), source };
        let entries = fs::read_dir(folder).map_err(|source| file_error(folder, source))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| file_error(folder, source))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in names {
            let path = folder.join(&name);
            if prefix.is_empty() {
                self.root_entries.push(name.clone());
            }
            let relative = format!("{prefix}{name}");
            if path.is_dir() {
                let inner = format!("{relative}/");
                if !SKIPPED_FOLDERS.contains(&name.as_str()) && inner != RECORDS_FOLDER {
                    self.walk(&path, &inner)?;
                }
                continue;
            }
            // In a work tree of git it is a file, which says where the rest is.
            if relative == ".git" {
                continue;
            }
            self.paths.push(relative.clone());
            let bytes = fs::read(&path).map_err(|source| file_error(&path, source))?;
            if let Ok(text) = String::from_utf8(bytes) {
                self.files.push(File::new(&relative, &text));
            }
        }
        Ok(())
    }
}

fn parse_packages(json: &str) -> Result<Vec<Package>, StepError> {
    let metadata: Metadata = serde_json::from_str(json).map_err(|error| StepError::Answer {
        title: "cargo metadata".to_string(),
        reason: error.to_string(),
    })?;
    Ok(metadata.packages)
}
