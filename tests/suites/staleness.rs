//! An answer is never older than the last save that had ended when the question was asked.
//!
//! `VITTE_TEST_RACES` says how many saves are followed by a build at once (default 200),
//! `VITTE_TEST_CHECKOUT` how many files a checkout has (default 600), and `VITTE_TEST_SEED` which
//! saves they are.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use vitte_tests::events::Told;
use vitte_tests::random::Random;
use vitte_tests::services::{services, signal};
use vitte_tests::setting;
use vitte_tests::stage::{LIMIT, Stage};

const MANIFEST: &str = r#"{"schema": "vitte.package.manifest.v1", "name": "races", "version": "0.1.0",
"kind": "binary", "entry": "src/main.vit", "dependencies": {}, "tests": []}"#;

/// What one module says: a number that the program prints, or one that is in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    number: u64,
    wrong: bool,
}

impl Word {
    /// All texts are equally long, so that a size tells nothing.
    fn text(self) -> String {
        let Self { number, wrong } = self;
        let value = if wrong { format!("none_{number:09}") } else { format!("100000{number:08}") };
        format!("export number\nproc number() -> int {{ give {value} }}\n")
    }

    fn of(text: &str) -> Option<Self> {
        let wrong = text.contains("none_");
        let digits = &text[text.find(if wrong { "none_" } else { "100000" })? + if wrong { 5 } else { 6 }..];
        let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
        Some(Self { number: digits[..end].parse().ok()?, wrong })
    }
}

/// Modules by their path below `src`, and what each says now.
struct Field {
    stage: Stage,
    words: BTreeMap<String, Word>,
    next: u64,
}

/// `one/a` and `one/b` are in one folder, `two/…` in another; `deep` is alone; `linked` is a symbolic
/// link; `shade/s` may be hidden by a file that is nearer to `main`.
const MODULES: [&str; 6] = ["one/a", "one/b", "two/a", "two/b", "deep/er/c", "linked"];
const SHADE: &str = "shade/s";

impl Field {
    fn new() -> Self {
        let stage = Stage::new();
        let mut field = Self { stage, words: BTreeMap::new(), next: 0 };
        field.stage.write("vitte-package.json", MANIFEST);
        let mut uses = String::new();
        let mut prints = String::new();
        for (at, name) in MODULES.iter().chain([&SHADE]).enumerate() {
            uses += &format!("use {name} as m{at}\n");
            prints += &format!("    println(m{at}.number())\n");
        }
        field.stage.write("src/main.vit", format!("{uses}proc main() -> int {{\n{prints}    give 0\n}}\n"));
        for name in MODULES.iter().filter(|name| **name != "linked") {
            let word = field.fresh(false);
            field.words.insert((*name).into(), word);
            field.stage.write(&format!("src/{name}.vit"), word.text());
        }
        for target in ["left", "right"] {
            let word = field.fresh(false);
            field.stage.write(&format!("targets/{target}.vit"), word.text());
            field.words.insert("linked".into(), word);
        }
        std::os::unix::fs::symlink("../targets/right.vit", field.file("linked")).unwrap();
        let word = field.fresh(false);
        field.words.insert(SHADE.into(), word);
        field.stage.write(&format!("{SHADE}.vit"), word.text());
        field
    }

    fn fresh(&mut self, wrong: bool) -> Word {
        self.next += 1;
        Word { number: self.next, wrong }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.stage.folder().join("src").join(format!("{name}.vit"))
    }

    /// Asks the service and compares its answer with what the files say.
    fn check(&self, what: &str) {
        let expected_wrong: Vec<u64> =
            self.words.values().filter(|word| word.wrong).map(|word| word.number).collect();
        let (verb, expected) = if expected_wrong.is_empty() {
            // In the order in which `main` prints.
            let order = MODULES.iter().chain([&SHADE]);
            ("run", order.map(|name| self.words[*name].number).collect())
        } else {
            ("check", expected_wrong)
        };
        let told = Told::by(self.stage.command(&[verb, "--json"]), LIMIT).unwrap();
        let mut numbers = numbers(&told);
        let mut expected = expected;
        if verb == "check" {
            numbers.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(numbers, expected, "a stale answer after {what}: {}", told.said());
    }

    /// Changes the files in one random way; gives its name.
    fn edit(&mut self, random: &mut Random) -> &'static str {
        let wrong = !random.one_in(4);
        let plain = &MODULES[..5];
        let name = *random.choose(plain).unwrap();
        let path = self.file(name);
        match random.below(12) {
            0 => {
                let word = self.fresh(wrong);
                fs::write(path, word.text()).unwrap();
                self.words.insert(name.into(), word);
                "a save in place"
            }
            1 => {
                let word = self.fresh(wrong);
                let beside = path.with_extension("tmp");
                fs::write(&beside, word.text()).unwrap();
                fs::rename(beside, path).unwrap();
                self.words.insert(name.into(), word);
                "a save by rename"
            }
            2 => {
                for _ in 0..=random.below(4) {
                    let word = self.fresh(wrong);
                    fs::write(&path, word.text()).unwrap();
                    self.words.insert(name.into(), word);
                }
                "several saves at once"
            }
            3 => {
                let before = fs::metadata(&path).unwrap().modified().unwrap();
                let word = self.fresh(wrong);
                fs::write(&path, word.text()).unwrap();
                File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
                self.words.insert(name.into(), word);
                "a save that keeps size and time"
            }
            4 => {
                let other = *random.choose(plain).unwrap();
                if other != name {
                    self.swap(&path, &self.file(other));
                    let (one, two) = (self.words[name], self.words[other]);
                    self.words.insert(name.into(), two);
                    self.words.insert(other.into(), one);
                }
                "two files that change places"
            }
            5 => {
                self.swap_folders();
                "two folders that change places"
            }
            6 => {
                fs::remove_file(&path).unwrap();
                let word = self.fresh(wrong);
                fs::write(&path, word.text()).unwrap();
                self.words.insert(name.into(), word);
                "a file that was deleted and made again"
            }
            7 => {
                fs::remove_dir_all(self.stage.folder().join("src/deep")).unwrap();
                let word = self.fresh(wrong);
                self.stage.write("src/deep/er/c.vit", word.text());
                self.words.insert("deep/er/c".into(), word);
                "a folder that was deleted and made again"
            }
            8 => {
                let target = if random.one_in(2) { "left" } else { "right" };
                let beside = self.stage.folder().join("src/linked.tmp");
                std::os::unix::fs::symlink(format!("../targets/{target}.vit"), &beside).unwrap();
                fs::rename(beside, self.file("linked")).unwrap();
                let text = fs::read_to_string(self.file("linked")).unwrap();
                self.words.insert("linked".into(), Word::of(&text).unwrap());
                "a symbolic link that points elsewhere"
            }
            9 => {
                let word = self.fresh(wrong);
                fs::write(self.file("linked"), word.text()).unwrap();
                self.words.insert("linked".into(), word);
                "a save through a symbolic link"
            }
            10 => {
                // The nearer file hides the other, or stops hiding it.
                let nearer = self.file(SHADE);
                let word = if nearer.exists() {
                    fs::remove_dir_all(nearer.parent().unwrap()).unwrap();
                    let text = fs::read_to_string(self.stage.folder().join(format!("{SHADE}.vit"))).unwrap();
                    Word::of(&text).unwrap()
                } else {
                    let word = self.fresh(wrong);
                    self.stage.write(&format!("src/{SHADE}.vit"), word.text());
                    word
                };
                self.words.insert(SHADE.into(), word);
                "a file that hides another"
            }
            _ => {
                for _ in 0..20 {
                    self.swap_folders();
                    let (one, two) = (self.file("one/a"), self.file("two/b"));
                    self.swap(&one, &two);
                    let (one, two) = (self.words["one/a"], self.words["two/b"]);
                    self.words.insert("one/a".into(), two);
                    self.words.insert("two/b".into(), one);
                }
                "a storm of renames"
            }
        }
    }

    fn swap(&self, one: &PathBuf, two: &PathBuf) {
        let aside = self.stage.folder().join("src/aside");
        fs::rename(one, &aside).unwrap();
        fs::rename(two, one).unwrap();
        fs::rename(&aside, two).unwrap();
    }

    fn swap_folders(&mut self) {
        let folder = |name: &str| self.stage.folder().join("src").join(name);
        self.swap(&folder("one"), &folder("two"));
        for name in ["a", "b"] {
            let (one, two) = (format!("one/{name}"), format!("two/{name}"));
            let (first, second) = (self.words[&one], self.words[&two]);
            self.words.insert(one, second);
            self.words.insert(two, first);
        }
    }
}

/// The numbers in an answer: printed ones, or those in the names that are missing.
fn numbers(told: &Told) -> Vec<u64> {
    let printed: String = told.of_kind("program_output").filter_map(|event| event["data"].as_str()).collect();
    let printed = printed.lines().filter_map(|line| line.strip_prefix("100000"));
    let missing = told
        .diagnostics()
        .into_iter()
        .filter_map(|one| one["message"].as_str()?.split("`none_").nth(1)?.split('`').next());
    printed.chain(missing).map(|digits| digits.parse().unwrap()).collect()
}

#[test]
fn a_build_right_after_a_save_sees_it() {
    let races: u64 = setting::number("VITTE_TEST_RACES", 200);
    let seed = setting::seed();
    eprintln!("{races} saves from seed {seed}");
    let mut random = Random::new(seed);
    let mut field = Field::new();
    field.check("the beginning");
    for race in 0..races {
        let mut done = String::new();
        for _ in 0..=random.below(3) {
            done += field.edit(&mut random);
            done += ", ";
        }
        field.check(&format!("{done}race {race} of seed {seed}"));
    }
}

/// A writer that never rests and readers that ask all the time: each answer is a state between the last
/// save before the question and the first after the answer.
#[test]
fn answers_are_of_the_time_of_the_question() {
    let races: u64 = setting::number("VITTE_TEST_RACES", 200);
    let mut field = Field::new();
    let word = field.fresh(true);
    let path = field.file("one/a");
    fs::write(&path, word.text()).unwrap();
    let field = &field;
    let (begun, ended) = (AtomicU64::new(word.number), AtomicU64::new(word.number));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(setting::seed());
            let beside = path.with_extension("tmp");
            for number in word.number + 1.. {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                begun.store(number, Ordering::SeqCst);
                fs::write(&beside, Word { number, wrong: true }.text()).unwrap();
                fs::rename(&beside, &path).unwrap();
                ended.store(number, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros(random.range(0, 4_000) as u64));
            }
        });
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..races / 2 {
                        let oldest = ended.load(Ordering::SeqCst);
                        let told = Told::by(field.stage.command(&["check", "--json"]), LIMIT).unwrap();
                        let newest = begun.load(Ordering::SeqCst);
                        let found = numbers(&told);
                        let [answer] = found[..] else { return Err(format!("{found:?}: {}", told.said())) };
                        if !(oldest..=newest).contains(&answer) {
                            return Err(format!("{answer} is not from {oldest} to {newest}"));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let results: Vec<Result<(), String>> =
            readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        over.store(true, Ordering::SeqCst);
        for result in results {
            result.unwrap();
        }
    });
}

/// Files of a checkout in groups, each with a module that adds them up.
const GROUP: usize = 100;

fn checkout(stage: &Stage, files: usize, plus: usize) -> usize {
    let groups = files.div_ceil(GROUP);
    for group in 0..groups {
        let mut uses = String::new();
        let mut sum = String::new();
        for at in 0..GROUP {
            let number = group * GROUP + at;
            let path = stage.folder().join(format!("src/g{group}/f{at}.vit"));
            // As git does it: the old file goes, a new one comes.
            drop(fs::remove_file(path));
            stage.write(
                &format!("src/g{group}/f{at}.vit"),
                format!("export *\nconst N: int = {:06}\n", number + plus),
            );
            uses += &format!("use g{group}/f{at}\n");
            sum += &format!("    set sum = sum + f{at}.N\n");
        }
        stage.write(
            &format!("src/g{group}.vit"),
            format!("{uses}export total\nproc total() -> int {{\n    let sum = 0\n{sum}    give sum\n}}\n"),
        );
    }
    let all: Vec<usize> = (0..groups).collect();
    let uses: String = all.iter().map(|group| format!("use g{group}\n")).collect();
    let sum: String = all.iter().map(|group| format!(" + g{group}.total()")).collect();
    stage
        .write("src/main.vit", format!("{uses}proc main() -> int {{\n    println(0{sum})\n    give 0\n}}\n"));
    (0..groups * GROUP).map(|number| number + plus).sum()
}

#[test]
fn a_checkout_of_many_files_is_seen_whole() {
    let files: usize = setting::number("VITTE_TEST_CHECKOUT", 600);
    let stage = Stage::new();
    stage.write("vitte-package.json", MANIFEST);
    let mut total = checkout(&stage, files, 0);
    for round in 1..4 {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let builds = scope.spawn(|| {
                // What they answer in the middle is nobody's promise; that they end is.
                while !over.load(Ordering::SeqCst) {
                    let outcome = stage.vitte(&["check"]);
                    assert!([0, 1].contains(&outcome.status), "{}", outcome.stderr_text());
                }
            });
            total = checkout(&stage, files, round * 1_000);
            over.store(true, Ordering::SeqCst);
            let outcome = stage.vitte(&["run"]);
            assert_eq!(
                outcome.stdout_text(),
                format!("{total}\n"),
                "round {round}: {}",
                outcome.stderr_text()
            );
            builds.join().unwrap();
        });
    }
    let outcome = stage.vitte(&["run"]);
    assert_eq!(outcome.stdout_text(), format!("{total}\n"), "{}", outcome.stderr_text());
}

/// The kernel drops what does not fit into the watcher's queue; the save that matters is among what it
/// drops, because the service stands still while everything happens.
#[test]
fn a_queue_that_overflows_hides_nothing() {
    let most: u64 = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(16_384);
    if most > 200_000 {
        eprintln!("SKIP: a queue of {most} events takes too long to fill");
        return;
    }
    let mut field = Field::new();
    field.check("the beginning");
    for round in 0..3 {
        let service = services(&field.stage);
        assert_eq!(service.len(), 1);
        signal("STOP", service[0]);
        // Each file makes at least two events, and no two in a row are equal, which would make one.
        let litter: Vec<PathBuf> =
            (0..2).map(|at| field.stage.folder().join(format!("src/one/litter{at}.vit"))).collect();
        for _ in 0..most / 2 + 500 {
            for path in &litter {
                fs::write(path, "").unwrap();
            }
        }
        let word = field.fresh(round != 1);
        fs::write(field.file("two/a"), word.text()).unwrap();
        field.words.insert("two/a".into(), word);
        field.swap_folders();
        for path in litter {
            fs::remove_file(path.as_path())
                .or_else(|_| {
                    fs::remove_file(field.stage.folder().join("src/two").join(path.file_name().unwrap()))
                })
                .unwrap();
        }
        signal("CONT", service[0]);
        field.check("an overflow");
        // And the watcher works as before.
        let word = field.fresh(true);
        fs::write(field.file("one/b"), word.text()).unwrap();
        field.words.insert("one/b".into(), word);
        field.check("a save after an overflow");
        assert_eq!(services(&field.stage), service, "the service was replaced");
    }
}

#[test]
fn a_root_that_vanishes_and_returns_is_read_again() {
    let mut field = Field::new();
    field.check("the beginning");
    for round in 0..5 {
        let source = field.stage.folder().join("src");
        let away = field.stage.folder().join("away");
        fs::rename(&source, &away).unwrap();
        let outcome = field.stage.vitte(&["check"]);
        assert_ne!(outcome.status, 0, "there is nothing to check");
        assert!(!outcome.stderr_text().contains("panicked"), "{}", outcome.stderr_text());
        let word = field.fresh(round % 2 == 0);
        fs::write(away.join("one/a.vit"), word.text()).unwrap();
        field.words.insert("one/a".into(), word);
        fs::rename(&away, &source).unwrap();
        field.check("a root that came back");
    }
}

/// Each kind of thing that is no module has its own words, and none of them outlives the thing.
#[test]
fn whatever_stands_where_a_module_should_be() {
    let stage = Stage::new();
    stage.write("main.vit", "use m\nproc main() -> int {\n    give m.zero()\n}\n");
    let path = stage.folder().join("m.vit");
    let good = "export zero\nproc zero() -> int { give 0 }\n";
    type Make = fn(&Path);
    let kinds: [(&str, Make); 8] = [
        ("nothing", |_| {}),
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a pipe", |path| {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }),
        ("a symbolic link to itself", |path| std::os::unix::fs::symlink(path, path).unwrap()),
        ("a symbolic link to nothing", |path| std::os::unix::fs::symlink("nothing", path).unwrap()),
        ("a symbolic link that leads out", |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()),
        ("a file that is too large", |path| File::create(path).unwrap().set_len(5 << 30).unwrap()),
        ("bytes", |path| fs::write(path, b"// \xff\n").unwrap()),
    ];
    let mut random = Random::new(setting::seed());
    let mut before = "nothing";
    for _ in 0..40 {
        let (kind, make) = *random.choose(&kinds).unwrap();
        make(&path);
        let told = Told::by(stage.command(&["check", "--json", "main.vit"]), LIMIT).unwrap();
        let fresh = Told::by(stage.command(&["--no-daemon", "check", "--json", "main.vit"]), LIMIT).unwrap();
        assert_eq!(told.outcome.status, 1, "{kind} is no module: {}", told.said());
        assert_eq!(told.diagnostics(), fresh.diagnostics(), "{kind} after {before}");
        remove(&path);
        if random.one_in(3) {
            fs::write(&path, good).unwrap();
            let outcome = stage.vitte(&["check", "main.vit"]);
            assert_eq!(outcome.status, 0, "a module after {kind}: {}", outcome.stderr_text());
            remove(&path);
        }
        before = kind;
    }

    fn remove(path: &Path) {
        // Whichever it is.
        drop(fs::remove_dir(path));
        drop(fs::remove_file(path));
    }
}
