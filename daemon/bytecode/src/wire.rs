//! Bytes: integers in LEB128, names, lists. A reader that accepts one encoding of each value only.
use crate::error::Fault;
use crate::limits;

/// Writes what [`Reader`] reads.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.u64(u64::from(value));
    }

    pub(crate) fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(crate) fn i64(&mut self, mut value: i64) {
        while !(-0x40..0x40).contains(&value) {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8 & 0x7f);
    }

    /// How many, in front of as many things. Lists are capped far below 2^32 by the verifier; a longer one is
    /// written with a length that it refuses.
    pub(crate) fn count(&mut self, count: usize) {
        self.u64(count as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn name(&mut self, name: &str) {
        self.bytes(name.as_bytes());
    }

    /// A number that may be missing: 0, or one more than it.
    pub(crate) fn optional(&mut self, value: Option<u32>) {
        self.u64(value.map_or(0, |value| u64::from(value) + 1));
    }
}

/// A place in bytes and how far reading may go.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, end: bytes.len() }
    }

    /// Offset of the next byte.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.end - self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.end
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        if self.at == self.end {
            return Err(Fault::Truncated);
        }
        let byte = self.bytes.get(self.at).copied().ok_or(Fault::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        if length > self.remaining() {
            return Err(Fault::Truncated);
        }
        let taken = self.bytes.get(self.at..self.at + length).ok_or(Fault::Truncated)?;
        self.at += length;
        Ok(taken)
    }

    /// A reader of the next `length` bytes, whose offsets go on from here; this one continues behind them.
    pub(crate) fn part(&mut self, length: usize) -> Result<Self, Fault> {
        if length > self.remaining() {
            return Err(Fault::Truncated);
        }
        let part = Self { bytes: self.bytes, at: self.at, end: self.at + length };
        self.at += length;
        Ok(part)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.unsigned(32)?).map_err(|_| Fault::IntegerTooLarge)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        self.unsigned(64)
    }

    fn unsigned(&mut self, bits: u32) -> Result<u64, Fault> {
        let mut value = 0_u64;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift >= bits || (shift + 7 > bits && part >> (bits - shift) != 0) {
                return Err(Fault::IntegerTooLarge);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                // Only the number 0 itself may end in an empty group.
                return if byte == 0 && shift > 0 { Err(Fault::Overlong) } else { Ok(value) };
            }
            shift += 7;
        }
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.signed()?).map_err(|_| Fault::IntegerTooLarge)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Fault> {
        self.signed()
    }

    fn signed(&mut self) -> Result<i64, Fault> {
        let mut value = 0_i64;
        let mut shift = 0;
        let mut previous = 0_u8;
        loop {
            let byte = self.byte()?;
            // The tenth group has one bit left, and all its bits must be the sign.
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(Fault::IntegerTooLarge);
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1_i64 << shift;
                }
                // The last group may not just repeat the sign that the group before it shows.
                let repeats = shift > 7
                    && ((byte == 0 && previous & 0x40 == 0) || (byte == 0x7f && previous & 0x40 != 0));
                return if repeats { Err(Fault::Overlong) } else { Ok(value) };
            }
            previous = byte;
        }
    }

    /// How many things follow: at most `max`, each of one byte at least.
    pub(crate) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, Fault> {
        let count = self.u64()?;
        if count > max as u64 {
            return Err(Fault::Limit { what, count, max: max as u64 });
        }
        if count > self.remaining() as u64 {
            return Err(Fault::Truncated);
        }
        Ok(count as usize)
    }

    pub(crate) fn name(&mut self) -> Result<String, Fault> {
        let length = self.count("bytes of a name", limits::NAME_BYTES)?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Fault::NotUtf8)
    }

    /// What [`Writer::optional`] writes.
    pub(crate) fn optional(&mut self) -> Result<Option<u32>, Fault> {
        match self.u64()? {
            0 => Ok(None),
            more => u32::try_from(more - 1).map(Some).map_err(|_| Fault::IntegerTooLarge),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        bytes.first_chunk().copied().ok_or(Fault::Truncated)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn integers_survive() {
        let edges = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x1fff, 0x2000, 0x3fff, 0x4000];
        let wide = (0..64).flat_map(|shift| [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift]);
        for value in edges.into_iter().chain(wide) {
            let mut writer = Writer::default();
            writer.u64(value);
            writer.i64(value as i64);
            writer.i64((value as i64).wrapping_neg());
            let mut reader = Reader::new(&writer.bytes);
            assert_eq!(reader.u64().unwrap(), value);
            assert_eq!(reader.i64().unwrap(), value as i64);
            assert_eq!(reader.i64().unwrap(), (value as i64).wrapping_neg());
            assert!(reader.is_at_end());
        }
    }

    #[test]
    fn each_value_has_one_encoding() {
        // Every string of up to two bytes, and a part of those of three, that reads as a number is what writing that
        // number gives.
        for length in 1..=3 {
            for number in (0..1_u32 << (8 * length)).step_by(if length < 3 { 1 } else { 37 }) {
                let bytes = &number.to_le_bytes()[..length];
                let mut reader = Reader::new(bytes);
                if let (Ok(value), true) = (reader.u64(), reader.is_at_end()) {
                    let mut writer = Writer::default();
                    writer.u64(value);
                    assert_eq!(writer.bytes, bytes);
                }
                let mut reader = Reader::new(bytes);
                if let (Ok(value), true) = (reader.i64(), reader.is_at_end()) {
                    let mut writer = Writer::default();
                    writer.i64(value);
                    assert_eq!(writer.bytes, bytes);
                }
            }
        }
    }

    #[test]
    fn integers_that_do_not_fit_are_refused() {
        let five = [0xff, 0xff, 0xff, 0xff, 0x1f];
        assert_eq!(Reader::new(&five).u32(), Err(Fault::IntegerTooLarge));
        assert_eq!(Reader::new(&[0xff; 11]).u64(), Err(Fault::IntegerTooLarge));
        assert_eq!(Reader::new(&[0xff; 11]).i64(), Err(Fault::IntegerTooLarge));
        assert_eq!(Reader::new(&[0x80]).u32(), Err(Fault::Truncated));
        assert_eq!(Reader::new(&[0x80, 0]).u32(), Err(Fault::Overlong));
        assert_eq!(Reader::new(&[0xff, 0x7f]).i64(), Err(Fault::Overlong));
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x08]).i32(), Err(Fault::IntegerTooLarge));
    }
}
