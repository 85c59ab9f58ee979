//! Tests of name resolution and signatures over whole fixtures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::fmt::Write;

use expect_test::{Expect, expect};

use super::scope::{Binding, exports, module_scope};
use super::{
    Resolution, ResolvedPath, const_ty, core_item, entry_point, form_data, pick_data, place_span, proc_data,
    program_diagnostics, program_modules, resolve_path, ty_name, variants_in_scope,
};
use crate::base::testing::TestDb;
use crate::base::{Db, Diagnostic, FileContents, LineIndex, Options, Place};
use crate::lower::hir::Ident;
use crate::lower::{ItemId, ItemKind, NodeId, item_tree};

fn item(db: &TestDb, path: &str, name: &str) -> ItemId {
    let tree = item_tree(db, db.source(path));
    tree.items.iter().map(|entry| entry.id).find(|id| id.name(db) == name).expect("the item exists")
}

fn show_place(db: &TestDb, place: Place) -> String {
    let (file, span) = place_span(db, place);
    let FileContents::Text(text) = file.contents(db) else { return file.path(db).to_string() };
    let (line, column) = LineIndex::new(&text).line_column(&text, span.start);
    format!("{}:{line}:{column} `{}`", file.path(db), &text[span.start as usize..span.end as usize])
}

fn show(db: &TestDb, diagnostic: &Diagnostic) -> String {
    let mut out = format!("{} {}\n", diagnostic.code.code, diagnostic.message);
    for label in &diagnostic.labels {
        writeln!(out, "  {}: {}", show_place(db, label.place), label.message).unwrap();
    }
    for note in &diagnostic.notes {
        writeln!(out, "  note: {note}").unwrap();
    }
    for help in &diagnostic.helps {
        writeln!(out, "  help: {help}").unwrap();
    }
    for suggestion in &diagnostic.suggestions {
        writeln!(out, "  suggest: {} -> `{}`", suggestion.message, suggestion.replacement).unwrap();
    }
    assert!(!diagnostic.labels.is_empty(), "{out}has no label");
    assert!(!diagnostic.notes.is_empty(), "{out}has no note");
    assert!(!(diagnostic.helps.is_empty() && diagnostic.suggestions.is_empty()), "{out}says not what to do");
    out
}

#[track_caller]
fn check(fixture: &str, expected: &Expect) {
    let db = TestDb::new(fixture);
    let program = db.program();
    let shown: String =
        program_diagnostics(&db, program).iter().map(|diagnostic| show(&db, diagnostic)).collect();
    expected.assert_eq(&shown);
}

fn path(names: &str) -> Vec<Ident> {
    names.split('.').map(|name| Ident { name: name.into(), node: NodeId(0) }).collect()
}

fn resolve(db: &TestDb, owner: ItemId, names: &str) -> String {
    match resolve_path(db, owner, &path(names)) {
        ResolvedPath::Found { resolution, used } => {
            let found = match resolution {
                Resolution::Item(item) => format!("{}:{}", item.file(db).path(db), item.name(db)),
                Resolution::Variant { pick, index } => format!("{}#{index}", pick.name(db)),
                Resolution::Module(file) => format!("module {}", file.path(db)),
            };
            format!("{found} ({used})")
        }
        ResolvedPath::Unknown => "unknown".to_owned(),
        ResolvedPath::Failed(diagnostic) => {
            diagnostic.map_or("reported".to_owned(), |d| d.code.code.to_owned())
        }
    }
}

#[test]
fn paths_go_through_qualifiers_types_and_variants() {
    let db = TestDb::new(
        "//- main.vit
use demo/paint as p
use demo/paint.{Color as Hue, mix}
type Alias = p.Color
pick Way { Up, Down }
const ORIGIN: int = 0
proc main() -> int { give 0 }
//- demo/paint.vit
export *
pick Color { Red, Green }
proc mix() -> Color { give Red }
form Brush { width: int }
",
    );
    let main = item(&db, "main.vit", "main");
    let resolve = |names| resolve(&db, main, names);
    assert_eq!(resolve("p.mix"), "demo/paint.vit:mix (2)");
    assert_eq!(resolve("p.Color.Red"), "Color#0 (3)");
    assert_eq!(resolve("Hue.Green"), "Color#1 (2)");
    assert_eq!(resolve("Alias.Green"), "Color#1 (2)");
    assert_eq!(resolve("mix"), "demo/paint.vit:mix (1)");
    assert_eq!(resolve("Way.Down"), "Way#1 (2)");
    assert_eq!(resolve("ORIGIN.x.y"), "main.vit:ORIGIN (1)");
    assert_eq!(resolve("p"), "module demo/paint.vit (1)");
    assert_eq!(resolve("Option.Some"), "Option#0 (2)");
    assert_eq!(resolve("nothing"), "unknown");
    assert_eq!(resolve("Color"), "unknown");
    assert_eq!(resolve("p.nothing"), "RES0066");
    assert_eq!(resolve("Way.Left"), "TYP0247");
    assert_eq!(resolve("p.Brush.width"), "TYP0247");
}

#[test]
fn bare_variants_come_from_picks_in_scope_and_then_from_the_prelude() {
    let db = TestDb::new(
        "//- main.vit
use a.{Level}
use b
proc main() -> int { give 0 }
//- a.vit
export *
pick Level { None, High }
//- b.vit
export *
pick Other { High }
",
    );
    let names = |name: &str| -> Vec<String> {
        let found = variants_in_scope(&db, db.source("main.vit"), name);
        found.iter().map(|(pick, index)| format!("{}#{index}", pick.name(&db))).collect()
    };
    assert_eq!(names("High"), ["Level#1"]);
    assert_eq!(names("None"), ["Level#0"]);
    assert_eq!(names("Some"), ["Option#0"]);
    assert_eq!(names("Err"), ["Result#1"]);
    assert!(core_item(&db, ItemKind::Proc, "string_concat").is_some());
}

#[test]
fn reexports_pass_through_circles() {
    let db = TestDb::new(
        "//- main.vit
use all.*
proc main() -> int { give 0 }
//- all.vit
use left
use right.{deep as shallow, both}
export *
//- left.vit
use all
export *
proc both() {}
proc one() {}
//- right.vit
export *
proc deep() {}
proc both() {}
proc hidden() {}
",
    );
    let shown: Vec<String> = exports(&db, db.source("all.vit"))
        .iter()
        .map(|(name, binding)| match binding {
            Binding::Item(item) => format!("{name} = {}", item.file(&db).path(&db)),
            Binding::Ambiguous(items) => format!("{name} is one of {}", items.len()),
            Binding::Module(_) | Binding::Error => panic!("not an export"),
        })
        .collect();
    assert_eq!(shown, ["both is one of 2", "one = left.vit", "shallow = right.vit"]);
    let scope = module_scope(&db, db.source("main.vit"));
    assert!(matches!(scope.lookup("both"), Some(Binding::Ambiguous(items)) if items.len() == 2));
    // In the circle every name of `all` is one of `left` too, but its own win.
    assert!(matches!(exports(&db, db.source("left.vit")).get("both"), Some(Binding::Item(_))));
    assert!(exports(&db, db.source("left.vit")).contains_key("shallow"));
    assert_eq!(program_diagnostics(&db, db.program()).len(), 0);
}

#[test]
fn import_and_export_errors() {
    check(
        "//- main.vit
use lib.{shwo, secret, Thing}
use lib.{one}
use two.{one}
use demo/missing
use lib as two
use two
export nothing, main as m, one as m
proc Thing() {}
proc main() -> int { give 0 }
//- lib.vit
export show, one, Thing
proc show() {}
proc secret() {}
proc one() {}
form Thing { x: int }
//- two.vit
export *
proc one() {}
",
        &expect![[r#"
            RES0066 `lib.vit` has no item `shwo`
              main.vit:1:10 `shwo`: no such exported name
              note: `lib.vit` exports a name much like it
              suggest: did you mean `show`? -> `show`
            RES0070 `secret` is private to `lib.vit`
              main.vit:1:16 `secret`: not exported by its module
              lib.vit:3:6 `secret`: `secret` is declared here
              note: nothing is visible outside its module unless it is exported
              help: write `export secret` in `lib.vit`
            SEM0010 the name `Thing` is bound twice
              main.vit:1:24 `Thing`: `Thing` of `lib.vit` is imported here
              main.vit:8:6 `Thing`: `Thing` of `main.vit` is bound here
              note: `Thing` would mean two different items in this module
              suggest: import it under another name -> `Thing as other_Thing`
            SEM0010 the name `one` is bound twice
              main.vit:3:10 `one`: `one` of `two.vit` is imported here
              main.vit:2:10 `one`: `one` of `lib.vit` is bound here
              note: `one` would mean two different items in this module
              suggest: import it under another name -> `one as other_one`
            RES0067 module `demo/missing` not found
              main.vit:4:5 `demo/missing`: no file for this module
              note: looked for `demo/missing.vit`, `demo/missing.vitl`, `demo/missing/mod.vit`, `demo/missing/index.vit`, `src/demo/missing.vit`, `src/demo/missing.vitl`, `src/demo/missing/mod.vit`, `src/demo/missing/index.vit` and 8 more
              help: create `demo/missing.vit`, or correct the path
            SEM0010 two modules are imported as `two`
              main.vit:6:5 `two`: `two` is `two.vit` here
              main.vit:5:12 `two`: `two` is `lib.vit` here
              note: `two.x` could mean an item of either module
              help: give one of them another name: `use … as other_two`
            SEM0018 cannot export `nothing`: this module has no such item
              main.vit:7:8 `nothing`: unknown name
              note: a module can export its own items and the names it imports
              suggest: there is an item `Thing` -> `Thing`
            SEM0018 two items are exported as `m`
              main.vit:7:35 `m`: this exports `one`
              main.vit:7:25 `m`: this exports `main`
              note: a public name stands for one item
              help: export one of them under another name with `as`
        "#]],
    );
}

#[test]
fn type_errors_in_signatures() {
    check(
        "//- main.vit
use shapes as s
form Node { value: i31, next: Node, pair: (int, Wrap<Node>) }
form Wrap<T> { inner: T }
form Tree { kids: [Tree], up: Option<Tree> }
pick Level { Low = 2, High = 2, Top }
pick Load { A(x: int, x: int) }
type A = B
type B = [A]
type P0 = (int, int)
proc f(a: Option, b: s.Box<int>, c: Srting, d: main, e: Level<int>) -> m.X { }
proc g<T, T>(x: T, y: s.Hidden) {}
proc main(n: int) -> string { give \"\" }
//- shapes.vit
export Box
form Box { n: int }
form Hidden { n: int }
",
        &expect![[r#"
            TYP0249 unknown type `i31`
              main.vit:2:20 `i31`: not declared, imported or built in
              note: a type of a similar name is in scope
              suggest: did you mean `i32`? -> `i32`
            TYP0941 the form `Node` contains itself
              main.vit:2:31 `Node`: the field `next` holds a `Node`
              main.vit:2:6 `Node`: a value of `Node` would have no end
              note: a form holds its fields by value, so it cannot hold one of its own kind
              help: hold it where there may be none: `next: Option<Node>` or `next: [Node]`
            SEM0941 the variants `Low` and `High` both have the ordinal 2
              main.vit:5:23 `High`: has the ordinal 2
              main.vit:5:14 `Low`: has the ordinal 2 already
              note: a variant without `= N` follows the one before it
              help: give one of them another ordinal
            SEM0013 payload field `x` is declared twice
              main.vit:6:23 `x`: declared again here
              main.vit:6:15 `x`: first declared here
              note: only the first declaration counts
              help: rename or remove one of the two
            TYP0942 the type `A` stands for itself
              main.vit:7:10 `B`: leads back to `A`
              main.vit:7:6 `A`: declared here
              note: an alias is replaced by what it stands for, which would never end here
              help: declare a `form` or a `pick` if the type is meant to contain itself
            TYP0942 the type `B` stands for itself
              main.vit:8:10 `[A]`: leads back to `B`
              main.vit:8:6 `B`: declared here
              note: an alias is replaced by what it stands for, which would never end here
              help: declare a `form` or a `pick` if the type is meant to contain itself
            TYP0940 `Option` takes 1 type argument, but 0 are given
              main.vit:10:11 `Option`: expected 1 type argument
              <core>/option.vit:3:6 `Option`: `Option` is declared here
              note: in a type, every type argument is written out
              help: write `Option<T>` with types in these places
            TYP0940 `Box` takes 0 type arguments, but 1 is given
              main.vit:10:22 `s.Box<int>`: expected 0 type arguments
              shapes.vit:2:6 `Box`: `Box` is declared here
              note: `Box` is not generic
              help: write `Box`
            TYP0249 unknown type `Srting`
              main.vit:10:37 `Srting`: not declared, imported or built in
              note: a type of a similar name is in scope
              suggest: did you mean `string`? -> `string`
            TYP0249 `main` is a proc, not a type
              main.vit:10:48 `main`: expected a type
              main.vit:12:6 `main`: `main` is declared here
              note: types are built-in ones, forms, picks, aliases and type parameters
              help: write the name of a type here
            TYP0940 `Level` takes 0 type arguments, but 1 is given
              main.vit:10:57 `Level<int>`: expected 0 type arguments
              main.vit:5:6 `Level`: `Level` is declared here
              note: `Level` is not generic
              help: write `Level`
            TYP0249 unknown module or type `m`
              main.vit:10:72 `m`: not declared, imported or built in
              note: types are built-in ones, forms, picks, aliases and type parameters
              help: declare `form m { … }` or import it with `use`
            SEM0011 type parameter `T` is declared twice
              main.vit:11:11 `T`: declared again here
              main.vit:11:8 `T`: first declared here
              note: only the first declaration counts
              help: give every type parameter a name of its own
            RES0070 `Hidden` is private to `shapes.vit`
              main.vit:11:25 `Hidden`: not exported by its module
              shapes.vit:3:6 `Hidden`: `Hidden` is declared here
              note: nothing is visible outside its module unless it is exported
              help: write `export Hidden` in `shapes.vit`
            SEM0942 a program cannot start with this `main`
              main.vit:12:6 `main`: its parameter is not a `[string]`
              note: `main` takes nothing, or the program's arguments as one `[string]`
              help: write `proc main() -> int` or `proc main(args: [string]) -> int`
            SEM0943 the result of `main` is a `string`, which is no exit status
              main.vit:12:6 `main`: the program's exit status will be 0
              note: an integer result is the exit status, modulo 256
              help: write `-> int`, or no result
        "#]],
    );
}

#[test]
fn signatures_are_resolved() {
    let db = TestDb::new(
        "//- main.vit
use shapes as s
type Pair<A> = (A, s.Box<int>)
pick Found<T> { Hit(item: T, int), Miss = 7, Late }
form Rect<T> { side: T, tags: list[string], f: proc(int) -> bool }
const LIMIT: u8 = 3
proc f<T>(a: ref mut [T], ref b: Pair<T>, c: ?string, d: str) -> Result<unit, Found<T>> { give Ok(f) }
proc main() -> int { give 0 }
//- shapes.vit
export *
form Box<T> { value: T }
",
    );
    let data = proc_data(&db, item(&db, "main.vit", "f"));
    let params: Vec<String> = data.params.iter().map(|param| ty_name(&db, &param.ty)).collect();
    assert_eq!(params, ["ref mut [T]", "ref (T, Box<int>)", "Option<string>", "string"]);
    assert_eq!(ty_name(&db, &data.ret), "Result<unit, Found<T>>");
    let form = form_data(&db, item(&db, "main.vit", "Rect"));
    let fields: Vec<String> =
        form.fields.iter().map(|(name, ty)| format!("{name}: {}", ty_name(&db, ty))).collect();
    assert_eq!(fields, ["side: T", "tags: [string]", "f: proc(int) -> bool"]);
    let pick = pick_data(&db, item(&db, "main.vit", "Found"));
    let ordinals: Vec<i128> = pick.variants.iter().map(|variant| variant.ordinal).collect();
    assert_eq!((ordinals.as_slice(), pick.plain), ([0, 7, 8].as_slice(), false));
    assert_eq!(ty_name(&db, const_ty(&db, item(&db, "main.vit", "LIMIT"))), "u8");
}

#[test]
fn hostile_types_are_answered_in_bounded_time() {
    let mut text = String::from(
        "type T0 = (int, int)\nform Grow<T> { next: Other<[T]> }\nform Other<T> { back: Grow<(T, T)> }\n",
    );
    for n in 1..60 {
        writeln!(text, "type T{n} = (T{}, T{})", n - 1, n - 1).unwrap();
    }
    text.push_str("type Odd = Odd.X\ntype Even = [Even.Y]\nproc main() -> int { give 0 }\n");
    let db = TestDb::new(&text);
    let diagnostics = program_diagnostics(&db, db.program());
    let codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.code).collect();
    assert!(codes.contains(&"TYP0944"), "{codes:?}");
    assert!(codes.contains(&"TYP0941"), "{codes:?}");
    assert!(codes.contains(&"TYP0942"), "{codes:?}");
}

#[test]
fn local_procs_are_checked_too() {
    let db = TestDb::new(
        "proc main() -> int {\n    if true { proc inner(n: Nope) { proc deep() -> Nada { } } }\n    give 0\n}\n",
    );
    let shown: Vec<String> =
        program_diagnostics(&db, db.program()).iter().map(|d| d.message.clone()).collect();
    assert_eq!(shown, ["unknown type `Nope`", "unknown type `Nada`"]);
}

#[test]
fn procs_without_a_body_belong_to_the_prelude() {
    check(
        "proc puts(s: usize) -> i32;\nproc main() -> int { give 0 }\n",
        &expect![[r#"
        SEM0901 procs without a body are not supported yet
          main.vit:1:6 `puts`: `puts` has no body
          note: a proc is declared where it is defined
          help: give the proc a body in braces
    "#]],
    );
}

#[test]
fn programs_start_at_the_main_of_their_entry() {
    let db = TestDb::new(
        "//- a.vit\nuse b\n//- b.vit\nuse c\nexport *\nproc main() -> int { give 0 }\n//- c.vit\n//- d.vit\n",
    );
    let program = db.program();
    let paths: Vec<String> =
        program_modules(&db, program).iter().map(|file| file.path(&db).to_string()).collect();
    assert_eq!(paths, ["a.vit", "b.vit", "c.vit"]);
    assert_eq!(entry_point(&db, program).unwrap_err().code.code, "LNK0071");
    assert!(program_diagnostics(&db, program).is_empty());
    let db = TestDb::new("proc main(args: list[string]) -> u64 { give 0 }\n");
    assert!(entry_point(&db, db.program()).is_ok());
}

#[test]
fn import_circles_are_reported_under_the_strict_profile_only() {
    let db = TestDb::new("//- a.vit\nuse b\n//- b.vit\nuse c\n//- c.vit\nuse a\n");
    assert!(program_diagnostics(&db, db.program()).is_empty());
    let strict = db.program_with(Options { strict: true, ..Options::default() });
    let shown: String =
        program_diagnostics(&db, strict).iter().map(|diagnostic| show(&db, diagnostic)).collect();
    expect![[r#"
        RES0065 modules import each other in a circle
          a.vit:1:5 `b`: this import is part of the circle
          note: the circle is `a.vit` → `b.vit` → `c.vit` → `a.vit`
          note: circles are rejected under the strict profile only
          help: move what both modules need to a third one
    "#]]
    .assert_eq(&shown);
}

#[test]
fn an_edit_in_a_body_resolves_no_import_again() {
    let mut db = TestDb::new(
        "//- main.vit\nuse other\nproc main() -> int { give other.one() }\n//- other.vit\nexport *\nproc one() -> int { give 1 }\n",
    );
    let program = db.program();
    program_diagnostics(&db, program);
    let main = item(&db, "main.vit", "main");
    proc_data(&db, main);
    resolve(&db, main, "other.one");
    db.take_executed();
    db.set("other.vit", "export *\nproc one() -> int { give 2 }\n");
    assert_eq!(resolve(&db, main, "other.one"), "other.vit:one (2)");
    proc_data(&db, main);
    let executed = db.take_executed();
    let again = |query: &str| executed.iter().any(|key| key.starts_with(query));
    assert!(
        !again("imports") && !again("own_items") && !again("built_scope") && !again("exported"),
        "{executed:?}"
    );
}

#[test]
fn a_created_module_is_found_in_the_next_revision() {
    let mut db = TestDb::new("//- main.vit\nuse later\nproc main() -> int { give 0 }\n");
    let program = db.program();
    assert_eq!(program_diagnostics(&db, program)[0].code.code, "RES0067");
    db.set("later.vit", "");
    assert!(program_diagnostics(&db, program).is_empty());
    assert!(db.file(program.entry(&db).path(&db)) == program.entry(&db));
}
