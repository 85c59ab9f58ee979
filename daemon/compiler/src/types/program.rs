//! Whole programs: which modules they have, everything that is wrong with them, where they start.
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::bodies::{body_diagnostics, borrow_diagnostics};
use super::codes;
use super::data::ProcData;
use super::follow_ups::without_follow_ups;
use super::modules::looked_at;
use super::render::ty_name;
use super::scope::{imports, own_items, scope_diagnostics};
use super::signature::{proc_data, signature_diagnostics};
use super::ty::Ty;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic, FileContents, Name, Phase, Place, Program, SourceFile, Span};
use crate::lint;
use crate::lower::hir::{Abi, Block, ExprKind, ItemHir, ProcHir, Stmt};
use crate::lower::{ItemId, ItemKind, NodeId, file_diagnostics_syntax, item_hir, item_source_map, item_tree};
use crate::runtime::CORE_ROOT;

/// Every module that a program reaches from its entry through `use`, the entry included, in order of
/// path. The prelude is not among them: every program has it.
#[salsa::tracked(returns(ref))]
pub fn program_modules(db: &dyn Db, program: Program) -> Arc<[SourceFile]> {
    let mut seen = HashSet::from([program.entry(db)]);
    let mut queue = vec![program.entry(db)];
    let mut modules = Vec::new();
    while let Some(file) = queue.pop() {
        if file.path(db).root != CORE_ROOT {
            modules.push(file);
        }
        let imported = imports(db, file).bindings.iter().map(|import| import.module);
        queue.extend(imported.filter(|module| seen.insert(*module)));
    }
    modules.sort_by_key(|file| file.path(db));
    modules.into()
}

/// Every file that decides what a program is, in order of path: its modules, and the files at which their
/// imports were looked for, whether they exist or not. The prelude is not among them.
pub fn program_inputs(db: &dyn Db, program: Program) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    for &file in program_modules(db, program).iter() {
        files.push(file);
        for decl in &item_tree(db, file).uses {
            let path: Vec<Name> = decl.path.iter().map(|segment| segment.name.clone()).collect();
            files.extend(looked_at(db, file, decl.anchor, &path));
            // The last segment may be an item of the module before it.
            if let [module @ .., _] = path.as_slice()
                && !module.is_empty()
            {
                files.extend(looked_at(db, file, decl.anchor, module));
            }
        }
    }
    files.retain(|file| file.path(db).root != CORE_ROOT);
    files.sort_by_key(|file| file.path(db));
    files.dedup();
    files
}

/// Everything that is wrong with a program, in order of path, position and code, each once.
#[salsa::tracked(returns(ref))]
pub fn program_diagnostics(db: &dyn Db, program: Program) -> Diagnostics {
    assembled(db, program, program_modules(db, program).iter().map(|&file| file_diagnostics(db, file)))
}

/// The same from the [`file_diagnostics`] of the program's modules, in order of path.
pub fn assembled<'a>(
    db: &dyn Db,
    program: Program,
    of_modules: impl Iterator<Item = &'a Diagnostics>,
) -> Diagnostics {
    let mut all = unreadable_entry(db, program.entry(db));
    for found in of_modules {
        all.extend(found.iter().cloned());
    }
    if program.options(db).strict {
        all.extend(import_cycles(db, program));
    }
    all.extend(main_diagnostics(db, program).iter().cloned());
    in_order(db, without_follow_ups(db, all))
}

/// Everything that is wrong with one module, in order of position and code, each once.
///
/// The modules of a program do not depend on each other's diagnostics, so callers may ask for
/// several at a time on snapshots of the database and for [`program_diagnostics`] afterwards.
#[salsa::tracked(returns(ref))]
pub fn file_diagnostics(db: &dyn Db, file: SourceFile) -> Diagnostics {
    let mut all = file_diagnostics_syntax(db, file).to_vec();
    all.extend(scope_diagnostics(db, file).iter().cloned());
    let mut items: Vec<ItemId> = item_tree(db, file).items.iter().map(|entry| entry.id).collect();
    while let Some(item) = items.pop() {
        all.extend(signature_diagnostics(db, item).iter().cloned());
        all.extend(body_diagnostics(db, item).iter().cloned());
        all.extend(borrow_diagnostics(db, item).iter().cloned());
        items.extend(local_procs(db, item).iter().copied());
    }
    all.extend(lint::asked_for(db, file));
    in_order(db, without_follow_ups(db, all))
}

/// The procs declared directly in a proc's body; the item tree of a file lists its top level only.
#[salsa::tracked(returns(ref))]
pub fn local_procs(db: &dyn Db, item: ItemId) -> Arc<[ItemId]> {
    let hir = item_hir(db, item);
    let ItemHir::Proc(ProcHir { body: Some(body), .. }) = &**hir else {
        return Arc::from([]);
    };
    let mut blocks: Vec<&Block> = vec![&body.block];
    for expr in &body.exprs {
        match &expr.kind {
            ExprKind::If { then, other, .. } => {
                blocks.push(then);
                blocks.extend(other);
            }
            ExprKind::Match { arms, .. } => blocks.extend(arms.iter().map(|arm| &arm.body)),
            ExprKind::Block(block) | ExprKind::While(_, block) | ExprKind::Loop(block) => blocks.push(block),
            ExprKind::For { body, .. } | ExprKind::CFor { body, .. } => blocks.push(body),
            _ => {} // every other expression has no block of its own
        }
    }
    let mut procs = Vec::new();
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Proc(local) => procs.push(*local),
                Stmt::Defer(deferred) => blocks.push(deferred),
                Stmt::Let { .. } | Stmt::Expr(_) => {}
            }
        }
    }
    super::scope::sort_items(db, &mut procs);
    procs.into()
}

/// The file and bytes of a place, as the text is now.
pub fn place_span(db: &dyn Db, place: Place) -> (SourceFile, Span) {
    match place {
        Place::Node(item, node) => (item.file(db), item_source_map(db, item).span(node)),
        Place::File(file, span) => (file, span),
    }
}

/// Sorts by path, position, code and message and removes what was said twice.
fn in_order(db: &dyn Db, diagnostics: Vec<Diagnostic>) -> Diagnostics {
    let position = |diagnostic: &Diagnostic| {
        let primary = diagnostic.labels.first().map(|label| place_span(db, label.place));
        primary.map(|(file, span)| (file.path(db).clone(), span))
    };
    let mut keyed: Vec<_> =
        diagnostics.into_iter().map(|diagnostic| (position(&diagnostic), diagnostic)).collect();
    keyed.sort_by(|(a_at, a), (b_at, b)| {
        (a_at, a.code, a.severity, &a.message).cmp(&(b_at, b.code, b.severity, &b.message))
    });
    keyed.dedup_by(|(b_at, b), (a_at, a)| {
        (a_at, a.code, a.severity, &a.message) == (b_at, b.code, b.severity, &b.message)
    });
    keyed.into_iter().map(|(_, diagnostic)| diagnostic).collect()
}

/// Imported files that cannot be read are reported at the `use`; nobody imports the entry.
fn unreadable_entry(db: &dyn Db, entry: SourceFile) -> Vec<Diagnostic> {
    let reason = match entry.contents(db) {
        FileContents::Text(_) | FileContents::NotUtf8(_) => return Vec::new(),
        FileContents::Missing => "there is no such file".to_owned(),
        FileContents::Folder => "it is a folder".to_owned(),
        FileContents::Unreadable(reason) => reason.to_string(),
    };
    let path = entry.path(db);
    vec![
        Diagnostic::error(
            codes::MODULE_NOT_FOUND,
            Phase::Resolver,
            Place::File(entry, Span::default()),
            format!("cannot read `{path}`"),
            "",
        )
        .note(reason)
        .help("name an existing file as the program's entry"),
    ]
}

/// One diagnostic for each group of modules that import each other in a circle.
fn import_cycles(db: &dyn Db, program: Program) -> Vec<Diagnostic> {
    let mut reported: HashSet<SourceFile> = HashSet::new();
    let mut diagnostics = Vec::new();
    for &start in program_modules(db, program).iter() {
        if reported.contains(&start) {
            continue;
        }
        let Some(cycle) = shortest_cycle(db, start) else { continue };
        reported.extend(cycle.iter().copied());
        let next = cycle.get(1).copied().unwrap_or(start);
        let Some(import) = imports(db, start).bindings.iter().find(|import| import.module == next) else {
            continue;
        };
        let path: Vec<String> =
            cycle.iter().chain([&start]).map(|file| format!("`{}`", file.path(db))).collect();
        diagnostics.push(
            Diagnostic::error(
                codes::IMPORT_CYCLE,
                Phase::Resolver,
                Place::Node(import.decl, NodeId(0)),
                "modules import each other in a circle",
                "this import is part of the circle",
            )
            .note(format!("the circle is {}", path.join(" → ")))
            .note("circles are rejected under the strict profile only")
            .help("move what both modules need to a third one"),
        );
    }
    diagnostics
}

/// The modules of a shortest way from `start` back to itself, `start` first.
fn shortest_cycle(db: &dyn Db, start: SourceFile) -> Option<Vec<SourceFile>> {
    let mut came_from: HashMap<SourceFile, SourceFile> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for import in &imports(db, file).bindings {
            if import.module == start {
                let mut cycle = vec![file];
                let mut at = file;
                while let Some(&before) = came_from.get(&at) {
                    cycle.push(before);
                    at = before;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if let Entry::Vacant(entry) = came_from.entry(import.module) {
                entry.insert(file);
                queue.push_back(import.module);
            }
        }
    }
    None
}

/// The program's `main`.
///
/// # Errors
/// `LNK0071` if the entry has none, `SEM0942` if it is none that a program can start with.
pub fn entry_point(db: &dyn Db, program: Program) -> Result<ItemId, Box<Diagnostic>> {
    let entry = program.entry(db);
    let Some(main) = main_proc(db, entry) else {
        let diagnostic = Diagnostic::error(
            codes::NO_ENTRY_POINT,
            Phase::Linker,
            Place::File(entry, Span::default()),
            format!("`{}` has no `main`", entry.path(db)),
            "a program starts at the `main` of this file",
        )
        .note("a `main` in an imported module is an ordinary proc")
        .help("add `proc main() -> int { give 0 }`, or build it as a library");
        return Err(Box::new(diagnostic));
    };
    match main_diagnostics(db, program).iter().find(|diagnostic| diagnostic.is_error()) {
        Some(error) => Err(Box::new(error.clone())),
        None => Ok(main),
    }
}

/// The tests of a program (§4.11 of the reference): the procs of its own modules whose names begin with `test_`,
/// which take nothing and give a `bool` or nothing, and its `test` blocks; and its benchmarks, which are the procs whose
/// names begin with `bench_` and take nothing, and its `bench` blocks. All in order of path and place.
#[salsa::tracked(returns(ref))]
pub fn program_tests(db: &dyn Db, program: Program) -> Arc<[ItemId]> {
    let own = &program.entry(db).path(db).root;
    let modules = program_modules(db, program).iter().filter(|module| module.path(db).root == *own);
    let procs = modules.flat_map(|module| item_tree(db, *module).items.iter().map(|entry| entry.id));
    procs
        .filter(|item| match &**item_hir(db, *item) {
            ItemHir::Proc(proc) => proc.sig.is_test || is_bench(db, *item),
            _ => false,
        })
        .filter(|item| {
            let data = proc_data(db, *item);
            let gives = is_bench(db, *item) || matches!(data.ret, Ty::Bool | Ty::Unit | Ty::Never);
            let plain = data.params.is_empty() && data.generics.is_empty();
            gives && plain && data.abi == Abi::Vitte && data.has_body
        })
        .collect()
}

/// Whether a proc is a benchmark by its name; members of types are none.
pub fn is_bench(db: &dyn Db, item: ItemId) -> bool {
    item.kind(db) == ItemKind::Proc && item.name(db).starts_with("bench_")
}

fn main_proc(db: &dyn Db, entry: SourceFile) -> Option<ItemId> {
    own_items(db, entry).items.get("main").copied().filter(|main| main.kind(db) == ItemKind::Proc)
}

/// What is wrong with the signature of the program's `main` (§8.7 of the reference).
#[salsa::tracked(returns(ref))]
fn main_diagnostics(db: &dyn Db, program: Program) -> Diagnostics {
    let Some(main) = main_proc(db, program.entry(db)) else {
        return Arc::from([]);
    };
    let data = proc_data(db, main);
    let place = Place::Node(main, NodeId(0));
    let mut diagnostics = Vec::new();
    if let Some(why) = unfit_main(data) {
        diagnostics.push(
            Diagnostic::error(
                codes::BAD_MAIN,
                Phase::Sema,
                place,
                "a program cannot start with this `main`",
                why,
            )
            .note("`main` takes nothing, or the program's arguments as one `[string]`")
            .help("write `proc main() -> int` or `proc main(args: [string]) -> int`"),
        );
    }
    match &data.ret {
        Ty::Int(_) | Ty::Unit | Ty::Never | Ty::Error => {}
        other => diagnostics.push(
            Diagnostic::warning(
                codes::MAIN_RESULT,
                Phase::Sema,
                place,
                format!("the result of `main` is a `{}`, which is no exit status", ty_name(db, other)),
                "the program's exit status will be 0",
            )
            .note("an integer result is the exit status, modulo 256")
            .help("write `-> int`, or no result"),
        ),
    }
    diagnostics.into()
}

fn unfit_main(data: &ProcData) -> Option<&'static str> {
    if !data.generics.is_empty() {
        return Some("it has type parameters");
    }
    if data.abi != Abi::Vitte || !data.has_body {
        return Some("it has no body");
    }
    match data.params.as_slice() {
        [] => None,
        [args] => match &args.ty {
            Ty::List(element) if **element == Ty::String => None,
            Ty::Error => None,
            _ => Some("its parameter is not a `[string]`"),
        },
        _ => Some("it has more than one parameter"),
    }
}
