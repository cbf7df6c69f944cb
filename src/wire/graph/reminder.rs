//! Whether an event of ours waits for the cutover with its reminder: a named text property, which can be filtered (reference/graph.md section 5).
//!
//! Nothing about it is in the ledger, so that turning on can be stopped anywhere and begun again. How many minutes it was stands with what else is kept
//! of an event: no document says that the service remembers the minutes of a reminder that is off.

use crate::wire::graph::property::{self, NamedId, Property};
use crate::wire::graph::provenance::SET;

/// The property.
pub const REMINDER: NamedId = NamedId::text(SET, "mailferry-reminder");

/// Its value while the reminder waits.
pub const HELD: &str = "held";

/// Its value once it was turned on, or needed no turning on.
const DONE: &str = "done";

/// As a create carries it.
pub fn held() -> Property {
    Property::named(&REMINDER, HELD)
}

/// As the request carries it that turns the reminder on.
pub fn done() -> Property {
    Property::named(&REMINDER, DONE)
}

/// Whether these properties say that it waits.
pub fn waits(properties: &[Property]) -> bool {
    property::named_value_of(properties, &REMINDER).is_some_and(|own| own == HELD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_and_what_was_turned_on_are_told_apart() {
        assert!(waits(&[held()]));
        assert!(!waits(&[done()]));
        assert!(!waits(&[]));
    }
}
