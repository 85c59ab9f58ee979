//! What `vitte doctor` says of this machine.
use std::path::Path;

use vitte_sys::process::{Command, Limits, Stdio};
use vitte_sys::sandbox::{Policy, Rung};

use crate::api::Finding;
use crate::link::{HOST_TARGET, Linkers, Toolbox};

/// The dynamic loader that every executable names.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Target, loader, linkers, debugger, kernel.
pub(crate) fn findings(linkers: &Linkers, tools: &Toolbox) -> Vec<Finding> {
    let mut all = vec![target(), loader()];
    all.extend(linkers.findings());
    all.push(debugger(tools));
    all.push(sandbox());
    all.extend(kernel());
    all
}

/// What the kernel, and the sandbox around us if there is one, let us use. Nothing here must be there:
/// each facility has a slower or weaker substitute.
fn kernel() -> Vec<Finding> {
    let capabilities = vitte_sys::caps::probe();
    let own = Finding {
        subject: "kernel".into(),
        state: "ok".into(),
        detail: format!("{}, {} processors", capabilities.kernel, capabilities.processors),
        ..Finding::default()
    };
    let facilities = capabilities.facilities.iter().map(|one| Finding {
        subject: format!("kernel {}", one.facility.name()),
        state: if one.available { "ok" } else { "missing" }.into(),
        detail: if one.available && one.why.is_empty() { "available".into() } else { one.why.clone() },
        ..Finding::default()
    });
    std::iter::once(own).chain(facilities).collect()
}

/// How strongly a linker's process is confined here, found by starting one that does nothing.
fn sandbox() -> Finding {
    let subject = "sandbox".to_owned();
    let mut command = Command::new("true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.sandbox(Policy::new(Rung::Limits).system());
    let mut child = match command.spawn(Limits::default()) {
        Ok(child) => child,
        Err(error) => {
            let help = "links and programs cannot be started either; see the reason".to_owned();
            return Finding {
                subject,
                state: "missing".into(),
                detail: error.to_string(),
                help,
                ..Finding::default()
            };
        }
    };
    let reached = child.confinement();
    // It ends by itself, at once; how does not matter.
    let _ = child.wait();
    let version = match reached.landlock_abi {
        0 => String::new(),
        version => format!(" (Landlock ABI {version})"),
    };
    let (state, help) = match reached.rung {
        Rung::Namespaces | Rung::Landlock => ("ok", ""),
        Rung::Limits => {
            ("warning", "a kernel of 6.12 or later with Landlock in its `lsm=` list confines them")
        }
    };
    Finding {
        subject,
        state: state.into(),
        detail: format!(
            "linkers run behind {}{version}; your own programs run as you do, in a process tree of their own",
            reached.rung.name()
        ),
        help: help.into(),
        ..Finding::default()
    }
}

fn target() -> Finding {
    let host = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let runs = host == "x86_64-linux";
    Finding {
        subject: "target".into(),
        state: if runs { "ok" } else { "warning" }.into(),
        detail: format!("{HOST_TARGET} on {host}"),
        chosen: true,
        help: if runs {
            String::new()
        } else {
            "programs are built here but run on x86-64 Linux only".into()
        },
    }
}

fn loader() -> Finding {
    let there = Path::new(LOADER).exists();
    Finding {
        subject: "dynamic loader".into(),
        state: if there { "ok" } else { "missing" }.into(),
        detail: LOADER.into(),
        chosen: there,
        help: if there { String::new() } else { "programs need glibc to run; building works without".into() },
    }
}

fn debugger(tools: &Toolbox) -> Finding {
    let found = ["gdb", "lldb"].into_iter().find_map(|name| tools.search(name));
    Finding {
        subject: "debugger".into(),
        state: if found.is_some() { "ok" } else { "missing" }.into(),
        chosen: found.is_some(),
        help: if found.is_some() { String::new() } else { "install gdb to debug programs".into() },
        detail: found.map_or_else(|| "neither gdb nor lldb".into(), |path| path.display().to_string()),
    }
}
