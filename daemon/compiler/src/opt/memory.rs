//! What instructions do to memory, and which version of it each of them sees.
//!
//! For each class of [`Alias`] memory is treated as one variable in SSA form: whatever may write memory
//! of the class makes a new version, and where different versions meet there is one for the join
//! (Novillo, "Memory SSA", GCC Summit 2007). Two loads of one address that see one version read the same.
use super::rewrite::definitions;
use crate::ssa::{Alias, BlockId, Callee, Cfg, Function, Inst, Op, Type, Value, layout};

/// Number of classes that have versions. Tags have none: they never change.
const CLASSES: usize = 6;

/// How many writes a search goes back through.
const STEPS: usize = 24;

/// Rounds after which a join that still changes gets a version of its own.
const ROUNDS: usize = 10;

/// A version of one class of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(u32);

/// Where a version comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The caller, or a join of several.
    Unknown,
    /// The write at this place, which found `previous`.
    Write { block: BlockId, index: usize, previous: Version },
}

/// The versions that are current somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions([Version; CLASSES]);

/// Memory in SSA form.
pub struct Memory {
    origins: Vec<Origin>,
    /// By block: on entry.
    entry: Vec<Versions>,
    /// By block: first version that its writes make. They make six each, used or not.
    first: Vec<u32>,
    definitions: Vec<Option<(BlockId, usize)>>,
}

/// A range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// Base address.
    pub address: Value,
    /// Bytes added to it.
    pub offset: i32,
    /// What is read or written.
    pub ty: Type,
    /// What it can alias.
    pub alias: Alias,
}

/// What a load finds.
pub enum Found {
    /// This value was stored there.
    Stored(Value),
    /// The versions at which a load would have read the same, the current one first.
    Versions(Vec<Version>),
}

fn class(alias: Alias) -> Option<usize> {
    match alias {
        Alias::Count => Some(0),
        Alias::Length => Some(1),
        Alias::Field => Some(2),
        Alias::Element => Some(3),
        Alias::Slot => Some(4),
        Alias::Unknown => Some(5),
        Alias::Tag => None,
    }
}

/// Whether a C function only reads memory, and depends on nothing else.
pub fn only_reads(name: &str) -> bool {
    matches!(name, "memcmp" | "memchr" | "strlen")
}

/// Whether a C function changes no memory that lives on, other than what it returns.
pub fn keeps_memory(name: &str) -> bool {
    only_reads(name) || matches!(name, "malloc" | "free" | "abort" | "_exit" | "write" | "fmod" | "fmodf")
}

/// The classes that an instruction may write.
fn writes(op: &Op) -> [bool; CLASSES] {
    let mut written = [false; CLASSES];
    match op {
        Op::Store { alias, .. } => {
            if let Some(class) = class(*alias) {
                written[class] = true;
            }
            written[5] = true;
            if *alias == Alias::Unknown {
                written = [true; CLASSES];
            }
        }
        Op::Retain { .. } | Op::Release { .. } | Op::Unique { .. } => {
            written[0] = true;
            written[5] = true;
        }
        Op::Call { callee: Callee::Extern(name), .. } if keeps_memory(name) => {}
        Op::Call { .. } => written = [true; CLASSES],
        Op::Int(_)
        | Op::Float(_)
        | Op::Unary(..)
        | Op::Binary(..)
        | Op::Compare(..)
        | Op::Convert(..)
        | Op::Select(..)
        | Op::Load { .. }
        | Op::SlotAddress(_)
        | Op::SymbolAddress(_)
        | Op::Alloc { .. }
        | Op::Check { .. } => {}
    }
    written
}

impl Versions {
    /// The version that accesses of a class see.
    pub fn of(&self, alias: Alias) -> Version {
        class(alias).map_or(Version(u32::MAX), |class| self.0[class])
    }
}

impl Memory {
    /// Analyses a function; goes stale when instructions move.
    pub fn new(function: &Function, cfg: &Cfg) -> Self {
        let blocks = function.blocks.len();
        // Versions: six for the caller's memory, six for each block as a join, then six for each write.
        let joins =
            |block: usize| Versions(std::array::from_fn(|class| Version((6 + block * 6 + class) as u32)));
        let mut origins = vec![Origin::Unknown; 6 + blocks * 6];
        let mut first = vec![0; blocks];
        // By block: which classes it writes, and the versions it leaves of these.
        let mut written = vec![[None; CLASSES]; blocks];
        for block in &cfg.order {
            let at = block.0 as usize;
            first[at] = origins.len() as u32;
            for inst in &function.blocks[at].insts {
                let writes = writes(&inst.op);
                if writes == [false; CLASSES] {
                    continue;
                }
                let base = origins.len() as u32;
                origins.resize(origins.len() + 6, Origin::Unknown);
                for class in 0..CLASSES {
                    if writes[class] {
                        written[at][class] = Some(Version(base + class as u32));
                    }
                }
            }
        }
        let start = Versions(std::array::from_fn(|class| Version(class as u32)));
        let mut entry: Vec<Option<Versions>> = vec![None; blocks];
        let mut changed = true;
        let mut round = 0;
        while changed {
            changed = false;
            round += 1;
            for block in &cfg.order {
                let at = block.0 as usize;
                let mut new = if at == 0 { Some(start) } else { None };
                for predecessor in cfg.predecessors(*block) {
                    let from = predecessor.0 as usize;
                    let Some(found) = entry[from] else { continue };
                    let leaves: [Version; CLASSES] =
                        std::array::from_fn(|class| written[from][class].unwrap_or(found.0[class]));
                    new = Some(match new {
                        None => Versions(leaves),
                        Some(known) => Versions(std::array::from_fn(|class| {
                            if known.0[class] == leaves[class] { known.0[class] } else { joins(at).0[class] }
                        })),
                    });
                }
                let Some(mut new) = new else { continue };
                if let Some(old) = entry[at] {
                    for class in 0..CLASSES {
                        let own = joins(at).0[class];
                        let stays = old.0[class] == own;
                        let late = round > ROUNDS && new.0[class] != old.0[class];
                        if stays || (late && cfg.predecessors(*block).len() > 1) {
                            new.0[class] = own;
                        }
                    }
                }
                if entry[at] != Some(new) {
                    entry[at] = Some(new);
                    changed = true;
                }
            }
        }
        let entry = entry.into_iter().map(|versions| versions.unwrap_or(start)).collect();
        let mut memory = Self { origins, entry, first, definitions: definitions(function) };
        for block in &cfg.order {
            let mut walk = memory.walk(*block);
            for (index, inst) in function.blocks[block.0 as usize].insts.iter().enumerate() {
                let before = walk.current;
                walk.pass(inst);
                for class in 0..CLASSES {
                    let (previous, version) = (before.0[class], walk.current.0[class]);
                    if version != previous {
                        memory.origins[version.0 as usize] = Origin::Write { block: *block, index, previous };
                    }
                }
            }
        }
        memory
    }

    /// Walks through a block from its start.
    pub fn walk(&self, block: BlockId) -> Walk {
        Walk { current: self.entry[block.0 as usize], next: self.first[block.0 as usize] }
    }

    /// What a load would find, as far back as no write in between can touch it.
    pub fn find(&self, function: &Function, cfg: &Cfg, access: Access, current: Versions) -> Found {
        let mut version = current.of(access.alias);
        let mut versions = vec![version];
        for _ in 0..STEPS {
            let Some(Origin::Write { block, index, previous }) = self.origins.get(version.0 as usize) else {
                break;
            };
            let inst = &function.blocks[block.0 as usize].insts[*index];
            if let Op::Store { address, offset, value, .. } = inst.op
                && address == access.address
                && offset == access.offset
                && function.ty(value) == access.ty
            {
                return Found::Stored(value);
            }
            if self.may_touch(function, cfg, inst, access) {
                break;
            }
            version = *previous;
            versions.push(version);
        }
        Found::Versions(versions)
    }

    /// Whether a write can change what an access reads. The access comes later, and sees the write.
    fn may_touch(&self, function: &Function, cfg: &Cfg, write: &Inst, access: Access) -> bool {
        match &write.op {
            Op::Store { address, offset, value, alias } => {
                if !alias.overlaps(access.alias) {
                    return false;
                }
                let (size, wanted) = (function.ty(*value).bytes() as i32, access.ty.bytes() as i32);
                if *address == access.address {
                    return *offset < access.offset + wanted && access.offset < offset + size;
                }
                !self.are_distinct(function, cfg, *address, access.address)
            }
            Op::Retain { value, .. } | Op::Release { value, .. } | Op::Unique { value, .. } => {
                // Counts are read and written whole.
                let count = access.ty == Type::I64 && access.alias.overlaps(Alias::Count);
                count && !(*value == access.address && access.offset != layout::COUNT)
            }
            _ => true,
        }
    }

    /// Whether two addresses are of different objects.
    fn are_distinct(&self, function: &Function, cfg: &Cfg, a: Value, b: Value) -> bool {
        let definition = |value: Value| self.definitions[value.0 as usize];
        let op = |value: Value| {
            definition(value).map(|(block, index)| &function.blocks[block.0 as usize].insts[index].op)
        };
        // Memory is fresh for all that was there before it: an address made earlier is not in it, nor is
        // one that was read or passed in.
        let fresh = |new: Value, old: Value| {
            if !matches!(op(new), Some(Op::Alloc { .. })) {
                return false;
            }
            let Some((block, index)) = definition(new) else { return false };
            match definition(old) {
                Some((other, before)) if other == block => before < index,
                Some((other, _)) => other != block && cfg.dominates(other, block),
                // A parameter of the function.
                None => function.params().contains(&old),
            }
        };
        match (op(a), op(b)) {
            (Some(Op::SlotAddress(a)), Some(Op::SlotAddress(b))) => a != b,
            (
                Some(Op::Alloc { .. } | Op::SlotAddress(_) | Op::SymbolAddress(_)),
                Some(Op::Alloc { .. } | Op::SlotAddress(_) | Op::SymbolAddress(_)),
            ) => {
                // Two allocations look alike, but are not the same.
                a != b && (op(a) != op(b) || matches!(op(a), Some(Op::Alloc { .. })))
            }
            _ => fresh(a, b) || fresh(b, a),
        }
    }
}

/// A walk through one block.
pub struct Walk {
    /// What the next instruction sees.
    pub current: Versions,
    next: u32,
}

impl Walk {
    /// Goes past an instruction. All of the block's must be passed in order.
    pub fn pass(&mut self, inst: &Inst) {
        let writes = writes(&inst.op);
        if writes == [false; CLASSES] {
            return;
        }
        for (class, written) in writes.into_iter().enumerate() {
            if written {
                self.current.0[class] = Version(self.next + class as u32);
            }
        }
        self.next += CLASSES as u32;
    }
}
