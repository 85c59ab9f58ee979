//! Exhaustiveness and usefulness of patterns: Maranget, "Warnings for pattern matching" (2007).
//!
//! A row is a pattern for each column; a pattern is useful after some rows if some value is matched
//! by it and by none of them. A match is exhaustive if `_` is not useful after its arms.
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::thir::{Pat, PatKind};
use super::ty::{IntTy, Ty};
use super::{form_data, pick_data};
use crate::base::Db;
use crate::lower::ItemId;

/// Rows looked at before the answer "fine" is given: the problem is exponential in the worst case.
const STEPS_MAX: usize = 2_000_000;

/// Missing cases that are named at most.
const NAMED_MAX: usize = 12;

/// The head of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Head {
    /// A variant of a pick.
    Variant(u32),
    /// The only shape of a form or tuple.
    Single,
    /// Integers, bools and chars in these inclusive bounds.
    Range(i128, i128),
    /// A string.
    Str(Arc<str>),
    /// A float, by bits.
    Float(u64),
    /// A list of this length.
    List(usize),
    /// A const, whose value is not known here.
    Const(ItemId),
}

/// A pattern reduced to what matters here.
#[derive(Clone, Debug)]
enum Shape {
    Wild,
    Head(Head, Vec<Shape>),
    Or(Vec<Shape>),
}

struct Matrix<'db> {
    db: &'db dyn Db,
    steps: usize,
}

impl Matrix<'_> {
    /// The types of a head's parts.
    fn parts(&self, head: &Head, ty: &Ty) -> Vec<Ty> {
        match (head, ty) {
            (Head::Variant(index), Ty::Pick(pick, args)) => pick_data(self.db, *pick)
                .variants
                .get(*index as usize)
                .map(|v| v.fields.iter().map(|(_, ty)| behind(&ty.subst(args))).collect())
                .unwrap_or_default(),
            (Head::Single, Ty::Form(form, args)) => {
                form_data(self.db, *form).fields.iter().map(|(_, ty)| behind(&ty.subst(args))).collect()
            }
            (Head::Single, Ty::Tuple(tys)) => tys.iter().map(behind).collect(),
            (Head::List(length), Ty::List(element)) => vec![behind(element); *length],
            _ => Vec::new(),
        }
    }

    fn shape(&self, pat: &Pat, ty: &Ty) -> Shape {
        let fields = |head: Head, fields: &[(u32, Pat)]| {
            let tys = self.parts(&head, ty);
            let mut shapes: Vec<Shape> = tys.iter().map(|_| Shape::Wild).collect();
            for (index, field) in fields {
                if let (Some(slot), Some(ty)) = (shapes.get_mut(*index as usize), tys.get(*index as usize)) {
                    *slot = self.shape(field, ty);
                }
            }
            Shape::Head(head, shapes)
        };
        match &pat.kind {
            PatKind::Wild | PatKind::Bind(_) => Shape::Wild,
            PatKind::Variant(index, payload) => fields(Head::Variant(*index), payload),
            PatKind::Record(payload) => fields(Head::Single, payload),
            PatKind::Int(value) => Shape::Head(Head::Range(*value, *value), Vec::new()),
            PatKind::Range(lo, hi) => {
                let (low, high) = bounds(ty);
                Shape::Head(Head::Range(lo.unwrap_or(low), hi.unwrap_or(high)), Vec::new())
            }
            PatKind::Float(bits) => Shape::Head(Head::Float(*bits), Vec::new()),
            PatKind::Str(text) => Shape::Head(Head::Str(Arc::clone(text)), Vec::new()),
            PatKind::Const(item) => Shape::Head(Head::Const(*item), Vec::new()),
            PatKind::Or(many) => Shape::Or(many.iter().map(|p| self.shape(p, ty)).collect()),
            PatKind::List(many) => {
                let element = match ty {
                    Ty::List(element) => behind(element),
                    _ => Ty::Error,
                };
                Shape::Head(Head::List(many.len()), many.iter().map(|p| self.shape(p, &element)).collect())
            }
        }
    }

    /// All heads that a type's values can have, if they are finitely many and worth listing; integers
    /// are cut at the bounds of the ranges in use.
    fn heads(&self, ty: &Ty, used: &HashSet<Head>) -> Option<Vec<Head>> {
        match ty {
            Ty::Pick(pick, _) => {
                let count = pick_data(self.db, *pick).variants.len() as u32;
                Some((0..count).map(Head::Variant).collect())
            }
            Ty::Form(..) | Ty::Tuple(_) => Some(vec![Head::Single]),
            Ty::Bool => Some(vec![Head::Range(0, 0), Head::Range(1, 1)]),
            Ty::Int(_) | Ty::Char => {
                let (low, high) = bounds(ty);
                // Where a new piece starts.
                let mut cuts = BTreeSet::from([low]);
                for head in used {
                    if let Head::Range(a, b) = head {
                        cuts.insert((*a).max(low));
                        if *b < high {
                            cuts.insert(b.saturating_add(1));
                        }
                    }
                }
                let starts: Vec<i128> = cuts.into_iter().filter(|c| *c >= low && *c <= high).collect();
                let pieces = starts.iter().enumerate().map(|(i, start)| {
                    let end = starts.get(i + 1).map_or(high, |next| next - 1);
                    Head::Range(*start, end)
                });
                Some(pieces.collect())
            }
            _ => None,
        }
    }

    /// The rows that a value with this head can match, with the head's parts in front.
    fn specialize(&mut self, rows: &[Vec<Shape>], head: &Head, arity: usize) -> Vec<Vec<Shape>> {
        let mut out = Vec::new();
        for row in rows {
            self.steps += 1;
            let Some((first, rest)) = row.split_first() else { continue };
            self.specialize_row(first, rest, head, arity, &mut out);
        }
        out
    }

    fn specialize_row(
        &mut self,
        first: &Shape,
        rest: &[Shape],
        head: &Head,
        arity: usize,
        out: &mut Vec<Vec<Shape>>,
    ) {
        match first {
            Shape::Wild => {
                let mut row = vec![Shape::Wild; arity];
                row.extend_from_slice(rest);
                out.push(row);
            }
            Shape::Head(own, parts) => {
                let fits = match (own, head) {
                    (Head::Range(a, b), Head::Range(c, d)) => a <= c && d <= b,
                    (own, head) => own == head,
                };
                if fits {
                    let mut row = parts.clone();
                    row.extend_from_slice(rest);
                    out.push(row);
                }
            }
            Shape::Or(many) => {
                for alternative in many {
                    self.specialize_row(alternative, rest, head, arity, out);
                }
            }
        }
    }

    /// A value that no row matches, as patterns for the columns; `None` if there is none.
    fn witness(&mut self, rows: &[Vec<Shape>], tys: &[Ty]) -> Option<Vec<Shape>> {
        let Some((ty, rest_tys)) = tys.split_first() else {
            return if rows.is_empty() { Some(Vec::new()) } else { None };
        };
        if rows.is_empty() {
            return Some(vec![Shape::Wild; tys.len()]);
        }
        if self.steps > STEPS_MAX {
            return None;
        }
        let mut used = HashSet::new();
        rows.iter().filter_map(|row| row.first()).for_each(|shape| collect(shape, &mut used));
        // Without any head in the column only the other columns matter.
        if let (Some(heads), false) = (self.heads(ty, &used), used.is_empty()) {
            for head in heads {
                let parts = self.parts(&head, ty);
                let narrowed = self.specialize(rows, &head, parts.len());
                let mut columns = parts.clone();
                columns.extend_from_slice(rest_tys);
                if let Some(mut found) = self.witness(&narrowed, &columns) {
                    let tail = found.split_off(parts.len().min(found.len()));
                    let mut out = vec![Shape::Head(head, found)];
                    out.extend(tail);
                    return Some(out);
                }
            }
            return None;
        }
        // Infinitely many heads: one that is not used stands for all others.
        let mut rows_left = Vec::new();
        for row in rows {
            self.steps += 1;
            if let Some((first, rest)) = row.split_first()
                && has_wild(first)
            {
                rows_left.push(rest.to_vec());
            }
        }
        let mut out = vec![Shape::Wild];
        out.extend(self.witness(&rows_left, rest_tys)?);
        Some(out)
    }

    /// Whether some value matches `row` and no earlier row.
    fn useful(&mut self, rows: &[Vec<Shape>], row: &[Shape], tys: &[Ty]) -> bool {
        let (Some((first, rest)), Some((ty, rest_tys))) = (row.split_first(), tys.split_first()) else {
            return rows.is_empty();
        };
        if rows.is_empty() || self.steps > STEPS_MAX {
            return true;
        }
        match first {
            Shape::Or(many) => many.iter().any(|alternative| {
                let mut row = vec![alternative.clone()];
                row.extend_from_slice(rest);
                self.useful(rows, &row, tys)
            }),
            Shape::Head(head, parts) => {
                // A range is useful if one of its pieces is.
                if let Head::Range(low, high) = head {
                    let mut used = HashSet::from([head.clone()]);
                    rows.iter().filter_map(|row| row.first()).for_each(|shape| collect(shape, &mut used));
                    let pieces = self.heads(ty, &used).unwrap_or_default();
                    let inside: Vec<Head> = pieces
                        .into_iter()
                        .filter(|piece| matches!(piece, Head::Range(a, b) if low <= a && b <= high))
                        .collect();
                    return inside.iter().any(|piece| {
                        let narrowed = self.specialize(rows, piece, 0);
                        self.useful(&narrowed, rest, rest_tys)
                    });
                }
                let mut columns = self.parts(head, ty);
                let narrowed = self.specialize(rows, head, parts.len());
                columns.resize(parts.len(), Ty::Error);
                columns.extend_from_slice(rest_tys);
                let mut row = parts.clone();
                row.extend_from_slice(rest);
                self.useful(&narrowed, &row, &columns)
            }
            Shape::Wild => {
                let mut used = HashSet::new();
                rows.iter().filter_map(|row| row.first()).for_each(|shape| collect(shape, &mut used));
                if let (Some(heads), false) = (self.heads(ty, &used), used.is_empty()) {
                    return heads.iter().any(|head| {
                        let parts = self.parts(head, ty);
                        let narrowed = self.specialize(rows, head, parts.len());
                        let mut row = vec![Shape::Wild; parts.len()];
                        row.extend_from_slice(rest);
                        let mut columns = parts;
                        columns.extend_from_slice(rest_tys);
                        self.useful(&narrowed, &row, &columns)
                    });
                }
                let rows: Vec<Vec<Shape>> = rows
                    .iter()
                    .filter(|row| row.first().is_some_and(has_wild))
                    .map(|row| row.get(1..).unwrap_or_default().to_vec())
                    .collect();
                self.useful(&rows, rest, rest_tys)
            }
        }
    }
}

fn collect(shape: &Shape, used: &mut HashSet<Head>) {
    match shape {
        Shape::Wild => {}
        Shape::Head(head, _) => {
            used.insert(head.clone());
        }
        Shape::Or(many) => many.iter().for_each(|shape| collect(shape, used)),
    }
}

fn has_wild(shape: &Shape) -> bool {
    match shape {
        Shape::Wild => true,
        Shape::Head(..) => false,
        Shape::Or(many) => many.iter().any(has_wild),
    }
}

/// The type behind references.
fn behind(ty: &Ty) -> Ty {
    let mut ty = ty;
    while let Ty::Ref(_, inner) = ty {
        ty = inner;
    }
    ty.clone()
}

/// Smallest and largest value that a pattern of a type can hold.
fn bounds(ty: &Ty) -> (i128, i128) {
    match ty {
        Ty::Bool => (0, 1),
        Ty::Char => (0, 0x10_FFFF),
        // Patterns hold `u128` values as `i128` bits; without a wildcard such a match is never complete.
        Ty::Int(IntTy::I128 | IntTy::U128) => (i128::MIN, i128::MAX),
        Ty::Int(int) if int.signed() => (-(1i128 << (int.bits() - 1)), (1i128 << (int.bits() - 1)) - 1),
        Ty::Int(int) => (0, (1i128 << int.bits()) - 1),
        _ => (i128::MIN, i128::MAX),
    }
}

/// Whether a pattern has an error that was reported.
pub(super) fn is_poisoned(pat: &Pat) -> bool {
    pat.ty == Ty::Error
        || match &pat.kind {
            PatKind::Variant(_, fields) | PatKind::Record(fields) => {
                fields.iter().any(|(_, pat)| is_poisoned(pat))
            }
            PatKind::Or(many) | PatKind::List(many) => many.iter().any(is_poisoned),
            PatKind::Wild
            | PatKind::Bind(_)
            | PatKind::Int(_)
            | PatKind::Float(_)
            | PatKind::Str(_)
            | PatKind::Const(_)
            | PatKind::Range(..) => false,
        }
}

/// The first value of a type that no pattern matches, as a pattern; `None` if there is none.
pub(super) fn first_missing(db: &dyn Db, pats: &[&Pat], ty: &Ty) -> Option<String> {
    if *ty == Ty::Error || pats.iter().any(|pat| is_poisoned(pat)) {
        return None;
    }
    let ty = behind(ty);
    let mut matrix = Matrix { db, steps: 0 };
    let rows: Vec<Vec<Shape>> = pats.iter().map(|pat| vec![matrix.shape(pat, &ty)]).collect();
    let found = matrix.witness(&rows, std::slice::from_ref(&ty))?;
    found.first().map(|shape| show(db, shape, &ty))
}

/// The values of a type that no pattern matches, as patterns: every variant that is missing altogether,
/// else the first missing value.
pub(super) fn missing(db: &dyn Db, pats: &[&Pat], ty: &Ty) -> Vec<String> {
    let ty = behind(ty);
    let mut matrix = Matrix { db, steps: 0 };
    let rows: Vec<Vec<Shape>> = pats.iter().map(|pat| vec![matrix.shape(pat, &ty)]).collect();
    let Some(first) = matrix.witness(&rows, std::slice::from_ref(&ty)) else { return Vec::new() };
    let mut out: Vec<String> = first.first().map(|shape| show(db, shape, &ty)).into_iter().collect();
    if let Ty::Pick(pick, _) = &ty {
        let mut used = HashSet::new();
        rows.iter().filter_map(|row| row.first()).for_each(|shape| collect(shape, &mut used));
        let count = pick_data(db, *pick).variants.len() as u32;
        for index in 0..count {
            let head = Head::Variant(index);
            if used.contains(&head) || out.len() >= NAMED_MAX {
                continue;
            }
            let parts = matrix.parts(&head, &ty).iter().map(|_| Shape::Wild).collect();
            let text = show(db, &Shape::Head(head, parts), &ty);
            if !out.contains(&text) {
                out.push(text);
            }
        }
    }
    out
}

/// An arm that no value reaches.
pub(super) struct Useless<'p> {
    /// Its pattern, or the alternative of it that is useless.
    pub(super) pat: &'p Pat,
    /// An earlier pattern that matches the same values, or the arm before.
    pub(super) covered_by: &'p Pat,
    /// Both name the same variant.
    pub(super) same_variant: bool,
}

/// Arms, or alternatives of arms, that no value reaches. Each row says whether its arm has a guard.
pub(super) fn useless<'p>(db: &dyn Db, arms: &[(&'p Pat, bool)], ty: &Ty) -> Vec<Useless<'p>> {
    let ty = behind(ty);
    let mut matrix = Matrix { db, steps: 0 };
    let mut rows: Vec<Vec<Shape>> = Vec::new();
    let mut seen: Vec<&'p Pat> = Vec::new();
    let mut out = Vec::new();
    for (pat, guarded) in arms {
        let alternatives: Vec<&'p Pat> = match &pat.kind {
            PatKind::Or(many) => many.iter().collect(),
            _ => vec![*pat],
        };
        for alternative in alternatives {
            let shape = matrix.shape(alternative, &ty);
            if !matrix.useful(&rows, std::slice::from_ref(&shape), std::slice::from_ref(&ty)) {
                let same = seen.iter().find(|earlier| match (&earlier.kind, &alternative.kind) {
                    (PatKind::Variant(a, _), PatKind::Variant(b, _)) => a == b,
                    _ => false,
                });
                let wild =
                    seen.iter().find(|earlier| matches!(earlier.kind, PatKind::Wild | PatKind::Bind(_)));
                let covered_by = same.or(wild).or(seen.last()).copied().unwrap_or(alternative);
                out.push(Useless { pat: alternative, covered_by, same_variant: same.is_some() });
            }
            // A guard may fail, so what stands behind it can still be reached.
            if !guarded {
                rows.push(vec![shape]);
                seen.push(alternative);
            }
        }
    }
    out
}

/// A pattern as the user writes it.
pub(super) fn render(db: &dyn Db, pat: &Pat) -> String {
    let matrix = Matrix { db, steps: 0 };
    let shape = matrix.shape(pat, &pat.ty);
    show(db, &shape, &pat.ty)
}

fn show(db: &dyn Db, shape: &Shape, ty: &Ty) -> String {
    let matrix = Matrix { db, steps: 0 };
    match shape {
        Shape::Wild => "_".to_owned(),
        Shape::Or(many) => many.iter().map(|s| show(db, s, ty)).collect::<Vec<_>>().join(" | "),
        Shape::Head(head, parts) => {
            let tys = matrix.parts(head, ty);
            let shown: Vec<String> = parts.iter().zip(&tys).map(|(part, ty)| show(db, part, ty)).collect();
            match (head, ty) {
                (Head::Variant(index), Ty::Pick(pick, _)) => {
                    let data = pick_data(db, *pick);
                    let name = data.variants.get(*index as usize).map_or("?", |v| v.name.as_str());
                    if shown.is_empty() { name.to_owned() } else { format!("{name}({})", shown.join(", ")) }
                }
                (Head::Single, Ty::Form(form, _)) => {
                    let data = form_data(db, *form);
                    let fields: Vec<String> = data
                        .fields
                        .iter()
                        .zip(&shown)
                        .map(|((name, _), part)| format!("{name}: {part}"))
                        .collect();
                    format!("{} {{ {} }}", form.name(db), fields.join(", "))
                }
                (Head::Single, _) => format!("({})", shown.join(", ")),
                (Head::Range(0, 0), Ty::Bool) => "false".to_owned(),
                (Head::Range(..), Ty::Bool) => "true".to_owned(),
                (Head::Range(a, b), Ty::Char) => match u32::try_from(*a).ok().and_then(char::from_u32) {
                    Some(c) if a == b && !c.is_control() => format!("'{c}'"),
                    _ => "_".to_owned(),
                },
                // A range of many integers is told by `_`, which is also what has to be written.
                (Head::Range(a, b), _) if a == b => a.to_string(),
                (Head::Range(..), _) => "_".to_owned(),
                (Head::Str(text), _) => format!("{text:?}"),
                (Head::Float(bits), _) => format!("{:?}", f64::from_bits(*bits)),
                (Head::List(_), _) => format!("[{}]", shown.join(", ")),
                (Head::Const(item), _) => item.name(db).to_string(),
                (Head::Variant(_), _) => "_".to_owned(),
            }
        }
    }
}
