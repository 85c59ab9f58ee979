//! The format: what is written is what is read, each value has one encoding, and everything else is refused with
//! its reason and its place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use support::random::Random;
use support::{generator, rich};
use vitte_bytecode::ValueType::{F64, I32, I64};
use vitte_bytecode::{
    AddressType, BinaryOp, Case, Custom, Export, ExportItem, Fault, Field, FunctionBody, FunctionBuilder,
    FunctionType, Instruction, InterfaceType, LineEntry, MemoryType, Module, ModuleBuilder, OPCODES,
    Register, Report, Segment, Signature, StateField, TypeDefinition, Unknown, Value, encode, limits, load,
};

fn refused(module: &Module) -> Report {
    let bytes = encode(module);
    match load(&bytes) {
        Ok(_) => panic!("accepted:\n{module}"),
        Err(report) => {
            assert!(report.problems.iter().all(|problem| problem.offset <= bytes.len()), "{report}");
            report
        }
    }
}

/// Codes of what is wrong with the rich module after `change`.
fn codes(change: impl FnOnce(&mut Module)) -> Vec<&'static str> {
    let mut module = rich::module();
    change(&mut module);
    refused(&module).problems.iter().map(|problem| problem.fault.code()).collect()
}

/// A module of one function without parameters and results.
fn one_function(registers: &[vitte_bytecode::ValueType], instructions: &[Instruction]) -> Module {
    let mut module = ModuleBuilder::new();
    let signature = module.signature(&[], &[]);
    let function = module.declare("f", signature);
    let body = FunctionBody {
        registers: registers.to_vec(),
        instructions: instructions.to_vec(),
        places: Vec::new(),
    };
    module.define(function, &body);
    module.finish()
}

fn code_fault(registers: &[vitte_bytecode::ValueType], instructions: &[Instruction]) -> Fault {
    let report = refused(&one_function(registers, instructions));
    let problem = report.problems.first().unwrap();
    assert_eq!(problem.function, Some(0));
    problem.fault.clone()
}

fn return_nothing() -> Instruction {
    Instruction::Return { values: Box::default() }
}

#[test]
fn every_section_survives() {
    let module = rich::module();
    let bytes = encode(&module);
    let verified = load(&bytes).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(*verified.module(), module);
    assert_eq!(encode(verified.module()), bytes);
}

#[test]
fn random_modules_survive() {
    for seed in 0..300 {
        let module = generator::module(&mut Random::new(seed)).finish();
        let bytes = encode(&module);
        let verified = load(&bytes).unwrap_or_else(|report| panic!("seed {seed}: {report}"));
        assert_eq!(*verified.module(), module, "seed {seed}");
        assert_eq!(encode(verified.module()), bytes, "seed {seed}");
    }
}

#[test]
fn opcodes_have_one_number_and_one_name() {
    let numbers: BTreeSet<u8> = OPCODES.iter().map(|opcode| opcode.number).collect();
    let names: BTreeSet<&str> = OPCODES.iter().map(|opcode| opcode.name).collect();
    assert_eq!((numbers.len(), names.len()), (OPCODES.len(), OPCODES.len()));
}

#[test]
fn the_table_in_the_document_is_that_of_the_code() {
    let document = include_str!("../FORMAT.md");
    let expected: Vec<String> = OPCODES
        .iter()
        .map(|opcode| format!("| 0x{:02x} | `{}` | {} |", opcode.number, opcode.name, opcode.operands))
        .collect();
    let found: Vec<&str> = document.lines().filter(|line| line.starts_with("| 0x")).collect();
    assert_eq!(found, expected, "FORMAT.md should have:\n{}", expected.join("\n"));
}

#[test]
fn the_caps_in_the_document_are_those_of_the_code() {
    let document = include_str!("../FORMAT.md");
    for (what, cap) in [
        ("bytes of a file", limits::MODULE_BYTES as u64),
        ("bytes of the section of types", limits::TYPES_BYTES as u64),
        ("functions", limits::FUNCTIONS as u64),
        ("registers of a function", limits::REGISTERS as u64),
        ("registers of all functions", limits::TOTAL_REGISTERS as u64),
        ("bytes of a body", limits::BODY_BYTES as u64),
        ("open blocks", limits::NESTING as u64),
        ("slots of the table", limits::TABLE as u64),
        ("bytes of a name", limits::NAME_BYTES as u64),
    ] {
        assert!(document.contains(&format!("| {what} | {cap} |")), "{what}: {cap}");
    }
}

#[test]
fn the_disassembly_shows_everything() {
    let text = rich::module().to_string();
    for line in [
        "record point {\n  x: f64,\n  y: f64,\n}",
        "variant shape {\n  nothing,\n  square(f64),\n}",
        "import 0 \"vitte:base/log@1.0.0\" \"print\" (i32, i32) -> (): func(text: string)",
        "export \"scale\" function 2: func(p: point, by: f64) -> point",
        "export \"memory\" memory",
        "memory 32-bit, 2 pages, at most 8",
        "global 0 variable i32 = 4096",
        "slot 0 empty\nslot 1 function 3",
        "data 0x400, 5 bytes: 68 65 6c 6c 6f",
        "state version 3\n  0x10 \"count\": u32\n  0x20 \"origin\": point",
        "custom \"note\" 9 bytes",
        "function 3 \"area\" (i32, f64) -> (f64)",
        "        ; rich.vit:15\n     0  if r0\n     2    r2 = f64.mul r1 r1\n     6    return r2\n     9  end",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn what_is_no_bytecode_is_refused() {
    let first = |bytes: &[u8]| load(bytes).unwrap_err().problems[0].fault.clone();
    assert_eq!(first(b""), Fault::NotBytecode);
    assert_eq!(first(b"\0asm\x01\0\0\0"), Fault::NotBytecode);
    assert_eq!(first(b"\0vbc\x01\0"), Fault::Truncated);
    assert_eq!(first(b"\0vbc\x01\0\0\0"), Fault::Versions { version: 1, minimum: 0 });
    assert_eq!(first(b"\0vbc\x01\0\x02\0"), Fault::Versions { version: 1, minimum: 2 });
    assert_eq!(first(b"\0vbc\x07\0\x02\0"), Fault::TooNew { needed: 2, known: 1 });
    assert!(load(b"\0vbc\x01\0\x01\0").is_ok(), "an empty module is one");
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x63\x01\0"), Fault::UnknownSection(0x63));
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x05\0"), Fault::EmptySection(5));
    // A list that holds nothing is nothing too.
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x03\x01\0"), Fault::EmptySection(3));
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x05\x03\0\0\0\x05\x03\0\0\0"), Fault::SectionOrder(5));
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x05\x04\0\0\0\0"), Fault::TrailingBytes(1));
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x05\x83\0"), Fault::Overlong);
    assert_eq!(first(b"\0vbc\x01\0\x01\0\x05\x7f"), Fault::Truncated);
    assert_eq!(
        first(b"\0vbc\x01\0\x01\0\x05\x03\x02\0\0"),
        Fault::Tag { what: "type of address", number: 2 }
    );
}

#[test]
fn a_newer_format_may_add_sections() {
    let mut module = rich::module();
    module.version = 2;
    module.unknown.push(Unknown { number: 0x40, bytes: vec![1, 2, 3] });
    let bytes = encode(&module);
    assert_eq!(encode(load(&bytes).unwrap().module()), bytes, "what is skipped is kept");
    module.unknown[0].number = 13;
    assert_eq!(refused(&module).problems[0].fault, Fault::UnknownSection(13));
}

#[test]
fn every_prefix_is_refused_or_whole() {
    let bytes = encode(&rich::module());
    // Sections are in order, so that a file cut between two may be a module, but never the same one.
    let accepted = (0..bytes.len()).filter(|end| load(&bytes[..*end]).is_ok()).count();
    assert!(accepted <= 12, "{accepted}");
    for end in 0..bytes.len() {
        if let Ok(verified) = load(&bytes[..end]) {
            assert_eq!(encode(verified.module()), &bytes[..end]);
        }
    }
}

#[test]
fn references_must_exist_and_lists_be_in_order() {
    let duplicate = |module: &mut Module| module.signatures.push(module.signatures[0].clone());
    assert_eq!(codes(duplicate), ["vitbc::duplicate"]);
    assert_eq!(codes(|m| m.exports.swap(0, 1)), ["vitbc::unsorted"]);
    assert_eq!(codes(|m| m.exports.insert(0, m.exports[0].clone())), ["vitbc::duplicate"]);
    let reserved = |m: &mut Module| {
        m.exports.push(Export { name: "vitbc.x".into(), item: ExportItem::Memory });
    };
    assert_eq!(codes(reserved), ["vitbc::reserved_name"]);
    assert_eq!(codes(|m| m.imports.push(m.imports[0].clone())), ["vitbc::duplicate"]);
    assert_eq!(codes(|m| m.imports[0].name.clear()), ["vitbc::empty"]);
    assert_eq!(codes(|m| m.table.push(Some(99))), ["vitbc::missing"]);
    assert_eq!(codes(|m| m.functions[4].signature = 99), ["vitbc::missing"]);
    assert_eq!(codes(|m| m.data[1].address = 17), ["vitbc::overlap"]);
    assert_eq!(codes(|m| m.data[1].address = 131_070), ["vitbc::outside_memory"]);
    assert_eq!(codes(|m| m.data[1].address = u64::MAX), ["vitbc::outside_memory"]);
    assert_eq!(codes(|m| m.data[1].bytes.clear()), ["vitbc::empty"]);
    assert_eq!(codes(|m| m.state.as_mut().unwrap().fields.swap(0, 1)), ["vitbc::unsorted"]);
    assert_eq!(codes(|m| m.state.as_mut().unwrap().fields[1].address = 36), ["vitbc::misaligned"]);
    assert_eq!(codes(|m| m.state.as_mut().unwrap().fields[1].address = 1 << 40), ["vitbc::outside_memory"]);
    let nothing = |m: &mut Module| {
        let field = StateField { name: "x".into(), ty: InterfaceType::Defined(99), address: 0 };
        m.state.as_mut().unwrap().fields.push(field);
    };
    assert_eq!(codes(nothing), ["vitbc::missing"]);
    let custom = |name: &str| Custom { name: name.into(), bytes: Vec::new() };
    assert_eq!(codes(|m| m.custom.push(custom("a"))), ["vitbc::unsorted"]);
    assert_eq!(codes(|m| m.memory.as_mut().unwrap().max_pages = Some(1)), ["vitbc::memory_sizes"]);
    assert_eq!(codes(|m| m.memory.as_mut().unwrap().max_pages = Some(65_537)), ["vitbc::limit"]);
    assert_eq!(codes(|m| m.functions[0].registers.push((0, I32))), ["vitbc::split_run"]);
    assert_eq!(codes(|m| m.functions[0].registers.push((50_000, F64))), ["vitbc::limit"]);
    let exported = |m: &mut Module| {
        m.exports.push(Export { name: "z".into(), item: ExportItem::Global(7) });
    };
    assert_eq!(codes(exported), ["vitbc::missing"]);
}

#[test]
fn lines_must_name_instructions() {
    assert_eq!(codes(|m| m.lines.functions[0].entries[0].offset = 1), ["vitbc::line_offset"]);
    assert_eq!(codes(|m| m.lines.functions[0].entries[0].file = 9), ["vitbc::missing"]);
    assert_eq!(codes(|m| m.lines.functions.last_mut().unwrap().function = 99), ["vitbc::missing"]);
    let beyond = LineEntry { offset: 5000, file: 0, line: 1, column: 0 };
    assert_eq!(codes(|m| m.lines.functions[0].entries.push(beyond)), ["vitbc::line_offset"]);
}

#[test]
fn interface_types_follow_the_rules_of_wit() {
    let push = |ty: TypeDefinition| codes(|m| m.types.push(ty));
    let tuple = |types: &[InterfaceType]| TypeDefinition::Tuple(types.to_vec());
    assert_eq!(push(tuple(&[])), ["vitbc::empty"]);
    assert_eq!(push(tuple(&[InterfaceType::Defined(8)])), ["vitbc::missing"], "itself");
    assert_eq!(
        push(TypeDefinition::Flags { name: "point".into(), flags: vec!["a".into()] }),
        ["vitbc::duplicate"]
    );
    for name in ["", "Point", "a_b", "a--b", "1a", "a-", "ünder"] {
        let record = TypeDefinition::Enum { name: name.into(), cases: vec!["a".into()] };
        assert_eq!(push(record), ["vitbc::name"], "{name}");
    }
    let twice = TypeDefinition::Enum { name: "e".into(), cases: vec!["a".into(), "a".into()] };
    assert_eq!(push(twice), ["vitbc::duplicate"]);
    // Each twice as large as the one before: 2^40 bytes by 40 short definitions.
    let grow = |module: &mut Module| {
        let first = module.types.len() as u32;
        module.types.push(tuple(&[InterfaceType::U64, InterfaceType::U64, InterfaceType::U64]));
        for at in first..first + 40 {
            module.types.push(tuple(&[InterfaceType::Defined(at), InterfaceType::Defined(at)]));
        }
    };
    assert!(codes(grow).contains(&"vitbc::limit"));
}

/// Whether a function type goes with a signature on the exporting side of a module with all that it may need.
fn fits(types: Vec<TypeDefinition>, params: &[InterfaceType], result: Option<InterfaceType>) -> Signature {
    let mut module = rich::module();
    module.exports.retain(|export| ["memory", "cabi_realloc"].contains(&&*export.name));
    module.types = types;
    module.state = None;
    module.imports.clear();
    module.functions[1].code = encoded(&[Instruction::Unreachable]);
    module.lines = Default::default();
    module.function_types = vec![FunctionType {
        params: params.iter().enumerate().map(|(at, ty)| Field { name: format!("p{at}"), ty: *ty }).collect(),
        result,
    }];
    module.signatures[4] = Signature::new(&[I64; 9], &[]);
    module.functions[4].signature = 4;
    module.functions[4].code = encoded(&[Instruction::Unreachable]);
    module.functions[4].registers.clear();
    let item = ExportItem::Function { function: 4, interface: Some(0) };
    module.exports.push(Export { name: "f".into(), item });
    module.exports.sort_by(|a, b| a.name.cmp(&b.name));
    let report = refused(&module);
    match &report.problems[0].fault {
        Fault::Abi(mismatch) => mismatch.expected.clone(),
        other => panic!("{other}"),
    }
}

fn encoded(instructions: &[Instruction]) -> Vec<u8> {
    one_function(&[], instructions).functions[0].code.clone()
}

#[test]
fn signatures_follow_the_canonical_abi() {
    use InterfaceType::{Bool, Char, Defined, F32, S8, String, U64};
    let f32 = vitte_bytecode::ValueType::F32;
    assert_eq!(
        fits(vec![], &[Bool, S8, Char, U64, F32], None),
        Signature::new(&[I32, I32, I32, I64, f32], &[])
    );
    assert_eq!(fits(vec![], &[String], Some(String)), Signature::new(&[I32, I32], &[I32]));
    assert_eq!(fits(vec![], &[], Some(Char)), Signature::new(&[], &[I32]));
    // Sixteen values go in registers, seventeen through memory.
    assert_eq!(fits(vec![], &[U64; 16], None), Signature::new(&[I64; 16], &[]));
    assert_eq!(fits(vec![], &[U64; 17], None), Signature::new(&[I32], &[]));
    // Cases share registers: an f32 and a u64 need an i64, an f32 and an i32 need an i32.
    let variant = |types: [InterfaceType; 2]| {
        vec![TypeDefinition::Variant {
            name: "v".into(),
            cases: vec![
                Case { name: "a".into(), ty: Some(types[0]) },
                Case { name: "b".into(), ty: Some(types[1]) },
                Case { name: "c".into(), ty: None },
            ],
        }]
    };
    assert_eq!(fits(variant([F32, U64]), &[Defined(0)], None), Signature::new(&[I32, I64], &[]));
    assert_eq!(fits(variant([F32, Char]), &[Defined(0)], None), Signature::new(&[I32, I32], &[]));
    assert_eq!(fits(variant([String, F32]), &[Defined(0)], None), Signature::new(&[I32, I32, I32], &[]));
    let option = vec![TypeDefinition::Option(U64)];
    assert_eq!(fits(option, &[], Some(Defined(0))), Signature::new(&[], &[I32]));
}

#[test]
fn values_through_memory_need_its_export_and_the_allocator() {
    let without = |name: &'static str| move |m: &mut Module| m.exports.retain(|export| export.name != name);
    let needs = codes(without("memory"));
    assert!(!needs.is_empty() && needs.iter().all(|code| *code == "vitbc::abi_needs"), "{needs:?}");
    let needs = codes(without("cabi_realloc"));
    assert_eq!(needs, ["vitbc::abi_needs"], "only `greet` takes a string");
}

#[test]
fn code_is_checked_by_types() {
    let r = Register;
    let not = |register, expected, found| Fault::RegisterType { register, expected, found };
    let add = |op, result, left, right| Instruction::Binary { op, result, left, right };
    assert_eq!(
        code_fault(&[I32, I64], &[add(BinaryOp::I32Add, r(0), r(0), r(1)), return_nothing()]),
        not(r(1), I32, I64)
    );
    assert_eq!(
        code_fault(&[I32], &[Instruction::Move { result: r(0), value: r(1) }, return_nothing()]),
        Fault::MissingRegister { register: r(1), count: 1 }
    );
    assert_eq!(code_fault(&[], &[Instruction::Block, return_nothing()]), Fault::OpenBlocks(1));
    assert_eq!(code_fault(&[], &[Instruction::End, return_nothing()]), Fault::EndWithoutBlock);
    assert_eq!(
        code_fault(&[], &[Instruction::Block, Instruction::Else, Instruction::End, return_nothing()]),
        Fault::ElseWithoutIf
    );
    assert_eq!(code_fault(&[], &[]), Fault::NoTerminator);
    assert_eq!(code_fault(&[], &[Instruction::Block, Instruction::End]), Fault::NoTerminator);
    assert_eq!(code_fault(&[], &[Instruction::Br { depth: 0 }]), Fault::BranchDepth { depth: 0, open: 0 });
    assert_eq!(
        code_fault(&[I32], &[Instruction::Return { values: [r(0)].into() }]),
        Fault::Arity { what: "results", expected: 0, found: 1 }
    );
    assert_eq!(
        code_fault(&[I32], &[Instruction::MemorySize { result: r(0) }, return_nothing()]),
        Fault::NoMemory
    );
    assert_eq!(
        code_fault(&[I32], &[Instruction::GlobalGet { result: r(0), global: 0 }, return_nothing()]),
        Fault::Missing { what: "global", index: 0, count: 0 }
    );
    let call = Instruction::Call { function: 0, args: [r(0)].into(), results: Box::default() };
    assert_eq!(
        code_fault(&[I32], &[call, return_nothing()]),
        Fault::Arity { what: "arguments", expected: 0, found: 1 }
    );
    let deep: Vec<Instruction> = std::iter::repeat_n(Instruction::Block, limits::NESTING + 1)
        .chain(std::iter::repeat_n(Instruction::End, limits::NESTING + 1))
        .chain([return_nothing()])
        .collect();
    assert!(matches!(code_fault(&[], &deep), Fault::Limit { what: "open blocks", .. }));
    assert!(
        load(&encode(&one_function(
            &[],
            &deep[1..deep.len() - 2].iter().chain([&return_nothing()]).cloned().collect::<Vec<_>>()
        )))
        .is_ok()
    );
}

#[test]
fn results_of_a_call_are_distinct() {
    let mut module = rich::module();
    let code = Instruction::CallIndirect {
        signature: module.signatures.iter().position(|s| s.results.len() == 2).unwrap() as u32,
        slot: Register(0),
        args: [Register(1)].into(),
        results: [Register(1), Register(1)].into(),
    };
    module.functions[4].registers = vec![(1, I32), (1, I64)];
    module.functions[4].code = encoded(&[code, Instruction::Unreachable]);
    module.lines.functions.pop();
    assert_eq!(refused(&module).problems[0].fault, Fault::ResultTwice(Register(1)));
}

#[test]
fn constants_stay_constant() {
    let mut module = rich::module();
    module.functions[4].registers = vec![(1, F64)];
    let set = Instruction::GlobalSet { global: 1, value: Register(0) };
    module.functions[4].code = encoded(&[set, Instruction::Unreachable]);
    module.lines.functions.pop();
    assert_eq!(refused(&module).problems[0].fault, Fault::ConstantGlobal(1));
}

#[test]
fn a_report_tells_everything_with_its_place() {
    let mut module = one_function(&[I32, I64], &[]);
    let wrong = Instruction::Binary {
        op: BinaryOp::I64Add,
        result: Register(1),
        left: Register(0),
        right: Register(7),
    };
    module.functions[0].code = encoded(&[wrong, Instruction::Unreachable]);
    module.data.push(Segment { address: 0, bytes: vec![0] });
    let bytes = encode(&module);
    let report = load(&bytes).unwrap_err();
    let text = report.to_string();
    assert_eq!(report.problems.len(), 3, "{text}");
    assert!(text.contains("r0 has type i32, and i64 is needed"), "{text}");
    assert!(text.contains("r7 does not exist; the function has 2 registers"), "{text}");
    assert!(text.contains("bytes 0 to 1 are outside of the 0 bytes of memory"), "{text}");
    let code = report.problems.iter().find(|problem| problem.function.is_some()).unwrap();
    assert_eq!(bytes[code.offset], BinaryOp::I64Add as u8, "the offset is that of the instruction");
    for problem in &report.problems {
        assert!(problem.fault.code().starts_with("vitbc::") && !problem.fault.help().is_empty());
    }
}

#[test]
fn a_report_is_bounded() {
    let wrong = Instruction::Move { result: Register(0), value: Register(9) };
    let mut all = vec![wrong; 100_000];
    all.push(return_nothing());
    let report = refused(&one_function(&[I32], &all));
    assert_eq!(report.problems.len(), limits::PROBLEMS);
}

#[test]
fn an_offset_fits_the_address() {
    let mut module = ModuleBuilder::new();
    let signature = module.signature(&[], &[]);
    let function = module.declare("f", signature);
    let mut code = FunctionBuilder::new(&[]);
    let address = code.i32(0);
    code.load(vitte_bytecode::LoadOp::I32Load, address, 1 << 32);
    code.return_(&[]);
    module.define(function, &code.finish());
    module.memory(MemoryType { address: AddressType::I32, min_pages: 1, max_pages: None });
    assert_eq!(refused(&module.finish()).problems[0].fault, Fault::OffsetTooLarge(1 << 32));
}

#[test]
fn references_of_a_body_can_be_changed() {
    let mut code = FunctionBuilder::new(&[]);
    code.set_place(vitte_bytecode::Place { file: 7, line: 1, column: 0 });
    let value = code.global_get(7, I32);
    code.call_import(7, &[value], &[]);
    code.call_indirect(7, value, &[], &[]);
    code.call(vitte_bytecode::FunctionId(7), &[], &[]);
    code.return_(&[]);
    let mut body = code.finish();
    let mut kinds = Vec::new();
    body.for_each_reference_mut(|reference| {
        use vitte_bytecode::Reference::{File, Function, Global, Import, Signature};
        let (name, number) = match reference {
            Function(number) => ("function", number),
            Import(number) => ("import", number),
            Signature(number) => ("signature", number),
            Global(number) => ("global", number),
            File(number) => ("file", number),
        };
        assert_eq!(std::mem::replace(number, 1), 7);
        kinds.push(name);
    });
    assert_eq!(kinds, ["global", "import", "signature", "function", "file"]);
    let mut all_are_new = true;
    body.for_each_reference_mut(|reference| {
        use vitte_bytecode::Reference::{File, Function, Global, Import, Signature};
        let (Function(number) | Import(number) | Signature(number) | Global(number) | File(number)) =
            reference;
        all_are_new &= *number == 1;
    });
    assert!(all_are_new);
}

#[test]
fn the_order_of_building_does_not_matter() {
    let build = |names: [&str; 2]| {
        let mut module = ModuleBuilder::new();
        module.memory(MemoryType { address: AddressType::I64, min_pages: 1, max_pages: None });
        for name in names {
            module.custom(name, name.as_bytes());
            module.data(u64::from(name.as_bytes()[0]), &[1]);
            module.state_field(name, InterfaceType::U8, u64::from(name.as_bytes()[0]));
        }
        module.global(false, Value::I64(-1));
        encode(&module.finish())
    };
    assert_eq!(build(["a", "b"]), build(["b", "a"]));
}
