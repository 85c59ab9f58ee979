//! Random functions do the same before and after every pass; small ones show what passes make.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::HashMap;
use std::sync::Arc;

use expect_test::{Expect, expect};

use super::interpreter::{End, Machine};
use super::*;
use crate::base::testing::TestDb;
use crate::base::{OptLevel, Options};
use crate::codegen::text::{TextStage, emit_text};
use crate::mono::{Instance, InstanceKind};
use crate::ssa::build::Builder;
use crate::ssa::layout::{COUNT, LENGTH};
use crate::ssa::*;
use crate::types::{IntTy, Ty};

/// Small and good enough (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

fn instance(db: &TestDb, number: usize) -> Instance {
    let tys = [IntTy::I8, IntTy::I16, IntTy::I32, IntTy::I64, IntTy::U8, IntTy::U16, IntTy::U32];
    Instance::new(db, InstanceKind::Clone(Ty::List(Arc::new(Ty::Int(tys[number])))))
}

/// Elements of the generated objects: `{count, length, elements}` of 8 bytes each.
const ELEMENTS: i64 = 4;
const FIRST: i32 = 24;
const SCALARS: &[u32] = &[0, 1, 2, 3];
const NARROW: &[u32] = &[4, 5];
/// Variables that own a reference to an object.
const OBJECTS: &[u32] = &[6, 7];

struct Generator<'a> {
    b: Builder,
    random: Random,
    depth: u32,
    counters: u32,
    slots: Vec<SlotId>,
    callees: &'a [Instance],
    panic: Instance,
}

/// A function of two integers, with loops that end, objects whose counts are right, and slots.
fn generate(seed: u64, statements: u32, callees: &[Instance], panic: Instance) -> Function {
    let mut types = vec![Type::I64; 4];
    types.extend([Type::I32, Type::I8, Type::I64, Type::I64]);
    types.extend([Type::I64; 64]);
    let b = Builder::new(Some(Type::I64), types, None);
    let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut generator = Generator { b, random, depth: 0, counters: 8, slots: Vec::new(), callees, panic };
    generator.body(statements);
    generator.b.finish()
}

impl Generator<'_> {
    fn body(&mut self, statements: u32) {
        let entry = BlockId(0);
        for variable in 0..2 {
            let param = self.b.add_param(entry, Type::I64);
            self.b.write(variable, param);
        }
        self.slots = (0..2).map(|_| self.b.add_slot(8)).collect();
        for (variable, ty) in [(2, Type::I64), (3, Type::I64), (4, Type::I32), (5, Type::I8)] {
            let value = self.b.int(ty, i128::from(variable));
            self.b.write(variable, value);
        }
        for &slot in &self.slots.clone() {
            let value = self.b.read(0);
            self.slot_access(slot, Some(value));
        }
        for &variable in OBJECTS {
            let object = self.object();
            self.b.write(variable, object);
        }
        for _ in 0..statements {
            self.statement();
        }
        for &variable in SCALARS {
            let value = self.b.read(variable);
            self.observe(value);
        }
        for &variable in OBJECTS {
            for element in 0..ELEMENTS as i32 {
                let address = self.b.read(variable);
                let load = Op::Load { address, offset: FIRST + 8 * element, alias: Alias::Element };
                let value = self.b.push(Type::I64, load);
                self.observe(value);
            }
            self.release(variable);
        }
        let result = self.b.read(0);
        self.b.terminate(Terminator::Return(Some(result)));
    }

    fn object(&mut self) -> Value {
        let object = self.b.push(Type::I64, Op::Alloc { size: 24 + 8 * ELEMENTS as u32, panic: self.panic });
        let store = |address, offset, value, alias| Op::Store { address, offset, value, alias };
        let one = self.b.int(Type::I64, 1);
        self.b.effect(store(object, COUNT, one, Alias::Count));
        let length = self.b.int(Type::I64, i128::from(ELEMENTS));
        self.b.effect(store(object, LENGTH, length, Alias::Length));
        for element in 0..ELEMENTS as i32 {
            let variable = self.scalar();
            let value = self.b.read(variable);
            self.b.effect(store(object, FIRST + 8 * element, value, Alias::Element));
        }
        object
    }

    fn scalar(&mut self) -> u32 {
        SCALARS[self.random.below(4) as usize]
    }

    fn observe(&mut self, value: Value) {
        self.b.effect(Op::Call { callee: Callee::Extern("observe".into()), args: vec![value] });
    }

    fn release(&mut self, variable: u32) {
        let value = self.b.read(variable);
        self.b.effect(Op::Release { value, repr: ObjectRepr::Pointer, drop: DropFn::Free });
    }

    fn slot_access(&mut self, slot: SlotId, value: Option<Value>) -> Option<Value> {
        let address = self.b.push(Type::I64, Op::SlotAddress(slot));
        let alias = self.random.pick(&[Alias::Slot, Alias::Unknown]);
        match value {
            Some(value) => {
                self.b.effect(Op::Store { address, offset: 0, value, alias });
                None
            }
            None => Some(self.b.push(Type::I64, Op::Load { address, offset: 0, alias })),
        }
    }

    fn condition(&mut self) -> Value {
        let ops = [
            CompareOp::Eq,
            CompareOp::Ne,
            CompareOp::SLt,
            CompareOp::SLe,
            CompareOp::SGt,
            CompareOp::SGe,
            CompareOp::ULt,
            CompareOp::ULe,
            CompareOp::UGt,
            CompareOp::UGe,
        ];
        let a = self.operand();
        let b = self.operand();
        let compare = self.b.push(Type::I8, Op::Compare(self.random.pick(&ops), a, b));
        match self.random.below(4) {
            0 => {
                let other = self.condition();
                let op = self.random.pick(&[BinaryOp::And, BinaryOp::Or]);
                self.b.push(Type::I8, Op::Binary(op, compare, other))
            }
            1 => {
                let zero = self.b.int(Type::I8, 0);
                self.b.push(Type::I8, Op::Compare(CompareOp::Eq, compare, zero))
            }
            _ => compare,
        }
    }

    fn operand(&mut self) -> Value {
        if self.random.below(3) == 0 {
            let value = self.random.pick(&[0, 1, -1, 2, 3, 4, 7, 63, 64, 255, i128::from(i64::MIN), 1 << 40]);
            self.b.int(Type::I64, value)
        } else {
            let variable = self.scalar();
            self.b.read(variable)
        }
    }

    fn statement(&mut self) {
        let kinds = if self.depth < 3 { 14 } else { 11 };
        match self.random.below(kinds) {
            0..=2 => {
                let ops = [
                    BinaryOp::Add,
                    BinaryOp::Sub,
                    BinaryOp::Mul,
                    BinaryOp::And,
                    BinaryOp::Or,
                    BinaryOp::Xor,
                    BinaryOp::Shl,
                    BinaryOp::AShr,
                    BinaryOp::LShr,
                ];
                let (a, b) = (self.operand(), self.operand());
                let value = self.b.push(Type::I64, Op::Binary(self.random.pick(&ops), a, b));
                let variable = self.scalar();
                self.b.write(variable, value);
            }
            3 => self.divide(),
            4 => {
                let value = self.condition();
                let wide = self.b.push(Type::I64, Op::Convert(ConvertOp::ZeroExtend, value));
                let variable = self.scalar();
                self.b.write(variable, wide);
            }
            5 => {
                let narrow = self.random.pick(NARROW);
                let ty = if narrow == 4 { Type::I32 } else { Type::I8 };
                let value = self.operand();
                let cut = self.b.push(ty, Op::Convert(ConvertOp::Truncate, value));
                self.b.write(narrow, cut);
                let op = self.random.pick(&[ConvertOp::SignExtend, ConvertOp::ZeroExtend]);
                let wide = self.b.push(Type::I64, Op::Convert(op, cut));
                let variable = self.scalar();
                self.b.write(variable, wide);
            }
            6 => {
                let slot = self.random.pick(&self.slots);
                if self.random.below(2) == 0 {
                    let value = self.operand();
                    self.slot_access(slot, Some(value));
                } else if let Some(value) = self.slot_access(slot, None) {
                    let variable = self.scalar();
                    self.b.write(variable, value);
                }
            }
            7 => self.element(),
            8 => {
                // One object for another: a reference more to it, one fewer to what was there.
                let (from, to) = (self.random.pick(OBJECTS), self.random.pick(OBJECTS));
                let value = self.b.read(from);
                self.b.effect(Op::Retain { value, repr: ObjectRepr::Pointer });
                self.release(to);
                self.b.write(to, value);
            }
            9 => {
                let value = self.operand();
                self.observe(value);
            }
            10 => {
                // A borrow by way of a counted copy.
                let variable = self.random.pick(OBJECTS);
                let value = self.b.read(variable);
                self.b.effect(Op::Retain { value, repr: ObjectRepr::Pointer });
                if let Some(&callee) = self.callees.get(self.random.below(4) as usize) {
                    let args = vec![self.operand(), self.operand()];
                    let call = Op::Call { callee: Callee::Instance(callee), args };
                    let result = self.b.push(Type::I64, call);
                    let variable = self.scalar();
                    self.b.write(variable, result);
                } else {
                    self.element();
                }
                self.b.effect(Op::Release { value, repr: ObjectRepr::Pointer, drop: DropFn::Free });
            }
            11 | 12 => self.branch(),
            _ => self.count(),
        }
    }

    fn divide(&mut self) {
        let (a, b) = (self.operand(), self.operand());
        let zero = self.b.int(Type::I64, 0);
        let condition = self.b.push(Type::I8, Op::Compare(CompareOp::Ne, b, zero));
        let kind = CheckKind::DivisionByZero;
        self.b.effect(Op::Check { condition, kind, panic: self.panic, args: vec![a] });
        let op = self.random.pick(&[BinaryOp::SDiv, BinaryOp::UDiv, BinaryOp::SRem, BinaryOp::URem]);
        let value = self.b.push(Type::I64, Op::Binary(op, a, b));
        let variable = self.scalar();
        self.b.write(variable, value);
    }

    /// Reads or writes an element, checked.
    fn element(&mut self) {
        let variable = self.random.pick(OBJECTS);
        let mut object = self.b.read(variable);
        let index = self.operand();
        let three = self.b.int(Type::I64, 3);
        let index = match self.random.below(3) {
            0 => index,
            _ => self.b.push(Type::I64, Op::Binary(BinaryOp::And, index, three)),
        };
        let load = Op::Load { address: object, offset: LENGTH, alias: Alias::Length };
        let length = self.b.push(Type::I64, load);
        let condition = self.b.push(Type::I8, Op::Compare(CompareOp::ULt, index, length));
        let args = vec![index, length];
        self.b.effect(Op::Check { condition, kind: CheckKind::Index, panic: self.panic, args });
        let scaled = self.b.push(Type::I64, Op::Binary(BinaryOp::Shl, index, three));
        let write = self.random.below(2) == 0;
        if write {
            let repr = ObjectRepr::Pointer;
            object = self.b.push(Type::I64, Op::Unique { value: object, repr, clone: self.panic });
            self.b.write(variable, object);
        }
        let address = self.b.push(Type::I64, Op::Binary(BinaryOp::Add, object, scaled));
        if write {
            let value = self.operand();
            self.b.effect(Op::Store { address, offset: FIRST, value, alias: Alias::Element });
        } else {
            let load = Op::Load { address, offset: FIRST, alias: Alias::Element };
            let value = self.b.push(Type::I64, load);
            let variable = self.scalar();
            self.b.write(variable, value);
        }
    }

    fn statements(&mut self) {
        self.depth += 1;
        for _ in 0..=self.random.below(4) {
            self.statement();
        }
        self.depth -= 1;
    }

    fn branch(&mut self) {
        let (yes, no, join) = (self.b.new_block(), self.b.new_block(), self.b.new_block());
        let condition = self.condition();
        self.b.branch(condition, yes, no);
        for block in [yes, no] {
            self.b.seal(block);
            self.b.switch_to(block);
            if self.random.below(3) > 0 {
                self.statements();
            }
            self.b.jump(join);
        }
        self.b.seal(join);
        self.b.switch_to(join);
    }

    /// A loop that counts up to the length of an object, or down to zero.
    fn count(&mut self) {
        let counter = self.counters;
        self.counters += 1;
        let up = self.random.below(2) == 0;
        let (head, inside, exit) = (self.b.new_block(), self.b.new_block(), self.b.new_block());
        let address = self.b.read(OBJECTS[0]);
        let length = self.b.push(Type::I64, Op::Load { address, offset: LENGTH, alias: Alias::Length });
        let zero = self.b.int(Type::I64, 0);
        self.b.write(counter, if up { zero } else { length });
        self.b.jump(head);
        self.b.switch_to(head);
        let at = self.b.read(counter);
        let condition = if up {
            let op = self.random.pick(&[CompareOp::SLt, CompareOp::ULt, CompareOp::Ne]);
            self.b.push(Type::I8, Op::Compare(op, at, length))
        } else {
            let zero = self.b.int(Type::I64, 0);
            let op = self.random.pick(&[CompareOp::SGt, CompareOp::UGt, CompareOp::Ne]);
            self.b.push(Type::I8, Op::Compare(op, at, zero))
        };
        self.b.branch(condition, inside, exit);
        self.b.seal(inside);
        self.b.switch_to(inside);
        let step = self.b.int(Type::I64, if up { 1 } else { -1 });
        let early = self.random.below(2) == 0;
        if early {
            let next = self.b.push(Type::I64, Op::Binary(BinaryOp::Add, at, step));
            self.b.write(counter, next);
        }
        let copy = self.b.read(counter);
        let variable = self.scalar();
        self.b.write(variable, copy);
        self.element();
        self.statements();
        if !early {
            let at = self.b.read(counter);
            let next = self.b.push(Type::I64, Op::Binary(BinaryOp::Add, at, step));
            self.b.write(counter, next);
        }
        self.b.jump(head);
        self.b.seal(head);
        self.b.seal(exit);
        self.b.switch_to(exit);
    }
}

struct Bodies(HashMap<Instance, Arc<Function>>);

impl Callees for Bodies {
    fn body(&self, instance: Instance) -> Option<Arc<Function>> {
        self.0.get(&instance).cloned()
    }
}

#[test]
fn random_functions_do_the_same_after_passes() {
    let db = TestDb::new("");
    let panic = instance(&db, 0);
    let names = [instance(&db, 1), instance(&db, 2)];
    let args = [[0, 0], [1, -1], [5, 3], [i64::MIN, i64::MAX], [-7, 1 << 40], [4, 2]];
    let mut finished = 0;
    for seed in 1..=100 {
        let bodies: HashMap<_, _> = (names.iter().zip(1..))
            .map(|(&name, n)| (name, Arc::new(generate(seed * 1000 + n, 1, &[], panic))))
            .collect();
        let function = generate(seed, 4 + (seed % 12) as u32, &names, panic);
        verify(&function).unwrap();
        let run = |function: &Function, args: &[i64]| {
            let functions = bodies.iter().map(|(&name, body)| (name, &**body)).collect();
            Machine::new(functions).run(function, args)
        };
        let callees = Bodies(bodies.clone());
        let level = if seed % 2 == 0 { OptLevel::O3 } else { OptLevel::O1 };
        let context = Context { level, instance: None, callees: &callees };
        let before: Vec<_> = args.iter().map(|args| run(&function, args).unwrap()).collect();
        let same = |after: &Function, what: &str| {
            for (args, before) in args.iter().zip(&before) {
                if before.end == End::OutOfFuel {
                    continue;
                }
                let after = run(after, args);
                assert_eq!(after.as_ref(), Ok(before), "seed {seed}, {what}, {args:?}");
            }
        };
        finished += before.iter().filter(|outcome| matches!(outcome.end, End::Returned(_))).count();
        for pass in PASSES {
            let mut after = function.clone();
            run_pass(&mut after, pass, &context);
            same(&after, pass.name);
        }
        let mut after = function.clone();
        run_passes(&mut after, &context, &[]);
        same(&after, "all");
    }
    assert!(finished > 100, "too few runs reach their end: {finished}");
}

/// What is left of the procs whose symbol holds `filter` after only these passes.
fn after(passes: &[&str], filter: &str, text: &str) -> String {
    let db = TestDb::new(text);
    let others = PASSES.iter().map(|pass| pass.name).filter(|name| !passes.contains(name));
    let options = Options {
        opt_level: OptLevel::O2,
        disabled_passes: others.map(str::to_owned).collect(),
        ..Options::default()
    };
    emit_text(&db, db.program_with(options), TextStage::Ssa, Some(filter)).unwrap()
}

fn check(passes: &[&str], text: &str, expected: &Expect) {
    expected.assert_eq(&after(passes, "main::f", text));
}

#[test]
fn no_pass_no_change() {
    let text = "proc f(a: int) -> int { give a + (2 * 3) }\nproc main() -> int { give f(1) }\n";
    check(
        &[],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            jump b1
        b1:
            v1: i64 = 2 ; n12
            v2: i64 = 3 ; n12
            v3: i64 = mul v1, v2 ; n12
            v4: i64 = add v0, v3 ; n8
            return v4
        }
    "#]],
    );
}

#[test]
fn constants_decide_branches() {
    let text = "proc f(a: int) -> int {\n    let n = 4\n    if n * 2 == 8 { give a + n }\n    give a - n\n}\n\
                proc main() -> int { give f(1) }\n";
    check(
        &["const-prop", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            jump b1
        b1:
            v1: i64 = 4 ; n10
            jump b3
        b3:
            v7: i64 = add v0, v1 ; n22
            return v7
        }
    "#]],
    );
}

#[test]
fn a_check_that_must_fail_stays() {
    let text = "proc f(a: int) -> int { give a / (3 - 3) }\nproc main() -> int { give f(1) }\n";
    check(
        &["const-prop", "peephole", "simplify-cfg", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v5: i8 = 0 ; n8
            check.divisionbyzero v5() ; n8
            unreachable
        }
    "#]],
    );
}

#[test]
fn blocks_are_merged_and_short_circuits_threaded() {
    let text = "proc f(a: int, b: int) -> int {\n    if a < b and b < 10 { give 1 }\n    give 2\n}\n\
                proc main() -> int { give f(1, 2) }\n";
    check(
        &["simplify-cfg", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64, v1: i64) -> i64 {
        b0:
            v2: i8 = cmp.slt v0, v1 ; n13
            branch v2, b2, b3
        b2:
            v3: i64 = 10 ; n19
            v4: i8 = cmp.slt v1, v3 ; n19
            branch v4, b4, b3
        b4:
            v5: i64 = 1 ; n26
            return v5
        b3:
            v6: i64 = 2 ; n28
            return v6
        }
    "#]],
    );
}

#[test]
fn identities_of_arithmetic() {
    let text = "proc f(a: int) -> int {\n    if not (a < 3) { give (a + 1) + 2 - 3 }\n    give a * 1 + (a - a)\n}\n\
                proc main() -> int { give f(1) }\n";
    check(
        &["peephole", "simplify-cfg", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = 3 ; n9
            v2: i8 = cmp.slt v0, v1 ; n9
            branch v2, b3, b2
        b3:
            return v0
        b2:
            return v0
        }
    "#]],
    );
}

#[test]
fn a_length_is_loaded_once() {
    let text = "proc f(xs: [int]) -> int { give xs[1] + xs[2] + xs[1] }\n\
                proc main() -> int { give f([1, 2, 3]) }\n";
    check(
        &["simplify-cfg", "cse", "bounds-checks", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = 1 ; n13
            v2: i64 = load.length v0+8 ; n13
            v3: i8 = cmp.ult v1, v2 ; n13
            v5: i8 = 1 ; n13
            check.index v3(v1, v5, v2) ; n13
            v6: i64 = 2 ; n17
            v8: i8 = cmp.ult v6, v2 ; n17
            check.index v8(v6, v5, v2) ; n17
            v11: i8 = 3 ; n11
            v12: i64 = shl v1, v11 ; n11
            v13: i64 = add v0, v12 ; n11
            v14: i64 = load.element v13+24 ; n11
            v16: i64 = shl v6, v11 ; n11
            v17: i64 = add v0, v16 ; n11
            v18: i64 = load.element v17+24 ; n11
            v19: i64 = add v14, v18 ; n11
            v29: i64 = add v19, v14 ; n9
            return v29
        }
    "#]],
    );
}

#[test]
fn calls_of_small_procs_vanish() {
    let text = "form P { x: int, y: int }\nproc left(p: P) -> int { give p.x }\n\
                proc f(p: P) -> int {\n    if p.y == 9 { give f(p) }\n    give left(p) + len(\"abc\")\n}\n\
                proc main(args: [string]) -> int { give f(P { x: 1, y: len(args) as int }) }\n";
    check(
        &["inline", "simplify-cfg", "const-prop", "peephole", "cse", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = load.field v0+16 ; n8
            v2: i64 = 9 ; n8
            v3: i8 = cmp.eq v1, v2 ; n8
            branch v3, b3, b5
        b3:
            v8: i64 = call `main::f`(v0) ; n17
            return v8
        b5:
            v10: i64 = load.field v0+8 ; n8
            v5: i64 = address "abc" ; n30
            v6: i64 = 3 ; n30
            v7: i64 = add v10, v6 ; n23
            release v5, free ; n22
            return v7
        }
    "#]],
    );
}

#[test]
fn recursion_is_not_unrolled() {
    let text = "proc f(n: int) -> int {\n    if n < 2 { give n }\n    give g(n)\n}\n\
                proc g(n: int) -> int { give f(n - 1) }\nproc main() -> int { give f(5) }\n";
    check(
        &["inline", "simplify-cfg", "cse", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = 2 ; n8
            v2: i8 = cmp.slt v0, v1 ; n8
            branch v2, b3, b5
        b3:
            return v0
        b5:
            v5: i64 = 1 ; n11
            v6: i64 = sub v0, v5 ; n11
            v7: i64 = call `main::f`(v6) ; n8
            return v7
        }
    "#]],
    );
}

#[test]
fn a_counted_loop_needs_no_bounds_checks() {
    let text = "proc f(xs: [int]) -> int {\n    let sum = 0\n    let i = 0\n    while i < len(xs) {\n        \
                set sum = sum + xs[i]\n        set i = i + 1\n    }\n    give sum\n}\n\
                proc main() -> int { give f([1, 2]) }\n";
    let most = ["const-prop", "peephole", "simplify-cfg", "cse", "dce"];
    assert!(after(&most, "main::f", text).contains("check.index"));
    let all = ["const-prop", "peephole", "simplify-cfg", "cse", "bounds-checks", "licm", "dce"];
    check(
        &all,
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = 0 ; n11
            v4: i64 = load.length v0+8 ; n21
            jump b2(v1, v1)
        b2(v5: i64, v10: i64):
            v7: i8 = cmp.ult v5, v4 ; n17
            branch v7, b4, b3
        b4:
            v14: i8 = 3 ; n30
            v15: i64 = shl v5, v14 ; n30
            v16: i64 = add v0, v15 ; n30
            v17: i64 = load.element v16+24 ; n30
            v18: i64 = add v10, v17 ; n30
            v19: i64 = 1 ; n42
            v20: i64 = add v5, v19 ; n42
            jump b2(v20, v18)
        b3:
            return v10
        }
    "#]],
    );
}

#[test]
fn an_unchecked_index_stays_checked() {
    // The step can pass the end; the list can change; the counter can start below zero.
    for body in [
        "set i = i + 2\n set sum = sum + xs[i]",
        "xs.pop()\n set sum = sum + xs[i]\n set i = i + 1",
        "set sum = sum + xs[i - 1]\n set i = i + 1",
    ] {
        let text = format!(
            "proc f(list: [int]) -> int {{\n let xs = list\n let sum = 0\n let i = 0\n while i < len(xs) {{\n {body}\n }}\n\
             give sum\n}}\nproc main() -> int {{ give f([1, 2]) }}\n"
        );
        let names: Vec<&str> = PASSES.iter().map(|pass| pass.name).filter(|&name| name != "inline").collect();
        let left = after(&names, "main::f", &text);
        assert!(left.contains("check.index"), "{body}\n{left}");
    }
}

#[test]
fn counts_of_literals_and_pairs_go() {
    let text = "form P { x: int, name: string }\nproc f(p: P) -> int {\n    let q = p.name\n    let n = len(q)\n    \
                let r = \"abc\"\n    give n + len(r) + p.x\n}\n\
                proc main() -> int { give f(P { x: 1, name: \"n\" }) }\n";
    assert!(after(&["simplify-cfg", "cse", "dce"], "main::f", text).contains("retain"));
    check(
        &["simplify-cfg", "cse", "rc-pairs", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = load.field v0+16 ; n10
            v2: i64 = load.length v1+8 ; n17
            v3: i64 = address "abc" ; n25
            v4: i64 = load.length v3+8 ; n33
            v5: i64 = add v2, v4 ; n29
            v6: i64 = load.field v0+8 ; n38
            v7: i64 = add v5, v6 ; n27
            return v7
        }
    "#]],
    );
}

#[test]
fn a_new_object_is_unique() {
    let text = "form P { x: int, y: int }\nproc f(a: int) -> P {\n    let p = P { x: a, y: a }\n    set p.x = 1\n    \
                set p.y = 2\n    give p\n}\nproc main() -> int { give f(3).x }\n";
    check(
        &["simplify-cfg", "cse", "rc-pairs", "dce"],
        text,
        &expect![[r#"
        function main::f(v0: i64) -> i64 {
        b0:
            v1: i64 = alloc 24 ; n10
            v2: i64 = 1 ; n10
            store.count v1+0, v2 ; n10
            store.field v1+8, v0 ; n10
            store.field v1+16, v0 ; n10
            store.field v1+8, v2 ; n18
            v6: i64 = 2 ; n24
            store.field v1+16, v6 ; n24
            return v1
        }
    "#]],
    );
}

#[test]
fn a_reference_to_a_local_becomes_its_value() {
    let text = "proc bump(n: ref mut int) { set *n = *n + 1 }\n\
                proc f(a: int) -> int {\n    if a == 9 { give f(a) }\n    let n = a\n    bump(ref mut n)\n    bump(ref mut n)\n    give n\n}\n\
                proc main(args: [string]) -> int { give f(len(args) as int) }\n";
    check(
        &["inline", "simplify-cfg", "cse", "slots", "peephole", "dce"],
        text,
        &expect![[r#"
            function main::f(v0: i64) -> i64 {
            b0:
                v1: i64 = 9 ; n8
                v2: i8 = cmp.eq v0, v1 ; n8
                branch v2, b3, b2
            b3:
                v8: i64 = call `main::f`(v0) ; n15
                return v8
            b2:
                v17: i64 = 2 ; n10
                v16: i64 = add v0, v17 ; n10
                return v16
            }
        "#]],
    );
}

#[test]
fn large_functions_take_linear_time() {
    let time = |branches: usize| {
        let mut b = Builder::new(Some(Type::I64), vec![Type::I64; 2], None);
        let param = b.add_param(BlockId(0), Type::I64);
        b.write(0, param);
        b.write(1, param);
        for n in 0..branches {
            let (yes, join) = (b.new_block(), b.new_block());
            let (at, limit) = (b.read(0), b.int(Type::I64, n as i128));
            let condition = b.push(Type::I8, Op::Compare(CompareOp::SLt, at, limit));
            b.branch(condition, yes, join);
            b.seal(yes);
            b.switch_to(yes);
            let next = b.push(Type::I64, Op::Binary(BinaryOp::Mul, at, limit));
            let load = b.push(Type::I64, Op::Load { address: param, offset: 8, alias: Alias::Length });
            let next = b.push(Type::I64, Op::Binary(BinaryOp::Add, next, load));
            b.effect(Op::Store { address: param, offset: 24, value: next, alias: Alias::Element });
            b.write((n % 2) as u32, next);
            b.jump(join);
            b.seal(join);
            b.switch_to(join);
        }
        let (x, y) = (b.read(0), b.read(1));
        let sum = b.push(Type::I64, Op::Binary(BinaryOp::Add, x, y));
        b.terminate(Terminator::Return(Some(sum)));
        let mut function = b.finish();
        let context = Context { level: OptLevel::O2, instance: None, callees: &NoCallees };
        let mut slowest = (std::time::Duration::ZERO, "");
        for pass in PASSES {
            let start = std::time::Instant::now();
            run_pass(&mut function, pass, &context);
            slowest = slowest.max((start.elapsed(), pass.name));
        }
        slowest
    };
    // Ten times the size: far from a hundred times the time, at least once on a busy machine.
    let mut times = (0..3).map(|_| (time(1_000), time(10_000)));
    let linear = times.any(|(few, many)| many.0 < few.0 * 40 + std::time::Duration::from_millis(200));
    assert!(linear, "{:?} {:?}", time(1_000), time(10_000));
}
