//! A small seeded generator and sample records, so that every failing test can be run again.

use crate::{BatchBuilder, Compression, Header, Record, Timestamp};

/// SplitMix64: one multiplication chain, the same numbers for the same seed everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("a bound fits")).expect("a bound")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

/// Every codec that is built in, none included.
pub(crate) const ALL_CODECS: &[Compression] = &[
    Compression::None,
    #[cfg(feature = "codecs")]
    Compression::Gzip,
    #[cfg(feature = "codecs")]
    Compression::Snappy,
    #[cfg(feature = "codecs")]
    Compression::Lz4,
    #[cfg(feature = "codecs")]
    Compression::Zstd,
];

/// A batch of `count` records with keys, headers, nulls and compressible values.
pub(crate) fn sample_batch(compression: Compression, count: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression);
    let headers = [
        Header { key: b"h", value: Some(b"1") },
        Header { key: b"h", value: None },
        Header { key: b"", value: Some(b"") },
    ];
    for i in 0..count {
        let key = format!("key-{i}");
        let value = format!("value-{i} ").repeat(i % 40);
        builder.push(&Record {
            timestamp: Timestamp(1_000 + i64::try_from(i).expect("small")),
            key: (i % 3 != 1).then_some(key.as_bytes()),
            value: (i % 5 != 4).then_some(value.as_bytes()),
            headers: &headers[..i % 4],
        });
    }
    builder.build().expect("the codecs are built in and the batch is small")
}

/// Bytes from hexadecimal digits; white space is skipped.
pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("hex")).collect();
    assert_eq!(digits.len() % 2, 0, "hex digits come in pairs");
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}
