//! High-level intermediate representation: desugared, names not yet resolved.
//!
//! Provided by this module's queries:
//! - `item_tree(db, file) -> &Arc<ItemTree>`
//! - `item_hir(db, item) -> &Arc<ItemHir>`: [`ItemHir::Missing`] if the item is gone
//! - `proc_signature(db, item) -> &Option<Arc<ProcSig>>`: the signature without the body, so that a body edit stops here
//! - `item_source_map(db, item) -> &Arc<SourceMap>`
//! - `lowering_diagnostics(db, file) -> &Diagnostics`
use std::sync::Arc;

use super::item::{ItemId, NodeId};
use crate::base::{Name, Span};

/// Spans of the nodes of one item, indexed by [`NodeId`]. Node 0 is the item's name (or its keyword).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMap {
    /// Absolute byte spans.
    pub spans: Vec<Span>,
}

impl SourceMap {
    /// The span of a node; an empty span at 0 if there is none.
    pub fn span(&self, node: NodeId) -> Span {
        self.spans.get(node.0 as usize).copied().unwrap_or_default()
    }
}

/// A name with its node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The text.
    pub name: Name,
    /// Where it stands.
    pub node: NodeId,
}

/// What a file declares, without bodies and spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemTree {
    /// Segments of the `space` line.
    pub space: Option<Vec<Name>>,
    /// Procs, forms, picks, consts, aliases, static asserts, in source order.
    pub items: Vec<ItemEntry>,
    /// `use` declarations in source order.
    pub uses: Vec<UseDecl>,
    /// `export` and `share` declarations in source order.
    pub exports: Vec<ExportDecl>,
}

/// One declared item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemEntry {
    /// Its identity; name and kind are in it.
    pub id: ItemId,
    /// A member of a trait or impl: found through that and not by its name.
    pub member: bool,
    /// `export proc`, `share const`, `pub form`, …
    pub exported: bool,
    /// The second and later items of one name were reported as duplicates; they are not in scope.
    pub duplicate: bool,
}

/// A `use` declaration; its nodes belong to the item `id` (kind [`Use`](super::ItemKind::Use)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseDecl {
    /// Its identity.
    pub id: ItemId,
    /// Leading `self`, `super`, `super/super`, `.` or `..`.
    pub anchor: UseAnchor,
    /// Path segments (`vitte`, `stdlib`, `strings`). Whole path node is node 0.
    pub path: Vec<Ident>,
    /// What is bound.
    pub kind: UseKind,
}

/// What a `use` path is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseAnchor {
    /// The search order of §2.4.
    Search,
    /// The importing file's folder, this many levels up.
    Relative(u32),
}

/// What a `use` binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseKind {
    /// `use a/b/c [as d]`: the qualifier (`alias`, or the last segment).
    Module {
        /// `as d`
        alias: Option<Ident>,
    },
    /// `use a/b/c.{x, y as z}`.
    Group(Vec<(Ident, Option<Ident>)>),
    /// `use a/b/c.*`.
    Glob,
    /// `use a/b/c.x [as y]` with a dot: module `a/b/c/x` first, then item `x` of `a/b/c`.
    /// `path` holds all segments, `x` included.
    ModuleOrItem {
        /// `as y`
        alias: Option<Ident>,
    },
}

/// An `export` or `share` declaration; its nodes belong to the item `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportDecl {
    /// Its identity.
    pub id: ItemId,
    /// What becomes visible.
    pub kind: ExportKind,
}

/// What an export names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// `export *`, `share all`, `share *`.
    All,
    /// `export a, b as c`, `share a`.
    Names(Vec<(Ident, Option<Ident>)>),
}

/// One item's HIR.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemHir {
    /// The item no longer exists.
    Missing,
    /// `proc`
    Proc(ProcHir),
    /// `form`
    Form(FormHir),
    /// `pick`
    Pick(PickHir),
    /// `const`
    Const(ConstHir),
    /// `type N = T`
    Alias(AliasHir),
    /// `trait`
    Trait(TraitHir),
    /// `impl`
    Impl(ImplHir),
    /// `static_assert(cond, "text")`; the body's tail is the condition.
    StaticAssert(Arc<Body>, Option<Name>),
}

/// A proc.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcHir {
    /// All that callers see.
    pub sig: Arc<ProcSig>,
    /// `unsafe proc`: its body may do what only `unsafe` blocks may.
    pub is_unsafe: bool,
    /// `None` for `extern`, `intrinsic` and body-less declarations.
    pub body: Option<Arc<Body>>,
}

/// The signature of a proc.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcSig {
    /// Node 0.
    pub name: Ident,
    /// The trait or impl that it is a member of.
    pub owner: Option<ItemId>,
    /// `<T, U>`.
    pub generics: Vec<Ident>,
    /// The types of those of them that are constants.
    pub consts: Vec<(Name, TypeRef)>,
    /// `T: A + B`, from the type parameters and the `where` clause.
    pub bounds: Vec<Bound>,
    /// What stands for those type parameters that nothing else decides.
    pub defaults: Vec<Option<TypeRef>>,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// `-> T`; `None` is unit.
    pub ret: Option<TypeRef>,
    /// How it is called.
    pub abi: Abi,
    /// `test_*` by name.
    pub is_test: bool,
    /// A `const` of a trait or impl: a proc without parameters that is named and never called.
    pub is_const: bool,
}

/// `T: A`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// Left of the colon.
    pub ty: TypeRef,
    /// One of the traits right of it.
    pub of: TypeRef,
}

/// A trait.
#[derive(Clone, Debug, PartialEq)]
pub struct TraitHir {
    /// Node 0.
    pub name: Ident,
    /// `<T>`.
    pub generics: Vec<Ident>,
    /// `T: A + B`, from the type parameters.
    pub bounds: Vec<Bound>,
    /// Traits that its implementors must implement too.
    pub supers: Vec<TypeRef>,
    /// Associated types with their bounds.
    pub types: Vec<(Ident, Vec<TypeRef>)>,
    /// What those of them that have one stand for where an impl does not say.
    pub defaults: Vec<(Name, TypeRef)>,
    /// Procs and consts, duplicates already reported and dropped.
    pub members: Vec<Member>,
}

/// An `impl`, with or without a trait.
#[derive(Clone, Debug, PartialEq)]
pub struct ImplHir {
    /// `<T>`.
    pub generics: Vec<Ident>,
    /// The types of those of them that are constants.
    pub consts: Vec<(Name, TypeRef)>,
    /// From the type parameters and the `where` clause.
    pub bounds: Vec<Bound>,
    /// The trait.
    pub of: Option<TypeRef>,
    /// The type.
    pub ty: TypeRef,
    /// Associated types.
    pub types: Vec<(Ident, TypeRef)>,
    /// Procs and consts, duplicates already reported and dropped.
    pub members: Vec<Member>,
}

/// A proc or const of a trait or impl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As written.
    pub name: Name,
    /// The proc that it is lowered to.
    pub item: ItemId,
    /// Whether it is more than a declaration.
    pub has_body: bool,
}

/// How a proc is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abi {
    /// Our own convention.
    Vitte,
    /// `extern "C"`: the C convention, symbol name as written.
    C,
    /// `intrinsic`: supplied by the compiler; only allowed in the `core` root.
    Intrinsic,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// `mut owned move copy borrow ref ref mut` before the name.
    pub mode: ParamMode,
    /// Its type; [`TypeRefKind::Error`] if it was missing.
    pub ty: TypeRef,
    /// Default value: an expression of the proc's body arena is not possible (callers evaluate it),
    /// so it is a body of its own whose tail is the value.
    pub default: Option<Arc<Body>>,
}

/// The word before a parameter's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamMode {
    /// None, `mut`, `copy`, `borrow`.
    Plain,
    /// `move`, `owned`: the argument's life ends at the call.
    Move,
    /// `ref x: T`, same as `x: ref T`.
    Ref,
    /// `ref mut x: T`, same as `x: ref mut T`.
    RefMut,
}

/// A form.
#[derive(Clone, Debug, PartialEq)]
pub struct FormHir {
    /// Node 0.
    pub name: Ident,
    /// `<T>`.
    pub generics: Vec<Ident>,
    /// `T: A + B`, from the type parameters.
    pub bounds: Vec<Bound>,
    /// The types of those type parameters that are constants.
    pub consts: Vec<(Name, TypeRef)>,
    /// `= T` of each type parameter.
    pub defaults: Vec<Option<TypeRef>>,
    /// What declares it.
    pub kind: FormKind,
    /// Fields in order; duplicates already reported and dropped.
    pub fields: Vec<Field>,
}

pub use crate::syntax::ast::FormKind;

/// A field of a form or of a variant's payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// `None` for positional payload fields.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: TypeRef,
    /// Its value where a record leaves it out; only the tail is filled.
    pub default: Option<Arc<Body>>,
}

/// A pick declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct PickHir {
    /// Node 0.
    pub name: Ident,
    /// `<T>`.
    pub generics: Vec<Ident>,
    /// `T: A + B`, from the type parameters.
    pub bounds: Vec<Bound>,
    /// The types of those type parameters that are constants.
    pub consts: Vec<(Name, TypeRef)>,
    /// `= T` of each type parameter.
    pub defaults: Vec<Option<TypeRef>>,
    /// Variants in order; duplicates already reported and dropped.
    pub variants: Vec<Variant>,
}

/// A variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name.
    pub name: Ident,
    /// Payload; empty for plain variants.
    pub fields: Vec<Field>,
    /// `= 3`
    pub ordinal: Option<i128>,
}

/// A top-level const (block consts are `Let` statements with `constant: true`) or static.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstHir {
    /// `static`: a place of its own, whose first value this is.
    pub storage: bool,
    /// Node 0.
    pub name: Ident,
    /// Its type, if written.
    pub ty: Option<TypeRef>,
    /// The tail is the value.
    pub body: Arc<Body>,
}

/// A type alias.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasHir {
    /// Node 0.
    pub name: Ident,
    /// `<T>`.
    pub generics: Vec<Ident>,
    /// What it stands for.
    pub ty: TypeRef,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeRef {
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: TypeRefKind,
}

/// Kinds of written types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeRefKind {
    /// `int`, `Item`, `m.Item`, `Option<T>`; `?T` is `Option<T>`, `list[T]` is [`List`](Self::List).
    Path {
        /// Segments.
        path: Vec<Ident>,
        /// Type arguments.
        args: Vec<TypeRef>,
    },
    /// `[T]`, `[T; N]` (the length is dropped with a diagnostic if it is not a literal).
    List(Box<TypeRef>),
    /// `ref T`, `ref mut T`, `&T`, `&mut T`.
    Ref(bool, Box<TypeRef>),
    /// `proc(A) -> R`.
    Proc(Vec<TypeRef>, Option<Box<TypeRef>>),
    /// `(A, B)`.
    Tuple(Vec<TypeRef>),
    /// `*T`, `*mut T`.
    Pointer(bool, Box<TypeRef>),
    /// `dyn Trait`, and `impl Trait` as a result.
    Dyn(Box<TypeRef>),
    /// A constant among type arguments.
    Value(i128),
    /// `Item = T` among the arguments of a trait.
    Named(Ident, Box<TypeRef>),
    /// Already reported.
    Error,
}

/// An expression of a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// A pattern of a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatId(pub u32);

/// Expressions and patterns of one proc, const or default value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// Arena.
    pub exprs: Vec<Expr>,
    /// Arena.
    pub pats: Vec<Pat>,
    /// The body. For consts, defaults and static asserts only `tail` is filled.
    pub block: Block,
}

impl Body {
    /// Adds an expression to the arena.
    pub(super) fn add(&mut self, expr: Expr) -> ExprId {
        self.exprs.push(expr);
        ExprId(self.exprs.len() as u32 - 1)
    }
}

/// A block. As a value it is `tail`; a proc body's tail is an expression statement in `stmts` instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Where (the braces).
    pub node: NodeId,
    /// Statements.
    pub stmts: Vec<Stmt>,
    /// The value, without `;`: only in blocks used as expressions. The lowering puts the last
    /// expression of every nested block here; the type checker discards it where none is wanted.
    pub tail: Option<ExprId>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// `let pat [: T] [= e]`, `set x: T = e`, block `const`.
    Let {
        /// Where.
        node: NodeId,
        /// What is bound.
        pat: PatId,
        /// Its type.
        ty: Option<TypeRef>,
        /// Its value.
        init: Option<ExprId>,
        /// Block `const`: never assignable.
        constant: bool,
    },
    /// An expression for its effect.
    Expr(ExprId),
    /// A nested proc, an item of its own without capture.
    Proc(ItemId),
    /// Runs when the scope around it is left.
    Defer(Block),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: ExprKind,
}

/// Kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Already reported.
    Error,
    /// A literal.
    Literal(Literal),
    /// `x`, `m::f`, `f<int>`, `Type<int>::Variant`: dotted paths are [`Field`](Self::Field) chains.
    Path(ExprPath),
    /// `base.name`, also `m.f` and `Type.Variant` (the type checker resolves); type arguments as in `m.f<int>(..)`.
    Field {
        /// Left of the dot.
        base: ExprId,
        /// Right of it. `pair.0` has the name `0`.
        name: Ident,
        /// `<int>` after the name.
        args: Vec<TypeRef>,
    },
    /// `callee(args)`.
    Call {
        /// What is called.
        callee: ExprId,
        /// Arguments; named ones carry their name.
        args: Vec<Arg>,
    },
    /// `base[index]`.
    Index(ExprId, ExprId),
    /// `base[lo:hi]`, `base[lo..hi]`.
    Slice(ExprId, Option<ExprId>, Option<ExprId>),
    /// `not e`, `-e`, `~e` (`+e` is dropped).
    Unary(UnaryOp, ExprId),
    /// `a + b`; `and`/`or` too.
    Binary(BinaryOp, NodeId, ExprId, ExprId),
    /// `e as T`.
    Cast(ExprId, TypeRef),
    /// `e is P` (`negated`: `is not`).
    Is {
        /// Scrutinee.
        expr: ExprId,
        /// Pattern; its bindings are not visible outside.
        pat: PatId,
        /// `is not`
        negated: bool,
    },
    /// `ref e`, `ref mut e`, `&e`, `&mut e`.
    Ref(bool, ExprId),
    /// `*e`.
    Deref(ExprId),
    /// `move e`.
    Move(ExprId),
    /// `T { a: 1, b, ..base }`; `path` is `None` for `{ a: 1 }` with an expected form type.
    Record {
        /// The form: a path of names, dots included.
        path: Option<ExprPath>,
        /// Fields as written; shorthand `b` has a path expression as value.
        fields: Vec<(Ident, ExprId)>,
        /// `..base`; a lone `..` has no expression and is reported by the lowering.
        base: Option<ExprId>,
    },
    /// `[a, b]`.
    List(Vec<ExprId>),
    /// `map { k: v }`.
    Map(Vec<(ExprId, ExprId)>),
    /// `set { a }`.
    Set(Vec<ExprId>),
    /// `[e for p in xs if c]`.
    Comprehension {
        /// What each round adds.
        element: ExprId,
        /// Bound each round.
        pat: PatId,
        /// Subject.
        iter: ExprId,
        /// Whether the round adds anything.
        cond: Option<ExprId>,
    },
    /// `|a, b| e`, `proc(a: T) -> R { .. }`.
    Lambda {
        /// Parameters; a type that is not written is inferred.
        params: Vec<LambdaParam>,
        /// `-> T`
        ret: Option<TypeRef>,
        /// Its body.
        body: ExprId,
        /// `proc(..) { .. }`: a result without `->` is unit and the end of the body gives no value.
        explicit: bool,
    },
    /// `(a, b)`; `()` never occurs.
    Tuple(Vec<ExprId>),
    /// `a..b`, `a..=b`.
    Range {
        /// From.
        lo: Option<ExprId>,
        /// To.
        hi: Option<ExprId>,
        /// `..=`
        inclusive: bool,
    },
    /// `if`, `elif` (nested), ternary.
    If {
        /// Condition.
        cond: ExprId,
        /// Then.
        then: Block,
        /// Else; an `elif` is a block whose tail is another `If`.
        other: Option<Block>,
    },
    /// `unsafe { .. }`
    Unsafe(Block),
    /// `sizeof(T)`, `alignof(T)`, `offsetof(T, field)`
    Layout {
        /// Which of them.
        query: LayoutQuery,
        /// The type.
        ty: TypeRef,
        /// Of `offsetof`.
        field: Option<Ident>,
    },
    /// `pick e { .. }`, `match e { .. }`, `select`, `when e is P`.
    Match {
        /// What is matched.
        scrutinee: ExprId,
        /// Arms in order.
        arms: Vec<Arm>,
    },
    /// `{ .. }`, `unsafe { .. }`, `critical { .. }`.
    Block(Block),
    /// `while c { .. }`.
    While(ExprId, Block),
    /// `loop { .. }`.
    Loop(Block),
    /// `for p in e { .. }`.
    For {
        /// Bound each round.
        pat: PatId,
        /// Subject.
        iter: ExprId,
        /// Body.
        body: Block,
    },
    /// `for i = a; cond; i = step { .. }`: `declare` says whether the lowering found no earlier local of
    /// that name in the body's scopes (then it is a new `int`).
    CFor {
        /// `i = a` as a let (`declare`) or an assignment.
        init: Box<Stmt>,
        /// Condition.
        cond: ExprId,
        /// Step, an assignment expression.
        step: ExprId,
        /// Body.
        body: Block,
    },
    /// `set place = e`, `place op= e`. Statement position only.
    Assign {
        /// A name, field, index or deref expression.
        place: ExprId,
        /// `+=` and so on.
        op: Option<BinaryOp>,
        /// Right side.
        value: ExprId,
    },
    /// `give`, `give e`.
    Give(Option<ExprId>),
    /// `break`, `break e`.
    Break(Option<ExprId>),
    /// `continue`.
    Continue,
    /// `e?`, `try e`.
    Try(ExprId),
    /// `a ?? b`.
    Coalesce(ExprId, ExprId),
    /// `assert(c [, msg])` in statement or call form.
    Assert(ExprId, Option<ExprId>),
    /// `panic(msg)`, `panic msg`.
    Panic(ExprId),
    /// `unreachable`.
    Unreachable,
}

/// A parameter of a lambda.
#[derive(Clone, Debug, PartialEq)]
pub struct LambdaParam {
    /// Its name.
    pub name: Ident,
    /// The word before it.
    pub mode: ParamMode,
    /// Its type, if written.
    pub ty: Option<TypeRef>,
}

/// A path in an expression: `a`, `a::b`, `f<int>`. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprPath {
    /// Segments (for record paths dots count as separators too).
    pub segments: Vec<Ident>,
    /// Type arguments after the last segment that has any (`Type<int>::Variant`: `args_at` is 0).
    pub args: Vec<TypeRef>,
    /// Index of the segment that `args` follow.
    pub args_at: usize,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `a:` before it.
    pub name: Option<Ident>,
    /// Its value.
    pub value: ExprId,
}

/// An arm of a match.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Pattern.
    pub pat: PatId,
    /// `if c`, `when c`.
    pub guard: Option<ExprId>,
    /// Body; `=> e` is a block with only a tail.
    pub body: Block,
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Magnitude and suffix (`10u64`). Too large for 128 bits was reported and is `u128::MAX`.
    Int(u128, Option<Name>),
    /// `1.5`; bits so that it can be compared; optional suffix.
    Float(u64, Option<Name>),
    /// `true`, `false`
    Bool(bool),
    /// `'c'`
    Char(char),
    /// `"..."` with escapes resolved.
    Str(Arc<str>),
    /// `b"..."`
    Bytes(Arc<[u8]>),
    /// `null`
    Null,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `not`, `!`
    Not,
    /// `-`
    Neg,
    /// `~`
    BitNot,
}

/// What is asked of a type's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayoutQuery {
    /// `sizeof`
    Size,
    /// `alignof`
    Align,
    /// `offsetof`
    Offset,
}

impl LayoutQuery {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "sizeof",
            Self::Align => "alignof",
            Self::Offset => "offsetof",
        }
    }
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    BitAnd,
    BitOr,
    BitXor,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    In,
    NotIn,
}

impl BinaryOp {
    /// As programs write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
            Self::Shl => "<<",
            Self::Shr => ">>",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pat {
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: PatKind,
}

/// Kinds of pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum PatKind {
    /// Already reported.
    Error,
    /// `_`
    Wild,
    /// `x`: a variant or const if one of that name fits, else a binding. `mut x`, `ref x`, `ref mut x` always bind.
    Name {
        /// The name.
        name: Ident,
        /// `mut`, `ref`, `ref mut` before it: never a variant.
        binding: bool,
    },
    /// `Type.Variant`, `m.Type.Variant`, `Variant(..)`, `Type<int>.Variant(p)`.
    Variant {
        /// Path.
        path: Vec<Ident>,
        /// Payload patterns, `None` without parentheses; a named one carries its field name.
        args: Option<Vec<(Option<Ident>, PatId)>>,
    },
    /// `T { a, b: p, .. }`
    Record {
        /// Path.
        path: Vec<Ident>,
        /// Fields; shorthand has a name pattern.
        fields: Vec<(Ident, PatId)>,
        /// `..`
        rest: bool,
    },
    /// A literal; `negative` for `-1`.
    Literal {
        /// The literal.
        literal: Literal,
        /// `-` before it.
        negative: bool,
    },
    /// `1..5`, `1..=5`
    Range {
        /// From.
        lo: Option<(Literal, bool)>,
        /// To.
        hi: Option<(Literal, bool)>,
        /// `..=`
        inclusive: bool,
    },
    /// `A | B`
    Or(Vec<PatId>),
    /// `(p, q)`
    Tuple(Vec<PatId>),
    /// `[p, q]`
    List(Vec<PatId>),
}
