//! Messages read back as parcels: what the service shows of them, and the bytes of their attachments as they come.
//!
//! One by one and not by `$batch`, by arithmetic (reference/graph.md section 3; nobody measured a tenant). Each request inside a batch is metered alone and
//! at most 4 of them go to a mailbox at a time, so that one batch takes all 4 places of its mailbox: 20 reads are 5 rounds of 4 in a batch as they are side
//! by side. A batch saves the way there and back of 4 of the 5 rounds. But the window of 10,000 requests in 10 minutes is 17 a second, which 4 side by side
//! reach once a read takes less than 240 ms; only slower ones could gain, and no more than the share of the way in them. The price: answers that lie in
//! memory whole, and a throttle of its own inside each.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use crate::base::id::TargetMailboxId;
use crate::base::limits;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::secret::SafeUrl;
use crate::base::typed::{TypedAttachment, TypedItem};
use crate::graph::caller::Caller;
use crate::graph::content::first_piece;
use crate::graph::folders::endless;
use crate::graph::pages::Pages;
use crate::graph::typed::Site;
use crate::port::body::BodyStream;
use crate::transport::{Call, CallKind, Method, Reply};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::path_user::{Holder, OfUser};
use crate::wire::graph::typed_attachment::{AttachmentPage, LIST_QUERY, ShownAttachment};
use crate::wire::graph::typed_message::ShownMessage;
use crate::wire::parcel;

/// One message as the service shows it, without its attachments.
pub(super) async fn message(
    caller: &Caller,
    site: &Site<'_>,
    id: &str,
) -> Result<ShownMessage, Setback> {
    let part = OfUser::Message {
        message: id.to_owned(),
    };
    let url = site.url(caller, part, &ShownMessage::query());
    site.count(caller);
    let (status, body) = caller.get(Asked::Export, url).await?;
    let shown = ShownMessage::read(status, &body)?;
    shown.placed(status)?;
    Ok(shown)
}

/// The attachments of an item, without their bytes.
pub(super) async fn attachments(
    caller: &Caller,
    site: &Site<'_>,
    of: &Holder,
) -> Result<Vec<ShownAttachment>, Setback> {
    let part = OfUser::Attachments { of: of.clone() };
    let mut pages = Pages::from(Asked::Export, site.url(caller, part, LIST_QUERY));
    let mut all = Vec::new();
    while let Some((_, page)) = pages.next::<AttachmentPage>(caller, site).await? {
        all.extend(page.value);
        if all.len() > limits::ATTACHMENTS_MAX {
            return Err(endless());
        }
    }
    Ok(all)
}

/// The attachments of an item in our words, and where the bytes of each are.
pub(super) async fn files_of(
    caller: &Caller,
    site: &Site<'_>,
    of: &Holder,
) -> Result<(Vec<TypedAttachment>, Vec<SafeUrl>), Setback> {
    let listed = attachments(caller, site, of).await?;
    let files = listed.iter().map(ShownAttachment::typed).collect();
    let urls = listed.into_iter().map(|own| {
        let attachment = own.id.ok_or_else(missing)?;
        let of = of.clone();
        let part = OfUser::AttachmentValue { of, attachment };
        Ok(SafeUrl::new(site.url(caller, part, "")))
    });
    Ok((files, urls.collect::<Result<_, _>>()?))
}

fn missing() -> Setback {
    Setback::Misread(MisreadCause::Incomplete, Said::status(200))
}

/// The parcel of a message.
pub(super) async fn parcel(
    caller: &Arc<Caller>,
    site: &Site<'_>,
    shown: ShownMessage,
) -> Result<BodyStream, Setback> {
    let of = Holder::Message(shown.id.clone().ok_or_else(missing)?);
    let (files, urls) = files_of(caller, site, &of).await?;
    let mut own = shown.typed();
    own.common.attachments = files;
    let item = TypedItem::Message(Box::new(own));
    Ok(parcel_of(caller, site, &item, urls))
}

/// A parcel whose attachments are still to be fetched.
pub(super) fn parcel_of(
    caller: &Arc<Caller>,
    site: &Site<'_>,
    item: &TypedItem,
    urls: Vec<SafeUrl>,
) -> BodyStream {
    let back = Back {
        caller: Arc::clone(caller),
        mailbox: site.mailbox.clone(),
        ready: parcel::head(item),
        files: urls.into(),
        reply: None,
        ended: false,
    };
    let pieces = stream::unfold(Some(back), |back| async {
        let mut back = back?;
        match back.arrive().await {
            Ok(()) if back.ready.is_empty() => None,
            Ok(()) => Some((Ok(first_piece(&mut back.ready)), Some(back))),
            Err(setback) => Some((Err(setback), None)),
        }
    });
    pieces.boxed()
}

/// A parcel that is there.
pub(super) fn whole(item: &TypedItem, files: &[Vec<u8>]) -> BodyStream {
    let rest = parcel::encode(item, files);
    let pieces = stream::unfold(rest, |mut rest| async {
        (!rest.is_empty()).then(|| (Ok(first_piece(&mut rest)), rest))
    });
    pieces.boxed()
}

/// A parcel on its way back.
struct Back {
    caller: Arc<Caller>,
    mailbox: TargetMailboxId,
    /// What goes next.
    ready: Vec<u8>,
    /// Attachments still to be asked for.
    files: VecDeque<SafeUrl>,
    reply: Option<Reply>,
    ended: bool,
}

impl Back {
    /// Reads on until a whole piece is ready or everything came.
    async fn arrive(&mut self) -> Result<(), Setback> {
        while self.ready.len() < limits::BODY_PIECE && !self.ended {
            if let Some(reply) = &mut self.reply {
                match reply.chunk().await? {
                    Some(bytes) => self.ready.extend(parcel::piece(&bytes)),
                    None => self.reply = None,
                }
            } else if let Some(url) = self.files.pop_front() {
                self.ready.extend(parcel::attachment());
                self.caller.made(&self.mailbox, 1);
                let call = Call::new(Method::Get, url).kind(CallKind::Transfer);
                self.reply = Some(self.caller.send(Asked::Export, call).await?);
            } else {
                self.ready.extend(parcel::end());
                self.ended = true;
            }
        }
        Ok(())
    }
}
