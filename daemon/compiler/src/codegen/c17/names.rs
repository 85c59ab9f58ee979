//! Identifiers of C for symbols of ours.
use std::collections::{HashMap, HashSet};

/// Longest identifier that is made of a name; numbers behind it keep longer ones apart.
const LENGTH_MAX: usize = 96;

/// Gives out identifiers, each once. The same names in the same order get the same ones.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    next: HashMap<String, u32>,
}

impl Names {
    /// An identifier that begins with `prefix` and resembles `name`.
    pub(super) fn identifier(&mut self, prefix: &str, name: &str) -> String {
        let base = format!("{prefix}{}", plain(name));
        let mut made = base.clone();
        while !self.taken.insert(made.clone()) {
            let next = self.next.entry(base.clone()).or_insert(1);
            *next += 1;
            made = format!("{base}_{next}");
        }
        made
    }
}

/// Letters, digits and single underscores of `name`.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for char in name.chars() {
        if char.is_ascii_alphanumeric() {
            out.push(char);
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if out.len() >= LENGTH_MAX {
            break;
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_readable_and_never_the_same() {
        let mut names = Names::default();
        let made: Vec<String> =
            ["demo/shop::find", "demo/shop.find", "core::push<[int]>", "ä", "ö", "demo_shop_find_2"]
                .iter()
                .map(|name| names.identifier("vit_", name))
                .collect();
        let expected = [
            "vit_demo_shop_find",
            "vit_demo_shop_find_2",
            "vit_core_push_int",
            "vit_",
            "vit__2",
            "vit_demo_shop_find_2_2",
        ];
        assert_eq!(made, expected);
        assert!(names.identifier("vit_", &"x".repeat(1000)).len() < 110);
    }
}
