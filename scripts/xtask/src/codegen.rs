//! `cargo xtask codegen`: writes net/protocol/src/generated from the schemas of Kafka's messages.
//!
//! The schemas are read out of a published client artifact of a known checksum. Facts are kept
//! (names, types, versions, defaults, tags), prose is not. The output is committed, so that
//! building needs neither the artifact nor this program.

mod artifact;
mod facts;

mod codec;
mod json;
mod tables;

mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::steps::StepError;
use crate::workspace;
use facts::{FactsError, Message, Versions};

/// Who reads requests of an API and writes its responses on a server. Every message has its
/// generated struct all the same, for clients and tools.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// The generated structs do.
    Generated,
    /// A module of `protocol` with the API's name does, borrowing from the frame.
    ByHand,
}

/// The APIs that the broker serves. To serve another one, add its line and run the task.
const APIS: &[(&str, Server)] = &[
    ("Produce", Server::ByHand),
    ("Fetch", Server::ByHand),
    ("ListOffsets", Server::Generated),
    ("Metadata", Server::Generated),
    ("ApiVersions", Server::Generated),
    ("CreateTopics", Server::Generated),
    ("DeleteTopics", Server::Generated),
    ("InitProducerId", Server::Generated),
    ("OffsetForLeaderEpoch", Server::Generated),
    ("DescribeConfigs", Server::Generated),
    ("AlterConfigs", Server::Generated),
    ("DescribeLogDirs", Server::Generated),
    ("CreatePartitions", Server::Generated),
    ("IncrementalAlterConfigs", Server::Generated),
    ("ListPartitionReassignments", Server::Generated),
    ("DescribeCluster", Server::Generated),
    ("DescribeTopicPartitions", Server::Generated),
];

/// What to do with the generated files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write them.
    Write,
    /// Say which of them differ from what would be written, and write nothing.
    Check,
}

/// Why the code could not be generated, or is not fresh.
#[derive(Debug)]
pub enum CodegenError {
    /// The artifact is not the one whose schemas we follow.
    Checksum { path: PathBuf, expected: String, found: String },
    /// The peers' list says no version of Kafka, or no checksum of its client.
    NoPin { path: PathBuf },
    /// A schema has something that the generator does not know.
    Schema { message: String, source: FactsError },
    /// The committed files differ from the generated ones.
    Stale { paths: Vec<String> },
}

impl From<CodegenError> for StepError {
    fn from(error: CodegenError) -> Self {
        Self::Codegen(error)
    }
}

impl fmt::Display for CodegenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { path, expected, found } => write!(
                f,
                "{} has checksum {found}, scripts/peers/pom.xml says {expected}: write it there if \
                 the version is new, else delete the file and try again",
                path.display()
            ),
            Self::NoPin { path } => {
                let path = path.display();
                write!(f, "{path} has no kafka.version or no kafka.clients.sha256: add them")
            }
            Self::Schema { message, source } => {
                write!(f, "the schema of {message}: {source}; teach the generator")
            }
            Self::Stale { paths } => {
                write!(f, "not fresh: {}; run `cargo xtask codegen`", paths.join(", "))
            }
        }
    }
}

/// A request and its response.
struct Api {
    name: &'static str,
    server: Server,
    request: Message,
    response: Message,
}

/// Generates all files and writes or checks them.
pub fn run(mode: Mode) -> Result<(), StepError> {
    let schemas = artifact::schemas()?;
    let mut apis = Vec::new();
    for &(name, server) in APIS {
        let request = read_facts(&schemas, format!("{name}Request"), Versions::ALL)?;
        // Only a request's schema says that its last version is unstable.
        let mut response = read_facts(&schemas, format!("{name}Response"), request.versions)?;
        facts::keep_names_apart(&request, &mut response);
        apis.push(Api { name, server, request, response });
    }
    apis.sort_by_key(|api| api.request.api_key);
    let files = files(&apis)?;
    match mode {
        Mode::Write => write(&files),
        Mode::Check => check(&files),
    }
}

fn read_facts(
    schemas: &BTreeMap<String, String>,
    message: String,
    versions: Versions,
) -> Result<Message, StepError> {
    let facts = match schemas.get(&message) {
        Some(schema) => facts::read(schema, versions),
        None => Err(FactsError::NoSchema),
    };
    facts.map_err(|source| CodegenError::Schema { message, source }.into())
}

/// The text of every generated file, by its path below net/protocol/src.
fn files(apis: &[Api]) -> Result<BTreeMap<String, String>, StepError> {
    let mut files = BTreeMap::new();
    files.insert("generated.rs".to_string(), tables::modules(apis));
    files.insert("generated/api_key.rs".to_string(), tables::api_key(apis));
    files.insert("generated/request_body.rs".to_string(), tables::request_body(apis));
    files.insert("generated/json.rs".to_string(), tables::json_modules(apis));
    for api in apis {
        let module = text::snake_case(api.name);
        files.insert(format!("generated/{module}.rs"), codec::file(api));
        files.insert(format!("generated/json/{module}.rs"), json::file(api));
    }
    for file in files.values_mut() {
        *file = text::rustfmt(file)?;
    }
    Ok(files)
}

fn write(files: &BTreeMap<String, String>) -> Result<(), StepError> {
    for path in stray_files(files)? {
        let path = source_folder().join(path);
        fs::remove_file(&path).map_err(|source| StepError::File { path, source })?;
    }
    for (name, file) in files {
        let path = source_folder().join(name);
        let folder = path.parent().expect("every generated file lies in a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, file))
            .map_err(|source| StepError::File { path: path.clone(), source })?;
    }
    println!("==> codegen: {} files written", files.len());
    Ok(())
}

fn check(files: &BTreeMap<String, String>) -> Result<(), StepError> {
    let mut paths = stray_files(files)?;
    for (name, file) in files {
        // A file that cannot be read is as stale as one that differs.
        if fs::read_to_string(source_folder().join(name)).ok().as_ref() != Some(file) {
            paths.push(name.clone());
        }
    }
    if !paths.is_empty() {
        return Err(CodegenError::Stale { paths }.into());
    }
    println!("==> codegen: {} files are fresh", files.len());
    Ok(())
}

/// Files in the generated folders that nothing generates any more.
fn stray_files(files: &BTreeMap<String, String>) -> Result<Vec<String>, StepError> {
    let mut strays = Vec::new();
    for folder in ["generated", "generated/json"] {
        let path = source_folder().join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(StepError::File { path, source }),
        };
        for entry in entries {
            let entry = entry.map_err(|source| StepError::File { path: path.clone(), source })?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_file() && !files.contains_key(&name) {
                strays.push(name);
            }
        }
    }
    Ok(strays)
}

fn source_folder() -> PathBuf {
    workspace::root().join("net/protocol/src")
}

#[cfg(test)]
mod tests {
    use super::{Mode, run};

    #[test]
    fn committed_messages_are_what_the_schemas_make() {
        if let Err(error) = run(Mode::Check) {
            panic!("{error}");
        }
    }
}
