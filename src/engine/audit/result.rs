//! What verification found out, per folder and per mailbox.

use std::collections::BTreeMap;

use crate::base::fact::{Bucket, FolderRow};
use crate::base::id::TargetItemId;
use crate::base::item::ItemKey;
use crate::base::limits::FINDINGS_LISTED_MAX;
use crate::base::mailbox::FolderPath;
use crate::base::quantity::{Count, Moment};
use crate::evidence::grade::{Grade, Marks, grade};
use crate::verify::content::Difference;
use crate::verify::fresh::FolderMark;
use crate::verify::reason::Reason;

pub(super) const ONE: Count = Count::new(1);

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which folder.
    pub folder: FolderPath,
    /// Which source item, at levels identity and content.
    pub item: Option<ItemKey>,
    /// Which target item, at levels identity and content.
    pub target: Option<TargetItemId>,
    /// Why it is one.
    pub reason: Reason,
    /// Which properties differ, at level content.
    pub differences: Vec<Difference>,
    /// Occurrences at the source and on the target, where an appointment takes place at other times there.
    pub dates: Option<(Count, Count)>,
    /// How many items it concerns.
    pub count: Count,
}

impl Finding {
    pub(super) fn new(folder: &FolderPath, reason: Reason) -> Self {
        Self {
            folder: folder.clone(),
            item: None,
            target: None,
            reason,
            differences: Vec::new(),
            dates: None,
            count: ONE,
        }
    }
}

/// What became of the content of a folder's items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentTally {
    /// Items on both sides whose content could be compared at all.
    pub due: Count,
    /// Of them, compared now.
    pub compared: Count,
    /// Of these, the same.
    pub same: Count,
    /// The same but for documented effects of the route.
    pub by_route: Count,
    /// Different, without an explanation.
    pub differing: Count,
    /// Different, because the source changed since.
    pub changed_at_source: Count,
    /// Different, and accepted by a person.
    pub accepted: Count,
    /// Not comparable, or not handed out.
    pub not_comparable: Count,
    /// Gone from one side between the listing and the export; the next verification lists them.
    pub vanished: Count,
    /// Appointments whose occurrences were expanded on both sides.
    pub appointments: Count,
    /// Their occurrences.
    pub occurrences: Count,
    /// Appointments whose recurrence could not be expanded.
    pub not_expanded: Count,
}

impl ContentTally {
    /// Adds another folder's, or another mailbox's.
    pub fn add(&mut self, other: &Self) {
        self.due += other.due;
        self.compared += other.compared;
        self.same += other.same;
        self.by_route += other.by_route;
        self.differing += other.differing;
        self.changed_at_source += other.changed_at_source;
        self.accepted += other.accepted;
        self.not_comparable += other.not_comparable;
        self.vanished += other.vanished;
        self.appointments += other.appointments;
        self.occurrences += other.occurrences;
        self.not_expanded += other.not_expanded;
    }
}

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderAudit {
    /// What the ledger knew of it when it was verified; the verdict covers no more.
    pub mark: FolderMark,
    /// When its listing was complete.
    pub listed: Moment,
    /// SHA-256 of its sync state at that time, where there is one.
    pub sync: Option<[u8; 32]>,
    /// Source items, as just listed.
    pub source: Count,
    /// Target items, as just listed.
    pub target: Count,
    /// Source items that are on the target.
    pub confirmed: Count,
    /// Source items that are not, or are an older version, each in a named bucket.
    pub explained: BTreeMap<Bucket, Count>,
    /// Every difference, counted.
    pub reasons: BTreeMap<Reason, Count>,
    /// Content, at that level.
    pub content: ContentTally,
    /// Meeting messages on the target that came to be since and that this plan did not make: what was sent for somebody would be among them.
    pub meetings: Count,
    /// The differences, listed.
    pub findings: Vec<Finding>,
}

impl FolderAudit {
    pub(super) fn begin(row: &FolderRow, listed: Moment) -> Self {
        use sha2::{Digest as _, Sha256};
        Self {
            mark: FolderMark::begin(row),
            listed,
            sync: row
                .sync
                .as_ref()
                .map(|token| Sha256::digest(token.as_str().as_bytes()).into()),
            source: Count::ZERO,
            target: Count::ZERO,
            confirmed: Count::ZERO,
            explained: BTreeMap::new(),
            reasons: BTreeMap::new(),
            content: ContentTally::default(),
            meetings: Count::ZERO,
            findings: Vec::new(),
        }
    }

    pub(super) fn explain(&mut self, bucket: Bucket, n: Count) {
        if n > Count::ZERO {
            *self.explained.entry(bucket).or_default() += n;
        }
    }

    /// Counts a difference, and lists it as long as lists may grow.
    pub(super) fn find(&mut self, finding: Finding) {
        *self.reasons.entry(finding.reason).or_default() += finding.count;
        if self.findings.len() < FINDINGS_LISTED_MAX {
            self.findings.push(finding);
        }
    }

    /// A source item that was confirmed by its identity turns out to be another one by its content.
    pub(super) fn unconfirm(&mut self) {
        self.confirmed = self.confirmed.saturating_sub(ONE);
    }

    pub(super) fn missing(&self) -> bool {
        self.reasons.contains_key(&Reason::Missing)
    }
}

/// What verification found out about one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxAudit {
    /// Source items, as just listed.
    pub source: Count,
    /// Target items, as just listed.
    pub target: Count,
    /// Source items that are on the target; at level content, with the same content as far as it was compared.
    pub confirmed: Count,
    /// Source items that are not, or are an older version, each in a named bucket.
    pub explained: BTreeMap<Bucket, Count>,
    /// Source items that are missing or different for no known reason.
    pub unexplained: Count,
    /// Target items without partner that nothing explains.
    pub extra: Count,
    /// Target items without partner that are explained.
    pub extra_explained: Count,
    /// Every difference, counted.
    pub reasons: BTreeMap<Reason, Count>,
    /// Content, at that level.
    pub content: ContentTally,
    /// Meeting messages on the target that came to be since and that this plan did not make.
    pub meetings: Count,
    /// Differences that are not listed, because there are too many.
    pub unlisted: Count,
    /// The differences, listed.
    pub findings: Vec<Finding>,
    /// The folders, without their findings.
    pub folders: Vec<FolderAudit>,
    /// The grade by the published rules.
    pub grade: Grade,
}

impl MailboxAudit {
    pub(super) fn take(&mut self, mut folder: FolderAudit) {
        self.source += folder.source;
        self.target += folder.target;
        self.confirmed += folder.confirmed;
        for (bucket, n) in &folder.explained {
            *self.explained.entry(*bucket).or_default() += *n;
        }
        self.content.add(&folder.content);
        self.meetings += folder.meetings;
        let mut listed = Count::ZERO;
        for finding in folder.findings.drain(..) {
            if self.findings.len() < FINDINGS_LISTED_MAX {
                listed += finding.count;
                self.findings.push(finding);
            }
        }
        let all: Count = folder.reasons.values().copied().sum();
        self.unlisted += all.saturating_sub(listed);
        for (reason, n) in &folder.reasons {
            *self.reasons.entry(*reason).or_default() += *n;
        }
        self.folders.push(folder);
    }

    /// Counts and lists a difference that belongs to no folder of the ledger.
    pub(super) fn find(&mut self, finding: Finding) {
        *self.reasons.entry(finding.reason).or_default() += finding.count;
        self.findings.push(finding);
    }

    /// How many differences of this kind there are.
    pub fn of(&self, reason: Reason) -> Count {
        self.reasons.get(&reason).copied().unwrap_or_default()
    }

    fn sum(&self, of: &[Reason]) -> Count {
        of.iter().map(|reason| self.of(*reason)).sum()
    }

    pub(super) fn conclude(&mut self) {
        self.unexplained = self.sum(&[
            Reason::Missing,
            Reason::ChangedOnTarget,
            Reason::ChangedOnBoth,
            Reason::Differs,
        ]);
        self.extra = self.sum(&[Reason::Twice, Reason::Altered, Reason::Unknown]);
        self.extra_explained = self.sum(&[
            Reason::LeftSource,
            Reason::ThereBefore,
            Reason::MadeSince,
            Reason::NotOurs,
        ]);
        let by_rule = self.explained.get(&Bucket::Skipped);
        let by_rule = by_rule.copied().unwrap_or_default();
        let all: Count = self.explained.values().copied().sum();
        self.grade = grade(Marks {
            by_rule,
            open: all.saturating_sub(by_rule),
            unexplained: self.unexplained,
            extra: self.extra,
            extra_explained: self.extra_explained,
            by_route: self.sum(&[Reason::ByRoute]),
            not_comparable: self.sum(&[Reason::NotComparable, Reason::NotRead]),
        });
    }
}
