//! The process of libraries that trust each other: loads them, and calls what it is asked to, one call after the
//! other, until the service goes away. A call that waits for an import lets others be made in between.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;

use crate::library::Library;
use crate::message::{Reply, Request, Value, read_frame, write_frame};
use crate::table::Table;

/// The exit status when the service broke the protocol or went away in the middle of a message.
const EXIT_PROTOCOL: u8 = 74;

/// Serves the socket that is standard input. A process that does anything else must not call it: it runs
/// code of which nothing is known.
pub fn runner_main() -> ExitCode {
    // A fault of the library shall be seen as that fault, not as the message that Rust makes of it.
    vitte_sys::signals::faults_end_the_process();
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::from(EXIT_PROTOCOL) };
    match Connection::new(UnixStream::from(socket)).serve() {
        // An answer that nobody asked for.
        Ok(Some(_)) => ExitCode::from(EXIT_PROTOCOL),
        Ok(None) => ExitCode::SUCCESS,
        // There is nobody to tell.
        Err(_) => ExitCode::from(EXIT_PROTOCOL),
    }
}

/// The service, and the libraries that it has opened here.
pub(crate) struct Connection {
    socket: UnixStream,
    libraries: RefCell<BTreeMap<u32, Rc<Library>>>,
}

/// What an import gave, or why it gave nothing.
type Answer = Result<Vec<Value>, String>;

impl Connection {
    pub(crate) fn new(socket: UnixStream) -> Rc<Self> {
        Rc::new(Self { socket, libraries: RefCell::default() })
    }

    /// Does what the service asks until it goes away, or answers an import.
    fn serve(self: &Rc<Self>) -> io::Result<Option<Answer>> {
        while let Some(body) = read_frame(&mut &self.socket)? {
            let reply = match Request::decode(&body).map_err(io::Error::other)? {
                Request::Open { id, library: file, table } => {
                    // None is replaced, because none can be closed reliably.
                    if self.libraries.borrow().contains_key(&id) {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    let opened = Table::parse(&table).map_err(|error| error.to_string());
                    match opened.and_then(|table| Library::open(&file, &table, id, self)) {
                        Ok(opened) => {
                            self.libraries.borrow_mut().insert(id, Rc::new(opened));
                            Reply::Opened
                        }
                        Err(why) => Reply::Refused(why),
                    }
                }
                Request::Call { library, function, arguments } => {
                    let library = self.libraries.borrow().get(&library).cloned();
                    let library = library.ok_or(io::ErrorKind::InvalidData)?;
                    match library.call(function as usize, arguments) {
                        Ok(results) => Reply::Results(results),
                        Err(why) => Reply::Failed(why),
                    }
                }
                Request::Answer(values) => return Ok(Some(Ok(values))),
                Request::Fail(why) => return Ok(Some(Err(why))),
            };
            match self.send(&reply) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.send(&Reply::Failed("its results are too long for a message".to_owned()))?;
                }
                other => other?,
            }
        }
        Ok(None)
    }

    fn send(&self, reply: &Reply) -> io::Result<()> {
        write_frame(&mut &self.socket, &reply.encode())
    }

    /// Asks the service for an import, and does meanwhile what it asks for.
    ///
    /// # Errors
    /// Why there is no answer that C can be given.
    pub(crate) fn ask(self: &Rc<Self>, import: &Reply) -> Answer {
        match self.send(import) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error.to_string()),
            Err(_) => leave(),
        }
        match self.serve() {
            Ok(Some(answer)) => answer,
            // The service is gone, or makes no sense; below us are frames of C that nobody waits for.
            Ok(None) | Err(_) => leave(),
        }
    }

    /// Tells the service that a call cannot go on, and ends the process.
    pub(crate) fn abandon(&self, why: String) -> ! {
        // If it cannot be told, it sees the end.
        let _ = self.send(&Reply::Abandoned(why));
        leave()
    }
}

/// Ends the process at once: what libraries have left for its end would run between frames of C.
fn leave() -> ! {
    std::process::abort()
}
