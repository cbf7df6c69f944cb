//! Which folders and items are carried and which stay, as pure tables.
//!
//! The rules follow reference/ews.md section 5, "What a migration should leave out". A folder is recognised by role, kind, flag and class,
//! never by its display name. Whatever stays keeps its rule's name in the balance, so that nothing stays behind in silence.

use crate::base::fact::{FolderFate, LeaveRule, SkipRule};
use crate::base::item::{ItemClass, SourceHeader};
use crate::base::mailbox::{FolderKind, FolderPath, FolderRole, SourceFolder};
use crate::base::spec::Selection;

/// Folder classes of generated contents and settings. Sub-classes count.
const SYSTEM_FOLDER_CLASSES: &[&str] = &[
    "IPF.Appointment.Birthday",
    "IPF.Configuration",
    "IPF.Contact.Company",
    "IPF.Contact.GalContacts",
    "IPF.Contact.MOC.ImContactList",
    "IPF.Contact.MOC.QuickContacts",
    "IPF.Contact.OrganizationalContacts",
    "IPF.Contact.PeopleCentricConversationBuddies",
    "IPF.Contact.RecipientCache",
    "IPF.Files",
    "IPF.SkypeTeams.Message",
    "IPF.SmsAndChatsSync",
    "IPF.StoreItem",
    "IPM.ApplicationData",
    "IPM.DefaultFolderHistoryItem",
    "Outlook.Reminder",
];

/// The folder class of RSS subscriptions.
const RSS_FOLDER_CLASS: &str = "IPF.Note.OutlookHomepage";

/// Item classes that are settings or templates, not mail. Sub-classes count.
const SYSTEM_ITEM_CLASSES: &[&str] = &[
    "IPM.Configuration",
    "IPM.Microsoft",
    "IPM.Note.Rules",
    "IPM.Outlook.Recall",
];

/// Item classes that do not age: `older_than` does not concern them. A contact, a running series or an open task is in use however long
/// ago it was made.
const AGELESS_ITEM_CLASSES: &[&str] = &[
    "IPM.Appointment",
    "IPM.Contact",
    "IPM.DistList",
    "IPM.StickyNote",
    "IPM.Task",
];

/// Whether `folder` is carried.
///
/// `path` is its path with default folders by their English name; `parent` is the fate of its parent, `None` for a folder without one.
/// The first rule that fits decides: search folder, role, class, outside the tree, the parent's fate, no mailbox import, hidden, the plan's list.
pub fn fate(
    folder: &SourceFolder,
    path: &FolderPath,
    parent: Option<FolderFate>,
    select: &Selection,
) -> FolderFate {
    let rule = by_nature(folder)
        .or_else(|| by_place(folder, parent))
        .or_else(|| (select.no_import && is_of_no_api(folder)).then_some(LeaveRule::NoSuchFolders))
        .or_else(|| {
            // The root cannot be hidden or excluded: a plan that carries nothing is not written that way.
            let root = folder.role == Some(FolderRole::Top);
            (folder.hidden && !root).then_some(LeaveRule::Hidden)
        })
        .or_else(|| is_excluded(folder, path, select).then_some(LeaveRule::Excluded));
    rule.map_or(FolderFate::Carry, FolderFate::LeftOut)
}

/// What the folder itself says: kind, role, class.
fn by_nature(folder: &SourceFolder) -> Option<LeaveRule> {
    if folder.kind == FolderKind::Search {
        return Some(LeaveRule::SearchFolder);
    }
    if let Some(role) = folder.role {
        // A role outweighs the class: a default folder is what its distinguished id says.
        return by_role(role);
    }
    let class = ItemClass::new(folder.class.trim());
    if class.is_a(RSS_FOLDER_CLASS) {
        return Some(LeaveRule::RssFeeds);
    }
    is_one_of(&class, SYSTEM_FOLDER_CLASSES).then_some(LeaveRule::SystemFolder)
}

/// The rule of a role, where it has one.
fn by_role(role: FolderRole) -> Option<LeaveRule> {
    match role {
        FolderRole::Top
        | FolderRole::Inbox
        | FolderRole::SentItems
        | FolderRole::Drafts
        | FolderRole::DeletedItems
        | FolderRole::JunkEmail
        | FolderRole::Calendar
        | FolderRole::Contacts
        | FolderRole::Tasks
        | FolderRole::Notes
        | FolderRole::Journal
        | FolderRole::ConversationHistory
        // People of Outlook 2010 kept real addresses there.
        | FolderRole::SuggestedContacts => None,
        FolderRole::Outbox => Some(LeaveRule::Outbox),
        FolderRole::SearchFolders | FolderRole::ToDoSearch => Some(LeaveRule::SearchFolder),
        FolderRole::SyncIssues
        | FolderRole::Conflicts
        | FolderRole::LocalFailures
        | FolderRole::ServerFailures => Some(LeaveRule::SyncIssues),
        FolderRole::RecoverableItems
        | FolderRole::RecoverableDeletions
        | FolderRole::RecoverableVersions
        | FolderRole::RecoverablePurges => Some(LeaveRule::RecoverableItems),
        FolderRole::RssFeeds => Some(LeaveRule::RssFeeds),
        FolderRole::ConversationActions
        | FolderRole::QuickSteps
        | FolderRole::RecipientCache
        | FolderRole::QuickContacts
        | FolderRole::ImContactList => Some(LeaveRule::SystemFolder),
    }
}

/// True for folders that no API but mailbox import can make: of tasks, notes and journals.
fn is_of_no_api(folder: &SourceFolder) -> bool {
    match folder.role {
        Some(FolderRole::Tasks | FolderRole::Notes | FolderRole::Journal) => true,
        Some(_) => false,
        None => is_one_of(
            &ItemClass::new(folder.class.trim()),
            &["IPF.Task", "IPF.StickyNote", "IPF.Journal"],
        ),
    }
}

/// What the place in the tree says. The dumpster and what lies outside the tree keep their own name all the way down, since an auditor
/// asks for those by name.
fn by_place(folder: &SourceFolder, parent: Option<FolderFate>) -> Option<LeaveRule> {
    match parent {
        None if folder.role == Some(FolderRole::Top) => None,
        None => Some(LeaveRule::OutsideTree),
        // What lies in such a folder and is of another kind has its place.
        Some(FolderFate::Carry | FolderFate::LeftOut(LeaveRule::NoSuchFolders)) => None,
        Some(FolderFate::LeftOut(
            rule @ (LeaveRule::RecoverableItems | LeaveRule::OutsideTree | LeaveRule::SyncIssues),
        )) => Some(rule),
        Some(FolderFate::LeftOut(_)) => Some(LeaveRule::ParentLeftOut),
    }
}

/// True when the plan's list names this folder: by the English name of its role, or by its path. Paths are compared byte for byte, because
/// two folders may differ by case alone.
fn is_excluded(folder: &SourceFolder, path: &FolderPath, select: &Selection) -> bool {
    folder.role != Some(FolderRole::Top)
        && select.exclude_folders.iter().any(|name| {
            let by_role = folder
                .role
                .is_some_and(|role| role.english().eq_ignore_ascii_case(name.trim()));
            by_role || name == path.as_str()
        })
}

/// The rule that leaves this item behind, where there is one. An item whose time the listing does not show is never too old.
pub fn skip(header: &SourceHeader, select: &Selection) -> Option<SkipRule> {
    if is_one_of(&header.class, SYSTEM_ITEM_CLASSES) {
        return Some(SkipRule::SystemClass);
    }
    if header.size > select.max_item_size {
        return Some(SkipRule::TooLarge);
    }
    let ages = !is_one_of(&header.class, AGELESS_ITEM_CLASSES);
    match (select.older_than, header.received) {
        (Some(limit), Some(received)) if ages && received < limit => Some(SkipRule::TooOld),
        _ => None,
    }
}

fn is_one_of(class: &ItemClass, families: &[&str]) -> bool {
    families.iter().any(|family| class.is_a(family))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::base::id::{FolderId, ItemId};
    use crate::base::item::{SearchKey, Stamp};
    use crate::base::quantity::{Bytes, Count, Moment};

    fn folder(role: Option<FolderRole>, class: &str) -> SourceFolder {
        SourceFolder {
            id: FolderId::new("f"),
            parent: Some(FolderId::new("p")),
            name: "anything".into(),
            class: class.into(),
            role,
            kind: FolderKind::Generic,
            hidden: false,
            items: Count::ZERO,
            size: Bytes::ZERO,
        }
    }

    fn fate_of(folder: &SourceFolder, parent: Option<FolderFate>) -> FolderFate {
        fate(
            folder,
            &FolderPath::of(["anything"]),
            parent,
            &Selection::default(),
        )
    }

    const CARRY: Option<FolderFate> = Some(FolderFate::Carry);

    #[test]
    fn every_role_has_the_fate_the_reference_gives_it() {
        let mut table = String::new();
        for role in FolderRole::ALL {
            let line = match fate_of(&folder(Some(*role), ""), CARRY) {
                FolderFate::Carry => "carry",
                FolderFate::LeftOut(rule) => rule.name(),
            };
            writeln!(table, "{}: {line}", role.english()).expect("a string grows");
        }
        insta::assert_snapshot!(table, @r"
        Top of Information Store: carry
        Inbox: carry
        Sent Items: carry
        Drafts: carry
        Deleted Items: carry
        Junk Email: carry
        Outbox: outbox
        Calendar: carry
        Contacts: carry
        Tasks: carry
        Notes: carry
        Journal: carry
        Conversation History: carry
        Search Folders: search folder
        Sync Issues: sync issues
        Conflicts: sync issues
        Local Failures: sync issues
        Server Failures: sync issues
        Recoverable Items: recoverable items
        Deletions: recoverable items
        Versions: recoverable items
        Purges: recoverable items
        RSS Feeds: RSS feeds
        Conversation Action Settings: system folder
        Quick Step Settings: system folder
        Suggested Contacts: carry
        Recipient Cache: system folder
        Quick Contacts: system folder
        IM Contact List: system folder
        To-Do Search: search folder
        ");
    }

    #[test]
    fn classes_decide_where_no_role_does() {
        for (class, want) in [
            ("", None),
            ("IPF.Note", None),
            ("IPF.Appointment", None),
            ("IPF.Contact", None),
            ("IPF.Vendor.Thing", None),
            ("IPF.ConfigurationX", None),
            ("ipf.configuration", Some(LeaveRule::SystemFolder)),
            (
                "IPF.Contact.MOC.QuickContacts",
                Some(LeaveRule::SystemFolder),
            ),
            ("IPF.StoreItem.Anything", Some(LeaveRule::SystemFolder)),
            ("IPF.Note.OutlookHomepage", Some(LeaveRule::RssFeeds)),
        ] {
            let want = want.map_or(FolderFate::Carry, FolderFate::LeftOut);
            assert_eq!(fate_of(&folder(None, class), CARRY), want, "{class}");
        }
    }

    #[test]
    fn a_role_outweighs_an_odd_class() {
        let odd = folder(Some(FolderRole::Inbox), "IPF.Configuration");
        assert_eq!(fate_of(&odd, CARRY), FolderFate::Carry);
    }

    #[test]
    fn the_place_in_the_tree_decides_next() {
        let plain = folder(None, "IPF.Note");
        let left = |rule| Some(FolderFate::LeftOut(rule));
        for (parent, want) in [
            (None, LeaveRule::OutsideTree),
            (left(LeaveRule::OutsideTree), LeaveRule::OutsideTree),
            (
                left(LeaveRule::RecoverableItems),
                LeaveRule::RecoverableItems,
            ),
            (left(LeaveRule::SyncIssues), LeaveRule::SyncIssues),
            (left(LeaveRule::Excluded), LeaveRule::ParentLeftOut),
            (left(LeaveRule::Outbox), LeaveRule::ParentLeftOut),
            (left(LeaveRule::ParentLeftOut), LeaveRule::ParentLeftOut),
        ] {
            assert_eq!(fate_of(&plain, parent), FolderFate::LeftOut(want));
        }
        let top = folder(Some(FolderRole::Top), "");
        assert_eq!(fate_of(&top, None), FolderFate::Carry);
    }

    #[test]
    fn without_mailbox_import_folders_that_nothing_can_make_stay_and_what_is_inside_them_does_not()
    {
        let select = Selection {
            no_import: true,
            ..Selection::default()
        };
        let fate = |folder: &SourceFolder, parent| {
            let path = FolderPath::of(["anything"]);
            (
                fate_of(folder, parent) == FolderFate::Carry,
                fate(folder, &path, parent, &select) == FolderFate::Carry,
            )
        };
        for (role, class, carried) in [
            (Some(FolderRole::Tasks), "IPF.Task", false),
            (Some(FolderRole::Notes), "", false),
            (Some(FolderRole::Journal), "IPF.Journal", false),
            (None, "IPF.Task.Vendor", false),
            (None, "IPF.StickyNote", false),
            (Some(FolderRole::Calendar), "IPF.Appointment", true),
            (Some(FolderRole::Inbox), "IPF.Task", true),
            (None, "IPF.Contact", true),
            (None, "", true),
        ] {
            let got = fate(&folder(role, class), CARRY);
            assert_eq!(got, (true, carried), "{role:?} {class}");
        }
        let inside = Some(FolderFate::LeftOut(LeaveRule::NoSuchFolders));
        assert_eq!(fate(&folder(None, "IPF.Note"), inside), (true, true));
        assert_eq!(fate(&folder(None, "IPF.Task"), inside), (true, false));
    }

    #[test]
    fn hidden_and_search_folders_stay() {
        let mut hidden = folder(None, "IPF.Note");
        hidden.hidden = true;
        assert_eq!(
            fate_of(&hidden, CARRY),
            FolderFate::LeftOut(LeaveRule::Hidden)
        );
        let mut search = folder(Some(FolderRole::Inbox), "IPF.Note");
        search.kind = FolderKind::Search;
        assert_eq!(
            fate_of(&search, CARRY),
            FolderFate::LeftOut(LeaveRule::SearchFolder)
        );
    }

    #[test]
    fn the_plan_excludes_by_role_or_by_exact_path() {
        let select = Selection {
            exclude_folders: vec!["junk email".into(), "Inbox/Old\\/new".into()],
            ..Selection::default()
        };
        let junk = folder(Some(FolderRole::JunkEmail), "IPF.Note");
        let at = |folder: &SourceFolder, path: FolderPath| fate(folder, &path, CARRY, &select);
        let excluded = FolderFate::LeftOut(LeaveRule::Excluded);
        assert_eq!(at(&junk, FolderPath::of(["Junk Email"])), excluded);
        let plain = folder(None, "IPF.Note");
        assert_eq!(at(&plain, FolderPath::of(["Inbox", "Old/new"])), excluded);
        assert_eq!(
            at(&plain, FolderPath::of(["Inbox", "OLD/new"])),
            FolderFate::Carry
        );
        // A folder somebody called like a default folder is not that default folder, but its path is what the plan says.
        assert_eq!(
            at(&plain, FolderPath::of(["Inbox", "Junk Email"])),
            FolderFate::Carry
        );
    }

    fn header(class: &str, size: u64, received: Option<i64>) -> SourceHeader {
        SourceHeader {
            id: ItemId::new("i"),
            stamp: Stamp::Key(SearchKey::new([1]).expect("not empty")),
            class: ItemClass::new(class),
            size: Bytes::new(size),
            read: None,
            received: received.map(Moment::from_unix_ms),
            version: None,
        }
    }

    #[test]
    fn items_stay_by_class_size_or_age() {
        let select = Selection {
            older_than: Some(Moment::from_unix_ms(1_000)),
            max_item_size: Bytes::new(100),
            ..Selection::default()
        };
        for (class, size, received, want) in [
            ("IPM.Note", 100, Some(1_000), None),
            ("IPM.Note", 101, Some(1_000), Some(SkipRule::TooLarge)),
            ("IPM.Note", 1, Some(999), Some(SkipRule::TooOld)),
            ("IPM.Note", 1, None, None),
            ("IPM.Contact", 1, Some(0), None),
            ("IPM.Appointment.Vendor", 1, Some(0), None),
            ("REPORT.IPM.Note.NDR", 1, Some(0), Some(SkipRule::TooOld)),
            (
                "IPM.Configuration.OWA.UserOptions",
                1,
                Some(2_000),
                Some(SkipRule::SystemClass),
            ),
            (
                "ipm.microsoft.ScheduleData.FreeBusy",
                1,
                Some(2_000),
                Some(SkipRule::SystemClass),
            ),
            (
                "IPM.Note.Rules.OofTemplate.Microsoft",
                1,
                Some(2_000),
                Some(SkipRule::SystemClass),
            ),
            ("IPM.Note.Microsoft.Voicemail", 1, Some(2_000), None),
            ("IPM.Note.RulesX", 1, Some(2_000), None),
            ("", 1, Some(2_000), None),
        ] {
            assert_eq!(
                skip(&header(class, size, received), &select),
                want,
                "{class} {size} {received:?}"
            );
        }
    }

    #[test]
    fn without_rules_of_the_plan_only_settings_stay() {
        let select = Selection::default();
        assert_eq!(skip(&header("IPM.Note", 1, Some(0)), &select), None);
        assert_eq!(
            skip(&header("IPM.Configuration", 1, Some(0)), &select),
            Some(SkipRule::SystemClass)
        );
    }
}
