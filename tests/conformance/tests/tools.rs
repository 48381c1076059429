//! Kafka's own tools: they say the same of Ringmain as of Apache Kafka, and end the same way.

use conformance::broker::{Broker, Kind};
use conformance::tools::comparison::difference;
use conformance::tools::{Run, Step, Tool};
use conformance::workspace;

const fn step(tool: Tool, arguments: &'static str) -> Step {
    Step::new(tool, arguments)
}

/// Steps build on those before them.
const SCRIPT: &[Step] = &[
    step(Tool::Topics, "--list"),
    step(Tool::Topics, "--create --topic one --partitions 3 --replication-factor 1"),
    step(Tool::Topics, "--create --topic one"),
    step(Tool::Topics, "--create --topic one --if-not-exists"),
    step(
        Tool::Topics,
        "--create --topic two --config retention.ms=-1 --config segment.bytes=1048576",
    ),
    step(Tool::Topics, "--create --topic wrong --config no.such.setting=1"),
    step(Tool::Topics, "--create --topic wrong --config retention.ms=soon"),
    step(Tool::Topics, "--create --topic wrong --config max.message.bytes=-1"),
    step(Tool::Topics, "--create --topic wrong --replication-factor 2").refused_in_own_words(),
    step(Tool::Topics, "--create --topic wrong --partitions 0"),
    step(Tool::Topics, "--create --topic not/a/name").refused_in_own_words(),
    step(Tool::Topics, "--list"),
    step(Tool::Topics, "--list --topic t.*"),
    step(Tool::Topics, "--describe"),
    step(Tool::Topics, "--describe --topic one"),
    step(Tool::Topics, "--describe --topic absent"),
    step(Tool::Topics, "--describe --topic absent --if-exists"),
    step(Tool::Topics, "--describe --under-replicated-partitions"),
    step(Tool::Topics, "--describe --unavailable-partitions"),
    step(Tool::Topics, "--describe --topics-with-overrides"),
    step(Tool::Topics, "--alter --topic one --partitions 4"),
    step(Tool::Topics, "--alter --topic one --partitions 4"),
    step(Tool::Topics, "--alter --topic one --partitions 2"),
    step(Tool::Topics, "--alter --topic absent --partitions 4"),
    step(Tool::Topics, "--alter --topic absent --partitions 4 --if-exists"),
    step(Tool::Topics, "--describe --topic one"),
    step(Tool::Configs, "--entity-type topics --entity-name two --describe"),
    step(Tool::Configs, "--entity-type topics --entity-name two --describe --all"),
    step(Tool::Configs, "--entity-type topics --entity-name one --describe"),
    step(
        Tool::Configs,
        "--entity-type topics --entity-name one --alter --add-config \
         segment.ms=3600000,max.message.bytes=2000000",
    ),
    step(Tool::Configs, "--entity-type topics --entity-name one --describe"),
    step(
        Tool::Configs,
        "--entity-type topics --entity-name one --alter --delete-config segment.ms",
    ),
    step(Tool::Configs, "--entity-type topics --entity-name one --describe"),
    step(
        Tool::Configs,
        "--entity-type topics --entity-name one --alter --add-config min.insync.replicas=none",
    )
    .refused_in_own_words(),
    step(Tool::Configs, "--entity-type topics --entity-name one --alter --add-config no.such=1"),
    step(
        Tool::Configs,
        "--entity-type topics --entity-name one --alter --delete-config retention.ms",
    ),
    step(Tool::Configs, "--entity-type topics --entity-name absent --describe"),
    step(
        Tool::Configs,
        "--entity-type topics --entity-name absent --alter --add-config segment.ms=1",
    ),
    step(Tool::Configs, "--entity-type topics --describe"),
    step(Tool::Topics, "--describe --topics-with-overrides"),
    step(
        Tool::ConsoleProducer,
        "--topic one --sync --reader-property parse.key=true --reader-property key.separator=:",
    )
    .reading("a:first\nb:second\nc:third\nd:fourth\na:fifth\n"),
    step(Tool::ConsoleProducer, "--topic two --compression-codec zstd").reading("alone\n"),
    step(Tool::GetOffsets, ""),
    step(Tool::GetOffsets, "--topic one"),
    step(Tool::GetOffsets, "--topic one --partitions 0,2"),
    step(Tool::GetOffsets, "--topic-partitions one:1-3,two"),
    step(Tool::GetOffsets, "--topic one --time earliest"),
    step(Tool::GetOffsets, "--topic one --time -1"),
    step(Tool::GetOffsets, "--topic one --time max-timestamp"),
    step(Tool::GetOffsets, "--topic one --time earliest-local"),
    step(Tool::GetOffsets, "--topic one --time latest-tiered"),
    step(Tool::GetOffsets, "--topic one --time 1000"),
    step(Tool::GetOffsets, "--topic one --time 32503680000000"),
    step(Tool::GetOffsets, "--topic absent"),
    step(Tool::LogDirs, "--describe --topic-list one,two"),
    step(Tool::LogDirs, "--describe --topic-list one,two --broker-list 1"),
    step(Tool::LogDirs, "--describe --topic-list absent"),
    step(Tool::LogDirs, "--describe --broker-list 9"),
    step(
        Tool::ConsoleConsumer,
        "--topic one --partition 0 --offset earliest --max-messages 3 \
         --formatter-property print.key=true --formatter-property print.offset=true \
         --formatter-property print.partition=true --formatter-property print.timestamp=true",
    ),
    step(Tool::ConsoleConsumer, "--topic one --partition 1 --offset earliest --max-messages 1"),
    step(Tool::ConsoleConsumer, "--topic one --partition 2 --offset 0 --max-messages 1"),
    step(Tool::ConsoleConsumer, "--topic one --partition 3 --offset earliest --timeout-ms 1000"),
    step(Tool::ConsoleConsumer, "--topic two --partition 0 --offset 0 --max-messages 1"),
    step(Tool::ConsoleConsumer, "--topic two --partition 0 --offset latest --timeout-ms 1000"),
    step(Tool::ApiVersions, ""),
    step(Tool::ProducerPerf, "--topic one --num-records 5000 --record-size 100 --throughput -1"),
    step(Tool::GetOffsets, "--topic one --time earliest"),
    step(Tool::Topics, "--delete --topic one"),
    step(Tool::Topics, "--list").until("two"),
    step(Tool::Topics, "--delete --topic one"),
    step(Tool::Topics, "--delete --topic one --if-exists"),
    step(Tool::Topics, "--delete --topic t.*"),
    step(Tool::Topics, "--list").until(""),
];

#[test]
fn kafkas_tools_say_the_same_of_both_brokers() {
    let folder = workspace::fresh_folder("tools-clients");
    let settings = [("ringmain.shards", "2")];
    let kinds = [("tools", Kind::under_test()), ("tools-kafka", Kind::Kafka)];
    let mut brokers = kinds.map(|(name, kind)| Broker::start(kind, name, &settings));
    let names = ["here", "kafka"];
    let runs = [0, 1].map(|of| Run::start(&folder.join(names[of]), &brokers[of], SCRIPT));
    let [found, of_kafka] = runs.map(Run::outcomes);
    let mut differences = Vec::new();
    for ((step, found), of_kafka) in SCRIPT.iter().zip(&found).zip(&of_kafka) {
        if let Some(difference) = difference(step, found, of_kafka) {
            differences.push(format!("{step}\n{difference}"));
        }
    }
    let count = differences.len();
    assert!(count == 0, "{count} of {} steps differ:\n{}", SCRIPT.len(), differences.join("\n"));
    brokers.iter_mut().for_each(Broker::stop);
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}
