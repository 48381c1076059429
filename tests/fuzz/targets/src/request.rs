//! Gives libFuzzer's inputs to the target `request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::Target::Request.run(bytes));
