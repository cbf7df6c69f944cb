//! Mailboxes and folders: roles, classes, paths, and what a side holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::canary::FOLDER_PREFIX;
use crate::base::id::{FolderId, TargetFolderId};
use crate::base::quantity::{Bytes, Count};

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident, $english:literal, $ews:expr, $graph:expr;)+) => {
        /// What a folder is for, whatever it is called. Folders are matched by role, never by a display name: default folders
        /// carry the language of the first logon and users rename them (reference/ews.md section 5).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FolderRole {
            $($(#[$doc])* $role,)+
        }

        impl FolderRole {
            /// Every role, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$role,)+];

            /// The English name a report shows.
            pub const fn english(self) -> &'static str {
                match self { $(Self::$role => $english,)+ }
            }

            /// The distinguished folder id of the Exchange 2016 schema, where it has one.
            pub const fn ews_id(self) -> Option<&'static str> {
                match self { $(Self::$role => $ews,)+ }
            }

            /// Graph's wellKnownName, where it has one (reference/graph.md 2.6).
            pub const fn graph_name(self) -> Option<&'static str> {
                match self { $(Self::$role => $graph,)+ }
            }
        }
    };
}

roles! {
    /// The root of the user's tree ("Top of Information Store").
    Top, "Top of Information Store", Some("msgfolderroot"), Some("msgfolderroot");
    /// Inbox.
    Inbox, "Inbox", Some("inbox"), Some("inbox");
    /// Sent Items.
    SentItems, "Sent Items", Some("sentitems"), Some("sentitems");
    /// Drafts.
    Drafts, "Drafts", Some("drafts"), Some("drafts");
    /// Deleted Items.
    DeletedItems, "Deleted Items", Some("deleteditems"), Some("deleteditems");
    /// Junk Email.
    JunkEmail, "Junk Email", Some("junkemail"), Some("junkemail");
    /// Outbox. Stays behind.
    Outbox, "Outbox", Some("outbox"), Some("outbox");
    /// The default calendar.
    Calendar, "Calendar", Some("calendar"), Some("calendar");
    /// The default contacts folder.
    Contacts, "Contacts", Some("contacts"), Some("contacts");
    /// Tasks.
    Tasks, "Tasks", Some("tasks"), Some("tasks");
    /// Notes.
    Notes, "Notes", Some("notes"), Some("notes");
    /// Journal.
    Journal, "Journal", Some("journal"), Some("journal");
    /// Conversation History.
    ConversationHistory, "Conversation History", Some("conversationhistory"), Some("conversationhistory");
    /// The parent of search folders. Stays behind.
    SearchFolders, "Search Folders", Some("searchfolders"), Some("searchfolders");
    /// Sync Issues. Stays behind.
    SyncIssues, "Sync Issues", Some("syncissues"), Some("syncissues");
    /// Sync Issues / Conflicts. Stays behind.
    Conflicts, "Conflicts", Some("conflicts"), Some("conflicts");
    /// Sync Issues / Local Failures. Stays behind.
    LocalFailures, "Local Failures", Some("localfailures"), Some("localfailures");
    /// Sync Issues / Server Failures. Stays behind.
    ServerFailures, "Server Failures", Some("serverfailures"), Some("serverfailures");
    /// The dumpster's root. Stays behind.
    RecoverableItems, "Recoverable Items", Some("recoverableitemsroot"), None;
    /// Dumpster: Deletions. Stays behind.
    RecoverableDeletions, "Deletions", Some("recoverableitemsdeletions"), Some("recoverableitemsdeletions");
    /// Dumpster: Versions. Stays behind.
    RecoverableVersions, "Versions", Some("recoverableitemsversions"), None;
    /// Dumpster: Purges. Stays behind.
    RecoverablePurges, "Purges", Some("recoverableitemspurges"), None;
    /// RSS Feeds. Found by PidTagAdditionalRenEntryIdsEx or folder class, since EWS 2016 names no id. Stays behind.
    RssFeeds, "RSS Feeds", None, None;
    /// Conversation Action Settings. Stays behind.
    ConversationActions, "Conversation Action Settings", None, None;
    /// Quick Step Settings. Stays behind.
    QuickSteps, "Quick Step Settings", None, None;
    /// Suggested Contacts of Outlook 2010.
    SuggestedContacts, "Suggested Contacts", None, None;
    /// Recipient cache. Stays behind.
    RecipientCache, "Recipient Cache", Some("recipientcache"), None;
    /// Lync quick contacts. Stays behind.
    QuickContacts, "Quick Contacts", Some("quickcontacts"), None;
    /// Lync contact list. Stays behind.
    ImContactList, "IM Contact List", Some("imcontactlist"), None;
    /// To-Do search. Stays behind.
    ToDoSearch, "To-Do Search", Some("todosearch"), None;
}

/// What kind of folder the store says it is (PidTagFolderType).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FolderKind {
    /// Holds items.
    Generic,
    /// Shows items that live elsewhere. Never copied.
    Search,
}

/// The class of folders whose class is empty or unknown (reference/ews.md section 5).
pub const MAIL_FOLDER_CLASS: &str = "IPF.Note";

/// One folder of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFolder {
    /// Its id.
    pub id: FolderId,
    /// Its parent; `None` for the root of the user's tree and for roots beside it (dumpster, search folders).
    pub parent: Option<FolderId>,
    /// Its name as the user sees it, byte for byte.
    pub name: String,
    /// Its class, empty where the store has none.
    pub class: String,
    /// What it is for, where a distinguished id or the Ren entry ids say so.
    pub role: Option<FolderRole>,
    /// Generic or search.
    pub kind: FolderKind,
    /// PidTagAttributeHidden.
    pub hidden: bool,
    /// Normal items inside, without associated ones.
    pub items: Count,
    /// Bytes inside, own items only; zero where the store does not say.
    pub size: Bytes,
}

/// One folder of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFolder {
    /// Its id.
    pub id: TargetFolderId,
    /// Its parent's id.
    pub parent: Option<TargetFolderId>,
    /// Its display name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// What it is for.
    pub role: Option<FolderRole>,
    /// Items inside, as Graph counts them (all classes).
    pub items: Count,
}

impl TargetFolder {
    /// True for a folder of a preflight's canaries, and for that in which the typed route makes what needs several calls: it holds nothing that counts,
    /// and is taken away again.
    pub fn is_passing(&self) -> bool {
        let ours = self.name == UNFINISHED_FOLDER || self.name.starts_with(FOLDER_PREFIX);
        self.role.is_none() && ours
    }
}

/// The name of the hidden folder of ours, right under the top of a target mailbox, in which the typed route makes what needs several calls.
pub const UNFINISHED_FOLDER: &str = "mailferry unfinished";

/// A folder we want on the target. Adopted where a folder of this name exists under the parent, made otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderOrder {
    /// Under which folder.
    pub parent: TargetFolderId,
    /// Display name, byte for byte the source's.
    pub name: String,
    /// Folder class; Graph cannot change it later.
    pub class: String,
}

/// A folder path for people: names joined by `/`, a `/` or `\` inside a name escaped with `\`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FolderPath(String);

impl FolderPath {
    /// The path of these names from the top, each escaped.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut path = Self::default();
        for name in names {
            path = path.child(name);
        }
        path
    }

    /// The path one level down.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut out = self.0.clone();
        if !out.is_empty() {
            out.push('/');
        }
        for c in name.chars() {
            if matches!(c, '/' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        Self(out)
    }

    /// The path of a text that [`FolderPath::as_str`] gave.
    pub fn escaped(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The escaped text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts and bytes of one side, per folder path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Per folder: items and bytes.
    pub folders: BTreeMap<FolderPath, (Count, Bytes)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_inside_a_name_does_not_make_a_level() {
        assert_eq!(
            FolderPath::of(["Lab/results", "a\\b"]).as_str(),
            "Lab\\/results/a\\\\b"
        );
        assert_ne!(FolderPath::of(["a/b"]), FolderPath::of(["a", "b"]));
    }
}
