//! The files one after the other: what each is, and its rows to whoever reads their kind.

use std::io::{self, Read};

use super::clixml::{Clixml, ClixmlFault};
use super::columns::{Col, Header};
use super::date_text::DateOrder;
use super::decode::{Decoder, Encoding, Oddity, Position};
use super::draft::Draft;
use super::model::Place;
use super::notes::{Spot, Weight};
use super::page::{Row, lost};
use super::records::{FileKind, FileNote, Inventory};
use super::shape::{Shape, shape_of};
use super::sheet::{Record, Sheet, SheetFault};
use super::{join, remedy, text};
use crate::base::quantity::Count;

/// Reads the files of an inventory, in any order, and joins them.
#[derive(Debug, Default)]
pub struct Reader {
    draft: Draft,
}

impl Reader {
    /// A reader without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one file from beginning to end. What is wrong with it becomes a refusal or a warning of the inventory; only a failing read is
    /// an error. `path` is what people are shown. Memory grows with the rows that are kept, not with the file.
    pub fn read(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()> {
        let file = u32::try_from(self.draft.files.len()).unwrap_or(u32::MAX);
        self.draft.orders.push(DateOrder::default());
        self.draft.files.push(FileNote {
            path: path.to_owned(),
            encoding: "UTF-8",
            delimiter: None,
            rows: Count::ZERO,
            kind: FileKind::Unknown,
            provenance: None,
            ignored: Vec::new(),
            passed_over: Vec::new(),
        });
        let mut decoder = Decoder::new(bytes)?;
        let mut page = Page {
            draft: &mut self.draft,
            file,
            kind: FileKind::Unknown,
            rows: 0,
            header: Header::default(),
        };
        match shape_of(decoder.text()) {
            Shape::Table => page.table(&mut decoder)?,
            Shape::Clixml => page.clixml(&mut decoder)?,
            Shape::Other(reason) => {
                let remedy = remedy::again(FileKind::Mailboxes, "as CSV or CLIXML");
                page.reject(Position::START, reason, &remedy);
            }
        }
        page.close(&decoder);
        Ok(())
    }

    /// Joins what was read.
    pub fn finish(self) -> Inventory {
        join::join(self.draft)
    }
}

/// One file while it is read.
struct Page<'a> {
    draft: &'a mut Draft,
    file: u32,
    kind: FileKind,
    rows: u64,
    header: Header,
}

impl Page<'_> {
    fn spot(&self, at: Position) -> Spot {
        Spot {
            place: Place {
                file: self.file,
                line: at.line,
            },
            column: at.column,
        }
    }

    fn note(&mut self) -> Option<&mut FileNote> {
        let at = usize::try_from(self.file).ok()?;
        self.draft.files.get_mut(at)
    }

    /// The whole file is of no use.
    fn reject(&mut self, at: Position, reason: &str, remedy: &str) {
        self.draft
            .notes
            .row(Weight::Refused, self.spot(at), reason, remedy);
        self.draft.rejected.insert(self.file);
    }

    fn table(&mut self, decoder: &mut Decoder<'_>) -> io::Result<()> {
        match self.records(decoder) {
            Ok(()) => {}
            Err(SheetFault::Io(error)) => return Err(error),
            Err(SheetFault::OpenQuote(at)) => self.reject(
                at,
                "a quote opens here and never closes",
                "export again; the file was cut or edited",
            ),
            Err(SheetFault::TooLarge(at)) => self.reject(
                at,
                "a cell or a row here is larger than any that Exchange exports",
                "export again; the file is damaged, or no export",
            ),
        }
        Ok(())
    }

    fn records(&mut self, decoder: &mut Decoder<'_>) -> Result<(), SheetFault> {
        let mut sheet = Sheet::new(decoder)?;
        let mut record = Record::default();
        let delimiter = sheet.delimiter();
        let provenance = sheet.type_name().map(str::to_owned);
        if let Some(note) = self.note() {
            note.delimiter = Some(delimiter);
            note.provenance = provenance;
        }
        loop {
            if !sheet.next(&mut record)? {
                self.reject(
                    Position::START,
                    "the file has no header",
                    &remedy::again(FileKind::Mailboxes, "with its header"),
                );
                return Ok(());
            }
            if !record.is_blank() {
                break;
            }
        }
        let mut header = Header::default();
        for field in 0..record.len() {
            header.push(record.text(field));
        }
        if !self.begin(header, |field| record.at(field)) {
            return Ok(());
        }
        while sheet.next(&mut record)? {
            if sheet
                .decoder()
                .oddities()
                .iter()
                .any(|(odd, _)| fatal(*odd))
            {
                return Ok(());
            }
            if record.is_blank() {
                continue;
            }
            self.rows += 1;
            let (has, wants) = (record.len(), self.header.len());
            if has != wants {
                // The numbers are left out of the reason so that a thousand broken rows stay one reason.
                let spot = self.spot(record.at(0));
                let remedy = remedy::again(self.kind, "and do not edit the file");
                self.draft.notes.row(
                    Weight::Refused,
                    spot,
                    "the row does not have as many fields as the header",
                    &remedy,
                );
                continue;
            }
            if let Some(at) = sheet.stray() {
                let spot = self.spot(at);
                let remedy = remedy::again(self.kind, "and do not edit the file");
                self.draft.notes.row(
                    Weight::Refused,
                    spot,
                    "text follows a closing quote; the row cannot be read in one way only",
                    &remedy,
                );
                continue;
            }
            self.row(&record);
        }
        Ok(())
    }

    fn clixml(&mut self, decoder: &mut Decoder<'_>) -> io::Result<()> {
        let mut clixml = Clixml::new(decoder);
        let mut record = Record::default();
        let again = "export again with Export-Clixml; the file was cut or edited";
        loop {
            let mut header = std::mem::take(&mut self.header);
            let answer = clixml.next(&mut header, &mut record);
            self.header = header;
            match answer {
                Ok(true) => {}
                Ok(false) => break,
                Err(ClixmlFault::Io(error)) => return Err(error),
                Err(ClixmlFault::Malformed(at)) => {
                    self.reject(at, "the CLIXML is not well-formed here", again);
                    break;
                }
                Err(ClixmlFault::CutOff(at)) => {
                    self.reject(at, "the CLIXML ends before its last element", again);
                    break;
                }
                Err(ClixmlFault::TooLarge(at)) => {
                    self.reject(
                        at,
                        "the CLIXML nests deeper or is larger here than any export",
                        again,
                    );
                    break;
                }
            }
            if clixml
                .decoder()
                .oddities()
                .iter()
                .any(|(odd, _)| fatal(*odd))
            {
                break;
            }
            if self.rows == 0 {
                let header = std::mem::take(&mut self.header);
                let provenance = clixml.type_name().map(str::to_owned);
                if let Some(note) = self.note() {
                    note.provenance = provenance;
                }
                if !self.begin(header, |field| record.at(field)) {
                    break;
                }
            }
            self.rows += 1;
            self.row(&record);
        }
        if self.rows == 0 && !self.draft.rejected.contains(&self.file) {
            self.reject(Position::START, "the CLIXML holds no object", again);
        }
        if clixml.lost_reference() {
            let spot = self.spot(Position::START);
            let reason = "a value refers to an object that the file does not hold";
            self.draft
                .notes
                .counted(Weight::Warning, spot, reason, again);
        }
        Ok(())
    }

    /// Looks at the header; false where the file is refused.
    fn begin(&mut self, header: Header, at: impl Fn(usize) -> Position) -> bool {
        self.kind = header.kind();
        self.header = header;
        let kind = self.kind;
        if let Some(note) = self.note() {
            note.kind = kind;
        }
        let secrets = self.header.secrets();
        for field in &secrets {
            let reason = format!("{}: a column of passwords", self.header.name(*field));
            self.reject(
                at(*field),
                &reason,
                "mailferry needs no password of its users: delete the column, and every copy of the file that has it",
            );
        }
        if !secrets.is_empty() {
            return false;
        }
        let refused = match self.kind {
            FileKind::Unknown => Some(
                "the header is of no export that is known: mailboxes, statistics, permissions, rules, devices, add-ins, roles, groups, servers, lists of addresses",
            ),
            FileKind::FullAccess if self.header.has(Col::AccessControlType) => {
                Some("Get-RecipientPermission speaks of Microsoft 365, not of this Exchange")
            }
            FileKind::FolderPermissions
            | FileKind::InboxRules
            | FileKind::FullAccess
            | FileKind::SendAs
            | FileKind::Apps
                if !self.names_mailbox() =>
            {
                Some("no column says which mailbox a row belongs to")
            }
            FileKind::MailboxList
                if self.header.has(Col::Target) && !self.header.has(Col::Source) =>
            {
                Some("the list has a target column and no source column")
            }
            FileKind::MailboxList
                if self.header.has(Col::Source) && !self.header.has(Col::Target) =>
            {
                Some("the list has a source column and no target column")
            }
            _ => None,
        };
        if let Some(reason) = refused {
            self.reject(
                at(0),
                reason,
                &remedy::again(self.kind, "with the usual columns"),
            );
        }
        refused.is_none()
    }

    fn names_mailbox(&self) -> bool {
        let has = |col| self.header.has(col);
        let direct = [
            Col::ExchangeGuid,
            Col::MailboxGuid,
            Col::Address,
            Col::Mailbox,
        ]
        .into_iter()
        .any(has);
        // The Identity of a folder right is the person who has it.
        direct || (has(Col::Identity) && self.kind != FileKind::FolderPermissions)
    }

    fn row(&mut self, record: &Record) {
        let header = std::mem::take(&mut self.header);
        let row = Row {
            record,
            header: &header,
            file: self.file,
            kind: self.kind,
        };
        let draft = &mut *self.draft;
        match self.kind {
            FileKind::Mailboxes => draft.mailbox_row(&row),
            FileKind::Statistics => draft.statistics_row(&row),
            FileKind::FolderStatistics => draft.folder_row(&row),
            FileKind::FullAccess => draft.full_access_row(&row),
            FileKind::SendAs => draft.send_as_row(&row),
            FileKind::SendOnBehalf => draft.behalf_row(&row),
            FileKind::FolderPermissions => draft.folder_right_row(&row),
            FileKind::InboxRules => draft.rule_row(&row),
            FileKind::Forwarding => draft.forward_row(&row),
            FileKind::Holds => draft.hold_row(&row),
            FileKind::MobileDevices => draft.device_row(&row),
            FileKind::Apps => draft.app_row(&row),
            FileKind::RoleAssignments => draft.role_row(&row),
            FileKind::Servers => draft.server_row(&row),
            FileKind::Groups => draft.group_row(&row),
            FileKind::GroupMembers => draft.member_row(&row),
            FileKind::MailboxList => draft.listed_row(&row),
            FileKind::Unknown => {}
        }
        for field in header.unread() {
            if text::is_type_name(record.text(*field)) {
                lost(&mut draft.notes, &row, *field, Weight::Warning);
            }
        }
        self.header = header;
    }

    /// Says what is to be said about the file as a whole.
    fn close(&mut self, decoder: &Decoder<'_>) {
        let rows = Count::new(self.rows);
        let ignored: Vec<String> = self
            .header
            .unread()
            .iter()
            .map(|f| self.header.name(*f))
            .collect();
        let encoding = decoder.encoding();
        if let Some(note) = self.note() {
            note.encoding = encoding.name();
            note.rows = rows;
            note.ignored = ignored;
        }
        // What is no text at all has odd bytes, too; that adds nothing.
        if self.kind != FileKind::Unknown {
            for (oddity, at) in decoder.oddities() {
                self.oddity(*oddity, *at);
            }
        }
        if let Encoding::Utf16 { mark: false, .. } = encoding {
            let spot = self.spot(Position::START);
            let reason = "UTF-16 without its mark; read as such because every other byte is zero";
            let remedy = remedy::again(self.kind, "with -Encoding UTF8");
            self.draft
                .notes
                .counted(Weight::Warning, spot, reason, &remedy);
        }
        let never_empty = [
            FileKind::Mailboxes,
            FileKind::Statistics,
            FileKind::MailboxList,
            FileKind::Servers,
        ];
        if self.rows == 0
            && never_empty.contains(&self.kind)
            && !self.draft.rejected.contains(&self.file)
        {
            let spot = self.spot(Position::START);
            let remedy = remedy::again(self.kind, "with an account that sees the mailboxes");
            self.draft.notes.counted(
                Weight::Warning,
                spot,
                "the file has a header and no rows",
                &remedy,
            );
        }
        let limited = ![FileKind::Servers, FileKind::RoleAssignments].contains(&self.kind);
        if self.rows == 1_000 && limited {
            let spot = self.spot(Position::START);
            let reason = "exactly 1,000 rows: the shell stops there unless told otherwise, so rows may be missing";
            self.draft
                .notes
                .counted(Weight::Warning, spot, reason, &remedy::all_rows(self.kind));
        }
        self.dates();
    }

    fn oddity(&mut self, oddity: Oddity, at: Position) {
        let remedy = remedy::again(self.kind, "into a new file, with -Encoding UTF8");
        match oddity {
            Oddity::CodePage => {
                let spot = self.spot(at);
                let reason = "not UTF-8 from here; read as windows-1252, which may be wrong";
                self.draft
                    .notes
                    .counted(Weight::Warning, spot, reason, &remedy);
            }
            Oddity::Mixed => {
                self.reject(at, "two encodings in one file: another begins here", &remedy);
            }
            Oddity::Nul => self.reject(
                at,
                "a NUL byte: UTF-16 was appended to text of another encoding, or the file is damaged",
                &remedy,
            ),
            Oddity::Broken => self.reject(at, "half a character: the UTF-16 is cut or damaged", &remedy),
        }
    }

    fn dates(&mut self) {
        let at = usize::try_from(self.file).unwrap_or(usize::MAX);
        let Some(order) = self.draft.orders.get(at).copied() else {
            return;
        };
        let reason = match (order.day_first, order.month_first) {
            _ if order.open == 0 => return,
            (true, true) => {
                "dates with the day first and dates with the month first in one file; none of them is used"
            }
            (false, false) => {
                "no date says whether the day or the month comes first; only dates that read the same both ways are used"
            }
            _ => return,
        };
        let spot = self.spot(Position::START);
        let remedy = remedy::again(self.kind, "with dates as '{0:o}' -f $_");
        self.draft
            .notes
            .counted(Weight::Warning, spot, reason, &remedy);
    }
}

/// True where nothing after the place can be trusted.
fn fatal(oddity: Oddity) -> bool {
    match oddity {
        Oddity::CodePage => false,
        Oddity::Mixed | Oddity::Nul | Oddity::Broken => true,
    }
}
