//! Hits, and misses by reason, kept across processes.
use std::sync::atomic::{AtomicU64, Ordering};

use crate::digest::{Hex, sha256};

/// Why something was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MissReason {
    /// Never stored, or collected since.
    Absent,
    /// A blob that the result names is not there.
    OutputsMissing,
    /// Not what its name says; removed.
    Damaged,
    /// The system would not read it.
    Unreadable,
    /// Written by a later version.
    NewerFormat,
    /// There is no store.
    NoStore,
}

impl MissReason {
    /// Every reason.
    pub const ALL: [MissReason; 6] = [
        MissReason::Absent,
        MissReason::OutputsMissing,
        MissReason::Damaged,
        MissReason::Unreadable,
        MissReason::NewerFormat,
        MissReason::NoStore,
    ];

    /// A word for statistics: lower case, with `-`.
    pub const fn name(self) -> &'static str {
        match self {
            MissReason::Absent => "absent",
            MissReason::OutputsMissing => "outputs-missing",
            MissReason::Damaged => "damaged",
            MissReason::Unreadable => "unreadable",
            MissReason::NewerFormat => "newer-format",
            MissReason::NoStore => "no-store",
        }
    }
}

/// How often something was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Found.
    pub hits: u64,
    /// Not found, in the order of [`MissReason::ALL`].
    pub misses: [u64; MissReason::ALL.len()],
}

impl Rate {
    /// Misses for `reason`.
    pub fn missed(&self, reason: MissReason) -> u64 {
        self.misses.get(reason as usize).copied().unwrap_or(0)
    }

    /// Misses of all reasons.
    pub fn all_misses(&self) -> u64 {
        self.misses.iter().sum()
    }
}

/// What happened since the counters began: when the store was made, or cleaned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Look-ups of actions.
    pub actions: Rate,
    /// Reads of blobs.
    pub blobs: Rate,
    /// Entries that were new.
    pub stored: u64,
    /// Entries that were there already.
    pub already_there: u64,
    /// Entries that could not be stored.
    pub dropped: u64,
    /// Entries that a collection removed.
    pub collected: u64,
}

const REASONS: usize = MissReason::ALL.len();

/// Numbers in [`Counts`].
const NUMBERS: usize = 2 * (1 + REASONS) + 4;

/// What a counter counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    ActionHit,
    ActionMiss(MissReason),
    BlobHit,
    BlobMiss(MissReason),
    Stored,
    AlreadyThere,
    Dropped,
    Collected,
}

impl Counter {
    const fn place(self) -> usize {
        match self {
            Counter::ActionHit => 0,
            Counter::ActionMiss(reason) => 1 + reason as usize,
            Counter::BlobHit => 1 + REASONS,
            Counter::BlobMiss(reason) => 2 + REASONS + reason as usize,
            Counter::Stored => 2 + 2 * REASONS,
            Counter::AlreadyThere => 3 + 2 * REASONS,
            Counter::Dropped => 4 + 2 * REASONS,
            Counter::Collected => 5 + 2 * REASONS,
        }
    }
}

/// What this process counted and has not yet added to the store's own numbers.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; NUMBERS]);

impl Counters {
    pub fn add(&self, counter: Counter) {
        if let Some(number) = self.0.get(counter.place()) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn numbers(&self) -> Numbers {
        Numbers(std::array::from_fn(|place| self.0.get(place).map_or(0, |n| n.load(Ordering::Relaxed))))
    }

    /// Takes `numbers` off: they are in the store's own now.
    pub fn subtract(&self, numbers: &Numbers) {
        for (counter, number) in self.0.iter().zip(numbers.0) {
            counter.fetch_sub(number, Ordering::Relaxed);
        }
    }
}

/// Every counter's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers([u64; NUMBERS]);

impl Numbers {
    pub fn plus(mut self, other: &Self) -> Self {
        for (number, more) in self.0.iter_mut().zip(other.0) {
            *number = number.saturating_add(more);
        }
        self
    }

    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|number| *number == 0)
    }

    fn at(&self, counter: Counter) -> u64 {
        self.0.get(counter.place()).copied().unwrap_or(0)
    }

    pub fn counts(&self) -> Counts {
        let misses =
            |counter: fn(MissReason) -> Counter| MissReason::ALL.map(|reason| self.at(counter(reason)));
        Counts {
            actions: Rate { hits: self.at(Counter::ActionHit), misses: misses(Counter::ActionMiss) },
            blobs: Rate { hits: self.at(Counter::BlobHit), misses: misses(Counter::BlobMiss) },
            stored: self.at(Counter::Stored),
            already_there: self.at(Counter::AlreadyThere),
            dropped: self.at(Counter::Dropped),
            collected: self.at(Counter::Collected),
        }
    }

    /// The file: the numbers in one line, then the SHA-256 of that line.
    pub fn encode(&self) -> String {
        let line = self.0.map(|number| number.to_string()).join(" ");
        format!("{line}\n{}\n", Hex(&sha256(&[line.as_bytes()])))
    }

    /// The numbers in a file; `None` when it is damaged or has other numbers.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (line, check) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        if check.trim_end() != Hex(&sha256(&[line.as_bytes()])).to_string() {
            return None;
        }
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        numbers.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_counter_has_a_place_of_its_own() {
        let mut all = vec![Counter::ActionHit, Counter::BlobHit, Counter::Stored];
        all.extend([Counter::AlreadyThere, Counter::Dropped, Counter::Collected]);
        all.extend(MissReason::ALL.map(Counter::ActionMiss));
        all.extend(MissReason::ALL.map(Counter::BlobMiss));
        let places: std::collections::BTreeSet<usize> = all.iter().map(|counter| counter.place()).collect();
        assert_eq!(places, (0..NUMBERS).collect());
    }

    #[test]
    fn numbers_come_back_and_damage_is_seen() {
        let counters = Counters::default();
        counters.add(Counter::ActionHit);
        counters.add(Counter::BlobMiss(MissReason::Damaged));
        let numbers = counters.numbers();
        assert_eq!(numbers.counts().blobs.missed(MissReason::Damaged), 1);
        let text = numbers.plus(&numbers).encode();
        assert_eq!(Numbers::decode(text.as_bytes()).unwrap().counts().actions.hits, 2);
        for position in 0..text.len() - 1 {
            let mut bad = text.clone().into_bytes();
            bad[position] ^= 1;
            assert_eq!(Numbers::decode(&bad), None, "byte {position}");
        }
        counters.subtract(&numbers);
        assert!(counters.numbers().is_zero());
    }
}
