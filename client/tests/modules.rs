//! Modules against the real service: `vitte load|reload|unload|modules|call`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use support::Home;

/// A user with a home of their own, whose service dies with it.
struct User {
    home: Home,
}

impl User {
    fn new() -> Self {
        Self { home: Home::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), wat::parse_str(text).unwrap()).unwrap();
    }

    /// A file as it is, and the folders that it is in.
    fn put(&self, file: &str, bytes: &[u8]) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        self.home.vitte(args)
    }

    fn vitte(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn says(&self, args: &[&str]) -> String {
        let output = self.vitte(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(self.says(args).lines().last().unwrap()).unwrap()
    }

    /// The status and what it says on standard error.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.vitte(args);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

fn answers(number: i32) -> String {
    format!(
        r#"(module
            (func (export "answer") (result i32) i32.const {number})
            (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
            (func (export "trap") unreachable)
            (func (export "forever") (loop br 0)))"#
    )
}

#[test]
fn a_module_lives_in_the_service() {
    let user = User::new();
    assert_eq!(user.says(&["modules"]), "no modules are loaded\n");
    user.write("maths.wasm", &answers(1));
    assert_eq!(user.says(&["load", "maths.wasm"]), "loaded maths generation 1, 4 functions\n");
    assert_eq!(user.says(&["call", "maths", "add(20, 22)"]), "42\n");
    assert_eq!(user.says(&["call", "maths", "answer"]), "1\n");
    user.write("maths.wasm", &answers(2));
    assert_eq!(user.says(&["reload", "maths"]), "reloaded maths generation 2, 4 functions\n");
    let reply = user.json(&["call", "maths", "answer()", "--json"]);
    assert_eq!(
        (&reply["results"], &reply["generation"], &reply["tier"], &reply["module"]),
        (&"2".into(), &2.into(), &"compiled".into(), &"maths".into()),
    );
    let shown = user.json(&["modules", "--json"]);
    assert_eq!((&shown["module"], &shown["generation"]), (&"maths".into(), &2.into()), "{shown}");
    let states: Vec<&Value> =
        shown["generations"].as_array().unwrap().iter().map(|generation| &generation["state"]).collect();
    assert!(states[0] == "standby" || states[0] == "draining", "{states:?}");
    assert_eq!(states[1..], ["active"]);
    let text = user.says(&["modules", "maths"]);
    assert!(text.contains("  add: func(i32, i32) -> i32\n"), "{text}");
    assert_eq!(user.says(&["unload", "maths"]), "unloaded maths generation 2\n");
    assert_eq!(user.says(&["modules"]), "no modules are loaded\n");
}

#[test]
fn a_folder_is_built_before_it_is_loaded() {
    let user = User::new();
    let manifest = r#"{"schema": "vitte.package.manifest.v1", "name": "maths", "version": "1.2.0",
        "kind": "library", "entry": "src/maths.vit", "dependencies": {}, "tests": [],
        "capabilities": ["clocks", "random?"]}"#;
    let source = |by: u32| format!("export add\nproc add(a: int, b: int) -> int {{ give a + b * {by} }}\n");
    user.put("maths/vitte-package.json", manifest.as_bytes());
    user.put("maths/src/maths.vit", source(1).as_bytes());
    // What it may reach is known before anything of it is loaded, and who denies it the rest.
    let (status, said) = user.fails(&["load", "maths"]);
    assert!(status == 65 && said.contains("`clocks` (not granted by the user)"), "{status} {said}");
    let package = "maths/target/dev/maths.vitmod";
    let shown = user.says(&["inspect", package]);
    assert!(shown.contains("name      local:maths 1.2.0\n"), "{shown}");
    assert!(shown.contains("main.vitbc\n") && shown.contains("main.wasm\n"), "{shown}");
    assert!(shown.contains("denied    clocks: not granted by the user\n"), "{shown}");
    assert!(shown.contains("denied    random: not granted by the user; it does without\n"), "{shown}");
    let granted = user.json(&["inspect", package, "--grant", "clocks", "--json"]);
    assert_eq!(granted["granted"], serde_json::json!(["clocks"]), "{granted}");
    assert_eq!(granted["denied"][0]["optional"], true, "{granted}");

    let load = ["load", "maths", "--grant", "clocks"];
    assert_eq!(user.says(&load), "loaded local:maths generation 1, 1 function\n");
    assert_eq!(user.says(&["call", "local:maths", "add(40, 2)"]), "42\n");
    user.says(&["unload", "local:maths"]);
    // It is built anew, and what cannot be built is not loaded.
    user.put("maths/src/maths.vit", source(10).as_bytes());
    user.says(&load);
    assert_eq!(user.says(&["call", "local:maths", "add(40, 2)"]), "60\n");
    user.says(&["unload", "local:maths"]);
    user.put("maths/src/maths.vit", b"export add\nproc add(a: int) -> int { give a + }\n");
    let (status, said) = user.fails(&load);
    assert!(status == 1 && said.contains("maths.vit"), "{status} {said}");
    assert_eq!(user.says(&["modules"]), "no modules are loaded\n");
}

#[test]
fn a_package_brings_native_code_where_it_is_allowed() {
    let user = User::new();
    user.put("native/fast.c", b"int triple(int n) { return 3 * n; }\n");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", "native/libfast.so", "native/fast.c"])
        .current_dir(user.path("."))
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("SKIP: there is no C compiler");
        return;
    }
    let table = b"vitffi = 1\n[functions.triple]\nparams = ['n: int']\nresult = 'int'\n";
    user.put("fast/native/fast.vitffi", table);
    let library = std::fs::read(user.path("native/libfast.so")).unwrap();
    user.put("fast/native/here.so", &library);
    user.put("fast/native/there.so", b"for another machine");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let manifest = format!(
        r#"{{"schema": "vitte.package.manifest.v1", "name": "fast", "version": "1.0.0", "kind": "library",
            "entry": "src/fast.vit", "dependencies": {{}}, "tests": [], "native": {{
            "{target}": {{"library": "native/here.so", "table": "native/fast.vitffi"}},
            "s390x-unknown-linux-gnu": {{"library": "native/there.so"}}}}}}"#
    );
    user.put("fast/vitte-package.json", manifest.as_bytes());
    user.put("fast/src/fast.vit", b"export triple\nproc triple(n: i32) -> i32 { give n + n + n }\n");
    let tier = || {
        user.says(&["load", "fast"]);
        let reply = user.json(&["call", "local:fast", "triple(14)", "--json"]);
        user.says(&["unload", "local:fast"]);
        assert_eq!(reply["results"], "42", "{reply}");
        reply["tier"].as_str().unwrap().to_owned()
    };
    assert_ne!(tier(), "native", "nobody signed it");
    let shown = user.says(&["inspect", "fast/target/dev/fast.vitmod"]);
    assert!(shown.contains("s390x-unknown-linux-gnu") && shown.contains("library.vitffi"), "{shown}");
    std::fs::create_dir_all(user.path(".config/vitte/trust")).unwrap();
    std::fs::write(user.path(".config/vitte/trust/policy.toml"), "unsigned-native = \"allow\"\n").unwrap();
    assert_eq!(tier(), "native");
    // Another library is another package, though no source has changed.
    user.put("native/fast.c", b"int triple(int n) { return n > 0 ? 42 : 0; }\n");
    let again = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", "fast/native/here.so", "native/fast.c"])
        .current_dir(user.path("."))
        .status();
    assert!(again.unwrap().success());
    user.says(&["load", "fast"]);
    assert_eq!(user.says(&["call", "local:fast", "triple(1)"]), "42\n");
}

#[test]
fn a_package_that_is_not_trusted_says_so_when_it_is_inspected() {
    let user = User::new();
    user.put("broken.vitmod", b"PK\x03\x04 and nothing else");
    let (status, said) = user.fails(&["inspect", "broken.vitmod"]);
    assert!(status == 65 && said.contains("malformed"), "{status} {said}");
    user.write("maths.wasm", &answers(1));
    let shown = user.json(&["inspect", "maths.wasm", "--json"]);
    assert_eq!((&shown["obstacle"], &shown["signer"]), (&"".into(), &"".into()), "{shown}");
}

#[test]
fn mistakes_have_their_own_exit_status() {
    let user = User::new();
    user.write("maths.wasm", &answers(1));
    user.says(&["load", "maths.wasm", "--name", "acme:maths"]);
    let cases: [(&[&str], i32, &str); 11] = [
        (&["load", "maths.wasm", "--name", "acme:maths"], 65, "loaded already"),
        (&["load", "nowhere.wasm"], 65, "nowhere.wasm"),
        (&["load", "maths.wasm", "--name", "a b"], 65, "no module name"),
        (&["call", "acme:maths", "nothing()"], 65, "it exports add, answer, forever, trap"),
        (&["call", "acme:maths", "add(1, \"x\")"], 65, "at character 5"),
        (&["call", "acme:maths", "trap()"], 1, "unreachable"),
        (&["call", "acme:maths", "forever()", "--timeout", "50ms"], 75, "within 50 ms"),
        (&["call", "acme:maths", "answer()", "--generation", "9"], 65, "no generation 9"),
        (&["call", "maths", "answer()"], 65, "no module `maths`"),
        (&["reload", "maths"], 65, "no module `maths`"),
        (&["reload", "a", "b", "--file", "c"], 64, "one module"),
    ];
    for (args, status, words) in cases {
        let (exit, text) = user.fails(args);
        assert_eq!(exit, status, "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
    std::fs::write(user.path("text.wasm"), "(module)").unwrap();
    assert!(user.fails(&["load", "text.wasm"]).1.contains("no known kind"));
    assert_eq!(user.says(&["call", "acme:maths", "answer"]), "1\n");
}

#[test]
fn a_module_follows_its_file() {
    let user = User::new();
    user.write("maths.wasm", &answers(1));
    user.says(&["load", "maths.wasm", "--watch"]);
    assert_eq!(user.json(&["modules", "maths", "--json"])["follows"], true);
    let mut watch = user.command(&["modules", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut wait_for = |words: &str| lines.find(|line| line.contains(words)).unwrap();
    wait_for("active");
    // Beside it and renamed, as compilers write; then in place, as editors do.
    user.write("new.wasm", &answers(2));
    std::fs::rename(user.path("new.wasm"), user.path("maths.wasm")).unwrap();
    wait_for("maths  2  active");
    assert_eq!(user.says(&["call", "maths", "answer"]), "2\n");
    std::fs::write(user.path("maths.wasm"), "broken").unwrap();
    assert!(wait_for("failed").contains("no known kind"));
    assert_eq!(user.says(&["call", "maths", "answer"]), "2\n");
    user.write("maths.wasm", &answers(3));
    wait_for("maths  3  active");
    assert_eq!(user.says(&["call", "maths", "answer"]), "3\n");
    watch.kill().unwrap();
    watch.wait().unwrap();
    user.says(&["unload", "maths"]);
}

#[test]
fn a_second_service_finds_the_compiled_code() {
    let user = User::new();
    user.write("maths.wasm", &answers(1));
    let verified = || {
        user.says(&["load", "maths.wasm"]);
        let mut watch = user.command(&["modules", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.contains("verified")).unwrap();
        watch.kill().unwrap();
        watch.wait().unwrap();
        user.says(&["daemon", "stop"]);
        line
    };
    assert!(verified().ends_with("  compiled"));
    assert!(verified().ends_with("  kept code"));
    let key = user.path(".local/state/vitte").read_dir().unwrap().flatten().any(|entry| {
        entry.path().join("module-code.key").is_file() || entry.file_name() == "module-code.key"
    });
    assert!(key, "the key is with the state");
}
