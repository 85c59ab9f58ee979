//! What programmers do to a workspace between two builds.
use super::{Module, ModuleId, NOUNS, Shape, Workspace};
use crate::random::Random;

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A number in a procedure's body.
    Body,
    /// A constant that other modules read.
    Constant,
    /// The parameters of a procedure that other modules call.
    Signature,
    /// A comment.
    Comment,
    /// The indentation of a whole file.
    Formatting,
    /// The name of a local variable.
    RenameLocal,
    /// The name of a procedure that no other module sees.
    RenameProcedure,
    /// A new procedure.
    InsertProcedure,
    /// A procedure less.
    DeleteProcedure,
    /// A procedure from one module to another.
    MoveProcedure,
    /// A new module, imported by another.
    InsertModule,
    /// A module less; its importers take over what it owned.
    DeleteModule,
    /// A file of another name.
    RenameModule,
    /// A file in another folder.
    MoveModule,
    /// An import more or less.
    Import,
    /// Text that a programmer has not finished typing.
    Damage,
    /// Damaged text made good again.
    Repair,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Body,
        Self::Constant,
        Self::Signature,
        Self::Comment,
        Self::Formatting,
        Self::RenameLocal,
        Self::RenameProcedure,
        Self::InsertProcedure,
        Self::DeleteProcedure,
        Self::MoveProcedure,
        Self::InsertModule,
        Self::DeleteModule,
        Self::RenameModule,
        Self::MoveModule,
        Self::Import,
        Self::Damage,
        Self::Repair,
    ];

    /// Those after which no procedure has to be generated again.
    pub const EQUAL_MEANING: [Self; 4] =
        [Self::Comment, Self::Formatting, Self::RenameLocal, Self::RenameProcedure];
}

/// A wrong text in place of a right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The line of this number, counted modulo the text's lines, is missing.
    MissingLine(usize),
    /// The line is there twice.
    DoubledLine(usize),
    /// The line stops in the middle.
    HalfLine(usize),
    /// A word that means nothing stands after the line.
    StrayWord(usize),
    /// Every occurrence of `int` in the line became `string`.
    WrongType(usize),
    /// The file ends with this line.
    CutShort(usize),
}

impl Damage {
    fn any(random: &mut Random) -> Self {
        let line = random.below(10_000);
        match random.below(6) {
            0 => Self::MissingLine(line),
            1 => Self::DoubledLine(line),
            2 => Self::HalfLine(line),
            3 => Self::StrayWord(line),
            4 => Self::WrongType(line),
            _ => Self::CutShort(line),
        }
    }

    /// The damaged text.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (Self::MissingLine(line)
        | Self::DoubledLine(line)
        | Self::HalfLine(line)
        | Self::StrayWord(line)
        | Self::WrongType(line)
        | Self::CutShort(line)) = *self;
        let Some(at) = line.checked_rem(lines.len()) else { return text.to_owned() };
        match self {
            Self::MissingLine(_) => drop(lines.remove(at)),
            Self::DoubledLine(_) => lines.insert(at, lines[at].clone()),
            Self::HalfLine(_) => {
                let half = lines[at].chars().count() / 2;
                lines[at] = lines[at].chars().take(half).collect();
            }
            Self::StrayWord(_) => lines[at].push_str(" unfinished"),
            Self::WrongType(_) => lines[at] = lines[at].replace("int", "string"),
            Self::CutShort(_) => lines.truncate(at + 1),
        }
        lines.join("\n") + "\n"
    }
}

impl Workspace {
    /// Makes one change of this kind somewhere. False when there is nowhere to make it: the last
    /// module is not deleted, and nothing that is whole is repaired.
    pub fn change(&mut self, change: Change, random: &mut Random) -> bool {
        let ids: Vec<ModuleId> = self.ids().collect();
        let Some(&id) = random.choose(&ids) else { return false };
        self.change_module(id, change, random)
    }

    /// Makes a change of this kind in the module `id`. False as with [`Workspace::change`].
    pub fn change_module(&mut self, id: ModuleId, change: Change, random: &mut Random) -> bool {
        match change {
            Change::InsertModule => return self.insert_module(random),
            Change::DeleteModule => return self.delete_module(id),
            Change::MoveProcedure => return self.move_procedure(id, random),
            Change::Import => return self.change_import(id, random),
            Change::Damage => {
                self.damage.insert(id, Damage::any(random));
                return true;
            }
            Change::Repair => return self.damage.pop_first().is_some(),
            Change::Body
            | Change::Constant
            | Change::Signature
            | Change::Comment
            | Change::Formatting
            | Change::RenameLocal
            | Change::RenameProcedure
            | Change::InsertProcedure
            | Change::DeleteProcedure
            | Change::RenameModule
            | Change::MoveModule => {}
        }
        let areas: Vec<String> = self.modules.values().map(|module| module.area.clone()).collect();
        let Some(module) = self.modules.get_mut(&id) else { return false };
        change_alone(module, change, &areas, random)
    }

    /// Gives the damaged text of one module; what was there before is forgotten.
    pub fn damage(&mut self, id: ModuleId, damage: Damage) {
        self.damage.insert(id, damage);
    }

    /// Whether some text is damaged. A damaged text may still be right: a lost comment is no error.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.damage.is_empty()
    }

    /// Makes all damaged texts good again.
    pub fn repair(&mut self) {
        self.damage.clear();
    }

    fn insert_module(&mut self, random: &mut Random) -> bool {
        let owners: Vec<(ModuleId, usize, String)> = self
            .modules
            .iter()
            .filter(|(_, module)| module.layer > 0)
            .map(|(id, module)| (*id, module.layer, module.area.clone()))
            .collect();
        let Some((owner, layer, area)) = random.choose(&owners).cloned() else { return false };
        let layer = random.below(layer);
        let id = self.add(area, layer, Vec::new(), Vec::new(), random);
        if let Some(owner) = self.modules.get_mut(&owner) {
            owner.imports.push(id);
            owner.owned.push(id);
        }
        true
    }

    fn delete_module(&mut self, id: ModuleId) -> bool {
        let is_only_top = self.top == [id];
        if is_only_top || self.modules.len() < 3 {
            return false;
        }
        let Some(gone) = self.modules.remove(&id) else { return false };
        self.damage.remove(&id);
        for module in self.modules.values_mut() {
            module.imports.retain(|import| *import != id);
            if let Some(at) = module.owned.iter().position(|owned| *owned == id) {
                module.owned.remove(at);
                module.owned.extend(&gone.owned);
                let missing = gone.owned.iter().filter(|owned| !module.imports.contains(owned));
                let missing: Vec<ModuleId> = missing.copied().collect();
                module.imports.extend(missing);
            }
        }
        if let Some(at) = self.top.iter().position(|top| *top == id) {
            self.top.splice(at..=at, gone.owned);
        }
        true
    }

    fn move_procedure(&mut self, from: ModuleId, random: &mut Random) -> bool {
        let others: Vec<ModuleId> = self.ids().filter(|id| *id != from).collect();
        let Some(&to) = random.choose(&others) else { return false };
        let Some(source) = self.modules.get_mut(&from).filter(|module| module.procedures.len() > 1) else {
            return false;
        };
        let procedure = source.procedures.remove(random.below(source.procedures.len()));
        let Some(target) = self.modules.get_mut(&to) else { return false };
        let name = target.insert_procedure(procedure.shape, random);
        if let Some(moved) = target.procedures.iter_mut().find(|moved| moved.name == name) {
            moved.numbers = procedure.numbers;
        }
        true
    }

    fn change_import(&mut self, id: ModuleId, random: &mut Random) -> bool {
        let Some(module) = self.modules.get(&id) else { return false };
        let loose: Vec<ModuleId> =
            module.imports.iter().filter(|import| !module.owned.contains(import)).copied().collect();
        if let (Some(gone), true) = (random.choose(&loose).copied(), random.one_in(2)) {
            if let Some(module) = self.modules.get_mut(&id) {
                module.imports.retain(|import| *import != gone);
            }
            return true;
        }
        let below: Vec<ModuleId> = self
            .modules
            .iter()
            .filter(|(other, lower)| lower.layer < module.layer && !module.imports.contains(other))
            .map(|(other, _)| *other)
            .collect();
        let Some(&new) = random.choose(&below) else { return false };
        if let Some(module) = self.modules.get_mut(&id) {
            module.imports.push(new);
        }
        true
    }
}

/// A change that concerns one module alone.
fn change_alone(module: &mut Module, change: Change, areas: &[String], random: &mut Random) -> bool {
    match change {
        Change::Body => {
            let at = random.below(module.procedures.len());
            let Some(procedure) = module.procedures.get_mut(at) else { return false };
            procedure.numbers[random.below(3)] = random.range(2, 900);
        }
        Change::Constant => {
            module.limit = random.range(100, 900);
            module.base = random.range(1, 1_000);
        }
        Change::Signature => module.wide_score = !module.wide_score,
        Change::Comment => module.remark = format!("Looked at again, time {}.", random.below(1_000_000)),
        Change::Formatting => module.indent = if module.indent == 4 { 2 } else { 4 },
        Change::RenameLocal => module.local = format!("sum_{}", random.below(1_000_000)),
        Change::RenameProcedure => {
            let at = random.below(module.procedures.len());
            let Some(procedure) = module.procedures.get_mut(at) else { return false };
            procedure.name = format!("renamed_{}", random.below(1_000_000_000));
        }
        Change::InsertProcedure => {
            let shape = random.choose(&Shape::ALL).copied().unwrap_or(Shape::Loop);
            module.insert_procedure(shape, random);
        }
        Change::DeleteProcedure => {
            if module.procedures.len() < 2 {
                return false;
            }
            module.procedures.remove(random.below(module.procedures.len()));
        }
        Change::RenameModule => {
            let noun = random.choose(&NOUNS).copied().unwrap_or(NOUNS[0]);
            let number = module.name.rsplit('_').next().unwrap_or_default();
            module.name = format!("{noun}_{number}");
        }
        Change::MoveModule => {
            let Some(area) = random.choose(areas) else { return false };
            module.area.clone_from(area);
        }
        Change::MoveProcedure
        | Change::InsertModule
        | Change::DeleteModule
        | Change::Import
        | Change::Damage
        | Change::Repair => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Options;

    #[test]
    fn equal_seeds_make_equal_changes() {
        let play = || {
            let mut random = Random::new(5);
            let mut workspace = Workspace::new(&Options::new(20, 5));
            let made = (0..200)
                .filter(|at| workspace.change(Change::ALL[at % Change::ALL.len()], &mut random))
                .count();
            (made, workspace.vitte())
        };
        let (made, files) = play();
        assert_eq!((made, files), play());
        assert!(made > 150, "{made}");
    }

    #[test]
    fn damage_is_undone_by_repair() {
        let mut workspace = Workspace::new(&Options::new(10, 2));
        let whole = workspace.vitte();
        let mut random = Random::new(3);
        for _ in 0..50 {
            assert!(workspace.change(Change::Damage, &mut random));
        }
        assert!(workspace.is_damaged());
        assert_ne!(workspace.vitte(), whole);
        workspace.repair();
        assert_eq!(workspace.vitte(), whole);
    }
}
