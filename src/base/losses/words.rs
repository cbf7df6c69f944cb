//! The words of the table: families of items, what becomes of something, and one line.

/// The families of items that the route knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Mail.
    Message,
    /// Appointments and meetings.
    Event,
    /// People.
    Contact,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Message, Self::Event, Self::Contact];

    /// As people call it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Message => "mail",
            Self::Event => "calendar",
            Self::Contact => "contacts",
        }
    }

    /// The word of the model and of other programs.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Event => "event",
            Self::Contact => "contact",
        }
    }
}

/// What becomes of something that is not carried as it was, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is not there any more.
    Lost,
    /// It can be read in the text of the item.
    InBody,
    /// It is kept in a property that programs can read and people do not see.
    AsProperty,
    /// The service or the route writes it in another way.
    Rewritten,
}

impl Fate {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::InBody => "kept readable in the text",
            Self::AsProperty => "kept as a property that only programs see",
            Self::Rewritten => "written in another way",
        }
    }

    /// The word of other programs.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::InBody => "in_body",
            Self::AsProperty => "as_property",
            Self::Rewritten => "rewritten",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Of which items.
    pub family: Family,
    /// What, in the user's words.
    pub what: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// How, or why.
    pub how: &'static str,
    /// The fields of `base::typed` that it is about; each stands for everything below it. Empty for what the model does not have.
    pub fields: &'static [&'static str],
}
