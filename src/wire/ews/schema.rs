//! The content models of the requests we know, as data: order, counts, names, attributes and simple types of the 2016 schema
//! (reference/ews.md section 0: wrong order, an unknown element or a wrong namespace is ErrorSchemaValidation).
//!
//! Parts that we never send and the lab does not answer (restrictions, calendar views) are admitted unread.

use thiserror::Error;

use crate::wire::xml::{Element, Ns};

/// A place in a request that breaks the schema.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}, position {column}: {what}")]
pub struct Violation {
    /// Line, from 1.
    pub line: u64,
    /// Position in the line, from 1.
    pub column: u64,
    /// What is wrong, in names of elements and attributes; no values.
    pub what: String,
    /// Byte offset.
    pub(super) at: usize,
}

impl Violation {
    fn new(e: &Element, what: String) -> Self {
        Self {
            line: 0,
            column: 0,
            what,
            at: e.at,
        }
    }

    /// The same with line and position counted in the request's bytes.
    pub(super) fn placed(mut self, bytes: &[u8]) -> Self {
        let before = bytes.get(..self.at).unwrap_or(bytes);
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |n| n + 1);
        self.line = before.split(|b| *b == b'\n').count() as u64;
        self.column = (before.len() - line_start) as u64 + 1;
        self
    }
}

/// A simple type.
enum Simple {
    Text,
    Bool,
    Int(i64, i64),
    One(&'static [&'static str]),
    /// Words in one string, separated by blanks.
    Word(&'static str),
    Field,
    PropertyTag,
}

/// The content of an element.
enum Content {
    Empty,
    Text(Simple),
    /// Steps in order.
    Steps(&'static [Step]),
    /// Anything: we look no further.
    Any,
}

/// One step of a sequence: any of these elements, so many times.
struct Step {
    ns: Ns,
    one_of: &'static [(&'static str, &'static Model)],
    least: usize,
    most: usize,
}

/// An attribute: name, whether it is required, type.
type Attr = (&'static str, bool, Simple);

/// What an element may hold.
pub struct Model {
    attrs: &'static [Attr],
    content: Content,
}

const MANY: usize = usize::MAX;

const fn model(content: Content) -> Model {
    Model {
        attrs: &[],
        content,
    }
}

const fn one(ns: Ns, one_of: &'static [(&'static str, &'static Model)]) -> Step {
    Step {
        ns,
        one_of,
        least: 1,
        most: 1,
    }
}

const fn maybe(ns: Ns, one_of: &'static [(&'static str, &'static Model)]) -> Step {
    Step {
        ns,
        one_of,
        least: 0,
        most: 1,
    }
}

const fn some(ns: Ns, one_of: &'static [(&'static str, &'static Model)]) -> Step {
    Step {
        ns,
        one_of,
        least: 1,
        most: MANY,
    }
}

const M: Ns = Ns::Messages;
const T: Ns = Ns::Types;

static ANY: Model = model(Content::Any);
static TEXT: Model = model(Content::Text(Simple::Text));
static BOOL: Model = model(Content::Text(Simple::Bool));

/// The 63 distinguished ids of the 2016 schema.
const DISTINGUISHED: &str = "calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks msgfolderroot \
    publicfoldersroot root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions recoverableitemsversions \
    recoverableitemspurges recoverableitemsdiscoveryholds archiveroot archivemsgfolderroot archivedeleteditems archiveinbox \
    archiverecoverableitemsroot archiverecoverableitemsdeletions archiverecoverableitemsversions archiverecoverableitemspurges \
    archiverecoverableitemsdiscoveryholds syncissues conflicts localfailures serverfailures recipientcache quickcontacts \
    conversationhistory adminauditlogs todosearch mycontacts directory imcontactlist peopleconnect favorites mecontact \
    personmetadata teamspaceactivity teamspacemessaging teamspaceworkitems scheduled orionnotes tagitems alltaggeditems \
    externalcontacts teamchat yammerroot yammerinbound yammeroutbound yammerfeeds onedriveroot onedriverecylebin onedrivesystem \
    onedrivevolume";

const FOLDER_FIELDS: &str = "FolderId ParentFolderId DisplayName UnreadCount TotalCount ChildFolderCount FolderClass \
    SearchParameters ManagedFolderInformation PermissionSet EffectiveRights SharingEffectiveRights DistinguishedFolderId PolicyTag \
    ArchiveTag ReplicaList";

const ITEM_FIELDS: &str = "ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories \
    HasAttachments Importance InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted IsUnmodified \
    DateTimeSent DateTimeCreated Body ResponseObjects Sensitivity ReminderDueBy ReminderIsSet ReminderNextTime \
    ReminderMinutesBeforeStart DisplayTo DisplayCc DisplayBcc Culture EffectiveRights LastModifiedName LastModifiedTime \
    ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate \
    Preview IsClutter RightsManagementLicenseData BlockStatus HasBlockedImages WebClientReadFormQueryString \
    WebClientEditFormQueryString TextBody IconIndex";

const MESSAGE_FIELDS: &str = "ConversationIndex ConversationTopic InternetMessageId IsRead IsResponseRequested \
    IsReadReceiptRequested IsDeliveryReceiptRequested ReceivedBy ReceivedRepresenting References ReplyTo From Sender ToRecipients \
    CcRecipients BccRecipients ApprovalRequestData VotingInformation ReminderMessageData";

/// Families of fields whose names we do not know one by one.
const OTHER_FAMILIES: [&str; 9] = [
    "calendar",
    "contacts",
    "distributionlist",
    "meeting",
    "meetingRequest",
    "task",
    "postitem",
    "conversation",
    "person",
];

const PROPERTY_TYPES: &str = "ApplicationTime ApplicationTimeArray Binary BinaryArray Boolean CLSID CLSIDArray Currency \
    CurrencyArray Double DoubleArray Error Float FloatArray Integer IntegerArray Long LongArray Null Object ObjectArray Short \
    ShortArray SystemTime SystemTimeArray String StringArray";

const VERSIONS: &str = "Exchange2007 Exchange2007_SP1 Exchange2009 Exchange2010 Exchange2010_SP1 Exchange2010_SP2 Exchange2012 \
    Exchange2013 Exchange2013_SP1 Exchange2015 Exchange2016 V2015_10_05 V2016_01_06 V2016_04_13 V2016_07_13 V2016_10_10";

static FOLDER_ID: Model = Model {
    attrs: &[
        ("Id", true, Simple::Text),
        ("ChangeKey", false, Simple::Text),
    ],
    content: Content::Empty,
};
static ITEM_ID: Model = Model {
    attrs: &[
        ("Id", true, Simple::Text),
        ("ChangeKey", false, Simple::Text),
    ],
    content: Content::Empty,
};
static DISTINGUISHED_ID: Model = Model {
    attrs: &[
        ("Id", true, Simple::Word(DISTINGUISHED)),
        ("ChangeKey", false, Simple::Text),
    ],
    content: Content::Steps(&[maybe(T, &[("Mailbox", &ANY)])]),
};
static FOLDER_IDS: Model = model(Content::Steps(&[some(
    T,
    &[
        ("FolderId", &FOLDER_ID),
        ("DistinguishedFolderId", &DISTINGUISHED_ID),
    ],
)]));
static TARGET_FOLDER: Model = model(Content::Steps(&[one(
    T,
    &[
        ("FolderId", &FOLDER_ID),
        ("DistinguishedFolderId", &DISTINGUISHED_ID),
        ("AddressListId", &ANY),
    ],
)]));
static ITEM_IDS: Model = model(Content::Steps(&[some(T, &[("ItemId", &ITEM_ID)])]));
static ANY_ITEM_IDS: Model = model(Content::Steps(&[some(
    T,
    &[
        ("ItemId", &ITEM_ID),
        ("OccurrenceItemId", &ANY),
        ("RecurringMasterItemId", &ANY),
        ("RecurringMasterItemIdRanges", &ANY),
    ],
)]));
static IGNORE: Model = model(Content::Steps(&[Step {
    ns: T,
    one_of: &[("ItemId", &ITEM_ID)],
    least: 0,
    most: MANY,
}]));

static FIELD_URI: Model = Model {
    attrs: &[("FieldURI", true, Simple::Field)],
    content: Content::Empty,
};
static EXTENDED_URI: Model = Model {
    attrs: &[
        ("DistinguishedPropertySetId", false, Simple::Text),
        ("PropertySetId", false, Simple::Text),
        ("PropertyTag", false, Simple::PropertyTag),
        ("PropertyName", false, Simple::Text),
        ("PropertyId", false, Simple::Int(i64::MIN, i64::MAX)),
        ("PropertyType", true, Simple::Word(PROPERTY_TYPES)),
    ],
    content: Content::Empty,
};
static PATHS: Model = model(Content::Steps(&[some(
    T,
    &[
        ("FieldURI", &FIELD_URI),
        ("IndexedFieldURI", &ANY),
        ("ExtendedFieldURI", &EXTENDED_URI),
    ],
)]));
static BASE_SHAPE: Model = model(Content::Text(Simple::One(&[
    "IdOnly",
    "Default",
    "AllProperties",
    "PcxPeopleSearch",
])));
static BODY_TYPE: Model = model(Content::Text(Simple::One(&["Best", "HTML", "Text"])));
static FOLDER_SHAPE: Model = model(Content::Steps(&[
    one(T, &[("BaseShape", &BASE_SHAPE)]),
    maybe(T, &[("AdditionalProperties", &PATHS)]),
]));
static ITEM_SHAPE: Model = model(Content::Steps(&[
    one(T, &[("BaseShape", &BASE_SHAPE)]),
    maybe(T, &[("IncludeMimeContent", &BOOL)]),
    maybe(T, &[("BodyType", &BODY_TYPE)]),
    maybe(T, &[("UniqueBodyType", &BODY_TYPE)]),
    maybe(T, &[("NormalizedBodyType", &BODY_TYPE)]),
    maybe(T, &[("FilterHtmlContent", &BOOL)]),
    maybe(T, &[("ConvertHtmlCodePageToUTF8", &BOOL)]),
    maybe(T, &[("InlineImageUrlTemplate", &TEXT)]),
    maybe(T, &[("BlockExternalImages", &BOOL)]),
    maybe(T, &[("AddBlankTargetToLinks", &BOOL)]),
    maybe(T, &[("MaximumBodySize", &TEXT)]),
    maybe(T, &[("AdditionalProperties", &PATHS)]),
]));
static PAGE_VIEW: Model = Model {
    attrs: &[
        ("MaxEntriesReturned", false, Simple::Int(1, i32::MAX as i64)),
        ("Offset", true, Simple::Int(0, i32::MAX as i64)),
        ("BasePoint", true, Simple::One(&["Beginning", "End"])),
    ],
    content: Content::Empty,
};
static STATE: Model = model(Content::Text(Simple::Text));
static MAX_CHANGES: Model = model(Content::Text(Simple::Int(1, 512)));
static SYNC_SCOPE: Model = model(Content::Text(Simple::One(&[
    "NormalItems",
    "NormalAndAssociatedItems",
])));

static GET_FOLDER: Model = model(Content::Steps(&[
    one(M, &[("FolderShape", &FOLDER_SHAPE)]),
    one(M, &[("FolderIds", &FOLDER_IDS)]),
]));
static FIND_FOLDER: Model = Model {
    attrs: &[(
        "Traversal",
        true,
        Simple::One(&["Shallow", "Deep", "SoftDeleted"]),
    )],
    content: Content::Steps(&[
        one(M, &[("FolderShape", &FOLDER_SHAPE)]),
        maybe(
            M,
            &[
                ("IndexedPageFolderView", &PAGE_VIEW),
                ("FractionalPageFolderView", &ANY),
            ],
        ),
        maybe(M, &[("Restriction", &ANY)]),
        one(M, &[("ParentFolderIds", &FOLDER_IDS)]),
    ]),
};
static SYNC_HIERARCHY: Model = model(Content::Steps(&[
    one(M, &[("FolderShape", &FOLDER_SHAPE)]),
    maybe(M, &[("SyncFolderId", &TARGET_FOLDER)]),
    maybe(M, &[("SyncState", &STATE)]),
]));
static SYNC_ITEMS: Model = model(Content::Steps(&[
    one(M, &[("ItemShape", &ITEM_SHAPE)]),
    one(M, &[("SyncFolderId", &TARGET_FOLDER)]),
    maybe(M, &[("SyncState", &STATE)]),
    maybe(M, &[("Ignore", &IGNORE)]),
    one(M, &[("MaxChangesReturned", &MAX_CHANGES)]),
    maybe(M, &[("SyncScope", &SYNC_SCOPE)]),
]));
static FIND_ITEM: Model = Model {
    attrs: &[(
        "Traversal",
        true,
        Simple::One(&["Shallow", "SoftDeleted", "Associated"]),
    )],
    content: Content::Steps(&[
        one(M, &[("ItemShape", &ITEM_SHAPE)]),
        maybe(
            M,
            &[
                ("IndexedPageItemView", &PAGE_VIEW),
                ("FractionalPageItemView", &ANY),
                ("SeekToConditionPageItemView", &ANY),
                ("CalendarView", &ANY),
                ("ContactsView", &ANY),
            ],
        ),
        maybe(M, &[("GroupBy", &ANY), ("DistinguishedGroupBy", &ANY)]),
        maybe(M, &[("Restriction", &ANY)]),
        maybe(M, &[("SortOrder", &ANY)]),
        one(M, &[("ParentFolderIds", &FOLDER_IDS)]),
        maybe(M, &[("QueryString", &ANY)]),
    ]),
};
static GET_ITEM: Model = model(Content::Steps(&[
    one(M, &[("ItemShape", &ITEM_SHAPE)]),
    one(M, &[("ItemIds", &ANY_ITEM_IDS)]),
]));
static EXPORT_ITEMS: Model = model(Content::Steps(&[one(M, &[("ItemIds", &ITEM_IDS)])]));

static CONNECTING_SID: Model = model(Content::Steps(&[one(
    T,
    &[
        ("PrincipalName", &TEXT),
        ("SID", &TEXT),
        ("PrimarySmtpAddress", &TEXT),
        ("SmtpAddress", &TEXT),
    ],
)]));
static IMPERSONATION: Model = model(Content::Steps(&[one(
    T,
    &[("ConnectingSID", &CONNECTING_SID)],
)]));
static VERSION: Model = Model {
    attrs: &[("Version", true, Simple::Word(VERSIONS))],
    content: Content::Empty,
};

/// The content model of a body element we know.
pub fn operation(e: &Element) -> Option<&'static Model> {
    if e.ns != Ns::Messages {
        return None;
    }
    Some(match e.name.as_str() {
        "GetFolder" => &GET_FOLDER,
        "FindFolder" => &FIND_FOLDER,
        "SyncFolderHierarchy" => &SYNC_HIERARCHY,
        "SyncFolderItems" => &SYNC_ITEMS,
        "FindItem" => &FIND_ITEM,
        "GetItem" => &GET_ITEM,
        "ExportItems" => &EXPORT_ITEMS,
        _ => return None,
    })
}

/// Checks a SOAP header. Its parts come in any order; each at most once, or it is ErrorDuplicateSOAPHeader.
pub fn check_header(header: &Element) -> Result<(), Violation> {
    let mut seen: Vec<&str> = Vec::new();
    for part in &header.children {
        let model = match (part.ns, part.name.as_str()) {
            (Ns::Types, "RequestServerVersion") => &VERSION,
            (Ns::Types, "ExchangeImpersonation") => &IMPERSONATION,
            (
                Ns::Types,
                "MailboxCulture" | "TimeZoneContext" | "DateTimePrecision" | "ManagementRole",
            ) => &ANY,
            // Headers of other namespaces (WS-Addressing) concern nobody here.
            (Ns::Other | Ns::None, _) => continue,
            _ => return Err(Violation::new(part, unexpected(part, header))),
        };
        if seen.contains(&part.name.as_str()) {
            return Err(Violation::new(
                part,
                format!("'{}' stands twice", part.name),
            ));
        }
        seen.push(&part.name);
        check(part, model)?;
    }
    Ok(())
}

/// Checks an element against its model.
pub fn check(e: &Element, model: &Model) -> Result<(), Violation> {
    if matches!(model.content, Content::Any) {
        return Ok(());
    }
    check_attrs(e, model.attrs)?;
    match &model.content {
        Content::Any => Ok(()),
        Content::Text(simple) => {
            if let Some(child) = e.children.first() {
                return Err(Violation::new(child, unexpected(child, e)));
            }
            let what = || format!("the value of '{}' is not valid", e.name);
            admits(simple, e.text.trim())
                .then_some(())
                .ok_or_else(|| Violation::new(e, what()))
        }
        Content::Empty => steps(e, &[]),
        Content::Steps(list) => steps(e, list),
    }
}

fn check_attrs(e: &Element, attrs: &[Attr]) -> Result<(), Violation> {
    for (name, value) in &e.attrs {
        if name.starts_with("xsi:") || name.starts_with("xml:") {
            continue;
        }
        match attrs.iter().find(|(known, ..)| known == name) {
            Some((_, _, simple)) if admits(simple, value.trim()) => {}
            Some(_) => {
                let what = format!(
                    "the value of attribute '{name}' of '{}' is not valid",
                    e.name
                );
                return Err(Violation::new(e, what));
            }
            None => {
                let what = format!("'{}' has no attribute '{name}'", e.name);
                return Err(Violation::new(e, what));
            }
        }
    }
    let missing = |(name, required, _): &&Attr| *required && e.attr(name).is_none();
    match attrs.iter().find(missing) {
        Some((name, ..)) => Err(Violation::new(
            e,
            format!("the required attribute '{name}' of '{}' is missing", e.name),
        )),
        None => Ok(()),
    }
}

fn steps(e: &Element, list: &[Step]) -> Result<(), Violation> {
    if !e.text.trim().is_empty() {
        return Err(Violation::new(
            e,
            format!("'{}' must not contain text", e.name),
        ));
    }
    let mut rest = e.children.as_slice();
    for step in list {
        let mut count = 0;
        while count < step.most
            && let [next, after @ ..] = rest
            && next.ns == step.ns
            && let Some((_, model)) = step.one_of.iter().find(|(name, _)| *name == next.name)
        {
            check(next, model)?;
            rest = after;
            count += 1;
        }
        if count < step.least {
            let wanted = step.one_of.first().map_or("", |(name, _)| *name);
            let what = format!("'{}' lacks '{wanted}' here", e.name);
            return Err(Violation::new(rest.first().unwrap_or(e), what));
        }
    }
    match rest.first() {
        Some(extra) => Err(Violation::new(extra, unexpected(extra, e))),
        None => Ok(()),
    }
}

fn unexpected(child: &Element, parent: &Element) -> String {
    format!(
        "'{}' does not belong here in '{}', or not in this namespace",
        child.name, parent.name
    )
}

fn admits(simple: &Simple, value: &str) -> bool {
    match simple {
        Simple::Text => true,
        Simple::Bool => matches!(value, "true" | "false" | "1" | "0"),
        Simple::Int(low, high) => value
            .parse()
            .is_ok_and(|n: i64| (*low..=*high).contains(&n)),
        Simple::One(words) => words.contains(&value),
        Simple::Word(words) => words.split_ascii_whitespace().any(|w| w == value),
        Simple::Field => known_field(value),
        Simple::PropertyTag => {
            match value
                .strip_prefix("0x")
                .or_else(|| value.strip_prefix("0X"))
            {
                Some(hex) => {
                    (1..=4).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit())
                }
                None => value.parse::<u16>().is_ok(),
            }
        }
    }
}

fn known_field(value: &str) -> bool {
    let Some((family, name)) = value.split_once(':') else {
        return false;
    };
    let among = |names: &str| names.split_ascii_whitespace().any(|n| n == name);
    match family {
        "folder" => among(FOLDER_FIELDS),
        "item" => among(ITEM_FIELDS),
        "message" => among(MESSAGE_FIELDS),
        _ => OTHER_FAMILIES.contains(&family) && !name.is_empty(),
    }
}
