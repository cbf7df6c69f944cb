//! For tests: holds requests against the OpenAPI subset of the service, names and words down to the last level.

use serde_json::Value;

/// A schema of the OpenAPI subset: its properties with the schemas they point to, and its words.
struct Schema {
    properties: Vec<(String, Option<String>)>,
    words: Vec<String>,
}

fn schema(yaml: &str, name: &str) -> Schema {
    let head = format!("    microsoft.graph.{name}:");
    let mut lines = yaml.lines().skip_while(|line| *line != head).skip(1);
    let (mut properties, mut words, mut in_words) = (Vec::new(), Vec::new(), false);
    for line in lines.by_ref().take_while(|line| line.starts_with("     ")) {
        let bare = line.trim();
        let depth = line.len() - line.trim_start().len();
        in_words = (in_words && bare.starts_with("- ")) || bare == "enum:";
        if in_words && bare != "enum:" {
            words.push(bare[2..].to_owned());
        } else if depth == 8 && bare.ends_with(':') && !bare.starts_with('^') {
            properties.push((bare.trim_end_matches(':').to_owned(), None));
        } else if depth > 8 && bare.contains("$ref:") {
            let to = bare.rsplit("microsoft.graph.").next().unwrap();
            let last: &mut (String, Option<String>) = properties.last_mut().unwrap();
            last.1 = Some(to.trim_end_matches('\'').to_owned());
        }
    }
    Schema { properties, words }
}

/// Every name of `value` is one of the schema's, down to the last level.
pub(crate) fn holds(yaml: &str, name: &str, value: &Value) {
    let name = match name {
        "recipient-create" => "recipient-create.self",
        "location-create" => "location-create.self",
        "location-update" => "location-update.self",
        "attachment-create" => "fileAttachment-create",
        other => other,
    };
    let schema = schema(yaml, name);
    match value {
        Value::Array(all) => all.iter().for_each(|one| holds(yaml, name, one)),
        Value::Object(fields) => {
            assert!(!schema.properties.is_empty(), "{name} is in the subset");
            for (field, value) in fields.iter().filter(|(field, _)| !field.contains('@')) {
                let known = schema.properties.iter().find(|(own, _)| own == field);
                let (_, to) = known.unwrap_or_else(|| panic!("{name} has no {field}"));
                if let Some(to) = to {
                    holds(yaml, to, value);
                }
            }
        }
        Value::String(word) if !schema.words.is_empty() => {
            assert!(schema.words.contains(word), "{name} has no word {word}");
        }
        _ => {}
    }
}
