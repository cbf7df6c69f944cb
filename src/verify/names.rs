//! Names of properties for people, from the published lists ([MS-OXPROPS]). What is not here is called by its number.

use crate::base::outline::PropertyName;

/// The last twelve bytes of the property sets that Office uses: {xxxxxxxx-0000-0000-C000-000000000046}.
const OFFICE: [u8; 12] = [0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46];

/// PSETID_Meeting as it lies on the wire.
const MEETING: [u8; 16] = [
    0x90, 0xDA, 0xD8, 0x6E, 0x0B, 0x45, 0x1B, 0x10, 0x98, 0xDA, 0x00, 0xAA, 0x00, 0x3F, 0x13, 0x05,
];

const TAGS: [(u16, &str); 52] = [
    (0x0017, "importance"),
    (0x001A, "message class"),
    (0x0026, "priority"),
    (0x0029, "read receipt requested"),
    (0x0036, "sensitivity"),
    (0x0037, "subject"),
    (0x0039, "sent time"),
    (0x003B, "sender's search key"),
    (0x003D, "subject prefix"),
    (0x0042, "name of the author"),
    (0x0060, "start time"),
    (0x0061, "end time"),
    (0x0065, "address of the author"),
    (0x0070, "conversation topic"),
    (0x0071, "conversation index"),
    (0x007D, "transport headers"),
    (0x0C15, "kind of recipient"),
    (0x0C1A, "name of the sender"),
    (0x0C1E, "address type of the sender"),
    (0x0C1F, "address of the sender"),
    (0x0E02, "list of blind copies"),
    (0x0E03, "list of copies"),
    (0x0E04, "list of addressees"),
    (0x0E06, "delivery time"),
    (0x0E07, "read and draft flags"),
    (0x0E1B, "has attachments"),
    (0x0E1D, "subject without prefix"),
    (0x0E1F, "body kept as RTF"),
    (0x1000, "body as text"),
    (0x1009, "body as RTF"),
    (0x1013, "body as HTML"),
    (0x1035, "message id"),
    (0x1039, "references"),
    (0x1042, "in reply to"),
    (0x1080, "icon"),
    (0x1081, "last action"),
    (0x1082, "time of the last action"),
    (0x1090, "flag"),
    (0x1095, "flag colour"),
    (0x3001, "display name"),
    (0x3002, "address type"),
    (0x3003, "address"),
    (0x300B, "search key"),
    (0x3701, "content of the attachment"),
    (0x3703, "extension of the attachment"),
    (0x3704, "short name of the attachment"),
    (0x3705, "kind of attachment"),
    (0x3707, "name of the attachment"),
    (0x370E, "media type of the attachment"),
    (0x3712, "content id of the attachment"),
    (0x39FE, "SMTP address"),
    (0x3FDE, "code page"),
];

/// Property set (first four bytes of an Office set), number, name.
const NUMBERS: [(u32, u32, &str); 24] = [
    (0x0006_2002, 0x8205, "free or busy"),
    (0x0006_2002, 0x8208, "place of the meeting"),
    (0x0006_2002, 0x820D, "start of the appointment"),
    (0x0006_2002, 0x820E, "end of the appointment"),
    (0x0006_2002, 0x8215, "all-day mark"),
    (0x0006_2002, 0x8216, "recurrence"),
    (0x0006_2002, 0x8217, "state of the meeting"),
    (0x0006_2002, 0x8218, "answer to the meeting"),
    (0x0006_2002, 0x8223, "recurring mark"),
    (0x0006_2002, 0x8233, "time zone of the series"),
    (0x0006_2002, 0x8234, "name of the time zone"),
    (0x0006_2002, 0x825E, "time zone of the start"),
    (0x0006_2002, 0x825F, "time zone of the end"),
    (0x0006_2002, 0x8260, "time zone of the recurrence"),
    (0x0006_2003, 0x8101, "state of the task"),
    (0x0006_2003, 0x8105, "due date of the task"),
    (0x0006_2003, 0x811C, "task done"),
    (0x0006_2004, 0x8083, "e-mail address of the contact"),
    (0x0006_2008, 0x8502, "time of the reminder"),
    (0x0006_2008, 0x8503, "reminder"),
    (0x0006_2008, 0x8506, "private mark"),
    (0x0006_2008, 0x851F, "sound file of the reminder"),
    (0x0006_2008, 0x8530, "flag request"),
    (0x0006_2008, 0x8560, "next time of the reminder"),
];

/// What a property is called in a report, where it is known.
pub fn word(name: &PropertyName) -> Option<&'static str> {
    match name {
        PropertyName::Tag(id) => TAGS
            .iter()
            .find(|(own, _)| own == id)
            .map(|(_, word)| *word),
        PropertyName::Number { set, number } if *set == MEETING => match number {
            0x03 => Some("identity of the meeting"),
            0x23 => Some("identity of the meeting without occurrence"),
            _ => None,
        },
        PropertyName::Number { set, number } if set[4..] == OFFICE => {
            let first = u32::from_le_bytes([set[0], set[1], set[2], set[3]]);
            NUMBERS
                .iter()
                .find(|(own, n, _)| (*own, n) == (first, number))
                .map(|(_, _, word)| *word)
        }
        PropertyName::Named { set, name }
            if set[4..] == OFFICE
                && set[..4] == [0x29, 0x03, 0x02, 0]
                && name.eq_ignore_ascii_case("Keywords") =>
        {
            Some("categories")
        }
        PropertyName::Number { .. } | PropertyName::Named { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_name_nothing_twice() {
        assert!(TAGS.windows(2).all(|two| two[0].0 < two[1].0));
        assert!(
            NUMBERS
                .windows(2)
                .all(|two| (two[0].0, two[0].1) < (two[1].0, two[1].1))
        );
        assert_eq!(word(&PropertyName::Tag(0x0037)), Some("subject"));
        assert_eq!(word(&PropertyName::Tag(0x7777)), None);
    }
}
