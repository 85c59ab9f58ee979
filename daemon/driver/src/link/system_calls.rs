//! The library of system calls (`sys/ffi_syscalls`), linked into the programs that call it.
//!
//! The standard library of Vitte reaches the operating system through it. It is one object of 50 KB with a section per
//! function; a program gets those that it uses.
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use object::{Object, ObjectSymbol};

use super::{DebugInfo, LinkObject, LinkPlan};

/// Made by `build.rs`; empty where programs cannot be linked anyway.
#[cfg(system_calls)]
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ffi_syscalls.o"));
#[cfg(not(system_calls))]
const OBJECT: &[u8] = &[];

/// What the names of its functions begin with.
const PREFIX: &str = "rt_";

struct Library {
    bytes: Arc<[u8]>,
    functions: BTreeSet<String>,
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let functions = match object::File::parse(OBJECT) {
            Ok(file) => file
                .symbols()
                .filter(|symbol| symbol.is_global() && !symbol.is_undefined())
                .filter_map(|symbol| symbol.name().ok())
                .map(String::from)
                .collect(),
            Err(_) => BTreeSet::new(),
        };
        Library { bytes: OBJECT.into(), functions }
    })
}

/// What makes a shared library of it, for programs that do not go through a linker of object files; `None` where
/// there is no such library.
pub(crate) fn shared_library() -> Option<LinkPlan> {
    let library = library();
    if library.functions.is_empty() {
        return None;
    }
    let object = LinkObject { name: "ffi_syscalls.o".into(), bytes: Arc::clone(&library.bytes) };
    let executable = LinkPlan::executable(object);
    Some(LinkPlan { shared: true, gc_sections: false, debug: DebugInfo::Strip, ..executable })
}

/// The library's own copy of the name, if it has such a function.
pub(crate) fn function(name: &str) -> Option<&'static str> {
    if name.starts_with(PREFIX) { library().functions.get(name).map(String::as_str) } else { None }
}

/// The library, if `program` refers to one of its functions. An object that cannot be read needs none:
/// whoever links it says what is wrong with it.
pub(super) fn needed_by(program: &LinkObject) -> Option<LinkObject> {
    let file = object::File::parse(&*program.bytes).ok()?;
    let refers = file.symbols().any(|symbol| {
        symbol.is_undefined()
            && symbol.name().is_ok_and(|name| name.starts_with(PREFIX) && library().functions.contains(name))
    });
    refers.then(|| LinkObject { name: "ffi_syscalls.o".into(), bytes: Arc::clone(&library().bytes) })
}

#[cfg(all(test, system_calls))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use object::write;

    use super::*;
    use crate::link::symbols;

    /// An object that calls `name` in its `main`.
    fn caller(name: &str) -> LinkObject {
        let mut object = write::Object::new(
            object::BinaryFormat::Elf,
            object::Architecture::X86_64,
            object::Endianness::Little,
        );
        let text = object.section_id(write::StandardSection::Text);
        object.append_section_data(text, &[0xc3], 1);
        for (name, section) in
            [("main", write::SymbolSection::Section(text)), (name, write::SymbolSection::Undefined)]
        {
            object.add_symbol(write::Symbol {
                name: name.into(),
                value: 0,
                size: 0,
                kind: object::SymbolKind::Text,
                scope: object::SymbolScope::Dynamic,
                weak: false,
                section,
                flags: object::SymbolFlags::None,
            });
        }
        LinkObject { name: "program.o".into(), bytes: object.write().unwrap().into() }
    }

    #[test]
    fn it_is_there_for_programs_that_call_it_alone() {
        let names = |name: &str| {
            let plan = LinkPlan::executable(caller(name));
            plan.objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("rt_fs_read"), ["program.o", "ffi_syscalls.o"]);
        assert_eq!(names("write"), ["program.o"]);
        assert_eq!(names("rt_of_somebody_else"), ["program.o"]);
    }

    #[test]
    fn it_defines_what_it_says_and_asks_for_the_c_library_alone() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sys/ffi_syscalls");
        for line in std::fs::read_to_string(folder.join("symbols-wide")).unwrap().lines() {
            assert!(library().functions.contains(line), "{line}");
        }
        let imports = symbols::resolve(&LinkPlan::executable(caller("rt_fs_read")), true);
        let libraries: Vec<_> = imports.unwrap().libraries.into_keys().collect();
        assert_eq!(libraries, ["libc.so.6"]);
    }
}
