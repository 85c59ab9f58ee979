//! What the service manager hears of us (systemd's notification protocol).
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;
use vitte_sys::SysError;
use vitte_sys::service::Notifier;

use crate::service::Service;

/// Says that the service is up, then that it is alive as often as the manager wants to hear it, and at
/// last that it stops. The notes leave from the thread that serves, so that a service that hangs falls
/// silent.
///
/// A manager that does not listen is no reason to stop serving: its errors go to the log.
pub fn keep_informed(service: &Arc<Service>, notifier: Notifier) {
    tell(notifier.ready());
    tell(notifier.status("serving"));
    let stopping = service.stopping.clone();
    service.watch(async move {
        // Half of what is allowed, so that one late note does no harm.
        let period = notifier.watchdog().map(|most| (most / 2).max(Duration::from_millis(1)));
        let alive = async {
            let Some(period) = period else { return std::future::pending().await };
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                tell(notifier.alive());
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = alive => {}
        }
        tell(notifier.stopping());
    });
}

fn tell(told: Result<(), SysError>) {
    if let Err(error) = told {
        warn!(%error, "the service manager does not listen");
    }
}
