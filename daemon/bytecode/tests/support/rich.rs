//! A module with something in every section.
use vitte_bytecode::ValueType::{F64, I32, I64};
use vitte_bytecode::{
    AddressType, BinaryOp, Case, ExportItem, Field, FunctionBuilder, FunctionType, InterfaceType, LoadOp,
    MemoryType, Module, ModuleBuilder, Place, StoreOp, TypeDefinition, Value,
};

fn field(name: &str, ty: InterfaceType) -> Field {
    Field { name: name.into(), ty }
}

/// Exports `greet: func(name: string) -> string`, `scale: func(p: point, by: f64) -> point`, `area: func(s: shape)
/// -> f64`, `count: func() -> u32` and the allocator that their strings need; keeps a counter as state.
pub fn module() -> Module {
    let mut module = ModuleBuilder::new();
    let file = module.file("rich.vit");
    let place = |line| Place { file, line, column: 5 };
    module.memory(MemoryType { address: AddressType::I32, min_pages: 2, max_pages: Some(8) });
    module.export("memory", ExportItem::Memory);
    let top = module.global(true, Value::I32(4096));
    module.global(false, Value::F64(1.5));
    module.export("ratio", ExportItem::Global(1));

    let point = module.define_type(TypeDefinition::Record {
        name: "point".into(),
        fields: vec![field("x", InterfaceType::F64), field("y", InterfaceType::F64)],
    });
    let shape = module.define_type(TypeDefinition::Variant {
        name: "shape".into(),
        cases: vec![
            Case { name: "nothing".into(), ty: None },
            Case { name: "square".into(), ty: Some(InterfaceType::F64) },
        ],
    });
    module
        .define_type(TypeDefinition::Enum { name: "level".into(), cases: vec!["low".into(), "high".into()] });
    module.define_type(TypeDefinition::Flags { name: "rights".into(), flags: vec!["read".into()] });
    let points = module.define_type(TypeDefinition::List(point));
    let maybe = module.define_type(TypeDefinition::Option(points));
    module.define_type(TypeDefinition::Tuple(vec![maybe, InterfaceType::Char]));
    module.define_type(TypeDefinition::Result { ok: Some(maybe), err: Some(InterfaceType::String) });

    // Takes memory behind what is in use, and gives none back.
    let signature = module.signature(&[I32, I32, I32, I32], &[I32]);
    let allocator = module.declare("cabi_realloc", signature);
    let mut code = FunctionBuilder::new(&[I32, I32, I32, I32]);
    code.set_place(place(1));
    let start = code.global_get(top, I32);
    let size = code.param(3);
    let end = code.binary(BinaryOp::I32Add, start, size);
    let seven = code.i32(7);
    let end = code.binary(BinaryOp::I32Add, end, seven);
    let mask = code.i32(-8);
    let end = code.binary(BinaryOp::I32And, end, mask);
    code.global_set(top, end);
    code.return_(&[start]);
    module.define(allocator, &code.finish());
    module.export_function("cabi_realloc", allocator, None);

    let text = InterfaceType::String;
    let of_text = module.function_type(FunctionType { params: vec![field("text", text)], result: None });
    let signature = module.signature(&[I32, I32], &[]);
    let print = module.import("vitte:base/log@1.0.0", "print", signature, Some(of_text));

    // Says what it was passed, and gives it back.
    let signature = module.signature(&[I32, I32], &[I32]);
    let greet = module.declare("greet", signature);
    let mut code = FunctionBuilder::new(&[I32, I32]);
    code.set_place(place(7));
    let (text_at, length) = (code.param(0), code.param(1));
    code.call_import(print, &[text_at, length], &[]);
    let result = code.i32(256);
    code.store(StoreOp::I32Store, result, 0, text_at);
    code.set_place(place(8));
    code.store(StoreOp::I32Store, result, 4, length);
    code.return_(&[result]);
    module.define(greet, &code.finish());
    let ty = module.function_type(FunctionType { params: vec![field("name", text)], result: Some(text) });
    module.export_function("greet", greet, Some(ty));

    let signature = module.signature(&[F64, F64, F64], &[I32]);
    let scale = module.declare("scale", signature);
    let mut code = FunctionBuilder::new(&[F64, F64, F64]);
    code.set_place(place(12));
    let by = code.param(2);
    let x = code.param(0);
    let x = code.binary(BinaryOp::F64Mul, x, by);
    let y = code.param(1);
    let y = code.binary(BinaryOp::F64Mul, y, by);
    let result = code.i32(264);
    code.store(StoreOp::F64Store, result, 0, x);
    code.store(StoreOp::F64Store, result, 8, y);
    code.return_(&[result]);
    module.define(scale, &code.finish());
    let ty = module.function_type(FunctionType {
        params: vec![field("p", point), field("by", InterfaceType::F64)],
        result: Some(point),
    });
    module.export_function("scale", scale, Some(ty));

    let signature = module.signature(&[I32, F64], &[F64]);
    let area = module.declare("area", signature);
    let mut code = FunctionBuilder::new(&[I32, F64]);
    code.set_place(place(15));
    let (case, side) = (code.param(0), code.param(1));
    code.if_(case);
    let square = code.binary(BinaryOp::F64Mul, side, side);
    code.return_(&[square]);
    code.end();
    let zero = code.f64(0.0);
    code.return_(&[zero]);
    module.define(area, &code.finish());
    let ty = module
        .function_type(FunctionType { params: vec![field("s", shape)], result: Some(InterfaceType::F64) });
    module.export_function("area", area, Some(ty));

    let signature = module.signature(&[], &[I32]);
    let count = module.declare("count", signature);
    let mut code = FunctionBuilder::new(&[]);
    code.set_place(place(20));
    let at = code.i32(16);
    let old = code.load(LoadOp::I32Load, at, 0);
    let one = code.i32(1);
    let new = code.binary(BinaryOp::I32Add, old, one);
    code.store(StoreOp::I32Store, at, 0, new);
    code.return_(&[new]);
    module.define(count, &code.finish());
    let ty = module.function_type(FunctionType { params: vec![], result: Some(InterfaceType::U32) });
    module.export_function("count", count, Some(ty));

    module.table_slot(None);
    module.table_slot(Some(area));
    module.signature(&[I64], &[I64, I64]);
    module.data(16, &[41, 0, 0, 0]);
    module.data(1024, b"hello");
    module.state_version(3);
    module.state_field("count", InterfaceType::U32, 16);
    module.state_field("origin", point, 32);
    module.custom("note", b"for tools");
    module.finish()
}
