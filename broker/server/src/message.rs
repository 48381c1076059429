//! What shards ask each other: a closed list of owned, bounded messages.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use metadata::{BrokerId, TopicId};
use record::{LeaderEpoch, Offset, Timestamp};
use replica::Acks;
use runtime::{Instant, Lease, Snapshot};
use storage::{EpochEnd, LogId, ReadPart};

use crate::doorkeeper::Full;
use crate::error_codes::Refusal;
use crate::view::ClusterView;

/// A question.
pub(crate) enum Request {
    /// To an owner: append these.
    Append(Append),
    /// To an owner: how much is there?
    Probe(Vec<FetchFrom>),
    /// To an owner: how much is there, and tell when it changes, until [`Request::Forget`].
    Watch(Watch),
    /// To an owner: that fetch waits no more.
    Forget(u64),
    /// To an owner: where are the bytes?
    Read(Vec<ReadFrom>),
    /// From an owner: what fetches wait for has changed.
    Changed(Vec<Changed>),
    /// To an owner: which offsets?
    FindOffsets(Vec<OffsetQuestion>),
    /// To an owner: where do these epochs end?
    FindEpochEnds(Vec<EpochQuestion>),
    /// To an owner: how large are these logs?
    MeasureLogs(Vec<LogId>),
    /// To shard 0, at the start: the logs that a shard has.
    LogsFound(Vec<LogId>),
    /// To shard 0: make topics.
    CreateTopics(Vec<NewTopic>),
    /// To shard 0: delete topics.
    DeleteTopics(Vec<TopicId>),
    /// To shard 0: add partitions to topics.
    AddPartitions(Vec<NewPartitions>),
    /// To shard 0: change settings of topics.
    ChangeTopicConfigs(Vec<TopicConfigChanges>),
    /// To shard 0: may a connection from there be served?
    Enter(IpAddr),
    /// To shard 0: one that was let in has ended.
    Leave(IpAddr),
    /// To shard 0: a block of producer ids.
    AllocateProducerIds,
    /// To shard 0, at the end: a shard has no more requests. Answered when all have said so.
    Drained,
    /// From shard 0, first of all: the data folder is checked and may be used.
    FolderReady,
    /// From shard 0: the cluster has changed. Answered when the shard has done its part.
    View(Snapshot<ClusterView>),
    /// From shard 0, which listens there: everything is ready, let clients in beside it.
    Listen(SocketAddr),
}

/// An answer; each question has one kind.
pub(crate) enum Reply {
    /// To [`Request::Append`], in its order.
    Appended(Vec<Result<Appended, Refusal>>),
    /// To [`Request::Probe`] and [`Request::Watch`], in their order.
    Probed(Vec<Result<u64, Refusal>>),
    /// To [`Request::Read`], in its order.
    Read(Vec<Result<Found, Refusal>>),
    /// To [`Request::FindOffsets`], in its order.
    Offsets(Vec<Result<OffsetFound, Refusal>>),
    /// To [`Request::FindEpochEnds`], in its order; none where the log can't tell.
    EpochEnds(Vec<Result<Option<EpochEnd>, Refusal>>),
    /// To [`Request::MeasureLogs`], in its order: bytes.
    LogSizes(Vec<Result<u64, Refusal>>),
    /// To everything that changes topics, in its order.
    Topics(Vec<Result<(), Refusal>>),
    /// To [`Request::Enter`].
    Entered(Result<(), Full>),
    /// To [`Request::AllocateProducerIds`].
    ProducerIds(Result<ProducerIdBlock, Refusal>),
    /// To [`Request::View`].
    Followed {
        /// Removed topics of which something could not be deleted.
        kept: Vec<TopicId>,
    },
    /// To everything else.
    Done,
}

/// Batches for partitions of one owner.
pub(crate) struct Append {
    /// When they count as done.
    pub(crate) acks: Acks,
    /// What has found no room by then is refused.
    pub(crate) deadline: Instant,
    /// One batch each.
    pub(crate) batches: Vec<AppendBatch>,
}

/// One partition's batch, as it lies in the receive buffer.
pub(crate) struct AppendBatch {
    /// Where to.
    pub(crate) partition: LogId,
    /// What must be exactly one record batch.
    pub(crate) records: Lease,
}

/// A batch that is as durable as its acks asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    /// The offset of its first record.
    pub(crate) base_offset: Offset,
    /// What it was stamped with, if the leader stamps.
    pub(crate) log_append_time: Option<Timestamp>,
    /// Where the log begins.
    pub(crate) log_start_offset: Offset,
}

/// Where a fetch goes on in a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchFrom {
    /// The partition.
    pub(crate) partition: LogId,
    /// The first offset that is wanted.
    pub(crate) offset: Offset,
    /// More than this does not count.
    pub(crate) max_bytes: u32,
    /// The leader epoch that the client knows, if it says so.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
}

/// A fetch that waits, and for what at this owner.
pub(crate) struct Watch {
    /// Its number at its home shard.
    pub(crate) id: u64,
    /// What it would read.
    pub(crate) from: Vec<FetchFrom>,
}

/// News for a fetch that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    /// Its number.
    pub(crate) id: u64,
    /// What there is now.
    pub(crate) available: Available,
}

/// What an owner has for a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Available {
    /// So many bytes in all.
    Bytes(u64),
    /// A partition that can't be read as asked: waiting is of no use.
    Refused,
}

/// What to read of one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadFrom {
    /// Where.
    pub(crate) from: FetchFrom,
    /// How much; nothing is looked for if it is 0.
    pub(crate) max_bytes: u32,
    /// Whether one batch is read whatever its size (KIP-74).
    pub(crate) at_least: storage::AtLeast,
    /// What for: bytes count as read once.
    pub(crate) purpose: ReadPurpose,
}

/// What is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadPurpose {
    /// A fetch.
    Fetch,
    /// To send what was read before, and let go of as its peer was slow.
    SendAgain,
}

/// What was found in one partition.
pub(crate) struct Found {
    /// Where the bytes are; whole batches.
    pub(crate) parts: Vec<ReadPart>,
    /// How many.
    pub(crate) size_bytes: u64,
    /// Behind the last batch that was found.
    pub(crate) next_offset: Option<Offset>,
    /// What consumers may read.
    pub(crate) high_watermark: Offset,
    /// Where the log begins.
    pub(crate) log_start_offset: Offset,
}

/// What an offset is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetOf {
    /// The first that can be read.
    Earliest,
    /// The one behind the last that can be read.
    Latest,
    /// The record with the largest timestamp.
    MaxTimestamp,
    /// The first record at or after a time.
    Time(Timestamp),
    /// One that only tiered storage has: there is none.
    Tiered,
}

/// A question of ListOffsets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OffsetQuestion {
    /// Where.
    pub(crate) partition: LogId,
    /// Which.
    pub(crate) wanted: OffsetOf,
    /// The leader epoch that the client knows, if it says so.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
}

/// An answer of ListOffsets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OffsetFound {
    /// The record, if there is one: offset and timestamp, the latter -1 where none was asked for.
    pub(crate) offset_and_timestamp: Option<(Offset, Timestamp)>,
    /// The epoch under which it was appended, if that is known.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
}

/// A topic to be made; its name, settings and placement have been checked.
pub(crate) struct NewTopic {
    /// Its name.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: TopicId,
    /// The replicas of each partition.
    pub(crate) partitions: Vec<Vec<BrokerId>>,
    /// What was set for it.
    pub(crate) configs: BTreeMap<String, String>,
}

/// Where a leader epoch ends, is asked of a partition (KIP-101, KIP-320).
#[derive(Clone, Copy, Debug)]
pub(crate) struct EpochQuestion {
    /// Where.
    pub(crate) partition: LogId,
    /// Which epoch.
    pub(crate) epoch: LeaderEpoch,
    /// The leader epoch that the client knows, if it says so.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
}

/// Partitions to be added to a topic; their placement has been checked.
pub(crate) struct NewPartitions {
    /// To which.
    pub(crate) topic: TopicId,
    /// The index of the first of them.
    pub(crate) first: u32,
    /// The replicas of each.
    pub(crate) partitions: Vec<Vec<BrokerId>>,
}

/// Settings of a topic to be changed; they have been checked.
pub(crate) struct TopicConfigChanges {
    /// Of which.
    pub(crate) topic: TopicId,
    /// The new values; none for the broker's default.
    pub(crate) changes: BTreeMap<String, Option<String>>,
}

/// Producer ids that a shard may hand out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProducerIdBlock {
    /// The first.
    pub(crate) first: i64,
    /// How many.
    pub(crate) count: u32,
}
