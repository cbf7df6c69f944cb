//! Reading TOML tables strictly: unknown keys, wrong types and missing keys are problems with a place, and reading goes on.

use std::cell::RefCell;
use std::ops::Range;

use toml_edit::{Item, TableLike, Value};

use crate::plan::problem::{Problem, nearest};

/// The text being read and what was wrong with it so far.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            problems: RefCell::default(),
        }
    }

    /// Notes a problem at a place.
    pub(super) fn refuse(&self, span: Option<&Range<usize>>, reason: impl Into<String>) {
        let offset = span.map_or(0, |span| span.start);
        let problem = Problem::at(self.text, offset, reason);
        self.problems.borrow_mut().push(problem);
    }

    /// Everything that was wrong, in file order.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Option<Range<usize>>,
}

/// One table of known keys.
pub(super) struct Section<'r, 'a> {
    reader: &'r Reader<'a>,
    table: Option<&'r dyn TableLike>,
    span: Option<Range<usize>>,
    name: String,
}

impl<'r, 'a> Section<'r, 'a> {
    /// A table whose keys are all in `known`; others are refused with the nearest known one.
    pub(super) fn new(
        reader: &'r Reader<'a>,
        table: Option<&'r dyn TableLike>,
        span: Option<Range<usize>>,
        name: impl Into<String>,
        known: &[&str],
    ) -> Self {
        let section = Self {
            reader,
            table,
            span,
            name: name.into(),
        };
        for (key, item) in table.into_iter().flat_map(TableLike::iter) {
            if known.contains(&key) {
                continue;
            }
            let place = table
                .and_then(|table| table.get_key_value(key))
                .and_then(|(key, _)| key.span())
                .or_else(|| item.span());
            let hint = nearest(key, known).map_or_else(
                || format!("known are {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let within = section.within();
            reader.refuse(
                place.as_ref(),
                format!("unknown key `{key}`{within}; {hint}"),
            );
        }
        section
    }

    fn within(&self) -> String {
        if self.name.is_empty() {
            String::new()
        } else {
            format!(" in [{}]", self.name)
        }
    }

    /// Where the section begins.
    pub(super) fn span(&self) -> Option<&Range<usize>> {
        self.span.as_ref()
    }

    pub(super) fn item(&self, key: &str) -> Option<&'r Item> {
        self.table.and_then(|table| table.get(key))
    }

    /// True when the key is there, whatever it holds.
    pub(super) fn has(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// Notes that a key must be there.
    pub(super) fn missing(&self, key: &str) {
        let within = self.within();
        self.reader
            .refuse(self.span.as_ref(), format!("`{key}` is missing{within}"));
    }

    fn wrong(&self, key: &str, item: &Item, wanted: &str) {
        let found = item.type_name();
        self.reader.refuse(
            item.span().as_ref(),
            format!("`{key}` must be {wanted}, not {}", article(found)),
        );
    }

    /// A string, where the key is there.
    pub(super) fn text(&self, key: &str) -> Option<At<String>> {
        let item = self.item(key)?;
        let Some(text) = item.as_str() else {
            self.wrong(key, item, "a string");
            return None;
        };
        Some(At {
            value: text.to_owned(),
            span: item.span(),
        })
    }

    /// A string that must be there and not be empty.
    pub(super) fn required(&self, key: &str) -> Option<At<String>> {
        if !self.has(key) {
            self.missing(key);
            return None;
        }
        let text = self.text(key)?;
        if text.value.trim().is_empty() {
            self.reader
                .refuse(text.span.as_ref(), format!("`{key}` is empty"));
            return None;
        }
        Some(text)
    }

    /// A whole number from `low` to `high`, where the key is there. `why` says whose bound `high` is.
    pub(super) fn number(&self, key: &str, low: u64, high: u64, why: &str) -> Option<u64> {
        let item = self.item(key)?;
        let Some(number) = item.as_integer() else {
            self.wrong(key, item, "a whole number");
            return None;
        };
        match u64::try_from(number) {
            Ok(number) if (low..=high).contains(&number) => Some(number),
            _ => {
                self.reader.refuse(
                    item.span().as_ref(),
                    format!("`{key}` is {number}; it may be {low} to {high} ({why})"),
                );
                None
            }
        }
    }

    /// A truth value, where the key is there.
    pub(super) fn truth(&self, key: &str) -> Option<bool> {
        let item = self.item(key)?;
        let truth = item.as_bool();
        if truth.is_none() {
            self.wrong(key, item, "true or false");
        }
        truth
    }

    /// A table, written out or inline, where the key is there.
    pub(super) fn section(&self, key: &str, known: &[&str]) -> Option<Section<'r, 'a>> {
        let item = self.item(key)?;
        let Some(table) = item.as_table_like() else {
            self.wrong(key, item, "a table");
            return None;
        };
        let name = if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        };
        let table = Some(table);
        Some(Section::new(self.reader, table, item.span(), name, known))
    }

    /// A list of strings, where the key is there.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<At<String>>> {
        let item = self.item(key)?;
        let Some(array) = item.as_array() else {
            self.wrong(key, item, "a list of strings");
            return None;
        };
        let mut texts = Vec::with_capacity(array.len());
        for value in array {
            match value.as_str() {
                Some(text) => texts.push(At {
                    value: text.to_owned(),
                    span: value.span(),
                }),
                None => self.reader.refuse(
                    value.span().as_ref(),
                    format!(
                        "`{key}` must hold strings, not {}",
                        article(value.type_name())
                    ),
                ),
            }
        }
        Some(texts)
    }

    /// A list of tables, as `[[key]]` or inline, where the key is there.
    pub(super) fn sections(&self, key: &str, known: &[&str]) -> Option<Vec<Section<'r, 'a>>> {
        let item = self.item(key)?;
        let new = |table: &'r dyn TableLike, span| {
            Section::new(self.reader, Some(table), span, key, known)
        };
        if let Some(tables) = item.as_array_of_tables() {
            return Some(
                tables
                    .iter()
                    .map(|table| new(table, table.span()))
                    .collect(),
            );
        }
        let Some(array) = item.as_array() else {
            self.wrong(key, item, "a list of tables");
            return None;
        };
        let mut sections = Vec::with_capacity(array.len());
        for value in array {
            if let Value::InlineTable(table) = value {
                sections.push(new(table, value.span()));
            } else {
                self.reader.refuse(
                    value.span().as_ref(),
                    format!(
                        "`{key}` must hold tables, not {}",
                        article(value.type_name())
                    ),
                );
            }
        }
        Some(sections)
    }
}

/// The type's name with its article.
fn article(type_name: &str) -> String {
    let vowel = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if vowel { "an" } else { "a" })
}
