//! Remedies for this machine, the servers and the on-premises side, each with the command to type.

use crate::base::probe::Server;
use crate::preflight::cause::Cause;
use crate::preflight::facts::{Facts, host, ps, sh};

/// The remedy, where this chapter has it.
pub(super) fn remedy(cause: Cause, facts: &Facts, subject: &str) -> Option<String> {
    here(cause, facts)
        .or_else(|| server(cause, facts, subject))
        .or_else(|| sign_in(cause, facts))
        .or_else(|| mailbox(cause, facts, subject))
}

fn here(cause: Cause, facts: &Facts) -> Option<String> {
    let (plan, again) = (sh(&facts.plan), facts.again());
    Some(match cause {
        Cause::RealmMismatch => {
            "a plan with realm = \"rehearsal\" is for a lab on this machine only: make one for the real servers with `mailferry plan FILE --ews-url URL --out plan.toml`".to_owned()
        }
        Cause::AddressTwice => {
            format!("leave each mailbox in the plan once, then `mailferry plan --check {plan}`")
        }
        Cause::StateHeld => {
            format!("wait for that run to end (`mailferry status {plan}`), then `{again}`")
        }
        Cause::StateOtherPlan => format!("name another directory: `{again} --state NEWDIR`"),
        Cause::StateNotWritable => format!(
            "make it yours: `mkdir -p {0} && chmod 700 {0}`, or name another with --state DIR",
            sh(&facts.state)
        ),
        Cause::DiskFull | Cause::DiskTight => format!(
            "make room on the disk (`df -h {}`), or keep the state elsewhere with --state DIR",
            sh(&facts.state)
        ),
        Cause::AutodiscoverFailed => format!(
            "write the URL into the plan: ews_url = \"https://HOST/EWS/Exchange.asmx\"; on the server `Get-WebServicesVirtualDirectory | fl ExternalUrl,InternalUrl` shows it. Where a DNS record leads there, `nslookup -type=SRV _autodiscover._tcp.DOMAIN` names the host: autodiscover = \"https://HOST\". Then `{again}`"
        ),
        Cause::AutodiscoverElsewhere => format!(
            "if that host is yours, write it into [source]: autodiscover_hosts = [\"HOST\"], or write ews_url; then `{again}`"
        ),
        _ => return None,
    })
}

/// The key of the plan that holds a server's address.
const fn key(server: Server) -> &'static str {
    match server {
        Server::Source => "ews_url",
        Server::Login => "login_url",
        Server::Graph => "graph_url",
    }
}

fn server(cause: Cause, facts: &Facts, subject: &str) -> Option<String> {
    let again = facts.again();
    let name = sh(host(subject));
    let shown = format!(
        "`openssl s_client -connect {} -servername {name}`",
        sh(subject)
    );
    Some(match cause {
        Cause::NameUnknown(at) => format!(
            "look the name up (`nslookup {name}`), then correct `{}` in the plan or the name server",
            key(at)
        ),
        Cause::NoConnection(at) => format!(
            "try the port (`nc -vz {name} PORT`); check `{}` in the plan, firewall and proxy",
            key(at)
        ),
        Cause::CertificateExpired(Server::Source) | Cause::CertificateEndsSoon(Server::Source) => format!(
            "renew the certificate of IIS: `Get-ExchangeCertificate | fl Thumbprint,Services,NotAfter`, then `Enable-ExchangeCertificate -Thumbprint NEW -Services IIS`; then `{again}`"
        ),
        Cause::CertificateExpired(_)
        | Cause::CertificateEndsSoon(_)
        | Cause::CertificateNotYet(_) => format!(
            "see which certificate is shown ({shown}), and check this machine's clock: `date -u`"
        ),
        Cause::CertificateWrongName(at) => format!(
            "write a name of the certificate into `{}` ({shown} shows them), or bind one with the right name: `Enable-ExchangeCertificate -Thumbprint THUMBPRINT -Services IIS`",
            key(at)
        ),
        Cause::CertificateUnknownIssuer(_) => format!(
            "get the issuer's certificate from who runs that server and let this machine trust it: `SSL_CERT_FILE=ca.pem {again}`, or add it to the system's store; {shown} shows the chain"
        ),
        Cause::CertificateUnusable(_) => format!("see what the server shows ({shown}) and renew its certificate"),
        Cause::TlsRefused(_) => format!(
            "see what the server speaks (`openssl s_client -connect {} -tls1_2`): TLS 1.2 with ECDHE and AES-GCM must be on; on Windows `Get-TlsCipherSuite | ft Name` lists its suites",
            sh(subject)
        ),
        Cause::ClearText(at) => format!("write https:// in `{}` of the plan, then `{again}`", key(at)),
        Cause::NoUsableAnswer(at) => format!(
            "ask it by hand (`curl -vk {}`), check `{}` and the health of that server, then `{again}`",
            sh(match at { Server::Source => &facts.ews_url, Server::Login => &facts.login_url, Server::Graph => &facts.graph_url }),
            key(at)
        ),
        Cause::ClockSkew(Server::Source) => format!(
            "set both clocks: `w32tm /resync` on the server, `timedatectl status` here; then `{again}`"
        ),
        Cause::ClockSkew(_) => format!(
            "set this machine's clock: `timedatectl status`, `sudo timedatectl set-ntp true`; then `{again}`"
        ),
        Cause::Throttled(Server::Source) | Cause::SlowedDown(Server::Source) => {
            "give the account a policy of its own: `New-ThrottlingPolicy Mailferry -EwsMaxConcurrency Unlimited -EwsMaxBurst Unlimited -EwsRechargeRate Unlimited -EwsCutoffBalance Unlimited`, then `Set-ThrottlingPolicyAssociation -Identity MAILBOX -ThrottlingPolicy Mailferry` for the mailboxes of the plan; or lower max_connections".to_owned()
        }
        Cause::Throttled(_) | Cause::SlowedDown(_) => format!(
            "see who else uses this application on these mailboxes, wait for what it asks, then `{again}`"
        ),
        _ => return None,
    })
}

fn sign_in(cause: Cause, facts: &Facts) -> Option<String> {
    let (again, account) = (facts.again(), ps(facts.account_name()));
    Some(match cause {
        Cause::WrongEwsUrl => format!(
            "correct `ews_url` in the plan, usually https://HOST/EWS/Exchange.asmx: `Get-WebServicesVirtualDirectory | fl Server,InternalUrl,ExternalUrl` on the server shows it; then `{again}`"
        ),
        Cause::MethodNotOffered => format!(
            "write an offered method into `auth` of the plan, or allow {0} on the server: `Get-WebServicesVirtualDirectory | Set-WebServicesVirtualDirectory -{1}Authentication $true`, then `iisreset`; then `{again}`",
            facts.method,
            if facts.method == "basic" { "Basic" } else { "Windows" }
        ),
        Cause::SourceCredentials => format!(
            "set {0} to the right password (`export {0}=...`); if it is right, look at the account: `Get-ADUser {account} -Properties LockedOut,Enabled,PasswordExpired`, and `Unlock-ADAccount {account}` where it is locked; then `{again}`. Each try with a wrong password counts towards its lock-out",
            facts.password_env
        ),
        Cause::AccountState => format!(
            "`Get-ADUser {account} -Properties LockedOut,Enabled,PasswordExpired,AccountExpirationDate`; then `Set-ADAccountPassword {account}`, `Unlock-ADAccount {account}` or `Enable-ADAccount {account}`; then `{again}`"
        ),
        Cause::ClientRefused => "allow this client: `Set-OrganizationConfig -EwsApplicationAccessPolicy EnforceAllowList -EwsAllowList @{add='mailferry/*'}`; the server must be Exchange 2013 SP1 or later".to_owned(),
        Cause::BuildOld | Cause::UpdatesMissing => format!(
            "install the last cumulative and security update; `mailferry assess --plan {}` names what is missing and how long it stood open; `Get-Command ExSetup.exe | % FileVersionInfo` on the server shows the security update",
            sh(&facts.plan)
        ),
        Cause::Unsupported => format!(
            "move soon; `mailferry assess --plan {}` shows what is open on this server",
            sh(&facts.plan)
        ),
        Cause::OtherVersion => format!(
            "mailferry is tested with Exchange 2016: copy a pilot mailbox and compare every item, `mailferry verify {} --level content`",
            sh(&facts.plan)
        ),
        Cause::NoImpersonation => format!(
            "`New-ManagementRoleAssignment -Name mailferry -Role ApplicationImpersonation -User {account}` in the Exchange Management Shell; then `{again}`"
        ),
        Cause::EwsBlocked => format!(
            "`Get-OrganizationConfig | fl EwsEnabled,EwsApplicationAccessPolicy,EwsAllowList,EwsBlockList`, then `Set-OrganizationConfig -EwsEnabled $true` and allow `mailferry/*`; then `{again}`"
        ),
        _ => return None,
    })
}

fn mailbox(cause: Cause, facts: &Facts, subject: &str) -> Option<String> {
    let (again, account, it) = (facts.again(), ps(facts.account_name()), ps(subject));
    Some(match cause {
        Cause::ImpersonationScope => format!(
            "take the mailbox into the scope: `Get-ManagementRoleAssignment -Role ApplicationImpersonation -RoleAssignee {account} | fl Name,CustomRecipientWriteScope`, then `Set-ManagementScope SCOPE -RecipientRestrictionFilter FILTER` so that it matches {it}; then `{again}`"
        ),
        Cause::NoSourceMailbox => format!(
            "`Get-Recipient {it} | fl RecipientTypeDetails,PrimarySmtpAddress`; correct or take out this mailbox in the plan; then `{again}`"
        ),
        Cause::NotPrimaryAddress => format!(
            "write its primary address into the plan: `Get-Mailbox {it} | fl PrimarySmtpAddress`; then `{again}`"
        ),
        Cause::EwsDisabled => format!(
            "`Get-CASMailbox {it} | fl EwsEnabled,EwsApplicationAccessPolicy`, then `Set-CASMailbox {it} -EwsEnabled $true`; then `{again}`"
        ),
        Cause::Moving => {
            format!("wait for its move to end: `Get-MoveRequest {it} | Get-MoveRequestStatistics`")
        }
        Cause::SourceTrouble => format!(
            "try it by hand: `Test-MAPIConnectivity {it}`, `Get-MailboxStatistics {it}`; then `{again}`"
        ),
        Cause::HasArchive => format!(
            "the archive is not carried: `Get-MailboxStatistics {it} -Archive` shows what is in it; decide about it before cutover"
        ),
        Cause::LargestStays => format!(
            "raise `max_item_size` in [select] if the target takes more, or accept it: `mailferry plan --check {}` shows what the plan leaves",
            sh(&facts.plan)
        ),
        _ => return None,
    })
}
