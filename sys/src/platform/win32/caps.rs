//! What this machine can do.
use crate::caps::Facility;
use crate::ffi::win32::console;

/// The release of the system, such as `10.0.19045`.
pub(crate) fn release() -> String {
    match console::release() {
        Ok((major, minor, build)) => format!("{major}.{minor}.{build}"),
        Err(_) => std::env::consts::OS.to_owned(),
    }
}

/// Asks for `facility`: the detail of a yes, or the reason of a no. All of them are other systems'.
pub(crate) fn ask(facility: Facility) -> Result<String, String> {
    Err(format!("Windows has no {}", facility.name()))
}
