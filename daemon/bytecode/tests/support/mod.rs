//! What several suites use.
#![allow(dead_code)]
pub mod generator;
pub mod kernels;
pub mod random;
pub mod rich;

/// A number from the environment, or `default`.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.replace('_', "").parse().ok()).unwrap_or(default)
}
