//! Lists the folders of both sides, decides which are carried, and finds or makes their counterparts, parents first.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::event::EventKind;
use crate::base::fact::{Fact, FolderFate, FolderRow};
use crate::base::id::{FolderId, FolderNo, SyncToken, TargetFolderId};
use crate::base::mailbox::{
    FolderOrder, FolderPath, FolderRole, MAIL_FOLDER_CLASS, SourceFolder, TargetFolder,
};
use crate::base::outcome::HaltCause;
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::plan::rules;

/// How much is listed.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Both sides in full.
    Everything,
    /// Only what the source says has changed since this token; with none, its folders in full.
    Changes(Option<SyncToken>),
}

/// The folders of a job after a survey.
#[derive(Debug)]
pub struct Survey {
    /// Every folder of the source, in an order in which parents come first.
    pub rows: Vec<FolderRow>,
    /// Folders that went, or went elsewhere, parents first.
    pub gone: Vec<FolderRow>,
    /// What the target shows in each counterpart, where it was asked.
    target_items: Option<BTreeMap<TargetFolderId, Count>>,
    /// How far the source's record of folder changes was read.
    pub hierarchy: Option<SyncToken>,
}

impl Survey {
    /// What the target counted in the counterpart of a folder, where it was asked.
    pub fn shown(&self, row: &FolderRow) -> Option<Count> {
        let items = self.target_items.as_ref()?;
        Some(items.get(row.target.as_ref()?).copied().unwrap_or_default())
    }
}

/// Surveys the source, and the target where there is something to find or make there, and records the result.
pub async fn survey(cx: &JobCx, scope: Scope) -> Result<Survey, Break> {
    let known = cx.run.ports.ledger.folders(cx.job.job).await?;
    // Asked before the folders are listed: what changes in between is seen again next time.
    let (changed, hierarchy) = news(cx, &scope).await?;
    let (mut rows, mut gone) = if changed {
        let listed = cx
            .ask_source(|| cx.run.ports.source.folders(&cx.job.source))
            .await?;
        let rows = merge(&known, &listed, cx);
        let gone = left_behind(&known, &rows);
        (rows, gone)
    } else {
        parted(&known)
    };
    let everything = matches!(scope, Scope::Everything);
    let lacking =
        |row: &FolderRow| row.fate == FolderFate::Carry && (row.target.is_none() || misnamed(row));
    let mut target_items = None;
    if everything || rows.iter().any(lacking) {
        // First as they are, with their numbers: what is written down about making one must stand beside its parents.
        record(cx, &known, rows.iter().chain(&gone)).await?;
        target_items = Some(place_all(cx, &mut rows, &mut gone).await?);
    }
    record(cx, &known, rows.iter().chain(&gone)).await?;
    tell(cx, &rows);
    gone.sort_by_key(|row| row.no);
    Ok(Survey {
        rows,
        gone,
        target_items,
        hierarchy: Some(hierarchy),
    })
}

/// Makes rows durable that are not as the ledger knew them.
async fn record(
    cx: &JobCx,
    known: &[FolderRow],
    rows: impl Iterator<Item = &FolderRow>,
) -> Result<(), Break> {
    let before: BTreeMap<FolderNo, &FolderRow> = known.iter().map(|row| (row.no, row)).collect();
    let fresh = rows.filter(|row| before.get(&row.no) != Some(row));
    let facts: Vec<Fact> = fresh.cloned().map(Fact::Folder).collect();
    cx.append(&facts).await
}

/// Whether folders have to be listed, and the token to keep once that is done.
async fn news(cx: &JobCx, scope: &Scope) -> Result<(bool, SyncToken), Break> {
    let ask = async |token: Option<&SyncToken>| {
        let source = &cx.run.ports.source;
        cx.ask_source(|| source.hierarchy(&cx.job.source, token))
            .await
    };
    let token = match scope {
        Scope::Everything => None,
        Scope::Changes(token) => token.as_ref(),
    };
    let news = match ask(token).await {
        Err(Break::StateInvalid) if token.is_some() => ask(None).await?,
        other => other?,
    };
    Ok((news.changed, news.token))
}

fn tell(cx: &JobCx, rows: &[FolderRow]) {
    let (mut carried, mut left, mut items) = (Count::ZERO, Count::ZERO, Count::ZERO);
    for row in rows {
        if row.fate == FolderFate::Carry {
            carried += Count::new(1);
            items += row.items;
        } else {
            left += Count::new(1);
        }
    }
    cx.tell(EventKind::FoldersListed {
        carried,
        left_out: left,
        items,
    });
}

/// Lists the target's folders and gives every row that is carried its counterpart under its present name. Returns what the target counts.
async fn place_all(
    cx: &JobCx,
    rows: &mut [FolderRow],
    gone: &mut [FolderRow],
) -> Result<BTreeMap<TargetFolderId, Count>, Break> {
    let ferry = Ferry {
        cx,
        to: cx.to().await?,
    };
    let there = cx
        .ask_target(Some(ferry.to), || cx.run.ports.target.folders(ferry.to))
        .await?;
    let mut places = Places::new(&there);
    // One that somebody took away is no longer there to look into.
    for row in gone.iter_mut() {
        row.target = row.target.take().filter(|id| places.names.contains_key(id));
    }
    // The counterpart of a folder that went still holds copies that are to go; nothing new is put among them.
    places
        .taken
        .extend(gone.iter().filter_map(|row| row.target.clone()));
    place_defaults(rows, &mut places);
    let mut made: BTreeMap<FolderNo, TargetFolderId> = BTreeMap::new();
    for row in rows.iter_mut().filter(|row| row.fate == FolderFate::Carry) {
        if row.target.is_none() {
            let parent = row.parent.and_then(|no| made.get(&no).cloned());
            let parent = parent.or_else(|| places.top.clone());
            let parent = parent.ok_or(Break::Halt(HaltCause::NoTargetMailbox))?;
            let parent = cx.run.ports.target.place_of(&parent, &row.class);
            place(ferry, row, parent, &mut places).await?;
        } else if misnamed(row) || places.frees(row) {
            rename(ferry, row, &mut places).await?;
        }
        made.extend(row.target.clone().map(|id| (row.no, id)));
    }
    Ok(places.items)
}

/// True for a counterpart of ours that does not bear the source folder's name, nor that name with a number behind it.
fn misnamed(row: &FolderRow) -> bool {
    let Some(named) = row.named.as_deref().filter(|_| row.made) else {
        return false;
    };
    let numbered = named
        .strip_prefix(row.name.as_str())
        .and_then(|rest| rest.strip_prefix(" ("))
        .and_then(|rest| rest.strip_suffix(')'))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    named != row.name && !numbered
}

/// Gives a counterpart of ours the new name of its source folder, unless its user named it otherwise since.
async fn rename(ferry: Ferry<'_>, row: &mut FolderRow, places: &mut Places) -> Result<(), Break> {
    let Some(to) = row.target.clone() else {
        return Ok(());
    };
    let now = places.names.get(&to);
    if now != row.named.as_ref() {
        // Its user's name stands; nothing is renamed again.
        row.named = None;
        return Ok(());
    }
    let target = &ferry.cx.run.ports.target;
    let ask = || target.rename_folder(ferry.to, &to, &row.name);
    let renamed = ferry.cx.ask_target(Some(ferry.to), ask).await;
    match renamed {
        Ok(()) => {
            row.named = Some(row.name.clone());
            places.names.insert(to, row.name.clone());
            ferry.cx.tell(EventKind::FolderFollowed);
        }
        // A name that is taken or not liked: the old one stands, the items follow all the same.
        Err(Break::Refused(_) | Break::Halt(HaltCause::OurRequest)) => row.named = None,
        Err(broken) => return Err(broken),
    }
    Ok(())
}

/// Removes counterparts of ours whose source folders went, innermost first, where nothing is inside any more.
pub async fn remove_folders(cx: &JobCx, gone: &mut [FolderRow]) -> Result<(), Break> {
    // What is inside has a longer path than what it is inside of.
    gone.sort_by_key(|row| std::cmp::Reverse(row.path.as_str().len()));
    for row in gone.iter_mut() {
        let Some(target) = row.target.clone().filter(|_| row.made) else {
            continue;
        };
        let sums = cx.sums(row.no).await?;
        if sums.placed() > Count::ZERO || sums.open() > Count::ZERO {
            continue;
        }
        let to = cx.to().await?;
        let ask = || cx.run.ports.target.remove_folder(to, &target);
        let removed = match cx.ask_target(Some(to), ask).await {
            Ok(removed) => removed,
            Err(Break::Gone | Break::FolderGone) => true,
            Err(Break::Refused(_) | Break::Halt(HaltCause::OurRequest)) => false,
            Err(broken) => return Err(broken),
        };
        // Where something is inside, or still counted by a target that lags, it stays until another pass.
        if removed {
            row.target = None;
            cx.append(&[Fact::Folder(row.clone())]).await?;
            cx.tell(EventKind::FolderFollowed);
        }
    }
    Ok(())
}

/// Rows as they stand, those of folders that went apart.
fn parted(known: &[FolderRow]) -> (Vec<FolderRow>, Vec<FolderRow>) {
    known.iter().cloned().partition(|row| !row.gone)
}

/// Known folders that the listing does not show, or shows elsewhere: tombstones, with those of earlier passes.
fn left_behind(known: &[FolderRow], rows: &[FolderRow]) -> Vec<FolderRow> {
    let there: BTreeSet<FolderNo> = rows.iter().map(|row| row.no).collect();
    let gone = known.iter().filter(|row| !there.contains(&row.no));
    gone.map(|row| FolderRow {
        gone: true,
        items: Count::ZERO,
        swept: true,
        ..row.clone()
    })
    .collect()
}

/// Source folders as rows: known ones keep number, counterpart and sync state; new ones get the next numbers.
///
/// A folder that is carried and was moved counts as a new one in its new place, and so does what is inside: the service cannot move folders
/// (reference/graph.md 1.4). What it held is carried again and then taken away from the old place. One that was moved to where nothing is carried
/// from keeps its row, and its copies stay.
fn merge(known: &[FolderRow], listed: &[SourceFolder], cx: &JobCx) -> Vec<FolderRow> {
    let (gone, here): (Vec<&FolderRow>, Vec<&FolderRow>) = known.iter().partition(|row| row.gone);
    let by_id: BTreeMap<&FolderId, &FolderRow> =
        here.into_iter().map(|row| (&row.source, row)).collect();
    let tombstones: BTreeMap<(&FolderId, Option<FolderNo>), &FolderRow> = gone
        .into_iter()
        .map(|row| ((&row.source, row.parent), row))
        .collect();
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
        let parent_no = parent.map(|row| row.no);
        let stays = |old: &&&FolderRow| old.parent == parent_no || fate != FolderFate::Carry;
        let old = by_id.get(&folder.id).filter(stays).copied();
        // Back where it once was: its tombstone comes to life, and what it held is compared item by item.
        let back = || tombstones.get(&(&folder.id, parent_no)).copied();
        let revived = old.is_none();
        let old = old.or_else(back);
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
            parent: parent_no,
            name: folder.name.clone(),
            path,
            class: folder.class.clone(),
            role: folder.role,
            kind: folder.kind,
            items: folder.items,
            fate,
            target: old.and_then(|row| row.target.clone()),
            sync: old.filter(|_| !revived).and_then(|row| row.sync.clone()),
            swept: old.is_some_and(|row| row.swept && !revived),
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
    names: BTreeMap<TargetFolderId, String>,
    parents: BTreeMap<TargetFolderId, Option<TargetFolderId>>,
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
            names: there
                .iter()
                .map(|f| (f.id.clone(), f.name.clone()))
                .collect(),
            parents: there
                .iter()
                .map(|f| (f.id.clone(), f.parent.clone()))
                .collect(),
            taken: BTreeSet::new(),
            items: there.iter().map(|f| (f.id.clone(), f.items)).collect(),
        }
    }
}

impl Places {
    /// True when the listing shows a folder of this name there.
    fn holds(&self, parent: &TargetFolderId, name: &str) -> bool {
        self.names.iter().any(|(id, own)| {
            own == name && self.parents.get(id).and_then(Option::as_ref) == Some(parent)
        })
    }

    /// True for a counterpart of ours with a number behind its name that nothing else needs any more.
    fn frees(&self, row: &FolderRow) -> bool {
        let Some(own) = row.target.as_ref().filter(|_| row.made) else {
            return false;
        };
        let numbered = row.named.as_ref().is_some_and(|named| *named != row.name);
        let parent = self.parents.get(own);
        numbered
            && !self
                .names
                .iter()
                .any(|(id, name)| id != own && *name == row.name && self.parents.get(id) == parent)
    }
}

/// Default folders go to default folders, by role; counterparts of earlier runs stay, unless somebody deleted them.
fn place_defaults(rows: &mut [FolderRow], places: &mut Places) {
    for row in rows.iter_mut().filter(|row| row.fate == FolderFate::Carry) {
        if let Some(id) = row.target.take_if(|id| !places.names.contains_key(id)) {
            // Somebody took it away; another of that name would be theirs.
            drop(id);
            row.made = false;
            row.named = None;
        }
        let default = row.role.and_then(|role| places.by_role.get(&role));
        if let (None, Some(default)) = (&row.target, default) {
            row.target = Some(default.clone());
            row.made = false;
            let held = row.target.as_ref().and_then(|id| places.items.get(id));
            row.before = held.copied().unwrap_or_default();
        }
        places.taken.extend(row.target.clone());
    }
}

/// How many names of a folder may be refused before its mailbox stops: its own, and two with a number.
const NAMES_TRIED: usize = 3;

/// Finds or makes the counterpart of a folder that is none by role.
///
/// A folder of that name may already be the counterpart of another one (a user's own "Sent Items" beside a German default folder). Two
/// folders are never poured into one: the second gets a number behind its name.
///
/// That we are about to make it is durable before we ask, so that a folder whose answer nobody heard is known as ours. One that the listing
/// shows, and that we never set out to make, is not.
async fn place(
    ferry: Ferry<'_>,
    row: &mut FolderRow,
    parent: TargetFolderId,
    places: &mut Places,
) -> Result<(), Break> {
    let class = match row.class.trim() {
        "" => MAIL_FOLDER_CLASS.to_owned(),
        class => class.to_owned(),
    };
    for nth in 1..=places.taken.len() + NAMES_TRIED {
        let name = if nth == 1 {
            row.name.clone()
        } else {
            format!("{} ({nth})", row.name)
        };
        if !places.holds(&parent, &name) {
            let intended = row.made && row.named.as_ref() == Some(&name);
            if !intended {
                row.made = true;
                row.named = Some(name.clone());
                ferry.cx.append(&[Fact::Folder(row.clone())]).await?;
            }
        }
        let order = FolderOrder {
            parent: parent.clone(),
            name: name.clone(),
            class: class.clone(),
        };
        let asked = ferry
            .cx
            .ask_target(Some(ferry.to), || {
                ferry.cx.run.ports.target.ensure_folder(ferry.to, &order)
            })
            .await;
        let made = match asked {
            // The name may be that of a folder which the listing does not show.
            Err(Break::Halt(HaltCause::OurRequest)) if nth < NAMES_TRIED => continue,
            made => made?,
        };
        if places.taken.insert(made.id.clone()) {
            places.items.entry(made.id.clone()).or_insert(made.items);
            row.made &= row.named.as_ref() == Some(&name);
            row.before = if row.made { Count::ZERO } else { made.items };
            places.names.insert(made.id.clone(), name.clone());
            places.parents.insert(made.id.clone(), Some(parent));
            row.named = Some(name);
            row.target = Some(made.id);
            return Ok(());
        }
    }
    Err(Break::Halt(HaltCause::OurRequest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mailbox::FolderKind;

    fn row(name: &str, named: Option<&str>, made: bool) -> FolderRow {
        FolderRow {
            no: FolderNo(1),
            source: FolderId::new("f"),
            parent: None,
            name: name.into(),
            path: FolderPath::of([name]),
            class: "IPF.Note".into(),
            role: None,
            kind: FolderKind::Generic,
            items: Count::ZERO,
            fate: FolderFate::Carry,
            target: None,
            sync: None,
            swept: false,
            made,
            named: named.map(str::to_owned),
            before: Count::ZERO,
            gone: false,
        }
    }

    #[test]
    fn only_folders_of_ours_under_another_name_are_renamed() {
        assert!(misnamed(&row("B", Some("A"), true)));
        assert!(!misnamed(&row("B", Some("A"), false)), "not ours");
        assert!(!misnamed(&row("A", Some("A"), true)));
        assert!(!misnamed(&row("A", Some("A (2)"), true)), "numbered by us");
        assert!(misnamed(&row("A", Some("A (old)"), true)));
        assert!(!misnamed(&row("A", None, true)), "named by its user");
    }
}
