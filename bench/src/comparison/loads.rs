//! Loads on brokers that all stay up: each is measured while the others idle.

use super::{Comparison, TOPIC};
use crate::broker::Broker;
use crate::error::BenchError;
use crate::fio::Fio;
use crate::first_ack;
use crate::results::Round;
use crate::scenario::{self, Scenario};
use crate::subject::SubjectName;

pub(super) fn measure(
    comparison: &mut Comparison<'_>,
    scenario: Scenario,
) -> Result<Vec<Round>, BenchError> {
    let (cli, load) = (comparison.cli, comparison.load);
    let brokers = comparison.start_brokers(|broker| {
        first_ack::create_topic(broker.address(), TOPIC, scenario.partitions())?;
        scenario.warm_up().iter().try_for_each(|run| load.run(run, broker, TOPIC).map(drop))
    })?;
    let is_lone = scenario == Scenario::ProduceSingle;
    let fio = is_lone.then(|| Fio::prepare(&cli.folder)).transpose()?;
    let kept = comparison.in_turn(scenario, |index, _| {
        let subject = cli.subjects[index];
        let run = scenario.measured(subject).expect("a scenario with a load");
        let mut measures = load.run(&run, &brokers[index], TOPIC)?;
        // Who syncs each record pays the disk's price; without the broker it is this.
        if let (Some(fio), SubjectName::Ringmain) = (&fio, subject) {
            measures.append(&mut fio.lone_writes(scenario::RATE)?);
        }
        Ok(measures)
    })?;
    brokers.into_iter().try_for_each(Broker::stop)?;
    Ok(kept)
}
