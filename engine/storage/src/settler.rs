//! Moves what is durable from the tail into segments, in bulk and off the path of acknowledgements.
//!
//! A round works on some logs and goes through these steps, each one for all of them:
//!
//! ```text
//! 1 write    whole blocks, direct; a shortage parks the log, any other error ends the shard
//! 2 names    one syncfs, or an fsync of each new file and folder   ┐ settler/sync.rs
//! 3 flush    fdatasync of one file of the round flushes the device ┘
//! 4 record   the manifest, synced
//! 5 let go   the tail's memory and the journal's files
//! ```
//!
//! Nothing is given up before the step that makes it unneeded is on disk. One round at a time.

pub(crate) mod forgetting;
mod removal;
mod sync;

use std::rc::Rc;
use std::time::Duration;

use runtime::sync::first;
use runtime::{Level, TaskClass};

use crate::journal::{EntryPlace, Pressure};
use crate::log::{Log, SettlePlan, Trim};
use crate::log_id::LogId;
use crate::manifest::{Change, ManifestEntry, ManifestError};
use crate::segment::PrepareError;
use crate::store::{StoreCore, Unreflected};

/// About what a round takes of one log, so that a round of few busy logs ends.
const LOG_SIZE_BYTES_MAX: u64 = 32 << 20;
/// Logs whose writes are on their way together; one write of 256 KiB at a time moves as much as the
/// disk can, small ones need company.
const WRITES_MAX: usize = 8;
/// How long a settler that could not help waits before it looks again: for a high watermark that
/// stands still, or for space on the disk.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// While space is short each wait is twice as long as the one before, up to this.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);

/// What one round achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// There was nothing to do.
    Idle,
    /// The journal or the tail has more room.
    Settled,
    /// No log could go on: space or descriptors are short.
    Parked,
    /// Nothing more may settle before a high watermark moves, or a quarantine ends.
    Held,
}

/// Runs until the store stops, then settles everything that is left.
pub(crate) fn start(core: &Rc<StoreCore>) {
    let core = core.clone();
    let shard = core.shard.clone();
    shard.spawn(TaskClass::Background, "settler", async move { run(&core).await }).detach();
}

async fn run(core: &Rc<StoreCore>) {
    let mut delay = RETRY_DELAY;
    let mut forgot_at = core.shard.now();
    let mut has_room = true;
    while !core.stopping.get() {
        let left = forgetting::due_at(core, forgot_at).since(core.shard.now());
        let woken = core.shard.timeout(left, wait_for_work(core)).await;
        // If the last look could not make room, another one at once will not either.
        let has_filled_up = has_room && matches!(woken, Ok(Wake::Crowd));
        if has_filled_up || core.shard.now() >= forgetting::due_at(core, forgot_at) {
            forgot_at = core.shard.now();
            forgetting::forget_producers(core).await;
            has_room = core.producers.excess() == 0;
        }
        if !matches!(woken, Ok(Wake::Round)) {
            continue;
        }
        let recorded = core.manifest.last_number();
        let target = core.settle_target();
        let mut outcome = round(core, target, Trim::No).await;
        if outcome == Round::Idle {
            // Marks and openings alone may fill the ring: a record that nothing of it is needed.
            outcome = settle(core, &[], &[], Trim::No).await;
        }
        if matches!(outcome, Round::Parked | Round::Held) {
            say_if_held(core);
        }
        let changed = core.manifest.last_number() != recorded;
        match outcome {
            Round::Parked if !changed => {
                rest(core, delay).await;
                delay = RETRY_DELAY_MAX.min(2 * delay);
            }
            Round::Parked | Round::Held => {
                delay = RETRY_DELAY;
                rest(core, delay).await;
            }
            Round::Settled | Round::Idle => delay = RETRY_DELAY,
        }
    }
    settle_all(core).await;
    core.settler_stopped.set();
}

/// Why the settler looks before its time.
enum Wake {
    /// There may be something to settle.
    Round,
    /// The logs have come to remember nearly as many producers as they may.
    Crowd,
}

/// Waits for pressure, a deleted log, the end, or a crowd that was not there before.
async fn wait_for_work(core: &Rc<StoreCore>) -> Wake {
    let was_crowded = core.producers.is_crowded();
    let wanted = core.settle_wanted.wait_until(|| {
        let due = core.is_settling_due().then_some(Wake::Round);
        due.or((!was_crowded && core.producers.is_crowded()).then_some(Wake::Crowd))
    });
    let pressed = async {
        core.journal().wait_pressure().await;
        Wake::Round
    };
    first(wanted, pressed).await
}

/// Waits before the next try: only shortly if a log was deleted, as that frees space.
async fn rest(core: &StoreCore, delay: Duration) {
    let due = core.settle_wanted.wait_until(|| core.stopping.get().then_some(()));
    let stops = core.shard.timeout(RETRY_DELAY, due).await.is_ok();
    if !stops && delay > RETRY_DELAY {
        let due = core.settle_wanted.wait_until(|| core.is_settling_due().then_some(()));
        let _due_or_over = core.shard.timeout(delay - RETRY_DELAY, due).await;
    }
}

/// The last rounds of a store that stops: whatever may settle does, and files are trimmed.
async fn settle_all(core: &Rc<StoreCore>) {
    while round(core, u64::MAX, Trim::No).await == Round::Settled {}
    let mut rest: Vec<Log> = core.logs();
    rest.retain(|log| !log.is_quarantined());
    while !rest.is_empty() {
        let few = rest.len().min(core.open_files.round_logs_max);
        let some: Vec<Log> = rest.drain(..few).collect();
        settle(core, &some, &[], Trim::Yes).await;
    }
}

/// One round over everything that has entries in commits up to `target`.
pub(crate) async fn round(core: &Rc<StoreCore>, target: u64, trim: Trim) -> Round {
    let mut due = core.unreflected_up_to(target);
    if due.is_empty() {
        return Round::Idle;
    }
    due.retain(|(_, what)| !matches!(what, Unreflected::Log(log) if log.is_quarantined()));
    if due.is_empty() {
        return Round::Held;
    }
    let (mut logs, mut tombstones) = (Vec::new(), Vec::new());
    for (place, what) in due.into_iter().take(core.open_files.round_logs_max) {
        match what {
            Unreflected::Log(log) => logs.push(log),
            Unreflected::Tombstone(id) => tombstones.push((place, id)),
        }
    }
    settle(core, &logs, &tombstones, trim).await
}

struct Work {
    log: Log,
    plan: SettlePlan,
}

async fn settle(
    core: &Rc<StoreCore>,
    logs: &[Log],
    tombstones: &[(EntryPlace, LogId)],
    trim: Trim,
) -> Round {
    let (began, synced) = (core.shard.now(), core.settleable_sequence());
    let before = core.journal().pressure();
    let (work, shortage) = write_all(core, logs, trim).await;
    say_if_parked(core, shortage.as_ref());
    let removed = removal::remove_folders(core, tombstones, synced).await;
    let unsynced: Vec<_> = work.iter().flat_map(|w| w.log.take_unsynced(&w.plan)).collect();
    sync::make_durable(core, unsynced).await;
    if !removed.is_empty() {
        sync::sync_folder(core, &core.partitions_dir).await;
    }

    let mut reflected: Vec<EntryPlace> = work.iter().filter_map(|w| w.plan.reflected()).collect();
    reflected.extend(removed.iter().map(|(place, _)| *place));
    reflected.sort_unstable();
    let replay = oldest_needed(core, &work, &reflected, synced);
    if !record(core, replay, entries_of(core, &work, &removed)).await {
        return Round::Parked;
    }
    for w in &work {
        w.log.finish_settle(&w.plan);
    }
    for (place, _) in &removed {
        core.unindex_unreflected(*place);
    }
    core.release_before(replay);
    core.settle_durations.record(core.shard.now().since(began));
    let given_up = !removed.is_empty() || reflected.iter().any(|place| place.sequence < replay);
    if given_up || has_more_room(&before, &core.journal().pressure()) {
        return Round::Settled;
    }
    if core.is_parked.get() { Round::Parked } else { Round::Held }
}

/// What the round's record says: how far its logs settled, and which are gone.
fn entries_of(
    core: &StoreCore,
    work: &[Work],
    removed: &[(EntryPlace, LogId)],
) -> Vec<ManifestEntry> {
    let mut entries: Vec<_> = work.iter().flat_map(|w| w.log.settle_entries(&w.plan)).collect();
    let table = core.manifest.table();
    let gone = removed.iter().map(|(_, id)| *id).filter(|id| table.logs().contains_key(id));
    entries.extend(gone.map(|log| ManifestEntry { log, change: Change::LogRemoved }));
    entries
}

/// Whether the journal or the tail got room.
fn has_more_room(before: &Pressure, after: &Pressure) -> bool {
    after.used_bytes < before.used_bytes || after.tail_used_bytes < before.tail_used_bytes
}

/// Step 1: the writes of all logs, a few at a time. Logs that found no space are left out; the
/// first of their reasons is told.
async fn write_all(
    core: &Rc<StoreCore>,
    logs: &[Log],
    trim: Trim,
) -> (Vec<Work>, Option<PrepareError>) {
    let mut done = Vec::with_capacity(logs.len());
    let mut shortage = None;
    for some in logs.chunks(WRITES_MAX) {
        let writes: Vec<_> = some
            .iter()
            .map(|log| {
                let log = log.clone();
                core.shard.spawn(TaskClass::Background, "settle log", async move {
                    let begun = log.begin_settle(LOG_SIZE_BYTES_MAX, trim).await?;
                    let Some(plan) = begun else { return Ok(None) };
                    log.write_settled(&plan).await?;
                    Ok::<_, PrepareError>(Some(Work { log, plan }))
                })
            })
            .collect();
        for (log, write) in some.iter().zip(writes) {
            match write.await {
                Ok(Ok(work)) => done.extend(work),
                Ok(Err(error @ PrepareError::Io { .. })) => core.shard.fatal(&error),
                Ok(Err(PrepareError::Lost(lost))) => log.quarantine(&lost),
                Ok(Err(error)) => shortage = shortage.or(Some(error)),
                Err(aborted) => core.shard.fatal(&format_args!("a settle was cut: {aborted:?}")),
            }
        }
    }
    (done, shortage)
}

/// One line when logs begin to wait, one when none waits any more: rounds are tried again and
/// again.
fn say_if_parked(core: &StoreCore, shortage: Option<&PrepareError>) {
    if core.is_parked.replace(shortage.is_some()) == shortage.is_some() {
        return;
    }
    match shortage {
        Some(error) => core.shard.log(Level::Warn, format_args!("settling waits: {error}")),
        None => core.shard.log(Level::Info, format_args!("settling goes on")),
    }
}

/// One line when the journal is full and a quarantined log's entries keep it so.
fn say_if_held(core: &StoreCore) {
    let pressure = core.journal().pressure();
    let oldest = core.unreflected_up_to(pressure.oldest_file_ends.unwrap_or(0));
    let held = oldest.into_iter().find_map(|(_, what)| match what {
        Unreflected::Log(log) if log.is_quarantined() => Some(log),
        _ => None,
    });
    let Some(log) = held.filter(|_| pressure.refused) else { return };
    if !core.is_held.replace(true) {
        core.shard.log(
            Level::Error,
            format_args!(
                "the journal is full and holds what {}-{} can't settle, whose file is lost: no \
                 partition of this shard takes records until the file is restored or the topic \
                 is deleted",
                log.label(),
                log.id().partition
            ),
        );
    }
}

/// The first commit that a start will need once the round is recorded.
fn oldest_needed(core: &StoreCore, work: &[Work], reflected: &[EntryPlace], synced: u64) -> u64 {
    let of_round = work.iter().map(|w| w.plan.replay().sequence);
    let of_others = core.oldest_unreflected(reflected).map(|place| place.sequence);
    of_round.chain(of_others).min().unwrap_or(u64::MAX).min(synced + 1)
}

/// Step 4. False if something is short even for that: nothing changed, nothing is let go.
///
/// What the manifest says already is not said again: a round that can do nothing would take space
/// when there is least of it.
async fn record(core: &StoreCore, replay: u64, entries: Vec<ManifestEntry>) -> bool {
    let place = core.journal().replay_place(replay);
    if entries.is_empty() && place == core.manifest.replay() {
        return true;
    }
    match core.manifest.append(place, entries).await {
        Ok(number) => {
            core.journal().manifest_synced(number);
            true
        }
        Err(ManifestError::Short { .. }) => false,
        Err(error) => core.shard.fatal(&error),
    }
}

impl StoreCore {
    /// The manifest says that a start needs no commit before that one.
    fn release_before(&self, replay: u64) {
        // It begins to read at the front of what it needs, which may be a bit before.
        self.forget_tombstones_before(self.manifest.replay().sequence);
        self.journal().recycle_before(replay);
    }

    fn is_settling_due(&self) -> bool {
        self.stopping.get() || self.has_tombstone()
    }

    /// Everything up to the end of the oldest file, so that it can be used again; everything at all
    /// if that is the only one, or if memory is what is short.
    fn settle_target(&self) -> u64 {
        let pressure = self.journal().pressure();
        let memory = pressure.tail_used_bytes >= pressure.tail_bytes / 2;
        match pressure.oldest_file_ends {
            Some(sequence) if !memory && !self.has_tombstone() => sequence,
            _ => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
