//! The one table of opcodes. The enums, the decoder, the disassembler, the lowering and the table in `FORMAT.md`
//! all come from it or are tested against it.
//!
//! Numbers are those of WebAssembly where it has the operation, so that a hex dump reads familiar.
use crate::value::ValueType;

/// Calls the macro `$callback` with the operations that only differ in types and meaning. Each is
/// `Name = number "text" operand types => result type`; the name is also that of the `wasm-encoder` instruction.
/// Further tokens are passed on in front.
macro_rules! numeric_operations {
    ($callback:ident $($before:tt)*) => {
        $callback! {
            $($before)*
            unary {
                I32Eqz = 0x45 "i32.eqz" (I32) => I32,
                I64Eqz = 0x50 "i64.eqz" (I64) => I32,
                I32Clz = 0x67 "i32.clz" (I32) => I32,
                I32Ctz = 0x68 "i32.ctz" (I32) => I32,
                I32Popcnt = 0x69 "i32.popcnt" (I32) => I32,
                I64Clz = 0x79 "i64.clz" (I64) => I64,
                I64Ctz = 0x7a "i64.ctz" (I64) => I64,
                I64Popcnt = 0x7b "i64.popcnt" (I64) => I64,
                F32Abs = 0x8b "f32.abs" (F32) => F32,
                F32Neg = 0x8c "f32.neg" (F32) => F32,
                F32Ceil = 0x8d "f32.ceil" (F32) => F32,
                F32Floor = 0x8e "f32.floor" (F32) => F32,
                F32Trunc = 0x8f "f32.trunc" (F32) => F32,
                F32Nearest = 0x90 "f32.nearest" (F32) => F32,
                F32Sqrt = 0x91 "f32.sqrt" (F32) => F32,
                F64Abs = 0x99 "f64.abs" (F64) => F64,
                F64Neg = 0x9a "f64.neg" (F64) => F64,
                F64Ceil = 0x9b "f64.ceil" (F64) => F64,
                F64Floor = 0x9c "f64.floor" (F64) => F64,
                F64Trunc = 0x9d "f64.trunc" (F64) => F64,
                F64Nearest = 0x9e "f64.nearest" (F64) => F64,
                F64Sqrt = 0x9f "f64.sqrt" (F64) => F64,
                I32WrapI64 = 0xa7 "i32.wrap_i64" (I64) => I32,
                I32TruncF32S = 0xa8 "i32.trunc_f32_s" (F32) => I32,
                I32TruncF32U = 0xa9 "i32.trunc_f32_u" (F32) => I32,
                I32TruncF64S = 0xaa "i32.trunc_f64_s" (F64) => I32,
                I32TruncF64U = 0xab "i32.trunc_f64_u" (F64) => I32,
                I64ExtendI32S = 0xac "i64.extend_i32_s" (I32) => I64,
                I64ExtendI32U = 0xad "i64.extend_i32_u" (I32) => I64,
                I64TruncF32S = 0xae "i64.trunc_f32_s" (F32) => I64,
                I64TruncF32U = 0xaf "i64.trunc_f32_u" (F32) => I64,
                I64TruncF64S = 0xb0 "i64.trunc_f64_s" (F64) => I64,
                I64TruncF64U = 0xb1 "i64.trunc_f64_u" (F64) => I64,
                F32ConvertI32S = 0xb2 "f32.convert_i32_s" (I32) => F32,
                F32ConvertI32U = 0xb3 "f32.convert_i32_u" (I32) => F32,
                F32ConvertI64S = 0xb4 "f32.convert_i64_s" (I64) => F32,
                F32ConvertI64U = 0xb5 "f32.convert_i64_u" (I64) => F32,
                F32DemoteF64 = 0xb6 "f32.demote_f64" (F64) => F32,
                F64ConvertI32S = 0xb7 "f64.convert_i32_s" (I32) => F64,
                F64ConvertI32U = 0xb8 "f64.convert_i32_u" (I32) => F64,
                F64ConvertI64S = 0xb9 "f64.convert_i64_s" (I64) => F64,
                F64ConvertI64U = 0xba "f64.convert_i64_u" (I64) => F64,
                F64PromoteF32 = 0xbb "f64.promote_f32" (F32) => F64,
                I32ReinterpretF32 = 0xbc "i32.reinterpret_f32" (F32) => I32,
                I64ReinterpretF64 = 0xbd "i64.reinterpret_f64" (F64) => I64,
                F32ReinterpretI32 = 0xbe "f32.reinterpret_i32" (I32) => F32,
                F64ReinterpretI64 = 0xbf "f64.reinterpret_i64" (I64) => F64,
                I32Extend8S = 0xc0 "i32.extend8_s" (I32) => I32,
                I32Extend16S = 0xc1 "i32.extend16_s" (I32) => I32,
                I64Extend8S = 0xc2 "i64.extend8_s" (I64) => I64,
                I64Extend16S = 0xc3 "i64.extend16_s" (I64) => I64,
                I64Extend32S = 0xc4 "i64.extend32_s" (I64) => I64,
                I32TruncSatF32S = 0xd0 "i32.trunc_sat_f32_s" (F32) => I32,
                I32TruncSatF32U = 0xd1 "i32.trunc_sat_f32_u" (F32) => I32,
                I32TruncSatF64S = 0xd2 "i32.trunc_sat_f64_s" (F64) => I32,
                I32TruncSatF64U = 0xd3 "i32.trunc_sat_f64_u" (F64) => I32,
                I64TruncSatF32S = 0xd4 "i64.trunc_sat_f32_s" (F32) => I64,
                I64TruncSatF32U = 0xd5 "i64.trunc_sat_f32_u" (F32) => I64,
                I64TruncSatF64S = 0xd6 "i64.trunc_sat_f64_s" (F64) => I64,
                I64TruncSatF64U = 0xd7 "i64.trunc_sat_f64_u" (F64) => I64,
            }
            binary {
                I32Eq = 0x46 "i32.eq" (I32) => I32,
                I32Ne = 0x47 "i32.ne" (I32) => I32,
                I32LtS = 0x48 "i32.lt_s" (I32) => I32,
                I32LtU = 0x49 "i32.lt_u" (I32) => I32,
                I32GtS = 0x4a "i32.gt_s" (I32) => I32,
                I32GtU = 0x4b "i32.gt_u" (I32) => I32,
                I32LeS = 0x4c "i32.le_s" (I32) => I32,
                I32LeU = 0x4d "i32.le_u" (I32) => I32,
                I32GeS = 0x4e "i32.ge_s" (I32) => I32,
                I32GeU = 0x4f "i32.ge_u" (I32) => I32,
                I64Eq = 0x51 "i64.eq" (I64) => I32,
                I64Ne = 0x52 "i64.ne" (I64) => I32,
                I64LtS = 0x53 "i64.lt_s" (I64) => I32,
                I64LtU = 0x54 "i64.lt_u" (I64) => I32,
                I64GtS = 0x55 "i64.gt_s" (I64) => I32,
                I64GtU = 0x56 "i64.gt_u" (I64) => I32,
                I64LeS = 0x57 "i64.le_s" (I64) => I32,
                I64LeU = 0x58 "i64.le_u" (I64) => I32,
                I64GeS = 0x59 "i64.ge_s" (I64) => I32,
                I64GeU = 0x5a "i64.ge_u" (I64) => I32,
                F32Eq = 0x5b "f32.eq" (F32) => I32,
                F32Ne = 0x5c "f32.ne" (F32) => I32,
                F32Lt = 0x5d "f32.lt" (F32) => I32,
                F32Gt = 0x5e "f32.gt" (F32) => I32,
                F32Le = 0x5f "f32.le" (F32) => I32,
                F32Ge = 0x60 "f32.ge" (F32) => I32,
                F64Eq = 0x61 "f64.eq" (F64) => I32,
                F64Ne = 0x62 "f64.ne" (F64) => I32,
                F64Lt = 0x63 "f64.lt" (F64) => I32,
                F64Gt = 0x64 "f64.gt" (F64) => I32,
                F64Le = 0x65 "f64.le" (F64) => I32,
                F64Ge = 0x66 "f64.ge" (F64) => I32,
                I32Add = 0x6a "i32.add" (I32) => I32,
                I32Sub = 0x6b "i32.sub" (I32) => I32,
                I32Mul = 0x6c "i32.mul" (I32) => I32,
                I32DivS = 0x6d "i32.div_s" (I32) => I32,
                I32DivU = 0x6e "i32.div_u" (I32) => I32,
                I32RemS = 0x6f "i32.rem_s" (I32) => I32,
                I32RemU = 0x70 "i32.rem_u" (I32) => I32,
                I32And = 0x71 "i32.and" (I32) => I32,
                I32Or = 0x72 "i32.or" (I32) => I32,
                I32Xor = 0x73 "i32.xor" (I32) => I32,
                I32Shl = 0x74 "i32.shl" (I32) => I32,
                I32ShrS = 0x75 "i32.shr_s" (I32) => I32,
                I32ShrU = 0x76 "i32.shr_u" (I32) => I32,
                I32Rotl = 0x77 "i32.rotl" (I32) => I32,
                I32Rotr = 0x78 "i32.rotr" (I32) => I32,
                I64Add = 0x7c "i64.add" (I64) => I64,
                I64Sub = 0x7d "i64.sub" (I64) => I64,
                I64Mul = 0x7e "i64.mul" (I64) => I64,
                I64DivS = 0x7f "i64.div_s" (I64) => I64,
                I64DivU = 0x80 "i64.div_u" (I64) => I64,
                I64RemS = 0x81 "i64.rem_s" (I64) => I64,
                I64RemU = 0x82 "i64.rem_u" (I64) => I64,
                I64And = 0x83 "i64.and" (I64) => I64,
                I64Or = 0x84 "i64.or" (I64) => I64,
                I64Xor = 0x85 "i64.xor" (I64) => I64,
                I64Shl = 0x86 "i64.shl" (I64) => I64,
                I64ShrS = 0x87 "i64.shr_s" (I64) => I64,
                I64ShrU = 0x88 "i64.shr_u" (I64) => I64,
                I64Rotl = 0x89 "i64.rotl" (I64) => I64,
                I64Rotr = 0x8a "i64.rotr" (I64) => I64,
                F32Add = 0x92 "f32.add" (F32) => F32,
                F32Sub = 0x93 "f32.sub" (F32) => F32,
                F32Mul = 0x94 "f32.mul" (F32) => F32,
                F32Div = 0x95 "f32.div" (F32) => F32,
                F32Min = 0x96 "f32.min" (F32) => F32,
                F32Max = 0x97 "f32.max" (F32) => F32,
                F32Copysign = 0x98 "f32.copysign" (F32) => F32,
                F64Add = 0xa0 "f64.add" (F64) => F64,
                F64Sub = 0xa1 "f64.sub" (F64) => F64,
                F64Mul = 0xa2 "f64.mul" (F64) => F64,
                F64Div = 0xa3 "f64.div" (F64) => F64,
                F64Min = 0xa4 "f64.min" (F64) => F64,
                F64Max = 0xa5 "f64.max" (F64) => F64,
                F64Copysign = 0xa6 "f64.copysign" (F64) => F64,
            }
            load {
                I32Load = 0x28 "i32.load" u32 => I32,
                I64Load = 0x29 "i64.load" u64 => I64,
                F32Load = 0x2a "f32.load" u32 => F32,
                F64Load = 0x2b "f64.load" u64 => F64,
                I32Load8S = 0x2c "i32.load8_s" i8 => I32,
                I32Load8U = 0x2d "i32.load8_u" u8 => I32,
                I32Load16S = 0x2e "i32.load16_s" i16 => I32,
                I32Load16U = 0x2f "i32.load16_u" u16 => I32,
                I64Load8S = 0x30 "i64.load8_s" i8 => I64,
                I64Load8U = 0x31 "i64.load8_u" u8 => I64,
                I64Load16S = 0x32 "i64.load16_s" i16 => I64,
                I64Load16U = 0x33 "i64.load16_u" u16 => I64,
                I64Load32S = 0x34 "i64.load32_s" i32 => I64,
                I64Load32U = 0x35 "i64.load32_u" u32 => I64,
            }
            store {
                I32Store = 0x36 "i32.store" u32 (I32),
                I64Store = 0x37 "i64.store" u64 (I64),
                F32Store = 0x38 "f32.store" u32 (F32),
                F64Store = 0x39 "f64.store" u64 (F64),
                I32Store8 = 0x3a "i32.store8" u8 (I32),
                I32Store16 = 0x3b "i32.store16" u16 (I32),
                I64Store8 = 0x3c "i64.store8" u8 (I64),
                I64Store16 = 0x3d "i64.store16" u16 (I64),
                I64Store32 = 0x3e "i64.store32" u32 (I64),
            }
        }
    };
}
pub(crate) use numeric_operations;

macro_rules! define {
    (
        unary { $($unary:ident = $unary_number:literal $unary_text:literal ($unary_from:ident) => $unary_to:ident,)* }
        binary { $($binary:ident = $binary_number:literal $binary_text:literal ($binary_from:ident) => $binary_to:ident,)* }
        load { $($load:ident = $load_number:literal $load_text:literal $load_as:ident => $load_to:ident,)* }
        store { $($store:ident = $store_number:literal $store_text:literal $store_as:ident ($store_from:ident),)* }
    ) => {
        /// Operations on one register.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum UnaryOp { $($unary = $unary_number,)* }

        /// Operations on two registers of one type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum BinaryOp { $($binary = $binary_number,)* }

        /// Reads of memory.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum LoadOp { $($load = $load_number,)* }

        /// Writes of memory.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum StoreOp { $($store = $store_number,)* }

        impl UnaryOp {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$unary),*];

            pub(crate) fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($unary_number => Some(Self::$unary),)* _ => None }
            }

            /// Type of the operand.
            pub fn operand(self) -> ValueType {
                match self { $(Self::$unary => ValueType::$unary_from,)* }
            }

            /// Type of the result.
            pub fn result(self) -> ValueType {
                match self { $(Self::$unary => ValueType::$unary_to,)* }
            }

            /// As the disassembly writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$unary => $unary_text,)* }
            }

            pub(crate) fn to_wasm(self) -> wasm_encoder::Instruction<'static> {
                match self { $(Self::$unary => wasm_encoder::Instruction::$unary,)* }
            }
        }

        impl BinaryOp {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$binary),*];

            pub(crate) fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($binary_number => Some(Self::$binary),)* _ => None }
            }

            /// Type of both operands.
            pub fn operand(self) -> ValueType {
                match self { $(Self::$binary => ValueType::$binary_from,)* }
            }

            /// Type of the result.
            pub fn result(self) -> ValueType {
                match self { $(Self::$binary => ValueType::$binary_to,)* }
            }

            /// As the disassembly writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$binary => $binary_text,)* }
            }

            pub(crate) fn to_wasm(self) -> wasm_encoder::Instruction<'static> {
                match self { $(Self::$binary => wasm_encoder::Instruction::$binary,)* }
            }
        }

        impl LoadOp {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$load),*];

            pub(crate) fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($load_number => Some(Self::$load),)* _ => None }
            }

            /// Type of the result.
            pub fn result(self) -> ValueType {
                match self { $(Self::$load => ValueType::$load_to,)* }
            }

            /// Bytes that it reads.
            pub fn bytes(self) -> u32 {
                match self { $(Self::$load => size_of::<$load_as>() as u32,)* }
            }

            /// As the disassembly writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$load => $load_text,)* }
            }

            pub(crate) fn to_wasm(self, at: wasm_encoder::MemArg) -> wasm_encoder::Instruction<'static> {
                match self { $(Self::$load => wasm_encoder::Instruction::$load(at),)* }
            }
        }

        impl StoreOp {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$store),*];

            pub(crate) fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($store_number => Some(Self::$store),)* _ => None }
            }

            /// Type of the value written; its low bytes count.
            pub fn operand(self) -> ValueType {
                match self { $(Self::$store => ValueType::$store_from,)* }
            }

            /// Bytes that it writes.
            pub fn bytes(self) -> u32 {
                match self { $(Self::$store => size_of::<$store_as>() as u32,)* }
            }

            /// As the disassembly writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$store => $store_text,)* }
            }

            pub(crate) fn to_wasm(self, at: wasm_encoder::MemArg) -> wasm_encoder::Instruction<'static> {
                match self { $(Self::$store => wasm_encoder::Instruction::$store(at),)* }
            }
        }

        /// All opcodes, by kind.
        pub const OPCODES: &[Opcode] = &[
            Opcode { number: UNREACHABLE, name: "unreachable", operands: "" },
            Opcode { number: BLOCK, name: "block", operands: "" },
            Opcode { number: LOOP, name: "loop", operands: "" },
            Opcode { number: IF, name: "if", operands: "condition" },
            Opcode { number: ELSE, name: "else", operands: "" },
            Opcode { number: END, name: "end", operands: "" },
            Opcode { number: BR, name: "br", operands: "depth" },
            Opcode { number: BR_IF, name: "br_if", operands: "condition depth" },
            Opcode { number: BR_TABLE, name: "br_table", operands: "index depth* depth" },
            Opcode { number: RETURN, name: "return", operands: "value*" },
            Opcode { number: CALL, name: "call", operands: "function argument* result*" },
            Opcode { number: CALL_INDIRECT, name: "call_indirect", operands: "signature slot argument* result*" },
            Opcode { number: CALL_IMPORT, name: "call_import", operands: "import argument* result*" },
            Opcode { number: SELECT, name: "select", operands: "result condition if-not-zero if-zero" },
            Opcode { number: MOVE, name: "move", operands: "result value" },
            Opcode { number: GLOBAL_GET, name: "global.get", operands: "result global" },
            Opcode { number: GLOBAL_SET, name: "global.set", operands: "global value" },
            Opcode { number: MEMORY_SIZE, name: "memory.size", operands: "result" },
            Opcode { number: MEMORY_GROW, name: "memory.grow", operands: "result pages" },
            Opcode { number: MEMORY_COPY, name: "memory.copy", operands: "to from length" },
            Opcode { number: MEMORY_FILL, name: "memory.fill", operands: "to byte length" },
            Opcode { number: I32_CONST, name: "i32.const", operands: "result signed" },
            Opcode { number: I64_CONST, name: "i64.const", operands: "result signed" },
            Opcode { number: F32_CONST, name: "f32.const", operands: "result 4-bytes" },
            Opcode { number: F64_CONST, name: "f64.const", operands: "result 8-bytes" },
            $(Opcode { number: $unary_number, name: $unary_text, operands: "result value" },)*
            $(Opcode { number: $binary_number, name: $binary_text, operands: "result left right" },)*
            $(Opcode { number: $load_number, name: $load_text, operands: "result address offset" },)*
            $(Opcode { number: $store_number, name: $store_text, operands: "address offset value" },)*
        ];
    };
}

numeric_operations!(define);

/// A row of the table of opcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode {
    /// First byte of the instruction.
    pub number: u8,
    /// As the disassembly writes it.
    pub name: &'static str,
    /// What follows the first byte, in order; `*` marks a list behind its length.
    pub operands: &'static str,
}

pub(crate) const UNREACHABLE: u8 = 0x00;
pub(crate) const BLOCK: u8 = 0x02;
pub(crate) const LOOP: u8 = 0x03;
pub(crate) const IF: u8 = 0x04;
pub(crate) const ELSE: u8 = 0x05;
pub(crate) const END: u8 = 0x0b;
pub(crate) const BR: u8 = 0x0c;
pub(crate) const BR_IF: u8 = 0x0d;
pub(crate) const BR_TABLE: u8 = 0x0e;
pub(crate) const RETURN: u8 = 0x0f;
pub(crate) const CALL: u8 = 0x10;
pub(crate) const CALL_INDIRECT: u8 = 0x11;
pub(crate) const CALL_IMPORT: u8 = 0x12;
pub(crate) const SELECT: u8 = 0x1b;
pub(crate) const MOVE: u8 = 0x20;
pub(crate) const GLOBAL_GET: u8 = 0x23;
pub(crate) const GLOBAL_SET: u8 = 0x24;
pub(crate) const MEMORY_SIZE: u8 = 0x3f;
pub(crate) const MEMORY_GROW: u8 = 0x40;
pub(crate) const I32_CONST: u8 = 0x41;
pub(crate) const I64_CONST: u8 = 0x42;
pub(crate) const F32_CONST: u8 = 0x43;
pub(crate) const F64_CONST: u8 = 0x44;
pub(crate) const MEMORY_COPY: u8 = 0xe0;
pub(crate) const MEMORY_FILL: u8 = 0xe1;

impl UnaryOp {
    /// Whether it computes, so that a NaN it gives is made the canonical one; the others only move bits.
    pub fn makes_nan(self) -> bool {
        use UnaryOp::*;
        matches!(
            self,
            F32Ceil
                | F32Floor
                | F32Trunc
                | F32Nearest
                | F32Sqrt
                | F64Ceil
                | F64Floor
                | F64Trunc
                | F64Nearest
                | F64Sqrt
                | F32DemoteF64
                | F64PromoteF32
        )
    }
}

impl BinaryOp {
    /// Whether it computes, so that a NaN it gives is made the canonical one; the others only move bits.
    pub fn makes_nan(self) -> bool {
        use BinaryOp::*;
        matches!(
            self,
            F32Add
                | F32Sub
                | F32Mul
                | F32Div
                | F32Min
                | F32Max
                | F64Add
                | F64Sub
                | F64Mul
                | F64Div
                | F64Min
                | F64Max
        )
    }
}
