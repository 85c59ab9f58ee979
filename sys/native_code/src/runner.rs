//! The process of libraries that trust each other: loads them, and calls what it is asked to, one call after the
//! other, until the service goes away.
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::library::Library;
use crate::message::{Reply, Request, read_frame, write_frame};
use crate::table::Table;

/// The exit status when the service broke the protocol or went away in the middle of a message.
const EXIT_PROTOCOL: u8 = 74;

/// Serves the socket that is standard input. A process that does anything else must not call it: it runs
/// code of which nothing is known.
pub fn runner_main() -> ExitCode {
    // A fault of the library shall be seen as that fault, not as the message that Rust makes of it.
    vitte_sys::signals::faults_end_the_process();
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::from(EXIT_PROTOCOL) };
    match serve(&mut UnixStream::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        // There is nobody to tell.
        Err(_) => ExitCode::from(EXIT_PROTOCOL),
    }
}

fn serve(socket: &mut UnixStream) -> io::Result<()> {
    let mut libraries: BTreeMap<u32, Library> = BTreeMap::new();
    while let Some(body) = read_frame(socket)? {
        let request = Request::decode(&body).map_err(io::Error::other)?;
        let reply = match request {
            Request::Open { id, library: file, table } => {
                let opened = Table::parse(&table).map_err(|error| error.to_string());
                match opened.and_then(|table| Library::open(&file, &table)) {
                    // None is replaced, because none can be closed reliably.
                    Ok(_) if libraries.contains_key(&id) => return Err(io::ErrorKind::InvalidData.into()),
                    Ok(opened) => {
                        libraries.insert(id, opened);
                        Reply::Opened
                    }
                    Err(why) => Reply::Refused(why),
                }
            }
            Request::Call { library, function, arguments } => {
                let Some(library) = libraries.get_mut(&library) else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                match library.call(function as usize, arguments) {
                    Ok(results) => Reply::Results(results),
                    Err(why) => Reply::Failed(why),
                }
            }
        };
        let body = reply.encode();
        match write_frame(socket, &body) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let reply = Reply::Failed("its results are too long for a message".to_owned());
                write_frame(socket, &reply.encode())?;
            }
            other => other?,
        }
    }
    Ok(())
}
