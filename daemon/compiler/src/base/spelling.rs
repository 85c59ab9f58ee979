//! Spelling hints: which known name the user may have meant.
use super::diagnostic::Applicability;

/// The Damerau-Levenshtein distance (optimal string alignment: no substring is edited twice) between
/// two names, in Unicode scalars; a change of letter case alone counts as nothing. O(len a * len b).
pub fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    // Three rows are enough: a transposition looks two rows up.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// The candidate nearest to `name`, if it is near enough to be worth showing: at most a third of the
/// longer name's letters differ, and names of one or two letters must agree but for case.
///
/// Also finds a candidate that has the same words in another order or with other separators
/// (`length_list` for `listLength`). Ties go to the first in alphabetical order, so that the answer
/// does not depend on the order of the candidates.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64; // longer names are compared for nobody's good
    let length = name.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    let words = sorted_words(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = candidate.chars().count();
        if candidate == name || other == 0 || other > LONGEST {
            continue;
        }
        let limit = length.max(other) / 3;
        let found = if length.abs_diff(other) <= limit { distance(name, candidate) } else { usize::MAX };
        let found =
            if found > limit && words.len() > 1 && sorted_words(candidate) == words { limit } else { found };
        if found <= limit && best.is_none_or(|(least, first)| (found, candidate) < (least, first)) {
            best = Some((found, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// As [`nearest`], with how sure one can be: machine-applicable if one letter is missing, too many, another or in its
/// neighbour's place in a name of four or more, and no other candidate comes as near.
pub fn meant<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<(&'a str, Applicability)> {
    const SHORTEST: usize = 4;
    let all: Vec<&str> = candidates.into_iter().collect();
    let found = nearest(name, all.iter().copied())?;
    let near = |candidate: &str| distance(name, candidate) <= 1;
    let rivals =
        all.iter().filter(|candidate| **candidate != found && **candidate != name && near(candidate));
    let sure = name.chars().count() >= SHORTEST && near(found) && rivals.count() == 0;
    Some((found, if sure { Applicability::MachineApplicable } else { Applicability::MaybeIncorrect }))
}

/// The words of a `snake_case` or `camelCase` name in lower case, sorted.
fn sorted_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        lower_before = c.is_lowercase();
        if let (true, Some(word)) = (c != '_', words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::{Applicability, distance, meant, nearest};

    #[test]
    fn one_wrong_letter_leaves_no_doubt_unless_there_is_a_rival() {
        let sure = |name, candidates: &[&'static str]| {
            meant(name, candidates.iter().copied())
                .map(|(found, sure)| (found, sure == Applicability::MachineApplicable))
        };
        assert_eq!(sure("lenght", &["width", "length"]), Some(("length", true)));
        assert_eq!(sure("counter", &["counters", "count"]), Some(("counters", true)));
        assert_eq!(sure("item1", &["item2", "item3"]), Some(("item2", false)));
        assert_eq!(sure("cot", &["cat"]), Some(("cat", false)));
        assert_eq!(sure("inventory", &["inventry_x"]).map(|(_, sure)| sure), Some(false));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("String", "string"), 0);
        assert_eq!(distance("é", "e"), 1);
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("lenght", ["width", "length", "height"]), Some("length"));
        assert_eq!(nearest("i31", ["i8", "i32", "u32"]), Some("i32"));
        assert_eq!(nearest("x", ["y", "z"]), None);
        assert_eq!(nearest("X", ["y", "x"]), Some("x"));
        assert_eq!(nearest("apple", ["banana"]), None);
        assert_eq!(nearest("listLength", ["length_list", "list"]), Some("length_list"));
        assert_eq!(nearest("cot", ["cut", "cat"]), Some("cat"), "ties are broken by name");
    }
}
