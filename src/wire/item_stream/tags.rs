//! Tags, types and markers of the FastTransfer stream, and which properties the store assigns (reference/fts.md sections 1 to 3).

/// Record: configuration.
pub const OP_CONFIG: u32 = 1;
/// Record: the next piece of the stream.
pub const OP_TRANSFER_BUFFER: u32 = 2;
/// Record: the interface that is carried.
pub const OP_INTERFACE: u32 = 3;
/// Record: the writer's build.
pub const OP_PARTNER_VERSION: u32 = 4;

/// Marker: a message begins (never at the top of an exported item, but read there).
pub const START_MESSAGE: u32 = 0x400C_0003;
/// Marker: a message ends.
pub const END_MESSAGE: u32 = 0x400D_0003;
/// Marker: an associated message begins.
pub const START_FAI: u32 = 0x4010_0003;
/// Marker: an embedded message begins.
pub const START_EMBED: u32 = 0x4001_0003;
/// Marker: an embedded message ends.
pub const END_EMBED: u32 = 0x4002_0003;
/// Marker: a recipient begins.
pub const START_RECIP: u32 = 0x4003_0003;
/// Marker: a recipient ends.
pub const END_RECIP: u32 = 0x4004_0003;
/// Marker: an attachment begins.
pub const NEW_ATTACH: u32 = 0x4000_0003;
/// Marker: an attachment ends.
pub const END_ATTACH: u32 = 0x400E_0003;

/// Meta-property: the sub-object list that follows replaces what is there.
pub const META_DEL_PROP: u32 = 0x4016_0003;
/// Meta-property: a warning of the exporting store.
pub const META_EC_WARNING: u32 = 0x400F_0003;
/// Meta-property: prefix of distinguished names.
pub const META_DN_PREFIX: u32 = 0x4008_001E;
/// Value of [`META_DEL_PROP`]: recipients follow.
pub const MESSAGE_RECIPIENTS: u32 = 0x0E12_000D;
/// Value of [`META_DEL_PROP`]: attachments follow.
pub const MESSAGE_ATTACHMENTS: u32 = 0x0E13_000D;

/// Type: 16-bit integer.
pub const T_I16: u16 = 0x0002;
/// Type: 32-bit integer.
pub const T_I32: u16 = 0x0003;
/// Type: boolean, two bytes on this wire.
pub const T_BOOL: u16 = 0x000B;
/// Type: object (length and bytes).
pub const T_OBJECT: u16 = 0x000D;
/// Type: 64-bit integer.
pub const T_I64: u16 = 0x0014;
/// Type: text of the store's 8-bit code page.
pub const T_STRING8: u16 = 0x001E;
/// Type: UTF-16LE text, terminator counted.
pub const T_UNICODE: u16 = 0x001F;
/// Type: FILETIME, 100 ns since 1601.
pub const T_TIME: u16 = 0x0040;
/// Type: GUID.
pub const T_GUID: u16 = 0x0048;
/// Type: binary.
pub const T_BINARY: u16 = 0x0102;
/// Type: UTF-16LE text as a code-page string; holds the same text as [`T_UNICODE`].
pub const T_UNICODE_CP: u16 = 0x84B0;
/// Type bit: several values.
pub const MULTI: u16 = 0x1000;
/// Type bit: a code-page string. Tested before [`MULTI`].
pub const CODE_PAGE: u16 = 0x8000;
/// First id of named properties.
pub const NAMED_FROM: u16 = 0x8000;

/// PidTagMessageClass.
pub const MESSAGE_CLASS: u16 = 0x001A;
/// PidTagSubject.
pub const SUBJECT: u16 = 0x0037;
/// PidTagClientSubmitTime.
pub const CLIENT_SUBMIT_TIME: u16 = 0x0039;
/// PidTagMessageDeliveryTime.
pub const MESSAGE_DELIVERY_TIME: u16 = 0x0E06;
/// PidTagMessageFlags.
pub const MESSAGE_FLAGS: u16 = 0x0E07;
/// PidTagMessageSize.
pub const MESSAGE_SIZE: u16 = 0x0E08;
/// PidTagBody.
pub const BODY: u16 = 0x1000;
/// PidTagInternetMessageId.
pub const INTERNET_MESSAGE_ID: u16 = 0x1035;
/// PidTagSearchKey.
pub const SEARCH_KEY: u16 = 0x300B;
/// PidTagCreationTime.
pub const CREATION_TIME: u16 = 0x3007;
/// PidTagLastModificationTime.
pub const LAST_MODIFICATION_TIME: u16 = 0x3008;
/// PidTagChangeKey.
pub const CHANGE_KEY: u16 = 0x65E2;

/// Bit of PidTagMessageFlags: read.
pub const FLAG_READ: u32 = 0x1;
/// Bit of PidTagMessageFlags: unsent.
pub const FLAG_UNSENT: u32 = 0x8;
/// Handed in for sending.
pub const FLAG_SUBMITTED: u32 = 0x4;
/// Bit of PidTagMessageFlags: has attachments.
pub const FLAG_ATTACH: u32 = 0x10;
/// Bit of PidTagMessageFlags: associated.
pub const FLAG_ASSOCIATED: u32 = 0x40;
/// The bits of PidTagMessageFlags that are content (reference/fts.md section 4).
pub const FLAGS_THAT_COUNT: u32 = FLAG_READ | FLAG_UNSENT | FLAG_ASSOCIATED;

/// True for properties the store assigns and an import may change (reference/fts.md section 3).
pub const fn assigned_by_store(id: u16) -> bool {
    matches!(
        id,
        0x0FFF
            | 0x0FF9
            | 0x0E08
            | 0x0E09
            | 0x0E20..=0x0E2F
            | 0x3007
            | 0x3008
            | 0x65E0
            | 0x65E2
            | 0x65E3
            | 0x6600..=0x67FF
    )
}

/// How the values of a type lie on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// This many bytes.
    Fixed(u8),
    /// A u32 length, then bytes.
    Sized,
}

/// Layout of one value of `kind` (without [`MULTI`] for several values), or nothing for a type nobody told us of.
pub(super) const fn layout(kind: u16) -> Option<(Layout, bool)> {
    if kind & CODE_PAGE != 0 {
        return Some((Layout::Sized, false));
    }
    let single = match kind & !MULTI {
        0x0002 | 0x000B => Layout::Fixed(2),
        0x0003 | 0x0004 | 0x000A => Layout::Fixed(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Layout::Fixed(8),
        0x0048 => Layout::Fixed(16),
        0x001E | 0x001F | 0x0102 | 0x000D | 0x00FB => Layout::Sized,
        _ => return None,
    };
    Some((single, kind & MULTI != 0))
}

/// The type that counts for comparison: both spellings of Unicode text are one.
pub(super) const fn canonical_type(kind: u16) -> u16 {
    if kind == T_UNICODE_CP {
        T_UNICODE
    } else {
        kind
    }
}
