//! How values are written: durations, sizes, ranges of lines.
use std::time::Duration;

/// `FIRST:LAST`, both from 1.
pub(super) fn lines(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(':').unwrap_or((text, text));
    match (parts.0.parse(), parts.1.parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok((first, last)),
        _ => Err("expected two line numbers from 1, such as `10:20`".to_owned()),
    }
}

/// A duration: a number of seconds, or one with a unit, `ms`, `s`, `m` or `h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_per_unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err("a number of seconds, or a number with `ms`, `s`, `m` or `h`, is expected".to_owned());
        }
    };
    let amount: f64 = digits.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if amount <= 0.0 {
        return Err("must be more than 0".to_owned());
    }
    Duration::try_from_secs_f64(amount * seconds_per_unit).map_err(|error| error.to_string())
}

/// A number of bytes: digits, then `B`, `KiB`, `MiB`, `GiB` or `TiB`; the `iB` may be left out.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    let unit = unit.trim();
    let shift = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("a number with `KiB`, `MiB`, `GiB` or `TiB` is expected".to_owned()),
    };
    let amount: u64 = amount.parse().map_err(|_| "not a number of bytes".to_owned())?;
    amount.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

/// As [`duration`], and `d` for days.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('d') {
        Some(days) => {
            let hours = duration(&format!("{}h", days.trim_end()))?;
            hours.checked_mul(24).ok_or_else(|| "too long".to_owned())
        }
        None => duration(text),
    }
}

/// A name that is one of a file too: letters, digits, `-`, `_` and `.`, and it does not begin with a dot.
pub(super) fn baseline_name(text: &str) -> Result<String, String> {
    const LONGEST: usize = 64;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > LONGEST || text.starts_with('.') || !text.chars().all(fits) {
        return Err("letters, digits, `-`, `_` and `.` are expected, 64 at most".to_owned());
    }
    Ok(text.to_owned())
}
