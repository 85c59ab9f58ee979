//! What to link and how, as data.
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// A relocatable object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkObject {
    /// A name for messages, such as `program.o`. No directory.
    pub name: String,
    /// The object file.
    pub bytes: Arc<[u8]>,
}

/// How the executable finds the C library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkMode {
    /// Position-independent, bound to shared libraries when it starts. The default.
    #[default]
    Dynamic,
    /// Everything inside; needs an archive of the C library, so only `cc` can do it, unless the
    /// program needs no C library.
    Static,
}

/// What becomes of debug information and symbol tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DebugInfo {
    /// Stays in the executable.
    #[default]
    Keep,
    /// All symbols and debug sections are left out.
    Strip,
}

/// Everything that decides the bytes of an executable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkPlan {
    /// Target triple.
    pub target: String,
    /// The program, in link order.
    pub objects: Vec<LinkObject>,
    /// Symbol of the C-ABI procedure `int main(int argc, char **argv)` that startup code calls.
    pub main: String,
    /// Whether a shared library is made, which has no `main`.
    pub shared: bool,
    /// Dynamic or static.
    pub mode: LinkMode,
    /// Kept or stripped.
    pub debug: DebugInfo,
    /// Leave out sections that nothing reaches.
    pub gc_sections: bool,
    /// Shared libraries beyond the C library, such as `-lfoo`; passed to linkers that search the
    /// machine, refused by the embedded one.
    pub libraries: Vec<String>,
    /// Further flags for linkers that take them.
    pub flags: Vec<String>,
}

impl LinkPlan {
    /// A dynamic executable of one object, nothing stripped, unreachable sections left out. The library of
    /// system calls comes with it if the object refers to it.
    pub fn executable(object: LinkObject) -> Self {
        let library = super::system_calls::needed_by(&object);
        Self {
            target: super::HOST_TARGET.into(),
            objects: [object].into_iter().chain(library).collect(),
            main: "main".into(),
            gc_sections: true,
            ..Self::default()
        }
    }

    /// SHA-256 of all of it in lower-case hex; every part is preceded by its length, so that no two
    /// plans share their input to the hash.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(b"vitte.link.plan.v1");
        part(self.target.as_bytes());
        part(self.main.as_bytes());
        let mode: &[u8] = match self.mode {
            LinkMode::Dynamic => b"dynamic",
            LinkMode::Static => b"static",
        };
        part(mode);
        let debug: &[u8] = match self.debug {
            DebugInfo::Keep => b"keep",
            DebugInfo::Strip => b"strip",
        };
        part(debug);
        part(&[u8::from(self.gc_sections), u8::from(self.shared)]);
        part(&(self.objects.len() as u64).to_le_bytes());
        for object in &self.objects {
            part(object.name.as_bytes());
            part(&object.bytes);
        }
        for list in [&self.libraries, &self.flags] {
            part(&(list.len() as u64).to_le_bytes());
            for text in list {
                part(text.as_bytes());
            }
        }
        crate::digest::hex(&hash.finalize())
    }
}
