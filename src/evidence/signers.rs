//! Whose key is whose: the `allowed_signers` file of OpenSSH (ssh-keygen(1), ALLOWED SIGNERS). It is the customer's file; what a signature counts
//! for, it says.
//!
//! Read strictly: a line that is not understood refuses the file, since a signer passed over in silence could be the one that matters. Not read:
//! certificate authorities.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use thiserror::Error;

use crate::base::quantity::Moment;

/// A file larger than this is none: ten thousand signers take about 2 MB.
pub const FILE_MAX: usize = 4_000_000;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Names or patterns of names.
    principals: Vec<String>,
    /// What the key may sign; `None` for anything.
    namespaces: Option<Vec<String>>,
    /// Not before.
    after: Option<Moment>,
    /// Not at or after.
    before: Option<Moment>,
    /// The key.
    key: KeyData,
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers(Vec<Signer>);

/// What is wrong with the file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {why}")]
pub struct SignersFault {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Signers {
    /// Reads a file. Times without a zone are taken in `zone`, as OpenSSH takes them in the local one.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, SignersFault> {
        if text.len() > FILE_MAX {
            let why = "the file is too large";
            return Err(SignersFault { line: 1, why });
        }
        let mut out = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let signer = signer(line, zone).map_err(|why| SignersFault { line: at + 1, why })?;
            out.push(signer);
        }
        Ok(Self(out))
    }

    /// The names whose key this is, for that purpose and at that time. Patterns with wildcards name nobody in particular and are left out.
    pub fn names(&self, key: &KeyData, namespace: &str, at: Moment) -> Vec<&str> {
        self.0
            .iter()
            .filter(|signer| signer.may(key, namespace, at))
            .flat_map(|signer| &signer.principals)
            .map(String::as_str)
            .filter(|name| !name.contains(['*', '?', '!']))
            .collect()
    }

    /// True when the file says that this is a key of `name`.
    pub fn knows(&self, name: &str, key: &KeyData, namespace: &str, at: Moment) -> bool {
        self.0
            .iter()
            .any(|signer| signer.may(key, namespace, at) && in_list(name, &signer.principals))
    }

    /// How many lines name a key.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Signer {
    fn may(&self, key: &KeyData, namespace: &str, at: Moment) -> bool {
        self.key == *key
            && self.after.is_none_or(|after| at >= after)
            && self.before.is_none_or(|before| at < before)
            && self
                .namespaces
                .as_ref()
                .is_none_or(|list| in_list(namespace, list))
    }
}

/// As `match_pattern_list` of OpenSSH: some pattern matches, and no negated one does.
fn in_list(name: &str, patterns: &[String]) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(name.as_bytes(), pattern.as_bytes()) => return false,
            None if matches(name.as_bytes(), pattern.as_bytes()) => found = true,
            _ => {}
        }
    }
    found
}

/// `*` for any text, `?` for any one byte. Greedy with one place to come back to: linear in pattern times name.
fn matches(name: &[u8], pattern: &[u8]) -> bool {
    let (mut n, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((n, p));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                n += 1;
                p += 1;
            }
            _ => match back {
                Some((at, star)) => {
                    back = Some((at + 1, star));
                    n = at + 1;
                    p = star + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

fn signer(line: &str, zone: &TimeZone) -> Result<Signer, &'static str> {
    let (principals, rest) = word(line).ok_or("no principals")?;
    let principals = list(&principals).ok_or("no principals")?;
    let mut out = Signer {
        principals,
        namespaces: None,
        after: None,
        before: None,
        // Replaced below; a signer without a key is never returned.
        key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
    };
    let is_key = |text: &str| {
        let kind = text.split_ascii_whitespace().next().unwrap_or_default();
        kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-")
    };
    let rest = if is_key(rest) {
        rest
    } else {
        let (options, rest) = word(rest).ok_or("no key")?;
        read_options(&options, &mut out, zone)?;
        rest
    };
    let mut parts = rest.split_ascii_whitespace();
    let (Some(kind), Some(body)) = (parts.next(), parts.next()) else {
        return Err("no key");
    };
    let key = PublicKey::from_openssh(&format!("{kind} {body}")).map_err(|_| "no readable key")?;
    out.key = key.key_data().clone();
    Ok(out)
}

/// The first word of a line and what follows. Blanks inside double quotes do not end it; the quotes around a whole word fall off.
fn word(line: &str) -> Option<(String, &str)> {
    let mut quoted = false;
    let line = line.trim_start();
    let end = line
        .char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && c.is_ascii_whitespace()
        })
        .map_or(line.len(), |(at, _)| at);
    let (word, rest) = line.split_at(end);
    let bare = word
        .strip_prefix('"')
        .and_then(|word| word.strip_suffix('"'))
        .filter(|word| !word.contains('"'))
        .unwrap_or(word);
    (!bare.is_empty()).then(|| (bare.to_owned(), rest.trim_start()))
}

fn list(text: &str) -> Option<Vec<String>> {
    let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
    let whole = parts.iter().all(|part| !part.is_empty() && part != "!");
    whole.then_some(parts)
}

fn read_options(options: &str, signer: &mut Signer, zone: &TimeZone) -> Result<(), &'static str> {
    for option in split_options(options)? {
        let (name, value) = option.split_once('=').unwrap_or((option.as_str(), ""));
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        match name.to_ascii_lowercase().as_str() {
            "namespaces" => {
                signer.namespaces = Some(list(value).ok_or("namespaces without a name")?);
            }
            "valid-after" => {
                signer.after = Some(moment(value, zone).ok_or("valid-after is no time")?);
            }
            "valid-before" => {
                signer.before = Some(moment(value, zone).ok_or("valid-before is no time")?);
            }
            "cert-authority" => return Err("certificate authorities are not read; name the key"),
            _ => return Err("an option that is not known here"),
        }
    }
    Ok(())
}

/// Options are separated by commas outside quotes.
fn split_options(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut out, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        quoted ^= c == '"';
        if c == ',' && !quoted {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    if quoted {
        return Err("a quote is not closed");
    }
    Ok(out)
}

/// `YYYYMMDD[HHMM[SS]][Z]`.
fn moment(text: &str, zone: &TimeZone) -> Option<Moment> {
    let (digits, zone) = match text.strip_suffix('Z') {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, zone.clone()),
    };
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| {
        digits
            .get(at..at + 2)
            .map_or(Some(0), |part| part.parse::<i8>().ok())
    };
    let time = DateTime::new(
        digits[..4].parse().ok()?,
        two(4)?,
        two(6)?,
        two(8)?,
        two(10)?,
        two(12)?,
        0,
    )
    .ok()?;
    let at = zone.to_zoned(time).ok()?;
    Some(Moment::from_unix_ms(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpJ4V6P0Vdh+Yb1zk3kq2C1Ue4N0q0y8b7oBq0nY2q1";

    fn key() -> KeyData {
        PublicKey::from_openssh(KEY).unwrap().key_data().clone()
    }

    fn parse(text: &str) -> Result<Signers, SignersFault> {
        Signers::parse(text, &TimeZone::UTC)
    }

    const NOW: Moment = Moment::from_unix_ms(1_790_000_000_000);

    #[test]
    fn names_namespaces_and_times_are_kept_to() {
        let text = format!(
            "# the clinic\n\nada@clinic.example,\"x\" {KEY} comment\n\"B. Okafor\" namespaces=\"mailferry-pack,git\",valid-after=\"20260101\" {KEY}\n\
             *@other.example,!eve@other.example valid-before=\"20250101Z\" {KEY}\n"
        );
        let signers = parse(&text).unwrap();
        assert_eq!(signers.len(), 3);
        let names = |ns| signers.names(&key(), ns, NOW);
        assert!(
            names("mailferry-pack").contains(&"B. Okafor"),
            "{:?}",
            names("mailferry-pack")
        );
        assert!(!names("else").contains(&"B. Okafor"));
        assert!(names("else").contains(&"ada@clinic.example"));
        let knows = |name, at| signers.knows(name, &key(), "n", at);
        assert!(!knows("eva@other.example", NOW), "its time is over");
        assert!(knows("eva@other.example", Moment::from_unix_ms(0)));
        assert!(!knows("eve@other.example", Moment::from_unix_ms(0)));
    }

    #[test]
    fn a_line_that_is_not_understood_refuses_the_file() {
        for (text, why) in [
            ("ada", "no key"),
            ("ada ssh-ed25519 AAAA", "no readable key"),
            (
                &format!("ada cert-authority {KEY}"),
                "certificate authorities are not read; name the key",
            ),
            (
                &format!("ada magic {KEY}"),
                "an option that is not known here",
            ),
            (
                &format!("ada valid-after=\"2026\" {KEY}"),
                "valid-after is no time",
            ),
            (&format!("ada,, {KEY}"), "no principals"),
        ] {
            assert_eq!(parse(text), Err(SignersFault { line: 1, why }), "{text}");
        }
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (name, pattern, want) in [
            ("ada@x", "*@x", true),
            ("ada@x", "a?a@*", true),
            ("ada@x", "a?@*", false),
            ("", "*", true),
            ("aaaaab", "*a*b", true),
            ("ada", "ada?", false),
        ] {
            assert_eq!(
                matches(name.as_bytes(), pattern.as_bytes()),
                want,
                "{name} {pattern}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z\"!,= *0-9Z-]{0,80}") {
            let _ = parse(&text);
            let _ = parse(&format!("{text} {KEY}"));
            let _ = moment(&text, &TimeZone::UTC);
        }
    }
}
