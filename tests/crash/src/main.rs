//! Runs one campaign from the command line, also against Apache Kafka: `crash SUBJECT`, where the
//! subject is one of [`SUBJECTS`].

use std::process::ExitCode;

use crash::campaign::Campaign;
use crash::environment::{self, Build, EnvironmentError};
use crash::{ProducerMemory, Sizes, Subject};
use launch::IoUring;

/// Kafka takes seconds to start, Ringmain milliseconds; a run should take about a minute.
const KAFKA_CYCLES: u32 = 5;
const RINGMAIN_CYCLES: u32 = 25;
/// What can be tried, as it is said on the command line.
const SUBJECTS: [&str; 6] = [
    "ringmain",
    "ringmain-small",
    "ringmain-without-io-uring",
    "ringmain-forgetful",
    "kafka",
    "kafka-forgetful",
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_else(|| "ringmain".into());
    let campaign = match campaign(&name) {
        Ok(Some(campaign)) => campaign,
        Ok(None) => {
            eprintln!("{name:?} is none of {}", SUBJECTS.join(", "));
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{name}: {} cycles, RINGMAIN_SEED={}", campaign.cycles, campaign.seed);
    let clean = match campaign.run() {
        Ok(outcome) => {
            println!("{}", outcome.report());
            outcome.verdict.is_clean()
        }
        Err(error) => {
            println!("{error}");
            false
        }
    };
    if clean {
        return ExitCode::SUCCESS;
    }
    println!("everything that was seen is kept in {}", campaign.folder.display());
    ExitCode::FAILURE
}

/// The campaign against the subject of this name, if there is one.
fn campaign(name: &str) -> Result<Option<Campaign>, EnvironmentError> {
    let kafka = |memory| environment::kafka_jars().map(|jars| Subject::Kafka { jars, memory });
    let limited = |build, sizes, io_uring| {
        environment::ringmain(build).map(|binary| Subject::Ringmain { binary, sizes, io_uring })
    };
    let ringmain = |build, sizes| limited(build, sizes, IoUring::AsIs);
    let (subject, cycles) = match name {
        "ringmain" => (ringmain(Build::Good, Sizes::Usual)?, RINGMAIN_CYCLES),
        "ringmain-small" => (ringmain(Build::Good, Sizes::Small)?, RINGMAIN_CYCLES),
        "ringmain-without-io-uring" => {
            (limited(Build::Good, Sizes::Small, IoUring::Forbidden)?, RINGMAIN_CYCLES)
        }
        "ringmain-forgetful" => (ringmain(Build::Forgetful, Sizes::Usual)?, RINGMAIN_CYCLES),
        "kafka" => (kafka(ProducerMemory::Kept)?, KAFKA_CYCLES),
        "kafka-forgetful" => (kafka(ProducerMemory::Lost)?, KAFKA_CYCLES),
        _ => return Ok(None),
    };
    Ok(Some(Campaign {
        subject,
        cycles: environment::kill_cycles(cycles)?,
        seed: environment::seed()?,
        python: environment::python()?,
        folder: environment::folder(name),
    }))
}
