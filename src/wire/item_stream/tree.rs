//! A whole item in memory: for the lab, which makes items and plays the server that re-encodes them. The product itself never edits a
//! stream.

use super::parse::{Container, Lost, Visit, Which};
use super::tags;
use crate::base::limits;

/// How a property is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// By its id, below 0x8000.
    Tag(u16),
    /// By property set and number.
    Number {
        /// The property set.
        set: [u8; 16],
        /// The number.
        number: u32,
    },
    /// By property set and name.
    Named {
        /// The property set.
        set: [u8; 16],
        /// The name, UTF-16LE without terminator.
        name: Vec<u8>,
    },
}

/// The value or values of a property, as bytes of the wire without lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a single-valued type.
    One(Vec<u8>),
    /// Of a multi-valued type.
    Many(Vec<Vec<u8>>),
}

impl Value {
    /// The bytes of a single value.
    pub fn one(&self) -> Option<&[u8]> {
        match self {
            Self::One(value) => Some(value),
            Self::Many(_) => None,
        }
    }
}

/// One property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prop {
    /// Its id on this wire: the tag's, or the mailbox's own one of a named property.
    pub id: u16,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub kind: u16,
    /// Its value.
    pub value: Value,
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

impl Prop {
    /// A tagged property with this raw value.
    pub fn raw(id: u16, kind: u16, value: Vec<u8>) -> Self {
        Self {
            id,
            name: Name::Tag(id),
            kind,
            value: Value::One(value),
        }
    }

    /// Unicode text, terminator added.
    pub fn text(id: u16, text: &str) -> Self {
        let mut value = utf16(text);
        value.extend([0, 0]);
        Self::raw(id, tags::T_UNICODE, value)
    }

    /// Several Unicode texts.
    pub fn texts(id: u16, texts: &[&str]) -> Self {
        let values = texts.iter().map(|text| {
            let mut value = utf16(text);
            value.extend([0, 0]);
            value
        });
        Self {
            value: Value::Many(values.collect()),
            ..Self::raw(id, tags::T_UNICODE | tags::MULTI, Vec::new())
        }
    }

    /// Bytes.
    pub fn binary(id: u16, value: impl Into<Vec<u8>>) -> Self {
        Self::raw(id, tags::T_BINARY, value.into())
    }

    /// A 32-bit integer.
    pub fn i32(id: u16, value: u32) -> Self {
        Self::raw(id, tags::T_I32, value.to_le_bytes().to_vec())
    }

    /// A boolean.
    pub fn boolean(id: u16, value: bool) -> Self {
        Self::raw(id, tags::T_BOOL, u16::from(value).to_le_bytes().to_vec())
    }

    /// A FILETIME.
    pub fn time(id: u16, filetime: u64) -> Self {
        Self::raw(id, tags::T_TIME, filetime.to_le_bytes().to_vec())
    }

    /// The same value under a number of a property set; `id` is the mailbox's own id for it.
    #[must_use]
    pub fn numbered(mut self, id: u16, set: [u8; 16], number: u32) -> Self {
        self.id = id | tags::NAMED_FROM;
        self.name = Name::Number { set, number };
        self
    }

    /// The same value under a name of a property set; `id` is the mailbox's own id for it.
    #[must_use]
    pub fn called(mut self, id: u16, set: [u8; 16], name: &str) -> Self {
        self.id = id | tags::NAMED_FROM;
        self.name = Name::Named {
            set,
            name: utf16(name),
        };
        self
    }
}

/// An attachment: its properties, and the message inside it, where it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Its properties.
    pub props: Vec<Prop>,
    /// An embedded message.
    pub embedded: Option<Box<Message>>,
}

/// A message: its properties, recipients and attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its own properties, in order.
    pub props: Vec<Prop>,
    /// Its recipients' properties.
    pub recipients: Vec<Vec<Prop>>,
    /// Its attachments.
    pub attachments: Vec<Attachment>,
}

impl Message {
    /// The raw single value of a tagged property.
    pub fn get(&self, id: u16) -> Option<&[u8]> {
        let own = self.props.iter().find(|prop| prop.name == Name::Tag(id));
        own.and_then(|prop| prop.value.one())
    }

    /// Puts a property in place of those of the same name, or at the end.
    pub fn set(&mut self, prop: Prop) {
        match self.props.iter_mut().find(|own| own.name == prop.name) {
            Some(own) => *own = prop,
            None => self.props.push(prop),
        }
    }

    /// Removes a tagged property.
    pub fn unset(&mut self, id: u16) {
        self.props.retain(|prop| prop.name != Name::Tag(id));
    }
}

/// Reads a whole stream into memory; nothing where the reader would call it unread.
pub fn decode(stream: &[u8]) -> Option<Message> {
    let mut container = Container::new();
    let mut builder = Builder::default();
    builder.messages.push(Message::default());
    container.feed(stream, &mut builder);
    let closed = builder.messages.len() == 1 && builder.inside.is_empty();
    (container.framing().complete && closed && !builder.lost)
        .then(|| builder.messages.pop())
        .flatten()
}

/// Which object the next property belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Recipient,
    Attachment,
    Embedded,
}

#[derive(Debug, Default)]
struct Builder {
    messages: Vec<Message>,
    inside: Vec<Inside>,
    open: Option<Prop>,
    lost: bool,
}

impl Builder {
    fn step(&mut self, marker: u32) -> Option<()> {
        let here = self.inside.last().copied();
        let in_message = matches!(here, None | Some(Inside::Embedded));
        match marker {
            tags::START_MESSAGE | tags::START_FAI | tags::END_MESSAGE if here.is_none() => {}
            tags::START_RECIP if in_message => {
                self.messages.last_mut()?.recipients.push(Vec::new());
                self.inside.push(Inside::Recipient);
            }
            tags::NEW_ATTACH if in_message => {
                let attachments = &mut self.messages.last_mut()?.attachments;
                attachments.push(Attachment::default());
                self.inside.push(Inside::Attachment);
            }
            tags::START_EMBED if here == Some(Inside::Attachment) => {
                let attachment = self.messages.last()?.attachments.last()?;
                attachment.embedded.is_none().then_some(())?;
                (self.messages.len() <= limits::EMBED_DEPTH_MAX).then_some(())?;
                self.messages.push(Message::default());
                self.inside.push(Inside::Embedded);
            }
            tags::END_RECIP if here == Some(Inside::Recipient) => drop(self.inside.pop()),
            tags::END_ATTACH if here == Some(Inside::Attachment) => drop(self.inside.pop()),
            tags::END_EMBED if here == Some(Inside::Embedded) => {
                self.inside.pop();
                let inner = self.messages.pop()?;
                let attachment = self.messages.last_mut()?.attachments.last_mut()?;
                attachment.embedded = Some(Box::new(inner));
            }
            _ => return None,
        }
        Some(())
    }

    fn place(&mut self) -> Option<&mut Vec<Prop>> {
        let message = self.messages.last_mut()?;
        match self.inside.last() {
            None | Some(Inside::Embedded) => Some(&mut message.props),
            Some(Inside::Recipient) => message.recipients.last_mut(),
            Some(Inside::Attachment) => Some(&mut message.attachments.last_mut()?.props),
        }
    }
}

impl Visit for Builder {
    fn marker(&mut self, marker: u32) -> Result<(), Lost> {
        self.step(marker).ok_or_else(|| {
            self.lost = true;
            Lost
        })
    }

    fn begin(&mut self, id: u16, which: Which, kind: u16) -> Result<(), Lost> {
        let several = kind & tags::CODE_PAGE == 0 && kind & tags::MULTI != 0;
        let name = match which {
            Which::Tag(id) => Name::Tag(id),
            Which::Number { set, number } => Name::Number { set, number },
            Which::Name { set, name } => Name::Named { set, name },
        };
        let value = if several {
            Value::Many(Vec::new())
        } else {
            Value::One(Vec::new())
        };
        self.open = Some(Prop {
            id,
            name,
            kind,
            value,
        });
        Ok(())
    }

    fn value(&mut self, _length: u32) {
        if let Some(Prop {
            value: Value::Many(values),
            ..
        }) = &mut self.open
        {
            values.push(Vec::new());
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match self.open.as_mut().map(|prop| &mut prop.value) {
            Some(Value::One(value)) => value.extend_from_slice(bytes),
            Some(Value::Many(values)) => {
                if let Some(value) = values.last_mut() {
                    value.extend_from_slice(bytes);
                }
            }
            None => {}
        }
    }

    fn end(&mut self) -> Result<(), Lost> {
        let Some(prop) = self.open.take() else {
            return Ok(());
        };
        if matches!(prop.name, Name::Tag(0x4000..=0x40FF)) {
            return Ok(());
        }
        self.place().ok_or(Lost)?.push(prop);
        Ok(())
    }
}
