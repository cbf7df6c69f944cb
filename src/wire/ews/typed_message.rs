//! The fields of a message among those of its item (t:MessageType).

use crate::base::typed::{FollowUp, Person, TypedCommon, TypedMessage};
use crate::wire::base64;
use crate::wire::ews::item;
use crate::wire::ews::shape::{self, Tag};
use crate::wire::ews::typed_item::{
    date, extended, moment_of, read_person, text, text_of, whole, write_person,
};
use crate::wire::xml::{Element, Writer};

/// Reads them.
pub(super) fn read(e: &Element, common: TypedCommon) -> TypedMessage {
    let time = |tag| extended(e, tag).and_then(item::moment).map(whole);
    let list = |name| {
        let own = e.t(name).map(|own| own.children.as_slice());
        let own = own.unwrap_or_default().iter();
        own.map(read_person).collect::<Vec<_>>()
    };
    let one = |name| list(name).pop().filter(|own| *own != Person::default());
    let flags = extended(e, Tag::FLAGS).and_then(|text| text.trim().parse::<i32>().ok());
    let index = base64::decode(text_of(e, "ConversationIndex").trim()).unwrap_or_default();
    TypedMessage {
        common,
        message_id: text_of(e, "InternetMessageId"),
        flags: flags.unwrap_or(0).cast_unsigned(),
        submitted: time(Tag::SUBMITTED),
        delivered: time(Tag::DELIVERED),
        from: one("From"),
        sender: one("Sender"),
        to: list("ToRecipients"),
        cc: list("CcRecipients"),
        bcc: list("BccRecipients"),
        reply_to: list("ReplyTo"),
        headers: extended(e, Tag::HEADERS).unwrap_or_default().to_owned(),
        in_reply_to: text_of(e, "InReplyTo"),
        references: text_of(e, "References"),
        conversation_index: base64::encode(&index),
        flag: e.t("Flag").and_then(flag),
    }
}

/// t:FlagType.
fn flag(e: &Element) -> Option<FollowUp> {
    let complete = match text_of(e, "FlagStatus").trim() {
        "Flagged" => false,
        "Complete" => true,
        _ => return None,
    };
    Some(FollowUp {
        complete,
        start: moment_of(e, "StartDate"),
        due: moment_of(e, "DueDate"),
        completed: moment_of(e, "CompleteDate"),
    })
}

/// Writes them, from the extended properties on.
pub(super) fn write(own: &TypedMessage, w: &mut Writer) {
    shape::write_extended(Tag::FLAGS, &own.flags.cast_signed().to_string(), w);
    for (tag, at) in [
        (Tag::SUBMITTED, own.submitted),
        (Tag::DELIVERED, own.delivered),
    ] {
        if let Some(at) = at {
            shape::write_extended(tag, &at.to_string(), w);
        }
    }
    if !own.headers.is_empty() {
        shape::write_extended(Tag::HEADERS, &own.headers, w);
    }
    date(w, "t:LastModifiedTime", own.common.modified);
    w.open("t:Flag", &[]);
    match &own.flag {
        Some(flag) => {
            let status = if flag.complete { "Complete" } else { "Flagged" };
            w.leaf("t:FlagStatus", status);
            date(w, "t:StartDate", flag.start);
            date(w, "t:DueDate", flag.due);
            date(w, "t:CompleteDate", flag.completed);
        }
        None => w.leaf("t:FlagStatus", "NotFlagged"),
    }
    w.close();
    let mut list = |name, people: &[Person]| {
        if !people.is_empty() {
            w.open(name, &[]);
            for person in people {
                write_person(person, w);
            }
            w.close();
        }
    };
    list("t:Sender", own.sender.as_slice());
    list("t:ToRecipients", &own.to);
    list("t:CcRecipients", &own.cc);
    list("t:BccRecipients", &own.bcc);
    text(w, "t:ConversationIndex", &own.conversation_index);
    if let Some(from) = &own.from {
        w.open("t:From", &[]);
        write_person(from, w);
        w.close();
    }
    text(w, "t:InternetMessageId", &own.message_id);
    text(w, "t:References", &own.references);
    if !own.reply_to.is_empty() {
        w.open("t:ReplyTo", &[]);
        own.reply_to
            .iter()
            .for_each(|person| write_person(person, w));
        w.close();
    }
}

/// Takes away what is not wanted.
pub(super) fn strip(own: &mut TypedMessage, wants: &dyn Fn(&str) -> bool) {
    for (field, text) in [
        ("message:InternetMessageId", &mut own.message_id),
        ("message:ConversationIndex", &mut own.conversation_index),
        ("message:References", &mut own.references),
        ("item:InReplyTo", &mut own.in_reply_to),
    ] {
        if !wants(field) {
            text.clear();
        }
    }
    for (field, people) in [
        ("message:ToRecipients", &mut own.to),
        ("message:CcRecipients", &mut own.cc),
        ("message:BccRecipients", &mut own.bcc),
        ("message:ReplyTo", &mut own.reply_to),
    ] {
        if !wants(field) {
            people.clear();
        }
    }
    own.from.take_if(|_| !wants("message:From"));
    own.sender.take_if(|_| !wants("message:Sender"));
    own.flag.take_if(|_| !wants("item:Flag"));
}
