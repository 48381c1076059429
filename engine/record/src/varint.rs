//! Zigzag variable-length integers, as records use them.
//!
//! Seven bits a byte, lowest first, bit 7 says that more follow; zigzag maps 0, -1, 1, -2 to
//! 0, 1, 2, 3. An i32 takes at most 5 bytes and an i64 at most 10. A longer form than necessary is
//! read (Java does), bits beyond the type are refused (no encoder writes them).

use crate::error::RecordFault;

/// Takes one zigzag i32 off the front of `bytes`.
pub(crate) fn take_i32(bytes: &mut &[u8]) -> Result<i32, RecordFault> {
    if let [first @ 0..=0x7f, rest @ ..] = *bytes {
        *bytes = rest;
        return Ok(i32::from(first >> 1) ^ -i32::from(first & 1));
    }
    let raw = take_unsigned(bytes, 32)?;
    let raw = u32::try_from(raw).map_err(|_| RecordFault::VarintTooLong)?;
    Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}

/// Takes one zigzag i64 off the front of `bytes`.
pub(crate) fn take_i64(bytes: &mut &[u8]) -> Result<i64, RecordFault> {
    let raw = take_unsigned(bytes, 64)?;
    Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}

/// Appends `value` as a zigzag varint in its shortest form.
pub(crate) fn put_i32(out: &mut Vec<u8>, value: i32) {
    put_unsigned(out, u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
}

/// Appends `value` as a zigzag varint in its shortest form.
pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads 7-bit groups until one ends, refusing bits at `width_bits` and above.
fn take_unsigned(bytes: &mut &[u8], width_bits: u32) -> Result<u64, RecordFault> {
    let mut value = 0u64;
    let mut shift_bits = 0;
    let mut rest = *bytes;
    loop {
        let (&byte, tail) = rest.split_first().ok_or(RecordFault::Truncated)?;
        rest = tail;
        let group = u64::from(byte & 0x7f);
        // The last group is the one that reaches the type's width; it may carry only what fits.
        let room_bits = width_bits - shift_bits;
        if room_bits < 7 && group >> room_bits != 0 {
            return Err(RecordFault::VarintTooLong);
        }
        value |= group << shift_bits;
        if byte & 0x80 == 0 {
            *bytes = rest;
            return Ok(value);
        }
        shift_bits += 7;
        if shift_bits >= width_bits {
            return Err(RecordFault::VarintTooLong);
        }
    }
}

fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("below 0x80"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn check_i64(value: i64, expect: &[u8]) {
        let mut bytes = Vec::new();
        put_i64(&mut bytes, value);
        assert_eq!(bytes, expect);
        let mut rest = bytes.as_slice();
        assert_eq!(take_i64(&mut rest), Ok(value));
        assert!(rest.is_empty());
    }

    fn check_refused(bytes: &[u8], expect: RecordFault) {
        assert_eq!(take_i32(&mut &*bytes), Err(expect));
    }

    #[test]
    fn known_values_have_their_known_bytes() {
        check_i64(0, &[0]);
        check_i64(-1, &[1]);
        check_i64(1, &[2]);
        check_i64(63, &[0x7e]);
        check_i64(-64, &[0x7f]);
        check_i64(64, &[0x80, 1]);
        check_i64(i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
        check_i64(i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn every_value_comes_back() {
        let mut random = Random::new(1);
        for _ in 0..20_000 {
            let value = random.next().cast_signed() >> random.below(64);
            let narrow = i32::try_from(value >> 32).expect("the upper half");
            let mut bytes = Vec::new();
            put_i64(&mut bytes, value);
            put_i32(&mut bytes, narrow);
            let mut rest = bytes.as_slice();
            assert_eq!(take_i64(&mut rest), Ok(value));
            assert_eq!(take_i32(&mut rest), Ok(narrow));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn overlong_and_cut_varints_are_refused() {
        check_refused(&[], RecordFault::Truncated);
        check_refused(&[0x80], RecordFault::Truncated);
        check_refused(&[0x80; 5], RecordFault::VarintTooLong);
        check_refused(&[0x80; 64], RecordFault::VarintTooLong);
        check_refused(&[0xff, 0xff, 0xff, 0xff, 0x1f], RecordFault::VarintTooLong);
        let mut ten = [0x80; 10];
        ten[9] = 2;
        assert_eq!(take_i64(&mut ten.as_slice()), Err(RecordFault::VarintTooLong));
    }

    #[test]
    fn padded_varints_are_read_as_java_reads_them() {
        assert_eq!(take_i32(&mut [0x82, 0].as_slice()), Ok(1));
        assert_eq!(take_i64(&mut [0x82, 0x80, 0].as_slice()), Ok(1));
    }
}
