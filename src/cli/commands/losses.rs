//! `mailferry losses`: the table of what the typed route does not carry as it was.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::losses::{
    self, CLASSES, ClassFate, Family, Fate, Loss, UNKNOWN_CLASS, WITHOUT_IMPORT, class_fate,
};
use crate::cli::exit::Exit;
use crate::cli::losses_args::LossesArgs;
use crate::cli::ui::Ui;

/// The schema of `losses --json`.
const SCHEMA: &str = "mailferry.losses/1";

/// Why a class is not carried.
const NO_WAY: &str =
    "Not carried by class: the service has no way for a program to create these items.";

/// Columns of a line.
const WIDTH: usize = 100;

/// Runs the command.
pub fn run(args: &LossesArgs, ui: Ui) -> Exit {
    if ui.json {
        ui.data(&to_json(&args.class).to_string());
    } else {
        ui.data(&to_text(&args.class));
    }
    Exit::Done
}

/// The families that items of these classes are carried as; every family where no class is named.
fn families(classes: &[String]) -> Vec<Family> {
    let mut out = Family::ALL.to_vec();
    if !classes.is_empty() {
        let own: Vec<Family> = classes
            .iter()
            .filter_map(|class| losses::family_of(class))
            .collect();
        out.retain(|family| own.contains(family));
    }
    out
}

/// The classes of the table that are carried as this family.
fn classes_of(family: Family) -> Vec<&'static str> {
    let own = CLASSES.iter().filter(|fate| fate.family == Some(family));
    own.map(|fate| fate.class).collect()
}

/// Classes that are not carried, each with what is said of it: those of the table, or those that are asked about.
fn left(classes: &[String]) -> Vec<(&str, &'static ClassFate)> {
    if classes.is_empty() {
        let table = CLASSES.iter().map(|fate| (fate.class, fate));
        return table.filter(|(_, fate)| fate.family.is_none()).collect();
    }
    let asked = classes.iter().map(|class| (&**class, class_fate(class)));
    asked.filter(|(_, fate)| fate.family.is_none()).collect()
}

fn to_json(classes: &[String]) -> Value {
    let line = |loss: &&Loss| json!({"what": loss.what, "fate": loss.fate.key(), "how": loss.how});
    let families: Vec<Value> = families(classes)
        .into_iter()
        .map(|family| {
            json!({
                "family": family.key(),
                "classes": classes_of(family),
                "losses": losses::of(family).iter().map(line).collect::<Vec<_>>(),
            })
        })
        .collect();
    let left: Vec<Value> = left(classes)
        .into_iter()
        .map(|(class, fate)| json!({"class": class, "what": fate.what, "advice": fate.advice}))
        .collect();
    let asked: Vec<Value> = classes
        .iter()
        .map(|class| {
            let fate = class_fate(class);
            json!({"class": class, "what": fate.what, "family": fate.family.map(Family::key)})
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "classes": asked,
        "families": families,
        "not_carried": left,
        "without_import": WITHOUT_IMPORT.iter().map(|own| json!({"what": own.what, "how": own.how})).collect::<Vec<_>>(),
        "unknown_classes": {"what": UNKNOWN_CLASS.what, "advice": UNKNOWN_CLASS.advice},
    })
}

fn to_text(classes: &[String]) -> String {
    let mut out = String::new();
    for class in classes {
        let fate = class_fate(class);
        let how = match fate.family {
            Some(family) => format!("carried as {}", family.words()),
            None => "not carried by class".to_owned(),
        };
        let _ = writeln!(out, "{class}: {}, {how}", fate.what);
    }
    for family in families(classes) {
        blank(&mut out);
        let own = classes_of(family).join(", ");
        let _ = writeln!(
            out,
            "Carried as {} ({own}, and classes below)",
            family.words()
        );
        let lines = losses::of(family);
        let mut fates: Vec<Fate> = lines.iter().map(|loss| loss.fate).collect();
        fates.dedup();
        for fate in fates {
            let _ = writeln!(out, "  {}", fate.words());
            for loss in lines.iter().filter(|loss| loss.fate == fate) {
                wrapped(&mut out, "    - ", loss.what);
                wrapped(&mut out, "        ", loss.how);
            }
        }
    }
    let left = left(classes);
    if !left.is_empty() {
        blank(&mut out);
        let _ = writeln!(out, "{NO_WAY}");
    }
    for (class, fate) in left {
        wrapped(&mut out, "  - ", &format!("{class}: {}", fate.what));
        wrapped(&mut out, "      ", fate.advice);
    }
    if classes.is_empty() {
        wrapped(
            &mut out,
            "  - ",
            &format!("any other class: {}", UNKNOWN_CLASS.what),
        );
        wrapped(&mut out, "      ", UNKNOWN_CLASS.advice);
        out.push_str("\nFolders where the cloud has no mailbox import (import_api = false, national clouds)\n");
        for own in WITHOUT_IMPORT {
            wrapped(&mut out, "    - ", own.what);
            wrapped(&mut out, "        ", own.how);
        }
    }
    out
}

fn blank(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

/// A text behind a lead; what does not fit goes on below the text's begin.
fn wrapped(out: &mut String, lead: &str, text: &str) {
    let mut at = 0;
    for word in text.split(' ') {
        if at == 0 {
            out.push_str(lead);
            at = lead.len();
        } else if at + 1 + word.len() > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(lead.len()));
            at = lead.len();
        } else {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += word.len();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::losses::LOSSES;

    fn named(classes: &[&str]) -> Vec<String> {
        classes.iter().map(|class| (*class).to_owned()).collect()
    }

    /// The text with its lines joined, as wrapping must not hide a sentence.
    fn plain(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_whole_table_is_told() {
        let text = to_text(&[]);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        let (text, json) = (plain(&text), to_json(&[]).to_string());
        for loss in LOSSES {
            assert!(
                text.contains(loss.what) && text.contains(loss.how),
                "{loss:?}"
            );
        }
        for fate in CLASSES {
            assert!(text.contains(fate.class), "{}", fate.class);
            assert!(text.contains(fate.advice), "{}", fate.class);
            assert!(
                json.contains(&format!("\"{}\"", fate.class)),
                "{}",
                fate.class
            );
        }
        assert!(text.contains(UNKNOWN_CLASS.what));
        for own in WITHOUT_IMPORT {
            assert!(text.contains(own.what) && text.contains(own.how), "{own:?}");
            assert!(json.contains(own.what), "{own:?}");
        }
    }

    #[test]
    fn a_class_is_told_of_what_it_becomes_and_of_nothing_else() {
        let asked = named(&["ipm.contact.x", "IPM.Task", "IPM.Mystery"]);
        let text = to_text(&asked);
        assert!(text.starts_with("ipm.contact.x: contacts, carried as contacts\nIPM.Task: tasks, not carried by class\n"), "{text}");
        assert!(
            !text.contains("Carried as mail") && !text.contains("IPM.StickyNote"),
            "{text}"
        );
        assert!(plain(&text).contains(UNKNOWN_CLASS.advice), "{text}");
        let json = to_json(&asked);
        assert_eq!(json["schema"], "mailferry.losses/1");
        assert_eq!(json["families"].as_array().map(Vec::len), Some(1));
        assert_eq!(json["families"][0]["family"], "contact");
        assert_eq!(json["families"][0]["losses"][0]["fate"], "lost");
        assert_eq!(json["classes"][1]["family"], Value::Null);
        assert_eq!(json["not_carried"][0]["class"], "IPM.Task");
        assert_eq!(json["not_carried"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_class_that_is_carried_needs_no_advice() {
        let text = to_text(&named(&["IPM.Note"]));
        assert!(!text.contains(NO_WAY), "{text}");
        let mail: Vec<Family> = families(&named(&["IPM.Note", "REPORT.IPM.Note.NDR"]));
        assert_eq!(mail, [Family::Message]);
    }
}
