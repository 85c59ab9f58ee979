//! Who defines what: the objects of a plan against the public names of the C library.
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use object::{Object, ObjectSymbol};

use super::{LinkError, LinkPlan};

/// What the C library offers under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Export {
    /// Code.
    Function,
    /// Data of so many bytes.
    Data(u64),
}

/// A symbol that nobody defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndefinedSymbol {
    /// Its name.
    pub name: String,
    /// The object that wants it.
    pub object: String,
    /// The nearest name that exists, when one is near.
    pub similar: Option<String>,
}

/// A symbol that two objects define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateSymbol {
    /// Its name.
    pub name: String,
    /// The object that defines it first.
    pub first: String,
    /// The one that defines it again.
    pub second: String,
}

/// A shared library of the C implementation and its public names, in `name` or `name=bytes` lines.
struct Library {
    soname: &'static str,
    table: &'static str,
}

/// Public names of glibc 2.36 for x86-64, in the order in which they are searched.
const LIBRARIES: [Library; 2] = [
    Library { soname: "libc.so.6", table: include_str!("symbols/libc.txt") },
    Library { soname: "libm.so.6", table: include_str!("symbols/libm.txt") },
];

fn exports() -> &'static HashMap<&'static str, (usize, Export)> {
    static EXPORTS: OnceLock<HashMap<&'static str, (usize, Export)>> = OnceLock::new();
    EXPORTS.get_or_init(|| {
        let mut map = HashMap::new();
        for (index, library) in LIBRARIES.iter().enumerate() {
            for line in library.table.lines() {
                let (name, export) = match line.split_once('=') {
                    Some((name, size)) => (name, Export::Data(size.parse().unwrap_or(8))),
                    None => (line, Export::Function),
                };
                map.entry(name).or_insert((index, export));
            }
        }
        map
    })
}

/// A function of the C library under `name`: the table's own copy of the name, and the library's soname.
pub(super) fn function(name: &str) -> Option<(&'static str, &'static str)> {
    match exports().get_key_value(name)? {
        (&known, &(library, Export::Function)) => Some((known, LIBRARIES[library].soname)),
        (_, (_, Export::Data(_))) => None,
    }
}

/// Whether every linker defines `name` itself.
fn is_linker_defined(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "_DYNAMIC",
        "_GLOBAL_OFFSET_TABLE_",
        "__GNU_EH_FRAME_HDR",
        "__bss_start",
        "__ehdr_start",
        "__executable_start",
        "__fini_array_end",
        "__fini_array_start",
        "__init_array_end",
        "__init_array_start",
        "__preinit_array_end",
        "__preinit_array_start",
        "_edata",
        "_end",
        "_etext",
        "edata",
        "end",
        "etext",
    ];
    NAMES.binary_search(&name).is_ok() || name.starts_with("__start_") || name.starts_with("__stop_")
}

/// What the objects of a plan ask of shared libraries: names by library, sorted.
#[derive(Debug, Default)]
pub(super) struct Imports {
    pub(super) libraries: BTreeMap<&'static str, Vec<(&'static str, Export)>>,
}

/// Reads the symbol tables of `plan` and resolves every undefined name.
///
/// With `libraries` of its own a plan may refer to names that we do not know; the linker decides then.
pub(super) fn resolve(plan: &LinkPlan, with_startup: bool) -> Result<Imports, LinkError> {
    let mut defined: BTreeMap<String, &str> = BTreeMap::new();
    let mut wanted: BTreeMap<String, &str> = BTreeMap::new();
    let mut duplicates = Vec::new();
    for input in &plan.objects {
        let file = object::File::parse(&*input.bytes).map_err(|error| {
            LinkError::tool(
                format!("`{}` is not an object file", input.name),
                error.to_string(),
                "this is a fault of the compiler, please report it",
            )
        })?;
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else { continue };
            if name.is_empty() {
                continue;
            }
            if symbol.is_undefined() {
                // A weak reference may stay unresolved: its address is then zero.
                if !symbol.is_weak() || exports().contains_key(name) {
                    wanted.entry(name.to_owned()).or_insert(&input.name);
                }
            } else if symbol.is_global() && !symbol.is_weak() {
                match defined.get(name) {
                    Some(first) => duplicates.push(DuplicateSymbol {
                        name: name.to_owned(),
                        first: (*first).to_owned(),
                        second: input.name.clone(),
                    }),
                    None => {
                        defined.insert(name.to_owned(), &input.name);
                    }
                }
            } else if symbol.is_global() {
                defined.entry(name.to_owned()).or_insert(&input.name);
            }
        }
    }
    if !duplicates.is_empty() {
        duplicates.sort_by(|a, b| (&a.name, &a.second).cmp(&(&b.name, &b.second)));
        duplicates.dedup();
        return Err(LinkError::Duplicate(duplicates));
    }
    if with_startup && !plan.shared {
        wanted.entry(super::startup::LIBC_START.to_owned()).or_insert("startup.o");
    }
    if !plan.shared {
        wanted.entry(plan.main.clone()).or_insert("startup.o");
    }
    let mut imports = Imports::default();
    let mut undefined = Vec::new();
    for (name, object) in wanted {
        if defined.contains_key(&name) || is_linker_defined(&name) {
            continue;
        }
        match exports().get_key_value(name.as_str()) {
            // `main` is ours to define; a library's would be somebody else's program.
            Some((&known, &(library, export))) if name != plan.main => {
                imports.libraries.entry(LIBRARIES[library].soname).or_default().push((known, export));
            }
            _ => {
                let similar = similar(&name, defined.keys().map(String::as_str));
                undefined.push(UndefinedSymbol { name, object: object.to_owned(), similar });
            }
        }
    }
    if !undefined.is_empty() && plan.libraries.is_empty() && plan.flags.is_empty() {
        return Err(LinkError::Undefined(undefined));
    }
    Ok(imports)
}

/// The known name with the smallest edit distance, when at most a third of the letters differ.
fn similar<'a>(name: &str, defined: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = (name.len() / 3).min(3);
    let public = exports().keys().copied().filter(|n| !n.starts_with('_') || name.starts_with('_'));
    defined
        .chain(public)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (crate::spelling::distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_what_programs_need() {
        let table = exports();
        for name in ["malloc", "free", "write", "exit", "memcpy", "__libc_start_main", "sin"] {
            assert!(table.contains_key(name), "{name}");
        }
        assert!(is_linker_defined("_GLOBAL_OFFSET_TABLE_") && is_linker_defined("etext"));
        assert!(is_linker_defined("__start_tests") && !is_linker_defined("main"));
        assert_eq!(table["environ"].1, Export::Data(8));
        assert_eq!(LIBRARIES[table["sin"].0].soname, "libm.so.6");
    }

    #[test]
    fn the_nearest_name_is_offered() {
        assert_eq!(similar("mallloc", std::iter::empty()).as_deref(), Some("malloc"));
        assert_eq!(similar("completely_unknown", std::iter::empty()), None);
    }
}
