//! Text for HTML pages: nothing a mailbox holds can become markup or change how a line reads.

/// Text for element content and for quoted attributes. Control characters, which folder names may hold, are shown as symbols.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Direction marks could make a path read as another one.
            '\u{061C}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' => out.push('\u{FFFD}'),
            c if c.is_control() => {
                let shown = char::from_u32(0x2400 + u32::from(c)).filter(|_| u32::from(c) < 0x20);
                out.push(shown.unwrap_or('\u{FFFD}'));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_and_direction_marks_are_shown_and_not_obeyed() {
        assert_eq!(escape("a\u{1}\u{202E}\u{7f}"), "a\u{2401}\u{FFFD}\u{FFFD}");
        assert_eq!(
            escape("<a href='x'>&\""),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in any::<String>()) {
            let shown = escape(&text);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            prop_assert!(!shown.chars().any(char::is_control));
            // Every ampersand begins one of ours, so nothing is decoded into something else.
            for part in shown.split('&').skip(1) {
                prop_assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|own| part.starts_with(own)), "{}", shown);
            }
        }
    }
}
