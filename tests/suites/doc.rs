//! `vitte doc` and `vitte test --doc`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use vitte_tests::stage::Stage;

const SHAPES: &str = "space demo/shapes\n\n// Shapes and their sizes.\n\n/// The area of a square.\n///\n/// ```vitte\n\
    /// assert(area(3) == 9)\n/// ```\nexport proc area(side: int) -> int {\n    give side * side\n}\n\n\
    /// Twice as much.\n///\n/// ```vitte\n/// assert(twice(2) == WRONG)\n/// ```\n\
    export proc twice(n: int) -> int { give n * 2 }\n";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.write(
        "vitte-package.json",
        r#"{"schema": "vitte.package.manifest.v1", "name": "demo", "version": "0.1.0", "kind": "binary",
            "entry": "src/main.vit", "dependencies": {}, "tests": [], "description": "Shapes & more."}"#,
    );
    stage.write("src/main.vit", "use shapes\nproc main() -> int { give shapes.area(0) }\n");
    stage.write("src/shapes.vit", SHAPES.replace("WRONG", "4"));
    stage
}

/// All files below a folder by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), out);
            } else {
                out.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(folder, "", &mut out);
    out
}

#[test]
fn pages_of_a_package() {
    let stage = stage();
    let outcome = stage.vitte(&["doc"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
    let said = outcome.stdout_text();
    assert_eq!(said, "documented 2 modules with 2 exported declarations: target/doc/index.html\n");
    let pages = files(&stage.folder().join("target/doc"));
    let names: Vec<&str> = pages.keys().map(String::as_str).collect();
    let expected = [
        "index.html",
        "main.html",
        "search-index.js",
        "search.js",
        "shapes.html",
        "source/main.html",
        "source/shapes.html",
        "style.css",
    ];
    assert_eq!(names, expected);
    let text = |name: &str| String::from_utf8(pages[name].clone()).unwrap();
    assert!(text("index.html").contains("Shapes &amp; more."));
    assert!(text("shapes.html").contains("The area of a square.") && text("shapes.html").contains("#L10"));
    // The same again, elsewhere, gives the same bytes.
    assert_eq!(stage.vitte(&["doc", "--out", "other"]).status, 0);
    assert_eq!(files(&stage.folder().join("other")), pages);
}

#[test]
fn pages_of_the_library() {
    let stage = Stage::new();
    let outcome = stage.vitte(&["doc", "--library", "--out", "library"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
    let pages = files(&stage.folder().join("library"));
    assert!(pages.contains_key("strings/search.html") && pages.contains_key("source/os/file.html"));
    for (name, text) in &pages {
        let text = String::from_utf8_lossy(text);
        for far in ["src=\"http", "url(http", "@import", "fetch("] {
            assert!(!text.contains(far), "{name} needs the network: {far}");
        }
    }
}

#[test]
fn examples_are_tests() {
    let stage = stage();
    let good = stage.vitte(&["test", "--doc"]);
    assert_eq!(good.status, 0, "{}{}", good.stdout_text(), good.stderr_text());
    assert!(good.stdout_text().contains("test shapes, line 7 ... ok"), "{}", good.stdout_text());
    stage.write("src/shapes.vit", SHAPES.replace("WRONG", "5"));
    let bad = stage.vitte(&["test", "--doc"]);
    assert_eq!(bad.status, 1, "{}", bad.stderr_text());
    let text = bad.stdout_text();
    assert!(
        text.contains("test shapes, line 7 ... ok") && text.contains("left:  4") && text.contains("right: 5"),
        "{text}"
    );
}

#[test]
fn a_folder_without_a_package_has_no_pages() {
    let stage = Stage::new();
    let outcome = stage.vitte(&["doc"]);
    assert_eq!(outcome.status, 65, "{}", outcome.stderr_text());
}
