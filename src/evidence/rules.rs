//! The rules a pack is made by, as the text that lies in it.

use super::grade::GRADE_RULES_TEXT;
use super::sshsig::{APPROVAL, PACK, REQUEST};

/// The text of `rules.txt`.
pub fn text() -> String {
    format!("{HEAD}\n== Grade\n\n{GRADE_RULES_TEXT}\n{}", waivers())
}

const HEAD: &str = "\
How this pack is made and checked

== Files

pack.json        every other file with its length and SHA-256; the manifest's root; the end of the log
pack.sha256      the SHA-256 of pack.json, for sha256sum -c
manifest.jsonl   one line an item: mailbox, folder number, item, class, bucket, bytes
balance.json     the sums per folder, mailbox and all; recomputed from the manifest by whoever checks
baseline.json    what the source's own hierarchy counted, against what its listings showed
exceptions.json  every item that is neither confirmed nor simply waiting, with its reason
verification.json  the last comparison of both sides, where there was one
waivers/         exceptions somebody answers for, with the signatures over them
log.jsonl        decisions and facts; each line names the SHA-256 of the line before it
signatures/      SSH signatures over pack.json; nothing else in the pack changes when one is added

== Buckets

confirmed      on the target, once
skipped        left behind by a rule of the plan
quarantined    withheld by screening
refused        one side says it cannot be carried
parked         waits for a person
in_doubt       may be on the target; the next run looks
remaining      not carried yet
changed_since  carried, and changed or deleted at the source since

Every item that a listing of the source showed, and that was there when it was last listed, is in exactly one. What the hierarchy counts and
no listing has shown yet is unlisted and counts as remaining. Per carried folder: source = sum of the buckets + unlisted.

== Merkle root (RFC 6962, section 2.1)

leaf = SHA-256(0x00, line without its line end); node = SHA-256(0x01, left, right); n leaves split at the largest power of two below n.

== Pseudonyms

In the external edition mailboxes, folders, items, marks, digests and target items are the first 16 bytes of HMAC-SHA-256 under a key that
stays with the customer (state/evidence.key). Message classes, sizes, reasons and the names people gave themselves are in clear.
";

fn waivers() -> String {
    format!(
        "== Waivers

A waiver counts when the person who asks for it and another person who grants it have signed the same file, with two names and two keys as the
customer's allowed_signers file has them; when the one who grants it has not operated a run of the plan (run --name); when it was made for this plan; until the end of its last day (UTC). Waivable are refused, parked,
quarantined and changed_since items, items that one person decided about, and items of unknown origin on the target of one mailbox. It never covers more items than it says.

== Signatures (SSHSIG, PROTOCOL.sshsig of OpenSSH)

namespace {PACK} over pack.json; {REQUEST} and {APPROVAL} over a waiver.
  ssh-keygen -Y verify -f allowed_signers -I NAME -n {PACK} -s signatures/KEY.sig < pack.json

A pack without signatures shows that it is whole, not who made it: whoever can write all of it can make another one.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grade_rules_stand_in_the_text() {
        let text = text();
        for word in ["perfect", "investigate", "poor", GRADE_RULES_TEXT] {
            assert!(text.contains(word), "{word}");
        }
    }
}
