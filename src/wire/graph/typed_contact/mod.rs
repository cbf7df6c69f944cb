//! Contacts of the typed route: the requests that create a contact, and a contact as the service shows it.
//!
//! Telephone numbers beyond the five that the contact resource has are properties of the standard; what has no place at all is kept in a property of
//! ours, with its place in the list. The picture is a call of its own, and a contact that has one bears the mark of the unfinished until then.

mod model;
mod new;
mod shown;

#[cfg(test)]
mod tests;

pub use model::{ContactFields, KEPT_CONTACT, PHONES, PostalPlace};
pub use new::NewContact;
pub use shown::ShownContact;
