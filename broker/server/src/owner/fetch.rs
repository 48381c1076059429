//! Fetches at the owner: how much there is, and where it is.

use record::Offset;
use storage::ReadRequest;

use super::Owner;
use crate::error_codes::Refusal;
use crate::message::{FetchFrom, Found, ReadFrom, ReadPurpose};

impl Owner {
    /// How many bytes each would find, at most what it wants.
    pub(crate) fn probe(&self, from: &[FetchFrom]) -> Vec<Result<u64, Refusal>> {
        from.iter().map(|from| self.available(from)).collect()
    }

    /// How many bytes one would find.
    pub(super) fn available(&self, from: &FetchFrom) -> Result<u64, Refusal> {
        let partition = self.partition_in_epoch(&from.partition, from.leader_epoch)?;
        let (log, bound) = (partition.log(), partition.high_watermark());
        // A partition that takes no bytes does not end a wait either.
        let available = log.available_bytes(from.offset, bound, u64::from(from.max_bytes.max(1)));
        available.map_err(|e| Refusal::from(&e))
    }

    /// Where the bytes are.
    pub(crate) async fn read(&self, from: &[ReadFrom]) -> Vec<Result<Found, Refusal>> {
        let mut found = Vec::with_capacity(from.len());
        for read in from {
            found.push(self.read_one(read).await);
        }
        found
    }

    async fn read_one(&self, read: &ReadFrom) -> Result<Found, Refusal> {
        let partition = self.partition_in_epoch(&read.from.partition, read.from.leader_epoch)?;
        let (log, high_watermark) = (partition.log(), partition.high_watermark());
        let mut found = Found {
            parts: Vec::new(),
            size_bytes: 0,
            next_offset: None,
            high_watermark,
            log_start_offset: log.log_start_offset(),
        };
        if read.max_bytes == 0 || read.from.offset >= high_watermark {
            check_offset(log, read.from.offset)?;
            return Ok(found);
        }
        let request = ReadRequest {
            from: read.from.offset,
            bound: high_watermark,
            max_bytes: read.max_bytes,
            at_least: read.at_least,
        };
        let plan = log.read(request).await.map_err(|e| Refusal::from(&e))?;
        found.parts = plan.parts;
        found.size_bytes = plan.size_bytes;
        found.next_offset = plan.next_offset;
        if let (ReadPurpose::Fetch, Some(next)) = (read.purpose, plan.next_offset) {
            let records = next.0.saturating_sub(read.from.offset.0).max(0) as u64;
            log.count_read(records, found.size_bytes);
        }
        Ok(found)
    }
}

/// Whether the log has the offset, or ends there.
fn check_offset(log: &storage::Log, offset: Offset) -> Result<(), Refusal> {
    let looked = log.available_bytes(offset, offset, 0);
    looked.map(|_| ()).map_err(|e| Refusal::from(&e))
}
