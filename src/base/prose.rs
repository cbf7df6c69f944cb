//! A text without what a service may write in another way: markup, entities and white space.

/// The letters of a text. Of HTML those that are shown: no tags, comments, styles or scripts, and entities as what they stand for.
pub fn bare(text: &str, html: bool) -> String {
    let shown = if html { shown(text) } else { text.to_owned() };
    shown.chars().filter(|c| !is_blank(*c)).collect()
}

/// Whether it is not seen. A byte order mark and blanks of no width are as invisible as blanks.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200B}' | '\u{FEFF}')
}

/// What stands around the letters `head` where the shown letters of a text begin with them: before the first, and behind the last. `None` where they
/// do not.
pub fn around<'a>(text: &'a str, html: bool, head: &str) -> Option<(&'a str, &'a str)> {
    let mut wanted = head.chars().filter(|c| !is_blank(*c)).peekable();
    let (mut rest, mut begin) = (text, None);
    let mut letters = String::new();
    while wanted.peek().is_some() {
        let first = rest.chars().next()?;
        letters.clear();
        let after = match first {
            '&' if html => entity(rest, &mut letters),
            '<' if html => tag(rest, &mut letters),
            _ => {
                letters.push(first);
                &rest[first.len_utf8()..]
            }
        };
        for letter in letters.chars().filter(|c| !is_blank(*c)) {
            if wanted.next() != Some(letter) {
                return None;
            }
            begin.get_or_insert(text.len() - rest.len());
        }
        rest = after;
    }
    Some((&text[..begin.unwrap_or(0)], rest))
}

/// The text of HTML, with line ends where blocks end; other text as it is.
pub fn lines(text: &str, html: bool) -> String {
    if !html {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = match first {
            '&' => entity(rest, &mut out),
            '<' => {
                let after = tag(rest, &mut out);
                if breaks(rest) && !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
                after
            }
            // White space of the source is one blank.
            c if c.is_ascii_whitespace() => {
                if !out.is_empty() && !out.ends_with([' ', '\n']) {
                    out.push(' ');
                }
                &rest[1..]
            }
            c => {
                out.push(c);
                &rest[c.len_utf8()..]
            }
        };
        rest = after;
    }
    out.truncate(out.trim_end().len());
    out
}

/// Whether a line ends with the tag that begins here.
fn breaks(rest: &str) -> bool {
    let name: String = rest[1..]
        .chars()
        .take_while(|c| *c == '/' || c.is_ascii_alphanumeric())
        .collect::<String>()
        .to_ascii_lowercase();
    matches!(
        name.as_str(),
        "br" | "br/" | "hr" | "/p" | "/div" | "/li" | "/tr" | "/h1" | "/h2" | "/h3" | "/h4"
    )
}

/// Elements whose content is not shown.
const HIDDEN: [&str; 4] = ["style", "script", "title", "xml"];

fn shown(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('&') {
            entity(rest, &mut out)
        } else {
            tag(rest, &mut out)
        };
    }
    out.push_str(rest);
    out
}

/// What follows the tag that begins here; a `<` that begins none is a letter.
fn tag<'a>(rest: &'a str, out: &mut String) -> &'a str {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let inner = rest[1..]
        .strip_prefix(['/', '!', '?'])
        .unwrap_or(&rest[1..]);
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
        out.push('<');
        return &rest[1..];
    }
    let name: String = inner
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    let Some(end) = end_of_tag(rest) else {
        return "";
    };
    let after = &rest[end..];
    let opens = !rest.starts_with("</") && !rest[..end].ends_with("/>");
    if opens && HIDDEN.contains(&name.as_str()) {
        return after_element(after, &name);
    }
    after
}

/// Behind the `>` of a tag, which may hold others inside quotation marks.
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Behind the end of an element whose content is not shown.
fn after_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = rest[from..].find("</") {
        let end = &rest[from + at + 2..];
        let is_its = end
            .get(..name.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(name));
        if is_its {
            return end.find('>').map_or("", |close| &end[close + 1..]);
        }
        from += at + 2;
    }
    ""
}

/// The entities that mail holds; others stay as they are written, on both sides.
const ENTITIES: [(&str, &str); 9] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("shy", "\u{AD}"),
    ("zwnj", "\u{200C}"),
    ("euro", "\u{20AC}"),
];

/// What follows the entity that begins here; an `&` that begins none is a letter.
fn entity<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let end = rest.bytes().take(12).position(|byte| byte == b';');
    let name = end.and_then(|end| rest.get(1..end));
    let letter = name.and_then(|name| {
        let known = ENTITIES.iter().find(|(own, _)| *own == name);
        let number = || {
            let digits = name.strip_prefix('#')?;
            let hex = digits.strip_prefix(['x', 'X']);
            let n = match hex {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(n.ok()?).map(String::from)
        };
        known.map(|(_, text)| (*text).to_owned()).or_else(number)
    });
    if let (Some(letter), Some(end)) = (letter, end) {
        out.push_str(&letter);
        &rest[end + 1..]
    } else {
        out.push('&');
        &rest[1..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_shown_is_compared_and_nothing_else() {
        for (html, want) in [
            ("<p>He<b>ll</b>o&nbsp;you</p>\r\n<br/>", "Helloyou"),
            (
                "a &lt; b &amp; c &#8364; &#x20AC; &unknown; &",
                "a<b&c€€&unknown;&",
            ),
            (
                "<style>p { x: \"<\" }</STYLE>a<script src='>'>1</script>b",
                "ab",
            ),
            ("<!-- x > y -->a<!--", "a"),
            ("<a title=\"1 > 0\" href='x'>link</a>", "link"),
            ("1 < 2 <3 <>", "1<2<3<>"),
            ("<p", ""),
            ("<title>x</p>", ""),
            ("&#xD800;&#99999999999;", "&#xD800;&#99999999999;"),
            ("<o:p>&#160;</o:p>é\u{FEFF}", "é"),
        ] {
            assert_eq!(bare(html, true), want, "{html}");
        }
        assert_eq!(bare("a <b> &amp;\r\n c", false), "a<b>&amp;c");
    }

    #[test]
    fn letters_at_the_begin_are_found_whatever_stands_between_them() {
        let html = "<html><body class=x>\r\n<div><b>A</b> &amp;<br>b</div>c</body></html>";
        let (before, after) = around(html, true, "A & b").unwrap();
        assert_eq!(before, "<html><body class=x>\r\n<div><b>");
        assert_eq!(after, "</div>c</body></html>");
        assert_eq!(around("A & b\nc", false, "A&b"), Some(("", "\nc")));
        assert_eq!(around(html, true, "A & c"), None);
        assert_eq!(around("A", false, "AB"), None);
        assert_eq!(around("x", true, " "), Some(("", "x")));
    }

    #[test]
    fn html_becomes_lines() {
        assert_eq!(
            lines("<p>One &lt;\r\n  two</p>\n<p>three<br>four</p>", true),
            "One < two\nthree\nfour"
        );
        assert_eq!(lines("<p>", false), "<p>");
    }

    proptest! {
        #[test]
        fn lines_keep_the_letters(text in "[a-z<>&;/ pbr\n]{0,60}") {
            prop_assert_eq!(bare(&lines(&text, true), false), bare(&text, true));
        }

        #[test]
        fn what_is_around_letters_has_the_others(text in "[a-z<>&;/é \n]{0,60}", n in 0_usize..20) {
            let all = bare(&text, true);
            let head: String = all.chars().take(n).collect();
            let (_, after) = around(&text, true, &head).unwrap();
            prop_assert_eq!(format!("{head}{}", bare(after, true)), all);
        }

        #[test]
        fn any_text_is_taken(text in ".*", html: bool) {
            let once = bare(&text, html);
            prop_assert!(!once.contains(char::is_whitespace));
            prop_assert_eq!(bare(&once, false), once);
        }

        #[test]
        fn markup_like_text_is_taken(parts in proptest::collection::vec(prop_oneof![
            Just("<"), Just(">"), Just("&"), Just(";"), Just("#"), Just("x"), Just("</"), Just("<!--"), Just("-->"), Just("style"), Just("\""), Just("é"),
        ], 0..40)) {
            let _ = bare(&parts.concat(), true);
        }

        #[test]
        fn a_text_written_as_html_is_the_same_text(text in "[a-z<>&\" \n]{0,60}") {
            let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>\r\n");
            let html = format!("<html><head><meta charset=\"utf-8\"></head><body><div>{html}</div></body></html>");
            prop_assert_eq!(bare(&html, true), bare(&text, false));
        }
    }
}
