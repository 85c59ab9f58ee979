//! SSA of instances, on demand.
use std::sync::Arc;

use super::{Function, TypeInfo, layout::PickShape, lower_mir};
use crate::base::{Db, Machine, OptLevel, Options};
use crate::consteval::ConstValue;
use crate::lower::{ItemId, ItemKind};
use crate::mir::mir;
use crate::mono::{Instance, InstanceKind};
use crate::types::{Ty, core_item, form_data, pick_data, ty_name};

/// The options that decide what code looks like. Interned, so that programs which agree on them share code.
///
/// `unsafe(no_lifetime)` is sound: interned values are never collected.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct CodeOptions {
    /// How hard to optimise.
    #[returns(copy)]
    pub level: OptLevel,
    /// Names of passes switched off.
    #[returns(ref)]
    pub disabled_passes: Vec<String>,
    /// For which machine. SSA does not depend on it: see [`Self::for_every_machine`].
    #[returns(copy)]
    pub machine: Machine,
}

impl CodeOptions {
    /// Those of a program's options that matter here.
    pub fn of(db: &dyn Db, options: &Options) -> Self {
        let machine = Machine::named(&options.target).unwrap_or_default();
        Self::new(db, options.opt_level, options.disabled_passes.clone(), machine)
    }

    /// The same for the first machine, so that all machines share what does not depend on one.
    #[must_use]
    pub fn for_every_machine(self, db: &dyn Db) -> Self {
        if self.machine(db) == Machine::default() {
            return self;
        }
        Self::new(db, self.level(db), self.disabled_passes(db).clone(), Machine::default())
    }
}

/// The SSA of an instance as lowered.
#[salsa::tracked(returns(ref))]
pub fn ssa(db: &dyn Db, instance: Instance) -> Arc<Function> {
    let mir = mir(db, instance);
    db.go_on("ssa");
    Arc::new(lower_mir(mir, &DbTypes { db }))
}

/// The SSA of an instance after the passes of `options`.
#[salsa::tracked(returns(ref))]
pub fn optimised_ssa(db: &dyn Db, instance: Instance, options: CodeOptions) -> Arc<Function> {
    crate::opt::optimised(db, instance, options)
}

/// What a database knows of types.
pub struct DbTypes<'a> {
    /// The database.
    pub db: &'a dyn Db,
}

impl TypeInfo for DbTypes<'_> {
    fn form(&self, item: ItemId, args: &[Ty]) -> Vec<Ty> {
        form_data(self.db, item).fields.iter().map(|(_, ty)| ty.subst(args)).collect()
    }

    fn pick(&self, item: ItemId, args: &[Ty]) -> PickShape {
        let variants = pick_data(self.db, item).variants.iter();
        let payload = |fields: &[(_, Ty)]| fields.iter().map(|(_, ty): &(_, Ty)| ty.subst(args)).collect();
        PickShape { variants: variants.map(|variant| (payload(&variant.fields), variant.ordinal)).collect() }
    }

    fn instance(&self, kind: InstanceKind) -> Instance {
        Instance::new(self.db, kind)
    }

    fn core_proc(&self, name: &str, args: Vec<Ty>) -> Instance {
        let item = core_item(self.db, ItemKind::Proc, name).unwrap_or_else(|| {
            // The prelude is part of the compiler and has it; without a body the call cannot be reached.
            let path = crate::base::SourcePath {
                root: crate::runtime::CORE_ROOT.into(),
                path: crate::runtime::PRELUDE_PATH.into(),
            };
            ItemId::new(self.db, self.db.file(&path), ItemKind::Proc, crate::base::Name::new(name), 0)
        });
        self.instance(InstanceKind::Proc(item, args))
    }

    fn type_name(&self, ty: &Ty) -> String {
        ty_name(self.db, ty)
    }

    fn const_value(&self, item: ItemId) -> Option<ConstValue> {
        crate::consteval::const_value(self.db, item).clone().ok()
    }
}
