//! Reads an ExportItems reply of any size with bounded memory: the content of `m:Data` leaves decoded as it arrives; everything else is
//! kept as a small skeleton that the ordinary reader judges at the end.
//!
//! An item counts only when the closing Envelope was read, its message says success, and its data decoded whole and not empty.

use crate::base::id::ItemId;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::wire::ews::classify::{self, Hints, Place};
use crate::wire::ews::export_items::{ExportItems, Exported};
use crate::wire::ews::reply::{Message, NoReply};
use crate::wire::ews::splitter::{self, DataEnd, Rule, Splitter};

pub use crate::wire::ews::splitter::Split;

static RULE: Rule = Rule {
    response: "ExportItemsResponse",
    depth: 2,
    holds: |path| path.len() == 2 && path[1] == b"Data",
    mutes: |_| false,
};

/// The splitter. Feed it the body of the answer, then ask it to finish.
#[derive(Debug)]
pub struct ExportSplitter(Splitter);

impl Default for ExportSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl ExportSplitter {
    /// A splitter at the beginning of a reply.
    pub fn new() -> Self {
        Self(Splitter::new(&RULE))
    }

    /// Takes the next chunk. What it gives is never longer than the chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Split> {
        self.0.push(chunk)
    }

    /// Ends the reply: one entry per id asked for, in their order; or why none of them counts. `status` and `hints` are the answer's.
    pub fn finish(
        self,
        status: u16,
        hints: Hints,
        asked: &[ItemId],
    ) -> Result<Vec<Result<Bytes, Setback>>, Setback> {
        let messages = self.0.finish::<ExportItems>(status, hints, asked.len())?;
        if swapped(&messages, asked) {
            let why = NoReply::Misread(MisreadCause::Incomplete);
            return Err(classify::no_reply(status, hints, &why, Place::Batch));
        }
        if let Some(setback) = splitter::outage(&messages) {
            return Err(setback);
        }
        let judge = |(message, end): (Message<Exported>, Option<DataEnd>)| {
            message.into_result(Place::Item)?;
            let length = splitter::length(end)?;
            let empty = Setback::Misread(MisreadCause::Incomplete, Said::default());
            Some(length)
                .filter(|length| *length > Bytes::ZERO)
                .ok_or(empty)
        };
        Ok(messages.into_iter().map(judge).collect())
    }
}

/// True when a message names an item that was asked for at another place: then no place can be trusted.
fn swapped(messages: &[(Message<Exported>, Option<DataEnd>)], asked: &[ItemId]) -> bool {
    messages
        .iter()
        .zip(asked)
        .any(|((message, _), own)| match message {
            Message::Done(Exported { id: Some(id), .. }) => id != own && asked.contains(id),
            Message::Done(_) | Message::Refused(_) | Message::Incomplete => false,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::limits;
    use crate::base::outcome::StopCause;
    use crate::wire::base64;
    use crate::wire::ews::export_items::ExportReplyWriter;
    use crate::wire::ews::reply::Refused;
    use crate::wire::soap::{self, Fault, ServerVersion};

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    type Outcome = Result<Vec<Result<Bytes, Setback>>, Setback>;

    /// What a sink would have kept per message, and the verdict.
    fn split(reply: &[u8], cut: usize, asked: usize) -> (Vec<Vec<u8>>, Outcome) {
        let mut splitter = ExportSplitter::new();
        let mut kept: Vec<Vec<u8>> = vec![Vec::new(); asked];
        let mut open = 0;
        for chunk in reply.chunks(cut.max(1)) {
            let pieces = splitter.push(chunk);
            let given: usize = pieces
                .iter()
                .map(|p| {
                    if let Split::Piece(bytes) = p {
                        bytes.len()
                    } else {
                        0
                    }
                })
                .sum();
            assert!(given <= chunk.len() + 3, "never more than came in");
            for piece in pieces {
                match piece {
                    Split::Begin(index) => open = index,
                    Split::Piece(bytes) => {
                        if let Some(kept) = kept.get_mut(open) {
                            kept.extend(bytes);
                        }
                    }
                }
            }
        }
        let ids: Vec<ItemId> = (0..asked).map(|n| ItemId::new(format!("id{n}"))).collect();
        (kept, splitter.finish(200, Hints::default(), &ids))
    }

    fn reply_of(messages: &[Result<&str, &str>]) -> String {
        let mut w = ExportReplyWriter::new(&VERSION);
        let mut text = String::new();
        for (n, message) in messages.iter().enumerate() {
            match message {
                Ok(data) => {
                    text += &w.begin_item(&ItemId::new(format!("id{n}")));
                    text += data;
                    text += &w.end_item();
                }
                Err(code) => text += &w.refuse(&Refused::error(code)),
            }
        }
        text + &w.finish()
    }

    fn misread(why: MisreadCause) -> Setback {
        Setback::Misread(why, Said::default())
    }

    #[test]
    fn each_message_is_judged_by_itself() {
        let reply = reply_of(&[
            Ok("QUJD"),
            Err("ErrorItemNotFound"),
            Ok(" Q<!-- > c -->U\r\n<![CDATA[I]]>&#xD;&#61;<?p x?>"),
            Ok("QUJD=== Truncated Data ==="),
            Ok("QUI"),
            Ok(""),
            Ok("<x>QUJD</x>"),
            Ok("QUJD&amp;"),
            Ok("QUJD<![CDATA[]>]]>"),
        ]);
        for cut in 1..reply.len() {
            let (kept, outcome) = split(reply.as_bytes(), cut, 9);
            let want = vec![
                Ok(Bytes::new(3)),
                Err(Setback::Gone),
                Ok(Bytes::new(2)),
                Err(Setback::Truncated),
                Err(misread(MisreadCause::Malformed)),
                Err(misread(MisreadCause::Incomplete)),
                Err(misread(MisreadCause::Malformed)),
                Err(misread(MisreadCause::Malformed)),
                Err(misread(MisreadCause::Malformed)),
            ];
            assert_eq!(outcome, Ok(want), "cut {cut}");
            assert_eq!(
                (kept[0].as_slice(), kept[2].as_slice()),
                (&b"ABC"[..], &b"AB"[..])
            );
        }
    }

    #[test]
    fn no_item_of_a_cut_off_reply_counts() {
        let reply = reply_of(&[Ok("QUJD"), Ok("QUJD")]);
        for end in 0..reply.len() {
            let (_, outcome) = split(&reply.as_bytes()[..end], 7, 2);
            let said = Said::status(200);
            assert_eq!(
                outcome,
                Err(Setback::Misread(MisreadCause::CutOff, said)),
                "{end}"
            );
        }
    }

    #[test]
    fn faults_pages_and_wrong_counts_fail_the_call() {
        let fault = Fault {
            code: "ErrorImpersonationDenied".to_owned(),
            ..Fault::default()
        };
        let fault = soap::write_fault(&fault, "no");
        let mut splitter = ExportSplitter::new();
        assert_eq!(splitter.push(fault.as_bytes()), vec![]);
        assert_eq!(
            splitter.finish(500, Hints::default(), &[ItemId::new("a")]),
            Err(Setback::SideClosed(
                StopCause::NoImpersonation,
                Said::new(500, "ErrorImpersonationDenied")
            ))
        );
        let page = b"<!DOCTYPE html><html><body>Sign in</body></html>";
        assert!(matches!(split(page, 5, 1).1, Err(Setback::SideClosed(..))));
        let short = reply_of(&[Ok("QUJD")]);
        let incomplete = Setback::Misread(MisreadCause::Incomplete, Said::status(200));
        assert_eq!(split(short.as_bytes(), 9, 2).1, Err(incomplete.clone()));
        let swapped = reply_of(&[Ok("QUJD"), Ok("QUJD")])
            .replace("\"id0\"", "\"idx\"")
            .replace("\"id1\"", "\"id0\"");
        assert_eq!(split(swapped.as_bytes(), 9, 2).1, Err(incomplete));
    }

    #[test]
    fn an_outage_that_shows_on_one_item_fails_the_call_and_blames_nobody() {
        let store = "ErrorMailboxStoreUnavailable";
        let reply = reply_of(&[Ok("QUJD"), Err(store), Err("ErrorBatchProcessingStopped")]);
        let unwell = Setback::Unwell(Said::code(store));
        assert_eq!(split(reply.as_bytes(), 9, 3).1, Err(unwell));
        let reply = reply_of(&[
            Err("ErrorTimeoutExpired"),
            Err("ErrorBatchProcessingStopped"),
        ]);
        let want = vec![
            Err(Setback::Unwell(Said::code("ErrorTimeoutExpired"))),
            Err(Setback::NotTried(Said::code("ErrorBatchProcessingStopped"))),
        ];
        assert_eq!(split(reply.as_bytes(), 9, 2).1, Ok(want));
    }

    #[test]
    fn the_skeleton_is_bounded_and_data_of_any_size_is_not() {
        let data = "QUJD".repeat(1_000_000);
        let reply = reply_of(&[Ok(&data)]);
        assert_eq!(
            split(reply.as_bytes(), 65_536, 1).1,
            Ok(vec![Ok(Bytes::new(3_000_000))])
        );
        let reply = reply_of(&[Err(&"E".repeat(limits::EXPORT_SKELETON_MAX))]);
        let too_large = Setback::Misread(MisreadCause::TooLarge, Said::status(200));
        assert_eq!(split(reply.as_bytes(), 65_536, 1).1, Err(too_large));
    }

    #[test]
    fn data_outside_the_message_namespace_does_not_count() {
        let reply = reply_of(&[Ok("QUJD")]).replace("m:Data", "t:Data");
        let (_, outcome) = split(reply.as_bytes(), 3, 1);
        assert_eq!(outcome, Ok(vec![Err(misread(MisreadCause::Incomplete))]));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_result(
            items in proptest::collection::vec(
                proptest::option::of(proptest::collection::vec(any::<u8>(), 1..60)), 1..6),
            cut in 1usize..90,
            wrap in 1usize..70,
        ) {
            let texts: Vec<Option<String>> = items.iter().map(|item| {
                let text = base64::encode(item.as_ref()?);
                let lines: Vec<String> = text.as_bytes().chunks(wrap)
                    .map(|line| String::from_utf8_lossy(line).into_owned()).collect();
                Some(lines.join("&#xD;\n "))
            }).collect();
            let messages: Vec<Result<&str, &str>> = texts.iter()
                .map(|t| t.as_deref().ok_or("ErrorItemNotFound")).collect();
            let reply = reply_of(&messages);
            let (kept, outcome) = split(reply.as_bytes(), cut, items.len());
            prop_assert_eq!(&split(reply.as_bytes(), reply.len(), items.len()), &(kept.clone(), outcome.clone()));
            for (n, result) in outcome.expect("a whole reply").into_iter().enumerate() {
                if let Some(bytes) = &items[n] {
                    prop_assert_eq!(result, Ok(Bytes::new(bytes.len() as u64)));
                    prop_assert_eq!(&kept[n], bytes);
                } else {
                    prop_assert_eq!(result, Err(Setback::Gone));
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic_and_no_chunking_matters(
            text in "(</?(s:)?(Envelope|Body|ExportItemsResponse|ResponseMessages|ExportItemsResponseMessage|Data)( a='>')?/?>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|[QUJD=&;#x<>!?\\]]){0,40}",
            cut in 1usize..20,
        ) {
            let whole = split(text.as_bytes(), text.len(), 2);
            prop_assert_eq!(split(text.as_bytes(), cut, 2), whole);
        }
    }
}
