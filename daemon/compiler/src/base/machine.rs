//! The machines that native code is made for.
use std::fmt;

/// A processor with a system on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Machine {
    /// x86-64 Linux with the GNU C library: the machine that programs are developed on.
    #[default]
    X86_64LinuxGnu,
    /// aarch64 Linux, without a C library.
    Aarch64Linux,
    /// riscv64 (RV64GC) Linux, without a C library.
    Riscv64Linux,
    /// x86-64 macOS, with `libSystem`.
    X86_64Macos,
    /// aarch64 macOS, with `libSystem`.
    Aarch64Macos,
    /// x86-64 Windows, with `kernel32.dll` and without a C library.
    X86_64Windows,
}

/// What kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// x86-64, version 1.
    X86_64,
    /// Armv8-A, 64 bits.
    Aarch64,
    /// RV64GC.
    Riscv64,
}

/// Which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

impl Machine {
    /// All of them, the host first.
    pub const ALL: [Self; 6] = [
        Self::X86_64LinuxGnu,
        Self::Aarch64Linux,
        Self::Riscv64Linux,
        Self::X86_64Macos,
        Self::Aarch64Macos,
        Self::X86_64Windows,
    ];

    /// Its target triple.
    pub const fn triple(self) -> &'static str {
        match self {
            Self::X86_64LinuxGnu => "x86_64-unknown-linux-gnu",
            Self::Aarch64Linux => "aarch64-unknown-linux",
            Self::Riscv64Linux => "riscv64gc-unknown-linux",
            Self::X86_64Macos => "x86_64-apple-darwin",
            Self::Aarch64Macos => "aarch64-apple-darwin",
            Self::X86_64Windows => "x86_64-pc-windows",
        }
    }

    /// The machine that [`Self::triple`] is of; the empty triple means the first. `None` for others.
    pub fn named(triple: &str) -> Option<Self> {
        if triple.is_empty() {
            return Some(Self::default());
        }
        Self::ALL.into_iter().find(|machine| machine.triple() == triple)
    }

    /// Its processor.
    pub fn processor(self) -> Processor {
        match self {
            Self::X86_64LinuxGnu | Self::X86_64Macos | Self::X86_64Windows => Processor::X86_64,
            Self::Aarch64Linux | Self::Aarch64Macos => Processor::Aarch64,
            Self::Riscv64Linux => Processor::Riscv64,
        }
    }

    /// Its system.
    pub fn system(self) -> System {
        match self {
            Self::X86_64LinuxGnu | Self::Aarch64Linux | Self::Riscv64Linux => System::Linux,
            Self::X86_64Macos | Self::Aarch64Macos => System::Macos,
            Self::X86_64Windows => System::Windows,
        }
    }

    /// Whether the C library, and with it `ffi_syscalls`, is there as a matter of course.
    pub fn has_c_library(self) -> bool {
        self == Self::X86_64LinuxGnu
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.triple())
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;

    #[test]
    fn machines_are_known_by_their_triples() {
        for machine in Machine::ALL {
            assert_eq!(Machine::named(machine.triple()), Some(machine));
        }
        assert_eq!(Machine::named(""), Some(Machine::X86_64LinuxGnu));
        assert_eq!(Machine::named("pdp11"), None);
    }
}
