//! The lab's direction: a request in, and what it asks for, or why it is refused. Strict where the service is strict.

use thiserror::Error;

use crate::base::id::MailboxId;
use crate::wire::ews::export_items::ExportItems;
use crate::wire::ews::find_folder::FindFolder;
use crate::wire::ews::find_item::FindItem;
use crate::wire::ews::get_attachment::GetAttachment;
use crate::wire::ews::get_delegate::GetDelegate;
use crate::wire::ews::get_folder::GetFolder;
use crate::wire::ews::get_inbox_rules::GetInboxRules;
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::get_user_oof_settings::GetUserOofSettings;
use crate::wire::ews::models;
use crate::wire::ews::schema::{self, Violation};
use crate::wire::ews::sync_folder_hierarchy::SyncFolderHierarchy;
use crate::wire::ews::sync_folder_items::SyncFolderItems;
use crate::wire::soap::{self, Impersonation, RequestError, RequestHeader};
use crate::wire::xml::{Element, Ns, XmlError};

/// One of the operations we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// GetFolder.
    GetFolder(GetFolder),
    /// FindFolder.
    FindFolder(FindFolder),
    /// SyncFolderHierarchy.
    SyncFolderHierarchy(SyncFolderHierarchy),
    /// SyncFolderItems.
    SyncFolderItems(SyncFolderItems),
    /// FindItem.
    FindItem(FindItem),
    /// GetItem.
    GetItem(GetItem),
    /// GetAttachment.
    GetAttachment(GetAttachment),
    /// ExportItems.
    ExportItems(ExportItems),
    /// GetInboxRules.
    GetInboxRules(GetInboxRules),
    /// GetDelegate.
    GetDelegate(GetDelegate),
    /// GetUserOofSettings.
    GetUserOofSettings(GetUserOofSettings),
}

impl Call {
    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetFolder(_) => "GetFolder",
            Self::FindFolder(_) => "FindFolder",
            Self::SyncFolderHierarchy(_) => "SyncFolderHierarchy",
            Self::SyncFolderItems(_) => "SyncFolderItems",
            Self::FindItem(_) => "FindItem",
            Self::GetItem(_) => "GetItem",
            Self::GetAttachment(_) => "GetAttachment",
            Self::ExportItems(_) => "ExportItems",
            Self::GetInboxRules(_) => "GetInboxRules",
            Self::GetDelegate(_) => "GetDelegate",
            Self::GetUserOofSettings(_) => "GetUserOofSettings",
        }
    }

    /// Writes the whole request.
    pub fn write(&self, header: &RequestHeader) -> String {
        soap::write_request(header, |w| match self {
            Self::GetFolder(call) => call.write(w),
            Self::FindFolder(call) => call.write(w),
            Self::SyncFolderHierarchy(call) => call.write(w),
            Self::SyncFolderItems(call) => call.write(w),
            Self::FindItem(call) => call.write(w),
            Self::GetItem(call) => call.write(w),
            Self::GetAttachment(call) => call.write(w),
            Self::ExportItems(call) => call.write(w),
            Self::GetInboxRules(call) => call.write(w),
            Self::GetDelegate(call) => call.write(w),
            Self::GetUserOofSettings(call) => call.write(w),
        })
    }

    fn read(e: &Element) -> Option<Self> {
        Some(match e.name.as_str() {
            "GetFolder" => Self::GetFolder(GetFolder::read(e)),
            "FindFolder" => Self::FindFolder(FindFolder::read(e)),
            "SyncFolderHierarchy" => Self::SyncFolderHierarchy(SyncFolderHierarchy::read(e)),
            "SyncFolderItems" => Self::SyncFolderItems(SyncFolderItems::read(e)?),
            "FindItem" => Self::FindItem(FindItem::read(e)),
            "GetItem" => Self::GetItem(GetItem::read(e)),
            "GetAttachment" => Self::GetAttachment(GetAttachment::read(e)),
            "ExportItems" => Self::ExportItems(ExportItems::read(e)),
            "GetInboxRules" => Self::GetInboxRules(GetInboxRules::read(e)),
            "GetDelegate" => Self::GetDelegate(GetDelegate::read(e)?),
            "GetUserOofSettingsRequest" => Self::GetUserOofSettings(GetUserOofSettings::read(e)?),
            _ => return None,
        })
    }
}

/// A request that the service would look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its header.
    pub header: RequestHeader,
    /// What it asks for.
    pub call: Call,
}

/// Why a request is refused before anything is done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Rejected {
    /// It is no SOAP envelope.
    #[error("{0}")]
    Envelope(#[from] RequestError),
    /// It breaks the schema.
    #[error("{0}")]
    Schema(#[from] Violation),
    /// It would write. The source must never be asked that.
    #[error("{0} writes")]
    Writes(String),
    /// It is schema-valid as far as we can tell, but nothing we answer.
    #[error("{0} is not answered here")]
    NotAnswered(String),
}

/// Operations that change a mailbox or send mail.
const WRITES: [&str; 34] = [
    "CreateItem",
    "UpdateItem",
    "UpdateItemInRecoverableItems",
    "DeleteItem",
    "MoveItem",
    "CopyItem",
    "SendItem",
    "UploadItems",
    "ArchiveItem",
    "MarkAllItemsAsRead",
    "MarkAsJunk",
    "CreateFolder",
    "CreateFolderPath",
    "CreateManagedFolder",
    "UpdateFolder",
    "DeleteFolder",
    "EmptyFolder",
    "MoveFolder",
    "CopyFolder",
    "CreateAttachment",
    "DeleteAttachment",
    "UpdateInboxRules",
    "SetUserOofSettingsRequest",
    "AddDelegate",
    "RemoveDelegate",
    "UpdateDelegate",
    "CreateUserConfiguration",
    "UpdateUserConfiguration",
    "DeleteUserConfiguration",
    "ApplyConversationAction",
    "InstallApp",
    "UninstallApp",
    "SetHoldOnMailboxes",
    "DisableApp",
];

/// Reads a request.
pub fn read(bytes: &[u8]) -> Result<Incoming, Rejected> {
    let envelope = soap::read_request(bytes).map_err(|error| match error {
        // The service names the place of a forbidden character like that of any other violation.
        RequestError::Xml(XmlError::Forbidden(at)) => Rejected::Schema(
            Violation {
                line: 0,
                column: 0,
                what: "a character that XML forbids".to_owned(),
                at,
            }
            .placed(bytes),
        ),
        other => Rejected::Envelope(other),
    })?;
    let payload = &envelope.payload;
    if payload.ns == Ns::Messages && WRITES.contains(&payload.name.as_str()) {
        return Err(Rejected::Writes(payload.name.clone()));
    }
    let model = models::operation(payload).ok_or_else(|| {
        let shown = payload.name.chars().filter(char::is_ascii_alphanumeric);
        Rejected::NotAnswered(shown.take(60).collect())
    })?;
    if let Some(header) = &envelope.header {
        schema::check_header(header).map_err(|v| v.placed(bytes))?;
    }
    schema::check(payload, model).map_err(|v| v.placed(bytes))?;
    let call = Call::read(payload).ok_or_else(|| Rejected::NotAnswered(payload.name.clone()))?;
    Ok(Incoming {
        header: header_of(envelope.header.as_ref()),
        call,
    })
}

fn header_of(header: Option<&Element>) -> RequestHeader {
    let sid = header
        .and_then(|h| h.t("ExchangeImpersonation"))
        .and_then(|i| i.t("ConnectingSID"))
        .and_then(|s| s.children.first());
    RequestHeader {
        version: header
            .and_then(|h| h.t("RequestServerVersion"))
            .and_then(|v| v.attr("Version"))
            .map(str::to_owned),
        impersonate: sid.map(|sid| match sid.name.as_str() {
            "PrimarySmtpAddress" => {
                Impersonation::PrimarySmtpAddress(MailboxId::new(sid.text.trim()))
            }
            other => Impersonation::Other(other.to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::id::{FolderId, ItemId, SyncToken};
    use crate::wire::ews::restriction::Restriction;
    use crate::wire::ews::shape::{FolderRef, Shape};

    fn all() -> Vec<Call> {
        let folder = || FolderRef::Id(FolderId::new("AAMk+/=\"<&>"));
        let named = |n: &str| FolderRef::Distinguished(n.to_owned());
        vec![
            Call::GetFolder(GetFolder {
                shape: Shape::folders_with_special_ids(),
                folders: vec![named("msgfolderroot"), folder()],
            }),
            Call::FindFolder(FindFolder {
                traversal: "Deep".to_owned(),
                shape: Shape::folders(),
                at_most: Some(500),
                offset: 500,
                restriction: None,
                parents: vec![named("msgfolderroot")],
            }),
            Call::SyncFolderHierarchy(SyncFolderHierarchy {
                shape: Shape::folders(),
                root: Some(named("msgfolderroot")),
                state: Some(SyncToken::new("H4sI=")),
            }),
            Call::SyncFolderItems(SyncFolderItems {
                shape: Shape::items(),
                folder: folder(),
                state: Some(SyncToken::new("H4sI=")),
                ignore: vec![ItemId::new("x")],
                at_most: 512,
                associated: false,
            }),
            Call::FindItem(FindItem {
                traversal: "Shallow".to_owned(),
                shape: Shape::items(),
                at_most: Some(100),
                offset: 0,
                restriction: Some(Restriction::ClassBegins("IPM.Note.".to_owned())),
                largest_first: true,
                parents: vec![folder()],
            }),
            Call::GetItem(GetItem {
                shape: Shape::items(),
                items: vec![ItemId::new("x")],
            }),
            Call::ExportItems(ExportItems {
                items: vec![ItemId::new("x"), ItemId::new("y")],
            }),
            Call::FindItem(FindItem {
                traversal: "Associated".to_owned(),
                shape: Shape::reminders(),
                at_most: Some(100),
                offset: 0,
                restriction: Some(Restriction::HasReminderFile),
                largest_first: false,
                parents: vec![folder()],
            }),
            Call::GetFolder(GetFolder {
                shape: Shape::folder_settings(),
                folders: vec![folder()],
            }),
            Call::GetInboxRules(GetInboxRules {
                mailbox: MailboxId::new("a@clinic.example"),
            }),
            Call::GetDelegate(GetDelegate {
                mailbox: MailboxId::new("a@clinic.example"),
            }),
            Call::GetUserOofSettings(GetUserOofSettings {
                mailbox: MailboxId::new("a@clinic.example"),
            }),
        ]
    }

    fn header() -> RequestHeader {
        RequestHeader::acting_for(&MailboxId::new("o'neil&co@clinic.example"))
    }

    #[test]
    fn what_we_write_is_read_strictly_and_means_the_same() {
        for call in all() {
            let read = read(call.write(&header()).as_bytes()).expect("schema-valid");
            assert_eq!((read.header, &read.call), (header(), &call));
        }
    }

    #[test]
    fn breaks_of_the_schema_are_refused_with_their_place() {
        let sync = all()[3].write(&header());
        for (from, to, what) in [
            ("m:SyncState>", "m:SyncStat>", "order"),
            ("m:SyncState>", "t:SyncState>", "namespace"),
            (
                "<m:MaxChangesReturned>512<",
                "<m:MaxChangesReturned>513<",
                "range",
            ),
            (
                "<m:MaxChangesReturned>512</m:MaxChangesReturned>",
                "",
                "missing",
            ),
            ("NormalItems", "Normal", "enum"),
            ("\"item:Size\"", "\"item:Sise\"", "field"),
            ("PropertyTag=\"0x300B\"", "PropertyTag=\"300B\"", "tag"),
            ("<t:FolderId Id=", "<t:FolderId ID=", "attribute"),
            ("Exchange2013_SP1", "V2017_07_11", "version"),
            ("<m:SyncScope>", "text<m:SyncScope>", "text"),
            ("PrimarySmtpAddress", "PrimarySmtp", "header"),
        ] {
            let broken = sync.replace(from, to);
            assert_ne!(broken, sync, "{what} changes something");
            match read(broken.as_bytes()) {
                Err(Rejected::Schema(v)) => assert!(v.line == 1 && v.column > 1, "{what}: {v}"),
                other => panic!("{what}: {other:?}"),
            }
        }
        let folder = all()[0].write(&header()).replace("msgfolderroot", "inbox2");
        assert!(matches!(read(folder.as_bytes()), Err(Rejected::Schema(_))));
    }

    #[test]
    fn requests_that_write_are_named() {
        let text = all()[6]
            .write(&header())
            .replace("m:ExportItems", "m:DeleteItem");
        let writes = Rejected::Writes("DeleteItem".to_owned());
        assert_eq!(read(text.as_bytes()), Err(writes));
        let text = all()[6]
            .write(&header())
            .replace("m:ExportItems", "m:ConvertId");
        assert!(matches!(
            read(text.as_bytes()),
            Err(Rejected::NotAnswered(_))
        ));
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_request_makes_the_reader_panic(
            which in 0usize..11, at in 0usize..2000, with in proptest::collection::vec(any::<u8>(), 0..6), drop in 0usize..40,
        ) {
            let mut bytes = all()[which].write(&header()).into_bytes();
            let at = at.min(bytes.len());
            let end = (at + drop).min(bytes.len());
            bytes.splice(at..end, with);
            let _ = read(&bytes);
        }
    }
}
