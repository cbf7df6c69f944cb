//! Records out of delimited text, one at a time, each field with its line and column.
//!
//! Reads what `Export-Csv` and a re-save in Excel write: quoted and bare fields, doubled quotes, line ends inside quotes, `#TYPE` and `sep=`
//! lines, comma, semicolon or tab. One pass, memory of one record.

use std::io;

use super::decode::{Decoder, Position};
use crate::base::limits::{INVENTORY_CELL_MAX, INVENTORY_COLUMNS_MAX};

/// One record. Fields of CLIXML may be lists; those of delimited text never are.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    fields: Vec<Field>,
    lists: Vec<(usize, Vec<String>)>,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    from: usize,
    to: usize,
    at: Position,
}

impl Record {
    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.lists.clear();
    }

    /// How many fields it has.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The field's text without blanks around it; empty where there is no such field.
    pub(super) fn text(&self, field: usize) -> &str {
        self.fields
            .get(field)
            .map_or("", |f| self.text[f.from..f.to].trim())
    }

    /// The field's values, where it came as a list.
    pub(super) fn list(&self, field: usize) -> Option<&[String]> {
        let (_, list) = self.lists.iter().find(|(at, _)| *at == field)?;
        Some(list)
    }

    /// Where the field begins; the record's begin where there is no such field.
    pub(super) fn at(&self, field: usize) -> Position {
        let field = self.fields.get(field).or(self.fields.first());
        field.map_or(Position::START, |f| f.at)
    }

    /// Appends a field.
    pub(super) fn push(&mut self, text: &str, at: Position) {
        let from = self.text.len();
        self.text.push_str(text);
        let to = self.text.len();
        self.fields.push(Field { from, to, at });
    }

    /// Appends a field that is a list.
    pub(super) fn push_list(&mut self, list: Vec<String>, at: Position) {
        self.lists.push((self.fields.len(), list));
        self.push("", at);
    }

    /// True where nothing is in it.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty() && self.lists.is_empty()
    }
}

/// Why the text stops being records.
#[derive(Debug)]
pub(super) enum SheetFault {
    /// Reading failed.
    Io(io::Error),
    /// A quote that opens here never closes.
    OpenQuote(Position),
    /// A field or a record is larger than any honest one.
    TooLarge(Position),
}

impl From<io::Error> for SheetFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Delimited text that is read record by record.
#[derive(Debug)]
pub(super) struct Sheet<'d, 'r> {
    decoder: &'d mut Decoder<'r>,
    here: Position,
    delimiter: u8,
    type_name: Option<String>,
    /// Where a closing quote was followed by more text, in the record read last.
    stray: Option<Position>,
}

/// Where the reader stands inside a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Before the first character of a field.
    Fresh,
    Bare,
    Quoted,
    /// After a quote inside a quoted field: it closes, or is one of two.
    Closing,
}

impl<'d, 'r> Sheet<'d, 'r> {
    /// Skips what Excel and PowerShell write before the header, and finds the delimiter.
    pub(super) fn new(decoder: &'d mut Decoder<'r>) -> Result<Self, SheetFault> {
        let mut sheet = Self {
            decoder,
            here: Position::START,
            delimiter: b',',
            type_name: None,
            stray: None,
        };
        let mut said = None;
        loop {
            let text = sheet.decoder.text();
            if text.starts_with(['\r', '\n']) {
                sheet.take(1);
            } else if let Some(rest) = text.strip_prefix("#TYPE") {
                let name: String = rest
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .chars()
                    .take(200)
                    .collect();
                sheet.type_name = Some(name);
                sheet.skip_line()?;
            } else if text.len() > 5
                && text
                    .get(..4)
                    .is_some_and(|s| s.eq_ignore_ascii_case("sep="))
            {
                said = Some(text.as_bytes()[4]);
                sheet.skip_line()?;
            } else {
                break;
            }
            if !sheet.decoder.more()? {
                break;
            }
        }
        sheet.delimiter = match said {
            Some(c @ (b',' | b';' | b'\t')) => c,
            _ => delimiter_of(sheet.decoder.text()),
        };
        Ok(sheet)
    }

    /// The delimiter.
    pub(super) fn delimiter(&self) -> char {
        char::from(self.delimiter)
    }

    /// What stood behind `#TYPE`.
    pub(super) fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// Where text followed a closing quote in the record read last.
    pub(super) fn stray(&self) -> Option<Position> {
        self.stray
    }

    /// The decoder, for its encoding and what it found odd.
    pub(super) fn decoder(&self) -> &Decoder<'r> {
        self.decoder
    }

    fn take(&mut self, n: usize) {
        self.here.over(&self.decoder.text().as_bytes()[..n]);
        self.decoder.advance(n);
    }

    fn skip_line(&mut self) -> Result<(), SheetFault> {
        loop {
            let text = self.decoder.text();
            if let Some(at) = text.find('\n') {
                self.take(at + 1);
                return Ok(());
            }
            self.take(text.len());
            if !self.decoder.more()? {
                return Ok(());
            }
        }
    }

    /// Reads the next record; false at the end.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, SheetFault> {
        record.clear();
        self.stray = None;
        let (mut inside, mut from, mut began) = (Inside::Fresh, 0, self.here);
        loop {
            if !self.decoder.more()? {
                if inside == Inside::Quoted {
                    return Err(SheetFault::OpenQuote(began));
                }
                let more = inside != Inside::Fresh || !record.fields.is_empty();
                if more {
                    record.end_field(from, began);
                }
                return Ok(more);
            }
            if inside == Inside::Fresh {
                began = self.here;
            }
            let text = self.decoder.text();
            let bytes = text.as_bytes();
            // What needs no thought, in one step.
            let plain = match inside {
                Inside::Quoted => bytes.iter().position(|b| *b == b'"'),
                Inside::Bare => bytes
                    .iter()
                    .position(|b| *b == self.delimiter || matches!(b, b'\r' | b'\n')),
                Inside::Fresh | Inside::Closing => Some(0),
            }
            .unwrap_or(bytes.len());
            if plain > 0 {
                if record.text.len() - from + plain > INVENTORY_CELL_MAX {
                    return Err(SheetFault::TooLarge(began));
                }
                record.text.push_str(&text[..plain]);
                self.take(plain);
                continue;
            }
            let byte = bytes[0];
            match (inside, byte) {
                (Inside::Fresh, b'"') => inside = Inside::Quoted,
                (Inside::Quoted, _) => inside = Inside::Closing,
                (Inside::Closing, b'"') => {
                    record.text.push('"');
                    inside = Inside::Quoted;
                }
                (_, b'\r') => {}
                (_, b'\n') => {
                    record.end_field(from, began);
                    self.take(1);
                    return Ok(true);
                }
                (_, b) if b == self.delimiter => {
                    record.end_field(from, began);
                    if record.len() >= INVENTORY_COLUMNS_MAX {
                        return Err(SheetFault::TooLarge(began));
                    }
                    from = record.text.len();
                    inside = Inside::Fresh;
                }
                // A blank between quote and delimiter is what some editors leave.
                (Inside::Closing, b' ') => {}
                (Inside::Fresh | Inside::Closing | Inside::Bare, _) => {
                    if inside == Inside::Closing {
                        self.stray.get_or_insert(self.here);
                    }
                    inside = Inside::Bare;
                    continue;
                }
            }
            self.take(1);
        }
    }
}

impl Record {
    fn end_field(&mut self, from: usize, at: Position) {
        let to = self.text.len();
        self.fields.push(Field { from, to, at });
    }
}

/// The candidate that stands most often in the first line outside of quotes; a comma where none does.
fn delimiter_of(text: &str) -> u8 {
    let mut counts = [(b'\t', 0_usize), (b';', 0), (b',', 0)];
    let mut quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if !quoted => {
                for (candidate, count) in &mut counts {
                    *count += usize::from(*candidate == byte);
                }
            }
            _ => {}
        }
    }
    // The last of equals wins: the comma.
    counts
        .into_iter()
        .max_by_key(|(_, n)| *n)
        .map_or(b',', |(c, _)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, line, column.
    type Cell = (String, u32, u32);

    fn all(bytes: &[u8]) -> Result<Vec<Vec<Cell>>, SheetFault> {
        let mut input = bytes;
        let mut decoder = Decoder::new(&mut input)?;
        let mut sheet = Sheet::new(&mut decoder)?;
        let mut record = Record::default();
        let mut out = Vec::new();
        while sheet.next(&mut record)? {
            if record.is_blank() {
                continue;
            }
            let cell = |at: usize| {
                let place = record.at(at);
                (record.text(at).to_owned(), place.line, place.column)
            };
            out.push((0..record.len()).map(cell).collect());
        }
        Ok(out)
    }

    fn words(text: &str) -> Vec<Vec<String>> {
        let rows = all(text.as_bytes()).expect("readable");
        rows.into_iter()
            .map(|row| row.into_iter().map(|(text, _, _)| text).collect())
            .collect()
    }

    #[test]
    fn quotes_line_ends_and_delimiters_are_understood() {
        let want = vec![vec!["a", "b"], vec!["1,\r\n\"x\"", "2"], vec!["3", ""]];
        for text in [
            "a,b\n\"1,\r\n\"\"x\"\"\",2\n3,\n",
            "#TYPE System.Object\r\n\"a\",\"b\"\r\n\"1,\r\n\"\"x\"\"\",\"2\"\r\n\r\n3,",
            "sep=;\na;b\n\"1,\r\n\"\"x\"\"\" ; 2\n3;\"\"",
            "\n\na\tb\n\"1,\r\n\"\"x\"\"\"\t2\n3\t",
        ] {
            assert_eq!(words(text), want, "{text:?}");
        }
        assert_eq!(words(""), Vec::<Vec<String>>::new());
        assert_eq!(words("\"a;b;c;d\",e"), [["a;b;c;d", "e"]]);
    }

    #[test]
    fn every_field_knows_its_line_and_column() {
        let rows = all("ä,b\n\"x\ny\",z\n".as_bytes()).expect("readable");
        let places: Vec<(u32, u32)> = rows.concat().iter().map(|(_, l, c)| (*l, *c)).collect();
        assert_eq!(places, [(1, 1), (1, 3), (2, 1), (3, 4)]);
    }

    #[test]
    fn a_quote_that_never_closes_is_found_where_it_opens() {
        let fault = all(b"a,b\n1,\"2\n3,4\n").expect_err("open quote");
        assert!(
            matches!(
                fault,
                SheetFault::OpenQuote(Position { line: 2, column: 3 })
            ),
            "{fault:?}"
        );
        let long = format!("a\n\"{}\"\n", "x".repeat(INVENTORY_CELL_MAX + 1));
        let fault = all(long.as_bytes()).expect_err("too large");
        assert!(matches!(fault, SheetFault::TooLarge(_)), "{fault:?}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_quoted_comes_back(
            rows in proptest::collection::vec(
                proptest::collection::vec("[a-zäé,;\t\"\r\n ]{0,6}x", 3), 1..6),
        ) {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
            let text = format!("\"h,1\",h2,h3\n{}", rows.iter().map(line).collect::<String>());
            let trimmed: Vec<Vec<String>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.trim().to_owned()).collect())
                .collect();
            proptest::prop_assert_eq!(&words(&text)[1..], &trimmed[..]);
        }
    }
}
