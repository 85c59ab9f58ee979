//! What a file would be allowed if it were loaded, found out without running anything of it.
use std::path::Path;

use vitte_trust::{Capability, Denied};

use super::{Inner, LinkOptions, Linking, LoadRequest, ModuleLoader};
use crate::error::LoadError;
use crate::import::{Import, WASI_1};
use crate::inspect::inspect;
use crate::interface::{Registers, Signature};
use crate::source::{Code, Content};

/// What a module would be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The trusted key that signed it.
    pub signer: Option<String>,
    /// What it may reach of the system, sorted.
    pub granted: Vec<Capability>,
    /// What it asks for and does not get, and who denies it, sorted; and whether it is loaded all the same.
    pub denied: Vec<(Denied, bool)>,
}

impl ModuleLoader {
    /// What the module in `path` would be allowed if it were loaded now with these grants besides those of the
    /// settings. Checks form, digests, signature and policy as a load does, and runs nothing.
    ///
    /// # Errors
    /// Why it would not be loaded at all.
    pub fn examine(&self, path: &Path, grants: &[Capability]) -> Result<Allowed, LoadError> {
        self.inner.examine(path, grants)
    }
}

impl Inner {
    fn examine(&self, path: &Path, grants: &[Capability]) -> Result<Allowed, LoadError> {
        let (content, ..) = self.read(&LoadRequest::new(path))?;
        let given = LinkOptions { grants: grants.to_vec(), ..LinkOptions::default() };
        let options = Linking { given, ..Linking::default() };
        let imports = system_imports(&content);
        let Content { signer, packaged, ceiling, .. } = content;
        let reach = |all_needed: bool| {
            self.reach(
                signer.as_deref(),
                &imports,
                &options,
                packaged.as_ref(),
                ceiling.as_deref(),
                all_needed,
            )
        };
        let (granted, needed) = reach(false);
        // What is optional is denied in silence when a module is loaded, and told here.
        let (_, denied) = reach(true);
        let denied = denied.into_iter().map(|denied| {
            let is_optional = !needed.contains(&denied);
            (denied, is_optional)
        });
        Ok(Allowed { granted, denied: denied.collect(), signer })
    }
}

/// What code imports of the system, by names alone.
fn system_imports(content: &Content) -> Vec<Import> {
    let of_system = |module: &str, name: &str| Import {
        module: module.to_owned(),
        name: name.to_owned(),
        signature: Signature::Registers(Registers::default()),
        is_wide: false,
    };
    let imports = match &content.code {
        Code::Wasm(bytes) => inspect(bytes)
            .map(|found| found.imports.iter().map(|import| of_system(&import.module, &import.name)).collect())
            .unwrap_or_default(),
        Code::Bytecode(verified) => crate::bytecode::imports(verified.module()),
        Code::Native { .. } => Vec::new(),
    };
    imports.into_iter().filter(|import: &Import| import.module == WASI_1).collect()
}
