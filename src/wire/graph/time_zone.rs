//! Names of time zones: those that Exchange gives to what the service takes, and the clock that each stands for.
//!
//! Exchange and the service name zones as Windows does (reference/ews.md, GetServerTimeZones; dateTimeTimeZone resource). Other names are met too:
//! display names, names of the IANA database, and `tzone://Microsoft/Custom` for a zone of somebody's own making, whose clock nobody knows. A time
//! in such a zone is a moment in UTC ([`wall`]), and a single event is created at that moment; a series is not, for it would be off by an hour for
//! half of the year.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::base::quantity::Moment;
use crate::base::typed::WallTime;
use crate::wire::graph::time_zone_table::{ALIASES, ZONES};

/// The name of universal time.
pub const UTC: &str = "UTC";

/// The database that is part of the program: it reads no file of the machine.
static CLOCKS: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The service's name of a zone. `None` for what is no known zone.
pub fn id_of(name: &str) -> Option<&'static str> {
    let name = name.trim();
    let known = |name: &str| {
        let own = ZONES.iter().find(|zone| zone.id.eq_ignore_ascii_case(name));
        own.map(|zone| zone.id)
    };
    let alias = || {
        let own = ALIASES
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, id)| *id)
    };
    let shown = || {
        let bare = without_offset(name);
        let is_shown = |own: &&str| own.eq_ignore_ascii_case(bare);
        let own = ZONES.iter().find(|zone| zone.shown.iter().any(is_shown));
        own.map(|zone| zone.id)
    };
    known(name)
        .or_else(alias)
        .or_else(shown)
        .or_else(|| known(without_offset(name)))
        .or_else(|| same_clock(name))
}

/// `Berlin` of `(UTC+01:00) Berlin`. `(UTC)` alone is universal time.
fn without_offset(name: &str) -> &str {
    let inner = name.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    match inner {
        Some((offset, rest)) if offset.starts_with("UTC") || offset.starts_with("GMT") => {
            match rest.trim() {
                "" => offset,
                rest => rest,
            }
        }
        _ => name,
    }
}

/// The zone of Windows that shows the same times as one of the IANA database, from 2000 to 2037.
fn same_clock(name: &str) -> Option<&'static str> {
    let by_name = ZONES
        .iter()
        .find(|zone| zone.clock.eq_ignore_ascii_case(name));
    if let Some(zone) = by_name {
        return Some(zone.id);
    }
    let own = CLOCKS.get(name).ok()?;
    let same = |other: &TimeZone| {
        let mut at = SAMPLES.0;
        while at < SAMPLES.1 {
            let Ok(moment) = jiff::Timestamp::from_second(at) else {
                return false;
            };
            if own.to_offset(moment) != other.to_offset(moment) {
                return false;
            }
            at += SAMPLES.2;
        }
        true
    };
    let equal = |clock: &str| CLOCKS.get(clock).is_ok_and(|other| same(&other));
    ZONES
        .iter()
        .find(|zone| equal(zone.clock))
        .map(|zone| zone.id)
}

/// From, to, and every ten days, in seconds.
const SAMPLES: (i64, i64, i64) = (946_684_800, 2_145_916_800, 864_000);

/// The clock of a zone. `None` for what is no known zone.
pub fn clock(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    let id = id_of(name);
    let zone = ZONES.iter().find(|zone| Some(zone.id) == id);
    CLOCKS.get(zone.map_or(name, |zone| zone.clock)).ok()
}

/// A time without an offset. `None` for what is none, and for a moment in UTC.
pub fn civil(local: &str) -> Option<DateTime> {
    local.parse().ok()
}

/// Writes a time without an offset, to the second.
pub fn text(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The moment that a time stands for. `None` where the zone has no known clock, unless the time is a moment in UTC already.
pub fn moment(time: &WallTime) -> Option<Moment> {
    let in_utc = time.local.strip_suffix('Z').and_then(civil);
    let zoned = match in_utc {
        Some(at) => at.to_zoned(TimeZone::UTC),
        None => civil(&time.local)?.to_zoned(clock(&time.zone)?),
    };
    Some(Moment::from_unix_ms(
        zoned.ok()?.timestamp().as_millisecond(),
    ))
}

/// What a clock of `zone` shows at a moment. In a zone that is not known it is the moment in UTC, with a `Z` behind it. `None` before the year -9999
/// and after 9999.
pub fn wall(at: Moment, zone: &str) -> Option<WallTime> {
    let at = jiff::Timestamp::from_millisecond(at.unix_ms()).ok()?;
    let local = match clock(zone) {
        Some(clock) => text(at.to_zoned(clock).datetime()),
        None => format!("{}Z", text(at.to_zoned(TimeZone::UTC).datetime())),
    };
    Some(WallTime {
        local,
        zone: zone.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_zone_has_a_clock_and_every_name_one_zone() {
        let mut names = BTreeSet::new();
        for zone in ZONES {
            assert!(CLOCKS.get(zone.clock).is_ok(), "{}", zone.clock);
            assert_eq!(id_of(zone.id), Some(zone.id));
            for name in [&zone.id].into_iter().chain(zone.shown) {
                assert!(names.insert(name.to_lowercase()), "{name} is there twice");
            }
        }
        assert!(ZONES.len() > 130);
        for (name, id) in ALIASES {
            assert_eq!(id_of(name), Some(*id), "{name}");
            assert!(ZONES.iter().any(|zone| zone.id == *id), "{id}");
        }
    }

    #[test]
    fn zones_are_known_by_the_names_they_are_met_under() {
        for (name, id) in [
            ("w. europe standard time", "W. Europe Standard Time"),
            ("tzone://Microsoft/Utc", "UTC"),
            ("(UTC)", "UTC"),
            ("(UTC) Coordinated Universal Time", "UTC"),
            (
                "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
                "W. Europe Standard Time",
            ),
            (
                "(GMT-05:00) Eastern Time (US & Canada)",
                "Eastern Standard Time",
            ),
            ("Europe/Berlin", "W. Europe Standard Time"),
            ("Europe/Vienna", "Central Europe Standard Time"),
            ("America/New_York", "Eastern Standard Time"),
        ] {
            let got = id_of(name).map(|got| (got, clock(got).is_some()));
            assert_eq!(got, Some((id, true)), "{name}");
        }
        for name in [
            "",
            "tzone://Microsoft/Custom",
            "Customized Time Zone",
            "(UTC+01:00) Nowhere",
        ] {
            assert_eq!(id_of(name), None, "{name}");
            assert!(clock(name).is_none(), "{name}");
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn every_zone_of_the_recorded_dialogues_is_known() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ews/samples");
        let Ok(folders) = std::fs::read_dir(path) else {
            eprintln!("skipped: ../shared is not here");
            return;
        };
        let mut seen = BTreeSet::new();
        for folder in folders.flatten().filter(|own| own.path().is_dir()) {
            for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
                let Ok(text) = std::fs::read_to_string(file.path()) else {
                    continue;
                };
                for part in text.split("TimeZoneDefinition").skip(1) {
                    let tag = part.split('>').next().unwrap_or_default();
                    if let Some((_, rest)) = tag.split_once(" Id=\"") {
                        seen.insert(rest.split('"').next().unwrap_or_default().to_owned());
                    }
                }
                for part in text.split("<t:TimeZone>").skip(1) {
                    let name = part.split('<').next().unwrap_or_default();
                    seen.insert(name.trim().to_owned());
                }
            }
        }
        assert!(seen.len() > 4, "{seen:?}");
        for name in seen {
            assert!(id_of(&name).is_some(), "{name}");
        }
    }

    #[test]
    fn times_are_moments_and_back() {
        let at = |local: &str, zone: &str| WallTime {
            local: local.to_owned(),
            zone: zone.to_owned(),
        };
        let told = |time: &WallTime| moment(time).map(|at| at.to_string());
        let winter = at("2026-11-27T09:00:00", "W. Europe Standard Time");
        assert_eq!(told(&winter).as_deref(), Some("2026-11-27T08:00:00Z"));
        let summer = at(
            "2026-07-27T09:00:00",
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        );
        assert_eq!(told(&summer).as_deref(), Some("2026-07-27T07:00:00Z"));
        assert_eq!(wall(moment(&summer).unwrap(), &summer.zone), Some(summer));
        let custom = at("2026-11-27T09:00:00Z", "tzone://Microsoft/Custom");
        assert_eq!(told(&custom).as_deref(), Some("2026-11-27T09:00:00Z"));
        assert_eq!(wall(moment(&custom).unwrap(), &custom.zone), Some(custom));
        assert_eq!(moment(&at("2026-11-27T09:00:00", "Nowhere")), None);
        assert_eq!(moment(&at("yesterday", "UTC")), None);
        assert_eq!(wall(Moment::from_unix_ms(i64::MAX), "UTC"), None);
    }

    proptest! {
        #[test]
        fn a_moment_survives_its_clock(secs in 0_i64..4_000_000_000, n in 0_usize..ZONES.len()) {
            let own = Moment::from_unix_ms(secs * 1_000);
            let shown = wall(own, ZONES[n].id).unwrap();
            let back = moment(&shown).unwrap();
            // An hour that comes twice is read as the first of both; of a change of another length likewise.
            prop_assert!(own.unix_ms() - back.unix_ms() <= 86_400_000 && back <= own);
            prop_assert_eq!(wall(back, ZONES[n].id), Some(shown));
        }

        #[test]
        fn any_name_and_any_text_is_taken(name in ".*", local in ".*") {
            let _ = (id_of(&name), moment(&WallTime { local, zone: name }));
        }
    }
}
