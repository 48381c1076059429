//! Kafka's command-line tools, run step by step against a broker: what each says, and how it ends.
//!
//! All steps run in one JVM, by `java/Tools.java`.

pub mod comparison;
mod plain;

use std::fmt;
use std::fs::{self, File};
use std::path::Path;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::client::Client;
use crate::java;

/// One run of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Which.
    pub tool: Tool,
    /// What follows the broker's address, with spaces between.
    pub arguments: &'static str,
    /// Its standard input.
    pub input: &'static str,
    /// Whose words the tool repeats.
    pub words: Words,
    /// What it is to print; it is run again, for a few seconds, until it does.
    pub until: Option<&'static str>,
}

/// Whose words a tool repeats when a broker refuses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Kafka's, whatever broker it is.
    Kafkas,
    /// Each broker's own, which say what to do there; they follow a colon.
    Brokers,
}

/// A tool, by the name of its script in Kafka's `bin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `kafka-broker-api-versions`. A broker may offer less than Kafka.
    ApiVersions,
    /// `kafka-configs`.
    Configs,
    /// `kafka-console-consumer`.
    ConsoleConsumer,
    /// `kafka-console-producer`.
    ConsoleProducer,
    /// `kafka-get-offsets`.
    GetOffsets,
    /// `kafka-log-dirs`.
    LogDirs,
    /// `kafka-producer-perf-test`. Only the words of what it says can be compared, not the figures.
    ProducerPerf,
    /// `kafka-topics`.
    Topics,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status.
    pub status: i64,
    /// What it wrote to standard output and error, without what no two brokers have in common.
    pub output: String,
}

impl Step {
    /// A tool that is given nothing to read.
    pub const fn new(tool: Tool, arguments: &'static str) -> Self {
        Self { tool, arguments, input: "", words: Words::Kafkas, until: None }
    }

    /// The same with this standard input.
    pub const fn reading(self, input: &'static str) -> Self {
        Self { input, ..self }
    }

    /// The same where each broker refuses in its own words.
    pub const fn refused_in_own_words(self) -> Self {
        Self { words: Words::Brokers, ..self }
    }

    /// The same, run again until it prints this: Kafka's brokers hear of a deletion a moment after
    /// it has been answered.
    pub const fn until(self, output: &'static str) -> Self {
        Self { until: Some(output), ..self }
    }

    fn json(&self, address: &str) -> Value {
        let mut arguments = vec!["--bootstrap-server", address];
        arguments.extend(self.arguments.split_whitespace());
        json!({
            "tool": self.tool.main_class(),
            "arguments": arguments,
            "input": self.input,
            "until": self.until,
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.tool, self.arguments)
    }
}

impl Tool {
    fn main_class(self) -> &'static str {
        match self {
            Self::ApiVersions => "org.apache.kafka.tools.BrokerApiVersionsCommand",
            Self::Configs => "kafka.admin.ConfigCommand",
            Self::ConsoleConsumer => "org.apache.kafka.tools.consumer.ConsoleConsumer",
            Self::ConsoleProducer => "org.apache.kafka.tools.ConsoleProducer",
            Self::GetOffsets => "org.apache.kafka.tools.GetOffsetShell",
            Self::LogDirs => "org.apache.kafka.tools.LogDirsCommand",
            Self::ProducerPerf => "org.apache.kafka.tools.ProducerPerformance",
            Self::Topics => "org.apache.kafka.tools.TopicCommand",
        }
    }
}

/// A script that runs.
#[derive(Debug)]
pub struct Run {
    client: Client,
    address: String,
    data: String,
    steps: &'static [Step],
}

impl Run {
    /// Begins to run all steps against `broker`, one after another, whatever becomes of them. Files
    /// go below `folder`.
    pub fn start(folder: &Path, broker: &Broker, steps: &'static [Step]) -> Self {
        let address = broker.address();
        let lines = steps.iter().map(|step| step.json(&address).to_string() + "\n");
        let script = folder.join("steps");
        fs::create_dir_all(folder).expect("a folder below target can be made");
        fs::write(&script, lines.collect::<String>()).expect("a fresh folder can be written");
        let mut tools = java::ours("Tools");
        tools.stdin(File::open(&script).expect("it was just written"));
        let client = Client::program(folder, "Tools", &mut tools);
        Self { client, address, data: broker.data_folder().display().to_string(), steps }
    }

    /// Waits for the end of the last step.
    ///
    /// # Panics
    ///
    /// If it takes too long, or the script does not run as a whole.
    pub fn outcomes(self) -> Vec<Outcome> {
        let output = String::from_utf8(self.client.output()).expect("JSON is UTF-8");
        let outcome = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let output = plain::text(line["output"].as_str()?, &self.address, &self.data);
            Some(Outcome { status: line["status"].as_i64()?, output })
        };
        let outcomes = output.lines().map(|line| {
            outcome(line).unwrap_or_else(|| panic!("this is no outcome of a step: {line}"))
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        assert_eq!(outcomes.len(), self.steps.len(), "steps that have an outcome");
        outcomes
    }
}
