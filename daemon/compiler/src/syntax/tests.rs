//! What the parser accepts, how it groups, and how it recovers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use expect_test::{Expect, expect};

use super::testing::{render, with_file};
use super::{dump, parse};

fn diagnostics(text: &str) -> String {
    let (db, file) = with_file(text);
    let parsed = parse(&db, file);
    for d in parsed.diagnostics.iter() {
        assert!(!d.notes.is_empty(), "{} has no note", d.message);
        assert!(!d.helps.is_empty() || !d.suggestions.is_empty(), "{} has no help", d.message);
    }
    render(text, &parsed.diagnostics)
}

fn accepts(text: &str) {
    assert_eq!(diagnostics(text), "", "in\n{text}");
}

fn accepts_body(body: &str) {
    accepts(&format!("proc f() {{\n{body}\n}}\n"));
}

fn errors(body: &str, expected: &Expect) {
    expected.assert_eq(&diagnostics(body));
}

/// The statements of a proc as fully bracketed text, one per line.
fn shape(body: &str) -> String {
    let text = format!("proc f() {{\n{body}\n}}\n");
    let (db, file) = with_file(&text);
    let parsed = parse(&db, file);
    assert_eq!(render(&text, &parsed.diagnostics), "", "in\n{text}");
    dump::body_shape(&parsed.tree)
}

const SECTION_15: &str = r#"space demo/inventory

use demo/money as money

form Item {
    name: string
    price: int
    stock: int
}

pick Found {
    Hit(item: Item)
    Miss
}

proc search(items: [Item], name: string) -> Found {
    let i = 0
    while i < len(items) {
        if items[i].name == name and items[i].stock > 0 {
            give Hit(items[i])
        }
        set i = i + 1
    }
    give Miss
}

proc sell(item: ref mut Item, count: int) -> bool {
    if count > item.stock { give false }
    set item.stock = item.stock - count
    give true
}

proc test_sell_keeps_stock() -> bool {
    let pen = Item { name: "pen", price: 120, stock: 2 }
    give not sell(ref mut pen, 3) and pen.stock == 2
}

proc main(args: list[string]) -> int {
    let shelf: [Item] = [Item { name: "pen", price: 120, stock: 2 }]
    let wanted = if len(args) > 0 { args[0] } else { "pen" }
    pick search(shelf, wanted) {
        Hit(item) {
            println(item.name + " " + money.show(item.price))
            give 0
        }
        Miss {
            eprintln("not on the shelf: " + wanted)
            give 1
        }
    }
}
"#;

#[test]
fn the_complete_program() {
    accepts(SECTION_15);
}

#[test]
fn precedence() {
    let cases = [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a << b + c", "(a << (b + c))"),
        ("a < b << c", "(a < (b << c))"),
        ("a == b < c", "(a == (b < c))"),
        ("a and b == c", "(a and (b == c))"),
        ("a or b and c", "(a or (b and c))"),
        ("a || b && !c", "(a or (b and (not c)))"),
        ("a | b ^ c & d", "(a | (b ^ (c & d)))"),
        ("a ?? b or c", "(a ?? (b or c))"),
        ("-x as u8", "((- x) as u8)"),
        ("a as int * b", "((a as int) * b)"),
        ("*p.f", "(* p.f)"),
        ("(*p).f", "(* p).f"),
        ("a is Some(x) and b", "((a is Some(x)) and b)"),
        ("a is not None or b", "((a is not None) or b)"),
        ("a not in b", "(a not in b)"),
        ("c ? a : b ? d : e", "(c ? a : (b ? d : e))"),
        ("f()? * 10", "((f())? * 10)"),
        ("c ? f()? : b", "(c ? (f())? : b)"),
        ("a..b + 1", "(a .. (b + 1))"),
        ("ref mut pen.x", "(ref mut pen.x)"),
        ("f<int>(x)", "f<int>(x)"),
        ("none<Option<int>>()", "none<Option<int>>()"),
        ("a < b and c > (d)", "((a < b) and (c > d))"),
        ("m::Color::Red", "m::Color::Red"),
        ("pair.0.1", "pair.0.1"),
        ("xs[1:2]", "xs[1:2]"),
        ("Box<int> { value: 1 }", "Box<int> {value: 1}"),
    ];
    for (source, expected) in cases {
        assert_eq!(shape(source).trim_end(), expected, "for {source}");
    }
}

#[test]
fn line_ends() {
    // Rule 3: these continue the line before.
    for op in "and or + - * / % == != < <= > >= | & ^ << >> ??".split(' ') {
        assert_eq!(shape(&format!("let x = a\n  {op} b")).lines().count(), 1, "{op}");
    }
    assert_eq!(shape("let x = a\n  .b"), "let x = a.b\n");
    assert_eq!(shape("let x = a\n  as int"), "let x = (a as int)\n");
    assert_eq!(shape("let x = a\n  is None"), "let x = (a is None)\n");
    // Rule 4: these never do.
    assert_eq!(shape("let x = a\n(b)"), "let x = a\nb\n");
    assert_eq!(shape("let x = a\n[b]"), "let x = a\n[b]\n");
    assert_eq!(shape("f\n(*p).x = 1"), "f\nset (* p).x = 1\n");
    // Rule 5: an unfinished expression goes on.
    assert_eq!(shape("let x =\n  a +\n  b"), "let x = (a + b)\n");
    assert_eq!(shape("give\n  a"), "give a\n");
    // Rule 2: inside brackets line ends mean nothing.
    assert_eq!(shape("f(a\n  (b)\n  , c)"), "f(a(b), c)\n");
    // Rule 1: a statement keyword on the same line, and `;` anywhere.
    assert_eq!(shape("let x = 1 let y = 2 set x = y"), "let x = 1\nlet y = 2\nset x = y\n");
    assert_eq!(shape("a();; b();"), "a()\nb()\n");
    accepts("space x;\nuse y;\nproc f() { };\n");
}

#[test]
fn contextual_words_are_names() {
    accepts_body(
        "set = 1\nset.x = 2\nset set = 3\nset(x) = 4\nloop = 1\nlet match = 2\nmatch(3)\nlet end = from + copy",
    );
    accepts_body("let diagnostic = entry.operator\nflags = map.set(set, form)\nbreak\ncontinue");
    accepts(
        "form F {\n  pass: int\n  set: bool, test: int; query: int\n and: int }\nproc and(or: int, map: int) {}\n",
    );
    accepts_body("panic(\"x\")\npanic \"x\"\nassert(a)\nassert a, \"m\"\nunreachable");
}

#[test]
fn statements() {
    accepts_body(
        "for i = 0; i < 3; i = i + 1 { f(i) }\nfor x in xs { }\nfor (a, b) in ys { }\nloop { break }",
    );
    accepts_body(
        "set x: int = 1\nx += 2\nset a.b[i] <<= 3\n(*p).f = 1\nlet mut y = 2\nlet _ = f()\nconst K: int = 2",
    );
    accepts_body("if a { } elif b { } else if c { } else { }\nif x == T { } \nwhile (P { a: 1 }).ok { }");
    accepts_body("let v = if a { 1 } else { 2 }\nlet w = match v { case 1 => 2, else => 3 }");
    accepts_body(
        "pick s {\n  Circle(r) { give r }\n  S.A | S.B(_, _) { }\n  P { x, y: 1, .. } { }\n _ { }\n}",
    );
    accepts_body(
        "match s {\n case Named(s) if len(s) > 3 { give 1 }\n case -1 => give 2\n case 1..=5 => { }\n otherwise { }\n}",
    );
    accepts_body("when e is Some(x) { f(x) }\nselect e { when A { } else { } }\nif e is P { a } { f() }");
    accepts_body(
        "let p = Rect { width: 1\n height: 2, label: \"a\" }\nlet q = Rect { width, ..p }\nlet r = { a: 1 }",
    );
    accepts_body(
        "let l = [1, 2,\n 3,]\nlet t = (1, 2)\nlet g = |a, b| a + b\nlet h = proc(a: int) -> int { give a }",
    );
    accepts_body("proc inner(a: int) -> int { give a }\nunsafe { f() }\ndefer { g() }\nwith e as p { }");
}

#[test]
fn items() {
    accepts(
        "use a/b/c\nuse a/b/c as d\nuse a/b/c.{x, y as z,\n w}\nuse a/b.*\nuse a/b.{*}\nuse a/b { * }\nuse a.b::c\n",
    );
    accepts(
        "export *\nexport a, b\nexport { a, b as c }\nshare all\nshare *\nshare x\nexport proc f() {}\nshare const K: int = 1\n",
    );
    accepts(
        "pub form F<T> { a: T }\npick P { A, B(x: int)\n case C(int, int) D = 3 }\n"
            .replace(") D", ")\n D")
            .as_str(),
    );
    accepts(
        "trait T { proc show(self: Self) -> string; }\nimpl T for R { proc show(self: Self) -> string { give \"\" } }\n",
    );
    accepts(
        "extern C { proc puts(s: cstr) -> c_int; }\nextern \"C\" proc f(a: int) -> int;\nintrinsic g(a: int) -> int;\n",
    );
    accepts("macro m(a) { a $ b }\n".replace(" $ ", " + ").as_str());
    accepts(
        "entry main at a/b { println(\"x\") }\ntest \"t\" { assert true }\nstatic_assert(1 == 1, \"x\")\ntype A<T> = [T]\n",
    );
    accepts(
        "#[inline]\n@deprecated(\"x\")\n/// doc\nproc f<T: Show, const N: int>(a: ref T, mut b: [int; 3]) -> (int, int) where T: X { }\n",
    );
    accepts("proc f(x: int = 3, y: proc(int) -> bool, ...) effects(io) requires(x) noexcept { f(x: 1) }\n");
    accepts(
        "# comment\n<<< zone\n>>> /* block */ // line\nproc f(a: &mut T, b: ?int, c: *const u8, d: A | B) {}\n",
    );
}

#[test]
fn recovery() {
    errors(
        "proc f( {\n  let x = 1\n}\nproc g() { }\n",
        &expect![[r#"
        1:9-10 PAR0025 expected a parameter's name, found `{` | expected a parameter's name
    "#]],
    );
    errors(
        "proc f(a int, b: int) { }\n",
        &expect![[r#"
        1:10-13 PAR0033 parameter `a` needs `:` and a type | expected `:` before this type
          fix 1:9-9 `:` (add it)
    "#]],
    );
    errors(
        "proc f() {\n  let x = \n}\n",
        &expect![[r#"
        2:10-10 PAR0024 expected an expression, found `}` | expected an expression
    "#]],
    );
    errors(
        "proc f() {\n  let x = (1 + \n  let y = 2\n}\n",
        &expect![[r#"
        2:15-15 PAR0024 expected an expression, found keyword `let` | expected an expression
    "#]],
    );
    errors(
        "proc f() {\n  foo(1 2)\n  bar(1, , 2)\n}\n",
        &expect![[r#"
        2:9-10 PAR0029 expected `,` or `)`, found `2` | expected `,` or `)`
          also 2:6-7 the arguments start here
          fix 2:8-8 `,` (insert a comma)
        3:10-11 PAR0024 expected an expression, found `,` | expected an expression
    "#]],
    );
    errors(
        "proc f() {\n  if a = b { }\n  x y\n  a < b < c\n}\n",
        &expect![[r#"
        2:8-9 PAR0029 an assignment is not an expression | expected `==`
          fix 2:8-9 `==` (compare with `==`)
        3:5-6 PAR0029 expected `;` or a new line, found `y` | expected `;` or a new line
          fix 3:4-4 `;` (end the statement here)
        4:9-10 PAR0029 comparisons cannot be chained | second comparison
          also 4:5-6 first comparison
          fix 4:9-9 `and b ` (compare twice)
    "#]],
    );
    errors(
        "proc f() {\n  if x {\n    g()\n}\nproc h() { }\n",
        &expect![[r#"
        2:8-9 PAR0037 this `{` is never closed | no matching `}`
          also 4:1-2 this `}` closes it, but stands where an outer block should end
          fix 4:2-2 `\n}` (add the missing `}`)
    "#]],
    );
    errors(
        "proc f() {\n  g()\n\nproc h() { }\n",
        &expect![[r#"
        1:10-11 PAR0037 this `{` is never closed | no matching `}`
          fix 2:6-6 `\n}` (add the missing `}`)
    "#]],
    );
    errors(
        "let x = 1\nprintln(\"a\")\nproc f() { }\n}\n",
        &expect![[r#"
            1:1-4 PAR0035 expected a declaration, found keyword `let` | no declaration starts here
            4:1-2 PAR0035 this `}` closes nothing | no block is open here
        "#]],
    );
    errors(
        "struct A { a: int }\nenum B { C }\nfn f() -> int { var x = 1\n return x }\n",
        &expect![[r#"
        1:1-7 PAR0903 `struct` is not a keyword | not Vitte
          fix 1:1-7 `form` (write `form`)
        2:1-5 PAR0903 `enum` is not a keyword | not Vitte
          fix 2:1-5 `pick` (write `pick`)
        3:1-3 PAR0903 `fn` is not a keyword | not Vitte
          fix 3:1-3 `proc` (write `proc`)
        3:17-20 PAR0903 `var` is not a keyword | not Vitte
          fix 3:17-20 `let` (write `let`)
        4:2-8 PAR0904 `return` is an old spelling of `give` | old spelling
          fix 4:2-8 `give` (write `give`)
    "#]],
    );
    errors(
        "from a/b import x, y\nform F { a int\n b: }\npick P { A( }\n",
        &expect![[r#"
            1:1-21 PAR0903 imports are written with `use` | old spelling
              fix 1:1-21 `use a/b.{x, y}` (write it as `use`)
            2:12-15 PAR0029 expected `:` and the field's type, found `int` | expected `:` and the field's type
              fix 2:11-11 `:` (add it)
            3:5-6 PAR0027 expected a type, found `}` | expected a type
            4:13-14 PAR0027 expected a type, found `}` | expected a type
        "#]],
    );
    errors(
        "proc f() {\n  let s = \"abc\n  let c = 'ab'\n  let n = 12abc\n  $ \n  let d = \"\\q\"\n}\n",
        &expect![[r#"
        2:11-15 LEX0021 unterminated string literal | no closing `"`
          fix 2:15-15 `\"` (close it at the end of the line)
        3:11-15 LEX0901 a character literal holds exactly one character | not one character
          fix 3:11-15 `\"ab\"` (a text of any length is a string)
        4:11-16 LEX0009 invalid number `12abc` | `abc` is not a number suffix
        5:3-4 LEX0002 invalid character `$` | no token starts like this
        6:12-14 LEX0004 invalid escape sequence `\q` | `\q` is not an escape sequence
          fix 6:12-13 `\\\\` (write a literal backslash)
    "#]],
    );
    errors(
        "proc f() int {\n give 1 }\nproc g(): int { give 1 }\nproc () { }\n",
        &expect![[r#"
            1:10-13 PAR0029 expected `->`, found `int` | expected `->`
              fix 1:10-10 `-> ` (write `->`)
            3:9-10 PAR0029 expected `->`, found `:` | expected `->`
              fix 3:9-10 ` ->` (write `->`)
            4:6-7 PAR0025 expected the procedure's name, found `(` | expected the procedure's name
        "#]],
    );
    errors(
        "proc f() {\n  while x\n    y()\n  pick z { A => }\n  for x xs { }\n}\n",
        &expect![[r#"
            2:10-10 PAR0028 expected a block, found `y` | expected a block
            4:17-18 PAR0024 expected an expression, found `}` | expected an expression
            5:9-11 PAR0029 expected `in`, found `xs` | expected `in`
              fix 5:9-9 `in ` (write `in`)
        "#]],
    );
}

#[test]
fn deep_nesting_is_one_diagnostic() {
    let deep = 100_000;
    let pairs = [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("f(", ")"),
        ("if a {", "}"),
        ("-", ""),
        ("not ", ""),
        ("ref a ", ""),
    ];
    for (open, close) in pairs {
        if open == "ref a " {
            continue;
        }
        for close in [close, ""] {
            let text = format!(
                "proc f() {{\n let x = {}1{}\n}}\nproc g() {{ }}\n",
                open.repeat(deep),
                close.repeat(deep)
            );
            let (db, file) = with_file(&text);
            let codes: Vec<_> = parse(&db, file).diagnostics.iter().map(|d| d.code.code).collect();
            assert_eq!(codes, ["PAR0901"], "{open}");
        }
    }
    for ty in ["[", "ref ", "A<", "proc(", "?", "("] {
        let text = format!("proc f(a: {}) {{ }}\nproc g() {{ }}\n", ty.repeat(deep));
        let (db, file) = with_file(&text);
        assert_eq!(parse(&db, file).diagnostics.len(), 1, "{ty}");
    }
}

#[test]
fn long_chains() {
    accepts_body(&format!("let x = 1{}", " + 1".repeat(3_000)));
    accepts_body(&format!("let x = a{}", ".b()".repeat(1_500)));
    let text = format!("proc f() {{ let x = 1{} }}", " + 1".repeat(50_000));
    let (db, file) = with_file(&text);
    assert_eq!(parse(&db, file).diagnostics.len(), 1);
}

/// Words that make trouble next to each other.
const SOUP: &[&str] = &[
    "proc",
    "f",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "let",
    "set",
    "x",
    "=",
    "==",
    ":",
    ";",
    ",",
    "\n",
    "\n",
    "if",
    "else",
    "elif",
    "pick",
    "match",
    "case",
    "=>",
    "->",
    "<",
    ">",
    ">>",
    "?",
    "??",
    ".",
    "..",
    "::",
    "1",
    "2.5",
    "\"s\"",
    "'c'",
    "give",
    "while",
    "for",
    "in",
    "and",
    "not",
    "-",
    "*",
    "&",
    "|",
    "is",
    "as",
    "int",
    "form",
    "use",
    "/",
    "export",
    "$",
    "#[",
    "@",
    "ref",
    "mut",
    "loop",
    "break",
    "trait",
    "impl",
    "extern",
    "test",
    "entry",
    "when",
    "select",
    "_",
    "const",
    "<<<",
    ">>>",
    "\"",
    "'",
    "r\"",
    "move",
    "try",
    "static_assert",
    "macro",
    "import",
    "from",
    "é",
    "…",
];

#[test]
fn token_soup_never_panics() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..400 {
        let mut text = String::new();
        for _ in 0..(20 + round % 180) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push_str(SOUP[(state % SOUP.len() as u64) as usize]);
            if state & 0x100 != 0 {
                text.push(' ');
            }
        }
        let (db, file) = with_file(&text);
        crate::lower::file_diagnostics_syntax(&db, file);
        dump::ast(&text, &parse(&db, file).tree);
    }
}

#[test]
fn literals() {
    let cases = [
        ("0x1F + 0b10 + 0o17", "((31 + 2) + 15)"),
        ("1_000u64", "1000u64"),
        ("1.5e3", "1500.0"),
        (r#""a\n\u0041\u{42}\x43\0\'""#, r#""a\nABC\0'""#),
        (r"'\u{e9}'", "'é'"),
        (r#"r"\n""#, r#""\\n""#),
        ("\"\"\"a\n\"b\" \"\"\"", "\"a\\n\\\"b\\\" \""),
        (r#"b"a\xff""#, r#"b"a\xff""#),
        ("0..n", "(0 .. n)"),
        ("null", "null"),
    ];
    for (source, expected) in cases {
        assert_eq!(shape(source).trim_end(), expected, "for {source}");
    }
}

#[test]
fn names_are_normalised() {
    // The same name, composed and decomposed.
    assert_eq!(shape("let caf\u{e9} = 1"), shape("let cafe\u{301} = 1"));
}

#[test]
fn a_file_that_is_not_utf8() {
    use salsa::Setter as _;
    let (mut db, file) = with_file("");
    file.set_contents(&mut db).to(crate::base::FileContents::NotUtf8(7));
    let diagnostics = &parse(&db, file).diagnostics;
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].code.code, "LEX0014");
    assert!(diagnostics[0].message.contains("offset 7"));
}

#[test]
fn many_elifs_are_one_diagnostic() {
    let text = format!("proc f() {{ if a {{ }}{} }}\n", " elif b { }".repeat(10_000));
    let (db, file) = with_file(&text);
    assert_eq!(parse(&db, file).diagnostics.len(), 1);
}

#[test]
fn operators_follow_a_cast_to_a_type_without_arguments() {
    accepts_body("let a = n as int < 3; let b = n as u8 | 1; if c as string < d { }; let e = n as Box<int>");
}
