//! Bytes become executable code here.
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// The two encodings of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

impl Kind {
    /// What the first eight bytes say: the magic number, then version 1 of core modules or the layer
    /// field of components. `None` if it is neither.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.get(..8)? {
            [0, b'a', b's', b'm', 1, 0, 0, 0] => Some(Self::Module),
            [0, b'a', b's', b'm', _, _, 1, 0] => Some(Self::Component),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Component => "component",
        }
    }
}

/// Executable code. Cloning it is cheap.
#[derive(Clone)]
pub enum Code {
    /// Of a core module.
    Module(Module),
    /// Of a component.
    Component(Component),
}

/// Bytes that [`Engine::precompile_module`] or [`Engine::precompile_component`] made. Whoever makes a
/// value says where they come from; there are two places, and both are in this crate.
pub(crate) struct Precompiled {
    bytes: Vec<u8>,
    /// Where the code begins: moving it costs more than knowing.
    start: usize,
    kind: Kind,
}

impl Precompiled {
    /// What our own worker process answered on the socket pair that was made for it.
    pub(crate) fn from_worker(bytes: Vec<u8>, kind: Kind) -> Self {
        Self { bytes, start: 0, kind }
    }

    /// What `cache` wrote under the key of this user, and that key confirms: all of `bytes` after the first `start`.
    pub(crate) fn from_cache(bytes: Vec<u8>, start: usize, kind: Kind) -> Self {
        Self { bytes, start, kind }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Makes them executable on `engine`.
    ///
    /// # Errors
    /// When they were made for another version or machine.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Code> {
        match self.kind {
            Kind::Module => {
                // SAFETY: the bytes are the unchanged output of `precompile_module` of this very library:
                // `Precompiled` is made only from our worker's answer and from what the cache authenticated.
                let module = unsafe { Module::deserialize(engine, self.bytes()) }?;
                Ok(Code::Module(module))
            }
            Kind::Component => {
                // SAFETY: as above, of `precompile_component`.
                let component = unsafe { Component::deserialize(engine, self.bytes()) }?;
                Ok(Code::Component(component))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_content() {
        assert_eq!(Kind::of(b"\0asm\x01\0\0\0rest"), Some(Kind::Module));
        assert_eq!(Kind::of(b"\0asm\x0d\0\x01\0"), Some(Kind::Component));
        for other in [&b"\0asm"[..], b"\0asm\x02\0\0\0", b"\x7fELF\x02\x01\x01\0", b""] {
            assert_eq!(Kind::of(other), None);
        }
    }
}
