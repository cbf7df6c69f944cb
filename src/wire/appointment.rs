//! When an appointment takes place, from the properties in its stream ([MS-OXOCAL] section 2.2.1): a print of all its dates that two sides can
//! compare.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::recurrence::{NotExpanded, Recurrence};

/// PSETID_Appointment as it lies on the wire.
pub const APPOINTMENT_SET: [u8; 16] = [
    0x02, 0x20, 0x06, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46,
];

const START: u32 = 0x820D;
const END: u32 = 0x820E;
const ALL_DAY: u32 = 0x8215;
const RECURRENCE: u32 = 0x8216;
/// What says on which clock the times of a series are: PidLidTimeZoneStruct, ...DefinitionStartDisplay, ...DefinitionRecur.
const ZONES: [u32; 3] = [0x8233, 0x825E, 0x8260];

/// True for the properties of [`APPOINTMENT_SET`] that [`Dates::of`] reads.
pub const fn is_wanted(number: u32) -> bool {
    matches!(
        number,
        START | END | ALL_DAY | RECURRENCE | 0x8233 | 0x825E | 0x8260
    )
}

/// All dates of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// How many.
    pub count: u32,
    /// A hash over each start and end, the all-day mark, and for a series its time zone and whether it ends.
    pub hash: [u8; 32],
}

impl Dates {
    /// The dates from the values of the wanted properties, by number. A single appointment is its start and end in UTC; a series is expanded on
    /// its own clock, and two series with the same clock times and the same zone take place at the same moments, also across a change to or
    /// from summer time.
    pub fn of(kept: &BTreeMap<u32, Vec<u8>>) -> Result<Self, NotExpanded> {
        let mut hash = Sha256::new();
        let put = |hash: &mut Sha256, number: u32| {
            let value = kept.get(&number).map_or(&[][..], Vec::as_slice);
            hash.update((value.len() as u64).to_le_bytes());
            hash.update(value);
        };
        put(&mut hash, ALL_DAY);
        let Some(blob) = kept.get(&RECURRENCE) else {
            if !kept.contains_key(&START) || !kept.contains_key(&END) {
                return Err(NotExpanded::Malformed);
            }
            put(&mut hash, START);
            put(&mut hash, END);
            return Ok(Self {
                count: 1,
                hash: hash.finalize().into(),
            });
        };
        let recurrence = Recurrence::read(blob)?;
        for zone in ZONES {
            put(&mut hash, zone);
        }
        hash.update([u8::from(recurrence.is_endless())]);
        let occurrences = recurrence.expand();
        for occurrence in &occurrences {
            hash.update(occurrence.start.to_le_bytes());
            hash.update(occurrence.end.to_le_bytes());
        }
        Ok(Self {
            count: u32::try_from(occurrences.len()).unwrap_or(u32::MAX),
            hash: hash.finalize().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(start: u8, all_day: u8) -> BTreeMap<u32, Vec<u8>> {
        BTreeMap::from([
            (START, vec![start; 8]),
            (END, vec![start + 1; 8]),
            (ALL_DAY, vec![all_day, 0]),
        ])
    }

    #[test]
    fn a_moved_start_an_all_day_mark_and_a_zone_make_other_dates() {
        let dates = |kept: &BTreeMap<u32, Vec<u8>>| Dates::of(kept).unwrap();
        assert_eq!(dates(&single(1, 0)), dates(&single(1, 0)));
        assert_ne!(dates(&single(1, 0)), dates(&single(2, 0)));
        assert_ne!(dates(&single(1, 0)), dates(&single(1, 1)));
        assert_eq!(dates(&single(1, 0)).count, 1);
        assert_eq!(Dates::of(&BTreeMap::new()), Err(NotExpanded::Malformed));
        let mut broken = single(1, 0);
        broken.insert(RECURRENCE, vec![4, 0x30]);
        assert_eq!(Dates::of(&broken), Err(NotExpanded::Malformed));
    }

    /// A daily series of days from midnight to midnight, in the layout of [MS-OXOCAL] section 2.2.1.44, over the last Sunday of October 2026, on
    /// which clocks go back in Europe.
    fn all_day_over_the_end_of_summer_time(start_offset: u32) -> BTreeMap<u32, Vec<u8>> {
        const DAY: u32 = 1_440;
        let first = 155_523 * DAY;
        let mut blob = vec![0x04, 0x30, 0x04, 0x30, 0x0A, 0x20, 0, 0, 0, 0];
        let longs = [0, DAY, 0, 0x2022, 4, 0, 0, 0, first, first + 3 * DAY];
        let times = [0x3006, 0x3009, start_offset, start_offset + DAY];
        for long in longs.into_iter().chain(times) {
            blob.extend(u32::to_le_bytes(long));
        }
        blob.extend([0; 2]);
        BTreeMap::from([
            (ALL_DAY, vec![1, 0]),
            (RECURRENCE, blob),
            (0x8233, zone(10)),
        ])
    }

    /// PidLidTimeZoneStruct (section 2.2.1.39) of Central Europe; standard time begins on the last Sunday of this month.
    fn zone(month: u8) -> Vec<u8> {
        let mut out = Vec::new();
        for bias in [-60_i32, 0, -60] {
            out.extend(bias.to_le_bytes());
        }
        out.extend([0; 4]);
        out.extend([month, 0, 0, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        out.extend([0; 4]);
        out.extend([3, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        out
    }

    #[test]
    fn all_day_series_over_a_change_of_the_clock_are_days_on_their_own_clock() {
        let kept = all_day_over_the_end_of_summer_time(0);
        let recurrence = Recurrence::read(&kept[&RECURRENCE]).unwrap();
        let days = recurrence.expand();
        assert_eq!(days.len(), 4);
        // From midnight to midnight on each day, though one of them has 25 hours.
        assert!(
            days.iter()
                .all(|day| day.start % 1_440 == 0 && day.end - day.start == 1_440)
        );
        let whole = Dates::of(&kept).unwrap();
        // The mistakes of a copy that knows only UTC: days that begin at eleven, and a clock that changes in another month.
        let shifted = Dates::of(&all_day_over_the_end_of_summer_time(1_380)).unwrap();
        assert_ne!(whole.hash, shifted.hash);
        let mut other = kept;
        other.insert(0x8233, zone(11));
        assert_ne!(whole.hash, Dates::of(&other).unwrap().hash);
        assert_eq!(whole.count, shifted.count);
    }

    #[test]
    fn a_single_day_that_was_moved_by_an_hour_is_another_date() {
        const HOUR: u64 = 36_000_000_000;
        let day = |start: u64, end: u64| {
            BTreeMap::from([
                (START, start.to_le_bytes().to_vec()),
                (END, end.to_le_bytes().to_vec()),
                (ALL_DAY, vec![1, 0]),
            ])
        };
        // 2026-10-25 in Central Europe: from 22:00 UTC the day before, for 25 hours.
        let start = 134_371_008_000_000_000 - 2 * HOUR;
        let right = Dates::of(&day(start, start + 25 * HOUR)).unwrap();
        assert_ne!(right, Dates::of(&day(start, start + 24 * HOUR)).unwrap());
        assert_ne!(
            right,
            Dates::of(&day(start + HOUR, start + 26 * HOUR)).unwrap()
        );
    }
}
