//! The typed route: items read by their class on one side and created by their class on the other, where the service does not take streams.
//!
//! Between the two travels a parcel (`wire::parcel`), spooled and digested as an item stream is. What a class loses on this route is said by one
//! table (`base::losses`).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::base::id::{ItemId, MailboxId, TargetItemId, TargetMailboxId};
use crate::base::item::{Placed, Stamp};
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::Setback;
use crate::base::quantity::Count;
use crate::port::body::{Body, BodyStream};
use crate::port::source::ExportSink;

/// Reads items as their classes know them. No method writes. Every method is `Repeat::Freely`.
#[async_trait]
pub trait TypedSource: fmt::Debug + Send + Sync {
    /// Reads items as parcels, with everything that hangs on them. The contract is that of [`Source::export`](crate::port::source::Source::export):
    /// for each id, in order, `begin` and `piece`s, or nothing; one entry per id, which is the only word on success. The same content gives the same
    /// parcel but for the dates the store keeps for itself. A class that has no parcel is [`Setback::ItemRefused`].
    async fn read(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback>;
}

/// Creates items by their classes. It changes or deletes only what we made, and no method sends anything to anybody.
#[async_trait]
pub trait TypedTarget: fmt::Debug + Send + Sync {
    /// Creates one item in `folder` from its parcel, bearing the mark of `stamp`. `Repeat::Once`, with the setbacks of
    /// [`Target::create`](crate::port::target::Target::create). What needs more than one call is made in a hidden folder of ours and moved when it is
    /// complete: whatever happens, `folder` shows the whole item or none of it. What an earlier attempt at the same item left in the hidden
    /// folder is removed first. What cannot be carried is [`Setback::ItemRefused`], before anything was made.
    async fn compose(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        parcel: &Body,
    ) -> Result<Placed, Setback>;

    /// Brings a copy that we composed to the state of a newer parcel, as far as the service lets it be changed, if it is still the version `placed`
    /// names; it keeps the mark of `stamp`. [`Setback::ItemRefused`]: it is another version, or, with `NoTypedForm`, something changed that cannot be
    /// changed; nothing happened then. After any setback that is doubtful the newer state may be there: ask `Target::version`.
    async fn amend(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        placed: &Placed,
        parcel: &Body,
    ) -> Result<Placed, Setback>;

    /// The events in this folder whose reminders wait for the cutover, for a target that was told to hold them back: what it creates and amends has its
    /// reminders off and bears a sign that says so. A folder that holds no events has none. What was created a moment ago may be missing as long as a
    /// target's listings lag. `Repeat::Freely`.
    async fn held_back(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
    ) -> Result<Vec<TargetItemId>, Setback>;

    /// Turns on the reminders of one event that wait, those of its exceptions too, as they were at the source, and changes its sign: the version before,
    /// and where it is now. Nothing but reminder and sign is changed, and nobody is written to. `None`: nothing waits, or it is no copy of ours made for
    /// this mailbox; nothing happened then. A reminder that its user turned on stays as it is. `Repeat::Freely`: stopped anywhere, it still waits, or all
    /// of it is done.
    async fn remind(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<Option<(Placed, Placed)>, Setback>;

    /// Reads one item back as a parcel, of what the service shows. `Repeat::Freely`.
    async fn read(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback>;

    /// Removes what composes that did not end left behind: in our hidden folder, which itself goes when it is empty, and in these folders, where events
    /// and contacts lie openly that are not whole. Returns how many items. Of what lies in `folders` only that is removed which bears our mark of the
    /// unfinished for this mailbox, read from the item; a folder for mail, or one that is gone, has none. After a setback some may be left.
    /// `Repeat::Freely`; only while nothing is being composed in this mailbox.
    async fn tidy(
        &self,
        mailbox: &TargetMailboxId,
        folders: &[TargetFolder],
    ) -> Result<Count, Setback>;

    /// Requests made on this mailbox beyond one for each call above, since this was last asked.
    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count;
}

/// Both ends of the route.
#[derive(Clone, Debug)]
pub struct TypedPorts {
    /// Where items are read.
    pub source: Arc<dyn TypedSource>,
    /// Where they are created.
    pub target: Arc<dyn TypedTarget>,
}
