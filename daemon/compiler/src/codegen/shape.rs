//! Functions without names.
//!
//! What a function is compiled to depends on what it does, not on what the things are called that it
//! refers to. So functions are numbered through by those, and code is looked up by the digest of what is
//! left: a procedure that was renamed, and all that calls it, has its code already, and so has what an
//! undo brings back.
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::MachineCode;
use crate::base::{Db, Name, SourcePath};
use crate::lower::{ItemId, ItemKind};
use crate::mono::{Instance, InstanceKind};
use crate::runtime::{CORE_ROOT, PRELUDE_PATH};
use crate::ssa::{CodeOptions, Function, NameMut, Symbol};

/// The names of a function, by number.
pub(super) struct Names {
    instances: Vec<Instance>,
    items: Vec<ItemId>,
}

/// Tells functions apart that differ in more than names.
pub(super) type ShapeDigest = [u8; 32];

/// The digest of a function's shape, and its names. Digests are comparable within one database.
/// Linear in the function.
pub(super) fn shape(db: &dyn Db, function: &Function, options: CodeOptions) -> (ShapeDigest, Names) {
    let mut names = Names { instances: Vec::new(), items: Vec::new() };
    let (mut instances, mut items) = (HashMap::new(), HashMap::new());
    let mut nameless = function.clone();
    nameless.for_each_name_mut(&mut |name| match name {
        NameMut::Instance(instance) => {
            let number = *instances.entry(*instance).or_insert_with(|| {
                names.instances.push(*instance);
                names.instances.len() - 1
            });
            *instance = nameless_instance(db, number);
        }
        NameMut::Item(item) => {
            let number = *items.entry(*item).or_insert_with(|| {
                names.items.push(*item);
                names.items.len() - 1
            });
            *item = nameless_item(db, number);
        }
    });
    let mut bytes = Bytes(Vec::new());
    (nameless, options).hash(&mut bytes);
    (Sha256::digest(&bytes.0).into(), names)
}

/// What `hash` is given, as it comes.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Stands for the item with a number in every shape.
fn nameless_item(db: &dyn Db, number: usize) -> ItemId {
    let file = db.file(&SourcePath { root: CORE_ROOT.into(), path: PRELUDE_PATH.into() });
    // No name of the language begins with a digit.
    ItemId::new(db, file, ItemKind::Proc, Name::new(number.to_string()), 0)
}

fn nameless_instance(db: &dyn Db, number: usize) -> Instance {
    Instance::new(db, InstanceKind::Proc(nameless_item(db, number), Vec::new()))
}

impl Names {
    /// Code of a function with these names, as that of its shape.
    pub(super) fn taken_out(&self, db: &dyn Db, code: &MachineCode) -> MachineCode {
        let instances: HashMap<Instance, Instance> = self
            .instances
            .iter()
            .enumerate()
            .map(|(number, name)| (*name, nameless_instance(db, number)))
            .collect();
        let items: HashMap<ItemId, ItemId> =
            self.items.iter().enumerate().map(|(number, name)| (*name, nameless_item(db, number))).collect();
        renamed(code, &instances, &items)
    }

    /// Code of a shape, as that of a function with these names.
    pub(super) fn put_in(&self, db: &dyn Db, code: &MachineCode) -> MachineCode {
        let instances: HashMap<Instance, Instance> = self
            .instances
            .iter()
            .enumerate()
            .map(|(number, name)| (nameless_instance(db, number), *name))
            .collect();
        let items: HashMap<ItemId, ItemId> =
            self.items.iter().enumerate().map(|(number, name)| (nameless_item(db, number), *name)).collect();
        renamed(code, &instances, &items)
    }
}

fn renamed(
    code: &MachineCode,
    instances: &HashMap<Instance, Instance>,
    items: &HashMap<ItemId, ItemId>,
) -> MachineCode {
    let item = |item: &mut ItemId| *item = items.get(item).copied().unwrap_or(*item);
    let mut code = MachineCode { bytes: Arc::clone(&code.bytes), ..code.clone() };
    for relocation in &mut code.relocations {
        match &mut relocation.target {
            Symbol::Instance(name) => *name = instances.get(name).copied().unwrap_or(*name),
            Symbol::Const(name) => item(name),
            Symbol::Location(source) => item(&mut source.item),
            Symbol::Extern(_) | Symbol::Literal(_) | Symbol::EmptyList | Symbol::State => {}
        }
    }
    for source in code.lines.iter_mut().filter_map(|row| row.source.as_mut()) {
        item(&mut source.item);
    }
    code
}
