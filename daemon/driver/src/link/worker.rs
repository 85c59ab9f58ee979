//! The worker process of the embedded linker: plans in, executables out, nothing on disk.
//!
//! It talks over the socket that is its standard input, in both directions; numbers are little-endian.
//! A request is a `u32` length, a JSON [`Request`], then the bytes of its files. An answer is one byte
//! (0 done, 1 refused), a `u32` length and a JSON list of warnings, a `u64` length, then the executable
//! or the message.
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libwild::{FileSystem, FileType, InputFileData, Linker, OutputFileData, OutputOptions};

/// Longest JSON of a request or answer.
pub(super) const HEADER_MAX: u32 = 1 << 20;
/// Most bytes of all files of a request, or of an answer.
pub(super) const PAYLOAD_MAX: u64 = 2 << 30;
/// Name of the file that the linker writes.
pub(super) const OUTPUT: &str = "program";

/// What stands before the bytes of the files.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Request {
    /// Arguments in GNU style, without the program name.
    pub(super) arguments: Vec<String>,
    /// Names and lengths of the files that follow.
    pub(super) files: Vec<(String, u64)>,
}

/// Serves link requests until the other side hangs up. The program that is named to
/// [`Driver::new`](crate::Driver::new) calls this, and nothing else, in the worker process.
pub fn worker_main() -> ExitCode {
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::from(74) };
    match serve(UnixStream::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        // The service went away or broke the protocol: there is nobody to tell.
        Err(_) => ExitCode::from(74),
    }
}

fn serve(mut socket: UnixStream) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        match socket.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let header = read_block(&mut socket, u32::from_le_bytes(length).into(), HEADER_MAX.into())?;
        let request: Request = serde_json::from_slice(&header)?;
        let mut files = HashMap::new();
        let mut left = PAYLOAD_MAX;
        for (name, length) in &request.files {
            let bytes = read_block(&mut socket, *length, left)?;
            left -= length;
            files.insert(PathBuf::from(name), Arc::<[u8]>::from(bytes));
        }
        let (result, warnings) = link(&request.arguments, files);
        let warnings = serde_json::to_vec(&warnings)?;
        let (status, payload) = match &result {
            Ok(bytes) => (0, bytes.as_slice()),
            Err(message) => (1, message.as_bytes()),
        };
        let mut head = vec![status];
        head.extend_from_slice(&(warnings.len() as u32).to_le_bytes());
        head.extend_from_slice(&warnings);
        head.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        socket.write_all(&head)?;
        socket.write_all(payload)?;
    }
}

fn read_block(from: &mut impl Read, length: u64, limit: u64) -> io::Result<Vec<u8>> {
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "request too large"));
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The executable or a message, and the warnings.
fn link(arguments: &[String], files: HashMap<PathBuf, Arc<[u8]>>) -> (Result<Vec<u8>, String>, Vec<String>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let output = Arc::new(Mutex::new(None));
    let memory = Memory { files, output: Arc::clone(&output) };
    let said = Arc::clone(&warnings);
    // The state that a panic could leave half-changed is local and thrown away.
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || -> Result<(), String> {
        let all = || std::iter::once("wild").chain(arguments.iter().map(String::as_str));
        let mut parsed = libwild::Args::new(all).map_err(|error| error.to_string())?;
        parsed.on_warning(Box::new(move |warning| {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(warning.warning().to_owned());
        }));
        parsed.parse(all).map_err(|error| error.to_string())?;
        let linker = Linker::with_file_system(memory);
        linker.run(&parsed).map(drop).map_err(|error| error.to_string())
    }));
    let mut warnings = std::mem::take(&mut *warnings.lock().unwrap_or_else(PoisonError::into_inner));
    warnings.sort();
    let result = match ended {
        Ok(Ok(())) => {
            let bytes = output.lock().unwrap_or_else(PoisonError::into_inner).take();
            bytes.ok_or_else(|| "the linker made no output".to_owned())
        }
        Ok(Err(message)) => Err(message),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(format!("the embedded linker panicked: {words}"))
        }
    };
    (result, warnings)
}

/// The linker's whole world: the files of one request and one output.
struct Memory {
    files: HashMap<PathBuf, Arc<[u8]>>,
    output: Arc<Mutex<Option<Vec<u8>>>>,
}

/// A file of the request.
#[derive(Debug)]
struct Input(Arc<[u8]>);

impl InputFileData for Input {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The executable while it is written.
struct Output {
    bytes: Vec<u8>,
    done: Arc<Mutex<Option<Vec<u8>>>>,
}

impl OutputFileData for Output {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn finish(self) -> libwild::error::Result {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.bytes);
        Ok(())
    }
}

fn missing(path: &Path) -> libwild::error::Error {
    libwild::error!("no such file in the plan: {}", path.display())
}

impl FileSystem for Memory {
    type Input = Input;
    type Output = Output;

    fn open_input(&self, path: &Path, _: bool) -> libwild::error::Result<(Self::Input, Option<Arc<File>>)> {
        let bytes = self.files.get(path).ok_or_else(|| missing(path))?;
        Ok((Input(Arc::clone(bytes)), None))
    }

    fn file_type(&self, path: &Path) -> libwild::error::Result<FileType> {
        if self.files.contains_key(path) { Ok(FileType::File) } else { Err(missing(path)) }
    }

    fn canonicalize(&self, path: &Path) -> libwild::error::Result<PathBuf> {
        Ok(path.to_path_buf())
    }

    fn remove_file(&self, path: &Path) -> libwild::error::Result<()> {
        Err(missing(path))
    }

    fn rename_file(&self, path: &Path, _: &Path) -> libwild::error::Result<()> {
        Err(missing(path))
    }

    fn create_output(&self, _: Arc<Path>, options: OutputOptions) -> libwild::error::Result<Self::Output> {
        if options.size > PAYLOAD_MAX {
            return Err(libwild::error!("the executable would have {} bytes", options.size));
        }
        Ok(Output { bytes: vec![0; options.size as usize], done: Arc::clone(&self.output) })
    }

    fn write_auxiliary(&self, path: &Path, _: &[u8]) -> libwild::error::Result {
        Err(libwild::error!("the plan allows no second output, not even {}", path.display()))
    }
}
