//! Which of the plan's two caps on the source holds: a function of civil time alone.

use crate::base::quantity::Moment;
use crate::base::spec::RunLimits;
use crate::plan::schedule::{Schedule, Window};

/// Connections to the source server at `now`: the plan's, or fewer while its users work.
pub fn source_connections(limits: &RunLimits, now: Moment) -> u32 {
    let most = limits.source_connections;
    let Some(day) = &limits.source_by_day else {
        return most;
    };
    let hours = Schedule {
        time_zone: day.time_zone.clone(),
        windows: vec![Window {
            days: day.days.clone(),
            from: day.from,
            to: day.to,
        }],
    };
    if hours.is_open(now) {
        day.connections.min(most)
    } else {
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::spec::SourceByDay;

    #[test]
    fn the_days_cap_holds_in_working_hours_of_the_plans_zone_only() {
        let limits = RunLimits {
            source_connections: 20,
            source_by_day: Some(SourceByDay {
                connections: 4,
                time_zone: "Europe/Guernsey".into(),
                days: vec![0, 1, 2, 3, 4],
                from: 7 * 60,
                to: 19 * 60,
            }),
            ..RunLimits::default()
        };
        for (moment, connections) in [
            ("2026-11-23T06:59:59Z", 20), // Monday
            ("2026-11-23T07:00:00Z", 4),
            ("2026-11-23T18:59:59Z", 4),
            ("2026-11-23T19:00:00Z", 20),
            ("2026-07-06T06:30:00Z", 4),  // 07:30 in summer time
            ("2026-11-28T12:00:00Z", 20), // Saturday
        ] {
            let at: jiff::Timestamp = moment.parse().unwrap();
            let now = Moment::from_unix_ms(at.as_millisecond());
            assert_eq!(source_connections(&limits, now), connections, "{moment}");
        }
        let always = RunLimits::default();
        assert_eq!(source_connections(&always, Moment::from_unix_ms(0)), 20);
    }
}
