//! Files: this crate beside the standard library, as ratios of processor time (cold reads: of wall
//! time), each the smallest of several interleaved runs.
//!
//! `cargo bench -p vitte-sys --bench files [-- FILES [COPY_MIB]]`; 10,000 files and 1,024 MiB when
//! nothing is said. The bars are printed beside the ratios; `--check` makes a missed one an error.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use vitte_sys::fs::{Reader, Root};

const ROUNDS: usize = 7;

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The smallest processor and wall times of each contender over interleaved rounds.
fn race(rounds: usize, contenders: &mut [(&str, &mut dyn FnMut())]) -> Vec<(Duration, Duration)> {
    let mut best = vec![(Duration::MAX, Duration::MAX); contenders.len()];
    for _ in 0..rounds {
        for ((_, work), best) in contenders.iter_mut().zip(&mut best) {
            let (wall, processor) = (Instant::now(), processor_time());
            work();
            best.0 = best.0.min(processor_time() - processor);
            best.1 = best.1.min(wall.elapsed());
        }
    }
    for ((name, _), (processor, wall)) in contenders.iter().zip(&best) {
        println!("  {name:<40} processor {processor:>10.1?}  wall {wall:>10.1?}");
    }
    best
}

/// Prints a ratio and its bar; whether it is met.
fn bar(what: &str, value: f64, met: bool, wanted: &str) -> bool {
    println!("  {what}: {value:.2}x, wanted {wanted}: {}", if met { "met" } else { "MISSED" });
    met
}

fn ratio(slow: Duration, fast: Duration) -> f64 {
    slow.as_secs_f64() / fast.as_secs_f64()
}

fn forget(folder: &Path, names: &[String]) {
    for name in names {
        let file = std::fs::File::open(folder.join(name)).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
}

fn read_all(reader: &mut Reader, root: &Root, names: &[String]) -> usize {
    let mut total = 0;
    reader.read_many(root, names, u64::MAX, |visit| {
        total += visit.file.unwrap().0.len();
        ControlFlow::Continue(())
    });
    total
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = arguments.iter().any(|argument| argument == "--check");
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<usize>().ok());
    let (count, mebibytes) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(1024));
    // Beside the build's output: on a disk, which the folder for temporary files may not be.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let names: Vec<String> = (0..count).map(|index| format!("file-{index:05}.vit")).collect();
    let mut bytes = 0;
    for (index, name) in names.iter().enumerate() {
        let contents = vec![b'x'; 2048 + (index * 7919) % 2048];
        bytes += contents.len();
        std::fs::write(scratch.join(name), contents).unwrap();
    }
    rustix::fs::syncfs(std::fs::File::open(&scratch).unwrap()).unwrap();
    let paths: Vec<_> = names.iter().map(|name| scratch.join(name)).collect();
    let root = Root::open(&scratch).unwrap();
    let mut reader = Reader::new();
    let mut met = true;

    println!("{count} small files in memory, stat and read");
    let best = race(
        ROUNDS,
        &mut [
            ("std metadata + read", &mut || {
                let mut total = 0;
                for path in &paths {
                    let _ = std::fs::metadata(path).unwrap();
                    total += std::fs::read(path).unwrap().len();
                }
                assert_eq!(total, bytes);
            }),
            ("read_many", &mut || assert_eq!(read_all(&mut reader, &root, &names), bytes)),
        ],
    );
    let value = ratio(best[0].0, best[1].0);
    met &= bar("read_many is faster by", value, value >= 1.6, ">= 1.6x");

    println!("one by one, confined and not");
    let best = race(
        ROUNDS,
        &mut [
            ("fs::read", &mut || {
                for path in &paths {
                    let _ = vitte_sys::fs::read(path).unwrap();
                }
            }),
            ("Root::read", &mut || {
                for name in &names {
                    let _ = root.read(name, u64::MAX).unwrap();
                }
            }),
        ],
    );
    let value = ratio(best[1].0, best[0].0);
    met &= bar("confined over unconfined", value, value <= 1.1, "<= 1.10x");

    println!("the same files on the disk (wall time)");
    let mut times = [Duration::MAX; 2];
    for _ in 0..3 {
        forget(&scratch, &names);
        let start = Instant::now();
        for path in &paths {
            let _ = std::fs::metadata(path).unwrap();
            let _ = std::fs::read(path).unwrap();
        }
        times[0] = times[0].min(start.elapsed());
        forget(&scratch, &names);
        let start = Instant::now();
        assert_eq!(read_all(&mut reader, &root, &names), bytes);
        times[1] = times[1].min(start.elapsed());
    }
    println!("  std one after the other {:.1?}, read_many {:.1?}", times[0], times[1]);
    let value = ratio(times[0], times[1]);
    met &= bar("read_many is faster by", value, value >= 4.0, ">= 4x");

    println!("copy of {mebibytes} MiB");
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    {
        use std::io::Write;
        let mut file = std::fs::File::create(&from).unwrap();
        let chunk: Vec<u8> = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();
        for _ in 0..mebibytes {
            file.write_all(&chunk).unwrap();
        }
        file.sync_all().unwrap();
    }
    // A fresh target each time; its removal is not part of the copy, but of both.
    let fresh = || drop(std::fs::remove_file(&to));
    let best = race(
        4,
        &mut [
            ("std copy", &mut || {
                fresh();
                let _ = std::fs::copy(&from, &to).unwrap();
            }),
            ("copy", &mut || {
                fresh();
                let _ = vitte_sys::fs::copy(&from, &to).unwrap();
            }),
            ("read and write, 8 KiB", &mut || {
                use std::io::{Read, Write};
                fresh();
                let mut from = std::fs::File::open(&from).unwrap();
                let mut to = std::fs::File::create(&to).unwrap();
                let mut buffer = [0; 8192];
                loop {
                    match from.read(&mut buffer).unwrap() {
                        0 => break,
                        count => to.write_all(&buffer[..count]).unwrap(),
                    }
                }
            }),
        ],
    );
    let value = ratio(best[1].0, best[0].0);
    met &= bar("copy over std", value, value <= 1.05, "<= 1.05x");
    let value = ratio(best[2].0, best[1].0);
    met &= bar("copy is faster than a plain loop by", value, value >= 2.4, ">= 2.4x");

    for one in vitte_sys::caps::probe().facilities.iter() {
        println!("  {one}");
    }
    std::fs::remove_dir_all(&scratch).unwrap();
    assert!(met || !check, "a bar was missed");
}
