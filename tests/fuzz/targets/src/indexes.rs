//! Gives libFuzzer's inputs to the target `indexes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::Target::Indexes.run(bytes));
