//! Plain text tables: the first column to the left, numbers to the right.

/// A cell as a terminal may show it: folder names can hold control characters, and those can hold commands to the terminal.
pub fn plain(cell: &str) -> String {
    let harmless = |c: char| {
        !c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    cell.chars()
        .map(|c| if harmless(c) { c } else { '\u{FFFD}' })
        .collect()
}

/// Renders rows under headers, two blanks apart. The first `left` columns are left-aligned.
pub fn render(headers: &[&str], left: usize, rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .chain([headers[at].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let mut out = String::new();
    let mut line = |cells: &[&str]| {
        let mut text = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[at].saturating_sub(cell.chars().count()));
            if at > 0 {
                text.push_str("  ");
            }
            if at < left {
                text.push_str(cell);
                text.push_str(&pad);
            } else {
                text.push_str(&pad);
                text.push_str(cell);
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(headers);
    for row in &rows {
        let mut cells: Vec<&str> = row.iter().map(String::as_str).collect();
        cells.resize(headers.len(), "");
        line(&cells);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let rows = vec![
            vec!["é".to_owned(), "1".to_owned(), "x".to_owned()],
            vec!["long name".to_owned(), "1,000".to_owned()],
            vec!["\u{1b}[2Jgone\n".to_owned(), "1".to_owned()],
        ];
        insta::assert_snapshot!(render(&["name", "items", "why"], 1, &rows), @r#"
        name       items  why
        é              1    x
        long name  1,000
        �[2Jgone�      1
        "#);
    }
}
