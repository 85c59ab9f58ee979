//! Random well-typed programs, for comparing one way to compile with another.
//!
//! A program is a function of its seed. It ends: loops are bounded, procs call only those that came before, and what
//! they build stays small. It prints all it computes, and may panic, which is behaviour as well. Arithmetic,
//! conversions, texts, lists, maps, forms, picks, options, lambdas, procedure values, references, matches with guards,
//! generic procs and forms, traits and `dyn` values all occur; literals alone are never combined, since the compiler computes those and reports their overflow.
use std::fmt::Write;

use crate::random::Random;

/// Deepest nesting of expressions.
const DEPTH_MAX: u32 = 3;
/// Procs of a program, without those that show values.
const PROCS: usize = 6;
/// Longest text, in bytes.
const TEXT_MAX: usize = 20;

/// The types that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// By name.
    Int(&'static str),
    F64,
    F32,
    Bool,
    Char,
    Text,
    /// A list of `int`.
    Numbers,
    /// A list of `string`.
    Texts,
    /// One of the program's forms.
    Form(usize),
    /// The program's pick.
    Pick,
    /// `Option<int>`.
    Maybe,
    /// `map<string, int>`.
    Counts,
    /// `proc(int) -> int`.
    Step,
    /// The program's generic form, of `int`.
    Box,
}

const INTS: [&str; 12] =
    ["int", "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "usize"];

/// Who can be called.
#[derive(Clone, Debug)]
struct Proc {
    name: String,
    params: Vec<(Type, Mode)>,
    result: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Value,
    RefMut,
}

struct Writer {
    random: Random,
    prefix: String,
    forms: Vec<Vec<Type>>,
    procs: Vec<Proc>,
    /// Names and types of locals, innermost last.
    scope: Vec<(String, Type)>,
    names: usize,
    calls: usize,
    loops: u32,
    out: String,
}

/// The program of `seed`: items whose names begin with `prefix`, and the statements that run it. Programs with
/// different prefixes can stand in one file.
#[must_use]
pub fn random_program(seed: u64, prefix: &str) -> (String, String) {
    let mut writer = Writer {
        random: Random::new(seed),
        prefix: prefix.to_owned(),
        forms: Vec::new(),
        procs: Vec::new(),
        scope: Vec::new(),
        names: 0,
        calls: 0,
        loops: 0,
        out: String::new(),
    };
    writer.types();
    writer.library();
    for number in 0..PROCS {
        writer.procedure(number);
    }
    let main = writer.main();
    (writer.out, main)
}

impl Writer {
    fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    fn spelled(&self, ty: Type) -> String {
        match ty {
            Type::Int(name) => name.to_owned(),
            Type::F64 => "f64".to_owned(),
            Type::F32 => "f32".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Char => "char".to_owned(),
            Type::Text => "string".to_owned(),
            Type::Numbers => "[int]".to_owned(),
            Type::Texts => "[string]".to_owned(),
            Type::Form(number) => format!("{}F{number}", self.prefix),
            Type::Pick => format!("{}P", self.prefix),
            Type::Maybe => "Option<int>".to_owned(),
            Type::Counts => "map<string, int>".to_owned(),
            Type::Step => "proc(int) -> int".to_owned(),
            Type::Box => format!("{}Box<int>", self.prefix),
        }
    }

    fn int(&mut self) -> Type {
        Type::Int(INTS[self.random.below(INTS.len())])
    }

    fn scalar(&mut self) -> Type {
        match self.random.below(10) {
            0 => Type::F64,
            1 => Type::F32,
            2 => Type::Bool,
            3 => Type::Char,
            4 => Type::Text,
            _ => self.int(),
        }
    }

    fn ty(&mut self) -> Type {
        match self.random.below(13) {
            10 => Type::Counts,
            11 => Type::Step,
            12 => Type::Box,
            0 => Type::Numbers,
            1 => Type::Texts,
            2 if !self.forms.is_empty() => Type::Form(self.random.below(self.forms.len())),
            3 => Type::Pick,
            4 => Type::Maybe,
            _ => self.scalar(),
        }
    }

    /// Forms and the pick, each with a proc that shows one.
    fn types(&mut self) {
        for number in 0..3 {
            let count = 1 + self.random.below(4);
            let mut fields = Vec::new();
            for _ in 0..count {
                fields.push(match self.random.below(6) {
                    0 => Type::Numbers,
                    1 if number > 0 => Type::Form(self.random.below(number)),
                    _ => self.scalar(),
                });
            }
            let _ = writeln!(self.out, "form {}F{number} {{", self.prefix);
            for (index, ty) in fields.iter().enumerate() {
                let _ = writeln!(self.out, "    f{index}: {}", self.spelled(*ty));
            }
            self.out.push_str("}\n");
            let shown: Vec<String> = fields
                .iter()
                .enumerate()
                .map(|(index, ty)| self.shown(&format!("x.f{index}"), *ty))
                .collect();
            let prefix = &self.prefix;
            let _ = writeln!(
                self.out,
                "proc {prefix}show_f{number}(x: {prefix}F{number}) -> string {{ give \"(\" + {} + \")\" }}",
                shown.join(" + \",\" + ")
            );
            self.forms.push(fields);
        }
        let prefix = self.prefix.clone();
        let _ = writeln!(
            self.out,
            "pick {prefix}P {{\n    A\n    B(n: int)\n    C(string, {prefix}F0)\n    D\n}}"
        );
        let c = format!("\"C\" + s + {prefix}show_f0(f)");
        let _ = writeln!(
            self.out,
            "proc {prefix}show_p(x: {prefix}P) -> string {{\n    give match x {{\n        case A => \"A\"\n        case B(n) => \"B\" + to_string(n)\n        case C(s, f) => {c}\n        case D => \"D\"\n    }}\n}}"
        );
        let _ = writeln!(
            self.out,
            "proc {prefix}show_ints(xs: [int]) -> string {{\n    let s = \"\"\n    for x in xs {{ set s = s + to_string(x) + \" \" }}\n    give s\n}}\nproc {prefix}show_texts(xs: [string]) -> string {{\n    let s = \"\"\n    for x in xs {{ set s = s + x + \"|\" }}\n    give s\n}}\nproc {prefix}show_maybe(x: Option<int>) -> string {{\n    give match x {{\n        case Some(n) => to_string(n)\n        case None => \"none\"\n    }}\n}}"
        );
    }

    /// A trait with a method of its own, impls, generic procs and a generic form, and what makes procedure values.
    fn library(&mut self) {
        let prefix = self.prefix.clone();
        let (a, b, c) = (self.random.below(9), self.random.below(50), self.random.below(5));
        let _ = writeln!(
            self.out,
            "trait {prefix}Size {{
    proc size(self) -> int
    proc twice(self) -> int {{ give self.size() * 2 + {a} }}
}}
impl {prefix}Size for int {{ proc size(self) -> int {{ give self ^ {b} }} }}
impl {prefix}Size for string {{
    proc size(self) -> int {{ give len(self) as int }}
    proc twice(self) -> int {{ give {c} }}
}}
impl {prefix}Size for {prefix}F0 {{ proc size(self) -> int {{ give len({prefix}show_f0(self)) as int - {a} }} }}
form {prefix}Box<T> {{
    inner: T
    count: int
}}
impl<T: {prefix}Size> {prefix}Size for {prefix}Box<T> {{
    proc size(self) -> int {{ give self.inner.twice() - self.count }}
}}
proc {prefix}either<T>(first: bool, a: T, b: T) -> T {{ give if first {{ a }} else {{ b }} }}
proc {prefix}boxed<T>(inner: T, count: int) -> {prefix}Box<T> {{ give {prefix}Box {{ inner, count }} }}
proc {prefix}total<T: {prefix}Size>(xs: [T]) -> int {{
    let sum = 0
    for x in xs {{ set sum = sum * 3 + x.twice() }}
    give sum
}}
proc {prefix}total_of(xs: [dyn {prefix}Size]) -> int {{
    let sum = {c}
    for x in xs {{ set sum = sum * 5 + x.size() - x.twice() }}
    give sum
}}
proc {prefix}step_by(k: int) -> proc(int) -> int {{ give |y| y * {b} + k }}
proc {prefix}after(f: proc(int) -> int, g: proc(int) -> int) -> proc(int) -> int {{ give |y| g(f(y)) }}
proc {prefix}each(xs: [int], f: proc(int) -> int) -> [int] {{ give [f(x) for x in xs] }}
proc {prefix}show_counts(m: map<string, int>) -> string {{
    let s = \"{{\"
    for (key, n) in m {{ set s = s + key + \":\" + to_string(n) + \" \" }}
    give s + \"}}\"
}}"
        );
    }

    /// An expression of type `string` that shows the value of `text`.
    fn shown(&self, text: &str, ty: Type) -> String {
        let prefix = &self.prefix;
        match ty {
            Type::Int(_) | Type::F64 | Type::Bool => format!("to_string({text})"),
            Type::F32 => format!("to_string({text} as f64)"),
            Type::Char => format!("to_string({text} as u32)"),
            Type::Text => text.to_owned(),
            Type::Numbers => format!("{prefix}show_ints({text})"),
            Type::Texts => format!("{prefix}show_texts({text})"),
            Type::Form(number) => format!("{prefix}show_f{number}({text})"),
            Type::Pick => format!("{prefix}show_p({text})"),
            Type::Maybe => format!("{prefix}show_maybe({text})"),
            Type::Counts => format!("{prefix}show_counts({text})"),
            Type::Step => format!("to_string({text}(7))"),
            Type::Box => format!("to_string({text}.inner) + \"*\" + to_string({text}.count)"),
        }
    }

    fn procedure(&mut self, number: usize) {
        let mut params = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let ty = self.ty();
            let by_place = self.random.one_in(5) && ty != Type::Step;
            let mode = if by_place { Mode::RefMut } else { Mode::Value };
            params.push((ty, mode));
        }
        let result = self.ty();
        let name = format!("{}p{number}", self.prefix);
        self.scope.clear();
        (self.names, self.calls, self.loops) = (0, 0, 0);
        let mut head = Vec::new();
        for (ty, mode) in &params {
            let param = self.name("a");
            let mode = if *mode == Mode::RefMut { "ref mut " } else { "" };
            head.push(format!("{param}: {mode}{}", self.spelled(*ty)));
            self.scope.push((param, *ty));
        }
        let _ = writeln!(self.out, "proc {name}({}) -> {} {{", head.join(", "), self.spelled(result));
        let count = 3 + self.random.below(5);
        self.statements(count, 1);
        let value = self.expression(result, 0);
        let _ = writeln!(self.out, "    give {value}\n}}");
        self.procs.push(Proc { name, params, result });
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "    ".repeat(depth));
    }

    fn statements(&mut self, count: usize, depth: usize) {
        let visible = self.scope.len();
        for _ in 0..count {
            self.statement(depth);
        }
        // What a proc's own body declares can be part of its result.
        if depth > 1 {
            self.scope.truncate(visible);
        }
    }

    fn declare(&mut self, ty: Type, depth: usize) {
        let value = self.value(ty);
        let name = self.name("v");
        let spelled = self.spelled(ty);
        self.line(depth, &format!("let {name}: {spelled} = {value}"));
        self.scope.push((name, ty));
    }

    fn statement(&mut self, depth: usize) {
        let nested = depth < 4;
        match self.random.below(18) {
            14 => {
                let Some(name) = self.variable(Type::Counts) else {
                    return self.declare(Type::Counts, depth);
                };
                let key = self.expression(Type::Text, 1);
                let value = self.expression(Type::Int("int"), 1);
                match self.random.below(3) {
                    0 => self.line(depth, &format!("set {name}[{key}] = {value}")),
                    1 => {
                        self.line(depth, &format!("{name}.insert({key}, {name}.get_or({key}, 1) + {value})"))
                    }
                    _ => self.line(depth, &format!("{name}.remove({key})")),
                }
            }
            15 if nested && self.loops < 2 => {
                let Some(name) = self.variable(Type::Counts) else {
                    return self.declare(Type::Counts, depth);
                };
                let (key, count) = (self.name("k"), self.name("c"));
                self.line(depth, &format!("for ({key}, {count}) in {name} {{"));
                self.scope.push((key, Type::Text));
                self.scope.push((count, Type::Int("int")));
                self.loops += 1;
                self.statements(1, depth + 1);
                self.line(depth + 1, &format!("if len({name}) > 8 {{ break }}"));
                self.loops -= 1;
                self.scope.truncate(self.scope.len() - 2);
                self.line(depth, "}");
            }
            16 if nested => self.guarded(depth),
            0 | 1 if nested => {
                let condition = self.expression(Type::Bool, 1);
                self.line(depth, &format!("if {condition} {{"));
                let count = 1 + self.random.below(3);
                self.statements(count, depth + 1);
                if self.random.one_in(2) {
                    self.line(depth, "} else {");
                    self.statements(1, depth + 1);
                }
                self.line(depth, "}");
            }
            2 if nested && self.loops < 2 => {
                let name = self.name("i");
                let times = 1 + self.random.below(5);
                self.line(depth, &format!("for {name} in 0..{times} {{"));
                self.scope.push((name, Type::Int("int")));
                self.loops += 1;
                let count = 1 + self.random.below(3);
                self.statements(count, depth + 1);
                if self.random.one_in(4) {
                    let condition = self.expression(Type::Bool, 1);
                    let leave = if self.random.one_in(2) { "break" } else { "continue" };
                    self.line(depth + 1, &format!("if {condition} {{ {leave} }}"));
                }
                self.loops -= 1;
                self.scope.pop();
                self.line(depth, "}");
            }
            3 if nested && self.loops < 2 => {
                let list = self.expression(Type::Numbers, 1);
                let name = self.name("x");
                self.line(depth, &format!("for {name} in slice({list}, 0, 5) {{"));
                self.scope.push((name, Type::Int("int")));
                self.loops += 1;
                self.statements(2, depth + 1);
                self.loops -= 1;
                self.scope.pop();
                self.line(depth, "}");
            }
            4 if nested => self.matching(depth),
            5 => {
                let Some(name) = self.variable(Type::Numbers) else {
                    return self.declare(Type::Numbers, depth);
                };
                let value = self.expression(Type::Int("int"), 1);
                if self.random.one_in(2) && self.loops < 2 {
                    self.line(depth, &format!("set {name} = {name} + [{value}]"));
                } else {
                    let index = self.expression(Type::Int("u32"), 2);
                    self.line(depth, &format!("set {name}[{index} % (len({name}) as u32)] = {value}"));
                }
            }
            6 => {
                let form = self.random.below(self.forms.len());
                let Some(name) = self.variable(Type::Form(form)) else {
                    return self.declare(Type::Form(form), depth);
                };
                let field = self.random.below(self.forms[form].len());
                let value = self.value(self.forms[form][field]);
                self.line(depth, &format!("set {name}.f{field} = {value}"));
            }
            7 if self.loops == 0 => {
                // By hand, since it can change its arguments.
                let called = self.call(0);
                if let Some((text, ty)) = called {
                    let name = self.name("r");
                    let spelled = self.spelled(ty);
                    self.line(depth, &format!("let {name}: {spelled} = {text}"));
                    self.scope.push((name, ty));
                }
            }
            8 => {
                let captured = self.value(Type::Int("int"));
                let (outer, lambda) = (self.name("k"), self.name("g"));
                self.line(depth, &format!("let {outer} = {captured}"));
                let body = format!("y * {outer} - {}", self.literal(Type::Int("int")));
                self.line(depth, &format!("let {lambda} = proc(y: int) -> int {{ give {body} }}"));
                let argument = self.expression(Type::Int("int"), 1);
                let name = self.name("r");
                self.line(depth, &format!("let {name} = {lambda}({argument}) + {lambda}({outer})"));
                self.scope.push((outer, Type::Int("int")));
                self.scope.push((name, Type::Int("int")));
            }
            9 | 10 => {
                let ty = self.ty();
                let Some(name) = self.variable(ty) else { return self.declare(ty, depth) };
                let value = self.value(ty);
                self.line(depth, &format!("set {name} = {value}"));
            }
            11 => {
                let ty = self.int();
                let Some(name) = self.variable(ty) else { return self.declare(ty, depth) };
                let sign = ["+", "-", "*", "^", "&", "|"][self.random.below(6)];
                let value = self.expression(ty, 1);
                self.line(depth, &format!("set {name} {sign}= {value}"));
            }
            _ => {
                let ty = self.ty();
                self.declare(ty, depth);
            }
        }
    }

    fn matching(&mut self, depth: usize) {
        let subject = self.expression(Type::Pick, 1);
        self.line(depth, &format!("match {subject} {{"));
        let (n, s, f) = (self.name("n"), self.name("s"), self.name("f"));
        let arms: [(String, Vec<(String, Type)>); 3] = [
            (format!("case B({n}) if {n} > 3 {{"), vec![(n, Type::Int("int"))]),
            (format!("case C({s}, {f}) {{"), vec![(s, Type::Text), (f, Type::Form(0))]),
            ("else {".to_owned(), Vec::new()),
        ];
        for (head, bound) in arms {
            self.line(depth + 1, &head);
            let visible = self.scope.len();
            self.scope.extend(bound);
            self.statements(1, depth + 2);
            self.scope.truncate(visible);
            self.line(depth + 1, "}");
        }
        self.line(depth, "}");
    }

    /// A match over a pair, with guards and literals.
    fn guarded(&mut self, depth: usize) {
        let number = self.expression(Type::Int("int"), 1);
        let text = self.expression(Type::Text, 1);
        let (n, s) = (self.name("n"), self.name("s"));
        let low = self.random.below(5);
        self.line(depth, &format!("match ({number}, {text}) {{"));
        let arms: [(String, Vec<(String, Type)>); 4] = [
            (format!("case (0, {s}) | (1, {s}) {{"), vec![(s.clone(), Type::Text)]),
            (format!("case ({low}..=90, \"\") {{"), Vec::new()),
            (
                format!("case ({n}, {s}) if {n} > len({s}) as int {{"),
                vec![(n.clone(), Type::Int("int")), (s, Type::Text)],
            ),
            (format!("case ({n}, _) {{"), vec![(n, Type::Int("int"))]),
        ];
        for (head, bound) in arms {
            self.line(depth + 1, &head);
            let visible = self.scope.len();
            self.scope.extend(bound);
            self.statements(1, depth + 2);
            self.scope.truncate(visible);
            self.line(depth + 1, "}");
        }
        self.line(depth, "}");
    }

    /// A local of the type.
    fn variable(&mut self, ty: Type) -> Option<String> {
        let fitting: Vec<&String> =
            self.scope.iter().filter(|(_, other)| *other == ty).map(|(name, _)| name).collect();
        self.random.choose(&fitting).map(|name| (*name).clone())
    }

    /// A call and its type.
    fn call(&mut self, depth: u32) -> Option<(String, Type)> {
        if self.calls >= 4 || self.procs.is_empty() {
            return None;
        }
        let callee = self.procs[self.random.below(self.procs.len())].clone();
        let mut args = Vec::new();
        for (ty, mode) in callee.params {
            args.push(match mode {
                Mode::Value => self.expression(ty, depth + 2),
                // Two names of one place would be told apart.
                Mode::RefMut => self.variable(ty).filter(|name| !args.contains(name))?,
            });
        }
        self.calls += 1;
        Some((format!("{}({})", callee.name, args.join(", ")), callee.result))
    }

    /// An expression whose value is nobody else's: to give a local of a form or a list away would end it.
    fn value(&mut self, ty: Type) -> String {
        match ty {
            Type::Form(_)
            | Type::Pick
            | Type::Numbers
            | Type::Texts
            | Type::Maybe
            | Type::Counts
            | Type::Box => self.made(ty, 1),
            _ => self.expression(ty, 0),
        }
    }

    fn literal(&mut self, ty: Type) -> String {
        match ty {
            Type::Int(name) => {
                let most: u64 = match name {
                    "i8" => 127,
                    "u8" => 255,
                    "i16" => 32_767,
                    "u16" => 65_535,
                    "i32" => 2_147_483_647,
                    "u32" => 4_294_967_295,
                    "u64" | "u128" | "usize" => u64::MAX,
                    _ => 9_223_372_036_854_775_807,
                };
                let value = match self.random.below(4) {
                    0 => most,
                    1 => self.random.bits() % most,
                    _ => self.random.bits() % most.min(20),
                };
                value.to_string()
            }
            Type::F64 | Type::F32 => {
                let whole = self.random.below(1000);
                let part = self.random.below(100);
                format!("{whole}.{part}")
            }
            Type::Bool => ["true", "false"][self.random.below(2)].to_owned(),
            Type::Char => format!("'{}'", ["a", "Z", "0", "é", "世"][self.random.below(5)]),
            Type::Text => format!("{:?}", ["", "a", "vitte", "été", "0 1"][self.random.below(5)]),
            Type::Numbers
            | Type::Texts
            | Type::Form(_)
            | Type::Pick
            | Type::Maybe
            | Type::Counts
            | Type::Step
            | Type::Box => self.made(ty, DEPTH_MAX),
        }
    }

    /// A new value, made of its parts.
    fn made(&mut self, ty: Type, depth: u32) -> String {
        let part = |this: &mut Self, ty: Type| {
            if depth >= DEPTH_MAX { this.leaf(ty) } else { this.expression(ty, depth + 1) }
        };
        match ty {
            Type::Numbers | Type::Texts => {
                let element = if ty == Type::Numbers { Type::Int("int") } else { Type::Text };
                let count = 1 + self.random.below(4);
                let items: Vec<String> = (0..count).map(|_| part(self, element)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Form(number) => {
                let fields = self.forms[number].clone();
                let mut values = Vec::new();
                for (index, ty) in fields.into_iter().enumerate() {
                    let value = match ty {
                        Type::Form(_) | Type::Numbers => self.made(ty, depth + 1),
                        _ => part(self, ty),
                    };
                    values.push(format!("f{index}: {value}"));
                }
                format!("{}F{number} {{ {} }}", self.prefix, values.join(", "))
            }
            Type::Pick => {
                let prefix = self.prefix.clone();
                match self.random.below(4) {
                    0 => format!("{prefix}P.A"),
                    1 => format!("{prefix}P.B({})", part(self, Type::Int("int"))),
                    2 => {
                        let text = part(self, Type::Text);
                        let form = self.made(Type::Form(0), depth + 1);
                        format!("{prefix}P.C({text}, {form})")
                    }
                    _ => format!("{prefix}P.D"),
                }
            }
            Type::Counts => {
                let count = self.random.below(4);
                let entries: Vec<String> = (0..count)
                    .map(|_| format!("{}: {}", part(self, Type::Text), part(self, Type::Int("int"))))
                    .collect();
                format!("map {{ {} }}", entries.join(", "))
            }
            Type::Step => {
                let prefix = self.prefix.clone();
                let number = self.literal(Type::Int("i16"));
                match self.random.below(4) {
                    0 => format!("(|y: int| y - {number})"),
                    1 => format!("proc(y: int) -> int {{ give if y > {number} {{ y }} else {{ -y }} }}"),
                    2 if depth < DEPTH_MAX => {
                        let (f, g) = (self.made(ty, depth + 1), self.made(ty, depth + 1));
                        format!("{prefix}after({f}, {g})")
                    }
                    _ => format!("{prefix}step_by({})", part(self, Type::Int("int"))),
                }
            }
            Type::Box => {
                let prefix = self.prefix.clone();
                let (inner, count) = (part(self, Type::Int("int")), part(self, Type::Int("int")));
                match self.random.below(2) {
                    0 => format!("{prefix}boxed({inner}, {count})"),
                    _ => format!("{prefix}Box<int> {{ inner: {inner}, count: {count} }}"),
                }
            }
            Type::Maybe => match self.random.below(3) {
                0 => "none<int>()".to_owned(),
                _ => format!("Some({})", part(self, Type::Int("int"))),
            },
            Type::Int(_) | Type::F64 | Type::F32 | Type::Bool | Type::Char | Type::Text => self.literal(ty),
        }
    }

    /// A local or a literal.
    fn leaf(&mut self, ty: Type) -> String {
        match self.variable(ty) {
            Some(name) if !self.random.one_in(5) => name,
            _ => self.literal(ty),
        }
    }

    /// An expression that the compiler does not know: to be combined with others.
    fn unknown(&mut self, ty: Type, depth: u32) -> String {
        match self.variable(ty) {
            Some(name) => name,
            // A call is never computed beforehand.
            None => match ty {
                Type::Int(name) => format!("(len({}) as {name})", self.leaf(Type::Text)),
                Type::F64 | Type::F32 => format!("(len({}) as {})", self.leaf(Type::Text), self.spelled(ty)),
                _ => self.expression(ty, depth + 1),
            },
        }
    }

    fn expression(&mut self, ty: Type, depth: u32) -> String {
        if depth >= DEPTH_MAX || self.random.one_in(6) {
            return self.leaf(ty);
        }
        if self.loops == 0
            && self.random.one_in(8)
            && let Some((text, result)) = self.call(depth)
            && result == ty
        {
            return text;
        }
        if self.random.one_in(10) {
            let condition = self.expression(Type::Bool, depth + 1);
            let (yes, no) = (self.expression(ty, depth + 1), self.expression(ty, depth + 1));
            return format!("(if {condition} {{ {yes} }} else {{ {no} }})");
        }
        if self.random.one_in(12) && ty != Type::Step {
            let condition = self.expression(Type::Bool, depth + 1);
            let (yes, no) = (self.expression(ty, depth + 1), self.expression(ty, depth + 1));
            let (prefix, spelled) = (&self.prefix, self.spelled(ty));
            return format!("{prefix}either<{spelled}>({condition}, {yes}, {no})");
        }
        match ty {
            Type::Int(name) => self.integer(name, depth),
            Type::F64 | Type::F32 => {
                let spelled = self.spelled(ty);
                match self.random.below(6) {
                    0 => {
                        let from = self.int();
                        format!("({} as {spelled})", self.unknown(from, depth))
                    }
                    1 => {
                        let other = if ty == Type::F64 { Type::F32 } else { Type::F64 };
                        format!("({} as {spelled})", self.unknown(other, depth))
                    }
                    _ => {
                        let sign = ["+", "-", "*", "/"][self.random.below(4)];
                        format!("({} {sign} {})", self.unknown(ty, depth), self.expression(ty, depth + 1))
                    }
                }
            }
            Type::Bool => self.condition(depth),
            Type::Char => match self.random.below(2) {
                0 => self.leaf(ty),
                _ => format!("(({} & 127) as char)", self.unknown(Type::Int("u8"), depth)),
            },
            Type::Text => match self.random.below(4) {
                0 => format!("to_string({})", self.unknown(Type::Int("int"), depth)),
                1 => {
                    let (from, to) = (self.random.below(4), self.random.below(8));
                    format!("slice({}, {from}, {to})", self.expression(ty, depth + 1))
                }
                2 => {
                    let texts = self.unknown(Type::Texts, depth);
                    let index = self.expression(Type::Int("u8"), depth + 1);
                    format!("{texts}[{index} % (len({texts}) as u8)]")
                }
                _ => {
                    let (left, right) = (self.expression(ty, depth + 1), self.expression(ty, depth + 1));
                    format!("slice({left} + {right}, 0, {TEXT_MAX})")
                }
            },
            Type::Numbers if self.random.one_in(4) => {
                let (numbers, step) = (self.unknown(ty, depth), self.made(Type::Step, depth + 1));
                format!("{}each({numbers}, {step})", self.prefix)
            }
            Type::Numbers
            | Type::Texts
            | Type::Form(_)
            | Type::Pick
            | Type::Maybe
            | Type::Counts
            | Type::Step
            | Type::Box => match self.variable(ty) {
                Some(name) if self.random.one_in(2) => name,
                _ => self.made(ty, depth + 1),
            },
        }
    }

    fn integer(&mut self, name: &'static str, depth: u32) -> String {
        let ty = Type::Int(name);
        match self.random.below(17) {
            12 if name == "int" => {
                let counts = self.unknown(Type::Counts, depth);
                format!("({counts}.get({}) ?? {})", self.leaf(Type::Text), self.leaf(ty))
            }
            13 if name == "int" => match self.variable(Type::Step) {
                Some(step) => format!("{step}({})", self.expression(ty, depth + 1)),
                None => self.leaf(ty),
            },
            14 if name == "int" => {
                let (number, text) = (self.unknown(ty, depth), self.unknown(Type::Text, depth));
                let form = self.leaf(Type::Form(0));
                format!("{}total_of([{number}, {text}, {form}])", self.prefix)
            }
            15 if name == "int" => {
                let element = [Type::Box, Type::Text, ty, Type::Form(0)][self.random.below(4)];
                let (first, second) = (self.made_or_leaf(element), self.made_or_leaf(element));
                format!("{}total([{first}, {second}])", self.prefix)
            }
            16 if name == "int" => {
                let (a, b) = (self.unknown(ty, depth), self.unknown(Type::Bool, depth));
                let (m, n) = (self.name("m"), self.name("n"));
                let other = self.expression(ty, depth + 1);
                format!(
                    "(match ({a}, {b}) {{ case (0, _) => {other} case ({m}, true) if {m} % 2 == 0 => {m} case ({n}, _) => {n} + 1 }})"
                )
            }
            0 => {
                let from = self.int();
                format!("({} as {name})", self.unknown(from, depth))
            }
            1 => format!("({} as {name})", self.unknown(Type::F64, depth)),
            2 => format!("({} as {name})", self.expression(Type::Bool, depth + 1)),
            3 => format!("({} as u32 as {name})", self.expression(Type::Char, depth + 1)),
            4 => {
                let sign = ["/", "%"][self.random.below(2)];
                format!("({} {sign} ({} | 1))", self.unknown(ty, depth), self.unknown(ty, depth))
            }
            5 => {
                let sign = ["<<", ">>"][self.random.below(2)];
                format!("({} {sign} {})", self.unknown(ty, depth), self.unknown(Type::Int("u8"), depth))
            }
            6 => format!("(-{})", self.unknown(ty, depth)),
            7 => format!("(~{})", self.unknown(ty, depth)),
            8 if name == "int" => {
                let numbers = self.unknown(Type::Numbers, depth);
                if numbers.starts_with('[') {
                    return self.leaf(ty);
                }
                let index = self.expression(Type::Int("u16"), depth + 1);
                format!("{numbers}[{index} % (len({numbers}) as u16)]")
            }
            9 if name == "int" => format!("({} ?? {})", self.unknown(Type::Maybe, depth), self.leaf(ty)),
            _ => {
                let sign = ["+", "-", "*", "&", "|", "^"][self.random.below(6)];
                format!("({} {sign} {})", self.unknown(ty, depth), self.expression(ty, depth + 1))
            }
        }
    }

    fn made_or_leaf(&mut self, ty: Type) -> String {
        if self.random.one_in(2) { self.made(ty, DEPTH_MAX) } else { self.leaf(ty) }
    }

    fn condition(&mut self, depth: u32) -> String {
        match self.random.below(6) {
            0 => {
                let sign = ["and", "or"][self.random.below(2)];
                let left = self.unknown(Type::Bool, depth);
                format!("({left} {sign} {})", self.expression(Type::Bool, depth + 1))
            }
            1 => format!("(not {})", self.expression(Type::Bool, depth + 1)),
            2 => {
                let ty = [Type::Text, Type::Numbers, Type::Form(0), Type::Pick][self.random.below(4)];
                let sign = ["==", "!="][self.random.below(2)];
                let (left, right) = (self.leaf(ty), self.leaf(ty));
                format!("(({left}) {sign} ({right}))")
            }
            3 => {
                let (left, right) = (self.int(), self.int());
                let sign = ["<", "<=", ">", ">=", "==", "!="][self.random.below(6)];
                format!("({} {sign} {})", self.unknown(left, depth), self.unknown(right, depth))
            }
            4 => {
                let sign = ["<", "<=", ">", ">=", "==", "!="][self.random.below(6)];
                format!("({} {sign} {})", self.unknown(Type::F64, depth), self.unknown(Type::F64, depth))
            }
            _ => self.leaf(Type::Bool),
        }
    }

    /// Calls every proc with several arguments, and prints what comes back, in what is given too.
    fn main(&mut self) -> String {
        let mut main = String::new();
        for proc in self.procs.clone() {
            for round in 0..2 {
                self.scope.clear();
                let mut args = Vec::new();
                for (index, (ty, _)) in proc.params.iter().enumerate() {
                    let name = format!("{}_{round}_{index}", proc.name);
                    let _ = writeln!(main, "    let {name}: {} = {}", self.spelled(*ty), self.literal(*ty));
                    args.push((name, *ty));
                }
                let names: Vec<&str> = args.iter().map(|(name, _)| name.as_str()).collect();
                let result = format!("{}_{round}", proc.name);
                let _ = writeln!(main, "    let {result} = {}({})", proc.name, names.join(", "));
                let _ = writeln!(main, "    println(\"{result} \" + {})", self.shown(&result, proc.result));
                for (name, ty) in &args {
                    let _ = writeln!(main, "    println(\"  \" + {})", self.shown(name, *ty));
                }
            }
        }
        main
    }
}
