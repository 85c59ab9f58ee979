//! MIR as text, for `emit --stage mir`: stable, one statement to a line.
use std::fmt::Write;

use super::body::{
    BlockId, Callee, Const, LocalId, Mir, Operand, PanicKind, PassMode, Place, Projection, Rvalue,
    StatementKind, Terminator,
};
use super::mir;
use super::visit::{self, LocalSet};
use crate::base::Db;
use crate::lower::hir::UnaryOp;
use crate::mono::{Instance, symbol_name, ty_text};
use crate::types::{FloatTy, Ty};

/// The MIR of an instance as text.
pub fn dump(db: &dyn Db, instance: Instance) -> String {
    dump_mir(db, &symbol_name(db, instance), mir(db, instance))
}

/// A body as text, under a name.
pub fn dump_mir(db: &dyn Db, name: &str, mir: &Mir) -> String {
    let mut out = String::new();
    let params: Vec<String> = mir
        .params
        .iter()
        .enumerate()
        .map(|(i, mode)| {
            let mode = match mode {
                PassMode::Own => "own",
                PassMode::Borrow => "borrow",
                PassMode::Place => "place",
            };
            let ty = mir.locals.get(i).map(|l| ty_text(db, &l.ty)).unwrap_or_default();
            format!("{}: {mode} {ty}", local(LocalId(i as u32)))
        })
        .collect();
    let text = Text { db };
    _ = writeln!(out, "proc {name}({}) -> {} {{", params.join(", "), ty_text(db, &mir.ret));
    let mut mentioned = LocalSet::new(mir.locals.len());
    for block in &mir.blocks {
        block.statements.iter().for_each(|s| visit::statement(s, &mut |l, _| mentioned.insert(l)));
        visit::terminator(&block.terminator, &mut |l, _| mentioned.insert(l));
    }
    for (i, l) in mir.locals.iter().enumerate() {
        let name = l.name.as_ref().map(|n| format!("  // {n}")).unwrap_or_default();
        let temporary = i >= mir.params.len() && mentioned.contains(LocalId(i as u32));
        if temporary || l.name.is_some() {
            _ = writeln!(out, "    let {}: {};{name}", local(LocalId(i as u32)), ty_text(db, &l.ty));
        }
    }
    for (i, block) in mir.blocks.iter().enumerate() {
        _ = writeln!(out, "\n  {}:", label(BlockId(i as u32)));
        for statement in &block.statements {
            _ = writeln!(out, "    {}", text.statement(&statement.kind));
        }
        _ = writeln!(out, "    {}", text.terminator(&block.terminator));
    }
    out.push_str("}\n");
    out
}

fn local(local: LocalId) -> String {
    format!("_{}", local.0)
}

fn label(block: BlockId) -> String {
    format!("bb{}", block.0)
}

struct Text<'a> {
    db: &'a dyn Db,
}

impl Text<'_> {
    fn statement(&self, statement: &StatementKind) -> String {
        match statement {
            StatementKind::Assign(dest, value) => format!("{} = {}", self.place(dest), self.rvalue(value)),
            StatementKind::Drop(place) => format!("drop {}", self.place(place)),
            StatementKind::Unique(place) => format!("unique {}", self.place(place)),
            StatementKind::Call { callee, args, dest } => {
                let dest = dest.as_ref().map(|d| format!("{} = ", self.place(d))).unwrap_or_default();
                format!("{dest}call {}({})", self.callee(callee), self.operands(args))
            }
            StatementKind::Check(cond, panic) => {
                let why = match panic {
                    PanicKind::Index { index, signed, len } => {
                        let sign = if *signed { "" } else { "unsigned " };
                        format!("{sign}index {} of {}", self.operand(index), self.operand(len))
                    }
                    PanicKind::DivisionByZero => "division by zero".to_owned(),
                    PanicKind::NotAChar(value) => format!("not a character {}", self.operand(value)),
                    PanicKind::Assert(message) => format!("assertion {}", self.operand(message)),
                };
                format!("check {} else {why}", self.operand(cond))
            }
        }
    }

    fn terminator(&self, terminator: &Terminator) -> String {
        match terminator {
            Terminator::Goto(next) => format!("goto {}", label(*next)),
            Terminator::Branch(cond, yes, no) => {
                format!("branch {}, {}, {}", self.operand(cond), label(*yes), label(*no))
            }
            Terminator::Switch(value, cases, other) => {
                let cases: Vec<String> = cases.iter().map(|(v, b)| format!("{v}: {}", label(*b))).collect();
                format!("switch {} [{}, else: {}]", self.operand(value), cases.join(", "), label(*other))
            }
            Terminator::Return(None) => "return".to_owned(),
            Terminator::Return(Some(value)) => format!("return {}", self.operand(value)),
            Terminator::Panic(message, _) => format!("panic {}", self.operand(message)),
            Terminator::Unreachable => "unreachable".to_owned(),
        }
    }

    fn callee(&self, callee: &Callee) -> String {
        match callee {
            Callee::Instance(instance) => symbol_name(self.db, *instance),
            Callee::Extern(name, ..) => format!("extern {name}"),
            Callee::Intrinsic(intrinsic, tys) => {
                let tys: Vec<String> = tys.iter().map(|t| ty_text(self.db, t)).collect();
                format!("intrinsic {intrinsic:?}<{}>", tys.join(", "))
            }
            Callee::Value(value, ..) => format!("value {}", self.operand(value)),
        }
    }

    fn place(&self, place: &Place) -> String {
        let mut out = local(place.local);
        for projection in &place.projections {
            match projection {
                Projection::Field(i) => _ = write!(out, ".{i}"),
                Projection::Payload { variant, field } => _ = write!(out, ".v{variant}.{field}"),
                Projection::Index(index) => _ = write!(out, "[{}]", local(*index)),
                Projection::Deref => out = format!("(*{out})"),
            }
        }
        out
    }

    fn operand(&self, operand: &Operand) -> String {
        match operand {
            Operand::Copy(place) => format!("copy {}", self.place(place)),
            Operand::Move(place) => format!("move {}", self.place(place)),
            Operand::Borrow(place) => format!("borrow {}", self.place(place)),
            Operand::Const(constant) => self.constant(constant),
        }
    }

    fn operands(&self, operands: &[Operand]) -> String {
        operands.iter().map(|o| self.operand(o)).collect::<Vec<_>>().join(", ")
    }

    fn constant(&self, constant: &Const) -> String {
        match constant {
            Const::Int(value, Ty::Bool) => (*value != 0).to_string(),
            Const::Int(value, ty) => format!("{value}_{}", ty_text(self.db, ty)),
            Const::Float(bits, Ty::Float(FloatTy::F32)) => format!("{:?}_f32", f64::from_bits(*bits)),
            Const::Float(bits, _) => format!("{:?}_f64", f64::from_bits(*bits)),
            Const::Str(text) => format!("{text:?}"),
            Const::Bytes(bytes) => format!("b{bytes:?}"),
            Const::Item(item, _) => format!("const {}", item.name(self.db)),
            Const::Static(item, _) => format!("static {}", item.name(self.db)),
            Const::Proc(instance, _) => symbol_name(self.db, *instance),
            Const::Unit => "()".to_owned(),
        }
    }

    fn rvalue(&self, value: &Rvalue) -> String {
        match value {
            Rvalue::Use(operand) => self.operand(operand),
            Rvalue::Unary(op, operand) => {
                let op = match op {
                    UnaryOp::Not => "not ",
                    UnaryOp::Neg => "-",
                    UnaryOp::BitNot => "~",
                };
                format!("{op}{}", self.operand(operand))
            }
            Rvalue::Binary(op, a, b) | Rvalue::Compare(op, a, b) => {
                format!("{} {} {}", self.operand(a), op.symbol(), self.operand(b))
            }
            Rvalue::Cast(operand, ty) => format!("{} as {}", self.operand(operand), ty_text(self.db, ty)),
            Rvalue::Len(place) => format!("len {}", self.place(place)),
            Rvalue::StringByte(place, index) => {
                format!("byte {} at {}", self.place(place), self.operand(index))
            }
            Rvalue::Tag(place) => format!("tag {}", self.place(place)),
            Rvalue::Record(ty, fields) => format!("{} {{{}}}", ty_text(self.db, ty), self.operands(fields)),
            Rvalue::Variant(ty, variant, fields) => {
                format!("{}.v{variant}({})", ty_text(self.db, ty), self.operands(fields))
            }
            Rvalue::List(_, items) => format!("[{}]", self.operands(items)),
            Rvalue::AddressOf(place) => format!("address {}", self.place(place)),
        }
    }
}
