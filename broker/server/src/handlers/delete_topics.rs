//! DeleteTopics: by name or by id; answered when no shard has anything of them any more.

use std::rc::Rc;

use metadata::TopicId;
use protocol::generated::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::{ErrorCode, Uuid};
use runtime::{Lane, ShardId};

use crate::error_codes::Refusal;
use crate::message::{Reply, Request};
use crate::router::ask;
use crate::shard::Core;

/// Deletes what it finds.
pub(crate) async fn handle(core: &Rc<Core>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
    let mut asked: Vec<DeleteTopicState> = request.topic_names.into_iter().map(by_name).collect();
    asked.extend(request.topics);
    let allowed = match core.config.deletes_topics {
        true => Ok(()),
        false => {
            let why = "the broker's setting delete.topic.enable is false";
            Err(Refusal::because(ErrorCode::TopicDeletionDisabled, why))
        }
    };
    let find = |topic| allowed.clone().and_then(|()| find(core, topic));
    let found: Vec<_> = asked.iter().map(find).collect();
    let ids: Vec<TopicId> = found.iter().filter_map(|found| found.as_ref().ok()).copied().collect();
    let count = ids.len();
    let deleted = match ids.is_empty() {
        true => Vec::new(),
        false => {
            let delete = Request::DeleteTopics(ids);
            match ask(core.clone(), ShardId(0), Lane::Control, delete).await {
                Ok(Reply::Topics(deleted)) => deleted,
                Ok(_) => unreachable!("topics are answered with topics"),
                Err(e) => vec![Err(Refusal::from(e)); count],
            }
        }
    };
    let mut deleted = deleted.into_iter();
    let responses = asked.into_iter().zip(found).map(|(topic, found)| {
        let result = found.and_then(|id| {
            deleted.next().expect("one answer for each that was found").map(|()| id)
        });
        answer(topic, result)
    });
    DeleteTopicsResponse { throttle_time_ms: 0, responses: responses.collect() }
}

fn find(core: &Core, topic: &DeleteTopicState) -> Result<TopicId, Refusal> {
    let view = core.view();
    match &topic.name {
        Some(name) => {
            let found = view.image.topic(name).map(|topic| topic.id);
            found.ok_or(ErrorCode::UnknownTopicOrPartition.into())
        }
        None => {
            let found = view.image.topic_by_id(&TopicId(topic.topic_id.0)).map(|topic| topic.id);
            found.ok_or(ErrorCode::UnknownTopicId.into())
        }
    }
}

fn answer(topic: DeleteTopicState, result: Result<TopicId, Refusal>) -> DeletableTopicResult {
    let DeleteTopicState { name, topic_id } = topic;
    match result {
        Ok(id) => {
            DeletableTopicResult { name, topic_id: Uuid(id.0), ..DeletableTopicResult::default() }
        }
        Err(refusal) => DeletableTopicResult {
            name,
            topic_id,
            error_code: refusal.code.number(),
            error_message: refusal.message,
        },
    }
}
