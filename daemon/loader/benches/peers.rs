//! Reloads beside what others do: Erlang's, and a loop over `dlopen`.
//!
//! `cargo bench -p vitte-loader --bench peers` prints medians of interleaved runs and ratios; `-- --smoke` runs each
//! once and small. A peer that is missing prints SKIP. Bad would be: a reload from kept code, from the file's rename to
//! the first answer, over that of Erlang.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use vitte_loader::{
    Breaking, CacheOptions, CallRequest, Cancel, LoadRequest, LoaderConfig, ModuleLoader, ModuleName,
};

const FUNCTIONS: u32 = 200;

/// Loads two modules of 200 functions in turn, purges the old one and calls the new: microseconds for each round.
const ERLANG: &str = r#"
Source = fun(N) ->
  Functions = [io_lib:format("f~p(X) -> (X * ~p + ~p) band 65535.~n", [I, I, N]) || I <- lists:seq(1, FUNCTIONS)],
  Text = lists:flatten(["-module(m).\n-compile(export_all).\nanswer() -> ", integer_to_list(N), ".\n", Functions]),
  {ok, Tokens, _} = erl_scan:string(Text),
  Split = fun Split([], [], Done) -> lists:reverse(Done);
              Split([{dot, _} = Dot | Rest], Form, Done) -> Split(Rest, [], [lists:reverse([Dot | Form]) | Done]);
              Split([Token | Rest], Form, Done) -> Split(Rest, [Token | Form], Done) end,
  Forms = [begin {ok, Form} = erl_parse:parse_form(Each), Form end || Each <- Split(Tokens, [], [])],
  {ok, m, Code} = compile:forms(Forms, [nowarn_export_all]),
  Code end,
Codes = {Source(1), Source(2)},
Round = fun(N) ->
  Which = N rem 2 + 1,
  Began = erlang:monotonic_time(nanosecond),
  {ok, Code} = file:read_file(element(Which, {"a.beam", "b.beam"})),
  code:purge(m),
  {module, m} = code:load_binary(m, "m.beam", Code),
  code:purge(m),
  Which = m:answer(),
  (erlang:monotonic_time(nanosecond) - Began) / 1000 end,
ok = file:write_file("a.beam", element(1, Codes)),
ok = file:write_file("b.beam", element(2, Codes)),
[Round(N) || N <- lists:seq(1, 50)],
Times = lists:sort([Round(N) || N <- lists:seq(1, ROUNDS)]),
io:format("~.1f~n", [lists:nth(ROUNDS div 2, Times)]),
halt(0).
"#;

fn module(number: u32) -> Vec<u8> {
    let mut text = format!(r#"(module (memory 1) (func (export "answer") (result i32) i32.const {number})"#);
    for index in 1..=FUNCTIONS {
        text.push_str(&format!(
            r#"(func (export "f{index}") (param i32) (result i32)
                (i32.and (i32.add (i32.mul (local.get 0) (i32.const {index})) (i32.const {number})) (i32.const 65535)))"#
        ));
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn answer(loader: &ModuleLoader, name: &ModuleName) -> String {
    let request = CallRequest {
        module: name.clone(),
        function: "answer".into(),
        arguments: "()".into(),
        generation: None,
        time_max: None,
        cancel: Cancel::default(),
    };
    loader.call(&request).unwrap().results
}

/// Microseconds from the rename of the file to the first answer, of a module whose code was compiled before.
fn reloads(loader: &ModuleLoader, name: &ModuleName, place: &Path, rounds: usize) -> f64 {
    let modules = [module(1), module(2)];
    let once = |round: usize| {
        let next = place.with_extension("new");
        std::fs::write(&next, &modules[round % 2]).unwrap();
        let began = Instant::now();
        std::fs::rename(&next, place).unwrap();
        let request = LoadRequest { breaking: Breaking::Refuse, ..LoadRequest::new(place) };
        loader.reload(&[request], &Cancel::default()).unwrap();
        let answered = answer(loader, name);
        let elapsed = began.elapsed().as_secs_f64() * 1e6;
        assert_eq!(answered, (round % 2 + 1).to_string());
        elapsed
    };
    // Both are compiled after this; it ends with the second, so that each round below changes something.
    let _ = (0..4).map(once).collect::<Vec<f64>>();
    median((0..rounds).map(once).collect())
}

fn erlang(folder: &Path, rounds: usize) -> Option<f64> {
    let text = ERLANG.replace("FUNCTIONS", &FUNCTIONS.to_string()).replace("ROUNDS", &rounds.to_string());
    let output = Command::new("erl").current_dir(folder).args(["-noshell", "-eval", &text]).output().ok()?;
    if !output.status.success() {
        println!("SKIP: Erlang cannot compile: {}", String::from_utf8_lossy(&output.stdout).trim_end());
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The loop of `dlopen.c`: what it prints.
fn dlopen(folder: &Path, callers: usize, reloads: usize) -> Option<Vec<f64>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/dlopen.c");
    let program = folder.join("dlopen");
    let compile =
        |arguments: &[&std::ffi::OsStr]| Command::new("cc").arg("-O2").args(arguments).status().ok();
    compile(&[source.as_ref(), "-o".as_ref(), program.as_ref(), "-pthread".as_ref(), "-ldl".as_ref()])
        .filter(|status| status.success())?;
    let mut libraries = Vec::new();
    for number in [1, 2] {
        let (text, library) = (folder.join(format!("{number}.c")), folder.join(format!("{number}.so")));
        std::fs::write(&text, format!("int answer(void) {{ return {number}; }}\n")).unwrap();
        compile(&[text.as_ref(), "-o".as_ref(), library.as_ref(), "-shared".as_ref(), "-fPIC".as_ref()])
            .filter(|status| status.success())?;
        libraries.push(library);
    }
    let output = Command::new(program)
        .args([callers.to_string(), reloads.to_string()])
        .args(&libraries)
        .arg(folder.join("place.so"))
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    (numbers.len() == 5).then_some(numbers)
}

fn main() {
    let is_smoke = std::env::args().any(|argument| argument == "--smoke");
    let (batches, rounds) = if is_smoke { (1, 20) } else { (7, 300) };
    let folder = tempfile::tempdir().unwrap();
    let loader = ModuleLoader::with_config(LoaderConfig {
        cache: Some(CacheOptions {
            folder: folder.path().join("cache"),
            key: folder.path().join("key"),
            budget_bytes: 1 << 30,
        }),
        probation: std::time::Duration::ZERO,
        generations_max: 64,
        ..LoaderConfig::default()
    });
    let place = folder.path().join("m.wasm");
    std::fs::write(&place, module(2)).unwrap();
    let name = loader.load_file(&place).unwrap().name;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..batches {
        ours.push(reloads(&loader, &name, &place, rounds));
        match erlang(folder.path(), rounds) {
            Some(time) => theirs.push(time),
            None => {
                println!("SKIP: no Erlang (`apt-get install erlang-base`)");
                break;
            }
        }
    }
    let ours = median(ours);
    println!("reload of {FUNCTIONS} functions from kept code, rename to answer: {ours:.1} µs");
    if !theirs.is_empty() {
        let theirs = median(theirs);
        println!("Erlang, code:load_binary, purge and a call:                {theirs:.1} µs");
        println!("beside Erlang: {:.2} (bar: 1.00)", ours / theirs);
    }
    match dlopen(folder.path(), 32, if is_smoke { 20 } else { 1000 }) {
        Some(numbers) => println!(
            "dlopen of one function, 32 callers: reload {:.1} µs, calls median {:.1} µs, p99 {:.1} µs; of {} calls {} \
             gave the answer of a library that had been replaced",
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
        ),
        None => println!("SKIP: no C compiler"),
    }
}
