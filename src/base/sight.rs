//! What was seen of a mailbox that may be a lead of compromise: settings, not content. Each look says what was seen, or why nobody looked.

use crate::base::quantity::Moment;
use crate::base::secret::Private;

/// What a look gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    /// Looked, and this is what was there.
    Seen(T),
    /// Not looked: why.
    NotChecked(String),
}

impl<T> Default for Look<T> {
    fn default() -> Self {
        Self::NotChecked("no input that shows it was given".to_owned())
    }
}

/// A forward of the whole mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardSight {
    /// The address, or a name where that is all.
    pub to: Private,
    /// True where it leaves the organisation.
    pub outside: bool,
    /// False: the owner gets no copy.
    pub keeps_copy: Option<bool>,
}

/// A rule of the Inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a rule, not one state"
)]
pub struct RuleSight {
    /// Its name.
    pub name: Private,
    /// False: it does nothing now.
    pub enabled: bool,
    /// Its place; 1 is asked first. `None` where not said.
    pub priority: Option<u32>,
    /// True: no condition, so it applies to everything. `None` where not said.
    pub everything: Option<bool>,
    /// True: no later rule is asked.
    pub stops: bool,
    /// Addresses outside the organisation that it forwards or redirects to.
    pub sends_outside: Vec<Private>,
    /// Deletes.
    pub deletes: bool,
    /// Marks as read.
    pub marks_read: bool,
    /// The default folder it moves to, by English name: `Junk Email`, `RSS Feeds`, `Deleted Items`; `None` for others.
    pub hides_in: Option<&'static str>,
    /// Words it looks for.
    pub words: Vec<Private>,
}

/// A rule message of the Inbox's associated table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleMessage {
    /// PidTagRuleMessageName; nothing in it hides the rule from Outlook's list.
    pub name: Option<Private>,
    /// PidTagRuleMessageProvider.
    pub provider: Option<String>,
    /// When it was changed last.
    pub modified: Option<Moment>,
}

/// Who may do what in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightSight {
    /// The folder by its English name.
    pub folder: String,
    /// `Default` or `Anonymous`.
    pub who: &'static str,
    /// The level, e.g. `Reviewer`.
    pub level: String,
}

/// A delegate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegateSight {
    /// Who.
    pub who: Private,
    /// What they may do, for people.
    pub what: String,
    /// True where nobody of the organisation is behind it: an outside address, or a SID without an account.
    pub stranger: bool,
    /// Sees private items.
    pub sees_private: bool,
    /// Mailboxes in which they may do that, as far as anybody counted; 0 where nobody did.
    pub mailboxes: u64,
}

/// A device that synchronises the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSight {
    /// Its model or type.
    pub what: String,
    /// When it came first.
    pub first: Option<jiff::civil::Date>,
}

/// An add-in of Outlook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSight {
    /// Its name, its maker and its id, for people.
    pub what: String,
    /// True where the owner of the mailbox installed it, or nobody says who did.
    pub by_owner: bool,
}

/// A role that gives rights over every mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSight {
    /// The role.
    pub role: String,
    /// Who has it.
    pub who: Private,
    /// What the holder is, e.g. `RoleGroup`.
    pub kind: String,
}

/// The automatic reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplySight {
    /// True where it is on, or will be.
    pub on: bool,
    /// Hosts outside the organisation that its texts link to. The texts are not kept.
    pub hosts: Vec<Private>,
}

/// Where an item of a listing lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// In Sent Items.
    Sent,
    /// In the Inbox or in Junk Email.
    Received,
    /// Anywhere else.
    Elsewhere,
}

/// An hour in which much was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// When it began.
    pub hour: Moment,
    /// Messages sent in it.
    pub sent: u64,
    /// The median of hours in which anything was sent.
    pub usual: u64,
}

/// A domain that wrote and looks like another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookAlike {
    /// The domain.
    pub domain: String,
    /// Which one it looks like.
    pub like: String,
    /// Messages from it.
    pub messages: u64,
}

/// What listings of mail show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailSight {
    /// The hours with far more sent than usual, most first.
    pub bursts: Vec<Burst>,
    /// Senders whose domain looks like the organisation's or a usual correspondent's.
    pub look_alikes: Vec<LookAlike>,
}

/// A value in a folder: a home page, a reminder's sound file, a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSight {
    /// The folder, for people.
    pub folder: String,
    /// The value.
    pub value: Private,
}

/// Everything that was seen of one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxSight {
    /// Its address.
    pub mailbox: Private,
    /// Forwards of the whole mailbox.
    pub forwards: Look<Vec<ForwardSight>>,
    /// Rules that are listed.
    pub rules: Look<Vec<RuleSight>>,
    /// True where the rules come from an export, which shows neither all conditions nor where mail is moved.
    pub rules_in_part: bool,
    /// Rule messages behind them, by class `IPM.Rule.Version2.Message` or `IPM.ExtendedRule.Message`.
    pub rule_messages: Look<Vec<RuleMessage>>,
    /// What client rules start or name: programs, archives, addresses.
    pub rule_programs: Look<Vec<Private>>,
    /// Custom forms: associated form messages, and classes under `IPM.Note` that no product is known for.
    pub forms: Look<Vec<ValueSight>>,
    /// Home pages of folders.
    pub home_pages: Look<Vec<ValueSight>>,
    /// Sound files of reminders.
    pub reminders: Look<Vec<ValueSight>>,
    /// Rights of everybody.
    pub rights: Look<Vec<RightSight>>,
    /// Delegates.
    pub delegates: Look<Vec<DelegateSight>>,
    /// Devices.
    pub devices: Look<Vec<DeviceSight>>,
    /// Add-ins.
    pub apps: Look<Vec<AppSight>>,
    /// The automatic reply.
    pub reply: Look<ReplySight>,
    /// What listings of mail show.
    pub mail: Look<MailSight>,
    /// What nobody works in: the word for it, e.g. `a room`; `None` for a person's mailbox.
    pub unmanned: Look<Option<&'static str>>,
    /// Items in Sent Items.
    pub sent_items: Look<u64>,
}

impl MailboxSight {
    /// A mailbox nobody looked at yet.
    pub fn of(mailbox: Private) -> Self {
        Self {
            mailbox,
            ..Self::default()
        }
    }

    /// A mailbox that could not be looked at, and why.
    pub fn unseen(mailbox: Private, why: &str) -> Self {
        fn no<T>(why: &str) -> Look<T> {
            Look::NotChecked(why.to_owned())
        }
        Self {
            rules: no(why),
            rule_messages: no(why),
            rule_programs: no(why),
            forms: no(why),
            home_pages: no(why),
            reminders: no(why),
            rights: no(why),
            delegates: no(why),
            reply: no(why),
            mail: no(why),
            sent_items: no(why),
            ..Self::of(mailbox)
        }
    }

    /// The same mailbox with what another look saw. Where both saw, the later one counts; delegates come from two lists and are put together.
    #[must_use]
    pub fn with(self, later: Self) -> Self {
        let delegates = match (self.delegates, later.delegates) {
            (Look::Seen(mut own), Look::Seen(more)) => {
                own.extend(
                    more.into_iter()
                        .filter(|d| !own.contains(d))
                        .collect::<Vec<_>>(),
                );
                Look::Seen(own)
            }
            (own, more) => own.or(more),
        };
        Self {
            mailbox: self.mailbox,
            forwards: self.forwards.or(later.forwards),
            rules_in_part: match &later.rules {
                Look::Seen(_) => later.rules_in_part,
                Look::NotChecked(_) => self.rules_in_part,
            },
            rules: self.rules.or(later.rules),
            rule_messages: self.rule_messages.or(later.rule_messages),
            rule_programs: self.rule_programs.or(later.rule_programs),
            forms: self.forms.or(later.forms),
            home_pages: self.home_pages.or(later.home_pages),
            reminders: self.reminders.or(later.reminders),
            rights: self.rights.or(later.rights),
            delegates,
            devices: self.devices.or(later.devices),
            apps: self.apps.or(later.apps),
            reply: self.reply.or(later.reply),
            mail: self.mail.or(later.mail),
            unmanned: self.unmanned.or(later.unmanned),
            sent_items: self.sent_items.or(later.sent_items),
        }
    }
}

impl<T> Look<T> {
    /// The later look where it saw something or gives a better reason; else this one.
    fn or(self, later: Self) -> Self {
        match (&self, &later) {
            (Self::Seen(_), Self::NotChecked(_)) => self,
            _ => later,
        }
    }
}
