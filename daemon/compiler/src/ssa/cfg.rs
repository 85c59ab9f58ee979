//! The control-flow graph of a function: order, predecessors, dominators.
use super::data::{BlockId, Function};

/// What stands for "not reachable" in positions.
const NONE: usize = usize::MAX;

/// Order, edges and dominators of the blocks that control can reach. Goes stale when edges change.
#[derive(Clone, Debug)]
pub struct Cfg {
    /// Reachable blocks in reverse post-order.
    pub order: Vec<BlockId>,
    /// By block: its place in `order`.
    position: Vec<usize>,
    /// By block: where edges into it come from; a block with two such edges stands there twice.
    predecessors: Vec<Vec<BlockId>>,
    /// By place in `order`: place of the immediate dominator; the entry's is its own.
    idom: Vec<usize>,
    /// By place in `order`: when a walk of the dominator tree enters and leaves the block.
    interval: Vec<(usize, usize)>,
    /// Reachable blocks in pre-order of the dominator tree, siblings in reverse post-order.
    preorder: Vec<BlockId>,
}

impl Cfg {
    /// Analyses a function in nearly linear time.
    pub fn new(function: &Function) -> Self {
        let order = function.reverse_post_order();
        let mut position = vec![NONE; function.blocks.len()];
        for (at, block) in order.iter().enumerate() {
            position[block.0 as usize] = at;
        }
        let mut predecessors = vec![Vec::new(); function.blocks.len()];
        for block in &order {
            function.blocks[block.0 as usize].terminator.for_each_target(|target| {
                if let Some(into) = predecessors.get_mut(target.block.0 as usize) {
                    into.push(*block);
                }
            });
        }
        let idom = immediate_dominators(&order, &position, &predecessors);
        let (interval, preorder) = walk(&order, &idom);
        Self { order, position, predecessors, idom, interval, preorder }
    }

    /// Whether control can reach a block.
    pub fn is_reachable(&self, block: BlockId) -> bool {
        self.position.get(block.0 as usize).is_some_and(|&at| at != NONE)
    }

    /// Where a block stands in `order`; meaningless if it cannot be reached.
    pub fn position(&self, block: BlockId) -> usize {
        self.position[block.0 as usize]
    }

    /// Where edges into a block come from, one entry for each edge.
    pub fn predecessors(&self, block: BlockId) -> &[BlockId] {
        &self.predecessors[block.0 as usize]
    }

    /// The immediate dominator; `None` for the entry and for blocks that control cannot reach.
    pub fn idom(&self, block: BlockId) -> Option<BlockId> {
        match self.position(block) {
            0 | NONE => None,
            at => Some(self.order[self.idom[at]]),
        }
    }

    /// Whether every path from the entry to `b` goes through `a`; both must be reachable. O(1).
    pub fn dominates(&self, a: BlockId, b: BlockId) -> bool {
        let (enter, leave) = self.interval[self.position(a)];
        let (inner, _) = self.interval[self.position(b)];
        enter <= inner && inner < leave
    }

    /// When a walk of the dominator tree leaves a reachable block, counted in blocks entered. Blocks that
    /// follow it in [`Self::preorder`] before that are dominated by it.
    pub fn leave(&self, block: BlockId) -> usize {
        self.interval[self.position(block)].1
    }

    /// Reachable blocks in pre-order of the dominator tree, siblings in reverse post-order.
    pub fn preorder(&self) -> &[BlockId] {
        &self.preorder
    }

    /// Whether an edge from `from` to `to` closes a loop whose header is `to`.
    pub fn is_back_edge(&self, from: BlockId, to: BlockId) -> bool {
        self.dominates(to, from)
    }
}

/// Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm", 2001.
fn immediate_dominators(order: &[BlockId], position: &[usize], predecessors: &[Vec<BlockId>]) -> Vec<usize> {
    let mut idom = vec![NONE; order.len()];
    if let Some(entry) = idom.first_mut() {
        *entry = 0;
    }
    let mut changed = true;
    while changed {
        changed = false;
        for at in 1..order.len() {
            let mut new = NONE;
            for predecessor in &predecessors[order[at].0 as usize] {
                let mut other = position[predecessor.0 as usize];
                if idom[other] == NONE {
                    continue;
                }
                if new == NONE {
                    new = other;
                    continue;
                }
                while new != other {
                    while new > other {
                        new = idom[new];
                    }
                    while other > new {
                        other = idom[other];
                    }
                }
            }
            if idom[at] != new {
                idom[at] = new;
                changed = true;
            }
        }
    }
    idom
}

fn walk(order: &[BlockId], idom: &[usize]) -> (Vec<(usize, usize)>, Vec<BlockId>) {
    let mut children = vec![Vec::new(); order.len()];
    // From the last, so that the stack gives them in order.
    for at in (1..order.len()).rev() {
        children[idom[at]].push(at);
    }
    let mut interval = vec![(0, 0); order.len()];
    let mut preorder = Vec::with_capacity(order.len());
    let mut stack = if order.is_empty() { Vec::new() } else { vec![(0, false)] };
    while let Some((at, done)) = stack.pop() {
        if done {
            interval[at].1 = preorder.len();
            continue;
        }
        interval[at].0 = preorder.len();
        preorder.push(order[at]);
        stack.push((at, true));
        stack.extend(children[at].iter().map(|&child| (child, false)));
    }
    (interval, preorder)
}
