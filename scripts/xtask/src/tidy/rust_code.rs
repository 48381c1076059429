//! Rust's text without its comments and literals, and the few questions that rules ask of it.

/// `text` with every comment and the inside of every literal blanked, byte for byte.
///
/// What is outside of them is ASCII afterwards, so that any byte index is a character boundary.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (kept, end) = token(bytes, at);
        for (index, &byte) in bytes[at..end].iter().enumerate() {
            let inside = index >= kept;
            let blank = (inside && byte != b'\n') || !byte.is_ascii();
            code.push(if blank { b' ' } else { byte });
        }
        at = end;
    }
    String::from_utf8(code).expect("every byte was made ASCII")
}

/// The token at `at`: how many of its bytes are code, and where it ends.
fn token(bytes: &[u8], at: usize) -> (usize, usize) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        return (0, at + length);
    }
    if rest.starts_with(b"/*") {
        return (0, at + block_comment_length(rest));
    }
    let after_word = at > 0 && is_word(bytes[at - 1]);
    if rest[0] == b'r' && (!after_word || raw_prefix_before(bytes, at)) {
        let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let opening = 2 + hashes;
            return (opening, at + raw_string_length(rest, opening, hashes));
        }
    }
    match rest[0] {
        b'"' => (1, at + quoted_length(rest, b'"')),
        b'\'' => match char_literal_length(rest) {
            Some(length) => (1, at + length),
            None => (1, at + 1),
        },
        _ => (1, at + 1),
    }
}

/// Whether the `r` at `at` follows the `b` or `c` of a raw byte or C string.
fn raw_prefix_before(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at - 1], b'b' | b'c') && (at < 2 || !is_word(bytes[at - 2]))
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[u8], opening: usize, hashes: usize) -> usize {
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    let body = &rest[opening..];
    let found = body.windows(closing.len()).position(|window| window == closing);
    found.map_or(rest.len(), |index| opening + index + closing.len())
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of the character literal that `rest` opens with, or nothing if it is a lifetime.
fn char_literal_length(rest: &[u8]) -> Option<usize> {
    let first = *rest.get(1)?;
    if first == b'\\' {
        return Some(quoted_length(rest, b'\''));
    }
    let width = match first {
        0x00..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// Whether `byte` may stand in an identifier.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Every place where `word` stands in `text` with no identifier byte directly before or after it.
pub fn word_positions(text: &str, word: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let starts_as_word = word.as_bytes().first().is_some_and(|&byte| is_word(byte));
    let ends_as_word = word.as_bytes().last().is_some_and(|&byte| is_word(byte));
    let whole = |&at: &usize| {
        let before = at.checked_sub(1).map(|index| bytes[index]);
        let after = bytes.get(at + word.len()).copied();
        let begun_before = starts_as_word && before.is_some_and(is_word);
        let goes_on = ends_as_word && after.is_some_and(is_word);
        !begun_before && !goes_on
    };
    text.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

/// The number, from 1, of the line that holds the byte `at`.
pub fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count()
}

/// The index just behind the bracket that closes the one at `open`; the end if nothing closes it.
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (index, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::{code_only, word_positions};

    #[test]
    fn comments_and_literals_are_blanked_and_lines_and_lifetimes_stay() {
        for (text, code) in [
            ("a // b {\nc", "a       \nc"),
            ("a /* x /* y */ z\n*/ b", "a               \n   b"),
            (r#"f("{ \" }", 1)"#, r#"f("       , 1)"#),
            (r##"r#"{ " "#; x"##, r##"r#"      ; x"##),
            (r#"br"{"; b'{'"#, r#"br"  ; b'  "#),
            ("'{' 'a '\\'' &'a str", "'   'a '    &'a str"),
            ("for x", "for x"),
            ("var\"é\"", "var\"   "),
        ] {
            assert_eq!(code_only(text), code, "of {text}");
        }
    }

    #[test]
    fn a_word_is_found_only_whole() {
        assert_eq!(word_positions("unsafe_code unsafe notunsafe", "unsafe"), [12]);
        assert_eq!(word_positions("a.unwrap() b.unwrap()", ".unwrap()"), [1, 12]);
    }
}
