//! The directory of the lab's tenant: users with licences and addresses, deleted users, and what the services say to anybody.

use axum::http::Method;
use serde_json::{Value, json};

use super::graph_answer::Answer;
use super::graph_http::{Asked, GraphFace};
use super::world::{Refused, World};
use super::wrong::Wrong;
use crate::base::losses::Family;
use crate::wire::graph::escape;
use crate::wire::graph::path::Resource;
use crate::wire::graph::path_user::{Holder, OfUser};
use crate::wire::graph::user::SELECT;

/// Exchange Online (Plan 2).
const PLAN_2: &str = "efb87545-963c-4e0d-99df-69c6916d9eb0";

/// `GET /users/{user}`.
pub(super) fn user(lab: &GraphFace, user: &str, asked: &Asked<'_>) -> Answer {
    let pairs = escape::pairs(asked.query()).unwrap_or_default();
    let fits = matches!(&pairs[..], [(name, value)] if name == "$select" && known(value));
    if !fits {
        return lab.broken("a user is asked for with $select of properties there are");
    }
    match lab.world(|world, _| of(world, user)) {
        Some(found) => Answer::json(200, &found),
        None => Answer::error(
            404,
            "Request_ResourceNotFound",
            "Resource does not exist or one of its queried reference-property objects are not present.",
        ),
    }
}

/// `GET /users/{user}/settings/exchange`.
pub(super) fn settings(lab: &GraphFace, user: &str, asked: &Asked<'_>) -> Answer {
    if !asked.query().is_empty() {
        return lab.broken("settings/exchange takes no parameters");
    }
    match mailbox_of(lab, user) {
        Ok(id) => Answer::json(
            200,
            &json!({
                "@odata.context": format!("{}/v1.0/$metadata#users/settings/exchange/$entity", lab.base),
                "primaryMailboxId": id,
            }),
        ),
        Err(why) => no_mailbox(why),
    }
}

/// The mailbox of a user, by address.
pub(super) fn mailbox_of(lab: &GraphFace, user: &str) -> Result<String, Refused> {
    lab.world(|world, _| {
        let gone = [Wrong::TargetUnlicensed, Wrong::TargetOnPremises];
        if gone.iter().any(|wrong| world.is_wrong_for(*wrong, user)) {
            return Err(Refused::NoMailbox);
        }
        let absent = [Wrong::TargetMissing, Wrong::TargetDeleted];
        if absent.iter().any(|wrong| world.is_wrong_for(*wrong, user)) {
            return Err(Refused::NoItem);
        }
        world.resolve(user).map_err(|_| Refused::NoItem)
    })
}

/// Why a user has none: without a mailbox in the cloud, and no user at all, are told apart.
pub(super) fn no_mailbox(why: Refused) -> Answer {
    match why {
        Refused::NoMailbox => Answer::refused(Refused::NoMailbox),
        _ => Answer::error(404, "Request_ResourceNotFound", "The user does not exist."),
    }
}

fn known(select: &str) -> bool {
    select
        .split(',')
        .all(|name| SELECT.split(',').any(|own| own == name))
}

fn of(world: &World, user: &str) -> Option<Value> {
    let (source, target) = world
        .pairs()
        .iter()
        .find(|(_, target)| target.reveal().eq_ignore_ascii_case(user))?;
    let wrong = |wrong| world.is_wrong_for(wrong, target.reveal());
    if wrong(Wrong::TargetMissing) || wrong(Wrong::TargetDeleted) {
        return None;
    }
    let plans = if wrong(Wrong::TargetUnlicensed) {
        json!([])
    } else {
        json!([{"assignedDateTime": "2026-01-01T00:00:00Z", "capabilityStatus": "Enabled", "service": "exchange", "servicePlanId": PLAN_2}])
    };
    let mut proxies = vec![format!("SMTP:{}", target.reveal())];
    if !source.reveal().eq_ignore_ascii_case(target.reveal()) {
        proxies.push(format!("smtp:{}", source.reveal()));
    }
    Some(json!({
        "id": "00000000-0000-4000-8000-0000000000aa",
        "mail": target.reveal(),
        "userPrincipalName": target.reveal(),
        "proxyAddresses": proxies,
        "assignedPlans": plans,
        "onPremisesSyncEnabled": wrong(Wrong::TargetOnPremises).then_some(true),
    }))
}

/// `GET /directory/deletedItems/microsoft.graph.user`, by address.
pub(super) fn deleted(lab: &GraphFace, asked: &Asked<'_>) -> Answer {
    if asked.header("consistencylevel") != Some("eventual") {
        return lab.broken("an advanced query says ConsistencyLevel: eventual");
    }
    let pairs = escape::pairs(asked.query()).unwrap_or_default();
    let filter = pairs.iter().find(|(name, _)| name == "$filter");
    let counted = pairs
        .iter()
        .any(|(name, value)| name == "$count" && value == "true");
    let address = filter
        .and_then(|(_, text)| text.strip_prefix("mail eq '")?.strip_suffix('\''))
        .map(|text| text.replace("''", "'"));
    let (Some(address), true) = (address, counted) else {
        return lab.broken("deleted users are asked for by mail, and counted");
    };
    let there = lab.world(|world, _| world.is_wrong_for(Wrong::TargetDeleted, &address));
    let value = if there {
        vec![json!({"id": "00000000-0000-4000-8000-0000000000aa"})]
    } else {
        Vec::new()
    };
    Answer::json(200, &json!({"@odata.count": value.len(), "value": value}))
}

/// What is told to anybody: Graph's service root, and the sign-in service's discovery document.
pub(super) fn open_page(lab: &GraphFace, method: &Method, path: &str) -> Option<Answer> {
    if *method != Method::GET {
        return None;
    }
    if path == "/v1.0/" {
        let context = format!("{}/v1.0/$metadata", lab.base);
        return Some(Answer::json(
            200,
            &json!({"@odata.context": context, "value": []}),
        ));
    }
    let tenant = path
        .strip_prefix('/')?
        .strip_suffix("/v2.0/.well-known/openid-configuration")?;
    let known =
        tenant == lab.app.tenant_id && !lab.world(|world, _| world.is_wrong(Wrong::WrongTenant));
    Some(if known {
        let token = format!("{}/{tenant}/oauth2/v2.0/token", lab.base);
        Answer::json(200, &json!({"token_endpoint": token}))
    } else {
        super::graph_token::no_tenant()
    })
}

/// The application permission that a call on what belongs to a user needs (reference/graph.md 2.1, 2.4 and 2.5).
const fn role_for(part: &OfUser) -> &'static str {
    match part {
        OfUser::PermanentDelete { family, .. } => match family {
            Family::Message => "Mail.ReadWrite",
            Family::Event => "Calendars.ReadWrite",
            Family::Contact => "Contacts.ReadWrite",
        },
        OfUser::Calendars
        | OfUser::Calendar { .. }
        | OfUser::Events { .. }
        | OfUser::Event { .. }
        | OfUser::Instances { .. } => "Calendars.ReadWrite",
        OfUser::Attachments { of }
        | OfUser::Attachment { of, .. }
        | OfUser::AttachmentValue { of, .. }
        | OfUser::UploadSession { of } => match of {
            Holder::Event(_) => "Calendars.ReadWrite",
            Holder::Message(_) => "Mail.ReadWrite",
        },
        OfUser::ContactFolders
        | OfUser::ContactFolder { .. }
        | OfUser::ChildContactFolders { .. }
        | OfUser::OwnContacts
        | OfUser::Contacts { .. }
        | OfUser::Contact { .. }
        | OfUser::Photo { .. } => "Contacts.ReadWrite",
        OfUser::MailFolders
        | OfUser::MailFolder { .. }
        | OfUser::ChildMailFolders { .. }
        | OfUser::Messages { .. }
        | OfUser::Message { .. }
        | OfUser::Move { .. } => "Mail.ReadWrite",
    }
}

/// Why this call is not for this application, where it is not.
pub(super) fn forbidden(lab: &GraphFace, resource: &Resource) -> Option<Answer> {
    let denied = || {
        Answer::error(
            403,
            "ErrorAccessDenied",
            "Access is denied. Check credentials and try again.",
        )
    };
    lab.world(|world, _| {
        let held = world.roles();
        let has = |role: &str| held.contains(&role);
        match resource {
            Resource::Settings { .. } | Resource::User { .. } | Resource::DeletedUsers => {
                (!has("User.Read.All")).then(|| {
                    Answer::error(
                        403,
                        "Authorization_RequestDenied",
                        "Insufficient privileges to complete the operation.",
                    )
                })
            }
            Resource::Of { user, part } => {
                let out = !has(role_for(part)) || world.is_wrong_for(Wrong::TargetScope, user);
                out.then(denied)
            }
            Resource::Folders { mailbox }
            | Resource::Folder { mailbox, .. }
            | Resource::ChildFolders { mailbox, .. } => {
                let out = !has("MailboxFolder.ReadWrite.All")
                    || world.is_wrong_for(Wrong::TargetScope, mailbox);
                out.then(denied)
            }
            Resource::Items { mailbox, .. }
            | Resource::Item { mailbox, .. }
            | Resource::ImportSession { mailbox }
            | Resource::Export { mailbox } => {
                let out = !has("MailboxItem.ImportExport.All")
                    || world.is_wrong_for(Wrong::TargetScope, mailbox);
                out.then(denied)
            }
        }
    })
}

/// True for what a cloud without mailbox import does not know.
pub(super) fn is_of_import(resource: &Resource) -> bool {
    !matches!(
        resource,
        Resource::User { .. } | Resource::DeletedUsers | Resource::Of { .. }
    )
}

/// What became of mailbox import in this tenant, where it is not there.
pub(super) fn no_import(lab: &GraphFace) -> Option<Answer> {
    lab.world(|world, _| {
        if world.is_wrong(Wrong::ImportUnavailable) {
            let text = "Resource not found for the segment 'createImportSession'.";
            return Some(Answer::error(400, "BadRequest", text));
        }
        if world.is_wrong(Wrong::ImportNotImplemented) {
            return Some(Answer::error(
                501,
                "NotImplemented",
                "This is not implemented.",
            ));
        }
        world
            .is_wrong(Wrong::ImportForbidden)
            .then(|| Answer::error(403, "ErrorAccessDenied", "Access is denied."))
    })
}
