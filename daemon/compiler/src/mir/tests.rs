//! Source text to MIR: every body that a program needs is verified; what decisions look like is shown in full.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::dump::dump_mir;
use super::verify::verify;
use super::{PassMode, borrow_diagnostics, mir, pass_modes};
use crate::base::testing::TestDb;
use crate::lower::{ItemId, ItemKind, item_tree};
use crate::mono::{Instance, InstanceKind, collect, symbol_name};
use crate::types::{Ty, check_body};

fn db(text: &str) -> TestDb {
    TestDb::new(&format!("//- main.vit\n{text}\n"))
}

fn item(db: &TestDb, name: &str) -> ItemId {
    let file = db.source("main.vit");
    let tree = item_tree(db, file);
    tree.items
        .iter()
        .map(|e| e.id)
        .find(|id| id.kind(db) == ItemKind::Proc && id.name(db) == name)
        .unwrap_or_else(|| panic!("no proc {name}"))
}

fn check_ok(db: &TestDb) {
    let file = db.source("main.vit");
    for entry in &item_tree(db, file).items {
        if entry.id.kind(db) == ItemKind::Proc {
            let checked = check_body(db, entry.id);
            assert!(checked.body.ok, "{}: {:#?}", entry.id.name(db), checked.diagnostics);
        }
    }
}

/// Verifies every instance that the program's `main` needs; their MIR as text.
fn all_fine(text: &str) -> Vec<String> {
    let db = db(text);
    check_ok(&db);
    let root = Instance::new(&db, InstanceKind::Main(item(&db, "main")));
    let instances = collect(&db, &[root]).unwrap();
    instances
        .iter()
        .map(|&instance| {
            let body = mir(&db, instance);
            let shown = dump_mir(&db, &symbol_name(&db, instance), body);
            let errors = verify(&db, body);
            assert!(errors.is_empty(), "{}\n{shown}", errors.join("\n"));
            shown
        })
        .collect()
}

fn dump_of(text: &str, name: &str) -> String {
    let all = all_fine(text);
    let head = format!("proc main::{name}(");
    all.into_iter().find(|d| d.starts_with(&head)).unwrap_or_else(|| panic!("{name} is not in the program"))
}

fn modes_of(text: &str, name: &str) -> Vec<PassMode> {
    let db = db(text);
    check_ok(&db);
    pass_modes(&db, Instance::new(&db, InstanceKind::Proc(item(&db, name), Vec::new()))).to_vec()
}

fn codes_of(text: &str, name: &str) -> Vec<String> {
    let db = db(text);
    check_ok(&db);
    borrow_diagnostics(&db, item(&db, name)).iter().map(|d| d.code.code.to_owned()).collect()
}

#[test]
fn drops_strings_at_the_end_of_their_scope() {
    let dump = dump_of(
        r#"
proc main() {
    let a = "x" + "y"
    println(a)
}
"#,
        "main",
    );
    assert_eq!(dump.matches("drop ").count(), 1, "{dump}");
}

#[test]
fn last_use_moves() {
    let dump = dump_of(
        r#"
proc add(xs: [int], x: int) -> [int] {
    give xs + [x]
}
proc main() {
    let out: [int] = []
    set out = add(out, 1)
    println(len(out))
}
"#,
        "main",
    );
    assert!(dump.contains("call main::add("), "{dump}");
}

#[test]
fn appends_in_place() {
    let dump = dump_of(
        r#"
proc main() {
    let s = ""
    let i = 0
    while i < 3 {
        set s = s + "a" + 'b'
        set i += 1
    }
    println(s)
}
"#,
        "main",
    );
    assert!(dump.contains("string_append("), "{dump}");
    assert!(dump.contains("string_append_char("), "{dump}");
    assert!(!dump.contains("string_concat"), "{dump}");
}

#[test]
fn modes_follow_what_bodies_do() {
    let text = r#"
form P { n: int, list: [int] }
proc reads(p: P) -> int { give p.n }
proc sets(p: P) { set p.n = 1 }
proc passes(p: P) { sets(p) }
proc rebinds(p: P) -> int { set p = P { n: 1, list: [] }  give p.n }
proc pushes(p: P) { p.list.push(3) }
proc returns(xs: [int]) -> [int] { give xs }
proc peeks(xs: [int]) -> usize { give len(xs) }
proc even(p: P, n: int) { if n > 0 { odd(p, n - 1) } }
proc odd(p: P, n: int) { set p.n = n  if n > 0 { even(p, n - 1) } }
proc counts(n: ref mut int) { set n = n + 1 }
"#;
    use PassMode::{Borrow, Own, Place};
    assert_eq!(modes_of(text, "reads"), [Borrow]);
    assert_eq!(modes_of(text, "sets"), [Place]);
    assert_eq!(modes_of(text, "passes"), [Place]);
    assert_eq!(modes_of(text, "rebinds"), [Own]);
    assert_eq!(modes_of(text, "pushes"), [Place]);
    assert_eq!(modes_of(text, "returns"), [Own]);
    assert_eq!(modes_of(text, "peeks"), [Borrow]);
    assert_eq!(modes_of(text, "even"), [Place, Own]);
    assert_eq!(modes_of(text, "odd"), [Place, Own]);
    assert_eq!(modes_of(text, "counts"), [Place]);
}

#[test]
fn verifies_a_program_of_everything() {
    all_fine(
        r#"
form Point { x: int, y: int }
form Box { name: string, points: [Point], inner: Point }
pick Shape { Circle(r: int), Named(name: string, at: Point), Dot }
pick Tree { Node(left: Tree, value: string, right: Tree), Leaf }

proc area(s: Shape) -> int {
    match s {
        Circle(r) if r > 10 { give 0 }
        Circle(r) { give r * r }
        Named(n, p) { give p.x + (len(n) as int) }
        _ { give 0 }
    }
}

proc depth(t: Tree) -> int {
    pick t {
        Leaf { give 0 }
        Node(l, _, r) {
            let a = depth(l)
            let b = depth(r)
            give 1 + (if a > b { a } else { b })
        }
    }
}

proc rename(b: Box, name: string) {
    set b.name = name
    set b.points[0].x = 7
    set b = Box { name: "other", points: [], inner: Point { x: 0, y: 0 } }
    set b.inner.x = 3
}

proc swap(a: Point, b: Point) {
    let t = a.x
    set a.x = b.x
    set b.x = t
}

proc first_word(s: string) -> Option<string> {
    let out = ""
    for c in s {
        if c == ' ' { give Some(out) }
        set out = out + c
    }
    if len(out) == 0 { give None }
    give Some(out)
}

proc maybe(flag: bool) -> string {
    let s: string
    if flag { set s = "a" + "b" } else { set s = "c" }
    let t = s
    if flag { give t + s }
    give s
}

proc grow(xs: [string], n: int) -> [string] {
    let out = xs
    for i in 0..n {
        set out = out + [i as string]
        set out = push(out, "x")
        if i == 5 { break }
        if i == 3 { continue }
        out.push("z")
    }
    give out
}

proc chars(xs: [int]) -> char {
    let v = xs[0]
    give v as char
}

proc apply(f: proc(Point) -> unit, p: Point) {
    f(p)
}

proc touch(p: Point) { set p.x = p.x + 1 }

proc twice<T>(x: T) -> [T] {
    let ys: [T] = [x, x]
    give ys
}

proc main(args: [string]) -> int {
    let b = Box { name: "n", points: [Point { x: 1, y: 2 }], inner: Point { x: 1, y: 1 } }
    rename(b, "m")
    swap(b.points[0], b.points[0])
    swap(b.inner, b.points[0])
    println(b.name)
    let s = Shape.Named("x" + "y", b.inner)
    println(area(s))
    let t = Tree.Node(Leaf, "v", Tree.Node(Leaf, "w", Leaf))
    println(depth(t))
    if t == Tree.Leaf { println("eq") }
    let w = first_word("hello world")
    match w {
        Some(x) { println(x) }
        None { }
    }
    println(maybe(true))
    let g = grow(args, 9)
    for x in g { println(x) }
    println(chars([65]) as string)
    apply(touch, b.inner)
    let ps = twice<Point>(b.inner)
    if ps == [b.inner] { println("same") }
    let total = 0
    for p in ps { set total += p.x / (p.y + 1) }
    let i = 0
    loop {
        set i += 1
        if i > 3 { break }
    }
    assert(total >= 0, "total is " + (total as string))
    let u = unwrap(first_word("a b"))
    println(u)
    give total % 7
}
"#,
    );
}

#[test]
fn use_after_move() {
    let text = r#"
form P { n: int }
proc bad() -> int {
    let a = P { n: 1 }
    let b = a
    give a.n + b.n
}
proc twice() {
    let a = P { n: 1 }
    let b = a
    let c = a
}
proc rounds() {
    let a = P { n: 1 }
    let i = 0
    while i < 2 {
        let b = a
        set i += 1
    }
}
proc fine() -> int {
    let a = P { n: 1 }
    let b = a
    set a = P { n: 2 }
    let s = "x"
    let t = s
    println(s)
    println(t)
    let n = b.n
    give a.n + n
}
proc branch(c: bool) -> int {
    let a = [1]
    if c { let b = a  println(len(b)) }
    give a[0]
}
proc ends(c: bool) -> int {
    let a = [1]
    if c { let b = a  give b[0] }
    give a[0]
}
proc eats(owned p: P) { }
proc calls() -> int {
    let a = P { n: 1 }
    eats(a)
    give a.n
}
proc generic<T>(x: T) -> T {
    let y = x
    give x
}
"#;
    assert_eq!(codes_of(text, "bad"), ["BOR0020"]);
    assert_eq!(codes_of(text, "twice"), ["BOR0010"]);
    assert_eq!(codes_of(text, "rounds"), ["BOR0010"]);
    assert_eq!(codes_of(text, "fine"), [""; 0]);
    assert_eq!(codes_of(text, "branch"), ["BOR0020"]);
    assert_eq!(codes_of(text, "ends"), [""; 0]);
    assert_eq!(codes_of(text, "calls"), ["BOR0020"]);
    assert_eq!(codes_of(text, "generic"), [""; 0]);
}

#[test]
fn unassigned_locals() {
    let text = r#"
proc bad(c: bool) -> int {
    let x: int
    if c { set x = 1 }
    give x
}
proc good(c: bool) -> int {
    let x: int
    if c { set x = 1 } else { set x = 2 }
    give x
}
proc rounds(n: int) -> int {
    let i = 0
    while i < n {
        let x: int
        if i == 1 { println(x) }
        set x = 3
        set i = i + x
    }
    give i
}
"#;
    assert_eq!(codes_of(text, "bad"), ["TYP0251"]);
    assert_eq!(codes_of(text, "good"), [""; 0]);
    assert_eq!(codes_of(text, "rounds"), ["TYP0251"]);
}

#[test]
fn references() {
    let text = r#"
form P { n: int, m: int }
proc uses() -> int {
    let a = P { n: 1, m: 2 }
    let r = ref mut a
    let k = a.n
    set r.n = 2
    give k
}
proc later() -> int {
    let a = P { n: 1, m: 2 }
    let r = ref mut a
    set r.n = 2
    give a.n
}
proc shared() -> int {
    let a = P { n: 1, m: 2 }
    let r = ref a
    set a.n = 3
    give r.n
}
proc both(x: ref mut int, y: ref mut int) { set x = y }
proc calls() {
    let xs = [1, 2]
    both(ref mut xs[0], ref mut xs[1])
}
proc fields() {
    let a = P { n: 1, m: 2 }
    both(ref mut a.n, ref mut a.m)
}
proc escapes() -> ref mut int {
    let n = 1
    give ref mut n
}
proc passes(p: ref mut P) -> ref mut int {
    give ref mut p.n
}
"#;
    assert_eq!(codes_of(text, "uses"), ["BOR0021"]);
    assert_eq!(codes_of(text, "later"), [""; 0]);
    assert_eq!(codes_of(text, "shared"), ["BOR0001"]);
    assert_eq!(codes_of(text, "calls"), ["BOR0013"]);
    assert_eq!(codes_of(text, "fields"), [""; 0]);
    assert_eq!(codes_of(text, "escapes"), ["BOR0015"]);
    assert_eq!(codes_of(text, "passes"), [""; 0]);
}

#[test]
fn endless_instances_are_an_error() {
    let db = db(r#"
proc deeper<T>(x: T, n: int) {
    if n > 0 { deeper<[T]>([x], n - 1) }
}
proc main() { deeper<int>(1, 3) }
"#);
    check_ok(&db);
    let root = Instance::new(&db, InstanceKind::Main(item(&db, "main")));
    let error = collect(&db, &[root]).unwrap_err();
    assert!(error.message.contains("deeper"), "{error:?}");
}

#[test]
fn symbols_are_readable() {
    let db = TestDb::new("//- demo/inventory.vit\nproc search<T>(x: T) { }\n");
    let file = db.source("demo/inventory.vit");
    let id = item_tree(&db, file).items[0].id;
    let instance = Instance::new(&db, InstanceKind::Proc(id, vec![Ty::INT]));
    assert_eq!(symbol_name(&db, instance), "demo/inventory::search<int>");
}
