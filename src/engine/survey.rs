//! Lists the folders of both sides, decides which are carried, and finds or makes their counterparts, parents first.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::event::EventKind;
use crate::base::fact::{Fact, FolderFate, FolderRow};
use crate::base::id::{FolderId, FolderNo, TargetFolderId};
use crate::base::mailbox::{
    FolderOrder, FolderPath, FolderRole, MAIL_FOLDER_CLASS, SourceFolder, TargetFolder,
};
use crate::base::outcome::HaltCause;
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry};
use crate::plan::rules;

/// The folders of a job after a survey.
#[derive(Debug)]
pub struct Survey {
    /// Every source folder, in an order in which parents come first.
    pub rows: Vec<FolderRow>,
    /// What the target shows in each counterpart.
    pub target_items: BTreeMap<TargetFolderId, Count>,
}

/// Surveys both sides and records the result.
pub async fn survey(ferry: Ferry<'_>) -> Result<Survey, Break> {
    let Ferry { cx, to } = ferry;
    let known = cx.run.ports.ledger.folders(cx.job.job).await?;
    let listed = cx
        .ask_source(|| cx.run.ports.source.folders(&cx.job.source))
        .await?;
    let mut rows = merge(&known, &listed, cx);
    let there = cx
        .ask_target(Some(to), || cx.run.ports.target.folders(to))
        .await?;
    let mut places = Places::new(&there);
    place_defaults(&mut rows, &mut places);
    let mut made: BTreeMap<FolderNo, TargetFolderId> = BTreeMap::new();
    let (mut carried, mut left, mut items) = (Count::ZERO, Count::ZERO, Count::ZERO);
    for row in &mut rows {
        if row.fate != FolderFate::Carry {
            left += Count::new(1);
            continue;
        }
        carried += Count::new(1);
        items += row.items;
        if row.target.is_none() {
            let parent = row.parent.and_then(|no| made.get(&no).cloned());
            let parent = parent.or_else(|| places.top.clone());
            let parent = parent.ok_or(Break::Halt(HaltCause::NoTargetMailbox))?;
            row.target = Some(place(ferry, row, parent, &mut places).await?);
        }
        made.extend(row.target.clone().map(|id| (row.no, id)));
    }
    let before: BTreeMap<FolderNo, &FolderRow> = known.iter().map(|row| (row.no, row)).collect();
    let changed = rows.iter().filter(|row| before.get(&row.no) != Some(row));
    let facts: Vec<Fact> = changed.cloned().map(Fact::Folder).collect();
    cx.append(&facts).await?;
    cx.tell(EventKind::FoldersListed {
        carried,
        left_out: left,
        items,
    });
    Ok(Survey {
        rows,
        target_items: places.items,
    })
}

/// Source folders as rows: known ones keep number, counterpart and sync state; new ones get the next numbers.
fn merge(
    known: &[FolderRow],
    listed: &[SourceFolder],
    cx: &crate::engine::cx::JobCx,
) -> Vec<FolderRow> {
    let by_id: BTreeMap<&FolderId, &FolderRow> =
        known.iter().map(|row| (&row.source, row)).collect();
    let mut next = known.iter().map(|row| row.no.0 + 1).max().unwrap_or(0);
    let mut rows: Vec<FolderRow> = Vec::with_capacity(listed.len());
    let mut done: BTreeMap<&FolderId, usize> = BTreeMap::new();
    for folder in listed {
        let parent = folder
            .parent
            .as_ref()
            .and_then(|id| done.get(id))
            .map(|at| &rows[*at]);
        let path = path_of(folder, parent);
        let fate = rules::fate(
            folder,
            &path,
            parent.map(|row| row.fate),
            &cx.run.spec.select,
        );
        let old = by_id.get(&folder.id);
        let no = old.map_or_else(
            || {
                let no = FolderNo(next);
                next += 1;
                no
            },
            |row| row.no,
        );
        let row = FolderRow {
            no,
            source: folder.id.clone(),
            parent: parent.map(|row| row.no),
            name: folder.name.clone(),
            path,
            class: folder.class.clone(),
            role: folder.role,
            kind: folder.kind,
            items: folder.items,
            fate,
            target: old.and_then(|row| row.target.clone()),
            sync: old.and_then(|row| row.sync.clone()),
            swept: old.is_some_and(|row| row.swept),
            made: old.is_some_and(|row| row.made),
            named: old.and_then(|row| row.named.clone()),
            before: old.map_or(Count::ZERO, |row| row.before),
            gone: false,
        };
        done.insert(&folder.id, rows.len());
        rows.push(row);
    }
    rows
}

/// Default folders by their English name, so that reports of a German and an English mailbox read alike.
fn path_of(folder: &SourceFolder, parent: Option<&FolderRow>) -> FolderPath {
    let name = folder
        .role
        .map_or(folder.name.as_str(), |role| role.english());
    match (folder.role, parent) {
        (Some(FolderRole::Top), _) => FolderPath::default(),
        (_, Some(parent)) => parent.path.child(name),
        (_, None) => FolderPath::of([name]),
    }
}

/// What the target has, and what of it is already spoken for.
struct Places {
    top: Option<TargetFolderId>,
    by_role: BTreeMap<FolderRole, TargetFolderId>,
    ids: BTreeSet<TargetFolderId>,
    taken: BTreeSet<TargetFolderId>,
    items: BTreeMap<TargetFolderId, Count>,
}

impl Places {
    fn new(there: &[TargetFolder]) -> Self {
        let by_role: BTreeMap<_, _> = there
            .iter()
            .filter_map(|f| Some((f.role?, f.id.clone())))
            .collect();
        Self {
            top: by_role.get(&FolderRole::Top).cloned(),
            by_role,
            ids: there.iter().map(|f| f.id.clone()).collect(),
            taken: BTreeSet::new(),
            items: there.iter().map(|f| (f.id.clone(), f.items)).collect(),
        }
    }
}

/// Default folders go to default folders, by role; counterparts of earlier runs stay, unless somebody deleted them.
fn place_defaults(rows: &mut [FolderRow], places: &mut Places) {
    for row in rows.iter_mut().filter(|row| row.fate == FolderFate::Carry) {
        row.target = row.target.take().filter(|id| places.ids.contains(id));
        if row.target.is_none() {
            row.target = row.role.and_then(|role| places.by_role.get(&role)).cloned();
        }
        places.taken.extend(row.target.clone());
    }
}

/// Finds or makes the counterpart of a folder that is none by role.
///
/// A folder of that name may already be the counterpart of another one (a user's own "Sent Items" beside a German default folder). Two
/// folders are never poured into one: the second gets a number behind its name.
async fn place(
    ferry: Ferry<'_>,
    row: &FolderRow,
    parent: TargetFolderId,
    places: &mut Places,
) -> Result<TargetFolderId, Break> {
    let class = if row.class.trim().is_empty() {
        MAIL_FOLDER_CLASS
    } else {
        row.class.trim()
    };
    for nth in 1..=places.taken.len() + 1 {
        let name = if nth == 1 {
            row.name.clone()
        } else {
            format!("{} ({nth})", row.name)
        };
        let order = FolderOrder {
            parent: parent.clone(),
            name,
            class: class.to_owned(),
        };
        let made = ferry
            .cx
            .ask_target(Some(ferry.to), || {
                ferry.cx.run.ports.target.ensure_folder(ferry.to, &order)
            })
            .await?;
        if places.taken.insert(made.id.clone()) {
            places.items.entry(made.id.clone()).or_insert(made.items);
            return Ok(made.id);
        }
    }
    Err(Break::Halt(HaltCause::OurRequest))
}
