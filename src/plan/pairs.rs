//! Mailbox pairs out of a CSV file, as people and PowerShell write them.
//!
//! Read are a header `source,target`, the `Source Email,Destination Email` of migration tools, or one of `EmailAddress` and
//! `PrimarySmtpAddress` alone (the address stays the same on both sides). A file with passwords in it is refused: they belong nowhere.

use std::collections::BTreeMap;

use crate::base::id::MailboxId;
use crate::plan::address::fault_of_address;
use crate::plan::document::Pair;
use crate::plan::problem::Problem;

/// A list larger than this is not one of mailboxes: 300,000 rows take about 20 MB.
const FILE_MAX: usize = 32_000_000;

/// The fields of one record beyond which a file is no list of mailboxes.
const FIELDS_MAX: usize = 1_000;

/// What a CSV file of pairs holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// The pairs, in file order.
    pub pairs: Vec<Pair>,
    /// Columns that were not read, by header.
    pub ignored: Vec<String>,
}

/// Reads a CSV file, or says everything that is wrong with it. No reason repeats an address.
pub fn parse(bytes: &[u8]) -> Result<Pairs, Vec<Problem>> {
    if bytes.len() > FILE_MAX {
        return Err(vec![Problem::at(
            "",
            0,
            "the file is too large for a list of mailboxes",
        )]);
    }
    let text = decode(bytes).map_err(|problem| vec![problem])?;
    let mut sheet = Sheet::new(&text).map_err(|problem| vec![problem])?;
    let columns = sheet.columns()?;
    sheet.rows(columns)
}

/// The text of the file: UTF-8, or UTF-16 with its mark, as `Export-Csv -Encoding Unicode` writes it.
fn decode(bytes: &[u8]) -> Result<String, Problem> {
    let utf16 = |read: fn([u8; 2]) -> u16| {
        let units = bytes[2..]
            .chunks_exact(2)
            .map(|pair| read([pair[0], pair[1]]));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| Problem::at("", 0, "the file is not readable as UTF-16"))
    };
    match bytes {
        [0xFF, 0xFE, ..] => utf16(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => utf16(u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|error| {
                    let good = std::str::from_utf8(&bytes[..error.valid_up_to()]);
                    let good = good.unwrap_or_default();
                    let reason = "the file is not UTF-8 from here; save it as UTF-8";
                    Problem::at(good, good.len(), reason)
                })
        }
    }
}

/// Where the two addresses stand.
#[derive(Clone, Copy)]
struct Columns {
    source: usize,
    target: usize,
    width: usize,
}

/// A CSV text with its delimiter.
struct Sheet<'a> {
    text: &'a str,
    /// Where the records begin, after a `#TYPE` line of PowerShell.
    start: usize,
    delimiter: u8,
    headers: Vec<String>,
    ignored: Vec<String>,
}

impl<'a> Sheet<'a> {
    fn new(text: &'a str) -> Result<Self, Problem> {
        let mut start = 0;
        let line_end = |from: usize| {
            text[from..]
                .find('\n')
                .map_or(text.len(), |at| from + at + 1)
        };
        if text.starts_with("#TYPE") {
            start = line_end(0);
        }
        let header = &text[start..line_end(start)];
        if header.trim().is_empty() {
            return Err(Problem::at(
                text,
                start,
                "the file has no header; write `source,target` into its first line",
            ));
        }
        // The one that is there most often; a comma where none is.
        let count = |c: u8| header.bytes().filter(|b| *b == c).count();
        let delimiter = [b',', b';', b'\t']
            .into_iter()
            .rev()
            .max_by_key(|c| count(*c))
            .unwrap_or(b',');
        Ok(Self {
            text,
            start,
            delimiter,
            headers: Vec::new(),
            ignored: Vec::new(),
        })
    }

    fn reader(&self) -> csv::Reader<&'a [u8]> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(&self.text.as_bytes()[self.start..])
    }

    /// The place of a field: its record begins at byte `record`, counted from `start`.
    fn place(&self, record: usize, field: usize) -> usize {
        let bytes = self.text.as_bytes();
        let (mut at, mut left, mut quoted) = (self.start + record, field, false);
        // The reader's position is where it stopped before; line ends and blank lines lie between.
        while bytes.get(at).is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            at += 1;
        }
        while left > 0 && at < bytes.len() {
            match bytes[at] {
                b'"' => quoted = !quoted,
                b if b == self.delimiter && !quoted => left -= 1,
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn problem(&self, record: usize, field: usize, reason: impl Into<String>) -> Problem {
        Problem::at(self.text, self.place(record, field), reason)
    }

    /// Refuses columns of passwords, each by its place.
    fn refuse_secrets(&self, plain: &[String]) -> Result<(), Vec<Problem>> {
        const WORDS: [&str; 4] = ["password", "passwd", "pwd", "secret"];
        let secrets: Vec<Problem> = (0..plain.len())
            .filter(|at| WORDS.iter().any(|word| plain[*at].contains(word)))
            .map(|at| {
                self.problem(
                    0,
                    at,
                    "the file has a column of passwords; mailferry needs none of its users: delete the column, and the file's other copies",
                )
            })
            .collect();
        if secrets.is_empty() {
            Ok(())
        } else {
            Err(secrets)
        }
    }

    /// Reads the header.
    fn columns(&mut self) -> Result<Columns, Vec<Problem>> {
        let first = self.reader().into_records().next();
        let Some(Ok(record)) = first else {
            return Err(vec![self.problem(0, 0, "the header is not readable")]);
        };
        if record.len() > FIELDS_MAX {
            return Err(vec![self.problem(0, 0, "the file has too many columns")]);
        }
        self.headers = record.iter().map(|name| name.trim().to_owned()).collect();
        let plain: Vec<String> = self.headers.iter().map(|name| squeeze(name)).collect();
        self.refuse_secrets(&plain)?;
        let find = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| plain.iter().position(|header| header == name))
        };
        let source = find(&["source", "sourceemail", "sourcemailbox", "sourceaddress"]);
        let target = find(&[
            "target",
            "destination",
            "targetemail",
            "destinationemail",
            "targetmailbox",
            "targetaddress",
        ]);
        let both = find(&["primarysmtpaddress", "emailaddress"]);
        let (source, target) = match (source, target, both) {
            (Some(source), Some(target), _) => (source, target),
            (None, None, Some(both)) => (both, both),
            (Some(_), None, _) => {
                return Err(vec![self.problem(
                    0,
                    0,
                    "the header has a source column and no target column",
                )]);
            }
            (None, Some(_), _) => {
                return Err(vec![self.problem(
                    0,
                    0,
                    "the header has a target column and no source column",
                )]);
            }
            (None, None, None) => {
                return Err(vec![self.problem(
                    0,
                    0,
                    "the header names no mailboxes; known are `source,target`, `Source Email,Destination Email`, `EmailAddress`, `PrimarySmtpAddress`",
                )]);
            }
        };
        self.ignored = self
            .headers
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != source && *at != target)
            .map(|(_, name)| name.clone())
            .collect();
        Ok(Columns {
            source,
            target,
            width: self.headers.len(),
        })
    }

    /// Reads the records after the header.
    fn rows(self, columns: Columns) -> Result<Pairs, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut pairs = Vec::new();
        let mut seen = [BTreeMap::new(), BTreeMap::new()];
        let mut reader = self.reader();
        let mut record = csv::StringRecord::new();
        let mut header = true;
        loop {
            let at = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    problems.push(self.problem(at, 0, "the row is not readable"));
                    break;
                }
            }
            if std::mem::take(&mut header) || record.iter().all(|field| field.trim().is_empty()) {
                continue;
            }
            if record.len() != columns.width {
                let reason = format!(
                    "the row has {} fields, the header {}",
                    record.len(),
                    columns.width
                );
                problems.push(self.problem(at, 0, reason));
                continue;
            }
            let before = problems.len();
            let sides = [columns.source, columns.target];
            let checked = if columns.source == columns.target {
                1
            } else {
                2
            };
            for side in 0..checked {
                let field = sides[side];
                let address = record[field].trim();
                let name = &self.headers[field];
                if let Some(reason) = fault_of_address(address) {
                    problems.push(self.problem(at, field, format!("{name}: {reason}")));
                } else if let Some(line) = seen[side].get(&address.to_lowercase()) {
                    let reason = format!("{name}: this mailbox stands in line {line} already");
                    problems.push(self.problem(at, field, reason));
                } else {
                    let line = self.problem(at, field, "").line;
                    seen[side].insert(address.to_lowercase(), line);
                }
            }
            if problems.len() == before {
                pairs.push(Pair::new(
                    MailboxId::new(record[columns.source].trim()),
                    MailboxId::new(record[columns.target].trim()),
                ));
            }
        }
        if pairs.is_empty() && problems.is_empty() {
            problems.push(self.problem(0, 0, "the file names no mailbox"));
        }
        if problems.is_empty() {
            Ok(Pairs {
                pairs,
                ignored: self.ignored,
            })
        } else {
            Err(problems)
        }
    }
}

/// A header as it is compared: lower case, without blanks, dashes and underscores.
fn squeeze(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text.as_bytes()) {
            Ok(pairs) => {
                let mut out: Vec<String> = pairs
                    .pairs
                    .iter()
                    .map(|pair| format!("{} -> {}", pair.source.reveal(), pair.target.reveal()))
                    .collect();
                if !pairs.ignored.is_empty() {
                    out.push(format!("ignored {}", pairs.ignored.join(", ")));
                }
                out.join("\n")
            }
            Err(problems) => problems
                .iter()
                .map(|problem| problem.in_file("p.csv"))
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    #[test]
    fn the_usual_headers_are_understood() {
        let same = "a@x.example -> b@y.example";
        for text in [
            "source,target\na@x.example,b@y.example\n",
            "\u{feff}Source;Target\r\na@x.example;b@y.example\r\n",
            "Source Email,Destination Email\na@x.example,b@y.example",
            "\"Source Email\"\t\"Destination Email\"\n\"a@x.example\"\t b@y.example \n\t\n",
            "#TYPE System.Object\n\"target\",\"source\"\n\"b@y.example\",\"a@x.example\"\n\n",
        ] {
            assert_eq!(read(text), same, "{text}");
        }
        assert_eq!(
            read("EmailAddress\na@x.example\n"),
            "a@x.example -> a@x.example"
        );
        assert_eq!(
            read("DisplayName,PrimarySmtpAddress\n\"Harris, A\",a@x.example\n"),
            "a@x.example -> a@x.example\nignored DisplayName"
        );
    }

    #[test]
    fn utf_16_of_powershell_is_understood() {
        let text = "EmailAddress\r\na@x.example\r\n";
        let little: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let pairs = parse(&little).expect("readable");
        assert_eq!(pairs.pairs[0].source.reveal(), "a@x.example");
        let big: Vec<u8> = [0xFE, 0xFF]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        assert_eq!(parse(&big).expect("readable"), pairs);
    }

    #[test]
    fn every_problem_has_its_line_and_column() {
        let text = "name,source,target\n\
            \"Harris, Anne\",a@x.example,b@y.example\n\
            \n\
            \"Le \"\"Gros\"\", É\",nobody,c@y\n\
            X,A@X.example,d@y.example\n\
            Y,e@x.example\n\
            Z,f@x.example,B@y.example\n";
        insta::assert_snapshot!(read(text), @r#"
        p.csv:4:18: source: the address has no @
        p.csv:4:25: target: the part after the @ is no domain
        p.csv:5:3: source: this mailbox stands in line 2 already
        p.csv:6:1: the row has 2 fields, the header 3
        p.csv:7:15: target: this mailbox stands in line 2 already
        "#);
    }

    #[test]
    fn files_that_are_no_list_are_refused_with_a_remedy() {
        let mut out = String::new();
        for text in [
            "",
            "\n\n",
            "a@x.example\nb@x.example\n",
            "source,target\n",
            "source\na@x.example\n",
            "target,other\na@x.example,1\n",
            "Source Email,Source Password,Destination Email\na@x.example,hunter2,b@y.example\n",
            "source,target\n\"a@x.example,b@y.example\n",
        ] {
            out.push_str(&read(text));
            out.push('\n');
        }
        assert!(!out.contains("hunter2"));
        insta::assert_snapshot!(out, @r#"
        p.csv:1:1: the file has no header; write `source,target` into its first line
        p.csv:1:1: the file has no header; write `source,target` into its first line
        p.csv:1:1: the header names no mailboxes; known are `source,target`, `Source Email,Destination Email`, `EmailAddress`, `PrimarySmtpAddress`
        p.csv:1:1: the file names no mailbox
        p.csv:1:1: the header has a source column and no target column
        p.csv:1:1: the header has a target column and no source column
        p.csv:1:14: the file has a column of passwords; mailferry needs none of its users: delete the column, and the file's other copies
        p.csv:2:1: the row has 1 fields, the header 2
        "#);
        let latin = b"source,target\n\xE9@x.example,b@y.example\n";
        let problems = parse(latin).expect_err("not UTF-8");
        assert_eq!((problems[0].line, problems[0].column), (2, 1));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_rows_are_read_or_refused_without_a_panic(rows in "[a@.;,\"\\n\\r\\t é]{0,80}") {
            if let Err(problems) = parse(format!("source,target\n{rows}").as_bytes()) {
                assert!(!problems.is_empty());
            }
        }
    }
}
