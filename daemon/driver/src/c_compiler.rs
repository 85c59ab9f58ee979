//! A C compiler of this machine, for the back end `c17`: from source text to an object file.
//!
//! It runs confined in a folder of its own, and is told neither where that is nor when: the same text gives the
//! same object.
use std::ffi::OsString;
use std::path::PathBuf;

use vitte_compiler::base::OptLevel;
use vitte_sys::process::{Command, Stdio, spawn};

use crate::api::CancellationToken;
use crate::link::{LinkError, Toolbox, policy, supervise};
use crate::plan::BuildPlan;

/// Where it is searched, in order.
const NAMES: [&str; 3] = ["cc", "gcc", "clang"];
const SOURCE: &str = "program.c";
const OBJECT: &str = "program.o";

/// A C compiler that was found.
#[derive(Clone, Debug)]
pub(crate) struct CCompiler {
    program: PathBuf,
    /// `PATH` of the child, so that it finds its assembler.
    path: OsString,
}

impl CCompiler {
    /// The first of `cc`, `gcc` and `clang` that `tools` knows.
    ///
    /// # Errors
    /// [`LinkError::Tool`] when there is none.
    pub(crate) fn find(tools: &Toolbox) -> Result<Self, LinkError> {
        let program = NAMES.iter().find_map(|name| tools.search(name)).ok_or_else(|| {
            let help = "install GCC or Clang, or leave out `--backend c17`: the default needs no C compiler";
            LinkError::tool("the back end `c17` needs a C compiler, and none was found", "", help)
        })?;
        Ok(Self { program, path: tools.path.clone() })
    }

    /// What of it can change what it makes.
    pub(crate) fn identity(&self) -> String {
        let program = self.program.canonicalize().unwrap_or_else(|_| self.program.clone());
        let stamp = vitte_sys::fs::stamp(&program).ok().flatten();
        let (size, modified) = stamp.map_or((0, 0), |stamp| (stamp.size, stamp.modified_ns));
        format!("c17 by {} {size} {modified}", program.display())
    }

    fn flags(plan: &BuildPlan) -> Vec<&'static str> {
        let mut flags = vec!["-std=c17", "-ffp-contract=off", "-fno-stack-protector", "-fPIE"];
        flags.push(match plan.options.opt_level {
            OptLevel::O0 => "-O0",
            OptLevel::O1 => "-O1",
            OptLevel::O2 => "-O2",
            OptLevel::O3 => "-O3",
        });
        // Sections that no code refers to can be left out by linkers.
        flags.extend(["-ffunction-sections", "-fdata-sections"]);
        flags.push(if plan.options.debug_info { "-g" } else { "-g0" });
        flags
    }

    /// Compiles `text` to an object file.
    ///
    /// # Errors
    /// [`LinkError::Tool`] when the compiler cannot be run, refuses the text, or takes too long;
    /// [`LinkError::Cancelled`] when the caller gives up.
    pub(crate) fn compile(
        &self,
        text: &str,
        plan: &BuildPlan,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, LinkError> {
        let io = |error: &dyn std::fmt::Display| {
            let help = "check the space left in the temporary folder";
            LinkError::tool("cannot prepare the C compiler's work", error.to_string(), help)
        };
        let folder = tempfile::Builder::new().prefix("vitte-c17-").tempdir().map_err(|error| io(&error))?;
        std::fs::write(folder.path().join(SOURCE), text).map_err(|error| io(&error))?;
        let mut command = Command::new(&self.program);
        command
            .args(Self::flags(plan))
            .arg(format!("-ffile-prefix-map={}=.", folder.path().display()))
            .args(["-c", SOURCE, "-o", OBJECT])
            .current_dir(folder.path())
            .env("PATH", &self.path)
            .env("LC_ALL", "C")
            .env("SOURCE_DATE_EPOCH", "0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .sandbox(policy(&self.program, folder.path()));
        let name = self.program.display();
        let child = spawn(command, Default::default()).map_err(|error| {
            let help = "install GCC or Clang, or leave out `--backend c17`";
            LinkError::tool(format!("cannot run the C compiler `{name}`"), error.to_string(), help)
        })?;
        let help = "build with less optimisation: `-O1`";
        let (success, output) = supervise(child, cancel, &format!("the C compiler `{name}`"), help)?;
        let object = folder.path().join(OBJECT);
        if !success || !object.is_file() {
            let help = "this is a fault of the compiler: please report it with the program; `--backend cranelift` does without C";
            return Err(LinkError::tool(format!("the C compiler `{name}` failed"), output, help));
        }
        vitte_sys::fs::read(&object).map_err(|error| io(&error))
    }
}
