//! ListPartitionReassignments: which partitions move between brokers (KIP-455); none ever does,
//! but `kafka-topics --describe` asks.

use protocol::generated::list_partition_reassignments::ListPartitionReassignmentsResponse;

/// Answers that nothing moves, whatever topics are named: as in Kafka, even unknown ones.
pub(crate) fn handle() -> ListPartitionReassignmentsResponse {
    // The schema's default is no words, not null.
    ListPartitionReassignmentsResponse {
        error_message: None,
        ..ListPartitionReassignmentsResponse::default()
    }
}
