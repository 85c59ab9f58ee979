//! What reparse points say: `REPARSE_DATA_BUFFER` of `ntifs.h`, MS-FSCC 2.1.2.
use std::ffi::{OsStr, OsString};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::handle::Errno;

/// The control code that sets one (FSCTL_SET_REPARSE_POINT).
pub(super) const SET: u32 = windows_sys::Win32::System::Ioctl::FSCTL_SET_REPARSE_POINT;
/// The control code that gets one (FSCTL_GET_REPARSE_POINT).
pub(super) const GET: u32 = windows_sys::Win32::System::Ioctl::FSCTL_GET_REPARSE_POINT;
/// No reparse point has more (MAXIMUM_REPARSE_DATA_BUFFER_SIZE).
pub(super) const BYTES_MAX: usize = 16 << 10;

/// IO_REPARSE_TAG_SYMLINK
const LINK: u32 = 0xA000_000C;
/// IO_REPARSE_TAG_MOUNT_POINT, which junctions have too.
const JUNCTION: u32 = 0xA000_0003;
/// SYMLINK_FLAG_RELATIVE
const RELATIVE: u32 = 1;

/// A symbolic link that says `target`.
///
/// # Errors
/// `ERROR_INVALID_NAME` for a target with a zero in it or one that is too long.
pub(super) fn symbolic_link(target: &OsStr) -> Result<Vec<u8>, Errno> {
    let units = |text: &OsStr| -> Vec<u8> { text.encode_wide().flat_map(u16::to_le_bytes).collect() };
    // The kernel knows one separator.
    let print: OsString = OsString::from_wide(
        &target
            .encode_wide()
            .map(|unit| if unit == u16::from(b'/') { u16::from(b'\\') } else { unit })
            .collect::<Vec<_>>(),
    );
    if target.encode_wide().any(|unit| unit == 0) || target.is_empty() {
        return Err(Errno::NAME);
    }
    let absolute = Path::new(&print).is_absolute();
    let mut substitute = if absolute { units(OsStr::new(r"\??\")) } else { Vec::new() };
    substitute.extend(units(&print));
    let print = units(&print);
    let length = |bytes: usize| u16::try_from(bytes).map_err(|_| Errno::NAME);
    let mut data = Vec::new();
    for number in [0, length(substitute.len())?, length(substitute.len())?, length(print.len())?] {
        data.extend_from_slice(&number.to_le_bytes());
    }
    data.extend_from_slice(&(if absolute { 0 } else { RELATIVE }).to_le_bytes());
    data.extend_from_slice(&substitute);
    data.extend_from_slice(&print);
    if data.len() + 8 > BYTES_MAX {
        return Err(Errno::NAME);
    }
    let mut whole = LINK.to_le_bytes().to_vec();
    whole.extend_from_slice(&length(data.len())?.to_le_bytes());
    whole.extend_from_slice(&[0, 0]);
    whole.extend_from_slice(&data);
    Ok(whole)
}

/// What a symbolic link or a junction says; `None` for another kind, and for what cannot be read.
pub(super) fn words(bytes: &[u8]) -> Option<OsString> {
    let number = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?) as usize);
    let tag = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    // Behind the four lengths a link has its flags.
    let names = match tag {
        LINK => 20,
        JUNCTION => 16,
        _ => return None,
    };
    let start = names + number(8)?;
    let text = bytes.get(start..start + number(10)?)?;
    let units: Vec<u16> =
        text.chunks_exact(2).filter_map(|two| Some(u16::from_le_bytes(two.try_into().ok()?))).collect();
    let prefix: Vec<u16> = r"\??\".encode_utf16().collect();
    Some(OsString::from_wide(units.strip_prefix(prefix.as_slice()).unwrap_or(&units)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (given, read) in [("a", "a"), ("../b/c", r"..\b\c"), (r"C:\x", r"C:\x")] {
            assert_eq!(words(&symbolic_link(OsStr::new(given)).unwrap()).unwrap(), read);
        }
        assert!(symbolic_link(OsStr::new("")).is_err());
        assert!(symbolic_link(OsStr::new("a\0b")).is_err());
        assert!(symbolic_link(OsStr::new(&"x".repeat(9000))).is_err());
        let whole = symbolic_link(OsStr::new("target")).unwrap();
        for length in 0..whole.len() {
            // Never more than there is, and no panic.
            let _ = words(&whole[..length]);
        }
        assert_eq!(words(&[0; 64]), None);
    }
}
