//! The runbook of a cutover: ordered steps with the exact commands for the mailboxes of a plan, and what a person must confirm
//! (reference/cutover.md section 2, non-hybrid). Words only: nothing here changes anything.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

/// One mailbox that changes over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// The source mailbox.
    pub source: String,
    /// The target mailbox.
    pub target: String,
    /// SMTP addresses and X500 names the target must have, in the spelling of `EmailAddresses`. Empty where no inventory was given.
    pub proxies: Vec<String>,
}

/// What a runbook is written for.
#[derive(Clone, Debug, Default)]
pub struct Scene<'a> {
    /// The plan file.
    pub plan: &'a str,
    /// The mailboxes.
    pub moves: &'a [Move],
    /// True where an inventory said which addresses the mailboxes have.
    pub proxies_known: bool,
    /// The service account of the source.
    pub service_account: &'a str,
    /// The application of the target.
    pub client_id: &'a str,
    /// What the gate could not check.
    pub not_checked: &'a [String],
}

/// Where a command is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// Exchange Management Shell on the source.
    ExchangeServer,
    /// Exchange Online PowerShell.
    ExchangeOnline,
    /// Any PowerShell.
    Anywhere,
    /// The terminal of this program.
    Mailferry,
}

impl Shell {
    const fn words(self) -> &'static str {
        match self {
            Self::ExchangeServer => "Exchange Management Shell, on the source",
            Self::ExchangeOnline => "Exchange Online PowerShell",
            Self::Anywhere => "PowerShell, anywhere",
            Self::Mailferry => "this terminal",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// From 1.
    pub no: usize,
    /// What it is for.
    pub title: String,
    /// Where the commands are typed.
    pub shell: Shell,
    /// The commands.
    pub commands: Vec<String>,
    /// What a person must confirm before the next step.
    pub confirm: Vec<String>,
}

/// A text as a PowerShell literal: single quotes doubled, typographic quotes too, which PowerShell takes for the plain one.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// Writes the steps, in order.
pub fn runbook(scene: &Scene<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |title: &str, shell, commands: Vec<String>, confirm: &[&str]| {
        steps.push(Step {
            no: steps.len() + 1,
            title: title.to_owned(),
            shell,
            commands,
            confirm: confirm.iter().map(|text| (*text).to_owned()).collect(),
        });
    };
    before(scene, &mut step);
    addresses(scene, &mut step);
    dns(scene, &mut step);
    after(scene, &mut step);
    close(scene, &mut step);
    steps
}

type Say<'a> = dyn FnMut(&str, Shell, Vec<String>, &[&str]) + 'a;

/// While mail still flows to the source.
fn before(scene: &Scene<'_>, step: &mut Say<'_>) {
    let each =
        |command: &dyn Fn(&Move) -> String| scene.moves.iter().map(command).collect::<Vec<_>>();
    for open in scene.not_checked {
        step(
            "Look by hand at what the gate could not check",
            Shell::Mailferry,
            Vec::new(),
            &[open],
        );
    }
    step(
        "Freeze: nobody writes into the source any more; EWS stays open for the last pass",
        Shell::ExchangeServer,
        each(&|one| {
            format!(
                "Set-CASMailbox -Identity {} -OWAEnabled $false -MAPIEnabled $false -ActiveSyncEnabled $false -PopEnabled $false -ImapEnabled $false",
                quoted(&one.source)
            )
        }),
        &[
            "inbound mail is held at the gateway",
            "users are told, and nobody has Outlook open",
        ],
    );
    step(
        "Last pass: copy what changed, compare both sides, and let the gate judge once more",
        Shell::Mailferry,
        vec![
            format!("mailferry run {}", scene.plan),
            format!("mailferry verify {}", scene.plan),
            format!("mailferry cutover {} --name NAME", scene.plan),
        ],
        &["the gate is still closed after the last pass"],
    );
    step(
        "Keep the attributes of the source mailboxes: the way back",
        Shell::ExchangeServer,
        each(&|one| {
            format!(
                "Get-Mailbox -Identity {0} | Export-Clixml -Path {1}",
                quoted(&one.source),
                quoted(&file_of(&one.source))
            )
        }),
        &["every file was written and lies in a place that is backed up"],
    );
    step(
        "Holds: nothing that is kept on the source may be lost with it",
        Shell::ExchangeServer,
        each(&|one| {
            format!(
                "Get-Mailbox -Identity {} | Format-List LitigationHoldEnabled,InPlaceHolds,RetentionPolicy,RetentionHoldEnabled",
                quoted(&one.source)
            )
        }),
        &[
            "every hold and every retention policy stands on the target too (Exchange Online PowerShell or Purview)",
            "recoverable items of mailboxes on hold are exported or the source is kept: this program does not carry them",
        ],
    );
}

/// Once mail flows to the target.
fn after(scene: &Scene<'_>, step: &mut Say<'_>) {
    let each =
        |command: &dyn Fn(&Move) -> String| scene.moves.iter().map(command).collect::<Vec<_>>();
    step(
        "Autodiscover: no internal pointer to the old server",
        Shell::ExchangeServer,
        vec![
            "Get-ClientAccessService | Set-ClientAccessService -AutoDiscoverServiceInternalUri $null".into(),
            "Get-ClientAccessService | Format-Table Name,AutoDiscoverServiceInternalUri".into(),
        ],
        &["the column is empty for every server"],
    );
    step(
        "Permissions: nothing transfers by itself; set only what was reviewed",
        Shell::ExchangeOnline,
        each(&|one| {
            format!(
                "Get-MailboxPermission -Identity {} | Where-Object {{ -not $_.IsInherited }}",
                quoted(&one.target)
            )
        }),
        &[
            "full access, send-as and send-on-behalf that were reviewed are set (Add-MailboxPermission, Add-RecipientPermission, Set-Mailbox)",
            "no forward and no rule to an outside address was set again without approval",
        ],
    );
    step(
        "Prove that mail flows",
        Shell::ExchangeOnline,
        each(&|one| {
            format!(
                "Get-MessageTraceV2 -RecipientAddress {} -StartDate (Get-Date).AddHours(-4) -EndDate (Get-Date)",
                quoted(&one.target)
            )
        }),
        &[
            "a mail from outside arrives on the target, and a mail to outside leaves",
            "a reply to an old internal mail arrives (X500)",
            "nothing new arrives on the source 72 hours after the MX change",
            "Outlook profiles, phones and scanners are set up anew",
        ],
    );
}

/// What ends it.
fn close(scene: &Scene<'_>, step: &mut Say<'_>) {
    let account = quoted(scene.service_account);
    step(
        "Take the rights of this program away",
        Shell::ExchangeServer,
        vec![
            format!(
                "Get-ManagementRoleAssignment -Role ApplicationImpersonation -GetEffectiveUsers | Where-Object {{ $_.EffectiveUserName -eq {account} }}"
            ),
            format!(
                "Get-ManagementRoleAssignment -Role ApplicationImpersonation -RoleAssignee {account} | Remove-ManagementRoleAssignment"
            ),
        ],
        &[
            "the service account is disabled",
            &format!("the application {} is deleted in Entra ID", scene.client_id),
            "a last mailferry verify is refused (exit 4), which shows that both are gone",
        ],
    );
    step(
        "Close the record",
        Shell::Mailferry,
        vec![
            format!("mailferry report {}", scene.plan),
            format!("mailferry sign {} --name NAME --key FILE", scene.plan),
        ],
        &[
            "migration engineer, client IT and data protection officer have signed",
            "the pack and state/evidence.key are kept apart from each other",
        ],
    );
}

fn addresses(scene: &Scene<'_>, step: &mut Say<'_>) {
    if !scene.proxies_known {
        step(
            "Addresses: the target has every address and every legacyExchangeDN (as X500) of its source",
            Shell::ExchangeServer,
            scene
                .moves
                .iter()
                .map(|one| {
                    format!(
                        "Get-Mailbox -Identity {} | Format-List EmailAddresses,LegacyExchangeDN",
                        quoted(&one.source)
                    )
                })
                .collect(),
            &["each is on the target; without X500 addresses replies to old mail bounce"],
        );
        return;
    }
    let commands = scene
        .moves
        .iter()
        .filter(|one| !one.proxies.is_empty())
        .map(|one| {
            let list: Vec<String> = one.proxies.iter().map(|proxy| quoted(proxy)).collect();
            format!(
                "Set-Mailbox -Identity {} -EmailAddresses @{{Add={}}}",
                quoted(&one.target),
                list.join(",")
            )
        })
        .collect();
    step(
        "Addresses: the target has every address and every legacyExchangeDN (as X500) of its source; adding one again does no harm",
        Shell::ExchangeOnline,
        commands,
        &[
            "for users that are synchronised from the directory, the same entries stand in proxyAddresses there instead",
        ],
    );
}

fn dns(scene: &Scene<'_>, step: &mut Say<'_>) {
    let domains: BTreeSet<String> = scene
        .moves
        .iter()
        .flat_map(|one| [&one.source, &one.target])
        .filter_map(|address| address.rsplit_once('@'))
        .map(|(_, domain)| domain.to_ascii_lowercase())
        .filter(|domain| !domain.ends_with(".onmicrosoft.com"))
        .collect();
    let mut commands = Vec::new();
    for domain in &domains {
        for (kind, name) in [
            ("MX", domain.clone()),
            ("TXT", domain.clone()),
            ("CNAME", format!("autodiscover.{domain}")),
        ] {
            commands.push(format!(
                "Resolve-DnsName -Type {kind} -Name {}",
                quoted(&name)
            ));
        }
    }
    let expected: Vec<String> = domains
        .iter()
        .map(|domain| {
            format!(
                "{domain}: MX is the name the tenant shows for it ({}.mail.protection.outlook.com, or one below mx.microsoft), autodiscover is autodiscover.outlook.com, SPF has include:spf.protection.outlook.com",
                domain.replace('.', "-")
            )
        })
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    step(
        "DNS: change MX, SPF, DKIM and autodiscover, then look from outside",
        Shell::Anywhere,
        commands,
        &expected,
    );
}

/// A file name out of an address.
fn file_of(address: &str) -> String {
    let plain: String = address
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@') {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("{plain}.clixml")
}

/// The runbook for people.
pub fn to_text(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        writeln!(out, "{}. {}", step.no, step.title).expect("a string grows");
        if !step.commands.is_empty() {
            writeln!(out, "   # {}", step.shell.words()).expect("a string grows");
        }
        for command in &step.commands {
            writeln!(out, "   {command}").expect("a string grows");
        }
        for confirm in &step.confirm {
            writeln!(out, "   [ ] {confirm}").expect("a string grows");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("o'neil@x.example"), "'o''neil@x.example'");
        assert_eq!(quoted("a’; Remove-Mailbox\n"), "'a’’; Remove-Mailbox'");
    }

    #[test]
    fn the_steps_name_this_plans_mailboxes_and_stand_in_order() {
        let moves = [Move {
            source: "a@clinic.example".into(),
            target: "a@clinic.example".into(),
            proxies: vec!["X500:/o=Clinic/cn=a".into(), "smtp:b@clinic.example".into()],
        }];
        let not_checked = ["posture".to_owned()];
        let scene = Scene {
            plan: "plan.toml",
            moves: &moves,
            proxies_known: true,
            service_account: "CLINIC\\svc",
            client_id: "app",
            not_checked: &not_checked,
        };
        let steps = runbook(&scene);
        assert!(steps.iter().enumerate().all(|(at, step)| step.no == at + 1));
        let at = |word: &str| {
            steps
                .iter()
                .position(|step| step.title.starts_with(word))
                .expect(word)
        };
        let order = [
            "Look",
            "Freeze",
            "Last pass",
            "Keep",
            "Addresses",
            "DNS",
            "Prove",
            "Take the rights",
            "Close",
        ];
        assert!(order.windows(2).all(|two| at(two[0]) < at(two[1])));
        let text = to_text(&steps);
        assert!(text.contains("Set-Mailbox -Identity 'a@clinic.example' -EmailAddresses @{Add='X500:/o=Clinic/cn=a','smtp:b@clinic.example'}"), "{text}");
        assert!(text.contains("clinic-example.mail.protection.outlook.com"));
        assert!(text.contains("[ ] posture"));
    }
}
