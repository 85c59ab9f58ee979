//! Functions of other modules as a library calls them: C's arguments become values, which the service is asked
//! with; what it answers goes where C wants it.
//!
//! A library that calls an import otherwise than its table says ends this process, or worse; see `library`.
use std::ffi::c_void;
use std::rc::Rc;
use std::thread::{self, ThreadId};

use libffi::low::ffi_cif;
use libffi::middle::Closure;

use crate::library::{interface, text_at, widen};
use crate::message::{FRAME_MAX, Reply, Value};
use crate::runner::Connection;
use crate::table::{Function, ImportedFunction, Returned, Scalar, Shape};

/// An import of a library, as its function pointer knows it.
struct Imported {
    /// The one thread that may call it. Read before all else: the rest is not for several threads.
    thread: ThreadId,
    connection: Rc<Connection>,
    library: u32,
    place: u32,
    import: ImportedFunction,
}

/// Puts a function pointer for an import into `variable`. It is good as long as what is returned lives.
///
/// # Errors
/// When the system does not let us make one.
pub(crate) fn give(
    import: &ImportedFunction,
    library: u32,
    place: u32,
    connection: &Rc<Connection>,
    variable: *mut c_void,
) -> Result<Closure<'static>, String> {
    let cif = interface(&import.function)?;
    let imported: &'static Imported = Box::leak(Box::new(Imported {
        thread: thread::current().id(),
        connection: Rc::clone(connection),
        library,
        place,
        import: import.clone(),
    }));
    let closure = Closure::try_new(cif, called, imported).map_err(|error| {
        format!("the system gives no function pointer for `{}`: {error:?}", import.function.name)
    })?;
    let code = *closure.code_ptr() as *mut c_void;
    // SAFETY: the table says that the library has a function pointer here. If it lies, the variable is still in the
    // library's own memory, which is nobody else's; it may lie at any address.
    unsafe { variable.cast::<*mut c_void>().write_unaligned(code) };
    Ok(closure)
}

/// What C calls.
///
/// # Safety
/// `args` has the arguments that the interface of `imported` was made with; libffi sees to it.
unsafe extern "C" fn called(_: &ffi_cif, result: &mut u64, args: *const *const c_void, imported: &Imported) {
    if thread::current().id() != imported.thread {
        // The connection is in the middle of something else, and there is nobody to tell.
        std::process::abort();
    }
    // SAFETY: as the caller's.
    let arguments = unsafe { Arguments::new(args, imported.import.function.params.len()) };
    let given = match imported.ask(&arguments) {
        Ok(given) => given,
        Err(why) => match imported.import.failure() {
            Some(failure) => Some(failure),
            // There is no way back through the frames of C.
            None => imported.connection.abandon(why),
        },
    };
    if let Some(bits) = given {
        *result = bits;
    }
}

impl Imported {
    /// The result as bits, if C gets one.
    fn ask(&self, arguments: &Arguments) -> Result<Option<u64>, String> {
        let function = &self.import.function;
        let values = inputs(function, arguments)?;
        let (library, import) = (self.library, self.place);
        let answer = self.connection.ask(&Reply::Import { library, import, arguments: values })?;
        let misfit = || format!("`{}` was answered with other values", function.name);
        let mut given = answer.into_iter();
        let result = match function.returned {
            Returned::Number(_) => match given.next() {
                Some(Value::Number(bits)) => Some(bits),
                _ => return Err(misfit()),
            },
            Returned::Nothing | Returned::Text { .. } | Returned::Handle { .. } => None,
        };
        for (at, param) in function.params.iter().enumerate() {
            match &param.shape {
                Shape::OutNumber(scalar) => match given.next() {
                    Some(Value::Number(bits)) => arguments.put_number(at, *scalar, bits)?,
                    _ => return Err(misfit()),
                },
                Shape::OutBytes { .. } => match given.next() {
                    Some(Value::Bytes(bytes)) => self.put_bytes(arguments, at, &bytes)?,
                    Some(Value::Text(text)) => self.put_bytes(arguments, at, text.as_bytes())?,
                    _ => return Err(misfit()),
                },
                Shape::Number(_)
                | Shape::Text
                | Shape::Bytes
                | Shape::Handle { .. }
                | Shape::OutHandle { .. }
                | Shape::Length { .. }
                | Shape::Constant(..)
                | Shape::Null => {}
            }
        }
        if given.next().is_some() { Err(misfit()) } else { Ok(result) }
    }

    /// Bytes into the place that C has for them, and how many into that of their length.
    fn put_bytes(&self, arguments: &Arguments, at: usize, bytes: &[u8]) -> Result<(), String> {
        let params = &self.import.function.params;
        let length = params.iter().enumerate().find_map(|(place, param)| match param.shape {
            Shape::Length { of, scalar, by_pointer: true } if of == at => Some((place, scalar)),
            _ => None,
        });
        let Some((place, scalar)) = length else { return Err("its bytes have no length".to_owned()) };
        let room = arguments.number_behind(place, scalar)?;
        if bytes.len() as u64 > room {
            return Err(format!("it gave {} bytes where {room} fit", bytes.len()));
        }
        arguments.put(at, bytes)?;
        arguments.put_number(place, scalar, bytes.len() as u64)
    }
}

/// What C gives.
fn inputs(function: &Function, arguments: &Arguments) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    for (at, param) in function.params.iter().enumerate() {
        match &param.shape {
            Shape::Number(scalar) => values.push(Value::Number(arguments.number(at, *scalar))),
            Shape::Text => match text_at(arguments.pointer(at))? {
                Some(text) => values.push(Value::Text(text)),
                None => return Err(format!("`{}` was given NULL for `{}`", function.name, param.name)),
            },
            Shape::Bytes => {
                let length =
                    function.params.iter().enumerate().find_map(|(place, other)| match other.shape {
                        Shape::Length { of, scalar, .. } if of == at => Some(arguments.number(place, scalar)),
                        _ => None,
                    });
                let length = length.unwrap_or_default();
                if length > FRAME_MAX as u64 {
                    return Err(format!(
                        "`{}` was given {length} bytes; at most {FRAME_MAX} pass",
                        function.name
                    ));
                }
                values.push(Value::Bytes(arguments.bytes(at, length as usize)?));
            }
            Shape::Handle { .. }
            | Shape::OutNumber(_)
            | Shape::OutHandle { .. }
            | Shape::OutBytes { .. }
            | Shape::Length { .. }
            | Shape::Constant(..)
            | Shape::Null => {}
        }
    }
    Ok(values)
}

/// The arguments of a call by C: for each, where it stands.
struct Arguments {
    places: Vec<*const c_void>,
}

impl Arguments {
    /// # Safety
    /// `args` has `count` pointers, each to an argument of the type of the interface, as long as this lives.
    unsafe fn new(args: *const *const c_void, count: usize) -> Self {
        let place = |at: usize| {
            // SAFETY: it is less than `count`.
            let place = unsafe { args.add(at) };
            // SAFETY: the caller says that a pointer stands there.
            unsafe { place.read() }
        };
        Self { places: (0..count).map(place).collect() }
    }

    /// The number that is passed at `at`; zero if there is none, which the table rules out.
    fn number(&self, at: usize, scalar: Scalar) -> u64 {
        self.places.get(at).map_or(0, |place| number_at(*place, scalar))
    }

    /// The pointer that is passed at `at`.
    fn pointer(&self, at: usize) -> *mut c_void {
        let Some(place) = self.places.get(at) else { return std::ptr::null_mut() };
        // SAFETY: the interface has a pointer here, so that one stands there.
        unsafe { place.cast::<*mut c_void>().read_unaligned() }
    }

    /// The same, unless it is NULL.
    fn target(&self, at: usize) -> Result<*mut c_void, String> {
        let pointer = self.pointer(at);
        if pointer.is_null() { Err(format!("NULL was passed for parameter {}", at + 1)) } else { Ok(pointer) }
    }

    /// The number that the pointer at `at` points to.
    fn number_behind(&self, at: usize, scalar: Scalar) -> Result<u64, String> {
        self.target(at).map(|pointer| number_at(pointer, scalar))
    }

    /// A copy of what the pointer at `at` points to.
    fn bytes(&self, at: usize, length: usize) -> Result<Vec<u8>, String> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let start = self.target(at)?.cast::<u8>();
        // SAFETY: the table says that C passes so many bytes here; they are copied before C runs again.
        let bytes = unsafe { std::slice::from_raw_parts(start, length) };
        Ok(bytes.to_vec())
    }

    /// Writes to where the pointer at `at` points.
    fn put(&self, at: usize, bytes: &[u8]) -> Result<(), String> {
        if bytes.is_empty() {
            return Ok(());
        }
        let start = self.target(at)?.cast::<u8>();
        // SAFETY: the table says that C has room for these bytes here, and they are ours, not C's.
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Writes a number to where the pointer at `at` points.
    fn put_number(&self, at: usize, scalar: Scalar, bits: u64) -> Result<(), String> {
        match scalar {
            Scalar::Bool | Scalar::S8 | Scalar::U8 => self.put(at, &(bits as u8).to_ne_bytes()),
            Scalar::S16 | Scalar::U16 => self.put(at, &(bits as u16).to_ne_bytes()),
            Scalar::S32 | Scalar::U32 | Scalar::F32 => self.put(at, &(bits as u32).to_ne_bytes()),
            Scalar::S64 | Scalar::U64 | Scalar::F64 => self.put(at, &bits.to_ne_bytes()),
        }
    }
}

/// The number at `place`, extended as it crosses.
fn number_at(place: *const c_void, scalar: Scalar) -> u64 {
    let bits = match scalar {
        Scalar::Bool | Scalar::S8 | Scalar::U8 => {
            // SAFETY: interface and table say that a number of this size stands there.
            u64::from(unsafe { place.cast::<u8>().read_unaligned() })
        }
        Scalar::S16 | Scalar::U16 => {
            // SAFETY: as above.
            u64::from(unsafe { place.cast::<u16>().read_unaligned() })
        }
        Scalar::S32 | Scalar::U32 | Scalar::F32 => {
            // SAFETY: as above.
            u64::from(unsafe { place.cast::<u32>().read_unaligned() })
        }
        Scalar::S64 | Scalar::U64 | Scalar::F64 => {
            // SAFETY: as above.
            unsafe { place.cast::<u64>().read_unaligned() }
        }
    };
    widen(scalar, bits)
}
