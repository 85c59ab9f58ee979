//! Modules of bytecode: they serve at once, and go on with the same results when they are compiled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use vitte_bytecode::ValueType::{F64, I32};
use vitte_bytecode::{BinaryOp, FunctionBuilder, ModuleBuilder};
use vitte_loader::{
    CallError, CallRequest, Cancel, Kind, LoadError, LoadRequest, Module, ModuleLoader, Tier, inspect,
};

/// `quotient(a, b)`, `third(x)` of floats, and `spin()`, which never ends.
fn bytes() -> Vec<u8> {
    let mut module = ModuleBuilder::new();
    let file = module.file("main.vit");
    let signature = module.signature(&[I32, I32], &[I32]);
    let quotient = module.declare("quotient", signature);
    let mut code = FunctionBuilder::new(&[I32, I32]);
    code.set_place(vitte_bytecode::Place { file, line: 3, column: 5 });
    let (a, b) = (code.param(0), code.param(1));
    let result = code.binary(BinaryOp::I32DivS, a, b);
    code.return_(&[result]);
    module.define(quotient, &code.finish());
    module.export_function("quotient", quotient, None);

    let signature = module.signature(&[F64], &[F64]);
    let third = module.declare("third", signature);
    let mut code = FunctionBuilder::new(&[F64]);
    let x = code.param(0);
    let three = code.f64(3.0);
    let result = code.binary(BinaryOp::F64Div, x, three);
    code.return_(&[result]);
    module.define(third, &code.finish());
    module.export_function("third", third, None);

    let signature = module.signature(&[], &[]);
    let spin = module.declare("spin", signature);
    let mut code = FunctionBuilder::new(&[]);
    code.loop_();
    code.br(0);
    code.end();
    code.unreachable();
    module.define(spin, &code.finish());
    module.export_function("spin", spin, None);
    module.build().unwrap().0
}

fn request(module: &Module, function: &str, arguments: &str, time_max: Option<Duration>) -> CallRequest {
    CallRequest {
        module: module.name.clone(),
        function: function.into(),
        arguments: arguments.into(),
        generation: None,
        time_max,
        cancel: Cancel::default(),
    }
}

fn load(loader: &ModuleLoader, folder: &Path, bytes: &[u8]) -> Result<Module, LoadError> {
    let path = folder.join("numbers.bin");
    std::fs::write(&path, bytes).unwrap();
    loader.load(&LoadRequest::new(path), &Cancel::default())
}

#[test]
fn it_serves_at_once_and_goes_on_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let loader = ModuleLoader::new();
    let module = load(&loader, folder.path(), &bytes()).unwrap();
    assert_eq!((module.kind, module.generation), (Kind::Bytecode, 1));
    let mut tiers = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while tiers.last() != Some(&Tier::Compiled) {
        assert!(Instant::now() < deadline, "it was never compiled");
        let reply = loader.call(&request(&module, "quotient", "(-7, 2)", None)).unwrap();
        assert_eq!((reply.results.as_str(), reply.generation), ("-3", 1));
        let third = loader.call(&request(&module, "third", "(1.0)", None)).unwrap();
        assert_eq!(third.results, "0.3333333333333333");
        // A failure of the code is one on either tier, and so is a wrong argument.
        let trap = loader.call(&request(&module, "quotient", "(1, 0)", None)).unwrap_err();
        let CallError::Trap(trap) = trap else { panic!("{trap}") };
        assert!(trap.to_string().contains("quotient"), "{trap}");
        let wrong = loader.call(&request(&module, "quotient", "(1)", None)).unwrap_err();
        assert!(matches!(wrong, CallError::Arguments { .. }), "{wrong}");
        tiers.push(reply.tier);
    }
    assert!(tiers.iter().all(|tier| matches!(tier, Tier::Interpreted | Tier::Compiled)));
    // It does not fall back.
    let reply = loader.call(&request(&module, "quotient", "(9, 3)", None)).unwrap();
    assert_eq!((reply.tier, reply.results.as_str()), (Tier::Compiled, "3"));
}

#[test]
fn a_deadline_ends_it_on_either_tier() {
    let folder = tempfile::tempdir().unwrap();
    let loader = ModuleLoader::new();
    let module = load(&loader, folder.path(), &bytes()).unwrap();
    let limit = Duration::from_millis(20);
    for _ in 0..3 {
        let error = loader.call(&request(&module, "spin", "()", Some(limit))).unwrap_err();
        assert_eq!(error, CallError::DeadlineExceeded(limit));
    }
}

#[test]
fn damaged_bytecode_is_refused_with_all_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let loader = ModuleLoader::new();
    let mut damaged = bytes();
    let last = damaged.len() - 1;
    damaged.truncate(last);
    let error = load(&loader, folder.path(), &damaged).unwrap_err();
    assert_eq!(error.code(), "MODULE_BYTECODE_INVALID");
    assert!(!error.help().is_empty());
}

#[test]
fn imports_that_nobody_gives_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut module = ModuleBuilder::new();
    let signature = module.signature(&[I32], &[]);
    module.import("env", "print", signature, None);
    let bytes = module.build().unwrap().0;
    let error = load(&ModuleLoader::new(), folder.path(), &bytes).unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORTS_MISSING");
    assert!(error.to_string().contains("`env.print`"), "{error}");
}

#[test]
fn inspection_shows_sections_and_symbols() {
    let inspection = inspect(&bytes()).unwrap();
    assert_eq!(inspection.kind, Kind::Bytecode);
    let sections: Vec<&str> = inspection.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(sections, ["types", "exports", "functions", "code", "lines"]);
    let exports: Vec<String> =
        inspection.exports.iter().map(|symbol| format!("{} {}", symbol.name, symbol.what)).collect();
    assert_eq!(
        exports,
        ["quotient func(i32, i32) -> (i32)", "spin func() -> ()", "third func(f64) -> (f64)"]
    );
}
