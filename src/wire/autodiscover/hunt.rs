//! The search for a mailbox's EWS URL as a machine without I/O: it says what to ask next, is told what came, and ends with a URL or with what
//! stood in the way.
//!
//! ```text
//!  https://DOMAIN/autodiscover/autodiscover.svc, .xml
//!      | 401, 404, nobody there: not final
//!      v
//!  https://autodiscover.DOMAIN/autodiscover/autodiscover.svc, .xml
//!      |
//!      v
//!  http://autodiscover.DOMAIN/autodiscover/autodiscover.xml    a GET without credentials, for its redirect alone
//!      |
//!      v
//!  SRV _autodiscover._tcp.DOMAIN                                not looked up: it needs a resolver of its own; said so
//! ```
//!
//! The service connection point of Active Directory comes first in Outlook; it needs LDAP and a machine of the domain, and is left out. Credentials
//! go over https only, and only to a host of the domain asked about or one the plan names: a redirect elsewhere is refused by name, and so is an EWS
//! URL elsewhere. Redirects are followed ten times at most, and no place is asked twice about the same address.

use std::collections::{BTreeSet, VecDeque};

use crate::wire::autodiscover::reply::Reply;

/// Redirects followed in one search (Microsoft's clients stop at ten).
pub const REDIRECTS_MAX: u32 = 10;

/// Which form of the service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// GetUserSettings.
    Soap,
    /// Plain XML.
    Pox,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Post a request about `mailbox` to `url`, with credentials, over https.
    Ask {
        /// How.
        form: Form,
        /// Where.
        url: String,
        /// About whom.
        mailbox: String,
    },
    /// Get `url` in clear and without credentials; only the Location of its answer counts.
    Knock {
        /// Where.
        url: String,
    },
    /// It is over.
    Done(Outcome),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The EWS URL.
    Found {
        /// The URL.
        ews_url: String,
        /// The place that said so.
        said_by: String,
    },
    /// It leads to a host nobody allowed.
    Elsewhere {
        /// Which host.
        host: String,
        /// The place that leads there.
        said_by: String,
    },
    /// Nobody knows.
    Nowhere,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A document, read.
    Reply(Reply),
    /// A redirect of HTTP, with its Location.
    Redirect(String),
    /// Another answer, by its status.
    Status(u16),
    /// No answer; why, in a few words.
    NoAnswer(String),
}

/// A place that was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Where.
    pub url: String,
    /// What came.
    pub what: String,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Hunt {
    mailbox: String,
    /// The domain of the plan, in lower case.
    domain: String,
    /// Hosts the plan allows besides, in lower case.
    hosts: Vec<String>,
    waiting: VecDeque<Place>,
    asked: BTreeSet<(Form, String, String)>,
    redirects: u32,
    now: Option<Place>,
    elsewhere: Option<Outcome>,
    tried: Vec<Tried>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Ask(Form, String),
    Knock(String),
}

impl Place {
    fn url(&self) -> &str {
        match self {
            Self::Ask(_, url) | Self::Knock(url) => url,
        }
    }
}

impl Hunt {
    /// A search for the EWS of `mailbox`. `domain` is what the plan names; `hosts` are hosts it allows besides that domain's own.
    pub fn new(mailbox: &str, domain: &str, hosts: &[String]) -> Self {
        let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
        let mut hunt = Self {
            mailbox: mailbox.to_owned(),
            waiting: VecDeque::new(),
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            asked: BTreeSet::new(),
            redirects: 0,
            now: None,
            elsewhere: None,
            tried: Vec::new(),
            domain: domain.clone(),
        };
        hunt.candidates(&domain);
        hunt
    }

    /// Asks one place alone, in both forms: a service the operator names (`host:port` for a lab).
    #[must_use]
    pub fn at(mut self, base: &str) -> Self {
        self.waiting.clear();
        self.both(base);
        self
    }

    fn candidates(&mut self, domain: &str) {
        self.both(&format!("https://{domain}"));
        self.both(&format!("https://autodiscover.{domain}"));
        self.waiting.push_back(Place::Knock(format!(
            "http://autodiscover.{domain}/autodiscover/autodiscover.xml"
        )));
    }

    fn both(&mut self, base: &str) {
        for (form, name) in [(Form::Soap, "svc"), (Form::Pox, "xml")] {
            let url = format!("{base}/autodiscover/autodiscover.{name}");
            self.waiting.push_back(Place::Ask(form, url));
        }
    }

    /// What to do next. Call [`Self::hear`] with what came of it.
    pub fn step(&mut self) -> Step {
        while let Some(place) = self.waiting.pop_front() {
            if let Place::Ask(form, url) = &place {
                let key = (
                    *form,
                    url.to_ascii_lowercase(),
                    self.mailbox.to_ascii_lowercase(),
                );
                if !self.asked.insert(key) {
                    continue;
                }
            }
            self.now = Some(place.clone());
            return match place {
                Place::Ask(form, url) => Step::Ask {
                    form,
                    url,
                    mailbox: self.mailbox.clone(),
                },
                Place::Knock(url) => Step::Knock { url },
            };
        }
        Step::Done(self.elsewhere.clone().unwrap_or(Outcome::Nowhere))
    }

    /// Takes what came of the step. An end that is sure is returned at once; else ask for the next step.
    pub fn hear(&mut self, heard: Heard) -> Option<Outcome> {
        let place = self.now.take()?;
        let url = place.url().to_owned();
        let said = describe(&heard);
        self.tried.push(Tried {
            url: url.clone(),
            what: said,
        });
        match heard {
            Heard::Reply(Reply::Ews(ews)) if matches!(place, Place::Ask(..)) => {
                return self.found(&ews, &url);
            }
            Heard::Reply(Reply::RedirectAddress(to)) if matches!(place, Place::Ask(..)) => {
                self.other_address(&to, &url);
            }
            Heard::Reply(Reply::RedirectUrl(to)) if matches!(place, Place::Ask(..)) => {
                self.other_place(&to, &url, None);
            }
            Heard::Redirect(to) => {
                let form = match &place {
                    Place::Ask(form, _) => Some(*form),
                    Place::Knock(_) => None,
                };
                self.other_place(&to, &url, form);
            }
            // One candidate that refuses is not the last word (a web server at the domain's root answers anything).
            Heard::Reply(_) | Heard::Status(_) | Heard::NoAnswer(_) => {}
        }
        None
    }

    /// Every place that was asked.
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }

    fn found(&mut self, ews: &str, by: &str) -> Option<Outcome> {
        match self.trusted(ews) {
            Some(Ok(())) => Some(Outcome::Found {
                ews_url: ews.to_owned(),
                said_by: by.to_owned(),
            }),
            Some(Err(host)) => {
                self.note_elsewhere(host, by);
                None
            }
            None => None,
        }
    }

    /// A new address begins the search anew, where its domain may be asked.
    fn other_address(&mut self, to: &str, by: &str) {
        let Some((_, domain)) = to.rsplit_once('@') else {
            return;
        };
        let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
        if !plain_host(&domain) || !self.spend() {
            return;
        }
        if !self.knows(&domain) {
            self.note_elsewhere(domain, by);
            return;
        }
        to.clone_into(&mut self.mailbox);
        self.waiting.clear();
        // The place that redirects may well be the one that knows.
        if let Some(base) = by.find("/autodiscover/").map(|end| by[..end].to_owned())
            && by.starts_with("https://")
        {
            self.both(&base);
        }
        self.candidates(&domain);
    }

    /// Another place is asked next, in the form its name or the redirect says.
    fn other_place(&mut self, to: &str, by: &str, form: Option<Form>) {
        if !self.spend() {
            return;
        }
        match self.trusted(to) {
            Some(Ok(())) => {
                let by_name = if to.to_ascii_lowercase().ends_with(".svc") {
                    Form::Soap
                } else {
                    Form::Pox
                };
                let next = Place::Ask(form.unwrap_or(by_name), to.to_owned());
                self.waiting.push_front(next);
            }
            Some(Err(host)) => self.note_elsewhere(host, by),
            // Not https, or no URL: nothing is sent there.
            None => {}
        }
    }

    /// Takes one redirect out of what is left.
    fn spend(&mut self) -> bool {
        self.redirects += 1;
        self.redirects <= REDIRECTS_MAX
    }

    fn note_elsewhere(&mut self, host: String, by: &str) {
        self.elsewhere.get_or_insert(Outcome::Elsewhere {
            host,
            said_by: by.to_owned(),
        });
    }

    /// Whether credentials may go to this URL: `None` where it is none of https.
    fn trusted(&self, url: &str) -> Option<Result<(), String>> {
        let host = https_host(url)?;
        Some(if self.knows(&host) { Ok(()) } else { Err(host) })
    }

    /// A host of the plan's domain, or one the plan names.
    fn knows(&self, host: &str) -> bool {
        let own = host
            .strip_suffix(self.domain.as_str())
            .is_some_and(|head| head.is_empty() || head.ends_with('.'));
        own || self.hosts.iter().any(|allowed| allowed == host)
    }
}

/// The host of an https URL, in lower case, without its port; `None` for anything else, credentials in the URL among it.
pub fn https_host(url: &str) -> Option<String> {
    let rest = url
        .get(..8)
        .filter(|head| head.eq_ignore_ascii_case("https://"))
        .map(|_| &url[8..])?;
    let place = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let host = match place.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => place,
    };
    let host = host.to_ascii_lowercase();
    plain_host(&host).then_some(host)
}

fn plain_host(host: &str) -> bool {
    !host.is_empty()
        && !host.starts_with(['.', '-'])
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
}

fn describe(heard: &Heard) -> String {
    match heard {
        Heard::Reply(Reply::Ews(_)) => "an EWS URL".to_owned(),
        Heard::Reply(Reply::RedirectAddress(_)) => "another address".to_owned(),
        Heard::Reply(Reply::RedirectUrl(_)) | Heard::Redirect(_) => "another place".to_owned(),
        Heard::Reply(Reply::Refused(Some(code))) => format!("{code}"),
        Heard::Reply(Reply::Refused(None)) => "no EWS".to_owned(),
        Heard::Reply(Reply::Unreadable) => "no Autodiscover reply".to_owned(),
        Heard::Status(status) => format!("HTTP {status}"),
        Heard::NoAnswer(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hunt() -> Hunt {
        Hunt::new(
            "a@clinic.example",
            "Clinic.Example.",
            &["mx.host.example".to_owned()],
        )
    }

    fn url_of(step: &Step) -> String {
        match step {
            Step::Ask { url, .. } | Step::Knock { url } => url.clone(),
            Step::Done(_) => String::new(),
        }
    }

    /// Answers steps from a script of (part of URL, what comes), everything else is not there.
    fn go(hunt: &mut Hunt, script: &[(&str, Heard)]) -> (Outcome, Vec<String>) {
        let mut asked = Vec::new();
        for _ in 0..200 {
            let step = hunt.step();
            if let Step::Done(outcome) = step {
                return (outcome, asked);
            }
            let url = url_of(&step);
            let heard = script
                .iter()
                .find(|(part, _)| url.contains(part))
                .map_or(Heard::Status(404), |(_, heard)| heard.clone());
            asked.push(url);
            if let Some(outcome) = hunt.hear(heard) {
                return (outcome, asked);
            }
        }
        panic!("it does not end: {asked:?}");
    }

    fn ews(url: &str) -> Heard {
        Heard::Reply(Reply::Ews(url.to_owned()))
    }

    #[test]
    fn candidates_come_in_their_order_and_one_refusal_is_not_final() {
        let (outcome, asked) = go(&mut hunt(), &[]);
        assert_eq!(outcome, Outcome::Nowhere);
        assert_eq!(
            asked,
            [
                "https://clinic.example/autodiscover/autodiscover.svc",
                "https://clinic.example/autodiscover/autodiscover.xml",
                "https://autodiscover.clinic.example/autodiscover/autodiscover.svc",
                "https://autodiscover.clinic.example/autodiscover/autodiscover.xml",
                "http://autodiscover.clinic.example/autodiscover/autodiscover.xml",
            ]
        );
        let found = ews("https://mail.clinic.example/EWS/Exchange.asmx");
        let script = [
            ("https://clinic.example", Heard::Status(401)),
            ("autodiscover.xml", found),
        ];
        let (outcome, asked) = go(&mut hunt(), &script[..]);
        assert!(matches!(outcome, Outcome::Found { .. }), "{outcome:?}");
        assert_eq!(asked.len(), 4);
    }

    #[test]
    fn a_redirect_elsewhere_is_refused_unless_the_plan_names_the_host() {
        let to =
            |host: &str| Heard::Redirect(format!("https://{host}/autodiscover/autodiscover.xml"));
        let found = || ews("https://mail.clinic.example/EWS/Exchange.asmx");
        let (outcome, asked) = go(&mut hunt(), &[("http://auto", to("evil.example"))]);
        assert!(matches!(outcome, Outcome::Elsewhere { host, .. } if host == "evil.example"));
        assert!(!asked.iter().any(|url| url.contains("evil")), "{asked:?}");
        for host in ["mx.host.example", "x.clinic.example"] {
            let script = [("http://auto", to(host)), (host, found())];
            let (outcome, _) = go(&mut hunt(), &script);
            assert!(matches!(outcome, Outcome::Found { .. }), "{host}");
        }
        for host in [
            "clinic.example.evil.example",
            "notclinic.example",
            "mx.host.example.evil.example",
        ] {
            let (outcome, _) = go(&mut hunt(), &[("http://auto", to(host)), (host, found())]);
            assert!(matches!(outcome, Outcome::Elsewhere { .. }), "{host}");
        }
    }

    #[test]
    fn nothing_is_asked_in_clear_and_no_url_elsewhere_is_taken() {
        let clear =
            Heard::Redirect("http://mail.clinic.example/autodiscover/autodiscover.xml".to_owned());
        let (outcome, asked) = go(&mut hunt(), &[("http://auto", clear)]);
        assert_eq!(outcome, Outcome::Nowhere);
        assert_eq!(asked.len(), 5);
        for url in [
            "https://evil.example/EWS/Exchange.asmx",
            "http://mail.clinic.example/EWS/Exchange.asmx",
            "https://mail.clinic.example@evil.example/EWS",
            "https://evil.example\\@mail.clinic.example/EWS",
        ] {
            let (outcome, _) = go(&mut hunt(), &[(".svc", ews(url))]);
            assert!(!matches!(outcome, Outcome::Found { .. }), "{url}");
        }
    }

    #[test]
    fn another_address_begins_anew_and_circles_end() {
        let address = |to: &str| Heard::Reply(Reply::RedirectAddress(to.to_owned()));
        let script = [
            (
                "https://clinic.example/autodiscover/autodiscover.svc",
                address("a@mail.clinic.example"),
            ),
            (
                "https://mail.clinic.example",
                ews("https://mail.clinic.example/EWS/Exchange.asmx"),
            ),
        ];
        let (outcome, _) = go(&mut hunt(), &script);
        assert!(matches!(outcome, Outcome::Found { .. }), "{outcome:?}");
        let (outcome, _) = go(&mut hunt(), &[(".svc", address("a@evil.example"))]);
        assert!(matches!(outcome, Outcome::Elsewhere { .. }));
        // Two names that lead to each other for ever.
        let mut circle = hunt();
        for n in 0..100 {
            let (Step::Ask { .. } | Step::Knock { .. }) = circle.step() else {
                return;
            };
            let to = format!("a{n}@x{}.clinic.example", n % 2);
            assert_eq!(circle.hear(address(&to)), None);
        }
        panic!("it does not end");
    }

    proptest! {
        #[test]
        fn whatever_comes_it_ends_and_asks_only_where_it_may(
            heard in proptest::collection::vec((0u8..7, "(https?://)?[a-z]{0,4}\\.?(clinic|evil)\\.example[/:@a-z]{0,12}"), 0..200)
        ) {
            let mut hunt = hunt();
            let mut heard = heard.into_iter();
            for n in 0..400 {
                let step = hunt.step();
                match &step {
                    Step::Done(_) => return Ok(()),
                    Step::Ask { url, .. } => {
                        let host = https_host(url);
                        prop_assert!(host.is_some_and(|h| h == "mx.host.example" || h == "clinic.example" || h.ends_with(".clinic.example")), "{}", url);
                    }
                    Step::Knock { url } => prop_assert!(url.ends_with("clinic.example/autodiscover/autodiscover.xml"), "{}", url),
                }
                let what = match heard.next() {
                    Some((0, text)) => Heard::Redirect(text),
                    Some((1, text)) => Heard::Reply(Reply::RedirectUrl(text)),
                    Some((2, text)) => Heard::Reply(Reply::RedirectAddress(text.replace('/', "@"))),
                    Some((3, text)) => ews(&text),
                    Some((4, text)) => Heard::NoAnswer(text),
                    _ => Heard::Status(401),
                };
                if let Some(Outcome::Found { ews_url, .. }) = hunt.hear(what) {
                    let host = https_host(&ews_url);
                    prop_assert!(host.is_some_and(|h| h == "clinic.example" || h.ends_with(".clinic.example")), "{}", ews_url);
                    return Ok(());
                }
                prop_assert!(n < 399);
            }
        }
    }
}
