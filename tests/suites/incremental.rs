//! An incremental build gives what a clean one gives, byte for byte, and does no more than it must.
//!
//! `VITTE_TEST_SEQUENCES` says how many random edit sequences are played (default 60), and
//! `VITTE_TEST_SEED` which. A failure names both the seed and the sequence; the same seed plays the
//! same edits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::Command;

use vitte_tests::events::Told;
use vitte_tests::generator::{Change, Files, Options, SaveStyle, Workspace};
use vitte_tests::home::Home;
use vitte_tests::process;
use vitte_tests::random::Random;
use vitte_tests::setting;
use vitte_tests::stage::{LIMIT, Stage, binaries};

/// Sequences played in one workspace, before the next one is made.
const SEQUENCES_OF_ONE: usize = 50;
/// Ways to build that stand side by side in one service.
const WAYS: [&[&str]; 3] = [&[], &["-O", "0"], &["--profile", "release"]];
/// States that an edit may go back to.
const HISTORY: usize = 20;

/// A folder with a workspace, seen by a resident service and by private ones that know nothing.
struct Twins {
    stage: Stage,
    files: Files,
}

impl Twins {
    fn new(files: Files) -> Self {
        let stage = Stage::new();
        files.write(stage.folder()).unwrap();
        Self { stage, files }
    }

    fn save(&mut self, files: Files, style: SaveStyle) {
        files.replace(&self.files, self.stage.folder(), style).unwrap();
        self.files = files;
    }

    fn output(&self, name: &str) -> PathBuf {
        self.stage.home().path().join(name)
    }

    /// Builds with the resident service.
    fn build(&self) -> Told {
        self.build_by(self.stage.command(&[]), "resident", &[])
    }

    /// Builds in a process that has just started, with caches of its own that are empty.
    fn build_clean(&self, way: &[&str]) -> Told {
        let home = Home::new(binaries()).unwrap();
        let mut command = home.vitte();
        command.current_dir(self.stage.folder()).arg("--no-daemon");
        self.build_by(command, "clean", way)
    }

    fn build_by(&self, mut command: Command, output: &str, way: &[&str]) -> Told {
        let output = self.output(output);
        // What stands there from before must not pass for a result.
        drop(std::fs::remove_file(&output));
        command.args(["build", "--json", "-o"]).arg(output).args(way);
        Told::by(command, LIMIT).unwrap()
    }

    /// What differs between the two builds; empty when nothing does.
    fn difference(&self) -> String {
        self.difference_of(&[])
    }

    fn difference_of(&self, way: &[&str]) -> String {
        let resident = self.build_by(self.stage.command(&[]), "resident", way);
        let clean = self.build_clean(way);
        if resident.outcome.status != clean.outcome.status {
            return format!("the service: {}\nclean: {}", resident.said(), clean.said());
        }
        if resident.diagnostics() != clean.diagnostics() {
            return format!("the service: {:#?}\nclean: {:#?}", resident.diagnostics(), clean.diagnostics());
        }
        if ![0, 1].contains(&resident.outcome.status) {
            return format!("neither built nor refused: {}", resident.said());
        }
        let bytes = |name: &str| std::fs::read(self.output(name)).ok();
        if bytes("resident") != bytes("clean") {
            return "the executables differ".into();
        }
        if (resident.outcome.status == 0) != bytes("clean").is_some() {
            return "a build that succeeded left no executable, or one that failed left one".into();
        }
        String::new()
    }
}

/// Some changes, made at once.
fn edit(workspace: &mut Workspace, history: &[Workspace], random: &mut Random) -> Vec<Change> {
    if random.one_in(10)
        && let Some(earlier) = random.choose(history)
    {
        workspace.clone_from(earlier);
        return Vec::new();
    }
    if workspace.is_damaged() && random.one_in(2) {
        workspace.repair();
    }
    let mut made = Vec::new();
    for _ in 0..random.range(1, 5) {
        let change = *random.choose(&Change::ALL).unwrap();
        if workspace.change(change, random) {
            made.push(change);
        }
    }
    made
}

#[test]
fn random_edits_give_what_a_clean_build_gives() {
    let sequences: usize = setting::number("VITTE_TEST_SEQUENCES", 60);
    let seed = setting::seed();
    eprintln!("{sequences} edit sequences from seed {seed}");
    let (mut played, mut built) = (0, 0);
    while played < sequences {
        let mut random = Random::new(seed.wrapping_add(played as u64));
        let modules = 8 + random.below(12);
        let mut workspace = Workspace::new(&Options::new(modules, random.bits()));
        let mut twins = Twins::new(workspace.vitte());
        let mut history = vec![workspace.clone()];
        for _ in 0..SEQUENCES_OF_ONE.min(sequences - played) {
            let changes = edit(&mut workspace, &history, &mut random);
            let style = if random.one_in(2) { SaveStyle::InPlace } else { SaveStyle::Replace };
            twins.save(workspace.vitte(), style);
            // A service that has just started knows what is in the store, and nothing else.
            let is_new = random.one_in(20);
            if is_new {
                twins.stage.vitte(&["daemon", "stop"]);
            }
            let way = if random.one_in(4) { *random.choose(&WAYS).unwrap() } else { WAYS[0] };
            let difference = twins.difference_of(way);
            assert!(
                difference.is_empty(),
                "seed {seed}, sequence {played}, after {changes:?} saved {style:?}, service new: {is_new}, built \
                 with {way:?}: {difference}"
            );
            built += usize::from(twins.output("clean").exists());
            if history.len() == HISTORY {
                history.remove(0);
            }
            history.push(workspace.clone());
            played += 1;
            if played % 500 == 0 {
                eprintln!("{played} played");
            }
        }
    }
    eprintln!("{built} of {played} states were right programs");
    assert!(built * 4 > played, "most of the edits broke the program, so that little was compared");
}

#[test]
fn edits_of_equal_meaning_generate_no_procedure() {
    for change in Change::EQUAL_MEANING {
        let mut random = Random::new(setting::seed());
        let mut workspace = Workspace::new(&Options::new(30, 4));
        let leaf = workspace.leaf().unwrap();
        let mut twins = Twins::new(workspace.vitte());
        assert_eq!(twins.build().outcome.status, 0);
        for _ in 0..5 {
            assert!(workspace.change_module(leaf, change, &mut random));
            twins.save(workspace.vitte(), SaveStyle::Replace);
            let told = twins.build();
            assert_eq!(told.outcome.status, 0, "{change:?}: {}", told.said());
            assert!(told.executed("parse") > 0, "{change:?}: the edit was not seen");
            // Names of locals are in the first forms of a body, those of procedures in all but its code.
            let silent = match change {
                Change::RenameProcedure => &[][..],
                Change::RenameLocal => &["optimise"],
                _ => &["ssa", "optimise"],
            };
            for phase in silent {
                assert_eq!(told.executed(phase), 0, "{change:?}: `{phase}` ran");
            }
            assert_eq!(told.executed("codegen"), 0, "{change:?}: a procedure was generated");
        }
        assert_eq!(twins.difference(), "");
    }
}

#[test]
fn a_comment_in_a_module_that_everyone_imports_generates_no_procedure() {
    let files = Workspace::new(&Options::new(30, 4)).vitte();
    let mut twins = Twins::new(files.clone());
    assert_eq!(twins.build().outcome.status, 0);
    for number in 0..3 {
        let mut edited = files.clone();
        for path in ["src/base/arith.vit", "src/base/slots.vit"] {
            edited.insert(path, format!("{}// {number}\n", files.get(path).unwrap()));
        }
        twins.save(edited, SaveStyle::InPlace);
        let told = twins.build();
        assert!(told.executed("parse") > 0, "the edit was not seen");
        for phase in ["mir", "ssa", "optimise", "codegen"] {
            assert_eq!(told.executed(phase), 0, "`{phase}` ran after comment {number}");
        }
    }
    assert_eq!(twins.difference(), "");
}

#[test]
fn a_build_without_a_change_computes_nothing() {
    let twins = Twins::new(Workspace::new(&Options::new(30, 4)).vitte());
    assert_eq!(twins.build().outcome.status, 0);
    let told = twins.build();
    let phases = ["parse", "lower", "check", "mono", "mir", "ssa", "consteval", "optimise", "codegen"];
    for phase in phases {
        assert_eq!(told.executed(phase), 0, "`{phase}` ran");
    }
}

#[test]
fn an_edit_of_a_body_reaches_that_procedure_and_who_inlines_it() {
    let mut workspace = Workspace::new(&Options::new(60, 6));
    let leaf = workspace.leaf().unwrap();
    let mut twins = Twins::new(workspace.vitte());
    let clean = twins.build();
    for number in [7, 8, 9] {
        workspace.module_mut(leaf).unwrap().edit_body(number);
        twins.save(workspace.vitte(), SaveStyle::InPlace);
        let told = twins.build();
        assert_eq!(told.executed("parse"), 1);
        assert_eq!(told.executed("mir"), 1, "one body changed");
        assert!(told.executed("codegen") * 20 < clean.executed("codegen"), "{}", told.executed("codegen"));
    }
    assert_eq!(twins.difference(), "");
}

#[test]
fn an_edit_of_a_signature_reaches_the_modules_that_use_it() {
    let mut workspace = Workspace::new(&Options::new(60, 6));
    let leaf = workspace.leaf().unwrap();
    let users = workspace
        .ids()
        .filter(|id| workspace.module(*id).is_some_and(|module| module.imports.contains(&leaf)))
        .count() as u64;
    let mut twins = Twins::new(workspace.vitte());
    assert_eq!(twins.build().outcome.status, 0);
    // The module itself first, so that its users are wrong and all of them say so.
    let before = workspace.clone();
    workspace.module_mut(leaf).unwrap().wide_score = true;
    let mut half = before.vitte();
    half.insert(workspace.path(leaf).unwrap(), workspace.vitte_module(leaf).unwrap());
    twins.save(half, SaveStyle::InPlace);
    let told = twins.build();
    assert_eq!(told.outcome.status, 1);
    assert_eq!(told.diagnostics().len() as u64, users, "{}", told.said());
    assert_eq!(twins.difference(), "");
    twins.save(workspace.vitte(), SaveStyle::InPlace);
    let told = twins.build();
    assert_eq!(told.outcome.status, 0, "{}", told.said());
    // `score` itself and the one procedure in each module that calls it.
    assert_eq!(told.executed("mir"), users + 1);
    assert_eq!(twins.difference(), "");
}

#[test]
fn generated_programs_print_what_the_equal_c_programs_print() {
    if Command::new("tcc").arg("-v").output().is_err()
        || Command::new("ninja").arg("--version").output().is_err()
    {
        eprintln!("SKIP: tcc or ninja is not installed");
        return;
    }
    for seed in 1..4 {
        let mut random = Random::new(seed);
        let mut workspace = Workspace::new(&Options::new(40, seed));
        for _ in 0..60 {
            let change = *random.choose(&Change::ALL).unwrap();
            if change != Change::Damage {
                workspace.change(change, &mut random);
            }
        }
        let twins = Twins::new(workspace.vitte());
        let told = twins.build();
        assert_eq!(told.outcome.status, 0, "seed {seed}: {}", told.said());
        let c = tempfile::tempdir().unwrap();
        workspace.c("tcc").write(c.path()).unwrap();
        let run = |command: Command| process::run(command, b"", LIMIT).unwrap();
        let mut ninja = Command::new("ninja");
        ninja.current_dir(c.path());
        let built = run(ninja);
        assert_eq!(built.status, 0, "{}{}", built.stdout_text(), built.stderr_text());
        let ours = run(Command::new(twins.output("resident")));
        let theirs = run(Command::new(c.path().join("app")));
        assert_eq!((ours.status, ours.stdout_text()), (0, theirs.stdout_text()), "seed {seed}");
        assert!(ours.stdout_text().starts_with("checksum "));
    }
}
