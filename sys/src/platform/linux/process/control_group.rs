//! Control groups: limits on a whole tree of processes, and its end in one stroke.
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags};

use crate::process::Limits;

/// Where the hierarchies are mounted, by convention of every distribution.
const ROOT: &str = "/sys/fs/cgroup";

/// The groups made for one child. Version 1 has one hierarchy for each controller.
#[derive(Debug, Default)]
pub(super) struct ControlGroups {
    folders: Vec<PathBuf>,
}

impl ControlGroups {
    /// Makes the groups that `limits` needs. Also the descriptors to enter them by, and whether the
    /// number of processes is limited by one of them.
    ///
    /// # Errors
    /// When memory is to be limited and no group can be made.
    pub(super) fn make(limits: &Limits) -> io::Result<(Self, Vec<OwnedFd>, bool)> {
        let mut groups = Self::default();
        let mut doors = Vec::new();
        let mut counted = false;
        if let Some(processes) = limits.processes {
            let values = [("pids.max", processes)];
            if let Ok(door) = groups.add("pids", &values) {
                doors.push(door);
                counted = true;
            }
        }
        if let Some(bytes) = limits.memory {
            let values = [
                ("memory.max", bytes),
                ("memory.swap.max", 0),
                ("memory.limit_in_bytes", bytes),
                ("memory.memsw.limit_in_bytes", bytes),
            ];
            doors.push(groups.add("memory", &values)?);
        }
        Ok((groups, doors, counted))
    }

    /// Makes a group under our own in the hierarchy of `controller` and sets those of `values` that it
    /// has: at least one must be there.
    fn add(&mut self, controller: &str, values: &[(&str, u64)]) -> io::Result<OwnedFd> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let parent = own_group(controller)?;
        let name = format!("vitte-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = parent.join(name);
        rustix::fs::mkdir(&folder, Mode::RWXU)?;
        // From here on `remove` takes it away again.
        self.folders.push(folder.clone());
        let mut set = false;
        for (file, value) in values {
            match write(&folder.join(file), &value.to_string()) {
                Ok(()) => set = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Swap is not counted everywhere.
                Err(_) if file.contains("sw") => {}
                Err(error) => return Err(error),
            }
        }
        if !set {
            return Err(rustix::io::Errno::OPNOTSUPP.into());
        }
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(CWD, folder.join("cgroup.procs"), flags, Mode::empty())?)
    }

    /// Kills every process inside, where the kernel can do that at once (version 2, Linux 5.14).
    pub(super) fn kill(&self) {
        for folder in &self.folders {
            let _ = write(&folder.join("cgroup.kill"), "1");
        }
    }

    /// Takes the groups away, once nothing is inside.
    pub(super) fn remove(&mut self) {
        for folder in self.folders.drain(..) {
            for _ in 0..20 {
                match rustix::fs::rmdir(&folder) {
                    // A process that was just reaped may be counted for a moment longer.
                    Err(rustix::io::Errno::BUSY) => std::thread::sleep(Duration::from_millis(1)),
                    Ok(()) | Err(_) => break,
                }
            }
        }
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The folder of the group that this process is in, in the hierarchy of `controller`.
fn own_group(controller: &str) -> io::Result<PathBuf> {
    let memberships = std::fs::read_to_string("/proc/self/cgroup")?;
    let line = |wanted: &str| {
        memberships.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            (controllers == wanted || controllers.split(',').any(|one| !one.is_empty() && one == wanted))
                .then(|| path.trim_start_matches('/').to_owned())
        })
    };
    if let Some(path) = line(controller) {
        return Ok(Path::new(ROOT).join(controller).join(path));
    }
    let path = line("").ok_or(rustix::io::Errno::OPNOTSUPP)?;
    let unified = Path::new(ROOT).join("unified");
    let root = if unified.is_dir() { unified } else { PathBuf::from(ROOT) };
    Ok(root.join(path))
}

/// Writes a value into a control file; never makes one.
fn write(file: &Path, value: &str) -> io::Result<()> {
    let file = rustix::fs::openat(CWD, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, value.as_bytes())?;
    Ok(())
}
