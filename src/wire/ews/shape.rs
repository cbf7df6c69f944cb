//! What a call asks about: folders by id or distinguished name, items by id, and the properties wanted of them.

use crate::base::id::{FolderId, ItemId};
use crate::wire::xml::{Element, Ns, Writer};

/// A folder in a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderRef {
    /// By id.
    Id(FolderId),
    /// By a name of the 2016 schema; an unknown one breaks the whole request (reference/ews.md section 5).
    Distinguished(String),
}

impl FolderRef {
    /// Writes `t:FolderId` or `t:DistinguishedFolderId`.
    pub fn write(&self, w: &mut Writer) {
        match self {
            Self::Id(id) => w.empty("t:FolderId", &[("Id", id.as_str())]),
            Self::Distinguished(name) => w.empty("t:DistinguishedFolderId", &[("Id", name)]),
        }
    }

    /// Reads one of the two.
    pub fn read(e: &Element) -> Option<Self> {
        let id = e.attr("Id")?;
        match (e.ns, e.name.as_str()) {
            (Ns::Types, "FolderId") => Some(Self::Id(FolderId::new(id))),
            (Ns::Types, "DistinguishedFolderId") => Some(Self::Distinguished(id.to_owned())),
            _ => None,
        }
    }

    /// Reads every folder inside `e`.
    pub fn read_all(e: Option<&Element>) -> Vec<Self> {
        e.map(|e| e.children.iter().filter_map(Self::read).collect())
            .unwrap_or_default()
    }
}

/// Writes `t:ItemId` for each id.
pub fn write_item_ids(items: &[ItemId], w: &mut Writer) {
    for id in items {
        w.empty("t:ItemId", &[("Id", id.as_str())]);
    }
}

/// Reads every `t:ItemId` inside `e`.
pub fn read_item_ids(e: Option<&Element>) -> Vec<ItemId> {
    let ids = e.map(|e| e.children.as_slice()).unwrap_or_default();
    ids.iter()
        .filter(|c| c.is(Ns::Types, "ItemId"))
        .filter_map(|c| c.attr("Id"))
        .map(ItemId::new)
        .collect()
}

/// How much is asked of each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BaseShape {
    /// The id only.
    #[default]
    IdOnly,
    /// A set chosen by the server.
    Default,
    /// Everything that is cheap enough.
    AllProperties,
}

impl BaseShape {
    const fn name(self) -> &'static str {
        match self {
            Self::IdOnly => "IdOnly",
            Self::Default => "Default",
            Self::AllProperties => "AllProperties",
        }
    }
}

/// The MAPI type word of an extended property, as far as we ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PropType {
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
    /// True or false.
    Boolean,
    /// Bytes, as Base64.
    Binary,
    /// A list of bytes.
    BinaryArray,
    /// A point in time.
    SystemTime,
    /// Text.
    String,
}

impl PropType {
    const ALL: [Self; 7] = [
        Self::Integer,
        Self::Long,
        Self::Boolean,
        Self::Binary,
        Self::BinaryArray,
        Self::SystemTime,
        Self::String,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Integer => "Integer",
            Self::Long => "Long",
            Self::Boolean => "Boolean",
            Self::Binary => "Binary",
            Self::BinaryArray => "BinaryArray",
            Self::SystemTime => "SystemTime",
            Self::String => "String",
        }
    }
}

/// A property by MAPI tag, e.g. 0x0E08 Long. Tags are numbers: the server spells them its own way (`0xe08`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// The property id.
    pub id: u16,
    /// Its type.
    pub kind: PropType,
}

impl Tag {
    /// PidTagFolderType: 1 generic, 2 search.
    pub const FOLDER_TYPE: Self = Self::new(0x3601, PropType::Integer);
    /// PidTagAttributeHidden.
    pub const HIDDEN: Self = Self::new(0x10F4, PropType::Boolean);
    /// PidTagMessageSizeExtended: own items of a folder.
    pub const SIZE: Self = Self::new(0x0E08, PropType::Long);
    /// PidTagEntryId.
    pub const ENTRY_ID: Self = Self::new(0x0FFF, PropType::Binary);
    /// PidTagAdditionalRenEntryIds.
    pub const REN: Self = Self::new(0x36D8, PropType::BinaryArray);
    /// PidTagAdditionalRenEntryIdsEx.
    pub const REN_EX: Self = Self::new(0x36D9, PropType::Binary);
    /// PidTagSearchKey.
    pub const SEARCH_KEY: Self = Self::new(0x300B, PropType::Binary);
    /// PidTagInternetMessageId: what `message:InternetMessageId` says, for items of every element.
    pub const MESSAGE_ID: Self = Self::new(0x1035, PropType::String);
    /// PidTagClientSubmitTime.
    pub const SUBMITTED: Self = Self::new(0x0039, PropType::SystemTime);

    /// PidTagMessageDeliveryTime.
    pub const DELIVERED: Self = Self::new(0x0E06, PropType::SystemTime);
    /// PidTagMessageFlags.
    pub const FLAGS: Self = Self::new(0x0E07, PropType::Integer);
    /// PidTagTransportMessageHeaders.
    pub const HEADERS: Self = Self::new(0x007D, PropType::String);

    /// PidTagFolderWebViewInfo: the home page of a folder.
    pub const WEB_VIEW: Self = Self::new(0x36DF, PropType::Binary);
    /// PidTagRuleMessageName.
    pub const RULE_NAME: Self = Self::new(0x65EC, PropType::String);
    /// PidTagRuleMessageProvider.
    pub const RULE_PROVIDER: Self = Self::new(0x65EB, PropType::String);
    /// PidTagRwRulesStream: what Outlook keeps of client rules.
    pub const RULES_STREAM: Self = Self::new(0x6802, PropType::Binary);
    /// PidTagExtendedRuleMessageActions.
    pub const RULE_ACTIONS: Self = Self::new(0x0E99, PropType::Binary);

    const fn new(id: u16, kind: PropType) -> Self {
        Self { id, kind }
    }

    fn write(self, w: &mut Writer) {
        let id = format!("0x{:04X}", self.id);
        w.empty(
            "t:ExtendedFieldURI",
            &[("PropertyTag", &id), ("PropertyType", self.kind.name())],
        );
    }

    /// Reads a `t:ExtendedFieldURI` that names a tag of a type we know.
    pub fn read(e: &Element) -> Option<Self> {
        let kind = e.attr("PropertyType")?;
        Some(Self {
            id: parse_tag(e.attr("PropertyTag")?)?,
            kind: PropType::ALL.into_iter().find(|k| k.name() == kind)?,
        })
    }
}

fn parse_tag(text: &str) -> Option<u16> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u16::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The number of PidLidReminderFileParameter (0x851F) in the set `Common`.
const REMINDER_FILE: &str = "34079";

/// Writes the path of PidLidReminderFileParameter.
pub(super) fn write_reminder_path(w: &mut Writer) {
    w.empty(
        "t:ExtendedFieldURI",
        &[
            ("DistinguishedPropertySetId", "Common"),
            ("PropertyId", REMINDER_FILE),
            ("PropertyType", "String"),
        ],
    );
}

/// True for the path of PidLidReminderFileParameter.
pub(super) fn is_reminder_path(e: &Element) -> bool {
    e.attr("DistinguishedPropertySetId") == Some("Common")
        && e.attr("PropertyId") == Some(REMINDER_FILE)
}

/// One wanted property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// A property of the schema, e.g. `folder:DisplayName`.
    Field(String),
    /// A property by tag.
    Tag(Tag),
    /// PidLidReminderFileParameter: the sound of a reminder.
    ReminderFile,
    /// Any other form; read in requests, never written.
    Other,
}

/// What is wanted of each folder or item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The base set.
    pub base: BaseShape,
    /// More properties.
    pub more: Vec<Path>,
    /// True when MIME content is asked for.
    pub mime: bool,
    /// True when the text is asked for as it was written: HTML, else plain.
    pub best: bool,
}

impl Shape {
    pub(super) fn of(fields: &[&str], tags: &[Tag]) -> Self {
        let fields = fields.iter().map(|f| Path::Field((*f).to_owned()));
        Self {
            base: BaseShape::IdOnly,
            more: fields.chain(tags.iter().map(|t| Path::Tag(*t))).collect(),
            mime: false,
            best: false,
        }
    }

    /// What we ask of folders: id, parent, name, class, counts, type, hidden, size, entry id.
    pub fn folders() -> Self {
        Self::of(
            &[
                "folder:ParentFolderId",
                "folder:FolderClass",
                "folder:DisplayName",
                "folder:TotalCount",
                "folder:ChildFolderCount",
            ],
            &[Tag::FOLDER_TYPE, Tag::HIDDEN, Tag::SIZE, Tag::ENTRY_ID],
        )
    }

    /// What we ask of root and inbox besides: the entry ids of special folders.
    pub fn folders_with_special_ids() -> Self {
        let mut shape = Self::folders();
        shape.more.push(Path::Tag(Tag::REN));
        shape.more.push(Path::Tag(Tag::REN_EX));
        shape
    }

    /// What we ask of items in a listing.
    pub fn items() -> Self {
        Self::of(
            &[
                "item:ItemClass",
                "item:Size",
                "item:DateTimeReceived",
                "message:IsRead",
                "message:InternetMessageId",
            ],
            &[Tag::SEARCH_KEY, Tag::MESSAGE_ID, Tag::SUBMITTED],
        )
    }

    /// What is asked of folders about their settings: home page and rights.
    pub fn folder_settings() -> Self {
        Self::of(&["folder:PermissionSet"], &[Tag::WEB_VIEW])
    }

    /// What is asked of the Inbox's associated messages.
    pub fn associated() -> Self {
        Self::of(
            &["item:ItemClass", "item:LastModifiedTime"],
            &[Tag::RULE_NAME, Tag::RULE_PROVIDER],
        )
    }

    /// What client rules hold, whole: a listing would cut it.
    pub fn rule_blobs() -> Self {
        Self::of(&["item:ItemClass"], &[Tag::RULES_STREAM, Tag::RULE_ACTIONS])
    }

    /// What is asked of items with a reminder file.
    pub fn reminders() -> Self {
        let mut shape = Self::of(&["item:ItemClass"], &[]);
        shape.more.push(Path::ReminderFile);
        shape
    }

    /// What is asked of items of odd classes.
    pub fn classes() -> Self {
        Self::of(&["item:ItemClass"], &[])
    }

    /// What a count of exposure asks of items: when they came and from whom.
    pub fn correspondence() -> Self {
        Self::of(
            &[
                "item:DateTimeReceived",
                "item:DateTimeCreated",
                "message:From",
            ],
            &[],
        )
    }

    /// True when a look at settings asks: its answer has a form of its own.
    pub fn is_look(&self) -> bool {
        self.wants_tag(Tag::WEB_VIEW)
            || self.wants_tag(Tag::RULE_NAME)
            || self.wants_tag(Tag::RULES_STREAM)
            || self.more.contains(&Path::ReminderFile)
            || *self == Self::classes()
            || *self == Self::correspondence()
    }

    /// True when the property of the schema is wanted.
    pub fn wants(&self, field: &str) -> bool {
        self.base != BaseShape::IdOnly
            || self
                .more
                .iter()
                .any(|p| matches!(p, Path::Field(f) if f == field))
    }

    /// Those of the properties that are asked for.
    pub(super) fn wanted(&self, mut more: Vec<(Tag, String)>) -> Vec<(Tag, String)> {
        more.retain(|(tag, _)| self.wants_tag(*tag));
        more
    }

    /// True when the property with this tag is wanted.
    pub fn wants_tag(&self, tag: Tag) -> bool {
        self.more
            .iter()
            .any(|p| matches!(p, Path::Tag(t) if *t == tag))
    }

    /// Writes `m:FolderShape` or `m:ItemShape`.
    pub fn write(&self, name: &'static str, w: &mut Writer) {
        w.open(name, &[]);
        w.leaf("t:BaseShape", self.base.name());
        if self.mime {
            w.leaf("t:IncludeMimeContent", "true");
        }
        if self.best {
            w.leaf("t:BodyType", "Best");
        }
        if !self.more.is_empty() {
            w.open("t:AdditionalProperties", &[]);
            for path in &self.more {
                match path {
                    Path::Field(field) => w.empty("t:FieldURI", &[("FieldURI", field)]),
                    Path::Tag(tag) => tag.write(w),
                    Path::ReminderFile => write_reminder_path(w),
                    Path::Other => {}
                }
            }
            w.close();
        }
        w.close();
    }

    /// Reads a shape that passed the schema.
    pub fn read(e: Option<&Element>) -> Self {
        let Some(e) = e else { return Self::default() };
        let base = match e.t("BaseShape").map(|b| b.text.trim()) {
            Some("AllProperties") => BaseShape::AllProperties,
            Some("Default") => BaseShape::Default,
            _ => BaseShape::IdOnly,
        };
        let more = e.t("AdditionalProperties").map(|p| p.children.as_slice());
        let path = |p: &Element| match p.name.as_str() {
            "FieldURI" => Path::Field(p.attr("FieldURI").unwrap_or_default().to_owned()),
            "ExtendedFieldURI" if is_reminder_path(p) => Path::ReminderFile,
            "ExtendedFieldURI" => Tag::read(p).map_or(Path::Other, Path::Tag),
            _ => Path::Other,
        };
        Self {
            base,
            more: more.unwrap_or_default().iter().map(path).collect(),
            mime: e.t("IncludeMimeContent").and_then(Element::boolean) == Some(true),
            best: e.t("BodyType").is_some_and(|b| b.text.trim() == "Best"),
        }
    }
}

/// The values of a `t:ExtendedProperty`, by tag number; `None` for named ones.
pub fn extended(e: &Element) -> Option<(u16, Vec<&str>)> {
    let id = parse_tag(e.t("ExtendedFieldURI")?.attr("PropertyTag")?)?;
    let one = e.t("Value").map(|v| v.text.as_str());
    let many = e
        .t("Values")
        .map(|v| v.children.as_slice())
        .unwrap_or_default();
    let values = one.into_iter().chain(many.iter().map(|v| v.text.as_str()));
    Some((id, values.collect()))
}

/// Writes a `t:ExtendedProperty` with one value, as the server spells it: lower-case, without leading zeros.
pub fn write_extended(tag: Tag, value: &str, w: &mut Writer) {
    open_extended(tag, w);
    w.leaf("t:Value", value);
    w.close();
}

/// Writes a `t:ExtendedProperty` with a list of values. The schema admits no empty list.
pub fn write_extended_list(tag: Tag, values: &[String], w: &mut Writer) {
    if values.is_empty() {
        return;
    }
    open_extended(tag, w);
    w.open("t:Values", &[]);
    for value in values {
        w.leaf("t:Value", value);
    }
    w.close();
    w.close();
}

pub(super) fn open_extended(tag: Tag, w: &mut Writer) {
    w.open("t:ExtendedProperty", &[]);
    let id = format!("0x{:x}", tag.id);
    w.empty(
        "t:ExtendedFieldURI",
        &[("PropertyTag", &id), ("PropertyType", tag.kind.name())],
    );
}
