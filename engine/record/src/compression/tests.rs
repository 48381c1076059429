//! Round trips, bombs, foreign framings and hostile frames of each codec.

use super::*;
use crate::testing::{ALL_CODECS, Random};

fn round_trip(codec: Compression, plain: &[u8]) {
    let stored = codec.compress(plain.to_vec()).expect("codecs do not fail");
    let back = codec.decompress(&stored, plain.len()).expect("exactly at the limit");
    assert!(back == plain, "{codec}: {} bytes came back as {}", plain.len(), back.len());
    if codec != Compression::None && !plain.is_empty() {
        assert_eq!(
            codec.decompress(&stored, plain.len() - 1),
            Err(RecordsError::DecompressedTooLarge { max_bytes: plain.len() - 1 }),
            "{codec}"
        );
    }
}

fn malformed(codec: Compression, stored: &[u8]) {
    assert_eq!(
        codec.decompress(stored, 1 << 20),
        Err(RecordsError::Undecompressable { compression: codec })
    );
}

/// An lz4 frame of the given flags and block-size descriptor around given blocks.
fn lz4_frame(flags: u8, descriptor: u8, blocks: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, flags, descriptor, 0];
    frame.extend_from_slice(blocks);
    frame
}

#[test]
fn bytes_of_every_size_come_back() {
    let mut random = Random::new(6);
    for &codec in ALL_CODECS {
        for size in [0, 1, 7, 1_000, 32_768, 65_536, 65_537, 300_000] {
            round_trip(codec, &vec![b'x'; size]);
            round_trip(codec, &random.bytes(size));
            let words: Vec<u8> = (0..size).map(|_| b"lorem ip"[random.below(8)]).collect();
            round_trip(codec, &words);
        }
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    let plain = vec![0; 64 << 20];
    for codec in &ALL_CODECS[1..] {
        let stored = codec.compress(plain.clone()).expect("codecs do not fail");
        assert!(stored.len() < plain.len() / 15, "{codec}: {}", stored.len());
        assert_eq!(
            codec.decompress(&stored, 1 << 20),
            Err(RecordsError::DecompressedTooLarge { max_bytes: 1 << 20 })
        );
    }
}

#[test]
fn raw_snappy_and_streams_in_a_row_are_read() {
    let raw = snap::raw::Encoder::new().compress_vec(b"hello hello hello").expect("small");
    let codec = Compression::Snappy;
    assert_eq!(codec.decompress(&raw, 100).expect("raw").as_ref(), b"hello hello hello");
    let framed = codec.compress(b"one two".to_vec()).expect("small");
    let twice = [framed.clone(), framed].concat();
    assert_eq!(codec.decompress(&twice, 100).expect("two streams").as_ref(), b"one twoone two");
}

#[test]
fn snappy_lengths_that_lie_are_refused() {
    let codec = Compression::Snappy;
    let header = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for length in [i32::MAX, -1, i32::MIN, 0, 1_000] {
        malformed(codec, &[header.clone(), length.to_be_bytes().to_vec()].concat());
    }
    malformed(codec, &header[..15]);
    malformed(codec, &[header, vec![0, 0, 0]].concat());
    // A raw block that claims 2^32-1 bytes.
    malformed(codec, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    malformed(codec, &[]);
}

#[test]
fn lz4_linked_blocks_may_look_back() {
    // "abcdefgh" stored plain, then a block that copies 20 bytes from 8 back and ends in 'zzzzz'.
    let mut blocks = 0x8000_0008u32.to_le_bytes().to_vec();
    blocks.extend_from_slice(b"abcdefgh");
    let linked = [0x0f, 8, 0, 1, 0x50, b'z', b'z', b'z', b'z', b'z'];
    blocks.extend_from_slice(&10u32.to_le_bytes());
    blocks.extend_from_slice(&linked);
    blocks.extend_from_slice(&[0; 4]);
    let codec = Compression::Lz4;
    let frame = lz4_frame(0x40, 0x40, &blocks);
    let plain = codec.decompress(&frame, 100).expect("linked");
    assert_eq!(plain.as_ref(), b"abcdefghabcdefghabcdefghabcdzzzzz");
    // The same frame with the flag that blocks are independent must not.
    malformed(codec, &lz4_frame(0x60, 0x40, &blocks));
}

#[test]
fn lz4_frames_that_lie_are_refused() {
    let codec = Compression::Lz4;
    let end = [0; 4];
    assert_eq!(codec.decompress(&lz4_frame(0x60, 0x70, &end), 0).expect("empty").len(), 0);
    malformed(codec, &lz4_frame(0x60, 0x40, &[]));
    malformed(codec, &lz4_frame(0x20, 0x40, &end));
    malformed(codec, &lz4_frame(0x61, 0x40, &end));
    malformed(codec, &lz4_frame(0x60, 0x30, &end));
    malformed(codec, &lz4_frame(0x60, 0x40, &0xffff_ffffu32.to_le_bytes()));
    malformed(codec, &lz4_frame(0x60, 0x40, &0x7fff_ffffu32.to_le_bytes()));
    malformed(codec, &[0x02, 0x21, 0x4c, 0x18, 0, 0, 0, 0]);
    // Empty plain blocks without end: read once each, and then the frame is cut.
    malformed(codec, &lz4_frame(0x60, 0x40, &0x8000_0000u32.to_le_bytes().repeat(100_000)));
}

#[test]
fn lz4_block_checksums_and_content_size_are_stepped_over() {
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x7c, 0x40];
    frame.extend_from_slice(&3u64.to_le_bytes());
    frame.push(0);
    frame.extend_from_slice(&0x8000_0003u32.to_le_bytes());
    frame.extend_from_slice(b"abc....");
    frame.extend_from_slice(&[0; 8]);
    let plain = Compression::Lz4.decompress(&frame, 100).expect("all flags");
    assert_eq!(plain.as_ref(), b"abc");
}

#[test]
fn zstd_frame_that_claims_a_huge_window_and_size_allocates_nothing_by_it() {
    // Window descriptor of 2^41 bytes, content size of 2^63-1, then one raw block of 3 bytes.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xf8];
    frame.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    frame.extend_from_slice(&[0x19, 0, 0, b'a', b'b', b'c']);
    assert!(Compression::Zstd.decompress(&frame, 1 << 20).is_err());
    // Skippable frames give nothing, however many there are.
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(10_000);
    assert_eq!(Compression::Zstd.decompress(&skippable, 10).expect("nothing").len(), 0);
}

#[test]
fn zstd_that_streams_without_a_size_is_read() {
    let plain = vec![b'x'; 900_000];
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("a context");
    std::io::Write::write_all(&mut encoder, &plain).expect("memory");
    let stored = encoder.finish().expect("memory");
    assert!(stored.len() < 1_000, "so that the first tries are too small");
    let back = Compression::Zstd.decompress(&stored, 1 << 20).expect("grown into");
    assert!(back == plain);
}

#[test]
fn gzip_members_in_a_row_are_read() {
    let member = Compression::Gzip.compress(b"abc".to_vec()).expect("small");
    let twice = [member.clone(), member].concat();
    assert_eq!(Compression::Gzip.decompress(&twice, 6).expect("both").as_ref(), b"abcabc");
    malformed(Compression::Gzip, b"GET / HTTP/1.1\r\n\r\n");
}

#[test]
fn random_bytes_behind_each_magic_never_panic() {
    let mut random = Random::new(7);
    let magics: [&[u8]; 4] = [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0],
        b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0",
        &[0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0],
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    for round in 0..40_000 {
        let which = round % 4;
        let length = random.below(200);
        let stored = [magics[which], &random.bytes(length)].concat();
        if let Ok(plain) = ALL_CODECS[which + 1].decompress(&stored, 1 << 20) {
            assert!(plain.len() <= 1 << 20);
        }
        let _ = ALL_CODECS[which + 1].decompress(&stored[magics[which].len()..], 1 << 20);
    }
}

#[test]
fn mutated_linked_lz4_frames_never_panic() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let mut random = Random::new(8);
    let words: Vec<u8> = (0..200_000).map(|_| b"lorem ip"[random.below(8)]).collect();
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    std::io::Write::write_all(&mut encoder, &words).expect("memory");
    let sound = encoder.finish().expect("memory");
    assert!(Compression::Lz4.decompress(&sound, 1 << 20).expect("linked") == words);
    for _ in 0..500 {
        let mut stored = sound.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(stored.len());
            stored[at] = random.byte();
        }
        if let Ok(plain) = Compression::Lz4.decompress(&stored, 1 << 20) {
            assert!(plain.len() <= 1 << 20);
        }
    }
}
