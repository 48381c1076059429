//! Java's properties files, as far as people write them: `java.util.Properties` says how.

/// One entry of a properties file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    /// The line that it begins on, from 1.
    pub(crate) line: usize,
    /// What stands before the separator.
    pub(crate) key: String,
    /// What stands behind it; nothing where there is no separator.
    pub(crate) value: Option<String>,
}

/// Every entry of the text. Comments begin with `#` or `!`; a `\` at the end of a line joins the
/// next one; `=`, `:` or white space separates key and value; `\` escapes.
pub(crate) fn entries(text: &str) -> Vec<Property> {
    let mut lines = text.lines().enumerate();
    let mut entries = Vec::new();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut joined = line.to_string();
        while goes_on(&joined) {
            joined.pop();
            let Some((_, next)) = lines.next() else { break };
            joined += next.trim_start();
        }
        entries.push(entry(index + 1, joined.trim_end()));
    }
    entries
}

/// Whether the line ends with a `\` that is not itself escaped.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn entry(line: usize, text: &str) -> Property {
    let separator = |c: char| c == '=' || c == ':' || c.is_whitespace();
    let mut escaped = false;
    let end = text.find(|c: char| {
        let ends = !escaped && separator(c);
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return Property { line, key: unescape(text), value: None } };
    let rest = text[end..].trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    Property { line, key: unescape(&text[..end]), value: Some(unescape(rest.trim_start())) }
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                let unit = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(unit.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, Option<String>)> {
        entries(text).into_iter().map(|p| (p.line, p.key, p.value)).collect()
    }

    #[test]
    fn every_separator_of_java_is_taken() {
        for text in ["a=b", "a = b", "a:b", "a b", "  a\t=  b  ", "a : b"] {
            assert_eq!(pairs(text), [(1, "a".into(), Some("b".into()))], "of {text:?}");
        }
        assert_eq!(pairs("a="), [(1, "a".into(), Some(String::new()))]);
        assert_eq!(pairs("a"), [(1, "a".into(), None)]);
        assert_eq!(pairs("a=b=c://d"), [(1, "a".into(), Some("b=c://d".into()))]);
    }

    #[test]
    fn a_line_that_ends_with_a_backslash_goes_on() {
        let text = "# no\\\nlisteners=A://:1,\\\n    B://:2\n! no\nx=1\\\\\ny=2\\";
        let expected = [
            (2, "listeners".to_string(), Some("A://:1,B://:2".to_string())),
            (5, "x".into(), Some("1\\".into())),
            (6, "y".into(), Some("2".into())),
        ];
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn escapes_mean_what_they_mean_in_java() {
        let text = r"a\:b\ c=\u0041\t\q\\";
        assert_eq!(pairs(text), [(1, "a:b c".into(), Some("A\tq\\".into()))]);
        assert_eq!(pairs(r"a=\ud800"), [(1, "a".into(), Some("\u{fffd}".into()))]);
    }
}
