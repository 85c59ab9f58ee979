//! One function of SSA as a function of C.
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use super::data::quoted;
use super::program::Unit;
use crate::codegen::CodegenError;
use crate::ssa::{
    BinaryOp, BlockId, Callee, CompareOp, ConvertOp, DropFn, Function, Inst, ObjectRepr, Op, Source, Symbol,
    Target, Terminator, Type, UnaryOp, Value, wrap_int,
};

/// The type in C.
pub(super) fn c_type(ty: Type) -> &'static str {
    match ty {
        Type::I8 => "uint8_t",
        Type::I16 => "uint16_t",
        Type::I32 => "uint32_t",
        Type::I64 => "uint64_t",
        Type::I128 => "vit_u128",
        Type::F32 => "float",
        Type::F64 => "double",
    }
}

/// A result in C.
pub(super) fn c_result(ty: Option<Type>) -> &'static str {
    ty.map_or("void", c_type)
}

/// What stands between the parentheses of a prototype.
pub(super) fn c_params(params: &[Type]) -> String {
    match params {
        [] => "void".to_owned(),
        _ => params.iter().map(|ty| c_type(*ty)).collect::<Vec<_>>().join(", "),
    }
}

/// The type of memory that holds a value, for `VIT_MEM`.
fn memory(ty: Type) -> &'static str {
    match ty {
        Type::I8 => "mem8",
        Type::I16 => "mem16",
        Type::I32 => "mem32",
        Type::I64 => "mem64",
        Type::I128 => "mem128",
        Type::F32 => "memf32",
        Type::F64 => "memf64",
    }
}

/// A constant of the type.
fn integer(value: i128, ty: Type) -> String {
    let bits = wrap_int(value, ty.bits()) as u128 & (u128::MAX >> (128 - ty.bits()));
    let decimal = |bits: u128| if bits > 0xffff { format!("{bits:#x}") } else { bits.to_string() };
    match ty {
        Type::I64 => format!("{}ull", decimal(bits)),
        Type::I128 if bits > u128::from(u64::MAX) => {
            format!("((vit_u128){:#x}ull << 64 | {:#x}ull)", bits >> 64, bits as u64)
        }
        Type::I128 => format!("(vit_u128){}ull", decimal(bits)),
        Type::I8 | Type::I16 | Type::I32 | Type::F32 | Type::F64 => format!("{}u", decimal(bits)),
    }
}

fn float(bits: u64, ty: Type) -> String {
    let (value, suffix, raw) = match ty {
        Type::F32 => (f64::from(f32::from_bits(bits as u32)), "f", format!("vit_f32({:#x}u)", bits as u32)),
        _ => (f64::from_bits(bits), "", format!("vit_f64({bits:#x}ull)")),
    };
    // Few digits that mean exactly this number; hexadecimal where they would be many.
    let text = format!("{value:?}");
    if value.is_finite() && text.len() <= 20 {
        if value.is_sign_negative() { format!("({text}{suffix})") } else { format!("{text}{suffix}") }
    } else {
        raw
    }
}

/// The definition of `function` under `name`; what it refers to is asked of `unit`.
///
/// # Errors
/// A fault of ours.
pub(super) fn define(unit: &mut Unit<'_>, name: &str, function: &Function) -> Result<String, CodegenError> {
    if cfg!(debug_assertions) {
        crate::ssa::verify(function).map_err(CodegenError::Internal)?;
    }
    let mut writer = Writer {
        unit,
        function,
        inline: vec![None; function.values.len()],
        numbers: HashMap::new(),
        variables: Vec::new(),
        out: String::new(),
        place: None,
        directive: None,
        temporaries: 0,
    };
    writer.body()?;
    let Writer { variables, out, .. } = writer;
    let params =
        function.params().iter().map(|value| format!("{} v{}", c_type(function.ty(*value)), value.0));
    let params = params.collect::<Vec<_>>().join(", ");
    let params = if params.is_empty() { "void" } else { &params };
    let mut text = format!("static {} {name}({params}) {{\n", c_result(function.ret));
    for (number, slot) in function.slots.iter().enumerate() {
        let _ = writeln!(text, "    uint64_t s{number}[{}];", slot.size.max(1).div_ceil(8));
    }
    let types = [Type::I8, Type::I16, Type::I32, Type::I64, Type::I128, Type::F32, Type::F64];
    for ty in types {
        let names = variables.iter().filter(|value| function.ty(**value) == ty);
        let names = names.map(|value| format!("v{}", value.0)).collect::<Vec<_>>();
        for names in names.chunks(16) {
            let _ = writeln!(text, "    {} {};", c_type(ty), names.join(", "));
        }
    }
    text.push_str(&out);
    text.push_str("}\n");
    Ok(text)
}

struct Writer<'u, 'db, 'f> {
    unit: &'u mut Unit<'db>,
    function: &'f Function,
    /// Constants and addresses, which are written where they are used.
    inline: Vec<Option<String>>,
    /// Integers among them.
    numbers: HashMap<Value, i128>,
    /// What is declared at the top.
    variables: Vec<Value>,
    out: String,
    /// The line that the C compiler believes to be in.
    place: Option<(Arc<str>, u32)>,
    /// Where the last directive stands in `out`.
    directive: Option<Range<usize>>,
    temporaries: u32,
}

impl Writer<'_, '_, '_> {
    fn line(&mut self, text: &str) {
        self.out.push_str("    ");
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn body(&mut self) -> Result<(), CodegenError> {
        let function = self.function;
        let order = function.reverse_post_order();
        let mut targets = vec![false; function.blocks.len()];
        for (index, block) in order.iter().enumerate() {
            let next = order.get(index + 1).copied();
            let terminator = &function.blocks[block.0 as usize].terminator;
            // The last edge of a block falls through to what stands behind it.
            let last = last_target(terminator).filter(|target| Some(*target) == next);
            let mut skipped = false;
            terminator.for_each_target(|target| {
                if last == Some(target.block) && !skipped && is_last(terminator, target) {
                    skipped = true;
                } else {
                    targets[target.block.0 as usize] = true;
                }
            });
            if block.0 != 0 {
                self.variables.extend(&function.blocks[block.0 as usize].params);
            }
        }
        for (index, block) in order.iter().enumerate() {
            let data = &function.blocks[block.0 as usize];
            if targets[block.0 as usize] {
                // A label stands before a statement, which a declaration is not.
                let _ = writeln!(self.out, "b{}:;", block.0);
            }
            for inst in &data.insts {
                self.locate(inst.source);
                self.inst(inst)?;
            }
            self.terminator(&data.terminator, order.get(index + 1).copied());
        }
        Ok(())
    }

    fn locate(&mut self, source: Option<Source>) {
        let Some(source) = source else { return };
        let Some(at) = self.unit.position(source) else { return };
        if self.place.as_ref().is_none_or(|(file, line)| (file, *line) != (&at.file, at.line)) {
            // Of directives that follow each other the last counts.
            if let Some(last) = self.directive.take().filter(|last| self.out.len() == last.end) {
                self.out.truncate(last.start);
            }
            let start = self.out.len();
            let _ = writeln!(self.out, "#line {} {}", at.line.max(1), quoted(at.file.as_bytes()));
            self.directive = Some(start..self.out.len());
            self.place = Some((at.file, at.line));
        }
    }

    fn ty(&self, value: Value) -> Type {
        self.function.ty(value)
    }

    fn value(&self, value: Value) -> String {
        match self.inline.get(value.0 as usize) {
            Some(Some(text)) => text.clone(),
            Some(None) | None => format!("v{}", value.0),
        }
    }

    fn list(&self, values: &[Value]) -> String {
        values.iter().map(|value| self.value(*value)).collect::<Vec<_>>().join(", ")
    }

    /// The value as a signed number.
    fn signed(&self, value: Value) -> String {
        format!("(vit_s{}){}", self.ty(value).bits(), self.value(value))
    }

    fn symbol(&mut self, symbol: &Symbol) -> Result<String, CodegenError> {
        self.unit.symbol_address(symbol)
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), CodegenError> {
        let ty = inst.result.map_or(Type::I64, |result| self.ty(result));
        let inlined = match &inst.op {
            Op::Int(value) => Some(integer(*value, ty)),
            Op::Float(bits) => Some(float(*bits, ty)),
            Op::SlotAddress(slot) => Some(format!("VIT_ADDRESS(s{})", slot.0)),
            Op::SymbolAddress(symbol) => Some(self.symbol(symbol)?),
            _ => None,
        };
        if let (Some(text), Some(result)) = (inlined, inst.result) {
            if let Op::Int(value) = &inst.op {
                self.numbers.insert(result, *value);
            }
            self.inline[result.0 as usize] = Some(text);
            return Ok(());
        }
        let expression = match &inst.op {
            // Constants without a result are nothing.
            Op::Int(_) | Op::Float(_) | Op::SlotAddress(_) | Op::SymbolAddress(_) => return Ok(()),
            Op::Unary(op, value) => self.unary(*op, *value, ty),
            Op::Binary(op, left, right) => self.binary(*op, *left, *right, ty),
            Op::Compare(op, left, right) => self.compare(*op, *left, *right),
            Op::Convert(op, value) => self.convert(*op, *value, ty),
            Op::Select(condition, yes, no) => {
                format!("{} ? {} : {}", self.value(*condition), self.value(*yes), self.value(*no))
            }
            Op::Load { address, offset, alias: _ } => self.place_in_memory(ty, *address, *offset),
            Op::Store { address, offset, value, alias: _ } => {
                let place = self.place_in_memory(self.ty(*value), *address, *offset);
                format!("{place} = {}", self.value(*value))
            }
            Op::Call { callee, args } => {
                self.call(callee, args, inst.result.map(|result| self.ty(result)))?
            }
            Op::Retain { value, repr } => {
                let value = self.value(*value);
                format!("{}vit_retain({value})", if_object(&value, *repr))
            }
            Op::Release { value, repr, drop } => {
                let value = self.value(*value);
                let drop = match drop {
                    DropFn::Free => self.unit.external(&"free".into(), &[Type::I64], None),
                    DropFn::Glue(glue) => self.unit.function(*glue),
                };
                match repr {
                    ObjectRepr::Pointer => format!("if (vit_release({value})) {drop}({value})"),
                    ObjectRepr::Tagged => {
                        format!("if (!({value} & 1) && vit_release({value})) {drop}({value})")
                    }
                }
            }
            Op::Unique { value, repr, clone } => {
                let value = self.value(*value);
                let clone = self.unit.function(*clone);
                let object = match repr {
                    ObjectRepr::Pointer => "",
                    ObjectRepr::Tagged => &format!("!({value} & 1) && "),
                };
                format!("{object}vit_is_shared({value}) ? vit_exchange({value}, {clone}({value})) : {value}")
            }
            Op::Alloc { size, panic } => {
                let Some(result) = inst.result else { return Ok(()) };
                let malloc = self.unit.external(&"malloc".into(), &[Type::I64], Some(Type::I64));
                let panic = self.unit.function(*panic);
                let message = self.symbol(&Symbol::Literal(b"out of memory"[..].into()))?;
                self.variables.push(result);
                self.line(&format!("v{} = {malloc}({size});", result.0));
                self.line(&format!("if (!v{}) {panic}({message}, 0);", result.0));
                return Ok(());
            }
            Op::Check { condition, kind: _, panic, args } => {
                let panic = self.unit.function(*panic);
                let place = match inst.source {
                    Some(source) => self.symbol(&Symbol::Location(source))?,
                    None => "0".to_owned(),
                };
                let mut args: Vec<String> = args.iter().map(|arg| self.value(*arg)).collect();
                args.push(place);
                let condition = self.value(*condition);
                let never = "__builtin_unreachable();";
                self.line(&format!("if (!{condition}) {{ {panic}({}); {never} }}", args.join(", ")));
                return Ok(());
            }
        };
        match inst.result {
            Some(result) => {
                self.variables.push(result);
                self.line(&format!("v{} = {expression};", result.0));
            }
            None => self.line(&format!("{expression};")),
        }
        Ok(())
    }

    fn place_in_memory(&self, ty: Type, address: Value, offset: i32) -> String {
        let address = self.value(address);
        match offset {
            0 => format!("VIT_MEM({}, {address})", memory(ty)),
            1.. => format!("VIT_MEM({}, {address} + {offset})", memory(ty)),
            _ => format!("VIT_MEM({}, {address} - {})", memory(ty), offset.unsigned_abs()),
        }
    }

    fn call(
        &mut self,
        callee: &Callee,
        args: &[Value],
        result: Option<Type>,
    ) -> Result<String, CodegenError> {
        let params: Vec<Type> = args.iter().map(|arg| self.ty(*arg)).collect();
        let callee = match callee {
            Callee::Instance(instance) => self.unit.function(*instance),
            Callee::Extern(name) => self.unit.external(name, &params, result),
            Callee::Indirect(code) => {
                let code = self.value(*code);
                format!("(({} (*)({}))(uintptr_t){code})", c_result(result), c_params(&params))
            }
        };
        Ok(format!("{callee}({})", self.list(args)))
    }

    fn unary(&self, op: UnaryOp, value: Value, ty: Type) -> String {
        let text = self.value(value);
        match op {
            UnaryOp::Neg => format!("({})(0 - {text})", c_type(ty)),
            UnaryOp::Not => format!("({})~{text}", c_type(ty)),
            UnaryOp::LeadingZeros => format!("vit_clz{}({text})", self.ty(value).bits()),
            UnaryOp::FNeg => format!("-{text}"),
        }
    }

    fn binary(&self, op: BinaryOp, left: Value, right: Value, ty: Type) -> String {
        let (x, y) = (self.value(left), self.value(right));
        // C computes what is narrower than `int` as `int`, whose overflow it leaves undefined.
        let narrow = ty.bits() < 32;
        let plain = |sign: &str| match narrow {
            true => format!("({})((uint32_t){x} {sign} (uint32_t){y})", c_type(ty)),
            false => format!("{x} {sign} {y}"),
        };
        let count = || match self.numbers.get(&right) {
            Some(known) => (known & i128::from(ty.bits() - 1)).to_string(),
            None => format!("({y} & {}u)", ty.bits() - 1),
        };
        match op {
            BinaryOp::Add => plain("+"),
            BinaryOp::Sub => plain("-"),
            BinaryOp::Mul => plain("*"),
            BinaryOp::And => plain("&"),
            BinaryOp::Or => plain("|"),
            BinaryOp::Xor => plain("^"),
            BinaryOp::UDiv => plain("/"),
            BinaryOp::URem => plain("%"),
            BinaryOp::SDiv => format!("vit_sdiv{}({x}, {y})", ty.bits()),
            BinaryOp::SRem => format!("vit_srem{}({x}, {y})", ty.bits()),
            BinaryOp::Shl if narrow => format!("({})((uint32_t){x} << {})", c_type(ty), count()),
            BinaryOp::Shl => format!("{x} << {}", count()),
            BinaryOp::LShr => format!("{x} >> {}", count()),
            BinaryOp::AShr => format!("({})({} >> {})", c_type(ty), self.signed(left), count()),
            BinaryOp::FAdd => format!("{x} + {y}"),
            BinaryOp::FSub => format!("{x} - {y}"),
            BinaryOp::FMul => format!("{x} * {y}"),
            BinaryOp::FDiv => format!("{x} / {y}"),
        }
    }

    fn compare(&self, op: CompareOp, left: Value, right: Value) -> String {
        let plain = |sign: &str| format!("{} {sign} {}", self.value(left), self.value(right));
        let signed = |sign: &str| format!("{} {sign} {}", self.signed(left), self.signed(right));
        match op {
            CompareOp::Eq | CompareOp::FEq => plain("=="),
            CompareOp::Ne | CompareOp::FNe => plain("!="),
            CompareOp::ULt | CompareOp::FLt => plain("<"),
            CompareOp::ULe | CompareOp::FLe => plain("<="),
            CompareOp::UGt | CompareOp::FGt => plain(">"),
            CompareOp::UGe | CompareOp::FGe => plain(">="),
            CompareOp::SLt => signed("<"),
            CompareOp::SLe => signed("<="),
            CompareOp::SGt => signed(">"),
            CompareOp::SGe => signed(">="),
        }
    }

    fn convert(&self, op: ConvertOp, value: Value, to: Type) -> String {
        let (text, from) = (self.value(value), self.ty(value));
        match op {
            ConvertOp::Truncate | ConvertOp::ZeroExtend | ConvertOp::Promote | ConvertOp::Demote => {
                format!("({}){text}", c_type(to))
            }
            // To the wider number by way of its own sign.
            ConvertOp::SignExtend => format!("({})({})", c_type(to), self.signed(value)),
            ConvertOp::FloatToSigned => format!("vit_to_s{}({text})", to.bits()),
            ConvertOp::FloatToUnsigned => format!("vit_to_u{}({text})", to.bits()),
            ConvertOp::SignedToFloat => format!("({})({})", c_type(to), self.signed(value)),
            ConvertOp::UnsignedToFloat => format!("({}){text}", c_type(to)),
            ConvertOp::Bitcast => match (from, to) {
                (Type::F32, Type::I32) => format!("vit_bits32({text})"),
                (Type::F64, Type::I64) => format!("vit_bits64({text})"),
                (Type::I32, Type::F32) => format!("vit_f32({text})"),
                (Type::I64, Type::F64) => format!("vit_f64({text})"),
                _ => text,
            },
        }
    }

    /// Statements that pass the arguments of an edge.
    fn pass(&mut self, target: &Target) -> String {
        let function = self.function;
        let params = &function.blocks[target.block.0 as usize].params;
        let moves: Vec<(Value, Value)> =
            params.iter().copied().zip(target.args.iter().copied()).filter(|(to, from)| to != from).collect();
        // What a later move reads must not be written before it.
        let clash = moves
            .iter()
            .enumerate()
            .any(|(at, (to, _))| moves.iter().skip(at + 1).any(|(_, from)| from == to));
        let mut out = String::new();
        if clash {
            let first = self.temporaries;
            self.temporaries += moves.len() as u32;
            for (number, (to, from)) in (first..).zip(&moves) {
                let _ = write!(out, "{} t{number} = {}; ", c_type(self.ty(*to)), self.value(*from));
            }
            for (number, (to, _)) in (first..).zip(&moves) {
                let _ = write!(out, "v{} = t{number}; ", to.0);
            }
        } else {
            for (to, from) in &moves {
                let _ = write!(out, "v{} = {}; ", to.0, self.value(*from));
            }
        }
        out
    }

    fn go(&mut self, target: &Target) -> String {
        let passed = self.pass(target);
        let goto = format!("goto b{};", target.block.0);
        if passed.is_empty() { goto } else { format!("{{ {passed}{goto} }}") }
    }

    /// The last edge of a block, which falls through if its target stands next.
    fn leave(&mut self, target: &Target, next: Option<BlockId>) {
        if next == Some(target.block) {
            let passed = self.pass(target);
            if !passed.is_empty() {
                // Temporaries need a scope.
                self.line(&format!("{{ {passed}}}"));
            }
        } else {
            let text = self.go(target);
            self.line(&text);
        }
    }

    fn terminator(&mut self, terminator: &Terminator, next: Option<BlockId>) {
        match terminator {
            Terminator::Jump(target) => self.leave(target, next),
            Terminator::Branch(condition, yes, no) => {
                let condition = self.value(*condition);
                let go = self.go(yes);
                self.line(&format!("if ({condition}) {go}"));
                self.leave(no, next);
            }
            Terminator::Switch { value, cases, default } => {
                let (ty, text) = (self.ty(*value), self.value(*value));
                // C switches on no more than 64 bits.
                if ty == Type::I128 {
                    for (case, target) in cases {
                        let go = self.go(target);
                        self.line(&format!("if ({text} == {}) {go}", integer(*case, ty)));
                    }
                } else {
                    self.line(&format!("switch ({text}) {{"));
                    for (case, target) in cases {
                        let go = self.go(target);
                        self.line(&format!("case {}: {go}", integer(*case, ty)));
                    }
                    self.line("default: break;");
                    self.line("}");
                }
                self.leave(default, next);
            }
            Terminator::Return(Some(value)) => {
                let value = self.value(*value);
                self.line(&format!("return {value};"));
            }
            Terminator::Return(None) => self.line("return;"),
            Terminator::Unreachable => self.line("__builtin_unreachable();"),
        }
    }
}

/// What a statement begins with that is for objects only.
fn if_object(value: &str, repr: ObjectRepr) -> String {
    match repr {
        ObjectRepr::Pointer => String::new(),
        ObjectRepr::Tagged => format!("if (!({value} & 1)) "),
    }
}

/// The target that a block can fall through to.
fn last_target(terminator: &Terminator) -> Option<BlockId> {
    match terminator {
        Terminator::Jump(target) | Terminator::Branch(_, _, target) => Some(target.block),
        Terminator::Switch { default, .. } => Some(default.block),
        Terminator::Return(_) | Terminator::Unreachable => None,
    }
}

/// Whether `target` is that edge.
fn is_last(terminator: &Terminator, target: &Target) -> bool {
    match terminator {
        Terminator::Jump(last)
        | Terminator::Branch(_, _, last)
        | Terminator::Switch { default: last, .. } => std::ptr::eq(last, target),
        Terminator::Return(_) | Terminator::Unreachable => false,
    }
}
