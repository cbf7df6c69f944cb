//! When a run that works night after night goes on: at the next window, or on the day the next wave may begin.

use crate::base::quantity::Moment;
use crate::plan::document::Plan;
use crate::plan::schedule::{first_moment, zone_of};

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A window, the one that is open now not counted: the mailboxes that may be worked on have had their turn in it.
    NextWindow,
    /// The first moment at which a mailbox may be worked on, which may be now.
    AnyWork,
    /// The day of a wave that may not begin yet; everything else is done.
    NextWave,
}

impl Plan {
    /// The moment at which work goes on. Nothing when there is nothing to wait for: no window comes, or no wave.
    pub fn next_work(&self, now: Moment, awaited: Awaited) -> Option<Moment> {
        let waves = self.waves.iter().any(|wave| !wave.mailboxes.is_empty());
        match awaited {
            Awaited::NextWave => self.begin_from(self.next_day(now)?),
            Awaited::AnyWork | Awaited::NextWindow => {
                let begin = match (&self.schedule, awaited) {
                    (Some(schedule), Awaited::NextWindow) => schedule.next_begin(now)?,
                    (None, Awaited::NextWindow) => return None,
                    _ => self.begin_from(now)?,
                };
                let jobs: usize = self.waves.iter().map(|wave| wave.mailboxes.len()).sum();
                if waves && self.not_due(begin).len() == jobs {
                    return self.begin_from(self.next_day(begin)?);
                }
                Some(begin)
            }
        }
    }

    /// `from`, or the begin of the next window after it.
    fn begin_from(&self, from: Moment) -> Option<Moment> {
        match &self.schedule {
            Some(schedule) if !schedule.is_open(from) => schedule.next_begin(from),
            Some(_) | None => Some(from),
        }
    }

    /// The first moment of the earliest day for which a mailbox waits.
    fn next_day(&self, now: Moment) -> Option<Moment> {
        let late = self.not_due(now);
        let day = late.iter().map(|(_, _, day)| *day).min()?;
        let zone = self
            .schedule
            .as_ref()
            .and_then(|schedule| zone_of(&schedule.time_zone))
            .unwrap_or(jiff::tz::TimeZone::UTC);
        first_moment(day, zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::{Schedule, Window};

    fn at(text: &str) -> Moment {
        let at: jiff::Timestamp = text.parse().expect("a timestamp");
        Moment::from_unix_ms(at.as_millisecond())
    }

    /// The sample: weekday nights 20:00 to 06:00 and whole weekends, one wave from 1 December 2026 (a Tuesday).
    fn plan(day: Option<&str>, windows: bool) -> Plan {
        let mut plan = Plan::parse(include_str!("../../plans/clinic.toml")).expect("the sample");
        let mailboxes = std::mem::take(&mut plan.waves[0].mailboxes);
        plan.waves.truncate(1);
        plan.waves[0].mailboxes = mailboxes;
        plan.waves[0].not_before = day.map(str::to_owned);
        for pair in &mut plan.waves[0].mailboxes {
            pair.not_before = None;
        }
        plan.schedule = windows.then(|| Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![Window {
                days: vec![0, 1, 2, 3, 4],
                from: 20 * 60,
                to: 6 * 60,
            }],
        });
        plan
    }

    #[test]
    fn work_goes_on_in_a_window_on_or_after_the_day() {
        let (any, window, wave) = (Awaited::AnyWork, Awaited::NextWindow, Awaited::NextWave);
        let thursday_noon = "2026-11-26T12:00:00Z";
        let thursday_night = "2026-11-26T22:00:00Z";
        for (day, windows, now, awaited, want) in [
            (None, true, thursday_noon, any, Some("2026-11-26T20:00:00Z")),
            (None, true, thursday_night, any, Some(thursday_night)),
            (
                None,
                true,
                thursday_night,
                window,
                Some("2026-11-27T20:00:00Z"),
            ),
            (None, true, thursday_night, wave, None),
            // Midnight of the day lies in Monday's night.
            (
                Some("2026-12-01"),
                true,
                thursday_noon,
                any,
                Some("2026-12-01T00:00:00Z"),
            ),
            (
                Some("2026-12-01"),
                true,
                thursday_noon,
                wave,
                Some("2026-12-01T00:00:00Z"),
            ),
            // Midnight of Sunday does not.
            (
                Some("2026-11-29"),
                true,
                thursday_noon,
                window,
                Some("2026-11-30T20:00:00Z"),
            ),
            (
                Some("2026-11-20"),
                true,
                thursday_noon,
                window,
                Some("2026-11-26T20:00:00Z"),
            ),
            (None, false, thursday_noon, any, Some(thursday_noon)),
            (None, false, thursday_noon, window, None),
            (
                Some("2026-12-01"),
                false,
                thursday_noon,
                any,
                Some("2026-12-01T00:00:00Z"),
            ),
            (
                Some("2026-12-01"),
                false,
                thursday_noon,
                wave,
                Some("2026-12-01T00:00:00Z"),
            ),
        ] {
            let found = plan(day, windows).next_work(at(now), awaited);
            assert_eq!(found, want.map(at), "{day:?} {windows} {now} {awaited:?}");
        }
    }

    #[test]
    fn a_day_begins_where_the_clinic_is() {
        let mut summer = plan(Some("2026-07-01"), false);
        summer.schedule = Some(Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: Vec::new(),
        });
        assert_eq!(
            summer.next_work(at("2026-06-01T00:00:00Z"), Awaited::AnyWork),
            Some(at("2026-06-30T23:00:00Z"))
        );
    }

    #[test]
    fn waves_fall_due_by_day_and_then_in_file_order() {
        let mut plan = plan(None, true);
        let wave = |day: Option<&str>| {
            let mut wave = plan.waves[0].clone();
            wave.not_before = day.map(str::to_owned);
            wave.mailboxes.truncate(1);
            wave
        };
        plan.waves = vec![
            wave(None),
            wave(Some("2026-12-08")),
            wave(Some("2026-12-01")),
            wave(None),
        ];
        let turns: Vec<u32> = plan.jobs().iter().map(|job| job.turn).collect();
        assert_eq!(turns, [2, 1, 0, 3]);
    }
}
