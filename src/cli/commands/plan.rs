//! `mailferry plan`: from an inventory to a plan file; `--check` lints one, `--diff` compares two.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::base::route::{ReminderRule, RouteRule};
use crate::base::spec::Realm;
use crate::cli::args::PlanArgs;
use crate::cli::commands::inventory;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plan_view::View;
use crate::cli::plans;
use crate::cli::ui::Ui;
use crate::exchange::has_kerberos;
use crate::plan::diff::{Change, diff};
use crate::plan::document::{
    ActionGate, AuthMethod, Credential, Plan, Proof, SelectPlan, Service, SourceAuth, SourceEnd,
    TargetEnd, Wave,
};
use crate::plan::draft::Draft;
use crate::plan::explain;
use crate::plan::inventory::Inventory;
use crate::plan::lint::{Finding, Severity, lint};
use crate::plan::problem::nearest;
use crate::plan::reach::{CertificateFile, ReachPlan, TlsBackend};
use crate::plan::wishes::Wishes;
use crate::transport::has_legacy_tls;

/// What stands in a plan where a flag was left out. It reaches nobody: the ending is reserved (RFC 2606).
const NOT_GIVEN_HOST: &str = "not-given.invalid";

/// What stands in place of a user name.
const NOT_GIVEN: &str = "not-given";

/// What stands in place of an application.
const NOT_GIVEN_ID: &str = NOT_GIVEN;

/// Runs the command.
pub fn run(args: &PlanArgs, ui: Ui) -> Result<Exit, CommandError> {
    if let Some(path) = &args.check {
        return check(path, ui);
    }
    if let [old, new] = &*args.diff {
        return compare(old, new, ui);
    }
    let wishes = args.wish.read()?;
    let inventory = read_inventory(&args.files, args.despite_refusals)?;
    let draft = Draft::new(&inventory, &wishes);
    if draft.waves.is_empty() {
        return Err(nothing_moves(&draft));
    }
    let (plan, text, findings) = make(args, &inventory, &wishes, &draft)?;
    let view = View {
        plan: &plan,
        made: Some((&draft, &inventory)),
        findings: &findings,
    };
    if let Some(out) = &args.out {
        if out.exists() {
            return Err(CommandError::new(
                Exit::Refused,
                format!("{} is there already", out.display()),
            )
            .hint("a plan in use must not change: write to another file, or remove this one"));
        }
        write(out, &text)?;
    }
    if let Some(path) = &args.html {
        write(
            path,
            &crate::report::plan_html::page(&plan, &draft, &inventory, &findings),
        )?;
    }
    if ui.json {
        ui.data(&view.to_json().to_string());
    } else if let Some(out) = &args.out {
        let file = out.display().to_string();
        ui.data(&format!(
            "{}next: mailferry rehearse --plan {file}\n",
            view.to_text(&file)
        ));
    } else {
        ui.data(&text);
        ui.say(view.findings_text().trim_end());
    }
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|error| CommandError::file(path, &error))
}

fn check(path: &Path, ui: Ui) -> Result<Exit, CommandError> {
    let plan = plans::read(path)?;
    let findings = findings_of(&plan);
    let view = View {
        plan: &plan,
        made: None,
        findings: &findings,
    };
    let wrong = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    if ui.json {
        ui.data(&view.to_json().to_string());
    } else {
        let file = path.display().to_string();
        let next = if wrong {
            format!("next: fill in what is missing in {file}, then check it again\n")
        } else {
            format!("next: mailferry run {file}\n")
        };
        ui.data(&format!("{}{next}", view.to_text(&file)));
    }
    Ok(if wrong { Exit::Refused } else { Exit::Done })
}

fn compare(old: &Path, new: &Path, ui: Ui) -> Result<Exit, CommandError> {
    let (before, after) = (plans::read(old)?, plans::read(new)?);
    let changes: Vec<String> = diff(&before, &after).iter().map(Change::words).collect();
    if ui.json {
        let document = json!({
            "schema": "mailferry.plan-diff/1",
            "old": before.hash().as_str(),
            "new": after.hash().as_str(),
            "same": changes.is_empty(),
            "changes": changes,
        });
        ui.data(&document.to_string());
    } else if changes.is_empty() {
        ui.data("the plans say the same");
    } else {
        ui.data(&changes.join("\n"));
    }
    Ok(Exit::Done)
}

/// Reads the files, or says what of them was refused: a plan without what a refused file holds would look whole.
fn read_inventory(files: &[PathBuf], despite: bool) -> Result<Inventory, CommandError> {
    /// A thousand broken rows have a handful of causes.
    const SHOWN: usize = 50;
    let inventory = inventory::read(files)?;
    if inventory.refused.is_empty() || despite {
        return Ok(inventory);
    }
    let refused = inventory.refused.iter().take(SHOWN).map(|note| {
        let file = inventory.file(note.place).unwrap_or_default();
        let (line, column) = (note.place.line, note.column);
        format!("{file}:{line}:{column}: {}", note.reason)
    });
    let mut lines: Vec<String> = refused.collect();
    if inventory.refused.len() > SHOWN {
        lines.push(format!("and {} more", inventory.refused.len() - SHOWN));
    }
    Err(CommandError::new(Exit::Refused, lines.join("\n"))
        .hint("`mailferry inventory` on the same files says how to export each right; --despite-refusals plans without them"))
}

fn nothing_moves(draft: &Draft) -> CommandError {
    let mut rules: Vec<&str> = draft
        .estate
        .excluded
        .iter()
        .map(|excluded| excluded.rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    CommandError::new(Exit::Refused, "the inventory names no mailbox that moves").hint(
        if rules.is_empty() {
            "name files that list mailboxes; `mailferry inventory FILE...` says what each file is"
                .to_owned()
        } else {
            format!("mailboxes stay by these rules: {}", rules.join(", "))
        },
    )
}

/// The plan, its file's text, and everything found.
fn make(
    args: &PlanArgs,
    inventory: &Inventory,
    wishes: &Wishes,
    draft: &Draft,
) -> Result<(Plan, String, Vec<Finding>), CommandError> {
    let given =
        |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
    let url = || format!("https://{NOT_GIVEN_HOST}/EWS/Exchange.asmx");
    let plan = Plan {
        name: args.name.clone(),
        realm: Realm::Live,
        source: SourceEnd {
            ews_url: args.ews_url.clone().unwrap_or_else(url),
            autodiscover: None,
            found_url: String::new(),
            auth: SourceAuth {
                method: method(&args.auth)?,
                username: given(&args.username, NOT_GIVEN),
                proof: proof(args)?,
            },
            impersonate: true,
            reach: ReachPlan::default(),
        },
        target: TargetEnd {
            tenant: given(&args.tenant, NOT_GIVEN_HOST),
            client_id: given(&args.client_id, NOT_GIVEN_ID),
            credential: credential(args),
            service: Service::Global,
            route: RouteRule::Stream,
            import_api: None,
            reminders: ReminderRule::AsSource,
            reach: ReachPlan::default(),
        },
        limits: wishes.limits.clone(),
        schedule: wishes.schedule.clone(),
        actions: ActionGate::default(),
        select: SelectPlan::default(),
        screening: None,
        waves: draft.to_waves(),
    };
    let mut findings = lint(inventory, wishes, draft);
    findings.extend(findings_of(&plan));
    findings.sort();
    let text = plan.render_explained(&explain::comments(draft, inventory, &findings));
    readable(&plan)?;
    Ok((plan, text, findings))
}

/// Flags can hold what a plan may not: the head is read again, with the first mailbox. Addresses were checked one by one.
fn readable(plan: &Plan) -> Result<(), CommandError> {
    let first = plan.waves.first().map(|wave| Wave {
        mailboxes: wave.mailboxes.iter().take(1).cloned().collect(),
        ..wave.clone()
    });
    let small = Plan {
        waves: first.into_iter().collect(),
        ..plan.clone()
    };
    Plan::parse(&small.render())
        .map(|_| ())
        .map_err(|problems| {
            let reasons: Vec<String> = problems.into_iter().map(|problem| problem.reason).collect();
            CommandError::new(Exit::Refused, reasons.join("\n")).hint("correct the flags")
        })
}

fn method(word: &str) -> Result<AuthMethod, CommandError> {
    let words: Vec<&str> = AuthMethod::ALL.iter().map(|(_, word)| *word).collect();
    let found = AuthMethod::ALL.iter().find(|(_, known)| *known == word);
    found.map(|(method, _)| *method).ok_or_else(|| {
        let near = nearest(word, &words)
            .map_or_else(String::new, |word| format!("; did you mean {word}?"));
        CommandError::new(
            Exit::Usage,
            format!("--auth is one of {}{near}", words.join(", ")),
        )
    })
}

/// What proves the source account, as far as flags can say it: paths belong into the file.
fn proof(args: &PlanArgs) -> Result<Proof, CommandError> {
    let name = args.password_env.clone();
    Ok(match method(&args.auth)? {
        AuthMethod::OAuth => Proof::TokenEnv(name),
        AuthMethod::Basic | AuthMethod::Ntlm | AuthMethod::Negotiate => Proof::PasswordEnv(name),
    })
}

/// What proves the application.
fn credential(args: &PlanArgs) -> Credential {
    match &args.certificate {
        Some(path) => Credential::Certificate(CertificateFile {
            path: path.clone(),
            password_env: args.certificate_password_env.clone(),
        }),
        None => Credential::SecretEnv(args.secret_env.clone()),
    }
}

/// Ways to sign in or to connect that this build, or the service, does not have.
fn ways(plan: &Plan, say: &mut impl FnMut(Severity, &'static str, String, &'static str)) {
    if matches!(
        plan.source.auth.proof,
        Proof::Keytab(_) | Proof::TicketCache(_)
    ) && !has_kerberos()
    {
        say(
            Severity::Error,
            "source.auth",
            "Kerberos with a key table or ticket cache".to_owned(),
            "this build has no Kerberos; build it with --features kerberos, or write method = \"ntlm\"",
        );
    }
    if plan.source.reach.backend == TlsBackend::Legacy && !has_legacy_tls() {
        say(
            Severity::Error,
            "source.tls",
            "backend = \"legacy\"".to_owned(),
            "this build has no legacy TLS; build it with --features legacy-tls",
        );
    }
    if matches!(plan.target.service, Service::National(_)) {
        let remedy = if plan.target.has_import() {
            "Microsoft lists mailbox import for the worldwide cloud only; write route = \"typed\" into [target] and read `mailferry losses`"
        } else {
            "items go by their class, folders of tasks, notes and journals stay; move one mailbox first"
        };
        say(
            Severity::Warning,
            "target.cloud",
            "a national cloud".to_owned(),
            remedy,
        );
    }
}

/// What a plan file says about itself.
fn findings_of(plan: &Plan) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut say = |severity, check, evidence: String, remedy| {
        out.push(Finding {
            severity,
            check,
            mailbox: None,
            evidence,
            remedy,
        });
    };
    let missing = [
        (
            plan.source.ews_url.contains(NOT_GIVEN_HOST),
            "source.ews_url",
        ),
        (
            plan.source.auth.username == NOT_GIVEN,
            "source.auth.username",
        ),
        (plan.target.tenant == NOT_GIVEN_HOST, "target.tenant"),
        (
            plan.target.client_id == NOT_GIVEN_ID && plan.realm == Realm::Live,
            "target.client_id",
        ),
    ];
    for (is_missing, key) in missing {
        if is_missing {
            say(
                Severity::Error,
                "plan.not_given",
                format!("{key} was not given"),
                "write it into the plan, or give the flag; a rehearsal does not need it",
            );
        }
    }
    ways(plan, &mut say);
    let windows = plan
        .schedule
        .as_ref()
        .is_some_and(|schedule| !schedule.windows.is_empty());
    if windows {
        say(
            Severity::Note,
            "schedule.windows",
            "the plan has working windows".to_owned(),
            "a run begins inside one only and stops at its end",
        );
    }
    if let Some(day) = &plan.select.older_than {
        say(
            Severity::Note,
            "select.older_than",
            format!("mail received before {day} stays"),
            "each such item is counted as skipped in the balance",
        );
    }
    out
}
