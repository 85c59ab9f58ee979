//! Diagnostics for people: message, place, source lines with marks, notes, help, edits.
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

use vitte_proto::v1::{Diagnostic, FileSpan, Label, Suggestion};

use super::layout::Line;
use super::style::Theme;
use super::{is_error, place, severity};

/// Lines that may be left out between two that are shown.
const GAP: &str = "...";

/// The whole diagnostic, ending with an empty line.
pub fn render(diagnostic: &Diagnostic, theme: &Theme) -> String {
    let mut out = String::new();
    let head = format!("{}[{}]", severity(diagnostic), diagnostic.code);
    let head = if is_error(diagnostic) { theme.error(&head) } else { theme.warning(&head) };
    line(&mut out, &format!("{head}{}", theme.bold(&format!(": {}", diagnostic.message))));
    let gutter = gutter_width(diagnostic);
    for (number, (file, labels)) in files(diagnostic).into_iter().enumerate() {
        render_file(&mut out, theme, gutter, number == 0, is_error(diagnostic), &file, &labels);
    }
    for note in &diagnostic.notes {
        paragraph(&mut out, &theme.bold("note"), "note", note);
    }
    for help in &diagnostic.helps {
        paragraph(&mut out, &theme.help("help"), "help", help);
    }
    for suggestion in &diagnostic.suggestions {
        render_suggestion(&mut out, theme, gutter, suggestion);
    }
    out.push('\n');
    theme.finish(out)
}

/// A line of a message that is no diagnostic: `error: …`, then its help.
pub fn plain(theme: &Theme, message: &str, help: &str, output: &str) -> String {
    let mut out = String::new();
    paragraph(&mut out, &theme.error("error"), "error", message);
    for line_of_output in output.lines() {
        line(&mut out, &format!("  {}", line_of_output.replace(|c: char| c.is_control() && c != '\t', "?")));
    }
    if !help.is_empty() {
        paragraph(&mut out, &theme.help("help"), "help", help);
    }
    theme.finish(out)
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// `title: text`, later lines of the text indented to the same depth.
fn paragraph(out: &mut String, painted_title: &str, title: &str, text: &str) {
    for (number, text) in text.lines().enumerate() {
        if number == 0 {
            line(out, &format!("{painted_title}: {text}"));
        } else {
            line(out, &format!("{:indent$}{text}", "", indent = title.len() + 2));
        }
    }
}

/// Labels by file, the primary label's file first, the others in order of appearance.
fn files(diagnostic: &Diagnostic) -> Vec<(String, Vec<(&Label, &FileSpan)>)> {
    let mut files: Vec<(String, Vec<(&Label, &FileSpan)>)> = Vec::new();
    let (primary, others): (Vec<&Label>, Vec<&Label>) =
        diagnostic.labels.iter().partition(|label| label.primary);
    for label in primary.into_iter().chain(others) {
        let Some(span) = &label.span else { continue };
        match files.iter_mut().find(|(file, _)| *file == span.file) {
            Some((_, labels)) => labels.push((label, span)),
            None => files.push((span.file.clone(), vec![(label, span)])),
        }
    }
    files
}

fn gutter_width(diagnostic: &Diagnostic) -> usize {
    let spans = diagnostic.labels.iter().map(|label| &label.span);
    let spans = spans.chain(diagnostic.suggestions.iter().map(|suggestion| &suggestion.span)).flatten();
    let last = spans.map(|span| span.start.unwrap_or_default().line as usize + span.source_lines.len()).max();
    last.unwrap_or(1).saturating_sub(1).max(1).to_string().len()
}

fn render_file(
    out: &mut String,
    theme: &Theme,
    gutter: usize,
    first: bool,
    error: bool,
    file: &str,
    labels: &[(&Label, &FileSpan)],
) {
    // The two fixed columns are what editors' patterns look for.
    let arrow = if first { "-->" } else { ":::" };
    let at = labels.first().map_or_else(|| file.to_owned(), |(_, span)| place(span));
    line(
        out,
        &format!("{:gutter$}{} {at}", "", theme.frame(&format!(" {arrow}")), gutter = gutter.max(2) - 1),
    );
    let mut lines: BTreeMap<u32, &str> = BTreeMap::new();
    for (_, span) in labels {
        let start = span.start.unwrap_or_default().line;
        for (number, text) in (start..).zip(&span.source_lines) {
            lines.insert(number, text);
        }
    }
    if lines.is_empty() {
        return;
    }
    let block = multi_line(labels);
    let margin = if block.is_some() { 2 } else { 0 };
    let bar = format!("{:gutter$} {}", "", theme.frame("|"));
    line(out, &bar);
    let mut previous = None;
    for (&number, source) in &lines {
        if previous.is_some_and(|previous| previous + 1 < number) {
            line(out, &theme.frame(GAP));
        }
        previous = Some(number);
        let marks: Vec<Mark> = marks_on(labels, number);
        let (from, to) =
            marks.iter().fold((u32::MAX, 1), |(from, to), mark| (from.min(mark.from), to.max(mark.to)));
        let available = theme.width.saturating_sub(gutter + 3 + margin);
        let laid_out = Line::new(source).clip(available, from.min(to), to);
        let side = block.as_ref().map_or(String::new(), |block| block.side(number, theme, error));
        let head = format!("{} {}", theme.frame(&format!("{number:>gutter$}")), theme.frame("|"));
        line(out, &format!("{head} {side}{}", laid_out.text));
        let inside = block.as_ref().filter(|block| block.first <= number && number < block.last);
        let side = match (&block, inside) {
            (Some(block), Some(_)) => format!("{} ", block.paint(theme, error, "|")),
            (Some(_), None) => "  ".to_owned(),
            (None, _) => String::new(),
        };
        for row in mark_rows(&laid_out, &marks, theme, error) {
            line(out, &format!("{bar} {side}{row}"));
        }
        if let Some(block) = block.as_ref().filter(|block| block.last == number) {
            let end = laid_out.cell(block.end_column.saturating_sub(1).max(1));
            let foot = format!("|{}{}", "_".repeat(end + 1), if block.primary { "^" } else { "-" });
            let foot = block.paint(theme, error, &foot);
            line(out, &format!("{bar} {foot} {}", block.paint(theme, error, block.message)));
        }
    }
    line(out, &bar);
}

/// A label over several lines, drawn as a bar beside them.
struct Block<'a> {
    first: u32,
    last: u32,
    end_column: u32,
    primary: bool,
    message: &'a str,
}

impl Block<'_> {
    fn side(&self, number: u32, theme: &Theme, error: bool) -> String {
        let text = match number {
            number if number == self.first => "/ ",
            number if self.first < number && number <= self.last => "| ",
            _ => "  ",
        };
        self.paint(theme, error, text)
    }

    fn paint(&self, theme: &Theme, error: bool, text: &str) -> String {
        paint(theme, self.primary, error, text)
    }
}

fn paint(theme: &Theme, primary: bool, error: bool, text: &str) -> String {
    match (primary, error) {
        (true, true) => theme.error(text),
        (true, false) => theme.warning(text),
        (false, _) => theme.frame(text),
    }
}

/// The first label that goes over several lines all of which are at hand. There is room for one bar;
/// further ones are marked where they begin.
fn multi_line<'a>(labels: &[(&'a Label, &FileSpan)]) -> Option<Block<'a>> {
    labels.iter().find_map(|(label, span)| block(label, span))
}

fn block<'a>(label: &'a Label, span: &FileSpan) -> Option<Block<'a>> {
    let (start, end) = (span.start?, span.end?);
    // An end at column 1 belongs to the line before.
    let (last, end_column) = if end.column <= 1 && end.line > start.line {
        (end.line - 1, u32::MAX)
    } else {
        (end.line, end.column)
    };
    let whole = last > start.line && (last - start.line) < u32::try_from(span.source_lines.len()).ok()?;
    whole.then_some(Block {
        first: start.line,
        last,
        end_column,
        primary: label.primary,
        message: &label.message,
    })
}

/// A label's part on one line: columns from `from` up to but not including `to`.
struct Mark<'a> {
    from: u32,
    to: u32,
    primary: bool,
    message: &'a str,
}

fn marks_on<'a>(labels: &[(&'a Label, &FileSpan)], number: u32) -> Vec<Mark<'a>> {
    let mut drawn_as_bar = false;
    let mut marks = Vec::new();
    for (label, span) in labels {
        if !drawn_as_bar && block(label, span).is_some() {
            drawn_as_bar = true;
            continue;
        }
        let (Some(start), Some(end)) = (span.start, span.end) else { continue };
        if start.line == number {
            let to = if end.line > start.line { u32::MAX } else { end.column.max(start.column + 1) };
            marks.push(Mark { from: start.column, to, primary: label.primary, message: &label.message });
        }
    }
    marks
}

/// A row of painted pieces at fixed cells.
#[derive(Default)]
struct Row(BTreeMap<usize, (char, bool)>);

impl Row {
    fn put(&mut self, cell: usize, c: char, primary: bool) {
        let entry = self.0.entry(cell).or_insert((c, primary));
        if primary {
            *entry = (c, primary);
        }
    }

    fn paint(&self, theme: &Theme, error: bool) -> String {
        let mut out = String::new();
        let mut cell = 0;
        let mut run = (String::new(), false);
        let flush = |out: &mut String, run: &mut (String, bool)| {
            out.push_str(&paint(theme, run.1, error, &run.0));
            run.0.clear();
        };
        for (&at, &(c, primary)) in &self.0 {
            if at > cell || primary != run.1 {
                flush(&mut out, &mut run);
            }
            let _ = write!(out, "{:width$}", "", width = at - cell);
            run.0.push(c);
            run.1 = primary;
            cell = at + 1;
        }
        flush(&mut out, &mut run);
        out
    }
}

/// The rows under a source line: the marks; beside the last of them its message; the other messages
/// below, each under its mark, the rightmost first.
fn mark_rows(source: &Line, marks: &[Mark<'_>], theme: &Theme, error: bool) -> Vec<String> {
    if marks.is_empty() {
        return Vec::new();
    }
    let mut placed: Vec<(usize, usize, &Mark<'_>)> = marks
        .iter()
        .map(|mark| {
            let from = source.cell(mark.from);
            let to = source.cell(mark.to).max(from + 1);
            (from, to, mark)
        })
        .collect();
    placed.sort_by_key(|&(from, to, mark)| (from, to, !mark.primary));
    // A mark inside a longer one is drawn over it, so that the parts of an expression can be told apart.
    let mut by_length: Vec<_> = placed.iter().collect();
    by_length.sort_by_key(|(from, to, mark)| (Reverse(to - from), mark.primary));
    let mut carets = Row::default();
    for (from, to, mark) in by_length {
        for cell in *from..*to {
            carets.0.insert(cell, (if mark.primary { '^' } else { '-' }, mark.primary));
        }
    }
    let mut first = carets.paint(theme, error);
    let mut hanging: Vec<(usize, &Mark<'_>)> = placed
        .iter()
        .filter(|(_, _, mark)| !mark.message.is_empty())
        .map(|&(from, _, mark)| (from, mark))
        .collect();
    let last_end = placed.iter().map(|&(_, to, _)| to).max().unwrap_or_default();
    // Only the rightmost may stand beside the marks, and only if no other mark reaches beyond it.
    let beside = hanging.pop_if(|(from, _)| {
        placed.iter().any(|&(start, to, mark)| start == *from && to == last_end && !mark.message.is_empty())
    });
    let mut rows = Vec::new();
    if let Some((_, mark)) = beside {
        let _ = write!(first, " {}", paint(theme, mark.primary, error, mark.message));
    }
    rows.push(first);
    if !hanging.is_empty() {
        let mut bars = Row::default();
        for &(from, mark) in &hanging {
            bars.put(from, '|', mark.primary);
        }
        rows.push(bars.paint(theme, error));
    }
    while let Some((from, mark)) = hanging.pop() {
        let mut bars = Row::default();
        for &(other, mark) in hanging.iter().filter(|&&(other, _)| other < from) {
            bars.put(other, '|', mark.primary);
        }
        let before = bars.paint(theme, error);
        let used = bars.0.last_key_value().map_or(0, |(&cell, _)| cell + 1);
        let message = paint(theme, mark.primary, error, mark.message);
        rows.push(format!("{before}{:width$}{message}", "", width = from - used));
    }
    rows
}

fn render_suggestion(out: &mut String, theme: &Theme, gutter: usize, suggestion: &Suggestion) {
    paragraph(out, &theme.help("help"), "help", &suggestion.message);
    let Some(span) = &suggestion.span else { return };
    let Some((old, new)) = edited(span, &suggestion.replacement) else { return };
    let bar = format!("{:gutter$} {}", "", theme.frame("|"));
    line(out, &bar);
    // Lines that the edit leaves alone need no pair of signs.
    let common = |(a, b): &(&String, &String)| a == b;
    let same_front = old.iter().zip(&new).take_while(common).count();
    let same_back =
        old.iter().skip(same_front).rev().zip(new.iter().skip(same_front).rev()).take_while(common).count();
    let (old, new) = (&old[same_front..old.len() - same_back], &new[same_front..new.len() - same_back]);
    let start = span.start.unwrap_or_default().line + same_front as u32;
    let show = |text: &str| Line::new(text).clip(theme.width.saturating_sub(gutter + 3), 1, 1).text;
    let number = |number: u32| theme.frame(&format!("{number:>gutter$}"));
    for (at, text) in (start..).zip(old) {
        line(out, &format!("{} {}", number(at), theme.removed(&format!("- {}", show(text)))));
    }
    for (at, text) in (start..).zip(new) {
        line(out, &format!("{} {}", number(at), theme.added(&format!("+ {}", show(text)))));
    }
    line(out, &bar);
}

/// The lines of `span` before and after the edit; `None` if they are not all at hand.
fn edited(span: &FileSpan, replacement: &str) -> Option<(Vec<String>, Vec<String>)> {
    let (start, end) = (span.start?, span.end?);
    let last = usize::try_from(end.line.checked_sub(start.line)?).ok()?;
    let old = span.source_lines.get(..=last)?;
    let cut = |text: &str, column: u32| {
        let at = text.char_indices().nth(column.saturating_sub(1) as usize).map_or(text.len(), |(at, _)| at);
        (text[..at].to_owned(), text[at..].to_owned())
    };
    let before = cut(old.first()?, start.column).0;
    let after = cut(old.last()?, end.column).1;
    let new = format!("{before}{replacement}{after}");
    Some((old.to_vec(), new.split('\n').map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::{Expect, expect};
    use vitte_proto::v1::{Position, Severity};

    use super::*;

    /// A span from the marked text: `start` and `end` are (line, column) within `source`.
    fn span(source: &str, start: (u32, u32), end: (u32, u32)) -> FileSpan {
        let position = |(line, column)| Some(Position { line, column, ..Default::default() });
        let lines = source.lines().skip(start.0 as usize - 1).take((end.0 - start.0) as usize + 1);
        FileSpan {
            file: "src/main.vit".into(),
            start: position(start),
            end: position(end),
            source_lines: lines.map(str::to_owned).collect(),
        }
    }

    fn label(primary: bool, message: &str, span: FileSpan) -> Label {
        Label { primary, message: message.into(), span: Some(span) }
    }

    fn diagnostic(labels: Vec<Label>) -> Diagnostic {
        Diagnostic {
            code: "TYP0213".into(),
            message_key: "TYPECK_E_ASSIGN_MISMATCH".into(),
            severity: Severity::Error.into(),
            phase: "typeck".into(),
            message: "mismatched types".into(),
            labels,
            ..Default::default()
        }
    }

    fn check(diagnostic: &Diagnostic, expected: &Expect) {
        expected.assert_eq(&render(diagnostic, &Theme::PLAIN));
    }

    const SOURCE: &str = "proc f(a: int) -> string {\n\tlet 漢 = a + \"x\"\n    give 漢\n}\n";

    #[test]
    fn one_line_with_two_labels_a_note_and_an_edit() {
        let mut value = diagnostic(vec![
            label(true, "expected `int`, found `string`", span(SOURCE, (2, 14), (2, 17))),
            label(false, "this is an `int`", span(SOURCE, (2, 10), (2, 11))),
            label(false, "declared here", span(SOURCE, (1, 8), (1, 9))),
        ]);
        value.notes.push("integers and strings never convert implicitly".into());
        value.suggestions.push(Suggestion {
            message: "convert the number".into(),
            replacement: "a as string".into(),
            span: Some(span(SOURCE, (2, 10), (2, 11))),
            applicability: 1,
            file_sha256: String::new(),
        });
        check(
            &value,
            &expect![[r#"
            error[TYP0213]: mismatched types
              --> src/main.vit:2:14
              |
            1 | proc f(a: int) -> string {
              |        - declared here
            2 |     let 漢 = a + "x"
              |              -   ^^^ expected `int`, found `string`
              |              |
              |              this is an `int`
              |
            note: integers and strings never convert implicitly
            help: convert the number
              |
            2 -     let 漢 = a + "x"
            2 +     let 漢 = a as string + "x"
              |

        "#]],
        );
    }

    #[test]
    fn parts_of_the_marked_expression_are_drawn_over_it() {
        check(
            &diagnostic(vec![
                label(true, "no `+` for these", span(SOURCE, (2, 10), (2, 17))),
                label(false, "this is `int`", span(SOURCE, (2, 10), (2, 11))),
                label(false, "this is `string`", span(SOURCE, (2, 14), (2, 17))),
            ]),
            &expect![[r#"
            error[TYP0213]: mismatched types
              --> src/main.vit:2:10
              |
            2 |     let 漢 = a + "x"
              |              -^^^--- this is `string`
              |              |
              |              no `+` for these
              |              this is `int`
              |

        "#]],
        );
    }

    #[test]
    fn a_block_has_a_bar() {
        check(
            &diagnostic(vec![label(true, "never gives", span(SOURCE, (1, 26), (4, 2)))]),
            &expect![[r#"
            error[TYP0213]: mismatched types
              --> src/main.vit:1:26
              |
            1 | / proc f(a: int) -> string {
            2 | |     let 漢 = a + "x"
            3 | |     give 漢
            4 | | }
              | |_^ never gives
              |

        "#]],
        );
    }

    #[test]
    fn lines_far_apart_and_other_files() {
        let mut other = span(SOURCE, (1, 6), (1, 7));
        other.file = "src/other.vit".into();
        let value = diagnostic(vec![
            label(true, "", span(SOURCE, (4, 1), (4, 2))),
            label(false, "opened here", span(SOURCE, (1, 26), (1, 27))),
            label(false, "other", other),
        ]);
        check(
            &value,
            &expect![[r#"
            error[TYP0213]: mismatched types
              --> src/main.vit:4:1
              |
            1 | proc f(a: int) -> string {
              |                          - opened here
            ...
            4 | }
              | ^
              |
              ::: src/other.vit:1:6
              |
            1 | proc f(a: int) -> string {
              |      - other
              |

        "#]],
        );
    }

    #[test]
    fn a_diagnostic_without_source_still_says_where() {
        let mut bare = span(SOURCE, (1, 1), (1, 1));
        bare.source_lines.clear();
        check(
            &diagnostic(vec![label(true, "", bare)]),
            &expect![[r#"
            error[TYP0213]: mismatched types
              --> src/main.vit:1:1

        "#]],
        );
    }
}
