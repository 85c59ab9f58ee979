//! How much a suite does: a little by default, as much as is asked for in the environment.
use std::str::FromStr;

/// The number in the environment variable `name`, or `default`.
///
/// A value that is no number counts as none: the suites print what they use.
#[must_use]
pub fn number<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The seed of a suite's random choices: `VITTE_TEST_SEED`, or 1.
#[must_use]
pub fn seed() -> u64 {
    number("VITTE_TEST_SEED", 1)
}
