//! Which route an item takes: by what its row says, by the plan, and by what this run has learnt of the tenant.

use std::collections::BTreeMap;

use crate::base::fact::{CopyFact, CopyRow};
use crate::base::item::ItemClass;
use crate::base::limits::{ROUTE_CLASS_REFUSALS, ROUTE_TENANT_REFUSALS};
use crate::base::route::{Route, RouteRule};

/// The route that a row is on. Once an item was put on the typed route it stays there: whoever looks after its copy must know how it was made.
pub fn route_of(row: &CopyRow) -> Route {
    let rerouted = |fact: &CopyFact| matches!(fact, CopyFact::Rerouted(_));
    if row.facts.iter().any(rerouted) {
        Route::Typed
    } else {
        Route::Stream
    }
}

/// What a run has learnt about streams, by class.
#[derive(Clone, Debug, Default)]
pub struct RouteBook {
    classes: BTreeMap<String, Learnt>,
    all: Learnt,
}

#[derive(Clone, Copy, Debug, Default)]
struct Learnt {
    taken: bool,
    refused: u32,
}

impl RouteBook {
    /// A stream of this class was taken by the target.
    pub fn taken(&mut self, class: &ItemClass) {
        self.of(class).taken = true;
        self.all.taken = true;
    }

    /// The target refused a stream of this class.
    pub fn refused(&mut self, class: &ItemClass) {
        let own = self.of(class);
        own.refused = own.refused.saturating_add(1);
        self.all.refused = self.all.refused.saturating_add(1);
    }

    fn of(&mut self, class: &ItemClass) -> &mut Learnt {
        let class = class.as_str().to_ascii_lowercase();
        self.classes.entry(class).or_default()
    }

    /// The route for an item that was never sent. In `auto`, a class of which several streams were refused and none taken is not tried again,
    /// and neither is any class of a tenant that refused many and took none.
    pub fn choose(&self, rule: RouteRule, class: &ItemClass, has_form: bool) -> Route {
        let hopeless = |own: &Learnt, refusals: u32| !own.taken && own.refused >= refusals;
        match rule {
            RouteRule::Stream => Route::Stream,
            RouteRule::Typed => Route::Typed,
            RouteRule::Auto if !has_form => Route::Stream,
            RouteRule::Auto => {
                let own = self.classes.get(&class.as_str().to_ascii_lowercase());
                let class = own.is_some_and(|own| hopeless(own, ROUTE_CLASS_REFUSALS));
                if class || hopeless(&self.all, ROUTE_TENANT_REFUSALS) {
                    Route::Typed
                } else {
                    Route::Stream
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> ItemClass {
        ItemClass::new(text)
    }

    #[test]
    fn a_class_that_is_never_taken_is_not_tried_for_ever() {
        let mut book = RouteBook::default();
        let choose = |book: &RouteBook, of: &str| book.choose(RouteRule::Auto, &class(of), true);
        for _ in 0..ROUTE_CLASS_REFUSALS {
            assert_eq!(choose(&book, "IPM.Note"), Route::Stream);
            book.refused(&class("IPM.Note"));
        }
        assert_eq!(choose(&book, "ipm.note"), Route::Typed);
        assert_eq!(choose(&book, "IPM.Contact"), Route::Stream);
        // One that is taken speaks for its class.
        book.taken(&class("IPM.Note"));
        assert_eq!(choose(&book, "IPM.Note"), Route::Stream);
    }

    #[test]
    fn a_tenant_that_takes_nothing_is_believed() {
        let mut book = RouteBook::default();
        for n in 0..ROUTE_TENANT_REFUSALS {
            book.refused(&class(&format!("IPM.Note.{n}")));
        }
        let other = class("IPM.Contact");
        assert_eq!(book.choose(RouteRule::Auto, &other, true), Route::Typed);
        assert_eq!(book.choose(RouteRule::Auto, &other, false), Route::Stream);
        assert_eq!(book.choose(RouteRule::Stream, &other, true), Route::Stream);
        book.taken(&class("IPM.Task"));
        assert_eq!(book.choose(RouteRule::Auto, &other, true), Route::Stream);
    }
}
