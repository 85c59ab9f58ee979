//! The syntax tree of a file.
//!
//! Expressions, types and patterns live in arenas and refer to each other by index, so that a tree
//! of any shape can be dropped, compared and copied without recursion. Every node and name carries
//! its absolute [`Span`]. What is written stays in the tree, also when no later stage supports it.
use std::sync::Arc;

use crate::base::{Name, Span};

/// An expression of a [`File`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// A type of a [`File`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// A pattern of a [`File`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatId(pub u32);

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Declarations whose names could not be read.
    pub lost_items: bool,
    /// Where bindings could not be read: behind these bytes of an item a local may be missing.
    pub lost_bindings: Vec<u32>,
    /// The `space` line.
    pub space: Option<Space>,
    /// `#![..]` attributes.
    pub attrs: Vec<Attr>,
    /// Everything else, in source order.
    pub items: Vec<Item>,
    /// Arena.
    pub exprs: Vec<Expr>,
    /// Arena.
    pub types: Vec<Type>,
    /// Arena.
    pub pats: Vec<Pat>,
}

// Floats are compared through their bits nowhere: the tree holds them as bits already.
impl Eq for File {}

impl File {
    /// The expression of an index.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    /// The type of an index.
    pub fn ty(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// The pattern of an index.
    pub fn pat(&self, id: PatId) -> &Pat {
        &self.pats[id.0 as usize]
    }
}

/// A name as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// NFC text; empty if it was missing and reported.
    pub name: Name,
    /// Where.
    pub span: Span,
}

/// `space a/b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// The whole line.
    pub span: Span,
    /// Segments.
    pub path: Vec<Ident>,
}

/// `#[name(args)]`, `@name(args)`, `#![name]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attr {
    /// All of it.
    pub span: Span,
    /// Its name.
    pub name: Ident,
}

/// Who may see an item, as written before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Nothing written.
    #[default]
    Inherited,
    /// `pub`, `export` or `share`.
    Public,
    /// `priv`, `internal`, `package`.
    Private,
}

/// A declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// From the first modifier to the end.
    pub span: Span,
    /// What is written before it.
    pub visibility: Visibility,
    /// Attributes before it.
    pub attrs: Vec<Attr>,
    /// Doc comments before it.
    pub docs: Vec<Span>,
    /// What it is.
    pub kind: ItemKind,
}

/// Kinds of declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `use`
    Use(Use),
    /// `export a`, `share *`
    Export(Export),
    /// `proc`, also `intrinsic`
    Proc(Box<Proc>),
    /// `form`
    Form(Form),
    /// `pick`
    Pick(Pick),
    /// `const`
    Const(Const),
    /// `type A = B`
    Alias(Alias),
    /// `extern "C" { .. }` and `extern "C" proc ..`
    Extern(Extern),
    /// `test "name" { .. }`, `bench "name" { .. }`
    Test(Test),
    /// `entry main at path { .. }`
    Entry(Entry),
    /// `static_assert(cond, "text")`
    StaticAssert(StaticAssert),
    /// `trait`
    Trait(Trait),
    /// `impl`
    Impl(Impl),
    /// Kept as a range of text.
    Unsupported(Unsupported),
}

/// A construct of the grammar that no later stage supports yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// What it is, in words.
    pub feature: &'static str,
    /// Keyword to the name, for the message.
    pub head: Span,
    /// The token tree: all text of the construct.
    pub tokens: Span,
    /// Its name, if it has one.
    pub name: Option<Ident>,
}

/// A modifier, suffix or other small part that is not supported yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// What it is, in words.
    pub feature: &'static str,
    /// Where.
    pub span: Span,
}

/// `use`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The path alone.
    pub path_span: Span,
    /// Leading `self`/`.` is `Some(0)`, each `super`/`..` one more.
    pub up: Option<u32>,
    /// Segments.
    pub path: Vec<Ident>,
    /// Whether the last separator was a dot.
    pub dotted: bool,
    /// What is bound.
    pub kind: UseKind,
}

/// What a `use` binds.
#[derive(Clone, Debug, PartialEq)]
pub enum UseKind {
    /// A qualifier (or one item, with a dot).
    Plain(Option<Ident>),
    /// `.{a, b as c}`
    Group(Vec<(Ident, Option<Ident>)>),
    /// `.*`, `.{*}`
    Glob,
}

/// `export`, `share`
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// `None` for `*` and `all`.
    pub names: Option<Vec<(Ident, Option<Ident>)>>,
}

/// A generic parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Generic {
    /// Its name.
    pub name: Ident,
    /// `: A + B`; of `const N: T` the type alone.
    pub bounds: Vec<TypeId>,
    /// `= T`
    pub default: Option<TypeId>,
    /// `const N: T`
    pub constant: bool,
}

/// `T: A + B` of a `where` clause.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    /// Left of the colon.
    pub ty: TypeId,
    /// Right of it.
    pub bounds: Vec<TypeId>,
}

/// How a proc is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abi {
    /// Ours.
    #[default]
    Vitte,
    /// `extern`
    C,
    /// `intrinsic`
    Intrinsic,
}

/// `proc`
#[derive(Clone, Debug, PartialEq)]
pub struct Proc {
    /// Its name.
    pub name: Ident,
    /// `extern`, `intrinsic`.
    pub abi: Abi,
    /// `<T>`
    pub generics: Vec<Generic>,
    /// `where`
    pub wheres: Vec<Where>,
    /// Parameters.
    pub params: Vec<Param>,
    /// `-> T`
    pub ret: Option<TypeId>,
    /// Modifiers and suffixes that mean nothing to us yet.
    pub extras: Vec<Extra>,
    /// `unsafe` before it.
    pub is_unsafe: bool,
    /// `None`: `;` or nothing.
    pub body: Option<Block>,
}

/// The word before a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParamMode {
    /// None, `mut`, `copy`, `borrow`
    #[default]
    Plain,
    /// `move`, `owned`
    Move,
    /// `ref`
    Ref,
    /// `ref mut`
    RefMut,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// All of it.
    pub span: Span,
    /// Its name.
    pub name: Ident,
    /// The word before it.
    pub mode: ParamMode,
    /// `None`: missing, reported, or a `self` without type.
    pub ty: Option<TypeId>,
    /// `= e`
    pub default: Option<ExprId>,
}

/// A field of a form or payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name; `None` in positional payloads.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: TypeId,
    /// `= e`
    pub default: Option<ExprId>,
}

/// What a form is declared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormKind {
    /// `form`
    #[default]
    Record,
    /// `opaque type A = T`: one field, `value`.
    Opaque,
    /// `extern type A`: nothing is known of it.
    Foreign,
}

/// `form`, `opaque type`, `extern type`
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Which of them.
    pub kind: FormKind,
    /// Its name.
    pub name: Ident,
    /// `<T>`
    pub generics: Vec<Generic>,
    /// Fields.
    pub fields: Vec<Field>,
    /// Nested procs and consts: an `impl` of the form in the form.
    pub members: Vec<Member>,
    /// Other nested members.
    pub extras: Vec<Extra>,
}

/// `pick` as a declaration
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// Its name.
    pub name: Ident,
    /// `<T>`
    pub generics: Vec<Generic>,
    /// Variants.
    pub variants: Vec<Variant>,
}

/// A variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name.
    pub name: Ident,
    /// Payload.
    pub fields: Vec<Field>,
    /// `= 3`
    pub ordinal: Option<ExprId>,
}

/// `const`, `static`
#[derive(Clone, Debug, PartialEq)]
pub struct Const {
    /// Its name.
    pub name: Ident,
    /// `: T`
    pub ty: Option<TypeId>,
    /// `= e`
    pub value: ExprId,
    /// `static`, `global`
    pub storage: bool,
}

/// `type`
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Its name.
    pub name: Ident,
    /// `<T>`
    pub generics: Vec<Generic>,
    /// `= T`
    pub ty: TypeId,
}

/// `extern`
#[derive(Clone, Debug, PartialEq)]
pub struct Extern {
    /// Declarations inside.
    pub items: Vec<Item>,
}

/// `test`, `bench`
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// `bench`
    pub bench: bool,
    /// The keyword.
    pub keyword: Span,
    /// Its title.
    pub title: Ident,
    /// Its body.
    pub body: Block,
}

/// `entry`
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: Ident,
    /// `None` for `;` and `key: value` bodies.
    pub body: Option<Block>,
}

/// `static_assert`
#[derive(Clone, Debug, PartialEq)]
pub struct StaticAssert {
    /// The keyword.
    pub keyword: Span,
    /// What must hold.
    pub cond: ExprId,
    /// What to say otherwise.
    pub message: Option<Arc<str>>,
}

/// `trait`
#[derive(Clone, Debug, PartialEq)]
pub struct Trait {
    /// Its name.
    pub name: Ident,
    /// `<T>`
    pub generics: Vec<Generic>,
    /// `: A + B`
    pub supers: Vec<TypeId>,
    /// What is inside.
    pub members: Vec<Member>,
}

/// `impl`
#[derive(Clone, Debug, PartialEq)]
pub struct Impl {
    /// Keyword to before the brace.
    pub head: Span,
    /// `<T>`
    pub generics: Vec<Generic>,
    /// `where`
    pub wheres: Vec<Where>,
    /// The trait of `impl Trait for T`.
    pub of: Option<TypeId>,
    /// The type.
    pub ty: TypeId,
    /// What is inside.
    pub members: Vec<Member>,
}

/// A member of a trait or impl.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// All of it.
    pub span: Span,
    /// Attributes before it.
    pub attrs: Vec<Attr>,
    /// What it is.
    pub kind: MemberKind,
}

/// Kinds of member.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberKind {
    /// `proc`
    Proc(Box<Proc>),
    /// `const N: T`, `const N: T = e`
    Const {
        /// Its name.
        name: Ident,
        /// Its type.
        ty: Option<TypeId>,
        /// Its value; missing where a trait only asks for it.
        value: Option<ExprId>,
    },
    /// `type A`, `type A: B`, `type A = T`
    Type {
        /// Its name.
        name: Ident,
        /// What an impl's type must implement.
        bounds: Vec<TypeId>,
        /// What it stands for.
        ty: Option<TypeId>,
    },
}

/// `{ .. }`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// With the braces.
    pub span: Span,
    /// Statements.
    pub stmts: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// All of it, without `;`.
    pub span: Span,
    /// What.
    pub kind: StmtKind,
    /// Whether a `;` follows.
    pub semi: bool,
}

/// Kinds of statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `let`, `set x: T = e`, block `const`
    Let {
        /// What is bound.
        pat: PatId,
        /// `: T`
        ty: Option<TypeId>,
        /// `= e`
        init: Option<ExprId>,
        /// `const`
        constant: bool,
    },
    /// `[set] place op= e`
    Assign {
        /// Left.
        place: ExprId,
        /// The operator of `op=`, with its span.
        op: Option<BinaryOp>,
        /// Right.
        value: ExprId,
    },
    /// `give`, `return`
    Give(Option<ExprId>),
    /// An expression.
    Expr(ExprId),
    /// `while`
    While(ExprId, Block),
    /// `for p in e`
    For {
        /// Bound each round.
        pat: PatId,
        /// Subject.
        iter: ExprId,
        /// Body.
        body: Block,
    },
    /// `for i = a; c; i = s`
    CFor {
        /// `i`
        var: Ident,
        /// `a`
        init: ExprId,
        /// `c`
        cond: ExprId,
        /// The step's place.
        place: ExprId,
        /// The step's operator.
        op: Option<BinaryOp>,
        /// The step's value.
        step: ExprId,
        /// Body.
        body: Block,
    },
    /// `loop`
    Loop(Block),
    /// `break [e]`
    Break(Option<ExprId>),
    /// `continue`
    Continue,
    /// `assert e [, msg]`
    Assert(ExprId, Option<ExprId>),
    /// `panic e`
    Panic(ExprId),
    /// `unreachable`
    Unreachable,
    /// `defer { .. }`, `defer e`
    Defer(Block),
    /// `with e as p { .. }`
    With {
        /// Subject.
        value: ExprId,
        /// Bound in the body.
        pat: PatId,
        /// Body.
        body: Block,
    },
    /// A local item.
    Item(Box<Item>),
    /// A statement of the grammar that is not supported yet. Its expressions are kept as text.
    Unsupported(Unsupported),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ExprKind,
}

/// Kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Missing or broken; reported.
    Error,
    /// A literal.
    Literal(Literal),
    /// `x`, `f<int>`
    Name(Ident, Vec<TypeId>),
    /// `base.name`, `base::name`, `.name<T>`
    Field {
        /// Left.
        base: ExprId,
        /// Right.
        name: Ident,
        /// `<T>`
        args: Vec<TypeId>,
        /// Whether the separator is `::`.
        colons: bool,
    },
    /// `f(..)`
    Call {
        /// What is called.
        callee: ExprId,
        /// Arguments.
        args: Vec<Arg>,
    },
    /// `a[i]`
    Index(ExprId, ExprId),
    /// `a[i:j]`
    Slice(ExprId, Option<ExprId>, Option<ExprId>),
    /// A prefix operator.
    Unary(UnaryOp, ExprId),
    /// An infix operator and where it stands.
    Binary(BinaryOp, Span, ExprId, ExprId),
    /// `(e)`
    Paren(ExprId),
    /// `e as T`
    Cast(ExprId, TypeId),
    /// `e is [not] P`
    Is {
        /// Left.
        expr: ExprId,
        /// Right.
        pat: PatId,
        /// `not`
        negated: bool,
    },
    /// `c ? a : b`
    Ternary(ExprId, ExprId, ExprId),
    /// `a ?? b`
    Coalesce(ExprId, ExprId),
    /// `e?`, `try e`
    Try(ExprId),
    /// `loop { .. break value .. }` as a value.
    Loop(Block),
    /// `a..b`
    Range {
        /// From.
        lo: Option<ExprId>,
        /// To.
        hi: Option<ExprId>,
        /// `..=`
        inclusive: bool,
    },
    /// `[a, b]`
    List(Vec<ExprId>),
    /// `map { k: v }`
    Map(Vec<(ExprId, ExprId)>),
    /// `set { a }`
    Set(Vec<ExprId>),
    /// `[e for p in xs if c]`
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
    /// `|a, b| e`, `proc(a: T) -> R { .. }`
    Lambda(Box<Lambda>),
    /// `(a, b)`, `()`
    Tuple(Vec<ExprId>),
    /// `T { .. }`, `{ a: 1 }`
    Record {
        /// A name or field chain.
        path: Option<ExprId>,
        /// Fields; `None` is shorthand.
        fields: Vec<(Ident, Option<ExprId>)>,
        /// `..base` or a lone `..`.
        rest: Option<(Span, Option<ExprId>)>,
    },
    /// `if`, with its `elif`s
    If {
        /// Conditions and blocks in order.
        branches: Vec<(ExprId, Block)>,
        /// `else`
        other: Option<Block>,
    },
    /// `pick e { }`, `match e { }`, `select e { }`, `when e is P { }`
    Match {
        /// Subject.
        scrutinee: ExprId,
        /// Arms in order.
        arms: Vec<Arm>,
        /// `when`: nothing happens without a match.
        partial: bool,
    },
    /// `{ .. }`, `critical { .. }`
    Block(Block),
    /// `unsafe { .. }`
    Unsafe(Block),
    /// `sizeof(T)`, `alignof(T)`, `offsetof(T, field)`
    Layout {
        /// Which of them.
        query: LayoutQuery,
        /// The type.
        ty: TypeId,
        /// Of `offsetof`.
        field: Option<Ident>,
    },
    /// A construct of the grammar that is not supported yet.
    Unsupported(Unsupported),
}

/// A procedure without a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    /// `proc(..) { .. }`: its end gives no value.
    pub explicit: bool,
    /// Parameters; a missing type is inferred.
    pub params: Vec<Param>,
    /// `-> T`
    pub ret: Option<TypeId>,
    /// Its body, often a block.
    pub body: ExprId,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `name:`
    pub name: Option<Ident>,
    /// Its value.
    pub value: ExprId,
}

/// An arm of a match.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// All of it.
    pub span: Span,
    /// Pattern.
    pub pat: PatId,
    /// `if c`
    pub guard: Option<ExprId>,
    /// Body; `=> e` is a block with that one statement.
    pub body: Block,
}

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Magnitude (`u128::MAX` if malformed and reported) and suffix.
    Int(u128, Option<Name>),
    /// Bits of an `f64`, and suffix.
    Float(u64, Option<Name>),
    /// `true`, `false`
    Bool(bool),
    /// `'c'`
    Char(char),
    /// Text with escapes resolved.
    Str(Arc<str>),
    /// `b"..."`
    Bytes(Arc<[u8]>),
    /// `null`
    Null,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `not`, `!`
    Not,
    /// `-`
    Neg,
    /// `+`
    Plus,
    /// `~`
    BitNot,
    /// `ref`, `&`
    Ref,
    /// `ref mut`, `&mut`
    RefMut,
    /// `*`
    Deref,
    /// `move`
    Move,
}

pub use crate::lower::hir::{BinaryOp, LayoutQuery};

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: TypeKind,
}

/// Kinds of type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// Missing or broken; reported.
    Error,
    /// `a.B<T>`
    Path(Vec<Ident>, Vec<TypeId>),
    /// `[T]`
    List(TypeId),
    /// `[T; N]`
    Array(TypeId, ExprId),
    /// `ref T`, `ref mut T`
    Ref(bool, TypeId),
    /// `?T`
    Option(TypeId),
    /// `*T`, `*const T`, `*mut T`; whether `mut` is written
    Pointer(bool, TypeId),
    /// `dyn Trait`
    Dyn(TypeId),
    /// `impl Trait`
    ImplTrait(TypeId),
    /// `proc(A) -> R`
    Proc(Vec<TypeId>, Option<TypeId>),
    /// `(A, B)`; `()` is unit
    Tuple(Vec<TypeId>),
    /// `3`, `-1`, `true` among type arguments
    Value(i128),
    /// `Item = T` among the arguments of a trait
    Named(Ident, TypeId),
    /// Not supported yet.
    Unsupported(&'static str),
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pat {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: PatKind,
}

/// Kinds of pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum PatKind {
    /// Missing or broken; reported.
    Error,
    /// `_`
    Wild,
    /// `x`, `mut x`, `ref x`
    Name {
        /// The name.
        name: Ident,
        /// Whether `mut`, `ref` or `ref mut` stands before it.
        binding: bool,
    },
    /// `a.B`, `B(p)`
    Variant {
        /// Path.
        path: Vec<Ident>,
        /// Payload.
        args: Option<Vec<(Option<Ident>, PatId)>>,
    },
    /// `T { a, b: p, .. }`
    Record {
        /// Path.
        path: Vec<Ident>,
        /// Fields.
        fields: Vec<(Ident, PatId)>,
        /// `..`
        rest: bool,
    },
    /// A literal and whether `-` stands before it.
    Literal(Literal, bool),
    /// `a..b`
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
