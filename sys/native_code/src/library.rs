//! A library in this process, called by its table.
//!
//! Whether the table tells the truth about the library cannot be checked: a lie ends this process, or worse,
//! whoever wrote library and table does what they like in it. That is why it is a process of its own.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::rc::Rc;

use libffi::middle::{Arg, Cif, Closure, CodePtr, Ret, Type};
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use crate::import::give;
use crate::message::Value;
use crate::runner::Connection;
use crate::table::{Fails, Function, Returned, Scalar, Shape, Table};

/// Longest text that is copied out of a library, in bytes.
const TEXT_MAX: usize = 16 << 20;
/// Most pointers of the library that are known at once.
const HANDLES_MAX: usize = 1 << 16;

/// A loaded library.
pub(crate) struct Library {
    entries: Vec<Entry>,
    /// Borrowed between the calls of its functions, never during one: they may be nested.
    handles: RefCell<Handles>,
    /// The functions that its imports are to it.
    _imports: Vec<Closure<'static>>,
    /// Keeps the code where it is. Never unloaded: the process ends instead.
    _handle: Handle,
}

struct Entry {
    function: Function,
    cif: Cif,
    code: CodePtr,
    free: Option<CodePtr>,
}

/// Pointers of the library, by numbers that are given once.
#[derive(Default)]
struct Handles {
    last: u64,
    known: BTreeMap<u64, (String, *mut c_void)>,
    numbers: BTreeMap<(String, *mut c_void), u64>,
}

impl Handles {
    fn add(&mut self, kind: &str, pointer: *mut c_void) -> Result<u64, String> {
        if pointer.is_null() {
            return Ok(0);
        }
        // A library that hands out the same object again means the same handle.
        let key = (kind.to_owned(), pointer);
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        if self.known.len() >= HANDLES_MAX {
            return Err(format!("{HANDLES_MAX} handles are open, and no more may be"));
        }
        self.last += 1;
        self.known.insert(self.last, key.clone());
        self.numbers.insert(key, self.last);
        Ok(self.last)
    }

    /// Its object is freed; another may come to stand in the same place.
    fn remove(&mut self, number: u64) {
        if let Some(key) = self.known.remove(&number) {
            self.numbers.remove(&key);
        }
    }

    fn get(&self, kind: &str, number: u64) -> Result<*mut c_void, String> {
        match self.known.get(&number) {
            _ if number == 0 => Ok(ptr::null_mut()),
            Some((found, pointer)) if found == kind => Ok(*pointer),
            Some((found, _)) => Err(format!("handle {number} is a `{found}`, not a `{kind}`")),
            None => Err(format!("there is no handle {number}: it was freed, or the module began anew")),
        }
    }
}

/// Where libffi reads an argument from.
enum Slot {
    Bool(u8),
    S8(i8),
    U8(u8),
    S16(i16),
    U16(u16),
    S32(i32),
    U32(u32),
    S64(i64),
    U64(u64),
    F32(f32),
    F64(f64),
    Pointer(*mut c_void),
}

impl Slot {
    fn number(scalar: Scalar, bits: u64) -> Self {
        match scalar {
            Scalar::Bool => Self::Bool(u8::from(bits != 0)),
            Scalar::S8 => Self::S8(bits as i8),
            Scalar::U8 => Self::U8(bits as u8),
            Scalar::S16 => Self::S16(bits as i16),
            Scalar::U16 => Self::U16(bits as u16),
            Scalar::S32 => Self::S32(bits as i32),
            Scalar::U32 => Self::U32(bits as u32),
            Scalar::S64 => Self::S64(bits as i64),
            Scalar::U64 => Self::U64(bits),
            Scalar::F32 => Self::F32(f32::from_bits(bits as u32)),
            Scalar::F64 => Self::F64(f64::from_bits(bits)),
        }
    }

    fn arg(&self) -> Arg<'_> {
        match self {
            Self::Bool(value) | Self::U8(value) => Arg::new(value),
            Self::S8(value) => Arg::new(value),
            Self::S16(value) => Arg::new(value),
            Self::U16(value) => Arg::new(value),
            Self::S32(value) => Arg::new(value),
            Self::U32(value) => Arg::new(value),
            Self::S64(value) => Arg::new(value),
            Self::U64(value) => Arg::new(value),
            Self::F32(value) => Arg::new(value),
            Self::F64(value) => Arg::new(value),
            Self::Pointer(value) => Arg::new(value),
        }
    }
}

pub(crate) fn ffi_type(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Bool | Scalar::U8 => Type::u8(),
        Scalar::S8 => Type::i8(),
        Scalar::U16 => Type::u16(),
        Scalar::S16 => Type::i16(),
        Scalar::U32 => Type::u32(),
        Scalar::S32 => Type::i32(),
        Scalar::U64 => Type::u64(),
        Scalar::S64 => Type::i64(),
        Scalar::F32 => Type::f32(),
        Scalar::F64 => Type::f64(),
    }
}

/// What stands in the low bits, as a value that crosses.
pub(crate) fn widen(scalar: Scalar, bits: u64) -> u64 {
    match scalar {
        Scalar::Bool => u64::from(bits as u8 != 0),
        Scalar::S8 => bits as i8 as u64,
        Scalar::U8 => u64::from(bits as u8),
        Scalar::S16 => bits as i16 as u64,
        Scalar::U16 => u64::from(bits as u16),
        Scalar::S32 => bits as i32 as u64,
        Scalar::U32 | Scalar::F32 => u64::from(bits as u32),
        Scalar::S64 | Scalar::U64 | Scalar::F64 => bits,
    }
}

/// Memory that lives as long as the call.
enum Place {
    None,
    Text(CString),
    Bytes(Vec<u8>),
    /// Eight bytes for a number or a pointer.
    Word(Box<u64>),
}

impl Library {
    /// Loads `file`, finds all functions of `table` and gives it its imports, which it calls over `connection` as the
    /// library number `id`. The library's constructors run.
    pub(crate) fn open(
        file: &str,
        table: &Table,
        id: u32,
        connection: &Rc<Connection>,
    ) -> Result<Self, String> {
        // SAFETY: constructors of the library run here, and nothing can be known of them. This is the
        // process that exists to run them; it holds nothing of anybody else.
        let handle = unsafe { Handle::open(Some(file), RTLD_NOW | RTLD_LOCAL) };
        let handle = handle.map_err(|error| {
            // The system's own words are in the source; the error itself says only what was tried.
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        })?;
        let symbol = |name: &str| -> Result<CodePtr, String> {
            // SAFETY: only the address is taken; the type that it is called by is the table's.
            let found = unsafe { handle.get::<*mut c_void>(name) };
            match found {
                Ok(found) => Ok(CodePtr::from_ptr(found.as_raw_ptr())),
                Err(_) => Err(format!("`{file}` has no function `{name}`")),
            }
        };
        let entries = table
            .functions
            .iter()
            .map(|function| {
                Ok(Entry {
                    code: symbol(&function.symbol)?,
                    free: function.free.as_deref().map(symbol).transpose()?,
                    cif: interface(function)?,
                    function: function.clone(),
                })
            })
            .collect::<Result<_, String>>()?;
        let imports = table.imports.iter().zip(0..).map(|(import, place)| {
            let symbol = &import.function.symbol;
            // SAFETY: only the address is taken; that a pointer stands there is for the table to say.
            let found = unsafe { handle.get::<*mut c_void>(symbol.as_str()) };
            match found {
                Ok(found) => Ok((import, place, found.as_raw_ptr())),
                Err(_) => Err(format!("`{file}` has no variable `{symbol}` for its import")),
            }
        });
        // All are found before the first is given.
        let imports = imports.collect::<Result<Vec<_>, String>>()?.into_iter();
        let imports = imports.map(|(import, place, variable)| give(import, id, place, connection, variable));
        let imports = imports.collect::<Result<_, _>>()?;
        Ok(Self { entries, handles: RefCell::default(), _imports: imports, _handle: handle })
    }

    /// Calls a function.
    pub(crate) fn call(&self, place: usize, arguments: Vec<Value>) -> Result<Vec<Value>, String> {
        let Self { entries, handles, .. } = self;
        let Entry { function, cif, code, free } = entries.get(place).ok_or("there is no such function")?;
        let mut given = arguments.into_iter();
        let misfit = || "the arguments are not those of the table".to_owned();
        let mut places: Vec<Place> = Vec::with_capacity(function.params.len());
        let mut slots: Vec<Slot> = Vec::with_capacity(function.params.len());
        let mut taken = Vec::new();
        for param in &function.params {
            let (memory, slot) = match &param.shape {
                Shape::Number(scalar) => match given.next() {
                    Some(Value::Number(bits)) => (Place::None, Slot::number(*scalar, bits)),
                    _ => return Err(misfit()),
                },
                Shape::Text => match given.next() {
                    Some(Value::Text(text)) => {
                        let text = CString::new(text).map_err(|_| {
                            format!("`{}` has a NUL in it, which C takes for its end", param.name)
                        })?;
                        let pointer = text.as_ptr().cast_mut().cast();
                        (Place::Text(text), Slot::Pointer(pointer))
                    }
                    _ => return Err(misfit()),
                },
                Shape::Bytes => match given.next() {
                    Some(Value::Bytes(mut bytes)) => {
                        let pointer = bytes.as_mut_ptr().cast();
                        (Place::Bytes(bytes), Slot::Pointer(pointer))
                    }
                    _ => return Err(misfit()),
                },
                Shape::Handle { kind, taken: frees } => match given.next() {
                    Some(Value::Number(number)) => {
                        let pointer = handles.borrow().get(kind, number)?;
                        if *frees {
                            taken.push(number);
                        }
                        (Place::None, Slot::Pointer(pointer))
                    }
                    _ => return Err(misfit()),
                },
                Shape::OutNumber(_) | Shape::OutHandle { .. } => word(0),
                Shape::OutBytes { capacity } => {
                    let mut bytes = vec![0; *capacity as usize];
                    let pointer = bytes.as_mut_ptr().cast();
                    (Place::Bytes(bytes), Slot::Pointer(pointer))
                }
                Shape::Length { of, scalar, by_pointer } => {
                    let length = match places.get(*of) {
                        Some(Place::Bytes(bytes)) => bytes.len(),
                        Some(Place::Text(text)) => text.as_bytes().len(),
                        Some(Place::None | Place::Word(_)) | None => return Err(misfit()),
                    } as u64;
                    if widen(*scalar, length) != length {
                        return Err(format!("{length} bytes are more than its `{}` can say", param.name));
                    }
                    if *by_pointer { word(length) } else { (Place::None, Slot::number(*scalar, length)) }
                }
                Shape::Constant(scalar, bits) => (Place::None, Slot::number(*scalar, *bits)),
                Shape::Null => (Place::None, Slot::Pointer(ptr::null_mut())),
            };
            places.push(memory);
            slots.push(slot);
        }
        if given.next().is_some() {
            return Err(misfit());
        }
        let args: Vec<Arg<'_>> = slots.iter().map(Slot::arg).collect();
        // Eight bytes and aligned so: libffi writes a whole register whatever the type.
        let mut returned = 0_u64;
        let into = match function.returned {
            Returned::Nothing => Ret::void(),
            Returned::Number(_) | Returned::Text { .. } | Returned::Handle { .. } => Ret::new(&mut returned),
        };
        // SAFETY: the interface and the arguments were both made from the table, so they agree, and
        // `returned` holds any result of the table's types. That the table is true of the library, and the
        // library of C's rules, is for who wrote them; nothing of others is in this process.
        unsafe { cif.call_return_into(*code, &args, into) };
        let error = std::io::Error::last_os_error();
        for number in taken {
            handles.borrow_mut().remove(number);
        }
        if has_failed(function, returned) {
            return Err(error.to_string());
        }
        let mut results = Vec::new();
        match &function.returned {
            Returned::Nothing => {}
            Returned::Number(scalar) => results.push(Value::Number(widen(*scalar, returned))),
            Returned::Handle { kind } => {
                results.push(Value::Number(handles.borrow_mut().add(kind, pointer_of(returned))?));
            }
            Returned::Text { optional, .. } => {
                let text = text_at(pointer_of(returned));
                if let Some(free) = free
                    && returned != 0
                {
                    free_with(*free, pointer_of(returned));
                }
                results.push(match (text?, optional) {
                    (Some(text), _) => Value::Text(text),
                    (None, true) => Value::Nothing,
                    (None, false) => return Err("it gave no text".to_owned()),
                });
            }
        }
        outputs(function, places, &mut handles.borrow_mut(), &mut results)?;
        Ok(results)
    }
}

/// What the function put into its places.
fn outputs(
    function: &Function,
    mut places: Vec<Place>,
    handles: &mut Handles,
    results: &mut Vec<Value>,
) -> Result<(), String> {
    let lengths: Vec<(usize, u64)> = function
        .params
        .iter()
        .zip(&places)
        .filter_map(|(param, place)| match (&param.shape, place) {
            (Shape::Length { of, scalar, by_pointer: true }, Place::Word(word)) => {
                Some((*of, widen(*scalar, **word)))
            }
            _ => None,
        })
        .collect();
    for (of, length) in lengths {
        if let Some(Place::Bytes(bytes)) = places.get_mut(of) {
            if length > bytes.len() as u64 {
                return Err(format!("it says that it wrote {length} bytes where {} fit", bytes.len()));
            }
            bytes.truncate(length as usize);
        }
    }
    for (param, place) in function.params.iter().zip(places) {
        match (&param.shape, place) {
            (Shape::OutNumber(scalar), Place::Word(word)) => {
                results.push(Value::Number(widen(*scalar, *word)))
            }
            (Shape::OutHandle { kind }, Place::Word(word)) => {
                results.push(Value::Number(handles.add(kind, pointer_of(*word))?));
            }
            (Shape::OutBytes { .. }, Place::Bytes(bytes)) => results.push(Value::Bytes(bytes)),
            _ => {}
        }
    }
    Ok(())
}

fn word(value: u64) -> (Place, Slot) {
    let mut word = Box::new(value);
    let pointer: *mut u64 = &raw mut *word;
    (Place::Word(word), Slot::Pointer(pointer.cast()))
}

fn pointer_of(bits: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(bits as usize)
}

fn has_failed(function: &Function, returned: u64) -> bool {
    let value = match &function.returned {
        Returned::Number(scalar) => widen(*scalar, returned),
        Returned::Nothing | Returned::Text { .. } | Returned::Handle { .. } => returned,
    };
    match function.fails {
        None => false,
        Some(Fails::Negative) => (value as i64) < 0,
        Some(Fails::Nonzero) => value != 0,
        Some(Fails::Null) => value == 0,
    }
}

/// The text at `pointer`; `None` for NULL.
pub(crate) fn text_at(pointer: *mut c_void) -> Result<Option<String>, String> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the table says that this result is a C string; if it lies, this process ends. It is copied
    // before the library runs again.
    let text = unsafe { CStr::from_ptr(pointer.cast::<c_char>()) };
    if text.count_bytes() > TEXT_MAX {
        return Err(format!("it gave a text of {} bytes; at most {TEXT_MAX} are taken", text.count_bytes()));
    }
    match text.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err("it gave a text that is not UTF-8".to_owned()),
    }
}

fn free_with(free: CodePtr, pointer: *mut c_void) {
    let cif = Cif::new([Type::pointer()], Type::void());
    // SAFETY: the table says that this function takes such a pointer and frees it; nothing of ours points
    // there any more.
    unsafe { cif.call_return_into(free, &[Arg::new(&pointer)], Ret::void()) };
}

pub(crate) fn interface(function: &Function) -> Result<Cif, String> {
    let params = function.params.iter().map(|param| match &param.shape {
        Shape::Number(scalar)
        | Shape::Constant(scalar, _)
        | Shape::Length { scalar, by_pointer: false, .. } => ffi_type(*scalar),
        Shape::Text
        | Shape::Bytes
        | Shape::Handle { .. }
        | Shape::OutNumber(_)
        | Shape::OutHandle { .. }
        | Shape::OutBytes { .. }
        | Shape::Length { by_pointer: true, .. }
        | Shape::Null => Type::pointer(),
    });
    let returned = match &function.returned {
        Returned::Nothing => Type::void(),
        Returned::Number(scalar) => ffi_type(*scalar),
        Returned::Text { .. } | Returned::Handle { .. } => Type::pointer(),
    };
    let params: Vec<Type> = params.collect();
    Cif::try_new(params, returned).map_err(|error| format!("`{}` cannot be called: {error:?}", function.name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(file: &str, functions: &str) -> Result<Library, String> {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let table = Table::parse(&format!("vitffi = 1\n{functions}")).unwrap();
        Library::open(file, &table, 1, &Connection::new(ours))
    }

    #[test]
    fn the_c_library_is_called_by_its_table() {
        let c = open(
            "libc.so.6",
            "[functions.abs]\nparams = ['n: int']\nresult = 'int'\n\
             [functions.div]\nsymbol = 'ldexp'\nparams = ['x: double', 'by: int']\nresult = 'double'\n\
             [functions.getenv]\nparams = ['name: text']\nresult = 'text?'\n\
             [functions.length]\nsymbol = 'strlen'\nparams = ['text: text']\nresult = 'size'\n\
             [functions.open]\nparams = ['path: text', 'flags: int = 0']\nresult = 'int'\nfails = 'negative'\n\
             [functions.strdup]\nparams = ['text: text']\nresult = 'own text'\nfree = 'free'",
        )
        .unwrap();
        let number = |value: i64| Value::Number(value as u64);
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(c.call(0, vec![number(-7)]), Ok(vec![number(7)]));
        let half = Value::Number(0.75_f64.to_bits());
        assert_eq!(c.call(1, vec![half, number(2)]), Ok(vec![Value::Number(3_f64.to_bits())]));
        assert_eq!(c.call(2, vec![text("NO_SUCH_VARIABLE_AT_ALL")]), Ok(vec![Value::Nothing]));
        assert_eq!(c.call(3, vec![text("héllo")]), Ok(vec![number(6)]));
        assert!(c.call(3, vec![text("a\0b")]).unwrap_err().contains("NUL"));
        assert!(c.call(4, vec![text("/nowhere/at/all")]).unwrap_err().contains("No such file"));
        assert_eq!(c.call(5, vec![text("twice")]), Ok(vec![text("twice")]));
        assert!(
            c.call(0, vec![text("x")]).is_err() && c.call(0, vec![]).is_err() && c.call(9, vec![]).is_err()
        );
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(open("libnowhere.so", "[functions.f]").err().unwrap().contains("libnowhere.so"));
        let error = open("libc.so.6", "[functions.no_such_function_at_all]").err().unwrap();
        assert!(error.contains("no function `no_such_function_at_all`"), "{error}");
    }

    #[test]
    fn handles_are_checked() {
        let mut handles = Handles::default();
        let mut object = 7_u32;
        let pointer: *mut c_void = (&raw mut object).cast();
        let number = handles.add("db", pointer).unwrap();
        assert_eq!((handles.get("db", number), handles.add("db", pointer)), (Ok(pointer), Ok(number)));
        assert!(handles.get("statement", number).unwrap_err().contains("is a `db`"));
        assert!(handles.get("db", 99).unwrap_err().contains("no handle 99"));
        assert_eq!((handles.get("db", 0), handles.add("db", ptr::null_mut())), (Ok(ptr::null_mut()), Ok(0)));
    }
}
