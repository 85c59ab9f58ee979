//! The map, kept true: who may depend on whom, what the compiler may not reach, where `unsafe` may
//! stand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Our crates and those of ours that each may depend on; `[]` sees nobody. A crate that is not
/// listed is an error, so that a new one gets its place on the map first.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("vitte-proto", &[]),
    ("vitte-sys", &[]),
    ("vitte-bytecode", &[]),
    ("vitte-component", &[]),
    ("vitte-compiler", &["vitte-bytecode", "vitte-component"]),
    ("vitte-store", &["vitte-sys"]),
    ("vitte-driver", &["vitte-compiler", "vitte-component", "vitte-store", "vitte-sys"]),
    ("vitte-wasm-code", &["vitte-sys"]),
    ("vitte-native-code", &["vitte-sys"]),
    ("vitte-trust", &["vitte-sys"]),
    (
        "vitte-loader",
        &[
            "vitte-bytecode",
            "vitte-compiler",
            "vitte-component",
            "vitte-driver",
            "vitte-native-code",
            "vitte-store",
            "vitte-sys",
            "vitte-trust",
            "vitte-wasm-code",
        ],
    ),
    ("vitte-buildkit", &["vitte-compiler", "vitte-driver", "vitte-store", "vitte-sys"]),
    (
        "vitted",
        &[
            "vitte-buildkit",
            "vitte-compiler",
            "vitte-driver",
            "vitte-loader",
            "vitte-proto",
            "vitte-store",
            "vitte-sys",
        ],
    ),
    ("vitte-client", &["vitte-proto", "vitte-sys", "vitte-trust"]),
];

/// The suites stand outside the map: they may see everything.
const SUITES: &str = "vitte-tests";

/// What a pure compiler has no use for, in any of its normal dependencies' names.
const NOT_FOR_THE_COMPILER: &[&str] = &["tokio", "tonic", "notify", "hyper", "rustix", "mio"];

/// Libraries of system calls, which only vitte-sys may depend on.
const SYSTEM_INTERFACES: &[&str] = &[
    "libc",
    "rustix",
    "nix",
    "linux-raw-sys",
    "windows-sys",
    "windows",
    "winapi",
    "landlock",
    "seccompiler",
];

/// What the compiler's sources may not name: files, environment, clock, threads, processes.
const NOT_IN_THE_COMPILER: &[&str] = &[
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::net",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
];

#[test]
fn dependencies_point_down_only() {
    let packages = workspace_packages();
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (name, package) in &packages {
        if name == SUITES {
            continue;
        }
        let Some((_, allowed)) = MAY_SEE.iter().find(|(crate_name, _)| crate_name == name) else {
            wrong.push(format!("{name} has no place on the map: add it to MAY_SEE"));
            continue;
        };
        for dependency in normal_dependencies(package) {
            if ours.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_depends_on_the_suites() {
    for (name, package) in workspace_packages() {
        let all = package["dependencies"].as_array().unwrap().iter();
        assert!(all.clone().all(|dependency| dependency["name"] != SUITES), "{name} depends on {SUITES}");
    }
}

#[test]
fn only_the_service_and_the_client_speak_grpc() {
    for (name, package) in workspace_packages() {
        if ["vitted", "vitte-client", "vitte-proto", SUITES].contains(&name.as_str()) {
            continue;
        }
        for dependency in normal_dependencies(&package) {
            assert!(
                !dependency.starts_with("tonic") && !dependency.starts_with("prost"),
                "{name} depends on {dependency}"
            );
        }
    }
}

#[test]
fn only_sys_knows_the_operating_system() {
    for (name, package) in workspace_packages() {
        // The suites make the faults that others must bear, and look at what is left of processes.
        if ["vitte-sys", SUITES].contains(&name.as_str()) {
            continue;
        }
        for dependency in normal_dependencies(&package) {
            assert!(!SYSTEM_INTERFACES.contains(&dependency.as_str()), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn every_platform_has_the_same_modules() {
    let platform = root().join("sys/src/platform");
    let modules = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("pub(crate) mod "));
        lines.map(|line| line.trim_end_matches([';', '{', ' ']).to_owned()).collect()
    };
    let read =
        |system: &str| modules(&std::fs::read_to_string(platform.join(system).join("mod.rs")).unwrap());
    let linux = read("linux");
    assert!(linux.len() >= 11, "{linux:?}");
    for system in ["bsd", "darwin", "wasi", "win32"] {
        let missing: Vec<String> = linux.difference(&read(system)).cloned().collect();
        assert!(missing.is_empty(), "{system} has no {missing:?}");
    }
}

#[test]
fn what_stands_above_the_platforms_names_none() {
    let sys = root().join("sys/src");
    let mut wrong = Vec::new();
    for path in sources(&sys) {
        let inside = path.strip_prefix(&sys).unwrap();
        let is_tests = inside.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if inside.starts_with("ffi") || inside.starts_with("platform") || is_tests {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests stand last in a file, and may look behind what they test.
        let code = text.split("mod tests {").next().unwrap_or_default();
        for (number, line) in code_lines(code) {
            let line = without_strings(line);
            for name in ["rustix::", "std::os::", "windows_sys::"] {
                if line.contains(name) {
                    wrong.push(format!("{}:{number}: {name}", inside.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_compiler_needs_no_operating_system() {
    let tree = Command::new(cargo())
        .current_dir(root())
        .args([
            "tree",
            "--offline",
            "-p",
            "vitte-compiler",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        let name = line.split(' ').next().unwrap();
        assert!(!NOT_FOR_THE_COMPILER.contains(&name), "vitte-compiler depends on {name}");
    }
}

#[test]
fn the_compiler_reaches_no_file_clock_environment_or_thread() {
    let mut wrong = Vec::new();
    // Files of tests alone may link and run what the compiler made.
    let is_test = |path: &Path| {
        path.file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(|stem| stem == "tests" || stem.ends_with("_tests"))
    };
    for path in sources(&root().join("daemon/compiler/src")).into_iter().filter(|path| !is_test(path)) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in code_lines(&text) {
            for name in NOT_IN_THE_COMPILER {
                if line.contains(name) {
                    wrong.push(format!("{}:{number}: {name}", path.display()));
                }
            }
            // `use std::{fs, ..}` and `use std::time::{Instant, ..}`.
            if let Some(group) = line.trim_start().strip_prefix("use std::") {
                let names: BTreeSet<&str> = group.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                for name in ["fs", "env", "thread", "process", "net", "Instant", "SystemTime"] {
                    if names.contains(name) {
                        wrong.push(format!("{}:{number}: use of std's {name}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stands_in_sys_alone() {
    let mut wrong = Vec::new();
    for folder in ["proto", "daemon", "client", "tests"] {
        for path in sources(&root().join(folder)) {
            if path.ends_with("suites/architecture.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for (number, line) in code_lines(&text) {
                // A salsa attribute that promises something about lifetimes; it expands to safe code.
                let line = line.replace("unsafe(no_lifetime)", "");
                let line = without_strings(&line);
                let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                if words.any(|word| word == "unsafe") {
                    wrong.push(format!("{}:{number}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_but_sys_forbids_unsafe_code() {
    let mut wrong = Vec::new();
    for (name, package) in workspace_packages() {
        // They stand below `sys/`.
        if ["vitte-sys", "vitte-wasm-code", "vitte-native-code"].contains(&name.as_str()) {
            continue;
        }
        for target in package["targets"].as_array().unwrap() {
            let kinds: Vec<&str> =
                target["kind"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            if !kinds.iter().any(|kind| ["lib", "bin", "rlib", "cdylib", "proc-macro"].contains(kind)) {
                continue;
            }
            let path = target["src_path"].as_str().unwrap();
            let text = std::fs::read_to_string(path).unwrap();
            if !text.contains("#![forbid(unsafe_code)]") {
                wrong.push(format!("{name}: {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "without #![forbid(unsafe_code)]:\n{}", wrong.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The workspace's own packages by name, as `cargo metadata` shows them.
fn workspace_packages() -> BTreeMap<String, Value> {
    let output = Command::new(cargo())
        .current_dir(root())
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), package.clone()))
        .collect()
}

/// Names of the direct dependencies that are built into the crate; those of its tests and of its
/// build script do not count.
fn normal_dependencies(package: &Value) -> BTreeSet<String> {
    package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Every `.rs` file below `folder`, outside `target`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The numbered lines of a source without their line comments. Comments in our sources are line
/// comments; a `//` in a string cuts the line short, which may hide something but accuses nobody.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)))
}

/// A line with what stands between double quotes taken out.
fn without_strings(line: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut escaped = false;
    for c in line.chars() {
        match c {
            '"' if !escaped => inside = !inside,
            _ if !inside => out.push(c),
            _ => {}
        }
        escaped = inside && c == '\\' && !escaped;
    }
    out
}
