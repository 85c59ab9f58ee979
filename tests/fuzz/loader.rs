//! Feeds every decoder of the loader with damaged inputs, changed by structure where that leads further in.
//!
//! `fuzz-loader TARGET|all [--seconds N] [--seed N] [--keep]`, 10 seconds for each target by default. The targets are
//! `container`, `manifest`, `bytecode`, `interface` and `values`. The same seed gives the same inputs in the same
//! order. A case fails if something panics, takes longer than its size allows, or breaks what holds of its target:
//! what is read says all that its bytes say, and values come back as they went. Its input is then in
//! `fuzz-loader-input` in the system's folder for temporary files, and the exit status is not 0. `--keep` puts each
//! input there before it is tried, for faults that end the process.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use vitte_bytecode::{
    BinaryOp, Compiled, Config, FunctionBuilder, Instance, ModuleBuilder, NoImports, ValueType,
};
use vitte_driver::{BuildRequest, CancellationToken, Driver, Event};
use vitte_loader::container::{ArtifactKind, Container, ContainerError, Manifest, PackageKind, pack};
use vitte_loader::{CallRequest, Cancel, LoadRequest, ModuleLoader, ModuleName, Value, inspect};
use vitte_native_code::message::{Reply, Request, Value as Crossing};
use vitte_native_code::table::Table;
use vitte_tests::random::Random;

/// Time any case may take, whatever its size. A debug build on a busy machine needs some of it.
const BASE_LIMIT: Duration = Duration::from_secs(20);
/// Longest input that mutation makes, in bytes.
const LONGEST: usize = 256 * 1024;
/// Fuel of one run of bytecode.
const FUEL: u64 = 20_000;

/// What a target does with an input; an error says what does not hold.
type Try = Box<dyn FnMut(&mut Random) -> Case>;

/// An input, and what is done with it.
struct Case {
    input: Vec<u8>,
    outcome: Outcome,
}

/// What does not hold, if something does not.
type Outcome = Box<dyn FnOnce(&[u8]) -> Result<(), String>>;
/// Makes a target ready.
type Ready = fn() -> Result<Try, String>;

impl Case {
    fn new(input: Vec<u8>, outcome: impl FnOnce(&[u8]) -> Result<(), String> + 'static) -> Self {
        Self { input, outcome: Box::new(outcome) }
    }
}

/// By name, with what makes it ready.
const TARGETS: [(&str, Ready); 5] = [
    ("container", container),
    ("manifest", manifest),
    ("bytecode", bytecode),
    ("interface", interface),
    ("values", values),
];

fn main() -> ExitCode {
    let usage = "usage: fuzz-loader container|manifest|bytecode|interface|values|all [--seconds N] [--seed N] [--keep]";
    let (mut wanted, mut seconds, mut seed, mut keep) = (None, 10, 1, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            name @ ("--seconds" | "--seed") => {
                let Some(number) = arguments.next().and_then(|text| text.parse::<u64>().ok()) else {
                    eprintln!("{usage}");
                    return ExitCode::from(64);
                };
                *(if name == "--seed" { &mut seed } else { &mut seconds }) = number;
            }
            "--keep" => keep = true,
            name if wanted.is_none() => wanted = Some(name.to_owned()),
            _ => {
                eprintln!("{usage}");
                return ExitCode::from(64);
            }
        }
    }
    let Some(wanted) = wanted else {
        eprintln!("{usage}");
        return ExitCode::from(64);
    };
    let chosen: Vec<_> = TARGETS.iter().filter(|(name, _)| wanted == "all" || wanted == *name).collect();
    if chosen.is_empty() {
        eprintln!("{usage}");
        return ExitCode::from(64);
    }
    for (name, ready) in chosen {
        match run(*ready, Duration::from_secs(seconds), seed, keep) {
            Ok(cases) => eprintln!("{name}: {cases} cases, seed {seed}"),
            Err(message) => {
                eprintln!("{name}: {message}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn run(ready: Ready, time: Duration, seed: u64, keep: bool) -> Result<u64, String> {
    let mut target = ready()?;
    let mut random = Random::new(seed);
    let kept: PathBuf = std::env::temp_dir().join("fuzz-loader-input");
    let (began, mut cases) = (Instant::now(), 0);
    while began.elapsed() < time {
        let Case { input, outcome } = target(&mut random);
        if keep {
            std::fs::write(&kept, &input).map_err(|error| format!("{}: {error}", kept.display()))?;
        }
        let started = Instant::now();
        let tried = catch_unwind(AssertUnwindSafe(|| outcome(&input)));
        let took = started.elapsed();
        let wrong = match tried {
            Err(_) => Some("it panicked".to_owned()),
            Ok(Err(what)) => Some(what),
            Ok(Ok(())) if took > BASE_LIMIT => Some(format!("it took {took:.1?}")),
            Ok(Ok(())) => None,
        };
        if let Some(what) = wrong {
            // What cannot be kept can be made again from the seed.
            let _ = std::fs::write(&kept, &input);
            return Err(format!(
                "case {cases} of seed {seed}: {what}; its {} bytes are in {}",
                input.len(),
                kept.display()
            ));
        }
        cases += 1;
    }
    Ok(cases)
}

/// One to four changes: a bit, a byte that decoders dislike, a cut, a piece twice, a piece less, a length.
fn damage(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    const DISLIKED: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'(', b'"', b'\\', b'{', b'/'];
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() || bytes.len() > LONGEST {
            break;
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = DISLIKED[random.below(DISLIKED.len())],
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => drop(bytes.drain(at..end)),
            5 => bytes[at..end].fill(0xff),
            // A number that could be a length, one more or less.
            _ => bytes[at] = bytes[at].wrapping_add(if random.below(2) == 0 { 1 } else { 255 }),
        }
    }
    bytes
}

fn text_of(random: &mut Random) -> String {
    const PIECES: [&str; 12] = ["a", "z9", "-", "_", ":", "/", "..", "é", " ", "\u{0}", "x-", "\u{10ffff}"];
    (0..random.below(6)).map(|_| PIECES[random.below(PIECES.len())]).collect()
}

fn bare_manifest() -> Manifest {
    Manifest {
        format: 1,
        id: "acme:answer".into(),
        version: "1.0.0".into(),
        kind: PackageKind::Module,
        seq: 1,
        artifacts: Vec::new(),
        license: Some("MIT".into()),
        description: Some("Says it".into()),
        exports: Vec::new(),
        deps: Vec::new(),
        activation: Vec::new(),
        config: None,
        capabilities: vec!["clocks".into()],
    }
}

/// Packages of random artifacts: damaged anywhere, or with one field of one header changed.
fn container() -> Result<Try, String> {
    Ok(Box::new(|random| {
        let mut artifacts = Vec::new();
        for number in 0..random.below(4) {
            let bytes = (0..random.below(300)).map(|_| random.below(256) as u8).collect();
            let kinds = [ArtifactKind::Wasm, ArtifactKind::Doc, ArtifactKind::Vitbc, ArtifactKind::Elf];
            let kind = kinds[random.below(kinds.len())];
            artifacts.push((format!("a/{number}.bin"), kind, "any".to_owned(), bytes));
        }
        let whole = pack::<ContainerError>(bare_manifest(), artifacts, |_, _| Ok(None));
        let whole = whole.unwrap_or_default();
        let changed = match random.below(3) {
            0 => damage(random, &whole),
            1 => {
                // Headers begin with `PK`: one of their fields is another number.
                let headers: Vec<usize> = whole
                    .windows(2)
                    .enumerate()
                    .filter(|(_, pair)| *pair == b"PK")
                    .map(|(at, _)| at)
                    .collect();
                let mut changed = whole.clone();
                if !headers.is_empty() {
                    let at = headers[random.below(headers.len())] + 4 + random.below(42);
                    for place in changed.iter_mut().skip(at).take(1 + random.below(4)) {
                        *place = [0, 1, 0xff, random.below(256) as u8][random.below(4)];
                    }
                }
                changed
            }
            _ => {
                // A stretch of it stands twice, or somewhere else.
                let mut changed = whole.clone();
                let (from, to) = (random.below(whole.len()), random.below(whole.len()));
                let piece: Vec<u8> = whole.iter().copied().skip(from).take(random.below(200)).collect();
                changed.splice(to..to, piece);
                changed
            }
        };
        let is_whole = changed == whole;
        Case::new(changed, move |bytes| {
            let looked = inspect(bytes);
            match Container::read(bytes) {
                Err(_) if is_whole => Err("what was packed is not read".to_owned()),
                Err(_) => Ok(()),
                Ok(package) => {
                    let manifest = package.manifest().clone();
                    let each = manifest.artifacts.iter().map(|artifact| package.artifact(&artifact.path));
                    let all_there = each.into_iter().all(|artifact| matches!(artifact, Ok(Some(_))));
                    if all_there != looked.is_ok() {
                        return Err("reading and looking into it disagree".to_owned());
                    }
                    Ok(())
                }
            }
        })
    }))
}

/// Manifests whose fields are other values, and text that is nearly one.
fn manifest() -> Result<Try, String> {
    let whole = bare_manifest().to_bytes().map_err(|error| error.to_string())?;
    let fields: Map<String, Json> = serde_json::from_slice(&whole).map_err(|error| error.to_string())?;
    let names = [
        "format",
        "id",
        "version",
        "kind",
        "seq",
        "artifacts",
        "deps",
        "license",
        "exports",
        "activation",
        "capabilities",
        "config",
        "x-note",
        "unknown",
    ];
    Ok(Box::new(move |random| {
        let mut fields = fields.clone();
        for _ in 0..=random.below(3) {
            let value = match random.below(9) {
                0 => json!(random.bits()),
                1 => json!(-1),
                2 => json!(1.5),
                3 => Json::Null,
                4 => json!(text_of(random)),
                5 => json!([text_of(random), text_of(random)]),
                6 => json!([{"id": text_of(random), "req": text_of(random), "lazy": true}]),
                7 => {
                    json!([{"kind": "wasm", "path": text_of(random), "sha256": "0".repeat(64), "size": random.bits(), "target": text_of(random)}])
                }
                _ => json!({"a": text_of(random)}),
            };
            fields.insert(names[random.below(names.len())].to_owned(), value);
        }
        let mut input = Json::Object(fields).to_string().into_bytes();
        if random.below(3) == 0 {
            input = damage(random, &input);
        }
        Case::new(input, |bytes| match Manifest::parse(bytes) {
            Err(_) => Ok(()),
            // Fields of others are read and not kept.
            Ok(_) if bytes.windows(2).any(|pair| pair == b"x-") => Ok(()),
            Ok(manifest) if manifest.to_bytes().is_ok_and(|again| again == bytes) => Ok(()),
            Ok(_) => Err("what was read is not what it says".to_owned()),
        })
    }))
}

/// Small modules of bytecode, damaged; those that are still right are run.
fn bytecode() -> Result<Try, String> {
    Ok(Box::new(|random| {
        let whole = small_module(random);
        let changed = damage(random, &whole);
        let is_whole = changed == whole;
        Case::new(changed, move |bytes| {
            let _ = inspect(bytes);
            let verified = match vitte_bytecode::load(bytes) {
                Ok(verified) => verified,
                Err(report) if is_whole => return Err(format!("a right module is refused: {report}")),
                Err(_) => return Ok(()),
            };
            if vitte_bytecode::encode(verified.module()) != bytes {
                return Err("what was read is not what it says".to_owned());
            }
            let compiled = Compiled::new(verified);
            let config =
                Config { fuel: Some(FUEL), memory_bytes: 1 << 20, call_depth: 100, stack_slots: 1 << 14 };
            let Ok(mut instance) = Instance::new(&compiled, &NoImports, config) else { return Ok(()) };
            for export in &compiled.module().exports {
                // Whatever it does, it ends.
                let _ = instance.call(&mut NoImports, &export.name, &[]);
            }
            Ok(())
        })
    }))
}

fn small_module(random: &mut Random) -> Vec<u8> {
    use ValueType::{I32, I64};
    let mut module = ModuleBuilder::new();
    let file = module.file("main.vit");
    let signature = module.signature(&[I32, I64], &[I32]);
    for number in 0..=random.below(3) {
        let name = format!("f{number}");
        let function = module.declare(&name, signature);
        let mut code = FunctionBuilder::new(&[I32, I64]);
        code.set_place(vitte_bytecode::Place { file, line: 1 + random.below(9) as u32, column: 1 });
        let mut last = code.param(0);
        for _ in 0..random.below(12) {
            let operations = [BinaryOp::I32Add, BinaryOp::I32Sub, BinaryOp::I32Mul, BinaryOp::I32DivS];
            let other = code.i32(random.bits() as i32);
            last = code.binary(operations[random.below(operations.len())], last, other);
        }
        code.return_(&[last]);
        module.define(function, &code.finish());
        module.export_function(&name, function, None);
    }
    module.build().map(|(bytes, _)| bytes).unwrap_or_default()
}

/// Tables of C functions, names, capabilities, and what crosses to the processes of libraries.
fn interface() -> Result<Try, String> {
    const TABLE: &str = "vitffi = 1\nlibrary = 'libz.so.1'\n[functions.f]\nsymbol = 'g'\nresult = 'own text?'\n\
        free = 'free'\nparams = ['a: bytes', 'n: uint = len(a)', 'o: out bytes(9)', 'm: inout size = cap(o)', \
        'h: take handle(x)', 'k: int = -1', 'z: null']\n[imports.i]\nfrom = 'acme:m/i@1.0.0'\nfails = 'null'\n\
        params = ['s: text', 'b: bytes', 'n: size = len(b)']\nresult = 'long'\n";
    let values = || {
        vec![
            Crossing::Number(7),
            Crossing::Text("seven".into()),
            Crossing::Bytes(vec![7; 7]),
            Crossing::Nothing,
        ]
    };
    let requests = [
        Request::Open { id: 1, library: "libz.so.1".into(), table: TABLE.into() }.encode(),
        Request::Call { library: 1, function: 3, arguments: values() }.encode(),
        Request::Answer(values()).encode(),
        Request::Fail("no".into()).encode(),
    ];
    let replies = [
        Reply::Results(values()).encode(),
        Reply::Failed("no".into()).encode(),
        Reply::Import { library: 1, import: 2, arguments: values() }.encode(),
        Reply::Abandoned("no".into()).encode(),
    ];
    Ok(Box::new(move |random| match random.below(4) {
        0 => Case::new(damage(random, TABLE.as_bytes()), |bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
            let _ = inspect(bytes);
            let Ok(table) = Table::parse(text) else { return Ok(()) };
            let each = table.functions.iter().chain(table.imports.iter().map(|import| &import.function));
            if each.into_iter().any(|function| function.inputs().count() > function.params.len()) {
                return Err("callers give more than there are parameters".to_owned());
            }
            Ok(())
        }),
        1 => {
            let body = &requests[random.below(requests.len())];
            Case::new(damage(random, body), |bytes| match Request::decode(bytes) {
                Ok(request) if request.encode() != bytes => Err("a request is read as another".to_owned()),
                Ok(_) | Err(_) => Ok(()),
            })
        }
        2 => {
            let body = &replies[random.below(replies.len())];
            Case::new(damage(random, body), |bytes| match Reply::decode(bytes) {
                Ok(reply) if reply.encode() != bytes => Err("a reply is read as another".to_owned()),
                Ok(_) | Err(_) => Ok(()),
            })
        }
        _ => {
            let capability =
                ["fs:ro:/srv/data", "env:HOME", "clocks?", "acme:log/out@1.2.3"][random.below(4)];
            Case::new(damage(random, capability.as_bytes()), |bytes| {
                let text = String::from_utf8_lossy(bytes);
                if let Ok(name) = text.parse::<ModuleName>()
                    && name.as_str() != text
                {
                    return Err("a name is read as another".to_owned());
                }
                if let Ok(capability) = text.parse::<vitte_loader::Capability>() {
                    let shown = capability.to_string();
                    if shown.parse::<vitte_loader::Capability>() != Ok(capability) {
                        return Err(format!("`{shown}` is read as another capability"));
                    }
                }
                Ok(())
            })
        }
    }))
}

/// A module that gives back what it is given.
const ECHO: &str = "space echo\n\nexport *\n\n\
    form Point { x: i32, y: f64 }\n\
    form Shape { name: string, corners: [Point], open: bool, mark: Option<char> }\n\
    pick Thing { Nothing, Number(value: i64), Many(values: [u8]), At(point: Point) }\n\
    proc shape(v: Shape) -> Shape { give v }\n\
    proc thing(v: Thing) -> Thing { give v }\n\
    proc things(v: [Thing]) -> [Thing] { give v }\n\
    proc text(v: string) -> string { give v }\n";

/// Arguments of calls, as text and as values: what fits comes back, and the rest never reaches the module.
fn values() -> Result<Try, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = folder.path().join("echo.vit");
    std::fs::write(&source, ECHO).map_err(|error| error.to_string())?;
    let request = BuildRequest {
        entry: Some(source),
        cwd: folder.path().to_owned(),
        emit: Some("component".to_owned()),
        ..BuildRequest::default()
    };
    let ignore = |_: Event| {};
    let built = Driver::default().build(&request, &ignore, &CancellationToken::new());
    let built = built.map_err(|error| error.to_string())?.executable;
    let built = built.ok_or("the module of this target is not built")?;
    let loader = Arc::new(ModuleLoader::new());
    let module = loader.load(&LoadRequest::new(built), &Cancel::default());
    let module = module.map_err(|error| error.to_string())?.name;
    Ok(Box::new(move |random| {
        let (loader, module) = (Arc::clone(&loader), module.clone());
        let function = ["shape", "thing", "things", "text"][random.below(4)].to_owned();
        if random.below(2) == 0 {
            let wave = match function.as_str() {
                "shape" => r#"({name: "é\n", corners: [{x: -1, y: 1.5e300}], open: true, mark: some('x')})"#,
                "thing" => "(at({x: 3, y: nan}))",
                "things" => "([nothing, number(-9223372036854775808), many([0, 255])])",
                _ => r#"("a\u{10ffff}\"b")"#,
            };
            let input = damage(random, wave.as_bytes());
            return Case::new(input, move |bytes| {
                let arguments = String::from_utf8_lossy(bytes).into_owned();
                called(loader.call(&request_of(&module, function, arguments)).map(drop))
            });
        }
        let value = value_of(random, &function, 0);
        Case::new(format!("{function} {value:?}").into_bytes(), move |_| {
            let request = request_of(&module, function, vec![value.clone()]);
            match loader.call_values(&request) {
                Ok(reply) if reply.results.len() == 1 && is_same(&reply.results[0], &value) => Ok(()),
                Ok(reply) => Err(format!("{value:?} came back as {:?}", reply.results)),
                Err(error) => called(Err(error)),
            }
        })
    }))
}

fn request_of<A>(module: &ModuleName, function: String, arguments: A) -> CallRequest<A> {
    let (module, cancel) = (module.clone(), Cancel::default());
    CallRequest { module, function, arguments, generation: None, time_max: None, cancel }
}

/// A call either ends well or is refused before the module runs.
fn called(outcome: Result<(), vitte_loader::CallError>) -> Result<(), String> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.code() == "MODULE_ARGUMENTS" => Ok(()),
        Err(error) => Err(format!("{}: {error}", error.code())),
    }
}

/// A value that fits `function` more often than not.
fn value_of(random: &mut Random, function: &str, depth: usize) -> Value {
    if random.below(12) == 0 && depth < 5 {
        return stray(random, depth);
    }
    let below = depth + 1;
    match function {
        "shape" => {
            let corners = (0..random.below(4)).map(|_| value_of(random, "point", below)).collect();
            let mark = char::from_u32(random.below(0x11_0000) as u32).map(|c| Box::new(Value::Char(c)));
            let mut fields = vec![
                ("name".to_owned(), Value::String(text_of(random))),
                ("corners".to_owned(), Value::List(corners)),
                ("open".to_owned(), Value::Bool(random.below(2) == 0)),
                ("mark".to_owned(), Value::Option(mark)),
            ];
            if random.below(8) == 0 {
                let gone = random.below(fields.len());
                fields.remove(gone);
            }
            let turn = random.below(fields.len());
            fields.rotate_left(turn);
            Value::Record(fields)
        }
        "point" => Value::Record(vec![
            ("x".to_owned(), Value::S32(random.bits() as i32)),
            ("y".to_owned(), Value::F64(f64::from_bits(random.bits()))),
        ]),
        "thing" => {
            let (case, value) = match random.below(4) {
                0 => ("nothing", None),
                1 => ("number", Some(Value::S64(random.bits() as i64))),
                2 => {
                    let bytes = (0..random.below(70)).map(|_| random.below(256) as u8).collect();
                    ("many", Some(Value::Bytes(bytes)))
                }
                _ => ("at", Some(value_of(random, "point", below))),
            };
            Value::Variant(case.to_owned(), value.map(Box::new))
        }
        "things" => Value::List((0..random.below(5)).map(|_| value_of(random, "thing", below)).collect()),
        _ => Value::String(text_of(random)),
    }
}

/// A value of any kind.
fn stray(random: &mut Random, depth: usize) -> Value {
    let inside = |random: &mut Random| Box::new(value_of(random, "thing", depth + 1));
    match random.below(9) {
        0 => Value::U8(random.bits() as u8),
        1 => Value::Tuple(vec![*inside(random)]),
        2 => Value::Flags(vec![text_of(random)]),
        3 => Value::Enum(text_of(random)),
        4 => Value::Result(Err(Some(inside(random)))),
        5 => Value::Variant(text_of(random), None),
        6 => Value::Option(Some(inside(random))),
        7 => Value::Record(vec![(text_of(random), *inside(random)), (text_of(random), Value::Bool(true))]),
        _ => Value::Bytes(vec![0; random.below(40)]),
    }
}

/// Whether both are the same value: fields may have moved, optional ones been filled in, and bits of a NaN changed.
fn is_same(came: &Value, went: &Value) -> bool {
    match (came, went) {
        (Value::F64(came), Value::F64(went)) => {
            came.to_bits() == went.to_bits() || came.is_nan() && went.is_nan()
        }
        (Value::Record(came), Value::Record(went)) => came.iter().all(|(name, came)| {
            went.iter()
                .find(|(other, _)| other == name)
                .map_or(*came == Value::Option(None), |(_, went)| is_same(came, went))
        }),
        (Value::List(came), Value::List(went)) => {
            came.len() == went.len() && came.iter().zip(went).all(|(came, went)| is_same(came, went))
        }
        (Value::Variant(a, Some(came)), Value::Variant(b, Some(went))) => a == b && is_same(came, went),
        (came, went) => came == went,
    }
}
