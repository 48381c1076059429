//! The bytes of a fetch response, lent by the owner's tail: producers need that memory back, so a
//! slow consumer holds places, and gets the bytes again when its socket takes them.

use std::rc::Rc;

use connection::{Again, Lender, Lent, Part, Place};
use record::Offset;
use runtime::{Lane, Lease, ShardId};
use storage::{AtLeast, LogId, ReadPart};

use crate::message::{FetchFrom, ReadFrom, ReadPurpose, Reply, Request};
use crate::router::ask;
use crate::shard::Core;

/// What was read of a partition, as parts of a response.
pub(super) fn parts(
    core: &Rc<Core>,
    owner: ShardId,
    partition: LogId,
    read: &[ReadPart],
) -> Vec<Part> {
    let lender = lender(core, owner, partition);
    let part = |part: &ReadPart| match part.clone() {
        ReadPart::File { file, position, len } => Part::File { file, position, len },
        ReadPart::Memory(bytes) => match place_of(&bytes) {
            Some(place) => Part::Lent(Lent { bytes, place, lender: lender.clone() }),
            None => Part::Kept(bytes),
        },
    };
    read.iter().map(part).collect()
}

/// The offsets of bytes that are one batch, as every piece of a tail is. What is none is the end of
/// a segment's file, a few KiB that nobody waits for.
fn place_of(bytes: &Lease) -> Option<Place> {
    let batch = record::parse_single(bytes).ok()?;
    let (from, to) = (batch.base_offset(), batch.last_offset().plus(1));
    let size_bytes = bytes.len() as u64;
    (Offset(0) <= from && from < to).then_some(Place { from: from.0, to: to.0, size_bytes })
}

fn lender(core: &Rc<Core>, owner: ShardId, partition: LogId) -> Lender {
    let core = core.clone();
    Lender::new(move |place| {
        let core = core.clone();
        let again: Again = Box::pin(async move { again(&core, owner, partition, place).await });
        again
    })
}

/// The bytes of a stretch of batches, wherever they are by now; none if they are gone. A read may
/// end early, where a segment ends or its index has an entry, so it may take several.
async fn again(
    core: &Rc<Core>,
    owner: ShardId,
    partition: LogId,
    place: Place,
) -> Option<Vec<Part>> {
    let mut again = Vec::new();
    let (mut at, mut left) = (Offset(place.from), place.size_bytes);
    while left > 0 {
        let max_bytes = u32::try_from(left).ok()?;
        let from = FetchFrom { partition, offset: at, max_bytes, leader_epoch: None };
        let (at_least, purpose) = (AtLeast::OneBatch, ReadPurpose::SendAgain);
        let read = ReadFrom { from, max_bytes, at_least, purpose };
        let asked = ask(core.clone(), owner, Lane::Fetch, Request::Read(vec![read]));
        let Ok(Reply::Read(found)) = asked.await else { return None };
        let found = found.into_iter().next()?.ok()?;
        again.extend(parts(core, owner, partition, &found.parts));
        // Other sizes are other batches: then what was lent is gone.
        left = left.checked_sub(found.size_bytes)?;
        at = found.next_offset?;
    }
    (at == Offset(place.to)).then_some(again)
}
