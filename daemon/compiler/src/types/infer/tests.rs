#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::base::testing::TestDb;
use crate::base::{Diagnostic, Place, Severity};
use crate::lower::{ItemKind, item_source_map, item_tree, lowering_diagnostics};

/// Everything that is said about `main.vit`, one line each: `CODE "text at the place" message`.
fn said(source: &str, lints: bool) -> Vec<String> {
    let db = TestDb::new(source);
    let file = db.source("main.vit");
    let mut all: Vec<Diagnostic> = lowering_diagnostics(&db, file).to_vec();
    for entry in &item_tree(&db, file).items {
        match entry.id.kind(&db) {
            ItemKind::Proc | ItemKind::Const | ItemKind::StaticAssert => {
                let checked = super::check_body(&db, entry.id);
                let signature = crate::types::signature::signature_diagnostics(&db, entry.id);
                let errors = checked.diagnostics.iter().chain(signature.iter()).any(Diagnostic::is_error);
                all.extend(checked.diagnostics.iter().cloned());
                all.extend(signature.iter().cloned());
                if checked.body.ok {
                    assert!(!checked.diagnostics.iter().any(Diagnostic::is_error));
                } else if !errors {
                    panic!("silently not ok: {}", crate::types::dump_thir(&db, entry.id, &checked.body));
                }
            }
            _ => {}
        }
    }
    let text = match crate::base::SourceFile::contents(file, &db) {
        crate::base::FileContents::Text(text) => text,
        _ => panic!("no text"),
    };
    let mut out = Vec::new();
    for diagnostic in all {
        if diagnostic.severity == Severity::Lint && !lints {
            continue;
        }
        let span = match diagnostic.labels[0].place {
            Place::Node(item, node) => item_source_map(&db, item).span(node),
            Place::File(_, span) => span,
        };
        let word = &text[span.start as usize..span.end as usize];
        let word = word.lines().next().unwrap_or_default();
        assert!(!diagnostic.notes.is_empty(), "no note: {}", diagnostic.message);
        assert!(
            !diagnostic.helps.is_empty() || !diagnostic.suggestions.is_empty(),
            "no help: {}",
            diagnostic.message
        );
        out.push(format!("{} `{word}` {}", diagnostic.code.code, diagnostic.message));
    }
    out
}

#[track_caller]
fn fine(source: &str) {
    let said = said(source, false);
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[track_caller]
fn bad(source: &str, expected: &[&str]) {
    assert_eq!(said(source, false).join("\n"), expected.join("\n"));
}

#[test]
fn small_program() {
    fine(
        r#"
form Item { name: string, price: int, stock: int }
pick Found { Hit(item: Item), Miss }
proc search(items: [Item], name: string) -> Found {
    let i = 0
    while i < len(items) {
        if items[i].name == name and items[i].stock > 0 { give Hit(items[i]) }
        set i = i + 1
    }
    give Miss
}
proc sell(item: ref mut Item, count: int) -> bool {
    if count > item.stock { give false }
    set item.stock = item.stock - count
    give true
}
proc test_sell() -> bool {
    let pen = Item { name: "pen", price: 120, stock: 2 }
    give not sell(ref mut pen, 3) and pen.stock == 2
}
proc main(args: list[string]) -> int {
    let shelf: [Item] = [Item { name: "pen", price: 120, stock: 2 }]
    let wanted = if len(args) > 0 { args[0] } else { "pen" }
    pick search(shelf, wanted) {
        Hit(item) { println(item.name + " " + (item.price as string)); give 0 }
        Miss { eprintln("not on the shelf: " + wanted); give 1 }
    }
}
"#,
    );
}

#[test]
fn literals() {
    fine(
        "proc f(a: u8, b: f64) -> f64 { let x: u8 = 255; let y = a + 1; let z: i32 = -2147483648; give b + 1 }",
    );
    bad("proc f() { let x: u8 = 300 }", &["TYP0005 `300` the literal `300` does not fit `u8`"]);
    bad("proc f() { let x: u8 = -1 }", &["TYP0005 `-1` the literal `-1` does not fit `u8`"]);
    fine("proc f(a: u64, b: u8) -> u8 { let c: int = a; let d = [1, a, 2]; give c }");
    fine("proc f() -> u8 { give 300 as u8 }");
    bad("proc f() -> int { give 1.5 }", &["TYP0243 `1.5` this proc gives `int`, found `f64`"]);
    bad("proc f(x: int) -> int { give x / 0 }", &["TYP0002 `0` division by zero"]);
}

#[test]
fn names() {
    bad("proc f() -> int { let count = 1; give coutn }", &["SEM0028 `coutn` unknown name `coutn`"]);
    bad("proc f() { set x = 1 }", &["SEM0025 `x` `x` is assigned but was never declared"]);
    bad("proc f() { let a = 1; let a = 2 }", &["SEM0011 `a` `a` is declared twice in one scope"]);
    bad("proc f(a: int) { let a = 2 }", &["SEM0920 `a` `a` hides an outer declaration of the same name"]);
    fine("proc f() { let _ = 1; let _ = 2 }");
}

#[test]
fn operators() {
    bad(
        "proc f() -> string { give \"n=\" + 1 }",
        &["TYP0214 `\"n=\" + 1` cannot apply `+` to `string` and `int`"],
    );
    fine("proc f(s: string, i: int) -> bool { give i < len(s) and s[i] == \"c\" }");
    fine("proc f(s: string, c: char) -> string { give s + c + 'x' }");
    bad(
        "proc f(b: bool) -> int { if \"a\" { give 1 } give 0 }",
        &["TYP0218 `\"a\"` a condition must be `bool` or an integer, found `string`"],
    );
    fine("proc f(n: int) -> bool { if n { give not n } give n and true }");
    fine("pick C { Red, Green } proc f(c: C) -> bool { give c == Red or Green == c or c != C.Red }");
    fine("proc f(r: Result<int, string>) -> bool { give r == Ok(7) }");
    fine("proc f(x: int, xs: [int]) -> bool { give x in xs and x not in [1, 2] and x in (1..5) }");
    bad(
        "proc f(a: [int], b: [int]) -> bool { give a < b }",
        &["TYP0214 `a < b` cannot compare `[int]` and `[int]` with `<`"],
    );
}

#[test]
fn lists_and_inference() {
    fine("proc f() -> [int] { let xs = []; set xs = xs + [1]; give xs }");
    bad("proc f() { let xs = [] }", &["TYP0221 `[]` the element type of this empty list is not known"]);
    fine(
        "proc f(o: Option<u8>) -> Option<u8> { let a: Option<u8> = Some(5); let b = none<int>(); if is_some(b) { give o } give None }",
    );
    fine(
        "proc first_or<T>(items: [T], fallback: T) -> T { if len(items) > 0 { give items[0] } give fallback }
proc g(a: u64) -> u64 { give first_or([a], 0) + first_or<u64>([], 3) }",
    );
    fine("proc id<T>(x: T) -> T { give x } proc g() -> u8 { let a: u8 = id(200); give a }");
    fine(
        "proc f() { let xs: [string] = []; xs.push(\"a\"); let n = xs.len; let y = xs.pop(); let z = push(xs, \"b\") }",
    );
    fine("proc f(xs: [int]) -> bool { give xs == [] and [] == xs }");
}

#[test]
fn records() {
    let form = "form P { x: int, y: u8 }\n";
    fine(&format!(
        "{form}proc f(y: u8) -> P {{ let p = P {{ y, x: 1 }}; let q: P = {{ x: 1, y: 2 }}; give P {{ x: 3, ..p }} }}"
    ));
    bad(&format!("{form}proc f() -> P {{ give P {{ x: 1 }} }}"), &["TYP0921 `P` missing field `y` of `P`"]);
    bad(
        &format!("{form}proc f() -> P {{ give P {{ x: 1, y: 2, z: 3 }} }}"),
        &["SEM0026 `z` `P` has no field `z`"],
    );
    bad(
        &format!("{form}proc f() -> P {{ give P {{ x: 1, y: 2, x: 3 }} }}"),
        &["SEM0013 `x` field `x` is given twice"],
    );
    bad(&format!("{form}proc f(p: P) -> int {{ give p.z }}"), &["TYP0247 `z` `P` has no member `z`"]);
    fine(
        "form Box<T> { value: T } proc f() -> u8 { let b = Box { value: 1 }; let c: Box<u8> = Box { value: 2 }; give c.value }",
    );
}

#[test]
fn calls() {
    let proc = "proc g(a: int, b: string = \"x\", c: int = 2) -> int { give a + c }\n";
    fine(&format!("{proc}proc f() -> int {{ give g(1) + g(1, \"y\") + g(c: 3, a: 1) }}"));
    bad(
        &format!("{proc}proc f() -> int {{ give g() }}"),
        &["TYP0215 `g` `g` takes 1 to 3 arguments, found 0"],
    );
    bad(
        &format!("{proc}proc f() -> int {{ give g(\"a\") }}"),
        &["TYP0212 `\"a\"` argument `a` of `g` must be `int`, found `string`"],
    );
    bad(&format!("{proc}proc f() -> int {{ give g(1, d: 2) }}"), &["TYP0927 `d` `g` has no parameter `d`"]);
    fine(
        "proc g(a: int) -> int { give a } proc f() -> int { let p = g; let q: proc(int) -> int = g; give p(1) + q(2) }",
    );
}

#[test]
fn references() {
    let proc = "proc inc(n: ref mut int) { set n = n + 1 }\n";
    fine(&format!(
        "{proc}proc f() -> int {{ let a = 1; inc(a); inc(ref mut a); let r = ref mut a; inc(r); let t = r; give t + a }}"
    ));
    bad(
        &format!("{proc}proc f() {{ inc(1) }}"),
        &["TYP0923 `1` `ref mut` needs a variable, field or element"],
    );
    bad("proc f(n: ref int) { set n = 1 }", &["TYP0223 `n` cannot change a value through `ref`"]);
    bad("const N: int = 1\nproc f() { set N = 2 }", &["TYP0223 `N` cannot assign to the const `N`"]);
    fine("form P { x: int } proc f(p: ref mut P, q: P) { set p.x = 1; set (*p).x += 2; set q.x = p.x }");
}

#[test]
fn casts() {
    fine(
        "pick C { A, B } proc f(c: C, x: f64, b: bool) -> string { let i = c as int; let u = x as u8; give (b as int + 1) as string + 'c' as string }",
    );
    bad("proc f(s: string) -> int { give s as int }", &["TYP0230 `s as int` cannot cast `string` to `int`"]);
}

#[test]
fn control_flow() {
    bad("proc f(c: bool) -> int { if c { give 1 } }", &["TYP0920 `f` `f` can end without giving an `int`"]);
    fine("proc f(c: bool) -> int { if c { give 1 } else { panic(\"x\") } }");
    fine("proc f() -> int { loop { give 1 } }");
    fine("proc f() -> int { while true { } }");
    fine("proc main() -> int { println(1) }");
    bad("proc f() { break }", &["SEM0017 `break` `break` outside of a loop"]);
    bad("proc f() { give 1 }", &["TYP0243 `1` this proc gives no value"]);
    bad("proc f() -> int { give }", &["TYP0243 `give` `give` needs a value of type `int`"]);
    fine("proc g() { } proc f() { give g() }");
    fine("proc f(c: bool, a: u8, b: u64) -> u64 { let x = if c { a } elif a { 0 } else { b }; give x }");
    bad(
        "proc f(c: bool) { let x = if c { 1 } else { \"a\" } }",
        &["TYP0222 `\"a\"` branches have different types: `int` and `string`"],
    );
    fine(
        "proc f(xs: [u8], s: string) -> int { let n = 0; for x in xs { set n = n + x } for c in s { set n += c as int } for i in 0..10 { set n += i } for i = 0; i < 3; i = i + 1 { set n += i } give n }",
    );
    fine(
        "form It { at: int } proc next(it: ref mut It) -> Option<int> { set it.at += 1; give Some(it.at) } proc f() { let it = It { at: 0 }; for x in it { if x > 3 { break } } }",
    );
}

#[test]
fn matching() {
    let pick = "pick S { Dot, Circle(r: int), Box(int, int) }\n";
    fine(&format!(
        "{pick}proc f(s: S) -> int {{ pick s {{ Circle(r) {{ give r }} S.Dot | S.Box(_, _) {{ give 0 }} }} }}"
    ));
    bad(
        &format!(
            "{pick}proc f(s: S) -> int {{ match s {{ case Circle(r) {{ give r }} case Dot => give 1 }} }}"
        ),
        &[
            "TYP0242 `match s { case Circle(r) { give r } case Dot => give 1 }` this match misses the case `Box(_, _)`",
        ],
    );
    bad(
        &format!("{pick}proc f(s: S) {{ match s {{ Dot {{ }} Dot {{ }} _ {{ }} }} }}"),
        &["SEM0031 `Dot` `Dot` is matched twice"],
    );
    bad(
        &format!("{pick}proc f(s: S) {{ match s {{ _ {{ }} Dot {{ }} }} }}"),
        &["SEM0923 `Dot` this arm is never reached"],
    );
    bad(
        &format!("{pick}proc f(s: S) {{ match s {{ Circle {{ }} _ {{ }} }} }}"),
        &["TYP0215 `Circle` variant `Circle` has 1 payload field, this pattern 0"],
    );
    bad(
        "proc f(n: int) { match n { 1 { } 2 { } } }",
        &["TYP0242 `match n { 1 { } 2 { } }` this match misses the case `_`"],
    );
    bad(
        "proc f(o: Option<bool>) { match o { Some(true) { } None { } } }",
        &["TYP0242 `match o { Some(true) { } None { } }` this match misses the case `Some(false)`"],
    );
    fine(
        "proc f(o: Option<bool>) -> int { match o { Some(true) => 1 \n Some(false) => 2 \n None => 3 } give match o { Some(b) if b => 1, _ => 2 } }",
    );
    fine(
        "const K: int = 3\nproc f(n: int, s: string) -> int { match n { 0 { give 1 } K { give 2 } 1..=9 { give 3 } _ { } } match s { \"+\" => give 1 \n else { give 2 } } }",
    );
    bad(
        &format!(
            "{pick}proc f(s: S) -> int {{ match s {{ Circle(a) | Box(a, b) {{ give a }} Dot {{ give 1 }} }} }}"
        ),
        &["SEM0922 `Box(a, b)` `b` is not bound in every alternative"],
    );
    fine(&format!("{pick}proc f(s: S) -> bool {{ give s is Circle(_) or s is not Dot }}"));
    bad(
        "pick C { Red, Green } proc f(c: C) -> int { match c { Red { give 1 } Gren { give 2 } } }",
        &["SEM0921 `Gren` `Gren` is a new binding that matches everything"],
    );
}

#[test]
fn options() {
    fine("proc g(o: Option<int>) -> Option<int> { let x = o?; give Some(x + (o ?? 1)) }");
    fine("proc g(r: Result<int, string>) -> Result<bool, string> { let x = r?; give Ok(x > unwrap(r)) }");
    bad(
        "proc g(o: Option<int>) -> int { give o? }",
        &["TYP0928 `o?` `?` on `Option<int>` needs a proc that gives a fitting type, not `int`"],
    );
    fine("proc g(s: string) -> int { let n = int_of_string(s); give unwrap_or(n, 0) + expect(n, \"no\") }");
}

#[test]
fn deep_and_long() {
    let chain = vec!["1"; 4000].join(" + ");
    fine(&format!("proc f() -> int {{ give {chain} }}"));
    let chain = vec!["a == 1"; 4000].join(" and ");
    fine(&format!("proc f(a: u8) -> bool {{ give {chain} }}"));
}

/// The THIR of the last item of `main.vit`.
fn thir(source: &str) -> String {
    let db = TestDb::new(source);
    let file = db.source("main.vit");
    let tree = item_tree(&db, file);
    let item = tree.items.last().unwrap().id;
    let checked = super::check_body(&db, item);
    let messages: Vec<&str> = checked.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert!(checked.body.ok, "{messages:?}");
    crate::types::dump_thir(&db, item, &checked.body)
}

#[test]
fn conversions_are_explicit() {
    expect_test::expect![[r#"
        f(a#0: u8, b#1: u64, n#2: ref mut int, s#3: string) -> int {
            let c#4: u64 = ((a#0 as u64) + b#1)
            let t#5: int = *n#2
            println_string(uint_to_string((a#0 as u64)))
            give if (s#3[0int] == 'x') {
                = (c#4 as int)
            } else {
                = t#5
            }
        }
    "#]].assert_eq(&thir(
        "proc f(a: u8, b: u64, n: ref mut int, s: string) -> int { let c = a + b; let t = n; println(a); give if s[0] == \"x\" { c } else { t } }",
    ));
}

#[test]
fn prelude_and_standard_library_are_fine() {
    let db = TestDb::new("proc main() { }");
    let mut said = Vec::new();
    for (name, text) in crate::runtime::FILES {
        let path = crate::base::SourcePath { root: crate::runtime::CORE_ROOT.into(), path: (*name).into() };
        let file = crate::base::Db::file(&db, &path);
        let lines = crate::base::LineIndex::new(text);
        for d in crate::types::file_diagnostics(&db, file).iter().filter(|d| d.severity != Severity::Lint) {
            let start = d.labels.first().map_or(0, |l| crate::types::place_span(&db, l.place).1.start);
            let (line, column) = lines.line_column(text, start);
            said.push(format!("{name}:{line}:{column}: {} {}", d.code.code, d.message));
        }
        for entry in &item_tree(&db, file).items {
            if !super::check_body(&db, entry.id).body.ok {
                said.push(format!("{name} {}: not ok", entry.id.name(&db)));
            }
        }
    }
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn modules() {
    let lib = "//- money.vit\nexport *\nproc show(n: int) -> string { give n as string }\nform Coin { n: int }\npick Color { Red, Green(x: int) }\nconst MAX: int = 9\n";
    fine(&format!(
        "//- main.vit\nuse money\nproc f(c: money.Color) -> string {{ let k = money.Coin {{ n: money::MAX }}; pick c {{ money.Color.Red {{ give money.show(k.n) }} Green(x) {{ give money::show(x) }} }} }}\n{lib}"
    ));
    fine(&format!(
        "//- main.vit\nuse money.{{Color, show as s}}\nproc f() -> string {{ let c = Color.Green(1); let d: Color = Red; if c == d {{ give s(2) }} give \"\" }}\n{lib}"
    ));
    bad(
        &format!("//- main.vit\nuse money\nproc f() -> string {{ give money.shw(1) }}\n{lib}"),
        &["RES0066 `shw` `money.vit` has no item `shw`"],
    );
}

#[test]
fn consts_and_nested_procs() {
    fine("const A = 3\nconst B: u8 = A * 2\nstatic_assert(A == 3, \"a\")\nproc f() -> int { give A + B }");
    fine(
        "proc f(n: int) -> int { proc g(m: int) -> int { if m > 0 { give g(m - 1) } give h() } proc h() -> int { give 1 } give g(n) }",
    );
    bad("proc f() { const K: int = 1; set K = 2 }", &["TYP0223 `K` cannot assign to the const `K`"]);
}

#[test]
fn one_cause_one_error() {
    bad(
        "proc f() -> int { let x = nope(1); let y = x + 1; let z = y.foo[3]; if z { give x } give y }",
        &["SEM0028 `nope` unknown name `nope`"],
    );
    bad(
        "proc f(p: proc(int) -> int) -> int { give p(1, 2) + p(nope) }",
        &["TYP0215 `p` this takes 1 argument, found 2", "SEM0028 `nope` unknown name `nope`"],
    );
    bad("proc f(x: Nope) -> int { give x.a + x }", &["TYP0249 `Nope` unknown type `Nope`"]);
    bad(
        "proc f(c: bool) -> int { match nope { A(x) { give x } B { } _ { } } give 0 }",
        &["SEM0028 `nope` unknown name `nope`"],
    );
}
