//! Who reads what: producers what they are to do, all others only what is wrong.

use super::*;

#[test]
fn producers_are_told_what_to_do_and_all_others_what_is_wrong() {
    let batches = [
        (
            BatchError::CrcMismatch { stored: 0xab, computed: 1 },
            "the batch says its CRC is 0x000000ab, its bytes give 0x00000001",
            ": send it again",
        ),
        (
            BatchError::Partial { needed_bytes: 61, available_bytes: 9 },
            "the batch needs 61 bytes and 9 are there",
            ": read more",
        ),
        (
            BatchError::UnsupportedMagic { magic: 1 },
            "batch format 1 is not supported",
            ": use a client that writes format 2 (Kafka 0.11 and newer)",
        ),
        (
            BatchError::TooLarge { size_bytes: 9, max_bytes: 8 },
            "a batch of 9 bytes is over the limit of 8",
            ": split it, or raise max.message.bytes",
        ),
        (
            BatchError::ControlFromClient,
            "clients may not set control batches",
            ": clear attribute bit 5",
        ),
        (
            BatchError::Records(RecordsError::TrailingBytes { extra_bytes: 3 }),
            "3 bytes are left behind the last record",
            ": count them again",
        ),
        (
            BatchError::Records(RecordsError::Record { index: 3, fault: RecordFault::Truncated }),
            "record 3: it ends inside a field",
            "",
        ),
    ];
    for (error, fact, advice) in batches {
        assert_eq!(error.fact(), fact);
        assert_eq!(error.to_string(), format!("{fact}{advice}"));
    }
    let codec = RecordsError::Undecompressable { compression: Compression::Zstd };
    assert_eq!(codec.fact(), "the batch is not valid zstd");
    assert_eq!(codec.to_string(), "the batch is not valid zstd: its producer must send it anew");
}
