//! The harness tells a broker that fails from one that passes, and says how it failed.

use crash::campaign::{Campaign, CampaignError};
use crash::environment;
use crash::{Sizes, Subject};
use launch::IoUring;

#[test]
fn a_broker_that_ends_by_itself_is_reported() {
    let campaign = Campaign {
        subject: Subject::Ringmain {
            binary: "/bin/false".into(),
            sizes: Sizes::Usual,
            io_uring: IoUring::AsIs,
        },
        cycles: 1,
        seed: 1,
        python: environment::python().unwrap_or_else(|error| panic!("{error}")),
        folder: environment::folder("ends-by-itself"),
    };
    let error = campaign.run().expect_err("there is no broker");
    assert!(matches!(error, CampaignError::BrokerEnded { .. }), "{error}");
    std::fs::remove_dir_all(&campaign.folder).expect("a failed campaign keeps its folder");
}
