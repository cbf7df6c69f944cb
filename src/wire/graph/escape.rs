//! Percent-encoding of path segments and query values, and its reverse.

/// Encodes one path segment. `:`, `@` and `=` stay as they are: mailbox ids are documented raw (reference/graph.md 1.3).
pub fn segment(text: &str) -> String {
    escape(text, b"-._~:@!$'()*,;=")
}

/// Encodes the value of a query parameter.
pub fn query_value(text: &str) -> String {
    escape(text, b"-._~:@!$'()*,;/")
}

fn escape(text: &str, plain: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// Decodes a path segment. `None` for a broken escape or bytes that are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    unescape(text, false)
}

/// Decodes a query value or form field, where `+` is a blank.
pub fn decode_form(text: &str) -> Option<String> {
    unescape(text, true)
}

fn unescape(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus_is_blank => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Splits `a=b&c=d` and decodes both sides. `None` when any part is broken.
pub fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode_form(name)?, decode_form(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "%ff", "a%2"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("MBX:e0%40+%2F"), Some("MBX:e0@+/".to_owned()));
        assert_eq!(decode_form("a+b%2B"), Some("a b+".to_owned()));
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in ".*") {
            let path = segment(&text);
            prop_assert!(!path.contains(['/', '?', '#', '%', ' ']) || path.contains('%'));
            prop_assert_eq!(decode(&path), Some(text.clone()));
            prop_assert_eq!(decode_form(&query_value(&text)), Some(text));
        }

        #[test]
        fn any_text_decodes_or_is_refused(text in ".*") {
            let _ = (decode(&text), decode_form(&text), pairs(&text));
        }
    }
}
