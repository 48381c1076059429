//! The processes of a campaign and the waiting for them: conditions with deadlines, never a pause
//! that is hoped to be long enough.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use launch::{Process, Site};

use super::{Campaign, CampaignError};
use crate::client::{Client, Clients, Notice};
use crate::history::{Extent, History, Interruption, Promise};
use crate::history_file;
use crate::subject::Subject;

const TOPIC: &str = "crash";
const PARTITIONS: u32 = 20;
const LIVE_READER: &str = "live-reader";
const CREATOR: &str = "create-topics";
/// Topics that are made beside the campaign's own, so that kills meet their making.
const SIDE_TOPICS: u32 = 40;
/// A restarted broker serves every partition within this time, or counts as unavailable.
const ACK_DEADLINE: Duration = Duration::from_secs(30);
/// Producers resolve what is outstanding, and readers read everything, within this time.
const FINISH_DEADLINE: Duration = Duration::from_secs(120);
/// How often a wait looks whether the broker still lives.
const GLANCE: Duration = Duration::from_millis(50);

/// One producer of the cast: what it is promised, its `--promise`, its `--batches`, and its
/// partitions.
struct Part {
    promise: Promise,
    argument: &'static str,
    batches: &'static str,
    partitions: std::ops::Range<u32>,
}

/// Two idempotent producers write everywhere; one writes to two partitions only, so that five of
/// its requests in flight meet in one log; one fills long batches and compresses them; the plain
/// ones wait for all replicas or for the leader.
const CAST: [Part; 6] = [
    Part::new(Promise::Idempotent, "idempotent", "short", 0..PARTITIONS),
    Part::new(Promise::Idempotent, "idempotent", "short", 0..PARTITIONS),
    Part::new(Promise::Idempotent, "idempotent", "short", 3..5),
    Part::new(Promise::Idempotent, "idempotent", "long", 4..7),
    Part::new(Promise::Plain, "all", "short", 0..PARTITIONS),
    Part::new(Promise::Plain, "leader", "short", 0..PARTITIONS),
];

impl Part {
    const fn new(
        promise: Promise,
        argument: &'static str,
        batches: &'static str,
        partitions: std::ops::Range<u32>,
    ) -> Part {
        Part { promise, argument, batches, partitions }
    }
}

/// Everything that runs. Dropping it kills all processes.
pub(super) struct Stage {
    subject: Subject,
    site: Site,
    clients: Clients,
    notices: Receiver<Notice>,
    /// `None` only while the broker is between two lives.
    broker: Option<Process>,
    producers: Vec<Client>,
    live_reader: Option<Client>,
    /// Producers that can never go on: the verdict will say so, and nobody waits for them.
    broken: BTreeSet<String>,
    /// When the broker was last started.
    started: Instant,
    mark: u32,
    history: History,
}

impl Stage {
    /// Starts the broker.
    pub(super) fn open(campaign: &Campaign) -> Result<Stage, CampaignError> {
        let site = Site::new(&campaign.folder)?;
        let (sender, notices) = channel();
        let clients = Clients {
            python: campaign.python.clone(),
            folder: campaign.folder.clone(),
            port: site.port(),
            topic: TOPIC,
            notices: sender,
        };
        let subject = campaign.subject.clone();
        let broker = subject.start(&site)?;
        Ok(Stage {
            subject,
            site,
            clients,
            notices,
            broker: Some(broker),
            producers: Vec::new(),
            live_reader: None,
            broken: BTreeSet::new(),
            started: Instant::now(),
            mark: 0,
            history: History::default(),
        })
    }

    /// Has topics made while the broker is killed, each time so long after its start. The client
    /// finds out itself whether every topic is there that it was told was made.
    pub(super) fn create_topics(&mut self, kills: Vec<Duration>) -> Result<(), CampaignError> {
        let side_topics = vec!["--side-topics".into(), SIDE_TOPICS.to_string()];
        let mut arguments = [partitions_argument(), side_topics].concat();
        if matches!(self.subject, Subject::Kafka { .. }) {
            arguments.push("--listed-late".into());
        }
        let mut creator = self.client(CREATOR, "create_topics.py", &arguments)?;
        for after in kills {
            let deadline = Instant::now() + after;
            while let Some(notice) = self.next_notice(deadline)? {
                if matches!(notice, Notice::Ended { .. }) {
                    return self.expect_success(&mut creator);
                }
            }
            self.kill_and_restart()?;
        }
        self.await_end(&mut creator, FINISH_DEADLINE)
    }

    /// Starts producers and the live reader.
    pub(super) fn start_clients(&mut self) -> Result<(), CampaignError> {
        for (number, part) in CAST.iter().enumerate() {
            self.start_producer(number as u32, part)?;
        }
        let arguments = [partitions_argument(), log_argument(&self.clients, LIVE_READER)].concat();
        let live = [arguments, vec!["--live".into()]].concat();
        self.live_reader = Some(self.client(LIVE_READER, "read.py", &live)?);
        Ok(())
    }

    /// Waits until every producer has an acknowledgement from every partition for a record that it
    /// sent after this call; returns the time since the broker was started.
    pub(super) fn await_acks(&mut self) -> Result<Duration, CampaignError> {
        self.mark += 1;
        let mark = self.mark;
        let mut waiting = BTreeSet::new();
        for producer in &mut self.producers {
            producer.mark(mark).map_err(io("ask a producer for a mark"))?;
            waiting.insert(producer.name.clone());
        }
        let deadline = Instant::now() + ACK_DEADLINE;
        loop {
            waiting.retain(|client| !self.broken.contains(client));
            if waiting.is_empty() {
                return Ok(self.started.elapsed());
            }
            match self.next_notice(deadline)? {
                Some(Notice::Marked { client, mark: seen }) if seen == mark => {
                    waiting.remove(&client);
                }
                Some(Notice::Marked { .. } | Notice::Broken { .. }) => {}
                Some(Notice::Ended { client }) => return Err(self.client_ended(&client)),
                None => {
                    return Err(self.unavailable("acknowledgement", ACK_DEADLINE, waiting));
                }
            }
        }
    }

    /// Lets everything run for `time`.
    pub(super) fn play(&mut self, time: Duration) -> Result<(), CampaignError> {
        let end = Instant::now() + time;
        while let Some(notice) = self.next_notice(end)? {
            if let Notice::Ended { client } = notice {
                return Err(self.client_ended(&client));
            }
        }
        Ok(())
    }

    /// Kills the broker and starts it again at once, on the same folder and port.
    pub(super) fn kill_and_restart(&mut self) -> Result<(), CampaignError> {
        let from_ms = wall_ms();
        self.kill()?;
        self.history.interruptions.push(Interruption { from_ms, until_ms: wall_ms() });
        self.restart()
    }

    /// Asks the broker to stop, kills it if it has not after `patience`, and starts it again. A
    /// broker that ends in time must say that it ended well.
    pub(super) fn stop_and_restart(&mut self, patience: Duration) -> Result<(), CampaignError> {
        let from_ms = wall_ms();
        if let Some(mut broker) = self.broker.take() {
            let program = self.subject.program();
            let ended = broker.stop(patience)?;
            if let Some(status) = ended.filter(|status| !program.stopped_well(*status)) {
                let status = status.to_string();
                return Err(CampaignError::BrokerEnded { status, log: self.site.last_words() });
            }
        }
        self.history.interruptions.push(Interruption { from_ms, until_ms: wall_ms() });
        self.restart()
    }

    /// Tells the producers to finish what is outstanding, and waits for it; then stops the live
    /// reader.
    pub(super) fn finish_producers(&mut self) -> Result<(), CampaignError> {
        let mut producers = std::mem::take(&mut self.producers);
        for producer in &mut producers {
            producer.stop();
        }
        let mut clients = producers;
        self.await_ends(&mut clients, FINISH_DEADLINE)?;
        let mut live_reader: Vec<Client> = self.live_reader.take().into_iter().collect();
        for reader in &mut live_reader {
            reader.stop();
        }
        self.await_ends(&mut live_reader, FINISH_DEADLINE)
    }

    /// Reads every partition from its start to its end.
    pub(super) fn read_everything(&mut self, name: &str) -> Result<(), CampaignError> {
        let arguments = [partitions_argument(), log_argument(&self.clients, name)].concat();
        let mut reader = self.client(name, "read.py", &arguments)?;
        self.await_end(&mut reader, FINISH_DEADLINE)?;
        let path = self.clients.log_path(name);
        Ok(history_file::add_read(&mut self.history, name, Extent::Whole, &path)?)
    }

    /// Kills the broker and puts the clients' logs together.
    pub(super) fn close(mut self) -> Result<History, CampaignError> {
        self.kill()?;
        let mut history = std::mem::take(&mut self.history);
        for (number, part) in CAST.iter().enumerate() {
            let number = number as u32;
            history.producers.insert(number, part.promise);
            let path = self.clients.log_path(&producer_name(number));
            history_file::add_producer(&mut history, number, &path)?;
        }
        let path = self.clients.log_path(LIVE_READER);
        history_file::add_read(&mut history, LIVE_READER, Extent::Live, &path)?;
        Ok(history)
    }

    fn start_producer(&mut self, number: u32, part: &Part) -> Result<(), CampaignError> {
        let name = producer_name(number);
        let partitions: Vec<String> =
            part.partitions.clone().map(|partition| partition.to_string()).collect();
        let own = [
            ("--producer", number.to_string()),
            ("--promise", part.argument.into()),
            ("--batches", part.batches.into()),
            ("--partitions", partitions.join(",")),
        ];
        let mut arguments = log_argument(&self.clients, &name);
        for (key, given) in own {
            arguments.extend([key.into(), given]);
        }
        let producer = self.client(&name, "produce.py", &arguments)?;
        self.producers.push(producer);
        Ok(())
    }

    fn client(
        &self,
        name: &str,
        script: &str,
        arguments: &[String],
    ) -> Result<Client, CampaignError> {
        self.clients.start(name, script, arguments).map_err(io("start a Python client"))
    }

    fn restart(&mut self) -> Result<(), CampaignError> {
        self.started = Instant::now();
        self.broker = Some(self.subject.start(&self.site)?);
        Ok(())
    }

    fn kill(&mut self) -> Result<(), CampaignError> {
        match self.broker.take() {
            Some(mut broker) => Ok(broker.kill()?),
            None => Ok(()),
        }
    }

    fn await_end(&mut self, client: &mut Client, time: Duration) -> Result<(), CampaignError> {
        self.await_ends(std::slice::from_mut(client), time)
    }

    /// Waits until all of `clients` have ended, content.
    fn await_ends(&mut self, clients: &mut [Client], time: Duration) -> Result<(), CampaignError> {
        let deadline = Instant::now() + time;
        let mut waiting: BTreeSet<String> =
            clients.iter().map(|client| client.name.clone()).collect();
        while !waiting.is_empty() {
            match self.next_notice(deadline)? {
                Some(Notice::Ended { client }) if waiting.remove(&client) => {}
                Some(Notice::Ended { client }) => return Err(self.client_ended(&client)),
                Some(Notice::Marked { .. } | Notice::Broken { .. }) => {}
                None => return Err(self.unavailable("end of the work", time, waiting)),
            }
        }
        clients.iter_mut().try_for_each(|client| self.expect_success(client))
    }

    fn expect_success(&self, client: &mut Client) -> Result<(), CampaignError> {
        match client.succeeded().map_err(io("wait for a Python client"))? {
            true => Ok(()),
            false => Err(self.client_ended(&client.name)),
        }
    }

    /// The next word of a client, or `None` at `deadline`. Fails when the broker has ended.
    fn next_notice(&mut self, deadline: Instant) -> Result<Option<Notice>, CampaignError> {
        loop {
            self.expect_broker_alive()?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.notices.recv_timeout(left.min(GLANCE)) {
                Ok(notice) => {
                    if let Notice::Broken { client } = &notice {
                        self.broken.insert(client.clone());
                    }
                    return Ok(Some(notice));
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("the stage itself holds a sender of its notices")
                }
            }
        }
    }

    fn expect_broker_alive(&mut self) -> Result<(), CampaignError> {
        let Some(broker) = self.broker.as_mut() else { return Ok(()) };
        match broker.ended()? {
            None => Ok(()),
            Some(status) => {
                let status = status.to_string();
                Err(CampaignError::BrokerEnded { status, log: self.site.last_words() })
            }
        }
    }

    fn client_ended(&self, client: &str) -> CampaignError {
        let complaint = std::fs::read_to_string(self.clients.complaints_path(client));
        let complaint = complaint.unwrap_or_else(|error| format!("(unreadable: {error})"));
        CampaignError::ClientEnded { client: client.into(), complaint }
    }

    fn unavailable(
        &self,
        waited_for: &'static str,
        deadline: Duration,
        clients: BTreeSet<String>,
    ) -> CampaignError {
        let clients = clients.into_iter().collect();
        CampaignError::Unavailable { waited_for, deadline, clients, log: self.site.last_words() }
    }
}

fn producer_name(number: u32) -> String {
    format!("producer-{number}")
}

fn partitions_argument() -> Vec<String> {
    vec!["--partitions".into(), PARTITIONS.to_string()]
}

fn log_argument(clients: &Clients, name: &str) -> Vec<String> {
    vec!["--log".into(), clients.log_path(name).display().to_string()]
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> CampaignError {
    move |error| CampaignError::Io(what, error)
}

/// The wall clock: the one clock that Python processes and this one share.
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("the clock stands after 1970").as_millis() as u64
}
