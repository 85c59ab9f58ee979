#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::{Path, PathBuf};

use super::{FormatError, LineRange, format_text};
use crate::base::testing::TestDb;

fn format(text: &str) -> String {
    let db = TestDb::new("//- main.vit\n");
    format_text(db.source("main.vit"), text, None).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

#[track_caller]
fn becomes(text: &str, wanted: &str) {
    let once = format(text);
    assert_eq!(once, wanted);
    assert_eq!(format(&once), wanted, "a second time");
}

#[test]
fn spaces() {
    becomes(
        "proc f(a:int,b :int=2)->int{give a+b*-a}\n",
        "proc f(a: int, b: int = 2) -> int { give a + b * -a }\n",
    );
    becomes(
        "proc g<T : A+B>(x:ref  mut [T] ,f:proc( T)->bool)->Option <T>{ }",
        "proc g<T: A + B>(x: ref mut [T], f: proc(T) -> bool) -> Option<T> { }\n",
    );
    becomes(
        "proc h(){let m=xs [1 : 2];set m.a [ i ]=(1<<2)<x;f (x)?;let y=a?b:c;let z=|u,v|u|v}",
        "proc h() { let m = xs[1:2]; set m.a[i] = (1 << 2) < x; f(x)?; let y = a ? b : c; let z = |u, v| u | v }\n",
    );
    becomes("use a / b.{ x,y as z }\nuse c/d.*\nexport  *", "use a/b.{x, y as z}\nuse c/d.*\nexport *\n");
    becomes(
        "proc k() { for i in 0 .. n-1 { if(not a)and b { give (1) } } let p=Point{x:1,..base} }",
        "proc k() { for i in 0..n - 1 { if (not a) and b { give (1) } } let p = Point { x: 1, ..base } }\n",
    );
    becomes(
        "proc l() { let a = - - b; let c = x - -y; give &mut  z }",
        "proc l() { let a = - -b; let c = x - -y; give &mut z }\n",
    );
}

#[test]
fn indentation() {
    becomes(
        "proc f(\na: int,\n) -> int {\nlet x =\na\n+ b\nif a\nand b {\ngive g(Foo {\na: 1,\n}, |x| {\nx\n})\n}\nelse {\n}\n\n\n\ngive x\n}\n",
        "proc f(\n    a: int,\n) -> int {\n    let x =\n        a\n        + b\n    if a\n        and b {\n        give g(Foo {\n            a: 1,\n        }, |x| {\n            x\n        })\n    }\n    else {\n    }\n\n    give x\n}\n",
    );
}

#[test]
fn comments_stay() {
    becomes(
        "// one\n\n\n/// two\nproc f() {   // three\n\n  /* four */ let x = 1 <<< five\n six >>>\n# seven\n}\n// eight",
        "// one\n\n/// two\nproc f() { // three\n    /* four */ let x = 1 <<< five\n six >>>\n    # seven\n}\n// eight\n",
    );
    becomes("", "");
    becomes("\n\n// only\n\n", "// only\n");
}

#[test]
fn broken_text_is_refused_and_ranges_leave_the_rest() {
    let db = TestDb::new("//- main.vit\n");
    let file = db.source("main.vit");
    assert!(matches!(format_text(file, "proc f( {", None), Err(FormatError::Syntax(_))));
    let text = "proc  a() { }\nproc  b() { }\nproc  c() { }\n";
    let range = Some(LineRange { first: 2, last: 2 });
    assert_eq!(format_text(file, text, range).unwrap(), "proc  a() { }\nproc b() { }\nproc  c() { }\n");
}

fn programs(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            programs(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "vit" || extension == "vitl") {
            out.push(path);
        }
    }
}

/// That tokens and comments stay is checked by `format_text` itself.
#[test]
fn every_program_of_the_repository_formats_once_and_for_all() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    for folder in ["daemon/compiler/src/runtime", "examples", "tests/programs", "tests/benches"] {
        programs(&root.join(folder), &mut paths);
    }
    let db = TestDb::new("//- main.vit\n");
    let file = db.source("main.vit");
    let mut formatted = 0;
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        match format_text(file, &text, None) {
            Ok(once) => {
                let twice = format_text(file, &once, None);
                assert_eq!(twice.as_deref(), Ok(once.as_str()), "{}", path.display());
                formatted += 1;
            }
            Err(FormatError::Syntax(_)) => {}
            Err(FormatError::Unsafe(at)) => panic!("{}: byte {at} would change", path.display()),
        }
    }
    assert!(formatted > 300, "{formatted}");
}

/// Ranges of each program: what stands before and behind one stays byte for byte.
#[test]
fn ranges_of_every_program_leave_the_rest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    programs(&root.join("tests/programs"), &mut paths);
    let db = TestDb::new("//- main.vit\n");
    let file = db.source("main.vit");
    let mut formatted = 0;
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let count = lines.len() as u32;
        for (first, last) in [(1, 1), (count / 3 + 1, count / 2 + 1), (count / 2 + 1, count)] {
            let (first, last) = (first.min(count.max(1)), last.min(count.max(1)));
            let Ok(fresh) = format_text(file, &text, Some(LineRange { first, last })) else { continue };
            let before = lines[..(first as usize - 1).min(lines.len())].concat();
            let behind = lines[(last as usize).min(lines.len())..].concat();
            assert!(fresh.starts_with(&before), "{}:{first}:{last}: before", path.display());
            assert!(fresh.ends_with(&behind), "{}:{first}:{last}: behind", path.display());
            formatted += 1;
        }
    }
    assert!(formatted > 300, "{formatted}");
}
