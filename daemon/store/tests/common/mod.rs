//! What the suites share.
#![allow(dead_code)]
use std::path::Path;
use std::process::{Child, Command, Stdio};

use vitte_store::{ActionKey, ActionResult, IndexUse, Options, Store};

/// Numbers that come again with the same seed (xorshift64*, Vigna 2016).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// A number from the environment, for longer runs than those of every day.
pub fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not `{text}`")),
        Err(_) => otherwise,
    }
}

/// The seed of this run, printed so that a failure can be repeated.
pub fn seed() -> u64 {
    let otherwise = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let seed = number("VITTE_TEST_SEED", otherwise as u64);
    eprintln!("VITTE_TEST_SEED={seed}");
    seed
}

pub fn open(folder: &Path) -> Store {
    Store::open(folder, Options::default()).unwrap()
}

/// Without the index, as a process that lives for one command.
pub fn open_briefly(folder: &Path) -> Store {
    Store::open(folder, Options { index: IndexUse::Never, ..Options::default() }).unwrap()
}

pub fn key(number: u64) -> ActionKey {
    ActionKey::of(&[&number.to_le_bytes()])
}

/// A result that follows from the number, so that a wrong one is seen.
pub fn result(number: u64) -> ActionResult {
    let mut random = Random::new(number);
    let length = random.below(60) as usize;
    ActionResult { outputs: Vec::new(), inline: random.bytes(length), inputs: number.to_le_bytes().to_vec() }
}

const MARK: &str = "VITTE_STORE_TEST_CHILD";

/// What this process is to do, when it is a child of a test.
pub fn child_argument() -> Option<String> {
    std::env::var(MARK).ok()
}

/// This test program again, with the one test `name`, which sees `argument`.
pub fn spawn(name: &str, argument: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}
