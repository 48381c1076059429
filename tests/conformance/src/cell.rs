//! One cell of the flights' matrix: a topic that one client has written and others read.

use std::path::PathBuf;

use crate::client::Client;
use crate::equality::{self, Stamps, Timestamps};
use crate::flights::Flights;
use crate::look_up;
use crate::reader::{Reader, Until};
use crate::writer::Writer;

/// What a cell writes, and where.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// Of the topic.
    pub partitions: usize,
    /// Who writes.
    pub writer: Writer,
    /// Kafka's name of the codec that the writer compresses with.
    pub codec: &'static str,
    /// Who reads: all of them while it is written, and then one in each phase, in turn.
    pub readers: Vec<Reader>,
    /// What is written.
    pub flights: &'a Flights,
}

/// Where a cell finds its broker, and puts its clients' output.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// `host:port` of the broker.
    pub address: String,
    /// Files of clients go below it.
    pub folder: PathBuf,
}

/// A cell whose flights have been written, and read once.
#[derive(Debug)]
pub struct Written<'a> {
    /// The cell.
    pub cell: Cell<'a>,
    stamps: Stamps,
    timestamps: Timestamps,
    /// The names of the phases in which the flights were read and found the same.
    pub phases: Vec<&'static str>,
}

impl<'a> Cell<'a> {
    /// Another name for each cell.
    pub fn topic(&self) -> String {
        format!("flights-{}-{}-{}", self.partitions, self.writer, self.codec)
    }

    /// Writes the flights to the topic while its readers read them, and checks what they read; then
    /// looks times up.
    ///
    /// # Panics
    ///
    /// If a client fails, or anything that was read is not as it was written.
    pub fn write(self, around: &Surroundings, phase: &'static str) -> Written<'a> {
        let all = Until::Count(self.flights.rows().len());
        let readers = self.readers.iter().map(|&reader| self.read(around, phase, reader, all));
        let readers: Vec<Client> = readers.collect();
        let topic = self.topic();
        let folder = around.folder.join(&topic).join("write");
        let stamps = self.writer.write(&folder, &around.address, &topic, self.codec, self.flights);
        let found = readers.into_iter().map(|reader| self.check(&reader.output(), &stamps, phase));
        let found: Vec<Timestamps> = found.collect();
        let same = found.iter().all(|timestamps| *timestamps == found[0]);
        assert!(same, "{topic}, {phase}: readers see different timestamps");
        let timestamps = found.into_iter().next().expect("somebody reads");
        let mut written = Written { cell: self, stamps, timestamps, phases: Vec::new() };
        written.check_look_ups(around, phase);
        written.phases.push(phase);
        written
    }

    fn read(&self, around: &Surroundings, phase: &str, reader: Reader, until: Until) -> Client {
        let topic = self.topic();
        let folder = around.folder.join(&topic).join(format!("{phase}-{reader}"));
        reader.read(&folder, &around.address, &topic, until)
    }

    fn check(&self, output: &[u8], stamps: &Stamps, phase: &str) -> Timestamps {
        equality::check(self.flights, self.partitions, stamps, output)
            .unwrap_or_else(|difference| panic!("{}, {phase}: {difference}", self.topic()))
    }
}

impl Written<'_> {
    /// Lets the next reader read the topic to its end, checks it, and looks times up.
    ///
    /// # Panics
    ///
    /// If a client fails, or anything that was read is not as it was written, or a record's
    /// timestamp is not the one that it had when it was read first.
    pub fn read_again(&mut self, around: &Surroundings, phase: &'static str) {
        let topic = self.cell.topic();
        let reader = self.cell.readers[self.phases.len() % self.cell.readers.len()];
        let output = self.cell.read(around, phase, reader, Until::End).output();
        let found = self.cell.check(&output, &self.stamps, phase);
        assert!(found == self.timestamps, "{topic}, {phase}: other timestamps than before");
        self.check_look_ups(around, phase);
        self.phases.push(phase);
    }

    fn check_look_ups(&self, around: &Surroundings, phase: &str) {
        let topic = self.cell.topic();
        let folder = around.folder.join(&topic).join(format!("{phase}-times"));
        let wrong = look_up::first_wrong(&folder, &around.address, &topic, &self.timestamps);
        assert!(wrong.is_none(), "{topic}, {phase}: {}", wrong.unwrap_or_default());
    }
}
