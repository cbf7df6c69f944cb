//! What becomes of folders where the target has no mailbox import, as in national clouds: each kind is made by an API of its own (reference/graph.md 2.4
//! to 2.6).

/// One thing that is otherwise there, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderLoss {
    /// Of what.
    pub what: &'static str,
    /// What becomes of it.
    pub how: &'static str,
}

/// All of it.
pub const WITHOUT_IMPORT: &[FolderLoss] = &[
    FolderLoss {
        what: "folders of tasks, notes and journals",
        how: "they stay, with what is in them; mail, calendars and contacts inside them are carried",
    },
    FolderLoss {
        what: "the order of calendars",
        how: "all lie side by side; one whose name is taken gets a number behind it",
    },
    FolderLoss {
        what: "contact folders outside the contacts",
        how: "they lie inside the contacts; folders of one kind inside another kind lie at the top of their own",
    },
    FolderLoss {
        what: "copies whose items left the source",
        how: "they go where a user's own delete puts them, which may be Deleted Items",
    },
];
