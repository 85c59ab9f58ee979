//! Components and packages that our own compiler makes: every type crosses both ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;
use vitte_driver::{BuildRequest, CancellationToken, Driver, Event, PackagePlan, Packer, Part, PartKind};
use vitte_loader::container::{ArtifactKind, Manifest, PackageKind, assemble};
use vitte_loader::{CallError, CallRequest, Cancel, Kind, LoaderConfig, Module, ModuleLoader};

/// What the service does, for the driver alone.
#[derive(Debug)]
struct Packing;

impl Packer for Packing {
    fn pack(&self, package: &PackagePlan, parts: Vec<Part>) -> Result<Vec<u8>, String> {
        let manifest = Manifest {
            format: 1,
            id: package.id.clone(),
            version: package.version.clone(),
            kind: match package.outline {
                vitte_driver::Outline::Module => PackageKind::Module,
                vitte_driver::Outline::Plugin => PackageKind::Plugin,
            },
            seq: package.seq,
            artifacts: Vec::new(),
            license: package.license.clone(),
            description: package.description.clone(),
            exports: Vec::new(),
            deps: Vec::new(),
            activation: package.activation.clone(),
            config: package.config.clone(),
            capabilities: package.capabilities.clone(),
        };
        let parts = parts.into_iter().map(|part| {
            let kind = match part.kind {
                PartKind::Component => ArtifactKind::Component,
                PartKind::Bytecode => ArtifactKind::Vitbc,
                PartKind::Library => ArtifactKind::Elf,
                PartKind::Table => ArtifactKind::Vitffi,
            };
            (part.path, kind, part.target, part.bytes.to_vec())
        });
        assemble(manifest, parts.collect())
    }
}

/// Builds, and gives the file, or the messages.
fn build(cwd: &Path, entry: &str, emit: &str, output: Option<PathBuf>) -> Result<PathBuf, Vec<String>> {
    let request = BuildRequest {
        entry: Some(entry.into()),
        cwd: cwd.to_path_buf(),
        emit: Some(emit.into()),
        output,
        ..BuildRequest::default()
    };
    let messages = std::sync::Mutex::new(Vec::new());
    let events = |event: Event| {
        if let Event::Diagnostic(diagnostic) = event {
            messages.lock().unwrap().push(diagnostic.message.clone());
        }
    };
    let driver = Driver::default().packed_by(Arc::new(Packing));
    let outcome = driver.build(&request, &events, &CancellationToken::new()).unwrap();
    outcome.executable.ok_or_else(|| messages.into_inner().unwrap())
}

struct Bench {
    loader: ModuleLoader,
    module: Module,
    _folder: TempDir,
}

impl Bench {
    fn of(source: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("m.vit"), source).unwrap();
        let built = build(folder.path(), "m.vit", "component", None)
            .unwrap_or_else(|messages| panic!("{messages:?}"));
        let loader = ModuleLoader::new();
        let module = loader.load_file(built).unwrap();
        assert_eq!(module.kind, Kind::Component);
        Self { loader, module, _folder: folder }
    }

    fn call(&self, function: &str, arguments: &str) -> Result<String, CallError> {
        let request = CallRequest {
            module: self.module.name.clone(),
            function: function.into(),
            arguments: arguments.into(),
            generation: None,
            time_max: None,
            cancel: Cancel::default(),
        };
        self.loader.call(&request).map(|reply| reply.results)
    }

    fn says(&self, function: &str, arguments: &str) -> String {
        self.call(function, arguments).unwrap_or_else(|error| panic!("{function}{arguments}: {error}"))
    }
}

/// What is given comes back, for each type; some of it changed on the way.
const TYPES: &str = r#"
space types

export *

form Point { x: i32, y: f64 }
form One { value: i16 }
form Shape { name: string, corners: [Point], open: bool, mark: Option<char> }
pick Colour { Red, Green, DarkBlue }
pick Thing { Nothing, Number(value: i64), Text(value: string), Pair(left: u8, right: [string]), At(point: Point) }
form Wide { a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64, i: i64, j: i64, k: i64, l: i64, m: i64, n: i64, o: i64, p: i64, name: string }

proc same_bool(v: bool) -> bool { give v }
proc same_char(v: char) -> char { give v }
proc same_s8(v: i8) -> i8 { give v }
proc same_u8(v: u8) -> u8 { give v }
proc same_s16(v: i16) -> i16 { give v }
proc same_u16(v: u16) -> u16 { give v }
proc same_s32(v: i32) -> i32 { give v }
proc same_u32(v: u32) -> u32 { give v }
proc same_s64(v: i64) -> i64 { give v }
proc same_u64(v: u64) -> u64 { give v }
proc same_f32(v: f32) -> f32 { give v }
proc same_f64(v: f64) -> f64 { give v }
proc same_text(v: string) -> string { give v }
proc same_texts(v: [string]) -> [string] { give v }
proc same_numbers(v: [i32]) -> [i32] { give v }
proc same_flags(v: [bool]) -> [bool] { give v }
proc same_nested(v: [[u16]]) -> [[u16]] { give v }
proc same_point(v: Point) -> Point { give v }
proc same_one(v: One) -> One { give v }
proc same_shape(v: Shape) -> Shape { give v }
proc same_shapes(v: [Shape]) -> [Shape] { give v }
proc same_colour(v: Colour) -> Colour { give v }
proc same_thing(v: Thing) -> Thing { give v }
proc same_things(v: [Thing]) -> [Thing] { give v }
proc same_option(v: Option<string>) -> Option<string> { give v }
proc same_deep(v: Option<Option<i64>>) -> Option<Option<i64>> { give v }
proc same_result(v: Result<f32, string>) -> Result<f32, string> { give v }
proc same_unit(v: Result<unit, i64>) -> Result<unit, i64> { give v }
proc same_pair(v: (u8, string)) -> (u8, string) { give v }
proc same_wide(v: Wide) -> Wide { give v }
proc moved(v: Point, by: i32) -> Point {
    set v.x = v.x + by
    give v
}
proc renamed(v: Shape, name: string) -> [Shape] {
    let all = [v]
    set v.name = name
    give all + [v]
}
proc joined(parts: [string], between: string) -> string {
    let out = ""
    let i = 0
    while i < len(parts) {
        if i > 0 { set out = out + between }
        set out = out + parts[i]
        set i = i + 1
    }
    give out
}
proc nothing(v: [string]) { }
proc hidden(v: i128) -> i128 { give v }
proc pick_at(v: [i64], at: i64) -> i64 { give v[at] }
proc speak(text: string) { println(text) }
"#;

#[test]
fn every_type_crosses_both_ways() {
    let bench = Bench::of(TYPES);
    for (function, value) in [
        ("same-bool", "true"),
        ("same-bool", "false"),
        ("same-char", "'é'"),
        ("same-s8", "-128"),
        ("same-u8", "255"),
        ("same-s16", "-32768"),
        ("same-u16", "65535"),
        ("same-s32", "-2147483648"),
        ("same-u32", "4294967295"),
        ("same-s64", "-9223372036854775808"),
        ("same-u64", "18446744073709551615"),
        ("same-f32", "1.5"),
        ("same-f64", "-0.1"),
        ("same-f64", "nan"),
        ("same-text", "\"\""),
        ("same-text", "\"héllo \\\"you\\\"\""),
        ("same-texts", "[]"),
        ("same-texts", "[\"a\", \"\", \"ccc\"]"),
        ("same-numbers", "[]"),
        ("same-numbers", "[1, -2, 3]"),
        ("same-flags", "[true, false, true]"),
        ("same-nested", "[[], [1], [2, 3]]"),
        ("same-point", "{x: -3, y: 2.5}"),
        ("same-one", "{value: -7}"),
        ("same-shape", "{name: \"s\", corners: [{x: 1, y: 2}, {x: 3, y: 4}], open: true, mark: some('m')}"),
        ("same-shapes", "[{name: \"\", corners: [], open: false}]"),
        ("same-colour", "dark-blue"),
        ("same-thing", "nothing"),
        ("same-thing", "number(-5)"),
        ("same-thing", "text(\"t\")"),
        ("same-thing", "pair((7, [\"a\", \"b\"]))"),
        ("same-thing", "at({x: 1, y: 0.5})"),
        ("same-things", "[nothing, text(\"x\"), nothing, at({x: 9, y: 9})]"),
        ("same-option", "none"),
        ("same-option", "some(\"s\")"),
        ("same-deep", "some(none)"),
        ("same-deep", "some(some(4))"),
        ("same-deep", "none"),
        ("same-result", "ok(0.25)"),
        ("same-result", "err(\"why\")"),
        ("same-unit", "ok"),
        ("same-unit", "err(-1)"),
        ("same-pair", "(9, \"nine\")"),
        (
            "same-wide",
            "{a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10, k: 11, l: 12, m: 13, n: 14, o: 15, p: 16, name: \"w\"}",
        ),
    ] {
        assert_eq!(bench.says(function, &format!("({value})")), value, "{function}");
    }
    assert_eq!(bench.says("moved", "({x: 1, y: 2}, 40)"), "{x: 41, y: 2}");
    assert_eq!(
        bench.says("renamed", "({name: \"a\", corners: [], open: true}, \"b\")"),
        "[{name: \"a\", corners: [], open: true}, {name: \"b\", corners: [], open: true}]"
    );
    assert_eq!(bench.says("joined", "([\"a\", \"b\", \"c\"], \", \")"), "\"a, b, c\"");
    assert_eq!(bench.says("nothing", "([\"a\"])"), "");
    assert_eq!(bench.says("speak", "(\"hello\")"), "");
    let names: Vec<&str> = bench.module.exports.iter().map(|export| export.name.as_str()).collect();
    assert!(!names.contains(&"hidden"), "128-bit numbers have no type there");
}

#[test]
fn a_panic_says_what_went_wrong() {
    let bench = Bench::of(TYPES);
    let error = bench.call("pick-at", "([1, 2], 7)").unwrap_err();
    let CallError::Trap(trap) = &error else { panic!("{error}") };
    assert!(trap.message.contains("panic") && trap.message.contains('7'), "{error}");
    assert!(trap.frames.iter().any(|frame| frame.contains("pick_at")), "{error}");
    // The next call has an instance of its own.
    assert_eq!(bench.says("pick-at", "([1, 2], 1)"), "2");
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..20).prop_map(|letters| letters.into_iter().collect())
}

/// As WAVE writes it.
fn quoted(text: &str) -> String {
    use wasmtime::component::{Val, wasm_wave};
    wasm_wave::to_string(&Val::String(text.into())).unwrap()
}

fn thing() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("nothing".to_owned()),
        any::<i64>().prop_map(|number| format!("number({number})")),
        text().prop_map(|text| format!("text({})", quoted(&text))),
        (any::<u8>(), proptest::collection::vec(text(), 0..4)).prop_map(|(left, right)| {
            let right: Vec<String> = right.iter().map(|text| quoted(text)).collect();
            format!("pair(({left}, [{}]))", right.join(", "))
        }),
        (any::<i32>(), -1000..1000).prop_map(|(x, y)| format!("at({{x: {x}, y: {y}}})")),
    ]
}

#[test]
fn random_values_come_back() {
    let bench = Bench::of(TYPES);
    let cases = std::env::var("VITTE_TEST_VALUES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let values =
        (proptest::collection::vec(thing(), 0..12), proptest::collection::vec(any::<u16>(), 0..40), text());
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&values, |(things, numbers, text)| {
            let things = format!("[{}]", things.join(", "));
            prop_assert_eq!(&bench.says("same-things", &format!("({things})")), &things);
            let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
            let numbers = format!("[[{}], []]", numbers.join(", "));
            prop_assert_eq!(&bench.says("same-nested", &format!("({numbers})")), &numbers);
            let text = quoted(&text);
            prop_assert_eq!(&bench.says("same-text", &format!("({text})")), &text);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_components_cannot_have_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("m.vit"), "proc main() -> int { give 0 }\n").unwrap();
    let messages = build(folder.path(), "m.vit", "component", None).unwrap_err();
    assert!(messages[0].contains("exports nothing that a host can call"), "{messages:?}");
}

#[test]
fn a_package_holds_component_and_bytecode_and_is_always_the_same() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("m.vit"), TYPES).unwrap();
    let first = build(folder.path(), "m.vit", "vitmod", None).unwrap();
    let bytes = std::fs::read(&first).unwrap();
    assert_eq!(first.extension().unwrap(), "vitmod");
    let container = vitte_loader::container::Container::read(&bytes).unwrap();
    let manifest = container.manifest();
    let kinds: Vec<ArtifactKind> = manifest.artifacts.iter().map(|artifact| artifact.kind).collect();
    assert_eq!(
        (manifest.id.as_str(), kinds),
        ("local:m", vec![ArtifactKind::Vitbc, ArtifactKind::Component])
    );
    let joined = manifest.exports.iter().find(|export| export.name == "joined").unwrap();
    assert_eq!(joined.ty, "func(parts: list<string>, between: string) -> string");
    let again = TempDir::new().unwrap();
    std::fs::write(again.path().join("m.vit"), TYPES).unwrap();
    let second = build(again.path(), "m.vit", "vitmod", None).unwrap();
    assert!(std::fs::read(second).unwrap() == bytes, "equal inputs give equal bytes");
    let loader = ModuleLoader::with_config(LoaderConfig::default());
    let module = loader.load_file(&first).unwrap();
    assert_eq!(
        (module.name.as_str(), module.version.as_str(), module.kind),
        ("local:m", "0.0.0", Kind::Component)
    );
}

mod plugins {
    use super::*;
    use vitte_loader::plugin::{PluginError, PluginState, Plugins, Project, Severity, check};

    fn examples() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugins")
    }

    /// The example in Vitte, built.
    fn tidy(folder: &Path) -> PathBuf {
        let output = folder.join("tidy.vitplug");
        build(&examples(), "tidy", "vitplug", Some(output)).unwrap_or_else(|messages| panic!("{messages:?}"))
    }

    fn plugins() -> Plugins {
        Plugins::new(ModuleLoader::new(), None)
    }

    /// A lone file as a plugin.
    fn plugin_of(folder: &Path, source: &str) -> Result<PathBuf, Vec<String>> {
        std::fs::write(folder.join("bad.vit"), source).unwrap();
        build(folder, "bad.vit", "vitplug", None)
    }

    #[test]
    fn one_in_vitte_contributes() {
        let folder = TempDir::new().unwrap();
        let path = tidy(folder.path());
        let checked = check(&LoaderConfig::default(), &path).unwrap();
        assert_eq!(checked.problems, [""; 0]);
        assert_eq!(checked.name.as_str(), "example:tidy");
        let contributions: Vec<&str> = checked.contributions.iter().map(String::as_str).collect();
        assert_eq!(contributions, ["build", "diagnostics", "formatter", "panels"]);

        let plugins = plugins();
        let info = plugins.add(&path, None).unwrap();
        assert_eq!(info.state, PluginState::Waiting);
        let mut answers = plugins.diagnose("a.vit", "let a = 1  \n\tgive a\n");
        let (name, found) = answers.remove(0);
        let found = found.unwrap();
        let shown: Vec<(&str, u32, u32)> =
            found.iter().map(|one| (one.code.as_str(), one.start, one.end)).collect();
        assert_eq!(shown, [("BLANKS", 9, 11), ("TAB", 12, 13)]);
        assert_eq!((found[0].severity, found[0].help.as_deref()), (Severity::Warning, Some("take it out")));
        assert!(plugins.diagnose("a.md", "\t").is_empty(), "it is for programs alone");
        assert_eq!(plugins.get(&name).unwrap().state, PluginState::Active);
        assert_eq!(plugins.format(&name, "a.vit", "a  \nb\t\n c").unwrap(), "a\nb\n c");
        let mut project = Project {
            name: "shop".into(),
            version: "1.0.0".into(),
            entry: "main.vit".into(),
            product: "exe".into(),
        };
        assert_eq!(plugins.before_build(&project)[0].1.as_ref().unwrap(), &["tidy has seen shop"]);
        project.name = "forbidden".into();
        let refused = plugins.before_build(&project).remove(0).1.unwrap_err();
        assert!(refused.to_string().ends_with("a program of this name is not built"), "{refused}");
        assert_eq!(plugins.panels()[0].1.as_ref().unwrap()[0].id, "rules");
        assert!(plugins.show_panel(&name, "rules").unwrap().contains("no tabs"));
        assert!(matches!(plugins.render(&name, "t", "m"), Err(PluginError::NoContribution { .. })));
        assert_eq!(plugins.command("tidy"), Some(name.clone()));
        assert!(matches!(plugins.add(&path, None), Err(PluginError::Exists(_))));
        plugins.remove(&name).unwrap();
        assert!(plugins.is_empty() && plugins.remove(&name).is_err());
    }

    #[test]
    fn one_in_rust_contributes() {
        let words = examples().join("words");
        let target = TempDir::new().unwrap();
        let built = std::process::Command::new("cargo")
            .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--target-dir"])
            .arg(target.path().join("target"))
            .arg("--manifest-path")
            .arg(words.join("Cargo.toml"))
            .env_remove("RUSTFLAGS")
            .output();
        match built {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    reason.contains("wasm32-unknown-unknown") || reason.contains("can't find crate"),
                    "{reason}"
                );
                eprintln!("SKIP: no standard library of Rust for wasm32-unknown-unknown");
                return;
            }
            Err(error) => {
                eprintln!("SKIP: no cargo: {error}");
                return;
            }
        }
        std::fs::copy(words.join("vitte-package.json"), target.path().join("vitte-package.json")).unwrap();
        let output = target.path().join("words.vitplug");
        let path = build(target.path(), ".", "vitplug", Some(output)).unwrap();
        let plugins = plugins();
        let name = plugins.add(&path, None).unwrap().checked.name;
        let page = plugins.render(&name, "a < b", "two words\n\nthree words more").unwrap();
        assert!(page.starts_with("<h1>a &lt; b</h1>\n<p>5 words</p>\n<p>two words</p>"), "{page}");
        let long = format!("short\n{}\n", "x".repeat(130));
        let found = plugins.diagnose("a.vit", &long).remove(0).1.unwrap();
        assert_eq!((found[0].code.as_str(), found[0].start, found[0].end), ("LONG_LINE", 6, 136));
    }

    #[test]
    fn settings_reach_it_and_two_failed_starts_are_enough() {
        let folder = TempDir::new().unwrap();
        let path = tidy(folder.path());
        let plugins = plugins();
        let name = plugins.add(&path, Some("spaces".into())).unwrap().checked.name;
        for _ in 0..2 {
            let error = plugins.format(&name, "a.vit", "a").unwrap_err();
            assert!(error.to_string().contains("the configuration `spaces` is unknown"), "{error}");
        }
        let PluginState::Quarantined(reason) = plugins.get(&name).unwrap().state else { panic!() };
        assert!(reason.contains("could not be started 2 times"), "{reason}");
        assert!(plugins.diagnose("a.vit", "\t").is_empty());
        plugins.remove(&name).unwrap();
        plugins.add(&path, None).unwrap();
        assert_eq!(plugins.format(&name, "a.vit", "a ").unwrap(), "a ");
    }

    #[test]
    fn they_are_known_to_the_next_process() {
        let folder = TempDir::new().unwrap();
        let path = tidy(folder.path());
        let file = folder.path().join("state/plugins.json");
        let of_process = || Plugins::new(ModuleLoader::new(), Some(file.clone()));
        let name = of_process().add(&path, Some("tabs".into())).unwrap().checked.name;
        assert_eq!(of_process().format(&name, "a.vit", "a ").unwrap(), "a ");
        assert_eq!(of_process().all()[0].path, path);
        std::fs::write(&file, "[").unwrap();
        assert!(of_process().is_empty(), "damage costs the note alone");
        of_process().add(&path, None).unwrap();
        of_process().remove(&name).unwrap();
        assert!(of_process().is_empty());
    }

    #[test]
    fn five_faults_in_a_minute_are_enough() {
        let folder = TempDir::new().unwrap();
        let source = "space bad\nexport *\nproc formatter_format(path: string, text: string) -> Result<string, string> {\n    \
                      let list: [string] = []\n    give Ok(list[3])\n}\n";
        let path = plugin_of(folder.path(), source).unwrap();
        let plugins = plugins();
        let name = plugins.add(&path, None).unwrap().checked.name;
        for number in 0..5 {
            let error = plugins.format(&name, "a.vit", "").unwrap_err();
            assert!(matches!(&error, PluginError::Failed { .. }), "{number}: {error}");
            assert!(error.to_string().contains("panic"), "{error}");
        }
        let error = plugins.format(&name, "a.vit", "").unwrap_err();
        assert!(
            matches!(&error, PluginError::Quarantined { reason, .. } if reason.contains("5 times")),
            "{error}"
        );
        assert_eq!(plugins.get(&name).unwrap().faults, 5);
    }

    #[test]
    fn wrong_types_are_told_with_both_signatures() {
        let folder = TempDir::new().unwrap();
        let source = "space bad\nexport *\nproc formatter_format(path: string, text: string) -> string { give text }\n";
        let messages = plugin_of(folder.path(), source).unwrap_err();
        assert!(messages[0].contains("`formatter_format` has another type"), "{messages:?}");
        let messages =
            plugin_of(folder.path(), "space bad\nexport *\nproc f() -> int { give 1 }\n").unwrap_err();
        assert!(messages[0].contains("contributes nothing"), "{messages:?}");
        // A module is no plugin, whatever it exports.
        std::fs::write(folder.path().join("m.vit"), TYPES).unwrap();
        let module = build(folder.path(), "m.vit", "vitmod", None).unwrap();
        let Err(PluginError::Unfit { problems, .. }) = plugins().add(&module, None) else { panic!() };
        assert_eq!(problems, ["it is a module and no plugin", "it contributes nothing"]);
    }
}
