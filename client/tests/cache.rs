//! `vitte cache` against the real service, and without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use vitte_store::{ActionKey, ActionResult, IndexUse, Options, Store};

use support::Home;

/// A user with a home of their own, whose service dies with it.
struct User {
    home: Home,
}

impl User {
    fn new() -> Self {
        Self { home: Home::new() }
    }

    fn store(&self) -> PathBuf {
        self.home.path().join(".cache/vitte/store")
    }

    fn vitte(&self, args: &[&str]) -> Output {
        self.home.vitte(args).output().unwrap()
    }

    fn says(&self, args: &[&str], status: i32) -> String {
        let output = self.vitte(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The last line as JSON.
    fn json(&self, args: &[&str], status: i32) -> Value {
        let text = self.says(args, status);
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    /// Puts a blob and the result of an action into the store; where the blob is.
    fn fill(&self) -> PathBuf {
        // So long ago that no grace protects it.
        let options = Options { index: IndexUse::Never, ..Options::default() };
        let store = Store::open(&self.store(), options).unwrap();
        let (digest, _) = store.put(b"an object file");
        let result = ActionResult { outputs: vec![("main.o".into(), digest)], ..ActionResult::default() };
        store.publish(&ActionKey::of(&[b"compile"]), &result);
        let text = digest.to_string();
        self.store().join("cas").join(&text[..2]).join(text.replace('/', "-"))
    }
}

#[test]
fn stats_verify_repair_and_clean_work_together() {
    let user = User::new();
    let blob = user.fill();
    let stats = user.json(&["cache", "stats", "--json"], 0);
    assert_eq!(stats["kinds"]["blobs"]["entries"], 1, "{stats}");
    assert_eq!(stats["kinds"]["actions"]["entries"], 1);
    assert_eq!(stats["budget_bytes"], 10_u64 << 30);
    assert_eq!(stats["access"], "read-write");
    assert_eq!(stats["folder"], user.store().to_str().unwrap());
    assert_eq!(stats["rates"]["actions"]["misses"]["absent"], 0);
    let text = user.says(&["cache", "stats"], 0);
    assert!(text.contains("0 % of 10.0 GiB"), "{text}");

    assert!(user.says(&["cache", "verify"], 0).contains("2 entries"));
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, b"an object fiLe").unwrap();
    let text = user.says(&["cache", "verify"], 1);
    assert!(text.contains("damaged     blob "), "{text}");
    let report = user.json(&["cache", "verify", "--json"], 1);
    assert_eq!((&report["sound"], &report["checked"]), (&Value::Bool(false), &2.into()));
    assert!(blob.exists(), "verify changes nothing");

    let report = user.json(&["cache", "repair", "--json"], 0);
    assert_eq!(report["removed"], 1, "{report}");
    assert!(!blob.exists());
    // Now the result's blob is gone.
    assert_eq!(user.json(&["cache", "verify", "--json"], 0)["incomplete"], 1);
    assert_eq!(user.json(&["cache", "repair", "--json"], 0)["indexed"], 0);

    user.fill();
    let report = user.json(&["cache", "gc", "--size", "1KiB", "--json"], 0);
    assert_eq!((&report["removed"], &report["in_use"]), (&0.into(), &2.into()), "{report}");
    assert!(user.says(&["cache", "clean"], 0).starts_with("removed 2 of 2 entries"));
    assert_eq!(user.json(&["cache", "stats", "--json"], 0)["bytes"], 0);
}

#[test]
fn the_same_without_a_service_and_beside_one() {
    let user = User::new();
    user.fill();
    let alone = user.json(&["cache", "stats", "--no-daemon", "--json"], 0);
    assert_eq!((&alone["bytes"], &alone["index"]), (&8192.into(), &"elsewhere".into()), "{alone}");
    user.says(&["daemon", "start"], 0);
    let beside = user.json(&["cache", "stats", "--no-daemon", "--json"], 0);
    assert_eq!(beside["bytes"], alone["bytes"]);
    assert!(user.says(&["cache", "clean", "--no-daemon"], 0).starts_with("removed 2 of 2"));
    assert_eq!(user.json(&["cache", "stats", "--json"], 0)["bytes"], 0, "the service sees it");
}

#[test]
fn mistakes_are_usage_errors() {
    let user = User::new();
    for args in [
        &["cache"][..],
        &["cache", "shrink"],
        &["cache", "gc", "--size", "big"],
        &["cache", "gc", "--max-age", "-3d"],
    ] {
        assert_eq!(user.vitte(args).status.code(), Some(64), "{args:?}");
    }
    assert!(user.says(&["cache", "gc", "--help"], 0).contains("vitte cache gc --max-age 30d"));
}

#[test]
fn a_budget_in_the_settings_is_the_stores() {
    let user = User::new();
    let settings = user.home.path().join(".config/vitte");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("config.toml"), "[cache]\nsize = \"512 MiB\"\nmax-age = \"30 d\"\n")
        .unwrap();
    let stats = user.json(&["cache", "stats", "--json"], 0);
    assert_eq!(stats["budget_bytes"], 512 << 20);
    assert_eq!(stats["max_age_seconds"], 30 * 86_400);
}

#[test]
fn a_store_that_cannot_be_used_stops_nothing() {
    let user = User::new();
    std::fs::create_dir_all(user.store().parent().unwrap()).unwrap();
    std::fs::write(user.store(), b"in the way").unwrap();
    assert_eq!(user.json(&["cache", "stats", "--json"], 0)["access"], "none");
    assert_eq!(user.vitte(&["cache", "clean"]).status.code(), Some(77));
    std::fs::write(user.home.path().join("hello.vit"), "proc main() -> int { give 0 }\n").unwrap();
    user.says(&["run", "hello.vit"], 0);
}
