//! From a Vitte package to something that people on other systems install: targets, toolchains, cross-compiled programs,
//! archives and packages in each system's own format, with signatures, parts lists and digests. Equal inputs give equal bytes.
//!
//! ```no_run
//! use vitte_buildkit::BuildKit;
//!
//! # fn main() -> Result<(), vitte_buildkit::Error> {
//! let made = BuildKit::new().target("aarch64-apple-darwin").package("hello")?.build_and_export("dist/")?;
//! for file in &made.files {
//!     println!("{} {}", file.sha256, file.path.display());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Nothing needs a packaging tool: the formats are written here. What is made goes to a folder beside its place first, and
//! appears whole or not at all.
#![forbid(unsafe_code)]

pub mod archive; // tar and zip, written and read back
pub mod bench; // build times and sizes per target, compared with a baseline
mod digest; // digests and times
mod dist; // files that appear together
mod error; // what can go wrong, with the field it is about
mod kit; // BuildKit: the door
mod openpgp; // signatures inside of .rpm
pub mod package; // the formats of each system
mod parts; // parts lists and where everything came from
mod recipe; // the `package` object of a manifest
mod sign; // detached signatures
mod stage; // what is installed, as one sorted list
mod target; // machines that programs are made for
mod toolchain; // compilers and linkers of this machine

pub use digest::source_date;
pub use error::Error;
pub use kit::{BuildKit, Made, MadeFile, Progress};
pub use package::Format;
pub use recipe::{DebCompression, Recipe};
pub use stage::{Content, Entry, Kind, Stage};
pub use target::{TargetInfo, targets};
pub use toolchain::{Toolchain, Toolchains};
