//! Listings of what belongs to a user, page by page. Links are followed as they came, to the same host alone, and none twice.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use crate::base::limits;
use crate::base::outcome::Setback;
use crate::graph::caller::Caller;
use crate::graph::folders::endless;
use crate::graph::typed::Site;
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;

/// One page of a listing.
pub(super) trait Page: DeserializeOwned {
    /// Where the next one is.
    fn next_link(&self) -> Option<&str>;
}

/// A listing on its way.
pub(super) struct Pages {
    asked: Asked,
    next: Option<String>,
    followed: BTreeSet<String>,
}

impl Pages {
    /// The listing that begins there.
    pub(super) const fn from(asked: Asked, first: String) -> Self {
        Self {
            asked,
            next: Some(first),
            followed: BTreeSet::new(),
        }
    }

    /// The next page and its status; `None` behind the last. What a setback broke off is begun anew by its caller.
    pub(super) async fn next<P: Page>(
        &mut self,
        caller: &Caller,
        site: &Site<'_>,
    ) -> Result<Option<(u16, P)>, Setback> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        if self.followed.len() > limits::TARGET_FOLDERS_MAX || !self.followed.insert(url.clone()) {
            return Err(endless());
        }
        site.count(caller);
        let (status, body) = caller.get(self.asked, url).await?;
        let page: P = json::read(status, &body)?;
        if let Some(link) = page.next_link() {
            caller.own_link(link)?;
            self.next = Some(link.to_owned());
        }
        Ok(Some((status, page)))
    }
}

macro_rules! pages {
    ($($page:ty),+ $(,)?) => {
        $(impl Page for $page {
            fn next_link(&self) -> Option<&str> {
                self.next_link.as_deref()
            }
        })+
    };
}

pages!(
    crate::wire::graph::mail_folder::MailFolderPage,
    crate::wire::graph::mail_folder::MarkedPage,
    crate::wire::graph::shelf::Counted,
    crate::wire::graph::shelf::ShelfPage,
    crate::wire::graph::typed_attachment::AttachmentPage,
    crate::wire::graph::typed_event::InstancePage,
);
