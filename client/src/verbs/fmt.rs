//! `fmt`: source files in canonical style.
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::plugin_service_client::PluginServiceClient;

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
    let channel = channel(common).await?;
    let mut service = BuildServiceClient::new(channel.clone())
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
    let mut plugins = Formatters::ask(channel).await?;
    let mut status = Exit::Ok;
    for path in files(paths, &plugins.types)? {
        let bytes = fs::read(&path).map_err(|error| cannot("read", &path, &error))?;
        let Some(text) = as_text(bytes, &path) else {
            status = Exit::BadInput;
            continue;
        };
        let formatted = match plugins.of(&path) {
            theirs if theirs.is_empty() => format(&mut service, text.clone(), lines).await?,
            theirs if lines.is_some() => {
                let message = format!("`{}` formats whole files alone", theirs.join("`, `"));
                return Err(Failure::new(Exit::Usage, message).help("leave out `--lines`"));
            }
            theirs => plugins.format(theirs, &path, text.clone()).await?,
        };
        let problem = match formatted {
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

/// The plugins that format files of types which are theirs.
struct Formatters {
    service: PluginServiceClient<Channel>,
    /// How names of files end, and which plugin formats those; in order of plugin.
    types: Vec<(String, String)>,
}

impl Formatters {
    async fn ask(channel: Channel) -> Result<Self, Failure> {
        let mut service = PluginServiceClient::new(channel)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX);
        let plugins = service.list_plugins(v1::ListPluginsRequest {}).await?.into_inner().plugins;
        let mut types = Vec::new();
        for v1::Plugin { name, activation, contributions, .. } in plugins {
            if contributions.iter().any(|contribution| contribution == "formatter") {
                let ends = activation.iter().filter_map(|event| event.strip_prefix("on-file-type:"));
                types.extend(ends.map(|end| (end.to_owned(), name.clone())));
            }
        }
        Ok(Self { service, types })
    }

    /// Whose a file is. Sources are nobody's but ours: they have one style everywhere.
    fn of(&self, path: &Path) -> Vec<String> {
        if path.extension().is_some_and(is_source) {
            return Vec::new();
        }
        let theirs = self.types.iter().filter(|(end, _)| ends_with(path, end));
        theirs.map(|(_, name)| name.clone()).collect()
    }

    /// The text in the style of `plugins`, one after the other.
    async fn format(
        &mut self,
        plugins: Vec<String>,
        path: &Path,
        mut text: String,
    ) -> Result<Formatted, Failure> {
        for name in plugins {
            let path = path.display().to_string();
            let contribution = v1::call_plugin_request::Contribution::Format(v1::FormatText { path, text });
            let request = v1::CallPluginRequest { name, contribution: Some(contribution) };
            text = self.service.call_plugin(request).await?.into_inner().text;
        }
        Ok(Formatted::Text(text))
    }
}

fn ends_with(path: &Path, end: &str) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(end.as_bytes()))
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
/// Within folders those are sources, and what is of `types`.
fn files(mut paths: Vec<PathBuf>, types: &[(String, String)]) -> Result<Vec<PathBuf>, Failure> {
    if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(&path, types, &mut found).map_err(|error| cannot("read", &path, &error))?;
        } else {
            found.push(path);
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn walk(folder: &Path, types: &[(String, String)], found: &mut Vec<PathBuf>) -> io::Result<()> {
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
            walk(&path, types, found)?;
        } else if kind.is_file()
            && (path.extension().is_some_and(is_source) || types.iter().any(|(end, _)| ends_with(&path, end)))
        {
            found.push(path);
        }
    }
    Ok(())
}

fn is_source(extension: &OsStr) -> bool {
    extension == "vit" || extension == "vitl"
}
