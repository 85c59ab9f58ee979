//! Byte ranges in a source text, and lines and columns made from them.

/// A half-open byte range in one source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte, from 0.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The smallest range that covers both.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Where the lines of one text begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Scans `text` once; O(n).
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|&(_, b)| b == b'\n').map(|(i, _)| i as u32 + 1));
        Self { starts }
    }

    /// Line from 1 of a byte offset; O(log lines).
    pub fn line(&self, offset: u32) -> u32 {
        self.starts.partition_point(|&s| s <= offset) as u32
    }

    /// Line and column, both from 1; a column counts Unicode scalars and a tab is one.
    pub fn line_column(&self, text: &str, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts[line as usize - 1] as usize;
        let mut end = (offset as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        (line, text.get(start..end).map_or(0, |s| s.chars().count()) as u32 + 1)
    }

    /// The byte range of a line (from 1) without its line end.
    pub fn line_span(&self, text: &str, line: u32) -> Span {
        let start = self.starts.get(line as usize - 1).copied().unwrap_or(text.len() as u32);
        let end = self.starts.get(line as usize).copied().unwrap_or(text.len() as u32 + 1) - 1;
        let end = end.min(text.len() as u32).max(start);
        let cut = text[start as usize..end as usize].trim_end_matches('\r').len() as u32;
        Span::new(start, start + cut)
    }
}
