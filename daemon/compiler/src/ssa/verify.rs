//! Checks the invariants of SSA: types fit, edges match parameters, definitions dominate uses.
use super::cfg::Cfg;
use super::data::{BinaryOp, ConvertOp, Function, Inst, Op, Terminator, Type, UnaryOp, Value};

/// Checks a function.
///
/// # Errors
/// The first violation, in words.
pub fn verify(function: &Function) -> Result<(), String> {
    if function.blocks.is_empty() {
        return Err("no entry block".to_owned());
    }
    let cfg = Cfg::new(function);
    let order = &cfg.order;
    // Where each value is defined: position of its block in `order`, and which instruction (parameters: 0).
    let mut definitions: Vec<Option<(usize, usize)>> = vec![None; function.values.len()];
    for (at, block) in order.iter().enumerate() {
        let data = &function.blocks[block.0 as usize];
        let results = data.insts.iter().enumerate().filter_map(|(n, inst)| Some((inst.result?, n + 1)));
        for (value, index) in data.params.iter().map(|&param| (param, 0)).chain(results) {
            let Some(definition) = definitions.get_mut(value.0 as usize) else {
                return Err(format!("v{} has no type", value.0));
            };
            if definition.replace((at, index)).is_some() {
                return Err(format!("v{} is defined twice", value.0));
            }
        }
    }
    let dominates = |a: usize, b: usize| cfg.dominates(order[a], order[b]);
    for (at, block) in order.iter().enumerate() {
        let data = &function.blocks[block.0 as usize];
        let check_use =
            |value: Value, index: usize| match definitions.get(value.0 as usize).copied().flatten() {
                Some((block, defined)) if block == at => {
                    if defined < index || (defined == 0 && index == 0) {
                        Ok(())
                    } else {
                        Err(format!("v{} is used before its definition in b{}", value.0, order[at].0))
                    }
                }
                Some((block, _)) if dominates(block, at) => Ok(()),
                Some(_) => Err(format!("v{} does not dominate its use in b{}", value.0, order[at].0)),
                None => Err(format!("v{} is not defined (b{})", value.0, order[at].0)),
            };
        for (index, inst) in data.insts.iter().enumerate() {
            let mut result = Ok(());
            inst.op.for_each_operand(|value| {
                if result.is_ok() {
                    result = check_use(value, index + 1);
                }
            });
            result?;
            check_types(function, inst).map_err(|what| format!("b{}: {what}: {:?}", block.0, inst.op))?;
        }
        let end = data.insts.len() + 1;
        let mut result = Ok(());
        let mut and_then = |next: Result<(), String>| {
            if result.is_ok() {
                result = next;
            }
        };
        data.terminator.for_each_operand(|value| and_then(check_use(value, end)));
        data.terminator.for_each_target(|target| {
            let Some(to) = function.blocks.get(target.block.0 as usize) else {
                return and_then(Err(format!("b{} does not exist", target.block.0)));
            };
            if target.block.0 == 0 {
                and_then(Err("a jump to the entry".to_owned()));
            }
            if to.params.len() != target.args.len() {
                and_then(Err(format!("b{} to b{}: wrong number of arguments", block.0, target.block.0)));
            }
            for (&param, &arg) in to.params.iter().zip(&target.args) {
                and_then(check_use(arg, end));
                if function.values.get(arg.0 as usize) != function.values.get(param.0 as usize) {
                    and_then(Err(format!(
                        "b{} to b{}: v{} has the wrong type",
                        block.0, target.block.0, arg.0
                    )));
                }
            }
        });
        result?;
        if let Terminator::Return(value) = &data.terminator
            && value.map(|value| function.ty(value)) != function.ret
        {
            return Err(format!("b{} returns the wrong type", block.0));
        }
    }
    Ok(())
}

fn check_types(function: &Function, inst: &Inst) -> Result<(), &'static str> {
    let ty = |value: Value| function.ty(value);
    let result = inst.result.map(ty);
    let expect = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
    match &inst.op {
        Op::Int(_) => expect(result.is_some_and(|ty| !ty.is_float()), "an integer of float type"),
        Op::Float(_) => expect(result.is_some_and(Type::is_float), "a float of integer type"),
        Op::Unary(op, value) => {
            expect(result == Some(ty(*value)), "operand and result differ")?;
            expect((*op == UnaryOp::FNeg) == ty(*value).is_float(), "wrong kind of operand")
        }
        Op::Binary(op, left, right) => {
            expect(result == Some(ty(*left)), "operand and result differ")?;
            expect(op.is_float() == ty(*left).is_float(), "wrong kind of operand")?;
            if op.is_shift() {
                return expect(!ty(*right).is_float() && ty(*right) != Type::I128, "bad shift count");
            }
            expect(ty(*left) == ty(*right), "operands differ")?;
            let divides = matches!(op, BinaryOp::SDiv | BinaryOp::UDiv | BinaryOp::SRem | BinaryOp::URem);
            expect(!divides || ty(*left) != Type::I128, "no 128-bit division")
        }
        Op::Compare(op, left, right) => {
            expect(ty(*left) == ty(*right), "operands differ")?;
            expect(op.is_float() == ty(*left).is_float(), "wrong kind of operand")?;
            expect(result == Some(Type::I8), "result is not i8")
        }
        Op::Convert(op, value) => {
            let (Some(to), from) = (result, ty(*value)) else { return Err("no result") };
            let ints = !from.is_float() && !to.is_float();
            let holds = match op {
                ConvertOp::Truncate => ints && to.bits() < from.bits(),
                ConvertOp::SignExtend | ConvertOp::ZeroExtend => ints && to.bits() > from.bits(),
                ConvertOp::FloatToSigned | ConvertOp::FloatToUnsigned => {
                    from.is_float() && !to.is_float() && to != Type::I128
                }
                ConvertOp::SignedToFloat | ConvertOp::UnsignedToFloat => {
                    !from.is_float() && to.is_float() && from != Type::I128
                }
                ConvertOp::Promote => from == Type::F32 && to == Type::F64,
                ConvertOp::Demote => from == Type::F64 && to == Type::F32,
                ConvertOp::Bitcast => from.bits() == to.bits(),
            };
            expect(holds, "conversion between wrong types")
        }
        Op::Select(condition, yes, no) => {
            expect(ty(*condition) == Type::I8, "condition is not i8")?;
            expect(ty(*yes) == ty(*no) && result == Some(ty(*yes)), "operands and result differ")
        }
        Op::Load { address, .. } => expect(ty(*address) == Type::I64 && result.is_some(), "bad load"),
        Op::Store { address, .. } => expect(ty(*address) == Type::I64 && result.is_none(), "bad store"),
        Op::SlotAddress(_) | Op::SymbolAddress(_) | Op::Alloc { .. } => {
            expect(result == Some(Type::I64), "an address is i64")
        }
        Op::Call { .. } => Ok(()),
        Op::Retain { value, .. } | Op::Release { value, .. } => {
            expect(ty(*value) == Type::I64 && result.is_none(), "bad reference count")
        }
        Op::Unique { value, .. } => {
            expect(ty(*value) == Type::I64 && result == Some(Type::I64), "bad reference count")
        }
        Op::Check { condition, .. } => {
            expect(ty(*condition) == Type::I8 && result.is_none(), "condition is not i8")
        }
    }
}
