//! Desugaring, duplicates, what is not supported yet, and early cutoff.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::sync::Arc;

use expect_test::{Expect, expect};
use salsa::Setter as _;

use super::{dump, file_diagnostics_syntax, item_hir, item_tree};
use crate::base::FileContents;
use crate::syntax::testing::{render, with_file};

fn lowers(text: &str, expected: &Expect) {
    let (db, file) = with_file(text);
    let found = render(text, file_diagnostics_syntax(&db, file));
    expected.assert_eq(&format!("{}{found}", dump::file(&db, file)));
}

#[test]
fn sugar() {
    lowers(
        "proc f(a: int) -> int {\n if a { give 1 } elif b { 2 } else { 3 }\n let x = c ? a : b\n for i = 0; i < 3; i += 1 { f(i) }\n when a is Some(y) { g(y) }\n m::C::D(1)\n assert a, \"m\"\n set z: int = +1\n proc inner() { }\n}\nentry main at x { f(1) }\n",
        &expect![[r#"
            proc f(a: int) -> int
              if a
                then:
                  value give 1
                else:
                  value if b
                    then:
                      value 2
                    else:
                      value 3
              let x = if c
                then:
                  value a
                else:
                  value b
              for let i = 0; (i < 3); set i += 1
                do:
                  value f(i)
              match a
                case Some(y):
                  value g(y)
                case _:
              m::C::D(1)
              assert(a, "m")
              let z: int = 1
              proc f.inner()
            proc main() -> int
              f(1)
        "#]],
    );
}

#[test]
fn duplicates() {
    lowers(
        "proc f(a: int, a: int) { g(P { x: 1, x: 2 }) }\nform F { a: int, a: int }\npick P { A, A }\nform P { b: int }\n",
        &expect![[r#"
            proc f(a: int, a: int)
              g(P {x: 1})
            form F
              a: int
            pick P
              A()
            form P
              b: int
            1:16-17 SEM0011 parameter `a` is declared twice | declared again here
              also 1:8-9 first declared here
            1:38-39 SEM0013 field `x` is given twice | given again here
              also 1:32-33 first given here
            2:18-19 SEM0013 field `a` is declared twice | declared again here
              also 2:10-11 first declared here
            3:13-14 SEM0013 variant `A` is declared twice | declared again here
              also 3:10-11 first declared here
            4:6-7 SEM0012 item `P` is declared twice | declared again here
              also 3:6-7 first declared here
        "#]],
    );
}

#[test]
fn not_supported_yet() {
    lowers(
        "region T { proc a(); proc b(); }\nmacro m { }\nproc f(x: *int) { let g = |a| a\n defer { f() }\n use a }\n",
        &expect![[r#"
            proc f(x: *int)
              let g = |a| a
              defer
                value f()
            1:1-9 SEM0901 not supported yet: regions | no meaning so far
            2:1-8 SEM0901 not supported yet: macros | no meaning so far
            5:2-7 SEM0901 not supported yet: this declaration inside a block | no meaning so far
        "#]],
    );
}

#[test]
fn formatting_changes_no_hir() {
    let (mut db, file) = with_file("proc f() -> int { give 1 + 2 }\n");
    let id = item_tree(&db, file).items[0].id;
    let before = item_hir(&db, id).clone();
    file.set_contents(&mut db)
        .to(FileContents::Text(Arc::from("// note\nproc f()\n  -> int {\n  give 1\n    + 2;\n}\n")));
    assert_eq!(&before, item_hir(&db, id));
    assert_eq!(id, item_tree(&db, file).items[0].id);
}
