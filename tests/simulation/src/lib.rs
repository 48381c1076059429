//! Storage under simulated power cuts: a random life of a store, cut at every sync point, opened
//! again and held against what was acknowledged.
//!
//! ```text
//! life ──► sync point ──► sync point ──► …        one seed
//!             │ image + what was acknowledged by then
//!             └─► cut ─► open ─► compare ─► cut inside recovery ─► open ─► compare
//! ```

pub mod campaign;

pub mod history;

pub mod life;

pub mod inspect;

pub mod invariants;

pub mod world;
