//! What watching costs: registering folders, a barrier when nothing happened, a barrier behind a save,
//! the end of it all. Bad numbers: over 0.2 ms for a barrier, over a second for 10,000 folders.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vitte_driver::{Changes, FileChanges};
use vitted::watcher::{Watcher, WatcherOptions};

const FOLDERS: usize = 10_000;
const ROUNDS: usize = 2_000;

fn main() {
    let (folder, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = folder.path().canonicalize().unwrap();
    let folders: Vec<PathBuf> = (0..FOLDERS).map(|n| root.join(format!("p{}/f{n}", n % 100))).collect();
    folders.iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    let options = WatcherOptions { own_folder: own.path().to_path_buf(), ..WatcherOptions::default() };
    let watcher = Watcher::new(options);
    let mut changes = watcher.subscribe(std::slice::from_ref(&root));
    let began = Instant::now();
    changes.follow(&mut folders.iter().map(PathBuf::as_path));
    println!("{FOLDERS} folders registered in {:.1?}", began.elapsed());
    take(&mut changes);
    take(&mut changes);
    let quiet = median(|_| take(&mut changes));
    println!("barrier, nothing happened:  {quiet:.1?}");
    let file = folders[0].join("a.vit");
    let save = median(|round| {
        std::fs::write(&file, round.to_string()).unwrap();
        take(&mut changes)
    });
    println!("barrier behind a save:      {save:.1?}");
    let mut second = watcher.subscribe(std::slice::from_ref(&root));
    second.follow(&mut [Path::new(&folders[0])].into_iter());
    take(&mut second);
    second.listen();
    let listening = median(|_| take(&mut changes));
    println!("barrier, somebody listens:  {listening:.1?}");
    for folder in &folders {
        std::fs::write(folder.join("a.vit"), "").unwrap();
    }
    println!("barrier behind {FOLDERS} saves: {:.1?}", take(&mut changes));
    let began = Instant::now();
    drop(changes);
    println!("given up in {:.1?}", began.elapsed());
}

/// Asks what changed; how long that took.
fn take(changes: &mut impl FileChanges) -> Duration {
    let began = Instant::now();
    let answer = changes.take(began + Duration::from_secs(10));
    let elapsed = began.elapsed();
    match std::hint::black_box(answer) {
        Changes::Paths(_) | Changes::Everything(_) => elapsed,
    }
}

fn median(mut once: impl FnMut(usize) -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..ROUNDS).map(&mut once).collect();
    all.sort_unstable();
    all[ROUNDS / 2]
}
