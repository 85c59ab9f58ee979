//! What is done at rest: memory above its budget is given back, the store settles, is collected when it is too
//! large, and what it has to say, is said.
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use vitte_store::{CollectOptions, Progress, Store};

use crate::service::Service;

/// Rest begins when no operation has ended for so long and none runs.
const REST: Duration = Duration::from_secs(3);
/// Work that never rests does not put off a collection for longer.
const RESTLESS_MAX: Duration = Duration::from_secs(60);
/// How often entries are looked at for their age, where there is a limit.
const AGE_PERIOD: Duration = Duration::from_secs(24 * 3600);

/// Keeps the service's store in order until the service ends. Sleeps until an operation ends: a service that
/// nobody uses takes no time.
pub fn keep(service: &Arc<Service>) {
    tell(&service.store);
    let keeper = Arc::clone(service);
    service.watch(async move {
        let mut aged: Option<Instant> = None;
        loop {
            tokio::select! {
                () = keeper.stopping.cancelled() => break,
                () = rest(&keeper) => {}
            }
            let age_is_due = keeper.config.cache_age_max.is_some()
                && aged.is_none_or(|before| before.elapsed() > AGE_PERIOD);
            if age_is_due {
                aged = Some(Instant::now());
            }
            let service = Arc::clone(&keeper);
            let looked_after = keeper.ask(move |_| look_after(&service, age_is_due)).await;
            if looked_after.is_err() {
                break;
            }
        }
        let store = keeper.store.clone();
        // When even that cannot be done, only counts are lost.
        let _ = keeper.ask(move |_| store.settle()).await;
    });
}

/// Returns some time after an operation has ended, once nothing is going on.
async fn rest(service: &Service) {
    service.rested.notified().await;
    let began = Instant::now();
    while began.elapsed() < RESTLESS_MAX {
        let quiet = timeout(REST, service.rested.notified()).await.is_err();
        if quiet && service.operations.running() == 0 {
            return;
        }
    }
}

fn look_after(service: &Service, age_is_due: bool) {
    if let Some(budget) = service.config.memory_bytes {
        service.driver.shed(budget, crate::memory::resident_bytes);
    }
    let store = &service.store;
    store.settle();
    if store.is_over_budget() || age_is_due {
        let mut go_on = |_: Progress| match service.stopping.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        match store.collect(&CollectOptions::default(), &mut go_on) {
            Ok(report) => {
                info!(removed = report.removed, bytes = report.removed_bytes, "the store was collected");
            }
            Err(error) => warn!(%error, code = error.code(), "the store could not be collected"),
        }
    }
    tell(store);
}

/// What the store has to say goes to the log.
fn tell(store: &Store) {
    for event in store.take_events() {
        warn!(code = event.code(), help = event.help(), "{event}");
    }
}
