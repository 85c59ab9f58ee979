//! The model as a C project: a source and a header for each module, and a `build.ninja`.
use std::fmt::Write;

use super::{Files, Module, Workspace, fill};

const NINJA: &str = "\
ninja_required_version = 1.7
cc = @compiler@

rule cc
  command = $cc -MD -MF $out.d -I. -c $in -o $out
  depfile = $out.d
  deps = gcc
  description = CC $out

rule link
  command = $cc -o $out @$out.rsp
  rspfile = $out.rsp
  rspfile_content = $in
  description = LINK $out

";

const ARITH_H: &str = "\
#ifndef BASE_ARITH_H
#define BASE_ARITH_H
#include <stdbool.h>
#include <stdint.h>

/* What every module counts with. */
#define ARITH_MODULUS 1000003

int64_t arith_mix(int64_t a, int64_t b);
int64_t arith_first_or(const int64_t *items, int count, int64_t fallback);
#endif
";

const ARITH_C: &str = "\
#include \"base/arith.h\"

int64_t arith_mix(int64_t a, int64_t b)
{
    return (a * 31 + b) % ARITH_MODULUS;
}

int64_t arith_first_or(const int64_t *items, int count, int64_t fallback)
{
    if (count > 0) { return items[0]; }
    return fallback;
}
";

const SLOTS_H: &str = "\
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H
#include <stdbool.h>
#include <stdint.h>

/* A place for a value that may not be in use. */
typedef struct slots_number {
    int64_t value;
    bool used;
} slots_number;

int64_t slots_first_used(const slots_number *slots, int count, int64_t fallback);
#endif
";

const SLOTS_C: &str = "\
#include \"base/slots.h\"

int64_t slots_first_used(const slots_number *slots, int count, int64_t fallback)
{
    for (int at = 0; at < count; at++) {
        if (slots[at].used) { return slots[at].value; }
    }
    return fallback;
}
";

const HEADER: &str = "\
#ifndef @m@_H
#define @m@_H
#include <stdbool.h>
#include <stdint.h>

enum { @m@_limit = @limit@ };

typedef struct @m@_item {
    char label[32];
    int64_t total;
    int64_t count;
    bool open;
    int64_t marks[16];
    int mark_count;
} @m@_item;

typedef struct @m@_state {
    enum { @m@_idle, @m@_active, @m@_failed } kind;
    int64_t number;
    const char *note;
} @m@_state;

@m@_item @m@_make(int64_t n);
void @m@_advance(@m@_item *item, int64_t by);
@m@_state @m@_classify(int64_t n);
int64_t @m@_score(@score@);
int64_t @m@_checksum(int64_t n);
#endif
";

const COMMON: &str = "\
enum { @m@_base = @base@ };
static const char @m@_tag[] = \"@noun@-\";

/* A fresh @noun@. */
@m@_item @m@_make(int64_t n)
{
    @m@_item item;
    snprintf(item.label, sizeof item.label, \"%s%lld\", @m@_tag, (long long)(n % 100));
    item.mark_count = 0;
    for (int64_t i = 0; i < n % 4; i++) {
        item.marks[item.mark_count++] = n % 13 + i;
    }
    item.total = (n * 17 + @m@_base) % ARITH_MODULUS;
    item.count = 0;
    item.open = n % 3 != 0;
    return item;
}

static int64_t @m@_weigh(const @m@_item *item)
{
    return (item->total % 1000) * 7 + item->mark_count + @m@_limit;
}

void @m@_advance(@m@_item *item, int64_t by)
{
    item->total = (item->total * 3 + by) % ARITH_MODULUS;
    item->count = item->count + 1;
    if (item->total % 2 == 0 && item->mark_count < 12) {
        item->marks[item->mark_count++] = by % 50;
    } else {
        item->open = !item->open;
    }
}

@m@_state @m@_classify(int64_t n)
{
    @m@_state state = { @m@_idle, 0, \"\" };
    int64_t phase = n % 4;
    if (phase == 0) { return state; }
    if (phase == 3) {
        state.kind = @m@_failed;
        state.number = n % 71;
        state.note = @m@_tag;
        return state;
    }
    state.kind = @m@_active;
    state.number = n % @m@_limit;
    return state;
}

";

const FOREIGN: &str = "\
/* What a @other@ of another module comes to. */
static int64_t @m@_visit_@q@(int64_t n)
{
    @q@_item other = @q@_make(n + 3);
    @q@_advance(&other, n % 29);
    if (other.open && other.mark_count > 0) {
        return arith_mix(other.total, other.marks[0]);
    }
    @q@_state state = @q@_classify(n);
    switch (state.kind) {
    case @q@_active:
        return arith_mix(other.count, state.number + (int64_t)strlen(other.label));
    default:
        return other.total;
    }
}

";

pub(super) fn files(workspace: &Workspace, compiler: &str) -> Files {
    let mut files = Files::default();
    files.insert("main.c", main(workspace));
    files.insert("base/arith.h", ARITH_H);
    files.insert("base/arith.c", ARITH_C);
    files.insert("base/slots.h", SLOTS_H);
    files.insert("base/slots.c", SLOTS_C);
    for module in workspace.modules.values() {
        let path = module.c_path();
        files.insert(format!("{}h", path.trim_end_matches('c')), header(module));
        files.insert(path, source(workspace, module));
    }
    let mut ninja = fill(NINJA, &[("compiler", compiler)]);
    let mut objects = String::new();
    for source in files.paths().filter(|path| path.ends_with(".c")) {
        let object = format!("obj/{}o", source.trim_end_matches('c'));
        let _ = writeln!(ninja, "build {object}: cc {source}");
        objects.push(' ');
        objects += &object;
    }
    let _ = write!(ninja, "\nbuild app: link{objects}\ndefault app\n");
    files.insert("build.ninja", ninja);
    files
}

fn main(workspace: &Workspace) -> String {
    let mut includes = String::from("#include <stdio.h>\n#include \"base/arith.h\"\n");
    let mut calls = String::new();
    for (at, id) in workspace.top.iter().enumerate() {
        let Some(module) = workspace.module(*id) else { continue };
        let Module { area, name, .. } = module;
        let _ = writeln!(includes, "#include \"{area}/{name}.h\"");
        let _ = writeln!(calls, "    total = arith_mix(total, {name}_checksum({at}));");
    }
    format!(
        "{includes}\nint main(void)\n{{\n    int64_t total = 0;\n{calls}    printf(\"checksum %lld\\n\", (long long)total);\n    return 0;\n}}\n"
    )
}

fn score_parameters(module: &Module) -> &'static str {
    if module.wide_score { "int64_t n, int64_t m" } else { "int64_t n" }
}

fn header(module: &Module) -> String {
    let limit = module.limit.to_string();
    fill(HEADER, &[("m", &module.name), ("limit", &limit), ("score", score_parameters(module))])
}

fn source(workspace: &Workspace, module: &Module) -> String {
    let imports: Vec<(&Module, bool)> = module
        .imports
        .iter()
        .filter_map(|import| Some((workspace.module(*import)?, module.owned.contains(import))))
        .collect();
    let m = module.name.as_str();
    let mut text = format!("/* {} */\n#include <stdio.h>\n#include <string.h>\n", module.remark);
    text += "#include \"base/arith.h\"\n#include \"base/slots.h\"\n";
    for (imported, _) in &imports {
        let _ = writeln!(text, "#include \"{}/{}.h\"", imported.area, imported.name);
    }
    let _ = write!(text, "#include \"{}/{m}.h\"\n\n", module.area);
    let base = match imports.first() {
        Some((imported, _)) => format!("{}_limit % 89 + {}", imported.name, module.base),
        None => module.base.to_string(),
    };
    text += &fill(COMMON, &[("m", m), ("noun", module.noun), ("base", &base)]);
    for procedure in &module.procedures {
        let [a, b, c] = procedure.numbers.map(|number| number.to_string());
        let values = [
            ("m", m),
            ("proc", procedure.name.as_str()),
            ("a", &a),
            ("b", &b),
            ("c", &c),
            ("noun", module.noun),
        ];
        text += &fill(procedure.shape.c(), &values);
        text.push('\n');
    }
    for (imported, owned) in &imports {
        if !owned {
            text += &fill(FOREIGN, &[("m", m), ("q", &imported.name), ("other", imported.noun)]);
        }
    }

    let local = &module.local;
    let start = if module.wide_score { "(n + m) % 97" } else { "n % 97" };
    let _ = write!(
        text,
        "/* What others see of it. */\nint64_t {m}_score({})\n{{\n    int64_t {local} = {start};\n",
        score_parameters(module)
    );
    for (at, procedure) in module.procedures.iter().take(2).enumerate() {
        let _ = writeln!(text, "    {local} = arith_mix({local}, {m}_{}(n + {at}));", procedure.name);
    }
    let _ = write!(text, "    return {local};\n}}\n\n");

    let _ = write!(text, "int64_t {m}_checksum(int64_t n)\n{{\n    int64_t total = {m}_base;\n");
    let mut add = |call: String| {
        let _ = writeln!(text, "    total = arith_mix(total, {call});");
    };
    for (at, procedure) in module.procedures.iter().enumerate() {
        add(format!("{m}_{}(n + {})", procedure.name, at * 7));
    }
    for (imported, owned) in &imports {
        let name = &imported.name;
        add(if imported.wide_score { format!("{name}_score(n, 5)") } else { format!("{name}_score(n)") });
        add(if *owned { format!("{name}_checksum(n + 1)") } else { format!("{m}_visit_{name}(n)") });
    }
    text += "    return total;\n}\n";
    text
}
