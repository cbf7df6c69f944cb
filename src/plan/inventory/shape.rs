//! What a file is by its first characters: a table, CLIXML, or something nobody can read back.

/// What the text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Delimited text.
    Table,
    /// Objects.
    Clixml,
    /// Refused for this reason.
    Other(&'static str),
}

/// How much of a file is looked at.
const LOOK: usize = 8_192;

/// Looks at the beginning of a file.
pub(super) fn shape_of(text: &str) -> Shape {
    let mut end = text.len().min(LOOK);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let start = text[..end].trim_start();
    let lower = start.get(..64).unwrap_or(start).to_ascii_lowercase();
    if start.is_empty() {
        Shape::Other("the file is empty")
    } else if start.starts_with("PK\u{3}\u{4}") {
        Shape::Other("an Excel workbook or another archive; save it as CSV UTF-8")
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        Shape::Other("a web page, not an export")
    } else if start.starts_with('<') {
        if start.contains("<Objs") {
            Shape::Clixml
        } else {
            Shape::Other("XML that is not CLIXML")
        }
    } else if start.starts_with(['{', '[']) {
        Shape::Other("JSON; no export of mailboxes is written as JSON")
    } else {
        screen(start)
    }
}

/// Tells text printed for a screen from a table.
fn screen(text: &str) -> Shape {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or_default();
    let ruled = |line: &str| {
        let line = line.trim();
        line.contains("--") && line.chars().all(|c| c == '-' || c == ' ')
    };
    if ruled(second) {
        return Shape::Other(
            "a table printed for the screen (Format-Table); its columns are cut and cannot be read back",
        );
    }
    let pair = |line: &str| {
        let name = line.split(" : ").next().unwrap_or_default().trim_end();
        let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        word && (line.contains(" : ") || line.trim_end().ends_with(" :"))
    };
    if pair(first) && (second.is_empty() || pair(second) || second.starts_with(' ')) {
        return Shape::Other(
            "a list printed for the screen (Format-List); its values are cut and cannot be read back",
        );
    }
    Shape::Table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_printed_for_a_screen_is_told_from_a_table() {
        let other = |text: &str, word: &str| match shape_of(text) {
            Shape::Other(reason) => assert!(reason.contains(word), "{text}: {reason}"),
            shape => panic!("{text}: {shape:?}"),
        };
        other("", "empty");
        other(" \r\n", "empty");
        other(
            "\r\n\r\nRunspaceId          : 1a\r\nDisplayName         : Anna\r\n",
            "Format-List",
        );
        other(
            "Name  Alias\r\n----  -----\r\nAnna  anna\r\n",
            "Format-Table",
        );
        other("PK\u{3}\u{4}...", "Excel");
        other("<!DOCTYPE html><html>", "web page");
        other("<xml/>", "not CLIXML");
        other("{\"a\":1}", "JSON");
        assert_eq!(shape_of("<Objs Version=\"1.1.0.1\">"), Shape::Clixml);
        for table in [
            "a,b\n1,2\n",
            "\"Name\"\r\n\"Anna : x\"\r\n",
            "EmailAddress\r\na@x.example\r\n",
            "#TYPE System.Object\r\n\"a\"\r\n",
            "a\n",
        ] {
            assert_eq!(shape_of(table), Shape::Table, "{table}");
        }
    }
}
