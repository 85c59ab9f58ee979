//! Structured control flow, for targets without jumps: WebAssembly and the project's own bytecode.
//!
//! N. Ramsey, "Beyond Relooper: Recursive Translation of Unstructured Control Flow to Structured Control
//! Flow", ICFP 2022: the dominator tree says what stands inside what. A block with several forward edges
//! into it is placed behind a [`Step::Block`] around all of them, a loop header begins a [`Step::Loop`], and
//! every other block stands where the one edge to it is. Nothing is copied and no variable is added. A graph
//! with a loop of several entries, which no structured source makes but passes may, becomes one
//! [`Step::Dispatch`]. Nearly linear in the function.
use crate::ssa::{BlockId, Cfg, Function, Target, Terminator};

/// A piece of structured code. A list of steps never runs off its end: it ends in a [`Step::Go`], a
/// [`Step::Leave`], a [`Step::Loop`] or a [`Step::Dispatch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The instructions of a block, without its terminator.
    Run(BlockId),
    /// The block's return, or what stands for code that control never reaches.
    Leave(BlockId),
    /// The parameters of the target of an edge get the edge's arguments, all at once.
    Assign(Edge),
    /// To the innermost step around this one that names the block.
    Go(BlockId),
    /// Steps; [`Step::Go`] to the block leaves them and goes on behind.
    Block(BlockId, Vec<Step>),
    /// Steps; [`Step::Go`] to the block begins them again.
    Loop(BlockId, Vec<Step>),
    /// The steps if the condition of the block's branch is non-zero, or zero if `when` is false; what
    /// follows otherwise.
    If {
        /// Whose branch.
        block: BlockId,
        /// Whether the steps are for non-zero.
        when: bool,
        /// They never fall out of it.
        steps: Vec<Step>,
    },
    /// The arm for the value that the block's switch is about; what follows if none fits.
    Switch {
        /// Whose switch.
        block: BlockId,
        /// Cases and steps; each case stands once.
        arms: Vec<(Vec<i128>, Vec<Step>)>,
    },
    /// The first part; [`Step::Go`] to a block ends the part and runs that block's. Parts never fall out of it.
    Dispatch(Vec<(BlockId, Vec<Step>)>),
}

/// An edge of the control-flow graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where it starts.
    pub from: BlockId,
    /// Which of the targets of the block's terminator, in the order of `for_each_target`.
    pub number: usize,
}

/// The target of an edge.
pub fn edge_target(function: &Function, edge: Edge) -> Option<&Target> {
    match &function.blocks[edge.from.0 as usize].terminator {
        Terminator::Jump(target) => (edge.number == 0).then_some(target),
        Terminator::Branch(_, yes, no) => [yes, no].get(edge.number).copied(),
        Terminator::Switch { cases, default, .. } => match cases.get(edge.number) {
            Some((_, target)) => Some(target),
            None => (edge.number == cases.len()).then_some(default),
        },
        Terminator::Return(_) | Terminator::Unreachable => None,
    }
}

/// The structure of a function.
pub fn structure(function: &Function) -> Vec<Step> {
    let cfg = Cfg::new(function);
    let Some(&entry) = cfg.order.first() else { return Vec::new() };
    let mut builder = Builder::new(function, &cfg);
    if builder.irreducible {
        return vec![builder.dispatch()];
    }
    let mut steps = Vec::new();
    builder.tree(entry, &mut steps);
    steps
}

struct Builder<'a> {
    function: &'a Function,
    cfg: &'a Cfg,
    /// By block: whether a [`Step::Go`] leads to it.
    labelled: Vec<bool>,
    is_header: Vec<bool>,
    /// By block: the labelled blocks right below it in the dominator tree, last in reverse post-order first.
    behind: Vec<Vec<BlockId>>,
    irreducible: bool,
}

impl<'a> Builder<'a> {
    fn new(function: &'a Function, cfg: &'a Cfg) -> Self {
        let count = function.blocks.len();
        let (mut labelled, mut is_header) = (vec![false; count], vec![false; count]);
        let mut behind = vec![Vec::new(); count];
        let mut irreducible = false;
        for &block in &cfg.order {
            let index = block.0 as usize;
            let mut forward = 0;
            for &from in cfg.predecessors(block) {
                if cfg.is_back_edge(from, block) {
                    is_header[index] = true;
                } else {
                    forward += 1;
                    irreducible |= cfg.position(from) >= cfg.position(block);
                }
            }
            labelled[index] = forward > 1;
        }
        for &block in cfg.order.iter().rev() {
            if let Some(above) = cfg.idom(block).filter(|_| labelled[block.0 as usize]) {
                behind[above.0 as usize].push(block);
            }
        }
        Self { function, cfg, labelled, is_header, behind, irreducible }
    }

    /// A block and all that it dominates.
    fn tree(&mut self, block: BlockId, out: &mut Vec<Step>) {
        // As deep as the graph is long.
        stacker::maybe_grow(64 << 10, 1 << 20, || {
            if self.is_header[block.0 as usize] {
                let mut inside = Vec::new();
                self.followed(block, &mut inside);
                out.push(Step::Loop(block, inside));
            } else {
                self.followed(block, out);
            }
        });
    }

    /// A block, followed by the labelled blocks right below it.
    fn followed(&mut self, block: BlockId, out: &mut Vec<Step>) {
        let behind = std::mem::take(&mut self.behind[block.0 as usize]);
        let mut inside = vec![Step::Run(block)];
        self.exits(block, &mut inside);
        for &label in behind.iter().rev() {
            let mut around = vec![Step::Block(label, inside)];
            self.tree(label, &mut around);
            inside = around;
        }
        out.append(&mut inside);
    }

    fn exits(&mut self, block: BlockId, out: &mut Vec<Step>) {
        match &self.function.blocks[block.0 as usize].terminator {
            Terminator::Jump(_) => self.edge(Edge { from: block, number: 0 }, out),
            Terminator::Branch(..) => {
                let (mut yes, mut no) = (Vec::new(), Vec::new());
                self.edge(Edge { from: block, number: 0 }, &mut yes);
                self.edge(Edge { from: block, number: 1 }, &mut no);
                // What is a mere jump becomes a conditional one.
                let when = !matches!(no[..], [Step::Go(_)]) || matches!(yes[..], [Step::Go(_)]);
                let (steps, mut rest) = if when { (yes, no) } else { (no, yes) };
                out.push(Step::If { block, when, steps });
                out.append(&mut rest);
            }
            Terminator::Switch { cases, default, .. } => {
                // Cases with one target share an arm.
                let mut arms: Vec<(&Target, Edge, Vec<i128>)> = Vec::new();
                let mut known = rustc_hash::FxHashMap::default();
                for (number, (case, target)) in cases.iter().enumerate().filter(|(_, (_, to))| to != default)
                {
                    let arm = *known.entry(target).or_insert_with(|| {
                        arms.push((target, Edge { from: block, number }, Vec::new()));
                        arms.len() - 1
                    });
                    arms[arm].2.push(*case);
                }
                let arms = arms.into_iter().map(|(_, edge, cases)| {
                    let mut steps = Vec::new();
                    self.edge(edge, &mut steps);
                    (cases, steps)
                });
                let arms = arms.collect();
                out.push(Step::Switch { block, arms });
                self.edge(Edge { from: block, number: cases.len() }, out);
            }
            Terminator::Return(_) | Terminator::Unreachable => out.push(Step::Leave(block)),
        }
    }

    fn edge(&mut self, edge: Edge, out: &mut Vec<Step>) {
        let Some(target) = edge_target(self.function, edge) else { return };
        if !target.args.is_empty() {
            out.push(Step::Assign(edge));
        }
        let to = target.block;
        let inline =
            !self.irreducible && !self.labelled[to.0 as usize] && !self.cfg.is_back_edge(edge.from, to);
        if inline { self.tree(to, out) } else { out.push(Step::Go(to)) }
    }

    fn dispatch(&mut self) -> Step {
        let parts = self.cfg.order.iter().map(|&block| {
            let mut steps = vec![Step::Run(block)];
            self.exits(block, &mut steps);
            (block, steps)
        });
        Step::Dispatch(parts.collect())
    }
}
