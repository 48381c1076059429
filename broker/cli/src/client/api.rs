//! Which answer belongs to which request, and the newest version in which each is spoken.

use protocol::generated::{
    api_versions, create_partitions, create_topics, delete_topics, describe_configs, fetch,
    incremental_alter_configs, init_producer_id, list_offsets, metadata, produce,
};
use protocol::{ApiKey, Message};

/// A request that has an answer.
pub trait Question: Message {
    /// Its answer.
    type Answer: Message;
    /// Its API.
    const API_KEY: ApiKey;
    /// The newest version that is spoken. Below the codec's where later ones only bring what the
    /// commands have no use for.
    const NEWEST: i16;
}

macro_rules! questions {
    ($($question:path => $answer:path, $key:ident, $newest:expr;)*) => {
        $(impl Question for $question {
            type Answer = $answer;
            const API_KEY: ApiKey = ApiKey::$key;
            const NEWEST: i16 = $newest;
        })*
    };
}

questions! {
    // From 13 on topics have ids in place of names.
    produce::ProduceRequest => produce::ProduceResponse, Produce, 12;
    fetch::FetchRequest => fetch::FetchResponse, Fetch, 12;
    // Later versions bring other markers than the earliest, the latest and a time.
    list_offsets::ListOffsetsRequest => list_offsets::ListOffsetsResponse, ListOffsets, 7;
    metadata::MetadataRequest => metadata::MetadataResponse, Metadata, 12;
    api_versions::ApiVersionsRequest => api_versions::ApiVersionsResponse, ApiVersions, 3;
    create_topics::CreateTopicsRequest => create_topics::CreateTopicsResponse, CreateTopics, 7;
    // From 6 on topics may have ids in place of names.
    delete_topics::DeleteTopicsRequest => delete_topics::DeleteTopicsResponse, DeleteTopics, 5;
    create_partitions::CreatePartitionsRequest =>
        create_partitions::CreatePartitionsResponse, CreatePartitions, 3;
    describe_configs::DescribeConfigsRequest =>
        describe_configs::DescribeConfigsResponse, DescribeConfigs, 4;
    incremental_alter_configs::IncrementalAlterConfigsRequest =>
        incremental_alter_configs::IncrementalAlterConfigsResponse, IncrementalAlterConfigs, 1;
    // From 3 on a producer may go on with an id that it had.
    init_producer_id::InitProducerIdRequest =>
        init_producer_id::InitProducerIdResponse, InitProducerId, 4;
}
