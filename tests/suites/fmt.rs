//! `vitte fmt`: files, folders, standard input, `--check`, `--lines`, and what it must leave alone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use vitte_tests::process;
use vitte_tests::stage::Stage;

const UGLY: &str = "proc main()->int{\n\n\n  println( \"a\"+\"b\" )   // say\ngive 0\n}\n\n\n";
const FAIR: &str = "proc main() -> int {\n    println(\"a\" + \"b\") // say\n    give 0\n}\n";

#[test]
fn files_and_folders() {
    let stage = Stage::new();
    let read = |path: &str| std::fs::read_to_string(stage.folder().join(path)).unwrap();
    stage.write("src/main.vit", UGLY);
    stage.write("src/fair.vitl", FAIR);
    stage.write("target/made.vit", UGLY);
    stage.write("notes.txt", UGLY);
    let check = stage.vitte(&["fmt", "--check"]);
    assert_eq!((check.status, check.stdout_text().as_str()), (1, "would format src/main.vit\n"));
    assert_eq!(read("src/main.vit"), UGLY);
    let done = stage.vitte(&["fmt"]);
    assert_eq!((done.status, done.stdout_text().as_str()), (0, "formatted src/main.vit\n"));
    assert_eq!(read("src/main.vit"), FAIR);
    assert_eq!((read("target/made.vit").as_str(), read("notes.txt").as_str()), (UGLY, UGLY));
    let again = stage.vitte(&["fmt", "--check", "src"]);
    assert_eq!((again.status, again.stdout_text().as_str()), (0, ""));
}

#[test]
fn standard_input_and_lines() {
    let stage = Stage::new();
    let mut command = stage.command(&["fmt", "-"]);
    let outcome = process::run(command, UGLY.as_bytes(), std::time::Duration::from_secs(60)).unwrap();
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, FAIR));
    command = stage.command(&["fmt", "-"]);
    let broken = process::run(command, b"proc f( {", std::time::Duration::from_secs(60)).unwrap();
    assert_eq!((broken.status, broken.stdout_text().as_str()), (1, ""));
    assert!(broken.stderr_text().starts_with("<stdin>:1:"), "{}", broken.stderr_text());
    stage.write("two.vit", "const  A=1\nconst  B=2\n");
    assert_eq!(stage.vitte(&["fmt", "--lines", "2:2", "two.vit"]).status, 0);
    assert_eq!(std::fs::read_to_string(stage.folder().join("two.vit")).unwrap(), "const  A=1\nconst B = 2\n");
}

#[test]
fn what_cannot_be_formatted_stays() {
    let stage = Stage::new();
    stage.write("broken.vit", "proc f() {\n  give (1\n}\n");
    let outcome = stage.vitte(&["fmt", "broken.vit"]);
    assert_eq!(outcome.status, 1);
    assert!(outcome.stderr_text().contains("broken.vit:"), "{}", outcome.stderr_text());
    let kept = std::fs::read_to_string(stage.folder().join("broken.vit")).unwrap();
    assert_eq!(kept, "proc f() {\n  give (1\n}\n");
    std::fs::write(stage.folder().join("bytes.vit"), [0x2f, 0x2f, 0xff, 0x0a]).unwrap();
    assert_eq!(stage.vitte(&["fmt", "bytes.vit"]).status, 65);
    assert_eq!(stage.vitte(&["fmt", "missing.vit"]).status, 74);
    assert_eq!(stage.vitte(&["fmt", "-", "broken.vit"]).status, 64);
    assert_eq!(stage.vitte(&["fmt", "--lines", "3:1", "broken.vit"]).status, 64);
}
