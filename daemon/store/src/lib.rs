//! Content store: immutable blobs named by their [`Digest`], results of actions named by their
//! [`ActionKey`], with pins, leases, a byte budget and collection.
//!
//! Start at [`Store`]. A store is a cache: whatever goes wrong in it, from a full disk to a flipped bit, is
//! a miss and an [`Event`], never a wrong answer and never a failed build. `layout` decides what is on disk,
//! `files` is the only door to it, and `collect` is the only module that deletes what is whole.
//!
//! # Many processes
//! Any number of processes may use one folder at the same time. Files appear by rename and are never
//! changed, so readers and writers need no lock. Two things are shared by locks of the kernel, which a dead
//! process cannot keep: whoever holds `index.lock` owns the index `index.vitte`; everybody else works
//! from the files alone, and the owner finds what they published by looking at directories that changed.
//! And leases and deletions exclude each other by `collect.lock`.
//!
//! # What a crash may cost
//! A process that is killed loses nothing that [`Store::put`] or [`Store::publish`] acknowledged: the bytes
//! are in the kernel. Nothing is flushed to the device, because all of it can be made again, so a power cut
//! may lose or cut what was written during the last seconds (30 on a usual ext4). What was cut fails its
//! checksum and is a miss. Pins alone are flushed before [`Store::pin`] returns.
#![forbid(unsafe_code)]

mod digest; // what blobs and actions are called
mod record; // what an action gave, as a file
mod options; // how a store is opened, and why it cannot be
mod event; // what went wrong without failing anything
mod layout; // where everything is
mod files; // the only door to the disk
mod packing; // blobs as zstd
mod counts; // hits, and misses by reason
mod store; // open, put, get, publish, look up
mod materialise; // blobs as files outside
mod guard; // leases and pins
mod scan; // what is on disk, directory by directory
mod index; // index.vitte: sizes and last uses
mod keeper; // the thread that owns the index
mod collect; // what may be forgotten, and when
mod check; // verify, repair, clean

pub use check::{CheckReport, Progress, RepairReport};
pub use collect::{CollectOptions, CollectReport, Ended};
pub use counts::{Counts, MissReason, Rate};
pub use digest::{ActionKey, Digest, ParseDigestError};
pub use event::Event;
pub use guard::{Lease, Pin};
pub use layout::{Entry, Kind};
pub use materialise::Materialised;
pub use options::{IndexUse, Options, StoreError};
pub use record::{ActionResult, RECORD_BYTES_MAX};
pub use store::{Access, IndexState, Kept, KindStats, Lookup, Stats, Store};

#[cfg(test)]
mod tests;
