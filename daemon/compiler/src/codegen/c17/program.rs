//! A program as one translation unit.
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::PREAMBLE;
use super::data::{Data, quoted};
use super::function::{c_params, c_result, define};
use super::names::Names;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Name, Program};
use crate::codegen::CodegenError;
use crate::codegen::object::{ObjectContext, Position};
use crate::codegen::program::{DbContext, has_large_type, internal, main_instance, program_instances};
use crate::mono::{Instance, symbol_name};
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Source, Symbol, Type, optimised_ssa};
use crate::types::intrinsic::STATE_BYTES;

/// The program as C. The same program gives the same text; file names in it are those of the program's modules.
///
/// # Errors
/// What is wrong with the program.
#[salsa::tracked(returns(clone))]
pub fn program_c17(db: &dyn Db, program: Program) -> Result<Arc<str>, Diagnostics> {
    let main = main_instance(db, program)?;
    let types = DbTypes { db };
    let mut unit = Unit {
        db,
        names: Names::default(),
        data: Data::default(),
        layouts: Layouts::new(&types),
        context: DbContext::new(db),
        functions: HashMap::new(),
        externals: HashMap::new(),
        declarations: Vec::new(),
        work: Vec::new(),
    };
    let options = CodeOptions::of(db, program.options(db));
    let start = unit.function(main);
    // By symbol: an order that edits elsewhere do not disturb.
    let mut written = Vec::new();
    while let Some(instance) = unit.work.pop() {
        if has_large_type(db, instance) {
            // Only a program that needs endlessly many instances gets here; this says so.
            program_instances(db, program)?;
        }
        let symbol = symbol_name(db, instance);
        let function = optimised_ssa(db, instance, options);
        db.go_on("codegen");
        let name = unit.function(instance);
        let text = define(&mut unit, &name, function)
            .map_err(|error| internal(program.entry(db), &symbol, &error))?;
        let params: Vec<Type> = function.params().iter().map(|value| function.ty(*value)).collect();
        let prototype = format!("static {} {name}({});", c_result(function.ret), c_params(&params));
        written.push((symbol, prototype, text));
    }
    written.sort();
    let mut out = String::from(PREAMBLE);
    unit.declarations.sort();
    for declaration in &unit.declarations {
        let _ = write!(out, "\n{declaration}");
    }
    let _ = write!(out, "\n\nstatic _Alignas(64) unsigned char vit_state[{STATE_BYTES}];\n");
    out.push_str(&unit.data.finish());
    for (_, prototype, _) in &written {
        let _ = write!(out, "\n{prototype}");
    }
    out.push('\n');
    for (symbol, _, text) in &written {
        let _ = write!(out, "\n/* {} */\n{text}", symbol.replace("*/", "* /"));
    }
    let _ = write!(
        out,
        "\nint main(int count, char **arguments) {{\n    return (int){start}((uint32_t)count, (uint64_t)(uintptr_t)arguments);\n}}\n"
    );
    Ok(Arc::from(out))
}

/// A translation unit in the making.
pub(super) struct Unit<'db> {
    db: &'db dyn Db,
    names: Names,
    data: Data,
    layouts: Layouts<'db>,
    context: DbContext<'db>,
    functions: HashMap<Instance, String>,
    externals: HashMap<(Name, Vec<Type>, Option<Type>), String>,
    declarations: Vec<String>,
    /// What was named and not yet defined.
    work: Vec<Instance>,
}

impl Unit<'_> {
    /// The name of our own function.
    pub(super) fn function(&mut self, instance: Instance) -> String {
        if let Some(name) = self.functions.get(&instance) {
            return name.clone();
        }
        let name = self.names.identifier("vit_", &symbol_name(self.db, instance));
        self.functions.insert(instance, name.clone());
        self.work.push(instance);
        name
    }

    /// The name of a C function that is called with these types.
    pub(super) fn external(&mut self, name: &Name, params: &[Type], result: Option<Type>) -> String {
        let key = (name.clone(), params.to_vec(), result);
        if let Some(name) = self.externals.get(&key) {
            return name.clone();
        }
        let ours = self.names.identifier("vit_c_", name);
        let declaration = match name.as_str() {
            // What the compiler knows better than a library.
            "memcpy" | "memmove" if key.1 == [Type::I64; 3] && result == Some(Type::I64) => format!(
                "static inline uint64_t {ours}(uint64_t to, uint64_t from, uint64_t size) {{ return (uint64_t)(uintptr_t)__builtin_{name}((void *)(uintptr_t)to, (void *)(uintptr_t)from, size); }}"
            ),
            "memcmp" if key.1 == [Type::I64; 3] && result == Some(Type::I32) => format!(
                "static inline uint32_t {ours}(uint64_t a, uint64_t b, uint64_t size) {{ return (uint32_t)__builtin_memcmp((void *)(uintptr_t)a, (void *)(uintptr_t)b, size); }}"
            ),
            "sqrt" | "floor" | "ceil" | "trunc" | "fabs"
                if key.1 == [Type::F64] && result == Some(Type::F64) =>
            {
                format!("static inline double {ours}(double a) {{ return __builtin_{name}(a); }}")
            }
            _ => format!(
                "extern {} {ours}({}) VIT_C({});",
                c_result(result),
                c_params(params),
                quoted(name.as_str().as_bytes())
            ),
        };
        self.declarations.push(declaration);
        self.externals.insert(key, ours.clone());
        ours
    }

    /// An expression for an address.
    ///
    /// # Errors
    /// A fault of ours.
    pub(super) fn symbol_address(&mut self, symbol: &Symbol) -> Result<String, CodegenError> {
        Ok(match symbol {
            Symbol::Instance(instance) => format!("VIT_ADDRESS({})", self.function(*instance)),
            Symbol::Extern(name) => {
                // Whatever it is, its address is all that is asked for.
                let key = (name.clone(), Vec::new(), None);
                let ours = match self.externals.get(&key) {
                    Some(ours) => ours.clone(),
                    None => {
                        let ours = self.names.identifier("vit_c_", name);
                        let label = quoted(name.as_str().as_bytes());
                        self.declarations.push(format!("extern void {ours}(void) VIT_C({label});"));
                        self.externals.insert(key, ours.clone());
                        ours
                    }
                };
                format!("VIT_ADDRESS({ours})")
            }
            Symbol::Literal(content) => self.data.text(content),
            Symbol::EmptyList => self.data.empty_list(),
            Symbol::State => "VIT_ADDRESS(vit_state)".to_owned(),
            Symbol::Const(item) => self.data.constant(*item, &mut self.context, &mut self.layouts),
            Symbol::Location(source) => {
                let at = self.context.position(*source);
                self.data.place(at)
            }
        })
    }

    /// Where a source node stands.
    pub(super) fn position(&mut self, source: Source) -> Option<Position> {
        self.context.position(source)
    }
}
