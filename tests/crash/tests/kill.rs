//! kill -9 of the real broker under real clients: what it acknowledged is there, once and in order.

use crash::campaign::Campaign;
use crash::environment::{self, Build};
use crash::{Sizes, Subject};
use launch::IoUring;

/// Each cycle loads the broker for about a second, so that this takes about a minute.
const CYCLES: u32 = 25;
/// The way to the disk is another one, what is written is the same.
const CYCLES_WITHOUT_IO_URING: u32 = 8;

#[test]
fn acknowledged_records_survive_kill_nine() {
    survive("kill", CYCLES, IoUring::AsIs);
}

#[test]
fn acknowledged_records_survive_kill_nine_without_io_uring() {
    survive("kill-without-io-uring", CYCLES_WITHOUT_IO_URING, IoUring::Forbidden);
}

fn survive(name: &str, cycles: u32, io_uring: IoUring) {
    let ready = || {
        Ok::<_, environment::EnvironmentError>(Campaign {
            cycles: environment::kill_cycles(cycles)?,
            seed: environment::seed()?,
            python: environment::python()?,
            folder: environment::folder(name),
            subject: Subject::Ringmain {
                binary: environment::ringmain(Build::Good)?,
                sizes: Sizes::Small,
                io_uring,
            },
        })
    };
    let campaign = ready().unwrap_or_else(|error| panic!("{error}"));
    println!("{} cycles, RINGMAIN_SEED={}", campaign.cycles, campaign.seed);
    let kept = campaign.folder.display();
    match campaign.run() {
        Err(error) => panic!("{error}\neverything that was seen is kept in {kept}"),
        Ok(outcome) => {
            let report = outcome.report();
            assert!(outcome.verdict.is_clean(), "{report}\neverything is kept in {kept}");
            println!("{report}");
        }
    }
}
