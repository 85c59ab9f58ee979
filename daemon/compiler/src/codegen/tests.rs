//! Hand-made MIR to running programs, linked with the system's C compiler where there is one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::redundant_clone
)]
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::compile::compile_function;
use super::isa::target_isa;
use super::object::{FunctionInput, ObjectContext, Position, write_object};
use crate::base::Machine;
use crate::base::{Db, FileContents, OptLevel, SourceFile, SourcePath, SourceRoot};
use crate::consteval::ConstValue;
use crate::lower::hir::{BinaryOp, UnaryOp};
use crate::lower::{ItemId, ItemKind, NodeId};
use crate::mir::*;
use crate::mono::{Instance, InstanceKind};
use crate::ssa::layout::{Layouts, PickShape};
use crate::ssa::{self, Source, Symbol, TypeInfo, lower_mir, verify};
use crate::types::{FloatTy, IntTy, Ty};

#[salsa::db]
#[derive(Default, Clone)]
struct TestDb {
    storage: salsa::Storage<Self>,
}

#[salsa::db]
impl salsa::Database for TestDb {}

#[salsa::db]
impl Db for TestDb {
    fn file(&self, path: &SourcePath) -> SourceFile {
        SourceFile::new(self, path.clone(), FileContents::Missing)
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        Arc::from([])
    }
}

/// Types and functions of a test program.
struct TestProgram {
    db: TestDb,
    file: SourceFile,
    forms: HashMap<ItemId, Vec<Ty>>,
    picks: HashMap<ItemId, PickShape>,
    consts: HashMap<ItemId, (ConstValue, Ty)>,
    functions: Vec<(String, Instance, Mir)>,
}

impl TestProgram {
    fn new() -> Self {
        let db = TestDb::default();
        let file = db.file(&SourcePath::workspace("test.vit"));
        let mut program = Self {
            db,
            file,
            forms: HashMap::new(),
            picks: HashMap::new(),
            consts: HashMap::new(),
            functions: Vec::new(),
        };
        // Panics tell C, which ends the process.
        for (name, params) in [
            ("panic_at", vec![Ty::String, Ty::USIZE]),
            ("panic_index", vec![int(IntTy::I64), Ty::Bool, Ty::USIZE, Ty::USIZE]),
            ("panic_division", vec![Ty::USIZE]),
            ("panic_char", vec![int(IntTy::I64), Ty::USIZE]),
        ] {
            let args = (0..params.len() as u32).map(|n| Operand::Move(local(n))).collect();
            let callee = Callee::Extern(format!("c_{name}").into(), params.clone(), Ty::Never);
            let call = StatementKind::Call { callee, args, dest: None };
            let body = mir(&params, &[], Ty::Never, vec![block(vec![call], Terminator::Unreachable)]);
            program.add(name, body);
        }
        program
    }

    fn item(&self, kind: ItemKind, name: &str) -> ItemId {
        ItemId::new(&self.db, self.file, kind, crate::base::Name::new(name), 0)
    }

    fn proc(&self, name: &str) -> Instance {
        self.instance(InstanceKind::Proc(self.item(ItemKind::Proc, name), Vec::new()))
    }

    fn add(&mut self, name: &str, mut body: Mir) -> Instance {
        let instance = self.proc(name);
        body.item = Some(self.item(ItemKind::Proc, name));
        self.functions.push((name.to_owned(), instance, body));
        instance
    }

    fn add_instance(&mut self, name: &str, kind: InstanceKind, body: Mir) {
        let instance = self.instance(kind);
        self.functions.push((name.to_owned(), instance, body));
    }

    fn object(&self, level: OptLevel) -> super::ObjectFile {
        let isa = target_isa(level, Machine::default()).unwrap();
        let codes: Vec<_> = (self.functions.iter())
            .map(|(name, _, body)| {
                let function = lower_mir(body, self);
                verify(&function).unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.dump(&function)));
                compile_function(&function, &*isa).unwrap_or_else(|error| panic!("{name}: {error}"))
            })
            .collect();
        let inputs: Vec<_> = (self.functions.iter().zip(&codes))
            .map(|((name, instance, body), code)| FunctionInput {
                instance: *instance,
                symbol: name,
                name: name.clone(),
                exported: true,
                declared: body.item.map(|item| Source { item, node: NodeId(0) }),
                code,
            })
            .collect();
        let mut context = Context { program: self };
        write_object(&inputs, "test.vit", true, &*isa, &mut Layouts::new(self), &mut context).unwrap()
    }

    fn dump(&self, function: &ssa::Function) -> String {
        let name = |symbol: &Symbol| match symbol {
            Symbol::Instance(instance) => match instance.kind(&self.db) {
                InstanceKind::Proc(item, _) => item.name(&self.db).to_string(),
                _ => "glue".to_owned(),
            },
            Symbol::Extern(name) => name.to_string(),
            Symbol::Literal(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            other => format!("{other:?}"),
        };
        ssa::dump(function, "f", &name)
    }

    /// Links with `c_code` at every level and checks what the program prints.
    fn check(&self, c_code: &str, expected: &str) {
        for level in [OptLevel::O0, OptLevel::O1] {
            let object = self.object(level);
            assert_eq!(object, self.object(level), "emission is not deterministic");
            if let Some(output) = link_and_run(&object.bytes, c_code) {
                assert_eq!(output, expected, "at {level:?}");
            }
        }
    }
}

struct Context<'a> {
    program: &'a TestProgram,
}

impl ObjectContext for Context<'_> {
    fn position(&mut self, source: Source) -> Option<Position> {
        Some(Position { file: Arc::from("test.vit"), line: source.node.0 + 1, column: 1 })
    }

    fn is_static(&self, _item: ItemId) -> bool {
        false
    }

    fn constant(&mut self, item: ItemId) -> Option<(ConstValue, Ty)> {
        self.program.consts.get(&item).cloned()
    }
}

impl TypeInfo for TestProgram {
    fn form(&self, item: ItemId, _args: &[Ty]) -> Vec<Ty> {
        self.forms[&item].clone()
    }

    fn pick(&self, item: ItemId, _args: &[Ty]) -> PickShape {
        self.picks[&item].clone()
    }

    fn instance(&self, kind: InstanceKind) -> Instance {
        Instance::new(&self.db, kind)
    }

    fn core_proc(&self, name: &str, _args: Vec<Ty>) -> Instance {
        self.proc(name)
    }

    fn type_name(&self, ty: &Ty) -> String {
        format!("{ty:?}")
    }

    fn const_value(&self, item: ItemId) -> Option<ConstValue> {
        self.consts.get(&item).map(|(value, _)| value.clone())
    }
}

const PRELUDE: &str = r#"
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
typedef __int128 i128;
typedef struct { int64_t rc; uint64_t len, cap; char data[]; } text;
typedef struct { text *file; uint64_t line, column; } place;
void c_panic_at(char *m, place *p) { printf("panic %s at %.*s:%d\n", m, (int)p->file->len, p->file->data, (int)p->line); exit(0); }
void c_panic_index(int64_t i, uint32_t s, uint64_t n, place *p) { printf("index %ld signed %u of %lu at %d\n", i, s & 255, n, (int)p->line); exit(0); }
void c_panic_division(place *p) { printf("division at %d\n", (int)p->line); exit(0); }
void c_panic_char(int64_t v, place *p) { printf("char %ld at %d\n", v, (int)p->line); exit(0); }
"#;

fn link_and_run(object: &[u8], c_code: &str) -> Option<String> {
    if Command::new("cc").arg("--version").output().is_err() {
        return None;
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("vitte-codegen-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name);
    std::fs::write(path("test.o"), object).unwrap();
    std::fs::write(path("main.c"), format!("{PRELUDE}\n{c_code}")).unwrap();
    let run = |program: &Path, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(Path::new("cc"), &["-pie", "-w", "main.c", "test.o", "-o", "program"]);
    let output = run(&path("program"), &[]);
    std::fs::remove_dir_all(&folder).unwrap();
    Some(output)
}

fn int(ty: IntTy) -> Ty {
    Ty::Int(ty)
}

fn local(n: u32) -> Place {
    Place { local: LocalId(n), projections: Vec::new() }
}

fn project(n: u32, projections: &[Projection]) -> Place {
    Place { local: LocalId(n), projections: projections.to_vec() }
}

fn mv(n: u32) -> Operand {
    Operand::Move(local(n))
}

fn number(value: i128, ty: IntTy) -> Operand {
    Operand::Const(Const::Int(value, Ty::Int(ty)))
}

/// Statements' nodes count from 1 in each block.
fn block(kinds: Vec<StatementKind>, terminator: Terminator) -> Block {
    let statements = (kinds.into_iter().enumerate())
        .map(|(index, kind)| Statement { node: NodeId(index as u32 + 1), kind })
        .collect();
    Block { statements, terminator }
}

fn mir(params: &[Ty], locals: &[Ty], ret: Ty, blocks: Vec<Block>) -> Mir {
    let all = params.iter().chain(locals);
    Mir {
        params: params.iter().map(|_| PassMode::Own).collect(),
        locals: all.map(|ty| Local { ty: ty.clone(), name: None, node: NodeId(0) }).collect(),
        ret,
        blocks,
        item: None,
    }
}

/// `(params) -> ret { give rvalue }`
fn expression(params: &[Ty], ret: Ty, rvalue: Rvalue) -> Mir {
    let result = params.len() as u32;
    let assign = StatementKind::Assign(local(result), rvalue);
    mir(
        params,
        std::slice::from_ref(&ret),
        ret.clone(),
        vec![block(vec![assign], Terminator::Return(Some(mv(result))))],
    )
}

#[test]
fn arithmetic_wraps_and_divides_without_traps() {
    let mut program = TestProgram::new();
    for (suffix, ty) in [("i8", IntTy::I8), ("i32", IntTy::I32), ("i64", IntTy::Int), ("u64", IntTy::U64)] {
        let ty = int(ty);
        for (name, op) in [
            ("add", BinaryOp::Add),
            ("div", BinaryOp::Div),
            ("rem", BinaryOp::Rem),
            ("shl", BinaryOp::Shl),
            ("shr", BinaryOp::Shr),
        ] {
            let body = expression(&[ty.clone(), ty.clone()], ty.clone(), Rvalue::Binary(op, mv(0), mv(1)));
            program.add(&format!("{name}_{suffix}"), body);
        }
    }
    let wide = [int(IntTy::I128), int(IntTy::I128)];
    program.add("mul_i128", expression(&wide, int(IntTy::I128), Rvalue::Binary(BinaryOp::Mul, mv(0), mv(1))));
    program.add("neg_i128", expression(&wide[..1], int(IntTy::I128), Rvalue::Unary(UnaryOp::Neg, mv(0))));
    program.check(
        r#"
int8_t add_i8(int8_t, int8_t), div_i8(int8_t, int8_t), rem_i8(int8_t, int8_t), shr_i8(int8_t, int8_t);
int32_t div_i32(int32_t, int32_t), rem_i32(int32_t, int32_t);
int64_t div_i64(int64_t, int64_t), rem_i64(int64_t, int64_t), shl_i64(int64_t, int64_t), shr_i64(int64_t, int64_t);
uint64_t div_u64(uint64_t, uint64_t), shr_u64(uint64_t, uint64_t);
i128 mul_i128(i128, i128), neg_i128(i128);
int main() {
    printf("%d %d %d %d\n", add_i8(127, 1), div_i8(-128, -1), rem_i8(-128, -1), shr_i8(-128, 9));
    printf("%d %d %d\n", div_i32(INT32_MIN, -1), div_i32(-7, 2), rem_i32(-7, 3));
    printf("%ld %ld %ld\n", div_i64(INT64_MIN, -1), rem_i64(INT64_MIN, -1), div_i64(100, -1));
    printf("%ld %ld %lu %lu\n", shl_i64(1, 65), shr_i64(-8, 1), div_u64(-1, 2), shr_u64(-1, 63));
    i128 big = mul_i128((i128)INT64_MAX, 1000); printf("%ld %lu\n", (long)(big >> 64), (long)big);
    big = neg_i128(5); printf("%ld %ld\n", (long)(big >> 64), (long)big);
    return 0;
}"#,
        "-128 -128 0 -64\n-2147483648 -3 -1\n-9223372036854775808 0 -100\n2 -4 9223372036854775807 1\n\
         499 18446744073709550616\n-1 -5\n",
    );
}

#[test]
fn integers_compare_as_mathematical_values() {
    let mut program = TestProgram::new();
    let mut declarations = String::new();
    let mut body = String::new();
    let kinds =
        [(IntTy::I8, "int8_t"), (IntTy::U8, "uint8_t"), (IntTy::I64, "int64_t"), (IntTy::U64, "uint64_t")];
    let values = [-128i128, -1, 0, 1, 127, 200, 255, i64::MIN as i128, i64::MAX as i128, u64::MAX as i128];
    let ops = [
        ("eq", BinaryOp::Eq),
        ("ne", BinaryOp::Ne),
        ("lt", BinaryOp::Lt),
        ("le", BinaryOp::Le),
        ("gt", BinaryOp::Gt),
        ("ge", BinaryOp::Ge),
    ];
    let fits = |value: i128, ty: IntTy| {
        let bits = ty.bits();
        if ty.signed() { ssa::wrap_int(value, bits) == value } else { value >= 0 && value >> bits == 0 }
    };
    for (a, a_name) in kinds {
        for (b, b_name) in kinds {
            for (name, op) in ops {
                let function = format!("{name}_{}_{}", a.name(), b.name());
                program.add(
                    &function,
                    expression(&[int(a), int(b)], Ty::Bool, Rvalue::Compare(op, mv(0), mv(1))),
                );
                declarations += &format!("uint8_t {function}({a_name}, {b_name});\n");
                for x in values.into_iter().filter(|&x| fits(x, a)) {
                    for y in values.into_iter().filter(|&y| fits(y, b)) {
                        let expected = match op {
                            BinaryOp::Eq => x == y,
                            BinaryOp::Ne => x != y,
                            BinaryOp::Lt => x < y,
                            BinaryOp::Le => x <= y,
                            BinaryOp::Gt => x > y,
                            _ => x >= y,
                        };
                        let (x, y) = (x as u64, y as u64);
                        body += &format!(
                            "if ({function}({x}ul, {y}ul) != {}) printf(\"{function} {x} {y}\\n\");\n",
                            u8::from(expected)
                        );
                    }
                }
            }
        }
    }
    program.check(&format!("{declarations}int main() {{ {body} return 0; }}"), "");
}

#[test]
fn casts_saturate_from_floats_and_round_to_nearest() {
    let mut program = TestProgram::new();
    let f64_ty = Ty::F64;
    let f32_ty = Ty::Float(FloatTy::F32);
    for ty in [IntTy::I8, IntTy::U8, IntTy::U16, IntTy::Int, IntTy::U64, IntTy::I128, IntTy::U128] {
        program.add(
            &format!("f64_to_{}", ty.name()),
            expression(std::slice::from_ref(&f64_ty), int(ty), Rvalue::Cast(mv(0), int(ty))),
        );
        program.add(
            &format!("{}_to_f64", ty.name()),
            expression(&[int(ty)], f64_ty.clone(), Rvalue::Cast(mv(0), f64_ty.clone())),
        );
        program.add(
            &format!("{}_to_f32", ty.name()),
            expression(&[int(ty)], f32_ty.clone(), Rvalue::Cast(mv(0), f32_ty.clone())),
        );
    }
    program.check(
        r#"
#include <math.h>
int8_t f64_to_i8(double); uint8_t f64_to_u8(double); uint16_t f64_to_u16(double); int64_t f64_to_int(double); uint64_t f64_to_u64(double);
i128 f64_to_i128(double); unsigned __int128 f64_to_u128(double);
double i8_to_f64(int8_t), u8_to_f64(uint8_t), int_to_f64(int64_t), u64_to_f64(uint64_t), i128_to_f64(i128), u128_to_f64(unsigned __int128);
float u64_to_f32(uint64_t), i128_to_f32(i128), u128_to_f32(unsigned __int128);
#define SAME(a, b) if ((a) != (b)) printf("line %d\n", __LINE__);
int main() {
    printf("%d %d %d %d %d\n", f64_to_i8(1e9), f64_to_i8(-1e9), f64_to_i8(-3.9), f64_to_i8(NAN), f64_to_u8(300));
    printf("%d %d %ld %ld %lu\n", f64_to_u8(-1), f64_to_u16(65535.9), f64_to_int(1e30), f64_to_int(-INFINITY), f64_to_u64(1e30));
    SAME(f64_to_i128(1e20), (i128)1e20); SAME(f64_to_i128(-1.5e30), (i128)-1.5e30); SAME(f64_to_i128(-2.5), -2);
    i128 most = ~((i128)1 << 127);
    SAME(f64_to_i128(1e40), most); SAME(f64_to_i128(-1e40), -most - 1); SAME(f64_to_i128(-ldexp(1, 127)), -most - 1);
    SAME(f64_to_i128(ldexp(1, 127)), most); SAME(f64_to_i128(NAN), 0);
    SAME(f64_to_u128(-5), 0); SAME(f64_to_u128(ldexp(1, 128)), ~(unsigned __int128)0); SAME(f64_to_u128(INFINITY), ~(unsigned __int128)0);
    SAME(f64_to_u128(ldexp(1, 127)), (unsigned __int128)1 << 127);
    SAME(i8_to_f64(-3), -3.0); SAME(u8_to_f64(255), 255.0); SAME(int_to_f64(INT64_MIN), -9223372036854775808.0);
    SAME(u64_to_f64(UINT64_MAX), 18446744073709551616.0); SAME(u64_to_f32(16777217), 16777216.0f);
    unsigned __int128 x = 1;
    for (int i = 0; i < 400; i++) {
        x = x * 0x9E3779B97F4A7C15ull + i;
        SAME(i128_to_f64((i128)x), (double)(i128)x); SAME(u128_to_f64(x), (double)x);
        SAME(i128_to_f32((i128)x), (float)(i128)x); SAME(u128_to_f32(x), (float)x);
        unsigned __int128 y = x >> (i % 128);
        SAME(i128_to_f64((i128)y), (double)(i128)y); SAME(u128_to_f32(y), (float)y);
    }
    SAME(i128_to_f64(0), 0.0);
    return 0;
}"#,
        "127 -128 -3 0 255\n0 65535 9223372036854775807 -9223372036854775808 18446744073709551615\n",
    );
}

/// `proc f(n: int) -> int { let i = 0; let sum = 0; while i < n { set sum = sum + i; set i = i + 1 }; give sum }`
#[test]
fn loops_become_block_parameters() {
    let mut program = TestProgram::new();
    let int_ty = Ty::INT;
    let assign = |n, rvalue| StatementKind::Assign(local(n), rvalue);
    let use_number = |n| Rvalue::Use(number(n, IntTy::Int));
    let copy = |n| Operand::Copy(local(n));
    let body = mir(
        std::slice::from_ref(&int_ty),
        &[int_ty.clone(), int_ty.clone(), Ty::Bool],
        int_ty.clone(),
        vec![
            block(vec![assign(1, use_number(0)), assign(2, use_number(0))], Terminator::Goto(BlockId(1))),
            block(
                vec![assign(3, Rvalue::Compare(BinaryOp::Lt, copy(1), copy(0)))],
                Terminator::Branch(mv(3), BlockId(2), BlockId(3)),
            ),
            block(
                vec![
                    assign(2, Rvalue::Binary(BinaryOp::Add, copy(2), copy(1))),
                    assign(1, Rvalue::Binary(BinaryOp::Add, copy(1), number(1, IntTy::Int))),
                ],
                Terminator::Goto(BlockId(1)),
            ),
            block(Vec::new(), Terminator::Return(Some(mv(2)))),
        ],
    );
    expect_test::expect![[r#"
        function f(v0: i64) -> i64 {
        b0:
            jump b1
        b1:
            v1: i64 = 0 ; n1
            v2: i64 = 0 ; n2
            jump b2(v1, v2)
        b2(v3: i64, v6: i64):
            v5: i8 = cmp.slt v3, v0 ; n1
            branch v5, b3, b4
        b3:
            v7: i64 = add v6, v3 ; n1
            v8: i64 = 1 ; n2
            v9: i64 = add v3, v8 ; n2
            jump b2(v9, v7)
        b4:
            return v6
        }
    "#]]
    .assert_eq(&program.dump(&lower_mir(
        &Mir { item: Some(program.item(ItemKind::Proc, "sum")), ..body.clone() },
        &program,
    )));
    program.add("sum", body);
    program.check(
        "int64_t sum(int64_t);\nint main() { printf(\"%ld %ld\\n\", sum(10), sum(-1)); return 0; }",
        "45 0\n",
    );
}

/// `pick Shape { Dot Line(length: int) Box(wide: u8, high: f64) }`
fn shape_pick(program: &mut TestProgram) -> Ty {
    let item = program.item(ItemKind::Pick, "Shape");
    let variants = vec![(vec![], 0), (vec![Ty::INT], 1), (vec![int(IntTy::U8), Ty::F64], 2)];
    program.picks.insert(item, PickShape { variants });
    Ty::Pick(item, Arc::from([]))
}

#[test]
fn picks_lists_and_forms_live_in_objects() {
    let mut program = TestProgram::new();
    let shape = shape_pick(&mut program);
    let u64_ty = int(IntTy::U64);
    program.add("tag", expression(std::slice::from_ref(&shape), Ty::USIZE, Rvalue::Tag(local(0))));
    program.add("dot", expression(&[], shape.clone(), Rvalue::Variant(shape.clone(), 0, Vec::new())));
    program
        .add("line", expression(&[Ty::INT], shape.clone(), Rvalue::Variant(shape.clone(), 1, vec![mv(0)])));
    program.add(
        "box",
        expression(
            &[int(IntTy::U8), Ty::F64],
            shape.clone(),
            Rvalue::Variant(shape.clone(), 2, vec![mv(0), mv(1)]),
        ),
    );
    let high = project(0, &[Projection::Payload { variant: 2, field: 1 }]);
    program.add("high", expression(std::slice::from_ref(&shape), Ty::F64, Rvalue::Use(Operand::Copy(high))));
    // A checked element.
    let list = Ty::List(Arc::new(u64_ty.clone()));
    let element = project(0, &[Projection::Index(LocalId(1))]);
    let check =
        PanicKind::Index { index: Operand::Copy(local(1)), signed: false, len: Operand::Copy(local(2)) };
    program.add(
        "at",
        mir(
            &[list.clone(), Ty::USIZE],
            &[Ty::USIZE, Ty::Bool, u64_ty.clone()],
            u64_ty.clone(),
            vec![block(
                vec![
                    StatementKind::Assign(local(2), Rvalue::Len(local(0))),
                    StatementKind::Assign(
                        local(3),
                        Rvalue::Compare(BinaryOp::Lt, Operand::Copy(local(1)), Operand::Copy(local(2))),
                    ),
                    StatementKind::Check(mv(3), check),
                    StatementKind::Assign(local(4), Rvalue::Use(Operand::Copy(element))),
                ],
                Terminator::Return(Some(mv(4))),
            )],
        ),
    );
    let items = vec![mv(0), number(7, IntTy::U64), mv(0)];
    program.add(
        "three",
        expression(std::slice::from_ref(&u64_ty), list.clone(), Rvalue::List(list.clone(), items)),
    );
    program.add("none", expression(&[], list.clone(), Rvalue::List(list.clone(), Vec::new())));
    // A list of shapes as a constant, and text.
    let table = program.item(ItemKind::Const, "TABLE");
    let table_ty = Ty::List(Arc::new(shape.clone()));
    let value = ConstValue::List(vec![
        ConstValue::Variant(0, vec![]),
        ConstValue::Variant(2, vec![ConstValue::Int(9), ConstValue::Float(2.5f64.to_bits())]),
    ]);
    program.consts.insert(table, (value, table_ty.clone()));
    program.add(
        "table",
        expression(&[], table_ty.clone(), Rvalue::Use(Operand::Const(Const::Item(table, table_ty)))),
    );
    program
        .add("hello", expression(&[], Ty::String, Rvalue::Use(Operand::Const(Const::Str("hello".into())))));
    program.add("byte", expression(&[Ty::String, Ty::INT], Ty::Char, Rvalue::StringByte(local(0), mv(1))));
    program.check(
        r#"
void *dot(), *line(int64_t), *box(uint8_t, double), *three(uint64_t), *none(), **table(); uint64_t tag(void*), at(void*, uint64_t); double high(void*);
text *hello(); uint32_t byte(text*, int64_t);
int main() {
    printf("%lu %lu %lu %ld\n", tag(dot()), tag(line(5)), tag(box(1, 2)), (long)dot());
    int64_t *b = box(200, 1.5);
    printf("%ld %d %d %g\n", b[0], (int)b[1], *(uint8_t*)(b + 2), high(b));
    int64_t *l = three(9);
    printf("%ld %ld %ld %lu %lu\n", l[0], l[1], l[2], at(l, 0), at(l, 1));
    l = none();
    printf("%d %ld\n", l[0] == 1l << 62, l[1]);
    void **t = table();
    printf("%ld %ld %g\n", (long)t[1], (long)t[3], high(t[4]));
    printf("%.*s %c\n", (int)hello()->len, hello()->data, byte(hello(), 4));
    fflush(stdout);
    at(three(1), 3);
    return 0;
}"#,
        "0 1 2 1\n1 2 200 1.5\n1 3 3 9 7\n1 0\n2 1 2.5\nhello o\nindex 3 signed 0 of 3 at 4\n",
    );
}

#[test]
fn counts_rise_fall_and_make_objects_unique() {
    let mut program = TestProgram::new();
    let item = program.item(ItemKind::Form, "Pair");
    program.forms.insert(item, vec![int(IntTy::U8), Ty::INT]);
    let pair = Ty::Form(item, Arc::from([]));
    let field = |n: u32| project(n, &[Projection::Field(1)]);
    program.add(
        "pair",
        expression(
            &[int(IntTy::U8), Ty::INT],
            pair.clone(),
            Rvalue::Record(pair.clone(), vec![mv(0), mv(1)]),
        ),
    );
    // proc set(p: Pair, n: int) -> Pair { set p.1 = n; give p }
    program.add(
        "set",
        mir(
            &[pair.clone(), Ty::INT],
            &[],
            pair.clone(),
            vec![block(
                vec![StatementKind::Unique(local(0)), StatementKind::Assign(field(0), Rvalue::Use(mv(1)))],
                Terminator::Return(Some(mv(0))),
            )],
        ),
    );
    program.add(
        "share",
        expression(std::slice::from_ref(&pair), pair.clone(), Rvalue::Use(Operand::Copy(local(0)))),
    );
    program.add(
        "drop",
        mir(
            std::slice::from_ref(&pair),
            &[],
            Ty::Unit,
            vec![block(vec![StatementKind::Drop(local(0))], Terminator::Return(None))],
        ),
    );
    let call = |name: &str, params: &[Ty], ret: Ty| Callee::Extern(name.into(), params.to_vec(), ret);
    let object = std::slice::from_ref(&pair);
    program.add_instance(
        "drop_pair",
        InstanceKind::Drop(pair.clone()),
        mir(
            object,
            &[],
            Ty::Unit,
            vec![block(
                vec![StatementKind::Call {
                    callee: call("c_free", object, Ty::Unit),
                    args: vec![mv(0)],
                    dest: None,
                }],
                Terminator::Return(None),
            )],
        ),
    );
    let dest = Some(local(1));
    let clone = call("c_clone", object, pair.clone());
    program.add_instance(
        "clone_pair",
        InstanceKind::Clone(pair.clone()),
        mir(
            object,
            object,
            pair.clone(),
            vec![block(
                vec![StatementKind::Call { callee: clone, args: vec![mv(0)], dest }],
                Terminator::Return(Some(mv(1))),
            )],
        ),
    );
    // proc bump(n: ref mut int) { set n = n + 1 }; proc twice(n: int) -> int { bump(n); bump(n); give n }
    let reference = Ty::Ref(true, Arc::new(Ty::INT));
    let deref = project(0, &[Projection::Deref]);
    let sum = Rvalue::Binary(BinaryOp::Add, Operand::Copy(deref.clone()), number(1, IntTy::Int));
    let bump = program.add(
        "bump",
        mir(
            std::slice::from_ref(&reference),
            &[],
            Ty::Unit,
            vec![block(vec![StatementKind::Assign(deref, sum)], Terminator::Return(None))],
        ),
    );
    let bump_it = StatementKind::Call { callee: Callee::Instance(bump), args: vec![mv(1)], dest: None };
    program.add(
        "twice",
        mir(
            &[Ty::INT],
            &[reference],
            Ty::INT,
            vec![block(
                vec![StatementKind::Assign(local(1), Rvalue::AddressOf(local(0))), bump_it.clone(), bump_it],
                Terminator::Return(Some(Operand::Copy(local(0)))),
            )],
        ),
    );
    program.check(
        r#"
int64_t *pair(uint8_t, int64_t), *set(int64_t*, int64_t), *share(int64_t*), twice(int64_t); void drop(void*);
void c_free(void *p) { printf("free\n"); free(p); }
void *c_clone(int64_t *p) { printf("clone\n"); int64_t *q = malloc(24); q[0] = 1; q[1] = p[1]; q[2] = p[2]; return q; }
int main() {
    int64_t *p = pair(1, 2);
    int64_t *same = set(p, 3); printf("%d %ld\n", same == p, p[2]);
    share(p); printf("%ld\n", p[0]);
    int64_t *q = set(p, 4); printf("%d %ld %ld %ld\n", q == p, p[2], q[2], p[0]);
    drop(p); drop(q);
    printf("%ld\n", twice(40));
    return 0;
}"#,
        "1 3\n2\nclone\n0 3 4 1\nfree\nfree\n42\n",
    );
}

#[test]
fn switches_and_panics() {
    let mut program = TestProgram::new();
    let answer = |n| Terminator::Return(Some(number(n, IntTy::Int)));
    let cases = vec![(-1, BlockId(1)), (200, BlockId(2)), (i128::from(i64::MIN), BlockId(3))];
    program.add(
        "choose",
        mir(
            &[Ty::INT],
            &[],
            Ty::INT,
            vec![
                block(Vec::new(), Terminator::Switch(mv(0), cases, BlockId(4))),
                block(Vec::new(), answer(10)),
                block(Vec::new(), answer(20)),
                block(Vec::new(), answer(30)),
                block(Vec::new(), answer(40)),
            ],
        ),
    );
    program.add(
        "fail",
        mir(
            &[],
            &[],
            Ty::Never,
            vec![block(Vec::new(), Terminator::Panic(Operand::Const(Const::Str("oh no".into())), NodeId(6)))],
        ),
    );
    program.check(
        r#"
int64_t choose(int64_t); void fail();
int main() {
    printf("%ld %ld %ld %ld\n", choose(-1), choose(200), choose(INT64_MIN), choose(0));
    fail();
    return 0;
}"#,
        "10 20 30 40\npanic oh no at test.vit:7\n",
    );
}
