//! Which generation of each module serves, and what becomes of the others.
//!
//! Callers read one immutable table, swapped as a whole, so a commit of several modules is seen entirely or
//! not at all. Everything else about generations is in `entries`, which calls never touch.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::config::{DrainPolicy, LoaderConfig};
use crate::context::Snapshot;
use crate::error::LoadError;
use crate::event::Events;
use crate::generation::{Generation, GenerationInfo, Pin, Staged, State};
use crate::import::{self, Unbound};
use crate::kind::Kind;
use crate::loader::Breaking;
use crate::name::ModuleName;
use crate::program::Bindings;

/// Generations that hold no memory any more and are still shown.
const PAST_MAX: usize = 16;
/// Contents that are remembered as bad, for each module.
const BAD_MAX: usize = 64;
/// Modules that are gone and whose numbers are remembered, lest they begin anew.
const GONE_MAX: usize = 4096;

type Table = BTreeMap<ModuleName, Arc<Generation>>;
/// Generations that are about to serve.
pub(crate) type Overlay = Table;

pub(crate) struct Registry {
    config: LoaderConfig,
    pub(crate) events: Events,
    pub(crate) bell: Arc<Bell>,
    serving: RwLock<Arc<Table>>,
    entries: Mutex<Entries>,
    /// Held by whoever changes what serves.
    commit: Mutex<()>,
}

#[derive(Default)]
struct Entries {
    modules: BTreeMap<ModuleName, Entry>,
    /// The last number of modules that are gone.
    gone: BTreeMap<ModuleName, u64>,
    /// No number at or below it is given to a module that is not in `modules`.
    floor: u64,
}

#[derive(Default)]
struct Entry {
    last: u64,
    slots: BTreeMap<u64, Slot>,
    probation: Option<Probation>,
    bad: BTreeMap<String, String>,
}

struct Slot {
    state: State,
    reason: String,
    digest: String,
    began: Instant,
    /// Until it is purged.
    generation: Option<Arc<Generation>>,
    /// When its drain is over.
    drained_by: Option<Instant>,
    /// Counts at the end, for what is purged.
    last_counts: (u64, u64),
}

struct Probation {
    of: u64,
    /// What would serve again.
    before: u64,
    until: Instant,
}

/// Wakes whoever tidies up.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<(bool, bool)>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = true;
        self.rung.notify_all();
    }

    /// Ends the waiting for good.
    pub(crate) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.rung.notify_all();
    }

    /// Waits for a ring, at most until `until`; false once it is over.
    pub(crate) fn wait(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.0 && !state.1 {
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    state = self.rung.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
                None => state = self.rung.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        state.0 = false;
        !state.1
    }
}

/// A new generation and what it is for.
pub(crate) struct Candidate {
    pub(crate) generation: Arc<Generation>,
    pub(crate) purpose: Purpose,
    /// Of a signed package: its id and sequence number.
    pub(crate) seq: Option<(String, u64)>,
}

/// What a new generation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its module is not loaded.
    Load,
    /// Its module is loaded.
    Replace(Breaking),
}

/// What is known of a file that is to become a generation.
pub(crate) struct Incoming {
    pub(crate) module: ModuleName,
    pub(crate) version: String,
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) digest: String,
    pub(crate) file_digest: String,
    pub(crate) signer: Option<String>,
}

/// The hand-over of state, which the registry only orders: it knows nothing of running code.
pub(crate) trait HandOver {
    /// Takes the state of `old` over into `new`, and asks `new` for its health. On success `old` is parked;
    /// on failure it serves on.
    /// `overlay` are all that are about to serve.
    fn hand_over(&self, old: &Generation, new: &Generation, overlay: &Overlay) -> Result<(), LoadError>;
    /// Asks a generation that replaces nothing for its health.
    fn check(&self, new: &Generation, overlay: &Overlay) -> Result<(), LoadError>;
    /// Undoes a hand-over: `old` serves again, `new` does not.
    fn take_back(&self, old: &Generation, new: &Generation);
}

impl Registry {
    pub(crate) fn new(config: LoaderConfig) -> Self {
        Self {
            config,
            events: Events::default(),
            bell: Arc::default(),
            serving: RwLock::default(),
            entries: Mutex::default(),
            commit: Mutex::default(),
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn committing(&self) -> MutexGuard<'_, ()> {
        self.commit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What serves now.
    pub(crate) fn serving(&self, module: &ModuleName) -> Option<Arc<Generation>> {
        self.table().get(module).cloned()
    }

    /// Holds what serves now. The pin is counted before the table can be swapped.
    pub(crate) fn pin(&self, module: &ModuleName) -> Option<Pin> {
        let table = self.serving.read().unwrap_or_else(PoisonError::into_inner);
        table.get(module).map(Pin::new)
    }

    /// Holds all that the imports in `bindings` lead to, seen at one moment; what is in `overlay` before what
    /// serves. Takes time linear in the modules that are reached.
    pub(crate) fn snapshot(&self, bindings: &Bindings, overlay: &Overlay) -> Snapshot {
        let table = self.serving.read().unwrap_or_else(PoisonError::into_inner);
        let mut held: BTreeMap<&ModuleName, &Arc<Generation>> = BTreeMap::new();
        let mut open: Vec<&ModuleName> = bindings.targets().collect();
        while let Some(name) = open.pop() {
            let Some((name, generation)) = overlay.get_key_value(name).or_else(|| table.get_key_value(name))
            else {
                continue;
            };
            if held.insert(name, generation).is_none() {
                open.extend(generation.program.bindings().targets());
            }
        }
        Snapshot::new(held.into_values().map(Pin::new))
    }

    /// Holds a certain generation, if it serves or once did and is still there.
    pub(crate) fn pin_generation(&self, module: &ModuleName, number: u64) -> Option<Pin> {
        let entries = self.entries();
        let slot = entries.modules.get(module)?.slots.get(&number)?;
        match slot.state {
            State::Active | State::Draining => slot.generation.as_ref().map(Pin::new),
            State::Staged
            | State::Verified
            | State::Linked
            | State::Initialised
            | State::Migrated
            | State::Standby
            | State::Purged
            | State::Failed => None,
        }
    }

    /// How many generations of a module hold memory.
    fn live(&self, module: &ModuleName) -> usize {
        self.entries().modules.get(module).map_or(0, Entry::live)
    }

    /// Gives a new generation its number.
    pub(crate) fn stage(&self, incoming: Incoming) -> Result<Staged, LoadError> {
        let Incoming { module, version, path, kind, size, digest, file_digest, signer } = incoming;
        let began = Instant::now();
        if self.live(&module) >= self.config.generations_max {
            // The thread that frees what nobody uses any more may not have come to it yet.
            self.tidy();
        }
        let mut entries = self.entries();
        let Entries { modules, gone, floor } = &mut *entries;
        if !modules.contains_key(&module) {
            if modules.len() >= self.config.modules_max {
                return Err(LoadError::TooManyModules { max: self.config.modules_max });
            }
            let last = gone.remove(&module).unwrap_or_default().max(*floor);
            modules.insert(module.clone(), Entry { last, ..Entry::default() });
        }
        let entry = modules.entry(module.clone()).or_default();
        if let Some(reason) = entry.bad.get(&digest) {
            return Err(LoadError::KnownBad { module, reason: reason.clone() });
        }
        let live = entry.live();
        if live >= self.config.generations_max {
            return Err(LoadError::TooManyGenerations { module, live, max: self.config.generations_max });
        }
        entry.last += 1;
        let number = entry.last;
        entry.slots.insert(
            number,
            Slot {
                state: State::Staged,
                reason: String::new(),
                digest: digest.clone(),
                began,
                generation: None,
                drained_by: None,
                last_counts: (0, 0),
            },
        );
        drop(entries);
        self.events.publish(&module, number, State::Staged, "", began.elapsed());
        Ok(Staged { module, number, version, path, kind, size, digest, file_digest, signer })
    }

    /// Notes that a generation has come further.
    pub(crate) fn advance(&self, module: &ModuleName, number: u64, state: State, reason: &str) {
        let mut entries = self.entries();
        let Some(slot) = entries.modules.get_mut(module).and_then(|entry| entry.slots.get_mut(&number))
        else {
            return;
        };
        slot.state = state;
        slot.reason = reason.to_owned();
        if matches!(state, State::Failed | State::Purged)
            && let Some(generation) = slot.generation.take()
        {
            slot.last_counts = (generation.calls(), generation.failures());
        }
        let elapsed = slot.began.elapsed();
        let last_of_module = entries.forget_past(module);
        drop(entries);
        self.events.publish(module, number, state, reason, elapsed);
        if last_of_module {
            tracing::debug!(%module, "nothing is left of the module");
        }
    }

    /// Makes all candidates serve, or none.
    ///
    /// # Errors
    /// Of the first that failed; then all have failed and what served before still serves.
    pub(crate) fn commit(&self, candidates: &[Candidate], by: &dyn HandOver) -> Result<(), LoadError> {
        let _only = self.committing();
        let before = self.table();
        let overlay: Overlay = candidates
            .iter()
            .map(|Candidate { generation, .. }| (generation.staged.module.clone(), Arc::clone(generation)))
            .collect();
        let mut handed: Vec<(&Generation, &Generation)> = Vec::new();
        let outcome = candidates.iter().try_for_each(|Candidate { generation: new, purpose, seq: _ }| {
            let module = &new.staged.module;
            // Others may have loaded or unloaded it while this one was prepared.
            match (before.get(module), purpose) {
                (Some(old), Purpose::Replace(breaking)) => {
                    match breaking {
                        Breaking::Refuse => {
                            refuse_changes(old, new)?;
                            refuse_for_dependents(old, new, &before, &overlay)?;
                        }
                        Breaking::Accept => {}
                    }
                    by.hand_over(old, new, &overlay)?;
                    handed.push((old, new));
                }
                (None, Purpose::Load) => by.check(new, &overlay)?,
                (Some(old), Purpose::Load) => {
                    let generation = old.staged.number;
                    return Err(LoadError::AlreadyLoaded { module: module.clone(), generation });
                }
                (None, Purpose::Replace(_)) => {
                    return Err(LoadError::NotLoaded { module: module.clone() });
                }
            }
            self.advance(module, new.staged.number, State::Migrated, "");
            Ok(())
        });
        if let Err(error) = outcome {
            for (old, new) in handed.into_iter().rev() {
                by.take_back(old, new);
            }
            return Err(error);
        }
        let mut after = Table::clone(&before);
        {
            let mut entries = self.entries();
            let now = Instant::now();
            for Candidate { generation: new, .. } in candidates {
                let old = after.insert(new.staged.module.clone(), Arc::clone(new));
                let Some(entry) = entries.modules.get_mut(&new.staged.module) else { continue };
                let slot = entry.slots.get_mut(&new.staged.number);
                if let Some(slot) = slot {
                    slot.generation = Some(Arc::clone(new));
                }
                // What stood by for the one that is replaced is not needed any more.
                entry.probation = old.map(|old| {
                    new.on_probation.store(true, Ordering::SeqCst);
                    Probation {
                        of: new.staged.number,
                        before: old.staged.number,
                        until: now + self.config.probation,
                    }
                });
            }
        }
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        for Candidate { generation: new, .. } in candidates {
            let module = &new.staged.module;
            self.advance(module, new.staged.number, State::Active, "");
            if let Some(old) = before.get(module) {
                self.retire(old, "");
            }
        }
        self.bell.ring();
        Ok(())
    }

    /// Begins the drain of a generation that no longer serves.
    fn retire(&self, old: &Generation, reason: &str) {
        let Staged { module, number, .. } = &old.staged;
        old.on_probation.store(false, Ordering::SeqCst);
        if let Some(slot) =
            self.entries().modules.get_mut(module).and_then(|entry| entry.slots.get_mut(number))
        {
            slot.drained_by = Some(Instant::now() + self.config.drain_max);
        }
        self.advance(module, *number, State::Draining, reason);
        // Only now: the last to leave must find someone to wake.
        old.replaced.store(true, Ordering::SeqCst);
    }

    /// Ends the service of a module. Unless `anyway`, one that others import is refused.
    pub(crate) fn unload(&self, module: &ModuleName, anyway: bool) -> Result<u64, LoadError> {
        let _only = self.committing();
        let mut table = Table::clone(&self.table());
        if !anyway {
            let by = table.values().filter(|other| {
                other.staged.module != *module
                    && other
                        .program
                        .bindings()
                        .iter()
                        .any(|binding| binding.target == *module && binding.linked.is_some())
            });
            let by: Vec<ModuleName> = by.map(|other| other.staged.module.clone()).collect();
            if !by.is_empty() {
                return Err(LoadError::InUse { module: module.clone(), by });
            }
        }
        let Some(old) = table.remove(module) else {
            return Err(LoadError::NotLoaded { module: module.clone() });
        };
        if let Some(entry) = self.entries().modules.get_mut(module) {
            entry.probation = None;
            entry.bad.clear();
        }
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        self.retire(&old, "unloaded");
        if let Some(live) = &old.live {
            live.park(None);
        }
        self.bell.ring();
        Ok(old.staged.number)
    }

    /// Counts a call that has ended; takes its generation back if it fails its probation by it.
    pub(crate) fn count(&self, generation: &Arc<Generation>, failed: bool, by: &dyn HandOver) {
        generation.count(failed);
        if !generation.on_probation.load(Ordering::Relaxed) {
            return;
        }
        let (calls, failures) = (generation.calls(), generation.failures());
        if failed
            && failures >= self.config.probation_failures
            && failures.saturating_mul(100) >= calls.saturating_mul(self.config.probation_failed_percent)
        {
            self.roll_back(generation, &format!("{failures} of {calls} calls failed on probation"), by);
        } else if calls >= self.config.probation_calls {
            self.bell.ring();
        }
    }

    fn roll_back(&self, bad: &Arc<Generation>, reason: &str, by: &dyn HandOver) {
        let _only = self.committing();
        let Staged { module, number, digest, .. } = &bad.staged;
        let before = {
            let mut entries = self.entries();
            let Some(entry) = entries.modules.get_mut(module) else { return };
            let Some(probation) = entry.probation.take_if(|probation| probation.of == *number) else {
                return;
            };
            let slot = entry.slots.get_mut(&probation.before);
            let Some(before) = slot.and_then(|slot| {
                slot.drained_by = None;
                slot.generation.clone()
            }) else {
                return;
            };
            if entry.bad.len() >= BAD_MAX {
                entry.bad.pop_first();
            }
            entry.bad.insert(digest.clone(), reason.to_owned());
            before
        };
        bad.on_probation.store(false, Ordering::SeqCst);
        before.replaced.store(false, Ordering::SeqCst);
        by.take_back(&before, bad);
        let mut table = Table::clone(&self.table());
        table.insert(module.clone(), Arc::clone(&before));
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        self.advance(module, before.staged.number, State::Active, "rolled back to");
        bad.replaced.store(true, Ordering::SeqCst);
        self.advance(module, *number, State::Failed, reason);
    }

    /// Moves every generation on that has nothing to wait for; when to look again.
    pub(crate) fn tidy(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        let mut moves = Vec::new();
        let mut entries = self.entries();
        for (module, entry) in &mut entries.modules {
            if let Some(Probation { of, until, .. }) = &entry.probation {
                let generation = entry.slots.get(of).and_then(|slot| slot.generation.as_ref());
                let calls = generation.map_or(u64::MAX, |generation| generation.calls());
                if *until <= now || calls >= self.config.probation_calls {
                    if let Some(generation) = generation {
                        generation.on_probation.store(false, Ordering::SeqCst);
                    }
                    entry.probation = None;
                } else {
                    next = earlier(next, *until);
                }
            }
            let standby = entry.probation.as_ref().map(|probation| probation.before);
            for (number, slot) in &mut entry.slots {
                let Some(generation) = &slot.generation else { continue };
                let idle = generation.pins() == 0;
                let wanted = standby == Some(*number);
                match (slot.state, idle) {
                    (State::Draining, true) => {
                        moves.push((
                            module.clone(),
                            *number,
                            if wanted { State::Standby } else { State::Purged },
                        ));
                    }
                    (State::Standby, _) if !wanted => moves.push((module.clone(), *number, State::Purged)),
                    (State::Draining, false) => match (slot.drained_by, self.config.drain_policy) {
                        (Some(by), DrainPolicy::Cancel) if by <= now => generation.stop.cancel(),
                        (Some(by), DrainPolicy::Cancel) => next = earlier(next, by),
                        (_, DrainPolicy::Wait) | (None, DrainPolicy::Cancel) => {}
                    },
                    (
                        State::Staged
                        | State::Verified
                        | State::Linked
                        | State::Initialised
                        | State::Migrated
                        | State::Active
                        | State::Standby
                        | State::Purged
                        | State::Failed,
                        _,
                    ) => {}
                }
            }
        }
        drop(entries);
        for (module, number, state) in moves {
            self.advance(&module, number, state, "");
        }
        next
    }

    /// All generations that are still known, by number, of every module that is loaded.
    pub(crate) fn describe(&self, module: &ModuleName) -> Vec<GenerationInfo> {
        let entries = self.entries();
        let slots = entries.modules.get(module).into_iter().flat_map(|entry| &entry.slots);
        slots
            .map(|(number, slot)| {
                let Slot { state, reason, digest, began, generation, drained_by: _, last_counts } = slot;
                let (calls, failures) = generation
                    .as_ref()
                    .map_or(*last_counts, |generation| (generation.calls(), generation.failures()));
                GenerationInfo {
                    number: *number,
                    state: *state,
                    reason: reason.clone(),
                    digest: digest.clone(),
                    pins: generation.as_ref().map_or(0, |generation| generation.pins()),
                    calls,
                    failures,
                    age: began.elapsed(),
                }
            })
            .collect()
    }

    /// The modules that serve, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Generation>> {
        self.table().values().cloned().collect()
    }

    /// Waits until nothing of `module` holds memory; whether that came within `timeout`.
    pub(crate) fn wait_gone(&self, module: &ModuleName, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        loop {
            let gone = {
                let entries = self.entries();
                entries
                    .modules
                    .get(module)
                    .is_none_or(|entry| entry.slots.values().all(|slot| slot.generation.is_none()))
            };
            if gone || Instant::now() >= until {
                return gone;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Entry {
    fn live(&self) -> usize {
        self.slots.values().filter(|slot| slot.generation.is_some()).count()
    }
}

impl Entries {
    /// Forgets the oldest generations that hold nothing, and a module of which nothing is left; whether that
    /// is so.
    fn forget_past(&mut self, module: &ModuleName) -> bool {
        let Some(entry) = self.modules.get_mut(module) else { return false };
        let is_past = |slot: &Slot| matches!(slot.state, State::Purged | State::Failed);
        let past: Vec<u64> =
            entry.slots.iter().filter(|(_, slot)| is_past(slot)).map(|(number, _)| *number).collect();
        for number in past.iter().take(past.len().saturating_sub(PAST_MAX)) {
            entry.slots.remove(number);
        }
        if past.len() < entry.slots.len() || !entry.bad.is_empty() {
            return false;
        }
        let last = entry.last;
        self.modules.remove(module);
        if self.gone.len() >= GONE_MAX {
            self.floor = self.gone.values().copied().max().unwrap_or_default().max(self.floor);
            self.gone.clear();
        }
        self.gone.insert(module.clone(), last);
        true
    }
}

fn earlier(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// An error if `new` lacks or changes what callers of `old` used.
fn refuse_changes(old: &Generation, new: &Generation) -> Result<(), LoadError> {
    let used = old.program.callees().values().filter(|callee| callee.is_used());
    let mut changes: Vec<String> = used
        .filter_map(|callee| {
            let (name, before) = (&callee.export.name, &callee.export.signature);
            match new.program.callees().get(name).map(|callee| &callee.export.signature) {
                None => Some(format!("`{name}` of type `{before}` is gone")),
                Some(after) if after != before => Some(format!("`{name}` was `{before}` and is `{after}`")),
                Some(_) => None,
            }
        })
        .collect();
    if old.live.is_some() && new.live.is_none() {
        changes.push("it has state, and the new one cannot load it".to_owned());
    }
    if changes.is_empty() {
        return Ok(());
    }
    Err(LoadError::Incompatible { module: old.staged.module.clone(), generation: old.staged.number, changes })
}

/// An error if a module that is not replaced together with `old` imports what `new` lacks or changes.
fn refuse_for_dependents(
    old: &Generation,
    new: &Generation,
    serving: &Table,
    overlay: &Overlay,
) -> Result<(), LoadError> {
    let module = &old.staged.module;
    let exports = new.program.exports();
    let mut changes = Vec::new();
    for (name, dependent) in serving.iter().filter(|(name, _)| !overlay.contains_key(*name)) {
        for binding in dependent.program.bindings().iter().filter(|binding| binding.target == *module) {
            let Some((function, before, agreed)) = &binding.linked else { continue };
            match import::bind(&binding.import, module, &exports) {
                Ok((_, _, now)) if now == *agreed => {}
                Ok((_, after, _)) => changes.push(format!(
                    "`{name}` imports `{function}` as {before}, and it is {after}; reload both together"
                )),
                Err(Unbound::Missing(text) | Unbound::Mismatch(text)) => {
                    changes.push(format!("`{name}` imports {text}"));
                }
            }
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    Err(LoadError::Incompatible { module: module.clone(), generation: old.staged.number, changes })
}
