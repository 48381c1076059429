//! A campaign: producers write without a break while the broker is killed and restarted again and
//! again; then everything is read twice, and the checker judges.
//!
//! ```text
//! start; topics are made one after the other, while four kills come within 0.6 s of each start,
//!         the first one on an empty folder; then producers, live reader
//! cycle:  every producer has an ack from every partition   <- so each life of the broker serves
//!         0.3 to 1.5 s more, at random
//!         SIGKILL, restart at once; one time in four SIGKILL again within 120 ms, amid start and
//!         recovery, and again one time in four
//!         one time in five it is asked to stop first: SIGTERM, and SIGKILL within 80 ms
//! producers finish, read everything, SIGKILL, restart, read everything again
//! ```
//!
//! The seed decides the moments. What the broker is doing at such a moment is up to the machine:
//! the same seed is the same plan, not the same run.

mod stage;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use launch::LaunchError;

use crate::checker::floor::Floor;
use crate::checker::{Verdict, check};
use crate::dice::Dice;
use crate::history::History;
use crate::history_file::HistoryFileError;
use crate::subject::Subject;
use stage::Stage;

/// How long the broker lives on after it has acknowledged, in milliseconds.
const LIFE_MS: std::ops::RangeInclusive<u64> = 300..=1500;
/// How often the broker is killed while topics are made ...
const CREATION_KILLS: u32 = 4;
/// ... and when, in milliseconds after its start: the client makes its first topic some 300 ms
/// after its own.
const CREATION_KILL_MS: std::ops::RangeInclusive<u64> = 0..=600;
/// When a broker is killed amid recovery, in milliseconds after its start: under this load Ringmain
/// serves after 30 to 100, so that some are killed before that and some soon after.
const RECOVERY_KILL_MS: std::ops::RangeInclusive<u64> = 0..=120;
/// One start in so many is killed amid recovery.
const RECOVERY_KILL_ONE_IN: u64 = 4;
/// When a broker is killed that was asked to stop, in milliseconds after that: Ringmain takes 15 to
/// 80 under this load, so that some are killed while they write their last segments, and some end
/// by themselves.
const STOP_KILL_MS: std::ops::RangeInclusive<u64> = 0..=80;
/// After one kill in so many the broker is stopped, too.
const STOP_ONE_IN: u64 = 5;
/// Fewer acknowledged records a producer and cycle mean that the broker was hardly loaded when it
/// died: the slowest producer, one request in flight on a slow disk, still makes several hundred.
const ACKED_PER_CYCLE_MIN: u64 = 50;

/// What to run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The broker under test.
    pub subject: Subject,
    /// How often it is killed under load.
    pub cycles: u32,
    /// Decides when.
    pub seed: u64,
    /// A Python with confluent-kafka.
    pub python: PathBuf,
    /// Where everything is put; emptied first, removed when the verdict is clean.
    pub folder: PathBuf,
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the clients saw.
    pub history: History,
    /// What the checker says.
    pub verdict: Verdict,
    /// Of each restart under load, the time until every producer had an acknowledgement from every
    /// one of its partitions.
    pub restart_to_acks: Vec<Duration>,
}

/// Why a campaign has no outcome. The folder keeps the logs of broker and clients.
#[derive(Debug)]
pub enum CampaignError {
    /// The operating system refused something.
    Io(&'static str, io::Error),
    /// The broker could not be started, stopped or killed.
    Launch(LaunchError),
    /// The broker ended though nobody killed it.
    BrokerEnded {
        /// How.
        status: String,
        /// The end of its output.
        log: String,
    },
    /// A client ended too early, or ended with an error.
    ClientEnded {
        /// Which.
        client: String,
        /// What it wrote to standard error.
        complaint: String,
    },
    /// The deadline passed before the broker served everybody again.
    Unavailable {
        /// What was waited for.
        waited_for: &'static str,
        /// How long.
        deadline: Duration,
        /// The clients that were not served.
        clients: Vec<String>,
        /// The end of the broker's output.
        log: String,
    },
    /// A client's log cannot be read back.
    History(HistoryFileError),
}

impl fmt::Display for CampaignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CampaignError::Io(what, error) => write!(f, "cannot {what}: {error}"),
            CampaignError::Launch(error) => error.fmt(f),
            CampaignError::BrokerEnded { status, log } => {
                write!(f, "the broker ended by itself, {status}; its last words:\n{log}")
            }
            CampaignError::ClientEnded { client, complaint } => {
                write!(f, "{client} ended too early or badly: {complaint}")
            }
            CampaignError::Unavailable { waited_for, deadline, clients, log } => write!(
                f,
                "no {waited_for} within {deadline:?} for {}; the broker's last words:\n{log}",
                clients.join(", ")
            ),
            CampaignError::History(error) => error.fmt(f),
        }
    }
}

impl From<LaunchError> for CampaignError {
    fn from(error: LaunchError) -> CampaignError {
        CampaignError::Launch(error)
    }
}

impl From<HistoryFileError> for CampaignError {
    fn from(error: HistoryFileError) -> CampaignError {
        CampaignError::History(error)
    }
}

impl Campaign {
    /// Runs the campaign and judges it. Takes about two seconds a cycle with Ringmain.
    pub fn run(&self) -> Result<Outcome, CampaignError> {
        self.prepare_folder()?;
        let mut dice = Dice::new(self.seed);
        let mut stage = Stage::open(self)?;
        let creation_kills = (0..CREATION_KILLS)
            .map(|_| Duration::from_millis(dice.within(CREATION_KILL_MS)))
            .collect();
        stage.create_topics(creation_kills)?;
        stage.start_clients()?;
        stage.await_acks()?;
        let mut restart_to_acks = Vec::new();
        for _ in 0..self.cycles {
            stage.play(Duration::from_millis(dice.within(LIFE_MS)))?;
            stage.kill_and_restart()?;
            if dice.within(1..=STOP_ONE_IN) == 1 {
                stage.await_acks()?;
                stage.stop_and_restart(Duration::from_millis(dice.within(STOP_KILL_MS)))?;
            }
            while dice.within(1..=RECOVERY_KILL_ONE_IN) == 1 {
                stage.play(Duration::from_millis(dice.within(RECOVERY_KILL_MS)))?;
                stage.kill_and_restart()?;
            }
            restart_to_acks.push(stage.await_acks()?);
        }
        stage.finish_producers()?;
        stage.read_everything("first-read")?;
        stage.kill_and_restart()?;
        stage.read_everything("second-read")?;
        let history = stage.close()?;
        let verdict = check(&history, &self.floor());
        if verdict.is_clean() {
            let removed = std::fs::remove_dir_all(&self.folder);
            removed.map_err(|error| CampaignError::Io("remove the campaign's folder", error))?;
        }
        Ok(Outcome { history, verdict, restart_to_acks })
    }

    fn floor(&self) -> Floor {
        let acked_by_producer = ACKED_PER_CYCLE_MIN * u64::from(self.cycles);
        Floor { acked_by_producer, whole_reads: 2 }
    }

    fn prepare_folder(&self) -> Result<(), CampaignError> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CampaignError::Io("empty the campaign's folder", error));
            }
            _ => {}
        }
        let made = std::fs::create_dir_all(&self.folder);
        made.map_err(|error| CampaignError::Io("make the campaign's folder", error))
    }
}

impl Outcome {
    /// The outcome in words: the times of the restarts and the checker's report.
    pub fn report(&self) -> String {
        let mut times = self.restart_to_acks.clone();
        times.sort();
        let restarts = match (times.get(times.len() / 2), times.last()) {
            (Some(median), Some(longest)) => format!(
                "restart to an ack from every partition: median {} ms, longest {} ms\n",
                median.as_millis(),
                longest.as_millis()
            ),
            _ => String::new(),
        };
        restarts + &self.verdict.report(&self.history)
    }
}
