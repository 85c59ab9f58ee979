//! Watching folders: a thin layer over what the system has, and nothing more. What the events mean for
//! whom is the caller's business.
//!
//! Linux only: one [`Queue`] is one inotify(7) instance, and [`MountTable`] tells of mounts that come
//! and go, which inotify does not.
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod mounts;

#[cfg(target_os = "linux")]
pub use linux::{Bell, Cookie, EVENT_BUFFER_BYTES, Event, Links, Queue, WatchId, Woken};
#[cfg(target_os = "linux")]
pub use mounts::{Mount, MountTable};
