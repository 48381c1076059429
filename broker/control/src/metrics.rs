//! The page of metrics: what shards and process tell, in Prometheus' text format.

mod families;
mod process;
mod shards;
mod text;

use server::Told;

use text::Text;

/// The page. A shard that gave no answer has a state and nothing else.
pub(crate) fn page(told: &[Option<Told>]) -> String {
    let mut text = Text::new();
    text.family(&families::BUILD).gauge(&[&env!("CARGO_PKG_VERSION")], 1);
    shards::write(&mut text, told);
    process::write(&mut text);
    text.finish()
}
