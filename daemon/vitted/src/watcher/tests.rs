//! Watchers on real folders. A [`Reader`] is what an engine is: it knows files, asks what changed, and
//! reads those again and no others. After every answer it must know what is on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
/// An answer without a path.
const NOTHING: [PathBuf; 0] = [];

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

fn paths(changes: Changes) -> Vec<PathBuf> {
    match changes {
        Changes::Paths(paths) => paths.into_iter().collect(),
        Changes::Everything(reason) => panic!("everything: {reason}"),
    }
}

/// A folder of files and a watcher for it.
struct World {
    folder: TempDir,
    own: TempDir,
    watcher: Watcher,
}

impl World {
    fn new() -> Self {
        Self::with(|_, options| options)
    }

    fn with(change: impl FnOnce(&Path, WatcherOptions) -> WatcherOptions) -> Self {
        let (folder, own) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let options = WatcherOptions { own_folder: own.path().to_path_buf(), ..WatcherOptions::default() };
        let watcher = Watcher::new(change(&folder.path().canonicalize().unwrap(), options));
        Self { folder, own, watcher }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A reader that knows `files`.
    fn reader(&self, files: &[&str]) -> Reader {
        self.reader_below(&self.root(), files)
    }

    fn reader_below(&self, root: &Path, files: &[&str]) -> Reader {
        let mut reader =
            Reader { changes: self.watcher.subscribe(&[root.to_path_buf()]), known: BTreeMap::new() };
        reader.know(files.iter().map(|file| root.join(file)));
        reader.settle();
        reader
    }
}

struct Reader {
    changes: Subscription,
    known: BTreeMap<PathBuf, Option<String>>,
}

impl Reader {
    /// Reads files, then follows their folders: in this order, which is the harder one.
    fn know(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let files: Vec<PathBuf> = files.into_iter().collect();
        for file in &files {
            self.known.insert(file.clone(), fs::read_to_string(file).ok());
        }
        self.changes.follow(&mut files.iter().filter_map(|file| file.parent()));
    }

    /// Past the answers that come because something is new.
    fn settle(&mut self) {
        self.refresh();
        assert!(matches!(self.refresh(), Changes::Paths(_)));
    }

    /// Asks what changed and reads that; the answer.
    fn refresh(&mut self) -> Changes {
        let changes = self.changes.take(soon());
        match &changes {
            Changes::Everything(_) => {
                for (file, text) in &mut self.known {
                    *text = fs::read_to_string(file).ok();
                }
            }
            Changes::Paths(paths) => {
                for path in paths {
                    let below =
                        self.known.range_mut(path.clone()..).take_while(|(file, _)| file.starts_with(path));
                    for (file, text) in below {
                        *text = fs::read_to_string(file).ok();
                    }
                }
            }
        }
        changes
    }

    /// Asks, and compares what is known with what is there.
    #[track_caller]
    fn check(&mut self) -> Changes {
        let changes = self.refresh();
        for (file, text) in &self.known {
            assert_eq!(text, &fs::read_to_string(file).ok(), "{} is stale after {changes:?}", file.display());
        }
        changes
    }

    /// As [`check`](Self::check); the paths of the answer, which must be some.
    #[track_caller]
    fn check_paths(&mut self) -> Vec<PathBuf> {
        paths(self.check())
    }
}

#[test]
fn the_first_answer_is_everything_and_then_nothing() {
    let world = World::new();
    world.write("src/a.vit", "1");
    let mut changes = world.watcher.subscribe(&[world.root()]);
    changes.follow(&mut [world.at("src").as_path()].into_iter());
    assert_eq!(changes.take(soon()), Changes::Everything(Reason::First));
    changes.follow(&mut [world.at("lib").as_path()].into_iter());
    assert_eq!(paths(changes.take(soon())), [world.at("lib")], "new, and so looked at once more");
    changes.follow(&mut [world.at("lib").as_path()].into_iter());
    assert_eq!(paths(changes.take(soon())), NOTHING);
    assert_eq!(fs::read_dir(world.own.path()).unwrap().count(), 0, "no file stays behind");
}

#[test]
fn a_write_names_the_file_and_nothing_else() {
    let world = World::new();
    world.write("src/a.vit", "1");
    world.write("src/b.vit", "1");
    let mut reader = world.reader(&["src/a.vit", "src/b.vit"]);
    world.write("src/a.vit", "2");
    assert_eq!(reader.check_paths(), [world.at("src/a.vit")]);
    // Reading, listing and examining are no changes.
    fs::read(world.at("src/a.vit")).unwrap();
    fs::read_dir(world.at("src")).unwrap().for_each(drop);
    assert_eq!(reader.check_paths(), NOTHING);
    // Times alone count: whoever set them back may have written before.
    fs::File::options()
        .write(true)
        .open(world.at("src/b.vit"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    assert_eq!(reader.check_paths(), [world.at("src/b.vit")]);
    fs::File::options().append(true).open(world.at("src/a.vit")).unwrap().set_len(0).unwrap();
    assert_eq!(reader.check_paths(), [world.at("src/a.vit")]);
}

#[test]
fn editors_that_replace_the_file_are_seen() {
    let world = World::new();
    world.write("a.vit", "1");
    let mut reader = world.reader(&["a.vit"]);
    // Write beside, rename over it.
    world.write(".a.vit.swp", "2");
    fs::rename(world.at(".a.vit.swp"), world.at("a.vit")).unwrap();
    assert!(reader.check_paths().contains(&world.at("a.vit")));
    // Keep a backup, then write anew.
    fs::rename(world.at("a.vit"), world.at("a.vit~")).unwrap();
    world.write("a.vit", "3");
    reader.check();
    // Remove, link, remove.
    fs::remove_file(world.at("a.vit")).unwrap();
    fs::hard_link(world.at("a.vit~"), world.at("a.vit")).unwrap();
    reader.check();
    assert_eq!(reader.known[&world.at("a.vit")].as_deref(), Some("2"));
}

#[test]
fn what_did_not_exist_is_seen_when_it_does() {
    let world = World::new();
    let mut reader = world.reader(&["a.vit", "x/a.vit", "x/y/z/a.vit", "f/a.vit"]);
    world.write("a.vit", "1");
    assert_eq!(reader.check_paths(), [world.at("a.vit")]);
    world.write("x/y/z/a.vit", "1");
    assert!(reader.check_paths().contains(&world.at("x")));
    world.write("x/y/z/a.vit", "2");
    assert_eq!(reader.check_paths(), [world.at("x/y/z/a.vit")]);
    // A file where a folder was asked for, then the folder.
    world.write("f", "file");
    reader.check();
    fs::remove_file(world.at("f")).unwrap();
    world.write("f/a.vit", "1");
    reader.check();
    world.write("f/a.vit", "2");
    assert_eq!(reader.check_paths(), [world.at("f/a.vit")]);
}

#[test]
fn folders_that_go_and_come_are_followed() {
    let world = World::new();
    world.write("src/deep/a.vit", "1");
    world.write("other/deep/a.vit", "other");
    let mut reader = world.reader(&["src/deep/a.vit", "src/b.vit"]);
    // Away.
    fs::rename(world.at("src"), world.at("gone")).unwrap();
    assert_eq!(reader.check_paths(), [world.at("gone"), world.at("src")]);
    world.write("gone/deep/a.vit", "not ours");
    assert_eq!(reader.check_paths(), NOTHING, "what moved away is not watched any more");
    // Back, and another in its place.
    fs::rename(world.at("gone"), world.at("src")).unwrap();
    reader.check();
    world.write("src/deep/a.vit", "2");
    assert_eq!(reader.check_paths(), [world.at("src/deep/a.vit")]);
    fs::rename(world.at("src"), world.at("gone")).unwrap();
    fs::rename(world.at("other"), world.at("src")).unwrap();
    reader.check();
    world.write("src/deep/a.vit", "3");
    assert_eq!(reader.check_paths(), [world.at("src/deep/a.vit")]);
    // Away and back between two answers.
    fs::rename(world.at("src"), world.at("tmp")).unwrap();
    world.write("tmp/deep/a.vit", "4");
    fs::rename(world.at("tmp"), world.at("src")).unwrap();
    reader.check();
    // Removed and made again between two answers, then written.
    fs::remove_dir_all(world.at("src")).unwrap();
    world.write("src/deep/a.vit", "5");
    reader.check();
    world.write("src/deep/a.vit", "6");
    assert_eq!(reader.check_paths(), [world.at("src/deep/a.vit")]);
    fs::remove_dir_all(world.at("src")).unwrap();
    reader.check();
    assert_eq!(reader.check_paths(), NOTHING);
}

#[test]
fn a_change_of_case_is_a_rename() {
    let world = World::new();
    world.write("src/Name.vit", "1");
    let mut reader = world.reader(&["src/Name.vit", "src/name.vit", "Src/name.vit"]);
    fs::rename(world.at("src/Name.vit"), world.at("src/name.vit")).unwrap();
    assert_eq!(reader.check_paths(), [world.at("src/Name.vit"), world.at("src/name.vit")]);
    fs::rename(world.at("src"), world.at("Src")).unwrap();
    reader.check();
    assert_eq!(reader.known[&world.at("Src/name.vit")].as_deref(), Some("1"));
}

#[test]
fn links_among_the_folders_are_looked_through() {
    let world = World::new();
    world.write("one/sub/a.vit", "1");
    world.write("two/sub/a.vit", "2");
    symlink("one", world.at("link")).unwrap();
    let mut reader = world.reader(&["link/sub/a.vit", "link/b.vit", "dangling/a.vit"]);
    assert_eq!(reader.check_paths(), [world.at("link")], "the way behind a link is not watched");
    world.write("one/sub/a.vit", "11");
    reader.check();
    fs::remove_file(world.at("link")).unwrap();
    symlink("two", world.at("link")).unwrap();
    reader.check();
    assert_eq!(reader.known[&world.at("link/sub/a.vit")].as_deref(), Some("2"));
    // What the link leads to is another folder now, and the link the same.
    fs::rename(world.at("two"), world.at("three")).unwrap();
    reader.check();
    fs::create_dir_all(world.at("two/sub")).unwrap();
    world.write("two/b.vit", "b");
    reader.check();
    symlink("nowhere", world.at("dangling")).unwrap();
    reader.check();
    world.write("nowhere/a.vit", "now");
    reader.check();
    symlink("loop", world.at("loop")).unwrap();
    reader.know([world.at("loop/a.vit")]);
    reader.check();
    fs::remove_file(world.at("loop")).unwrap();
    world.write("loop/a.vit", "no loop");
    reader.check();
    assert_eq!(world.watcher.status().troubles, [], "links are no trouble");
}

#[test]
fn a_root_behind_a_link_may_be_led_elsewhere() {
    let world = World::new();
    world.write("v1/src/a.vit", "1");
    world.write("v2/src/a.vit", "2");
    symlink("v1", world.at("current")).unwrap();
    let mut reader = world.reader_below(&world.at("current"), &["src/a.vit"]);
    let mut nested = world.reader_below(&world.at("current/src"), &["a.vit"]);
    symlink("v2", world.at("new")).unwrap();
    fs::rename(world.at("new"), world.at("current")).unwrap();
    reader.check();
    nested.check();
    assert_eq!(nested.known[&world.at("current/src/a.vit")].as_deref(), Some("2"));
    world.write("v2/src/a.vit", "3");
    reader.check();
    nested.check();
}

#[test]
fn a_root_that_goes_and_comes_is_noticed() {
    let world = World::new();
    world.write("parent/root/a.vit", "1");
    let root = world.at("parent/root");
    let mut reader = world.reader_below(&root, &["a.vit", "sub/b.vit"]);
    // Nothing watches the parent's folder.
    fs::rename(world.at("parent"), world.at("elsewhere")).unwrap();
    reader.check();
    assert!(reader.changes.needs_polling());
    world.write("parent/root/a.vit", "2");
    reader.check();
    assert!(!reader.changes.needs_polling());
    world.write("parent/root/a.vit", "3");
    assert_eq!(reader.check_paths(), [root.join("a.vit")]);
    fs::remove_dir_all(world.at("parent")).unwrap();
    reader.check();
    world.write("parent/root/sub/b.vit", "4");
    reader.check();
}

#[test]
fn several_readers_have_their_own_answers() {
    let world = World::new();
    world.write("a/b/c.vit", "1");
    let mut outer = world.reader(&["a/b/c.vit", "d.vit"]);
    let mut inner = world.reader_below(&world.at("a/b"), &["c.vit"]);
    world.write("a/b/c.vit", "2");
    world.write("d.vit", "2");
    assert_eq!(outer.check_paths(), [world.at("a/b/c.vit"), world.at("d.vit")]);
    assert_eq!(inner.check_paths(), [world.at("a/b/c.vit")]);
    fs::rename(world.at("a"), world.at("x")).unwrap();
    outer.check();
    inner.check();
    drop(outer);
    world.write("a/b/c.vit", "3");
    inner.check();
    world.write("a/b/c.vit", "4");
    assert_eq!(inner.check_paths(), [world.at("a/b/c.vit")]);
    drop(inner);
    assert_eq!(world.watcher.status().folders, 0, "nobody follows anything");
}

#[test]
fn a_queue_that_overflows_is_no_silence() {
    let world = World::new();
    world.write("a.vit", "1");
    let mut reader = world.reader(&["a.vit", "sub/b.vit"]);
    let limit =
        fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse::<u32>().unwrap();
    // Two events a round: equal ones in a row are one.
    for _ in 0..=limit / 2 {
        fs::File::create(world.at("x")).unwrap();
        fs::remove_file(world.at("x")).unwrap();
    }
    // Lost in the flood: a file that is written, and a folder that appears.
    world.write("a.vit", "2");
    world.write("sub/b.vit", "2");
    assert_eq!(reader.check(), Changes::Everything(Reason::Overflow));
    world.write("sub/b.vit", "3");
    assert_eq!(reader.check_paths(), [world.at("sub/b.vit")], "the new folder is watched all the same");
    assert_eq!(world.watcher.status().overflows, 1);
}

#[test]
fn what_is_beyond_the_limit_is_looked_at_each_time() {
    let world = World::with(|_, options| WatcherOptions { folders_max: Some(4), ..options });
    let files: Vec<String> = (0..8).map(|n| format!("f{n}/sub/a.vit")).collect();
    for file in &files {
        world.write(file, "1");
    }
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut taken = world.reader_below(&world.at("f7"), &["sub/a.vit"]);
    let mut reader = world.reader(&names[..6]);
    assert!(reader.changes.needs_polling());
    for (round, file) in names[..6].iter().enumerate() {
        world.write(file, &format!("round {round}"));
        reader.check();
    }
    let status = world.watcher.status();
    assert_eq!((status.folders, status.troubles.len()), (4, 6), "{status:?}");
    assert!(status.troubles[0].help.contains("sysctl"), "{status:?}");
    world.write(names[7], "2");
    taken.check();
    // There is room again: whoever asks next takes it.
    drop(taken);
    reader.check();
    assert_eq!(world.watcher.status().troubles.len(), 5);
    for file in &names[..6] {
        world.write(file, "again");
        reader.check();
    }
}

#[test]
fn polled_folders_are_in_every_answer() {
    let world = World::with(|root, options| WatcherOptions { polled: vec![root.join("net")], ..options });
    world.write("net/deep/a.vit", "1");
    world.write("b.vit", "1");
    let mut reader = world.reader(&["net/deep/a.vit", "b.vit"]);
    assert_eq!(reader.check_paths(), [world.at("net")]);
    assert!(reader.changes.needs_polling());
    world.write("net/deep/a.vit", "2");
    world.write("b.vit", "2");
    assert_eq!(reader.check_paths(), [world.at("b.vit"), world.at("net")]);
    assert_eq!(world.watcher.status().troubles[0].path, world.at("net"));
}

#[test]
fn a_mount_over_a_folder_and_its_end_are_seen() {
    let world = World::new();
    world.write("sub/deep/a.vit", "below");
    let mut reader = world.reader(&["sub/deep/a.vit"]);
    let mount = |args: &[&str]| {
        let mut command = Command::new(if args.is_empty() { "umount" } else { "mount" });
        command.args(args).arg(world.at("sub")).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !mount(&["-t", "tmpfs", "none"]) {
        eprintln!("SKIP: this user may not mount");
        return;
    }
    reader.check();
    world.write("sub/deep/a.vit", "above");
    reader.check();
    world.write("sub/deep/a.vit", "more");
    let seen = reader.check_paths();
    assert!(mount(&[]), "cannot unmount");
    reader.check();
    assert_eq!(reader.known[&world.at("sub/deep/a.vit")].as_deref(), Some("below"));
    assert_eq!(seen, [world.at("sub/deep/a.vit")]);
    world.write("sub/deep/a.vit", "again");
    assert_eq!(reader.check_paths(), [world.at("sub/deep/a.vit")]);
}

/// A small generator of numbers: equal seeds give equal runs.
struct Random(u64);

impl Random {
    /// Below `limit`. splitmix64 (Steele, Lea, Flood 2014).
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The seed of a run: `VITTE_TEST_SEED`, or one of the clock; printed, so that a run can be repeated.
fn seed(name: &str) -> u64 {
    let given = std::env::var("VITTE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = given.unwrap_or(now);
    eprintln!("{name}: VITTE_TEST_SEED={seed}");
    seed
}

/// How many times to do it: `VITTE_TEST_RACES`, or a number for every day.
fn rounds(usual: u64) -> u64 {
    std::env::var("VITTE_TEST_RACES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

#[test]
fn random_changes_of_a_tree_leave_nothing_stale() {
    let mut random = Random(seed("random changes"));
    let world = World::new();
    let folders = ["", "a", "b", "a/c", "a/c/d", "b/e", "l"];
    let files: Vec<String> = folders
        .iter()
        .flat_map(|folder| ["x.vit", "y.vit"].map(|name| Path::new(folder).join(name).display().to_string()))
        .collect();
    let known: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut reader = world.reader(&known);
    let mut second = world.reader_below(&world.at("a"), &["x.vit", "c/x.vit", "c/d/y.vit"]);
    let pick = |random: &mut Random| world.at(folders[random.below(folders.len() as u64) as usize]);
    for round in 0..rounds(3_000) {
        for _ in 0..=random.below(4) {
            let (one, two) = (pick(&mut random), pick(&mut random));
            let name = ["x.vit", "y.vit"][random.below(2) as usize];
            // Each may be impossible as things stand; then nothing changes.
            match random.below(12) {
                0..4 => drop(fs::write(one.join(name), round.to_string())),
                4 => drop(fs::create_dir_all(&one)),
                5 if one != world.root() => drop(fs::remove_dir_all(&one)),
                6 if one != world.root() && two != world.root() => drop(fs::rename(&one, &two)),
                7 => drop(fs::rename(one.join(name), two.join("x.vit"))),
                8 => drop(fs::remove_file(one.join(name))),
                9 if one != world.root() => drop(symlink(&two, &one)),
                10 if one != world.root() => drop(fs::remove_file(&one)),
                11 => {
                    let aside = world.at("aside");
                    drop(fs::rename(&one, &aside));
                    drop(fs::rename(&aside, &two));
                    drop(fs::remove_dir_all(&aside));
                    drop(fs::remove_file(&aside));
                }
                _ => {}
            }
        }
        if random.below(3) > 0 {
            reader.check();
        }
        if random.below(3) == 0 {
            second.check();
        }
    }
    reader.check();
    second.check();
}

/// Save, then ask at once, while others make noise in the same and in other folders.
#[test]
fn a_save_is_in_the_next_answer_whatever_else_happens() {
    let mut random = Random(seed("saves"));
    let world = World::new();
    let files: Vec<String> = (0..40).map(|n| format!("d{}/m{n}.vit", n % 8)).collect();
    for file in &files {
        world.write(file, "0");
    }
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut reader = world.reader(&names);
    let mut other = world.reader(&["d0/noise", "storm/a"]);
    other.changes.listen();
    let over = AtomicBool::new(false);
    let mut overflows = 0;
    std::thread::scope(|scope| {
        // Renames and writes without end, in followed folders.
        scope.spawn(|| {
            for n in 0_u64.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let storm = world.at("storm");
                drop(fs::create_dir_all(&storm));
                drop(fs::write(storm.join("a"), n.to_string()));
                drop(fs::rename(&storm, world.at("storm2")));
                drop(fs::remove_dir_all(world.at("storm2")));
                drop(fs::write(world.at("d0/noise"), n.to_string()));
                if n.is_multiple_of(64) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        for round in 0..rounds(4_000) {
            for _ in 0..=random.below(3) {
                let file = world.at(names[random.below(names.len() as u64) as usize]);
                let text = format!("round {round}");
                if random.below(2) == 0 {
                    fs::write(&file, text).unwrap();
                } else {
                    let beside = file.with_extension("tmp");
                    fs::write(&beside, text).unwrap();
                    fs::rename(beside, &file).unwrap();
                }
            }
            match reader.check() {
                Changes::Paths(_) => {}
                Changes::Everything(reason) => {
                    assert_eq!(reason, Reason::Overflow);
                    overflows += 1;
                }
            }
            if random.below(50) == 0 {
                other.refresh();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    eprintln!("{overflows} overflows on the way");
}

async fn woken(subscription: &Subscription) -> bool {
    tokio::time::timeout(PATIENCE, subscription.changed()).await.is_ok()
}

#[tokio::test]
async fn listeners_are_woken() {
    let world = World::new();
    world.write("src/a.vit", "1");
    let mut reader = world.reader(&["src/a.vit"]);
    reader.changes.listen();
    world.write("src/a.vit", "2");
    assert!(woken(&reader.changes).await);
    assert!(reader.check_paths().contains(&world.at("src/a.vit")));
    // In a folder that did not exist when the listening began.
    reader.know([world.at("later/on/b.vit")]);
    reader.refresh();
    fs::create_dir(world.at("later")).unwrap();
    assert!(woken(&reader.changes).await);
    reader.check();
    fs::create_dir(world.at("later/on")).unwrap();
    assert!(woken(&reader.changes).await);
    reader.check();
    world.write("later/on/b.vit", "1");
    assert!(woken(&reader.changes).await);
    reader.check();
}

#[tokio::test]
async fn the_portable_watcher_wakes_and_answers_everything() {
    let watcher = Watcher::with_backend(Arc::new(portable::Portable::open().unwrap()));
    let folder = TempDir::new().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut changes = watcher.subscribe(std::slice::from_ref(&root));
    changes.follow(&mut [root.as_path(), root.join("missing").as_path()].into_iter());
    changes.listen();
    assert_eq!(changes.take(soon()), Changes::Everything(Reason::First));
    fs::write(root.join("a.vit"), "1").unwrap();
    assert!(woken(&changes).await);
    assert_eq!(changes.take(soon()), Changes::Everything(Reason::Unwatched));
    assert!(changes.needs_polling(), "a folder that is missing cannot be watched here");
    assert!(watcher.barrier(soon()));
    assert_eq!((watcher.status().folders, watcher.status().troubles.len()), (1, 1));
    drop(changes);
    assert_eq!(watcher.status().folders, 0);
}

#[test]
fn without_a_watcher_everything_is_examined() {
    let world = World::with(|_, options| WatcherOptions { own_folder: "/proc".into(), ..options });
    // The folder for temporary files serves as well.
    let mut reader = world.reader(&["a.vit"]);
    world.write("a.vit", "1");
    assert_eq!(reader.check_paths(), [world.at("a.vit")]);
    let mut unwatched = vitte_driver::Unwatched.watch(&[world.root()]);
    assert_eq!(unwatched.take(soon()), Changes::Everything(Reason::Unwatched));
}
