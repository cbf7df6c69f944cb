//! One large attachment by an upload session: the machine of `wire::upload`, driven. Slices come from the parcel and go without our token; the URL
//! is its own credential and is never shown.

use crate::base::limits;
use crate::base::outcome::{DoubtCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::base::secret::SafeUrl;
use crate::base::typed::TypedAttachment;
use crate::graph::caller::{Caller, classify_reply, json_post};
use crate::graph::sessions::admit;
use crate::graph::typed::Site;
use crate::graph::typed_parcel::Reel;
use crate::graph::typed_read::attachments;
use crate::transport::{Auth, Call, CallBody, CallKind, Http, Method};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::path_user::{Holder, OfUser};
use crate::wire::graph::typed_attachment::{UploadSession, is_out_of_order, session_body};
use crate::wire::upload::{Slice, Step, Told, Upload, UploadFailed};

/// An upload under way: it outlives an attempt that was put off.
#[derive(Debug)]
pub(super) struct Uploading {
    upload: Upload,
    url: Option<SafeUrl>,
}

/// What is uploaded, and where to.
pub(super) struct Freight<'a> {
    /// The item that gets it.
    pub(super) of: &'a Holder,
    /// Attachments that the item has already.
    pub(super) has: usize,
    /// Which attachment of the parcel it is.
    pub(super) at: usize,
    /// The attachment.
    pub(super) own: &'a TypedAttachment,
}

impl Uploading {
    pub(super) const fn new(len: Bytes) -> Self {
        Self {
            upload: Upload::new(len),
            url: None,
        }
    }
}

/// Owned, so that the machine can be told after the answer was read.
enum Heard {
    Ranges(Vec<String>),
    Plain(Told<'static>),
}

/// The far side, as an upload needs it.
pub(super) struct Far<'a> {
    pub(super) caller: &'a Caller,
    /// For the pre-authenticated URL.
    pub(super) bare: &'a Http,
    pub(super) site: &'a Site<'a>,
}

impl Far<'_> {
    /// Carries an upload to its end. After an error that says that nothing happened it can go on with the same `uploading`.
    pub(super) async fn upload(
        &self,
        uploading: &mut Uploading,
        freight: &Freight<'_>,
        len: Bytes,
        reel: &mut Reel,
    ) -> Result<(), Setback> {
        loop {
            let heard = match uploading.upload.step() {
                Step::Done => return Ok(()),
                Step::Failed(why) => return Err(given_up(why)),
                Step::Open => self.open(uploading, freight, len).await,
                Step::Put(slice) => {
                    let bytes = reel.read(freight.at, slice.from, slice.len).await?;
                    self.put(uploading.url.as_ref(), slice, bytes).await
                }
                Step::Ask => self.ask(uploading.url.as_ref()).await,
                Step::Look => self.look(freight).await,
            };
            match heard {
                Ok(Heard::Ranges(ranges)) => uploading.upload.tell(Told::Ranges(&ranges)),
                Ok(Heard::Plain(told)) => uploading.upload.tell(told),
                Err(setback) => uploading.upload.tell(told_of(setback)?),
            }
        }
    }

    async fn open(
        &self,
        uploading: &mut Uploading,
        freight: &Freight<'_>,
        len: Bytes,
    ) -> Result<Heard, Setback> {
        let part = OfUser::UploadSession {
            of: freight.of.clone(),
        };
        let url = self.site.url(self.caller, part, "");
        let call = json_post(url, CallBody::bytes(session_body(freight.own, len)));
        self.site.count(self.caller);
        let (status, body) = self.caller.whole(Asked::Attach, call).await?;
        let (url, ranges) = UploadSession::opened(status, &body)?;
        admit(self.caller, &url, "upload-url-not-https")?;
        uploading.url = Some(url);
        Ok(Heard::Ranges(ranges))
    }

    async fn put(
        &self,
        url: Option<&SafeUrl>,
        slice: Slice,
        bytes: Vec<u8>,
    ) -> Result<Heard, Setback> {
        let Some(url) = url else {
            return Ok(Heard::Plain(Told::SessionGone));
        };
        let call = Call::new(Method::Put, url.clone())
            .header("content-type", "application/octet-stream")
            .header("content-range", slice.content_range())
            .body(CallBody::bytes(bytes))
            .kind(CallKind::Transfer);
        self.on_session(call).await
    }

    async fn ask(&self, url: Option<&SafeUrl>) -> Result<Heard, Setback> {
        match url {
            Some(url) => self.on_session(Call::new(Method::Get, url.clone())).await,
            None => Ok(Heard::Plain(Told::SessionGone)),
        }
    }

    /// A call on the session's own URL.
    async fn on_session(&self, call: Call) -> Result<Heard, Setback> {
        self.site.count(self.caller);
        let asking = call.method == Method::Get;
        let call = call.header("accept", "application/json").auth(Auth::InUrl);
        let reply = self.bare.send(call).await?;
        let status = reply.status();
        if !reply.is_success() {
            let now = self.caller.clock.moment();
            return match classify_reply(Asked::Upload, reply, now).await {
                // The URL's own sign-in has ended, which ours does not mend.
                Setback::Expired(_) | Setback::Gone => Ok(Heard::Plain(Told::SessionGone)),
                other => Err(other),
            };
        }
        if status == 201 && !asking {
            return Ok(Heard::Plain(Told::Created));
        }
        let body = reply.read_all(limits::ERROR_BODY_MAX).await?;
        Ok(Heard::Ranges(UploadSession::ranges(status, &body)?))
    }

    /// Whether the item has one more attachment than before.
    async fn look(&self, freight: &Freight<'_>) -> Result<Heard, Setback> {
        let all = attachments(self.caller, self.site, freight.of).await?;
        Ok(Heard::Plain(Told::There(all.len() > freight.has)))
    }
}

/// What a setback means to the upload; an error where it ends the attempt.
fn told_of(setback: Setback) -> Result<Told<'static>, Setback> {
    match setback {
        own if is_out_of_order(&own) => Ok(Told::OutOfRange),
        Setback::Lost(_)
        | Setback::GatewayGaveUp(_)
        | Setback::Unwell(_)
        | Setback::Misread(..) => Ok(Told::Broken),
        other => Err(other),
    }
}

/// The attachment may be there or not, and so the item is to be made anew.
fn given_up(why: UploadFailed) -> Setback {
    let code = match why {
        UploadFailed::Stalled => "upload-stalled",
        UploadFailed::SessionsLost => "upload-sessions-lost",
        UploadFailed::TooEarly => "upload-ended-too-early",
    };
    Setback::Lost(DoubtCause::Answered(Said::code(code)))
}
