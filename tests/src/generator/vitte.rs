//! The model as Vitte modules.
use std::fmt::Write;

use super::{Files, Module, ModuleId, Workspace, capital, fill};

const MANIFEST: &str = r#"{
  "schema": "vitte.package.manifest.v1",
  "name": "workspace",
  "version": "0.1.0",
  "kind": "binary",
  "entry": "src/main.vit",
  "dependencies": {},
  "tests": []
}
"#;

const ARITH: &str = "\
space base/arith

// What every module counts with.
export MODULUS, mix, first_or

const MODULUS: int = 1000003

proc mix(a: int, b: int) -> int {
    give (a * 31 + b) % MODULUS
}

proc first_or<T>(items: [T], fallback: T) -> T {
    if len(items) > 0 { give items[0] }
    give fallback
}
";

const SLOTS: &str = "\
space base/slots

export Slot, first_used, Weigh, heaviest

// A place for a value that may not be in use.
form Slot<T> {
    value: T
    used: bool
}

proc first_used<T>(slots: [Slot<T>], fallback: T) -> T {
    for slot in slots {
        if slot.used { give slot.value }
    }
    give fallback
}

// What has a weight.
trait Weigh {
    const UNIT: int
    proc weigh(self) -> int
    proc twice(self) -> int { give self.weigh() * 2 + Self.UNIT }
}

proc heaviest<T: Weigh>(items: [T]) -> int {
    let best = 0
    for item in items {
        if item.weigh() > best { set best = item.weigh() }
    }
    give best
}
";

/// Types and procedures that every generated module has.
const COMMON: &str = "\
const LIMIT: int = @limit@
const BASE: int = @base@
const TAG: string = \"@noun@-\"

form @Noun@ {
    label: string
    total: int
    count: int
    open: bool
    marks: [int]
}

pick @Noun@State {
    Idle
    Active(level: int)
    Failed(code: int, note: string)
}

impl Weigh for @Noun@ {
    const UNIT: int = BASE % 97
    proc weigh(self) -> int { give (self.total % 1000) * 7 + len(self.marks) as int + LIMIT }
}

// A fresh @noun@.
proc make(n: int) -> @Noun@ {
    let marks: [int] = []
    for i in 0..n % 4 {
        marks.push(n % 13 + i)
    }
    give @Noun@ {
        label: TAG + (n % 100) as string,
        total: (n * 17 + BASE) % arith.MODULUS,
        count: 0,
        open: n % 3 != 0,
        marks: marks,
    }
}

proc advance(item: ref mut @Noun@, by: int) {
    set item.total = (item.total * 3 + by) % arith.MODULUS
    set item.count = item.count + 1
    if item.total % 2 == 0 and len(item.marks) < 12 {
        item.marks.push(by % 50)
    } else {
        set item.open = not item.open
    }
}

proc classify(n: int) -> @Noun@State {
    let phase = n % 4
    if phase == 0 { give @Noun@State.Idle }
    if phase == 3 { give @Noun@State.Failed(n % 71, TAG) }
    give @Noun@State.Active(n % LIMIT)
}

";

/// Uses the types of another module.
const FOREIGN: &str = "\
// What a @other@ of another module comes to.
proc visit_@q@(n: int) -> int {
    let other = @make@(n + 3)
    @advance@(ref mut other, n % 29)
    if other.open and len(other.marks) > 0 {
        give arith.mix(other.total, other.marks[0])
    }
    pick @classify@(n) {
        @State@.Active(level) { give arith.mix(other.count, level + len(other.label)) }
        _ { give other.total }
    }
}

";

/// How the importing module spells what it uses of an imported one.
struct Names {
    qualifier: String,
    use_line: String,
    make: String,
    advance: String,
    classify: String,
    score: String,
    checksum: String,
    state: String,
    limit: String,
}

impl Names {
    /// Modules with an odd number are imported by a group of items, the others by a qualifier.
    fn new(id: ModuleId, module: &Module, owned: bool) -> Self {
        let Module { area, name, noun, .. } = module;
        let state = format!("{}State", capital(noun));
        if id.0.is_multiple_of(2) {
            let of = |item: &str| format!("{name}.{item}");
            return Self {
                qualifier: name.clone(),
                use_line: format!("use {area}/{name}\n"),
                make: of("make"),
                advance: of("advance"),
                classify: of("classify"),
                score: of("score"),
                checksum: of("checksum"),
                state: of(&state),
                limit: of("LIMIT"),
            };
        }
        let number = name.rsplit('_').next().unwrap_or(name);
        let of = |item: &str| format!("{item}_{name}");
        let alias = format!("{state}{number}");
        let mut items = vec![format!("{state} as {alias}"), format!("LIMIT as LIMIT_{number}")];
        for item in ["make", "advance", "classify", "score"] {
            items.push(format!("{item} as {}", of(item)));
        }
        if owned {
            items.push(format!("checksum as {}", of("checksum")));
        }
        Self {
            qualifier: name.clone(),
            use_line: format!("use {area}/{name}.{{\n    {},\n}}\n", items.join(",\n    ")),
            make: of("make"),
            advance: of("advance"),
            classify: of("classify"),
            score: of("score"),
            checksum: of("checksum"),
            state: alias,
            limit: format!("LIMIT_{number}"),
        }
    }
}

pub(super) fn files(workspace: &Workspace) -> Files {
    let mut files = Files::default();
    files.insert("vitte-package.json", MANIFEST);
    files.insert("src/main.vit", main(workspace));
    files.insert("src/base/arith.vit", ARITH);
    files.insert("src/base/slots.vit", SLOTS);
    for (id, text_of) in &workspace.modules {
        files.insert(text_of.path(), module(workspace, *id, text_of));
    }
    files
}

fn main(workspace: &Workspace) -> String {
    let mut uses = String::from("space main\n\nuse base/arith\n");
    let mut calls = String::new();
    for (at, id) in workspace.top.iter().enumerate() {
        let Some(module) = workspace.module(*id) else { continue };
        let Module { area, name, .. } = module;
        uses += &format!("use {area}/{name}\n");
        calls += &format!("    set total = arith.mix(total, {name}.checksum({at}))\n");
    }
    format!(
        "{uses}\nproc main() -> int {{\n    let total = 0\n{calls}    println(\"checksum \" + total as string)\n    give 0\n}}\n"
    )
}

pub(super) fn module(workspace: &Workspace, id: ModuleId, module: &Module) -> String {
    let noun_capital = capital(module.noun);
    let imports: Vec<(&Module, Names, bool)> = module
        .imports
        .iter()
        .filter_map(|import| {
            let imported = workspace.module(*import)?;
            let owned = module.owned.contains(import);
            Some((imported, Names::new(*import, imported, owned), owned))
        })
        .collect();

    let mut text = format!(
        "// {}\nspace {}/{}\n\nuse base/arith\nuse base/slots.{{Slot, first_used, Weigh, heaviest}}\n",
        module.remark, module.area, module.name
    );
    for (_, names, _) in &imports {
        text += &names.use_line;
    }
    text.push('\n');
    // Modules that import nothing but the base would not pass on anything of others.
    let exports = format!("{noun_capital}, {noun_capital}State, make, advance, classify, score, checksum");
    text +=
        &if module.layer == 0 { "export *\n\n".to_owned() } else { format!("export LIMIT, {exports}\n\n") };
    let base = match imports.first() {
        Some((_, names, _)) => format!("{} % 89 + {}", names.limit, module.base),
        None => module.base.to_string(),
    };
    let limit = module.limit.to_string();
    let known = [("noun", module.noun), ("Noun", &noun_capital), ("limit", &limit), ("base", &base)];
    text += &fill(COMMON, &known);

    for procedure in &module.procedures {
        let [a, b, c] = procedure.numbers.map(|number| number.to_string());
        let values = [
            ("proc", procedure.name.as_str()),
            ("a", &a),
            ("b", &b),
            ("c", &c),
            ("noun", module.noun),
            ("Noun", &noun_capital),
        ];
        text += &fill(procedure.shape.vitte(), &values);
        text.push('\n');
    }
    for (imported, names, owned) in &imports {
        if *owned {
            continue;
        }
        let values = [
            ("other", imported.noun),
            ("q", names.qualifier.as_str()),
            ("make", &names.make),
            ("advance", &names.advance),
            ("classify", &names.classify),
            ("State", &names.state),
        ];
        text += &fill(FOREIGN, &values);
    }
    text += &score(module);
    text += &checksum(module, &imports);
    if module.indent != 4 {
        text = indented(&text, module.indent);
    }
    match workspace.damage.get(&id) {
        Some(damage) => damage.apply(&text),
        None => text,
    }
}

fn score(module: &Module) -> String {
    let local = &module.local;
    let (parameters, start) =
        if module.wide_score { ("n: int, m: int", "(n + m) % 97") } else { ("n: int", "n % 97") };
    let mut text =
        format!("// What others see of it.\nproc score({parameters}) -> int {{\n    let {local} = {start}\n");
    for (at, procedure) in module.procedures.iter().take(2).enumerate() {
        let _ = writeln!(text, "    set {local} = arith.mix({local}, {}(n + {at}))", procedure.name);
    }
    let _ = write!(text, "    give {local}\n}}\n\n");
    text
}

fn checksum(module: &Module, imports: &[(&Module, Names, bool)]) -> String {
    let mut text = String::from("proc checksum(n: int) -> int {\n    let total = BASE\n");
    let mut add = |call: String| {
        let _ = writeln!(text, "    set total = arith.mix(total, {call})");
    };
    for (at, procedure) in module.procedures.iter().enumerate() {
        add(format!("{}(n + {})", procedure.name, at * 7));
    }
    for (imported, names, owned) in imports {
        add(if imported.wide_score {
            format!("{}(n, 5)", names.score)
        } else {
            format!("{}(n)", names.score)
        });
        if *owned {
            add(format!("{}(n + 1)", names.checksum));
        } else {
            add(format!("visit_{}(n)", names.qualifier));
        }
    }
    text += "    give total\n}\n";
    text
}

/// The text with `width` spaces for each level in place of four.
fn indented(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let body = line.trim_start_matches(' ');
        let levels = (line.len() - body.len()) / 4;
        out.extend(std::iter::repeat_n(' ', levels * width));
        out.push_str(body);
        out.push('\n');
    }
    out
}
