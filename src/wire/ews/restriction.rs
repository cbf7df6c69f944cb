//! The two restrictions we send with FindItem: items of classes that begin so, and items with a reminder file. Others are admitted and read as `Other`.

use crate::wire::ews::shape;
use crate::wire::xml::{Element, Writer};

/// Which items of a folder are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Whose class begins so, without regard to case.
    ClassBegins(String),
    /// That have PidLidReminderFileParameter.
    HasReminderFile,
    /// Another one; read in requests, never written.
    Other,
}

impl Restriction {
    /// Writes `m:Restriction`.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:Restriction", &[]);
        match self {
            Self::ClassBegins(start) => {
                let attrs = [
                    ("ContainmentMode", "Prefixed"),
                    ("ContainmentComparison", "IgnoreCase"),
                ];
                w.open("t:Contains", &attrs);
                w.empty("t:FieldURI", &[("FieldURI", "item:ItemClass")]);
                w.empty("t:Constant", &[("Value", start)]);
                w.close();
            }
            Self::HasReminderFile => {
                w.open("t:Exists", &[]);
                shape::write_reminder_path(w);
                w.close();
            }
            Self::Other => {}
        }
        w.close();
    }

    /// Reads `m:Restriction`.
    pub fn read(e: &Element) -> Option<Self> {
        let inner = e.children.first()?;
        let path = inner.children.first()?;
        let known = match inner.name.as_str() {
            "Exists" if shape::is_reminder_path(path) => Self::HasReminderFile,
            "Contains"
                if path.attr("FieldURI") == Some("item:ItemClass")
                    && inner.attr("ContainmentMode") == Some("Prefixed") =>
            {
                let start = inner.t("Constant").and_then(|c| c.attr("Value"));
                Self::ClassBegins(start.unwrap_or_default().to_owned())
            }
            _ => Self::Other,
        };
        Some(known)
    }
}
