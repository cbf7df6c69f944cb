//! The typed source port on EWS: properties by GetItem in batches. `typed_carry` reads what hangs on an item and hands its parcel on.

use std::collections::VecDeque;

use async_trait::async_trait;

use crate::base::id::{ItemId, MailboxId};
use crate::base::limits;
use crate::base::losses::Family;
use crate::base::outcome::{MisreadCause, Refusal, RefusalWhy, Said, Setback};
use crate::exchange::client::Client;
use crate::exchange::source::{ExchangeSource, incomplete};
use crate::port::source::ExportSink;
use crate::port::typed::TypedSource;
use crate::wire::ews::classify::{self, Place};
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::reply::Message;
use crate::wire::ews::request::Call;
use crate::wire::ews::shape::Shape;
use crate::wire::ews::typed_item::{GetTyped, Shown};

/// One entry per item: as the server shows it, or what stands in the way.
pub(super) type Entries = Vec<Result<Shown, Setback>>;

#[async_trait]
impl TypedSource for ExchangeSource {
    async fn read(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        let mut reading = Reading {
            client: &self.client,
            mailbox,
            family: Family::Message,
            in_parts: false,
        };
        let mut out: Vec<Result<(), Setback>> = Vec::with_capacity(items.len());
        for batch in items.chunks(limits::TYPED_BATCH) {
            let shown = match reading.show(batch).await {
                Ok(shown) => shown,
                Err(setback) => return give_up(out, setback, items.len()),
            };
            for own in shown {
                let index = out.len();
                let carried = match own {
                    Ok(shown) => reading.carry(index, shown, sink).await,
                    Err(setback) => Err(setback),
                };
                match carried {
                    Err(setback) if !is_of_one_item(&setback) => {
                        return give_up(out, setback, items.len());
                    }
                    other => out.push(other),
                }
            }
        }
        Ok(out)
    }
}

/// True for what says nothing about the items after this one.
const fn is_of_one_item(setback: &Setback) -> bool {
    matches!(
        setback,
        Setback::ItemRefused(_) | Setback::Gone | Setback::Truncated | Setback::NotTried(_)
    )
}

/// Ends a call that cannot go on. What was read whole before counts where the setback may pass by itself: those after it were not tried.
fn give_up(
    mut out: Vec<Result<(), Setback>>,
    setback: Setback,
    asked: usize,
) -> Result<Vec<Result<(), Setback>>, Setback> {
    let passing = matches!(
        setback,
        Setback::Throttled { .. }
            | Setback::Unwell(_)
            | Setback::Lost(_)
            | Setback::GatewayGaveUp(_)
            | Setback::Misread(..)
    );
    if !passing || !out.iter().any(Result::is_ok) {
        return Err(setback);
    }
    out.push(Err(setback));
    out.resize_with(asked, || Err(Setback::NotTried(Said::default())));
    Ok(out)
}

/// One call of the port.
pub(super) struct Reading<'a> {
    pub(super) client: &'a Client,
    pub(super) mailbox: &'a MailboxId,
    /// What the items before were: a folder mostly holds one family.
    family: Family,
    /// True once the server refused everything in one call.
    in_parts: bool,
}

impl Reading<'_> {
    /// The properties of some items. What turns out to be of another family is asked for again.
    async fn show(&mut self, ids: &[ItemId]) -> Result<Entries, Setback> {
        let first = self.family;
        let mut out = self.ask(ids, first).await?;
        for family in Family::ALL.into_iter().filter(|own| *own != first) {
            let of_it = |own: &Result<Shown, Setback>| {
                own.as_ref().is_ok_and(|own| own.family() == Some(family))
            };
            let places: Vec<usize> = (0..out.len()).filter(|at| of_it(&out[*at])).collect();
            if places.is_empty() {
                continue;
            }
            let again: Vec<ItemId> = places.iter().map(|at| ids[*at].clone()).collect();
            let shown = self.ask(&again, family).await?;
            for (at, own) in places.into_iter().zip(shown) {
                out[at] = own;
            }
            self.family = family;
        }
        Ok(out)
    }

    /// Asks for items as those of a family. A reply that is too large is asked for in halves.
    async fn ask(&mut self, ids: &[ItemId], family: Family) -> Result<Entries, Setback> {
        let mut out = Vec::with_capacity(ids.len());
        let mut todo = VecDeque::from([ids]);
        while let Some(ids) = todo.pop_front() {
            match self.ask_whole(ids, family).await {
                Ok(shown) => out.extend(shown),
                Err(Setback::Misread(MisreadCause::TooLarge, _)) if ids.len() > 1 => {
                    let (first, second) = ids.split_at(ids.len() / 2);
                    todo.push_front(second);
                    todo.push_front(first);
                }
                Err(Setback::Misread(MisreadCause::TooLarge, _)) => {
                    out.push(Err(refused("TextTooLarge")));
                }
                Err(setback) => return Err(setback),
            }
        }
        Ok(out)
    }

    /// Everything in one call, or, where the server refuses so much, in two.
    async fn ask_whole(&mut self, ids: &[ItemId], family: Family) -> Result<Entries, Setback> {
        if !self.in_parts {
            let whole = self.ask_once(ids, Shape::typed(family)).await;
            let too_much = match &whole {
                Ok(all) => all
                    .iter()
                    .filter_map(|own| own.as_ref().err())
                    .any(is_too_much),
                Err(setback) => is_too_much(setback),
            };
            if !too_much {
                return whole;
            }
            self.in_parts = true;
        }
        let [first, second] = Shape::typed_parts(family);
        let first = self.ask_once(ids, first).await?;
        let second = self.ask_once(ids, second).await?;
        let both = |(first, second): (Result<Shown, Setback>, Result<Shown, Setback>)| {
            let mut own = first?;
            own.take_rest(second?);
            Ok(own)
        };
        Ok(first.into_iter().zip(second).map(both).collect())
    }

    /// One call, one entry per id.
    pub(super) async fn ask_once(&self, ids: &[ItemId], shape: Shape) -> Result<Entries, Setback> {
        let call = Call::GetItem(GetItem {
            shape,
            items: ids.to_vec(),
        });
        let max = limits::TYPED_REPLY_MAX;
        let reply = (self.client)
            .ask_within::<GetTyped>(self.mailbox, &call, Place::Item, max)
            .await?;
        if reply.messages.len() != ids.len() {
            return Err(incomplete());
        }
        for (message, asked) in reply.messages.iter().zip(ids) {
            match message {
                // An item at another's place: then no place can be trusted.
                Message::Done(own) if own.id != *asked && ids.contains(&own.id) => {
                    return Err(incomplete());
                }
                // An outage that shows on one item is the call's.
                Message::Refused(why) if classify::is_outage(why) => {
                    return Err(classify::refused(why, Place::Batch));
                }
                Message::Done(_) | Message::Refused(_) | Message::Incomplete => {}
            }
        }
        let messages = reply.messages.into_iter();
        Ok(messages.map(|own| own.into_result(Place::Item)).collect())
    }
}

/// An item that the route does not carry, in a word of ours.
pub(super) fn refused(code: &'static str) -> Setback {
    Setback::ItemRefused(Refusal {
        why: RefusalWhy::NoTypedForm,
        said: Said::code(code),
    })
}

/// The answer to a shape that asks for too much at once (reference/ews.md section 1, GetItem).
fn is_too_much(setback: &Setback) -> bool {
    let Setback::OurRequest(said) = setback else {
        return false;
    };
    let code = said.code.as_ref();
    code.is_some_and(|code| code.as_str() == "ErrorInvalidRequest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::HaltCause;

    #[test]
    fn what_was_read_before_a_passing_setback_counts() {
        let unwell = Setback::Unwell(Said::default());
        let kept = give_up(vec![Ok(()), Err(Setback::Gone)], unwell.clone(), 4).unwrap();
        let not_tried = Err(Setback::NotTried(Said::default()));
        assert_eq!(
            kept,
            [Ok(()), Err(Setback::Gone), Err(unwell.clone()), not_tried]
        );
        assert_eq!(
            give_up(vec![Err(Setback::Gone)], unwell.clone(), 4),
            Err(unwell)
        );
        let closed = Setback::MailboxClosed(HaltCause::Moving, Said::default());
        assert_eq!(give_up(vec![Ok(())], closed.clone(), 4), Err(closed));
    }
}
