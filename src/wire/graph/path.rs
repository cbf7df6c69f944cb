//! The resources we touch, as paths below the service root, and back. Sources: reference/graph.md sections 1.3 to 1.6.

use crate::wire::graph::escape;
use crate::wire::graph::path_user::OfUser;

/// The version every path begins with.
pub const VERSION: &str = "v1.0";

const MAILBOXES: &str = "/v1.0/admin/exchange/mailboxes/";

/// One resource of Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `users/{user}/settings/exchange`: the mailbox id of a user.
    Settings {
        /// User id or principal name.
        user: String,
    },
    /// `users/{user}`: what the directory says of a user.
    User {
        /// User id or principal name.
        user: String,
    },
    /// `users/{user}/...`: what belongs to a user in the Mail, Calendar and Contacts APIs.
    Of {
        /// User id or principal name.
        user: String,
        /// What of it.
        part: OfUser,
    },
    /// `directory/deletedItems/microsoft.graph.user`: users that were deleted and can be restored.
    DeletedUsers,
    /// `folders`: the folders directly under the root.
    Folders {
        /// Mailbox.
        mailbox: String,
    },
    /// `folders/{folder}`.
    Folder {
        /// Mailbox.
        mailbox: String,
        /// Folder id or well-known name.
        folder: String,
    },
    /// `folders/{folder}/childFolders`.
    ChildFolders {
        /// Mailbox.
        mailbox: String,
        /// Parent.
        folder: String,
    },
    /// `folders/{folder}/items`.
    Items {
        /// Mailbox.
        mailbox: String,
        /// Folder.
        folder: String,
    },
    /// `folders/{folder}/items/{item}`.
    Item {
        /// Mailbox.
        mailbox: String,
        /// Folder.
        folder: String,
        /// Item.
        item: String,
    },
    /// `createImportSession`.
    ImportSession {
        /// Mailbox.
        mailbox: String,
    },
    /// `exportItems`.
    Export {
        /// Mailbox.
        mailbox: String,
    },
}

impl Resource {
    /// The path, beginning with `/v1.0`.
    pub fn path(&self) -> String {
        let mailbox = |id: &str| format!("{MAILBOXES}{}", escape::segment(id));
        let folder =
            |id: &str, folder: &str| format!("{}/folders/{}", mailbox(id), escape::segment(folder));
        match self {
            Self::Settings { user } => {
                format!(
                    "/{VERSION}/users/{}/settings/exchange",
                    escape::segment(user)
                )
            }
            Self::User { user } => format!("/{VERSION}/users/{}", escape::segment(user)),
            Self::Of { user, part } => {
                format!("/{VERSION}/users/{}/{}", escape::segment(user), part.path())
            }
            Self::DeletedUsers => {
                format!("/{VERSION}/directory/deletedItems/microsoft.graph.user")
            }
            Self::Folders { mailbox: id } => format!("{}/folders", mailbox(id)),
            Self::Folder {
                mailbox: id,
                folder: at,
            } => folder(id, at),
            Self::ChildFolders {
                mailbox: id,
                folder: at,
            } => format!("{}/childFolders", folder(id, at)),
            Self::Items {
                mailbox: id,
                folder: at,
            } => format!("{}/items", folder(id, at)),
            Self::Item {
                mailbox: id,
                folder: at,
                item,
            } => format!("{}/items/{}", folder(id, at), escape::segment(item)),
            Self::ImportSession { mailbox: id } => format!("{}/createImportSession", mailbox(id)),
            Self::Export { mailbox: id } => format!("{}/exportItems", mailbox(id)),
        }
    }

    /// Reads a path. `None` for any other resource and for broken escapes. Words are compared as Graph writes them.
    pub fn parse(path: &str) -> Option<Self> {
        let words: Vec<String> = path
            .strip_prefix('/')?
            .split('/')
            .map(escape::decode)
            .collect::<Option<_>>()?;
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.contains(&"") {
            return None;
        }
        if let [VERSION, "users", user, "settings", "exchange"] = words[..] {
            return Some(Self::Settings {
                user: user.to_owned(),
            });
        }
        if let [VERSION, "users", user] = words[..] {
            return Some(Self::User {
                user: user.to_owned(),
            });
        }
        if let [VERSION, "users", user, ref rest @ ..] = words[..] {
            return OfUser::parse(rest).map(|part| Self::Of {
                user: user.to_owned(),
                part,
            });
        }
        if words[..] == [VERSION, "directory", "deletedItems", "microsoft.graph.user"] {
            return Some(Self::DeletedUsers);
        }
        if words.len() < 5 || words[..4] != [VERSION, "admin", "exchange", "mailboxes"] {
            return None;
        }
        let rest = words.split_off(5);
        let mailbox = words[4].to_owned();
        let own = str::to_owned;
        Some(match rest[..] {
            ["createImportSession"] => Self::ImportSession { mailbox },
            ["exportItems"] => Self::Export { mailbox },
            ["folders"] => Self::Folders { mailbox },
            ["folders", folder] => Self::Folder {
                mailbox,
                folder: own(folder),
            },
            ["folders", folder, "childFolders"] => Self::ChildFolders {
                mailbox,
                folder: own(folder),
            },
            ["folders", folder, "items"] => Self::Items {
                mailbox,
                folder: own(folder),
            },
            ["folders", folder, "items", item] => Self::Item {
                mailbox,
                folder: own(folder),
                item: own(item),
            },
            _ => return None,
        })
    }

    /// The mailbox id it is in; `None` for what is about users.
    pub fn mailbox(&self) -> Option<&str> {
        match self {
            Self::Settings { .. } | Self::User { .. } | Self::Of { .. } | Self::DeletedUsers => {
                None
            }
            Self::Folders { mailbox }
            | Self::Folder { mailbox, .. }
            | Self::ChildFolders { mailbox, .. }
            | Self::Items { mailbox, .. }
            | Self::Item { mailbox, .. }
            | Self::ImportSession { mailbox }
            | Self::Export { mailbox } => Some(mailbox),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_read_as_documented() {
        let path = "/v1.0/admin/exchange/mailboxes/MBX:e0643f21@a7809c93/folders/msgfolderroot/childFolders";
        let resource = Resource::ChildFolders {
            mailbox: "MBX:e0643f21@a7809c93".to_owned(),
            folder: "msgfolderroot".to_owned(),
        };
        assert_eq!(Resource::parse(path), Some(resource.clone()));
        assert_eq!(resource.path(), path);
        for odd in [
            "",
            "/",
            "/v1.0",
            "/beta/users/a/settings/exchange",
            "/v1.0/users//settings/exchange",
            "/v1.0/admin/exchange/mailboxes/x",
            "/v1.0/admin/exchange/mailboxes/x/Folders",
            "/v1.0/admin/exchange/mailboxes/x/folders/",
        ] {
            assert_eq!(Resource::parse(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn every_resource_survives_its_path(which in 0..10, a in ".{1,20}", b in ".{1,20}", c in ".{1,20}") {
            let (mailbox, folder, item) = (a, b, c);
            let resource = match which {
                0 => Resource::Settings { user: mailbox },
                1 => Resource::Folders { mailbox },
                2 => Resource::Folder { mailbox, folder },
                3 => Resource::ChildFolders { mailbox, folder },
                4 => Resource::Items { mailbox, folder },
                5 => Resource::Item { mailbox, folder, item },
                6 => Resource::ImportSession { mailbox },
                7 => Resource::User { user: mailbox },
                8 => Resource::DeletedUsers,
                _ => Resource::Export { mailbox },
            };
            prop_assert_eq!(Resource::parse(&resource.path()), Some(resource));
        }

        #[test]
        fn any_path_reads_or_is_refused(path in "(/[a-zA-Z0-9%.:@]{0,12}){0,9}") {
            let _ = Resource::parse(&path);
        }
    }
}
