//! Answers to looks at settings: folders with home page and rights, items with what rules, forms and reminders hold. The calls are GetFolder,
//! FindItem and GetItem; the copying of mail asks other properties of them, and never pays for these.

use crate::base::id::{FolderId, ItemId};
use crate::base::quantity::Moment;
use crate::wire::base64;
use crate::wire::ews::item::moment;
use crate::wire::ews::reply::{Operation, PageEnd};
use crate::wire::ews::shape::{self, Tag};
use crate::wire::xml::{Element, Ns, Writer};

/// Who is meant by a right, as far as it matters here: everybody.
const EVERYBODY: [&str; 2] = ["Default", "Anonymous"];

/// The settings of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderLook {
    /// Its id.
    pub id: FolderId,
    /// True for calendars, whose rights have an element of their own.
    pub calendar: bool,
    /// PidTagFolderWebViewInfo.
    pub web_view: Option<Vec<u8>>,
    /// `Default` or `Anonymous`, and the level. `None` where the reply has no rights.
    pub everybody: Option<Vec<(String, String)>>,
}

impl FolderLook {
    fn read(e: &Element) -> Option<Self> {
        let id = e.t("FolderId").filter(|_| e.ns == Ns::Types)?.attr("Id")?;
        let list = e.t("PermissionSet").map(|set| {
            let list = set
                .t("Permissions")
                .or_else(|| set.t("CalendarPermissions"));
            let list = list.map(|l| l.children.as_slice()).unwrap_or_default();
            list.iter().filter_map(right).collect()
        });
        Some(Self {
            id: FolderId::new(id),
            calendar: e.name == "CalendarFolder",
            web_view: extended(e, Tag::WEB_VIEW).and_then(|v| base64::decode(v.trim()).ok()),
            everybody: list,
        })
    }

    fn write(&self, w: &mut Writer) {
        let (own, set, one, level) = if self.calendar {
            (
                "t:CalendarFolder",
                "t:CalendarPermissions",
                "t:CalendarPermission",
                "t:CalendarPermissionLevel",
            )
        } else {
            (
                "t:Folder",
                "t:Permissions",
                "t:Permission",
                "t:PermissionLevel",
            )
        };
        w.open(own, &[]);
        w.empty(
            "t:FolderId",
            &[("Id", self.id.as_str()), ("ChangeKey", "AQAAAA==")],
        );
        if let Some(view) = &self.web_view {
            shape::write_extended(Tag::WEB_VIEW, &base64::encode(view), w);
        }
        if let Some(list) = &self.everybody {
            w.open("t:PermissionSet", &[]);
            w.open(set, &[]);
            for (who, granted) in list {
                w.open(one, &[]);
                w.open("t:UserId", &[]);
                w.leaf("t:DistinguishedUser", who);
                w.close();
                w.leaf(level, granted);
                w.close();
            }
            w.close();
            w.close();
        }
        w.close();
    }
}

fn right(e: &Element) -> Option<(String, String)> {
    let who = e.t("UserId")?.t("DistinguishedUser")?.text.trim();
    let level = e
        .t("PermissionLevel")
        .or_else(|| e.t("CalendarPermissionLevel"))?;
    EVERYBODY
        .contains(&who)
        .then(|| (who.to_owned(), level.text.trim().to_owned()))
}

/// The value of an extended property by tag.
fn extended(e: &Element, tag: Tag) -> Option<&str> {
    let own = e
        .children
        .iter()
        .filter(|c| c.is(Ns::Types, "ExtendedProperty"));
    own.filter_map(shape::extended)
        .find(|(id, _)| *id == tag.id)
        .and_then(|(_, values)| values.first().copied())
}

/// GetFolder, answered with settings.
#[derive(Clone, Copy, Debug)]
pub struct LookAtFolders;

impl Operation for LookAtFolders {
    const NAME: &'static str = "GetFolder";
    const RESPONSE: &'static str = "m:GetFolderResponse";
    const MESSAGE: &'static str = "m:GetFolderResponseMessage";
    type Payload = FolderLook;

    fn read_payload(message: &Element) -> Option<FolderLook> {
        message
            .m("Folders")?
            .children
            .iter()
            .find_map(FolderLook::read)
    }

    fn write_payload(folder: &FolderLook, w: &mut Writer) {
        w.open("m:Folders", &[]);
        folder.write(w);
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Folders", &[]);
    }
}

/// An item as a look shows it; what the reply does not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemLook {
    /// Its id.
    pub id: ItemId,
    /// Its class.
    pub class: Option<String>,
    /// When it was received, or else made.
    pub at: Option<Moment>,
    /// The address of its sender.
    pub from: Option<String>,
    /// When it was changed last.
    pub modified: Option<Moment>,
    /// PidTagRuleMessageName.
    pub rule_name: Option<String>,
    /// PidTagRuleMessageProvider.
    pub rule_provider: Option<String>,
    /// PidTagRwRulesStream and PidTagExtendedRuleMessageActions.
    pub blobs: Vec<Vec<u8>>,
    /// PidLidReminderFileParameter.
    pub reminder: Option<String>,
}

impl ItemLook {
    /// An item of which only the id is known.
    pub fn bare(id: ItemId) -> Self {
        Self {
            id,
            class: None,
            at: None,
            from: None,
            modified: None,
            rule_name: None,
            rule_provider: None,
            blobs: Vec::new(),
            reminder: None,
        }
    }

    fn read(e: &Element) -> Option<Self> {
        let id = e.t("ItemId").filter(|_| e.ns == Ns::Types)?.attr("Id")?;
        let text = |tag| extended(e, tag).map(str::to_owned);
        let when = |name: &str| e.t(name).and_then(|d| moment(&d.text));
        let blobs = [Tag::RULES_STREAM, Tag::RULE_ACTIONS];
        let named = e.children.iter().find(|c| {
            c.is(Ns::Types, "ExtendedProperty")
                && c.t("ExtendedFieldURI").is_some_and(shape::is_reminder_path)
        });
        let from = e.t("From").and_then(|f| f.t("Mailbox"));
        Some(Self {
            id: ItemId::new(id),
            class: e.t("ItemClass").map(|c| c.text.trim().to_owned()),
            at: when("DateTimeReceived").or_else(|| when("DateTimeCreated")),
            from: from
                .and_then(|m| m.t("EmailAddress"))
                .map(|a| a.text.trim().to_owned()),
            modified: when("LastModifiedTime"),
            rule_name: text(Tag::RULE_NAME),
            rule_provider: text(Tag::RULE_PROVIDER),
            blobs: blobs
                .into_iter()
                .filter_map(|tag| base64::decode(extended(e, tag)?.trim()).ok())
                .collect(),
            reminder: named.and_then(|n| n.t("Value")).map(|v| v.text.clone()),
        })
    }

    fn write(&self, w: &mut Writer) {
        // Mail says who it is from; whatever else is listed here is an item without more.
        let element = if self.from.is_some() {
            "t:Message"
        } else {
            "t:Item"
        };
        w.open(element, &[]);
        w.empty("t:ItemId", &[("Id", self.id.as_str())]);
        if let Some(class) = &self.class {
            w.leaf("t:ItemClass", class);
        }
        if let Some(at) = self.at {
            w.leaf("t:DateTimeReceived", &at.to_string());
        }
        self.write_extended(w);
        if let Some(at) = self.modified {
            w.leaf("t:LastModifiedTime", &at.to_string());
        }
        if let Some(from) = &self.from {
            w.open("t:From", &[]);
            w.open("t:Mailbox", &[]);
            w.leaf("t:EmailAddress", from);
            w.close();
            w.close();
        }
        w.close();
    }

    fn write_extended(&self, w: &mut Writer) {
        if let Some(name) = &self.rule_name {
            shape::write_extended(Tag::RULE_NAME, name, w);
        }
        if let Some(provider) = &self.rule_provider {
            shape::write_extended(Tag::RULE_PROVIDER, provider, w);
        }
        if let Some(blob) = self.blobs.first() {
            shape::write_extended(Tag::RULES_STREAM, &base64::encode(blob), w);
        }
        if let Some(path) = &self.reminder {
            w.open("t:ExtendedProperty", &[]);
            shape::write_reminder_path(w);
            w.leaf("t:Value", path);
            w.close();
        }
    }
}

/// One page of looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookPage {
    /// The items.
    pub items: Vec<ItemLook>,
    /// Where the page stands.
    pub end: PageEnd,
}

/// FindItem, answered with looks.
#[derive(Clone, Copy, Debug)]
pub struct LookForItems;

impl Operation for LookForItems {
    const NAME: &'static str = "FindItem";
    const RESPONSE: &'static str = "m:FindItemResponse";
    const MESSAGE: &'static str = "m:FindItemResponseMessage";
    type Payload = LookPage;

    fn read_payload(message: &Element) -> Option<LookPage> {
        let root = message.m("RootFolder")?;
        let listed = root.t("Items").map(|l| l.children.as_slice());
        let items: Option<Vec<ItemLook>> = listed
            .unwrap_or_default()
            .iter()
            .map(ItemLook::read)
            .collect();
        Some(LookPage {
            items: items?,
            end: PageEnd::read(root)?,
        })
    }

    fn write_payload(page: &LookPage, w: &mut Writer) {
        page.end.open(w);
        w.open("t:Items", &[]);
        for item in &page.items {
            item.write(w);
        }
        w.close();
        w.close();
    }

    fn write_nothing(_: &mut Writer) {}
}

/// GetItem, answered with looks.
#[derive(Clone, Copy, Debug)]
pub struct LookAtItems;

impl Operation for LookAtItems {
    const NAME: &'static str = "GetItem";
    const RESPONSE: &'static str = "m:GetItemResponse";
    const MESSAGE: &'static str = "m:GetItemResponseMessage";
    type Payload = ItemLook;

    fn read_payload(message: &Element) -> Option<ItemLook> {
        message.m("Items")?.children.iter().find_map(ItemLook::read)
    }

    fn write_payload(item: &ItemLook, w: &mut Writer) {
        w.open("m:Items", &[]);
        item.write(w);
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Items", &[]);
    }
}
