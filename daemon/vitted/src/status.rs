//! Errors as `google.rpc.Status`: every one with an `ErrorInfo`, its code chosen here and nowhere else.
use std::borrow::Cow;
use std::collections::HashMap;
use std::io;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use vitte_driver::DriverError;
use vitte_loader::plugin::PluginError;
use vitte_loader::{CallError, CompileError, LoadError, TrustError};
use vitte_proto::v1;
use vitte_store::StoreError;

/// The domain of every `ErrorInfo` that this service sends.
pub const DOMAIN: &str = "vitte";

/// Why a call cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code on the wire.
    pub code: Code,
    /// UPPER_SNAKE, stable.
    pub reason: Cow<'static, str>,
    /// One sentence.
    pub message: String,
    /// What to do next; may be empty.
    pub help: String,
    /// A tool's own output; may be empty.
    pub output: String,
}

impl Refusal {
    /// A refusal without further help.
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            help: String::new(),
            output: String::new(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// A field of the request is missing or malformed.
    pub fn bad_field(field: &str, why: &str) -> Self {
        Self::new(Code::InvalidArgument, "INVALID_FIELD", format!("`{field}` {why}"))
    }

    /// Nothing has this resource name.
    pub fn unknown(kind: &str, name: &str) -> Self {
        Self::new(Code::NotFound, "UNKNOWN_RESOURCE", format!("there is no {kind} `{name}`"))
    }

    /// Our own fault; the details are in the log.
    pub fn internal(what: &str) -> Self {
        Self::new(Code::Internal, "INTERNAL", format!("internal error: {what}"))
            .help("this is a bug; `vitte daemon logs` has the details")
    }

    /// The service is on its way out.
    pub fn draining() -> Self {
        Self::new(Code::Unavailable, "DRAINING", "the service is shutting down")
    }

    /// The same as an event's payload.
    pub fn to_failure(&self) -> v1::Failure {
        v1::Failure {
            code: self.code as i32,
            reason: self.reason.clone().into_owned(),
            message: self.message.clone(),
            help: self.help.clone(),
            output: self.output.clone(),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, reason, message, help, output } = refusal;
        let metadata: HashMap<String, String> = [("help", help), ("output", output)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Self::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, metadata))
    }
}

impl From<vitte_buildkit::Error> for Refusal {
    fn from(error: vitte_buildkit::Error) -> Self {
        use vitte_buildkit::Error;
        let help = error.help();
        match error {
            Error::Build(error) => error.into(),
            Error::Input { code, field, message, .. } => {
                let message = if message.contains(&field) { message } else { format!("{field}: {message}") };
                Self::new(Code::InvalidArgument, code, message).help(help)
            }
            Error::Program(errors) => Self::new(
                Code::FailedPrecondition,
                "PROGRAM_ERRORS",
                format!("the program has {errors} errors"),
            )
            .help(help),
            Error::Io { path, reason } => {
                let code = match reason.kind() {
                    io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::ResourceExhausted,
                    _ => Code::FailedPrecondition,
                };
                Self::new(code, "IO_ERROR", format!("`{}`: {reason}", path.display())).help(help)
            }
        }
    }
}

impl From<DriverError> for Refusal {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::BadInput { reason, message, help } => {
                let code = if reason == "NOT_FOUND" { Code::NotFound } else { Code::InvalidArgument };
                Self::new(code, reason, message).help(help)
            }
            DriverError::Io { operation, path, source } => {
                let message = format!("cannot {operation} `{}`: {source}", path.display());
                let (code, help) = match source.kind() {
                    io::ErrorKind::NotFound => (Code::NotFound, ""),
                    io::ErrorKind::PermissionDenied => (
                        Code::PermissionDenied,
                        "change the rights of the folder, or name another place with `-o`",
                    ),
                    io::ErrorKind::ReadOnlyFilesystem => {
                        (Code::FailedPrecondition, "name a place that can be written with `-o`")
                    }
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        (Code::ResourceExhausted, "free some space, or name another place with `-o`")
                    }
                    _ => (Code::FailedPrecondition, ""),
                };
                // Only what is written can go elsewhere.
                let is_writing = ["write", "create", "rename", "remove"].contains(&operation);
                let help = if is_writing { help } else { "" };
                Self::new(code, "IO_ERROR", message).help(help)
            }
            DriverError::Tool { message, output, help } => {
                Self { output, ..Self::new(Code::FailedPrecondition, "TOOL_FAILED", message).help(help) }
            }
            DriverError::Cancelled => Self::new(Code::Cancelled, "CANCELLED", "cancelled"),
            DriverError::Internal(what) => Self::internal(&what),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (code, reason) = match &error {
            StoreError::Open { .. } | StoreError::System(_) => (Code::FailedPrecondition, "IO_ERROR"),
            StoreError::NewerFormat { .. } => (Code::FailedPrecondition, "STORE_NEWER"),
            StoreError::NotWritable { .. } => (Code::PermissionDenied, "STORE_NOT_WRITABLE"),
            StoreError::PinName { .. } => (Code::InvalidArgument, "INVALID_FIELD"),
            StoreError::NotThere { .. } => (Code::NotFound, "NOT_IN_STORE"),
            StoreError::Busy { .. } => (Code::Aborted, "STORE_BUSY"),
        };
        Self::new(code, reason, format!("{error} ({})", error.code())).help(error.help())
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        let code = match &error {
            LoadError::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Code::NotFound,
                io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                _ => Code::FailedPrecondition,
            },
            LoadError::Compile { source, .. } => match source {
                CompileError::NotWasm | CompileError::TooLarge { .. } | CompileError::Refused(_) => {
                    Code::InvalidArgument
                }
                CompileError::Late(_) | CompileError::Died(_) => Code::ResourceExhausted,
                CompileError::Cancelled => Code::Cancelled,
                CompileError::Start(_) | CompileError::Engine(_) => Code::FailedPrecondition,
            },
            LoadError::Trust { source, .. } => match source {
                TrustError::Malformed(_) => Code::InvalidArgument,
                TrustError::Forged { .. }
                | TrustError::Revoked { .. }
                | TrustError::NotAllowed { .. }
                | TrustError::Unsigned
                | TrustError::UnsignedNative => Code::PermissionDenied,
                TrustError::Store { .. }
                | TrustError::Name(_)
                | TrustError::Exists(_)
                | TrustError::NoKey(_) => Code::FailedPrecondition,
            },
            LoadError::Sequences(_) => Code::FailedPrecondition,
            LoadError::Older { .. } => Code::PermissionDenied,
            LoadError::UnknownKind { .. }
            | LoadError::Package { .. }
            | LoadError::NoArtifact { .. }
            | LoadError::Unsupported { .. }
            | LoadError::Bytecode { .. }
            | LoadError::Precompiled { .. }
            | LoadError::Table { .. }
            | LoadError::NoTable { .. }
            | LoadError::Library { .. }
            | LoadError::Native { .. }
            | LoadError::Name(_)
            | LoadError::MissingImports { .. }
            | LoadError::Link { .. } => Code::InvalidArgument,
            LoadError::Start { .. }
            | LoadError::NativeCopy { .. }
            | LoadError::Incompatible { .. }
            | LoadError::KnownBad { .. }
            | LoadError::Thread(_) => Code::FailedPrecondition,
            LoadError::TooManyGenerations { .. } | LoadError::TooManyModules { .. } => {
                Code::ResourceExhausted
            }
            LoadError::Busy { .. } => Code::Aborted,
            LoadError::AlreadyLoaded { .. } => Code::AlreadyExists,
            LoadError::NotLoaded { .. } => Code::NotFound,
            LoadError::Cancelled { .. } => Code::Cancelled,
        };
        Self::new(code, error.code(), error.to_string()).help(error.help())
    }
}

impl From<PluginError> for Refusal {
    fn from(error: PluginError) -> Self {
        let code = match error {
            PluginError::Load(error) => return error.into(),
            PluginError::Unfit { .. } | PluginError::NoContribution { .. } => Code::InvalidArgument,
            PluginError::Unknown(_) => Code::NotFound,
            PluginError::Exists(_) => Code::AlreadyExists,
            PluginError::Quarantined { .. } | PluginError::Failed { .. } => Code::FailedPrecondition,
        };
        Self::new(code, error.code(), error.to_string()).help(error.help())
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let code = match &error {
            CallError::NotLoaded(_) | CallError::NoGeneration { .. } | CallError::NoFunction { .. } => {
                Code::NotFound
            }
            CallError::NotCallable { .. } | CallError::Arguments { .. } => Code::InvalidArgument,
            CallError::Trap(_) | CallError::Failed(_) | CallError::Reported(_) => Code::FailedPrecondition,
            CallError::DeadlineExceeded(_) => Code::DeadlineExceeded,
            CallError::Cancelled => Code::Cancelled,
            CallError::Crashed { .. } | CallError::Quarantined { .. } => Code::Unavailable,
            CallError::Drained => Code::Aborted,
            CallError::TooMany => Code::ResourceExhausted,
        };
        Self::new(code, error.code(), error.to_string()).help(error.help())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refusal_carries_one_error_info() {
        let status =
            Status::from(Refusal::bad_field("cwd", "must be absolute").help("send an absolute path"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INVALID_FIELD", DOMAIN));
        assert_eq!(info.metadata.get("help").map(String::as_str), Some("send an absolute path"));
    }
}
