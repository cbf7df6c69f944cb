//! A contact as requests: the one that creates it, and what follows when it has a picture.

use serde::Serialize;
use serde_json::{Value, json};

use crate::base::limits::{CONTACT_ADDRESSES_MAX, GRAPH_REQUEST_MAX};
use crate::base::losses::{self, Family};
use crate::base::prose;
use crate::base::quantity::Bytes;
use crate::base::typed::{Person, PostalAddress, TypedContact};
use crate::wire::graph::property::{self, Property, PropertyId};
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::typed_event::Unfit;
use crate::wire::graph::typed_message::{EmailAddress, is_address};
use crate::wire::graph::{json as body, kept, provenance};

use super::model::{ContactFields, KEPT_CONTACT, Kept, PHONES, PLACES, PostalPlace};

/// The class of an ordinary contact.
pub(super) const CLASS: &str = "IPM.Contact";

/// The hour that Exchange gives to birthdays, so that they stay on their day in nearly every zone (ews.md dates; contacts of EWS show `T11:59:00Z`).
const NOON: &str = "T11:59:00Z";

/// A contact ready to be created.
#[derive(Clone, PartialEq, Eq)]
pub struct NewContact {
    body: Vec<u8>,
    photo: Option<Photo>,
}

/// The picture, and what follows it.
#[derive(Clone, PartialEq, Eq)]
struct Photo {
    at: usize,
    content_type: String,
    finish: Vec<u8>,
}

impl NewContact {
    /// The requests for a contact that bears `mark`. `files` are length and SHA-256 of each attachment, in the order of the parcel.
    pub fn of(
        contact: &TypedContact,
        mark: &Mark,
        files: &[(Bytes, [u8; 32])],
    ) -> Result<Self, Unfit> {
        let photo = photo_of(contact, mark, files)?;
        let property = match photo {
            Some(_) => provenance::unfinished(mark),
            None => provenance::mark(mark),
        };
        Ok(Self {
            body: sized(&fields_of(contact, property)?)?,
            photo,
        })
    }

    /// The request that brings a contact of ours to a newer state; its picture is a call of its own, before or after. `None` for a wedding anniversary
    /// that is gone: no request takes a date away.
    pub fn amendment(
        contact: &TypedContact,
        older: &TypedContact,
        mark: &Mark,
    ) -> Result<Option<Vec<u8>>, Unfit> {
        if noon(&contact.anniversary).is_none() && noon(&older.anniversary).is_some() {
            return Ok(None);
        }
        let mut fields = fields_of(contact, provenance::mark(mark))?;
        for (place, (_, id)) in PHONES.iter().enumerate() {
            let all = &mut fields.single_value_extended_properties;
            let is_field = FIELDS.contains(&place);
            if !is_field && property::value_of(all, *id).is_none() {
                all.push(Property::tagged(*id, ""));
            }
        }
        let mut fields = serde_json::to_value(&fields).map_err(|_| Unfit::TooLarge)?;
        for name in ["businessAddress", "homeAddress", "otherAddress", "birthday"] {
            if fields.get(name).is_none() {
                fields[name] = Value::Null;
            }
        }
        sized(&fields).map(Some)
    }

    /// The creating request.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Which attachment of the parcel is the picture: `PUT .../photo/$value` with this content type, before `finish`.
    pub fn photo(&self) -> Option<(usize, &str)> {
        let own = self.photo.as_ref()?;
        Some((own.at, &own.content_type))
    }

    /// The PATCH that ends a contact with a picture. It is whole from then on.
    pub fn finish(&self) -> Option<&[u8]> {
        self.photo.as_ref().map(|own| own.finish.as_slice())
    }
}

fn photo_of(
    contact: &TypedContact,
    mark: &Mark,
    files: &[(Bytes, [u8; 32])],
) -> Result<Option<Photo>, Unfit> {
    let at = contact.photo.and_then(|at| usize::try_from(at).ok());
    let file = at.and_then(|at| Some((at, contact.common.attachments.get(at)?, files.get(at)?)));
    let Some((at, own, (len, _))) = file else {
        return Ok(None);
    };
    if *len > GRAPH_REQUEST_MAX {
        return Err(Unfit::TooLarge);
    }
    let properties = [
        provenance::mark(mark),
        Property::named(&provenance::UNFINISHED, ""),
    ];
    let is_image = own.content_type.to_ascii_lowercase().starts_with("image/");
    Ok(Some(Photo {
        at,
        content_type: if is_image {
            own.content_type.as_str()
        } else {
            "image/jpeg"
        }
        .to_owned(),
        finish: body::write(&json!({ "singleValueExtendedProperties": properties })),
    }))
}

fn sized<T: Serialize>(fields: &T) -> Result<Vec<u8>, Unfit> {
    let out = body::write(fields);
    let fits = out.len() as u64 <= GRAPH_REQUEST_MAX.get();
    fits.then_some(out).ok_or(Unfit::TooLarge)
}

/// A date as a moment of its day. `None` for what is none, or is before 1601.
fn noon(date: &str) -> Option<String> {
    let day: jiff::civil::Date = date.parse().ok()?;
    let text = format!("{day}{NOON}");
    property::filetime(&text).filter(|_| day.to_string() == date)?;
    Some(text)
}

fn fields_of(contact: &TypedContact, mark: Property) -> Result<ContactFields, Unfit> {
    let common = &contact.common;
    if losses::family_of(&common.class) != Some(Family::Contact) {
        return Err(Unfit::Class);
    }
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut kept = Kept::default();
    let mut properties = vec![mark];
    let emails = emails(&contact.emails, &mut kept);
    let im = im(&contact.im, &mut kept);
    let phones = phones(&contact.phones, &mut kept, &mut properties);
    let [business, home, other] = places(&contact.addresses, &mut kept);
    let birthday = noon(&contact.birthday);
    if birthday.is_none() {
        kept.birthday.clone_from(&contact.birthday);
    }
    match noon(&contact.anniversary) {
        Some(text) => properties.push(Property::tagged(PropertyId::ANNIVERSARY, text)),
        None => kept.anniversary.clone_from(&contact.anniversary),
    }
    if !common.class.eq_ignore_ascii_case(CLASS) {
        properties.push(Property::tagged(PropertyId::CLASS, common.class.clone()));
    }
    for (id, value) in [
        (PropertyId::SENSITIVITY, common.sensitivity),
        (PropertyId::IMPORTANCE, common.importance),
    ] {
        properties.push(Property::tagged(id, value.to_string()));
    }
    properties.extend(kept::write(&KEPT_CONTACT, &kept).ok_or(Unfit::TooLarge)?);
    Ok(ContactFields {
        display_name: some(&common.subject),
        file_as: some(&contact.file_as),
        given_name: some(&contact.given_name),
        middle_name: some(&contact.middle_name),
        surname: some(&contact.surname),
        title: some(&contact.title),
        generation: some(&contact.generation),
        initials: some(&contact.initials),
        nick_name: some(&contact.nickname),
        company_name: some(&contact.company),
        department: some(&contact.department),
        job_title: some(&contact.job_title),
        profession: some(&contact.profession),
        office_location: some(&contact.office),
        manager: some(&contact.manager),
        assistant_name: some(&contact.assistant),
        spouse_name: some(&contact.spouse),
        children: Some(contact.children.clone()),
        business_home_page: some(&contact.home_page),
        email_addresses: Some(emails),
        im_addresses: Some(im),
        business_phones: Some(phones.business),
        home_phones: Some(phones.home),
        mobile_phone: phones.mobile,
        business_address: business,
        home_address: home,
        other_address: other,
        birthday,
        personal_notes: some(&prose::lines(&common.body.content, common.body.html)),
        categories: Some(common.categories.clone()),
        single_value_extended_properties: properties,
    })
}

fn emails(all: &[Person], kept: &mut Kept) -> Vec<EmailAddress> {
    let mut out = Vec::new();
    for (at, person) in all.iter().enumerate() {
        if out.len() < CONTACT_ADDRESSES_MAX && is_address(&person.address) {
            out.push(EmailAddress {
                name: Some(person.name.clone()).filter(|name| !name.is_empty()),
                address: Some(person.address.clone()),
            });
        } else {
            kept.emails.push((at, person.clone()));
        }
    }
    out
}

fn im(all: &[String], kept: &mut Kept) -> Vec<String> {
    let mut out = Vec::new();
    for (at, own) in all.iter().enumerate() {
        if out.len() < CONTACT_ADDRESSES_MAX && !own.is_empty() {
            out.push(own.clone());
        } else {
            kept.im.push((at, own.clone()));
        }
    }
    out
}

/// Places in [`PHONES`] of the kinds that are fields of the service.
const FIELDS: [usize; 5] = [0, 1, 2, 3, 4];

/// The numbers that are fields.
#[derive(Default)]
struct Phones {
    business: Vec<String>,
    home: Vec<String>,
    mobile: Option<String>,
}

/// Each kind of which the list has a number once: as a field where there is one, else as its property. A second number without a first is no field, for
/// the service would take it for the first.
fn phones(all: &[(String, String)], kept: &mut Kept, properties: &mut Vec<Property>) -> Phones {
    let mut found: [Option<&String>; PHONES.len()] = [None; PHONES.len()];
    for (at, (kind, number)) in all.iter().enumerate() {
        let place = PHONES.iter().position(|(own, _)| own == kind);
        match place.filter(|place| found[*place].is_none() && !number.is_empty()) {
            Some(place) => found[place] = Some(number),
            None => kept.phones.push((at, (kind.clone(), number.clone()))),
        }
    }
    let mut out = Phones::default();
    for (list, first) in [(&mut out.business, 0), (&mut out.home, 2)] {
        while let Some(number) = found.get(first + list.len()).copied().flatten() {
            if list.len() == 2 {
                break;
            }
            list.push(number.clone());
        }
    }
    out.mobile = found[4].cloned();
    for (place, (_, id)) in PHONES.iter().enumerate() {
        let is_field = match place {
            0 | 2 | 4 => true,
            1 => out.business.len() == 2,
            3 => out.home.len() == 2,
            _ => false,
        };
        if let (false, Some(number)) = (is_field, found[place]) {
            properties.push(Property::tagged(*id, number.clone()));
        }
    }
    out
}

fn places(all: &[(String, PostalAddress)], kept: &mut Kept) -> [Option<PostalPlace>; 3] {
    let mut out = [None, None, None];
    for (at, (kind, own)) in all.iter().enumerate() {
        let place = PLACES.iter().position(|name| name == kind);
        let free = place.filter(|place| out[*place].is_none() && *own != PostalAddress::default());
        match free {
            Some(place) => out[place] = Some(postal(own)),
            None => kept.addresses.push((at, (kind.clone(), own.clone()))),
        }
    }
    out
}

fn postal(own: &PostalAddress) -> PostalPlace {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    PostalPlace {
        street: some(&own.street),
        city: some(&own.city),
        state: some(&own.state),
        country_or_region: some(&own.country),
        postal_code: some(&own.postal_code),
    }
}
