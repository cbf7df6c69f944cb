//! What a person must decide about: ids that stay the same as long as the evidence does, and the decisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::sheet::Fault;

/// A decision of a person about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The finding.
    pub id: String,
    /// Who decided.
    pub by: String,
    /// Why.
    pub note: String,
    /// When, RFC 3339.
    pub at: String,
}

/// The id of a finding: a word, and eight hexadecimal digits over what was found. Other evidence is another finding, and no old decision covers it.
pub fn id(word: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.to_lowercase().as_bytes());
    }
    let digest = hash.finalize();
    let [a, b, c, d] = [digest[0], digest[1], digest[2], digest[3]];
    format!("{word}-{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// Reads a file of decisions, one JSON object a line. The last word about a finding counts.
pub fn parse_decisions(text: &str) -> Result<BTreeMap<String, Decision>, Fault> {
    let mut out = BTreeMap::new();
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let decision: Decision = serde_json::from_str(line)
            .map_err(|_| Fault::at(n as u64 + 1, "not a decision: id, by, note, at"))?;
        if decision.by.trim().is_empty() || decision.note.trim().is_empty() {
            return Err(Fault::at(
                n as u64 + 1,
                "a decision needs a name and a note",
            ));
        }
        out.insert(decision.id.clone(), decision);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_holds_only_for_the_evidence_it_was_made_about() {
        let one = id("M2", &["a@clinic.example", "sends to x@evil.example"]);
        assert_eq!(
            one,
            id("M2", &["A@clinic.example", "sends to x@evil.example"])
        );
        assert_ne!(
            one,
            id("M2", &["a@clinic.example", "sends to y@evil.example"])
        );
        assert_ne!(id("M2", &["ab", "c"]), id("M2", &["a", "bc"]));
        let line = r#"{"id":"M2-1","by":"A","note":"ours","at":"2026-11-26T00:00:00Z"}"#;
        assert_eq!(parse_decisions(line).expect("one")["M2-1"].by, "A");
        assert_eq!(parse_decisions("\n{}").expect_err("no id").line, 2);
        let nobody = line.replace("\"A\"", "\" \"");
        assert!(parse_decisions(&nobody).is_err());
    }
}
