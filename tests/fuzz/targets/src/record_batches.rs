//! Gives libFuzzer's inputs to the target `record_batches`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::Target::RecordBatches.run(bytes));
