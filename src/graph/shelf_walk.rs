//! The folder tree of a mailbox where there is no mailbox import: mail folders level by level, calendars, contact folders, and what each holds. Those are
//! many calls; what one in the middle fails on, the next attempt goes on from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::id::{TargetFolderId, TargetMailboxId};
use crate::base::limits;
use crate::base::losses::Family;
use crate::base::mailbox::{FolderRole, TargetFolder};
use crate::base::outcome::Setback;
use crate::base::quantity::{Count, Tick};
use crate::graph::caller::Caller;
use crate::graph::folders::endless;
use crate::graph::pages::Pages;
use crate::graph::typed::Site;
use crate::graph::walk::is_passing;
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::shelf::{
    Counted, MAIL_ROLES, OWN_CONTACTS, ROOT, Shelf, ShelfFolder, ShelfPage, count_query,
    folder_query, folders_query, own_calendars,
};

/// What is still to be asked.
#[derive(Debug)]
enum Step {
    /// The root of the tree.
    Root,
    /// The folders under one, of its kind.
    Inside(Shelf),
    /// Which folder has a role.
    Role(FolderRole),
    /// The calendars.
    Calendars,
    /// The user's own contacts folder.
    Contacts,
    /// How many items the folder at this place of the tree holds.
    Count(usize),
}

/// A listing under way.
#[derive(Debug)]
struct Walk {
    began: Tick,
    /// Found so far, parents before children.
    tree: Vec<TargetFolder>,
    seen: BTreeSet<TargetFolderId>,
    steps: VecDeque<Step>,
    /// The id of the user's own contacts folder, which a listing may show among those inside it.
    own_contacts: Option<String>,
}

/// Listings that were broken off, by mailbox.
#[derive(Debug, Default)]
pub(super) struct ShelfWalks(Mutex<BTreeMap<TargetMailboxId, Walk>>);

impl ShelfWalks {
    /// All folders, the root first with role `Top`, parents before children.
    pub(super) async fn tree(
        &self,
        caller: &Caller,
        site: &Site<'_>,
    ) -> Result<Vec<TargetFolder>, Setback> {
        let now = caller.clock.tick();
        let fresh = |walk: &Walk| now - walk.began < limits::TARGET_LISTING_RESUME;
        let kept = self.lock().remove(site.mailbox).filter(fresh);
        let mut walk = kept.unwrap_or_else(|| Walk::from(now));
        match walk.go_on(caller, site).await {
            Ok(()) => Ok(walk.tree),
            Err(setback) => {
                if is_passing(&setback) {
                    self.lock().insert(site.mailbox.clone(), walk);
                }
                Err(setback)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TargetMailboxId, Walk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Walk {
    fn from(began: Tick) -> Self {
        let mut steps = VecDeque::from([
            Step::Root,
            Step::Inside(Shelf::Mail(ROOT.to_owned())),
            Step::Calendars,
            Step::Contacts,
            Step::Inside(Shelf::OwnContacts),
        ]);
        steps.extend(MAIL_ROLES.map(Step::Role));
        Self {
            began,
            tree: Vec::new(),
            seen: BTreeSet::new(),
            steps,
            own_contacts: None,
        }
    }

    async fn go_on(&mut self, caller: &Caller, site: &Site<'_>) -> Result<(), Setback> {
        while let Some(step) = self.steps.front() {
            match step {
                Step::Root => {
                    let (status, root) = one(caller, site, Family::Message, ROOT).await?;
                    let mut root = root.into_target(status, Family::Message, None)?;
                    root.id = Shelf::Mail(ROOT.to_owned()).id();
                    root.role = Some(FolderRole::Top);
                    self.add(root, false)?;
                }
                Step::Inside(parent) => {
                    let (parent, list) = match parent {
                        Shelf::Mail(_) => parent.place_of(""),
                        other => other.place_of("IPF.Contact"),
                    };
                    self.inside(caller, site, &parent, list).await?;
                }
                Step::Role(role) => {
                    let role = *role;
                    self.name(caller, site, role).await?;
                }
                Step::Calendars => self.calendars(caller, site).await?,
                Step::Contacts => self.contacts(caller, site).await?,
                Step::Count(at) => {
                    let at = *at;
                    let place = self.tree.get(at).and_then(|own| Shelf::parse(&own.id));
                    let count = match place {
                        Some(place) => count(caller, site, &place.items()).await?,
                        None => Count::ZERO,
                    };
                    if let Some(own) = self.tree.get_mut(at) {
                        own.items = count;
                    }
                }
            }
            self.steps.pop_front();
        }
        Ok(())
    }

    fn add(&mut self, folder: TargetFolder, counted: bool) -> Result<(), Setback> {
        if !self.seen.insert(folder.id.clone()) {
            return Ok(());
        }
        if self.tree.len() >= limits::TARGET_FOLDERS_MAX {
            return Err(endless());
        }
        if counted {
            self.steps.push_back(Step::Count(self.tree.len()));
        }
        self.tree.push(folder);
        Ok(())
    }

    async fn inside(
        &mut self,
        caller: &Caller,
        site: &Site<'_>,
        parent: &Shelf,
        list: OfUser,
    ) -> Result<(), Setback> {
        let family = parent.family();
        let (status, all) = listed(caller, site, family, list).await?;
        for folder in all.into_iter().filter(|own| !own.is_search()) {
            let own = self.own_contacts.is_some() && folder.id == self.own_contacts;
            if family == Family::Contact && own {
                continue;
            }
            let barren = folder.child_folder_count == Some(0);
            let top = Shelf::Mail(ROOT.to_owned());
            let under = if is_beside(site, family, &folder) {
                &top
            } else {
                parent
            };
            let folder = folder.into_target(status, family, Some(under))?;
            let place = Shelf::parse(&folder.id).filter(|_| !barren);
            let fresh = !self.seen.contains(&folder.id);
            self.add(folder, family == Family::Contact)?;
            if let (Some(place), true) = (place, fresh) {
                self.steps.push_back(Step::Inside(place));
            }
        }
        Ok(())
    }

    async fn calendars(&mut self, caller: &Caller, site: &Site<'_>) -> Result<(), Setback> {
        let (status, all) = listed(caller, site, Family::Event, OfUser::Calendars).await?;
        let top = Shelf::Mail(ROOT.to_owned());
        for calendar in own_calendars(all) {
            let calendar = calendar.into_target(status, Family::Event, Some(&top))?;
            self.add(calendar, true)?;
        }
        Ok(())
    }

    /// The user's own contacts folder: always there, and never shown by its id for certain. That id is looked for in two ways.
    async fn contacts(&mut self, caller: &Caller, site: &Site<'_>) -> Result<(), Setback> {
        let mut name = FolderRole::Contacts.english().to_owned();
        self.own_contacts = match one(caller, site, Family::Contact, OWN_CONTACTS).await {
            Ok((status, own)) => {
                name = own.display_name.clone().unwrap_or(name);
                Some(own.own_id(status)?)
            }
            Err(Setback::FolderGone | Setback::Gone | Setback::OurRequest(_)) => {
                let query = ListQuery {
                    top: Some(Count::new(1)),
                    ..ListQuery::selecting(&["id", "parentFolderId"])
                };
                let url = site.url(caller, OfUser::OwnContacts, &query.encode());
                site.count(caller);
                let (status, body) = caller.get(Asked::Folders, url).await?;
                let mut first = json::read::<ShelfPage>(status, &body)?.value.into_iter();
                first.find_map(|own| own.parent_folder_id)
            }
            Err(setback) => return Err(setback),
        };
        let top = Shelf::Mail(ROOT.to_owned());
        let folder = TargetFolder {
            id: Shelf::OwnContacts.id(),
            parent: Some(top.id()),
            name,
            class: "IPF.Contact".to_owned(),
            role: Some(FolderRole::Contacts),
            items: Count::ZERO,
        };
        self.add(folder, true)
    }

    async fn name(
        &mut self,
        caller: &Caller,
        site: &Site<'_>,
        role: FolderRole,
    ) -> Result<(), Setback> {
        let Some(name) = role.graph_name() else {
            return Ok(());
        };
        match one(caller, site, Family::Message, name).await {
            Ok((status, own)) => {
                let id = Shelf::Mail(own.own_id(status)?).id();
                for folder in self.tree.iter_mut().filter(|own| own.id == id) {
                    folder.role = Some(role);
                }
                Ok(())
            }
            // Not every mailbox has every one, and not every name is known.
            Err(Setback::FolderGone | Setback::Gone | Setback::OurRequest(_)) => Ok(()),
            Err(setback) => Err(setback),
        }
    }
}

/// True for a contact folder of a list of those inside the user's own that says itself to lie under the root: it is not inside, and may be that very
/// folder. The root's id is the mailbox's.
pub(super) fn is_beside(site: &Site<'_>, family: Family, folder: &ShelfFolder) -> bool {
    family == Family::Contact && folder.parent_folder_id.as_deref() == Some(site.mailbox.as_str())
}

/// One folder by id or well-known name.
pub(super) async fn one(
    caller: &Caller,
    site: &Site<'_>,
    family: Family,
    folder: &str,
) -> Result<(u16, ShelfFolder), Setback> {
    let folder = folder.to_owned();
    let part = match family {
        Family::Message => OfUser::MailFolder { folder },
        Family::Event => OfUser::Calendar { calendar: folder },
        Family::Contact => OfUser::ContactFolder { folder },
    };
    let url = site.url(caller, part, &folder_query(family).encode());
    site.count(caller);
    let (status, body) = caller.get(Asked::Folders, url).await?;
    Ok((status, json::read(status, &body)?))
}

/// All folders of a list.
pub(super) async fn listed(
    caller: &Caller,
    site: &Site<'_>,
    family: Family,
    list: OfUser,
) -> Result<(u16, Vec<ShelfFolder>), Setback> {
    let first = site.url(caller, list, &folders_query(family).encode());
    let mut pages = Pages::from(Asked::Folders, first);
    let (mut all, mut status) = (Vec::new(), 200);
    while let Some((own, page)) = pages.next::<ShelfPage>(caller, site).await? {
        all.extend(page.value);
        status = own;
        if all.len() > limits::TARGET_FOLDERS_MAX {
            return Err(endless());
        }
    }
    Ok((status, all))
}

/// How many items a list holds: as the service counts them, or one by one where it does not.
pub(super) async fn count(
    caller: &Caller,
    site: &Site<'_>,
    list: &OfUser,
) -> Result<Count, Setback> {
    let first = |top| site.url(caller, list.clone(), &count_query(top).encode());
    let mut pages = Pages::from(Asked::Folders, first(Count::new(1)));
    if let Some((_, page)) = pages.next::<Counted>(caller, site).await?
        && let Some(count) = page.count
    {
        return Ok(Count::new(count));
    }
    let mut pages = Pages::from(Asked::Folders, first(limits::TARGET_PAGE));
    let mut all = 0;
    while let Some((_, page)) = pages.next::<Counted>(caller, site).await? {
        all += page.value.len() as u64;
    }
    Ok(Count::new(all))
}
