//! Every decoder under damage: nothing panics, nothing takes long, and no changed byte of a signed package gets
//! through. Seeded: `VITTE_TEST_SEED` repeats a run, `VITTE_TEST_CHANGES` says how much is tried (100,000 for
//! the whole).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::io::Cursor;

use minisign::KeyPair;
use tempfile::TempDir;
use vitte_loader::container::{ArtifactKind, Container, ContainerError, Manifest, PackageKind, pack};
use vitte_loader::{CallRequest, Cancel, ModuleLoader, inspect};
use vitte_native_code::message::{Reply, Request, Value};
use vitte_native_code::table::Table;
use vitte_trust::{Signer, TrustStore};

/// Small, fast, and the same everywhere: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014.
struct Random(u64);

impl Random {
    fn seeded(salt: u64) -> Self {
        let seed = std::env::var("VITTE_TEST_SEED").map_or(1, |text| text.parse().unwrap());
        Self(seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutations() -> usize {
    std::env::var("VITTE_TEST_CHANGES").map_or(20_000, |text| text.parse().unwrap())
}

/// One to four changes: a bit, a byte that decoders dislike, a cut, a piece twice, a piece less.
fn damage(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'(', b'"', b'\\'][random.below(8)],
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
        }
    }
    bytes
}

fn manifest() -> Manifest {
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
        capabilities: Vec::new(),
    }
}

fn artifacts() -> Vec<(String, ArtifactKind, String, Vec<u8>)> {
    let wasm = wat::parse_str(r#"(module (func (export "f") (result i32) i32.const 42))"#).unwrap();
    vec![
        ("docs/readme.md".into(), ArtifactKind::Doc, "any".into(), b"# Answer".to_vec()),
        ("main.wasm".into(), ArtifactKind::Wasm, "any".into(), wasm),
    ]
}

#[test]
fn no_changed_byte_of_a_signed_package_is_accepted() {
    let folder = TempDir::new().unwrap();
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    std::fs::write(folder.path().join("acme.pub"), keys.pk.to_box().unwrap().into_string()).unwrap();
    std::fs::write(folder.path().join("policy.toml"), "unsigned = \"refuse\"\n").unwrap();
    let store = TrustStore::new(folder.path());
    let whole = pack::<ContainerError>(manifest(), artifacts(), |bytes, comment| {
        let signed =
            minisign::sign(Some(&keys.pk), &keys.sk, Cursor::new(bytes), Some(comment), None).unwrap();
        Ok(Some(signed.into_string()))
    })
    .unwrap();
    // As a load does it: form, manifest, signature, its comment, and the digest of what is taken.
    let accepts = |bytes: &[u8]| -> Result<(), String> {
        let package = Container::read(bytes).map_err(|error| error.to_string())?;
        let signer = store.check(Some("acme:answer"), package.manifest_bytes(), package.signature());
        let Signer::Trusted { comment, .. } = signer.map_err(|error| error.to_string())? else {
            return Err("unsigned".to_owned());
        };
        package.check_comment(&comment).map_err(|error| error.to_string())?;
        for path in ["docs/readme.md", "main.wasm"] {
            package.artifact(path).map_err(|error| error.to_string())?.ok_or("gone")?;
        }
        Ok(())
    };
    accepts(&whole).unwrap();
    let mut random = Random::seeded(1);
    for round in 0..mutations() {
        let mut changed = whole.clone();
        let at = random.below(whole.len());
        changed[at] ^= 1 + random.below(255) as u8;
        assert!(accepts(&changed).is_err(), "round {round}: byte {at} became {}", changed[at]);
    }
}

#[test]
fn damaged_files_are_refused_or_read_and_never_more() {
    let mut random = Random::seeded(2);
    let package = pack::<ContainerError>(manifest(), artifacts(), |_, _| Ok(None)).unwrap();
    let module = wat::parse_str(
        r#"(module (import "a" "b" (func (param i32))) (memory (export "m") 1) (table 2 funcref)
            (func $f (export "f") (param i64) (result f64) f64.const 1) (global i32 (i32.const 1))
            (elem (i32.const 0) $f) (data (i32.const 0) "x"))"#,
    )
    .unwrap();
    let component = wat::parse_str(
        r#"(component (import "acme:log/out" (instance (export "say" (func (param "t" string)))))
            (core module $m (func (export "f") (result i32) i32.const 1))
            (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))"#,
    )
    .unwrap();
    let library = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    // Its headers, sections and symbols stand at the ends.
    let elf = [&library[..4096], &library[library.len() - 8192..]].concat();
    for _ in 0..mutations() {
        let _ = Container::read(&damage(&mut random, &package))
            .map(|package| package.artifact("main.wasm").is_ok());
        for whole in [&package, &module, &component, &elf] {
            let _ = inspect(&damage(&mut random, whole));
        }
    }
}

#[test]
fn damaged_manifests_tables_and_messages_are_errors() {
    let mut random = Random::seeded(3);
    let manifest = manifest().to_bytes().unwrap();
    let table = "vitffi = 1\nlibrary = 'libz.so.1'\n[functions.f]\nsymbol = 'g'\nresult = 'own text?'\nfree = 'free'\n\
        params = ['a: bytes', 'n: uint = len(a)', 'o: out bytes(9)', 'm: inout size = cap(o)', 'h: take handle(x)']\n";
    assert!(Table::parse(table).is_ok() && Manifest::parse(&manifest).is_ok());
    let values =
        vec![Value::Number(7), Value::Text("seven".into()), Value::Bytes(vec![7; 7]), Value::Nothing];
    let requests = [
        Request::Open { id: 1, library: "libz.so.1".into(), table: table.into() }.encode(),
        Request::Call { library: 1, function: 3, arguments: values.clone() }.encode(),
    ];
    let replies = [Reply::Results(values).encode(), Reply::Failed("no".into()).encode()];
    for _ in 0..mutations() {
        let changed = damage(&mut random, &manifest);
        // What is still a manifest says all that its bytes say.
        if let Ok(read) = Manifest::parse(&changed)
            && !changed.windows(2).any(|pair| pair == b"x-")
        {
            assert_eq!(read.to_bytes().unwrap(), changed);
        }
        let text = String::from_utf8_lossy(&damage(&mut random, table.as_bytes())).into_owned();
        if let Ok(table) = Table::parse(&text) {
            assert!(
                table.functions.iter().all(|function| function.inputs().count() <= function.params.len())
            );
        }
        for body in &requests {
            let changed = damage(&mut random, body);
            if let Ok(request) = Request::decode(&changed) {
                assert_eq!(request.encode(), changed);
            }
        }
        for body in &replies {
            let changed = damage(&mut random, body);
            if let Ok(reply) = Reply::decode(&changed) {
                assert_eq!(reply.encode(), changed);
            }
        }
    }
}

#[test]
fn damaged_arguments_are_errors_with_a_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.wasm");
    let text = r#"(module (func (export "f") (param i32 i64 f32 f64) (result i32) local.get 0))"#;
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    let loader = ModuleLoader::new();
    let module = loader.load_file(&path).unwrap().name;
    let mut random = Random::seeded(4);
    let whole = r#"(1, -9223372036854775808, 1.5e-3, nan)"#;
    for _ in 0..mutations() {
        let arguments = String::from_utf8_lossy(&damage(&mut random, whole.as_bytes())).into_owned();
        let request = CallRequest {
            module: module.clone(),
            function: "f".into(),
            arguments: arguments.clone(),
            generation: None,
            time_max: None,
            cancel: Cancel::default(),
        };
        match loader.call(&request) {
            Ok(reply) => assert!(reply.results.parse::<i32>().is_ok(), "{arguments}"),
            Err(error) => assert_eq!(error.code(), "MODULE_ARGUMENTS", "{arguments}"),
        }
    }
}
