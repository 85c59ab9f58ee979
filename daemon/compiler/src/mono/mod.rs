//! See the crate's table of contents.
