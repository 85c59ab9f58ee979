//! The clock of running code: one thread that ticks every millisecond while anything runs, and sleeps
//! while nothing does.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// How often running code is asked whether its time is up.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without running code before the thread sleeps: calls come in bursts.
const IDLE_TICKS: u32 = 50;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    state: Mutex<Phase>,
    wake: Condvar,
}

#[derive(Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Ticking,
    Asleep,
    Over,
}

/// While one of these lives, the clock ticks.
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (engine, theirs) = (engine.clone(), Arc::clone(&shared));
        let thread =
            std::thread::Builder::new().name("module-clock".into()).spawn(move || theirs.tick(&engine))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn running(&self) -> Running {
        // Before the look at the phase: the clock looks at them in the other order before it sleeps.
        if self.shared.running.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut phase = self.shared.lock();
            if *phase == Phase::Asleep {
                *phase = Phase::Ticking;
                self.shared.wake.notify_all();
            }
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.shared.lock() = Phase::Over;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has no way to panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, engine: &Engine) {
        let mut idle = 0;
        loop {
            std::thread::sleep(TICK);
            engine.increment_epoch();
            idle = if self.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            let mut phase = self.lock();
            if *phase == Phase::Over {
                return;
            }
            if idle >= IDLE_TICKS {
                *phase = Phase::Asleep;
                if self.running.load(Ordering::SeqCst) > 0 {
                    *phase = Phase::Ticking;
                }
                while *phase == Phase::Asleep {
                    phase = self.wake.wait(phase).unwrap_or_else(PoisonError::into_inner);
                }
                idle = 0;
                if *phase == Phase::Over {
                    return;
                }
            }
        }
    }
}
