//! The wire types of `vitte.v1`, generated from the files in `vitte/v1`, and nothing else.
//!
//! Only the service and the client may depend on this crate.
#![forbid(unsafe_code)]

/// Messages, clients and servers of package `vitte.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::needless_pass_by_value)]
pub mod v1 {
    tonic::include_proto!("vitte.v1");
}

/// The encoded descriptors of all files, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
