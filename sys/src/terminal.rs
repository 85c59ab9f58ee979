//! The terminal that a descriptor leads to.
use crate::platform;
use crate::platform::handle::AsHandle;

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters of a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// The size of the terminal that `output` leads to; `None` when it leads elsewhere, or the terminal
/// does not know.
pub fn size(output: impl AsHandle) -> Option<Size> {
    let (columns, rows) = platform::process::terminal_size(output)?;
    (columns > 0 && rows > 0).then_some(Size { columns, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_no_size() {
        let file = std::fs::File::open(file!()).or_else(|_| std::fs::File::open("src/terminal.rs"));
        assert_eq!(file.ok().and_then(size), None);
    }
}
