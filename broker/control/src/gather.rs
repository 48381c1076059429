//! Asks every shard, and waits for the answers, but not for ever.

use std::time::Duration;

use server::{Ask, Observer, Told};
use tokio::time::{Instant, timeout_at};

/// What a shard has to answer in. One that can't for so long serves nobody else either.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The shards' answers in their order; none from a shard that did not answer in time, or has ended.
pub(crate) async fn gather(observer: &Observer, ask: Ask) -> Vec<Option<Told>> {
    let deadline = Instant::now() + PATIENCE;
    let mut answers = Vec::new();
    for asked in observer.ask(ask) {
        let told = timeout_at(deadline, asked).await;
        answers.push(told.ok().and_then(Result::ok));
    }
    answers
}
