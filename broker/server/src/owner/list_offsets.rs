//! Finds offsets by time, a log's two ends, and where a leader epoch ends.

use record::{LeaderEpoch, ReadLimits, Timestamp};
use replica::Partition;
use runtime::Shard;
use storage::{EpochEnd, RecordAtTimestamp};

use super::Owner;
use crate::error_codes::Refusal;
use crate::message::{EpochQuestion, OffsetFound, OffsetOf, OffsetQuestion};

/// What a batch may become when it is decompressed in order to find a record in it. Producers'
/// batches are a few MiB at most; a bomb stops here.
const DECOMPRESSED_SIZE_MAX: usize = 64 * 1024 * 1024;

/// What clients write where they know no epoch.
const NO_EPOCH: LeaderEpoch = LeaderEpoch(-1);

impl Owner {
    /// Answers each question. One may decompress a batch, so others of the shard have their turn
    /// after each.
    pub(crate) async fn find_offsets(
        &self,
        shard: &Shard,
        questions: &[OffsetQuestion],
    ) -> Vec<Result<OffsetFound, Refusal>> {
        let mut found = Vec::with_capacity(questions.len());
        for question in questions {
            let partition = self.partition_in_epoch(&question.partition, question.leader_epoch);
            found.push(match partition {
                Ok(partition) => find(&partition, question.wanted).await,
                Err(refusal) => Err(refusal),
            });
            if matches!(question.wanted, OffsetOf::Time(_) | OffsetOf::MaxTimestamp) {
                shard.yield_now().await;
            }
        }
        found
    }

    /// Where each epoch ends. As in Kafka the newest one ends where the log does, not at the high
    /// watermark.
    pub(crate) fn find_epoch_ends(
        &self,
        questions: &[EpochQuestion],
    ) -> Vec<Result<Option<EpochEnd>, Refusal>> {
        let find = |question: &EpochQuestion| {
            let partition = self.partition_in_epoch(&question.partition, question.leader_epoch)?;
            // -1 is no epoch, and ends nowhere.
            let epoch = Some(question.epoch).filter(|epoch| *epoch != NO_EPOCH);
            Ok(epoch.and_then(|epoch| partition.log().end_offset_for_epoch(epoch)))
        };
        questions.iter().map(find).collect()
    }
}

async fn find(partition: &Partition, wanted: OffsetOf) -> Result<OffsetFound, Refusal> {
    let (log, bound) = (partition.log(), partition.high_watermark());
    let limits = ReadLimits { decompressed_size_max_bytes: DECOMPRESSED_SIZE_MAX };
    let found = match wanted {
        OffsetOf::Earliest => {
            let offset = log.log_start_offset();
            let leader_epoch = log.epoch_of(offset).or(Some(partition.leader_epoch()));
            return Ok(end(offset, leader_epoch));
        }
        OffsetOf::Latest => return Ok(end(bound, Some(partition.leader_epoch()))),
        OffsetOf::Tiered => return Ok(OffsetFound::default()),
        OffsetOf::MaxTimestamp => log.max_timestamp(bound, &limits).await,
        OffsetOf::Time(timestamp) => log.offset_for_timestamp(timestamp, bound, &limits).await,
    };
    let found = found.map_err(|e| Refusal::from(&e))?;
    let answer = |record: RecordAtTimestamp| OffsetFound {
        offset_and_timestamp: Some((record.offset, record.timestamp)),
        leader_epoch: record.leader_epoch.or_else(|| log.epoch_of(record.offset)),
    };
    Ok(found.map(answer).unwrap_or_default())
}

fn end(offset: record::Offset, leader_epoch: Option<LeaderEpoch>) -> OffsetFound {
    OffsetFound { offset_and_timestamp: Some((offset, Timestamp::NONE)), leader_epoch }
}
