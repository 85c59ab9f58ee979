//! Libraries in packages.
use super::*;

pub fn a_package_brings_a_library_for_each_machine() {
    let trust = TempDir::new().unwrap();
    let folder = trust.path().to_owned();
    let bench = Bench::with(|config| LoaderConfig { trust: Some(folder), ..config });
    let library = bench.path("x.so");
    if !compile("int f(int x) { return x + 1; }", &library) {
        return;
    }
    let native = std::fs::read(&library).unwrap();
    let table = b"vitffi = 1\n[functions.f]\nparams = ['x: int']\nresult = 'int'\n".to_vec();
    let wasm = wat::parse_str(
        r#"(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 100))))"#,
    )
    .unwrap();
    let here = format!(
        "{}-unknown-linux-{}",
        std::env::consts::ARCH,
        if cfg!(target_env = "musl") { "musl" } else { "gnu" }
    );
    let elsewhere = "riscv64gc-unknown-linux-gnu".to_owned();
    let libraries = |targets: &[&str]| {
        let mut artifacts = Vec::new();
        for target in targets {
            // What is for another machine is never looked at.
            let bytes = if *target == here { native.clone() } else { b"\x7fELF of another machine".to_vec() };
            artifacts.push((
                format!("native/{target}/library.so"),
                ArtifactKind::Elf,
                (*target).to_owned(),
                bytes,
            ));
            let path = format!("native/{target}/library.vitffi");
            artifacts.push((path, ArtifactKind::Vitffi, (*target).to_owned(), table.clone()));
        }
        artifacts
    };
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let package = |name: &str, artifacts: Vec<_>, is_signed: bool| {
        let manifest = Manifest { id: format!("acme:{name}"), ..manifest() };
        let whole = pack::<ContainerError>(manifest, artifacts, |bytes, comment| {
            let content = std::io::Cursor::new(bytes);
            let signed = minisign::sign(Some(&pair.pk), &pair.sk, content, Some(comment), None).unwrap();
            Ok(is_signed.then(|| signed.into_string()))
        });
        let path = bench.path(&format!("{name}.vitmod"));
        std::fs::write(&path, whole.unwrap()).unwrap();
        path
    };
    let both = |targets: &[&str]| {
        let mut artifacts = libraries(targets);
        artifacts.push(("main.wasm".to_owned(), ArtifactKind::Wasm, "any".to_owned(), wasm.clone()));
        artifacts
    };
    // Unsigned native code is not for this service; the same module for the sandbox is.
    let refused = bench.loader.load_file(package("only", libraries(&[&here]), false)).unwrap_err();
    assert_eq!(refused.code(), "SIGNATURE_MISSING", "{refused}");
    assert_eq!(bench.loader.load_file(package("both", both(&[&here]), false)).unwrap().tier, Tier::Compiled);
    assert_eq!(bench.says("acme:both", "f(1)"), "101");
    // Unless the user allows it.
    std::fs::write(trust.path().join("policy.toml"), "unsigned-native = \"allow\"\n").unwrap();
    let loaded = bench.loader.load_file(package("allowed", both(&[&here]), false)).unwrap();
    assert_eq!((loaded.tier, loaded.kind, loaded.version.as_str()), (Tier::Native, Kind::Elf, "1.0.0"));
    assert_eq!(bench.says("acme:allowed", "f(1)"), "2");
    std::fs::remove_file(trust.path().join("policy.toml")).unwrap();
    // Or somebody trusted has signed the package.
    std::fs::write(trust.path().join("acme.pub"), pair.pk.to_box().unwrap().into_string()).unwrap();
    let signed = package("signed", both(&[&elsewhere, &here]), true);
    let loaded = bench.loader.load_file(signed).unwrap();
    assert_eq!((loaded.tier, loaded.signer.as_deref()), (Tier::Native, Some("acme")));
    assert_eq!(bench.says("acme:signed", "f(1)"), "2");
    // Of another machine there is nothing to load but what suits all.
    let other = bench.loader.load_file(package("other", both(&[&elsewhere]), true)).unwrap();
    assert_eq!(other.tier, Tier::Compiled);
    let none = bench.loader.load_file(package("none", libraries(&[&elsewhere]), true)).unwrap_err();
    assert_eq!(none.code(), "MODULE_NO_ARTIFACT", "{none}");
    assert!(none.to_string().contains(&elsewhere), "{none}");
    // Without its table nobody knows how to call it.
    let alone = libraries(&[&here]).into_iter().filter(|(_, kind, ..)| *kind == ArtifactKind::Elf).collect();
    let bare = bench.loader.load_file(package("bare", alone, true)).unwrap_err();
    assert_eq!(bare.code(), "MODULE_TABLE_MISSING", "{bare}");
    // Which is in the package: what it says is signed with it.
    let mut lies = libraries(&[&here]);
    lies[1].3 = b"vitffi = 1\n[functions.g]\n".to_vec();
    assert_eq!(
        bench.loader.load_file(package("lies", lies, true)).unwrap_err().code(),
        "MODULE_LIBRARY_UNSUITED"
    );
}
