//! Modules that follow their files: each change that has settled becomes a new generation.
//!
//! What cannot be loaded changes nothing but the list of events, and the next change is looked at again.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vitte_loader::{Breaking, Cancel, LoadError, ModuleName};

use crate::rebuild::inputs::Tracked;
use crate::service::Service;
use crate::watcher::settle::Burst;

/// The modules that follow their files.
#[derive(Debug, Default)]
pub struct Followed(Mutex<BTreeMap<ModuleName, CancellationToken>>);

impl Followed {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ModuleName, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a module follows its file.
    pub fn contains(&self, name: &ModuleName) -> bool {
        self.lock().contains_key(name)
    }

    /// Has a module follow its file no more.
    pub fn stop(&self, name: &ModuleName) {
        if let Some(token) = self.lock().remove(name) {
            token.cancel();
        }
    }
}

/// Has the module `name`, which was loaded from `path`, follow that file until it is unloaded.
pub fn follow(service: &Arc<Service>, name: ModuleName, path: PathBuf) {
    let token = service.stopping.child_token();
    if let Some(earlier) = service.followed.lock().insert(name.clone(), token.clone()) {
        earlier.cancel();
    }
    let task = Follower { service: Arc::clone(service), name, path, token: token.clone() };
    service.watch(async move {
        tokio::select! {
            () = task.run() => {}
            () = token.cancelled() => {}
        }
    });
}

struct Follower {
    service: Arc<Service>,
    name: ModuleName,
    path: PathBuf,
    token: CancellationToken,
}

impl Follower {
    async fn run(&self) {
        let Some(mut tracked) = self.track().await else { return };
        loop {
            // What changed between the load and the first look is seen in the first round.
            tracked.next().await;
            let mut burst = Burst::new(Instant::now());
            while let Some(wait) = burst.wait(Instant::now(), false) {
                tokio::select! {
                    () = tracked.woken() => burst.add(Instant::now(), tracked.take().paths),
                    () = tokio::time::sleep(wait) => {}
                }
            }
            if !self.reload().await {
                return;
            }
        }
    }

    /// The file, and what stands beside it and is read with it.
    async fn track(&self) -> Option<Tracked> {
        let watcher = self.service.watcher.clone();
        let path = self.path.clone();
        let made = self.service.block(Cancel::default(), move || {
            let mut tracked =
                Tracked::new(&watcher, &[path.parent().unwrap_or(Path::new("/")).to_path_buf()]);
            let signature = PathBuf::from(format!("{}.minisig", path.display()));
            tracked.track([path.with_extension("vitffi"), signature, path]);
            tracked
        });
        made.await.ok()
    }

    /// Loads what the file holds now; whether there is still a module to load it for.
    async fn reload(&self) -> bool {
        let cancel = Cancel::default();
        let (modules, name) = (self.service.modules.clone(), self.name.clone());
        let reloaded = self
            .service
            .block(cancel.clone(), move || modules.reload_if_changed(&name, Breaking::Refuse, &cancel));
        match reloaded.await {
            Ok(Ok(Some(module))) => info!(module = %self.name, generation = module.generation, "followed"),
            Ok(Ok(None)) => {}
            Ok(Err(LoadError::NotLoaded { .. })) => {
                self.service.followed.stop(&self.name);
                return false;
            }
            Ok(Err(error)) => warn!(module = %self.name, %error, "its file was not loaded"),
            // The service is ending.
            Err(_) => return !self.token.is_cancelled() && !self.service.stopping.is_cancelled(),
        }
        true
    }
}
