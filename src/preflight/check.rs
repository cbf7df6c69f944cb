//! The table of checks: id, what it is about, and what it proves. Ids are a promise; scripts read them.

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// This machine and the plan.
    Here,
    /// The on-premises side as a whole.
    Source,
    /// One mailbox of the source.
    SourceMailbox,
    /// Microsoft 365 as a whole.
    Target,
    /// One mailbox of the target.
    TargetMailbox,
    /// The way between the two, per item class.
    Route,
}

impl About {
    /// Every group, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Here,
        Self::Source,
        Self::SourceMailbox,
        Self::Target,
        Self::TargetMailbox,
        Self::Route,
    ];

    /// The heading of its group.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Here => "This machine and the plan",
            Self::Source => "Exchange on premises",
            Self::SourceMailbox => "Mailboxes of the source",
            Self::Target => "Microsoft 365",
            Self::TargetMailbox => "Mailboxes of the target",
            Self::Route => "The way between them",
        }
    }
}

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident, $id:literal, $about:ident;)+) => {
        /// One check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $($(#[$doc])* $name,)+
        }

        impl Check {
            /// Every check, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The id in JSON and in the table.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// What it is about.
            pub const fn about(self) -> About {
                match self { $(Self::$name => About::$about,)+ }
            }
        }
    };
}

checks! {
    /// The plan's realm fits its addresses.
    PlanRealm, "plan.realm", Here;
    /// Each source has one target and each target one source.
    PlanAddresses, "plan.addresses", Here;
    /// The state directory is there or can be made, is this plan's, and no other run holds it.
    State, "state.directory", Here;
    /// There is room for ledger and spool.
    StateRoom, "state.room", Here;
    /// An EWS URL was found by Autodiscover, where the plan asks for that.
    SourceAutodiscover, "source.autodiscover", Source;
    /// The name resolves.
    SourceName, "source.name", Source;
    /// The port takes connections.
    SourceConnect, "source.connect", Source;
    /// TLS is agreed and the certificate is trusted, for the time of a migration.
    SourceTls, "source.tls", Source;
    /// The URL is that of EWS, and the account is accepted.
    SourceSignIn, "source.sign_in", Source;
    /// Its clock and ours agree.
    SourceClock, "source.clock", Source;
    /// It is an Exchange that is still mended.
    SourceBuild, "source.build", Source;
    /// It let our questions pass without throttling.
    SourceThrottling, "source.throttling", Source;
    /// The mailbox is there, and the account may act for it.
    SourceMailbox, "source.mailbox", SourceMailbox;
    /// Its folders can be listed.
    SourceFolders, "source.folders", SourceMailbox;
    /// Whether it has an archive, which is not carried.
    SourceArchive, "source.archive", SourceMailbox;
    /// No item is larger than the plan carries.
    SourceLargest, "source.largest_item", SourceMailbox;
    /// The names resolve.
    TargetName, "target.name", Target;
    /// The ports take connections.
    TargetConnect, "target.connect", Target;
    /// TLS is agreed and the certificates are trusted.
    TargetTls, "target.tls", Target;
    /// Their clocks and ours agree: assertions and sessions have times in them.
    TargetClock, "target.clock", Target;
    /// The application is accepted.
    TargetSignIn, "target.sign_in", Target;
    /// Each right the application needs, proved by a call that needs it.
    TargetRights, "target.rights", Target;
    /// It holds no right that it does not need.
    TargetLeast, "target.least_privilege", Target;
    /// It let our questions pass without throttling.
    TargetThrottling, "target.throttling", Target;
    /// The user has a mailbox in the cloud.
    TargetMailbox, "target.mailbox", TargetMailbox;
    /// The user has an Exchange licence, or needs none.
    TargetLicence, "target.licence", TargetMailbox;
    /// Its folders can be listed: the application may work on this mailbox.
    TargetFolders, "target.folders", TargetMailbox;
    /// An import session opens.
    TargetSession, "target.import_session", TargetMailbox;
    /// What the source holds fits in.
    TargetQuota, "target.quota", TargetMailbox;
    /// The largest item is within the mailbox's message size.
    TargetItemSize, "target.item_size", TargetMailbox;
    /// Mail for the source's address will arrive.
    TargetAddresses, "target.addresses", TargetMailbox;
    /// One real item of the class went there, as a stream or by its class, and came back the same.
    RouteClass, "route.class", Route;
    /// The largest item that was found went there and came back the same.
    RouteLargest, "route.largest_item", Route;
    /// Everything the canaries made is deleted again.
    RouteCleanup, "route.cleanup", Route;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_checks_share_an_id_and_groups_are_not_torn() {
        let mut ids: Vec<&str> = Check::ALL.iter().map(|check| check.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Check::ALL.len());
        let mut groups: Vec<About> = Check::ALL.iter().map(|check| check.about()).collect();
        groups.dedup();
        assert_eq!(groups, About::ALL);
    }
}
