//! State on its way from one generation to the next, and back.
use std::time::Instant;

use super::Inner;
use crate::call::{Cancel, Running};
use crate::error::LoadError;
use crate::generation::Generation;
use crate::live::Turn;
use crate::program::{HEALTH, LOAD_STATE, SAVE_STATE};
use crate::registry::{HandOver, Overlay};

impl Inner {
    /// Moves state between two instances.
    fn migrate(
        &self,
        old: &Generation,
        from: &mut Running,
        new: &Generation,
        to: &mut Running,
        overlay: &Overlay,
    ) -> Result<Vec<u8>, LoadError> {
        let at = |function| {
            let module = new.staged.module.clone();
            move |source| LoadError::Start { module, function, source }
        };
        let stop = self.stop(&Cancel::default(), &old.stop);
        let context = self.inside(old, &stop, SAVE_STATE);
        from.rearm(stop, context);
        let stop = self.stop(&Cancel::default(), &new.stop);
        let context = self.inside_with(new, overlay, &stop, LOAD_STATE);
        to.rearm(stop, context);
        let (Some(save), Some(load)) = (old.program.hook(SAVE_STATE), new.program.hook(LOAD_STATE)) else {
            return Ok(Vec::new());
        };
        let state = from.save_state(save).map_err(at(SAVE_STATE))?;
        to.load_state(load, &state).map_err(at(LOAD_STATE))?;
        if let Some(health) = new.program.hook(HEALTH) {
            to.hook(health, &[]).map_err(at(HEALTH))?;
        }
        Ok(state)
    }
}

impl HandOver for Inner {
    fn hand_over(&self, old: &Generation, new: &Generation, overlay: &Overlay) -> Result<(), LoadError> {
        let (Some(from), Some(to)) = (&old.live, &new.live) else {
            self.check(new, overlay)?;
            if let Some(live) = &old.live {
                live.park(None);
            }
            return Ok(());
        };
        let _ticking = self.threads()?.ticker.running();
        let until = Instant::now() + self.config.gate_max;
        let busy = || LoadError::Busy { module: new.staged.module.clone(), waited: self.config.gate_max };
        let Some(mut source) = from.take_for_reload(until) else {
            // Nothing is left of a broken instance that could be moved; the new one begins afresh.
            return if from.is_broken() { self.check(new, overlay) } else { Err(busy()) };
        };
        let Some(mut target) = to.take_for_reload(until) else {
            from.reopen(source);
            return Err(busy());
        };
        let migrated = self.migrate(old, &mut source, new, &mut target, overlay);
        source.disarm();
        target.disarm();
        match migrated {
            Ok(state) => {
                new.begin_with(state.clone());
                // What it would begin with again, should it be rolled back to and then trap.
                old.begin_with(state);
                to.reopen(target);
                from.park(Some(source));
                Ok(())
            }
            Err(error) => {
                // The functions of state may have been stopped half-way, so the instance is made anew from
                // what it began with, unless it has only been read.
                let trapped = matches!(&error, LoadError::Start { function: SAVE_STATE, .. });
                let engine = self.compiler.engine();
                match (trapped, engine) {
                    (true, Ok(engine)) => match self.revive(old, engine) {
                        Ok(running) => from.reopen(Box::new(running)),
                        Err(broken) => {
                            from.reopen(source);
                            from.give_up(broken);
                        }
                    },
                    (true, Err(_)) | (false, _) => from.reopen(source),
                }
                Err(error)
            }
        }
    }

    fn check(&self, new: &Generation, overlay: &Overlay) -> Result<(), LoadError> {
        let Some(health) = new.program.hook(HEALTH) else { return Ok(()) };
        let failed =
            |source| LoadError::Start { module: new.staged.module.clone(), function: HEALTH, source };
        let threads = self.threads()?;
        let _ticking = threads.ticker.running();
        let stop = self.stop(&Cancel::default(), &new.stop);
        let context = self.inside_with(new, overlay, &stop, HEALTH);
        let engine = self.compiler.engine();
        let engine =
            engine.map_err(|source| LoadError::Compile { module: new.staged.module.clone(), source })?;
        match &new.live {
            None => {
                let running = Running::new(engine, &new.program, &self.config, stop, context);
                let mut running = running.map_err(failed)?;
                running.hook(health, &[]).map_err(failed)
            }
            Some(live) => match live.take(&stop).map_err(failed)? {
                Turn::Moved => Ok(()),
                Turn::Yours(mut running) => {
                    running.rearm(stop, context);
                    let outcome = running.hook(health, &[]);
                    running.disarm();
                    live.give_back(running);
                    outcome.map_err(failed)
                }
            },
        }
    }

    fn take_back(&self, old: &Generation, new: &Generation) {
        if let Some(live) = &new.live {
            live.park(None);
        }
        if let Some(live) = &old.live
            && !live.unpark()
            && let Ok(engine) = self.compiler.engine()
        {
            // Its instance was lost in a trap while another served.
            match self.revive(old, engine) {
                Ok(running) => live.reopen(Box::new(running)),
                Err(error) => live.give_up(error),
            }
        }
    }
}
