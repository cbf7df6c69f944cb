//! The fields of a contact among those of its item (t:ContactItemType).

use crate::base::quantity::Moment;
use crate::base::typed::{Person, PostalAddress, TypedCommon, TypedContact};
use crate::wire::ews::item;
use crate::wire::ews::typed_item::{date, text, text_of};
use crate::wire::xml::{Element, Writer};

/// What is asked of a contact, beside what is asked of every item.
pub(super) const FIELDS: [&str; 26] = [
    "contacts:FileAs",
    "contacts:DisplayName",
    "contacts:GivenName",
    "contacts:Initials",
    "contacts:MiddleName",
    "contacts:Nickname",
    "contacts:CompleteName",
    "contacts:CompanyName",
    "contacts:EmailAddresses",
    "contacts:PhysicalAddresses",
    "contacts:PhoneNumbers",
    "contacts:AssistantName",
    "contacts:Birthday",
    "contacts:BusinessHomePage",
    "contacts:Children",
    "contacts:Department",
    "contacts:Generation",
    "contacts:ImAddresses",
    "contacts:JobTitle",
    "contacts:Manager",
    "contacts:OfficeLocation",
    "contacts:Profession",
    "contacts:SpouseName",
    "contacts:Surname",
    "contacts:WeddingAnniversary",
    "contacts:HasPicture",
];

/// The day that a store means by a date: midnight on the clock of whoever wrote it, as a moment in UTC, or noon of newer programs. The nearest
/// midnight is right for every zone from -12 to +12 hours.
pub fn day_of(at: Moment) -> String {
    let nearer = at.unix_ms().saturating_add(12 * 3_600_000);
    let shown = Moment::from_unix_ms(nearer).to_string();
    shown.get(..10).unwrap_or_default().to_owned()
}

/// The midnight in UTC by which a day is written; `None` for what is no day.
pub fn moment_of_day(day: &str) -> Option<Moment> {
    let at: jiff::Timestamp = format!("{day}T00:00:00Z").parse().ok()?;
    Some(Moment::from_unix_ms(at.as_millisecond()))
}

/// Reads them.
pub(super) fn read(e: &Element, mut common: TypedCommon) -> TypedContact {
    let own = |name| text_of(e, name);
    let shown = own("DisplayName");
    if !shown.is_empty() {
        common.subject = shown;
    }
    let title = e.t("CompleteName").map(|own| text_of(own, "Title"));
    let day = |name| {
        let at = e.t(name).and_then(|own| item::moment(&own.text));
        at.map(day_of).unwrap_or_default()
    };
    let children = e.t("Children").map(|own| own.children.as_slice());
    TypedContact {
        file_as: own("FileAs"),
        given_name: own("GivenName"),
        middle_name: own("MiddleName"),
        surname: own("Surname"),
        title: title.unwrap_or_default(),
        generation: own("Generation"),
        initials: own("Initials"),
        nickname: own("Nickname"),
        company: own("CompanyName"),
        department: own("Department"),
        job_title: own("JobTitle"),
        profession: own("Profession"),
        office: own("OfficeLocation"),
        manager: own("Manager"),
        assistant: own("AssistantName"),
        spouse: own("SpouseName"),
        children: (children.unwrap_or_default().iter())
            .map(|own| own.text.clone())
            .collect(),
        home_page: own("BusinessHomePage"),
        emails: (entries(e, "EmailAddresses"))
            .filter(|(_, own)| !own.text.is_empty())
            .map(|(_, own)| Person {
                name: own.attr("Name").unwrap_or_default().to_owned(),
                address: own.text.clone(),
            })
            .collect(),
        im: (entries(e, "ImAddresses"))
            .map(|(_, own)| own.text.clone())
            .filter(|own| !own.is_empty())
            .collect(),
        phones: (entries(e, "PhoneNumbers"))
            .filter(|(_, own)| !own.text.is_empty())
            .map(|(key, own)| (key.to_owned(), own.text.clone()))
            .collect(),
        addresses: (entries(e, "PhysicalAddresses"))
            .map(|(key, own)| (key.to_owned(), address(own)))
            .filter(|(_, own)| *own != PostalAddress::default())
            .collect(),
        birthday: day("Birthday"),
        anniversary: day("WeddingAnniversary"),
        photo: None,
        common,
    }
}

/// The entries of a dictionary with their keys.
fn entries<'a>(e: &'a Element, name: &str) -> impl Iterator<Item = (&'a str, &'a Element)> {
    let own = e.t(name).map(|own| own.children.as_slice());
    let own = own.unwrap_or_default().iter();
    own.filter_map(|own| Some((own.attr("Key")?, own)))
}

fn address(e: &Element) -> PostalAddress {
    PostalAddress {
        street: text_of(e, "Street"),
        city: text_of(e, "City"),
        state: text_of(e, "State"),
        country: text_of(e, "CountryOrRegion"),
        postal_code: text_of(e, "PostalCode"),
    }
}

/// Writes them, from the extended properties on.
pub(super) fn write(own: &TypedContact, w: &mut Writer) {
    date(w, "t:LastModifiedTime", own.common.modified);
    text(w, "t:FileAs", &own.file_as);
    text(w, "t:DisplayName", &own.common.subject);
    text(w, "t:GivenName", &own.given_name);
    text(w, "t:Initials", &own.initials);
    text(w, "t:MiddleName", &own.middle_name);
    text(w, "t:Nickname", &own.nickname);
    if !own.title.is_empty() {
        w.open("t:CompleteName", &[]);
        w.leaf("t:Title", &own.title);
        w.close();
    }
    text(w, "t:CompanyName", &own.company);
    write_places(own, w);
    text(w, "t:AssistantName", &own.assistant);
    date(w, "t:Birthday", moment_of_day(&own.birthday));
    text(w, "t:BusinessHomePage", &own.home_page);
    if !own.children.is_empty() {
        w.open("t:Children", &[]);
        own.children.iter().for_each(|own| w.leaf("t:String", own));
        w.close();
    }
    text(w, "t:Department", &own.department);
    text(w, "t:Generation", &own.generation);
    if !own.im.is_empty() {
        w.open("t:ImAddresses", &[]);
        for (n, address) in own.im.iter().take(3).enumerate() {
            let key = format!("ImAddress{}", n + 1);
            w.leaf_with("t:Entry", &[("Key", &key)], address);
        }
        w.close();
    }
    text(w, "t:JobTitle", &own.job_title);
    text(w, "t:Manager", &own.manager);
    text(w, "t:OfficeLocation", &own.office);
    text(w, "t:Profession", &own.profession);
    text(w, "t:SpouseName", &own.spouse);
    text(w, "t:Surname", &own.surname);
    date(w, "t:WeddingAnniversary", moment_of_day(&own.anniversary));
    let picture = if own.photo.is_some() { "true" } else { "false" };
    w.leaf("t:HasPicture", picture);
}

/// Addresses of all kinds, and numbers.
fn write_places(own: &TypedContact, w: &mut Writer) {
    if !own.emails.is_empty() {
        w.open("t:EmailAddresses", &[]);
        for (n, person) in own.emails.iter().take(3).enumerate() {
            let key = format!("EmailAddress{}", n + 1);
            let kind = if person.address.contains('@') {
                "SMTP"
            } else {
                "EX"
            };
            let mut attrs = vec![("Key", key.as_str())];
            if !person.name.is_empty() {
                attrs.push(("Name", &person.name));
            }
            attrs.push(("RoutingType", kind));
            w.leaf_with("t:Entry", &attrs, &person.address);
        }
        w.close();
    }
    if !own.addresses.is_empty() {
        w.open("t:PhysicalAddresses", &[]);
        for (key, address) in &own.addresses {
            w.open("t:Entry", &[("Key", key)]);
            text(w, "t:Street", &address.street);
            text(w, "t:City", &address.city);
            text(w, "t:State", &address.state);
            text(w, "t:CountryOrRegion", &address.country);
            text(w, "t:PostalCode", &address.postal_code);
            w.close();
        }
        w.close();
    }
    if !own.phones.is_empty() {
        w.open("t:PhoneNumbers", &[]);
        for (key, number) in &own.phones {
            w.leaf_with("t:Entry", &[("Key", key)], number);
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_same_wherever_it_was_written() {
        for at in [
            "1970-01-31T00:00:00Z",
            "1970-01-30T23:00:00Z",
            "1970-01-31T05:00:00Z",
            "1970-01-31T11:59:00Z",
            "1970-01-30T13:00:00Z",
        ] {
            let at = item::moment(at).unwrap();
            assert_eq!(day_of(at), "1970-01-31");
        }
        assert_eq!(
            moment_of_day("1970-01-31").map(day_of).as_deref(),
            Some("1970-01-31")
        );
        assert_eq!(moment_of_day(""), None);
    }
}
