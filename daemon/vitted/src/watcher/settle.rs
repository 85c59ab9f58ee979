//! When a burst of changes is over.
//!
//! One save must not wait, and a checkout of thousands of files must not be built half-way. So the
//! silence that ends a burst grows with the burst, within a bound, and a version-control tool that says
//! by its lock file that it is at work is waited for.
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The silence after a single save: an editor that writes, renames and sets permissions is done sooner.
const QUIET_MIN: Duration = Duration::from_millis(10);
/// The silence after a storm.
const QUIET_MAX: Duration = Duration::from_millis(150);
/// How much longer the silence must be for each further event.
const QUIET_PER_EVENT: Duration = Duration::from_millis(1);
/// Longest wait when changes do not end.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Longest wait for a version-control tool.
const TOOL_WAIT_MAX: Duration = Duration::from_secs(30);
/// A lock that was there so long before the burst was left behind by a tool that died.
const TOOL_AGE_MAX: Duration = Duration::from_secs(10);
/// How often a lock is looked at.
const TOOL_PERIOD: Duration = Duration::from_millis(20);

/// One burst of changes. Knows no clock of its own, so that tests can say what time it is.
#[derive(Clone, Debug)]
pub struct Burst {
    began: Instant,
    last: Instant,
    events: u32,
}

impl Burst {
    /// Begins with a first change.
    pub fn new(now: Instant) -> Self {
        Self { began: now, last: now, events: 1 }
    }

    /// Further changes; none, when somebody was woken for nothing.
    pub fn add(&mut self, now: Instant, count: usize) {
        if count > 0 {
            self.last = now;
            self.events = self.events.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// How long to wait for the next change; `None` when the burst is over. `tool_at_work`: see
    /// [`VersionControl::is_at_work`].
    pub fn wait(&self, now: Instant, tool_at_work: bool) -> Option<Duration> {
        let since_began = now.saturating_duration_since(self.began);
        if tool_at_work {
            return (since_began < TOOL_WAIT_MAX).then_some(TOOL_PERIOD);
        }
        let quiet = (QUIET_MIN + QUIET_PER_EVENT * (self.events - 1)).min(QUIET_MAX);
        let until_quiet = quiet.checked_sub(now.saturating_duration_since(self.last));
        let until_bound = WAIT_MAX.checked_sub(since_began);
        until_quiet.zip(until_bound).map(|(quiet, bound)| quiet.min(bound)).filter(|wait| !wait.is_zero())
    }
}

/// The lock files of the version-control tools around a folder.
#[derive(Clone, Debug, Default)]
pub struct VersionControl {
    locks: Vec<PathBuf>,
}

impl VersionControl {
    /// Those of the repository that `folder` is in.
    pub fn around(folder: &Path) -> Self {
        let locks = folder.ancestors().find_map(|folder| {
            let git = folder.join(".git");
            if git.is_dir() {
                return Some(vec![git.join("index.lock")]);
            }
            if let Some(folder) = linked_worktree(&git) {
                return Some(vec![folder.join("index.lock")]);
            }
            let mercurial = folder.join(".hg");
            mercurial.is_dir().then(|| vec![mercurial.join("wlock")])
        });
        Self { locks: locks.unwrap_or_default() }
    }

    /// Whether a tool holds a lock that was made not long before the burst that began `before` ago.
    pub fn is_at_work(&self, before: Duration) -> bool {
        self.locks.iter().any(|lock| {
            let made = std::fs::symlink_metadata(lock).and_then(|data| data.modified());
            // A lock from the future is one of a clock that was set, and as good as new.
            made.is_ok_and(|made| {
                SystemTime::now().duration_since(made).unwrap_or_default() < before + TOOL_AGE_MAX
            })
        })
    }
}

/// In a linked worktree `.git` is a file: `gitdir: PATH`.
fn linked_worktree(git: &Path) -> Option<PathBuf> {
    let text = vitte_sys::fs::read_at_most(git, 4096).ok()?;
    let path = std::str::from_utf8(&text).ok()?.strip_prefix("gitdir:")?.trim();
    Some(git.parent()?.join(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_save_waits_little_and_a_storm_is_one() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut burst = Burst::new(start);
        assert_eq!(burst.wait(start, false), Some(QUIET_MIN));
        assert_eq!(burst.wait(at(10), false), None);
        // Five thousand files, one every 0.1 ms.
        for n in 0..5000 {
            let now = start + Duration::from_micros(100 * n);
            assert!(burst.wait(now, false).is_some(), "event {n}");
            burst.add(now, 1);
        }
        assert_eq!(burst.wait(at(500), false), Some(QUIET_MAX - Duration::from_micros(100)));
        assert_eq!(burst.wait(at(651), false), None);
    }

    #[test]
    fn what_does_not_end_is_cut_off() {
        let start = Instant::now();
        let mut burst = Burst::new(start);
        let mut now = start;
        while burst.wait(now, false).is_some() {
            now += Duration::from_millis(1);
            burst.add(now, 1);
        }
        assert_eq!(now - start, WAIT_MAX);
        assert_eq!(burst.wait(start + TOOL_WAIT_MAX - TOOL_PERIOD, true), Some(TOOL_PERIOD));
        assert_eq!(burst.wait(start + TOOL_WAIT_MAX, true), None);
    }

    #[test]
    fn a_tool_at_work_is_waited_for_and_a_dead_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let lock = folder.path().join(".git/index.lock");
        let tools = VersionControl::around(&inner);
        assert!(!tools.is_at_work(Duration::ZERO));
        let file = std::fs::File::create(&lock).unwrap();
        assert!(tools.is_at_work(Duration::ZERO));
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        assert!(!tools.is_at_work(Duration::ZERO));
        assert!(tools.is_at_work(Duration::from_secs(4000)));
        // A linked worktree.
        let linked = folder.path().join("linked");
        std::fs::create_dir(&linked).unwrap();
        std::fs::write(linked.join(".git"), "gitdir: ../.git\n").unwrap();
        std::fs::File::create(&lock).unwrap().set_modified(SystemTime::now()).unwrap();
        assert!(VersionControl::around(&linked).is_at_work(Duration::ZERO));
    }
}
