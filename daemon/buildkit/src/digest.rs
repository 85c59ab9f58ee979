//! Digests, and the one time that everything made bears.
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::error::Error;

/// 1980-01-01, the first day that every format can tell of.
pub(crate) const FIRST_DAY: u64 = 315_532_800;
/// The last second that formats with 32 bits can tell of.
const LAST: u64 = u32::MAX as u64;

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The time of everything that is made, in seconds since 1970: what `SOURCE_DATE_EPOCH` says, or 1980-01-01.
///
/// # Errors
/// When it is no number of seconds between 1980 and 2106.
pub fn source_date(value: Option<&str>) -> Result<u64, Error> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(FIRST_DAY) };
    let wrong = || {
        let message = format!("`{value}` is not a time that packages can have");
        let help = "give seconds since 1970, from 315532800 (1980) on, or leave it out";
        Error::input("PKG_E_SOURCE_DATE", "SOURCE_DATE_EPOCH", message, help)
    };
    value.parse().ok().filter(|seconds| (FIRST_DAY..=LAST).contains(seconds)).ok_or_else(wrong)
}

/// A time of UTC.
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

impl Date {
    /// By Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    pub(crate) fn of(seconds: u64) -> Self {
        let days = (seconds / 86_400) as i64 + 719_468;
        let rest = seconds % 86_400;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (day_of_year - (153 * shifted + 2) / 5 + 1) as u8,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }

    /// `2026-11-22T01:25:00Z`.
    pub(crate) fn iso(&self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(Date::of(FIRST_DAY).iso(), "1980-01-01T00:00:00Z");
        assert_eq!(Date::of(951_782_399).iso(), "2000-02-28T23:59:59Z");
        assert_eq!(Date::of(951_782_400).iso(), "2000-02-29T00:00:00Z");
        assert_eq!(Date::of(1_700_000_000).iso(), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn only_times_that_every_format_has_are_taken() {
        assert_eq!(source_date(None).unwrap(), FIRST_DAY);
        assert_eq!(source_date(Some("1700000000")).unwrap(), 1_700_000_000);
        for wrong in ["0", "x", "-1", "99999999999", "1.5"] {
            assert!(source_date(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
