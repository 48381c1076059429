//! CRC-32C of batches, and how it changes when a few bytes at the front change.

/// The CRC-32C of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The CRC after a prefix was replaced by another of the same length, without the bytes behind it.
///
/// A CRC is linear: the CRC of the whole changes by the difference of the two prefixes' CRCs,
/// carried over the bytes that follow. So a wrong CRC stays wrong, where computing it afresh would
/// bless damaged bytes; and the cost does not grow with the batch.
pub(crate) fn with_prefix_replaced(
    whole: u32,
    old_prefix: &[u8],
    new_prefix: &[u8],
    following_bytes: usize,
) -> u32 {
    assert_eq!(old_prefix.len(), new_prefix.len(), "a prefix changed its length");
    whole ^ times_x_to_8n(crc32c(old_prefix) ^ crc32c(new_prefix), following_bytes)
}

/// CRC-32C's polynomial, bits reflected: the highest bit is the coefficient of x^0.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// The polynomial 1 in that order of bits.
const ONE: u32 = 1 << 31;

/// `X_TO_POWERS[k]` is x^(2^k) modulo the polynomial, by squaring.
const X_TO_POWERS: [u32; 64] = {
    let mut powers = [0; 64];
    powers[0] = ONE >> 1;
    let mut k = 1;
    while k < 64 {
        powers[k] = times(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
};

/// `crc` times x^(8n): what n zero bytes make of a CRC without its final inversion.
fn times_x_to_8n(mut crc: u32, n: usize) -> u32 {
    let mut left = n;
    // 8n = n * 2^3, so bit i of n stands for x^(2^(i+3)).
    let mut k = 3;
    while left != 0 {
        if left & 1 == 1 {
            crc = times(X_TO_POWERS[k], crc);
        }
        left >>= 1;
        k += 1;
    }
    crc
}

/// The product of two polynomials modulo the CRC's own.
const fn times(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = ONE;
    while bit != 0 {
        // Masks instead of branches: the bits of a CRC are random, so a branch would miss.
        product ^= b & if a & bit != 0 { u32::MAX } else { 0 };
        b = (b >> 1) ^ (POLYNOMIAL & if b & 1 != 0 { u32::MAX } else { 0 });
        bit >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn crc_of_the_check_string_is_the_published_one() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn replaced_prefix_gives_the_crc_of_the_new_bytes() {
        let mut random = Random::new(2);
        for length in (0..300).chain([4096, 65_537, 1 << 20]) {
            let mut bytes = random.bytes(length + 22);
            let whole = crc32c(&bytes);
            let old = bytes[..22].to_vec();
            let new = random.bytes(22);
            bytes[..22].copy_from_slice(&new);
            assert_eq!(with_prefix_replaced(whole, &old, &new, length), crc32c(&bytes));
            let wrong = whole ^ 1;
            assert_ne!(with_prefix_replaced(wrong, &old, &new, length), crc32c(&bytes));
        }
    }
}
