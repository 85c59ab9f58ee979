//! `vitte why` names what somebody did, and first of all that.
//!
//! Each mutation is of a known kind; after the next build the causes are compared with it: files with the lines
//! that changed, imports, options, manifests, the workspace's root, the compiler. `VITTE_TEST_MUTATIONS` says how
//! many there are (default 40), `VITTE_TEST_SEED` which. A failure names the seed and the mutation.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vitte_tests::generator::{Change, Files, ModuleId, Options, SaveStyle, Workspace};
use vitte_tests::process::{self, Outcome};
use vitte_tests::random::Random;
use vitte_tests::setting;
use vitte_tests::stage::{LIMIT, Stage, binaries};

/// Mutations made in one workspace, before the next one is made.
const MUTATIONS_OF_ONE: usize = 20;
/// Edits of the generator after which a program is right again.
const EDITS: [Change; 15] = [
    Change::Body,
    Change::Constant,
    Change::Signature,
    Change::Comment,
    Change::Formatting,
    Change::RenameLocal,
    Change::RenameProcedure,
    Change::InsertProcedure,
    Change::DeleteProcedure,
    Change::MoveProcedure,
    Change::InsertModule,
    Change::DeleteModule,
    Change::RenameModule,
    Change::MoveModule,
    Change::Import,
];
const PASSES: [&str; 3] = ["inline", "cse", "licm"];

/// A cause as `vitte why --json` tells it.
#[derive(Debug)]
struct Cause {
    kind: String,
    name: String,
    old: String,
    new: String,
    lines: (u64, u64),
    imports: (Vec<String>, Vec<String>),
}

impl Cause {
    fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        let texts = |name: &str| {
            let list = value[name].as_array().unwrap();
            list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
        };
        Self {
            kind: text("kind"),
            name: text("name"),
            old: text("old"),
            new: text("new"),
            lines: (value["first_line"].as_u64().unwrap(), value["last_line"].as_u64().unwrap()),
            imports: (texts("imports_added"), texts("imports_removed")),
        }
    }
}

/// What the causes must be.
#[derive(Debug)]
enum Expected {
    /// Exactly these files, whatever becomes of them.
    Files(Files, Files),
    /// This kind with this name first; of an option also its values.
    First(&'static str, String, Option<(String, String)>),
    /// The manifest with the line that changed, then this option.
    Manifest(u64, &'static str),
}

/// The workspace, how it is built, and by whom.
struct Field {
    stage: Stage,
    workspace: Workspace,
    files: Files,
    /// A module that hides another.
    hiding: Option<String>,
    opt_level: Option<usize>,
    profile: Option<&'static str>,
    disabled: Option<&'static str>,
    library: bool,
    rooted: bool,
    debug_info: Option<bool>,
    /// Whether the other compiler builds.
    other: bool,
    compilers: [PathBuf; 2],
}

impl Field {
    fn new(random: &mut Random, compilers: [PathBuf; 2]) -> Self {
        let stage = Stage::new();
        let workspace = Workspace::new(&Options::new(7 + random.below(8), random.bits()));
        let files = workspace.vitte();
        files.write(stage.folder()).unwrap();
        fs::create_dir(stage.folder().join("library")).unwrap();
        Self {
            stage,
            workspace,
            files,
            hiding: None,
            opt_level: None,
            profile: None,
            disabled: None,
            library: false,
            rooted: false,
            debug_info: None,
            other: false,
            compilers,
        }
    }

    /// A command about the program, with all that decides what it is.
    fn command(&self, verb: &[&str], is_private: bool) -> Command {
        let program = &self.compilers[usize::from(self.other)];
        let mut command = Command::new(program);
        let like = self.stage.command(&[]);
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env_remove("VITTE_WORKSPACE").current_dir(self.stage.folder());
        if self.rooted {
            command.env("VITTE_WORKSPACE", self.stage.home().path());
        }
        command.args(verb).args(["-o", "app"]);
        if let Some(level) = self.opt_level {
            command.args(["-O", &level.to_string()]);
        }
        if let Some(profile) = self.profile {
            command.args(["--profile", profile]);
        }
        if let Some(pass) = self.disabled {
            command.args(["--disable-pass", pass]);
        }
        if self.library {
            command.args(["--stdlib-path", "library"]);
        }
        if is_private {
            command.arg("--no-daemon");
        }
        command
    }

    fn run(&self, verb: &[&str], is_private: bool) -> Outcome {
        let outcome = process::run(self.command(verb, is_private), b"", LIMIT).unwrap();
        assert_eq!(outcome.status, 0, "{verb:?}: {}{}", outcome.stdout_text(), outcome.stderr_text());
        outcome
    }

    fn why(&self, is_private: bool) -> Vec<Cause> {
        let outcome = self.run(&["why", "--json"], is_private);
        let answer: Value = serde_json::from_str(&outcome.stdout_text()).unwrap();
        answer["causes"].as_array().unwrap().iter().map(Cause::of).collect()
    }

    fn save(&mut self, files: Files, style: SaveStyle) {
        files.replace(&self.files, self.stage.folder(), style).unwrap();
        self.files = files;
    }

    /// Changes one thing; gives its name and what `why` must say of it. `None` when it could not be done.
    fn mutate(&mut self, random: &mut Random) -> Option<(String, Expected)> {
        // Most of what people do is edits.
        if random.below(3) < 2 && self.hiding.is_none() {
            let change = *random.choose(&EDITS).unwrap();
            let before = self.files.clone();
            let style = if random.one_in(2) { SaveStyle::InPlace } else { SaveStyle::Replace };
            if !self.workspace.change(change, random) {
                return None;
            }
            let manifest = before.get("vitte-package.json").unwrap().to_owned();
            let mut after = self.workspace.vitte();
            after.insert("vitte-package.json", manifest);
            self.save(after.clone(), style);
            return (before != after).then(|| (format!("{change:?}"), Expected::Files(before, after)));
        }
        match random.below(9) {
            0 | 1 => self.hide(random),
            2 => {
                let level = random.below(4);
                // Level 1 is the default of the profile `dev`; `release` has 2.
                let usual = if self.profile == Some("release") { 2 } else { 1 };
                let old = self.opt_level.replace(level).unwrap_or(usual);
                let values = (format!("O{old}"), format!("O{level}"));
                (old != level).then(|| option("a level", "opt-level", Some(values)))
            }
            3 => {
                let old = self.profile.unwrap_or("dev");
                let new = if old == "dev" { "release" } else { "dev" };
                self.profile = Some(new);
                Some(option("a profile", "profile", Some((old.into(), new.into()))))
            }
            4 => {
                let old = self.disabled.take().unwrap_or_default();
                self.disabled = random.choose(&PASSES).copied().filter(|pass| *pass != old);
                let values = (old.to_owned(), self.disabled.unwrap_or_default().to_owned());
                (values.0 != values.1).then(|| option("a pass", "disabled-passes", Some(values)))
            }
            5 => {
                self.library = !self.library;
                Some(option("the library's folder", "dependencies", None))
            }
            6 => {
                self.rooted = !self.rooted;
                Some(option("VITTE_WORKSPACE", "root", None))
            }
            7 => {
                self.other = !self.other;
                Some(("another compiler".into(), Expected::First("compiler", "compiler".into(), None)))
            }
            _ => Some(self.change_manifest()),
        }
    }

    /// Puts a file where one was looked for and not there, or takes it away again.
    fn hide(&mut self, random: &mut Random) -> Option<(String, Expected)> {
        if let Some(hiding) = self.hiding.take() {
            fs::remove_file(self.stage.folder().join(&hiding)).unwrap();
            let expected = Expected::First("gone", hiding, None);
            return Some(("a file that hid another is gone".into(), expected));
        }
        let pairs: Vec<(ModuleId, ModuleId)> = self
            .workspace
            .ids()
            .flat_map(|id| self.workspace.module(id).unwrap().imports.iter().map(move |import| (id, *import)))
            .collect();
        let &(importer, imported) = random.choose(&pairs)?;
        let path = self.workspace.path(imported).unwrap();
        let text = self.workspace.vitte_module(imported).unwrap();
        let area = &self.workspace.module(importer).unwrap().area;
        let nearer = format!("src/{area}/{}", path.strip_prefix("src/").unwrap());
        let space = path.strip_prefix("src/").unwrap().strip_suffix(".vit").unwrap();
        self.stage.write(&nearer, text.replace(&format!("space {space}\n"), ""));
        self.hiding = Some(nearer.clone());
        Some(("a file that hides another".into(), Expected::First("appeared", nearer, None)))
    }

    /// Another setting in the manifest, on a line of its own.
    fn change_manifest(&mut self) -> (String, Expected) {
        let text = self.files.get("vitte-package.json").unwrap();
        let value = !self.debug_info.unwrap_or(self.profile != Some("release"));
        let of = |name| format!("\"{name}\": {{\"debug_info\": {value}}}");
        let setting = format!("  \"profiles\": {{{}, {}}},", of("dev"), of("release"));
        let mut lines: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with("\"profiles\"")).collect();
        lines.insert(3, &setting);
        let text = lines.join("\n") + "\n";
        self.debug_info = Some(value);
        let mut files = self.files.clone();
        files.insert("vitte-package.json", text);
        self.save(files, SaveStyle::Replace);
        ("a line of the manifest".into(), Expected::Manifest(4, "debug-info"))
    }
}

fn option(what: &str, name: &str, values: Option<(String, String)>) -> (String, Expected) {
    (what.into(), Expected::First("option", name.into(), values))
}

/// Lines of `new` from the first to the last that is not in its place in `old`, found without digests.
fn changed_lines(old: &str, new: &str) -> (u64, u64) {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let mut first = 0;
    while first < old.len() && first < new.len() && old[first] == new[first] {
        first += 1;
    }
    let (mut old_end, mut new_end) = (old.len(), new.len());
    while old_end > first && new_end > first && old[old_end - 1] == new[new_end - 1] {
        (old_end, new_end) = (old_end - 1, new_end - 1);
    }
    (first as u64 + 1, new_end.max(first + 1) as u64)
}

fn imports(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_prefix("use ")).map(str::to_owned).collect()
}

/// What is wrong with the causes; empty when nothing is.
fn difference(causes: &[Cause], expected: &Expected) -> String {
    let Some(first) = causes.first() else { return "no cause is named".into() };
    match expected {
        Expected::First(kind, name, values) => {
            if (first.kind.as_str(), &first.name) != (kind, name) {
                return format!("the first is not {kind} {name}");
            }
            if let Some((old, new)) = values
                && (&first.old, &first.new) != (old, new)
            {
                return format!("it is not from `{old}` to `{new}`");
            }
            if matches!(*kind, "compiler") && (first.old == first.new || first.old.len() != 64) {
                return "there are not two compilers".into();
            }
            String::new()
        }
        Expected::Manifest(line, name) => {
            if (first.kind.as_str(), first.name.as_str(), first.lines.0)
                != ("manifest", "vitte-package.json", *line)
            {
                return format!("the first is not line {line} of the manifest");
            }
            match causes.get(1) {
                Some(cause) if cause.kind == "option" && cause.name == *name => String::new(),
                _ => format!("the second is not the option {name}"),
            }
        }
        Expected::Files(before, after) => {
            let of = |kinds: [&str; 2]| -> BTreeMap<&str, &Cause> {
                let fits = causes.iter().filter(|cause| kinds.contains(&cause.kind.as_str()));
                fits.map(|cause| (cause.name.as_str(), cause)).collect()
            };
            let names =
                |files: &BTreeMap<&str, &Cause>| files.keys().map(|name| (*name).to_owned()).collect();
            let paths = |files: &Files| files.paths().map(str::to_owned).collect::<BTreeSet<String>>();
            let (old, new) = (paths(before), paths(after));
            let found = [names(&of(["appeared", "joined"])), names(&of(["gone", "left"]))];
            let wanted: [BTreeSet<String>; 2] = [&new - &old, &old - &new];
            if found != wanted {
                return format!("files came and went: {wanted:?}, and not {found:?}");
            }
            let changed = of(["file", "file"]);
            let wanted: BTreeSet<String> = old.intersection(&new).cloned().collect();
            let wanted: BTreeSet<String> =
                wanted.into_iter().filter(|path| before.get(path) != after.get(path)).collect();
            let found: BTreeSet<String> = names(&changed);
            if found != wanted {
                return format!("texts changed: {wanted:?}, and not {found:?}");
            }
            for (name, cause) in changed {
                let (old, new) = (before.get(name).unwrap(), after.get(name).unwrap());
                if cause.lines != changed_lines(old, new) {
                    return format!("{name}: the lines are {:?}", changed_lines(old, new));
                }
                if cause.old == cause.new || cause.old.len() != 64 || cause.new.len() != 64 {
                    return format!("{name}: there are not two digests");
                }
                let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
                let (added, removed) = (&imports(new) - &imports(old), &imports(old) - &imports(new));
                if (set(&cause.imports.0), set(&cause.imports.1)) != (added, removed) {
                    return format!("{name}: other imports changed");
                }
            }
            if ["joined", "left"].contains(&first.kind.as_str()) && !found.is_empty() {
                return "what somebody did does not stand first".into();
            }
            String::new()
        }
    }
}

/// The compiler, and one that takes itself for another: a copy with other digits wherever there is a digest.
fn compilers(folder: &Path) -> [PathBuf; 2] {
    let found = binaries();
    let mut bytes = fs::read(&found.vitted).unwrap();
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| is_digit(byte)).count();
        let run = &bytes[at..at + length];
        // Without letters it is a table of decimal numbers.
        if length >= 64 && run.iter().any(u8::is_ascii_alphabetic) {
            // In the middle, because other text may stand on both sides.
            for digit in bytes[at + 16..at + length - 16].iter_mut().filter(|byte| byte.is_ascii_digit()) {
                *digit = if *digit == b'0' { b'1' } else { b'0' };
            }
        }
        at += length + 1;
    }
    let place = |name: &str| folder.join(name);
    fs::write(place("vitted"), bytes).unwrap();
    fs::copy(&found.vitte, place("vitte")).unwrap();
    fs::set_permissions(place("vitted"), PermissionsExt::from_mode(0o755)).unwrap();
    [found.vitte.clone(), place("vitte")]
}

#[test]
fn the_cause_that_is_named_is_what_was_done() {
    let mutations: usize = setting::number("VITTE_TEST_MUTATIONS", 40);
    let seed = setting::seed();
    eprintln!("{mutations} mutations from seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let compilers = compilers(folder.path());
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut made = 0;
    while made < mutations {
        let mut random = Random::new(seed.wrapping_add(made as u64));
        let mut field = Field::new(&mut random, compilers.clone());
        field.run(&["build"], false);
        let first = field.why(false);
        assert_eq!((first.len(), first[0].kind.as_str()), (1, "first"), "{first:?}");
        for _ in 0..MUTATIONS_OF_ONE.min(mutations - made) {
            // A service that has just started knows of earlier builds from the store alone.
            if random.one_in(10) {
                field.stage.vitte(&["daemon", "stop"]);
            }
            let is_private = random.one_in(10);
            let Some((what, expected)) = field.mutate(&mut random) else { continue };
            field.run(&["build"], is_private);
            let causes = field.why(false);
            let difference = difference(&causes, &expected);
            assert!(
                difference.is_empty(),
                "seed {seed}, mutation {made}, {what}, private: {is_private}: {difference}: {causes:#?}\n{}",
                field.stage.vitte(&["daemon", "logs"]).stdout_text()
            );
            // What a service has told is in the store.
            if random.one_in(10) {
                assert_eq!(
                    format!("{:?}", field.why(true)),
                    format!("{causes:?}"),
                    "asked by another process"
                );
            }
            // A build without a change is no news.
            if random.one_in(5) {
                field.run(&["build"], false);
                let again = field.why(false);
                assert_eq!(format!("{again:?}"), format!("{causes:?}"), "after a build without a change");
            }
            *kinds.entry(what).or_default() += 1;
            made += 1;
        }
    }
    eprintln!("{kinds:#?}");
}

/// The answer is about what was built, also when files were saved after it and nobody has built again.
#[test]
fn saves_after_the_build_are_no_cause() {
    let stage = Stage::new();
    let text = |number: u32| format!("export n\nproc n() -> int {{\n    give {number}\n}}\n");
    for name in ["a", "b"] {
        stage.write(&format!("{name}.vit"), text(1));
    }
    stage
        .write("main.vit", "use a\nuse b\nproc main() -> int {\n    println(a.n() + b.n())\n    give 0\n}\n");
    let build = || assert_eq!(stage.vitte(&["build", "-o", "app", "main.vit"]).status, 0);
    let why = || {
        let outcome = stage.vitte(&["why", "--json", "-o", "app", "main.vit"]);
        let answer: Value = serde_json::from_str(&outcome.stdout_text()).unwrap();
        answer["causes"].as_array().unwrap().iter().map(Cause::of).collect::<Vec<_>>()
    };
    build();
    why();
    for number in 2..6 {
        stage.write("a.vit", text(number));
        build();
        stage.write("b.vit", text(number));
        let causes = why();
        assert_eq!(causes.len(), 1, "{causes:?}");
        assert_eq!((causes[0].name.as_str(), causes[0].lines), ("a.vit", (3, 3)));
        build();
        let causes = why();
        assert_eq!(causes.len(), 1, "{causes:?}");
        assert_eq!(causes[0].name, "b.vit");
    }
}
