//! `vitte`, the command of the Vitte language.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use vitte_client::{cli, verbs};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(status) = verbs::quick_status(&args) {
        return status;
    }
    match cli::parse(args) {
        Ok(cli) => verbs::run(cli),
        Err(status) => status,
    }
}
