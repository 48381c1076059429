//! The journal in the simulated world.
