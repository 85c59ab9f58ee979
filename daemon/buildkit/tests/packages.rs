//! Packages, judged by the tools of the systems that install them. What is not installed here is skipped, with a word.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vitte_buildkit::{BuildKit, Error, Made};
use vitte_driver::DriverError;

const TIME: &str = "1700000000";

const MANIFEST: &str = r#"{
  "schema": "vitte.package.manifest.v1", "name": "greeter", "version": "1.2.3", "kind": "binary", "entry": "src/main.vit",
  "dependencies": {}, "tests": [], "license": "MIT",
  "description": "Greets whoever runs it\n\nIt greets at any time of the day, as often as it is asked to.",
  "package": {
    "summary": "greets whoever runs it", "maintainer": "Ada Example <ada@example.org>",
    "homepage": "https://example.org/greeter", "section": "misc",
    "config": ["greeter.conf"], "man": ["greeter.1"], "units": ["greeter.service"], "changelog": "changelog",
    "completions": {"bash": "greeter.bash", "zsh": "_greeter", "fish": "greeter.fish"}, "icons": ["greeter.svg"],
    "scripts": {"postinst": "postinst"},
    "files": [
      {"source": "notes.txt", "target": "/usr/share/doc/greeter/notes.txt", "kind": "doc"},
      {"target": "/usr/share/doc/greeter/notes", "link": "notes.txt"}
    ]
  }
}"#;

const FILES: [(&str, &str); 12] = [
    ("vitte-package.json", MANIFEST),
    ("src/main.vit", "proc main() -> int {\n    println(\"good day\")\n    give 0\n}\n"),
    ("greeter.conf", "greeting = good day\n"),
    (
        "greeter.1",
        ".TH GREETER 1 2023-11-14 \"greeter 1.2.3\" \"User Commands\"\n.SH NAME\ngreeter \\- greet whoever runs it\n.SH SYNOPSIS\n.B greeter\n.SH DESCRIPTION\nIt greets.\n",
    ),
    (
        "greeter.service",
        "[Unit]\nDescription=Greets\nDocumentation=man:greeter(1)\n\n[Service]\nType=oneshot\nExecStart=/usr/bin/greeter\n\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "changelog",
        "greeter (1.2.3) unstable; urgency=medium\n\n  * First release.\n\n -- Ada Example <ada@example.org>  Tue, 14 Nov 2023 22:13:20 +0000\n",
    ),
    ("greeter.bash", "complete -W '--help' greeter\n"),
    ("_greeter", "#compdef greeter\n_arguments '--help[show help]'\n"),
    ("greeter.fish", "complete -c greeter -l help\n"),
    ("greeter.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>\n"),
    ("postinst", "#!/bin/sh\nset -e\nexit 0\n"),
    ("notes.txt", "Nothing of note.\n"),
];

struct Package(tempfile::TempDir);

impl Package {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in FILES {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a piece of the manifest.
    fn edit(&self, from: &str, to: &str) {
        assert!(MANIFEST.contains(from), "{from}");
        self.write("vitte-package.json", &MANIFEST.replacen(from, to, 1));
    }

    fn kit(&self, target: &str, formats: &[&str]) -> BuildKit {
        let kit = BuildKit::new().in_folder(self.path()).target(target).formats(formats.iter().copied());
        kit.source_date(Some(TIME.into())).package("").unwrap()
    }

    fn make(&self, target: &str, formats: &[&str]) -> Made {
        self.kit(target, formats).build_and_export(self.path().join("dist")).unwrap()
    }

    fn refused(&self, target: &str, formats: &[&str]) -> (String, String) {
        let error = match self.kit(target, formats).build_and_export(self.path().join("dist")) {
            Ok(made) => panic!("{made:?}"),
            Err(error) => error,
        };
        assert!(
            !self.path().join("dist").exists()
                || self.path().join("dist").read_dir().unwrap().next().is_none()
        );
        match error {
            Error::Input { code, field, help, .. } => {
                assert!(!help.is_empty());
                (code.to_owned(), field)
            }
            other => panic!("{other}"),
        }
    }
}

fn ending<'a>(made: &'a Made, end: &str) -> &'a Path {
    let found = made.files.iter().find(|file| file.path.to_str().unwrap().ends_with(end));
    &found.unwrap_or_else(|| panic!("nothing ends with {end}: {made:#?}")).path
}

fn has(tool: &str) -> bool {
    let there = which::which(tool).is_ok();
    if !there {
        eprintln!("SKIP: there is no `{tool}` on this machine");
    }
    there
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap()
}

/// Standard output and error of a command that must succeed.
fn ok(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}", output.status);
    text
}

#[test]
fn debian_packages_install_upgrade_and_leave() {
    let package = Package::new();
    let made = package.make("x86_64-linux", &["deb"]);
    let deb = ending(&made, "greeter_1.2.3_amd64.deb").to_str().unwrap().to_owned();
    if !has("dpkg-deb") || !has("dpkg") {
        return;
    }
    let info = ok("dpkg-deb", &["-I", &deb]);
    for wanted in [
        "Package: greeter",
        "Version: 1.2.3",
        "Architecture: amd64",
        "Depends: libc6",
        "Maintainer: Ada Example",
        "conffiles",
    ] {
        assert!(info.contains(wanted), "{wanted}\n{info}");
    }
    let list = ok("dpkg-deb", &["-c", &deb]);
    for wanted in [
        "./usr/bin/greeter",
        "./etc/greeter/greeter.conf",
        "man1/greeter.1.gz",
        "system/greeter.service",
        "notes -> notes.txt",
        "root/root",
        "2023-11-14",
    ] {
        assert!(list.contains(wanted), "{wanted}\n{list}");
    }
    if !is_root() {
        eprintln!("SKIP: `dpkg -i --root` needs root");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "bin"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    std::fs::write(at("var/lib/dpkg/status"), "").unwrap();
    let place = format!("--root={}", root.path().display());
    // The scripts would run in a root without a shell.
    let dpkg = |arguments: &[&str]| {
        let fixed = [
            place.as_str(),
            "--force-depends",
            "--force-script-chrootless",
            "--force-confold",
            "--force-not-root",
        ];
        ok("dpkg", &[&fixed[..], arguments].concat())
    };
    dpkg(&["-i", &deb]);
    assert_eq!(ok(at("usr/bin/greeter").to_str().unwrap(), &[]), "good day\n");
    std::fs::write(at("etc/greeter/greeter.conf"), "greeting = mine\n").unwrap();
    package.write("greeter.conf", "greeting = another\n");
    package.edit("\"version\": \"1.2.3\"", "\"version\": \"1.3.0\"");
    let newer = package.make("x86_64-linux", &["deb"]);
    dpkg(&["-i", ending(&newer, "greeter_1.3.0_amd64.deb").to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(at("etc/greeter/greeter.conf")).unwrap(), "greeting = mine\n");
    dpkg(&["-r", "greeter"]);
    assert!(!at("usr/bin/greeter").exists());
    assert!(at("etc/greeter/greeter.conf").exists(), "removal keeps the configuration, purging does not");
    dpkg(&["-P", "greeter"]);
    assert!(!at("etc/greeter/greeter.conf").exists());
}

#[test]
fn lintian_finds_no_errors() {
    if !has("lintian") {
        return;
    }
    let package = Package::new();
    let made = package.make("x86_64-linux", &["deb"]);
    let arguments = [
        "--allow-root",
        "--fail-on",
        "error",
        "--tag-display-limit",
        "0",
        ending(&made, ".deb").to_str().unwrap(),
    ];
    let output = run("lintian", &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("E:")).collect();
    assert!(
        errors.is_empty() && output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn rpm_packages_verify_install_and_keep_configuration() {
    let package = Package::new();
    let made = package.make("x86_64-linux", &["rpm"]);
    let file = ending(&made, "greeter-1.2.3-1.x86_64.rpm").to_str().unwrap().to_owned();
    if !has("rpm") {
        return;
    }
    let info = ok("rpm", &["-qip", &file]);
    for wanted in [
        "Name        : greeter",
        "Version     : 1.2.3",
        "License     : MIT",
        "Summary     : greets whoever runs it",
    ] {
        assert!(info.contains(wanted), "{wanted}\n{info}");
    }
    assert!(ok("rpm", &["-K", "--nosignature", &file]).contains("digests OK"));
    assert!(ok("rpm", &["-qcp", &file]).contains("/etc/greeter/greeter.conf"));
    if !is_root() {
        eprintln!("SKIP: `rpm -i --root` needs root");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let place = root.path().to_str().unwrap().to_owned();
    let database = format!("{place}/rpmdb");
    let rpm = |arguments: &[&str]| {
        let fixed = ["--root", &place, "--dbpath", "/rpmdb"];
        ok("rpm", &[&fixed[..], arguments].concat())
    };
    std::fs::create_dir_all(&database).unwrap();
    rpm(&["--initdb"]);
    // Without what it depends on and without scripts, for which the root has neither library nor shell.
    rpm(&["-i", "--nodeps", "--noscripts", "--nosignature", &file]);
    assert_eq!(ok(root.path().join("usr/bin/greeter").to_str().unwrap(), &[]), "good day\n");
    rpm(&["-V", "--nodeps", "--noscripts", "greeter"]);
    let conf = root.path().join("etc/greeter/greeter.conf");
    std::fs::write(&conf, "greeting = mine\n").unwrap();
    package.write("greeter.conf", "greeting = another\n");
    package.edit("\"version\": \"1.2.3\"", "\"version\": \"1.3.0\"");
    let newer = package.make("x86_64-linux", &["rpm"]);
    rpm(&[
        "-U",
        "--nodeps",
        "--noscripts",
        "--nosignature",
        ending(&newer, "1.3.0-1.x86_64.rpm").to_str().unwrap(),
    ]);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), "greeting = mine\n");
    rpm(&["-e", "--nodeps", "--noscripts", "greeter"]);
    assert!(!root.path().join("usr/bin/greeter").exists());
}

#[test]
fn rpmlint_finds_no_errors_but_that_it_is_not_signed() {
    if !has("rpmlint") {
        return;
    }
    let package = Package::new();
    let made = package.make("x86_64-linux", &["rpm"]);
    let output = run("rpmlint", &[ending(&made, ".rpm").to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors: Vec<&str> =
        text.lines().filter(|line| line.contains(": E: ") && !line.contains("no-signature")).collect();
    assert!(errors.is_empty(), "{text}");
}

#[test]
fn windows_packages_hold_the_tables_and_the_files() {
    let package = Package::new();
    let made = package.make("x86_64-windows", &["msi"]);
    let msi = ending(&made, "greeter-1.2.3-x64.msi").to_str().unwrap().to_owned();
    if !has("msiinfo") || !has("msiextract") {
        return;
    }
    assert!(ok("msiinfo", &["suminfo", &msi]).contains("greets whoever runs it"));
    let tables = ok("msiinfo", &["tables", &msi]);
    for table in [
        "Component",
        "Directory",
        "Feature",
        "File",
        "InstallExecuteSequence",
        "Media",
        "Property",
        "Upgrade",
    ] {
        assert!(tables.contains(table), "{table}\n{tables}");
    }
    assert!(ok("msiinfo", &["export", &msi, "Property"]).contains("ProductVersion\t1.2.3"));
    let out = tempfile::tempdir().unwrap();
    let listed = ok("msiextract", &["-C", out.path().to_str().unwrap(), &msi]);
    assert!(listed.contains("greeter.exe"), "{listed}");
    let mut found = Vec::new();
    let mut folders = vec![out.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    let program = found.iter().find(|path| path.ends_with("bin/greeter.exe")).unwrap();
    assert_eq!(&std::fs::read(program).unwrap()[..2], b"MZ");
    assert!(found.iter().any(|path| path.ends_with("etc/greeter/greeter.conf")));
}

#[test]
fn macos_packages_are_read_by_others() {
    let package = Package::new();
    let made = package.make("aarch64-apple-darwin", &["pkg"]);
    let pkg = ending(&made, "greeter-1.2.3-arm64.pkg").to_str().unwrap().to_owned();
    if !has("bsdtar") {
        return;
    }
    let list = ok("bsdtar", &["-tf", &pkg]);
    for name in ["PackageInfo", "Bom", "Payload", "Scripts"] {
        assert!(list.lines().any(|line| line == name), "{list}");
    }
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    ok("bsdtar", &["-xf", &pkg, "-C", place]);
    let info = std::fs::read_to_string(out.path().join("PackageInfo")).unwrap();
    assert!(info.contains("identifier=\"org.vitte.greeter\"") && info.contains("version=\"1.2.3\""));
    assert!(std::fs::read(out.path().join("Bom")).unwrap().starts_with(b"BOMStore"));
    let payload = out.path().join("payload");
    std::fs::create_dir(&payload).unwrap();
    let inside = ok("bsdtar", &["-tvf", out.path().join("Payload").to_str().unwrap()]);
    assert!(inside.contains("./usr/local/bin/greeter"), "{inside}");
    ok("bsdtar", &["-xf", out.path().join("Payload").to_str().unwrap(), "-C", payload.to_str().unwrap()]);
    let program = payload.join("usr/local/bin/greeter");
    assert_eq!(&std::fs::read(&program).unwrap()[..4], &[0xcf, 0xfa, 0xed, 0xfe]);
    assert_eq!(std::fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
    if has("7z") {
        assert!(ok("7z", &["t", &pkg]).contains("Everything is Ok"));
    }
}

#[test]
fn archives_hold_the_same_for_every_target() {
    let package = Package::new();
    for target in [
        "x86_64-linux",
        "aarch64-linux",
        "riscv64-linux",
        "x86_64-macos",
        "x86_64-windows",
        "wasm32",
        "wasm64",
        "vitbc",
    ] {
        let made = package.make(target, &["tar.gz", "tar.zst", "tar.xz", "zip"]);
        for end in ["tar.gz", "tar.zst", "tar.xz", "zip"] {
            let archive = vitte_buildkit::archive::Archive::named(end).unwrap();
            let bytes = std::fs::read(ending(&made, end)).unwrap();
            let out = tempfile::tempdir().unwrap();
            let count =
                vitte_buildkit::archive::extract(&bytes, archive, &out.path().join("x"), Default::default());
            assert!(count.unwrap() > 8, "{target} {end}");
        }
        let sums = std::fs::read_to_string(ending(&made, "SHA256SUMS")).unwrap();
        // Seven files, the checksums themselves not among them.
        assert_eq!(sums.lines().count(), 7, "{sums}");
        for line in sums.lines() {
            let (digest, name) = line.split_once("  ").unwrap();
            let file = made.files.iter().find(|file| file.path.ends_with(name)).unwrap();
            assert_eq!(file.sha256, digest);
        }
    }
}

#[test]
fn parts_and_origins_are_told() {
    let package = Package::new();
    package.edit("\"dependencies\": {}", "\"dependencies\": {}");
    let made = package.make("x86_64-linux", &["tar.gz"]);
    let json = |end: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(ending(&made, end)).unwrap()).unwrap()
    };
    let spdx = json(".spdx.json");
    assert_eq!(spdx["spdxVersion"], "SPDX-2.3");
    assert_eq!(spdx["creationInfo"]["created"], "2023-11-14T22:13:20Z");
    assert!(spdx["files"].as_array().unwrap().iter().any(|file| file["fileName"] == "./usr/bin/greeter"));
    let cdx = json(".cdx.json");
    assert_eq!((&cdx["bomFormat"], &cdx["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let origin = json(".provenance.json");
    let archive =
        made.files.iter().find(|file| file.path.ends_with("greeter-1.2.3-x86_64-linux.tar.gz")).unwrap();
    assert_eq!(origin["subject"][0]["digest"]["sha256"], archive.sha256.as_str());
    let inputs = origin["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
    for name in ["src/main.vit", "vitte-package.json", "greeter.conf"] {
        assert!(inputs.iter().any(|input| input["name"] == name), "{name}");
    }
}

#[test]
fn signatures_are_verified_by_the_stock_tool() {
    let package = Package::new();
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let (key, public) = (package.path().join("key"), package.path().join("key.pub"));
    std::fs::write(&key, pair.sk.to_box(None).unwrap().into_string()).unwrap();
    std::fs::write(&public, pair.pk.to_box().unwrap().into_string()).unwrap();
    let kit = package.kit("x86_64-linux", &["deb", "tar.gz"]).sign_with(&key, None);
    let made = kit.build_and_export(package.path().join("dist")).unwrap();
    assert!(made.files.iter().filter(|file| file.path.to_str().unwrap().ends_with(".minisig")).count() == 3);
    let wrong = package.kit("x86_64-linux", &["deb"]).sign_with(&public, None);
    assert!(matches!(
        wrong.build_and_export(package.path().join("other")),
        Err(Error::Input { code: "PKG_E_KEY", .. })
    ));
    assert!(!package.path().join("other").exists());
    if has("minisign") {
        let deb = ending(&made, ".deb").to_str().unwrap();
        assert!(ok("minisign", &["-Vm", deb, "-p", public.to_str().unwrap()]).contains("verified"));
    }
}

/// A key that signs packages of rpm, by the stock tool; its secret and its public half, armoured.
fn openpgp_key(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    if !has("gpg") {
        return None;
    }
    let home = folder.join("gnupg");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| {
        let fixed = ["--homedir", home.to_str().unwrap(), "--batch", "--yes", "--passphrase", ""];
        ok("gpg", &[&fixed[..], &["--pinentry-mode", "loopback"], arguments].concat())
    };
    gpg(&["--quick-generate-key", "Ada Example <ada@example.org>", "ed25519", "sign", "never"]);
    let (secret, public) = (folder.join("secret.asc"), folder.join("public.asc"));
    gpg(&["--armor", "--output", secret.to_str().unwrap(), "--export-secret-keys"]);
    gpg(&["--armor", "--output", public.to_str().unwrap(), "--export"]);
    // The agent that it has started.
    let _ = run("gpgconf", &["--homedir", home.to_str().unwrap(), "--kill", "all"]);
    Some((secret, public))
}

#[test]
fn signatures_inside_of_rpm_are_verified_by_rpm() {
    let package = Package::new();
    let Some((secret, public)) = openpgp_key(&package.path()) else { return };
    let make = |out: &str| {
        let kit = package.kit("x86_64-linux", &["rpm"]).sign_rpm_with(&secret);
        kit.build_and_export(package.path().join(out)).unwrap()
    };
    let (first, second) = (make("dist"), make("again"));
    let bytes = |made: &Made| std::fs::read(ending(made, ".rpm")).unwrap();
    assert!(bytes(&first) == bytes(&second), "a signature takes no chance");
    // A public key and a file that is none sign nothing.
    for wrong in [&public, &package.path().join("notes.txt")] {
        let kit = package.kit("x86_64-linux", &["rpm"]).sign_rpm_with(wrong);
        let told = kit.build_and_export(package.path().join("other")).unwrap_err();
        assert!(
            matches!(&told, Error::Input { code: "PKG_E_KEY", field, .. } if field == "--sign-rpm"),
            "{told:?}"
        );
        assert!(!package.path().join("other").exists());
    }
    if !has("rpm") {
        return;
    }
    let database = package.path().join("rpmdb");
    std::fs::create_dir(&database).unwrap();
    let place = format!("--dbpath={}", database.display());
    ok("rpm", &[&place, "--initdb"]);
    ok("rpm", &[&place, "--import", public.to_str().unwrap()]);
    let file = ending(&first, ".rpm").to_str().unwrap().to_owned();
    assert!(ok("rpm", &[&place, "-K", &file]).contains("digests signatures OK"));
    assert!(ok("rpm", &[&place, "-qip", &file]).contains("EdDSA/SHA256, Tue Nov 14"));
    // One changed byte of what is signed is found.
    let mut damaged = bytes(&first);
    let at = damaged.windows(7).rposition(|window| window == b"greets ").unwrap();
    damaged[at] ^= 1;
    let changed = package.path().join("damaged.rpm");
    std::fs::write(&changed, damaged).unwrap();
    assert!(!run("rpm", &[&place, "-K", changed.to_str().unwrap()]).status.success());
    if has("rpmlint") {
        let text = String::from_utf8_lossy(&run("rpmlint", &[&file]).stdout).into_owned();
        // It asks the system's own list of keys, which this one is not on.
        let errors = text.lines().filter(|line| line.contains(": E: ") && !line.contains("unknown-key"));
        assert_eq!(errors.count(), 0, "{text}");
    }
}

#[test]
fn debian_packages_can_be_compressed_by_zstd() {
    let package = Package::new();
    package.edit("\"section\": \"misc\"", "\"section\": \"misc\", \"deb_compression\": \"zstd\"");
    // Large enough for several pieces, some of which are new the second time.
    let large: String = (0..200_000).map(|number| format!("line {number}\n")).collect();
    package.write("notes.txt", &large);
    let made = package.make("x86_64-linux", &["deb"]);
    if !has("dpkg-deb") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    ok("dpkg-deb", &["-x", ending(&made, ".deb").to_str().unwrap(), out.path().to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(out.path().join("usr/share/doc/greeter/notes.txt")).unwrap(), large);
    assert_eq!(ok(out.path().join("usr/bin/greeter").to_str().unwrap(), &[]), "good day\n");
}

/// A file of several pieces comes back whole, whatever unpacks it.
#[test]
fn large_files_come_back_from_every_format() {
    let package = Package::new();
    let large: Vec<u8> = (0..500_000_u32)
        .flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 12).to_le_bytes())
        .collect();
    std::fs::write(package.path().join("notes.txt"), &large).unwrap();
    let made = package.make("x86_64-linux", &["deb", "tar.gz", "tar.zst", "tar.xz"]);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap().to_owned();
    if has("dpkg-deb") {
        ok("dpkg-deb", &["-x", ending(&made, ".deb").to_str().unwrap(), &place]);
        assert!(std::fs::read(out.path().join("usr/share/doc/greeter/notes.txt")).unwrap() == large);
    }
    if has("bsdtar") {
        for end in [".tar.gz", ".tar.zst", ".tar.xz"] {
            ok("bsdtar", &["-xf", ending(&made, end).to_str().unwrap(), "-C", &place]);
            let inside = "greeter-1.2.3-x86_64-linux/usr/share/doc/greeter/notes.txt";
            assert!(std::fs::read(out.path().join(inside)).unwrap() == large, "{end}");
            std::fs::remove_file(out.path().join(inside)).unwrap();
        }
    }
}

/// Packages for the loader are written by who knows their format, and refused where nobody does.
#[test]
fn modules_are_made_by_a_driver_that_packs() {
    #[derive(Debug)]
    struct Packing;
    impl vitte_driver::Packer for Packing {
        fn pack(
            &self,
            package: &vitte_driver::PackagePlan,
            parts: Vec<vitte_driver::Part>,
        ) -> Result<Vec<u8>, String> {
            Ok(format!("{package:?} of {} parts", parts.len()).into_bytes())
        }
    }
    let package = Package::new();
    let program = "proc main() -> int {\n    println(\"good day\")\n    give 0\n}\n";
    package.write(
        "src/main.vit",
        &format!("space greeter\n\nexport *\n\nproc twice(n: i64) -> i64 {{ give n * 2 }}\n{program}"),
    );
    let (code, field) = package.refused("x86_64-linux", &["vitmod"]);
    assert_eq!((code.as_str(), field.as_str()), ("PKG_E_FORMAT", "--format"));
    let driver = vitte_driver::Driver::default().packed_by(std::sync::Arc::new(Packing));
    let kit = package.kit("x86_64-linux", &["vitmod", "tar.gz"]);
    let made = kit.build_and_export_by(&driver, package.path().join("dist")).unwrap();
    let module = std::fs::read(ending(&made, "/greeter-1.2.3.vitmod")).unwrap();
    assert!(String::from_utf8_lossy(&module).contains("parts"));
    let sums = std::fs::read_to_string(ending(&made, "SHA256SUMS")).unwrap();
    assert!(sums.contains("greeter-1.2.3.vitmod"));
    // On another machine it is the same.
    let kit = package.kit("aarch64-macos", &["vitmod"]);
    let made = kit.build_and_export_by(&driver, package.path().join("other")).unwrap();
    assert!(std::fs::read(ending(&made, ".vitmod")).unwrap() == module);
}

/// Everything, in another folder and at another time; other masks, locales and numbers of threads are in `reproducible.rs`.
#[test]
fn equal_packages_have_equal_bytes() {
    let make = || {
        let package = Package::new();
        let mut all = BTreeMap::new();
        for (target, formats) in [
            ("x86_64-linux", &["deb", "rpm", "tar.gz", "tar.zst", "tar.xz", "zip"][..]),
            ("x86_64-windows", &["msi"]),
            ("aarch64-macos", &["pkg"]),
        ] {
            for file in package.make(target, formats).files {
                all.insert(file.path.file_name().unwrap().to_owned(), file.sha256);
            }
        }
        all
    };
    let first = make();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let second = make();
    assert_eq!(first, second);
}

#[test]
fn bad_manifests_are_refused_with_the_field() {
    let cases = [
        ("\"name\": \"greeter\"", "\"name\": \"Greeter!\"", "PKG_E_NAME", "name"),
        ("\"version\": \"1.2.3\"", "\"version\": \"one\"", "PKG_E_VERSION", "version"),
        ("Ada Example <ada@example.org>", "", "PKG_E_FIELD_MISSING", "package.maintainer"),
        ("Ada Example <ada@example.org>", "Ada <nowhere>", "PKG_E_MAINTAINER", "package.maintainer"),
        ("\"source\": \"notes.txt\"", "\"source\": \"../secret\"", "PKG_E_PATH", "package.files[0].source"),
        (
            "\"source\": \"notes.txt\"",
            "\"source\": \"missing\"",
            "PKG_E_FILE_MISSING",
            "package.files[0].source",
        ),
        (
            "/usr/share/doc/greeter/notes.txt",
            "/etc/greeter/greeter.conf",
            "PKG_E_DUPLICATE_FILE",
            "package.config",
        ),
        ("/usr/share/doc/greeter/notes.txt", "/usr/../etc/passwd", "PKG_E_PATH", "package.files[0].target"),
        (
            "\"link\": \"notes.txt\"",
            "\"link\": \"../../../../../etc/passwd\"",
            "PKG_E_LINK",
            "package.files[1].target",
        ),
        (
            "\"postinst\": \"postinst\"",
            "\"postinst\": \"notes.txt\"",
            "PKG_E_SCRIPT",
            "package.scripts.postinst",
        ),
        ("\"section\": \"misc\"", "\"sektion\": \"misc\"", "PKG_E_FIELD_UNKNOWN", "package.sektion"),
        ("\"man\": [\"greeter.1\"]", "\"man\": \"greeter.1\"", "PKG_E_FIELD_TYPE", "package.man"),
    ];
    for (from, to, code, field) in cases {
        let package = Package::new();
        package.edit(from, to);
        assert_eq!(package.refused("x86_64-linux", &["deb"]), (code.to_owned(), field.to_owned()), "{to}");
    }
    let package = Package::new();
    std::fs::remove_file(package.path().join("notes.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", package.path().join("notes.txt")).unwrap();
    assert_eq!(package.refused("x86_64-linux", &["deb"]).0, "PKG_E_LINK");
    package.edit("\"version\": \"1.2.3\"", "\"version\": \"1.2.99999\"");
    std::fs::remove_file(package.path().join("notes.txt")).unwrap();
    package.write("notes.txt", "x");
    assert_eq!(package.refused("x86_64-windows", &["msi"]).0, "PKG_E_VERSION");
    assert_eq!(package.refused("x86_64-windows", &["deb"]).0, "PKG_E_FORMAT");
    assert_eq!(package.refused("x86_64-linux", &["exe"]).0, "PKG_E_FORMAT");
    let kit = package.kit("x86_64-linux", &["deb"]).source_date(Some("yesterday".into()));
    assert!(matches!(
        kit.build_and_export(package.path().join("d")),
        Err(Error::Input { code: "PKG_E_SOURCE_DATE", .. })
    ));
}

#[test]
fn programs_with_errors_leave_nothing() {
    let package = Package::new();
    package.write("src/main.vit", "proc main() -> int { give \"x\" }\n");
    let dist = package.path().join("dist");
    let kit = package.kit("x86_64-linux", &["deb"]);
    assert!(matches!(kit.build_and_export(&dist), Err(Error::Program(1))));
    assert!(!dist.exists());
    assert!(BuildKit::new().in_folder(package.path()).package("nobody").is_err());
}

/// What was there before is there afterwards, and nothing else.
#[test]
fn failures_leave_what_was_there() {
    let package = Package::new();
    let made = package.make("x86_64-linux", &["deb"]);
    let dist = package.path().join("dist");
    let contents = || {
        let mut all: Vec<_> = dist.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    let before = contents();
    assert_eq!(before.len(), made.files.len());
    std::fs::remove_file(package.path().join("greeter.svg")).unwrap();
    let told = package.kit("x86_64-linux", &["deb"]).build_and_export(&dist).unwrap_err();
    assert!(matches!(told, Error::Input { code: "PKG_E_FILE_MISSING", .. }), "{told:?}");
    assert!(contents() == before);
}

#[test]
fn targets_and_formats_that_are_not_known_are_named() {
    let package = Package::new();
    let dist = package.path().join("dist");
    let told = package.kit("pdp11", &["deb"]).build_and_export(&dist).unwrap_err();
    let Error::Build(DriverError::BadInput { reason, message, help, .. }) = &told else { panic!("{told:?}") };
    assert_eq!(*reason, "UNKNOWN_TARGET");
    assert!(message.contains("pdp11") && help.contains("aarch64-linux"), "{message}: {help}");
    let told = package.kit("aarch64-windows", &["msi"]).build_and_export(&dist).unwrap_err();
    let Error::Build(DriverError::BadInput { reason, help, .. }) = &told else { panic!("{told:?}") };
    assert!(*reason == "UNSUPPORTED_TARGET" && help.contains("x86_64-windows"), "{told:?}");
    assert_eq!(package.refused("x86_64-linux", &["deb", "snap"]), ("PKG_E_FORMAT".into(), "--format".into()));
    assert!(!dist.exists());
}

/// A linker and a library that the manifest names and the machine has not.
#[test]
fn linkers_and_libraries_that_are_not_there_are_named() {
    let package = Package::new();
    let dist = package.path().join("dist");
    let with = |link: &str| {
        package.edit("\"dependencies\": {}", &format!("\"dependencies\": {{}}, \"link\": {link}"));
        let told = package.kit("x86_64-linux", &["deb"]).build_and_export(&dist).unwrap_err();
        assert!(!dist.exists());
        told
    };
    let told = with("{\"linker\": \"no-such-ld\"}");
    let Error::Build(DriverError::Tool { message, help, .. }) = &told else { panic!("{told:?}") };
    assert!(message.contains("`no-such-ld` was not found") && help.contains("embedded"), "{message}: {help}");
    if !has("cc") {
        return;
    }
    let told = with("{\"linker\": \"cc\", \"libraries\": [\"vitte-no-such-library\"]}");
    let Error::Build(DriverError::Tool { message, output, help }) = &told else { panic!("{told:?}") };
    assert!(
        message.contains("`vitte-no-such-library`") && output.contains("vitte-no-such-library"),
        "{told:?}"
    );
    assert!(help.contains("apt-get install libvitte-no-such-library-dev"), "{help}");
}

/// A file that nobody may read, as somebody who is not root sees it.
#[test]
fn files_that_cannot_be_read_are_named() {
    let package = Package::new();
    let secret = package.path().join("notes.txt");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&secret).is_ok() {
        eprintln!("SKIP: permissions do not bind this user");
    } else {
        let (code, field) = package.refused("x86_64-linux", &["deb"]);
        assert_eq!((code.as_str(), field.as_str()), ("PKG_E_FILE_UNREADABLE", "package.files[0].source"));
    }
    std::fs::remove_file(&secret).unwrap();
    std::fs::create_dir(&secret).unwrap();
    let (code, field) = package.refused("x86_64-linux", &["deb"]);
    assert_eq!((code.as_str(), field.as_str()), ("PKG_E_FILE_MISSING", "package.files[0].source"));
}

/// A file system of 24 KiB, on which no package has room: the error says so, and leaves it as it was.
#[test]
fn a_full_disk_is_told_and_left_empty() {
    let package = Package::new();
    let disk = tempfile::tempdir().unwrap();
    let place = disk.path().to_str().unwrap();
    let mounted =
        is_root() && run("mount", &["-t", "tmpfs", "-o", "size=24k", "tmpfs", place]).status.success();
    if !mounted {
        eprintln!("SKIP: a small file system cannot be mounted here");
        return;
    }
    let dist = disk.path().join("dist");
    let told = package.kit("x86_64-linux", &["deb", "rpm", "tar.gz", "zip"]).build_and_export(&dist);
    let left: Vec<_> =
        dist.read_dir().map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    ok("umount", &[place]);
    let told = told.unwrap_err();
    assert!(
        matches!(&told, Error::Io { reason, .. } if reason.kind() == std::io::ErrorKind::StorageFull),
        "{told:?}"
    );
    assert!(told.help().contains("--out"), "{}", told.help());
    assert!(left.is_empty(), "{left:?}");
    let not_a_folder = package.path().join("notes.txt");
    let told = package.kit("x86_64-linux", &["deb"]).build_and_export(not_a_folder).unwrap_err();
    assert!(matches!(told, Error::Input { code: "PKG_E_OUTPUT", .. }), "{told:?}");
}

/// Keys that are missing, public, locked, or no keys at all.
#[test]
fn keys_that_do_not_sign_are_named() {
    let package = Package::new();
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let (public, noise) = (package.path().join("key.pub"), package.path().join("noise"));
    std::fs::write(&public, pair.pk.to_box().unwrap().into_string()).unwrap();
    std::fs::write(&noise, "no key").unwrap();
    let locked = package.path().join("locked.key");
    let pair = minisign::KeyPair::generate_encrypted_keypair(Some("right".to_owned())).unwrap();
    std::fs::write(&locked, pair.sk.to_box(None).unwrap().into_string()).unwrap();
    let dist = package.path().join("dist");
    for (key, password) in [
        (package.path().join("missing"), None),
        (public, None),
        (noise, None),
        (locked.clone(), Some("wrong")),
        (locked, None),
    ] {
        let kit = package.kit("x86_64-linux", &["deb"]).sign_with(&key, password.map(str::to_owned));
        let told = kit.build_and_export(&dist).unwrap_err();
        let Error::Input { code, field, help, .. } = &told else { panic!("{told:?}") };
        assert_eq!((*code, field.as_str()), ("PKG_E_KEY", "--sign"));
        assert!(!help.is_empty() && !dist.exists());
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|data| {
        use std::os::unix::fs::MetadataExt;
        data.uid() == 0
    })
}
