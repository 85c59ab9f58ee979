//! What the driver may keep in memory, and what it has forgotten.
use std::sync::{Arc, Mutex, PoisonError};

use vitte_store::ActionKey;

use crate::plan::BuildPlan;

/// What is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Workspaces whose programs are known.
    pub workspaces: u64,
    /// Workspaces that were forgotten for want of memory, since the service began.
    pub forgotten: u64,
}

/// What there is to know for shedding. Cheap to clone; every clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    forgotten: u64,
    /// The program that was built last.
    last: Option<(BuildPlan, ActionKey)>,
    /// Resident bytes after the last workspace was made anew.
    renewed: u64,
}

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn note_program(&self, plan: &BuildPlan, key: ActionKey) {
        self.with(|state| {
            // Most of the time it is the same again, and a plan has many parts.
            if state.last.as_ref().is_none_or(|(_, known)| *known != key) {
                state.last = Some((plan.clone(), key));
            }
        });
    }

    pub(crate) fn note_forgotten(&self) {
        self.with(|state| state.forgotten += 1);
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.with(|state| state.forgotten)
    }

    /// The program to bring back, if making the last workspace anew is worth it at `resident` bytes: one that
    /// needs more than its budget in any case is not made again and again.
    pub(crate) fn to_renew(&self, resident: u64) -> Option<(BuildPlan, ActionKey)> {
        self.with(|state| if resident / 3 > state.renewed / 2 { state.last.clone() } else { None })
    }

    pub(crate) fn note_renewed(&self, resident: Option<u64>) {
        self.with(|state| state.renewed = resident.unwrap_or(u64::MAX));
    }
}
