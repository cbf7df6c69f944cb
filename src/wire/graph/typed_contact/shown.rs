//! A contact as the service shows it, in our words.

use serde::{Deserialize, Serialize};

use crate::base::item::{Placed, Stamp};
use crate::base::outcome::Setback;
use crate::base::typed::{
    Person, PostalAddress, TypedAttachment, TypedBody, TypedCommon, TypedContact,
};
use crate::wire::graph::property::{self, PropertyId};
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::typed_message::EmailAddress;
use crate::wire::graph::{items, json, kept, provenance};

use super::model::{ContactFields, KEPT_CONTACT, Kept, PHONES, PLACES, PostalPlace};
use super::new::CLASS;

/// The fields that are read back.
const SELECTED: [&str; 32] = [
    "id",
    "changeKey",
    "displayName",
    "fileAs",
    "givenName",
    "middleName",
    "surname",
    "title",
    "generation",
    "initials",
    "nickName",
    "companyName",
    "department",
    "jobTitle",
    "profession",
    "officeLocation",
    "manager",
    "assistantName",
    "spouseName",
    "children",
    "businessHomePage",
    "emailAddresses",
    "imAddresses",
    "businessPhones",
    "homePhones",
    "mobilePhone",
    "businessAddress",
    "homeAddress",
    "otherAddress",
    "birthday",
    "personalNotes",
    "categories",
];

/// A contact as the service shows it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShownContact {
    /// Id. Always there.
    pub id: Option<String>,
    /// Version.
    pub change_key: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub fields: ContactFields,
}

impl ShownContact {
    /// The query that reads a contact with everything we compare.
    pub fn query() -> String {
        let mut named = vec![provenance::SOURCE, provenance::UNFINISHED];
        named.extend(KEPT_CONTACT);
        let mut expand = vec![
            PropertyId::CLASS,
            PropertyId::SENSITIVITY,
            PropertyId::IMPORTANCE,
            PropertyId::ANNIVERSARY,
        ];
        expand.extend(PHONES.map(|(_, id)| id));
        let query = ListQuery {
            select: SELECTED.iter().map(|&name| name.to_owned()).collect(),
            expand,
            named,
            ..ListQuery::default()
        };
        query.encode()
    }

    /// Reads an answer.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Setback> {
        json::read(status, body)
    }

    /// Id and version. Both must be there.
    pub fn placed(&self, status: u16) -> Result<Placed, Setback> {
        items::placed(self.id.as_deref(), self.change_key.as_deref(), status)
    }

    /// The contact in our words. `photo`: whether it has a picture, which another call tells; it is the only attachment then.
    pub fn typed(&self, photo: bool) -> TypedContact {
        let own = &self.fields;
        let properties = &own.single_value_extended_properties;
        let kept: Kept = kept::read(&KEPT_CONTACT, properties).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let anniversary = property::value_of(properties, PropertyId::ANNIVERSARY);
        TypedContact {
            common: self.common(photo),
            file_as: text(&own.file_as),
            given_name: text(&own.given_name),
            middle_name: text(&own.middle_name),
            surname: text(&own.surname),
            title: text(&own.title),
            generation: text(&own.generation),
            initials: text(&own.initials),
            nickname: text(&own.nick_name),
            company: text(&own.company_name),
            department: text(&own.department),
            job_title: text(&own.job_title),
            profession: text(&own.profession),
            office: text(&own.office_location),
            manager: text(&own.manager),
            assistant: text(&own.assistant_name),
            spouse: text(&own.spouse_name),
            children: own.children.clone().unwrap_or_default(),
            home_page: text(&own.business_home_page),
            emails: back(
                own.email_addresses.iter().flatten().map(person).collect(),
                &kept.emails,
            ),
            im: back(own.im_addresses.clone().unwrap_or_default(), &kept.im),
            phones: back(self.phones(), &kept.phones),
            addresses: back(self.addresses(), &kept.addresses),
            birthday: date(own.birthday.as_deref(), &kept.birthday),
            anniversary: date(anniversary, &kept.anniversary),
            photo: photo.then_some(0),
        }
    }

    fn common(&self, photo: bool) -> TypedCommon {
        let own = &self.fields;
        let properties = &own.single_value_extended_properties;
        let value = |id| property::value_of(properties, id);
        let number = |id| value(id).and_then(|text| text.parse().ok());
        let key = match provenance::of(properties).map(|mark| mark.stamp) {
            Some(Stamp::Key(key)) => key.to_string(),
            Some(Stamp::Fallback(_)) | None => String::new(),
        };
        let picture = TypedAttachment {
            name: "ContactPicture.jpg".to_owned(),
            content_type: "image/jpeg".to_owned(),
            ..TypedAttachment::default()
        };
        TypedCommon {
            class: value(PropertyId::CLASS).unwrap_or(CLASS).to_owned(),
            search_key: key,
            subject: own.display_name.clone().unwrap_or_default(),
            body: TypedBody {
                html: false,
                content: own.personal_notes.clone().unwrap_or_default(),
            },
            importance: number(PropertyId::IMPORTANCE).unwrap_or(1),
            sensitivity: number(PropertyId::SENSITIVITY).unwrap_or(0),
            categories: own.categories.clone().unwrap_or_default(),
            created: None,
            modified: None,
            attachments: photo.then_some(picture).into_iter().collect(),
        }
    }

    /// The numbers by their kinds. The properties know their kind for sure; a list of two does not say which of them a single number is.
    fn phones(&self) -> Vec<(String, String)> {
        let own = &self.fields;
        let properties = &own.single_value_extended_properties;
        let mut found: Vec<Option<String>> = PHONES
            .iter()
            .map(|(_, id)| property::value_of(properties, *id))
            .map(|number| number.filter(|own| !own.is_empty()).map(str::to_owned))
            .collect();
        for (list, first) in [(&own.business_phones, 0), (&own.home_phones, 2)] {
            let list = list.as_deref().unwrap_or_default();
            let alone = list.len() == 1 && found[first + 1].as_ref() == list.first();
            if found[first].is_none() && !alone {
                found[first] = list.first().cloned();
            }
            if found[first + 1].is_none() {
                found[first + 1] = list.get(1).cloned();
            }
        }
        if found[4].is_none() {
            found[4].clone_from(&own.mobile_phone);
        }
        let named = PHONES.iter().zip(found);
        let filled = named.filter_map(|((kind, _), number)| Some(((*kind).to_owned(), number?)));
        filled.filter(|(_, number)| !number.is_empty()).collect()
    }

    fn addresses(&self) -> Vec<(String, PostalAddress)> {
        let own = &self.fields;
        let all = [&own.business_address, &own.home_address, &own.other_address];
        let named = PLACES.iter().zip(all);
        let read =
            named.filter_map(|(kind, own)| Some(((*kind).to_owned(), postal(own.as_ref()?))));
        // The service shows an address that nobody wrote as an empty one.
        read.filter(|(_, own)| *own != PostalAddress::default())
            .collect()
    }
}

/// The list with those put back that were kept aside, in their places.
fn back<T: Clone>(mut shown: Vec<T>, kept: &[(usize, T)]) -> Vec<T> {
    for (at, own) in kept {
        shown.insert((*at).min(shown.len()), own.clone());
    }
    shown
}

fn person(shown: &EmailAddress) -> Person {
    Person {
        name: shown.name.clone().unwrap_or_default(),
        address: shown.address.clone().unwrap_or_default(),
    }
}

/// The day of a moment; what was no date is as it was kept.
fn date(shown: Option<&str>, kept: &str) -> String {
    let day = shown.and_then(|text| text.get(..10));
    day.map_or_else(|| kept.to_owned(), str::to_owned)
}

fn postal(shown: &PostalPlace) -> PostalAddress {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    PostalAddress {
        street: text(&shown.street),
        city: text(&shown.city),
        state: text(&shown.state),
        country: text(&shown.country_or_region),
        postal_code: text(&shown.postal_code),
    }
}
