//! The worker process: one WebAssembly binary in, its machine code out, then the end.
//!
//! It talks over the socket that is its standard input; numbers are little-endian. The request is a
//! `u64` length and the binary. The answer is one byte (0 compiled, 1 refused), a `u64` length, then the
//! code or the message.
use std::io::{self, Read, Write};
use std::process::ExitCode;

use crate::code::Kind;
use crate::engine;

/// Largest binary that is compiled, in bytes.
pub(crate) const BINARY_MAX: u64 = 256 << 20;
/// Most bytes of an answer.
pub(crate) const ANSWER_MAX: u64 = 2 << 30;
/// The first byte of an answer with code.
pub(crate) const COMPILED: u8 = 0;
/// The first byte of an answer with a message.
pub(crate) const REFUSED: u8 = 1;

/// Compiles what comes over standard input, a socket. A process that does anything else must not call it.
#[cfg(unix)]
pub fn worker_main() -> ExitCode {
    use std::os::fd::AsFd;
    // Calls of modules that serve come before what is to serve next.
    vitte_sys::process::lower_priority();
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::from(74) };
    match serve(&mut std::os::unix::net::UnixStream::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        // The service went away or broke the protocol: there is nobody to tell.
        Err(_) => ExitCode::from(74),
    }
}

/// There are no socket pairs here.
#[cfg(not(unix))]
pub fn worker_main() -> ExitCode {
    ExitCode::from(74)
}

fn serve(socket: &mut (impl Read + Write)) -> io::Result<()> {
    let mut length = [0; 8];
    socket.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > BINARY_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut binary = Vec::new();
    Read::by_ref(socket).take(length).read_to_end(&mut binary)?;
    if binary.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (status, payload) = match compile(&binary) {
        Ok(code) => (COMPILED, code),
        Err(message) => (REFUSED, message.into_bytes()),
    };
    let mut head = vec![status];
    head.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    socket.write_all(&head)?;
    socket.write_all(&payload)
}

/// The machine code, or why there is none.
pub(crate) fn compile(binary: &[u8]) -> Result<Vec<u8>, String> {
    let engine = engine::for_compiling().map_err(|error| format!("{error:#}"))?;
    let compiled = match Kind::of(binary) {
        Some(Kind::Module) => engine.precompile_module(binary),
        Some(Kind::Component) => engine.precompile_component(binary),
        None => return Err("this is no WebAssembly binary".to_owned()),
    };
    compiled.map_err(|error| format!("{error:#}"))
}
