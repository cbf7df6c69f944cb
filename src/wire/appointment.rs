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
}
