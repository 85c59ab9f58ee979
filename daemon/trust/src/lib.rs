//! Whose modules are trusted: public keys, signatures, and what each key may sign.
//!
//! Start at [`TrustStore`]. Signatures are those of `minisign`, prehashed (its only kind since 2021), beside
//! the file as `FILE.minisig`. The store is a folder that its user can read and change with any tool:
//! `NAME.pub` are trusted keys as `minisign -G` writes them, `revoked/NAME.pub` are keys that are trusted no
//! more, and `policy.toml` says what keys may sign and whether unsigned modules are loaded.
#![forbid(unsafe_code)]

mod capability; // what modules may reach
mod policy; // what keys may sign
mod store; // keys on disk, and the verdict

pub use capability::{Access, Capability, Denied, Denier, ParseCapabilityError, Wanted, effective};
pub use policy::{Policy, PolicyError, Unsigned, UnsignedNative};
pub use store::{Key, Signer, Standing, TrustError, TrustStore, signature_path};
