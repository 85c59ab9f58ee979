//! The packages that a package is loaded with.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semver::Version;

use super::prepare::Wanted;
use super::{Inner, LinkOptions, Linking, LoadRequest};
use crate::error::LoadError;
use crate::import::Activation;
use crate::lock::Lock;
use crate::name::ModuleName;
use crate::registry::Purpose;
use crate::resolve::{Chosen, Offer, Source, in_folders, resolve};

/// A lock file that is to be written once its packages serve.
pub(super) struct NewLock {
    path: PathBuf,
    lock: Lock,
}

impl NewLock {
    /// Writes it. A folder that cannot be written costs the memory of what was chosen.
    pub(super) fn write(&self) {
        if let Err(error) = self.lock.write(&self.path) {
            tracing::warn!(%error, "what was chosen is not kept");
        }
    }
}

impl Inner {
    /// A request, and those for the packages that it depends on and that do not serve yet.
    ///
    /// # Errors
    /// When it cannot be read, its dependencies cannot be had together, or the lock forbids them.
    pub(super) fn with_dependencies(
        &self,
        request: LoadRequest,
        purpose: Purpose,
        given: &LinkOptions,
    ) -> Result<(Vec<Wanted>, Option<NewLock>), LoadError> {
        let read = self.read(&request)?;
        let (content, path, ..) = &read;
        let mut linking = Linking { given: given.clone(), on_call: BTreeMap::new() };
        let deps = content.packaged.as_ref().map(|packaged| packaged.deps.clone()).unwrap_or_default();
        if deps.is_empty() {
            let options = Arc::new(linking);
            return Ok((vec![Wanted { request, purpose, options, digest: None, read: Some(read) }], None));
        }
        let module = content.module.clone();
        let version = Version::parse(&content.version).unwrap_or(Version::new(0, 0, 0));
        let lock_path = Lock::path_of(path);
        let old = Lock::read(&lock_path)?;
        if old.is_none() && given.locked {
            let message = "there is none, and it is to be kept to".to_owned();
            return Err(LoadError::Lock { path: lock_path, message });
        }
        let known = old.clone().unwrap_or_default();
        let chosen = self.choose(&module, &version, &deps, given, path, &known)?;
        let mut entries = Vec::new();
        let mut wanted = Vec::new();
        for (id, Chosen { version, offer, is_lazy }) in &chosen {
            let name: ModuleName = id.parse()?;
            let Offer { source, digest, .. } = offer;
            let file = match source {
                Source::File(file) => file.clone(),
                Source::Loaded => {
                    self.registry.serving(&name).map(|of| of.staged.path.clone()).unwrap_or_default()
                }
            };
            if known.digest(id, version).is_some_and(|locked| locked != digest) {
                return Err(LoadError::LockDigest { module: name, path: file });
            }
            let file_name =
                file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            entries.push((id.clone(), version.clone(), digest.clone(), file_name));
            match source {
                Source::Loaded => {}
                Source::File(path) if *is_lazy => {
                    let activation = Activation { path: path.clone(), digest: digest.clone() };
                    linking.on_call.insert(name, activation);
                }
                Source::File(path) => wanted.push((path.clone(), digest.clone())),
            }
        }
        let lock = Lock::of(entries);
        let changes = known.changes(&lock);
        if given.locked && !changes.is_empty() {
            return Err(LoadError::Locked { path: lock_path, changes });
        }
        let is_new = old.is_none() || !changes.is_empty();
        let new_lock = is_new.then_some(NewLock { path: lock_path, lock });
        let options = Arc::new(linking);
        let mut all =
            vec![Wanted { request, purpose, options: Arc::clone(&options), digest: None, read: Some(read) }];
        all.extend(wanted.into_iter().map(|(path, digest)| Wanted {
            request: LoadRequest::new(path),
            purpose: Purpose::Load,
            options: Arc::clone(&options),
            digest: Some(digest),
            read: None,
        }));
        Ok((all, new_lock))
    }

    /// One version of each package that `module` needs: of what serves, or in the folders.
    fn choose(
        &self,
        module: &ModuleName,
        version: &Version,
        deps: &[crate::container::Dependency],
        given: &LinkOptions,
        path: &Path,
        known: &Lock,
    ) -> Result<BTreeMap<String, Chosen>, LoadError> {
        let beside = path.parent().map(Path::to_owned);
        let folders = given.search.iter().chain(&self.config.search).cloned().chain(beside);
        let folders: Vec<PathBuf> = folders.collect();
        let (mut offers, passed) = in_folders(&folders, self.config.file_bytes_max);
        for generation in self.registry.all() {
            let staged = &generation.staged;
            // A module has one name and one version at a time.
            let version = Version::parse(&staged.version).unwrap_or(Version::new(0, 0, 0));
            let offer = Offer {
                source: Source::Loaded,
                digest: staged.file_digest.clone(),
                deps: Vec::new(),
                on_call: false,
            };
            offers.insert(staged.module.as_str().to_owned(), BTreeMap::from([(version, offer)]));
        }
        resolve(module.as_str(), version, deps, &offers, known).map_err(|mut explanation| {
            for why in passed {
                explanation.push('\n');
                explanation.push_str(&why);
            }
            LoadError::Dependencies { module: module.clone(), explanation }
        })
    }
}
