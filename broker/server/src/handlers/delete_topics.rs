//! DeleteTopics: by name or by id; answered when no shard has anything of them any more.

use std::collections::BTreeMap;
use std::rc::Rc;

use metadata::{Topic, TopicId};
use protocol::generated::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::{ErrorCode, Uuid};

use super::time_for_change;
use crate::error_codes::Refusal;
use crate::message::{Reply, Request};
use crate::router::ask_for_change;
use crate::shard::Core;

/// Deletes what it finds.
pub(crate) async fn handle(core: &Rc<Core>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
    let mut asked: Vec<DeleteTopicState> = request.topic_names.into_iter().map(by_name).collect();
    asked.extend(request.topics);
    let (asked, mut refused) = check(asked);
    let asked = without_those_named_both_ways(core, asked, &mut refused);
    let allowed = match (core.config.deletes_topics, time_for_change(request.timeout_ms)) {
        (true, Some(wait)) => Ok(wait),
        (true, None) => Err(Refusal::bare(ErrorCode::RequestTimedOut)),
        (false, _) => {
            let why = "the broker's setting delete.topic.enable is false";
            Err(Refusal::because(ErrorCode::TopicDeletionDisabled, why))
        }
    };
    let find = |topic| allowed.clone().and_then(|_| find(core, topic));
    let found: Vec<_> = asked.iter().map(find).collect();
    let ids: Vec<TopicId> = found.iter().flatten().map(|found| found.id).collect();
    let count = ids.len();
    let deleted = match allowed {
        Ok(wait) if count > 0 => {
            match ask_for_change(core, Request::DeleteTopics(ids), wait).await {
                Ok(Reply::Topics(deleted)) => deleted,
                Ok(_) => unreachable!("topics are answered with topics"),
                Err(refusal) => vec![Err(refusal); count],
            }
        }
        _ => Vec::new(),
    };
    let mut deleted = deleted.into_iter();
    let responses = asked.into_iter().zip(found).map(|(topic, found)| {
        let result = found.and_then(|found| {
            deleted.next().expect("one answer for each that was found").map(|()| found)
        });
        answer(topic, result)
    });
    let responses = refused.into_iter().chain(responses).collect();
    DeleteTopicsResponse { throttle_time_ms: 0, responses }
}

/// Kafka's rules: a topic is named by its name or by its id, and once; whatever is named twice is
/// refused with one answer.
fn check(asked: Vec<DeleteTopicState>) -> (Vec<DeleteTopicState>, Vec<DeletableTopicResult>) {
    let mut times: BTreeMap<(Option<String>, Uuid), u32> = BTreeMap::new();
    for topic in &asked {
        *times.entry((topic.name.clone(), topic.topic_id)).or_default() += 1;
    }
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for ((name, topic_id), times) in times {
        let why = match (&name, topic_id, times) {
            (Some(_), Uuid::ZERO, 2..) => "Duplicate topic name.",
            (None, id, 2..) if id != Uuid::ZERO => "Duplicate topic id.",
            (None, Uuid::ZERO, _) => "Neither topic name nor id were specified.",
            (Some(_), id, _) if id != Uuid::ZERO => {
                "You may not specify both topic name and topic id."
            }
            _ => {
                good.push(DeleteTopicState { name, topic_id });
                continue;
            }
        };
        let refusal = Refusal::because(ErrorCode::InvalidRequest, why);
        refused.push(answer(DeleteTopicState { name, topic_id }, Err(refusal)));
    }
    (good, refused)
}

/// A topic named by its name and again by its id is named twice as well.
fn without_those_named_both_ways(
    core: &Core,
    asked: Vec<DeleteTopicState>,
    refused: &mut Vec<DeletableTopicResult>,
) -> Vec<DeleteTopicState> {
    let (by_id, by_name): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|topic| topic.name.is_none());
    let mut ids: BTreeMap<Uuid, DeleteTopicState> =
        by_id.into_iter().map(|topic| (topic.topic_id, topic)).collect();
    let mut good = Vec::new();
    for topic in by_name {
        let id = find(core, &topic).ok().map(|found| Uuid(found.id.0));
        match id.filter(|id| ids.remove(id).is_some()) {
            None => good.push(topic),
            Some(topic_id) => {
                let why = "The provided topic name maps to an ID that was already supplied.";
                let refusal = Refusal::because(ErrorCode::InvalidRequest, why);
                refused.push(answer(DeleteTopicState { topic_id, ..topic }, Err(refusal)));
            }
        }
    }
    good.extend(ids.into_values());
    good
}

/// A topic that is there, as the answer tells it whichever way it was named.
struct Found {
    id: TopicId,
    name: String,
}

impl Found {
    fn of(topic: &Topic) -> Found {
        Found { id: topic.id, name: topic.name.clone() }
    }
}

fn find(core: &Core, topic: &DeleteTopicState) -> Result<Found, Refusal> {
    let view = core.view();
    match &topic.name {
        Some(name) => {
            let why = "This server does not host this topic-partition.";
            let unknown = || Refusal::because(ErrorCode::UnknownTopicOrPartition, why);
            view.image.topic(name).map(Found::of).ok_or_else(unknown)
        }
        None => {
            let why = "This server does not host this topic ID.";
            let unknown = || Refusal::because(ErrorCode::UnknownTopicId, why);
            view.image.topic_by_id(&TopicId(topic.topic_id.0)).map(Found::of).ok_or_else(unknown)
        }
    }
}

fn answer(topic: DeleteTopicState, result: Result<Found, Refusal>) -> DeletableTopicResult {
    let DeleteTopicState { name, topic_id } = topic;
    match result {
        Ok(found) => DeletableTopicResult {
            name: Some(found.name),
            topic_id: Uuid(found.id.0),
            ..DeletableTopicResult::default()
        },
        Err(refusal) => DeletableTopicResult {
            name,
            topic_id,
            error_code: refusal.code.number(),
            error_message: refusal.message,
        },
    }
}
