//! What is wrong with an input file: where it stands and why, one line each.

use std::fmt;

/// One reason to refuse an input. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// In which line.
    pub line: usize,
    /// At which character of the line.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Problem {
    /// A problem at a byte offset of `text`.
    pub fn at(text: &str, offset: usize, reason: impl Into<String>) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason: reason.into(),
        }
    }

    /// The problem with the file's name in front, as compilers print it: `plan.toml:3:7: reason`.
    pub fn in_file(&self, file: &str) -> String {
        format!("{file}:{self}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.reason)
    }
}

/// The known word nearest to `word`, where one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let wanted = word.to_ascii_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, candidate), *candidate))
        // A third of the letters may be wrong; more is another word.
        .filter(|(distance, candidate)| distance * 3 <= candidate.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a\nbé=ü\n";
        assert_eq!(Problem::at(text, 0, "x").to_string(), "1:1: x");
        assert_eq!(Problem::at(text, 5, "x").to_string(), "2:3: x");
        assert_eq!(Problem::at(text, 4, "x").to_string(), "2:2: x");
        assert_eq!(
            Problem::at(text, 999, "x").in_file("p.toml"),
            "p.toml:3:1: x"
        );
    }

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let known = ["ews_url", "auth", "impersonate"];
        assert_eq!(nearest("ews_ulr", &known), Some("ews_url"));
        assert_eq!(nearest("Impersonat", &known), Some("impersonate"));
        assert_eq!(nearest("password", &known), None);
    }
}
