//! A folder as replies show it, in any of its five elements.

use crate::base::id::FolderId;
use crate::base::mailbox::{FolderKind, FolderRole, SourceFolder};
use crate::base::quantity::{Bytes, Count};
use crate::wire::base64;
use crate::wire::ews::shape::{self, Shape, Tag};
use crate::wire::xml::{Element, Ns, Writer};

/// Which element a folder comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FolderElement {
    /// `t:Folder`.
    #[default]
    Folder,
    /// `t:CalendarFolder`.
    Calendar,
    /// `t:ContactsFolder`.
    Contacts,
    /// `t:TasksFolder`.
    Tasks,
    /// `t:SearchFolder`.
    Search,
}

impl FolderElement {
    const ALL: [Self; 5] = [
        Self::Folder,
        Self::Calendar,
        Self::Contacts,
        Self::Tasks,
        Self::Search,
    ];

    const fn tag(self) -> &'static str {
        match self {
            Self::Folder => "t:Folder",
            Self::Calendar => "t:CalendarFolder",
            Self::Contacts => "t:ContactsFolder",
            Self::Tasks => "t:TasksFolder",
            Self::Search => "t:SearchFolder",
        }
    }

    /// The element Exchange uses for a folder of this class and kind.
    pub fn for_class(class: &str, kind: FolderKind) -> Self {
        let family = |f: &str| {
            class
                .get(..f.len())
                .is_some_and(|c| c.eq_ignore_ascii_case(f))
                && matches!(class.as_bytes().get(f.len()), None | Some(b'.'))
        };
        match kind {
            FolderKind::Search => Self::Search,
            FolderKind::Generic if family("IPF.Appointment") => Self::Calendar,
            FolderKind::Generic if family("IPF.Contact") => Self::Contacts,
            FolderKind::Generic if family("IPF.Task") => Self::Tasks,
            FolderKind::Generic => Self::Folder,
        }
    }
}

/// A folder of a reply; what the reply does not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its element.
    pub element: FolderElement,
    /// Its id.
    pub id: FolderId,
    /// Its parent.
    pub parent: Option<FolderId>,
    /// Its class.
    pub class: Option<String>,
    /// Its name, blanks untouched.
    pub name: Option<String>,
    /// Normal items inside.
    pub total: Option<Count>,
    /// Direct children.
    pub children: Option<Count>,
    /// PidTagFolderType.
    pub folder_type: Option<u32>,
    /// PidTagAttributeHidden.
    pub hidden: Option<bool>,
    /// Bytes of its own items.
    pub size: Option<Bytes>,
    /// PidTagEntryId.
    pub entry_id: Option<Vec<u8>>,
    /// PidTagAdditionalRenEntryIds, on root and inbox.
    pub ren: Vec<Vec<u8>>,
    /// PidTagAdditionalRenEntryIdsEx, on root and inbox.
    pub ren_ex: Option<Vec<u8>>,
    /// Properties that only other software asks for. Written, never read.
    pub more: Vec<(Tag, String)>,
}

impl FolderEntry {
    /// A folder of which only the id is known.
    pub fn bare(id: FolderId) -> Self {
        Self {
            element: FolderElement::Folder,
            id,
            parent: None,
            class: None,
            name: None,
            total: None,
            children: None,
            folder_type: None,
            hidden: None,
            size: None,
            entry_id: None,
            ren: Vec::new(),
            ren_ex: None,
            more: Vec::new(),
        }
    }

    /// Reads a folder element; `None` for one without id. A name we do not know is a folder too: newer servers have more of them.
    pub fn read(e: &Element) -> Option<Self> {
        let named = |f: &FolderElement| f.tag().strip_prefix("t:") == Some(e.name.as_str());
        let element = FolderElement::ALL.into_iter().find(named);
        let element = element.unwrap_or_default();
        if e.ns != Ns::Types {
            return None;
        }
        let id = |name: &str| e.t(name).and_then(|i| i.attr("Id")).map(FolderId::new);
        let count = |name: &str| e.t(name).and_then(Element::number).map(Count::new);
        let text = |name: &str| e.t(name).map(|v| v.text.clone());
        let mut entry = Self {
            element,
            parent: id("ParentFolderId"),
            class: text("FolderClass"),
            name: text("DisplayName"),
            total: count("TotalCount"),
            children: count("ChildFolderCount"),
            ..Self::bare(id("FolderId")?)
        };
        for property in &e.children {
            if property.is(Ns::Types, "ExtendedProperty")
                && let Some((id, values)) = shape::extended(property)
            {
                entry.take_extended(id, &values);
            }
        }
        Some(entry)
    }

    fn take_extended(&mut self, id: u16, values: &[&str]) {
        let one = values.first().map_or("", |v| v.trim());
        if id == Tag::FOLDER_TYPE.id {
            self.folder_type = one.parse().ok();
        } else if id == Tag::HIDDEN.id {
            self.hidden = match one {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            };
        } else if id == Tag::SIZE.id {
            self.size = one.parse().ok().map(Bytes::new);
        } else if id == Tag::ENTRY_ID.id {
            self.entry_id = base64::decode(one).ok();
        } else if id == Tag::REN.id {
            // The index of a value is its meaning, so a broken one keeps its place.
            self.ren = values
                .iter()
                .map(|v| base64::decode(v).unwrap_or_default())
                .collect();
        } else if id == Tag::REN_EX.id {
            self.ren_ex = base64::decode(one).ok();
        }
    }

    /// The same folder with only what `shape` asks for.
    #[must_use]
    pub fn shaped(self, shape: &Shape) -> Self {
        let parent = self.parent.filter(|_| shape.wants("folder:ParentFolderId"));
        let tags = |tag| shape.wants_tag(tag);
        Self {
            element: self.element,
            id: self.id,
            parent,
            class: self.class.filter(|_| shape.wants("folder:FolderClass")),
            name: self.name.filter(|_| shape.wants("folder:DisplayName")),
            total: self.total.filter(|_| shape.wants("folder:TotalCount")),
            children: self
                .children
                .filter(|_| shape.wants("folder:ChildFolderCount")),
            folder_type: self.folder_type.filter(|_| tags(Tag::FOLDER_TYPE)),
            hidden: self.hidden.filter(|_| tags(Tag::HIDDEN)),
            size: self.size.filter(|_| tags(Tag::SIZE)),
            entry_id: self.entry_id.filter(|_| tags(Tag::ENTRY_ID)),
            ren: if tags(Tag::REN) { self.ren } else { Vec::new() },
            ren_ex: self.ren_ex.filter(|_| tags(Tag::REN_EX)),
            more: shape.wanted(self.more),
        }
    }

    /// Writes the folder in the order of the schema.
    pub fn write(&self, w: &mut Writer) {
        w.open(self.element.tag(), &[]);
        w.empty(
            "t:FolderId",
            &[("Id", self.id.as_str()), ("ChangeKey", "AQAAAA==")],
        );
        if let Some(parent) = &self.parent {
            let id = [("Id", parent.as_str()), ("ChangeKey", "AQAAAA==")];
            w.empty("t:ParentFolderId", &id);
        }
        if let Some(class) = &self.class {
            w.leaf("t:FolderClass", class);
        }
        if let Some(name) = &self.name {
            w.leaf("t:DisplayName", name);
        }
        if let Some(total) = self.total {
            w.leaf("t:TotalCount", &total.get().to_string());
        }
        if let Some(children) = self.children {
            w.leaf("t:ChildFolderCount", &children.get().to_string());
        }
        self.write_extended(w);
        w.close();
    }

    fn write_extended(&self, w: &mut Writer) {
        if let Some(kind) = self.folder_type {
            shape::write_extended(Tag::FOLDER_TYPE, &kind.to_string(), w);
        }
        if let Some(hidden) = self.hidden {
            shape::write_extended(Tag::HIDDEN, if hidden { "true" } else { "false" }, w);
        }
        if let Some(size) = self.size {
            shape::write_extended(Tag::SIZE, &size.get().to_string(), w);
        }
        if let Some(entry_id) = &self.entry_id {
            shape::write_extended(Tag::ENTRY_ID, &base64::encode(entry_id), w);
        }
        let ren: Vec<String> = self.ren.iter().map(|id| base64::encode(id)).collect();
        shape::write_extended_list(Tag::REN, &ren, w);
        if let Some(ren_ex) = &self.ren_ex {
            shape::write_extended(Tag::REN_EX, &base64::encode(ren_ex), w);
        }
        for (tag, text) in &self.more {
            shape::write_extended(*tag, text, w);
        }
    }

    /// Generic, or search by element or PidTagFolderType.
    pub fn kind(&self) -> FolderKind {
        if self.element == FolderElement::Search || self.folder_type == Some(2) {
            FolderKind::Search
        } else {
            FolderKind::Generic
        }
    }

    /// The folder as the product knows it. `parent` is given, since roots have none we care for.
    pub fn into_source(self, parent: Option<FolderId>, role: Option<FolderRole>) -> SourceFolder {
        SourceFolder {
            kind: self.kind(),
            id: self.id,
            parent,
            name: self.name.unwrap_or_default(),
            class: self.class.unwrap_or_default(),
            role,
            hidden: self.hidden.unwrap_or(false),
            items: self.total.unwrap_or(Count::ZERO),
            size: self.size.unwrap_or(Bytes::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::xml::{self, Manner, NS_TYPES, admissible};

    fn round_trip(entry: &FolderEntry) -> FolderEntry {
        let mut w = Writer::document();
        w.open("t:x", &[("xmlns:t", NS_TYPES)]);
        entry.write(&mut w);
        let doc = xml::read(w.finish().as_bytes(), Manner::Tolerant).expect("well-formed");
        FolderEntry::read(&doc.root.children[0]).expect("a folder")
    }

    fn full() -> FolderEntry {
        FolderEntry {
            element: FolderElement::Calendar,
            parent: Some(FolderId::new("AAMkB+/=")),
            class: Some("IPF.Appointment".to_owned()),
            name: Some("  Lab/\u{1F4C5}\t\r\n ".to_owned()),
            total: Some(Count::new(7)),
            children: Some(Count::ZERO),
            folder_type: Some(1),
            hidden: Some(true),
            size: Some(Bytes::new(1 << 40)),
            entry_id: Some(vec![0, 255, 3]),
            ren: vec![vec![1], Vec::new(), vec![2, 3]],
            ren_ex: Some(vec![1, 0x80]),
            ..FolderEntry::bare(FolderId::new("AAMkA\"<&>"))
        }
    }

    #[test]
    fn a_folder_survives_writing_and_reading() {
        assert_eq!(round_trip(&full()), full());
        let bare = FolderEntry::bare(FolderId::new("x"));
        assert_eq!(round_trip(&bare), bare);
        assert_eq!(full().shaped(&Shape::default()).name, None);
        assert_eq!(full().shaped(&Shape::folders_with_special_ids()), full());
    }

    proptest! {
        #[test]
        fn any_folder_name_survives_except_what_xml_forbids(
            name in proptest::collection::vec(any::<char>(), 0..30)
        ) {
            let name: String = name.into_iter().collect();
            let entry = FolderEntry { name: Some(name.clone()), ..full() };
            prop_assert_eq!(round_trip(&entry).name, Some(admissible(&name).0.into_owned()));
        }
    }
}
