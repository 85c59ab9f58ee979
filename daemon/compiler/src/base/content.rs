//! Values by the digest of what they are made from.
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values that are kept; then those that were not asked for since the last time go.
const KEPT_MAX: usize = 1 << 16;

/// What was made from some content, for whoever comes by the same content in another way. A pure function
/// of the content is all that may be kept here: then it changes no result.
#[derive(Debug, Default)]
pub struct ContentCache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    values: HashMap<[u8; 32], (Arc<dyn Any + Send + Sync>, bool)>,
}

impl ContentCache {
    /// What was kept for the content with this digest, if it is a `T`.
    pub fn get<T: Send + Sync + 'static>(&self, digest: &[u8; 32]) -> Option<Arc<T>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, is_used) = kept.values.get_mut(digest)?;
        *is_used = true;
        Arc::clone(value).downcast().ok()
    }

    /// Keeps what was made from the content with this digest. Amortised constant.
    pub fn keep<T: Send + Sync + 'static>(&self, digest: [u8; 32], value: Arc<T>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.values.len() >= KEPT_MAX {
            // The second chance of a clock: https://en.wikipedia.org/wiki/Page_replacement_algorithm.
            kept.values.retain(|_, (_, is_used)| std::mem::take(is_used));
            if kept.values.len() >= KEPT_MAX / 2 {
                kept.values.clear();
            }
        }
        kept.values.insert(digest, (value, true));
    }
}
