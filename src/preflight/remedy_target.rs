//! Remedies for Microsoft 365 and for the route, each with the command to type.

use crate::base::losses::class_fate;
use crate::base::route::RouteRule;
use crate::preflight::cause::{Cause, Right};
use crate::preflight::facts::{Facts, ps, sh};

/// The remedy, where this chapter has it.
pub(super) fn remedy(cause: Cause, facts: &Facts, subject: &str) -> Option<String> {
    app(cause, facts, subject)
        .or_else(|| mailbox(cause, facts, subject))
        .or_else(|| by_class(cause, facts, subject))
        .or_else(|| route(cause, facts))
}

fn app(cause: Cause, facts: &Facts, subject: &str) -> Option<String> {
    let (again, id) = (facts.again(), sh(&facts.client_id));
    let secret = if facts.secret_env.is_empty() {
        "the secret's variable"
    } else {
        &facts.secret_env
    };
    Some(match cause {
        Cause::SecretWrong => format!(
            "`export {secret}=...` with the secret's value, not its id; if it is lost make another: `az ad app credential reset --id {id} --append`; then `{again}`"
        ),
        Cause::SecretExpired => format!(
            "`az ad app credential list --id {id}` shows when it ended; make a new one: `az ad app credential reset --id {id} --append`, then `export {secret}=...` and `{again}`"
        ),
        Cause::AppUnknown => format!(
            "check `client_id` in the plan, and that the application is in this tenant: `az ad sp show --id {id}`; then `{again}`"
        ),
        Cause::TenantUnknown => format!(
            "correct `tenant` in the plan, the tenant's id or one of its domains: `az account show --query tenantId`; then `{again}`"
        ),
        Cause::AssertionRefused => format!(
            "upload the certificate of the plan's key to the application: `az ad app credential reset --id {id} --cert @cert.pem --append`; then `{again}`"
        ),
        Cause::TargetCredentials => format!(
            "look the number up at https://login.microsoftonline.com/error and check `client_id` and `credential`: `az ad app credential list --id {id}`; then `{again}`"
        ),
        Cause::WrongTargetUrl => format!(
            "check `cloud`, or `login_url` and `graph_url`, in the plan: `curl -v {}/v1.0/`; then `{again}`",
            sh(&facts.graph_url)
        ),
        Cause::ConsentMissing(right) | Cause::TypedRightMissing(right) => {
            consent(right, &id, &again)
        }
        Cause::RoleNotNeeded => format!(
            "take {subject} away where nothing else of this application needs it: `az ad app permission list --id {id}` shows its id, `az ad app permission delete --id {id} --api 00000003-0000-0000-c000-000000000000 --api-permissions PERMISSION_ID` removes it"
        ),
        Cause::ImportUnavailable => format!(
            "mailbox import exists in the global cloud only; check `cloud` in the plan and try `curl -X POST {}/v1.0/admin/exchange/mailboxes/ID/createImportSession` with a token; without it write route = \"typed\" and import_api = false into [target]: items are then carried by their class, and `mailferry losses` says what that loses",
            sh(&facts.graph_url)
        ),
        Cause::ImportForbidden => format!(
            "the token holds {}, and the service refuses all the same: `Test-ServicePrincipalAuthorization -Identity {id}` in Exchange Online PowerShell shows what the application may; rights take up to two hours to apply; then `{again}`. Where it stays so, route = \"typed\" in [target] carries items by their class: `mailferry losses` says what that loses",
            Right::Items.role()
        ),
        _ => return None,
    })
}

fn consent(right: Right, id: &str, again: &str) -> String {
    let role = right.role();
    let scoped = right.exchange_role().map_or_else(String::new, |role| {
        format!(
            ", or for chosen mailboxes only `New-ManagementRoleAssignment -App {id} -Role \"{role}\" -CustomResourceScope SCOPE`"
        )
    });
    format!(
        "grant {role} as an application permission with an administrator's consent: `az ad app permission admin-consent --id {id}` after adding it to the application{scoped}; then `{again}`"
    )
}

fn mailbox(cause: Cause, facts: &Facts, subject: &str) -> Option<String> {
    let (again, it) = (facts.again(), ps(subject));
    Some(match cause {
        Cause::TargetScope => format!(
            "take the mailbox into the application's scope: `Test-ServicePrincipalAuthorization -Identity {} -Resource {it}` shows it, `Set-ManagementScope SCOPE -RecipientRestrictionFilter FILTER` changes it; changes take up to two hours; then `{again}`",
            sh(&facts.client_id)
        ),
        Cause::TargetMissing => format!(
            "correct `target` in the plan, or let the directory synchronise the user: `Get-MgUser -UserId {it}`; then `{again}`"
        ),
        Cause::TargetDeleted => format!(
            "restore the user: `Get-MgDirectoryDeletedItemAsUser -Filter \"mail eq {it}\"`, then `Restore-MgDirectoryDeletedItem -DirectoryObjectId ID`; then `{again}`"
        ),
        Cause::TargetUnlicensed => format!(
            "give the user an Exchange Online plan: `Get-MgSubscribedSku`, then `Set-MgUserLicense -UserId {it} -AddLicenses @{{SkuId='SKU'}} -RemoveLicenses @()`; a mailbox takes some minutes to appear; then `{again}`"
        ),
        Cause::NoLicence => format!(
            "right for shared mailboxes and rooms (`Get-Mailbox {it} | fl RecipientTypeDetails`); any other needs a plan, `Set-MgUserLicense -UserId {it} -AddLicenses @{{SkuId='SKU'}} -RemoveLicenses @()`, or it is removed after 30 days"
        ),
        Cause::TargetOnPremises => format!(
            "the licence makes no mailbox while the directory says that it is on premises: `Get-MailUser {it} | fl ExchangeGuid,RecipientTypeDetails`; clear it with `Set-User {it} -PermanentlyClearPreviousMailboxInfo` in Exchange Online PowerShell, and do not synchronise msExchMailboxGuid; then `{again}`"
        ),
        Cause::TargetNoMailbox | Cause::TargetTrouble => format!(
            "`Get-Mailbox {it} | fl RecipientTypeDetails,PrimarySmtpAddress` in Exchange Online PowerShell; then `{again}`"
        ),
        Cause::QuotaSmall | Cause::QuotaTight => format!(
            "give it a plan with more room, or `Set-Mailbox {it} -ProhibitSendReceiveQuota 100GB -ProhibitSendQuota 99GB -IssueWarningQuota 98GB`; then `{again}`"
        ),
        Cause::ItemSizeSmall => format!(
            "`Set-Mailbox {it} -MaxReceiveSize 150MB -MaxSendSize 150MB` in Exchange Online PowerShell; then `{again}`"
        ),
        Cause::AddressMissing => format!(
            "add the source's address before cutover: `Set-Mailbox {it} -EmailAddresses @{{add='ADDRESS'}}`, on premises where the directory is synchronised"
        ),
        _ => return None,
    })
}

/// What to do about a class that does not go as streams.
fn by_class(cause: Cause, facts: &Facts, class: &str) -> Option<String> {
    let (again, plan) = (facts.again(), sh(&facts.plan));
    let (fate, losses) = (
        class_fate(class),
        format!("`mailferry losses --class {}`", sh(class)),
    );
    Some(match cause {
        Cause::ClassRefused => {
            let other = match fate.family {
                Some(_) => format!(
                    "with route = \"auto\" in [target] they go by their class, and {losses} says what that loses"
                ),
                None => format!("for {}: {}", fate.what, fate.advice),
            };
            format!(
                "items of this class will stand among the refused: copy a pilot mailbox, then `mailferry status {plan}` counts them and `mailferry waive {plan} create --bucket refused` asks for the exception; `{again} --sample 20` looks at more mailboxes; {other}"
            )
        }
        Cause::CarriedByClass => format!(
            "{losses} says what they lose: tell it to those whose items they are, before the run{}",
            match facts.route {
                RouteRule::Auto =>
                    "; with route = \"stream\" in [target] they stand among the refused instead",
                RouteRule::Stream | RouteRule::Typed => "",
            }
        ),
        Cause::TypedRefused => format!(
            "the code says what the service has against them, and {losses} what has no place there: copy a pilot mailbox, then `mailferry status {plan}` counts those that stand among the refused and `mailferry waive {plan} create --bucket refused` asks for the exception; `{again} --sample 20` looks at more mailboxes"
        ),
        Cause::NoTypedForm if facts.no_import => format!(
            "{}; what stays stands among the refused, or in a folder that stays: `mailferry waive {plan} create --bucket refused` asks for the exception",
            fate.advice
        ),
        Cause::NoTypedForm => format!(
            "{}; or write route = \"auto\" into [target], which tries them as streams; what stays stands among the refused: `mailferry waive {plan} create --bucket refused` asks for the exception",
            fate.advice
        ),
        _ => return None,
    })
}

fn route(cause: Cause, facts: &Facts) -> Option<String> {
    let (again, plan) = (facts.again(), sh(&facts.plan));
    Some(match cause {
        Cause::ItemsRefused | Cause::NotExported => format!(
            "`mailferry status {plan}` and `mailferry resolve {plan} list` name such items after a run"
        ),
        Cause::ClassDiffers | Cause::NotComparable => format!(
            "copy a pilot mailbox and compare every item: `mailferry verify {plan} --level content` names what differs"
        ),
        Cause::CanaryDoubtful => format!("ask again: `{again}`"),
        Cause::CanaryLeft => format!(
            "`{again}` cleans up what it can prove to be its own; the rest is in the hidden folder \"{}\" of that mailbox",
            crate::base::canary::FOLDER_PREFIX.trim_end()
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::probe::Server;

    #[test]
    fn a_remedy_names_a_command_and_quotes_what_it_is_about() {
        let facts = Facts {
            plan: "p.toml".to_owned(),
            client_id: "1f3c".to_owned(),
            account: "C\\svc".to_owned(),
            ..Facts::default()
        };
        let text = Cause::TargetUnlicensed.remedy(&facts, "o'hara@c.example");
        assert!(text.contains("-UserId 'o''hara@c.example'"), "{text}");
        for cause in [
            Cause::ConsentMissing(Right::Items),
            Cause::TypedRightMissing(Right::Contacts),
            Cause::CarriedByClass,
            Cause::NoTypedForm,
            Cause::TypedRefused,
            Cause::NoImpersonation,
            Cause::CertificateExpired(Server::Source),
            Cause::ClassRefused,
            Cause::StateHeld,
        ] {
            let text = cause.remedy(&facts, "x");
            assert!(text.contains('`'), "{}: {text}", cause.word());
        }
    }
}
