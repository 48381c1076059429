//! Loads on brokers that all stay up: each is measured while the others idle.

use super::{Comparison, TOPIC};
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::results::Round;
use crate::scenario::Scenario;

pub(super) fn measure(
    comparison: &mut Comparison<'_>,
    scenario: Scenario,
) -> Result<Vec<Round>, BenchError> {
    let (cli, load) = (comparison.cli, comparison.load);
    let brokers = comparison.start_brokers(|broker| {
        first_ack::create_topic(broker.address(), TOPIC, scenario.partitions())?;
        scenario.warm_up().iter().try_for_each(|run| load.run(run, broker, TOPIC).map(drop))
    })?;
    let kept = comparison.in_turn(scenario, |index, _| {
        let run = scenario.measured(cli.subjects[index]).expect("a scenario with a load");
        load.run(&run, &brokers[index], TOPIC)
    })?;
    brokers.into_iter().try_for_each(Broker::stop)?;
    Ok(kept)
}
