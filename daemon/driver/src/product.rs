//! What a build makes, and for which target: the spellings that requests use, and what they mean.
use std::path::{Path, PathBuf};

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
    /// A program of the machine.
    Executable,
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

/// Spellings of targets; the first of each is the one in messages.
const TARGETS: [(&str, Target); 15] = [
    ("x86_64-unknown-linux-gnu", HOST),
    ("x86_64-linux-gnu", HOST),
    ("x86_64-pc-linux-gnu", HOST),
    ("x86_64-linux", HOST),
    ("x86_64", HOST),
    ("wasm32", WASM32),
    ("wasm32-wasi", WASM32),
    ("wasm32-wasip1", WASM32),
    ("wasm32-unknown-wasi", WASM32),
    ("wasm64", WASM64),
    ("wasm64-wasi", WASM64),
    ("wasm64-wasip1", WASM64),
    ("wasm64-unknown-wasi", WASM64),
    ("vitbc", BYTECODE),
    ("wasm32-component", PORTABLE),
];

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
    if let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == wanted) {
        return Ok(*target);
    }
    let mut names: Vec<&str> = Vec::new();
    let mut last = None;
    for (name, target) in &TARGETS {
        if last != Some(target.triple) {
            names.push(name);
        }
        last = Some(target.triple);
    }
    let message = format!("the target `{wanted}` is not supported");
    Err(bad_input("UNKNOWN_TARGET", message, format!("supported: {}", names.join(", "))))
}

impl Product {
    /// What events call it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Executable => "executable",
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

    /// Whether a linker of this machine makes it.
    pub(crate) fn is_linked(self) -> bool {
        match self {
            Self::Executable | Self::SharedLibrary => true,
            Self::Wasm(_) | Self::Bytecode | Self::CSource | Self::Component | Self::Package(_) => false,
        }
    }

    /// Whether the file is to be started by name.
    pub(crate) fn is_executable(self) -> bool {
        self == Self::Executable
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
