//! What the end-to-end suites share: finding the product's binaries, a private home for each
//! service under test, running a command within a time limit, showing a difference, and making
//! workspaces of any size.
#![forbid(unsafe_code)]

pub mod binaries;
pub mod diff;
pub mod generator;
pub mod home;
pub mod process;
pub mod random;
pub mod stage;
