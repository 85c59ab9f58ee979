//! `.vitffi`: which functions a library has, and how C sees them.
//!
//! ```toml
//! vitffi = 1
//! library = "libz.so.1"
//!
//! [functions.crc32]
//! params = ["crc: ulong", "data: bytes", "length: uint = len(data)"]
//! result = "ulong"
//! ```
//!
//! A parameter is a name, a type, and for those that callers do not give, what is passed:
//!
//! | written | C | callers give | callers get |
//! |---|---|---|---|
//! | `n: int` and the other numbers | `int` | a number | |
//! | `s: text` | `const char *`, a copy that ends with the call | a string without NUL | |
//! | `b: bytes` | pointer to a copy of the bytes | bytes | |
//! | `h: handle(db)` | a pointer that the library gave | its number | |
//! | `h: take handle(db)` | the same; the library frees it | its number, for the last time | |
//! | `n: out int` | `int *`, zeroed | | the number |
//! | `h: out handle(db)` | `void **` | | its number |
//! | `b: out bytes(4096)` | pointer to so many zeroed bytes | | the bytes |
//! | `n: uint = len(b)` | the length of what was given for `b`, which stands before it | | |
//! | `n: uint = cap(b)` | the size of the bytes for `b` | | |
//! | `n: inout ulong = cap(b)` | pointer to that size; afterwards the length of `b` | | |
//! | `n: int = -1` | this number | | |
//! | `p: null` | `NULL` | | |
//!
//! A result is a number type, `text` (copied; `NULL` is an error), `text?` (`NULL` is no text), `own text` (freed by
//! `free` once it is copied), or `handle(db)`. `fails = "negative"`, `"nonzero"` or `"null"` says when the C function
//! has failed; then the caller gets the message of `errno`.
//!
//! # Imports
//! A library can call functions of other modules, whatever they are made of:
//!
//! ```toml
//! [imports.scale]
//! from = "acme:math/ops@1.0.0"
//! symbol = "scale_fn"
//! params = ["x: double"]
//! result = "double"
//! ```
//!
//! `symbol`, or else the name itself, is a variable of the library, here `double (*scale_fn)(double)`. It holds
//! `NULL` while constructors run, and the function from then on. The library calls it in the thread in which it was
//! called itself; in any other its process is aborted. Its parameters are numbers, `text`, `bytes` with their `len`,
//! `out` numbers, and `out bytes(4096)` with an `inout` length, which says how many fit and then how many came; its
//! result is a number or nothing. If the import fails, the library is told so by the value that `fails` names: -1, 1
//! or 0. Without `fails` its process ends, and its caller is told why.
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// Longest table, in bytes.
pub const TABLE_MAX: usize = 1 << 20;
/// Most functions of a table.
const FUNCTIONS_MAX: usize = 4096;
/// Most parameters of a function.
const PARAMS_MAX: usize = 64;
/// Largest buffer of an `out bytes`.
pub(crate) const OUT_MAX: u32 = 16 << 20;

/// A number type of C, by size and kind on this machine's ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `_Bool`
    Bool,
    /// 8 bits, signed
    S8,
    /// 8 bits, unsigned
    U8,
    /// 16 bits, signed
    S16,
    /// 16 bits, unsigned
    U16,
    /// 32 bits, signed
    S32,
    /// 32 bits, unsigned
    U32,
    /// 64 bits, signed
    S64,
    /// 64 bits, unsigned
    U64,
    /// `float`
    F32,
    /// `double`
    F64,
}

impl Scalar {
    /// What a C type's name means here.
    fn of(name: &str) -> Option<Self> {
        /// A C type of `bits` bits.
        fn sized(signed: bool, bytes: usize) -> Scalar {
            match (signed, bytes) {
                (true, 8) => Scalar::S64,
                (true, _) => Scalar::S32,
                (false, 8) => Scalar::U64,
                (false, _) => Scalar::U32,
            }
        }
        const LONG: usize = size_of::<std::ffi::c_long>();
        const SIZE: usize = size_of::<usize>();
        Some(match name {
            "bool" => Self::Bool,
            "schar" | "int8" => Self::S8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::S16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::S32,
            "uint" | "uint32" => Self::U32,
            "longlong" | "int64" => Self::S64,
            "ulonglong" | "uint64" => Self::U64,
            "long" => sized(true, LONG),
            "ulong" => sized(false, LONG),
            "ssize" => sized(true, SIZE),
            "size" => sized(false, SIZE),
            "float" => Self::F32,
            "double" => Self::F64,
            _ => return None,
        })
    }

    /// Its name in the interface language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// The value of a constant in a table, as bits.
    fn constant(self, text: &str) -> Option<u64> {
        match self {
            Self::Bool => text.parse::<bool>().ok().map(u64::from),
            Self::F32 => text.parse::<f32>().ok().map(|value| u64::from(value.to_bits())),
            Self::F64 => text.parse::<f64>().ok().map(f64::to_bits),
            Self::S8 => text.parse::<i8>().ok().map(|value| value as u64),
            Self::U8 => text.parse::<u8>().ok().map(u64::from),
            Self::S16 => text.parse::<i16>().ok().map(|value| value as u64),
            Self::U16 => text.parse::<u16>().ok().map(u64::from),
            Self::S32 => text.parse::<i32>().ok().map(|value| value as u64),
            Self::U32 => text.parse::<u32>().ok().map(u64::from),
            Self::S64 => text.parse::<i64>().ok().map(|value| value as u64),
            Self::U64 => text.parse().ok(),
        }
    }
}

/// What is passed for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number from the caller.
    Number(Scalar),
    /// Text from the caller.
    Text,
    /// Bytes from the caller.
    Bytes,
    /// A pointer that the library gave, by its number.
    Handle {
        /// Of which kind.
        kind: String,
        /// Whether the library frees it.
        taken: bool,
    },
    /// A place for a number.
    OutNumber(Scalar),
    /// A place for a pointer of the library.
    OutHandle {
        /// Of which kind.
        kind: String,
    },
    /// A place for bytes.
    OutBytes {
        /// So many.
        capacity: u32,
    },
    /// The length of another parameter's value, or the capacity of its place.
    Length {
        /// Of which parameter, by place.
        of: usize,
        /// As what.
        scalar: Scalar,
        /// By pointer; what stands there afterwards is the length of that parameter's bytes.
        by_pointer: bool,
    },
    /// A number that never changes, as bits.
    Constant(Scalar, u64),
    /// `NULL`.
    Null,
}

/// A parameter of the C function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What is passed.
    pub shape: Shape,
}

/// What the C function returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Nothing.
    Nothing,
    /// A number.
    Number(Scalar),
    /// Text that stays the library's.
    Text {
        /// Whether `NULL` means that there is none.
        optional: bool,
        /// Whether it is ours to free.
        owned: bool,
    },
    /// A pointer of the library.
    Handle {
        /// Of which kind.
        kind: String,
    },
}

/// When a function has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fails {
    /// Its result is below zero.
    Negative,
    /// Its result is not zero.
    Nonzero,
    /// Its result is `NULL`, or zero.
    Null,
}

/// A function of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// What callers call it.
    pub name: String,
    /// What the library calls it.
    pub symbol: String,
    /// Its parameters in the order of C.
    pub params: Vec<Param>,
    /// Its result.
    pub returned: Returned,
    /// When it has failed, if it says so through `errno`.
    pub fails: Option<Fails>,
    /// What frees its text.
    pub free: Option<String>,
}

/// What callers give or get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number(Scalar),
    /// The number of a handle; 0 is `NULL`.
    Handle,
    /// Text.
    Text,
    /// Text or none.
    OptionalText,
    /// Bytes.
    Bytes,
}

impl Function {
    /// What callers give, in order, with names.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.params.iter().filter_map(|param| {
            let kind = match &param.shape {
                Shape::Number(scalar) => Kind::Number(*scalar),
                Shape::Text => Kind::Text,
                Shape::Bytes => Kind::Bytes,
                Shape::Handle { .. } => Kind::Handle,
                Shape::OutNumber(_)
                | Shape::OutHandle { .. }
                | Shape::OutBytes { .. }
                | Shape::Length { .. }
                | Shape::Constant(..)
                | Shape::Null => return None,
            };
            Some((param.name.as_str(), kind))
        })
    }

    /// What callers get, in order: the result, then what was put into places.
    pub fn outputs(&self) -> impl Iterator<Item = Kind> {
        let returned = match &self.returned {
            Returned::Nothing => None,
            Returned::Number(scalar) => Some(Kind::Number(*scalar)),
            Returned::Text { optional: true, .. } => Some(Kind::OptionalText),
            Returned::Text { optional: false, .. } => Some(Kind::Text),
            Returned::Handle { .. } => Some(Kind::Handle),
        };
        returned.into_iter().chain(self.params.iter().filter_map(|param| match &param.shape {
            Shape::OutNumber(scalar) => Some(Kind::Number(*scalar)),
            Shape::OutHandle { .. } => Some(Kind::Handle),
            Shape::OutBytes { .. } => Some(Kind::Bytes),
            Shape::Number(_)
            | Shape::Text
            | Shape::Bytes
            | Shape::Handle { .. }
            | Shape::Length { .. }
            | Shape::Constant(..)
            | Shape::Null => None,
        }))
    }
}

/// A function of another module that a library calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFunction {
    /// The module, with an interface of it if it has any, such as `acme:math/ops@1.0.0`.
    pub from: String,
    /// The function as C sees it; its symbol is the variable that holds it.
    pub function: Function,
}

impl ImportedFunction {
    /// What C gets when the function has failed, as bits, if it can be told.
    pub(crate) fn failure(&self) -> Option<u64> {
        self.function.fails.map(|fails| match fails {
            Fails::Negative => u64::MAX,
            Fails::Nonzero => 1,
            Fails::Null => 0,
        })
    }
}

/// What a library offers, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The library's file, or a name that the system finds.
    pub library: Option<String>,
    /// By name.
    pub functions: Vec<Function>,
    /// By name.
    pub imports: Vec<ImportedFunction>,
}

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// In which function; empty outside of all.
    pub function: String,
    /// What.
    pub message: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.function.is_empty() {
            write!(f, "function `{}`: ", self.function)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for TableError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableText {
    vitffi: u32,
    library: Option<String>,
    functions: BTreeMap<String, FunctionText>,
    #[serde(default)]
    imports: BTreeMap<String, ImportText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportText {
    from: String,
    symbol: Option<String>,
    #[serde(default)]
    params: Vec<String>,
    result: Option<String>,
    fails: Option<Fails>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionText {
    symbol: Option<String>,
    #[serde(default)]
    params: Vec<String>,
    result: Option<String>,
    fails: Option<Fails>,
    free: Option<String>,
}

impl Table {
    /// Whether text begins like a table: a comment or `vitffi` comes first.
    pub fn is_one(bytes: &[u8]) -> bool {
        let mut lines = bytes.get(..bytes.len().min(4096)).unwrap_or_default().split(|byte| *byte == b'\n');
        let first = lines.find(|line| {
            let line = line.trim_ascii();
            !line.is_empty() && !line.starts_with(b"#")
        });
        first.is_some_and(|line| {
            line.trim_ascii()
                .strip_prefix(b"vitffi")
                .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
        })
    }

    /// Reads a table.
    ///
    /// # Errors
    /// What is wrong, and in which function.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let outside = |message: String| TableError { function: String::new(), message };
        if text.len() > TABLE_MAX {
            return Err(outside(format!("it has {} bytes; at most {TABLE_MAX} are read", text.len())));
        }
        let TableText { vitffi, library, functions, imports } =
            toml::from_str(text).map_err(|error| outside(error.to_string().trim_end().to_owned()))?;
        if vitffi != 1 {
            return Err(outside(format!("version {vitffi} is not known; this reads version 1")));
        }
        if functions.is_empty() || functions.len() > FUNCTIONS_MAX {
            return Err(outside(format!("it has to name 1 to {FUNCTIONS_MAX} functions")));
        }
        if library.as_ref().is_some_and(|library| library.is_empty() || library.contains('\0')) {
            return Err(outside("`library` has to name a file".to_owned()));
        }
        let functions = functions
            .into_iter()
            .map(|(name, text)| {
                let function = name.clone();
                function_of(name, text).map_err(|message| TableError { function, message })
            })
            .collect::<Result<_, _>>()?;
        if imports.len() > FUNCTIONS_MAX {
            return Err(outside(format!("it imports more than {FUNCTIONS_MAX} functions")));
        }
        let imports = imports
            .into_iter()
            .map(|(name, text)| {
                let function = name.clone();
                import_of(name, text).map_err(|message| TableError { function, message })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { library, functions, imports })
    }
}

fn function_of(name: String, text: FunctionText) -> Result<Function, String> {
    let FunctionText { symbol, params: texts, result, fails, free } = text;
    let symbol = symbol.unwrap_or_else(|| name.clone());
    for word in [Some(&name), Some(&symbol), free.as_ref()].into_iter().flatten() {
        if !is_word(word) {
            return Err(format!("`{word}` is no name in C"));
        }
    }
    if texts.len() > PARAMS_MAX {
        return Err(format!("it has {} parameters; at most {PARAMS_MAX} are passed", texts.len()));
    }
    let mut params: Vec<Param> = Vec::new();
    for text in &texts {
        let param = param_of(text, &params).map_err(|message| format!("parameter `{text}`: {message}"))?;
        if params.iter().any(|other| other.name == param.name) {
            return Err(format!("parameter `{}` is there twice", param.name));
        }
        params.push(param);
    }
    let returned = match result.as_deref().map(str::trim) {
        None => Returned::Nothing,
        Some("text") => Returned::Text { optional: false, owned: false },
        Some("text?") => Returned::Text { optional: true, owned: false },
        Some("own text") => Returned::Text { optional: false, owned: true },
        Some("own text?") => Returned::Text { optional: true, owned: true },
        Some(other) => match (Scalar::of(other), handle_kind(other)) {
            (Some(scalar), _) => Returned::Number(scalar),
            (None, Some(kind)) => Returned::Handle { kind },
            (None, None) => return Err(format!("`{other}` is no type of a result")),
        },
    };
    let owns = matches!(returned, Returned::Text { owned: true, .. });
    if owns != free.is_some() {
        return Err("`free` goes with `own text`, and names the function that frees it".to_owned());
    }
    let suits = match (fails, &returned) {
        (None, _) => true,
        (Some(Fails::Null), Returned::Handle { .. } | Returned::Text { .. }) => true,
        (Some(Fails::Negative | Fails::Nonzero | Fails::Null), Returned::Number(scalar)) => {
            !matches!(scalar, Scalar::F32 | Scalar::F64)
        }
        (Some(_), Returned::Nothing | Returned::Text { .. } | Returned::Handle { .. }) => false,
    };
    if !suits {
        return Err("its result cannot tell of a failure in that way".to_owned());
    }
    Ok(Function { name, symbol, params, returned, fails, free })
}

fn import_of(name: String, text: ImportText) -> Result<ImportedFunction, String> {
    let ImportText { from, symbol, params, result, fails } = text;
    if from.is_empty() || from.len() > 256 || from.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("`from` has to name a module, and `{from}` names none"));
    }
    let function = function_of(name, FunctionText { symbol, params, result, fails, free: None })?;
    let lengths = |of: usize| {
        function.params.iter().filter_map(move |param| match param.shape {
            Shape::Length { of: counted, by_pointer, .. } if counted == of => Some(by_pointer),
            _ => None,
        })
    };
    for (at, Param { name, shape }) in function.params.iter().enumerate() {
        let wrong = match shape {
            Shape::Number(_) | Shape::Text | Shape::OutNumber(_) => None,
            Shape::Bytes if lengths(at).eq([false]) => None,
            Shape::Bytes => Some("bytes that C passes need one parameter for their `len`"),
            Shape::OutBytes { .. } if lengths(at).eq([true]) => None,
            Shape::OutBytes { .. } => {
                Some("bytes that C is given need one `inout` parameter for their `cap`")
            }
            Shape::Length { of, .. } => match function.params.get(*of).map(|param| &param.shape) {
                Some(Shape::Text) => Some("text that C passes ends with NUL, and has no `len`"),
                _ => None,
            },
            Shape::Handle { .. } | Shape::OutHandle { .. } => Some("a handle is of no use to another module"),
            Shape::Constant(..) | Shape::Null => Some("what C passes is not for the table to say"),
        };
        if let Some(wrong) = wrong {
            return Err(format!("parameter `{name}`: {wrong}"));
        }
    }
    match function.returned {
        Returned::Nothing | Returned::Number(_) => Ok(ImportedFunction { from, function }),
        Returned::Text { .. } | Returned::Handle { .. } => {
            Err("an import gives C a number or nothing; text goes into `out bytes`".to_owned())
        }
    }
}

fn param_of(text: &str, before: &[Param]) -> Result<Param, String> {
    let (name, rest) = text.split_once(':').ok_or("it has to be `NAME: TYPE`")?;
    let name = name.trim();
    if !is_word(name) {
        return Err(format!("`{name}` is no name"));
    }
    let (ty, given) = match rest.split_once('=') {
        Some((ty, given)) => (ty.trim(), Some(given.trim())),
        None => (rest.trim(), None),
    };
    let shape = match given {
        None => plain_shape(ty)?,
        Some(given) => {
            let (ty, by_pointer) = match ty.strip_prefix("inout ") {
                Some(ty) => (ty.trim(), true),
                None => (ty, false),
            };
            let scalar = Scalar::of(ty).ok_or_else(|| format!("`{ty}` is no number type"))?;
            match (inside(given, "len"), inside(given, "cap")) {
                (Some(of), None) if !by_pointer => {
                    length(of, before, scalar, false, |shape| matches!(shape, Shape::Bytes | Shape::Text))?
                }
                (None, Some(of)) => {
                    length(of, before, scalar, by_pointer, |shape| matches!(shape, Shape::OutBytes { .. }))?
                }
                (None, None) if !by_pointer => Shape::Constant(
                    scalar,
                    scalar.constant(given).ok_or_else(|| format!("`{given}` is no {ty}"))?,
                ),
                _ => return Err(format!("`{given}` cannot be passed by pointer")),
            }
        }
    };
    Ok(Param { name: name.to_owned(), shape })
}

fn plain_shape(ty: &str) -> Result<Shape, String> {
    if let Some(scalar) = Scalar::of(ty) {
        return Ok(Shape::Number(scalar));
    }
    if let Some(kind) = handle_kind(ty) {
        return Ok(Shape::Handle { kind, taken: false });
    }
    if let Some(kind) = ty.strip_prefix("take ").and_then(|ty| handle_kind(ty.trim())) {
        return Ok(Shape::Handle { kind, taken: true });
    }
    match ty {
        "text" => return Ok(Shape::Text),
        "bytes" => return Ok(Shape::Bytes),
        "null" => return Ok(Shape::Null),
        _ => {}
    }
    if let Some(place) = ty.strip_prefix("out ").map(str::trim) {
        if let Some(scalar) = Scalar::of(place) {
            return Ok(Shape::OutNumber(scalar));
        }
        if let Some(kind) = handle_kind(place) {
            return Ok(Shape::OutHandle { kind });
        }
        if let Some(capacity) = inside(place, "bytes") {
            return match capacity.parse() {
                Ok(capacity) if capacity <= OUT_MAX => Ok(Shape::OutBytes { capacity }),
                Ok(_) | Err(_) => Err(format!("`{capacity}` is no number of bytes up to {OUT_MAX}")),
            };
        }
    }
    Err(format!("`{ty}` is no type of a parameter"))
}

/// The length of a parameter that stands before it.
fn length(
    of: &str,
    before: &[Param],
    scalar: Scalar,
    by_pointer: bool,
    suits: impl Fn(&Shape) -> bool,
) -> Result<Shape, String> {
    if matches!(scalar, Scalar::Bool | Scalar::F32 | Scalar::F64) {
        return Err("a length is a whole number".to_owned());
    }
    let of = before
        .iter()
        .position(|param| param.name == of && suits(&param.shape))
        .ok_or_else(|| format!("no parameter `{of}` before it has such a length"))?;
    Ok(Shape::Length { of, scalar, by_pointer })
}

/// What stands in parentheses after `word`.
fn inside<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    Some(text.strip_prefix(word)?.trim_start().strip_prefix('(')?.strip_suffix(')')?.trim())
}

fn handle_kind(text: &str) -> Option<String> {
    inside(text, "handle").filter(|kind| is_word(kind)).map(str::to_owned)
}

fn is_word(text: &str) -> bool {
    text.len() <= 256
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(body: &str) -> Result<Function, String> {
        Table::parse(&format!("vitffi = 1\n[functions.f]\n{body}"))
            .map(|mut table| table.functions.remove(0))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn shapes_are_told_apart() {
        let function = one(
            "params = ['data: bytes', 'n: uint = len(data)', 'to: out bytes(16)', 'size: inout ulong = cap(to)', \
             'db: out handle(db)', 'st: take handle(st)', 'all: int = -1', 'tail: null', 'x: double']\n\
             result = 'int'\nfails = 'negative'",
        )
        .unwrap();
        let inputs: Vec<_> = function.inputs().collect();
        assert_eq!(inputs, [("data", Kind::Bytes), ("st", Kind::Handle), ("x", Kind::Number(Scalar::F64))]);
        let outputs: Vec<_> = function.outputs().collect();
        assert_eq!(outputs, [Kind::Number(Scalar::S32), Kind::Bytes, Kind::Handle]);
        assert_eq!(function.params[6].shape, Shape::Constant(Scalar::S32, -1_i64 as u64));
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("params = ['x']", "NAME: TYPE"),
            ("params = ['x: string']", "no type of a parameter"),
            ("params = ['x: uint = len(y)']", "no parameter `y` before it"),
            ("params = ['x: int = 9999999999']", "is no int"),
            ("params = ['x: int', 'x: int']", "there twice"),
            ("params = ['x: out bytes(99999999999)']", "number of bytes"),
            ("result = 'pointer'", "no type of a result"),
            ("result = 'own text'", "`free` goes with"),
            ("result = 'double'\nfails = 'negative'", "cannot tell of a failure"),
            ("symbol = 'a b'", "no name in C"),
            ("wrong = 1", "unknown field"),
        ];
        for (body, words) in cases {
            let message = one(body).unwrap_err();
            assert!(message.contains(words), "{body}: {message}");
        }
        assert!(Table::parse("vitffi = 2\n[functions.f]\n").unwrap_err().message.contains("version 2"));
        assert!(Table::parse("vitffi = 1\nfunctions = {}\n").unwrap_err().message.contains("1 to 4096"));
    }

    #[test]
    fn imports_are_read_and_their_mistakes_named() {
        let import = |body: &str| {
            let text = format!("vitffi = 1\n[functions.f]\n[imports.g]\n{body}");
            Table::parse(&text).map(|mut table| table.imports.remove(0)).map_err(|error| error.to_string())
        };
        let good = import(
            "from = 'acme:m/i@1.0.0'\nsymbol = 'g_fn'\nresult = 'int'\nfails = 'negative'\n\
             params = ['s: text', 'b: bytes', 'n: size = len(b)', 'o: out bytes(8)', 'm: inout size = cap(o)']",
        )
        .unwrap();
        assert_eq!((good.from.as_str(), good.function.symbol.as_str()), ("acme:m/i@1.0.0", "g_fn"));
        assert_eq!((good.function.inputs().count(), good.function.outputs().count()), (2, 2));
        assert_eq!(good.failure(), Some(u64::MAX));
        for (body, words) in [
            ("params = []", "missing field `from`"),
            ("from = ''", "names none"),
            ("from = 'a'\nparams = ['b: bytes']", "need one parameter for their `len`"),
            ("from = 'a'\nparams = ['b: out bytes(8)']", "need one `inout` parameter"),
            ("from = 'a'\nparams = ['b: out bytes(8)', 'n: size = cap(b)']", "need one `inout` parameter"),
            ("from = 'a'\nparams = ['s: text', 'n: size = len(s)']", "ends with NUL"),
            ("from = 'a'\nparams = ['h: handle(db)']", "of no use to another"),
            ("from = 'a'\nparams = ['n: int = 3']", "not for the table"),
            ("from = 'a'\nresult = 'text'", "a number or nothing"),
            ("from = 'a'\nsymbol = 'a b'", "no name in C"),
        ] {
            let message = import(body).unwrap_err();
            assert!(message.contains(words), "{body}: {message}");
        }
    }

    #[test]
    fn tables_are_told_by_content() {
        assert!(Table::is_one(b"# of libz\n\nvitffi = 1\n"));
        for other in [&b"vitffi"[..], b"vitffis = 1", b"", b"\0asm", b"x = 1\nvitffi = 1"] {
            assert!(!Table::is_one(other));
        }
    }
}
