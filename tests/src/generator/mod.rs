//! Workspaces of realistic shape and any size, made from a seed; and the equal C project for peers.
//!
//! A [`Workspace`] is a model: modules in layers, what each imports, and its procedures with their
//! constants. [`Workspace::vitte`] and [`Workspace::c`] write the same model in two languages. Both
//! programs print one line, `checksum N`, and the same N: that is how a result is known to be right
//! without another compiler's help. Everything is a function of the options, byte for byte.
//!
//! `edit` changes the model as programmers do; `files` carries a set of texts to disk.
mod c; // the model as a C project with a build.ninja
mod edit; // what programmers do to a workspace
mod files; // texts by path, and how they reach the disk
mod graph; // layers and who imports whom
mod shapes; // procedures, in both languages side by side
mod vitte; // the model as Vitte modules

pub use edit::{Change, Damage};
pub use files::{Files, SaveStyle};
pub use shapes::Shape;

use crate::random::Random;
use std::collections::BTreeMap;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Modules in all, `main` and the two of the base among them; at least 4.
    pub modules: usize,
    /// Layers of the import graph below `main`; 0 chooses by size.
    pub layers: usize,
    /// Equal seeds give equal workspaces.
    pub seed: u64,
}

impl Options {
    /// A workspace of `modules` modules.
    #[must_use]
    pub fn new(modules: usize, seed: u64) -> Self {
        Self { modules, layers: 0, seed }
    }
}

/// Names a module of one workspace, whatever it is called and wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(usize);

/// A procedure of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Procedure {
    /// Unique in its module.
    pub name: String,
    /// What its body does.
    pub shape: Shape,
    /// Constants of the body.
    pub numbers: [i64; 3],
}

/// A module of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The folder below `src`.
    pub area: String,
    /// The file's name without ending, unique in the workspace.
    pub name: String,
    /// What it is about; its form is named after it.
    pub noun: &'static str,
    /// 0 imports the base alone; a module imports from lower layers only.
    pub layer: usize,
    /// Modules whose types and procedures it uses, in the order of their `use` lines.
    pub imports: Vec<ModuleId>,
    /// Those of `imports` whose checksum it adds to its own. Each module is owned once.
    pub owned: Vec<ModuleId>,
    /// Its exported constants.
    pub limit: i64,
    /// Added to each checksum.
    pub base: i64,
    /// In the order of the file.
    pub procedures: Vec<Procedure>,
    /// Whether `score` takes two numbers rather than one: a change of signature.
    pub wide_score: bool,
    /// The name of the local variable of `score`; a change of it changes no meaning.
    pub local: String,
    /// A line of text above the module; a change of it changes no meaning.
    pub remark: String,
    /// Spaces of indentation; a change of it changes no meaning.
    pub indent: usize,
}

/// A program of many modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    modules: BTreeMap<ModuleId, Module>,
    /// The modules that `main` imports.
    top: Vec<ModuleId>,
    next: usize,
    damage: BTreeMap<ModuleId, Damage>,
}

/// `main` and the modules of the base.
const FIXED_MODULES: usize = 3;
/// Modules of one folder.
const AREA_MODULES: usize = 25;

const NOUNS: [&str; 24] = [
    "ledger", "parcel", "sensor", "ticket", "invoice", "route", "vessel", "meter", "account", "permit",
    "cargo", "battery", "turbine", "harvest", "patient", "lesson", "tariff", "beacon", "archive", "courier",
    "garden", "signal", "reactor", "voucher",
];
const AREAS: [&str; 12] = [
    "billing",
    "storage",
    "planning",
    "transport",
    "records",
    "control",
    "market",
    "health",
    "supply",
    "research",
    "safety",
    "energy",
];
const VERBS: [&str; 12] =
    ["settle", "rank", "weigh", "label", "grow", "place", "seek", "trace", "audit", "blend", "gauge", "sort"];

impl Workspace {
    /// Makes a workspace. Takes time and memory in proportion to its size.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut random = Random::new(options.seed);
        let count = options.modules.saturating_sub(FIXED_MODULES).max(1);
        let sizes = graph::layer_sizes(count, options.layers);
        let mut workspace =
            Self { modules: BTreeMap::new(), top: Vec::new(), next: 0, damage: BTreeMap::new() };
        let mut below: Vec<Vec<ModuleId>> = Vec::new();
        for (layer, &size) in sizes.iter().enumerate() {
            let mut ids = Vec::with_capacity(size);
            for at in 0..size {
                let owned = below.last().map_or(&[][..], |ids| graph::share(ids, at, size));
                let imports = graph::imports(owned, &below, &mut random);
                let area = format!("{}_{}{:02}", area_word(layer, at), layer, at / AREA_MODULES);
                ids.push(workspace.add(area, layer, imports, owned.to_vec(), &mut random));
            }
            below.push(ids);
        }
        workspace.top = below.pop().unwrap_or_default();
        workspace
    }

    fn add(
        &mut self,
        area: String,
        layer: usize,
        imports: Vec<ModuleId>,
        owned: Vec<ModuleId>,
        random: &mut Random,
    ) -> ModuleId {
        let id = ModuleId(self.next);
        self.next += 1;
        let noun = random.choose(&NOUNS).copied().unwrap_or(NOUNS[0]);
        let mut module = Module {
            area,
            name: format!("{noun}_{:04}", id.0),
            noun,
            layer,
            imports,
            owned,
            limit: random.range(100, 900),
            base: random.range(1, 1_000),
            procedures: Vec::new(),
            wide_score: false,
            local: "sum".into(),
            remark: "Generated; see the generator for what it stands for.".into(),
            indent: 4,
        };
        // Every module has a loop, so that every module has a body that is worth an edit.
        module.insert_procedure(Shape::Loop, random);
        for _ in 0..random.range(1, 3) {
            let shape = *random.choose(&Shape::ALL).unwrap_or(&Shape::List);
            module.insert_procedure(shape, random);
        }
        self.modules.insert(id, module);
        id
    }

    /// The module called `id`, if there is one.
    #[must_use]
    pub fn module(&self, id: ModuleId) -> Option<&Module> {
        self.modules.get(&id)
    }

    /// The same, to be changed.
    pub fn module_mut(&mut self, id: ModuleId) -> Option<&mut Module> {
        self.modules.get_mut(&id)
    }

    /// All modules but `main` and the base, in the order of their making.
    pub fn ids(&self) -> impl Iterator<Item = ModuleId> + '_ {
        self.modules.keys().copied()
    }

    /// A module that imports the base alone, in the middle of its layer.
    #[must_use]
    pub fn leaf(&self) -> Option<ModuleId> {
        let leaves: Vec<ModuleId> =
            self.modules.iter().filter(|(_, module)| module.layer == 0).map(|(id, _)| *id).collect();
        leaves.get(leaves.len() / 2).copied()
    }

    /// Where a module's text is, below the workspace's folder.
    #[must_use]
    pub fn path(&self, id: ModuleId) -> Option<String> {
        self.module(id).map(Module::path)
    }

    /// The Vitte workspace: manifest and modules.
    #[must_use]
    pub fn vitte(&self) -> Files {
        vitte::files(self)
    }

    /// The text of one Vitte module.
    #[must_use]
    pub fn vitte_module(&self, id: ModuleId) -> Option<String> {
        self.module(id).map(|module| vitte::module(self, id, module))
    }

    /// The C project: headers, sources and `build.ninja`. The compiler's command stands in a variable of
    /// the build file: `cc` is `compiler`, such as `tcc` or `ccache gcc`.
    #[must_use]
    pub fn c(&self, compiler: &str) -> Files {
        c::files(self, compiler)
    }
}

impl Module {
    /// Where its text is, below the workspace's folder.
    #[must_use]
    pub fn path(&self) -> String {
        format!("src/{}/{}.vit", self.area, self.name)
    }

    /// Where its C source is; the header stands beside it.
    #[must_use]
    pub fn c_path(&self) -> String {
        format!("{}/{}.c", self.area, self.name)
    }

    /// Adds a procedure; gives its name.
    pub fn insert_procedure(&mut self, shape: Shape, random: &mut Random) -> String {
        let verb = random.choose(&VERBS).copied().unwrap_or(VERBS[0]);
        let mut name = format!("{verb}_{}", self.noun);
        let mut suffix = 2;
        while self.procedures.iter().any(|procedure| procedure.name == name) {
            name = format!("{verb}_{}_{suffix}", self.noun);
            suffix += 1;
        }
        let numbers = [random.range(2, 90), random.range(2, 90), random.range(200, 900)];
        self.procedures.push(Procedure { name: name.clone(), shape, numbers });
        name
    }

    /// Changes a number in the body of the first procedure: the smallest edit that changes what the
    /// program does.
    pub fn edit_body(&mut self, number: i64) {
        if let Some(first) = self.procedures.first_mut() {
            first.numbers[0] = number;
        }
    }
}

fn area_word(layer: usize, at: usize) -> &'static str {
    AREAS[(layer * 5 + at / AREA_MODULES) % AREAS.len()]
}

/// Puts values into a template, `@name@` for each name. Names that are not in `values` stay.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        let known = after.split_once('@').and_then(|(name, tail)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, tail))
        });
        match known {
            Some((value, tail)) => {
                text.push_str(value);
                rest = tail;
            }
            None => {
                text.push('@');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// `ledger` as `Ledger`.
fn capital(noun: &str) -> String {
    let mut letters = noun.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn equal_options_give_equal_texts() {
        let options = Options::new(60, 7);
        let (one, two) = (Workspace::new(&options), Workspace::new(&options));
        assert_eq!(one.vitte(), two.vitte());
        assert_eq!(one.c("tcc"), two.c("tcc"));
        assert_ne!(one.vitte(), Workspace::new(&Options::new(60, 8)).vitte());
    }

    #[test]
    fn the_size_is_the_one_asked_for() {
        for modules in [4, 5, 10, 200, 1_000, 10_000] {
            let workspace = Workspace::new(&Options::new(modules, 1));
            let files = workspace.vitte();
            assert_eq!(files.paths().filter(|path| path.ends_with(".vit")).count(), modules);
            let sources = workspace.c("tcc");
            assert_eq!(sources.paths().filter(|path| path.ends_with(".c")).count(), modules);
        }
    }

    #[test]
    fn modules_have_about_a_hundred_lines() {
        let workspace = Workspace::new(&Options::new(1_000, 3));
        let files = workspace.vitte();
        let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
        assert!((80_000..140_000).contains(&lines), "{lines} lines");
    }

    #[test]
    fn imports_point_down_and_everything_is_owned_once() {
        let workspace = Workspace::new(&Options::new(500, 9));
        let mut owners: BTreeMap<ModuleId, usize> = BTreeMap::new();
        for id in workspace.top.iter().chain(workspace.modules.values().flat_map(|module| &module.owned)) {
            *owners.entry(*id).or_default() += 1;
        }
        for (id, module) in &workspace.modules {
            assert_eq!(owners.get(id), Some(&1));
            for import in &module.imports {
                assert!(workspace.module(*import).unwrap().layer < module.layer);
            }
            assert!(module.owned.iter().all(|owned| module.imports.contains(owned)));
        }
    }

    #[test]
    fn templates_keep_what_they_do_not_know() {
        assert_eq!(fill("a @b@ @c@ d@e", &[("b", "1")]), "a 1 @c@ d@e");
    }
}
