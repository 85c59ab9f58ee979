//! Guests that are no components, as the canonical ABI sees them: a core module that runs, and bytecode.
use wasmtime::{AsContextMut, Func, Memory, Val};

use crate::call::{CallError, describe};
use crate::canonical;
use crate::interface::Agreed;

/// What a guest's memory is called when values pass through it.
pub(crate) const MEMORY: &str = "memory";
/// What it is called in lowered bytecode that does not export it itself.
pub(crate) const INTERNAL_MEMORY: &str = "vitbc.memory";
/// The guest's allocator: `(old address, old size, alignment, size)` gives an address.
pub(crate) const ALLOCATOR: &str = "cabi_realloc";
/// What comes before the name of a function that frees the result of another.
pub(crate) const POST_RETURN: &str = "cabi_post_";

/// A core module in a store.
pub(crate) struct Core<C> {
    pub(crate) store: C,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocator: Option<Func>,
    pub(crate) is_wide: bool,
}

impl<C: AsContextMut> canonical::Guest for Core<C> {
    fn is_wide(&self) -> bool {
        self.is_wide
    }

    fn read(&mut self, address: u64, length: u64) -> Option<Vec<u8>> {
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.memory?.data(self.store.as_context()).get(start..end).map(<[u8]>::to_vec)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        self.memory?.write(self.store.as_context_mut(), usize::try_from(address).ok()?, bytes).ok()
    }

    fn allocate(&mut self, align: u64, size: u64) -> Result<u64, CallError> {
        let Some(allocator) = self.allocator else { return Err(no_allocator()) };
        let number = |value: u64| if self.is_wide { Val::I64(value as i64) } else { Val::I32(value as i32) };
        let mut given = [Val::I32(0)];
        let arguments = [number(0), number(0), number(align), number(size)];
        allocator
            .call(self.store.as_context_mut(), &arguments, &mut given)
            .map_err(|error| describe(&error))?;
        match given {
            [Val::I32(address)] => Ok(u64::from(address as u32)),
            [Val::I64(address)] => Ok(address as u64),
            _ => Err(no_allocator()),
        }
    }
}

pub(crate) fn no_allocator() -> CallError {
    CallError::Failed(format!("a module that is given values with parts has to export `{ALLOCATOR}`"))
}

/// A number of the engine as one of the canonical ABI; `None` for references and vectors.
pub(crate) fn from_engine(value: &Val) -> Option<vitte_bytecode::Value> {
    use vitte_bytecode::Value;
    match value {
        Val::I32(value) => Some(Value::I32(*value)),
        Val::I64(value) => Some(Value::I64(*value)),
        Val::F32(bits) => Some(Value::F32(f32::from_bits(*bits))),
        Val::F64(bits) => Some(Value::F64(f64::from_bits(*bits))),
        Val::V128(_)
        | Val::FuncRef(_)
        | Val::ExternRef(_)
        | Val::AnyRef(_)
        | Val::ExnRef(_)
        | Val::ContRef(_) => None,
    }
}

/// The other way.
pub(crate) fn to_engine(value: vitte_bytecode::Value) -> Val {
    use vitte_bytecode::Value;
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(value) => Val::F32(value.to_bits()),
        Value::F64(value) => Val::F64(value.to_bits()),
    }
}

/// A register's number as a value that crosses between modules which know no more of it.
pub(crate) fn to_number(value: vitte_bytecode::Value) -> wasmtime::component::Val {
    use vitte_bytecode::Value;
    use wasmtime::component::Val;
    match value {
        Value::I32(value) => Val::S32(value),
        Value::I64(value) => Val::S64(value),
        Value::F32(value) => Val::Float32(value),
        Value::F64(value) => Val::Float64(value),
    }
}

/// The other way; `None` if it is not one.
pub(crate) fn from_number(value: &wasmtime::component::Val) -> Option<vitte_bytecode::Value> {
    use vitte_bytecode::Value;
    use wasmtime::component::Val;
    match value {
        Val::S32(value) => Some(Value::I32(*value)),
        Val::S64(value) => Some(Value::I64(*value)),
        Val::Float32(value) => Some(Value::F32(*value)),
        Val::Float64(value) => Some(Value::F64(*value)),
        _ => None,
    }
}

/// Arguments of an import as values that cross.
///
/// # Errors
/// When the guest breaks the canonical ABI.
pub(crate) fn lift_arguments(
    guest: &mut dyn canonical::Guest,
    agreed: &Agreed,
    registers: &[vitte_bytecode::Value],
) -> Result<Vec<wasmtime::component::Val>, CallError> {
    match agreed {
        Agreed::Numbers => Ok(registers.iter().copied().map(to_number).collect()),
        Agreed::Interface(ty) => canonical::lift_params(guest, ty, registers),
    }
}

/// What an import gives, in the registers of the guest that called it.
///
/// # Errors
/// When the guest breaks the canonical ABI, or its allocator fails.
pub(crate) fn lower_results(
    guest: &mut dyn canonical::Guest,
    agreed: &Agreed,
    values: &[wasmtime::component::Val],
    registers: &[vitte_bytecode::Value],
) -> Result<Vec<vitte_bytecode::Value>, CallError> {
    let misfit = || CallError::Failed("an import gave a value of another type".to_owned());
    match agreed {
        Agreed::Numbers => values.iter().map(from_number).collect::<Option<_>>().ok_or_else(misfit),
        Agreed::Interface(ty) => canonical::lower_result(guest, ty, values.first(), registers),
    }
}
