//! SSA as text. Stable: depends on nothing but the function and the names it is given.
use std::fmt::{self, Write};

use super::data::{Callee, DropFn, Function, Inst, ObjectRepr, Op, Symbol, Target, Terminator, Value};

/// Prints a function; `name` says what a symbol is called.
pub fn dump(function: &Function, title: &str, name: &dyn Fn(&Symbol) -> String) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_function(&mut out, function, title, name);
    out
}

fn write_function(
    out: &mut String,
    function: &Function,
    title: &str,
    name: &dyn Fn(&Symbol) -> String,
) -> fmt::Result {
    let typed = |values: &[Value]| {
        let each = values.iter().map(|&value| format!("v{}: {}", value.0, function.ty(value).name()));
        each.collect::<Vec<_>>().join(", ")
    };
    write!(out, "function {title}({})", typed(function.params()))?;
    if let Some(ret) = function.ret {
        write!(out, " -> {}", ret.name())?;
    }
    writeln!(out, " {{")?;
    for (index, slot) in function.slots.iter().enumerate() {
        writeln!(out, "    s{index} = slot {}", slot.size)?;
    }
    for block in function.reverse_post_order() {
        let data = &function.blocks[block.0 as usize];
        if block.0 == 0 || data.params.is_empty() {
            writeln!(out, "b{}:", block.0)?;
        } else {
            writeln!(out, "b{}({}):", block.0, typed(&data.params))?;
        }
        for inst in &data.insts {
            write!(out, "    ")?;
            if let Some(result) = inst.result {
                write!(out, "v{}: {} = ", result.0, function.ty(result).name())?;
            }
            write_op(out, inst, name)?;
            match inst.source {
                Some(source) => writeln!(out, " ; n{}", source.node.0)?,
                None => writeln!(out)?,
            }
        }
        write!(out, "    ")?;
        write_terminator(out, &data.terminator)?;
    }
    writeln!(out, "}}")
}

fn list(values: &[Value]) -> String {
    values.iter().map(|value| format!("v{}", value.0)).collect::<Vec<_>>().join(", ")
}

fn lower(name: impl fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}

fn repr_suffix(repr: ObjectRepr) -> &'static str {
    match repr {
        ObjectRepr::Pointer => "",
        ObjectRepr::Tagged => ".tagged",
    }
}

fn write_op(out: &mut String, inst: &Inst, name: &dyn Fn(&Symbol) -> String) -> fmt::Result {
    let instance = |instance| name(&Symbol::Instance(instance));
    match &inst.op {
        Op::Int(value) => write!(out, "{value}"),
        Op::Float(bits) => write!(out, "float 0x{bits:x}"),
        Op::Unary(op, value) => write!(out, "{} v{}", lower(op), value.0),
        Op::Binary(op, left, right) => write!(out, "{} v{}, v{}", lower(op), left.0, right.0),
        Op::Compare(op, left, right) => write!(out, "cmp.{} v{}, v{}", lower(op), left.0, right.0),
        Op::Convert(op, value) => write!(out, "{} v{}", lower(op), value.0),
        Op::Select(condition, yes, no) => write!(out, "select v{}, v{}, v{}", condition.0, yes.0, no.0),
        Op::Load { address, offset, alias } => write!(out, "load.{} v{}+{offset}", lower(alias), address.0),
        Op::Store { address, offset, value, alias } => {
            write!(out, "store.{} v{}+{offset}, v{}", lower(alias), address.0, value.0)
        }
        Op::SlotAddress(slot) => write!(out, "address s{}", slot.0),
        Op::SymbolAddress(symbol) => write!(out, "address {}", name(symbol)),
        Op::Call { callee, args } => {
            let who = match callee {
                Callee::Instance(callee) => instance(*callee),
                Callee::Extern(callee) => name(&Symbol::Extern(callee.clone())),
                Callee::Indirect(value) => format!("*v{}", value.0),
            };
            write!(out, "call {who}({})", list(args))
        }
        Op::Retain { value, repr } => write!(out, "retain{} v{}", repr_suffix(*repr), value.0),
        Op::Release { value, repr, drop } => {
            let drop = match drop {
                DropFn::Free => "free".to_owned(),
                DropFn::Glue(glue) => instance(*glue),
            };
            write!(out, "release{} v{}, {drop}", repr_suffix(*repr), value.0)
        }
        Op::Unique { value, repr, clone } => {
            write!(out, "unique{} v{}, {}", repr_suffix(*repr), value.0, instance(*clone))
        }
        Op::Alloc { size, .. } => write!(out, "alloc {size}"),
        Op::Check { condition, kind, args, .. } => {
            write!(out, "check.{} v{}({})", lower(kind), condition.0, list(args))
        }
    }
}

fn write_terminator(out: &mut String, terminator: &Terminator) -> fmt::Result {
    let to = |target: &Target| {
        if target.args.is_empty() {
            format!("b{}", target.block.0)
        } else {
            format!("b{}({})", target.block.0, list(&target.args))
        }
    };
    match terminator {
        Terminator::Jump(target) => writeln!(out, "jump {}", to(target)),
        Terminator::Branch(condition, yes, no) => {
            writeln!(out, "branch v{}, {}, {}", condition.0, to(yes), to(no))
        }
        Terminator::Switch { value, cases, default } => {
            let cases: Vec<_> =
                cases.iter().map(|(case, target)| format!("{case}: {}", to(target))).collect();
            writeln!(out, "switch v{}, [{}], {}", value.0, cases.join(", "), to(default))
        }
        Terminator::Return(Some(value)) => writeln!(out, "return v{}", value.0),
        Terminator::Return(None) => writeln!(out, "return"),
        Terminator::Unreachable => writeln!(out, "unreachable"),
    }
}
