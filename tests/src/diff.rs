//! A unified difference of two texts, for the message of a failed test.

/// Equal lines shown on each side of a change.
const CONTEXT: usize = 3;
/// Lines compared; the table of the comparison has the square of it. A change further down is
/// shown without alignment.
const LONGEST: usize = 1_000;

#[derive(Clone, Copy)]
enum Edit<'a> {
    Keep(&'a str),
    Drop(&'a str),
    Add(&'a str),
}

/// The lines that differ: `-` is expected and missing, `+` is there and not expected. Empty when
/// the texts are equal. A missing line end at the end of a text is shown as `\` after its line.
#[must_use]
pub fn unified(expected: &str, actual: &str) -> String {
    if expected == actual {
        return String::new();
    }
    let expected = lines(expected);
    let actual = lines(actual);
    let edits = edits(&expected, &actual);
    let mut out = String::from("--- expected\n+++ actual\n");
    let mut shown_to = 0;
    for (at, edit) in edits.iter().enumerate() {
        if matches!(edit, Edit::Keep(_)) {
            continue;
        }
        let from = at.saturating_sub(CONTEXT).max(shown_to);
        if from > shown_to || shown_to == 0 {
            out.push_str(&format!("@@ line {} @@\n", line_of(&edits, from)));
        }
        // Up to the next change only, so that no line is shown twice.
        let next = edits[at + 1..].iter().position(|edit| !matches!(edit, Edit::Keep(_)));
        let to = (at + 1 + CONTEXT).min(next.map_or(edits.len(), |gap| at + 1 + gap));
        for edit in &edits[from..to] {
            let (mark, line) = match edit {
                Edit::Keep(line) => (' ', line),
                Edit::Drop(line) => ('-', line),
                Edit::Add(line) => ('+', line),
            };
            out.push(mark);
            out.push_str(line);
            out.push('\n');
        }
        shown_to = to;
    }
    out
}

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n')
        .map(|line| line.strip_suffix('\n').map_or_else(|| format!("{line}\\"), str::to_owned))
        .collect()
}

/// The number of the expected line at edit `at`, from 1.
fn line_of(edits: &[Edit<'_>], at: usize) -> usize {
    1 + edits[..at].iter().filter(|edit| !matches!(edit, Edit::Add(_))).count()
}

/// Longest common subsequence by dynamic programming.
fn edits<'a>(old: &'a [String], new: &'a [String]) -> Vec<Edit<'a>> {
    let (n, m) = (old.len().min(LONGEST), new.len().min(LONGEST));
    let mut common = vec![vec![0_u16; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < n || j < m {
        if i < n && j < m && old[i] == new[j] {
            out.push(Edit::Keep(&old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < n && (j == m || common[i + 1][j] >= common[i][j + 1]) {
            out.push(Edit::Drop(&old[i]));
            i += 1;
        } else {
            out.push(Edit::Add(&new[j]));
            j += 1;
        }
    }
    out.extend(old[n..].iter().map(|line| Edit::Drop(line)));
    out.extend(new[m..].iter().map(|line| Edit::Add(line)));
    out
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(unified("a\nb\n", "a\nb\n"), "");
    }

    #[test]
    fn changes_stand_in_their_context() {
        assert_eq!(
            unified("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\nfive\n6\n"),
            "--- expected\n+++ actual\n@@ line 2 @@\n 2\n 3\n 4\n-5\n+five\n 6\n"
        );
    }

    #[test]
    fn a_missing_line_end_shows() {
        assert_eq!(unified("a\n", "a"), "--- expected\n+++ actual\n@@ line 1 @@\n-a\n+a\\\n");
    }

    #[test]
    fn far_changes_stand_apart() {
        let old: String = (0..30).map(|n| format!("{n}\n")).collect();
        let new = old.replacen("2\n", "two\n", 1).replace("25\n", "x\n");
        let shown = unified(&old, &new);
        assert_eq!(shown.matches("@@ line").count(), 2, "{shown}");
    }
}
