//! Files that no directory names, for systems without files in memory.
use std::sync::atomic::{AtomicU64, Ordering};

use super::files;
use super::handle::{Errno, OwnedHandle};
use crate::platform::{Access, Open};

/// A file of this user that no directory names, in place of one in memory.
pub(crate) fn file(name: &str) -> Result<OwnedHandle, Errno> {
    if name.contains('\0') {
        return Err(Errno::INVAL);
    }
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!(".vitte-{}-{number}", std::process::id()));
    let how = Open { access: Access::ReadWrite, ..Open::NEW };
    let file = files::open(&path, how, 0o600)?;
    rustix::io::retry_on_intr(|| rustix::fs::unlink(&path))?;
    Ok(file)
}
