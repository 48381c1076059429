//! Gives libFuzzer's inputs to the target `manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::Target::Manifest.run(bytes));
