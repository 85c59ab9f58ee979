//! What C functions are on each machine: what stands in for the C library where there is none.
use target_lexicon::{Aarch64Architecture, Architecture, OperatingSystem, Triple};

use crate::base::{Machine, Processor, System};

/// The machine of a triple that [`Machine::triple`] gave, as Cranelift keeps it.
pub(super) fn machine_of(triple: &Triple) -> Machine {
    match (triple.architecture, triple.operating_system) {
        (Architecture::X86_64, OperatingSystem::Darwin(_) | OperatingSystem::MacOSX(_)) => {
            Machine::X86_64Macos
        }
        (Architecture::X86_64, OperatingSystem::Windows) => Machine::X86_64Windows,
        (Architecture::Aarch64(Aarch64Architecture::Aarch64), OperatingSystem::Linux) => {
            Machine::Aarch64Linux
        }
        (Architecture::Aarch64(_), _) => Machine::Aarch64Macos,
        (Architecture::Riscv64(_), _) => Machine::Riscv64Linux,
        _ => Machine::X86_64LinuxGnu,
    }
}

/// The modules of the runtime that stand in for the C library, in the order in which they are searched.
pub(super) fn runtime_paths(machine: Machine) -> &'static [&'static str] {
    match machine {
        Machine::X86_64LinuxGnu => &[],
        Machine::Aarch64Linux | Machine::Riscv64Linux => {
            &["linux.vit", "native.vit", "files.vit", "heap.vit"]
        }
        Machine::X86_64Macos | Machine::Aarch64Macos => &["macos.vit", "native.vit", "files.vit", "heap.vit"],
        Machine::X86_64Windows => &["windows.vit", "native.vit", "files.vit", "heap.vit"],
    }
}

/// The procedure of the runtime that the program begins with.
pub(super) fn start(machine: Machine) -> Option<&'static str> {
    match machine.system() {
        System::Linux => (!machine.has_c_library()).then_some("linux_start"),
        System::Macos => Some("macos_start"),
        System::Windows => Some("windows_start"),
    }
}

/// What the C function `name` is on this machine.
pub(super) fn external(machine: Machine, name: &str) -> External<'_> {
    if machine.has_c_library() {
        return External::Imported("");
    }
    if let Ok(at) = STAND_INS.binary_search_by_key(&name, |(known, _)| known)
        && let Some((_, proc)) = STAND_INS.get(at)
    {
        return External::Proc(proc);
    }
    match (machine, name) {
        (_, "main") => External::Main,
        (Machine::Aarch64Linux, "linux_no_follow") => External::Proc("no_follow_arm"),
        (Machine::Riscv64Linux, "linux_no_follow") => External::Proc("no_follow_generic"),
        (Machine::Aarch64Linux | Machine::Riscv64Linux, "linux_call") => External::Instruction,
        _ if name.starts_with("rt_") || name.starts_with("system_") => External::OwnName,
        (Machine::X86_64Macos | Machine::Aarch64Macos, name) => match macos_symbol(machine, name) {
            Some(symbol) => External::Imported(symbol),
            None => External::Missing,
        },
        (Machine::X86_64Windows, name) => match find_name(WINDOWS_FUNCTIONS, name) {
            Some(symbol) => External::Imported(symbol),
            None => External::Missing,
        },
        _ => External::Missing,
    }
}

/// The library that defines an imported symbol.
pub fn library_of(machine: Machine, symbol: &str) -> &'static str {
    match machine.system() {
        System::Linux => "",
        System::Macos => "/usr/lib/libSystem.B.dylib",
        System::Windows if symbol == "SystemFunction036" => "advapi32.dll",
        System::Windows => "kernel32.dll",
    }
}

/// What a C function becomes on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum External<'a> {
    /// Code of a library of the system, under this symbol; empty: under its own name.
    Imported(&'a str),
    /// A procedure of the runtime.
    Proc(&'static str),
    /// A procedure of the runtime of the same name, if there is one.
    OwnName,
    /// The program's `main`.
    Main,
    /// Machine code that [`super::entry`] has.
    Instruction,
    /// Nothing.
    Missing,
}

/// Names of C and the procedures of `runtime/heap.vit` and `runtime/native.vit` that are called instead, by name.
const STAND_INS: &[(&str, &str)] = &[
    ("__errno_location", "native_errno_place"),
    ("_exit", "native_exit"),
    ("abort", "native_abort"),
    ("calloc", "heap_calloc"),
    ("exit", "native_exit"),
    ("free", "heap_free"),
    ("malloc", "heap_malloc"),
    ("memchr", "heap_memchr"),
    ("memcmp", "heap_memcmp"),
    ("memcpy", "native_memcpy"),
    ("memmove", "native_memmove"),
    ("memory_base", "native_memory_base"),
    ("memory_grow", "native_memory_grow"),
    ("memory_size", "native_memory_size"),
    ("memset", "native_memset"),
    ("read", "native_read"),
    ("realloc", "heap_realloc"),
    ("strlen", "heap_strlen"),
    ("write", "native_write"),
];

/// What programs can call of `kernel32.dll`, and one function of `advapi32.dll`, by name: the list that the import
/// table is made from.
const WINDOWS_FUNCTIONS: &[&str] = &[
    "CloseHandle",
    "CreateDirectoryW",
    "CreateFileW",
    "DeleteFileW",
    "ExitProcess",
    "FindClose",
    "FindFirstFileW",
    "FindNextFileW",
    "FlushFileBuffers",
    "GetCommandLineW",
    "GetComputerNameW",
    "GetCurrentDirectoryW",
    "GetCurrentProcessId",
    "GetEnvironmentStringsW",
    "GetFileInformationByHandle",
    "GetLastError",
    "GetProcessTimes",
    "GetStdHandle",
    "GetSystemInfo",
    "GetSystemTimePreciseAsFileTime",
    "GetTickCount64",
    "MoveFileExW",
    "MultiByteToWideChar",
    "QueryPerformanceCounter",
    "QueryPerformanceFrequency",
    "ReadFile",
    "RemoveDirectoryW",
    "SetConsoleOutputCP",
    "SetEndOfFile",
    "SetFilePointerEx",
    "SystemFunction036",
    "VirtualAlloc",
    "WideCharToMultiByte",
    "WriteFile",
];

/// What programs can call of `libSystem`, under the names of C, by name: the list that stands for the library.
const MACOS_FUNCTIONS: &[&str] = &[
    "__error",
    "arc4random_buf",
    "atan",
    "atan2",
    "ceil",
    "clock_gettime_nsec_np",
    "close",
    "closedir",
    "cos",
    "exp",
    "fabs",
    "floor",
    "fmod",
    "fsync",
    "ftruncate",
    "getcwd",
    "getenv",
    "gethostname",
    "getpid",
    "isatty",
    "labs",
    "log",
    "log10",
    "log2",
    "lseek",
    "lstat",
    "mkdir",
    "mmap",
    "nearbyint",
    "open",
    "opendir",
    "pow",
    "pread",
    "puts",
    "pwrite",
    "raise",
    "readdir",
    "readlink",
    "rename",
    "renamex_np",
    "rint",
    "rmdir",
    "round",
    "sin",
    "sqrt",
    "stat",
    "symlink",
    "sysconf",
    "tan",
    "trunc",
    "unlink",
    "usleep",
];

/// Functions of the runtime alone: what `read`, `write` and `_exit` are in `libSystem`, which the runtime wraps.
const MACOS_WRAPPED: [(&str, &str); 3] =
    [("macos_exit", "_exit"), ("macos_read", "read"), ("macos_write", "write")];

fn find_name(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.binary_search(&name).ok().and_then(|at| names.get(at).copied())
}

/// The symbol of a C function without the underscore that Mach-O puts before it. On x86-64 the functions that tell of
/// files have had another one since inodes have 64 bits.
fn macos_symbol(machine: Machine, name: &str) -> Option<&'static str> {
    if let Some((_, symbol)) = MACOS_WRAPPED.iter().find(|(own, _)| *own == name) {
        return Some(symbol);
    }
    let known = find_name(MACOS_FUNCTIONS, name)?;
    Some(match (machine.processor(), known) {
        (Processor::X86_64, "stat") => "stat$INODE64",
        (Processor::X86_64, "lstat") => "lstat$INODE64",
        (Processor::X86_64, "readdir") => "readdir$INODE64",
        (Processor::X86_64, "opendir") => "opendir$INODE64",
        _ => known,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tables_are_in_order() {
        assert!(STAND_INS.is_sorted_by_key(|(name, _)| *name));
        assert!(WINDOWS_FUNCTIONS.is_sorted());
        assert!(MACOS_FUNCTIONS.is_sorted());
    }

    #[test]
    fn machines_are_told_from_what_cranelift_keeps() {
        for machine in Machine::ALL {
            assert_eq!(machine_of(&machine.triple().parse().unwrap()), machine, "{machine}");
        }
    }
}
