//! What a shard counts of the requests of its own connections: in plain cells, read when somebody
//! asks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use protocol::frame::PREFIX_SIZE;
use protocol::{ApiKey, ErrorCode};
use runtime::{Durations, Instant};

use crate::doorkeeper::Full;
use crate::error_codes::{OF_FETCH, OF_PRODUCE};
use crate::reading::{ApiReading, ReasonReading, RefusedReading};
use crate::shard::Scarce;

/// Counts. Belongs to a [`crate::shard::Core`].
pub(crate) struct Meters {
    /// From the moment that a request has come as a whole until its handler has it: what it waits
    /// for its turn on the connection, and for memory.
    pub(crate) queue: Durations,
    /// What fetches wait for records.
    pub(crate) purgatory: Durations,
    /// From the moment that an answer is made until the socket has taken it.
    pub(crate) response: Durations,
    /// By API, in the order of [`ApiKey::ALL`].
    apis: Vec<ApiMeter>,
    /// Partitions that were refused. Bounded by the codes that there are. Those that a partition
    /// may get are there from the start, at 0: the first refusal is a rise then, which who watches
    /// the rate of a counter would not see of a series that begins with it.
    refused: RefCell<BTreeMap<(ApiKey, ErrorCode), u64>>,
    connected: Cell<u64>,
    /// Why connections were not let in: a closed list of reasons, each there from the start.
    turned_away: RefCell<BTreeMap<&'static str, u64>>,
    accept_pauses: Cell<u64>,
    /// Why connections ended: a closed list of reasons.
    closed: RefCell<BTreeMap<&'static str, u64>>,
}

#[derive(Default)]
struct ApiMeter {
    requests: Cell<u64>,
    request_bytes: Cell<u64>,
    response_bytes: Cell<u64>,
    durations: Durations,
}

/// A request on its way through its home shard.
#[derive(Clone, Copy)]
pub(crate) struct Passage {
    /// Its API's place in [`ApiKey::ALL`].
    place: usize,
    came_at: Instant,
}

impl Meters {
    /// Nothing has happened.
    pub(crate) fn new() -> Meters {
        let produce = OF_PRODUCE.iter().map(|code| (ApiKey::Produce, *code));
        let refused = produce.chain(OF_FETCH.iter().map(|code| (ApiKey::Fetch, *code)));
        let reasons = Scarce::ALL.map(Scarce::reason).into_iter().chain(Full::REASONS);
        Meters {
            queue: Durations::new(),
            purgatory: Durations::new(),
            response: Durations::new(),
            apis: ApiKey::ALL.iter().map(|_| ApiMeter::default()).collect(),
            refused: RefCell::new(refused.map(|kind| (kind, 0)).collect()),
            connected: Cell::new(0),
            turned_away: RefCell::new(reasons.map(|reason| (reason, 0)).collect()),
            accept_pauses: Cell::new(0),
            closed: RefCell::default(),
        }
    }

    /// A request of so many bytes behind its length has come.
    pub(crate) fn came(&self, api: ApiKey, size_bytes: usize, came_at: Instant) -> Passage {
        let place = ApiKey::ALL.iter().position(|listed| *listed == api);
        let place = place.expect("the list has every API");
        let meter = &self.apis[place];
        add(&meter.requests, 1);
        add(&meter.request_bytes, (PREFIX_SIZE + size_bytes) as u64);
        Passage { place, came_at }
    }

    /// Its handler has it.
    pub(crate) fn begun(&self, passage: Passage, now: Instant) {
        self.queue.record(now.since(passage.came_at));
    }

    /// It is answered, with a frame of so many bytes; 0 if it wants no answer.
    pub(crate) fn answered(&self, passage: Passage, size_bytes: u64, now: Instant) {
        let meter = &self.apis[passage.place];
        add(&meter.response_bytes, size_bytes);
        meter.durations.record(now.since(passage.came_at));
    }

    /// A partition of a request gets an error.
    pub(crate) fn refused(&self, api: ApiKey, code: ErrorCode) {
        *self.refused.borrow_mut().entry((api, code)).or_default() += 1;
    }

    /// A client has connected.
    pub(crate) fn connected(&self) {
        add(&self.connected, 1);
    }

    /// A client was not let in.
    pub(crate) fn turned_away(&self, reason: &'static str) {
        *self.turned_away.borrow_mut().entry(reason).or_default() += 1;
    }

    /// Connections came faster than they may: the next one waits.
    pub(crate) fn accept_paused(&self) {
        add(&self.accept_pauses, 1);
    }

    /// A connection has ended.
    pub(crate) fn closed(&self, reason: &'static str) {
        *self.closed.borrow_mut().entry(reason).or_default() += 1;
    }

    /// How many have connected.
    pub(crate) fn connections(&self) -> u64 {
        self.connected.get()
    }

    /// The APIs that were asked for.
    pub(crate) fn api_readings(&self) -> Vec<ApiReading> {
        let used = ApiKey::ALL.iter().zip(&self.apis).filter(|(_, meter)| meter.requests.get() > 0);
        let read = used.map(|(api, meter)| ApiReading {
            api: api.name(),
            requests: meter.requests.get(),
            request_bytes: meter.request_bytes.get(),
            response_bytes: meter.response_bytes.get(),
            durations: meter.durations.counts(),
        });
        read.collect()
    }

    /// The errors that partitions got, or may get.
    pub(crate) fn refused_readings(&self) -> Vec<RefusedReading> {
        let refused = self.refused.borrow();
        let read = refused.iter().map(|((api, code), count)| RefusedReading {
            api: api.name(),
            error: code.name(),
            count: *count,
        });
        read.collect()
    }

    /// How often the next one had to wait.
    pub(crate) fn accept_pauses(&self) -> u64 {
        self.accept_pauses.get()
    }

    /// The clients that were not let in.
    pub(crate) fn turned_away_readings(&self) -> Vec<ReasonReading> {
        by_reason(&self.turned_away)
    }

    /// The ends of connections.
    pub(crate) fn closed_readings(&self) -> Vec<ReasonReading> {
        by_reason(&self.closed)
    }
}

fn by_reason(counts: &RefCell<BTreeMap<&'static str, u64>>) -> Vec<ReasonReading> {
    let counts = counts.borrow();
    counts.iter().map(|(reason, count)| ReasonReading { reason, count: *count }).collect()
}

fn add(cell: &Cell<u64>, more: u64) {
    cell.set(cell.get() + more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_the_start_and_the_first_one_is_a_rise() {
        let meters = Meters::new();
        let told = || {
            let (refused, reasons) = (meters.refused_readings(), meters.turned_away_readings());
            let refused = refused.iter().map(|of| (of.error, of.count));
            let all = refused.chain(reasons.iter().map(|of| (of.reason, of.count)));
            all.collect::<Vec<(&str, u64)>>()
        };
        let before = told();
        assert_eq!(before.len(), OF_PRODUCE.len() + OF_FETCH.len() + 4);
        assert!(before.iter().all(|(_, count)| *count == 0), "{before:?}");
        meters.refused(ApiKey::Produce, ErrorCode::MessageTooLarge);
        meters.turned_away("address");
        let after = told();
        assert_eq!(after.len(), before.len());
        let risen = after.into_iter().filter(|(_, count)| *count > 0);
        assert_eq!(risen.collect::<Vec<_>>(), [("MESSAGE_TOO_LARGE", 1), ("address", 1)]);
    }
}
