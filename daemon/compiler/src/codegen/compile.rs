//! One function of SSA to machine code, by way of Cranelift IR.
use std::cell::Cell;
use std::collections::HashMap;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    AbiParam, Block as ClifBlock, BlockArg, ExtFuncData, ExternalName, FuncRef, GlobalValue, GlobalValueData,
    InstBuilder, MemFlagsData, Signature, SourceLoc, StackSlotData, StackSlotKind, TrapCode,
    Type as ClifType, UserExternalName, UserFuncName, Value as ClifValue, types,
};
use cranelift_codegen::isa::unwind::UnwindInfo;
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_codegen::{Context, FinalizedRelocTarget};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Switch};

use super::externals::{External, external, machine_of};
use super::{CodegenError, LineRow, MachineCode, Relocation, RelocationKind};
use crate::base::Machine;
use crate::ssa::{
    BinaryOp, Callee, CompareOp, ConvertOp, DropFn, Function, Inst, ObjectRepr, Op, Source, Symbol, Target,
    Terminator, Type, UnaryOp, Value, layout, wrap_int,
};

/// Control never gets here.
const UNREACHABLE: TrapCode = TrapCode::unwrap_user(1);

/// Compiles a function. Pure and independent of all others, so any number can run at once.
///
/// # Errors
/// If Cranelift refuses the function, which is a fault of ours.
pub fn compile_function(function: &Function, isa: &dyn TargetIsa) -> Result<MachineCode, CodegenError> {
    with_scratch(|scratch| {
        let names = translate(function, isa, scratch)?;
        emit(&names, isa, &mut scratch.context)
    })
}

/// The function's Cranelift IR as text, with symbols numbered as in the second result.
///
/// # Errors
/// As [`compile_function`].
pub fn clif_text(function: &Function, isa: &dyn TargetIsa) -> Result<(String, Vec<Symbol>), CodegenError> {
    with_scratch(|scratch| {
        let names = translate(function, isa, scratch)?;
        Ok((scratch.context.func.display().to_string(), names.symbols))
    })
}

/// Buffers that Cranelift can use again for the next function.
struct Scratch {
    context: Context,
    builder: FunctionBuilderContext,
}

impl Scratch {
    fn new() -> Self {
        Self { context: Context::new(), builder: FunctionBuilderContext::new() }
    }
}

/// Lends this thread's buffers. After a panic they are simply made anew.
fn with_scratch<R>(run: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
    }
    let mut scratch = SCRATCH.take().unwrap_or_else(|| Box::new(Scratch::new()));
    scratch.context.clear();
    let result = run(&mut scratch);
    SCRATCH.set(Some(scratch));
    result
}

/// What the numbers in Cranelift's output stand for.
#[derive(Default)]
struct Names {
    symbols: Vec<Symbol>,
    sources: Vec<Source>,
}

fn clif_type(ty: Type) -> ClifType {
    match ty {
        Type::I8 => types::I8,
        Type::I16 => types::I16,
        Type::I32 => types::I32,
        Type::I64 => types::I64,
        Type::I128 => types::I128,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
    }
}

fn signature(params: impl IntoIterator<Item = ClifType>, ret: Option<ClifType>) -> Signature {
    // Ours on every machine, whatever the system's libraries agree on.
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend(params.into_iter().map(AbiParam::new));
    signature.returns.extend(ret.map(AbiParam::new));
    signature
}

fn translate(function: &Function, isa: &dyn TargetIsa, scratch: &mut Scratch) -> Result<Names, CodegenError> {
    if cfg!(debug_assertions) {
        crate::ssa::verify(function).map_err(CodegenError::Internal)?;
    }
    let params = function.params().iter().map(|&value| clif_type(function.ty(value)));
    let signature = signature(params, function.ret.map(clif_type));
    scratch.context.func.name = UserFuncName::user(0, 0);
    scratch.context.func.signature = signature;
    let builder = FunctionBuilder::new(&mut scratch.context.func, &mut scratch.builder);
    let mut translation = Translation {
        function,
        machine: machine_of(isa.triple()),
        libraries: isa.default_call_conv(),
        builder,
        names: Names::default(),
        symbol_numbers: HashMap::new(),
        source_numbers: HashMap::new(),
        functions: HashMap::new(),
        globals: HashMap::new(),
        values: vec![None; function.values.len()],
        constants: HashMap::new(),
        blocks: vec![None; function.blocks.len()],
        slots: Vec::new(),
    };
    translation.run();
    let Translation { builder, names, .. } = translation;
    builder.finalize(isa.frontend_config());
    Ok(names)
}

struct Translation<'a> {
    function: &'a Function,
    machine: Machine,
    /// How the system's libraries are called.
    libraries: CallConv,
    builder: FunctionBuilder<'a>,
    names: Names,
    symbol_numbers: HashMap<Symbol, u32>,
    source_numbers: HashMap<Source, u32>,
    functions: HashMap<(Symbol, Signature), FuncRef>,
    globals: HashMap<u32, GlobalValue>,
    values: Vec<Option<ClifValue>>,
    /// Operations without operands that define a value: cheap to repeat where they are needed.
    constants: HashMap<Value, &'a Op>,
    blocks: Vec<Option<ClifBlock>>,
    slots: Vec<cranelift_codegen::ir::StackSlot>,
}

impl<'a> Translation<'a> {
    fn run(&mut self) {
        let order = self.function.reverse_post_order();
        for slot in &self.function.slots {
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, slot.size.max(1), 3);
            self.slots.push(self.builder.create_sized_stack_slot(data));
        }
        for &block in &order {
            let clif = self.builder.create_block();
            self.blocks[block.0 as usize] = Some(clif);
            for &param in &self.function.blocks[block.0 as usize].params {
                let value = self.builder.append_block_param(clif, clif_type(self.function.ty(param)));
                self.values[param.0 as usize] = Some(value);
            }
        }
        let function = self.function;
        for &block in &order {
            let data = &function.blocks[block.0 as usize];
            let clif = self.block(block);
            self.builder.switch_to_block(clif);
            for inst in &data.insts {
                self.locate(inst.source);
                let value = self.inst(inst);
                if let (Some(result), Some(value)) = (inst.result, value) {
                    self.values[result.0 as usize] = Some(value);
                }
                if let (Some(result), Op::Int(_) | Op::SymbolAddress(_)) = (inst.result, &inst.op) {
                    self.constants.insert(result, &inst.op);
                }
            }
            self.terminator(&data.terminator);
        }
        self.builder.seal_all_blocks();
    }

    fn locate(&mut self, source: Option<Source>) {
        let location = match source {
            Some(source) => {
                let next = self.names.sources.len() as u32;
                let number = *self.source_numbers.entry(source).or_insert(next);
                if number == next {
                    self.names.sources.push(source);
                }
                SourceLoc::new(number)
            }
            None => SourceLoc::default(),
        };
        self.builder.set_srcloc(location);
    }

    fn block(&mut self, block: crate::ssa::BlockId) -> ClifBlock {
        // Every successor of a reachable block is reachable.
        match self.blocks[block.0 as usize] {
            Some(block) => block,
            None => self.builder.create_block(),
        }
    }

    fn value(&mut self, value: Value) -> ClifValue {
        match self.values[value.0 as usize] {
            Some(value) => value,
            // Dominance puts definitions first in reverse post-order; the verifier checks it.
            None => self.constant(self.function.ty(value), 0),
        }
    }

    /// The value for use in a cold block: constants are made there, so that the hot path is spared them.
    fn cold_value(&mut self, value: Value) -> ClifValue {
        match self.constants.get(&value).copied() {
            Some(Op::Int(constant)) => self.constant(self.function.ty(value), *constant),
            Some(Op::SymbolAddress(symbol)) => self.symbol_address(symbol),
            _ => self.value(value),
        }
    }

    fn known_int(&self, value: Value) -> Option<i128> {
        match self.constants.get(&value) {
            Some(Op::Int(constant)) => Some(*constant),
            _ => None,
        }
    }

    fn constant(&mut self, ty: Type, value: i128) -> ClifValue {
        match ty {
            Type::I128 => {
                let low = self.builder.ins().iconst(types::I64, value as i64);
                let high = self.builder.ins().iconst(types::I64, (value >> 64) as i64);
                self.builder.ins().iconcat(low, high)
            }
            Type::F32 => self.builder.ins().f32const(f32::from_bits(value as u32)),
            Type::F64 => self.builder.ins().f64const(f64::from_bits(value as u64)),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                // Cranelift wants the bits above the width to be zero.
                let mask = u64::MAX >> (64 - ty.bits());
                self.builder.ins().iconst(clif_type(ty), (value as u64 & mask) as i64)
            }
        }
    }

    fn number(&mut self, symbol: &Symbol) -> u32 {
        if let Some(&number) = self.symbol_numbers.get(symbol) {
            return number;
        }
        let number = self.names.symbols.len() as u32;
        self.names.symbols.push(symbol.clone());
        self.symbol_numbers.insert(symbol.clone(), number);
        number
    }

    fn external_name(&mut self, number: u32) -> ExternalName {
        let name = UserExternalName { namespace: 0, index: number };
        ExternalName::user(self.builder.func.declare_imported_user_function(name))
    }

    fn symbol_address(&mut self, symbol: &Symbol) -> ClifValue {
        let number = self.number(symbol);
        let global = match self.globals.get(&number) {
            Some(&global) => global,
            None => {
                let name = self.external_name(number);
                let data = GlobalValueData::Symbol { name, offset: 0.into(), colocated: true, tls: false };
                let global = self.builder.create_global_value(data);
                self.globals.insert(number, global);
                global
            }
        };
        self.builder.ins().symbol_value(types::I64, global)
    }

    fn function_ref(&mut self, symbol: &Symbol, signature: Signature) -> FuncRef {
        let key = (symbol.clone(), signature);
        if let Some(&function) = self.functions.get(&key) {
            return function;
        }
        let number = self.number(symbol);
        let name = self.external_name(number);
        let sig_ref = self.builder.import_signature(key.1.clone());
        // Colocated also for C functions: a direct call, for which the linker makes a PLT entry.
        let data = ExtFuncData { name, signature: sig_ref, colocated: true, patchable: false };
        let function = self.builder.import_function(data);
        self.functions.insert(key, function);
        function
    }

    fn call_symbol(
        &mut self,
        symbol: &Symbol,
        args: &[ClifValue],
        ret: Option<ClifType>,
    ) -> Option<ClifValue> {
        let params: Vec<_> = args.iter().map(|&arg| self.builder.func.dfg.value_type(arg)).collect();
        let mut signature = signature(params, ret);
        if let Symbol::Extern(name) = symbol
            && matches!(external(self.machine, name), External::Imported(_))
        {
            signature.call_conv = self.libraries;
        }
        let function = self.function_ref(symbol, signature);
        let call = self.builder.ins().call(function, args);
        self.builder.inst_results(call).first().copied()
    }

    fn cold_block(&mut self) -> ClifBlock {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        block
    }

    fn load(&mut self, ty: ClifType, address: ClifValue, offset: i32) -> ClifValue {
        self.builder.ins().load(ty, MemFlagsData::trusted(), address, offset)
    }

    fn store(&mut self, value: ClifValue, address: ClifValue, offset: i32) {
        self.builder.ins().store(MemFlagsData::trusted(), value, address, offset);
    }

    fn inst(&mut self, inst: &'a Inst) -> Option<ClifValue> {
        let ty = inst.result.map(|result| self.function.ty(result));
        let result_ty = ty.unwrap_or(Type::I64);
        let clif_ty = clif_type(result_ty);
        Some(match &inst.op {
            Op::Int(value) => self.constant(result_ty, *value),
            Op::Float(bits) => self.constant(result_ty, i128::from(*bits)),
            Op::Unary(op, value) => self.unary(*op, *value, result_ty),
            Op::Binary(op, left, right) => self.binary(*op, *left, *right, result_ty),
            Op::Compare(op, left, right) => self.compare(*op, *left, *right),
            Op::Convert(op, value) => self.convert(*op, *value, result_ty),
            Op::Select(condition, yes, no) => {
                let (condition, yes, no) = (self.value(*condition), self.value(*yes), self.value(*no));
                self.builder.ins().select(condition, yes, no)
            }
            Op::Load { address, offset, .. } => {
                let address = self.value(*address);
                self.load(clif_ty, address, *offset)
            }
            Op::Store { address, offset, value, .. } => {
                let (address, value) = (self.value(*address), self.value(*value));
                self.store(value, address, *offset);
                return None;
            }
            Op::SlotAddress(slot) => {
                let slot = self.slots[slot.0 as usize];
                self.builder.ins().stack_addr(types::I64, slot, 0)
            }
            Op::SymbolAddress(symbol) => self.symbol_address(symbol),
            Op::Call { callee, args } => return self.call(callee, args, ty.map(clif_type)),
            Op::Retain { value, repr } => {
                let value = self.value(*value);
                self.retain(value, *repr);
                return None;
            }
            Op::Release { value, repr, drop } => {
                let value = self.value(*value);
                self.release(value, *repr, *drop);
                return None;
            }
            Op::Unique { value, repr, clone } => {
                let value = self.value(*value);
                self.unique(value, *repr, &Symbol::Instance(*clone))
            }
            Op::Alloc { size, panic } => self.alloc(*size, &Symbol::Instance(*panic)),
            Op::Check { condition, panic, args, .. } => {
                self.check(*condition, &Symbol::Instance(*panic), args, inst.source);
                return None;
            }
        })
    }

    fn call(&mut self, callee: &Callee, args: &[Value], ret: Option<ClifType>) -> Option<ClifValue> {
        let values: Vec<_> = args.iter().map(|&arg| self.value(arg)).collect();
        match callee {
            Callee::Instance(instance) => self.call_symbol(&Symbol::Instance(*instance), &values, ret),
            Callee::Extern(name) => self.call_symbol(&Symbol::Extern(name.clone()), &values, ret),
            Callee::Indirect(code) => {
                let code = self.value(*code);
                let params = args.iter().map(|&arg| clif_type(self.function.ty(arg)));
                let signature = self.builder.import_signature(signature(params, ret));
                let call = self.builder.ins().call_indirect(signature, code, &values);
                self.builder.inst_results(call).first().copied()
            }
        }
    }

    /// Runs `on_object` only if the value is an object; control joins behind it.
    fn if_object(&mut self, value: ClifValue, repr: ObjectRepr, on_object: impl FnOnce(&mut Self)) {
        match repr {
            ObjectRepr::Pointer => on_object(self),
            ObjectRepr::Tagged => {
                let (object, done) = (self.builder.create_block(), self.builder.create_block());
                let low = self.builder.ins().band_imm_u(value, 1);
                self.builder.ins().brif(low, done, &[], object, &[]);
                self.builder.switch_to_block(object);
                on_object(self);
                self.builder.ins().jump(done, &[]);
                self.builder.switch_to_block(done);
            }
        }
    }

    fn retain(&mut self, value: ClifValue, repr: ObjectRepr) {
        self.if_object(value, repr, |this| {
            let count = this.load(types::I64, value, layout::COUNT);
            let count = this.builder.ins().iadd_imm_s(count, 1);
            this.store(count, value, layout::COUNT);
        });
    }

    fn release(&mut self, value: ClifValue, repr: ObjectRepr, drop: DropFn) {
        self.if_object(value, repr, |this| {
            let count = this.load(types::I64, value, layout::COUNT);
            let count = this.builder.ins().iadd_imm_s(count, -1);
            this.store(count, value, layout::COUNT);
            let (dead, alive) = (this.builder.create_block(), this.builder.create_block());
            this.builder.ins().brif(count, alive, &[], dead, &[]);
            this.builder.switch_to_block(dead);
            let drop = match drop {
                DropFn::Free => Symbol::Extern("free".into()),
                DropFn::Glue(instance) => Symbol::Instance(instance),
            };
            this.call_symbol(&drop, &[value], None);
            this.builder.ins().jump(alive, &[]);
            this.builder.switch_to_block(alive);
        });
    }

    fn unique(&mut self, value: ClifValue, repr: ObjectRepr, clone: &Symbol) -> ClifValue {
        let (slow, done) = (self.cold_block(), self.builder.create_block());
        let result = self.builder.append_block_param(done, types::I64);
        if repr == ObjectRepr::Tagged {
            let object = self.builder.create_block();
            let low = self.builder.ins().band_imm_u(value, 1);
            self.builder.ins().brif(low, done, &[BlockArg::Value(value)], object, &[]);
            self.builder.switch_to_block(object);
        }
        let count = self.load(types::I64, value, layout::COUNT);
        let shared = self.builder.ins().icmp_imm_s(IntCC::NotEqual, count, 1);
        self.builder.ins().brif(shared, slow, &[], done, &[BlockArg::Value(value)]);
        self.builder.switch_to_block(slow);
        let fresh = self.call_symbol(clone, &[value], Some(types::I64)).unwrap_or(value);
        // Others still refer to the old object, so its count stays above zero.
        let count = self.load(types::I64, value, layout::COUNT);
        let count = self.builder.ins().iadd_imm_s(count, -1);
        self.store(count, value, layout::COUNT);
        self.builder.ins().jump(done, &[BlockArg::Value(fresh)]);
        self.builder.switch_to_block(done);
        result
    }

    fn alloc(&mut self, size: u32, panic: &Symbol) -> ClifValue {
        let bytes = self.builder.ins().iconst(types::I64, i64::from(size));
        let address = match self.call_symbol(&Symbol::Extern("malloc".into()), &[bytes], Some(types::I64)) {
            Some(address) => address,
            None => bytes,
        };
        let (none, ok) = (self.cold_block(), self.builder.create_block());
        self.builder.ins().brif(address, ok, &[], none, &[]);
        self.builder.switch_to_block(none);
        let message = self.symbol_address(&Symbol::Literal(b"out of memory"[..].into()));
        let location = self.builder.ins().iconst(types::I64, 0);
        self.call_symbol(panic, &[message, location], None);
        self.builder.ins().trap(UNREACHABLE);
        self.builder.switch_to_block(ok);
        address
    }

    fn check(&mut self, condition: Value, panic: &Symbol, args: &[Value], source: Option<Source>) {
        let condition = self.value(condition);
        let (failed, ok) = (self.cold_block(), self.builder.create_block());
        self.builder.ins().brif(condition, ok, &[], failed, &[]);
        self.builder.switch_to_block(failed);
        let mut values: Vec<_> = args.iter().map(|&arg| self.cold_value(arg)).collect();
        values.push(match source {
            Some(source) => self.symbol_address(&Symbol::Location(source)),
            None => self.builder.ins().iconst(types::I64, 0),
        });
        self.call_symbol(panic, &values, None);
        self.builder.ins().trap(UNREACHABLE);
        self.builder.switch_to_block(ok);
    }

    fn unary(&mut self, op: UnaryOp, value: Value, ty: Type) -> ClifValue {
        let value = self.value(value);
        match op {
            UnaryOp::Neg if ty == Type::I128 => {
                let zero = self.constant(ty, 0);
                self.builder.ins().isub(zero, value)
            }
            UnaryOp::Neg => self.builder.ins().ineg(value),
            UnaryOp::Not => self.builder.ins().bnot(value),
            UnaryOp::LeadingZeros => self.builder.ins().clz(value),
            UnaryOp::FNeg => self.builder.ins().fneg(value),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: Value, right: Value, ty: Type) -> ClifValue {
        let divisor = self.known_int(right);
        let (x, y) = (self.value(left), self.value(right));
        let ins = self.builder.ins();
        match op {
            BinaryOp::Add => ins.iadd(x, y),
            BinaryOp::Sub => ins.isub(x, y),
            BinaryOp::Mul => ins.imul(x, y),
            BinaryOp::UDiv => ins.udiv(x, y),
            BinaryOp::URem => ins.urem(x, y),
            BinaryOp::SDiv if divisor.is_some_and(|n| n != -1) => ins.sdiv(x, y),
            BinaryOp::SRem if divisor.is_some_and(|n| n != -1) => ins.srem(x, y),
            BinaryOp::SDiv | BinaryOp::SRem => self.divide(op, x, y, ty),
            BinaryOp::And => ins.band(x, y),
            BinaryOp::Or => ins.bor(x, y),
            BinaryOp::Xor => ins.bxor(x, y),
            BinaryOp::Shl => ins.ishl(x, y),
            BinaryOp::AShr => ins.sshr(x, y),
            BinaryOp::LShr => ins.ushr(x, y),
            BinaryOp::FAdd => ins.fadd(x, y),
            BinaryOp::FSub => ins.fsub(x, y),
            BinaryOp::FMul => ins.fmul(x, y),
            BinaryOp::FDiv => ins.fdiv(x, y),
        }
    }

    /// The hardware traps on the smallest number by -1, so -1 is handled without it: `x / -1` is `-x`
    /// (which wraps), `x % -1` is `x % 1`.
    fn divide(&mut self, op: BinaryOp, x: ClifValue, y: ClifValue, ty: Type) -> ClifValue {
        let minus_one = self.constant(ty, -1);
        let one = self.constant(ty, 1);
        let by_minus_one = self.builder.ins().icmp(IntCC::Equal, y, minus_one);
        let divisor = self.builder.ins().select(by_minus_one, one, y);
        if op == BinaryOp::SRem {
            return self.builder.ins().srem(x, divisor);
        }
        let quotient = self.builder.ins().sdiv(x, divisor);
        let negated = self.builder.ins().ineg(x);
        self.builder.ins().select(by_minus_one, negated, quotient)
    }

    fn compare(&mut self, op: CompareOp, left: Value, right: Value) -> ClifValue {
        let (x, y) = (self.value(left), self.value(right));
        let condition = match op {
            CompareOp::Eq => IntCC::Equal,
            CompareOp::Ne => IntCC::NotEqual,
            CompareOp::SLt => IntCC::SignedLessThan,
            CompareOp::SLe => IntCC::SignedLessThanOrEqual,
            CompareOp::SGt => IntCC::SignedGreaterThan,
            CompareOp::SGe => IntCC::SignedGreaterThanOrEqual,
            CompareOp::ULt => IntCC::UnsignedLessThan,
            CompareOp::ULe => IntCC::UnsignedLessThanOrEqual,
            CompareOp::UGt => IntCC::UnsignedGreaterThan,
            CompareOp::UGe => IntCC::UnsignedGreaterThanOrEqual,
            CompareOp::FEq => return self.builder.ins().fcmp(FloatCC::Equal, x, y),
            CompareOp::FNe => return self.builder.ins().fcmp(FloatCC::NotEqual, x, y),
            CompareOp::FLt => return self.builder.ins().fcmp(FloatCC::LessThan, x, y),
            CompareOp::FLe => return self.builder.ins().fcmp(FloatCC::LessThanOrEqual, x, y),
            CompareOp::FGt => return self.builder.ins().fcmp(FloatCC::GreaterThan, x, y),
            CompareOp::FGe => return self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, x, y),
        };
        self.builder.ins().icmp(condition, x, y)
    }

    fn convert(&mut self, op: ConvertOp, value: Value, to: Type) -> ClifValue {
        let from = self.function.ty(value);
        let value = self.value(value);
        let ty = clif_type(to);
        match op {
            ConvertOp::Truncate => self.builder.ins().ireduce(ty, value),
            ConvertOp::SignExtend => self.builder.ins().sextend(ty, value),
            ConvertOp::ZeroExtend => self.builder.ins().uextend(ty, value),
            ConvertOp::FloatToSigned => match to {
                Type::I8 | Type::I16 => {
                    let wide = self.builder.ins().fcvt_to_sint_sat(types::I32, value);
                    let most = (1i64 << (to.bits() - 1)) - 1;
                    let wide = self.clamp(wide, IntCC::SignedGreaterThan, most);
                    let wide = self.clamp(wide, IntCC::SignedLessThan, -most - 1);
                    self.builder.ins().ireduce(ty, wide)
                }
                _ => self.builder.ins().fcvt_to_sint_sat(ty, value),
            },
            ConvertOp::FloatToUnsigned => match to {
                Type::I8 | Type::I16 => {
                    let wide = self.builder.ins().fcvt_to_uint_sat(types::I32, value);
                    let wide = self.clamp(wide, IntCC::UnsignedGreaterThan, (1i64 << to.bits()) - 1);
                    self.builder.ins().ireduce(ty, wide)
                }
                _ => self.builder.ins().fcvt_to_uint_sat(ty, value),
            },
            ConvertOp::SignedToFloat => {
                let value =
                    if from.bits() < 32 { self.builder.ins().sextend(types::I32, value) } else { value };
                self.builder.ins().fcvt_from_sint(ty, value)
            }
            ConvertOp::UnsignedToFloat if from.bits() < 64 => {
                let value = self.builder.ins().uextend(types::I64, value);
                self.builder.ins().fcvt_from_sint(ty, value)
            }
            ConvertOp::UnsignedToFloat => self.builder.ins().fcvt_from_uint(ty, value),
            ConvertOp::Promote => self.builder.ins().fpromote(ty, value),
            ConvertOp::Demote => self.builder.ins().fdemote(ty, value),
            ConvertOp::Bitcast => self.builder.ins().bitcast(ty, MemFlagsData::new(), value),
        }
    }

    /// `limit` if the 32-bit value is beyond it.
    fn clamp(&mut self, value: ClifValue, beyond: IntCC, limit: i64) -> ClifValue {
        let limit = self.builder.ins().iconst(types::I32, limit & 0xffff_ffff);
        let beyond = self.builder.ins().icmp(beyond, value, limit);
        self.builder.ins().select(beyond, limit, value)
    }

    fn target_args(&mut self, target: &Target) -> (ClifBlock, Vec<BlockArg>) {
        let args = target.args.iter().map(|&arg| BlockArg::Value(self.value(arg))).collect();
        (self.block(target.block), args)
    }

    fn terminator(&mut self, terminator: &Terminator) {
        match terminator {
            Terminator::Jump(target) => {
                let (block, args) = self.target_args(target);
                self.builder.ins().jump(block, &args);
            }
            Terminator::Branch(condition, yes, no) => {
                let condition = self.value(*condition);
                let (yes, yes_args) = self.target_args(yes);
                let (no, no_args) = self.target_args(no);
                self.builder.ins().brif(condition, yes, &yes_args, no, &no_args);
            }
            Terminator::Switch { value, cases, default } => {
                let bits = self.function.ty(*value).bits();
                let value = self.value(*value);
                let mut switch = Switch::new();
                // Cranelift's switch passes no arguments: edges that do get a block of their own.
                let mut edges = Vec::new();
                let mut edge = |this: &mut Self, target: &Target| {
                    if target.args.is_empty() {
                        return this.block(target.block);
                    }
                    let block = this.builder.create_block();
                    edges.push((block, target.clone()));
                    block
                };
                for (case, target) in cases {
                    let block = edge(self, target);
                    let case = wrap_int(*case, bits) as u128 & (u128::MAX >> (128 - bits));
                    switch.set_entry(case, block);
                }
                let otherwise = edge(self, default);
                switch.emit(&mut self.builder, value, otherwise);
                for (block, target) in edges {
                    self.builder.switch_to_block(block);
                    let (to, args) = self.target_args(&target);
                    self.builder.ins().jump(to, &args);
                }
            }
            Terminator::Return(value) => {
                let value = value.map(|value| self.value(value));
                self.builder.ins().return_(value.as_slice());
            }
            Terminator::Unreachable => {
                self.builder.ins().trap(UNREACHABLE);
            }
        }
    }
}

fn emit(names: &Names, isa: &dyn TargetIsa, context: &mut Context) -> Result<MachineCode, CodegenError> {
    context
        .compile(isa, &mut ControlPlane::default())
        .map_err(|error| CodegenError::Internal(format!("{:?}\n{}", error.inner, error.func.display())))?;
    let Some(code) = context.take_compiled_code() else {
        return Err(CodegenError::Internal("Cranelift made no code".to_owned()));
    };
    let mut relocations = Vec::with_capacity(code.buffer.relocs().len());
    for relocation in code.buffer.relocs() {
        let kind = match relocation.kind {
            Reloc::X86CallPCRel4 | Reloc::X86CallPLTRel4 => RelocationKind::Call,
            Reloc::X86PCRel4 => RelocationKind::Pc32,
            Reloc::Abs8 => RelocationKind::Abs64,
            Reloc::Arm64Call => RelocationKind::Arm64Call,
            Reloc::Aarch64AdrPrelPgHi21 => RelocationKind::Arm64Page,
            Reloc::Aarch64AddAbsLo12Nc => RelocationKind::Arm64PageOffset,
            Reloc::RiscvCallPlt => RelocationKind::RiscvCall,
            Reloc::RiscvPCRelHi20 => RelocationKind::RiscvHigh,
            Reloc::RiscvPCRelLo12I => {
                // It names the instruction with the upper half, which has the symbol.
                let high = match relocation.target {
                    FinalizedRelocTarget::Func(offset) => offset,
                    FinalizedRelocTarget::ExternalName(_) => relocation.offset,
                };
                let upper = relocations.iter().rev().find(|known: &&Relocation| known.offset == high);
                let Some(Relocation { target, addend, .. }) = upper.cloned() else {
                    return Err(CodegenError::Internal("half an address".to_owned()));
                };
                let kind = RelocationKind::RiscvLow(relocation.offset - high);
                relocations.push(Relocation { offset: relocation.offset, kind, target, addend });
                continue;
            }
            other => return Err(CodegenError::Internal(format!("relocation {other}"))),
        };
        let target = match &relocation.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                let number = context.func.params.user_named_funcs()[*name].index;
                names.symbols[number as usize].clone()
            }
            FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => {
                Symbol::Extern(libcall_name(*call)?.into())
            }
            other => return Err(CodegenError::Internal(format!("relocation target {other:?}"))),
        };
        relocations.push(Relocation { offset: relocation.offset, kind, target, addend: relocation.addend });
    }
    let mut lines: Vec<LineRow> = Vec::new();
    let mut push = |offset, source| {
        if lines.last().is_none_or(|row| row.source != source) {
            lines.push(LineRow { offset, source });
        }
    };
    let mut end = 0;
    for range in code.buffer.get_srclocs_sorted() {
        if range.start > end {
            push(end, None);
        }
        let source = (!range.loc.is_default()).then(|| names.sources.get(range.loc.bits() as usize).copied());
        push(range.start, source.flatten());
        end = range.end;
    }
    let unwind = match code.create_unwind_info(isa) {
        Ok(Some(UnwindInfo::SystemV(info))) => Some(info),
        Ok(_) => None,
        Err(error) => return Err(CodegenError::Internal(format!("unwind information: {error}"))),
    };
    Ok(MachineCode {
        bytes: code.buffer.data().into(),
        alignment: code.buffer.alignment.max(16),
        relocations,
        lines,
        unwind,
    })
}

/// C names of the few operations that Cranelift leaves to a library on plain x86-64.
fn libcall_name(call: cranelift_codegen::ir::LibCall) -> Result<&'static str, CodegenError> {
    use cranelift_codegen::ir::LibCall;
    Ok(match call {
        LibCall::CeilF32 => "ceilf",
        LibCall::CeilF64 => "ceil",
        LibCall::FloorF32 => "floorf",
        LibCall::FloorF64 => "floor",
        LibCall::TruncF32 => "truncf",
        LibCall::TruncF64 => "trunc",
        LibCall::NearestF32 => "nearbyintf",
        LibCall::NearestF64 => "nearbyint",
        LibCall::FmaF32 => "fmaf",
        LibCall::FmaF64 => "fma",
        LibCall::Memcpy => "memcpy",
        LibCall::Memset => "memset",
        LibCall::Memmove => "memmove",
        LibCall::Memcmp => "memcmp",
        other => return Err(CodegenError::Internal(format!("library call {other}"))),
    })
}
