//! Restrictions of FindFolder, as other software sends them: by name or class, joined by and, or, not. We send none.

use crate::wire::ews::shape::Tag;
use crate::wire::xml::{Element, Ns};

/// Restrictions within restrictions that are looked at.
const DEPTH_MAX: u8 = 8;

/// Which folders are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderTest {
    /// All of these hold.
    All(Vec<Self>),
    /// One of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// A property has this value.
    Equals(FolderField, String),
    /// A folder has this property.
    Exists(FolderField),
    /// Another test, which every folder is taken to pass.
    Other,
}

/// A property of such a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderField {
    /// PidTagDisplayName.
    Name,
    /// PidTagContainerClass.
    Class,
}

impl FolderField {
    fn read(e: &Element) -> Option<Self> {
        if let Some(tag) = Tag::read(e) {
            return match tag.id {
                0x3001 => Some(Self::Name),
                0x3613 => Some(Self::Class),
                _ => None,
            };
        }
        match e.attr("FieldURI")? {
            "folder:DisplayName" => Some(Self::Name),
            "folder:FolderClass" => Some(Self::Class),
            _ => None,
        }
    }
}

impl FolderTest {
    /// Reads `m:Restriction`.
    pub fn read(e: &Element) -> Option<Self> {
        e.children.first().map(|inner| Self::inner(inner, 0))
    }

    fn inner(e: &Element, depth: u8) -> Self {
        if e.ns != Ns::Types || depth > DEPTH_MAX {
            return Self::Other;
        }
        let each = || e.children.iter().map(|own| Self::inner(own, depth + 1));
        let field = || e.children.first().and_then(FolderField::read);
        let constant = || {
            let own = e.t("FieldURIOrConstant")?.t("Constant")?;
            own.attr("Value").map(str::to_owned)
        };
        let known = match e.name.as_str() {
            "And" => Some(Self::All(each().collect())),
            "Or" => Some(Self::Any(each().collect())),
            "Not" => each().next().map(|own| match own {
                // What is not understood keeps nobody out, turned round or not.
                Self::Other => Self::Other,
                own => Self::Not(Box::new(own)),
            }),
            "IsEqualTo" => field()
                .zip(constant())
                .map(|(field, value)| Self::Equals(field, value)),
            "Exists" => field().map(Self::Exists),
            _ => None,
        };
        known.unwrap_or(Self::Other)
    }

    /// True where a folder of this name and class is wanted. A folder without class has none.
    pub fn holds(&self, name: &str, class: &str) -> bool {
        let value = |field: &FolderField| match field {
            FolderField::Name => name,
            FolderField::Class => class,
        };
        match self {
            Self::All(each) => each.iter().all(|own| own.holds(name, class)),
            Self::Any(each) => each.iter().any(|own| own.holds(name, class)),
            Self::Not(own) => !own.holds(name, class),
            Self::Equals(field, wanted) => value(field).eq_ignore_ascii_case(wanted),
            Self::Exists(field) => !value(field).is_empty(),
            Self::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::{self, Manner, NS_TYPES};

    fn read(inner: &str) -> FolderTest {
        let text = format!(r#"<t:r xmlns:t="{NS_TYPES}">{inner}</t:r>"#);
        let doc = xml::read(text.as_bytes(), Manner::Tolerant).expect("well-formed");
        FolderTest::read(&doc.root).expect("a test")
    }

    const CLASS: &str = r#"<t:ExtendedFieldURI PropertyTag="0x3613" PropertyType="String"/>"#;

    fn equals(path: &str, value: &str) -> String {
        format!(
            r#"<t:IsEqualTo>{path}<t:FieldURIOrConstant><t:Constant Value="{value}"/></t:FieldURIOrConstant></t:IsEqualTo>"#
        )
    }

    #[test]
    fn folders_are_told_apart_by_class_and_by_name() {
        let mail = equals(CLASS, "IPF.Note");
        let test = read(&format!(
            "<t:Or>{mail}<t:Not><t:Exists>{CLASS}</t:Exists></t:Not></t:Or>"
        ));
        assert!(test.holds("a", "IPF.Note") && test.holds("a", ""));
        assert!(!test.holds("a", "IPF.Task"));
        let name = equals(r#"<t:FieldURI FieldURI="folder:DisplayName"/>"#, "Rota");
        let both = read(&format!("<t:And>{mail}{name}</t:And>"));
        assert!(both.holds("Rota", "IPF.Note"));
        assert!(!both.holds("Other", "IPF.Note") && !both.holds("Rota", "IPF.Task"));
    }

    #[test]
    fn what_is_not_understood_keeps_nobody_out() {
        let size = equals(r#"<t:FieldURI FieldURI="folder:TotalCount"/>"#, "0");
        assert_eq!(read(&size), FolderTest::Other);
        assert_eq!(read(&format!("<t:Not>{size}</t:Not>")), FolderTest::Other);
        let deep = "<t:Not>".repeat(40) + &size + &"</t:Not>".repeat(40);
        assert!(read(&deep).holds("a", ""));
    }
}
