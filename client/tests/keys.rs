//! Keys and signatures: `vitte key`, the stock `minisign` where it is installed, and modules in the service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
mod support;

use std::path::PathBuf;
use std::process::{Command, Output};

use support::Home;

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

    fn run(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Output {
        self.home.command(program, args).env("VITTE_KEY_PASSWORD", "secret").output().unwrap()
    }

    fn vitte(&self, args: &[&str], status: i32) -> String {
        let output = self.run(env!("CARGO_BIN_EXE_vitte"), args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
        let text = if status == 0 { output.stdout } else { output.stderr };
        String::from_utf8(text).unwrap()
    }
}

#[test]
fn a_key_signs_and_is_trusted_until_it_is_revoked() {
    let user = User::new();
    user.vitte(&["key", "generate", "--no-password"], 0);
    assert!(user.vitte(&["key", "generate", "--no-password"], 65).contains("is there already"));
    let secret = user.path(".config/vitte/keys/default.key");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(user.path("a.wasm"), b"content").unwrap();
    assert!(user.vitte(&["key", "verify", "a.wasm"], 77).contains("is not signed"));
    user.vitte(&["key", "sign", "a.wasm"], 0);
    assert!(user.vitte(&["key", "verify", "a.wasm"], 77).contains("not trusted"));
    user.vitte(&["key", "trust", ".config/vitte/keys/default.pub", "--name", "me"], 0);
    assert_eq!(user.vitte(&["key", "verify", "a.wasm"], 0), "a.wasm is signed by me\n");
    std::fs::write(user.path("a.wasm"), b"content.").unwrap();
    assert!(user.vitte(&["key", "verify", "a.wasm"], 77).contains("not for this content"));
    user.vitte(&["key", "revoke", "me"], 0);
    assert!(user.vitte(&["key", "list"], 0).starts_with("revoked  me  "));
    user.vitte(&["key", "revoke", "me"], 65);
    user.vitte(&["key", "trust", "a.wasm"], 78);
    user.vitte(&["key", "sign", "a.wasm", "--key", "nobody"], 65);
}

#[test]
fn a_password_guards_the_secret_key() {
    let user = User::new();
    user.vitte(&["key", "generate", "guarded"], 0);
    std::fs::write(user.path("a"), b"content").unwrap();
    user.vitte(&["key", "sign", "a", "--key", "guarded"], 0);
    let mut wrong = Command::new(env!("CARGO_BIN_EXE_vitte"));
    wrong.args(["key", "sign", "a", "--key", "guarded"]).env("HOME", user.home.path());
    let output = wrong.env("VITTE_KEY_PASSWORD", "other").output().unwrap();
    assert_eq!(output.status.code(), Some(65), "{output:?}");
}

#[test]
fn the_stock_tool_reads_ours_and_we_read_its() {
    if Command::new("minisign").arg("-v").output().is_err() {
        eprintln!("SKIP: minisign is not installed");
        return;
    }
    let user = User::new();
    user.vitte(&["key", "generate", "--no-password"], 0);
    std::fs::write(user.path("a"), b"content").unwrap();
    user.vitte(&["key", "sign", "a", "--comment", "from vitte"], 0);
    let public = user.path(".config/vitte/keys/default.pub");
    let verified = user.run("minisign", &["-Vm", "a", "-p", public.to_str().unwrap()]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("from vitte"));

    let made = user.run("minisign", &["-GW", "-p", "stock.pub", "-s", "stock.key"]);
    assert!(made.status.success(), "{made:?}");
    std::fs::write(user.path("b"), b"other content").unwrap();
    let signed = user.run("minisign", &["-Sm", "b", "-s", "stock.key"]);
    assert!(signed.status.success(), "{signed:?}");
    user.vitte(&["key", "trust", "stock.pub"], 0);
    assert_eq!(user.vitte(&["key", "verify", "b"], 0), "b is signed by stock\n");
    // Its secret key in our hands.
    user.vitte(&["key", "sign", "a", "--key", "./stock.key"], 0);
    assert_eq!(user.vitte(&["key", "verify", "a"], 0), "a is signed by stock\n");
    // Without hashing, as before 2021.
    let legacy = user.run("minisign", &["-Slm", "b", "-s", "stock.key"]);
    assert!(legacy.status.success(), "{legacy:?}");
    assert!(user.vitte(&["key", "verify", "b"], 65).contains("old kind"));
}

#[test]
fn the_service_loads_what_is_trusted() {
    let user = User::new();
    let wasm = wat::parse_str(r#"(module (func (export "f") (result i32) i32.const 7))"#).unwrap();
    std::fs::write(user.path("m.wasm"), &wasm).unwrap();
    user.vitte(&["key", "generate", "--no-password"], 0);
    user.vitte(&["key", "trust", ".config/vitte/keys/default.pub", "--name", "me"], 0);
    std::fs::write(user.path(".config/vitte/trust/policy.toml"), "unsigned = \"refuse\"\n").unwrap();
    assert!(user.vitte(&["load", "m.wasm"], 77).contains("unsigned modules are refused"));
    user.vitte(&["key", "sign", "m.wasm"], 0);
    user.vitte(&["load", "m.wasm"], 0);
    assert!(user.vitte(&["modules"], 0).contains("signed by me"));
    user.vitte(&["key", "revoke", "me"], 0);
    assert!(user.vitte(&["reload", "m"], 77).contains("which was revoked"));
    assert_eq!(user.vitte(&["call", "m", "f"], 0), "7\n", "what serves goes on");
    user.vitte(&["daemon", "stop"], 0);
}
