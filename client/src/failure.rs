//! What went wrong, in words and as an exit status.
use std::fmt;

use tonic::{Code, Status};
use tonic_types::StatusExt;
use vitte_sys::SysError;

/// Exit statuses of `vitte`, after sysexits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// The program has errors.
    ProgramErrors = 1,
    /// Code generation, the linker or another tool failed.
    CannotBuild = 2,
    /// The command line is wrong.
    Usage = 64,
    /// The input cannot be read or is malformed.
    BadInput = 65,
    /// The service is required but cannot be reached.
    Unavailable = 69,
    /// Our own fault.
    Internal = 70,
    /// Reading or writing failed.
    InputOutput = 74,
    /// Timed out or shed: try again.
    TryAgain = 75,
    /// Not trusted or not permitted.
    NotPermitted = 77,
    /// The settings are wrong.
    Configuration = 78,
}

/// Why a command cannot do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status to exit with.
    pub exit: u8,
    /// One sentence, lower case, no period. Empty when all was said already.
    pub message: String,
    /// What to do next; may be empty.
    pub help: String,
    /// A tool's own output; may be empty.
    pub output: String,
}

impl Failure {
    /// A failure without further help.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit: exit as u8, message: message.into(), help: String::new(), output: String::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Exits with `status`; whatever there was to say has been said.
    pub fn silent(status: u8) -> Self {
        Self { exit: status, message: String::new(), help: String::new(), output: String::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<SysError> for Failure {
    fn from(error: SysError) -> Self {
        Self::new(Exit::InputOutput, error.to_string())
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let info = status.get_details_error_info();
        let reason = info.as_ref().map(|info| info.reason.as_str()).unwrap_or_default();
        let detail =
            |name: &str| info.as_ref().and_then(|info| info.metadata.get(name)).cloned().unwrap_or_default();
        let (exit, message) = match info {
            Some(_) => (exit_of(status.code(), reason), status.message().to_owned()),
            // Not an answer of the service but the transport's: it went away under us.
            None => match status.code() {
                Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => {
                    (Exit::Unavailable, "the service went away; run the command again".to_owned())
                }
                code => (exit_of(code, ""), status.message().to_owned()),
            },
        };
        Self { exit: exit as u8, message, help: detail("help"), output: detail("output") }
    }
}

/// The exit status of an error by its reason, or by its code when the reason says nothing more.
fn exit_of(code: Code, reason: &str) -> Exit {
    match (reason, code) {
        ("TOOL_FAILED", _) => Exit::CannotBuild,
        ("IO_ERROR", _) => Exit::InputOutput,
        (
            "UNKNOWN_TARGET" | "UNKNOWN_LINKER" | "UNKNOWN_PROFILE" | "UNKNOWN_PASS" | "UNKNOWN_CODE"
            | "UNKNOWN_LINT",
            _,
        ) => Exit::Usage,
        ("MODULE_TRAP" | "MODULE_FAILED" | "MODULE_START_FAILED" | "MODULE_CRASHED", _) => {
            Exit::ProgramErrors
        }
        ("BAD_CONFIG", _) => Exit::Configuration,
        (_, Code::InvalidArgument | Code::NotFound | Code::OutOfRange | Code::AlreadyExists) => {
            Exit::BadInput
        }
        (_, Code::PermissionDenied | Code::Unauthenticated) => Exit::NotPermitted,
        (_, Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted | Code::Cancelled) => {
            Exit::TryAgain
        }
        (_, Code::Unavailable | Code::Unimplemented) => Exit::Unavailable,
        (_, Code::FailedPrecondition) => Exit::CannotBuild,
        (_, Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss) => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_beat_codes() {
        assert_eq!(exit_of(Code::InvalidArgument, "UNKNOWN_TARGET"), Exit::Usage);
        assert_eq!(exit_of(Code::InvalidArgument, "NOT_UTF8"), Exit::BadInput);
        assert_eq!(exit_of(Code::ResourceExhausted, "IO_ERROR"), Exit::InputOutput);
        assert_eq!(exit_of(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"), Exit::TryAgain);
    }

    #[test]
    fn a_lost_connection_is_not_our_bug() {
        assert_eq!(Failure::from(Status::unavailable("broken pipe")).exit, Exit::Unavailable as u8);
    }
}
