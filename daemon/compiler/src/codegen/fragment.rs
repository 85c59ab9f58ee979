//! One function with everything that a linker needs of it, whatever the rest of the program looks like.
//!
//! An executable is its fragments one after the other with their references filled in. Each is a query,
//! so that after an edit all but the edited ones are at hand, and laying them out is copying.
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use cranelift_codegen::isa::TargetIsa;
use gimli::write::{Address, EhFrame, EndianVec, FrameTable};

use super::data::DataSection;
use super::debug::line_rows;
use super::isa::target_isa;
use super::object::Position;
use super::program::{Positions, debugger_name, declaration, entry_instance, has_large_type, internal};
use super::{CodegenError, MachineCode, machine_code, program_instances};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Machine, Name, OptLevel, Program, SourceFile};
use crate::consteval::{ConstValue, const_value};
use crate::incremental::users::Files;
use crate::incremental::{Ahead, Edits, InlineBodies, Users, inline_bodies};
use crate::lower::hir::ItemHir;
use crate::lower::{ItemId, item_hir};
use crate::mono::{Instance, InstanceKind, symbol_name};
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Source, Symbol};
use crate::types::{Ty, const_ty, is_static, program_modules};

/// A function, ready to be laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its unique symbol.
    pub symbol: Arc<str>,
    /// Whether it is the program's C `main`.
    pub is_main: bool,
    /// Its code.
    pub code: Arc<MachineCode>,
    /// What each relocation of the code refers to, in the same order.
    pub targets: Vec<FragmentTarget>,
    /// Call frame instructions, padded as a frame description entry wants them.
    pub frame: Option<Vec<u8>>,
    /// What debuggers want to know, if the program has debug information.
    pub debug: Option<FragmentDebug>,
    /// The files whose positions are in it, besides the one that its function stands in: of code that was
    /// inlined, and of what may panic there.
    pub other_files: Vec<SourceFile>,
}

/// What a relocation refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FragmentTarget {
    /// Code of an instance.
    Function(Instance),
    /// A C function or object.
    Extern(Name),
    /// The immortal string or bytes object with this content.
    Literal(Arc<[u8]>),
    /// The list without elements.
    EmptyList,
    /// The prelude's zero-initialised storage.
    State,
    /// The object of a top-level const.
    Const(ItemId, Arc<ConstObject>),
    /// The `{file, line, column}` record of a place.
    Location(Position),
}

/// A top-level const as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConstObject {
    /// Objects, aligned to 8.
    pub bytes: Vec<u8>,
    /// Places of 8 bytes that hold the address of another place of `bytes`: `(place, target)`.
    pub pointers: Vec<(u64, u64)>,
    /// Where in `bytes` the const itself is.
    pub root: u64,
}

/// A function as a debugger sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentDebug {
    /// Its name as the user calls it.
    pub name: String,
    /// Where it is declared.
    pub declared: Option<Position>,
    /// From which offset on the code belongs to which place, by offset; `None` is the compiler's own.
    pub rows: Vec<(u32, Option<Position>)>,
}

/// An instance with all that its fragment depends on besides its code. Interned, so that asking for a
/// fragment again is a look-up by number.
///
/// `unsafe(no_lifetime)` is sound: interned values are never collected.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct FragmentKey {
    /// Which function.
    #[returns(copy)]
    pub instance: Instance,
    /// How its code is made.
    #[returns(copy)]
    pub options: CodeOptions,
    /// Whether debuggers shall know it.
    #[returns(copy)]
    pub debug: bool,
}

/// The fragment of one instance. Calls for different ones can run at once.
///
/// # Errors
/// A fault of ours.
#[salsa::tracked(returns(ref))]
pub fn fragment(db: &dyn Db, key: FragmentKey) -> Result<Arc<Fragment>, CodegenError> {
    let (instance, options, debug) = (key.instance(db), key.options(db), key.debug(db));
    let code = machine_code(db, instance, options).as_ref().map_err(Clone::clone)?;
    db.go_on("codegen");
    let mut positions = Positions::new(db);
    let home = home(db, instance);
    let mut other_files = Vec::new();
    let mut mentions = |source: Source| {
        let file = source.item.file(db);
        if Some(file) != home && !other_files.contains(&file) {
            other_files.push(file);
        }
    };
    let mut targets = Vec::with_capacity(code.relocations.len());
    for relocation in &code.relocations {
        targets.push(match &relocation.target {
            Symbol::Instance(instance) => FragmentTarget::Function(*instance),
            Symbol::Extern(name) => FragmentTarget::Extern(name.clone()),
            Symbol::Literal(content) => FragmentTarget::Literal(content.clone()),
            Symbol::EmptyList => FragmentTarget::EmptyList,
            Symbol::State => FragmentTarget::State,
            Symbol::Const(item) => FragmentTarget::Const(*item, const_object(db, *item).clone()),
            Symbol::Location(source) => {
                mentions(*source);
                FragmentTarget::Location(positions.of(*source).unwrap_or_else(unknown))
            }
        });
    }
    let symbol: Arc<str> = symbol_name(db, instance).into();
    let debug = debug.then(|| {
        let declared = declaration(db, instance);
        let mut position = |source: Source| {
            mentions(source);
            positions.of(source)
        };
        FragmentDebug {
            name: debugger_name(db, instance, &symbol),
            declared: declared.and_then(&mut position),
            rows: line_rows(code, declared, &mut position),
        }
    });
    let isa = target_isa(options.level(db), options.machine(db))?;
    Ok(Arc::new(Fragment {
        is_main: matches!(instance.kind(db), InstanceKind::Main(_) | InstanceKind::Tests(_)),
        frame: frame_instructions(code, &*isa)?,
        symbol,
        code: code.clone(),
        targets,
        debug,
        other_files,
    }))
}

/// Whether the item of which an instance was made is there no longer.
fn is_gone(db: &dyn Db, instance: Instance) -> bool {
    match instance.kind(db) {
        InstanceKind::Proc(item, _)
        | InstanceKind::Main(item)
        | InstanceKind::Thunk(item, _)
        | InstanceKind::DynThunk(item, _, _)
        | InstanceKind::Lambda(item, ..) => {
            matches!(**item_hir(db, *item), ItemHir::Missing)
        }
        InstanceKind::Tests(items) => {
            items.iter().any(|item| matches!(**item_hir(db, *item), ItemHir::Missing))
        }
        InstanceKind::Drop(_)
        | InstanceKind::DropCycle(_)
        | InstanceKind::Clone(_)
        | InstanceKind::Eq(_)
        | InstanceKind::Hash(_) => false,
    }
}

/// The file that an instance's function stands in; `None` for what no user wrote.
fn home(db: &dyn Db, instance: Instance) -> Option<SourceFile> {
    match instance.kind(db) {
        InstanceKind::Proc(item, _)
        | InstanceKind::Main(item)
        | InstanceKind::Thunk(item, _)
        | InstanceKind::DynThunk(item, _, _)
        | InstanceKind::Lambda(item, ..) => Some(item.file(db)),
        InstanceKind::Tests(_)
        | InstanceKind::Drop(_)
        | InstanceKind::DropCycle(_)
        | InstanceKind::Clone(_)
        | InstanceKind::Eq(_)
        | InstanceKind::Hash(_) => None,
    }
}

fn unknown() -> Position {
    Position { file: Arc::from("?"), line: 0, column: 0 }
}

/// A top-level const's objects.
#[salsa::tracked(returns(ref))]
fn const_object(db: &dyn Db, item: ItemId) -> Arc<ConstObject> {
    let (value, ty) = match const_value(db, item) {
        Ok(value) => (value.clone(), const_ty(db, item).clone()),
        // A program with such a const has errors and is never laid out.
        Err(_) => (ConstValue::Unit, Ty::Unit),
    };
    let types = DbTypes { db };
    let mut data = DataSection::default();
    let root = match is_static(db, item) {
        true => data.place(&value, &ty, &mut Layouts::new(&types)),
        false => data.constant(&value, &ty, &mut Layouts::new(&types)),
    };
    Arc::new(ConstObject { bytes: data.bytes, pointers: data.pointers, root })
}

/// The common information entry with which all frames begin.
///
/// # Errors
/// A fault of ours.
pub fn common_frame(level: OptLevel) -> Result<Vec<u8>, CodegenError> {
    let isa = target_isa(level, Machine::default())?;
    let (mut bytes, split) = frame_bytes(&*isa, None)?;
    bytes.truncate(split);
    Ok(bytes)
}

/// What follows a frame description entry's address range: no augmentation data, instructions, padding.
fn frame_instructions(code: &MachineCode, isa: &dyn TargetIsa) -> Result<Option<Vec<u8>>, CodegenError> {
    /// Length, pointer to the common entry, address and range, four bytes each.
    const HEADER: usize = 16;
    let Some(unwind) = &code.unwind else { return Ok(None) };
    let (bytes, split) = frame_bytes(isa, Some(unwind))?;
    match bytes.get(split + HEADER..) {
        Some(instructions) => Ok(Some(instructions.to_vec())),
        None => Err(CodegenError::Internal("a frame without instructions".into())),
    }
}

/// An `.eh_frame` section of one function, and where its entry begins: after the common one.
fn frame_bytes(
    isa: &dyn TargetIsa,
    unwind: Option<&cranelift_codegen::isa::unwind::systemv::UnwindInfo>,
) -> Result<(Vec<u8>, usize), CodegenError> {
    let internal = |what: &str| CodegenError::Internal(format!("call frames: {what}"));
    let mut cie = isa.create_systemv_cie().ok_or_else(|| internal("the target has none"))?;
    // Relative, so that a position-independent executable needs no relocation at run time.
    cie.fde_address_encoding = gimli::DwEhPe(gimli::DW_EH_PE_pcrel.0 | gimli::DW_EH_PE_sdata4.0);
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);
    // The common entry is written with the first entry only.
    let fde = match unwind {
        Some(unwind) => unwind.to_fde(Address::Constant(0)),
        None => gimli::write::FrameDescriptionEntry::new(Address::Constant(0), 0),
    };
    table.add_fde(cie, fde);
    let mut section = EhFrame(EndianVec::new(gimli::LittleEndian));
    table.write_eh_frame(&mut section).map_err(|error| internal(&error.to_string()))?;
    let bytes = section.0.into_vec();
    let length = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize + 4);
    Ok((bytes, length))
}

/// A map by small numbers, for which a cheap hash is good enough.
type ByInstance<T> = HashMap<Instance, T, BuildHasherDefault<rustc_hash::FxHasher>>;

/// The fragments that a program reaches, in order of symbol; kept by whoever asks again after an edit.
#[derive(Debug, Default)]
pub struct Fragments {
    /// Of what kind they are.
    made_for: Option<(CodeOptions, bool)>,
    /// In order of symbol.
    entries: Vec<Entry>,
    index: ByInstance<u32>,
    /// See [`Fragments::take_changes`].
    changed: Option<BTreeSet<u32>>,
    /// What the modules of the program let others inline.
    bodies: HashMap<SourceFile, Arc<InlineBodies>, BuildHasherDefault<rustc_hash::FxHasher>>,
}

#[derive(Debug)]
struct Entry {
    instance: Instance,
    key: FragmentKey,
    /// The files whose contents it was made from, as far as interfaces do not show them: where its function
    /// and its type arguments stand, and [`Fragment::other_files`].
    files: Vec<SourceFile>,
    /// How many of them do not depend on the fragment.
    own_files: usize,
    fragment: Arc<Fragment>,
    /// By relocation: the index of the function that it refers to, or [`NO_FUNCTION`].
    callees: Vec<u32>,
}

impl Entry {
    /// Whether it may have been made from one of these files.
    fn concerns(&self, files: &Files) -> bool {
        self.files.iter().any(|file| files.contains(file))
    }
}

/// The files in which an instance's function and the items of its types stand.
fn own_files(db: &dyn Db, instance: Instance) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = home(db, instance).into_iter().collect();
    let types: &[Ty] = match instance.kind(db) {
        InstanceKind::Proc(_, types)
        | InstanceKind::Thunk(_, types)
        | InstanceKind::DynThunk(_, types, _)
        | InstanceKind::Lambda(_, types, _)
        | InstanceKind::DropCycle(types) => types,
        InstanceKind::Drop(ty) | InstanceKind::Clone(ty) | InstanceKind::Eq(ty) | InstanceKind::Hash(ty) => {
            std::slice::from_ref(ty)
        }
        InstanceKind::Main(_) => &[],
        InstanceKind::Tests(items) => {
            files.extend(items.iter().map(|item| item.file(db)));
            &[]
        }
    };
    let mut work: Vec<&Ty> = types.iter().collect();
    while let Some(ty) = work.pop() {
        if let Ty::Form(item, _) | Ty::Pick(item, _) | Ty::Impl(item, _) = ty
            && !files.contains(&item.file(db))
        {
            files.push(item.file(db));
        }
        ty.for_each_part(|part| work.push(part));
    }
    files
}

/// Stands for a target that is no function.
pub const NO_FUNCTION: u32 = u32::MAX;

/// Of what kind the fragments of a program are.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    options: CodeOptions,
    debug: bool,
}

impl Start {
    /// Makes the fragment of an instance; the instances that it refers to.
    pub fn make(self, db: &dyn Db, instance: Instance) -> Vec<Instance> {
        // Of those with large types there may be endlessly many: see [`program_instances`].
        if has_large_type(db, instance) || is_gone(db, instance) {
            return Vec::new();
        }
        let made = fragment(db, FragmentKey::new(db, instance, self.options, self.debug));
        made.as_ref().map_or_else(|_| Vec::new(), |fragment| functions(fragment).collect())
    }

    /// Makes what [`Fragments`] keeps of a module.
    pub fn make_module(self, db: &dyn Db, file: SourceFile) {
        inline_bodies(db, file, self.options);
    }
}

/// The functions that a fragment refers to, in order; one may appear more than once.
fn functions(fragment: &Fragment) -> impl Iterator<Item = Instance> + '_ {
    fragment.targets.iter().filter_map(|target| match target {
        FragmentTarget::Function(instance) => Some(*instance),
        FragmentTarget::Extern(_)
        | FragmentTarget::Literal(_)
        | FragmentTarget::EmptyList
        | FragmentTarget::State
        | FragmentTarget::Const(..)
        | FragmentTarget::Location(_) => None,
    })
}

/// A fragment that is different now, by number.
type Changed = (u32, Arc<Fragment>);

/// What a module lets others inline.
type ModuleBodies = (SourceFile, Arc<InlineBodies>);

/// What was made of an instance.
type Made<'a> = (Instance, FragmentKey, &'a Arc<Fragment>);

impl Fragments {
    /// Brings the list up to date with the program, which must have no errors; whether anything changed.
    /// `edits` are the modules about which anything may be different since the last call, and `users` says
    /// who uses whom. Asks for the fragments of those modules, of the users of those that give others other
    /// bodies to inline, and of what is made for their types; costs a look at each of the rest.
    ///
    /// `ahead` is told what will be asked for before that is done, and may ask for it with [`Start::make`] in
    /// any order and on any thread.
    ///
    /// # Errors
    /// What is wrong with the program; then the list is as it was. It is too when a call unwinds.
    pub fn update(
        &mut self,
        db: &dyn Db,
        program: Program,
        edits: Edits<'_>,
        users: &Users,
        ahead: impl FnOnce(Start, Ahead<Instance>),
    ) -> Result<bool, Diagnostics> {
        let main = entry_instance(db, program)?;
        let options = CodeOptions::of(db, program.options(db));
        let debug = program.options(db).debug_info;
        if self.made_for != Some((options, debug)) {
            *self = Self { made_for: Some((options, debug)), ..Self::default() };
        }
        let start = Start { options, debug };
        let edited = match edits {
            Edits::Only(files) if self.index.contains_key(&main) => self.bodies_of(db, options, files),
            Edits::Only(_) | Edits::Any => None,
        };
        let Some((bodies, changed_bodies)) = edited else {
            ahead(start, Ahead::From(main));
            let bodies = program_modules(db, program).iter();
            let bodies = bodies.map(|file| (*file, inline_bodies(db, *file, options).clone())).collect();
            return self.reach(db, program, main, start, None, bodies);
        };
        let Edits::Only(files) = edits else { return Ok(false) };
        let mut concerned = users.closure(changed_bodies);
        concerned.extend(files);
        let asked = self.entries.iter().filter(|entry| entry.concerns(&concerned));
        ahead(start, Ahead::These(asked.map(|entry| entry.instance).collect()));
        if let Some(changed) = self.changed_in(db, program, &concerned)?
            && self.call_the_same(&changed)
        {
            self.bodies.extend(bodies);
            let is_changed = !changed.is_empty();
            for (index, fragment) in changed {
                self.replace(index, fragment);
            }
            return Ok(is_changed);
        }
        self.reach(db, program, main, start, Some(&concerned), bodies)
    }

    /// What the modules let others inline now, and those of them that let others inline something else than
    /// before. `None` when one was not known.
    fn bodies_of(
        &self,
        db: &dyn Db,
        options: CodeOptions,
        files: &[SourceFile],
    ) -> Option<(Vec<ModuleBodies>, Vec<SourceFile>)> {
        let (mut bodies, mut changed) = (Vec::new(), Vec::new());
        for &file in files {
            let (now, before) = (inline_bodies(db, file, options), self.bodies.get(&file)?);
            if !now.keeps(before) {
                changed.push(file);
            }
            bodies.push((file, now.clone()));
        }
        Some((bodies, changed))
    }

    /// The fragments that are different now, of those that concern one of the files; `None` when one is gone.
    fn changed_in(
        &self,
        db: &dyn Db,
        program: Program,
        files: &Files,
    ) -> Result<Option<Vec<Changed>>, Diagnostics> {
        let mut changed = Vec::new();
        for (index, entry) in (0..).zip(&self.entries) {
            if entry.concerns(files) {
                if is_gone(db, entry.instance) {
                    return Ok(None);
                }
                let now = fetch(db, program, entry.key)?;
                if !Arc::ptr_eq(now, &entry.fragment) && *now != entry.fragment {
                    changed.push((index, now.clone()));
                }
            }
        }
        Ok(Some(changed))
    }

    /// Whether the fragments call what those in their places call, so that the same ones are reached.
    fn call_the_same(&self, changed: &[Changed]) -> bool {
        type Set = HashSet<Instance, BuildHasherDefault<rustc_hash::FxHasher>>;
        let set = |fragment: &Fragment| functions(fragment).collect::<Set>();
        let is_same = |(index, now): &Changed| {
            self.entries.get(*index as usize).is_some_and(|entry| set(&entry.fragment) == set(now))
        };
        changed.iter().all(is_same)
    }

    /// Finds all that is reached from `main`. Of what is known, only fragments that concern one of the
    /// modules are asked for; all, when `None` is said.
    fn reach(
        &mut self,
        db: &dyn Db,
        program: Program,
        main: Instance,
        Start { options, debug }: Start,
        concerned: Option<&Files>,
        bodies: Vec<ModuleBodies>,
    ) -> Result<bool, Diagnostics> {
        let is_kept = |entry: &Entry| concerned.is_some_and(|files| !entry.concerns(files));
        // Old entries that are still reached, by old index; new ones follow.
        let mut seen = vec![false; self.entries.len()];
        let mut changed: Vec<(u32, &Arc<Fragment>)> = Vec::new();
        let mut added: Vec<Made<'_>> = Vec::new();
        let mut is_added: HashSet<Instance, BuildHasherDefault<rustc_hash::FxHasher>> = HashSet::default();
        let mut work: Vec<Instance> = Vec::new();
        let mut old_work: Vec<u32> = Vec::new();
        let mut reached = 0;
        let mut visit =
            |instance: Instance, work: &mut Vec<Instance>, old_work: &mut Vec<u32>, seen: &mut [bool]| {
                match self.index.get(&instance) {
                    Some(&index) => {
                        if !std::mem::replace(&mut seen[index as usize], true) {
                            old_work.push(index);
                        }
                    }
                    None => {
                        if is_added.insert(instance) {
                            work.push(instance);
                        }
                    }
                }
            };
        visit(main, &mut work, &mut old_work, &mut seen);
        loop {
            if let Some(index) = old_work.pop() {
                reached += 1;
                let entry = &self.entries[index as usize];
                let now = if is_kept(entry) { &entry.fragment } else { fetch(db, program, entry.key)? };
                if Arc::ptr_eq(now, &entry.fragment) || *now == entry.fragment {
                    for &callee in &entry.callees {
                        if callee != NO_FUNCTION && !std::mem::replace(&mut seen[callee as usize], true) {
                            old_work.push(callee);
                        }
                    }
                } else {
                    changed.push((index, now));
                    for next in functions(now) {
                        visit(next, &mut work, &mut old_work, &mut seen);
                    }
                }
            } else if let Some(instance) = work.pop() {
                if has_large_type(db, instance) {
                    // Only a program that needs endlessly many instances gets here; this says so.
                    program_instances(db, program)?;
                }
                let key = FragmentKey::new(db, instance, options, debug);
                let now = fetch(db, program, key)?;
                added.push((instance, key, now));
                for next in functions(now) {
                    visit(next, &mut work, &mut old_work, &mut seen);
                }
            } else {
                break;
            }
        }
        let same_members = added.is_empty() && reached == self.entries.len();
        let is_changed = !(same_members && changed.is_empty());
        let changed: Vec<Changed> =
            changed.into_iter().map(|(index, fragment)| (index, fragment.clone())).collect();
        let added: Vec<_> =
            added.into_iter().map(|(instance, key, fragment)| (instance, key, fragment.clone())).collect();
        // Nothing unwinds from here on.
        if concerned.is_none() {
            self.bodies.clear();
        }
        self.bodies.extend(bodies);
        for (index, fragment) in changed {
            // The numbers of callees are right when the same functions are reached; else all are made again.
            self.replace(index, fragment);
        }
        if !same_members {
            let kept = std::mem::take(&mut self.entries).into_iter().zip(seen);
            let kept =
                kept.filter(|(_, seen)| *seen).map(|(entry, _)| (entry.instance, entry.key, entry.fragment));
            self.rebuild(db, kept.chain(added).collect());
        }
        Ok(is_changed)
    }

    fn replace(&mut self, index: u32, fragment: Arc<Fragment>) {
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.callees = callees(&self.index, &fragment);
            entry.files.truncate(entry.own_files);
            entry.files.extend(&fragment.other_files);
            entry.fragment = fragment;
        }
        if let Some(changed) = &mut self.changed {
            changed.insert(index);
        }
    }

    /// The numbers of the fragments that changed since this was called last, in order; `None` when others
    /// have those numbers now.
    pub fn take_changes(&mut self) -> Option<BTreeSet<u32>> {
        self.changed.replace(BTreeSet::new())
    }

    fn rebuild(&mut self, db: &dyn Db, mut all: Vec<(Instance, FragmentKey, Arc<Fragment>)>) {
        self.changed = None;
        all.sort_by(|a, b| a.2.symbol.cmp(&b.2.symbol));
        self.index =
            all.iter().enumerate().map(|(index, (instance, ..))| (*instance, index as u32)).collect();
        self.entries = all
            .into_iter()
            .map(|(instance, key, fragment)| {
                let mut files = own_files(db, instance);
                let own_files = files.len();
                files.extend(&fragment.other_files);
                let callees = callees(&self.index, &fragment);
                Entry { instance, key, files, own_files, fragment, callees }
            })
            .collect();
    }

    /// The fragment with a number, and what [`iter`](Self::iter) gives with it.
    pub fn get(&self, number: usize) -> Option<(&Arc<Fragment>, &[u32])> {
        self.entries.get(number).map(|entry| (&entry.fragment, entry.callees.as_slice()))
    }

    /// The instance whose fragment has a number.
    pub fn instance(&self, number: usize) -> Option<Instance> {
        self.entries.get(number).map(|entry| entry.instance)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none: before the first update.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fragments in order of symbol. With each, by relocation, the index of the function that it
    /// refers to, or [`NO_FUNCTION`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<Fragment>, &[u32])> {
        self.entries.iter().map(|entry| (&entry.fragment, entry.callees.as_slice()))
    }
}

fn fetch(db: &dyn Db, program: Program, key: FragmentKey) -> Result<&Arc<Fragment>, Diagnostics> {
    let failed = |error| internal(program.entry(db), &symbol_name(db, key.instance(db)), error);
    fragment(db, key).as_ref().map_err(failed)
}

fn callees(index: &ByInstance<u32>, fragment: &Fragment) -> Vec<u32> {
    let number = |target: &FragmentTarget| match target {
        FragmentTarget::Function(instance) => index.get(instance).copied().unwrap_or(NO_FUNCTION),
        _ => NO_FUNCTION,
    };
    fragment.targets.iter().map(number).collect()
}
