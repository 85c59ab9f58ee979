//! Writes a generated workspace to a folder.
//!
//! `generate-workspace FOLDER [--modules N] [--seed N] [--layers N] [--c] [--cc COMMAND]`. Without `--c`
//! the folder becomes a Vitte package, for `vitte build`; with it the equal C project, for `ninja`.
//! `--cc` is its compiler, `tcc` unless said otherwise. The folder must be empty or not exist.
//! Exit status: 0, 64 for wrong use, 74 when something cannot be written.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;

use vitte_tests::generator::{Options, Workspace};

const USAGE: &str =
    "usage: generate-workspace FOLDER [--modules N] [--seed N] [--layers N] [--c] [--cc COMMAND]";

struct Wanted {
    folder: PathBuf,
    options: Options,
    c: bool,
    compiler: String,
}

fn main() -> ExitCode {
    let wanted = match parse(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(message) => {
            eprintln!("error: {message}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let workspace = Workspace::new(&wanted.options);
    let files = if wanted.c { workspace.c(&wanted.compiler) } else { workspace.vitte() };
    let shown = wanted.folder.display();
    if std::fs::read_dir(&wanted.folder).is_ok_and(|mut entries| entries.next().is_some()) {
        eprintln!("error: `{shown}` is not empty; name a folder that is");
        return ExitCode::from(74);
    }
    match files.write(&wanted.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write below `{shown}`: {error}");
            ExitCode::from(74)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut folder = None;
    let mut options = Options::new(100, 1);
    let (mut c, mut compiler) = (false, "tcc".to_owned());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
        match argument.as_str() {
            "--modules" => options.modules = number(&value()?)?,
            "--layers" => options.layers = number(&value()?)?,
            "--seed" => options.seed = number(&value()?)?,
            "--cc" => compiler = value()?,
            "--c" => c = true,
            flag if flag.starts_with('-') => return Err(format!("no flag is called `{flag}`")),
            _ if folder.is_some() => return Err(format!("`{argument}` is a second folder")),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    if options.modules < 4 {
        return Err("a workspace has at least 4 modules".into());
    }
    Ok(Wanted { folder: folder.ok_or("a folder is missing")?, options, c, compiler })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits"))
}
