//! Watching folders on Linux.
mod inotify; // inotify(7) in types
mod mounts; // what is mounted where

pub use inotify::{Bell, Cookie, EVENT_BUFFER_BYTES, Event, Links, Queue, WatchId, Woken};
pub use mounts::{Mount, MountTable};
