//! InitProducerId: an id for an idempotent producer, never given twice.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use coordinator::ProducerIds;
use protocol::ErrorCode;
use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use runtime::sync::Signal;
use runtime::{Lane, ShardId};

use crate::error_codes::Refusal;
use crate::message::{Reply, Request};
use crate::router::ask;
use crate::shard::Core;

/// Hands out the next id, with epoch 0. A producer without a transactional id that had one before
/// gets a new one too (KIP-360).
pub(crate) async fn handle(
    core: &Rc<Core>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let error = |code: ErrorCode| InitProducerIdResponse {
        error_code: code.number(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    };
    // Who had an id names it with its epoch (KIP-360).
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return error(ErrorCode::InvalidRequest);
    }
    match request.transactional_id.as_deref() {
        None => {}
        Some("") => return error(ErrorCode::InvalidRequest),
        // There are no transactions yet, and no API that a client would need for one is named.
        Some(_) => return error(ErrorCode::UnsupportedVersion),
    }
    match next_id(core).await {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
        Err(refusal) => error(refusal.code),
    }
}

/// Producer ids of one shard, and the way to more.
#[derive(Default)]
pub(crate) struct IdSource {
    ids: RefCell<ProducerIds>,
    /// A block has been asked for: who comes now waits for it.
    asking: Cell<bool>,
    asked: Signal,
}

async fn next_id(core: &Rc<Core>) -> Result<i64, Refusal> {
    let source = &core.producer_ids;
    loop {
        source.asked.wait_until(|| (!source.asking.get()).then_some(())).await;
        if let Some(id) = source.ids.borrow_mut().take() {
            return Ok(id);
        }
        source.asking.set(true);
        let asked = ask(core.clone(), ShardId(0), Lane::Control, Request::AllocateProducerIds);
        let block = asked.await;
        source.asking.set(false);
        source.asked.wake_all();
        match block? {
            Reply::ProducerIds(block) => {
                let block = block?;
                source.ids.borrow_mut().grant(block.first, block.count);
            }
            _ => unreachable!("producer ids are answered with producer ids"),
        }
    }
}
