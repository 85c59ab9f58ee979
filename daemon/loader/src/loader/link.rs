//! What a module is bound to, and what it may reach.
use std::collections::BTreeMap;
use std::sync::Arc;

use vitte_trust::{Capability, Denied, Denier, Wanted};

use super::{Inner, Linking};
use crate::error::LoadError;
use crate::generation::Staged;
use crate::import::{Binding, Exports, Import, Unbound, bind, near, target_of};
use crate::name::ModuleName;
use crate::program::Bindings;
use crate::source::Packaged;
use crate::wasi;

impl Inner {
    /// Binds the imports of a module to what serves, or to what `coming` will. Nobody gives what is `impossible`.
    pub(super) fn bindings(
        &self,
        staged: &Staged,
        imports: &[Import],
        impossible: &[String],
        packaged: Option<&Packaged>,
        coming: &BTreeMap<ModuleName, Arc<Exports>>,
        options: &Arc<Linking>,
    ) -> Result<Bindings, LoadError> {
        let module = &staged.module;
        let mut missing = impossible.to_vec();
        let mut mismatched = Vec::new();
        let mut bindings: Vec<Arc<Binding>> = Vec::new();
        for import in imports.iter().filter(|import| !import.is_of_system()) {
            let same = bindings
                .iter()
                .find(|binding| binding.import.module == import.module && binding.import.name == import.name);
            if let Some(same) = same {
                if same.import.signature != import.signature {
                    mismatched.push(format!(
                        "{} is also imported as {}",
                        import.text(),
                        same.import.signature
                    ));
                }
                continue;
            }
            let Some(target) = target_of(&import.module) else {
                missing.push(import.text());
                continue;
            };
            let serving = self.registry.serving(&target);
            let exports = coming
                .get(&target)
                .cloned()
                .or_else(|| serving.map(|serving| Arc::new(serving.program.exports())));
            let linked = match exports {
                Some(exports) => match bind(import, &target, &exports) {
                    Ok(linked) => Some(linked),
                    Err(Unbound::Missing(text)) => {
                        missing.push(text);
                        continue;
                    }
                    Err(Unbound::Mismatch(text)) => {
                        mismatched.push(text);
                        continue;
                    }
                },
                None => {
                    let can_wait = packaged.is_some_and(|packaged| {
                        let of_it = packaged.deps.iter().find(|dep| dep.id == target.as_str());
                        of_it.is_some_and(|dep| dep.optional || dep.lazy)
                    }) || options.on_call.contains_key(&target);
                    if !can_wait {
                        missing.push(self.not_loaded(import, &target));
                        continue;
                    }
                    None
                }
            };
            let on_call = options.on_call.get(&target).cloned();
            bindings.push(Arc::new(Binding {
                import: import.clone(),
                target,
                linked,
                on_call,
                options: Arc::clone(options),
            }));
        }
        if !missing.is_empty() {
            missing.sort();
            return Err(LoadError::MissingImports { module: module.clone(), missing });
        }
        if !mismatched.is_empty() {
            mismatched.sort();
            return Err(LoadError::ImportMismatch { module: module.clone(), mismatched });
        }
        Ok(Bindings::new(bindings))
    }

    /// An import of a module that is not there, with what is near.
    fn not_loaded(&self, import: &Import, target: &ModuleName) -> String {
        let all = self.registry.all();
        let near = near(target.as_str(), all.iter().map(|generation| generation.staged.module.as_str()));
        let near = if near.is_empty() { String::new() } else { format!("; near to it: {}", near.join(", ")) };
        format!("{}: `{target}` is not loaded{near}{}", import.text(), import.remark())
    }

    /// What a module may reach: what it asks for, as far as its key and the user allow it.
    ///
    /// # Errors
    /// [`LoadError::Capabilities`] if it needs more.
    pub(super) fn capabilities(
        &self,
        staged: &Staged,
        imports: &[Import],
        options: &Linking,
        packaged: Option<&Packaged>,
        ceiling: Option<&[Capability]>,
    ) -> Result<Vec<Capability>, LoadError> {
        let (given, denied) =
            self.reach(staged.signer.as_deref(), imports, options, packaged, ceiling, false);
        if denied.is_empty() {
            return Ok(given);
        }
        Err(LoadError::Capabilities { module: staged.module.clone(), denied })
    }

    /// What a module may reach, and what it needs and may not, both sorted. What it asks for without need is denied
    /// too if `all_needed`.
    pub(super) fn reach(
        &self,
        signer: Option<&str>,
        imports: &[Import],
        options: &Linking,
        packaged: Option<&Packaged>,
        ceiling: Option<&[Capability]>,
        all_needed: bool,
    ) -> (Vec<Capability>, Vec<Denied>) {
        let needs = wasi::needs(imports);
        let mut undeclared = Vec::new();
        let mut wanted: Vec<Wanted> = match packaged {
            Some(Packaged { capabilities, .. }) => {
                let is_declared =
                    |need: &Capability| capabilities.iter().any(|wanted| wanted.capability == *need);
                undeclared.extend(
                    needs
                        .into_iter()
                        .filter(|need| !is_declared(need))
                        .map(|capability| Denied { capability, by: Denier::Manifest }),
                );
                capabilities.clone()
            }
            // Nobody speaks for it but its imports, and whoever loads it.
            None => {
                let granted = options.given.grants.iter().filter(|grant| !needs.contains(grant)).cloned();
                let granted: Vec<Wanted> =
                    granted.map(|capability| Wanted { capability, optional: true }).collect();
                let needed = needs.iter().cloned();
                needed.map(|capability| Wanted { capability, optional: false }).chain(granted).collect()
            }
        };
        let grants: Vec<Capability> =
            self.config.grants.iter().chain(&options.given.grants).cloned().collect();
        if all_needed {
            wanted.iter_mut().for_each(|wanted| wanted.optional = false);
        }
        let (given, mut denied) = vitte_trust::effective(&wanted, signer.zip(ceiling), &grants);
        denied.extend(undeclared);
        denied.sort();
        (given, denied)
    }
}
