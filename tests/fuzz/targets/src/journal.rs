//! Gives libFuzzer's inputs to the target `journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::Target::Journal.run(bytes));
