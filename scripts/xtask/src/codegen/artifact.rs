//! Fetches the artifact that holds the schemas, checks it, and takes the schemas out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::codegen::CodegenError;
use crate::steps::{StepError, answer, step};
use crate::workspace;

const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// The folder in the artifact where the schemas are.
const SCHEMA_FOLDER: &str = "common/message";

/// The client's artifact, as the peers have pinned it.
#[derive(Debug, PartialEq, Eq)]
struct Pin {
    version: String,
    sha256: String,
}

/// The text of every schema, by the message's name.
pub fn schemas() -> Result<BTreeMap<String, String>, StepError> {
    let pin = pin()?;
    // A folder for each version: no schema of another one is among them.
    let folder = workspace::peers().join("schemas").join(&pin.version);
    fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
    let jar = jar(&pin, &folder)?;
    let mut extract = Command::new("jar");
    extract.arg("--extract").arg("--file").arg(&jar).arg(SCHEMA_FOLDER).current_dir(&folder);
    answer("take the schemas out", &mut extract)?;

    let folder = folder.join(SCHEMA_FOLDER);
    let mut schemas = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(|source| file_error(&folder, source))? {
        let path = entry.map_err(|source| file_error(&folder, source))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().expect("it has an extension").to_string_lossy();
            let text = fs::read_to_string(&path).map_err(|source| file_error(&path, source))?;
            schemas.insert(name.into_owned(), text);
        }
    }
    Ok(schemas)
}

/// What `scripts/peers/pom.xml` says, where the one version of Kafka stands.
fn pin() -> Result<Pin, StepError> {
    let path = workspace::root().join("scripts/peers/pom.xml");
    let text = fs::read_to_string(&path).map_err(|source| file_error(&path, source))?;
    read_pin(&text).ok_or_else(|| CodegenError::NoPin { path }.into())
}

fn read_pin(pom: &str) -> Option<Pin> {
    let property = |name: &str| {
        let (_, rest) = pom.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(value.to_string())
    };
    Some(Pin { version: property("kafka.version")?, sha256: property("kafka.clients.sha256")? })
}

/// The artifact on this machine, checked: the peers' own one, or fetched into `folder`. Only
/// `cargo xtask peers` writes into the peers' folder: each jar in it is on every class path.
fn jar(pin: &Pin, folder: &Path) -> Result<PathBuf, StepError> {
    let name = format!("kafka-clients-{}.jar", pin.version);
    let of_peers = workspace::peers().join("jars").join(&name);
    let path = if of_peers.exists() { of_peers } else { folder.join(name) };
    if !path.exists() {
        let mut fetch = Command::new("mvn");
        fetch.args(["--quiet", "--batch-mode", COPY]);
        fetch.arg(format!("-Dartifact=org.apache.kafka:kafka-clients:{}", pin.version));
        fetch.arg(format!("-DoutputDirectory={}", folder.display()));
        step("codegen: fetch the schemas", &mut fetch)?;
    }
    let sum = answer("check the artifact", Command::new("sha256sum").arg(&path))?;
    let found = sum.split_whitespace().next().unwrap_or_default().to_string();
    if found != pin.sha256 {
        let expected = pin.sha256.clone();
        return Err(CodegenError::Checksum { path, expected, found }.into());
    }
    Ok(path)
}

fn file_error(path: &Path, source: io::Error) -> StepError {
    StepError::File { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::{Pin, read_pin};

    #[test]
    fn the_pin_is_read_and_a_missing_part_of_it_is_noticed() {
        let version = "<kafka.version>4.3.1</kafka.version>";
        let pom = format!("<p>{version}\n<kafka.clients.sha256>5a</kafka.clients.sha256></p>");
        let pin = Pin { version: "4.3.1".into(), sha256: "5a".into() };
        assert_eq!(read_pin(&pom), Some(pin));
        assert_eq!(read_pin(version), None);
    }
}
