//! `fmt`: source files in canonical style.
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;

use super::channel;
use crate::cli::{Common, FmtArgs};
use crate::edit::replace;
use crate::failure::{Exit, Failure};
use crate::report::{print_bytes, print_line};

/// Folders of what programs make, which hold no sources.
const MADE: [&str; 3] = ["target", "blib", "_build"];

/// What became of one text.
enum Formatted {
    Text(String),
    Broken(Vec<v1::SyntaxProblem>),
}

/// `vitte fmt`.
///
/// # Errors
/// When the service cannot be asked, a path cannot be read or a file cannot be written.
pub async fn fmt(common: &Common, args: FmtArgs) -> Result<u8, Failure> {
    let FmtArgs { paths, check, lines } = args;
    let lines = lines.map(|(first, last)| v1::LineRange { first, last });
    let from_input = paths.iter().any(|path| path.as_os_str() == "-");
    if from_input && paths.len() > 1 {
        return Err(Failure::new(Exit::Usage, "`-` stands alone").help("format files in a call of their own"));
    }
    if lines.is_some() && (paths.len() != 1 || paths[0].is_dir()) {
        return Err(
            Failure::new(Exit::Usage, "`--lines` takes one file").help("name the file whose lines they are")
        );
    }
    let mut service = BuildServiceClient::new(channel(common).await?)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    if from_input {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| cannot("read", Path::new("standard input"), &error))?;
        let Some(text) = as_text(bytes, Path::new("standard input")) else { return Ok(Exit::BadInput as u8) };
        return match format(&mut service, text.clone(), lines).await? {
            Formatted::Text(fresh) if check => Ok(u8::from(fresh != text)),
            Formatted::Text(fresh) => print_bytes(fresh.as_bytes()).map(|()| 0),
            Formatted::Broken(problems) => {
                tell(Path::new("<stdin>"), &problems);
                Ok(Exit::ProgramErrors as u8)
            }
        };
    }
    let mut status = Exit::Ok;
    for path in files(paths)? {
        let bytes = fs::read(&path).map_err(|error| cannot("read", &path, &error))?;
        let Some(text) = as_text(bytes, &path) else {
            status = Exit::BadInput;
            continue;
        };
        let problem = match format(&mut service, text.clone(), lines).await? {
            Formatted::Text(fresh) if fresh == text => false,
            Formatted::Text(_) if check => {
                print_line(&format!("would format {}", path.display()))?;
                true
            }
            Formatted::Text(fresh) => {
                replace(&path, &fresh).map_err(|error| cannot("write", &path, &error))?;
                print_line(&format!("formatted {}", path.display()))?;
                false
            }
            Formatted::Broken(problems) => {
                tell(&path, &problems);
                true
            }
        };
        if problem && status == Exit::Ok {
            status = Exit::ProgramErrors;
        }
    }
    Ok(status as u8)
}

async fn format(
    service: &mut BuildServiceClient<Channel>,
    text: String,
    lines: Option<v1::LineRange>,
) -> Result<Formatted, Failure> {
    let answer = service.format(v1::FormatRequest { text, lines }).await?.into_inner();
    let v1::FormatResponse { text, problems } = answer;
    Ok(if problems.is_empty() { Formatted::Text(text) } else { Formatted::Broken(problems) })
}

fn as_text(bytes: Vec<u8>, path: &Path) -> Option<String> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            say(&format!("{}: error[LEX0014]: this is not UTF-8: bad byte at offset {at}\n", path.display()));
            None
        }
    }
}

fn tell(path: &Path, problems: &[v1::SyntaxProblem]) {
    for v1::SyntaxProblem { line, column, code, message } in problems {
        say(&format!("{}:{line}:{column}: error[{code}]: {message}\n", path.display()));
    }
    say(&format!("note: {} stays as it is until it parses\n", path.display()));
}

fn say(text: &str) {
    // A closed standard error has no reader to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::InputOutput, format!("cannot {what} `{}`: {error}", path.display()))
        .help("check that it exists and that you may use it")
}

/// The files that the paths stand for, each once, in order of path within each folder.
fn files(mut paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(&path, &mut found).map_err(|error| cannot("read", &path, &error))?;
        } else {
            found.push(path);
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        // Links to folders are not followed: they may lead out, or in circles.
        let kind = entry.file_type()?;
        let path = match folder.to_str() {
            Some(".") => PathBuf::from(&name),
            _ => entry.path(),
        };
        if kind.is_dir() && !hidden && !MADE.iter().any(|made| *made == name) {
            walk(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(is_source) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_source(extension: &OsStr) -> bool {
    extension == "vit" || extension == "vitl"
}
