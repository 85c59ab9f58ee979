//! Listings of the later stages, for people. Stable: the same program gives the same text.
use std::fmt::Write;

use cranelift_codegen::ir::Endianness;
use cranelift_codegen::isa::TargetIsa;

use super::isa::target_isa;
use super::program::{Reached, reachable_code};
use super::{CodegenError, MachineCode, clif_text};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Program};
use crate::mono::symbol_name;
use crate::ssa::{CodeOptions, Function, Symbol, dump, optimised_ssa};

/// A stage that can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStage {
    /// Control flow with moves and drops.
    Mir,
    /// SSA after optimisation.
    Ssa,
    /// Cranelift IR.
    Clif,
    /// Disassembly.
    Asm,
}

/// Lists the functions of a program at a stage, in order of symbol; only those whose symbol holds `filter`.
///
/// # Errors
/// What is wrong with the program.
pub fn emit_text(
    db: &dyn Db,
    program: Program,
    stage: TextStage,
    filter: Option<&str>,
) -> Result<String, Diagnostics> {
    let options = CodeOptions::of(db, program.options(db));
    let mut out = String::new();
    for Reached { symbol, instance, code } in reachable_code(db, program)? {
        if filter.is_some_and(|filter| !symbol.contains(filter)) {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        let function = || optimised_ssa(db, instance, options.for_every_machine(db));
        let isa = || target_isa(options.level(db), options.machine(db));
        let text = match stage {
            TextStage::Mir => Ok(crate::mir::dump::dump(db, instance)),
            TextStage::Ssa => Ok(dump(function(), &symbol, &|symbol| symbol_text(db, symbol))),
            TextStage::Clif => isa().and_then(|isa| clif_listing(db, function(), &*isa, &symbol)),
            TextStage::Asm => isa().and_then(|isa| asm_listing(db, code, &*isa, &symbol)),
        };
        match text {
            Ok(text) => out.push_str(&text),
            Err(error) => {
                let _ = writeln!(out, "; {symbol}: {error}");
            }
        }
    }
    Ok(out)
}

/// What a listing calls a symbol.
pub fn symbol_text(db: &dyn Db, symbol: &Symbol) -> String {
    match symbol {
        Symbol::Instance(instance) => format!("`{}`", symbol_name(db, *instance)),
        Symbol::Extern(name) => name.to_string(),
        Symbol::Literal(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Symbol::EmptyList => "[]".to_owned(),
        Symbol::State => "state".to_owned(),
        Symbol::Const(item) => format!("const {}", item.name(db)),
        Symbol::Location(source) => format!("location {} n{}", source.item.name(db), source.node.0),
    }
}

fn clif_listing(
    db: &dyn Db,
    function: &Function,
    isa: &dyn TargetIsa,
    symbol: &str,
) -> Result<String, CodegenError> {
    let (text, symbols) = clif_text(function, isa)?;
    let mut out = format!("; {symbol}\n");
    for (number, symbol) in symbols.iter().enumerate() {
        let _ = writeln!(out, ";   u0:{number} = {}", symbol_text(db, symbol));
    }
    out.push_str(&text);
    Ok(out)
}

fn asm_listing(
    db: &dyn Db,
    code: &MachineCode,
    isa: &dyn TargetIsa,
    symbol: &str,
) -> Result<String, CodegenError> {
    debug_assert_eq!(isa.endianness(), Endianness::Little);
    let fault = |what: &dyn std::fmt::Display| CodegenError::Internal(format!("disassembly: {what}"));
    let disassembler = isa.to_capstone().map_err(|error| fault(&error))?;
    let instructions = disassembler.disasm_all(&code.bytes, 0).map_err(|error| fault(&error))?;
    let mut out = format!("{symbol}:\n");
    let mut end = 0;
    for instruction in instructions.iter() {
        let start = instruction.address();
        end = start + instruction.bytes().len() as u64;
        let (mnemonic, operands) =
            (instruction.mnemonic().unwrap_or("?"), instruction.op_str().unwrap_or(""));
        let _ = write!(out, "    {start:04x}: {mnemonic}");
        if !operands.is_empty() {
            let _ = write!(out, " {operands}");
        }
        let mut relocations = code.relocations.iter();
        if let Some(relocation) = relocations.find(|at| (start..end).contains(&u64::from(at.offset))) {
            let _ = write!(out, " ; {}", symbol_text(db, &relocation.target));
        }
        out.push('\n');
    }
    // What follows the instructions is their constants.
    if let Some(rest) = code.bytes.get(end as usize..)
        && !rest.is_empty()
    {
        let _ = writeln!(out, "    {end:04x}: .byte {rest:02x?}");
    }
    Ok(out)
}
