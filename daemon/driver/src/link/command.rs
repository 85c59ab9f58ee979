//! Linkers that are programs of this machine.
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vitte_sys::process::{Child, Command, Stdio, Termination, end_group, end_notifier, peek_end, spawn};
use vitte_sys::sandbox::{Policy, Rung};

use super::embedded::{gnu_flags, input_files};
use super::{
    DebugInfo, LinkError, LinkMode, LinkPlan, LinkReport, Linker, Probe, Tool, ToolKind, detect, symbols,
};
use crate::api::CancellationToken;

/// Longest link.
const TIME_MAX: Duration = Duration::from_secs(300);
/// Most bytes of a tool's output that are kept.
const OUTPUT_MAX: u64 = 256 * 1024;
/// The name of what is made, inside the folder that is made for it.
const OUTPUT: &str = "program";

/// What `tool` may touch: its own installation, the system's programs and libraries, and
/// `folder`. A command of the user's own may need anything, and is trusted like the user's programs.
pub(crate) fn policy(tool: &Path, folder: &Path) -> Policy {
    let tool = tool.canonicalize().unwrap_or_else(|_| tool.to_owned());
    let mut programs = tool.parent().unwrap_or(&tool);
    // In a Rust toolchain, `bin/gcc-ld/ld.lld` only calls what is in `bin`.
    if programs.ends_with("gcc-ld") {
        programs = programs.parent().unwrap_or(programs);
    }
    // `ld` sets the mode of what it makes.
    let policy = Policy::new(Rung::Limits).system().write(folder).execute(programs).allow_metadata();
    let beside = ["lib", "lib64", "libexec"].map(|name| programs.with_file_name(name));
    // `TOOLCHAIN/lib/rustlib/TRIPLE/bin` takes the toolchain's own LLVM from `TOOLCHAIN/lib`.
    let toolchain =
        programs.ancestors().nth(3).filter(|lib| lib.join("rustlib").is_dir()).map(Path::to_owned);
    beside.into_iter().chain(toolchain).fold(policy, Policy::execute)
}

/// How a linker is called.
#[derive(Clone, Debug)]
enum Call {
    /// A known tool.
    Tool(Tool),
    /// The user's own words: a program and arguments, with `{inputs}` and `{output}` in them.
    Template(Vec<String>),
}

/// A linker in a child process: `cc`, `ld`, `ld.lld`, `mold`, `rust-lld`, or a command of the user's.
#[derive(Clone, Debug)]
pub struct CommandLinker {
    call: Call,
    /// `PATH` of the child, so that a compiler finds its own tools.
    path: OsString,
}

impl CommandLinker {
    /// A tool that was found.
    pub fn tool(tool: Tool, path: OsString) -> Self {
        Self { call: Call::Tool(tool), path }
    }

    /// A command such as `mylinker --fast {inputs} -o {output}`. Words are separated by spaces; quotes
    /// keep spaces together. `{inputs}` becomes one argument for each file, and they are complete:
    /// startup code, objects, and stubs of the shared libraries.
    ///
    /// # Errors
    /// A sentence about what is wrong with the template.
    pub fn template(template: &str, path: OsString) -> Result<Self, String> {
        let words = split(template)?;
        if words.is_empty() {
            return Err("the linker command is empty".into());
        }
        for placeholder in ["{inputs}", "{output}"] {
            if !words.iter().any(|word| word.contains(placeholder)) {
                return Err(format!("the linker command `{template}` has no `{placeholder}`"));
            }
        }
        Ok(Self { call: Call::Template(words), path })
    }

    fn program(&self) -> PathBuf {
        match &self.call {
            Call::Tool(tool) => tool.path.clone(),
            Call::Template(words) => PathBuf::from(words.first().map_or("", String::as_str)),
        }
    }

    /// The arguments for `files`, which stand in the child's working directory.
    fn arguments(&self, plan: &LinkPlan, files: &[String]) -> Vec<String> {
        let mut arguments = Vec::new();
        match &self.call {
            Call::Tool(Tool { kind: ToolKind::CompilerDriver, .. }) => {
                let mode: &[&str] = match plan.mode {
                    _ if plan.shared => &["-shared", "-Wl,-Bsymbolic", "-Wl,-z,relro,-z,now"],
                    LinkMode::Dynamic => &["-pie", "-Wl,-z,relro,-z,now"],
                    LinkMode::Static => &["-static"],
                };
                arguments.extend(mode.iter().map(|flag| (*flag).to_owned()));
                arguments.extend(["-Wl,-z,noexecstack".into(), "-Wl,--build-id=none".into()]);
                if plan.gc_sections {
                    arguments.push("-Wl,--gc-sections".into());
                }
                match plan.debug {
                    DebugInfo::Keep => {}
                    DebugInfo::Strip => arguments.push("-s".into()),
                }
                arguments.extend(files.iter().cloned());
            }
            Call::Tool(Tool { kind: ToolKind::GnuLinker, .. }) => {
                arguments = gnu_flags(plan);
                arguments.extend(files.iter().cloned());
            }
            Call::Template(words) => {
                for word in words.iter().skip(1) {
                    if word == "{inputs}" {
                        arguments.extend(files.iter().cloned());
                    } else {
                        arguments
                            .push(word.replace("{inputs}", &files.join(" ")).replace("{output}", OUTPUT));
                    }
                }
            }
        }
        arguments.extend(plan.flags.iter().cloned());
        arguments.extend(plan.libraries.iter().map(|name| format!("-l{name}")));
        if matches!(self.call, Call::Tool(_)) {
            arguments.extend(["-o".into(), OUTPUT.into()]);
        }
        arguments
    }
}

impl Linker for CommandLinker {
    fn name(&self) -> String {
        match &self.call {
            Call::Tool(tool) => tool.name.into(),
            Call::Template(words) => words.join(" "),
        }
    }

    fn probe(&self) -> Probe {
        let path = self.program();
        match detect::version(&path) {
            Some(version) => Probe { usable: true, detail: format!("{} ({version})", path.display()) },
            None => {
                Probe { usable: false, detail: format!("{} does not answer `--version`", path.display()) }
            }
        }
    }

    fn identity(&self) -> String {
        let path = self.program();
        let stamp = vitte_sys::fs::stamp(&path).ok().flatten();
        let (size, modified) = stamp.map_or((0, 0), |stamp| (stamp.size, stamp.modified_ns));
        format!("{} {} {size} {modified}", self.name(), path.display())
    }

    fn link(&self, plan: &LinkPlan, cancel: &CancellationToken) -> Result<LinkReport, LinkError> {
        let started = Instant::now();
        let name = self.name();
        let own_startup = !matches!(self.call, Call::Tool(Tool { kind: ToolKind::CompilerDriver, .. }));
        let unsupported = |reason: String| LinkError::Unsupported { linker: name.clone(), reason };
        if !self.supports(&plan.target) {
            return Err(unsupported(format!("it makes no executables for `{}`", plan.target)));
        }
        if plan.mode == LinkMode::Static && own_startup {
            return Err(unsupported(
                "a static executable needs an archive of the C library; use `cc`".into(),
            ));
        }
        let imports = symbols::resolve(plan, own_startup)?;
        let io = |error: &dyn std::fmt::Display| {
            LinkError::tool(
                "cannot prepare the link",
                error.to_string(),
                "check the space left in the temporary folder",
            )
        };
        let folder = tempfile::Builder::new().prefix("vitte-link-").tempdir().map_err(|error| io(&error))?;
        let mut files = input_files(plan, &imports)?;
        if !own_startup {
            // The compiler brings startup code and the real C library.
            files.retain(|(file, _)| file != "startup.o" && file != "libc.so.6" && file != "libm.so.6");
        }
        for (file, bytes) in &files {
            std::fs::write(folder.path().join(file), bytes).map_err(|error| io(&error))?;
        }
        let mut names: Vec<String> = files.into_iter().map(|(file, _)| file).collect();
        if !own_startup && imports.libraries.contains_key("libm.so.6") {
            names.push("-lm".into());
        }
        let mut command = Command::new(self.program());
        command
            .args(self.arguments(plan, &names))
            .current_dir(folder.path())
            .env("PATH", &self.path)
            .env("LC_ALL", "C")
            // GCC and LLD write a build time into nothing here, but other tools may.
            .env("SOURCE_DATE_EPOCH", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Call::Tool(tool) = &self.call {
            command.env("TMPDIR", folder.path()).sandbox(policy(&tool.path, folder.path()));
        }
        let child = spawn(command, Default::default()).map_err(|error| {
            let help = "install it, or use the embedded linker: `--linker embedded`";
            LinkError::tool(format!("cannot run the linker `{name}`"), error.to_string(), help)
        })?;
        let confinement = matches!(self.call, Call::Tool(_)).then(|| child.confinement());
        let help = "try another linker: `--linker embedded`";
        let (success, output) = supervise(child, cancel, &format!("the linker `{name}`"), help)?;
        let made = folder.path().join(OUTPUT);
        if !success || !made.is_file() {
            let absent = missing_libraries(&output);
            if !absent.is_empty() {
                let shown: Vec<String> = absent.iter().map(|library| format!("`{library}`")).collect();
                let packages: Vec<String> = absent.iter().map(|library| package_of(library)).collect();
                let message = format!("the linker `{name}` does not find the library {}", shown.join(", "));
                let help = format!(
                    "install it (Debian: `apt-get install {}`), or correct `link.libraries` of `vitte-package.json`",
                    packages.join(" ")
                );
                return Err(LinkError::tool(message, output, help));
            }
            let help = "see the linker's own words above; `--linker embedded` needs nothing of this machine";
            return Err(LinkError::tool(format!("the linker `{name}` failed"), output, help));
        }
        let bytes = vitte_sys::fs::read(&made).map_err(|error| io(&error))?;
        let linker = format!("{name} ({})", self.program().display());
        let warnings = output.lines().filter(|line| !line.is_empty()).map(String::from).collect();
        Ok(LinkReport { bytes, linker, elapsed: started.elapsed(), warnings, confinement })
    }
}

/// Libraries that a linker says it does not find, in order of name: `cannot find -lfoo` (binutils), `unable to find library -lfoo`
/// (LLD), `library not found: foo` (mold).
fn missing_libraries(output: &str) -> Vec<String> {
    let mut found: Vec<String> = output
        .lines()
        .filter_map(|line| {
            let words = ["cannot find -l", "unable to find library -l", "library not found: "];
            let (_, rest) = words.iter().find_map(|words| line.split_once(words))?;
            let end = |letter: char| !(letter.is_ascii_alphanumeric() || "_-+.".contains(letter));
            let name = rest.split(end).next().unwrap_or_default().trim_end_matches('.');
            (!name.is_empty()).then(|| name.to_owned())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The package of Debian with the files that linking with a library takes. Most are named after it; these are not.
fn package_of(library: &str) -> String {
    const OTHERS: [(&str, &str); 14] = [
        ("GL", "libgl-dev"),
        ("X11", "libx11-dev"),
        ("bz2", "libbz2-dev"),
        ("crypto", "libssl-dev"),
        ("curl", "libcurl4-openssl-dev"),
        ("expat", "libexpat1-dev"),
        ("ffi", "libffi-dev"),
        ("jpeg", "libjpeg-dev"),
        ("lzma", "liblzma-dev"),
        ("ncurses", "libncurses-dev"),
        ("pthread", "libc6-dev"),
        ("sqlite3", "libsqlite3-dev"),
        ("ssl", "libssl-dev"),
        ("z", "zlib1g-dev"),
    ];
    match OTHERS.iter().find(|(name, _)| *name == library) {
        Some((_, package)) => (*package).to_owned(),
        None => format!("lib{}-dev", library.to_lowercase().replace('_', "-")),
    }
}

/// Waits for `child`, within the time limit and unless cancelled; whether it succeeded, and its words. `help` says what to
/// do if `what` takes too long.
pub(crate) fn supervise(
    mut child: Child,
    cancel: &CancellationToken,
    what: &str,
    help: &str,
) -> Result<(bool, String), LinkError> {
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // A read error ends the text; the exit status decides.
                let _ = (&mut pipe).take(OUTPUT_MAX).read_to_end(&mut bytes);
                // What is too much is read and dropped, so that the tool does not hang on a full pipe.
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let deadline = Instant::now() + TIME_MAX;
    // Kept open so that the kernel cannot hand out the process id again while we look.
    let _notifier = end_notifier(child.id());
    let mut pause = Duration::from_micros(200);
    let failure = loop {
        match peek_end(child.id()) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => break None,
        }
        if cancel.is_cancelled() {
            break Some(LinkError::Cancelled);
        }
        if Instant::now() >= deadline {
            let message = format!("{what} took more than {} s", TIME_MAX.as_secs());
            break Some(LinkError::tool(message, "", help));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    };
    // Whatever the tool left running goes with it, and its pipes are closed.
    end_group(child.id(), Termination::Kill);
    let status = child.wait();
    let mut output = stdout.join().unwrap_or_default();
    output.extend(stderr.join().unwrap_or_default());
    match failure {
        Some(failure) => Err(failure),
        None => Ok((status.is_ok_and(|s| s.success()), String::from_utf8_lossy(&output).into_owned())),
    }
}

/// Splits a command into words at spaces; single and double quotes keep spaces together.
fn split(template: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in template.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed in the linker command `{template}`"));
    }
    words.extend(word);
    Ok(words)
}

/// Whether `text` is meant as a path or a command and not as a linker's name.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{inputs}") || text.contains("{output}")
}

/// Whether `path` names a C compiler rather than a linker, by its file name.
pub(super) fn kind_of(path: &Path) -> ToolKind {
    let file = path.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    if file.contains("ld") && !file.contains("build") {
        ToolKind::GnuLinker
    } else {
        ToolKind::CompilerDriver
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_and_quotes() {
        assert_eq!(split("a 'b c'  d\"e f\"").unwrap(), ["a", "b c", "de f"]);
        assert!(split("a 'b").is_err());
        assert!(CommandLinker::template("ld -o {output}", OsString::new()).unwrap_err().contains("{inputs}"));
    }

    #[test]
    fn libraries_that_are_not_found_are_named_with_their_packages() {
        let output = "/usr/bin/ld: cannot find -lz: No such file or directory\nld.lld: error: unable to find library -lfoo_bar\n\
                      mold: fatal: library not found: ssl\n/usr/bin/ld: cannot find -lz\ncollect2: error: ld returned 1";
        assert_eq!(missing_libraries(output), ["foo_bar", "ssl", "z"]);
        assert_eq!(package_of("z"), "zlib1g-dev");
        assert_eq!(package_of("ssl"), "libssl-dev");
        assert_eq!(package_of("foo_bar"), "libfoo-bar-dev");
        assert!(missing_libraries("undefined symbol: x").is_empty());
    }

    #[test]
    fn compilers_and_linkers_are_told_apart() {
        assert_eq!(kind_of(Path::new("/usr/bin/x86_64-linux-gnu-gcc-12")), ToolKind::CompilerDriver);
        assert_eq!(kind_of(Path::new("/opt/ld.lld")), ToolKind::GnuLinker);
    }
}
