//! What this machine can do.
use crate::caps::Facility;

/// The release of the system.
pub(crate) fn release() -> String {
    std::env::consts::OS.to_owned()
}

/// Asks for `facility`: the detail of a yes, or the reason of a no.
pub(crate) fn ask(facility: Facility) -> Result<String, String> {
    Err(format!("{} has no {}", std::env::consts::OS, facility.name()))
}
