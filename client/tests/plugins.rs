//! Plugins against the real service: built from the examples, checked, loaded, used by `check` and `build`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use support::Home;

/// A user with the example in Vitte, built.
struct User {
    home: Home,
}

impl User {
    fn new() -> Self {
        let home = Home::new();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins/tidy");
        std::fs::create_dir_all(home.join("tidy/src")).unwrap();
        for file in ["vitte-package.json", "src/tidy.vit"] {
            std::fs::copy(example.join(file), home.join("tidy").join(file)).unwrap();
        }
        let user = Self { home };
        user.says(&["build", "tidy", "--emit", "vitplug", "-o", "tidy.vitplug"]);
        user
    }

    fn vitte(&self, args: &[&str]) -> Output {
        self.home.vitte(args).output().unwrap()
    }

    fn says(&self, args: &[&str]) -> String {
        let output = self.vitte(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The status and what it says on standard error.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.vitte(args);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.home.join(file), text).unwrap();
    }
}

#[test]
fn a_plugin_takes_part_in_checks_and_builds() {
    let user = User::new();
    assert_eq!(user.says(&["plugin", "list"]), "no plugins are loaded\n");
    let checked = user.says(&["plugin", "check", "tidy.vitplug"]);
    assert!(checked.contains("contributes  build, diagnostics, formatter, panels"), "{checked}");
    assert!(checked.ends_with("it can be loaded\n"), "{checked}");
    assert_eq!(user.says(&["plugin", "load", "tidy.vitplug"]), "loaded example:tidy 1.0.0\n");
    let (status, said) = user.fails(&["plugin", "load", "tidy.vitplug"]);
    assert!(status == 65 && said.contains("is there already"), "{status} {said}");

    user.write("main.vit", "proc main() -> int {\n\tgive 0\n}\n");
    let output = user.vitte(&["check", "main.vit"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "a warning is no error: {said}");
    assert!(said.contains("example:tidy/TAB") && said.contains("main.vit:2:1"), "{said}");
    let said =
        String::from_utf8(user.vitte(&["build", "main.vit", "-o", "main", "--verbose"]).stderr).unwrap();
    assert!(user.home.join("main").is_file(), "{said}");
    assert!(said.contains("tidy has seen main"), "{said}");
    user.write("forbidden.vit", "proc main() -> int { give 0 }\n");
    let (status, said) = user.fails(&["build", "forbidden.vit", "-o", "forbidden"]);
    assert!(status == 2 && said.contains("a program of this name is not built"), "{status} {said}");
    assert!(!user.home.join("forbidden").exists());

    user.write("b.vit", "let a = 1  \n");
    assert_eq!(user.says(&["plugin", "format", "example:tidy", "b.vit"]), "let a = 1\n");
    let panel: Value = serde_json::from_str(&user.says(&["plugin", "panels"])).unwrap();
    assert_eq!((&panel["plugin"], &panel["id"]), (&"example:tidy".into(), &"rules".into()));
    assert!(user.says(&["plugin", "panels", "example:tidy", "rules"]).contains("no tabs"));
    let (status, said) = user.fails(&["plugin", "render", "example:tidy", "b.vit"]);
    assert!(status == 65 && said.contains("does not contribute `documentation`"), "{status} {said}");
    let info: Value =
        serde_json::from_str(&user.says(&["plugin", "info", "example:tidy", "--json"])).unwrap();
    assert_eq!((&info["state"], &info["faults"]), (&"active".into(), &0.into()));

    // The next service knows it.
    user.says(&["daemon", "stop"]);
    let list = user.says(&["plugin", "list"]);
    assert_eq!(list, "example:tidy 1.0.0  waiting  build, diagnostics, formatter, panels\n");
    assert_eq!(user.says(&["plugin", "unload", "example:tidy"]), "unloaded example:tidy 1.0.0\n");
    let said = String::from_utf8(user.vitte(&["check", "main.vit"]).stderr).unwrap();
    assert!(!said.contains("tidy"), "{said}");
}

#[test]
fn fmt_asks_plugins_for_files_of_their_types() {
    let user = User::new();
    let manifest = std::fs::read_to_string(user.home.join("tidy/vitte-package.json")).unwrap();
    let more = manifest.replace("\"on-file-type:.vit\"", "\"on-file-type:.vit\", \"on-file-type:.note\"");
    assert_ne!(manifest, more);
    user.write("tidy/vitte-package.json", &more);
    user.says(&["build", "tidy", "--emit", "vitplug", "-o", "notes.vitplug"]);
    std::fs::create_dir(user.home.join("here")).unwrap();
    user.write("here/a.note", "one  \ntwo\n");
    user.write("here/b.txt", "left alone  \n");
    user.write("here/c.vit", "proc main()->int{give 0}\n");
    // Before there is a plugin, they are nobody's.
    assert_eq!(user.says(&["fmt", "here"]), "formatted here/c.vit\n");
    user.says(&["plugin", "load", "notes.vitplug"]);
    let checked = user.vitte(&["fmt", "--check", "here"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), "would format here/a.note\n");
    assert_eq!(user.says(&["fmt", "here"]), "formatted here/a.note\n");
    assert_eq!(std::fs::read_to_string(user.home.join("here/a.note")).unwrap(), "one\ntwo\n");
    assert_eq!(std::fs::read_to_string(user.home.join("here/b.txt")).unwrap(), "left alone  \n");
    assert_eq!(user.says(&["fmt", "here"]), "");
    let (status, said) = user.fails(&["fmt", "here/a.note", "--lines", "1:1"]);
    assert!(status == 64 && said.contains("`example:tidy` formats whole files alone"), "{status} {said}");
    // Sources have one style, whoever else would like to format them.
    user.write("here/c.vit", "proc main() -> int {\n  give 0\n}\n");
    user.says(&["fmt", "here"]);
    let info: Value =
        serde_json::from_str(&user.says(&["plugin", "info", "example:tidy", "--json"])).unwrap();
    assert_eq!(info["calls"], 4, "each time `here` was formatted, once for its one file: {info}");
}

#[test]
fn what_is_no_plugin_is_refused_with_the_reasons() {
    let user = User::new();
    user.write("maths.vit", "export add\nproc add(a: int, b: int) -> int { give a + b }\n");
    user.says(&["build", "maths.vit", "--emit", "vitmod", "-o", "maths.vitmod"]);
    let output = user.vitte(&["plugin", "check", "maths.vitmod"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(
        said.contains("it is a module and no plugin") && said.contains("it contributes nothing"),
        "{said}"
    );
    let (status, said) = user.fails(&["plugin", "load", "maths.vitmod"]);
    assert!(status == 65 && said.contains("vitte plugin check"), "{status} {said}");
    // It is a module all the same.
    assert_eq!(user.says(&["load", "maths.vitmod"]), "loaded local:maths generation 1, 1 function\n");
    assert_eq!(user.says(&["call", "local:maths", "add(40, 2)"]), "42\n");
    let (status, said) = user.fails(&["plugin", "info", "nobody"]);
    assert!(status == 65 && said.contains("there is no plugin `nobody`"), "{status} {said}");
}

#[test]
fn a_signature_of_a_trusted_key_is_named() {
    let user = User::new();
    let (status, said) = user.fails(&["plugin", "verify", "tidy.vitplug"]);
    assert!(status == 77 && said.contains("is not signed by a key that is trusted"), "{status} {said}");
    user.says(&["key", "generate", "work", "--no-password", "--folder", "."]);
    user.says(&["key", "trust", "work.pub"]);
    user.says(&["key", "sign", "tidy.vitplug", "--key", "./work.key"]);
    assert_eq!(user.says(&["plugin", "verify", "tidy.vitplug"]), "example:tidy is signed by work\n");
    let mut bytes = std::fs::read(user.home.join("tidy.vitplug")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(user.home.join("tidy.vitplug"), bytes).unwrap();
    assert_ne!(user.vitte(&["plugin", "check", "tidy.vitplug"]).status.code(), Some(0));
}
