//! One row, asked for values by column. Whatever cannot be read becomes a note with its place, and the value stays unknown.

use super::columns::{Col, Header};
use super::date_text::{self, DateOrder, RawWhen};
use super::draft::{Draft, Key, Owner, Somebody};
use super::model::{Ceiling, Guid, Place, Private, Size};
use super::notes::{Notes, Spot, Weight};
use super::records::FileKind;
use super::remedy;
use super::sheet::Record;
use super::size_text::{SizeFault, parse_size};
use super::text;
use crate::base::quantity::Count;

/// A row of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) record: &'a Record,
    pub(super) header: &'a Header,
    pub(super) file: u32,
    pub(super) kind: FileKind,
}

impl<'a> Row<'a> {
    /// Where the row begins.
    pub(super) fn place(&self) -> Place {
        Place {
            file: self.file,
            line: self.record.at(0).line,
        }
    }

    /// Where a field begins.
    pub(super) fn spot(&self, field: usize) -> Spot {
        let at = self.record.at(field);
        Spot {
            place: Place {
                file: self.file,
                line: at.line,
            },
            column: at.column,
        }
    }

    /// The text of a column as it is; `None` where the column is missing or the cell empty.
    pub(super) fn bare(&self, col: Col) -> Option<&'a str> {
        let text = self.record.text(self.header.field(col)?);
        (!text.is_empty()).then_some(text)
    }
}

impl Draft {
    fn order(&mut self, row: &Row<'_>) -> Option<&mut DateOrder> {
        self.orders.get_mut(usize::try_from(row.file).ok()?)
    }

    /// A note about a cell, with the header in front.
    fn cell(&mut self, weight: Weight, row: &Row<'_>, col: Col, reason: &str, remedy: &str) {
        let field = row.header.field(col).unwrap_or(0);
        let reason = format!("{}: {reason}", row.header.name(field));
        self.notes.row(weight, row.spot(field), &reason, remedy);
    }

    /// The text of a column. A type name or a cut text is data lost at export, and no value.
    pub(super) fn text<'a>(&mut self, row: &Row<'a>, col: Col) -> Option<&'a str> {
        let text = row.bare(col)?;
        if text::is_type_name(text) || text::is_cut(text) {
            lost(
                &mut self.notes,
                row,
                row.header.field(col)?,
                Weight::Refused,
            );
            return None;
        }
        Some(text)
    }

    /// A name of a person. A question mark in it may have been another letter before ASCII.
    pub(super) fn private(&mut self, row: &Row<'_>, col: Col) -> Option<Private> {
        let text = self.text(row, col)?;
        if text.contains('?') {
            let field = row.header.field(col)?;
            let reason = format!(
                "{}: a question mark stands in a name; letters may have been lost when the file was written as ASCII",
                row.header.name(field)
            );
            let remedy = remedy::again(row.kind, "with -Encoding UTF8");
            self.notes
                .counted(Weight::Warning, row.spot(field), &reason, &remedy);
        }
        Some(Private::new(text))
    }

    /// A short word such as a database name.
    pub(super) fn word(&mut self, row: &Row<'_>, col: Col) -> Option<Box<str>> {
        self.text(row, col).map(Into::into)
    }

    /// The values of a column that may hold several.
    pub(super) fn list(&mut self, row: &Row<'_>, col: Col) -> Vec<String> {
        if let Some(field) = row.header.field(col)
            && let Some(list) = row.record.list(field)
        {
            if list.iter().any(|text| text::is_type_name(text)) {
                lost(&mut self.notes, row, field, Weight::Refused);
                return Vec::new();
            }
            return list.to_vec();
        }
        self.text(row, col).map(text::joined).unwrap_or_default()
    }

    /// A GUID; the empty one is none.
    pub(super) fn guid(&mut self, row: &Row<'_>, col: Col) -> Option<Guid> {
        let value = self.text(row, col)?;
        let guid = text::guid(value);
        if guid.is_none() {
            let again = remedy::again(row.kind, "without changing the column");
            self.cell(Weight::Refused, row, col, "the text is no GUID", &again);
        }
        guid.filter(|guid| guid.0 != 0)
    }

    /// True or false.
    pub(super) fn flag(&mut self, row: &Row<'_>, col: Col) -> Option<bool> {
        let value = self.text(row, col)?;
        let flag = text::boolean(value);
        if flag.is_none() {
            let again = remedy::again(row.kind, "in an English session");
            self.cell(Weight::Refused, row, col, "neither True nor False", &again);
        }
        flag
    }

    /// A plain number.
    pub(super) fn count(&mut self, row: &Row<'_>, col: Col) -> Option<Count> {
        let value = self.text(row, col)?;
        let plain = value.bytes().all(|b| b.is_ascii_digit());
        let count = plain.then(|| value.parse().ok()).flatten().map(Count::new);
        if count.is_none() {
            let again = remedy::again(row.kind, "without formatting its numbers");
            self.cell(
                Weight::Refused,
                row,
                col,
                "the text is no plain number",
                &again,
            );
        }
        count
    }

    /// A ceiling or a size.
    pub(super) fn ceiling(&mut self, row: &Row<'_>, col: Col) -> Option<Ceiling> {
        let field = row.header.field(col)?;
        let value = row.bare(col)?;
        if text::is_type_name(value) {
            lost(&mut self.notes, row, field, Weight::Refused);
            return None;
        }
        let again = remedy::again(row.kind, "so that the exact bytes in parentheses are kept");
        match parse_size(value) {
            Ok(size) => {
                let name = row.header.name(field);
                if size.disagrees {
                    let reason = format!(
                        "{name}: the rounded number and the exact bytes disagree; the exact bytes count"
                    );
                    self.notes
                        .counted(Weight::Warning, row.spot(field), &reason, &again);
                }
                if matches!(
                    size.ceiling,
                    Ceiling::At(Size {
                        approximate: true,
                        ..
                    })
                ) {
                    let reason = format!("{name}: only a rounded number, without the exact bytes");
                    self.notes
                        .counted(Weight::Warning, row.spot(field), &reason, &again);
                }
                Some(size.ceiling)
            }
            Err(SizeFault::Cut) => {
                lost(&mut self.notes, row, field, Weight::Refused);
                None
            }
            Err(fault) => {
                self.cell(Weight::Refused, row, col, &fault.to_string(), &again);
                None
            }
        }
    }

    /// A size; `Unlimited` is none.
    pub(super) fn size(&mut self, row: &Row<'_>, col: Col) -> Option<Size> {
        match self.ceiling(row, col)? {
            Ceiling::At(size) => Some(size),
            Ceiling::Unlimited => {
                let again = remedy::again(row.kind, "without changing the column");
                self.cell(
                    Weight::Refused,
                    row,
                    col,
                    "a size cannot be unlimited",
                    &again,
                );
                None
            }
        }
    }

    /// A date, in whatever order.
    pub(super) fn when(&mut self, row: &Row<'_>, col: Col) -> Option<RawWhen> {
        let value = self.text(row, col)?;
        let when = date_text::parse(value);
        let Some(when) = when else {
            let field = row.header.field(col)?;
            let reason = format!(
                "{}: the text is no date, or of a culture that is not known",
                row.header.name(field)
            );
            let again = remedy::again(row.kind, "with dates as '{0:o}' -f $_");
            self.notes
                .counted(Weight::Warning, row.spot(field), &reason, &again);
            return None;
        };
        if let Some(order) = self.order(row) {
            order.see(when);
        }
        Some(when)
    }

    /// The key of a column's text.
    pub(super) fn key(&mut self, row: &Row<'_>, col: Col) -> Option<Key> {
        let text = self.text(row, col)?;
        Some(self.pool.key(text))
    }

    /// The mailbox a row belongs to, by the usual columns.
    pub(super) fn owner(&mut self, row: &Row<'_>) -> Owner {
        let guid = self
            .guid(row, Col::ExchangeGuid)
            .or_else(|| self.guid(row, Col::MailboxGuid));
        let mut owner = Owner {
            guid,
            address: self.key(row, Col::Address),
            name: self.key(row, Col::Mailbox),
        };
        // The Identity of a folder right is the person who has it.
        if owner.name.is_none()
            && row.kind != FileKind::FolderPermissions
            && let Some(text) = self.text(row, Col::Identity)
        {
            let text = within(row.kind, text, row.bare(Col::FolderPath));
            owner.name = Some(self.pool.key(&text));
        }
        if owner.name.is_none() {
            owner.name = self
                .key(row, Col::LegacyDn)
                .or_else(|| self.key(row, Col::Upn));
        }
        owner
    }

    /// The owner, or a refused row.
    pub(super) fn owner_or_refuse(&mut self, row: &Row<'_>) -> Option<Owner> {
        let owner = self.owner(row);
        if owner == Owner::default() {
            let again = remedy::again(row.kind, "with ExchangeGuid and PrimarySmtpAddress");
            self.notes.row(
                Weight::Refused,
                row.spot(0),
                "the row names no mailbox",
                &again,
            );
            return None;
        }
        Some(owner)
    }

    /// Somebody named in a column.
    pub(super) fn somebody(&mut self, row: &Row<'_>, col: Col) -> Option<Somebody> {
        let name = self.key(row, col)?;
        Some(Somebody { guid: None, name })
    }

    /// Counts a row that is left out by a rule.
    pub(super) fn pass_over(&mut self, row: &Row<'_>, rule: &'static str) {
        let Some(note) = usize::try_from(row.file)
            .ok()
            .and_then(|at| self.files.get_mut(at))
        else {
            return;
        };
        match note
            .passed_over
            .iter_mut()
            .find(|(known, _)| *known == rule)
        {
            Some((_, count)) => *count += Count::new(1),
            None => note.passed_over.push((rule, Count::new(1))),
        }
    }
}

/// The mailbox part of an identity that goes on into the mailbox: `clinic.local/Users/Anna\Inbox`, `...\1234`, `.../ExchangeActiveSyncDevices/...`.
fn within(kind: FileKind, identity: &str, path: Option<&str>) -> String {
    let cut = match kind {
        FileKind::MobileDevices => identity.find("/ExchangeActiveSyncDevices/"),
        FileKind::InboxRules => identity
            .rsplit_once('\\')
            .filter(|(_, id)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
            .map(|(head, _)| head.len()),
        FileKind::FolderStatistics => path
            .map(|path| path.replace('/', "\\"))
            .and_then(|path| identity.strip_suffix(path.as_str()).map(str::len)),
        _ => None,
    };
    identity[..cut.unwrap_or(identity.len())].to_owned()
}

/// Data was lost when the file was written: the cell holds a type name, or the beginning of the value.
pub(super) fn lost(notes: &mut Notes, row: &Row<'_>, field: usize, weight: Weight) {
    let name = row.header.name(field);
    let reason = format!(
        "{name}: the cell holds a type name or a cut text instead of the value; data was lost at export"
    );
    let remedy = remedy::column(row.kind, &name);
    notes.counted(weight, row.spot(field), &reason, &remedy);
}
