//! MIR to SSA.
//!
//! Locals whose address is never taken become values; the others live in stack slots.
use std::sync::Arc;

use super::build::Builder;
use super::data::{
    Alias, BinaryOp as B, BlockId, Callee, CheckKind, CompareOp, ConvertOp, DropFn, Function, ObjectRepr, Op,
    SlotId, Source, Symbol, Target, Terminator, Type, UnaryOp as U, Value,
};
use super::layout::{CAPACITY, COUNT, DATA, LENGTH, Layouts, TAG, TypeInfo, immediate_variant, value_type};
use crate::consteval::ConstValue;
use crate::lower::hir::{BinaryOp, UnaryOp};
use crate::lower::{ItemId, NodeId};
use crate::mir::{
    Callee as MirCallee, Const, LocalId, Mir, Operand, PanicKind, Place, Projection, Rvalue, Statement,
    StatementKind, Terminator as MirTerminator,
};
use crate::mono::InstanceKind;
use crate::types::{FloatTy, IntTy, Intrinsic, Ty};

/// Lowers one body. Pure: all that it knows comes through `types`.
pub fn lower_mir(mir: &Mir, types: &dyn TypeInfo) -> Function {
    let mut layouts = Layouts::new(types);
    let ret = layouts.result(&mir.ret);
    let variables = mir.locals.iter().map(|local| layouts.scalar(&local.ty)).collect();
    let builder = Builder::new(ret, variables, mir.item);
    let mut lowering = Lowering { mir, layouts, b: builder, slots: vec![None; mir.locals.len()] };
    lowering.find_slots();
    lowering.lower_body();
    lowering.b.finish()
}

pub(super) struct Lowering<'a> {
    mir: &'a Mir,
    pub(super) layouts: Layouts<'a>,
    pub(super) b: Builder,
    /// Slots of the locals whose address is taken.
    slots: Vec<Option<SlotId>>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Location {
    Variable(LocalId),
    Memory { address: Value, offset: i32, alias: Alias },
}

impl Lowering<'_> {
    fn find_slots(&mut self) {
        for block in &self.mir.blocks {
            for statement in &block.statements {
                if let StatementKind::Assign(_, Rvalue::AddressOf(place)) = &statement.kind
                    && place.projections.is_empty()
                {
                    let local = place.local.0 as usize;
                    if self.slots[local].is_none() {
                        let size = self.layouts.size(&self.mir.locals[local].ty);
                        self.slots[local] = Some(self.b.add_slot(size));
                    }
                }
            }
        }
    }

    fn lower_body(&mut self) {
        let entry = BlockId(0);
        let params = self.mir.params.len();
        for local in 0..params {
            let ty = self.layouts.scalar(&self.mir.locals[local].ty);
            let value = self.b.add_param(entry, ty);
            self.store(Location::Variable(LocalId(local as u32)), value);
        }
        // MIR may jump back to its first block, SSA not to its entry.
        let blocks: Vec<BlockId> = self.mir.blocks.iter().map(|_| self.b.new_block()).collect();
        let order = reverse_post_order(self.mir);
        let mut waiting = vec![0usize; blocks.len()];
        for &block in &order {
            for successor in successors(&self.mir.blocks[block].terminator) {
                waiting[successor] += 1;
            }
        }
        match blocks.first() {
            Some(&first) => self.b.jump(first),
            None => self.b.terminate(Terminator::Unreachable),
        }
        for &block in &order {
            if waiting[block] == 0 && !self.b.is_sealed(blocks[block]) {
                self.b.seal(blocks[block]);
            }
            self.b.switch_to(blocks[block]);
            for statement in &self.mir.blocks[block].statements {
                self.lower_statement(statement);
            }
            self.lower_terminator(&self.mir.blocks[block].terminator, &blocks);
            for successor in successors(&self.mir.blocks[block].terminator) {
                waiting[successor] -= 1;
                if waiting[successor] == 0 && !self.b.is_sealed(blocks[successor]) {
                    self.b.seal(blocks[successor]);
                }
            }
        }
    }

    fn source(&self, node: NodeId) -> Option<Source> {
        self.mir.item.map(|item| Source { item, node })
    }

    // ---- places ----

    fn local_location(&mut self, local: LocalId) -> Location {
        match self.slots[local.0 as usize] {
            Some(slot) => {
                let address = self.b.push(Type::I64, Op::SlotAddress(slot));
                Location::Memory { address, offset: 0, alias: Alias::Slot }
            }
            None => Location::Variable(local),
        }
    }

    fn load(&mut self, location: Location, ty: &Ty) -> Value {
        let scalar = self.layouts.scalar(ty);
        match location {
            Location::Variable(local) => match self.slots[local.0 as usize] {
                Some(_) => {
                    let location = self.local_location(local);
                    self.load(location, ty)
                }
                None => self.b.read(local.0),
            },
            Location::Memory { address, offset, alias } => {
                self.b.push(scalar, Op::Load { address, offset, alias })
            }
        }
    }

    fn store(&mut self, location: Location, value: Value) {
        match location {
            Location::Variable(local) => match self.slots[local.0 as usize] {
                Some(_) => {
                    let location = self.local_location(local);
                    self.store(location, value);
                }
                None => self.b.write(local.0, value),
            },
            Location::Memory { address, offset, alias } => {
                self.b.effect(Op::Store { address, offset, value, alias });
            }
        }
    }

    fn locate(&mut self, place: &Place) -> (Location, Ty) {
        let mut ty = self.mir.locals[place.local.0 as usize].ty.clone();
        let mut location = self.local_location(place.local);
        for projection in &place.projections {
            let next = match projection {
                Projection::Field(field) => {
                    let fields = self.layouts.fields(&ty);
                    let offset = self.layouts.record(&ty).offsets[*field as usize];
                    let address = self.load(location, &ty);
                    (
                        Location::Memory { address, offset, alias: Alias::Field },
                        fields[*field as usize].clone(),
                    )
                }
                Projection::Payload { variant, field } => {
                    let shape = self.layouts.pick(&ty);
                    let offset = self.layouts.payload(&ty, *variant).offsets[*field as usize];
                    let address = self.load(location, &ty);
                    let field = shape.variants[*variant as usize].0[*field as usize].clone();
                    (Location::Memory { address, offset, alias: Alias::Field }, field)
                }
                Projection::Index(index) => {
                    let element = match value_type(&ty) {
                        Ty::List(element) => element.as_ref().clone(),
                        _ => Ty::Int(IntTy::U8),
                    };
                    let list = self.load(location, &ty);
                    let index_ty = self.mir.locals[index.0 as usize].ty.clone();
                    let index = self.load(Location::Variable(*index), &index_ty);
                    let size = self.layouts.size(&element);
                    let address = self.element_address(list, index, size);
                    (Location::Memory { address, offset: DATA, alias: Alias::Element }, element)
                }
                Projection::Deref => match &ty {
                    Ty::Ref(true, inner) => {
                        let address = self.load(location, &ty);
                        (
                            Location::Memory { address, offset: 0, alias: Alias::Unknown },
                            inner.as_ref().clone(),
                        )
                    }
                    // A shared reference is the value itself.
                    other => (location, value_type(other).clone()),
                },
            };
            (location, ty) = next;
        }
        (location, ty)
    }

    fn element_address(&mut self, list: Value, index: Value, size: u32) -> Value {
        let scaled = if size == 1 {
            index
        } else {
            let shift = self.b.int(Type::I8, i128::from(size.trailing_zeros()));
            self.b.push(Type::I64, Op::Binary(B::Shl, index, shift))
        };
        self.b.push(Type::I64, Op::Binary(B::Add, list, scaled))
    }

    fn read_place(&mut self, place: &Place) -> (Value, Ty) {
        let (location, ty) = self.locate(place);
        let value = self.load(location, &ty);
        (value, ty)
    }

    // ---- operands ----

    fn operand(&mut self, operand: &Operand) -> (Value, Ty) {
        match operand {
            Operand::Copy(place) => {
                let (value, ty) = self.read_place(place);
                self.retain(value, &ty);
                (value, ty)
            }
            Operand::Move(place) | Operand::Borrow(place) => self.read_place(place),
            Operand::Const(constant) => self.constant(constant),
        }
    }

    fn operands(&mut self, operands: &[Operand]) -> Vec<Value> {
        operands.iter().map(|operand| self.operand(operand).0).collect()
    }

    fn symbol(&mut self, symbol: Symbol) -> Value {
        self.b.push(Type::I64, Op::SymbolAddress(symbol))
    }

    fn constant(&mut self, constant: &Const) -> (Value, Ty) {
        match constant {
            Const::Int(value, ty) => {
                let scalar = self.layouts.scalar(ty);
                let value = match (self.layouts.repr(ty), u32::try_from(*value)) {
                    (Some(_), Ok(variant)) => immediate_variant(variant),
                    _ => *value,
                };
                (self.b.int(scalar, value), ty.clone())
            }
            Const::Float(bits, ty) => (self.float(*bits, ty), ty.clone()),
            Const::Str(text) => (self.symbol(Symbol::Literal(Arc::from(text.as_bytes()))), Ty::String),
            Const::Bytes(bytes) => (self.symbol(Symbol::Literal(bytes.clone())), Ty::Bytes),
            Const::Item(item, ty) => (self.const_item(*item, ty), ty.clone()),
            Const::Static(item, ty) => (self.symbol(Symbol::Const(*item)), ty.clone()),
            Const::Proc(instance, ty) => (self.symbol(Symbol::Instance(*instance)), ty.clone()),
            Const::Unit => (self.b.int(Type::I8, 0), Ty::Unit),
        }
    }

    fn float(&mut self, bits: u64, ty: &Ty) -> Value {
        match value_type(ty) {
            Ty::Float(FloatTy::F32) => {
                let narrow = f64::from_bits(bits) as f32;
                self.b.push(Type::F32, Op::Float(u64::from(narrow.to_bits())))
            }
            _ => self.b.push(Type::F64, Op::Float(bits)),
        }
    }

    /// Scalars are known here; objects are data that the linker places.
    fn const_item(&mut self, item: ItemId, ty: &Ty) -> Value {
        match self.layouts.types.const_value(item) {
            Some(ConstValue::Int(value)) => {
                let scalar = self.layouts.scalar(ty);
                self.b.int(scalar, value)
            }
            Some(ConstValue::Float(bits)) => self.float(bits, ty),
            Some(ConstValue::Variant(variant, payload)) if payload.is_empty() => {
                let scalar = self.layouts.scalar(ty);
                let boxed = self.layouts.repr(ty).is_some();
                self.b.int(scalar, if boxed { immediate_variant(variant) } else { i128::from(variant) })
            }
            Some(ConstValue::Str(bytes) | ConstValue::Bytes(bytes)) => self.symbol(Symbol::Literal(bytes)),
            Some(ConstValue::List(_) | ConstValue::Record(_) | ConstValue::Variant(..)) => {
                self.symbol(Symbol::Const(item))
            }
            Some(ConstValue::Unit) | None => {
                let scalar = self.layouts.scalar(ty);
                if scalar.is_float() { self.float(0, ty) } else { self.b.int(scalar, 0) }
            }
        }
    }

    // ---- reference counts ----

    fn retain(&mut self, value: Value, ty: &Ty) {
        if let Some(repr) = self.layouts.repr(ty) {
            self.b.effect(Op::Retain { value, repr });
        }
    }

    fn release(&mut self, value: Value, ty: &Ty) {
        if let Some(repr) = self.layouts.repr(ty) {
            let drop = match value_type(ty) {
                Ty::String | Ty::Bytes => DropFn::Free,
                ty => DropFn::Glue(self.layouts.types.instance(InstanceKind::Drop(ty.clone()))),
            };
            self.b.effect(Op::Release { value, repr, drop });
        }
    }

    fn unique(&mut self, place: &Place) {
        let (location, ty) = self.locate(place);
        let Some(repr) = self.layouts.repr(&ty) else { return };
        let value = self.load(location, &ty);
        let clone = self.layouts.types.instance(InstanceKind::Clone(value_type(&ty).clone()));
        let fresh = self.b.push(Type::I64, Op::Unique { value, repr, clone });
        self.store(location, fresh);
    }

    /// A new object with a count of one.
    fn allocate(&mut self, size: u32) -> Value {
        let panic = self.layouts.types.core_proc("panic_at", Vec::new());
        let object = self.b.push(Type::I64, Op::Alloc { size, panic });
        let one = self.b.int(Type::I64, 1);
        self.initialise(object, COUNT, one, Alias::Count);
        object
    }

    fn initialise(&mut self, address: Value, offset: i32, value: Value, alias: Alias) {
        self.b.effect(Op::Store { address, offset, value, alias });
    }

    // ---- statements ----

    fn lower_statement(&mut self, statement: &Statement) {
        self.b.source = self.source(statement.node);
        match &statement.kind {
            StatementKind::Assign(place, rvalue) => {
                let target = self.mir_place_ty(place);
                let value = self.rvalue(rvalue, &target);
                let (location, _) = self.locate(place);
                self.store(location, value);
            }
            StatementKind::Drop(place) => {
                let (value, ty) = self.read_place(place);
                self.release(value, &ty);
            }
            StatementKind::Unique(place) => self.unique(place),
            StatementKind::Call { callee, args, dest } => self.call(callee, args, dest.as_ref()),
            StatementKind::Check(condition, kind) => self.check(condition, kind),
        }
    }

    /// The type of a place, without code.
    fn mir_place_ty(&mut self, place: &Place) -> Ty {
        let mut ty = self.mir.locals[place.local.0 as usize].ty.clone();
        for projection in &place.projections {
            ty = match projection {
                Projection::Field(field) => self.layouts.fields(&ty)[*field as usize].clone(),
                Projection::Payload { variant, field } => {
                    self.layouts.pick(&ty).variants[*variant as usize].0[*field as usize].clone()
                }
                Projection::Index(_) => match value_type(&ty) {
                    Ty::List(element) => element.as_ref().clone(),
                    _ => Ty::Int(IntTy::U8),
                },
                Projection::Deref => match ty {
                    Ty::Ref(true, inner) => inner.as_ref().clone(),
                    other => value_type(&other).clone(),
                },
            };
        }
        ty
    }

    fn call(&mut self, callee: &MirCallee, args: &[Operand], dest: Option<&Place>) {
        let callee = match callee {
            MirCallee::Intrinsic(intrinsic, tys) => {
                let value = self.intrinsic(*intrinsic, tys, args);
                if let (Some(value), Some(dest)) = (value, dest) {
                    let (location, _) = self.locate(dest);
                    self.store(location, value);
                }
                return;
            }
            MirCallee::Instance(instance) => Callee::Instance(*instance),
            MirCallee::Extern(name, _, _) => Callee::Extern(name.clone()),
            MirCallee::Value(operand, _, _) => Callee::Indirect(self.operand(operand).0),
        };
        let is_extern = matches!(callee, Callee::Extern(_));
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let (value, ty) = self.operand(arg);
            values.push(if is_extern { self.promote_argument(value, &ty) } else { value });
        }
        let dest_ty = dest.map(|dest| self.mir_place_ty(dest));
        let result = dest_ty.as_ref().and_then(|ty| self.layouts.result(ty));
        let op = Op::Call { callee, args: values };
        let value = match result {
            Some(ty) => self.b.push(ty, op),
            None => {
                self.b.effect(op);
                // What a unit result is stored as, if anyone keeps it.
                if dest_ty.is_none() {
                    return;
                }
                self.b.int(Type::I8, 0)
            }
        };
        if let Some(dest) = dest {
            let (location, _) = self.locate(dest);
            self.store(location, value);
        }
    }

    /// C callees may rely on narrow arguments being extended to 32 bits.
    fn promote_argument(&mut self, value: Value, ty: &Ty) -> Value {
        if matches!(value_type(ty), Ty::String) {
            // C gets the bytes, which are ended by a zero.
            let data = self.b.int(Type::I64, i128::from(DATA));
            return self.b.push(Type::I64, Op::Binary(B::Add, value, data));
        }
        match self.b.ty(value) {
            Type::I8 | Type::I16 => {
                let op = if is_signed(ty) { ConvertOp::SignExtend } else { ConvertOp::ZeroExtend };
                self.b.push(Type::I32, Op::Convert(op, value))
            }
            _ => value,
        }
    }

    fn intrinsic(&mut self, intrinsic: Intrinsic, tys: &[Ty], args: &[Operand]) -> Option<Value> {
        let ty = tys.first().cloned().unwrap_or(Ty::Unit);
        let values = self.operands(args);
        let arg = |index: usize| values.get(index).copied();
        match intrinsic {
            Intrinsic::SizeOf => {
                let size = self.layouts.size(&ty);
                Some(self.b.int(Type::I64, i128::from(size)))
            }
            Intrinsic::NeedsDrop => {
                let counted = self.layouts.repr(&ty).is_some();
                Some(self.b.int(Type::I8, i128::from(counted)))
            }
            Intrinsic::Addr | Intrinsic::Own | Intrinsic::PlaceAddr => arg(0),
            Intrinsic::Read | Intrinsic::CopyOut => {
                let location = Location::Memory { address: arg(0)?, offset: 0, alias: Alias::Unknown };
                let value = self.load(location, &ty);
                if intrinsic == Intrinsic::CopyOut {
                    self.retain(value, &ty);
                }
                Some(value)
            }
            Intrinsic::Write => {
                let location = Location::Memory { address: arg(0)?, offset: 0, alias: Alias::Unknown };
                self.store(location, arg(1)?);
                Some(self.b.int(Type::I8, 0))
            }
            Intrinsic::Forget => Some(self.b.int(Type::I8, 0)),
            // A call of glue, or a constant by now.
            Intrinsic::ByteSize
            | Intrinsic::ByteAlign
            | Intrinsic::FieldOffset(_)
            | Intrinsic::ParameterValue
            | Intrinsic::Hash => Some(self.b.int(Type::I64, 0)),
            Intrinsic::IsUnique => match self.layouts.repr(&ty) {
                Some(ObjectRepr::Pointer) => {
                    let count = Op::Load { address: arg(0)?, offset: COUNT, alias: Alias::Count };
                    let count = self.b.push(Type::I64, count);
                    let one = self.b.int(Type::I64, 1);
                    Some(self.b.push(Type::I8, Op::Compare(CompareOp::Eq, count, one)))
                }
                // An immediate has no count; saying "no" only costs a copy.
                Some(ObjectRepr::Tagged) => Some(self.b.int(Type::I8, 0)),
                None => Some(self.b.int(Type::I8, 1)),
            },
            Intrinsic::F64Bits => Some(self.b.push(Type::I64, Op::Convert(ConvertOp::Bitcast, arg(0)?))),
            Intrinsic::F64FromBits => Some(self.b.push(Type::F64, Op::Convert(ConvertOp::Bitcast, arg(0)?))),
            Intrinsic::F32Bits => Some(self.b.push(Type::I32, Op::Convert(ConvertOp::Bitcast, arg(0)?))),
            Intrinsic::F32FromBits => Some(self.b.push(Type::F32, Op::Convert(ConvertOp::Bitcast, arg(0)?))),
            Intrinsic::State => Some(self.symbol(Symbol::State)),
            Intrinsic::TypeName => {
                let name = self.layouts.types.type_name(&ty);
                Some(self.symbol(Symbol::Literal(Arc::from(name.as_bytes()))))
            }
        }
    }

    fn check(&mut self, condition: &Operand, kind: &PanicKind) {
        let (condition, _) = self.operand(condition);
        let (kind, panic, args) = match kind {
            PanicKind::Index { index, signed, len } => {
                let (index, ty) = self.operand(index);
                let index = self.as_i64(index, &ty);
                let signed = self.b.int(Type::I8, i128::from(*signed));
                let (len, ty) = self.operand(len);
                let len = self.as_i64(len, &ty);
                (CheckKind::Index, "panic_index", vec![index, signed, len])
            }
            PanicKind::DivisionByZero => (CheckKind::DivisionByZero, "panic_division", Vec::new()),
            PanicKind::NotAChar(value) => {
                let (value, ty) = self.operand(value);
                (CheckKind::NotAChar, "panic_char", vec![self.as_i64(value, &ty)])
            }
            PanicKind::Assert(message) => (CheckKind::Assert, "panic_at", vec![self.operand(message).0]),
        };
        let panic = self.layouts.types.core_proc(panic, Vec::new());
        self.b.effect(Op::Check { condition, kind, panic, args });
    }

    // ---- rvalues ----

    fn rvalue(&mut self, rvalue: &Rvalue, target: &Ty) -> Value {
        match rvalue {
            Rvalue::Use(operand) => self.operand(operand).0,
            Rvalue::Unary(op, operand) => {
                let (value, ty) = self.operand(operand);
                self.unary(*op, value, &ty)
            }
            Rvalue::Binary(op, left, right) => {
                let (left, ty) = self.operand(left);
                let (right, _) = self.operand(right);
                self.binary(*op, left, right, &ty)
            }
            Rvalue::Compare(op, left, right) => {
                let (left, left_ty) = self.operand(left);
                let (right, right_ty) = self.operand(right);
                self.compare(*op, (left, &left_ty), (right, &right_ty))
            }
            Rvalue::Cast(operand, to) => {
                let (value, from) = self.operand(operand);
                self.cast(value, &from, to)
            }
            Rvalue::Len(place) => {
                let (address, _) = self.read_place(place);
                self.b.push(Type::I64, Op::Load { address, offset: LENGTH, alias: Alias::Length })
            }
            Rvalue::StringByte(place, index) => {
                let (string, _) = self.read_place(place);
                let (index, ty) = self.operand(index);
                let index = self.as_i64(index, &ty);
                let address = self.element_address(string, index, 1);
                let byte = self.b.push(Type::I8, Op::Load { address, offset: DATA, alias: Alias::Element });
                self.b.push(Type::I32, Op::Convert(ConvertOp::ZeroExtend, byte))
            }
            Rvalue::Tag(place) => {
                let (value, ty) = self.read_place(place);
                self.tag(value, &ty)
            }
            Rvalue::Record(ty, operands) => {
                let values = self.operands(operands);
                let fields = self.layouts.record(ty);
                let object = self.allocate(fields.size);
                for (value, offset) in values.into_iter().zip(fields.offsets) {
                    self.initialise(object, offset, value, Alias::Field);
                }
                object
            }
            Rvalue::Variant(ty, variant, operands) => self.variant(ty, *variant, operands),
            Rvalue::List(ty, operands) => self.list(ty, operands),
            Rvalue::AddressOf(place) => {
                let (location, _) = self.locate(place);
                match location {
                    Location::Memory { address, offset: 0, .. } => address,
                    Location::Memory { address, offset, .. } => {
                        let offset = self.b.int(Type::I64, i128::from(offset));
                        self.b.push(Type::I64, Op::Binary(B::Add, address, offset))
                    }
                    // `a as shared reference`: the value stands for itself.
                    Location::Variable(_) => self.load(location, target),
                }
            }
        }
    }

    fn variant(&mut self, ty: &Ty, variant: u32, operands: &[Operand]) -> Value {
        if self.layouts.repr(ty).is_none() {
            let scalar = self.layouts.scalar(ty);
            return self.b.int(scalar, i128::from(variant));
        }
        if operands.is_empty() {
            return self.b.int(Type::I64, immediate_variant(variant));
        }
        let values = self.operands(operands);
        let fields = self.layouts.payload(ty, variant);
        let object = self.allocate(fields.size);
        let tag = self.b.int(Type::I32, i128::from(variant));
        self.initialise(object, TAG, tag, Alias::Tag);
        for (value, offset) in values.into_iter().zip(fields.offsets) {
            self.initialise(object, offset, value, Alias::Field);
        }
        object
    }

    fn list(&mut self, ty: &Ty, operands: &[Operand]) -> Value {
        if operands.is_empty() {
            return self.symbol(Symbol::EmptyList);
        }
        let size = match value_type(ty) {
            Ty::List(element) => self.layouts.size(element),
            _ => 1,
        };
        let values = self.operands(operands);
        let count = values.len() as u32;
        let object = self.allocate((DATA as u32 + size * count).next_multiple_of(8));
        let length = self.b.int(Type::I64, i128::from(count));
        self.initialise(object, LENGTH, length, Alias::Length);
        self.initialise(object, CAPACITY, length, Alias::Length);
        for (index, value) in values.into_iter().enumerate() {
            self.initialise(object, DATA + (size as i32) * (index as i32), value, Alias::Element);
        }
        object
    }

    /// The variant index of a pick value.
    fn tag(&mut self, value: Value, ty: &Ty) -> Value {
        let shape = self.layouts.pick(ty);
        if shape.plain() {
            return self.b.push(Type::I64, Op::Convert(ConvertOp::ZeroExtend, value));
        }
        let with_payload: Vec<usize> =
            (0..shape.variants.len()).filter(|&variant| !shape.variants[variant].0.is_empty()).collect();
        if with_payload.len() == shape.variants.len() {
            return self.load_tag(value);
        }
        let one = self.b.int(Type::I64, 1);
        let shift = self.b.int(Type::I8, 1);
        let low = self.b.push(Type::I64, Op::Binary(B::And, value, one));
        let zero = self.b.int(Type::I64, 0);
        let immediate = self.b.push(Type::I8, Op::Compare(CompareOp::Ne, low, zero));
        if let [only] = with_payload[..] {
            // One object variant: its tag need not be read. With two variants the answer is a number either way.
            let object = self.b.int(Type::I64, only as i128);
            let number = match shape.variants.len() {
                2 => self.b.int(Type::I64, 1 - only as i128),
                _ => self.b.push(Type::I64, Op::Binary(B::LShr, value, shift)),
            };
            return self.b.push(Type::I64, Op::Select(immediate, number, object));
        }
        let (read, join) = (self.b.new_block(), self.b.new_block());
        let number = self.b.push(Type::I64, Op::Binary(B::LShr, value, shift));
        let tag = self.b.add_param(join, Type::I64);
        self.b.terminate(Terminator::Branch(
            immediate,
            Target { block: join, args: vec![number] },
            Target { block: read, args: Vec::new() },
        ));
        self.b.seal(read);
        self.b.switch_to(read);
        let loaded = self.load_tag(value);
        self.b.terminate(Terminator::Jump(Target { block: join, args: vec![loaded] }));
        self.b.seal(join);
        self.b.switch_to(join);
        tag
    }

    fn load_tag(&mut self, object: Value) -> Value {
        let tag = self.b.push(Type::I32, Op::Load { address: object, offset: TAG, alias: Alias::Tag });
        self.b.push(Type::I64, Op::Convert(ConvertOp::ZeroExtend, tag))
    }

    fn unary(&mut self, op: UnaryOp, value: Value, ty: &Ty) -> Value {
        let scalar = self.b.ty(value);
        match op {
            UnaryOp::Not => {
                let zero = self.b.int(scalar, 0);
                self.b.push(Type::I8, Op::Compare(CompareOp::Eq, value, zero))
            }
            UnaryOp::Neg if scalar.is_float() => self.b.push(scalar, Op::Unary(U::FNeg, value)),
            UnaryOp::Neg => self.b.push(scalar, Op::Unary(U::Neg, value)),
            UnaryOp::BitNot if value_type(ty) == &Ty::Bool => self.unary(UnaryOp::Not, value, ty),
            UnaryOp::BitNot => self.b.push(scalar, Op::Unary(U::Not, value)),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: Value, right: Value, ty: &Ty) -> Value {
        let scalar = self.b.ty(left);
        let signed = is_signed(ty);
        let float = scalar.is_float();
        let wide = scalar == Type::I128;
        let pick = |yes, a, b| if yes { a } else { b };
        let simple = match op {
            BinaryOp::Add => pick(float, B::FAdd, B::Add),
            BinaryOp::Sub => pick(float, B::FSub, B::Sub),
            BinaryOp::Mul => pick(float, B::FMul, B::Mul),
            BinaryOp::Div if wide => {
                return self.call_core(pick_name(signed, "i128_div", "u128_div"), left, right);
            }
            BinaryOp::Rem if wide => {
                return self.call_core(pick_name(signed, "i128_rem", "u128_rem"), left, right);
            }
            BinaryOp::Div if float => B::FDiv,
            BinaryOp::Rem if float => {
                return self.call_core(pick_name(scalar == Type::F32, "f32_rem", "f64_rem"), left, right);
            }
            BinaryOp::Div => pick(signed, B::SDiv, B::UDiv),
            BinaryOp::Rem => pick(signed, B::SRem, B::URem),
            BinaryOp::Shl | BinaryOp::Shr => {
                // Only the low bits of a count matter.
                let count = match self.b.ty(right) {
                    Type::I128 => self.b.push(Type::I64, Op::Convert(ConvertOp::Truncate, right)),
                    _ => right,
                };
                let op = match (op, signed) {
                    (BinaryOp::Shl, _) => B::Shl,
                    (_, true) => B::AShr,
                    (_, false) => B::LShr,
                };
                return self.b.push(scalar, Op::Binary(op, left, count));
            }
            BinaryOp::BitAnd | BinaryOp::And => B::And,
            BinaryOp::BitOr | BinaryOp::Or => B::Or,
            BinaryOp::BitXor => B::Xor,
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge
            | BinaryOp::In
            | BinaryOp::NotIn => return self.compare(op, (left, ty), (right, ty)),
        };
        self.b.push(scalar, Op::Binary(simple, left, right))
    }

    fn call_core(&mut self, name: &str, left: Value, right: Value) -> Value {
        let callee = Callee::Instance(self.layouts.types.core_proc(name, Vec::new()));
        let ty = self.b.ty(left);
        self.b.push(ty, Op::Call { callee, args: vec![left, right] })
    }

    // ---- terminators ----

    fn lower_terminator(&mut self, terminator: &MirTerminator, blocks: &[BlockId]) {
        let target = |block: crate::mir::BlockId| blocks[block.0 as usize];
        match terminator {
            MirTerminator::Goto(block) => self.b.jump(target(*block)),
            MirTerminator::Branch(operand, yes, no) => {
                let (value, _) = self.operand(operand);
                self.b.branch(value, target(*yes), target(*no));
            }
            MirTerminator::Switch(operand, cases, default) => {
                let (value, _) = self.operand(operand);
                let bits = self.b.ty(value).bits();
                let edge = |block| Target { block: target(block), args: Vec::new() };
                let mut seen = Vec::with_capacity(cases.len());
                for (case, block) in cases {
                    let case = super::data::wrap_int(*case, bits);
                    if !seen.iter().any(|(known, _)| *known == case) {
                        seen.push((case, edge(*block)));
                    }
                }
                self.b.terminate(Terminator::Switch { value, cases: seen, default: edge(*default) });
            }
            MirTerminator::Return(operand) => {
                let value = operand.as_ref().map(|operand| self.operand(operand).0);
                let returns = self.layouts.result(&self.mir.ret).is_some();
                self.b.terminate(Terminator::Return(value.filter(|_| returns)));
            }
            MirTerminator::Panic(message, node) => {
                self.b.source = self.source(*node);
                let (message, _) = self.operand(message);
                let location = match self.source(*node) {
                    Some(source) => self.symbol(Symbol::Location(source)),
                    None => self.b.int(Type::I64, 0),
                };
                let callee = Callee::Instance(self.layouts.types.core_proc("panic_at", Vec::new()));
                self.b.effect(Op::Call { callee, args: vec![message, location] });
                self.b.terminate(Terminator::Unreachable);
            }
            MirTerminator::Unreachable => self.b.terminate(Terminator::Unreachable),
        }
    }
}

/// Whether values of a type are signed integers.
pub(super) fn is_signed(ty: &Ty) -> bool {
    matches!(value_type(ty), Ty::Int(int) if int.signed())
}

fn pick_name(yes: bool, a: &'static str, b: &'static str) -> &'static str {
    if yes { a } else { b }
}

/// Distinct successors of a MIR block.
fn successors(terminator: &MirTerminator) -> Vec<usize> {
    let mut all: Vec<usize> = match terminator {
        MirTerminator::Goto(block) => vec![block.0 as usize],
        MirTerminator::Branch(_, yes, no) => vec![yes.0 as usize, no.0 as usize],
        MirTerminator::Switch(_, cases, default) => {
            cases.iter().map(|(_, block)| block.0 as usize).chain([default.0 as usize]).collect()
        }
        MirTerminator::Return(_) | MirTerminator::Panic(..) | MirTerminator::Unreachable => Vec::new(),
    };
    all.sort_unstable();
    all.dedup();
    all
}

/// Reachable blocks in reverse post-order.
fn reverse_post_order(mir: &Mir) -> Vec<usize> {
    let mut seen = vec![false; mir.blocks.len()];
    let mut order = Vec::with_capacity(mir.blocks.len());
    let mut stack = Vec::new();
    if let Some(first) = mir.blocks.first() {
        seen[0] = true;
        stack.push((0, successors(&first.terminator)));
    }
    while let Some((block, next)) = stack.last_mut() {
        match next.pop() {
            Some(successor) => {
                if !std::mem::replace(&mut seen[successor], true) {
                    stack.push((successor, successors(&mir.blocks[successor].terminator)));
                }
            }
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}
