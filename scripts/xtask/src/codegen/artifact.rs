//! Fetches the artifact that holds the schemas, checks it, and takes the schemas out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::codegen::CodegenError;
use crate::steps::{StepError, answer, step};
use crate::workspace;

const ARTIFACT: &str = "org.apache.kafka:kafka-clients:4.3.1";
const FILE_NAME: &str = "kafka-clients-4.3.1.jar";
const SHA256: &str = "52501b7b47510c66f898871adaf6d2968ab7246561d44ced43643a8a587f0b36";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// The folder in the artifact where the schemas are.
const SCHEMA_FOLDER: &str = "common/message";

/// The text of every schema, by the message's name.
pub fn schemas() -> Result<BTreeMap<String, String>, StepError> {
    let jar = jar()?;
    let folder = workspace::peers().join("schemas");
    let error = |path: &Path, source| StepError::File { path: path.to_path_buf(), source };
    fs::create_dir_all(&folder).map_err(|source| error(&folder, source))?;
    let mut extract = Command::new("jar");
    extract.arg("--extract").arg("--file").arg(&jar).arg(SCHEMA_FOLDER).current_dir(&folder);
    answer("take the schemas out", &mut extract)?;

    let folder = folder.join(SCHEMA_FOLDER);
    let mut schemas = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(|source| error(&folder, source))? {
        let path = entry.map_err(|source| error(&folder, source))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().expect("it has an extension").to_string_lossy();
            let text = fs::read_to_string(&path).map_err(|source| error(&path, source))?;
            schemas.insert(name.into_owned(), text);
        }
    }
    Ok(schemas)
}

/// The artifact on this machine, fetched if it is not there yet, and checked.
fn jar() -> Result<PathBuf, StepError> {
    let folder = workspace::peers().join("jars");
    let path = folder.join(FILE_NAME);
    if !path.exists() {
        let mut fetch = Command::new("mvn");
        fetch.args(["--quiet", "--batch-mode", COPY]);
        fetch.arg(format!("-Dartifact={ARTIFACT}"));
        fetch.arg(format!("-DoutputDirectory={}", folder.display()));
        step("codegen: fetch the schemas", &mut fetch)?;
    }
    let sum = answer("check the artifact", Command::new("sha256sum").arg(&path))?;
    let found = sum.split_whitespace().next().unwrap_or_default().to_string();
    if found != SHA256 {
        return Err(CodegenError::Checksum { path, expected: SHA256, found }.into());
    }
    Ok(path)
}
