//! GetFolder: folders by id or distinguished name, in one batch with holes.

use crate::wire::ews::folder::FolderEntry;
use crate::wire::ews::reply::Operation;
use crate::wire::ews::shape::{FolderRef, Shape};
use crate::wire::xml::{Element, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetFolder {
    /// What is wanted of each.
    pub shape: Shape,
    /// Which folders.
    pub folders: Vec<FolderRef>,
}

impl GetFolder {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:GetFolder", &[]);
        self.shape.write("m:FolderShape", w);
        w.open("m:FolderIds", &[]);
        for folder in &self.folders {
            folder.write(w);
        }
        w.close();
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        Self {
            shape: Shape::read(e.m("FolderShape")),
            folders: FolderRef::read_all(e.m("FolderIds")),
        }
    }
}

impl Operation for GetFolder {
    const NAME: &'static str = "GetFolder";
    const RESPONSE: &'static str = "m:GetFolderResponse";
    const MESSAGE: &'static str = "m:GetFolderResponseMessage";
    type Payload = FolderEntry;

    fn read_payload(message: &Element) -> Option<FolderEntry> {
        message
            .m("Folders")?
            .children
            .iter()
            .find_map(FolderEntry::read)
    }

    fn write_payload(folder: &FolderEntry, w: &mut Writer) {
        w.open("m:Folders", &[]);
        folder.write(w);
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Folders", &[]);
    }
}
