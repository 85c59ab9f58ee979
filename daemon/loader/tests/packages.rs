//! Packages through the public door: signatures, digests, sequence numbers, and damage of every kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::io::Cursor;
use std::path::PathBuf;

use minisign::KeyPair;
use tempfile::TempDir;
use vitte_loader::container::{ArtifactKind, ContainerError, Dependency, Manifest, PackageKind, pack};
use vitte_loader::{Breaking, Cancel, LinkOptions, LoadError, LoadRequest, LoaderConfig, ModuleLoader};

struct Bench {
    loader: ModuleLoader,
    keys: KeyPair,
    folder: TempDir,
}

impl Bench {
    /// A loader that takes what one key has signed, and nothing else.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let keys = KeyPair::generate_unencrypted_keypair().unwrap();
        let trust = folder.path().join("trust");
        std::fs::create_dir(&trust).unwrap();
        std::fs::write(trust.join("acme.pub"), keys.pk.to_box().unwrap().into_string()).unwrap();
        std::fs::write(trust.join("policy.toml"), "unsigned = \"refuse\"\n").unwrap();
        let config = LoaderConfig {
            trust: Some(trust),
            sequences: Some(folder.path().join("sequences.json")),
            ..LoaderConfig::default()
        };
        Self { loader: ModuleLoader::with_config(config), keys, folder }
    }

    fn sign(&self, content: &[u8], comment: &str) -> String {
        let signed =
            minisign::sign(Some(&self.keys.pk), &self.keys.sk, Cursor::new(content), Some(comment), None);
        signed.unwrap().into_string()
    }

    fn packed(&self, seq: u64) -> Vec<u8> {
        pack::<ContainerError>(manifest(seq), artifacts(seq), |bytes, comment| {
            Ok(Some(self.sign(bytes, comment)))
        })
        .unwrap()
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("p.vitmod");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(&self, bytes: &[u8]) -> Result<vitte_loader::Module, LoadError> {
        self.loader.load_file(self.write(bytes))
    }
}

fn manifest(seq: u64) -> Manifest {
    Manifest {
        format: 1,
        id: "acme:answer".into(),
        version: format!("1.{seq}.0"),
        kind: PackageKind::Module,
        seq,
        artifacts: Vec::new(),
        deps: Vec::new(),
        license: Some("MIT".into()),
        description: None,
        exports: Vec::new(),
        activation: Vec::new(),
        config: None,
        capabilities: Vec::new(),
    }
}

/// Packages in a folder, and a loader that has not heard of them.
struct Shelf {
    loader: ModuleLoader,
    folder: TempDir,
}

impl Shelf {
    fn new() -> Self {
        Self { loader: ModuleLoader::new(), folder: TempDir::new().unwrap() }
    }

    /// Puts a package there; `deps` as `id req`, with `optional` and `lazy` behind.
    fn put(&self, id: &str, version: &str, deps: &[&str], text: &str) -> PathBuf {
        self.put_with(id, version, deps, &[], &[], text)
    }

    fn put_with(
        &self,
        id: &str,
        version: &str,
        deps: &[&str],
        capabilities: &[&str],
        activation: &[&str],
        text: &str,
    ) -> PathBuf {
        let deps = deps.iter().map(|dep| {
            let parts: Vec<&str> = dep.split(' ').collect();
            Dependency {
                id: parts[0].into(),
                req: parts[1].into(),
                optional: parts.contains(&"optional"),
                lazy: parts.contains(&"lazy"),
            }
        });
        let manifest = Manifest {
            id: id.into(),
            version: version.into(),
            deps: deps.collect(),
            capabilities: capabilities.iter().map(|text| (*text).into()).collect(),
            activation: activation.iter().map(|text| (*text).into()).collect(),
            ..manifest(1)
        };
        let artifact = ("main.wasm".into(), ArtifactKind::Wasm, "any".into(), wat::parse_str(text).unwrap());
        let bytes = pack::<ContainerError>(manifest, vec![artifact], |_, _| Ok(None)).unwrap();
        let path = self.folder.path().join(format!("{}-{version}.vitmod", id.replace(':', "-")));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(&self, path: &std::path::Path, locked: bool) -> Result<vitte_loader::Module, LoadError> {
        let options = LinkOptions { locked, ..LinkOptions::default() };
        self.loader.load_linked(&LoadRequest::new(path), &options, &Cancel::default())
    }

    fn says(&self, module: &str, function: &str) -> Result<String, vitte_loader::CallError> {
        let request = vitte_loader::CallRequest {
            module: module.parse().unwrap(),
            function: function.into(),
            arguments: "()".to_owned(),
            generation: None,
            time_max: None,
            cancel: Cancel::default(),
        };
        self.loader.call(&request).map(|reply| reply.results)
    }

    fn loaded(&self) -> Vec<String> {
        let modules = self.loader.modules().into_iter();
        modules.map(|info| format!("{} {}", info.module.name, info.module.version)).collect()
    }
}

fn constant(number: u32) -> String {
    format!(r#"(module (func (export "f") (result i32) i32.const {number}))"#)
}

/// `g` is `f` of another module.
fn passes_on(from: &str) -> String {
    format!(
        r#"(module (import "{from}" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))"#
    )
}

#[test]
fn dependencies_are_found_chosen_and_locked() {
    let shelf = Shelf::new();
    shelf.put("acme:base", "1.0.0", &[], &constant(10));
    shelf.put("acme:base", "2.0.0", &[], &constant(20));
    let app = shelf.put("acme:app", "1.0.0", &["acme:base ^1.0.0"], &passes_on("acme:base"));
    let error = shelf.load(&app, true).unwrap_err();
    assert_eq!(error.code(), "MODULE_LOCK_INVALID", "{error}");
    let loaded = shelf.load(&app, false).unwrap();
    assert_eq!(loaded.name.as_str(), "acme:app");
    assert_eq!(shelf.loaded(), ["acme:app 1.0.0", "acme:base 1.0.0"]);
    assert_eq!(shelf.says("acme:app", "g").unwrap(), "10");
    let lock = shelf.folder.path().join("acme-app-1.0.0.vitmod.lock");
    let first = std::fs::read_to_string(&lock).unwrap();
    assert!(first.contains(r#""id":"acme:base""#) && first.contains(r#""version":"1.0.0""#), "{first}");
    // A newer one appears: what was locked stays.
    shelf.put("acme:base", "1.1.0", &[], &constant(11));
    let shelf = Shelf { loader: ModuleLoader::new(), folder: shelf.folder };
    shelf.load(&app, true).unwrap();
    assert_eq!(shelf.says("acme:app", "g").unwrap(), "10");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), first);
    // Without the lock the newest that fits is chosen.
    std::fs::remove_file(&lock).unwrap();
    let shelf = Shelf { loader: ModuleLoader::new(), folder: shelf.folder };
    shelf.load(&app, false).unwrap();
    assert_eq!(shelf.says("acme:app", "g").unwrap(), "11");
    // The same version with other bytes is not what was locked.
    shelf.put("acme:base", "1.1.0", &[], &constant(12));
    let shelf = Shelf { loader: ModuleLoader::new(), folder: shelf.folder };
    assert_eq!(shelf.load(&app, false).unwrap_err().code(), "MODULE_LOCK_DIGEST");
    // A lock that would have to change says what would.
    std::fs::remove_file(shelf.folder.path().join("acme-base-1.1.0.vitmod")).unwrap();
    let error = shelf.load(&app, true).unwrap_err();
    assert!(error.to_string().contains("`acme:base` 1.1.0 would be 1.0.0"), "{error}");
    assert_eq!(shelf.loaded(), Vec::<String>::new());
}

#[test]
fn a_conflict_of_versions_is_explained() {
    let shelf = Shelf::new();
    shelf.put("acme:base", "1.0.0", &[], &constant(1));
    shelf.put("acme:base", "2.0.0", &[], &constant(2));
    shelf.put("acme:left", "1.0.0", &["acme:base 1.0.0"], &constant(1));
    shelf.put("acme:right", "1.0.0", &["acme:base 2.0.0"], &constant(1));
    let app = shelf.put("acme:app", "1.0.0", &["acme:left *", "acme:right *"], &constant(1));
    let error = shelf.load(&app, false).unwrap_err();
    assert_eq!(error.code(), "MODULE_DEPENDENCIES");
    let text = error.to_string();
    for part in ["`acme:left`", "`acme:right`", "of `acme:base` there is 1.0.0; 2.0.0"] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    assert_eq!(shelf.loaded(), Vec::<String>::new());
    // What serves already is the only one of its name.
    shelf.load(&shelf.folder.path().join("acme-base-2.0.0.vitmod"), false).unwrap();
    let left = shelf.folder.path().join("acme-left-1.0.0.vitmod");
    let text = shelf.load(&left, false).unwrap_err().to_string();
    assert!(text.contains("of `acme:base` there is 2.0.0, which is loaded"), "{text}");
    assert_eq!(shelf.loaded(), ["acme:base 2.0.0"]);
}

#[test]
fn a_lazy_dependency_is_loaded_by_the_first_call_and_an_optional_one_may_be_missing() {
    let shelf = Shelf::new();
    shelf.put("acme:base", "1.0.0", &[], &constant(7));
    shelf.put_with("acme:event", "1.0.0", &[], &[], &["on-call"], &constant(8));
    let text = r#"(module
        (import "acme:base" "f" (func $base (result i32)))
        (import "acme:event" "f" (func $event (result i32)))
        (import "acme:none" "f" (func $none (result i32)))
        (func (export "base") (result i32) (call $base))
        (func (export "event") (result i32) (call $event))
        (func (export "none") (result i32) (call $none)))"#;
    let deps = ["acme:base ^1.0.0 lazy", "acme:event *", "acme:none * optional"];
    let app = shelf.put("acme:app", "1.0.0", &deps, text);
    shelf.load(&app, false).unwrap();
    assert_eq!(shelf.loaded(), ["acme:app 1.0.0"]);
    assert_eq!(shelf.says("acme:app", "base").unwrap(), "7");
    assert_eq!(shelf.loaded(), ["acme:app 1.0.0", "acme:base 1.0.0"]);
    assert_eq!(shelf.says("acme:app", "event").unwrap(), "8");
    let error = shelf.says("acme:app", "none").unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORT_NOT_LOADED", "{error}");
    // One whose file changed since it was chosen is not loaded.
    shelf.loader.unload_anyway(&"acme:base".parse().unwrap()).unwrap();
    shelf.put("acme:base", "1.0.0", &[], &constant(9));
    let error = shelf.says("acme:app", "base").unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORT_NOT_ACTIVATED", "{error}");
}

#[test]
fn a_package_gets_what_its_manifest_its_key_and_the_user_allow() {
    let shelf = Shelf::new();
    let clock = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "f") (result i32) (call $now (i32.const 0) (i64.const 1) (i32.const 8))))"#;
    let load = |path: &std::path::Path, grants: &[&str]| {
        let grants = grants.iter().map(|grant| grant.parse().unwrap()).collect();
        let options = LinkOptions { grants, ..LinkOptions::default() };
        shelf.loader.load_linked(&LoadRequest::new(path), &options, &Cancel::default())
    };
    let silent = shelf.put("acme:silent", "1.0.0", &[], clock);
    let error = load(&silent, &["clocks"]).unwrap_err();
    assert!(error.to_string().contains("its manifest does not ask for it"), "{error}");
    let honest = shelf.put_with("acme:honest", "1.0.0", &[], &["clocks", "stdio?"], &[], clock);
    let error = load(&honest, &[]).unwrap_err();
    assert_eq!(error.to_string(), "`acme:honest` is not given `clocks` (not granted by the user)");
    load(&honest, &["clocks"]).unwrap();
    assert_eq!(shelf.says("acme:honest", "f").unwrap(), "0");
    // A key that may less than the package asks for.
    let bench = Bench::new();
    let policy = bench.folder.path().join("trust/policy.toml");
    std::fs::write(policy, "[keys.acme]\ncapabilities = [\"random\"]\n").unwrap();
    let manifest = Manifest { capabilities: vec!["clocks".into()], ..manifest(1) };
    let artifact = ("main.wasm".into(), ArtifactKind::Wasm, "any".into(), wat::parse_str(clock).unwrap());
    let signed = pack::<ContainerError>(manifest, vec![artifact], |bytes, comment| {
        Ok(Some(bench.sign(bytes, comment)))
    });
    let path = bench.write(&signed.unwrap());
    let options = LinkOptions { grants: vec!["clocks".parse().unwrap()], ..LinkOptions::default() };
    let error = bench.loader.load_linked(&LoadRequest::new(path), &options, &Cancel::default()).unwrap_err();
    assert!(error.to_string().contains("above what the policy allows the key `acme`"), "{error}");
    assert!(error.help().contains("[keys.acme]"), "{}", error.help());
}

fn artifacts(number: u64) -> Vec<(String, ArtifactKind, String, Vec<u8>)> {
    let wasm = wat::parse_str(format!(r#"(module (func (export "f") (result i32) i32.const {number}))"#));
    vec![
        ("main.wasm".into(), ArtifactKind::Wasm, "any".into(), wasm.unwrap()),
        ("docs/readme.md".into(), ArtifactKind::Doc, "any".into(), b"# Answer".to_vec()),
    ]
}

#[test]
fn a_signed_package_is_loaded_and_an_older_one_is_not() {
    let bench = Bench::new();
    let loaded = bench.load(&bench.packed(5)).unwrap();
    assert_eq!(
        (loaded.name.as_str(), loaded.version.as_str(), loaded.signer.as_deref()),
        ("acme:answer", "1.5.0", Some("acme"))
    );
    let request = LoadRequest {
        path: bench.write(&bench.packed(4)),
        name: Some(loaded.name.clone()),
        breaking: Breaking::Refuse,
    };
    let error = bench.loader.reload(&[request], &Cancel::default()).unwrap_err();
    assert_eq!(error.to_string(), "`acme:answer` has sequence number 4, but 5 was loaded before");
    bench.write(&bench.packed(6));
    let reloaded = bench.loader.reload_file_of(&loaded.name, Breaking::Refuse, &Cancel::default()).unwrap();
    assert_eq!((reloaded.version.as_str(), reloaded.generation), ("1.6.0", 2));
    let unsigned = || pack::<ContainerError>(manifest(6), artifacts(6), |_, _| Ok(None)).unwrap();
    assert!(unsigned() == unsigned(), "equal inputs give equal bytes");
}

#[test]
fn no_changed_byte_is_accepted() {
    let bench = Bench::new();
    let whole = bench.packed(1);
    let mut refused = 0;
    // All of the headers, manifest and signature; of the padding and artifacts, every 16th.
    let dense = 2048.min(whole.len());
    for at in (0..dense).chain((dense..whole.len()).step_by(16)).chain(whole.len() - 400..whole.len()) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        match bench.load(&changed) {
            Ok(loaded) => panic!("byte {at} was changed and {loaded:?} loaded"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1000);
    for length in (0..whole.len()).step_by(97) {
        assert!(bench.load(&whole[..length]).is_err(), "cut at {length}");
    }
    bench.load(&whole).unwrap();
}

#[test]
fn a_signature_vouches_for_its_own_package_alone() {
    let bench = Bench::new();
    let unsigned = pack::<ContainerError>(manifest(1), artifacts(1), |_, _| Ok(None)).unwrap();
    assert_eq!(bench.load(&unsigned).unwrap_err().code(), "SIGNATURE_MISSING");
    let commented = |comment: &'static str| {
        pack::<ContainerError>(manifest(1), artifacts(1), |bytes, _| Ok(Some(bench.sign(bytes, comment))))
            .unwrap()
    };
    let error = bench.load(&commented("vitmod1 acme:other 1.1.0 seq=9 m=00")).unwrap_err();
    assert_eq!(error.code(), "MODULE_PACKAGE_INVALID", "{error}");
    let other = pack::<ContainerError>(manifest(1), artifacts(1), |_, comment| {
        Ok(Some(bench.sign(b"another manifest", comment)))
    });
    assert_eq!(bench.load(&other.unwrap()).unwrap_err().code(), "SIGNATURE_WRONG");
    // A signature beside the file, over the whole of it, serves as well.
    let path = bench.write(&unsigned);
    std::fs::write(path.with_extension("vitmod.minisig"), bench.sign(&unsigned, "any comment")).unwrap();
    assert_eq!(bench.loader.load_file(&path).unwrap().signer.as_deref(), Some("acme"));
}

#[test]
fn a_package_without_anything_to_run_here_says_what_it_has() {
    let bench = Bench::new();
    let native =
        vec![("lib.so".to_owned(), ArtifactKind::Elf, "x86_64-unknown-linux-gnu".to_owned(), vec![1])];
    let packed =
        pack::<ContainerError>(manifest(1), native, |bytes, comment| Ok(Some(bench.sign(bytes, comment))));
    let error = bench.load(&packed.unwrap()).unwrap_err();
    assert!(error.to_string().contains("only `lib.so` for x86_64-unknown-linux-gnu"), "{error}");
    let lying = vec![(
        "main.wasm".to_owned(),
        ArtifactKind::Wasm,
        "any".to_owned(),
        b"\x7fELF\x02\x01\x01\xc8".to_vec(),
    )];
    let packed =
        pack::<ContainerError>(manifest(1), lying, |bytes, comment| Ok(Some(bench.sign(bytes, comment))));
    assert_eq!(bench.load(&packed.unwrap()).unwrap_err().code(), "MODULE_PRECOMPILED");
}

#[test]
fn other_tools_can_list_a_package() {
    let bench = Bench::new();
    let path = bench.write(&bench.packed(1));
    let listed = std::process::Command::new("python3")
        .args([
            "-c",
            "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), *z.namelist())",
        ])
        .arg(&path)
        .output();
    let Ok(listed) = listed else {
        eprintln!("SKIP: no python3");
        return;
    };
    assert!(listed.status.success(), "{listed:?}");
    assert_eq!(
        String::from_utf8(listed.stdout).unwrap(),
        "None mimetype META/manifest.json META/manifest.json.minisig docs/readme.md main.wasm\n"
    );
}
