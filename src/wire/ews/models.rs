//! The content models of the requests we know, as data: order, counts, names, attributes and simple types of the 2016 schema.
//!
//! Parts that we never send and the lab does not answer (restrictions, calendar views) are admitted unread.

use crate::wire::ews::schema::{Content, Model, Simple, Step};
use crate::wire::xml::{Element, Ns};

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

pub(super) static ANY: Model = model(Content::Any);
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
        maybe(M, &[("Restriction", &RESTRICTION)]),
        maybe(M, &[("SortOrder", &ANY)]),
        one(M, &[("ParentFolderIds", &FOLDER_IDS)]),
        maybe(M, &[("QueryString", &ANY)]),
    ]),
};
static GET_ITEM: Model = model(Content::Steps(&[
    one(M, &[("ItemShape", &ITEM_SHAPE)]),
    one(M, &[("ItemIds", &ANY_ITEM_IDS)]),
]));
static ATTACHMENT_ID: Model = Model {
    attrs: &[("Id", true, Simple::Text)],
    content: Content::Empty,
};
static ATTACHMENT_SHAPE: Model = model(Content::Steps(&[
    maybe(T, &[("IncludeMimeContent", &BOOL)]),
    maybe(T, &[("BodyType", &BODY_TYPE)]),
    maybe(T, &[("FilterHtmlContent", &BOOL)]),
    maybe(T, &[("AdditionalProperties", &PATHS)]),
]));
static ATTACHMENT_IDS: Model = model(Content::Steps(&[some(
    T,
    &[("AttachmentId", &ATTACHMENT_ID)],
)]));
static GET_ATTACHMENT: Model = model(Content::Steps(&[
    maybe(M, &[("AttachmentShape", &ATTACHMENT_SHAPE)]),
    one(M, &[("AttachmentIds", &ATTACHMENT_IDS)]),
]));
static EXPORT_ITEMS: Model = model(Content::Steps(&[one(M, &[("ItemIds", &ITEM_IDS)])]));

static GET_INBOX_RULES: Model = model(Content::Steps(&[maybe(
    M,
    &[("MailboxSmtpAddress", &TEXT)],
)]));
static EMAIL_ADDRESS: Model = model(Content::Steps(&[
    maybe(T, &[("Name", &TEXT)]),
    maybe(T, &[("EmailAddress", &TEXT)]),
    maybe(T, &[("RoutingType", &TEXT)]),
    maybe(T, &[("MailboxType", &TEXT)]),
    maybe(T, &[("ItemId", &ITEM_ID)]),
    maybe(T, &[("OriginalDisplayName", &TEXT)]),
]));
static GET_DELEGATE: Model = Model {
    attrs: &[("IncludePermissions", true, Simple::Bool)],
    content: Content::Steps(&[
        one(M, &[("Mailbox", &EMAIL_ADDRESS)]),
        maybe(M, &[("UserIds", &ANY)]),
    ]),
};
static OOF_ADDRESS: Model = model(Content::Steps(&[
    maybe(T, &[("Name", &TEXT)]),
    one(T, &[("Address", &TEXT)]),
    maybe(T, &[("RoutingType", &TEXT)]),
]));
static GET_USER_OOF_SETTINGS: Model =
    model(Content::Steps(&[one(T, &[("Mailbox", &OOF_ADDRESS)])]));
static CONSTANT: Model = Model {
    attrs: &[("Value", true, Simple::Text)],
    content: Content::Empty,
};
static EXISTS: Model = model(Content::Steps(&[one(
    T,
    &[
        ("FieldURI", &FIELD_URI),
        ("IndexedFieldURI", &ANY),
        ("ExtendedFieldURI", &EXTENDED_URI),
    ],
)]));
static CONTAINS: Model = Model {
    attrs: &[
        (
            "ContainmentMode",
            false,
            Simple::One(&[
                "FullString",
                "Prefixed",
                "Substring",
                "PrefixOnWords",
                "ExactPhrase",
            ]),
        ),
        (
            "ContainmentComparison",
            false,
            Simple::Word(
                "Exact IgnoreCase IgnoreNonSpacingCharacters Loose IgnoreCaseAndNonSpacingCharacters LooseAndIgnoreCase LooseAndIgnoreNonSpace LooseAndIgnoreCaseAndIgnoreNonSpace",
            ),
        ),
    ],
    content: Content::Steps(&[
        one(
            T,
            &[
                ("FieldURI", &FIELD_URI),
                ("IndexedFieldURI", &ANY),
                ("ExtendedFieldURI", &EXTENDED_URI),
            ],
        ),
        one(T, &[("Constant", &CONSTANT)]),
    ]),
};
static RESTRICTION: Model = model(Content::Steps(&[one(
    T,
    &[
        ("Exists", &EXISTS),
        ("Contains", &CONTAINS),
        ("Excludes", &ANY),
        ("IsEqualTo", &ANY),
        ("IsNotEqualTo", &ANY),
        ("IsGreaterThan", &ANY),
        ("IsGreaterThanOrEqualTo", &ANY),
        ("IsLessThan", &ANY),
        ("IsLessThanOrEqualTo", &ANY),
        ("And", &ANY),
        ("Not", &ANY),
        ("Or", &ANY),
    ],
)]));

static CONNECTING_SID: Model = model(Content::Steps(&[one(
    T,
    &[
        ("PrincipalName", &TEXT),
        ("SID", &TEXT),
        ("PrimarySmtpAddress", &TEXT),
        ("SmtpAddress", &TEXT),
    ],
)]));
pub(super) static IMPERSONATION: Model = model(Content::Steps(&[one(
    T,
    &[("ConnectingSID", &CONNECTING_SID)],
)]));
pub(super) static VERSION: Model = Model {
    attrs: &[("Version", true, Simple::Word(VERSIONS))],
    content: Content::Empty,
};

/// The content model of a body element we know.
pub(super) fn operation(e: &Element) -> Option<&'static Model> {
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
        "GetAttachment" => &GET_ATTACHMENT,
        "ExportItems" => &EXPORT_ITEMS,
        "GetInboxRules" => &GET_INBOX_RULES,
        "GetDelegate" => &GET_DELEGATE,
        "GetUserOofSettingsRequest" => &GET_USER_OOF_SETTINGS,
        _ => return None,
    })
}

/// True for a property of the schema.
pub(super) fn known_field(value: &str) -> bool {
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
