//! Events of the typed route: the requests that create an appointment, a meeting or a series as what it was, and an event as the service shows it.
//!
//! An event with attendees mails them, and there is no switch (reference/graph.md 2.4). So no type here has them: who was invited stands at the head of
//! the text and in a property of ours. What needs more than one call bears the mark of the unfinished until the last one.

mod head;
mod model;
mod new;
mod series;
mod shown;

#[cfg(test)]
mod tests;

pub use model::{EventFields, KEPT_EVENT, Place, Repeat, RepeatPattern, RepeatRange, Unfit};
pub use new::{Act, FileOfInstance, NewEvent, Step};
pub use series::{
    FilesDiffer, InstancePage, ShownSeries, exceptions, files_of_instance, instances_query, pick,
};
pub use shown::ShownEvent;
