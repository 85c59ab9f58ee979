//! What a build makes, and for which target: the spellings that requests use, and what they mean.
use std::path::{Path, PathBuf};

use target_lexicon::{Architecture, OperatingSystem, Triple};
use vitte_compiler::base::{Machine, System};
use vitte_compiler::codegen::WasmWidth;
use vitte_compiler::codegen::wasm::Outline;

use crate::api::DriverError;
use crate::link::HOST_TARGET;
use crate::project::bad_input;

/// What generates the code of programs of this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Machine code by Cranelift.
    #[default]
    Cranelift,
    /// C source text, and a C compiler of this machine.
    C17,
}

impl Backend {
    /// The one that `wanted` names.
    ///
    /// # Errors
    /// [`DriverError::BadInput`] when there is none of that name, or it does not make `product`.
    pub(crate) fn choose(wanted: Option<&str>, product: Product) -> Result<Self, DriverError> {
        match wanted {
            None | Some("cranelift") => Ok(Self::Cranelift),
            Some("c17") if product == Product::Executable => Ok(Self::C17),
            Some("c17") => {
                let message =
                    format!("the back end `c17` makes executables, and no {}", product.description());
                Err(bad_input("BACKEND_AND_PRODUCT", message, "leave out `--backend` or `--emit`"))
            }
            Some(other) => {
                let message = format!("there is no back end `{other}`");
                Err(bad_input("UNKNOWN_BACKEND", message, "known: cranelift, c17"))
            }
        }
    }

    /// As requests spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::C17 => "c17",
        }
    }
}

/// What a build makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// A program of this machine.
    Executable,
    /// A program of another machine.
    Foreign(Machine),
    /// A WebAssembly module for WASI preview 1.
    Wasm(WasmWidth),
    /// A module of the project's own bytecode.
    Bytecode,
    /// A shared library of the machine, which C and whoever speaks its conventions can load.
    SharedLibrary,
    /// C source text.
    CSource,
    /// A WebAssembly component.
    Component,
    /// A package for the loader: what is in it, for all machines, with its manifest.
    Package(Outline),
}

/// A target, and what is made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Triple.
    pub(crate) triple: &'static str,
    /// What is made where the request does not say.
    pub(crate) product: Product,
}

const HOST: Target = Target { triple: HOST_TARGET, product: Product::Executable };
const WASM32: Target = Target { triple: "wasm32-wasip1", product: Product::Wasm(WasmWidth::Wasm32) };
const WASM64: Target = Target { triple: "wasm64-wasip1", product: Product::Wasm(WasmWidth::Wasm64) };

/// Runs wherever there is a loader.
const BYTECODE: Target = Target { triple: "vitbc", product: Product::Bytecode };

/// Runs wherever there is a loader, in a package with others.
const PORTABLE: Target = Target { triple: "wasm32-component", product: Product::Component };

const fn foreign(machine: Machine) -> Target {
    Target { triple: machine.triple(), product: Product::Foreign(machine) }
}

/// Targets with their spellings; the first of each is the one in messages. Neither a system's name nor the order of a
/// triple's parts is the same everywhere, so that common ones are listed, and others parsed.
const TARGETS: [(Target, &[&str]); 10] = [
    (
        HOST,
        &["x86_64-unknown-linux-gnu", "x86_64-linux-gnu", "x86_64-pc-linux-gnu", "x86_64-linux", "x86_64"],
    ),
    (
        foreign(Machine::Aarch64Linux),
        &[
            "aarch64-linux",
            "aarch64-unknown-linux",
            "aarch64-linux-gnu",
            "aarch64-linux-musl",
            "arm64-linux",
            "aarch64",
        ],
    ),
    (
        foreign(Machine::Riscv64Linux),
        &["riscv64-linux", "riscv64gc-unknown-linux", "riscv64-linux-gnu", "riscv64-linux-musl", "riscv64"],
    ),
    (foreign(Machine::X86_64Macos), &["x86_64-apple-darwin", "x86_64-macos", "x86_64-darwin"]),
    (
        foreign(Machine::Aarch64Macos),
        &["aarch64-apple-darwin", "aarch64-macos", "aarch64-darwin", "arm64-apple-darwin", "arm64-macos"],
    ),
    (
        foreign(Machine::X86_64Windows),
        &[
            "x86_64-windows",
            "x86_64-pc-windows",
            "x86_64-windows-gnu",
            "x86_64-windows-msvc",
            "x86_64-w64-mingw32",
        ],
    ),
    (WASM32, &["wasm32", "wasm32-wasi", "wasm32-wasip1", "wasm32-unknown-wasi"]),
    (WASM64, &["wasm64", "wasm64-wasi", "wasm64-wasip1", "wasm64-unknown-wasi"]),
    (BYTECODE, &["vitbc"]),
    (PORTABLE, &["wasm32-component"]),
];

/// A target as messages and listings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetName {
    /// The name that `--target` takes.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Triple.
    pub triple: &'static str,
    /// What is made for it.
    pub product: Product,
}

impl TargetName {
    /// All targets, the host first.
    pub fn all() -> impl Iterator<Item = Self> {
        TARGETS.iter().filter_map(|(target, names)| {
            let (name, aliases) = names.split_first()?;
            Some(Self { name, aliases, triple: target.triple, product: target.product })
        })
    }

    /// The target of that name, alias or triple.
    ///
    /// # Errors
    /// [`DriverError::BadInput`] for unknown ones, with the reason or those that there are.
    pub fn find(wanted: &str) -> Result<Self, DriverError> {
        let found = find_target(wanted)?;
        let mut all = Self::all();
        all.find(|known| known.triple == found.triple).ok_or_else(|| unknown(wanted))
    }
}

/// What `--emit` can be asked for besides stages, and for which target that is.
const PRODUCTS: [(&str, Product, Target); 9] = [
    ("c17", Product::CSource, HOST),
    ("component", Product::Component, PORTABLE),
    ("exe", Product::Executable, HOST),
    ("so", Product::SharedLibrary, HOST),
    ("vbc", Product::Bytecode, BYTECODE),
    ("vitmod", Product::Package(Outline::Module), PORTABLE),
    ("vitplug", Product::Package(Outline::Plugin), PORTABLE),
    ("wasm32", Product::Wasm(WasmWidth::Wasm32), WASM32),
    ("wasm64", Product::Wasm(WasmWidth::Wasm64), WASM64),
];

/// Decides from a request's target and kind of product, either of which may be missing.
///
/// # Errors
/// [`DriverError::BadInput`] for unknown ones, and for two that do not go together.
pub(crate) fn choose(target: Option<&str>, emit: Option<&str>) -> Result<Target, DriverError> {
    let wanted = target.map(|name| find_target(name).map(|target| (name, target))).transpose()?;
    let Some(emit) = emit else { return Ok(wanted.map_or(HOST, |(_, target)| target)) };
    let Some((_, product, only)) = PRODUCTS.iter().find(|(name, ..)| *name == emit) else {
        let known: Vec<&str> = PRODUCTS.iter().map(|(name, ..)| *name).collect();
        let message = format!("nothing of the kind `{emit}` can be made");
        return Err(bad_input("UNKNOWN_PRODUCT", message, format!("known: {}", known.join(", "))));
    };
    match wanted {
        Some((name, target)) if target.triple != only.triple => {
            let message = format!("`{emit}` cannot be made for the target `{name}`");
            Err(bad_input(
                "PRODUCT_AND_TARGET",
                message,
                format!("leave out one of the two, or name {}", only.triple),
            ))
        }
        _ => Ok(Target { product: *product, ..*only }),
    }
}

fn find_target(wanted: &str) -> Result<Target, DriverError> {
    if let Some((target, _)) = TARGETS.iter().find(|(_, names)| names.contains(&wanted)) {
        return Ok(*target);
    }
    // Vendors and libraries that are not listed: a program for such a machine runs all the same.
    let Ok(triple) = wanted.parse::<Triple>() else { return Err(unknown(wanted)) };
    let machine = match (triple.architecture, triple.operating_system) {
        (Architecture::X86_64, OperatingSystem::Linux) => return Ok(HOST),
        (Architecture::Aarch64(_), OperatingSystem::Linux) => Machine::Aarch64Linux,
        (Architecture::Riscv64(_), OperatingSystem::Linux) => Machine::Riscv64Linux,
        (Architecture::X86_64, OperatingSystem::Darwin(_) | OperatingSystem::MacOSX(_)) => {
            Machine::X86_64Macos
        }
        (Architecture::Aarch64(_), OperatingSystem::Darwin(_) | OperatingSystem::MacOSX(_)) => {
            Machine::Aarch64Macos
        }
        (Architecture::X86_64, OperatingSystem::Windows) => Machine::X86_64Windows,
        (Architecture::Aarch64(_), OperatingSystem::Windows) => {
            let message = format!("the target `{wanted}` is not supported yet");
            let help = "the code generator cannot express addresses of aarch64 in COFF; x86_64-windows programs run on \
                        Windows for aarch64 too";
            return Err(bad_input("UNSUPPORTED_TARGET", message, help));
        }
        _ => return Err(unknown(wanted)),
    };
    Ok(foreign(machine))
}

fn unknown(wanted: &str) -> DriverError {
    let names: Vec<&str> = TARGETS.iter().filter_map(|(_, names)| names.first().copied()).collect();
    let spellings = TARGETS.iter().flat_map(|(_, names)| names.iter().copied());
    let nearest = spellings.map(|name| (crate::spelling::distance(wanted, name), name)).min();
    let meant = match nearest {
        Some((distance, name)) if distance <= 3 => format!("did you mean `{name}`? "),
        _ => String::new(),
    };
    let message = format!("the target `{wanted}` is not supported");
    bad_input(
        "UNKNOWN_TARGET",
        message,
        format!("{meant}supported: {}; see `vitte targets`", names.join(", ")),
    )
}

impl Product {
    /// What events call it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Executable | Self::Foreign(_) => "executable",
            Self::Wasm(_) => "wasm",
            Self::Bytecode => "bytecode",
            Self::SharedLibrary => "shared library",
            Self::CSource => "C source",
            Self::Component => "component",
            Self::Package(Outline::Module) => "package of a module",
            Self::Package(Outline::Plugin) => "package of a plugin",
        }
    }

    /// In words, for messages.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::Foreign(Machine::X86_64LinuxGnu) => "executable for x86-64 Linux",
            Self::Foreign(Machine::Aarch64Linux) => "executable for aarch64 Linux",
            Self::Foreign(Machine::Riscv64Linux) => "executable for riscv64 Linux",
            Self::Foreign(Machine::X86_64Macos) => "executable for x86-64 macOS",
            Self::Foreign(Machine::Aarch64Macos) => "executable for aarch64 macOS",
            Self::Foreign(Machine::X86_64Windows) => "executable for x86-64 Windows",
            Self::Wasm(WasmWidth::Wasm32) => "WebAssembly module with a 32-bit memory",
            Self::Wasm(WasmWidth::Wasm64) => "WebAssembly module with a 64-bit memory",
            Self::Bytecode => "module of bytecode",
            Self::SharedLibrary => "shared library",
            Self::CSource => "file of C source text",
            Self::Component => "WebAssembly component",
            Self::Package(Outline::Module) => "package for the loader",
            Self::Package(Outline::Plugin) => "package of a plugin",
        }
    }

    /// Whether a linker that `--linker` chooses makes it.
    pub(crate) fn is_linked(self) -> bool {
        match self {
            Self::Executable | Self::SharedLibrary => true,
            Self::Foreign(_)
            | Self::Wasm(_)
            | Self::Bytecode
            | Self::CSource
            | Self::Component
            | Self::Package(_) => false,
        }
    }

    /// Whether it can be started here.
    pub(crate) fn is_executable(self) -> bool {
        self == Self::Executable
    }

    /// Whether the file is to be started by name, here or elsewhere.
    pub(crate) fn is_program(self) -> bool {
        matches!(self, Self::Executable | Self::Foreign(_))
    }

    /// Where it goes, when `executable` is where the program of this machine goes. No two products share a place.
    pub(crate) fn place(self, executable: &Path) -> PathBuf {
        let with = |suffix: &str| {
            let mut name = executable.file_name().unwrap_or_default().to_owned();
            name.push(suffix);
            executable.with_file_name(name)
        };
        match self {
            Self::Executable => executable.to_path_buf(),
            Self::Foreign(machine) => {
                let name = TARGETS.iter().find(|(target, _)| target.triple == machine.triple());
                let name = name.and_then(|(_, names)| names.first()).copied().unwrap_or_default();
                with(&match machine.system() {
                    System::Windows => format!("-{name}.exe"),
                    System::Linux | System::Macos => format!("-{name}"),
                })
            }
            Self::Wasm(WasmWidth::Wasm32) => with(".wasm"),
            Self::Wasm(WasmWidth::Wasm64) => with(".wasm64.wasm"),
            Self::Bytecode => with(".vitbc"),
            Self::SharedLibrary => with(".so"),
            Self::CSource => with(".c"),
            Self::Component => with(".component.wasm"),
            Self::Package(Outline::Module) => with(".vitmod"),
            Self::Package(Outline::Plugin) => with(".vitplug"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_back_end_is_chosen_for_what_it_makes() {
        let code = |wanted, product| match Backend::choose(wanted, product) {
            Err(DriverError::BadInput { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(Backend::choose(None, Product::Bytecode).unwrap(), Backend::Cranelift);
        assert_eq!(Backend::choose(Some("c17"), Product::Executable).unwrap(), Backend::C17);
        assert_eq!(code(Some("c17"), Product::Bytecode), "BACKEND_AND_PRODUCT");
        assert_eq!(code(Some("llvm"), Product::Executable), "UNKNOWN_BACKEND");
    }
}
