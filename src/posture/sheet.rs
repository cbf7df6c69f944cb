//! Delimited text from outside: bytes to rows with their lines, or the line and the reason why not.

use csv::{ReaderBuilder, Trim};
use jiff::Timestamp;
use jiff::civil::Date;
use thiserror::Error;

/// The largest file that is read: antivirus exports of years are a few megabytes.
pub const FILE_MAX: u64 = 64_000_000;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{line}: {reason}")]
pub struct Fault {
    /// Line, from 1.
    pub line: u64,
    /// What is wrong. Repeats no cell.
    pub reason: String,
}

impl Fault {
    /// A fault at a line.
    pub fn at(line: u64, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
        }
    }
}

/// The text of a file: UTF-8 or UTF-16 by its mark, else UTF-8, else one byte a character (windows-1252 without its 27 extras).
pub fn decode(bytes: &[u8]) -> Result<String, Fault> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        if !bytes.len().is_multiple_of(2) {
            return Err(Fault::at(1, "UTF-16 with half a character at its end"));
        }
        let units = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| Fault::at(1, "broken UTF-16"))
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => std::str::from_utf8(rest)
            .map(str::to_owned)
            .map_err(|_| Fault::at(1, "marked as UTF-8, and is not")),
        _ if bytes.contains(&0) => Err(Fault::at(1, "a NUL byte: this is no text file")),
        _ => Ok(std::str::from_utf8(bytes).map_or_else(
            |_| bytes.iter().map(|byte| char::from(*byte)).collect(),
            str::to_owned,
        )),
    }
}

/// Rows under a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Column names, lower case, without blanks and underscores.
    header: Vec<String>,
    /// Line and cells of each row.
    rows: Vec<(u64, Vec<String>)>,
    /// What a `# as of` line says.
    pub as_of: Option<Date>,
}

/// One row of a sheet.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    sheet: &'a Sheet,
    /// Its line, from 1.
    pub line: u64,
    cells: &'a [String],
}

impl Row<'_> {
    /// The cell of the first of these columns that is there; empty where none is.
    pub fn get(&self, names: &[&str]) -> &str {
        self.sheet
            .column(names)
            .map_or("", |at| self.cells.get(at).map_or("", |cell| cell.trim()))
    }

    /// A cell that must hold something.
    pub fn must(&self, name: &str) -> Result<&str, Fault> {
        let cell = self.get(&[&plain(name)]);
        if cell.is_empty() {
            return Err(Fault::at(self.line, format!("`{name}` is empty")));
        }
        Ok(cell)
    }

    /// A date `YYYY-MM-DD` that must be there.
    pub fn day(&self, name: &str) -> Result<Date, Fault> {
        let cell = self.must(name)?;
        cell.parse()
            .map_err(|_| Fault::at(self.line, format!("`{name}` is no date like 2026-10-15")))
    }

    /// A date `YYYY-MM-DD`, or nothing.
    pub fn maybe_day(&self, name: &str) -> Result<Option<Date>, Fault> {
        if self.get(&[&plain(name)]).is_empty() {
            return Ok(None);
        }
        self.day(name).map(Some)
    }
}

/// A column name as it is compared.
pub fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

impl Sheet {
    /// Reads delimited text with a header. Lines that begin with `#` are comments.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let head = text
            .lines()
            .find(|line| !line.starts_with('#') && !line.trim().is_empty());
        let head = head.ok_or_else(|| Fault::at(1, "the file is empty"))?;
        let count = |delimiter: u8| head.bytes().filter(|b| *b == delimiter).count();
        let delimiter = [b',', b';', b'\t']
            .into_iter()
            .max_by_key(|d| (count(*d), *d == b','))
            .unwrap_or(b',');
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .comment(Some(b'#'))
            .trim(Trim::Headers)
            .from_reader(text.as_bytes());
        let named = reader.headers().map_err(|e| broken(&e))?;
        let header: Vec<String> = named.iter().map(plain).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| broken(&e))?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, record.iter().map(str::to_owned).collect()));
        }
        let stated = text.lines().take_while(|line| line.starts_with('#'));
        let as_of = stated
            .filter_map(|line| line.strip_prefix("# as of "))
            .find_map(|rest| rest.trim().parse().ok());
        Ok(Self {
            header,
            rows,
            as_of,
        })
    }

    fn column(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.header.iter().position(|own| own == name))
    }

    /// True when one of these columns is there.
    pub fn has(&self, names: &[&str]) -> bool {
        self.column(names).is_some()
    }

    /// Refuses a sheet that lacks a column.
    pub fn require(&self, names: &[&str]) -> Result<(), Fault> {
        match names.iter().find(|name| !self.has(&[&plain(name)])) {
            Some(name) => Err(Fault::at(1, format!("no column `{name}`"))),
            None => Ok(()),
        }
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, cells)| Row {
            sheet: self,
            line: *line,
            cells,
        })
    }
}

fn broken(error: &csv::Error) -> Fault {
    let line = error.position().map_or(1, csv::Position::line);
    Fault::at(
        line,
        "another number of cells than the header has, or not text",
    )
}

/// A date as exports write it: ISO, `/Date(ms)/`, American with AM or PM, or with dots. Where day and month could be either, nothing: a wrong date
/// would move a detection out of the window it belongs to.
pub fn loose_date(text: &str) -> Option<Date> {
    let text = text.trim();
    if let Some(ms) = text
        .strip_prefix("/Date(")
        .and_then(|rest| rest.strip_suffix(")/"))
    {
        let at = Timestamp::from_millisecond(ms.parse().ok()?).ok()?;
        return Some(at.to_zoned(jiff::tz::TimeZone::UTC).date());
    }
    let first = text.split([' ', 'T']).next()?;
    if let Ok(day) = first.parse::<Date>() {
        return Some(day);
    }
    let dotted = first.contains('.');
    let parts: Vec<i16> = first
        .split(['/', '.', '-'])
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [a, b, year] = parts.as_slice() else {
        return None;
    };
    let year = if *year < 100 { 2000 + year } else { *year };
    let upper = text.to_ascii_uppercase();
    let american = upper.ends_with("AM") || upper.ends_with("PM");
    let (day, month) = match (dotted, american, *a > 12, *b > 12) {
        (true, ..) | (_, false, true, false) => (*a, *b),
        (false, true, ..) | (_, _, false, true) => (*b, *a),
        _ if a == b => (*a, *b),
        _ => return None,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_certain_form_and_no_other() {
        let want = jiff::civil::date(2021, 8, 14);
        for text in [
            "2021-08-14",
            "2021-08-14T03:12:09.123Z",
            "/Date(1628910729000)/",
            "8/14/2021 3:12:09 AM",
            "14.08.2021 03:12:09",
            "14/08/2021 03:12",
        ] {
            assert_eq!(loose_date(text), Some(want), "{text}");
        }
        for text in [
            "",
            "08/09/2021 03:12",
            "yesterday",
            "2021-13-40",
            "/Date(x)/",
        ] {
            assert_eq!(loose_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_broken_row_is_named_by_its_line() {
        let fault = Sheet::parse("a,b\n1,2\n1,2,3\n").expect_err("three cells");
        assert_eq!(fault.line, 3);
        let sheet = Sheet::parse("# as of 2026-10-15\nA_b;c\n1;2\n").expect("fine");
        assert_eq!(sheet.as_of, Some(jiff::civil::date(2026, 10, 15)));
        assert_eq!(sheet.rows().next().expect("a row").get(&["ab"]), "1");
    }

    #[test]
    fn text_is_decoded_by_its_mark() {
        assert_eq!(decode(&[0xFF, 0xFE, b'a', 0]), Ok("a".to_owned()));
        assert!(decode(&[0xFF, 0xFE, b'a']).is_err());
        assert!(decode(b"a\0b").is_err());
        assert_eq!(decode(b"\xe9"), Ok("\u{e9}".to_owned()));
    }
}
