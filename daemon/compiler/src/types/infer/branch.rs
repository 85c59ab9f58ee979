//! `if`, match and blocks as values: every branch has one type (§15a).
use super::super::exhaustive;
use super::super::thir::{self, Expr, ExprKind};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::{Checker, Expect, codes, expr};
use crate::base::Applicability;
use crate::lower::NodeId;
use crate::lower::hir::{self, ExprId};

impl Checker<'_> {
    pub(super) fn if_expr(
        &mut self,
        node: NodeId,
        cond: ExprId,
        then: &hir::Block,
        other: Option<&hir::Block>,
        expect: &Expect<'_>,
    ) -> Expr {
        let cond = Box::new(self.condition(cond));
        let Some(other) = other else {
            let (then, _) = self.block(then, &Expect::Nothing);
            if !matches!(expect, Expect::Nothing) && !self.unit_is_fine(expect) {
                let mut diagnostic = self
                    .error(
                        codes::BRANCHES,
                        node,
                        "an `if` used as a value needs an `else`",
                        "no value if the condition is false",
                    )
                    .note("every branch of an `if` that is a value gives a value");
                if let Expect::Must(ty, _) = expect {
                    diagnostic = diagnostic.help(format!("add `else {{ ... }}` with a `{}`", self.show(ty)));
                } else {
                    diagnostic = diagnostic.help("add `else { ... }` with a value");
                }
                return self.fail(diagnostic, node);
            }
            return expr(Ty::Unit, node, ExprKind::If { cond, then, other: None });
        };
        let (mut blocks, ty) = self.branches(&[then, other], expect);
        let other = blocks.pop();
        match blocks.pop() {
            Some(then) => expr(ty, node, ExprKind::If { cond, then, other }),
            None => self.poison(node),
        }
    }

    fn unit_is_fine(&self, expect: &Expect<'_>) -> bool {
        expect.ty().is_some_and(|ty| matches!(self.table.shallow(ty), Ty::Unit | Ty::Error))
    }

    /// Checks blocks of which one runs, and finds their common type.
    pub(super) fn branches(&mut self, blocks: &[&hir::Block], expect: &Expect<'_>) -> (Vec<thir::Block>, Ty) {
        let mut done: Vec<Option<(thir::Block, Ty)>> = blocks.iter().map(|_| None).collect();
        let mut hint = expect.ty().cloned();
        // Literals never decide: branches that are literals come last.
        for literals in [false, true] {
            for (slot, block) in done.iter_mut().zip(blocks) {
                let literal = matches!(expect, Expect::Value | Expect::Hint(_))
                    && block.tail.is_some_and(|tail| self.is_flexible(tail));
                if literal != literals {
                    continue;
                }
                let result = match expect {
                    Expect::Nothing | Expect::Must(..) => self.block(block, expect),
                    Expect::Value | Expect::Hint(_) => self.block(block, &Expect::hint(hint.clone())),
                };
                if hint.is_none() && !matches!(expect, Expect::Nothing) && result.1 != Ty::Never {
                    hint = Some(result.1.clone());
                }
                *slot = Some(result);
            }
        }
        let done: Vec<(thir::Block, Ty)> = done.into_iter().flatten().collect();
        self.join(done, expect)
    }

    /// The common type of checked branches; converts each to it.
    pub(super) fn join(
        &mut self,
        done: Vec<(thir::Block, Ty)>,
        expect: &Expect<'_>,
    ) -> (Vec<thir::Block>, Ty) {
        let leaves = done.iter().all(|(_, ty)| *ty == Ty::Never);
        let plain = |done: Vec<(thir::Block, Ty)>| done.into_iter().map(|(block, _)| block).collect();
        if leaves {
            return (plain(done), Ty::Never);
        }
        match expect {
            Expect::Nothing => return (plain(done), Ty::Unit),
            Expect::Must(ty, reason) => {
                let mut blocks = Vec::with_capacity(done.len());
                for (block, found) in done {
                    if block.tail.is_none() && found == Ty::Unit && !self.unit_is_fine(expect) {
                        let end = expr(Ty::Unit, block.node, ExprKind::Unit);
                        self.mismatch(ty, &end, reason);
                    }
                    blocks.push(block);
                }
                return (blocks, ty.clone());
            }
            Expect::Value | Expect::Hint(_) => {}
        }
        let mut common: Option<(Ty, NodeId)> = None;
        for (block, ty) in &done {
            let ty = match self.table.shallow(ty) {
                Ty::Never => continue,
                Ty::Ref(_, inner) => self.table.shallow(&inner),
                ty => ty,
            };
            let node = block.tail.as_ref().map_or(block.node, |tail| tail.node);
            common = Some(match common {
                None => (ty, node),
                Some((Ty::Int(a), at)) => match ty {
                    Ty::Int(b) => (Ty::Int(super::operator::wider(a, b)), at),
                    _ => (Ty::Int(a), at),
                },
                Some((Ty::Error, _)) => (ty, node),
                Some(kept) => kept,
            });
        }
        let Some((ty, first)) = common else { return (plain(done), Ty::Never) };
        let reason = Reason::Branch { first };
        let mut blocks = Vec::with_capacity(done.len());
        for (mut block, found) in done {
            if block.tail.is_none() && found == Ty::Unit && !matches!(ty, Ty::Unit | Ty::Error) {
                let end = expr(Ty::Unit, block.node, ExprKind::Unit);
                self.mismatch(&ty, &end, &reason);
            }
            self.coerce_block(&mut block, &ty, &reason);
            blocks.push(block);
        }
        (blocks, ty)
    }

    pub(super) fn match_expr(
        &mut self,
        node: NodeId,
        scrutinee: ExprId,
        arms: &[hir::Arm],
        expect: &Expect<'_>,
    ) -> Expr {
        let scrutinee = self.check_value(scrutinee, &Expect::Value);
        let subject = self.known(&scrutinee.ty);
        let mut heads = Vec::with_capacity(arms.len());
        let mut done: Vec<Option<(thir::Block, Ty)>> = arms.iter().map(|_| None).collect();
        let mut hint = expect.ty().cloned();
        let mut waiting = Vec::new();
        for (index, arm) in arms.iter().enumerate() {
            self.names.open();
            let pat = self.pattern(arm.pat, &subject);
            let guard = arm.guard.map(|guard| self.condition(guard));
            heads.push((pat, guard));
            let literal = matches!(expect, Expect::Value)
                && hint.is_none()
                && arm.body.stmts.is_empty()
                && arm.body.tail.is_some_and(|tail| self.is_flexible(tail));
            if literal {
                // Has no names in it, so its scope need not be kept open.
                waiting.push(index);
            } else {
                let result = match expect {
                    Expect::Nothing | Expect::Must(..) => self.block(&arm.body, expect),
                    Expect::Value | Expect::Hint(_) => self.block(&arm.body, &Expect::hint(hint.clone())),
                };
                if hint.is_none() && matches!(expect, Expect::Value) && result.1 != Ty::Never {
                    hint = Some(result.1.clone());
                }
                done[index] = Some(result);
            }
            self.names.close();
        }
        for index in waiting {
            let result = self.block(&arms[index].body, &Expect::hint(hint.clone()));
            if hint.is_none() && result.1 != Ty::Never {
                hint = Some(result.1.clone());
            }
            done[index] = Some(result);
        }
        let done: Vec<(thir::Block, Ty)> = done.into_iter().flatten().collect();
        let (blocks, ty) = self.join(done, expect);
        self.check_arms(node, &subject, &heads, scrutinee.node);
        let arms = heads
            .into_iter()
            .zip(blocks)
            .map(|((pat, guard), body)| thir::Arm { pat, guard, body })
            .collect::<Vec<_>>();
        expr(ty, node, ExprKind::Match { scrutinee: Box::new(scrutinee), arms })
    }

    /// Exhaustiveness and unreachable arms.
    fn check_arms(&mut self, node: NodeId, ty: &Ty, heads: &[(thir::Pat, Option<Expr>)], subject: NodeId) {
        let ty = self.table.resolve(ty);
        if ty == Ty::Error || heads.iter().any(|(pat, _)| exhaustive::is_poisoned(pat)) {
            return;
        }
        let rows: Vec<(&thir::Pat, bool)> = heads.iter().map(|(pat, guard)| (pat, guard.is_some())).collect();
        for useless in exhaustive::useless(self.db, &rows, &ty) {
            let shown = exhaustive::render(self.db, useless.pat);
            let earlier = self.place(useless.covered_by.node);
            let diagnostic = if matches!(useless.pat.kind, thir::PatKind::Variant(..)) && useless.same_variant
            {
                self.error(
                    codes::REPEATED_VARIANT,
                    useless.pat.node,
                    format!("`{shown}` is matched twice"),
                    "matched again here",
                )
                .label(earlier, "first matched here")
                .note("arms are tried from top to bottom, so this one never runs")
                .help("remove one of the two")
            } else {
                self.warning(
                    codes::UNREACHABLE_ARM,
                    useless.pat.node,
                    "this arm is never reached",
                    "never matches",
                )
                .label(earlier, "everything it could match is matched before it")
                .note("arms are tried from top to bottom and the first match runs")
                .help("remove it or move it up")
            };
            self.report(diagnostic);
        }
        let unguarded: Vec<&thir::Pat> =
            heads.iter().filter(|(_, guard)| guard.is_none()).map(|(pat, _)| pat).collect();
        let missing = exhaustive::missing(self.db, &unguarded, &ty);
        let Some(first) = missing.first() else { return };
        let shown = self.show(&ty);
        let mut diagnostic = self.error(
            codes::NON_EXHAUSTIVE,
            node,
            format!("this match misses the case `{first}`"),
            format!("`{first}` is not covered"),
        );
        diagnostic = diagnostic.label(self.place(subject), format!("this is `{shown}`"));
        if missing.len() > 1 {
            let more: Vec<String> = missing.iter().map(|case| format!("`{case}`")).collect();
            diagnostic = diagnostic.note(format!("missing cases: {}", more.join(", ")));
        } else {
            diagnostic = diagnostic.note("a match covers every value of its subject");
        }
        if heads.iter().any(|(_, guard)| guard.is_some()) {
            diagnostic = diagnostic.note("an arm with a guard does not count, since its guard may be false");
        }
        let text = self.snippet(node);
        diagnostic = match text.as_deref().and_then(|text| with_arms(text, &self.indentation(node), &missing))
        {
            Some(completed) => diagnostic.suggest(
                self.place(node),
                completed,
                if missing.len() > 1 { "add the missing arms" } else { "add the missing arm" },
                Applicability::HasPlaceholders,
            ),
            None => diagnostic.help("add the missing arms, or `_ { }` for all others"),
        };
        self.report(diagnostic);
    }
}

/// The text of a match with empty arms for the `missing` cases before its `}`, in the style of the
/// others: on lines of their own, if they are, and with `case` if they have it. `indent` is the
/// indentation of the line that the match starts on.
fn with_arms(text: &str, indent: &str, missing: &[String]) -> Option<String> {
    let body = text.strip_suffix('}')?;
    let case = if body.lines().any(|line| line.trim_start().starts_with("case ")) { "case " } else { "" };
    let mut completed = body.trim_end().to_owned();
    let lines = body.contains('\n');
    let step = if indent.contains('\t') { "\t" } else { "    " };
    for arm in missing {
        let separator = if lines { format!("\n{indent}{step}") } else { " ".to_owned() };
        completed.push_str(&format!("{separator}{case}{arm} {{ }}"));
    }
    completed.push_str(&if lines { format!("\n{indent}}}") } else { " }".to_owned() });
    Some(completed)
}
