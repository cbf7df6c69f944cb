//! `mailferry plan`: from a list of mailboxes to a plan file; `--check` lints one.

use std::fmt::Write as _;

use std::path::Path;

use serde_json::{Value, json};

use crate::base::quantity::Count;
use crate::base::spec::{Realm, RunLimits};
use crate::cli::args::PlanArgs;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans;
use crate::cli::ui::Ui;
use crate::plan::document::{
    AuthMethod, Credential, Pair, Plan, SelectPlan, Service, SourceAuth, SourceEnd, TargetEnd, Wave,
};
use crate::plan::pairs;
use crate::plan::problem::nearest;

/// The schema of `plan --json`.
const SCHEMA: &str = "mailferry.plan-summary/1";

/// Something about a plan that is allowed and should be known before a run.
struct Finding {
    check: &'static str,
    evidence: String,
    remedy: &'static str,
}

/// Runs the command.
pub fn run(args: &PlanArgs, ui: Ui) -> Result<Exit, CommandError> {
    if let Some(path) = &args.check {
        let plan = plans::read(path)?;
        conclude(&plan, path, ui);
        return Ok(Exit::Done);
    }
    let Some(list) = &args.pairs else {
        return Err(CommandError::new(Exit::Usage, "no list of mailboxes"));
    };
    let plan = make(args, list, ui)?;
    let text = plan.render();
    // What was made is read again: flags can hold what a plan may not.
    let plan = Plan::parse(&text).map_err(|problems| {
        let reasons: Vec<String> = problems.into_iter().map(|problem| problem.reason).collect();
        CommandError::new(Exit::Refused, reasons.join("\n")).hint("correct the flags")
    })?;
    match &args.out {
        Some(out) => {
            if out.exists() {
                return Err(CommandError::new(
                    Exit::Refused,
                    format!("{} is there already", out.display()),
                )
                .hint("a plan in use must not change: write to another file, or remove this one"));
            }
            std::fs::write(out, &text).map_err(|error| CommandError::file(out, &error))?;
            conclude(&plan, out, ui);
        }
        None if ui.json => conclude(&plan, Path::new("-"), ui),
        None => ui.data(&text),
    }
    Ok(Exit::Done)
}

fn make(args: &PlanArgs, list: &Path, ui: Ui) -> Result<Plan, CommandError> {
    let bytes = std::fs::read(list).map_err(|error| {
        CommandError::file(list, &error).hint("name a CSV file with a header `source,target`")
    })?;
    let pairs = pairs::parse(&bytes)
        .map_err(|problems| CommandError::problems(&list.display().to_string(), &problems))?;
    if !pairs.ignored.is_empty() {
        ui.say(&format!("not read: column {}", pairs.ignored.join(", ")));
    }
    let words: Vec<&str> = AuthMethod::ALL.iter().map(|(_, word)| *word).collect();
    let method = AuthMethod::ALL
        .iter()
        .find(|(_, word)| *word == args.auth)
        .map(|(method, _)| *method)
        .ok_or_else(|| {
            let near = nearest(&args.auth, &words)
                .map_or_else(String::new, |word| format!("; did you mean {word}?"));
            CommandError::new(
                Exit::Usage,
                format!("--auth is one of {}{near}", words.join(", ")),
            )
        })?;
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    Ok(Plan {
        name: args.name.clone(),
        realm: Realm::Live,
        source: SourceEnd {
            ews_url: given(&args.ews_url),
            auth: SourceAuth {
                method,
                username: given(&args.username),
                password_env: args.password_env.clone(),
            },
            impersonate: true,
        },
        target: TargetEnd {
            tenant: given(&args.tenant),
            client_id: given(&args.client_id),
            credential: Credential::SecretEnv(args.secret_env.clone()),
            service: Service::Global,
        },
        limits: RunLimits::default(),
        schedule: None,
        select: SelectPlan::default(),
        waves: waves(&pairs.pairs, args.wave_size),
    })
}

fn waves(pairs: &[Pair], size: Option<u32>) -> Vec<Wave> {
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(pairs.len())
        .max(1);
    let one = pairs.len() <= size;
    pairs
        .chunks(size)
        .enumerate()
        .map(|(at, chunk)| Wave {
            name: if one {
                "all".to_owned()
            } else {
                format!("wave-{}", at + 1)
            },
            not_before: None,
            mailboxes: chunk.to_vec(),
        })
        .collect()
}

/// Says what the plan is.
fn conclude(plan: &Plan, path: &Path, ui: Ui) {
    let findings = findings(plan);
    if ui.json {
        ui.data(&to_json(plan, &findings).to_string());
        return;
    }
    let mailboxes = Count::new(plan.jobs().len() as u64);
    let waves = Count::new(plan.waves.len() as u64);
    let realm = match plan.realm {
        Realm::Live => "live",
        Realm::Rehearsal => "rehearsal",
    };
    let mut text = format!(
        "{}: plan {} ({realm}), {mailboxes} mailboxes in {waves} waves\nhash {}\n",
        path.display(),
        plan.name,
        plan.hash()
    );
    for finding in &findings {
        writeln!(
            text,
            "note ({}): {}; {}",
            finding.check, finding.evidence, finding.remedy
        )
        .expect("a string grows");
    }
    writeln!(text, "next: mailferry run {}", path.display()).expect("a string grows");
    ui.data(&text);
}

fn findings(plan: &Plan) -> Vec<Finding> {
    let mut out = Vec::new();
    if plan.source.auth.method != AuthMethod::Basic {
        out.push(Finding {
            check: "source.auth",
            evidence: format!("method {}", plan.source.auth.method.word()),
            remedy: "this version signs in by basic authentication only",
        });
    }
    if matches!(plan.target.credential, Credential::Certificate(_)) {
        out.push(Finding {
            check: "target.credential",
            evidence: "a certificate".to_owned(),
            remedy: "this version signs in by client secret only",
        });
    }
    if plan
        .schedule
        .as_ref()
        .is_some_and(|schedule| !schedule.windows.is_empty())
    {
        out.push(Finding {
            check: "schedule.windows",
            evidence: "the plan has working windows".to_owned(),
            remedy: "a run begins inside one only and stops at its end",
        });
    }
    if let Some(day) = &plan.select.older_than {
        out.push(Finding {
            check: "select.older_than",
            evidence: format!("mail received before {day} stays"),
            remedy: "each such item is counted as skipped in the balance",
        });
    }
    out
}

fn to_json(plan: &Plan, findings: &[Finding]) -> Value {
    let waves: Vec<Value> = plan
        .waves
        .iter()
        .map(|wave| {
            let mailboxes: Vec<&str> = wave
                .mailboxes
                .iter()
                .map(|pair| pair.source.reveal())
                .collect();
            json!({
                "name": wave.name,
                "not_before": wave.not_before,
                "nights": [],
                "mailboxes": mailboxes,
                // Without an inventory nobody knows the sizes, and a made-up forecast would be read as a promise.
                "hours": Value::Null,
            })
        })
        .collect();
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "severity": "note",
                "check": finding.check,
                "mailbox": Value::Null,
                "evidence": finding.evidence,
                "remedy": finding.remedy,
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "name": plan.name,
        "hash": plan.hash().as_str(),
        "mailboxes": plan.jobs().len(),
        "waves": waves,
        "cuts": [],
        "excluded": [],
        "findings": findings,
    })
}
