//! Synthetic mailboxes: folder trees with every trap a real one holds, and exactly as many carried items as asked for. No real
//! content ever; the same seed gives the same world.

use std::collections::BTreeMap;

use super::infected::{Disguise, infect};
use super::populate_items::{Maker, ODD_CLASSES, Shape};
use super::populate_names::{DOMAIN, Language, PEOPLE, folder_name};
use super::world::{Content, NewFolder, Refused, World};
use crate::base::dice::Dice;
use crate::base::id::MailboxId;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::Moment;
use crate::wire::item_stream::{Message, encode};

/// What to make.
#[derive(Clone, Debug)]
pub struct Population {
    /// Mailbox pairs with invented addresses, unless `pairs` names some.
    pub mailboxes: u32,
    /// Addresses of source and target, for a world in the shape of a plan.
    pub pairs: Vec<(MailboxId, MailboxId)>,
    /// Items of each of `pairs`, in order; where it ends, `items` each.
    pub counts: Vec<u64>,
    /// Items a right migration carries, per mailbox.
    pub items: u64,
    /// Decides everything.
    pub seed: u64,
    /// The age of the newest item, and of the mailboxes.
    pub newest: Moment,
    /// Mail to use instead of made-up mail, in turn.
    pub mail: Vec<Message>,
    /// Per mailbox, items among `items` that the source cannot export.
    pub corrupt: u32,
    /// Per mailbox, items among `items` that the target refuses.
    pub import_refused: u32,
    /// Among the items of the first mailbox's Inbox, one with each disguise of [`Disguise`]. Takes 80 items and more.
    pub infected: bool,
    /// Plain items of this body length, made when asked for, instead of all variety.
    pub bench: Option<u64>,
    /// These have their bytes in an attachment.
    pub attached: bool,
}

impl Default for Population {
    fn default() -> Self {
        Self {
            mailboxes: 12,
            pairs: Vec::new(),
            counts: Vec::new(),
            items: 200,
            seed: 1,
            newest: Moment::from_unix_ms(1_793_577_600_000),
            mail: Vec::new(),
            corrupt: 0,
            import_refused: 0,
            infected: false,
            bench: None,
            attached: false,
        }
    }
}

/// Where in the Inbox the infected items begin: behind the copies.
const FIRST_INFECTED: u64 = 9;

/// The address of the `n`th mailbox, from 0.
pub fn address(n: u32) -> MailboxId {
    let person = usize::try_from(n).ok().and_then(|n| PEOPLE.get(n));
    MailboxId::new(person.map_or_else(
        || format!("user{n:04}@{DOMAIN}"),
        |person| format!("{person}@{DOMAIN}"),
    ))
}

/// Languages of source and target for the `n`th mailbox: most speak English, some do not, and some changed at the move.
const fn languages(n: u32) -> (Language, Language) {
    match n % 12 {
        3 => (Language::German, Language::English),
        5 => (Language::English, Language::German),
        7 => (Language::French, Language::French),
        9 => (Language::French, Language::English),
        _ => (Language::English, Language::English),
    }
}

/// Fills the world.
pub fn fill(world: &mut World, population: &Population) -> Result<(), Refused> {
    let dice = Dice::new(population.seed).split("population");
    let mut mail = 0;
    let invented = || {
        (0..population.mailboxes)
            .map(|n| (address(n), address(n)))
            .collect()
    };
    let pairs = if population.pairs.is_empty() {
        invented()
    } else {
        population.pairs.clone()
    };
    for (n, (source, target)) in (0..).zip(pairs) {
        let (own, other) = languages(n);
        let names: BTreeMap<FolderRole, &str> = FolderRole::ALL
            .iter()
            .map(|role| (*role, folder_name(*role, other)))
            .collect();
        world.add_source_mailbox(&source);
        world.add_target_mailbox(&target, &names);
        world.pair(&source, &target);
        let maker = Maker::new(dice.split(&format!("mailbox {n}")), population.newest);
        let mut filler = Filler {
            world,
            address: source.reveal().to_owned(),
            language: own,
            maker,
            population,
            mail: &mut mail,
            single: Vec::new(),
            number: n,
            items: usize::try_from(n)
                .ok()
                .and_then(|n| population.counts.get(n).copied())
                .unwrap_or(population.items),
        };
        filler.mailbox()?;
    }
    Ok(())
}

/// Fills one mailbox.
struct Filler<'a> {
    world: &'a mut World,
    address: String,
    language: Language,
    maker: Maker,
    population: &'a Population,
    /// The next of the given mails.
    mail: &'a mut usize,
    /// Carried items whose search key no other item has.
    single: Vec<String>,
    number: u32,
    /// How many items a right migration carries.
    items: u64,
}

/// A carried folder with its share of the items, in hundredths.
struct Share {
    folder: String,
    shape: Shape,
    percent: u64,
}

/// Whether a folder is carried or has to stay, and why.
type Stays = Option<&'static str>;

impl Filler<'_> {
    fn mailbox(&mut self) -> Result<(), Refused> {
        let top = self.default_folder(None, FolderRole::Top, "IPF.Note", None)?;
        let shares = self.carried(&top)?;
        if let Some(body) = self.population.bench {
            self.bench(&shares[0].folder, body)?;
        } else {
            self.share_out(&shares)?;
            self.stays_behind(&top)?;
        }
        self.spoil()
    }

    fn folder(
        &mut self,
        parent: Option<&str>,
        name: &str,
        class: &str,
        role: Option<FolderRole>,
        stays: Stays,
    ) -> Result<String, Refused> {
        let kind = if stays == Some("search folder") {
            FolderKind::Search
        } else {
            FolderKind::Generic
        };
        let new = NewFolder {
            parent,
            name,
            class,
            role,
            kind,
            hidden: stays == Some("hidden folder"),
            stays,
        };
        self.world.add_source_folder(&self.address, &new)
    }

    fn default_folder(
        &mut self,
        parent: Option<&str>,
        role: FolderRole,
        class: &str,
        stays: Stays,
    ) -> Result<String, Refused> {
        let name = folder_name(role, self.language);
        self.folder(parent, name, class, Some(role), stays)
    }

    /// The folders a right migration carries.
    fn carried(&mut self, top: &str) -> Result<Vec<Share>, Refused> {
        let mut shares = Vec::new();
        let mut share = |folder: &str, shape, percent| {
            shares.push(Share {
                folder: folder.to_owned(),
                shape,
                percent,
            });
        };
        let inbox = self.default_folder(Some(top), FolderRole::Inbox, "IPF.Note", None)?;
        share(&inbox, Shape::Mail, 24);
        if self.population.bench.is_none() {
            let long = "Correspondence with referring practices-".repeat(5);
            for (name, percent) in [
                ("Lab/results", 4),
                ("🏥 Nightshift 🌙", 3),
                (" leading blank", 2),
                (long.as_str(), 2),
                ("Rota", 2),
                ("rota", 2),
                ("Empty", 0),
            ] {
                let id = self.folder(Some(&inbox), name, "IPF.Note", None, None)?;
                share(&id, Shape::Mail, percent);
            }
            let projects = self.folder(Some(&inbox), "Projects", "", None, None)?;
            share(&projects, Shape::Mail, 2);
            let deep = self.folder(Some(&projects), "2024", "IPF.Note", None, None)?;
            share(&deep, Shape::Mail, 3);
            let archive = self.folder(Some(top), "Archive", "IPF.Note", None, None)?;
            share(&archive, Shape::Mail, 8);
        }
        for (role, class, shape, percent) in [
            (FolderRole::SentItems, "IPF.Note", Shape::Mail, 13),
            (FolderRole::Drafts, "IPF.Note", Shape::Draft, 3),
            (FolderRole::DeletedItems, "IPF.Note", Shape::Mail, 6),
            (FolderRole::JunkEmail, "IPF.Note", Shape::Mail, 2),
            (
                FolderRole::Calendar,
                "IPF.Appointment",
                Shape::Appointment,
                8,
            ),
            (FolderRole::Contacts, "IPF.Contact", Shape::Contact, 6),
            (FolderRole::Tasks, "IPF.Task", Shape::Task, 3),
            (FolderRole::Notes, "IPF.StickyNote", Shape::Note, 2),
            (FolderRole::Journal, "IPF.Journal", Shape::Journal, 1),
        ] {
            let id = self.default_folder(Some(top), role, class, None)?;
            share(&id, shape, percent);
            if role == FolderRole::Calendar && self.population.bench.is_none() {
                let team = self.folder(Some(&id), "Team: theatre 2", class, None, None)?;
                share(&team, Shape::Appointment, 2);
            }
        }
        Ok(shares)
    }

    /// Exactly `items` of them: what rounding leaves over goes to the first folder.
    fn share_out(&mut self, shares: &[Share]) -> Result<(), Refused> {
        let items = self.items;
        let count = |share: &Share| items * share.percent / 100;
        let rest: u64 = items - shares.iter().map(count).sum::<u64>();
        let mut n = 0;
        let mut copied: Option<Vec<u8>> = None;
        for (at, share) in shares.iter().enumerate() {
            let own = count(share) + if at == 0 { rest } else { 0 };
            for i in 0..own {
                n += 1;
                // Three copies of one item in one folder, and a fourth in another: copies keep their search key.
                let copy = at == 0 && (6..=7).contains(&i) || at == 1 && i == 1;
                if let Some(disguise) = self.disguise(at, i) {
                    self.infected(&share.folder, n, disguise)?;
                    continue;
                }
                let stream = match &copied {
                    Some(stream) if copy => stream.clone(),
                    _ => encode(&self.message(share.shape, n)),
                };
                let first = at == 0 && i == 5;
                if first {
                    copied = Some(stream.clone());
                }
                let id = self.put(&share.folder, stream)?;
                let known = self.world.source_item(&self.address, &id)?;
                if !copy && !first && known.search_key.is_some() {
                    self.single.push(id);
                }
            }
        }
        Ok(())
    }

    /// How the `i`th item of the folder at this place is to be infected, where it is.
    fn disguise(&self, at: usize, i: u64) -> Option<Disguise> {
        let chosen = self.population.infected && self.number == 0 && at == 0;
        let nth = usize::try_from(i.checked_sub(FIRST_INFECTED)?).ok()?;
        Disguise::ALL.get(nth).copied().filter(|_| chosen)
    }

    fn infected(&mut self, folder: &str, n: u64, disguise: Disguise) -> Result<(), Refused> {
        let mut message = self.maker.item(Shape::Mail, n);
        infect(&mut message, disguise);
        let id = self.put(folder, encode(&message))?;
        self.world.mark_infected(&self.address, &id, disguise)
    }

    fn message(&mut self, shape: Shape, n: u64) -> Message {
        let given = &self.population.mail;
        if shape == Shape::Mail && !given.is_empty() {
            let message = given[*self.mail % given.len()].clone();
            *self.mail += 1;
            return self.maker.adopt(message, n);
        }
        let odd = ODD_CLASSES[usize::try_from(n / 13).unwrap_or(0) % ODD_CLASSES.len()];
        let shape = if shape == Shape::Mail && n % 13 == 4 {
            Shape::Class(odd)
        } else {
            shape
        };
        self.maker.item(shape, n)
    }

    fn put(&mut self, folder: &str, stream: Vec<u8>) -> Result<String, Refused> {
        let at = self.population.newest;
        let content = Content::Stream(stream.into());
        self.world
            .add_source_item(&self.address, folder, content, at)
    }

    fn bench(&mut self, folder: &str, body: u64) -> Result<(), Refused> {
        let first = Dice::new(self.population.seed ^ (u64::from(self.number) << 32)).next();
        for i in 0..self.items {
            let seed = first.wrapping_add(i);
            let content = if self.population.attached {
                Content::Attached { seed, data: body }
            } else {
                Content::Plain { seed, body }
            };
            let at = self.population.newest;
            let id = self
                .world
                .add_source_item(&self.address, folder, content, at)?;
            self.single.push(id);
        }
        Ok(())
    }

    /// Folders that have to stay, each with something in it that would be missed or seen if it were handled wrongly.
    fn stays_behind(&mut self, top: &str) -> Result<(), Refused> {
        const SYNC: Stays = Some("sync issues");
        const SYSTEM: Stays = Some("system folder");
        const DUMPSTER: Stays = Some("recoverable items");
        const SEARCH: Stays = Some("search folder");
        let outbox =
            self.default_folder(Some(top), FolderRole::Outbox, "IPF.Note", Some("outbox"))?;
        let sync = self.default_folder(Some(top), FolderRole::SyncIssues, "IPF.Note", SYNC)?;
        let mut holders = vec![outbox, sync.clone()];
        for role in [
            FolderRole::Conflicts,
            FolderRole::LocalFailures,
            FolderRole::ServerFailures,
        ] {
            holders.push(self.default_folder(Some(&sync), role, "IPF.Note", SYNC)?);
        }
        let rss = "IPF.Note.OutlookHomepage";
        holders.push(self.default_folder(
            Some(top),
            FolderRole::RssFeeds,
            rss,
            Some("RSS feeds"),
        )?);
        for role in [FolderRole::ConversationActions, FolderRole::QuickSteps] {
            holders.push(self.default_folder(Some(top), role, "IPF.Configuration", SYSTEM)?);
        }
        let hidden = Some("hidden folder");
        holders.push(self.folder(Some(top), "PersonMetadata", "IPF.Note", None, hidden)?);

        let dumpster = self.default_folder(None, FolderRole::RecoverableItems, "", DUMPSTER)?;
        for role in [
            FolderRole::RecoverableDeletions,
            FolderRole::RecoverableVersions,
            FolderRole::RecoverablePurges,
        ] {
            holders.push(self.default_folder(Some(&dumpster), role, "", DUMPSTER)?);
        }
        let outside = Some("outside the user's tree");
        holders.push(self.folder(None, "Common Views", "", None, outside)?);
        let finder = self.default_folder(None, FolderRole::SearchFolders, "", SEARCH)?;
        self.folder(Some(&finder), "Unread Mail", "IPF.Note", None, SEARCH)?;
        self.folder(Some(top), "For follow-up", "IPF.Note", None, SEARCH)?;
        self.default_folder(None, FolderRole::ToDoSearch, "IPF.Task", SEARCH)?;

        for (at, folder) in holders.iter().enumerate() {
            for i in 0..=at % 3 {
                let n = 10_000 + u64::try_from(at * 10 + i).unwrap_or(0);
                let stream = encode(&self.maker.item(Shape::Mail, n));
                self.put(folder, stream)?;
            }
        }
        Ok(())
    }

    /// Marks items that can never be exported or imported, spread over the mailbox and never the same.
    fn spoil(&mut self) -> Result<(), Refused> {
        let corrupt = u64::from(self.population.corrupt);
        let refused = u64::from(self.population.import_refused);
        let all = self.single.len() as u64;
        for i in 0..(corrupt + refused).min(all) {
            let at = usize::try_from(all * (2 * i + 1) / (2 * (corrupt + refused))).unwrap_or(0);
            let id = self.single[at].clone();
            if i < corrupt {
                self.world.mark_corrupt(&self.address, &id)?;
            } else {
                self.world.mark_import_refused(&self.address, &id)?;
            }
        }
        Ok(())
    }
}
