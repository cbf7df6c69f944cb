//! Invented people, words and folder names. Nobody here exists; `clinic.example` is reserved for examples.

use crate::base::mailbox::FolderRole;

/// The language of a mailbox's default folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
}

/// Local parts of the first mailboxes.
pub(super) const PEOPLE: [&str; 24] = [
    "a.harris",
    "b.okafor",
    "c.lindqvist",
    "d.schreiber",
    "e.marchetti",
    "f.novak",
    "g.tanaka",
    "h.dubois",
    "i.kowalska",
    "j.mbeki",
    "k.petersen",
    "l.oconnell",
    "m.fischer",
    "n.rahman",
    "o.almeida",
    "p.lefevre",
    "q.zhang",
    "r.gruber",
    "s.haddad",
    "t.jansen",
    "u.moreau",
    "v.singh",
    "w.eriksen",
    "x.torres",
];

/// The domain of every address.
pub(super) const DOMAIN: &str = "clinic.example";

/// Words of subjects and bodies.
pub(super) const WORDS: [&str; 40] = [
    "ward",
    "rota",
    "results",
    "bloods",
    "referral",
    "clinic",
    "meeting",
    "minutes",
    "audit",
    "discharge",
    "theatre",
    "pharmacy",
    "budget",
    "on-call",
    "handover",
    "Überweisung",
    "Befund",
    "Réunion",
    "ordonnance",
    "scan",
    "follow-up",
    "letter",
    "appointment",
    "Monday",
    "Thursday",
    "please",
    "attached",
    "urgent",
    "review",
    "draft",
    "final",
    "signed",
    "copy",
    "training",
    "leave",
    "cover",
    "équipe",
    "Straße",
    "naïve",
    "日本語",
];

/// Categories users have made up.
pub(super) const CATEGORIES: [&str; 5] = [
    "Red category",
    "Follow up",
    "Privé",
    "Grün",
    "Research/2024",
];

/// The name of a default folder as its mailbox shows it.
pub(super) fn folder_name(role: FolderRole, language: Language) -> &'static str {
    let (german, french) = match role {
        FolderRole::Inbox => ("Posteingang", "Boîte de réception"),
        FolderRole::SentItems => ("Gesendete Elemente", "Éléments envoyés"),
        FolderRole::Drafts => ("Entwürfe", "Brouillons"),
        FolderRole::DeletedItems => ("Gelöschte Elemente", "Éléments supprimés"),
        FolderRole::JunkEmail => ("Junk-E-Mail", "Courrier indésirable"),
        FolderRole::Outbox => ("Postausgang", "Boîte d'envoi"),
        FolderRole::Calendar => ("Kalender", "Calendrier"),
        FolderRole::Contacts => ("Kontakte", "Contacts"),
        FolderRole::Tasks => ("Aufgaben", "Tâches"),
        FolderRole::Notes => ("Notizen", "Notes"),
        FolderRole::Journal => ("Journal", "Journal"),
        FolderRole::SyncIssues => ("Synchronisierungsprobleme", "Problèmes de synchronisation"),
        FolderRole::Conflicts => ("Konflikte", "Conflits"),
        FolderRole::LocalFailures => ("Lokale Fehler", "Défaillances locales"),
        FolderRole::ServerFailures => ("Serverfehler", "Défaillances du serveur"),
        FolderRole::RssFeeds => ("RSS-Feeds", "Flux RSS"),
        FolderRole::ConversationHistory => (
            "Aufgezeichnete Unterhaltungen",
            "Historique des conversations",
        ),
        other => (other.english(), other.english()),
    };
    match language {
        Language::English => role.english(),
        Language::German => german,
        Language::French => french,
    }
}
