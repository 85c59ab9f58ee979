//! Packages for the loader. Their format is the loader's, which stands above the driver: it brings a [`Packer`].
use std::fmt;
use std::sync::Arc;

use super::Driver;
use crate::api::{BuildOutcome, DriverError, Event, EventSink};
use crate::engine::internal;
use crate::plan::{BuildPlan, NativePart, PackagePlan};
use crate::product::Product;
use crate::project::{bad_input, io_error};

/// What a file of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A WebAssembly component.
    Component,
    /// A module of bytecode.
    Bytecode,
    /// A native library.
    Library,
    /// The table of a native library's functions, beside it under the same name.
    Table,
}

/// The target of parts that suit every machine.
pub(super) const ANY: &str = "any";

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Where it goes.
    pub path: String,
    /// The target that it is for, or `any`.
    pub target: String,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// Writes packages.
pub trait Packer: Send + Sync + fmt::Debug {
    /// The bytes of a package, which depend on the arguments alone.
    ///
    /// # Errors
    /// What cannot be packed, in words.
    fn pack(&self, package: &PackagePlan, parts: Vec<Part>) -> Result<Vec<u8>, String>;
}

/// What a compiler of another language has made, if the package's entry names that. Core modules that export what
/// plugins do become components.
///
/// # Errors
/// When it cannot be read, or is no plugin.
pub(super) fn foreign(plan: &BuildPlan) -> Result<Option<Vec<Part>>, DriverError> {
    const CORE: &[u8] = b"\0asm\x01\0\0\0";
    let entry = &plan.project.entry_file;
    let (Product::Package(_), true) = (plan.product, entry.extension().is_some_and(|end| end == "wasm"))
    else {
        return Ok(None);
    };
    let bytes = vitte_sys::fs::read(entry).map_err(io_error)?;
    let bytes = if bytes.starts_with(CORE) {
        vitte_component::encode_plugin(&bytes).map_err(|error| {
            let message = format!("`{}` is no plugin: {error}", entry.display());
            bad_input(
                "NO_PLUGIN",
                message,
                "export functions of the interfaces of plugins under their full names",
            )
        })?
    } else {
        bytes
    };
    Ok(Some(vec![Part {
        kind: PartKind::Component,
        path: "main.wasm".to_owned(),
        target: ANY.to_owned(),
        bytes: bytes.into(),
    }]))
}

impl Driver {
    pub(super) fn pack(&self, plan: &BuildPlan, mut parts: Vec<Part>) -> Result<Vec<u8>, DriverError> {
        let (Some(packer), Some(package)) = (&self.packer, &plan.package) else {
            return Err(internal("nobody is there to write packages"));
        };
        if let Some(folder) = plan.project.package.as_ref().map(|package| &package.folder) {
            for NativePart { file, path, kind, target, sha256 } in &package.native {
                let bytes = vitte_sys::fs::read(&folder.join(file)).map_err(io_error)?;
                if crate::digest::sha256(&bytes) != *sha256 {
                    let message = format!("`{file}` changed during the build");
                    return Err(bad_input("INPUT_CHANGED", message, "build again once it is written"));
                }
                parts.push(Part {
                    kind: *kind,
                    path: path.clone(),
                    target: target.clone(),
                    bytes: bytes.into(),
                });
            }
        }
        packer.pack(package, parts).map_err(|message| {
            let name = &plan.project.name;
            bad_input(
                "PACKAGE",
                format!("`{name}` cannot be packed: {message}"),
                "correct the objects `plugin` and `capabilities` of `vitte-package.json`",
            )
        })
    }

    /// Packs what another compiler made. It is read and written anew each time.
    pub(super) fn pack_foreign(
        &self,
        plan: &BuildPlan,
        parts: Vec<Part>,
        described: String,
        events: &dyn EventSink,
    ) -> Result<BuildOutcome, DriverError> {
        let bytes = self.pack(plan, parts)?;
        let written = self.outputs.write(plan, &bytes, 0, true)?;
        let written = self.outputs.with_digest(plan, written)?;
        let event: Event = written.event();
        events.event(event);
        Ok(BuildOutcome { plan: described, executable: Some(written.path), ..BuildOutcome::default() })
    }
}
