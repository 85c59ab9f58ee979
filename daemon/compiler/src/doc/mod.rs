//! Pages of documentation: what modules say about themselves, as HTML that needs no server.
//!
//! [`pages`] gives one page for each module, one for its source, an index, and a style and a search that work from a
//! folder on disk. Texts come from `///` comments; where an exported declaration has none, the `//` lines directly above
//! it count. The examples in them ([`examples`]) are tests.
//!
//! Equal modules give equal bytes: nothing of the machine, the time or the order of requests gets in.
mod collect; // what there is to say of a module
pub mod examples; // fenced blocks as programs
mod highlight; // Vitte in colours
mod markdown; // comments to HTML
mod page; // the pages

#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use examples::Example;

use crate::base::{Db, SourceFile};

/// A file of the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Relative path with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The pages of some modules, and what they say in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// In order of path.
    pub pages: Vec<Page>,
    /// How many modules have a page.
    pub modules: usize,
    /// How many exported declarations there are.
    pub items: usize,
    /// How many of them have no text.
    pub undocumented: usize,
}

/// The documentation of `modules`, each under the name that its page has (`math/integer`), with `title` above all.
/// Linear in the size of the modules.
pub fn pages(db: &dyn Db, title: &str, about: &str, modules: &[(String, SourceFile)]) -> Pages {
    let names: HashMap<SourceFile, String> =
        modules.iter().map(|(name, file)| (*file, name.clone())).collect();
    let mut collected: Vec<collect::Module> =
        modules.iter().map(|(name, file)| collect::module(db, name, *file, &names)).collect();
    collected.sort_by(|one, other| one.name.cmp(&other.name));
    let mut out = Pages { modules: collected.len(), ..Pages::default() };
    for module in &collected {
        out.items += module.items.len();
        out.undocumented += module.items.iter().filter(|item| item.text.is_empty()).count();
    }
    out.pages = page::all(title, about, &collected);
    out.pages.sort_by(|one, other| one.path.cmp(&other.path));
    out
}
