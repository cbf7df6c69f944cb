//! When the source stood open to attacks that were known to be used: windows in days, and what falls into them.

use jiff::civil::Date;

use super::rule::State;
use super::server::Server;

/// A stretch of days, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// Why: CVE numbers, or who says so.
    pub why: Vec<String>,
}

impl Window {
    /// True when the day is in it.
    pub fn holds(&self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }

    /// Reads `2021-03-02..2021-08-31`.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once("..")?;
        let window = Self {
            from: from.trim().parse().ok()?,
            to: to.trim().parse().ok()?,
            why: vec!["stated by the operator".to_owned()],
        };
        (window.from <= window.to).then_some(window)
    }
}

/// The windows in which a vulnerability that is known to be used was open on some server, joined where they touch. Only what is certain: a
/// vulnerability that is open now, or one whose end an update log tells.
pub fn windows(servers: &[Server], today: Date) -> Vec<Window> {
    let mut all: Vec<Window> = Vec::new();
    for server in servers {
        let open = server.exploited(State::Vulnerable);
        let ended = server.exploited(State::Fixed);
        let other = server.exploited(State::ActionUnknown);
        for verdict in open.chain(ended).chain(other) {
            let to = match verdict.state {
                State::Vulnerable => today,
                _ => match verdict.until {
                    Some(end) => end,
                    None => continue,
                },
            };
            if verdict.since <= to {
                all.push(Window {
                    from: verdict.since,
                    to,
                    why: vec![verdict.cve.clone()],
                });
            }
        }
    }
    all.sort();
    let mut out: Vec<Window> = Vec::new();
    for next in all {
        match out.last_mut() {
            Some(last) if next.from <= last.to => {
                last.to = last.to.max(next.to);
                last.why.extend(next.why);
                last.why.sort();
                last.why.dedup();
            }
            _ => out.push(next),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_and_holds_both_its_ends() {
        let window = Window::parse("2021-03-02..2021-08-31").expect("a window");
        assert!(window.holds(window.from) && window.holds(window.to));
        assert!(!window.holds(jiff::civil::date(2021, 9, 1)));
        assert_eq!(Window::parse("2021-08-31..2021-03-02"), None);
        assert_eq!(Window::parse("2021-08-31"), None);
    }
}
