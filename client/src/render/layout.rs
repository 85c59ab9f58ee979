//! Source lines in terminal cells: tabs, wide and invisible characters, and lines that are too long.
use unicode_width::UnicodeWidthChar;

/// Cells of a tab.
const TAB: &str = "    ";
/// What stands for cut-off text.
const CUT: &str = "...";

/// A source line as it is shown, with the cell at which each column begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text, free of tabs and control characters.
    pub text: String,
    /// Cell of column n + 1; one more entry than there are columns.
    cells: Vec<usize>,
    /// Cells that were cut off in front, less those of the mark in their place.
    shift: usize,
    /// Cells that may be marked.
    end: usize,
}

impl Line {
    /// Lays `source` out.
    pub fn new(source: &str) -> Self {
        let mut text = String::with_capacity(source.len());
        let mut cells = Vec::with_capacity(source.len() + 1);
        let mut cell = 0;
        for c in source.chars() {
            cells.push(cell);
            match c {
                '\t' => {
                    text.push_str(TAB);
                    cell += TAB.len();
                }
                c => {
                    let shown = visible(c);
                    text.push(shown);
                    cell += shown.width().unwrap_or(1);
                }
            }
        }
        cells.push(cell);
        Self { text, cells, shift: 0, end: usize::MAX }
    }

    /// The cell at which `column` (from 1) begins; the line's end for all columns beyond it.
    pub fn cell(&self, column: u32) -> usize {
        let index = (column as usize).saturating_sub(1);
        let cell = self.cells.get(index).or(self.cells.last()).copied().unwrap_or_default();
        cell.saturating_sub(self.shift).min(self.end)
    }

    /// Cells of the whole line.
    pub fn width(&self) -> usize {
        self.cells.last().copied().unwrap_or_default()
    }

    /// Cuts the line to `width` cells so that the columns from `first` to `last` stay in sight, as far as they fit.
    #[must_use]
    pub fn clip(self, width: usize, first: u32, last: u32) -> Self {
        let width = width.max(4 * CUT.len());
        if self.width() <= width {
            return self;
        }
        let (from, to) = (self.cell(first), self.cell(last));
        // Show from the line's start when that is enough; else leave some context in front.
        let start = if to + CUT.len() <= width { 0 } else { from.saturating_sub(width / 4) };
        let cut_front = if start == 0 { 0 } else { CUT.len() };
        let end = start + width - cut_front;
        let cut_back = if end >= self.width() { 0 } else { CUT.len() };
        let mut text = CUT[..cut_front].to_owned();
        let mut cell = 0;
        for c in self.text.chars() {
            let next = cell + c.width().unwrap_or(0);
            if cell >= start && next <= end - cut_back {
                text.push(c);
            } else if cell < start && next > start {
                // Half of a wide character: keep the cells after it in place.
                text.push(' ');
            }
            cell = next;
        }
        text.push_str(&CUT[..cut_back]);
        Self { text, cells: self.cells, shift: start - cut_front.min(start), end: width - cut_back }
    }
}

/// A stand-in for a character that a terminal would not show, or would act on.
fn visible(c: char) -> char {
    match c {
        // The control pictures, U+2400 and after, stand in the order of what they picture.
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // Bidirectional controls reorder what stands around them and can hide code.
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_scalars_and_cells_count_what_is_seen() {
        let line = Line::new("\tlet 漢 = 1");
        assert_eq!(line.text, "    let 漢 = 1");
        assert_eq!((line.cell(2), line.cell(6), line.cell(7), line.cell(99)), (4, 8, 10, 14));
        assert_eq!(Line::new("a\u{1b}[31m").text, "a\u{241b}[31m");
    }

    #[test]
    fn a_long_line_keeps_its_marked_part() {
        let source: String = (0..50).map(|n| format!("word{n:02} ")).collect();
        let column = source.find("word40").map_or(0, |at| at as u32 + 1);
        let line = Line::new(&source).clip(60, column, column + 6);
        assert!(line.text.starts_with("...") && line.text.ends_with("..."));
        assert_eq!(line.text.len(), 60);
        assert_eq!(&line.text[line.cell(column)..line.cell(column + 6)], "word40");
        let front = Line::new(&source).clip(60, 1, 7);
        assert!(front.text.starts_with("word00") && front.text.ends_with("..."));
    }
}
