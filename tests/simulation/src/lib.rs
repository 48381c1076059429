//! Storage under simulated power cuts: a random life of a store, cut at every sync point, opened
//! again and held against what was acknowledged.
//!
//! ```text
//! life ──► sync point ──► sync point ──► …        one seed
//!             │ image + what was acknowledged by then
//!             └─► cut ─► open ─► compare ─► cut inside recovery ─► open ─► compare ─► …
//! ```
//!
//! | what must hold | checked by |
//! | --- | --- |
//! | what was acknowledged is there, nothing is invented | `invariants/acknowledged_survives.rs` |
//! | offsets are dense, bytes are those that were sent | `inspect.rs` |
//! | producers' windows are right | `invariants/windows_are_right.rs` |
//! | leader epochs are right | `acknowledged_survives.rs`, `epochs_are_right.rs` |
//! | records are found by offset and time | `invariants/look_ups_are_right.rs` |
//! | deleted logs stay deleted, their folders go | `invariants/deleted_stays_deleted.rs` |
//! | opening twice gives the same state, what was shown stays | `campaign.rs` |
//! | a clean stop leaves Kafka's files | `invariants/files_are_kafkas.rs` |
//! | a full disk loses nothing, and heals | `lives.rs` |
//! | all of that was really put to the test | `figures.rs`, `watch.rs` |

pub mod campaign;
pub mod lives;

pub mod life;
mod worker;

pub mod history;

pub mod violation;

pub mod figures;
mod watch;

pub mod invariants;

pub mod inspect;
mod manifest_table;

pub mod world;
