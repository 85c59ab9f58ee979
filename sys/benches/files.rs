//! Files: this crate beside the standard library, as ratios of processor time (cold reads: of wall
//! time, since waiting is what they are about).
//!
//! `cargo bench -p vitte-sys --bench files [-- [--smoke] [--check] [FILES [COPY_MIB]]]`; 10,000 files
//! and 1,024 MiB when nothing is said. The bars stand beside the ratios.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vitte_sys::fs::{Reader, Root};

#[path = "harness/mod.rs"]
mod harness;
use harness::{Options, contender, race, ratio};

/// Many small files in one directory.
struct Files {
    folder: PathBuf,
    names: Vec<String>,
    paths: Vec<PathBuf>,
    bytes: usize,
}

impl Files {
    fn make(folder: &Path, count: usize) -> Self {
        let names: Vec<String> = (0..count).map(|index| format!("file-{index:05}.vit")).collect();
        let paths: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
        let mut bytes = 0;
        for (index, path) in paths.iter().enumerate() {
            let contents = vec![b'x'; 2048 + (index * 7919) % 2048];
            bytes += contents.len();
            std::fs::write(path, contents).unwrap();
        }
        // What is not on the disk yet cannot be dropped from memory.
        rustix::fs::syncfs(std::fs::File::open(folder).unwrap()).unwrap();
        Self { folder: folder.to_owned(), names, paths, bytes }
    }

    /// Drops the contents from the page cache.
    fn forget(&self) {
        for path in &self.paths {
            let file = std::fs::File::open(path).unwrap();
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        }
    }

    fn read_by_std(&self) {
        let mut total = 0;
        for path in &self.paths {
            std::hint::black_box(std::fs::metadata(path).unwrap());
            total += std::fs::read(path).unwrap().len();
        }
        assert_eq!(total, self.bytes);
    }

    fn read_by_reader(&self, reader: &mut Reader, root: &Root) {
        let mut total = 0;
        reader.read_many(root, &self.names, u64::MAX, |visit| {
            let (bytes, stamp) = visit.file.unwrap();
            assert_eq!(stamp.size, bytes.len() as u64);
            total += bytes.len();
            ControlFlow::Continue(())
        });
        assert_eq!(total, self.bytes);
    }
}

fn small_files(options: &mut Options, files: &Files) {
    let root = Root::open(&files.folder).unwrap();
    let mut reader = Reader::new();
    println!("{} small files in memory, stat and read", files.names.len());
    let times = race(
        options.pick(31, 1),
        vec![
            contender("std metadata + read", || files.read_by_std()),
            contender("read_many", || files.read_by_reader(&mut reader, &root)),
        ],
    );
    options.at_least(
        "read_many, warm, faster than std by",
        ratio(&times[0].processor, &times[1].processor),
        1.6,
    );

    println!("the same one by one, confined and not");
    let times = race(
        options.pick(31, 1),
        vec![
            contender("fs::read", || {
                for path in &files.paths {
                    std::hint::black_box(vitte_sys::fs::read(path).unwrap());
                }
            }),
            contender("Root::read", || {
                for name in &files.names {
                    std::hint::black_box(root.read(name, u64::MAX).unwrap());
                }
            }),
        ],
    );
    options.at_most("confined read over unconfined", ratio(&times[1].processor, &times[0].processor), 1.1);

    println!("the same on the disk");
    let times = race(
        options.pick(5, 1),
        vec![
            contender("std one after the other", || files.read_by_std()).prepared_by(|| files.forget()),
            contender("read_many", || files.read_by_reader(&mut reader, &root))
                .prepared_by(|| files.forget()),
        ],
    );
    options.at_least("read_many, cold, faster than std by", ratio(&times[0].wall, &times[1].wall), 4.0);
}

/// The way of simple libraries.
fn copy_by_loop(from: &Path, to: &Path) {
    let mut from = std::fs::File::open(from).unwrap();
    let mut to = std::fs::File::create(to).unwrap();
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer).unwrap() {
            0 => break,
            count => to.write_all(&buffer[..count]).unwrap(),
        }
    }
}

fn copies(options: &mut Options, scratch: &Path, mebibytes: usize) {
    println!("copy of {mebibytes} MiB");
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    let mut file = std::fs::File::create(&from).unwrap();
    let chunk: Vec<u8> = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();
    for _ in 0..mebibytes {
        file.write_all(&chunk).unwrap();
    }
    file.sync_all().unwrap();
    // A new target each time, and nothing of the one before left for the disk to do.
    let fresh = || {
        if std::fs::remove_file(&to).is_ok() {
            rustix::fs::syncfs(&file).unwrap();
        }
    };
    let times = race(
        options.pick(7, 1),
        vec![
            contender("std::fs::copy", || assert!(std::fs::copy(&from, &to).is_ok())).prepared_by(fresh),
            contender("fs::copy", || assert!(vitte_sys::fs::copy(&from, &to).is_ok())).prepared_by(fresh),
            contender("read and write, 8 KiB", || copy_by_loop(&from, &to)).prepared_by(fresh),
        ],
    );
    options.at_most("copy over std", ratio(&times[1].processor, &times[0].processor), 1.05);
    options.at_least(
        "copy faster than the plain loop by",
        ratio(&times[2].processor, &times[1].processor),
        2.4,
    );
}

fn main() -> ExitCode {
    let mut options = Options::read();
    let count = options.numbers.first().copied().unwrap_or(options.pick(10_000, 200));
    let mebibytes = options.numbers.get(1).copied().unwrap_or(options.pick(1024, 8));
    // Beside the build's output: on a disk, which the folder for temporary files may not be.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    let folder = scratch.join("files");
    std::fs::create_dir_all(&folder).unwrap();
    let files = Files::make(&folder, count);
    small_files(&mut options, &files);
    copies(&mut options, &scratch, mebibytes);
    for facility in vitte_sys::caps::probe().facilities.iter() {
        println!("  {facility}");
    }
    std::fs::remove_dir_all(&scratch).unwrap();
    options.finish()
}
