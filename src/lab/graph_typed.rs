//! The Mail API of the Graph face: folders, and messages made, shown, changed and moved (reference/graph.md section 2).

use axum::http::Method;
use serde_json::{Map, Value};

use super::graph_answer::Answer;
use super::graph_http::{Asked, GraphFace};
use super::graph_mailbox::{counted, find, list_query, page_size, refused, select};
use super::graph_shelves as shelves;
use super::graph_typed_files as files;
use super::graph_typed_json::{
    Broken, MESSAGE_FIELDS, apply, asks_for_receipts, created, touches_text,
};
use super::graph_typed_shown::shown;
use super::graph_users::{mailbox_of, no_mailbox};
use super::world::{Now, Refused, World};
use super::{graph_contacts, graph_events, graph_lists};
use crate::base::losses::Family;
use crate::base::mailbox::FolderRole;
use crate::wire::graph::path::Resource;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::query::ListQuery;
use crate::wire::item_stream::{Message, Prop, tags};

/// Answers a call on what belongs to a user.
pub(super) fn act(lab: &GraphFace, user: &str, part: &OfUser, asked: &Asked<'_>) -> Answer {
    if asked.body.len() > lab.world(|world, _| world.request_max()) {
        lab.invalid("a request above 4 MB");
        return Answer::empty(413);
    }
    let mailbox = match mailbox_of(lab, user) {
        Ok(mailbox) => mailbox,
        Err(why) => return no_mailbox(why),
    };
    let at = Place {
        lab,
        user,
        mailbox: &mailbox,
        asked,
    };
    let method = &asked.parts.method;
    let (get, post) = (*method == Method::GET, *method == Method::POST);
    match part {
        OfUser::MailFolders if get => graph_lists::mail_folders(&at, "msgfolderroot", part),
        OfUser::MailFolder { folder } if get => graph_lists::mail_folder(&at, folder),
        OfUser::ChildMailFolders { folder } if get => graph_lists::mail_folders(&at, folder, part),
        OfUser::MailFolder { folder } => shelves::folder(&at, shelves::MAIL, folder),
        OfUser::MailFolders if post => shelves::make(&at, shelves::MAIL, "msgfolderroot"),
        OfUser::ChildMailFolders { folder } if post => shelves::make(&at, shelves::MAIL, folder),
        OfUser::Messages { folder } if get => list(&at, folder),
        OfUser::Messages { folder } if post => create(&at, folder),
        OfUser::Message { message } if get => one(&at, message),
        OfUser::Message { message } if *method == Method::PATCH => change(&at, message),
        OfUser::Message { message } if *method == Method::DELETE => {
            shelves::delete(&at, Family::Message, message)
        }
        OfUser::PermanentDelete { family, item } if post => shelves::purge(&at, *family, item),
        OfUser::Move { message } if post => relocate(&at, message),
        OfUser::Attachments { of } if get => files::list(&at, of),
        OfUser::Attachments { of } if post => files::add(&at, of),
        OfUser::AttachmentValue { of, attachment } if get => files::value(&at, of, attachment),
        OfUser::UploadSession { of } if post => files::open(&at, of),
        OfUser::Attachment { of, attachment } if *method == Method::DELETE => {
            files::remove(&at, of, attachment)
        }
        OfUser::Calendars if get => graph_lists::calendars(&at),
        OfUser::Calendars if post => shelves::make(&at, shelves::CALENDARS, "calendar"),
        OfUser::Calendar { calendar } => shelves::folder(&at, shelves::CALENDARS, calendar),
        OfUser::Events { calendar } => graph_events::events(&at, calendar),
        OfUser::Event { event } => graph_events::event(&at, event),
        OfUser::Instances { event } if get => graph_events::instances(&at, event),
        OfUser::ContactFolders if get => graph_lists::contact_folders(&at, "contacts", part),
        OfUser::ChildContactFolders { folder } if get => {
            graph_lists::contact_folders(&at, folder, part)
        }
        OfUser::ContactFolders if post => shelves::make(&at, shelves::CONTACTS, "contacts"),
        OfUser::ChildContactFolders { folder } if post => {
            shelves::make(&at, shelves::CONTACTS, folder)
        }
        OfUser::ContactFolder { folder } if get => graph_lists::contact_folder(&at, folder),
        OfUser::ContactFolder { folder } => shelves::folder(&at, shelves::CONTACTS, folder),
        OfUser::OwnContacts => graph_contacts::contacts(&at, "contacts", part),
        OfUser::Contacts { folder } => graph_contacts::contacts(&at, folder, part),
        OfUser::Contact { contact } => graph_contacts::contact(&at, contact),
        OfUser::Photo { contact } => graph_contacts::photo(&at, contact),
        _ => {
            lab.invalid("a method this resource does not have");
            Answer::error(
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed.",
            )
        }
    }
}

/// Where a call is made, and what it says.
pub(super) struct Place<'a> {
    pub(super) lab: &'a GraphFace,
    pub(super) user: &'a str,
    pub(super) mailbox: &'a str,
    pub(super) asked: &'a Asked<'a>,
}

impl Place<'_> {
    /// The body as JSON, of a call without parameters.
    pub(super) fn json(&self) -> Result<Value, Answer> {
        if !self.asked.query().is_empty() || !self.asked.is_json() {
            return Err(self.lab.broken("a JSON body, without parameters"));
        }
        serde_json::from_slice(&self.asked.body)
            .map_err(|_| self.lab.broken("a body that is no JSON"))
    }

    /// The refusal of a request that is none.
    pub(super) fn broken(&self, why: Broken) -> Answer {
        if why == "ErrorInvalidRecipients" {
            self.lab.invalid("a recipient without a usable address");
            return Answer::error(400, why, "At least one recipient is not valid.");
        }
        self.lab.broken(why)
    }

    pub(super) fn resource(&self, part: OfUser) -> Resource {
        Resource::Of {
            user: self.user.to_owned(),
            part,
        }
    }
}

/// The query of messages. What cannot be answered quickly is refused by name.
fn messages_query(at: &Place<'_>) -> Result<ListQuery, Answer> {
    let asks = |name: &str| at.asked.query().contains(name);
    if asks("%24orderby") || asks("$orderby") {
        at.lab.invalid("an order that no filter names first");
        return Err(Answer::error(
            400,
            "InefficientFilter",
            "The restriction or sort order is too complex for this operation.",
        ));
    }
    list_query(at.lab, at.asked, MESSAGE_FIELDS)
}

fn list(at: &Place<'_>, folder: &str) -> Answer {
    let query = match messages_query(at) {
        Ok(query) if !query.hidden && query.skip.is_none() => query,
        Ok(_) => return at.lab.broken("a parameter this listing does not have"),
        Err(answer) => return answer,
    };
    let from = match query.skip_token.as_deref().map(str::parse) {
        None => None,
        Some(Ok(from)) => Some(from),
        Some(Err(_)) => return at.lab.broken("a nextLink was altered"),
    };
    let top = page_size(at.asked, &query);
    let page = at.lab.world(|world, now| {
        let id = find(world, now, at.mailbox, folder)?.id;
        let page = world.target_items(now, at.mailbox, &id, from, top)?;
        let rows = page.items.iter();
        // Of other classes this listing says nothing.
        let value: Vec<Value> = rows
            .filter_map(|row| {
                let (row, tree) = world.typed_tree(at.mailbox, &row.id).ok()?;
                Some(select(shown(&row, &tree, &query)?, &query))
            })
            .collect();
        let show = |world: &World, id: &str| {
            let (row, tree) = world.typed_tree(at.mailbox, id).ok()?;
            shown(&row, &tree, &query)
        };
        let all = if query.count {
            Some(graph_lists::all_of(world, now, at, &id, &show)?)
        } else {
            None
        };
        Ok((value, page.next, all))
    });
    match page {
        Ok((value, next, all)) => {
            let next = next.map(|at| ListQuery {
                skip_token: Some(at.to_string()),
                ..query.clone()
            });
            let part = OfUser::Messages {
                folder: folder.to_owned(),
            };
            counted(at.lab, &at.resource(part), value, next, all)
        }
        Err(why) => refused(at.lab, why),
    }
}

fn one(at: &Place<'_>, id: &str) -> Answer {
    let query = match messages_query(at) {
        Ok(query) if query.top.is_none() => query,
        Ok(_) => return at.lab.broken("a parameter of listings"),
        Err(answer) => return answer,
    };
    match at.lab.world(|world, _| world.typed_tree(at.mailbox, id)) {
        Ok((row, tree)) => match shown(&row, &tree, &query) {
            Some(fields) => Answer::json(200, &select(fields, &query)),
            None => refused(at.lab, Refused::NoItem),
        },
        Err(why) => refused(at.lab, why),
    }
}

fn create(at: &Place<'_>, folder: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    if asks_for_receipts(&value) {
        at.lab.invalid("a message that asks for receipts");
        at.lab.world(|world, _| world.note_invitation());
    }
    let message = match created(&value) {
        Ok(message) => message,
        Err(why) => return at.broken(why),
    };
    let made = at.lab.world(|world, now| {
        let folder = find(world, now, at.mailbox, folder)?.id;
        let message = completed(world, now, message);
        let row = world.make_typed(now, at.mailbox, &folder, message)?;
        world.hide_for_a_while(&row.id);
        world.typed_tree(at.mailbox, &row.id)
    });
    answered(at, 201, made)
}

/// What the store adds to a new message: an id, the begin of a conversation, and to what is no draft the time of day where none is said.
fn completed(world: &mut World, now: Now, mut message: Message) -> Message {
    if message.get(tags::INTERNET_MESSAGE_ID).is_none() {
        let id = format!("<{}@lab.example>", world.id_text(18, true));
        message.set(Prop::text(tags::INTERNET_MESSAGE_ID, &id));
    }
    if message.get(0x0071).is_none() {
        let index = world.dice_bytes(22);
        message.set(Prop::binary(0x0071, index));
    }
    let flags = message.get(tags::MESSAGE_FLAGS).map_or(0, |raw| raw[0]);
    if u32::from(flags) & tags::FLAG_UNSENT == 0 {
        for tag in [tags::CLIENT_SUBMIT_TIME, tags::MESSAGE_DELIVERY_TIME] {
            if message.get(tag).is_none() {
                message.set(Prop::time(tag, super::world::filetime_of(now.moment)));
            }
        }
    }
    message
}

/// The answer that shows what a call made, whole.
fn answered(
    at: &Place<'_>,
    status: u16,
    made: Result<(super::world::ItemRow, Message), Refused>,
) -> Answer {
    match made {
        Ok((row, tree)) => {
            let fields: Map<String, Value> =
                shown(&row, &tree, &ListQuery::default()).unwrap_or_default();
            Answer::json(status, &fields)
        }
        Err(why) => refused(at.lab, why),
    }
}

fn change(at: &Place<'_>, id: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    if asks_for_receipts(&value) {
        at.lab.world(|world, _| world.note_invitation());
        return at.lab.broken("a change that asks for receipts");
    }
    if value.get("attachments").is_some() {
        return at.lab.broken("attachments have calls of their own");
    }
    let there = at.lab.world(|world, _| world.typed_tree(at.mailbox, id));
    let (row, mut tree) = match there {
        Ok(there) => there,
        Err(why) => return refused(at.lab, why),
    };
    if touches_text(&value) && row.flags & tags::FLAG_UNSENT == 0 {
        at.lab.invalid("text or recipients of what is no draft");
        return Answer::error(403, "ErrorAccessDenied", "Access is denied.");
    }
    if let Err(why) = apply(&mut tree, &value) {
        return at.broken(why);
    }
    let made = at.lab.world(|world, now| {
        world.change_typed(now, at.mailbox, id, |message| *message = tree)?;
        world.typed_tree(at.mailbox, id)
    });
    answered(at, 200, made)
}

fn relocate(at: &Place<'_>, id: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let alone = value.as_object().is_some_and(|own| own.len() == 1);
    let to = value["destinationId"]
        .as_str()
        .or(value["DestinationId"].as_str());
    let Some(to) = to.filter(|_| alone) else {
        return at.lab.broken("a move has destinationId and nothing else");
    };
    let made = at.lab.world(|world, now| {
        let folder = find(world, now, at.mailbox, to)?;
        // Whether messages may be moved there no document says.
        if folder.role == Some(FolderRole::RecoverableDeletions) && world.shows_itself() {
            return Err(Refused::BadState);
        }
        let folder = folder.id;
        let row = world.move_typed(now, at.mailbox, id, &folder)?;
        world.typed_tree(at.mailbox, &row.id)
    });
    answered(at, 201, made)
}
