//! The fields of a contact in the service's names, and what is kept beside them.

use serde::{Deserialize, Serialize};

use crate::base::typed::{Person, PostalAddress};
use crate::wire::graph::kept::{self, Pieces};
use crate::wire::graph::property::{Property, PropertyId, PropertyType};
use crate::wire::graph::typed_message::EmailAddress;

/// The properties that keep what a contact of the service has no place for.
pub const KEPT_CONTACT: Pieces = kept::pieces([
    "mailferry-contact",
    "mailferry-contact-2",
    "mailferry-contact-3",
    "mailferry-contact-4",
    "mailferry-contact-5",
    "mailferry-contact-6",
    "mailferry-contact-7",
    "mailferry-contact-8",
]);

const fn phone(name: &'static str, tag: u16) -> (&'static str, PropertyId) {
    (name, PropertyId::new(PropertyType::String, tag))
}

/// Telephone numbers by the kind EWS names (types.xsd, `PhoneNumberKeyType`), and the property of each ([MS-OXPROPS]).
pub const PHONES: [(&str, PropertyId); 19] = [
    phone("BusinessPhone", 0x3A08),
    phone("BusinessPhone2", 0x3A1B),
    phone("HomePhone", 0x3A09),
    phone("HomePhone2", 0x3A2F),
    phone("MobilePhone", 0x3A1C),
    phone("AssistantPhone", 0x3A2E),
    phone("BusinessFax", 0x3A24),
    phone("Callback", 0x3A02),
    phone("CarPhone", 0x3A1E),
    phone("CompanyMainPhone", 0x3A57),
    phone("HomeFax", 0x3A25),
    phone("Isdn", 0x3A2D),
    phone("OtherFax", 0x3A23),
    phone("OtherTelephone", 0x3A1F),
    phone("Pager", 0x3A21),
    phone("PrimaryPhone", 0x3A1A),
    phone("RadioPhone", 0x3A1D),
    phone("Telex", 0x3A2C),
    phone("TtyTddPhone", 0x3A4B),
];

/// The addresses that the contact resource has.
pub(super) const PLACES: [&str; 3] = ["Business", "Home", "Other"];

/// Where somebody lives or works.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostalPlace {
    /// Street.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_or_region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
}

/// The fields that a create and a reading share (contact resource).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContactFields {
    /// Name as shown.
    pub display_name: Option<String>,
    /// File as.
    pub file_as: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Middle name.
    pub middle_name: Option<String>,
    /// Family name.
    pub surname: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Generation.
    pub generation: Option<String>,
    /// Initials.
    pub initials: Option<String>,
    /// Nickname.
    pub nick_name: Option<String>,
    /// Organisation.
    pub company_name: Option<String>,
    /// Its department.
    pub department: Option<String>,
    /// Position.
    pub job_title: Option<String>,
    /// Profession.
    pub profession: Option<String>,
    /// Office.
    pub office_location: Option<String>,
    /// Manager.
    pub manager: Option<String>,
    /// Assistant.
    pub assistant_name: Option<String>,
    /// Spouse.
    pub spouse_name: Option<String>,
    /// Children.
    pub children: Option<Vec<String>>,
    /// Home page.
    pub business_home_page: Option<String>,
    /// Up to three.
    pub email_addresses: Option<Vec<EmailAddress>>,
    /// For instant messages.
    pub im_addresses: Option<Vec<String>>,
    /// At work, up to two.
    pub business_phones: Option<Vec<String>>,
    /// At home, up to two.
    pub home_phones: Option<Vec<String>>,
    /// On the way.
    pub mobile_phone: Option<String>,
    /// At work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_address: Option<PostalPlace>,
    /// At home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_address: Option<PostalPlace>,
    /// Elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_address: Option<PostalPlace>,
    /// A moment of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthday: Option<String>,
    /// Notes, in plain text.
    pub personal_notes: Option<String>,
    /// Category names.
    pub categories: Option<Vec<String>>,
    /// Extended properties.
    pub single_value_extended_properties: Vec<Property>,
}

/// What is kept in [`KEPT_CONTACT`], with its place in its list.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// Who has no address that the service takes, or is one too many.
    pub(super) emails: Vec<(usize, Person)>,
    /// Likewise.
    pub(super) im: Vec<(usize, String)>,
    /// Numbers of another kind, and a second of one kind.
    pub(super) phones: Vec<(usize, (String, String))>,
    /// Likewise.
    pub(super) addresses: Vec<(usize, (String, PostalAddress))>,
    /// What is no date.
    pub(super) birthday: String,
    /// What is no date.
    pub(super) anniversary: String,
}
