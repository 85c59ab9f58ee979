//! Linear memory.
use crate::limits;
use crate::module::{AddressType, MemoryType};

/// The memory of an instance: bytes in whole pages. Nothing here traps; what is outside is `None`.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    bytes: Vec<u8>,
    max_pages: u64,
}

impl Memory {
    /// A memory of zeros, if it is within `bytes_max` and there is room for it.
    pub(super) fn new(ty: MemoryType, bytes_max: u64) -> Option<Self> {
        let cap = match ty.address {
            AddressType::I32 => limits::PAGES_32,
            AddressType::I64 => limits::PAGES_64,
        };
        let max_pages = ty.max_pages.unwrap_or(cap).min(cap).min(bytes_max / limits::PAGE_BYTES);
        if ty.min_pages > max_pages {
            return None;
        }
        let mut memory = Self { bytes: Vec::new(), max_pages };
        memory.grow(ty.min_pages)?;
        Some(memory)
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// `length` bytes from `address` on.
    pub fn read(&self, address: u64, length: u64) -> Option<&[u8]> {
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.bytes.get(start..end)
    }

    /// Puts `bytes` at `address`; nothing if they do not fit.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(bytes.len())?;
        self.bytes.get_mut(start..end)?.copy_from_slice(bytes);
        Some(())
    }

    /// Pages that there are.
    pub fn pages(&self) -> u64 {
        self.bytes.len() as u64 / limits::PAGE_BYTES
    }

    /// Adds pages of zeros; gives how many there were before, or `None` if there may be or can be no more.
    pub fn grow(&mut self, pages: u64) -> Option<u64> {
        let before = self.pages();
        let after = before.checked_add(pages).filter(|after| *after <= self.max_pages)?;
        let bytes = usize::try_from(after.checked_mul(limits::PAGE_BYTES)?).ok()?;
        if self.bytes.is_empty() {
            // The system gives zeros as they are touched.
            let mut fresh: Vec<u8> = Vec::new();
            fresh.try_reserve_exact(bytes).ok()?;
            drop(fresh);
            self.bytes = vec![0; bytes];
        } else {
            self.bytes.try_reserve_exact(bytes - self.bytes.len()).ok()?;
            self.bytes.resize(bytes, 0);
        }
        Some(before)
    }

    /// Copies within; the ranges may overlap. Nothing if one is outside.
    pub(super) fn copy(&mut self, to: u64, from: u64, length: u64) -> Option<()> {
        let start = usize::try_from(from).ok()?;
        let to = usize::try_from(to).ok()?;
        let length = usize::try_from(length).ok()?;
        let end = start.checked_add(length)?;
        if end > self.bytes.len() || to.checked_add(length)? > self.bytes.len() {
            return None;
        }
        self.bytes.copy_within(start..end, to);
        Some(())
    }

    /// Sets bytes. Nothing if some are outside.
    pub(super) fn fill(&mut self, to: u64, byte: u8, length: u64) -> Option<()> {
        let start = usize::try_from(to).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.bytes.get_mut(start..end)?.fill(byte);
        Some(())
    }
}
