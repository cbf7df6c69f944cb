//! A contact's properties, under which both `typed_render` and `typed_make` know its fields ([MS-OXOCNTC] 2.2.1).

use std::fmt::Write as _;

use super::populate_items::{ADDRESS, PUBLIC_STRINGS};
use super::typed_props::{At, Props};
use crate::base::quantity::Moment;
use crate::base::typed::{Person, PostalAddress, TypedCommon, TypedContact};
use crate::wire::ews::typed_contact::day_of;

/// Numbers by the kind EWS names.
pub(super) const PHONES: [(&str, u16); 19] = [
    ("AssistantPhone", 0x3A2E),
    ("BusinessFax", 0x3A24),
    ("BusinessPhone", 0x3A08),
    ("BusinessPhone2", 0x3A1B),
    ("Callback", 0x3A02),
    ("CarPhone", 0x3A1E),
    ("CompanyMainPhone", 0x3A57),
    ("HomeFax", 0x3A25),
    ("HomePhone", 0x3A09),
    ("HomePhone2", 0x3A2F),
    ("Isdn", 0x3A2D),
    ("MobilePhone", 0x3A1C),
    ("OtherFax", 0x3A23),
    ("OtherTelephone", 0x3A1F),
    ("Pager", 0x3A21),
    ("PrimaryPhone", 0x3A1A),
    ("RadioPhone", 0x3A1D),
    ("Telex", 0x3A2C),
    ("TtyTddPhone", 0x3A4B),
];

const fn address(number: u32) -> At {
    At::Number(ADDRESS, number)
}

/// Street, city, state, country, postal code, by the kind EWS names.
pub(super) const PLACES: [(&str, [At; 5]); 3] = [
    (
        "Business",
        [
            address(0x8045),
            address(0x8046),
            address(0x8047),
            address(0x8049),
            address(0x8048),
        ],
    ),
    (
        "Home",
        [
            At::Tag(0x3A5D),
            At::Tag(0x3A59),
            At::Tag(0x3A5C),
            At::Tag(0x3A5A),
            At::Tag(0x3A5B),
        ],
    ),
    (
        "Other",
        [
            At::Tag(0x3A63),
            At::Tag(0x3A5F),
            At::Tag(0x3A62),
            At::Tag(0x3A60),
            At::Tag(0x3A61),
        ],
    ),
];

/// Display name and address of each slot.
pub(super) const EMAILS: [(At, At); 3] = [
    (address(0x8080), address(0x8083)),
    (address(0x8090), address(0x8093)),
    (address(0x80A0), address(0x80A3)),
];

/// PidLidInstantMessagingAddress, and the names under which Exchange keeps two more.
pub(super) const IM: [At; 3] = [
    address(0x8062),
    At::Named(PUBLIC_STRINGS, "IMAddress2"),
    At::Named(PUBLIC_STRINGS, "IMAddress3"),
];

/// PidLidFileUnder.
pub(super) const FILE_AS: At = address(0x8005);

/// A field of text: which, and where it stands.
pub(super) type Field = (fn(&mut TypedContact) -> &mut String, u16);

/// The fields that are one text under one tag.
pub(super) const FIELDS: [Field; 16] = [
    (|own| &mut own.given_name, 0x3A06),
    (|own| &mut own.middle_name, 0x3A44),
    (|own| &mut own.surname, 0x3A11),
    (|own| &mut own.title, 0x3A45),
    (|own| &mut own.generation, 0x3A05),
    (|own| &mut own.initials, 0x3A0A),
    (|own| &mut own.nickname, 0x3A4F),
    (|own| &mut own.company, 0x3A16),
    (|own| &mut own.department, 0x3A18),
    (|own| &mut own.job_title, 0x3A17),
    (|own| &mut own.profession, 0x3A46),
    (|own| &mut own.office, 0x3A19),
    (|own| &mut own.manager, 0x3A4E),
    (|own| &mut own.assistant, 0x3A30),
    (|own| &mut own.spouse, 0x3A48),
    (|own| &mut own.home_page, 0x3A51),
];

/// PidTagChildrensNames, PidTagBirthday, PidTagWeddingAnniversary.
pub(super) const CHILDREN: u16 = 0x3A58;
/// See [`CHILDREN`].
pub(super) const BIRTHDAY: u16 = 0x3A42;
/// See [`CHILDREN`].
pub(super) const ANNIVERSARY: u16 = 0x3A41;

/// PidTagAttachmentContactPhoto.
pub(super) const PHOTO: u16 = 0x7FFF;

/// The card that these properties make; which attachment is the picture, the caller knows.
pub(super) fn card_of(
    props: Props<'_>,
    mut common: TypedCommon,
    photo: Option<u32>,
) -> TypedContact {
    if let Some(name) = props.some_text(At::Tag(0x3001)) {
        common.subject = name;
    }
    let text = |at| props.text(at);
    let day = |tag| {
        let at: Option<Moment> = props.time(At::Tag(tag));
        at.map(day_of).unwrap_or_default()
    };
    let mut own = TypedContact {
        common,
        file_as: text(FILE_AS),
        children: props.texts(At::Tag(CHILDREN)),
        emails: (EMAILS.into_iter())
            .map(|(name, address)| Person {
                name: text(name),
                address: text(address),
            })
            .filter(|own| !own.address.is_empty())
            .collect(),
        im: IM
            .into_iter()
            .filter_map(|at| props.some_text(at))
            .collect(),
        phones: (PHONES.into_iter())
            .filter_map(|(key, tag)| Some((key.to_owned(), props.some_text(At::Tag(tag))?)))
            .collect(),
        addresses: (PLACES.into_iter())
            .map(|(key, [street, city, state, country, code])| {
                let own = PostalAddress {
                    street: text(street),
                    city: text(city),
                    state: text(state),
                    country: text(country),
                    postal_code: text(code),
                };
                (key.to_owned(), own)
            })
            .filter(|(_, own)| *own != PostalAddress::default())
            .collect(),
        birthday: day(BIRTHDAY),
        anniversary: day(ANNIVERSARY),
        photo,
        ..TypedContact::default()
    };
    for (field, tag) in FIELDS {
        *field(&mut own) = text(At::Tag(tag));
    }
    own
}

/// A card as a file (RFC 6350), as far as anybody looks into an attached one.
pub(super) fn vcard(own: &TypedContact) -> Vec<u8> {
    let mut out = String::from("BEGIN:VCARD\r\nVERSION:3.0\r\n");
    let mut line = |name: &str, values: &[&str]| {
        let values: Vec<String> = values.iter().map(|text| escaped(text)).collect();
        if values.iter().any(|text| !text.is_empty()) {
            let _ = write!(out, "{name}:{}\r\n", values.join(";"));
        }
    };
    line("FN", &[&own.common.subject]);
    line(
        "N",
        &[&own.surname, &own.given_name, &own.middle_name, &own.title],
    );
    line("ORG", &[&own.company, &own.department]);
    line("TITLE", &[&own.job_title]);
    for person in &own.emails {
        line("EMAIL", &[&person.address]);
    }
    for (key, number) in &own.phones {
        line(&format!("TEL;TYPE={key}"), &[number]);
    }
    line("NOTE", &[&own.common.body.content]);
    out.push_str("END:VCARD\r\n");
    out.into_bytes()
}

/// A text of a card or a calendar (RFC 5545 3.3.11).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}
