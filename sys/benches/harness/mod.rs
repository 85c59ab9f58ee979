//! What the benchmarks share: contenders that take turns, processor time, medians, and bars.
//!
//! Turns are interleaved, so that the machine's moods meet all contenders alike, and a ratio is the
//! median of the ratios of the rounds, not a ratio of medians. Processor time is this process's own,
//! with what the kernel does for it.
#![allow(dead_code)]
use std::time::{Duration, Instant};

/// What to run.
pub struct Options {
    /// `--smoke`: small sizes, few rounds; shows that the benchmark works, and measures nothing.
    pub smoke: bool,
    /// `--check`: a missed bar is an error.
    check: bool,
    /// The numbers among the arguments.
    pub numbers: Vec<usize>,
    missed: Vec<String>,
}

impl Options {
    /// From the command line. `cargo bench` adds `--bench`, which says nothing new.
    pub fn read() -> Self {
        let mut options = Self { smoke: false, check: false, numbers: Vec::new(), missed: Vec::new() };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--smoke" => options.smoke = true,
                "--check" => options.check = true,
                "--bench" => {}
                other => match other.parse() {
                    Ok(number) => options.numbers.push(number),
                    Err(_) => {
                        println!("usage: [--smoke] [--check] [NUMBER]..., not `{other}`");
                        std::process::exit(64);
                    }
                },
            }
        }
        options
    }

    /// `ordinary`, or `small` in a smoke run.
    pub fn pick<T>(&self, ordinary: T, small: T) -> T {
        if self.smoke { small } else { ordinary }
    }

    /// Prints a ratio that should be at least `least`.
    pub fn at_least(&mut self, what: &str, value: f64, least: f64) {
        self.bar(what, value, value >= least, &format!(">= {least:.2}"));
    }

    /// Prints a ratio that should be at most `most`.
    pub fn at_most(&mut self, what: &str, value: f64, most: f64) {
        self.bar(what, value, value <= most, &format!("<= {most:.2}"));
    }

    fn bar(&mut self, what: &str, value: f64, met: bool, wanted: &str) {
        println!(
            "ratio {what}: {value:.3}, wanted {wanted}: {}",
            if self.smoke {
                "not judged"
            } else if met {
                "met"
            } else {
                "MISSED"
            }
        );
        if !met && !self.smoke {
            self.missed.push(what.to_owned());
        }
    }

    /// The end: the exit status.
    pub fn finish(self) -> std::process::ExitCode {
        if self.missed.is_empty() {
            return std::process::ExitCode::SUCCESS;
        }
        println!("missed: {}", self.missed.join("; "));
        if self.check { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
    }
}

/// One of those compared.
pub struct Contender<'c> {
    name: &'c str,
    prepare: Box<dyn FnMut() + 'c>,
    work: Box<dyn FnMut() + 'c>,
}

/// `work` is measured.
pub fn contender<'c>(name: &'c str, work: impl FnMut() + 'c) -> Contender<'c> {
    Contender { name, prepare: Box::new(|| {}), work: Box::new(work) }
}

impl<'c> Contender<'c> {
    /// Runs before each turn, unmeasured.
    pub fn prepared_by(mut self, prepare: impl FnMut() + 'c) -> Self {
        self.prepare = Box::new(prepare);
        self
    }
}

/// The times of one contender, by round.
pub struct Times {
    /// Processor time.
    pub processor: Vec<Duration>,
    /// Time on the wall.
    pub wall: Vec<Duration>,
}

/// Lets all take turns, each round beginning with another, after one round that does not count.
pub fn race(rounds: usize, mut contenders: Vec<Contender<'_>>) -> Vec<Times> {
    let count = contenders.len();
    let mut times: Vec<_> = contenders
        .iter()
        .map(|_| Times { processor: vec![Duration::ZERO; rounds], wall: vec![Duration::ZERO; rounds] })
        .collect();
    for round in 0..=rounds {
        for turn in 0..count {
            let at = (round + turn) % count;
            let (Some(contender), Some(times)) = (contenders.get_mut(at), times.get_mut(at)) else {
                continue;
            };
            (contender.prepare)();
            let (wall, processor) = (Instant::now(), processor_time());
            (contender.work)();
            let (processor, wall) = (processor_time() - processor, wall.elapsed());
            if let Some(slot) = round.checked_sub(1) {
                times.processor[slot] = processor;
                times.wall[slot] = wall;
            }
        }
    }
    for (contender, times) in contenders.iter().zip(&times) {
        let (processor, wall) = (median(&times.processor), median(&times.wall));
        println!("  {:<44} processor {processor:>10.1?}  wall {wall:>10.1?}", contender.name);
    }
    times
}

/// The median of how many times longer `slow` took than `fast`, round by round.
pub fn ratio(slow: &[Duration], fast: &[Duration]) -> f64 {
    let mut ratios: Vec<f64> =
        slow.iter().zip(fast).map(|(slow, fast)| slow.as_secs_f64() / fast.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The one in the middle.
pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What all threads of this process have used.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
