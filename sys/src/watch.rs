//! Watching folders: a thin layer over what the system has, and nothing more. What the events mean for
//! whom is the caller's business.
//!
//! Linux only: one [`Queue`] is one inotify(7) instance, and [`MountTable`] tells of mounts that come
//! and go, which inotify does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use crate::platform::watch::{
    Bell, Cookie, EVENT_BUFFER_BYTES, Event, Links, Mount, MountTable, Queue, WatchId, Woken,
};
