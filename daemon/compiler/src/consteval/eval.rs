//! The evaluator: walks the typed body of a constant.
use std::cmp::Ordering;
use std::sync::Arc;

use super::arith::{self, ArithError};
use super::builtin;
use super::codes::{
    CONST_CYCLE, CONST_PANIC, DIVISION_BY_ZERO, LIMIT, NOT_CONSTANT, OVERFLOW, STATIC_ASSERT,
};
use super::value::ConstValue;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Code, Db, Diagnostic, Phase, Place, SourcePath};
use crate::lower::hir::{BinaryOp, ItemHir, UnaryOp};
use crate::lower::{ItemId, NodeId, item_hir, item_tree};
use crate::mir::walk;
use crate::runtime::CORE_ROOT;
use crate::types::thir::{Arm, Block, Body, Callee, Expr, ExprKind, ForIter, LocalId, Pat, PatKind, Stmt};
use crate::types::{FloatTy, IntTy, Ty, check_body, is_made_where_used, pick_data, proc_data, ty_name};

/// Steps that one constant may take, the procs it calls included.
const STEPS_MAX: u64 = 5_000_000;
/// Cells (values, or 16 bytes of text) that one value may hold.
const CELLS_MAX: usize = 4_000_000;
/// Calls that may be open at once.
const CALLS_MAX: usize = 256;

/// The value of a top-level const.
///
/// # Errors
/// The diagnostics to show; empty when they were reported for another item (a const it uses, or its
/// own type errors).
#[salsa::tracked(returns(ref), cycle_result = const_cycle)]
pub fn const_value(db: &dyn Db, item: ItemId) -> Result<ConstValue, Diagnostics> {
    let checked = check_body(db, item);
    if is_made_where_used(db, item) {
        // Checked as an expression; there is no value to compute.
        let circle = !checked.body.ok && checked.diagnostics.is_empty() && checked.body.block.tail.is_none();
        return Err(if circle { Arc::new([itself(db, item, &[])]) } else { Arc::new([]) });
    }
    if !checked.body.ok {
        return Err(Arc::new([]));
    }
    Evaluator::new(db, item).constant(&checked.body)
}

fn const_cycle(db: &dyn Db, _id: salsa::Id, item: ItemId) -> Result<ConstValue, Diagnostics> {
    let circle = circle(db, item);
    // One circle, one error: at the member that is written first.
    if circle.iter().any(|&member| order(db, member) < order(db, item)) {
        return Err(Arc::new([]));
    }
    Err(Arc::new([itself(db, item, &circle)]))
}

/// The error for a constant that needs its own value, through the others of `circle`.
fn itself(db: &dyn Db, item: ItemId, circle: &[ItemId]) -> Diagnostic {
    let name = item.name(db);
    let mut diagnostic = Diagnostic::error(
        CONST_CYCLE,
        Phase::Typeck,
        Place::Node(item, NodeId(0)),
        format!("constant `{name}` depends on its own value"),
        "needed to compute itself",
    );
    for &member in circle.iter().filter(|&&member| member != item) {
        diagnostic = diagnostic.label(Place::Node(member, NodeId(0)), "through this one");
    }
    diagnostic
        .note("a constant is computed once, before the program runs; it cannot refer to itself, not even through others")
        .help("give one of the constants in the circle a value of its own")
}

/// Where a const is written, for choosing among several.
fn order(db: &dyn Db, item: ItemId) -> (SourcePath, Option<usize>) {
    let file = item.file(db);
    let at = item_tree(db, file).items.iter().position(|entry| entry.id == item);
    (file.path(db).clone(), at)
}

/// The consts that `item` needs and that need `item`, itself included, in order of writing.
fn circle(db: &dyn Db, item: ItemId) -> Vec<ItemId> {
    let reaches = |from: ItemId| {
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(&at) = seen.get(next) {
            next += 1;
            for &used in used_consts(db, at).iter() {
                if !seen.contains(&used) {
                    seen.push(used);
                }
            }
        }
        seen
    };
    let mut circle = reaches(item);
    circle.retain(|&member| member == item || reaches(member).contains(&item));
    circle.sort_by_key(|&member| order(db, member));
    circle
}

/// The consts that a const's initialiser names.
#[salsa::tracked(returns(ref))]
fn used_consts(db: &dyn Db, item: ItemId) -> Vec<ItemId> {
    fn visit(expr: &Expr, used: &mut Vec<ItemId>) {
        if let ExprKind::Const(item) = expr.kind {
            used.push(item);
        }
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || walk::children(expr, &mut |child| visit(child, used)));
    }
    let mut used = Vec::new();
    walk::block_children(&check_body(db, item).body.block, &mut |expr| visit(expr, &mut used));
    used
}

/// What evaluating an item's constant expressions reports: consts and static asserts; nothing for other kinds.
#[salsa::tracked(returns(ref))]
pub fn const_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    match &**item_hir(db, item) {
        ItemHir::Const(_) => const_value(db, item).as_ref().err().cloned().unwrap_or_default(),
        ItemHir::StaticAssert(_, message) => static_assert(db, item, message.as_deref()),
        ItemHir::Missing
        | ItemHir::Proc(_)
        | ItemHir::Form(_)
        | ItemHir::Pick(_)
        | ItemHir::Alias(_)
        | ItemHir::Trait(_)
        | ItemHir::Impl(_) => Arc::new([]),
    }
}

fn static_assert(db: &dyn Db, item: ItemId, message: Option<&str>) -> Diagnostics {
    let checked = check_body(db, item);
    if !checked.body.ok {
        return Arc::new([]);
    }
    match Evaluator::new(db, item).constant(&checked.body) {
        Err(diagnostics) => diagnostics,
        Ok(ConstValue::Int(0)) => {
            let node = checked.body.block.tail.as_ref().map_or(NodeId(0), |tail| tail.node);
            let text = message.map_or_else(
                || "static assertion failed".to_owned(),
                |m| format!("static assertion failed: {m}"),
            );
            Arc::new([Diagnostic::error(
                STATIC_ASSERT,
                Phase::Typeck,
                Place::Node(item, node),
                text,
                "this is false",
            )
            .note("`static_assert` is evaluated while the program is compiled")
            .help("make the condition true, or remove the assertion")])
        }
        Ok(_) => Arc::new([]),
    }
}

/// Why evaluation left an expression without a value.
enum Exit {
    /// `give`
    Give(ConstValue),
    /// `break`
    Break(ConstValue),
    /// `continue`
    Continue,
    /// An error; empty when it was reported elsewhere.
    Error(Diagnostics),
}

type Eval<T> = Result<T, Exit>;

struct Evaluator<'db> {
    db: &'db dyn Db,
    /// The item whose body runs now: diagnostics inside called procs point at the constant instead.
    root: ItemId,
    /// Where in the root's body we are; calls keep it.
    site: NodeId,
    depth: usize,
    steps: u64,
}

/// The locals of one call.
type Frame = Vec<Option<ConstValue>>;

impl<'db> Evaluator<'db> {
    fn new(db: &'db dyn Db, root: ItemId) -> Self {
        Self { db, root, site: NodeId(0), depth: 0, steps: 0 }
    }

    fn constant(mut self, body: &Body) -> Result<ConstValue, Diagnostics> {
        let mut frame = vec![None; body.locals.len()];
        match self.block(&body.block, &mut frame) {
            Ok(value) | Err(Exit::Give(value) | Exit::Break(value)) => Ok(value),
            Err(Exit::Continue) => Ok(ConstValue::Unit),
            Err(Exit::Error(diagnostics)) => Err(diagnostics),
        }
    }

    fn error(&self, code: Code, message: impl Into<String>, label: &str, note: &str, help: &str) -> Exit {
        let place = Place::Node(self.root, self.site);
        let mut diagnostic =
            Diagnostic::error(code, Phase::Typeck, place, message, label).note(note).help(help);
        if self.depth > 0 {
            diagnostic = diagnostic.note("it happens inside a procedure that is called here");
        }
        Exit::Error(Arc::new([diagnostic]))
    }

    fn not_constant(&self, what: &str) -> Exit {
        self.error(
            NOT_CONSTANT,
            format!("{what} cannot be evaluated at compile time"),
            "not a constant expression",
            "constants are literals, other constants, operators, casts, `if`, lists, forms, and calls of procedures made of these",
            "compute the value in a procedure and call it where it is needed",
        )
    }

    fn limit(&self, what: &str) -> Exit {
        self.error(
            LIMIT,
            format!("this constant {what}"),
            "evaluation stopped here",
            "constants are evaluated within fixed bounds of steps, memory and nesting, so that compilation always ends",
            "compute the value at run time, or write it out",
        )
    }

    fn arith(&self, error: ArithError, ty: IntTy) -> Exit {
        match error {
            ArithError::Overflow => self.error(
                OVERFLOW,
                format!("this constant expression overflows `{}`", ty.name()),
                "the result does not fit",
                "arithmetic wraps at run time, but in a constant an overflow is an error",
                "use a wider type, or wrap explicitly with `as`",
            ),
            ArithError::DivisionByZero => self.error(
                DIVISION_BY_ZERO,
                "division by zero in a constant expression",
                "the divisor is 0",
                "division by zero has no value",
                "change the divisor",
            ),
        }
    }

    fn step(&mut self) -> Eval<()> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err(self.limit("takes too many steps to evaluate")) } else { Ok(()) }
    }

    fn sized(&self, value: ConstValue) -> Eval<ConstValue> {
        if value.cells() > CELLS_MAX { Err(self.limit("needs too much memory")) } else { Ok(value) }
    }

    fn block(&mut self, block: &Block, frame: &mut Frame) -> Eval<ConstValue> {
        for stmt in &block.stmts {
            self.stmt(stmt, frame)?;
        }
        block.tail.as_ref().map_or(Ok(ConstValue::Unit), |tail| self.expr(tail, frame))
    }

    fn stmt(&mut self, stmt: &Stmt, frame: &mut Frame) -> Eval<()> {
        match stmt {
            Stmt::Let { pat, init, .. } => {
                if let Some(init) = init {
                    let value = self.expr(init, frame)?;
                    self.matches(pat, &value, frame)?;
                }
            }
            Stmt::Expr(expr) => {
                self.expr(expr, frame)?;
            }
            Stmt::Defer(_) => return Err(self.not_constant("`defer`")),
        }
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, frame: &mut Frame) -> Eval<ConstValue> {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
            self.step()?;
            let outer = self.site;
            if self.depth == 0 {
                self.site = expr.node;
            }
            let value = self.expr_kind(expr, frame)?;
            self.site = outer;
            Ok(value)
        })
    }

    fn expr_kind(&mut self, expr: &Expr, frame: &mut Frame) -> Eval<ConstValue> {
        match &expr.kind {
            ExprKind::Error => Err(Exit::Error(Arc::new([]))),
            ExprKind::Int(value) => Ok(ConstValue::Int(*value)),
            ExprKind::Float(bits) => Ok(ConstValue::Float(round(*bits, &expr.ty))),
            ExprKind::Str(text) => Ok(ConstValue::Str(text.as_bytes().into())),
            ExprKind::Bytes(bytes) => Ok(ConstValue::Bytes(bytes.clone())),
            ExprKind::Unit => Ok(ConstValue::Unit),
            ExprKind::Local(local) => self.local(*local, frame),
            ExprKind::Const(item) => match const_value(self.db, *item) {
                Ok(value) => Ok(value.clone()),
                // Reported where that constant is declared.
                Err(_) => Err(Exit::Error(Arc::new([]))),
            },
            ExprKind::Dyn { .. } => Err(self.not_constant("a `dyn` value")),
            ExprKind::Static(_) => Err(self.not_constant("a `static`")),
            ExprKind::ProcRef(..) | ExprKind::Lambda { .. } => Err(self.not_constant("a procedure value")),
            ExprKind::Call { callee, args } => {
                let mut values = vec![None; args.len()];
                let mut types = vec![Ty::Unit; args.len()];
                for arg in args {
                    let at = arg.param as usize;
                    let value = self.expr(&arg.value, frame)?;
                    if let (Some(slot), Some(ty)) = (values.get_mut(at), types.get_mut(at)) {
                        *slot = Some(value);
                        *ty = arg.value.ty.clone();
                    }
                }
                let values: Vec<_> = values.into_iter().map(|v| v.unwrap_or(ConstValue::Unit)).collect();
                let (result, after) = self.call(callee, values, &types)?;
                // Copy-out: what the callee made of its `ref mut` parameters.
                for arg in args {
                    if let (ExprKind::Ref(true, place), Some(value)) =
                        (&arg.value.kind, after.get(arg.param as usize))
                    {
                        self.assign(place, value.clone(), frame)?;
                    }
                }
                Ok(result)
            }
            ExprKind::Record { fields, base } => self.record(&expr.ty, fields, base.as_deref(), frame),
            ExprKind::Variant { variant, fields } => {
                let fields = self.list(fields, frame)?;
                self.sized(ConstValue::Variant(*variant, fields))
            }
            ExprKind::List(items) => {
                let items = self.list(items, frame)?;
                self.sized(ConstValue::List(items))
            }
            ExprKind::Tuple(items) => Ok(ConstValue::Record(self.list(items, frame)?)),
            ExprKind::Field(base, field) => match self.expr(base, frame)? {
                ConstValue::Record(mut fields) if (*field as usize) < fields.len() => {
                    Ok(fields.swap_remove(*field as usize))
                }
                _ => Err(self.not_constant("this field")),
            },
            ExprKind::Index(base, index) => {
                let base = self.expr(base, frame)?;
                let index = self.integer(index, frame)?;
                let ConstValue::List(items) = base else { return Err(self.not_constant("this index")) };
                let found = usize::try_from(index).ok().and_then(|at| items.get(at).cloned());
                found.ok_or_else(|| self.out_of_range(index, items.len()))
            }
            ExprKind::StringIndex(base, index) => {
                let base = self.expr(base, frame)?;
                let index = self.integer(index, frame)?;
                let ConstValue::Str(bytes) = base else { return Err(self.not_constant("this index")) };
                let found = usize::try_from(index).ok().and_then(|at| bytes.get(at).copied());
                found
                    .map(|b| ConstValue::Int(i128::from(b)))
                    .ok_or_else(|| self.out_of_range(index, bytes.len()))
            }
            // A reference is its value here; calls write it back.
            ExprKind::Deref(inner) | ExprKind::Move(inner) | ExprKind::Ref(_, inner) => {
                self.expr(inner, frame)
            }
            ExprKind::Unary(op, operand) => {
                let value = self.expr(operand, frame)?;
                self.unary(*op, value, &expr.ty)
            }
            ExprKind::Binary(op, lhs, rhs) => {
                let a = self.expr(lhs, frame)?;
                let b = self.expr(rhs, frame)?;
                self.binary(*op, a, b, &expr.ty)
            }
            ExprKind::Compare(op, lhs, rhs) => {
                let a = self.expr(lhs, frame)?;
                let b = self.expr(rhs, frame)?;
                Ok(ConstValue::Int(i128::from(compare(*op, &a, &lhs.ty, &b, &rhs.ty))))
            }
            ExprKind::Logical { or, lhs, rhs } => {
                if self.truth(lhs, frame)? == *or {
                    Ok(ConstValue::Int(i128::from(*or)))
                } else {
                    self.expr(rhs, frame)
                }
            }
            ExprKind::Cast(inner) => {
                let value = self.expr(inner, frame)?;
                // An implicit conversion stands on its operand's node; only a written `as` may wrap.
                let implicit = expr.node == inner.node;
                self.cast(value, &inner.ty, &expr.ty, implicit)
            }
            ExprKind::If { cond, then, other } => {
                if self.truth(cond, frame)? {
                    self.block(then, frame)
                } else {
                    other.as_ref().map_or(Ok(ConstValue::Unit), |other| self.block(other, frame))
                }
            }
            ExprKind::Match { scrutinee, arms } => {
                let value = self.expr(scrutinee, frame)?;
                self.match_arms(&value, arms, frame)
            }
            ExprKind::Block(block) => self.block(block, frame),
            ExprKind::While(cond, body) => {
                while self.truth(cond, frame)? {
                    if let Some(value) = self.round(body, frame)? {
                        return Ok(value);
                    }
                }
                Ok(ConstValue::Unit)
            }
            ExprKind::Loop(body) => loop {
                if let Some(value) = self.round(body, frame)? {
                    return Ok(value);
                }
                self.step()?;
            },
            ExprKind::For { pat, iter, body } => self.for_loop(pat, iter, body, frame),
            ExprKind::CFor { init, cond, step, body } => {
                self.stmt(init, frame)?;
                while self.truth(cond, frame)? {
                    if let Some(value) = self.round(body, frame)? {
                        return Ok(value);
                    }
                    self.expr(step, frame)?;
                }
                Ok(ConstValue::Unit)
            }
            ExprKind::Assign { place, op, value } => {
                let value = self.expr(value, frame)?;
                let value = match op {
                    None => value,
                    Some(op) => {
                        let old = self.expr(place, frame)?;
                        self.binary(*op, old, value, &place.ty)?
                    }
                };
                self.assign(place, value, frame)?;
                Ok(ConstValue::Unit)
            }
            ExprKind::Give(value) => {
                let value = value.as_ref().map_or(Ok(ConstValue::Unit), |value| self.expr(value, frame))?;
                Err(Exit::Give(value))
            }
            ExprKind::Break(value) => {
                let value = value.as_ref().map_or(Ok(ConstValue::Unit), |value| self.expr(value, frame))?;
                Err(Exit::Break(value))
            }
            ExprKind::Continue => Err(Exit::Continue),
            ExprKind::Assert(cond, message) => {
                if self.truth(cond, frame)? {
                    return Ok(ConstValue::Unit);
                }
                let text = match message {
                    Some(message) => self.text(message, frame)?,
                    None => "assertion failed".into(),
                };
                Err(self.panic(&text))
            }
            ExprKind::Panic(message) => {
                let text = self.text(message, frame)?;
                Err(self.panic(&text))
            }
            ExprKind::Unreachable => Err(self.panic("unreachable code was reached")),
        }
    }

    fn panic(&self, text: &str) -> Exit {
        self.error(
            CONST_PANIC,
            format!("this constant panics: {text}"),
            "panics while it is evaluated",
            "a panic while a constant is evaluated is an error of the program",
            "change the constant so that it has a value",
        )
    }

    fn out_of_range(&self, index: i128, length: usize) -> Exit {
        self.panic(&format!("index {index} out of range for length {length}"))
    }

    fn local(&self, local: LocalId, frame: &Frame) -> Eval<ConstValue> {
        frame.get(local.0 as usize).cloned().flatten().ok_or_else(|| Exit::Error(Arc::new([])))
    }

    fn list(&mut self, exprs: &[Expr], frame: &mut Frame) -> Eval<Vec<ConstValue>> {
        exprs.iter().map(|expr| self.expr(expr, frame)).collect()
    }

    fn integer(&mut self, expr: &Expr, frame: &mut Frame) -> Eval<i128> {
        match self.expr(expr, frame)? {
            ConstValue::Int(value) => Ok(value),
            _ => Err(self.not_constant("this operand")),
        }
    }

    fn truth(&mut self, expr: &Expr, frame: &mut Frame) -> Eval<bool> {
        self.integer(expr, frame).map(|value| value != 0)
    }

    fn text(&mut self, expr: &Expr, frame: &mut Frame) -> Eval<String> {
        match self.expr(expr, frame)? {
            ConstValue::Str(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            _ => Err(self.not_constant("this message")),
        }
    }

    fn record(
        &mut self,
        ty: &Ty,
        fields: &[(u32, Expr)],
        base: Option<&Expr>,
        frame: &mut Frame,
    ) -> Eval<ConstValue> {
        let mut values: Vec<(u32, ConstValue)> = Vec::with_capacity(fields.len());
        for (index, field) in fields {
            values.push((*index, self.expr(field, frame)?));
        }
        let mut all = match base {
            Some(base) => match self.expr(base, frame)? {
                ConstValue::Record(all) => all,
                _ => return Err(self.not_constant(&format!("a value of type `{}`", ty_name(self.db, ty)))),
            },
            None => vec![ConstValue::Unit; fields.len()],
        };
        for (index, value) in values {
            if let Some(slot) = all.get_mut(index as usize) {
                *slot = value;
            }
        }
        self.sized(ConstValue::Record(all))
    }

    /// Calls a proc: its result, and its parameters as it left them.
    fn call(
        &mut self,
        callee: &Callee,
        args: Vec<ConstValue>,
        types: &[Ty],
    ) -> Eval<(ConstValue, Vec<ConstValue>)> {
        let item = match callee {
            Callee::Proc(item, types) => crate::types::traits::dispatch(self.db, *item, types).0,
            Callee::Intrinsic(..) => return Err(self.not_constant("this built-in")),
            Callee::Value(_) => return Err(self.not_constant("a call through a procedure value")),
        };
        let name = item.name(self.db);
        if item.file(self.db).path(self.db).root == CORE_ROOT {
            return match builtin::call(name, args, types) {
                Some((result, after)) => {
                    let after = after.into_iter().map(|value| self.sized(value)).collect::<Eval<_>>()?;
                    Ok((self.sized(result)?, after))
                }
                None => Err(self.not_constant("this built-in procedure")),
            };
        }
        let checked = check_body(self.db, item);
        if !checked.body.ok {
            return Err(Exit::Error(Arc::new([])));
        }
        if !proc_data(self.db, item).has_body {
            return Err(self.not_constant(&format!("a call of `{name}`, which has no body,")));
        }
        if self.depth >= CALLS_MAX {
            return Err(self.limit("calls procedures too deeply"));
        }
        let params = args.len();
        let mut frame: Frame = args.into_iter().map(Some).collect();
        frame.resize(checked.body.locals.len(), None);
        self.depth += 1;
        let result = self.block(&checked.body.block, &mut frame);
        self.depth -= 1;
        let after = frame.into_iter().take(params).map(|value| value.unwrap_or(ConstValue::Unit)).collect();
        match result {
            Ok(value) | Err(Exit::Give(value) | Exit::Break(value)) => Ok((value, after)),
            Err(Exit::Continue) => Ok((ConstValue::Unit, after)),
            Err(Exit::Error(diagnostics)) => Err(Exit::Error(diagnostics)),
        }
    }

    /// One round of a loop: the value of a `break`, if it came to one.
    fn round(&mut self, body: &Block, frame: &mut Frame) -> Eval<Option<ConstValue>> {
        match self.block(body, frame) {
            Ok(_) | Err(Exit::Continue) => Ok(None),
            Err(Exit::Break(value)) => Ok(Some(value)),
            Err(exit @ (Exit::Give(_) | Exit::Error(_))) => Err(exit),
        }
    }

    fn for_loop(&mut self, pat: &Pat, iter: &ForIter, body: &Block, frame: &mut Frame) -> Eval<ConstValue> {
        let items: Box<dyn Iterator<Item = ConstValue>> = match iter {
            ForIter::List(list) => match self.expr(list, frame)? {
                ConstValue::List(items) => Box::new(items.into_iter()),
                _ => return Err(self.not_constant("this loop")),
            },
            ForIter::Str(text) => {
                let text = self.text(text, frame)?;
                let scalars: Vec<char> = text.chars().collect();
                Box::new(scalars.into_iter().map(|c| ConstValue::Int(i128::from(u32::from(c)))))
            }
            ForIter::Range { lo, hi, inclusive } => {
                let lo = self.integer(lo, frame)?;
                let hi = self.integer(hi, frame)?;
                let hi = if *inclusive { hi.saturating_add(1) } else { hi };
                Box::new((lo..hi).map(ConstValue::Int))
            }
            ForIter::Next { .. } => return Err(self.not_constant("a loop over an iterator")),
        };
        for item in items {
            self.step()?;
            self.matches(pat, &item, frame)?;
            if let Some(value) = self.round(body, frame)? {
                return Ok(value);
            }
        }
        Ok(ConstValue::Unit)
    }

    fn match_arms(&mut self, value: &ConstValue, arms: &[Arm], frame: &mut Frame) -> Eval<ConstValue> {
        for arm in arms {
            if !self.matches(&arm.pat, value, frame)? {
                continue;
            }
            if let Some(guard) = &arm.guard
                && !self.truth(guard, frame)?
            {
                continue;
            }
            return self.block(&arm.body, frame);
        }
        Ok(ConstValue::Unit)
    }

    fn matches(&mut self, pat: &Pat, value: &ConstValue, frame: &mut Frame) -> Eval<bool> {
        Ok(match (&pat.kind, value) {
            (PatKind::Wild, _) => true,
            (PatKind::Bind(local), value) => {
                if let Some(slot) = frame.get_mut(local.0 as usize) {
                    *slot = Some(value.clone());
                }
                true
            }
            (PatKind::Variant(variant, pats), ConstValue::Variant(actual, fields)) => {
                variant == actual && self.fields_match(pats, fields, frame)?
            }
            (PatKind::Record(pats), ConstValue::Record(fields)) => self.fields_match(pats, fields, frame)?,
            (PatKind::Int(wanted), ConstValue::Int(value)) => wanted == value,
            (PatKind::Float(wanted), ConstValue::Float(value)) => {
                f64::from_bits(*wanted) == f64::from_bits(*value)
            }
            (PatKind::Str(wanted), ConstValue::Str(value)) => wanted.as_bytes() == &**value,
            (PatKind::Const(item), value) => {
                const_value(self.db, *item).as_ref().is_ok_and(|wanted| wanted == value)
            }
            (PatKind::Range(lo, hi), ConstValue::Int(value)) => {
                lo.is_none_or(|lo| lo <= *value) && hi.is_none_or(|hi| *value <= hi)
            }
            (PatKind::Or(pats), value) => {
                for pat in pats {
                    if self.matches(pat, value, frame)? {
                        return Ok(true);
                    }
                }
                false
            }
            (PatKind::List(pats), ConstValue::List(items)) if pats.len() == items.len() => {
                for (pat, item) in pats.iter().zip(items) {
                    if !self.matches(pat, item, frame)? {
                        return Ok(false);
                    }
                }
                true
            }
            (
                PatKind::Variant(..)
                | PatKind::Record(_)
                | PatKind::Int(_)
                | PatKind::Float(_)
                | PatKind::Str(_)
                | PatKind::Range(..)
                | PatKind::List(_),
                _,
            ) => false,
        })
    }

    fn fields_match(&mut self, pats: &[(u32, Pat)], fields: &[ConstValue], frame: &mut Frame) -> Eval<bool> {
        for (index, pat) in pats {
            let Some(field) = fields.get(*index as usize) else { return Ok(false) };
            if !self.matches(pat, field, frame)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn assign(&mut self, place: &Expr, value: ConstValue, frame: &mut Frame) -> Eval<()> {
        // The path from the local to the place, innermost step last.
        let mut steps = Vec::new();
        let mut at = place;
        let local = loop {
            match &at.kind {
                ExprKind::Local(local) => break *local,
                ExprKind::Deref(inner) => at = inner,
                ExprKind::Field(base, field) => {
                    steps.push(i128::from(*field));
                    at = base;
                }
                ExprKind::Index(base, index) => {
                    let index = self.integer(index, frame)?;
                    steps.push(index);
                    at = base;
                }
                _ => return Err(self.not_constant("this assignment")),
            }
        };
        let Some(mut slot) = frame.get_mut(local.0 as usize).map(|slot| slot.get_or_insert(ConstValue::Unit))
        else {
            return Ok(());
        };
        for step in steps.into_iter().rev() {
            let (ConstValue::List(items) | ConstValue::Record(items) | ConstValue::Variant(_, items)) = slot
            else {
                return Err(self.not_constant("this assignment"));
            };
            let length = items.len();
            match usize::try_from(step).ok().and_then(|step| items.get_mut(step)) {
                Some(next) => slot = next,
                None => return Err(self.out_of_range(step, length)),
            }
        }
        *slot = value;
        Ok(())
    }

    fn unary(&self, op: UnaryOp, value: ConstValue, ty: &Ty) -> Eval<ConstValue> {
        match (op, value, ty) {
            (UnaryOp::Not, ConstValue::Int(value), _) => Ok(ConstValue::Int(i128::from(value == 0))),
            (UnaryOp::Neg, ConstValue::Int(value), Ty::Int(ty)) => {
                arith::integer(BinaryOp::Sub, *ty, 0, value)
                    .map(ConstValue::Int)
                    .map_err(|error| self.arith(error, *ty))
            }
            (UnaryOp::Neg, ConstValue::Float(bits), _) => {
                Ok(ConstValue::Float((-f64::from_bits(bits)).to_bits()))
            }
            (UnaryOp::BitNot, ConstValue::Int(value), Ty::Int(ty)) => {
                Ok(ConstValue::Int(arith::wrap(!value, *ty)))
            }
            (UnaryOp::Neg | UnaryOp::BitNot | UnaryOp::Not, _, _) => Err(self.not_constant("this operation")),
        }
    }

    fn binary(&self, op: BinaryOp, a: ConstValue, b: ConstValue, ty: &Ty) -> Eval<ConstValue> {
        match (a, b, ty) {
            (ConstValue::Int(a), ConstValue::Int(b), Ty::Int(ty)) => {
                arith::integer(op, *ty, a, b).map(ConstValue::Int).map_err(|error| self.arith(error, *ty))
            }
            (ConstValue::Float(a), ConstValue::Float(b), Ty::Float(ty)) => {
                let value = arith::float(op, *ty == FloatTy::F32, f64::from_bits(a), f64::from_bits(b));
                Ok(ConstValue::Float(value.to_bits()))
            }
            (ConstValue::Str(a), ConstValue::Str(b), _) => {
                self.sized(ConstValue::Str([&*a, &*b].concat().into()))
            }
            (ConstValue::Str(a), ConstValue::Int(c), _) => {
                let scalar =
                    u32::try_from(c).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                self.sized(ConstValue::Str([&*a, scalar.to_string().as_bytes()].concat().into()))
            }
            (ConstValue::List(mut a), ConstValue::List(b), _) => {
                a.extend(b);
                self.sized(ConstValue::List(a))
            }
            _ => Err(self.not_constant("this operation")),
        }
    }

    fn cast(&self, value: ConstValue, from: &Ty, to: &Ty, implicit: bool) -> Eval<ConstValue> {
        match (value, to) {
            (ConstValue::Int(value), Ty::Int(to)) => {
                let value =
                    if *from == Ty::Int(IntTy::U128) && value < 0 && implicit { i128::MAX } else { value };
                if implicit && !arith::fits(value, *to) {
                    return Err(self.arith(ArithError::Overflow, *to));
                }
                Ok(ConstValue::Int(arith::wrap(value, *to)))
            }
            (ConstValue::Variant(variant, _), Ty::Int(to)) => {
                let ordinal = match from {
                    Ty::Pick(pick, _) => pick_data(self.db, *pick)
                        .variants
                        .get(variant as usize)
                        .map_or(0, |variant| variant.ordinal),
                    _ => i128::from(variant),
                };
                Ok(ConstValue::Int(arith::wrap(ordinal, *to)))
            }
            (ConstValue::Int(value), Ty::Float(to)) => {
                let unsigned = matches!(from, Ty::Int(ty) if !ty.signed());
                let wide = if unsigned { (value as u128) as f64 } else { value as f64 };
                let narrow = if unsigned { (value as u128) as f32 } else { value as f32 };
                Ok(ConstValue::Float(if *to == FloatTy::F32 { f64::from(narrow) } else { wide }.to_bits()))
            }
            (ConstValue::Float(bits), Ty::Int(to)) => {
                Ok(ConstValue::Int(saturate(f64::from_bits(bits), *to)))
            }
            (ConstValue::Float(bits), Ty::Float(_)) => Ok(ConstValue::Float(round(bits, to))),
            (ConstValue::Int(value), Ty::Bool) => Ok(ConstValue::Int(i128::from(value != 0))),
            (ConstValue::Int(value), Ty::Char) => {
                let scalar = u32::try_from(value).ok().and_then(char::from_u32);
                scalar
                    .map(|_| ConstValue::Int(value))
                    .ok_or_else(|| self.panic(&format!("{value} is not a character")))
            }
            (value, _) => Ok(value),
        }
    }
}

fn round(bits: u64, ty: &Ty) -> u64 {
    if *ty == Ty::Float(FloatTy::F32) { f64::from(f64::from_bits(bits) as f32).to_bits() } else { bits }
}

fn saturate(value: f64, ty: IntTy) -> i128 {
    match ty {
        IntTy::U128 => (value as u128) as i128,
        IntTy::I128 => value as i128,
        IntTy::I8 => i128::from(value as i8),
        IntTy::I16 => i128::from(value as i16),
        IntTy::I32 => i128::from(value as i32),
        IntTy::I64 | IntTy::Int | IntTy::Isize => i128::from(value as i64),
        IntTy::U8 => i128::from(value as u8),
        IntTy::U16 => i128::from(value as u16),
        IntTy::U32 => i128::from(value as u32),
        IntTy::U64 | IntTy::Uint | IntTy::Usize => i128::from(value as u64),
    }
}

fn compare(op: BinaryOp, a: &ConstValue, a_ty: &Ty, b: &ConstValue, b_ty: &Ty) -> bool {
    let int = |ty: &Ty| match ty {
        Ty::Int(ty) => Some(*ty),
        _ => None,
    };
    let order = match (a, b) {
        (ConstValue::Int(a), ConstValue::Int(b)) => Some(arith::compare(*a, int(a_ty), *b, int(b_ty))),
        (ConstValue::Float(a), ConstValue::Float(b)) => f64::from_bits(*a).partial_cmp(&f64::from_bits(*b)),
        (ConstValue::Str(a), ConstValue::Str(b)) => Some(a.cmp(b)),
        (a, b) => Some(if equal(a, b) { Ordering::Equal } else { Ordering::Less }),
    };
    match op {
        BinaryOp::Eq => order == Some(Ordering::Equal),
        BinaryOp::Ne => order != Some(Ordering::Equal),
        BinaryOp::Lt => order == Some(Ordering::Less),
        BinaryOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        BinaryOp::Gt => order == Some(Ordering::Greater),
        BinaryOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Rem
        | BinaryOp::Shl
        | BinaryOp::Shr
        | BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::In
        | BinaryOp::NotIn => false,
    }
}

/// `==` inside compound values: floats by value, so that nan differs from itself.
fn equal(a: &ConstValue, b: &ConstValue) -> bool {
    match (a, b) {
        (ConstValue::Float(a), ConstValue::Float(b)) => f64::from_bits(*a) == f64::from_bits(*b),
        (ConstValue::List(a), ConstValue::List(b)) | (ConstValue::Record(a), ConstValue::Record(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (ConstValue::Variant(v, a), ConstValue::Variant(w, b)) => {
            v == w && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (a, b) => a == b,
    }
}
