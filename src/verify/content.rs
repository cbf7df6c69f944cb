//! Says whether two streams hold the same item and, where not, which property differs: never its value.
//!
//! Some properties are worked out by every store from others ([MS-OXCMSG] section 2.2.1): a difference there is an effect of the route and not of
//! the item, as long as what they are worked out from is the same.

use std::collections::BTreeMap;

use crate::base::item::Digest;
use crate::base::outline::{Outline, Part, PartKind, PropertyName, PropertyPrint};
use crate::verify::names;

/// What reading a stream left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// SHA-256 of the bytes as they came.
    pub bytes: [u8; 32],
    /// The outline; absent where the reader could not read it whole.
    pub outline: Option<Outline>,
    /// The canonical digest, of the same.
    pub digest: Option<Digest>,
}

/// How something differs on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The source has it, the target not.
    Missing,
    /// The target has it, the source not.
    Added,
    /// Both have it, with another value.
    Changed,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A property.
    Property(PropertyName),
    /// A whole recipient, attachment or embedded message.
    Part(PartKind),
    /// A field of an item that travelled by its class, as the model calls it.
    Field(String),
}

/// One difference of content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Inside which parts, from the outside in. Empty: the item itself.
    pub place: Vec<PartKind>,
    /// What.
    pub what: What,
    /// How.
    pub how: How,
    /// Why it is an effect of the route, where a document says so.
    pub effect: Option<&'static str>,
}

/// Who changed it, by what the ledger says was carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The target is no longer what was carried.
    Target,
    /// The source is no longer what was carried; the target still is.
    Source,
    /// Neither is what was carried.
    Both,
    /// Nobody recorded what was carried.
    Unknown,
}

/// The result for one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The same item.
    Same,
    /// The same but for documented effects of the route.
    ByRoute(Vec<Difference>),
    /// Not the same item.
    Differs {
        /// Who changed it.
        changed: Changed,
        /// What differs, effects of the route included.
        differences: Vec<Difference>,
    },
    /// Our reader cannot read one of them whole, and the bytes are not the same.
    NotComparable,
}

/// Judges one item. `carried` is the digest on record of what was sent.
pub fn judge(source: &Reading, target: &Reading, carried: Option<Digest>) -> Judged {
    if source.bytes == target.bytes {
        return Judged::Same;
    }
    let (Some(left), Some(right)) = (&source.outline, &target.outline) else {
        return Judged::NotComparable;
    };
    if source.digest.is_some() && source.digest == target.digest {
        return Judged::Same;
    }
    let differences = diff(left, right);
    if !differences.is_empty() && differences.iter().all(|d| d.effect.is_some()) {
        return Judged::ByRoute(differences);
    }
    let changed = match carried {
        None => Changed::Unknown,
        Some(_) if carried == target.digest => Changed::Source,
        Some(_) if carried == source.digest => Changed::Target,
        Some(_) => Changed::Both,
    };
    Judged::Differs {
        changed,
        differences,
    }
}

/// Which properties and parts of two outlines differ. Empty exactly where their digests are the same.
pub fn diff(source: &Outline, target: &Outline) -> Vec<Difference> {
    let mut out = Vec::new();
    compare(source, target, &mut Vec::new(), &mut out);
    out.sort();
    let own = |id| {
        let named = What::Property(PropertyName::Tag(id));
        out.iter().any(|d| d.place.is_empty() && d.what == named)
    };
    let parts = |kind| {
        out.iter().any(|d| {
            d.place.first() == Some(&kind) || d.place.is_empty() && d.what == What::Part(kind)
        })
    };
    let (subject, recipients, attachments) = (
        own(0x0037),
        parts(PartKind::Recipient),
        parts(PartKind::Attachment),
    );
    for difference in out.iter_mut().filter(|d| d.place.is_empty()) {
        difference.effect = match &difference.what {
            What::Property(PropertyName::Tag(0x0E1B)) if !attachments => {
                Some("each store works it out from the attachments, which are the same")
            }
            What::Property(PropertyName::Tag(0x0E1D)) if !subject => {
                Some("each store works it out from the subject, which is the same")
            }
            What::Property(PropertyName::Tag(0x0E02..=0x0E04)) if !recipients => {
                Some("each store works it out from the recipients, which are the same")
            }
            What::Property(_) | What::Part(_) | What::Field(_) => None,
        };
    }
    out
}

fn compare(
    source: &Outline,
    target: &Outline,
    place: &mut Vec<PartKind>,
    out: &mut Vec<Difference>,
) {
    properties(&source.properties, &target.properties, place, out);
    for kind in [
        PartKind::Recipient,
        PartKind::Attachment,
        PartKind::Embedded,
    ] {
        parts(source, target, kind, place, out);
    }
}

fn properties(
    source: &[PropertyPrint],
    target: &[PropertyPrint],
    place: &[PartKind],
    out: &mut Vec<Difference>,
) {
    let mut by_name: BTreeMap<&PropertyName, [Vec<[u8; 32]>; 2]> = BTreeMap::new();
    for (side, own) in [source, target].into_iter().enumerate() {
        for property in own {
            by_name.entry(&property.name).or_default()[side].push(property.hash);
        }
    }
    for (name, [mut left, mut right]) in by_name {
        left.sort_unstable();
        right.sort_unstable();
        if left == right {
            continue;
        }
        let how = match left.len().cmp(&right.len()) {
            std::cmp::Ordering::Greater if right.is_empty() => How::Missing,
            std::cmp::Ordering::Less if left.is_empty() => How::Added,
            _ => How::Changed,
        };
        out.push(Difference {
            place: place.to_vec(),
            what: What::Property(name.clone()),
            how,
            effect: None,
        });
    }
}

/// Parts that are the same on both sides are set aside as a multiset; the rest are paired by what they have in common.
fn parts(
    source: &Outline,
    target: &Outline,
    kind: PartKind,
    place: &mut Vec<PartKind>,
    out: &mut Vec<Difference>,
) {
    let of = |outline: &Outline| -> BTreeMap<[u8; 32], Vec<usize>> {
        let mut all: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
        for (at, part) in outline.parts.iter().enumerate() {
            if part.kind == kind {
                all.entry(part.hash).or_default().push(at);
            }
        }
        all
    };
    let (mut left, mut right) = (of(source), of(target));
    for (hash, own) in &mut left {
        if let Some(other) = right.get_mut(hash) {
            let both = own.len().min(other.len());
            own.drain(..both);
            other.drain(..both);
        }
    }
    let rest = |all: BTreeMap<[u8; 32], Vec<usize>>, outline| {
        let mut rest: Vec<usize> = all.into_values().flatten().collect();
        rest.sort_unstable();
        rest.into_iter()
            .map(move |at: usize| -> &Part {
                let outline: &Outline = outline;
                &outline.parts[at]
            })
            .collect::<Vec<_>>()
    };
    let (left, mut right) = (rest(left, source), rest(right, target));
    let whole = |how| Difference {
        place: place.clone(),
        what: What::Part(kind),
        how,
        effect: None,
    };
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for part in left {
        match closest(part, &right) {
            Some(at) => pairs.push((part, right.remove(at))),
            None => alone.push(whole(How::Missing)),
        }
    }
    alone.extend(right.iter().map(|_| whole(How::Added)));
    out.extend(alone);
    place.push(kind);
    for (left, right) in pairs {
        compare(&left.outline, &right.outline, place, out);
    }
    place.pop();
}

/// How many candidates are looked at for one part: an item with thousands of changed recipients is not worth more.
const CANDIDATES_MAX: usize = 64;

/// The candidate that has most in common with `part`, the first of equals; none where none has anything in common, unless there is but one.
fn closest(part: &Part, candidates: &[&Part]) -> Option<usize> {
    let common = |other: &Part| {
        let own = &part.outline.properties;
        let same = own
            .iter()
            .filter(|p| other.outline.properties.contains(p))
            .count();
        let inside = part
            .outline
            .parts
            .iter()
            .filter(|p| other.outline.parts.iter().any(|o| o.hash == p.hash))
            .count();
        same + inside
    };
    let scored = candidates
        .iter()
        .take(CANDIDATES_MAX)
        .enumerate()
        .map(|(at, other)| (common(other), at));
    let (score, at) = scored.max_by_key(|(score, at)| (*score, usize::MAX - at))?;
    (score > 0 || candidates.len() == 1).then_some(at)
}

impl Difference {
    /// The difference in words, for example `subject (0x0037) has another value`.
    pub fn words(&self) -> String {
        let how = match self.how {
            How::Missing => "is missing on the target",
            How::Added => "is on the target only",
            How::Changed => "has another value",
        };
        let what = match &self.what {
            What::Property(name) => match names::word(name) {
                Some(word) => format!("{word} ({name})"),
                None => format!("property {name}"),
            },
            What::Part(kind) => format!("a {}", part_word(*kind)),
            What::Field(name) => format!("the field {name}"),
        };
        let mut place = String::new();
        for kind in self.place.iter().rev() {
            place.push_str(" of a ");
            place.push_str(part_word(*kind));
        }
        let effect = self
            .effect
            .map_or_else(String::new, |why| format!(" ({why})"));
        format!("{what}{place} {how}{effect}")
    }
}

const fn part_word(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Recipient => "recipient",
        PartKind::Attachment => "file attached",
        PartKind::Embedded => "message attached",
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn print(id: u16, value: u8) -> PropertyPrint {
        PropertyPrint {
            name: PropertyName::Tag(id),
            hash: [value; 32],
        }
    }

    fn item(properties: &[(u16, u8)], parts: Vec<Part>) -> Outline {
        Outline {
            properties: properties.iter().map(|(id, v)| print(*id, *v)).collect(),
            parts,
        }
    }

    fn part(kind: PartKind, hash: u8, properties: &[(u16, u8)]) -> Part {
        Part {
            kind,
            hash: [hash; 32],
            outline: item(properties, Vec::new()),
        }
    }

    fn reading(outline: Outline, tag: u8) -> Reading {
        Reading {
            bytes: [tag; 32],
            outline: Some(outline),
            digest: Some(Digest([tag; 32])),
        }
    }

    #[test]
    fn the_property_is_named_and_its_value_is_not() {
        let found = diff(
            &item(&[(0x37, 1), (0x1000, 2)], vec![]),
            &item(&[(0x37, 9), (0x7777, 3)], vec![]),
        );
        let words: Vec<String> = found.iter().map(Difference::words).collect();
        assert_eq!(
            words,
            [
                "subject (0x0037) has another value",
                "body as text (0x1000) is missing on the target",
                "property 0x7777 is on the target only",
            ]
        );
    }

    #[test]
    fn a_changed_attachment_is_set_against_the_one_it_was() {
        use PartKind::Attachment;
        let source = item(
            &[],
            vec![
                part(Attachment, 1, &[(0x3707, 1), (0x3701, 1)]),
                part(Attachment, 2, &[(0x3707, 2), (0x3701, 2)]),
            ],
        );
        let target = item(
            &[],
            vec![
                part(Attachment, 3, &[(0x3707, 2), (0x3701, 7)]),
                part(Attachment, 1, &[(0x3707, 1), (0x3701, 1)]),
            ],
        );
        let found = diff(&source, &target);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].words(),
            "content of the attachment (0x3701) of a file attached has another value"
        );
    }

    #[test]
    fn what_each_store_works_out_is_an_effect_of_the_route_and_no_more() {
        let source = item(&[(0x37, 1), (0x0E1D, 1)], vec![]);
        let worked_out = item(&[(0x37, 1), (0x0E1D, 2)], vec![]);
        let edited = item(&[(0x37, 3), (0x0E1D, 2)], vec![]);
        let judged = judge(&reading(source.clone(), 1), &reading(worked_out, 2), None);
        assert!(matches!(judged, Judged::ByRoute(_)), "{judged:?}");
        let judged = judge(&reading(source, 1), &reading(edited, 2), None);
        assert!(
            matches!(&judged, Judged::Differs { differences, .. }
                if differences.iter().all(|d| d.effect.is_none())),
            "{judged:?}"
        );
    }

    #[test]
    fn the_ledger_says_who_changed_it() {
        let (a, b) = (item(&[(0x37, 1)], vec![]), item(&[(0x37, 2)], vec![]));
        for (carried, want) in [
            (None, Changed::Unknown),
            (Some(Digest([1; 32])), Changed::Target),
            (Some(Digest([2; 32])), Changed::Source),
            (Some(Digest([3; 32])), Changed::Both),
        ] {
            let judged = judge(&reading(a.clone(), 1), &reading(b.clone(), 2), carried);
            assert!(
                matches!(judged, Judged::Differs { changed, .. } if changed == want),
                "{judged:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_equal_only_byte_for_byte() {
        let unread = |tag| Reading {
            bytes: [tag; 32],
            outline: None,
            digest: None,
        };
        assert_eq!(judge(&unread(1), &unread(1), None), Judged::Same);
        assert_eq!(judge(&unread(1), &unread(2), None), Judged::NotComparable);
        let read = reading(item(&[(1, 1)], vec![]), 3);
        assert_eq!(judge(&read, &unread(1), None), Judged::NotComparable);
    }

    fn any_outline() -> impl Strategy<Value = Outline> {
        let flat = vec((0_u16..6, 0_u8..4), 0..6).prop_map(|p| item(&p, Vec::new()));
        flat.prop_recursive(2, 12, 4, |inner| {
            (vec((0_u16..6, 0_u8..4), 0..6), vec((0_u8..3, inner), 0..4)).prop_map(|(p, parts)| {
                let kinds = [
                    PartKind::Recipient,
                    PartKind::Attachment,
                    PartKind::Embedded,
                ];
                let parts = parts.into_iter().map(|(kind, outline)| Part {
                    kind: kinds[usize::from(kind)],
                    hash: hash_of(&outline),
                    outline,
                });
                item(&p, parts.collect())
            })
        })
    }

    /// A hash that does not depend on order, as the canonical digest.
    fn hash_of(outline: &Outline) -> [u8; 32] {
        use sha2::{Digest as _, Sha256};
        let mut all: Vec<String> = outline
            .properties
            .iter()
            .map(|p| format!("{p:?}"))
            .chain(
                outline
                    .parts
                    .iter()
                    .map(|p| format!("{:?}{:?}", p.kind, hash_of(&p.outline))),
            )
            .collect();
        all.sort();
        Sha256::digest(all.concat().as_bytes()).into()
    }

    proptest! {
        /// Differences are there exactly where the hashes say so, and each direction finds as many.
        #[test]
        fn no_difference_is_missed_and_none_is_made_up(a in any_outline(), b in any_outline()) {
            let same = hash_of(&a) == hash_of(&b);
            let there = diff(&a, &b);
            prop_assert_eq!(there.is_empty(), same, "{:?}", there);
            prop_assert_eq!(diff(&b, &a).is_empty(), same);
            prop_assert!(diff(&a, &a).is_empty());
        }

        /// Order says nothing.
        #[test]
        fn order_says_nothing(mut a in any_outline()) {
            let b = a.clone();
            a.properties.reverse();
            a.parts.reverse();
            prop_assert!(diff(&a, &b).is_empty());
        }
    }
}
