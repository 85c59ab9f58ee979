//! Tests of the whole store, and the faults they inject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vitte_sys::{Op, SysError};

/// Refuses chosen operations. Shared by all threads that use the same files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Plan>);

#[derive(Debug, Default)]
struct Plan {
    done: AtomicU64,
    /// The operation that fails, counted from 1; zero for none.
    fails: AtomicU64,
    /// Whether those after it fail too.
    stays: AtomicU64,
    errno: AtomicU64,
}

impl Faults {
    pub fn strike(&self, op: Op, path: &Path) -> Result<(), SysError> {
        let number = self.0.done.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = self.0.fails.load(Ordering::SeqCst);
        let stays = self.0.stays.load(Ordering::SeqCst) != 0;
        if fails != 0 && (number == fails || (stays && number > fails)) {
            let errno = self.0.errno.load(Ordering::SeqCst) as i32;
            return Err(SysError::new(op, path, std::io::Error::from_raw_os_error(errno)));
        }
        Ok(())
    }
}
