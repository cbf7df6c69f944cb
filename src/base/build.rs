//! Build numbers of Exchange, in every form they are printed (reference/inventory.md section 5).

use std::fmt;

/// A build such as 15.1.2507.6; compared part by part, never as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Build {
    /// 15 for Exchange 2013 to 2019.
    pub major: u32,
    /// 1 for Exchange 2016.
    pub minor: u32,
    /// The cumulative update.
    pub build: u32,
    /// The revision: with ExSetup's file version, the security update.
    pub revision: u32,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}.{}",
            self.major, self.minor, self.build, self.revision
        )
    }
}

impl Build {
    /// Reads `15.1.2507.6`, `15.01.2507.006` and `Version 15.1 (Build 2507.6)`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("Version ").unwrap_or(text).trim();
        let (head, tail) = match text.split_once('(') {
            Some((head, tail)) => {
                let tail = tail.strip_suffix(')')?.trim();
                let tail = tail.strip_prefix("Build ").unwrap_or(tail);
                (head.trim(), Some(tail.trim()))
            }
            None => (text, None),
        };
        let mut parts = head
            .split('.')
            .chain(tail.into_iter().flat_map(|t| t.split('.')));
        let mut next = || {
            let part = parts.next()?;
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten()
        };
        let build = Self {
            major: next()?,
            minor: next()?,
            build: next()?,
            revision: next()?,
        };
        parts.next().is_none().then_some(build)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printed_form_is_the_same_build() {
        let want = Build {
            major: 15,
            minor: 1,
            build: 2507,
            revision: 6,
        };
        for text in [
            "15.1.2507.6",
            "15.01.2507.006",
            "Version 15.1 (Build 2507.6)",
            " 15.1 (Build 2507.6) ",
        ] {
            assert_eq!(Build::parse(text), Some(want), "{text}");
        }
        for text in [
            "",
            "15.1",
            "15.1.2507",
            "15.1.2507.6.1",
            "15.1 (Build 2507.6",
            "15.x.2507.6",
            "15.1.2507.99999999999",
            "Version 15.1 (Build 30...)",
        ] {
            assert_eq!(Build::parse(text), None, "{text}");
        }
    }

    #[test]
    fn builds_compare_by_number() {
        let build = |text| Build::parse(text).expect("a build");
        assert!(build("15.1.2507.9") < build("15.1.2507.17"));
        assert!(build("15.1.2375.37") < build("15.1.2507.6"));
    }
}
