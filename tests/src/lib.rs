//! What the end-to-end suites share: finding the product's binaries, a private home for each
//! service under test, running a command within a time limit, showing a difference, and making
//! workspaces of any size.
#![forbid(unsafe_code)]

pub mod binaries;
pub mod corpus;
pub mod diff;
pub mod events;
pub mod following;
pub mod generator;
pub mod home;
pub mod process;
pub mod random;
pub mod random_program;
#[cfg(target_os = "linux")]
pub mod services;
pub mod setting;
pub mod stage;
#[cfg(target_os = "linux")]
pub mod stranger;
