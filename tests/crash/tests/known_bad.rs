//! The kill test's own proof: a broker that forgets its producers when it starts must be refused.

use crash::campaign::Campaign;
use crash::environment::{self, Build};
use crash::{Sizes, Subject};
use launch::IoUring;

/// Each kill leaves up to twenty idempotent requests without an answer, and one of them that had
/// been written is enough. Apache Kafka, made to forget, doubled two dozen records in six kills.
const CYCLES: u32 = 8;

#[test]
fn a_broker_that_forgets_its_producers_is_refused() {
    let ready = || {
        Ok::<_, environment::EnvironmentError>(Campaign {
            cycles: CYCLES,
            seed: environment::seed()?,
            python: environment::python()?,
            folder: environment::folder("known-bad"),
            subject: Subject::Ringmain {
                binary: environment::ringmain(Build::Forgetful)?,
                sizes: Sizes::Usual,
                io_uring: IoUring::AsIs,
            },
        })
    };
    let campaign = ready().unwrap_or_else(|error| panic!("{error}"));
    println!("{} cycles, RINGMAIN_SEED={}", campaign.cycles, campaign.seed);
    let kept = campaign.folder.display();
    let outcome = match campaign.run() {
        Err(error) => panic!("{error}\neverything that was seen is kept in {kept}"),
        Ok(outcome) => outcome,
    };
    let report = format!("{}\neverything is kept in {kept}", outcome.report());
    let kinds = outcome.verdict.kinds();
    let caught = kinds.contains_key("duplicate") || kinds.contains_key("reorder");
    assert!(caught, "the fault was not found:\n{report}");
    // A broker that is bad in one way only: what was planted is all that may be found. A doubled
    // batch can also break its producer, or make it take its own record for written.
    for kind in ["invented", "misplaced", "gap", "nonmonotonic", "reread_diff", "live_diff"] {
        assert!(!kinds.contains_key(kind), "found besides:\n{report}");
    }
    println!("refused, as it must be: {kinds:?}");
    std::fs::remove_dir_all(&campaign.folder).expect("the campaign kept its folder");
}
