//! Property bags to streams, in the byte layout of reference/fts.md sections 1 and 2. Only the lab and the preflight canary write streams.

use super::tags::{self, Layout};
use super::tree::{Attachment, Message, Name, Prop, Value};
use crate::base::limits;

/// {00020307-0000-0000-C000-000000000046}, IMessage, as it lies on the wire.
const IMESSAGE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46];

/// Interface flags of Exchange's own streams.
const INTERFACE_FLAGS: u32 = 0x8000_2400;

/// Packed build of an Exchange 2016 CU23: 15.1.2507.
const BUILD: [u8; 6] = [0x0F, 0x01, 0xCB, 0x89, 0x06, 0x00];

/// The stream of one item.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut elements = Vec::new();
    message_content(message, &mut elements);
    let mut out = Vec::with_capacity(elements.len() + elements.len() / 2_000 + 128);
    let mut config = [0; 8];
    config[4] = 1;
    record(tags::OP_CONFIG, &config, &mut out);
    let mut interface = Vec::with_capacity(24);
    interface.extend(1_u32.to_le_bytes());
    interface.extend(IMESSAGE);
    interface.extend(INTERFACE_FLAGS.to_le_bytes());
    record(tags::OP_INTERFACE, &interface, &mut out);
    record(tags::OP_PARTNER_VERSION, &BUILD, &mut out);
    for piece in elements.chunks(limits::STREAM_PIECE) {
        record(tags::OP_TRANSFER_BUFFER, piece, &mut out);
    }
    out
}

fn u32_of(length: usize) -> [u8; 4] {
    u32::try_from(length)
        .expect("items of the lab are far below 4 GiB")
        .to_le_bytes()
}

fn record(op: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend(op.to_le_bytes());
    out.extend(u32_of(payload.len()));
    out.extend(payload);
}

fn message_content(message: &Message, out: &mut Vec<u8>) {
    write_all(&message.props, out);
    out.extend(tags::META_DEL_PROP.to_le_bytes());
    out.extend(tags::MESSAGE_RECIPIENTS.to_le_bytes());
    for recipient in &message.recipients {
        out.extend(tags::START_RECIP.to_le_bytes());
        write_all(recipient, out);
        out.extend(tags::END_RECIP.to_le_bytes());
    }
    out.extend(tags::META_DEL_PROP.to_le_bytes());
    out.extend(tags::MESSAGE_ATTACHMENTS.to_le_bytes());
    for Attachment { props, embedded } in &message.attachments {
        out.extend(tags::NEW_ATTACH.to_le_bytes());
        write_all(props, out);
        if let Some(inner) = embedded {
            out.extend(tags::START_EMBED.to_le_bytes());
            message_content(inner, out);
            out.extend(tags::END_EMBED.to_le_bytes());
        }
        out.extend(tags::END_ATTACH.to_le_bytes());
    }
}

fn write_all(props: &[Prop], out: &mut Vec<u8>) {
    for prop in props {
        write(prop, out);
    }
}

fn write(prop: &Prop, out: &mut Vec<u8>) {
    out.extend(prop.kind.to_le_bytes());
    out.extend(prop.id.to_le_bytes());
    match &prop.name {
        Name::Tag(_) => {}
        Name::Number { set, number } => {
            out.extend(set);
            out.push(0);
            out.extend(number.to_le_bytes());
        }
        Name::Named { set, name } => {
            out.extend(set);
            out.push(1);
            out.extend(name);
            out.extend([0, 0]);
        }
    }
    let sized = !matches!(tags::layout(prop.kind), Some((Layout::Fixed(_), _)));
    let one = |value: &Vec<u8>, out: &mut Vec<u8>| {
        if sized {
            out.extend(u32_of(value.len()));
        }
        out.extend(value);
    };
    match &prop.value {
        Value::One(value) => one(value, out),
        Value::Many(values) => {
            out.extend(u32_of(values.len()));
            for value in values {
                one(value, out);
            }
        }
    }
}
