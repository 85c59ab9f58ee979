//! Packages through the public door: signatures, digests, sequence numbers, and damage of every kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::io::Cursor;
use std::path::PathBuf;

use minisign::KeyPair;
use tempfile::TempDir;
use vitte_loader::container::{ArtifactKind, ContainerError, Manifest, PackageKind, pack};
use vitte_loader::{Breaking, Cancel, LoadError, LoadRequest, LoaderConfig, ModuleLoader};

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
        license: Some("MIT".into()),
        description: None,
        exports: Vec::new(),
        activation: Vec::new(),
        config: None,
        capabilities: Vec::new(),
    }
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
