//! What the end-to-end suites share: finding the product's binaries, a private home for each
//! service under test, running a command within a time limit, and showing a difference.
#![forbid(unsafe_code)]

pub mod binaries;
pub mod diff;
pub mod home;
pub mod process;
pub mod stage;
