//! Every format, made twice: in other folders, by other processes at other times, with another mask, locale, time zone and
//! number of processors. Not one byte may differ.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use vitte_buildkit::BuildKit;

/// Where a process of its own finds what to make; without it, this is the test.
const FOLDER: &str = "VITTE_TEST_REPRODUCIBLE_FOLDER";

const MANIFEST: &str = r#"{
  "schema": "vitte.package.manifest.v1", "name": "greeter", "version": "1.2.3-rc.1", "kind": "binary", "entry": "src/main.vit",
  "dependencies": {}, "tests": [], "license": "MIT", "description": "Greets whoever runs it",
  "package": {
    "summary": "greets whoever runs it", "maintainer": "Ada Example <ada@example.org>",
    "config": ["greeter.conf"], "man": ["greeter.1"],
    "files": [
      {"source": "large.bin", "target": "/usr/share/greeter/large.bin"},
      {"source": "tool", "target": "/usr/share/greeter/tool"},
      {"target": "/usr/share/greeter/link", "link": "large.bin"}
    ]
  }
}"#;

/// Every target with every format that is made for it.
const MADE: [(&str, &[&str]); 9] = [
    ("x86_64-linux", &["deb", "rpm", "tar.gz", "tar.zst", "tar.xz", "zip"]),
    ("aarch64-linux", &["deb", "rpm", "tar.xz"]),
    ("riscv64-linux", &["deb", "tar.zst"]),
    ("x86_64-macos", &["pkg"]),
    ("aarch64-macos", &["pkg", "tar.gz"]),
    ("x86_64-windows", &["msi", "zip"]),
    ("wasm32", &["tar.gz"]),
    ("wasm64", &["tar.xz"]),
    ("vitbc", &["zip"]),
];

/// What a process makes, and says the digests of.
fn make(folder: &Path) {
    for (target, formats) in MADE {
        let kit = BuildKit::new().in_folder(folder).target(target).formats(formats.iter().copied());
        let kit = kit
            .source_date(Some("1700000000".into()))
            .sign_with(std::env::var_os("VITTE_TEST_REPRODUCIBLE_KEY").unwrap(), None);
        let made = kit.package("").unwrap().build_and_export(folder.join("dist")).unwrap();
        for file in made.files {
            println!("MADE {} {}", file.sha256, file.path.file_name().unwrap().to_str().unwrap());
        }
    }
}

/// By a process with these settings, in a folder of its own below `root`.
fn digests(
    root: &Path,
    name: &str,
    mask: &str,
    settings: &[(&str, &str)],
    processors: &str,
) -> BTreeMap<String, String> {
    let folder = root.join(name);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let large: Vec<u8> =
        (0..250_000_u32).flat_map(|number| (number.wrapping_mul(40_503) >> 7).to_le_bytes()).collect();
    let files: [(&str, &[u8]); 6] = [
        ("vitte-package.json", MANIFEST.as_bytes()),
        ("src/main.vit", b"proc main() -> int {\n    println(\"good day\")\n    give 0\n}\n"),
        ("greeter.conf", b"greeting = good day\n"),
        ("greeter.1", b".TH GREETER 1\n.SH NAME\ngreeter \\- greets\n"),
        ("large.bin", &large),
        ("tool", b"#!/bin/sh\nexit 0\n"),
    ];
    for (path, bytes) in files {
        std::fs::write(folder.join(path), bytes).unwrap();
        // Who else may read it depends on the mask of whoever made it; whether it runs does not.
        let mode = if path == "tool" { 0o700 } else { 0o600 };
        let shared = if name == "one" { 0o055 & (mode >> 3 | mode >> 6) } else { 0 };
        std::fs::set_permissions(folder.join(path), std::fs::Permissions::from_mode(mode | shared)).unwrap();
    }
    let this = std::env::current_exe().unwrap();
    // The shell sets the mask; `taskset` takes processors away, where it is there.
    let bound =
        if which::which("taskset").is_ok() { format!("taskset -c {processors} ") } else { String::new() };
    let script =
        format!("umask {mask} && exec {bound}\"$0\" --exact everything_is_the_same_twice --nocapture");
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(this)
        .env(FOLDER, &folder)
        .env("VITTE_TEST_REPRODUCIBLE_KEY", root.join("key"))
        .env_remove("SOURCE_DATE_EPOCH")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines = text.lines().filter_map(|line| line.split("MADE ").nth(1)?.split_once(' '));
    lines.map(|(digest, name)| (name.to_owned(), digest.to_owned())).collect()
}

#[test]
fn everything_is_the_same_twice() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return make(Path::new(&folder));
    }
    let root = tempfile::tempdir().unwrap();
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    std::fs::write(root.path().join("key"), pair.sk.to_box(None).unwrap().into_string()).unwrap();
    let first = digests(
        root.path(),
        "one",
        "022",
        &[("LC_ALL", "C"), ("TZ", "UTC"), ("RAYON_NUM_THREADS", "1"), ("HOME", "/nonexistent")],
        "0",
    );
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let second = digests(
        root.path(),
        "another/with a longer path",
        "077",
        &[
            ("LC_ALL", "tr_TR.UTF-8"),
            ("TZ", "Pacific/Auckland"),
            ("RAYON_NUM_THREADS", "4"),
            ("USER", "somebody"),
        ],
        "0-1",
    );
    for end in [
        ".deb",
        ".rpm",
        ".msi",
        ".pkg",
        ".tar.gz",
        ".tar.zst",
        ".tar.xz",
        ".zip",
        ".minisig",
        ".spdx.json",
        ".cdx.json",
    ] {
        assert!(first.keys().any(|name| name.ends_with(end)), "{end}: {first:#?}");
    }
    let changed: Vec<&String> = first.keys().filter(|name| first.get(*name) != second.get(*name)).collect();
    assert!(changed.is_empty(), "{changed:#?}");
    assert_eq!(first.len(), second.len());
}
