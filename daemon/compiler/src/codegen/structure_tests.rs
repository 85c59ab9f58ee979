//! Graphs become structured code that computes the same: every function here is run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use wasm_encoder::{CodeSection, ExportKind, ExportSection, FunctionSection, Module, TypeSection};
use wasmi::{Engine, Linker, Store};

use super::structure::{Step, structure};
use super::wasm::{WasmWidth, compile_wasm};
use crate::ssa::{BinaryOp, Block, BlockId, CompareOp, Function, Inst, Op, Target, Terminator, Type, Value};

/// A function of numbers in the making.
struct Graph {
    function: Function,
}

impl Graph {
    /// Blocks with so many parameters each; those of the first are the function's.
    fn new(params: &[usize]) -> Self {
        let function = Function {
            ret: Some(Type::I64),
            values: Vec::new(),
            blocks: Vec::new(),
            slots: Vec::new(),
            item: None,
        };
        let mut graph = Self { function };
        for &count in params {
            let params = (0..count).map(|_| graph.function.new_value(Type::I64)).collect();
            let terminator = Terminator::Unreachable;
            graph.function.blocks.push(Block { params, insts: Vec::new(), terminator });
        }
        graph
    }

    fn param(&self, block: u32, number: usize) -> Value {
        self.function.blocks[block as usize].params[number]
    }

    fn push(&mut self, block: u32, ty: Type, op: Op) -> Value {
        let value = self.function.new_value(ty);
        let inst = Inst { op, result: Some(value), source: None };
        self.function.blocks[block as usize].insts.push(inst);
        value
    }

    fn int(&mut self, block: u32, value: i128) -> Value {
        self.push(block, Type::I64, Op::Int(value))
    }

    fn binary(&mut self, block: u32, op: BinaryOp, left: Value, right: i128) -> Value {
        let right = self.int(block, right);
        self.push(block, Type::I64, Op::Binary(op, left, right))
    }

    fn is_below(&mut self, block: u32, left: Value, right: i128) -> Value {
        let right = self.int(block, right);
        self.push(block, Type::I8, Op::Compare(CompareOp::SLt, left, right))
    }

    fn end(&mut self, block: u32, terminator: Terminator) {
        self.function.blocks[block as usize].terminator = terminator;
    }

    fn run(&self, args: &[i64]) -> i64 {
        crate::ssa::verify(&self.function).unwrap();
        let code = compile_wasm(&self.function, WasmWidth::Wasm32).unwrap();
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function(code.signature.params.iter().copied(), code.signature.results.iter().copied());
        module.section(&types);
        let mut functions = FunctionSection::new();
        functions.function(0);
        module.section(&functions);
        let mut exports = ExportSection::new();
        exports.export("f", ExportKind::Func, 0);
        module.section(&exports);
        let mut section = CodeSection::new();
        section.raw(&code.bytes);
        module.section(&section);
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, module.finish()).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).unwrap();
        let function = instance.get_func(&store, "f").unwrap();
        let args: Vec<wasmi::Val> = args.iter().map(|arg| wasmi::Val::I64(*arg)).collect();
        let mut result = [wasmi::Val::I64(0)];
        function.call(&mut store, &args, &mut result).unwrap();
        result[0].i64().unwrap()
    }
}

fn to(block: u32, args: &[Value]) -> Target {
    Target { block: BlockId(block), args: args.to_vec() }
}

#[test]
fn a_loop_with_two_entries() {
    let mut graph = Graph::new(&[1, 1, 1, 1]);
    let n = graph.param(0, 0);
    let odd = graph.binary(0, BinaryOp::And, n, 1);
    let is_even = graph.is_below(0, odd, 1);
    graph.end(0, Terminator::Branch(is_even, to(1, &[n]), to(2, &[n])));
    for (block, step) in [(1, 3), (2, 5)] {
        let value = graph.param(block, 0);
        let less = graph.binary(block, BinaryOp::Sub, value, step);
        let is_done = graph.is_below(block, less, 0);
        graph.end(block, Terminator::Branch(is_done, to(3, &[less]), to(3 - block, &[less])));
    }
    let result = graph.param(3, 0);
    graph.end(3, Terminator::Return(Some(result)));
    assert!(matches!(structure(&graph.function)[..], [Step::Dispatch(_)]));
    let expected = |n: i64| {
        let (mut value, mut step) = (n, if n % 2 == 0 { 3 } else { 5 });
        loop {
            value -= step;
            if value < 0 {
                return value;
            }
            step = 8 - step;
        }
    };
    for n in [0, 1, 2, 7, 8, 30, 31, 1001] {
        assert_eq!(graph.run(&[n]), expected(n), "{n}");
    }
}

#[test]
fn parameters_change_places_at_once() {
    // Fibonacci: (a, b, n) becomes (b, a + b, n - 1).
    let mut graph = Graph::new(&[1, 3, 1]);
    let n = graph.param(0, 0);
    let (zero, one) = (graph.int(0, 0), graph.int(0, 1));
    graph.end(0, Terminator::Jump(to(1, &[zero, one, n])));
    let [a, b, left] = [0, 1, 2].map(|number| graph.param(1, number));
    let sum = graph.push(1, Type::I64, Op::Binary(BinaryOp::Add, a, b));
    let less = graph.binary(1, BinaryOp::Sub, left, 1);
    let is_done = graph.is_below(1, less, 0);
    graph.end(1, Terminator::Branch(is_done, to(2, &[a]), to(1, &[b, sum, less])));
    let result = graph.param(2, 0);
    graph.end(2, Terminator::Return(Some(result)));
    assert_eq!([0, 1, 2, 10, 50].map(|n| graph.run(&[n])), [0, 1, 1, 55, 12_586_269_025]);
}

/// Cases lead to a block that adds its argument to the number, or straight to the end.
fn switch(cases: &[i128]) -> Graph {
    let mut graph = Graph::new(&[1, 1, 1]);
    let n = graph.param(0, 0);
    let values: Vec<Value> = (0..cases.len() as i128).map(|at| graph.int(0, 1000 * (at % 7 + 1))).collect();
    let arms = cases.iter().zip(&values).map(|(case, value)| (*case, to(1, &[*value]))).collect();
    graph.end(0, Terminator::Switch { value: n, cases: arms, default: to(2, &[n]) });
    let given = graph.param(1, 0);
    let sum = graph.push(1, Type::I64, Op::Binary(BinaryOp::Add, given, n));
    graph.end(1, Terminator::Jump(to(2, &[sum])));
    let result = graph.param(2, 0);
    graph.end(2, Terminator::Return(Some(result)));
    graph
}

#[test]
fn switches_dense_and_sparse() {
    let dense: Vec<i128> = (-3..20).collect();
    let sparse: Vec<i128> =
        (0..40).map(|at| (at - 20) * 1_000_003).chain([i64::MAX.into(), i64::MIN.into()]).collect();
    for cases in [dense, sparse, vec![5], Vec::new()] {
        let graph = switch(&cases);
        let expected = |n: i64| match cases.iter().position(|case| *case == i128::from(n)) {
            Some(at) => n.wrapping_add(1000 * (at as i64 % 7 + 1)),
            None => n,
        };
        let near = cases.iter().flat_map(|case| [-1, 0, 1].map(|by| (*case as i64).wrapping_add(by)));
        for n in near.chain([0, 1, -1, 1 << 40, 1 << 32]) {
            assert_eq!(graph.run(&[n]), expected(n), "{n} of {cases:?}");
        }
    }
}
