//! Written types to [`Ty`] (§3 of the reference).
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::codes;
use super::resolve::{Resolution, ResolvedPath, core_item, lookup_name, resolve_path};
use super::scope::{Binding, exported, module_scope};
use super::signature::alias_data;
use super::ty::{FloatTy, IntTy, Ty};
use crate::base::spelling::meant;
use crate::base::{Applicability, Db, Diagnostic, Name, Phase, Place, Severity, SourceFile};
use crate::lower::hir::{Ident, ItemHir, TypeRef, TypeRefKind};
use crate::lower::{ItemId, ItemKind, NodeId, item_hir, proc_signature};

/// Names of built-in types, for spelling hints. `list` takes an argument, the others take none.
pub const BUILTIN_TYPES: [&str; 29] = [
    "int", "uint", "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "isize", "usize",
    "f32", "f64", "float", "bool", "char", "rune", "byte", "string", "bytes", "unit", "void", "never",
    "list", "map", "set",
];

/// Names that the grammar lists as types and this compiler does not have.
const UNSUPPORTED_TYPES: [&str; 2] = ["f16", "f128"];

/// The built-in type `name`.
pub fn builtin_type(name: &str) -> Option<Ty> {
    Some(match name {
        "int" => Ty::INT,
        "uint" => Ty::Int(IntTy::Uint),
        "i8" => Ty::Int(IntTy::I8),
        "i16" => Ty::Int(IntTy::I16),
        "i32" => Ty::Int(IntTy::I32),
        "i64" => Ty::Int(IntTy::I64),
        "i128" => Ty::Int(IntTy::I128),
        "u8" | "byte" => Ty::Int(IntTy::U8),
        "u16" => Ty::Int(IntTy::U16),
        "u32" => Ty::Int(IntTy::U32),
        "u64" => Ty::Int(IntTy::U64),
        "u128" => Ty::Int(IntTy::U128),
        "isize" => Ty::Int(IntTy::Isize),
        "usize" => Ty::USIZE,
        "f32" => Ty::Float(FloatTy::F32),
        "f64" | "float" => Ty::F64,
        "bool" => Ty::Bool,
        "char" | "rune" => Ty::Char,
        "string" => Ty::String,
        "bytes" => Ty::Bytes,
        "unit" | "void" | "c_void" => Ty::Unit,
        "never" => Ty::Never,
        // What C calls its types on the 64-bit targets that we have.
        "c_char" | "c_schar" => Ty::Int(IntTy::I8),
        "c_uchar" => Ty::Int(IntTy::U8),
        "c_short" => Ty::Int(IntTy::I16),
        "c_ushort" => Ty::Int(IntTy::U16),
        "c_int" => Ty::Int(IntTy::I32),
        "c_uint" => Ty::Int(IntTy::U32),
        "c_long" | "c_longlong" => Ty::Int(IntTy::I64),
        "c_ulong" | "c_ulonglong" => Ty::Int(IntTy::U64),
        "c_size" | "size_t" | "uintptr" => Ty::USIZE,
        "c_ssize" | "intptr" => Ty::Int(IntTy::Isize),
        "c_float" => Ty::Float(FloatTy::F32),
        "c_double" => Ty::F64,
        "cstr" => Ty::Pointer(false, Arc::new(Ty::Int(IntTy::U8))),
        _ => return None,
    })
}

/// Resolves a type written in `owner`, whose type parameters are `generics` (by index). Unknown types
/// are reported once and become [`Ty::Error`].
pub fn resolve_type(db: &dyn Db, owner: ItemId, generics: &[Name], ty: &TypeRef) -> (Ty, Vec<Diagnostic>) {
    resolve_type_with(db, owner, generics, SelfTy::Owner, ty)
}

/// As [`resolve_type`], for a type argument, which may be a constant.
pub fn resolve_argument(
    db: &dyn Db,
    owner: ItemId,
    generics: &[Name],
    ty: &TypeRef,
) -> (Ty, Vec<Diagnostic>) {
    let mut resolver = TypeResolver { db, owner, generics, self_ty: SelfTy::Owner, diagnostics: Vec::new() };
    let ty = resolver.argument(ty);
    (ty, resolver.diagnostics)
}

/// How much `Self` means while a type is resolved. What an impl is of cannot be said in terms of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTy {
    /// Nothing.
    None,
    /// The type of the impl around it.
    Type,
    /// The type, and the associated types behind it.
    Owner,
}

/// As [`resolve_type`], where less may be known of `Self`.
pub fn resolve_type_with(
    db: &dyn Db,
    owner: ItemId,
    generics: &[Name],
    self_ty: SelfTy,
    ty: &TypeRef,
) -> (Ty, Vec<Diagnostic>) {
    let mut resolver = TypeResolver { db, owner, generics, self_ty, diagnostics: Vec::new() };
    let ty = resolver.ty(ty);
    (ty, resolver.diagnostics)
}

struct TypeResolver<'a> {
    db: &'a dyn Db,
    owner: ItemId,
    generics: &'a [Name],
    self_ty: SelfTy,
    diagnostics: Vec<Diagnostic>,
}

impl TypeResolver<'_> {
    fn ty(&mut self, ty: &TypeRef) -> Ty {
        match &ty.kind {
            TypeRefKind::Path { path, args } => self.path(ty, path, args),
            TypeRefKind::List(element) => Ty::List(Arc::new(self.ty(element))),
            TypeRefKind::Ref(mutable, target) => match self.ty(target) {
                // `ref ref T` says nothing more than `ref T`; the outer one decides.
                Ty::Ref(_, inner) => Ty::Ref(*mutable, inner),
                target => Ty::Ref(*mutable, Arc::new(target)),
            },
            TypeRefKind::Proc(params, ret) => {
                let params = params.iter().map(|param| self.ty(param)).collect();
                let ret = ret.as_ref().map_or(Ty::Unit, |ret| self.ty(ret));
                Ty::Proc(params, Arc::new(ret))
            }
            TypeRefKind::Tuple(parts) => Ty::Tuple(parts.iter().map(|part| self.ty(part)).collect()),
            TypeRefKind::Pointer(mutable, target) => Ty::Pointer(*mutable, Arc::new(self.ty(target))),
            TypeRefKind::Dyn(of) => {
                let mut plain = TypeRef::clone(of);
                let mut named: Vec<(&Ident, &TypeRef)> = Vec::new();
                if let TypeRefKind::Path { args, .. } = &mut plain.kind {
                    args.retain(|arg| !matches!(arg.kind, TypeRefKind::Named(..)));
                }
                if let TypeRefKind::Path { args, .. } = &of.kind {
                    named.extend(args.iter().filter_map(|arg| match &arg.kind {
                        TypeRefKind::Named(name, ty) => Some((name, &**ty)),
                        _ => None,
                    }));
                }
                let (found, diagnostics) = super::traits::resolve_trait(
                    self.db,
                    self.owner,
                    self.generics,
                    Ty::Unit,
                    &plain,
                    self.self_ty,
                );
                self.diagnostics.extend(diagnostics);
                match found {
                    Some(found) => {
                        let mut args: Vec<Ty> = found.args.iter().skip(1).cloned().collect();
                        args.extend(self.associated(of, found.of, &named));
                        Ty::Dyn(found.of, args.into())
                    }
                    None => Ty::Error,
                }
            }
            TypeRefKind::Value(value) => {
                self.no_constant(ty, &format!("`{value}` is a constant, not a type"));
                Ty::Error
            }
            TypeRefKind::Named(name, _) => {
                let diagnostic = Diagnostic::error(
                    codes::TYPE_ARGUMENTS,
                    Phase::Typeck,
                    Place::Node(self.owner, ty.node),
                    format!(
                        "`{} = ...` says what an associated type is, and stands only behind `dyn`",
                        name.name
                    ),
                    "no trait of a `dyn` type",
                )
                .note("`dyn Trait<Item = T>` is the type of values whose `Item` is `T`")
                .help("write the type alone, or a bound and a `where` clause");
                self.diagnostics.push(diagnostic);
                Ty::Error
            }
            TypeRefKind::Error => Ty::Error,
        }
    }

    /// A type argument: a type, a constant, or a constant parameter.
    fn argument(&mut self, ty: &TypeRef) -> Ty {
        match &ty.kind {
            TypeRefKind::Value(value) => Ty::Value(*value),
            TypeRefKind::Path { path, args } if args.is_empty() && path.len() == 1 => {
                let constant = path.first().and_then(|name| {
                    let index = self.generics.iter().position(|generic| *generic == name.name)?;
                    const_parameter(self.db, self.owner, &name.name)?;
                    Some(Ty::Param(index as u32, name.name.clone()))
                });
                constant.unwrap_or_else(|| self.ty(ty))
            }
            _ => self.ty(ty),
        }
    }

    /// What a `dyn` type says of the associated types of its trait, in the order of their declaration.
    fn associated(&mut self, at: &TypeRef, of: ItemId, named: &[(&Ident, &TypeRef)]) -> Vec<Ty> {
        let ItemHir::Trait(declared) = &**item_hir(self.db, of) else { return Vec::new() };
        let known = |name: &Name| declared.types.iter().any(|(own, _)| own.name == *name);
        if let Some((name, _)) = named.iter().find(|(name, _)| !known(&name.name)) {
            let diagnostic = Diagnostic::error(
                codes::UNKNOWN_MEMBER,
                Phase::Typeck,
                Place::Node(self.owner, name.node),
                format!("the trait `{}` has no associated type `{}`", of.name(self.db), name.name),
                "no such type",
            )
            .label(Place::Node(of, NodeId(0)), "the trait is declared here")
            .note("`Name = T` says what an associated type of the trait is")
            .help("name a type that the trait declares with `type`");
            self.diagnostics.push(diagnostic);
        }
        let mut types = Vec::with_capacity(declared.types.len());
        for (own, _) in &declared.types {
            if let Some((_, ty)) = named.iter().find(|(name, _)| name.name == own.name) {
                let ty = self.ty(ty);
                types.push(ty);
                continue;
            }
            types.push(Ty::Error);
            let diagnostic = Diagnostic::error(
                codes::TYPE_ARGUMENTS,
                Phase::Typeck,
                Place::Node(self.owner, at.node),
                format!("this `dyn` type does not say what `{}` is", own.name),
                format!("`{}` is missing", own.name),
            )
            .label(Place::Node(of, NodeId(0)), "the trait is declared here")
            .note("a value's methods speak of the associated types, so they are part of the `dyn` type")
            .help(format!("write `dyn {}<{} = T>` with a type", of.name(self.db), own.name));
            self.diagnostics.push(diagnostic);
        }
        types
    }

    fn no_constant(&mut self, ty: &TypeRef, message: &str) {
        let diagnostic = Diagnostic::error(
            codes::UNKNOWN_TYPE,
            Phase::Typeck,
            Place::Node(self.owner, ty.node),
            message,
            "expected a type",
        )
        .note("constants stand among type arguments only, for parameters that are declared with `const`")
        .help("write the name of a type here");
        self.diagnostics.push(diagnostic);
    }

    /// Reports a type where the item declares a constant parameter, and the other way round.
    fn expect_kinds(&mut self, ty: &TypeRef, item: ItemId, args: &[Ty]) -> bool {
        let Some((index, constant)) = wrong_kind(self.db, self.owner, item, args) else { return true };
        self.diagnostics.push(kind_mismatch(
            self.db,
            Place::Node(self.owner, ty.node),
            item,
            index,
            constant,
        ));
        false
    }

    fn path(&mut self, ty: &TypeRef, path: &[Ident], args: &[TypeRef]) -> Ty {
        let Some(last) = path.last() else { return Ty::Error };
        let args_of: Vec<Ty> = args.iter().map(|arg| self.argument(arg)).collect();
        if let Some(known) = self.of_parameter(ty, path, args.len()) {
            return known;
        }
        if let [name] = path {
            if let Some(index) = self.generics.iter().position(|generic| *generic == name.name) {
                self.expect_args(ty, name, 0, args.len(), None);
                if const_parameter(self.db, self.owner, &name.name).is_some() {
                    self.no_constant(ty, &format!("`{}` is a constant, not a type", name.name));
                    return Ty::Error;
                }
                return Ty::Param(index as u32, name.name.clone());
            }
            match lookup_name(self.db, self.owner.file(self.db), &name.name) {
                // A lone qualifier is no type, so a built-in type of its name is meant.
                None | Some(Binding::Module(_)) => return self.builtin(ty, name, args_of),
                Some(Binding::Item(_) | Binding::Ambiguous(_) | Binding::Error) => {}
            }
        }
        match resolve_path(self.db, self.owner, path) {
            ResolvedPath::Found { resolution: Resolution::Item(item), used } if used == path.len() => {
                self.item(ty, last, item, args_of)
            }
            ResolvedPath::Found { resolution, .. } => {
                self.not_a_type(ty, last, &resolution);
                Ty::Error
            }
            ResolvedPath::Failed(diagnostic) => {
                self.diagnostics.extend(diagnostic.map(|diagnostic| *diagnostic));
                Ty::Error
            }
            ResolvedPath::Unknown => {
                let first = path.first().unwrap_or(last);
                let diagnostic = self.unknown(first, if path.len() > 1 { "module or type" } else { "type" });
                self.diagnostics.push(diagnostic);
                Ty::Error
            }
        }
    }

    /// `Self`, `Self.Item`, `T.Item`.
    fn of_parameter(&mut self, ty: &TypeRef, path: &[Ident], args: usize) -> Option<Ty> {
        let (first, rest) = path.split_first()?;
        let is_param = self.generics.contains(&first.name);
        let block = match self.self_ty {
            SelfTy::Type | SelfTy::Owner if first.name == "Self" => impl_around(self.db, self.owner),
            SelfTy::None | SelfTy::Type | SelfTy::Owner => None,
        };
        if !is_param && block.is_none() {
            return None;
        }
        let Some(name) = rest.first() else {
            let block = block.filter(|_| !is_param)?;
            self.expect_args(ty, first, 0, args, None);
            return Some(super::traits::impl_self_ty(self.db, block).clone());
        };
        let full = format!("{}.{}", first.name, name.name);
        if let Some(index) = self.generics.iter().position(|generic| *generic == full) {
            return Some(Ty::Param(index as u32, Name::new(full)));
        }
        if let (Some(block), SelfTy::Owner) = (block, self.self_ty)
            && let Some(found) = super::traits::impl_type(self.db, block, &name.name)
        {
            return Some(found);
        }
        self.diagnostics.push(
            Diagnostic::error(
                codes::UNKNOWN_MEMBER,
                Phase::Typeck,
                Place::Node(self.owner, name.node),
                format!("`{}` has no associated type `{}`", first.name, name.name),
                "not declared by a trait that it is known to implement",
            )
            .note("a type parameter has the associated types of the traits in its bounds")
            .help(format!("add a bound on `{}`, or name another type", first.name)),
        );
        Some(Ty::Error)
    }

    fn builtin(&mut self, ty: &TypeRef, name: &Ident, mut args: Vec<Ty>) -> Ty {
        let place = Place::Node(self.owner, name.node);
        match name.name.as_str() {
            "list" => {
                self.expect_args(ty, name, 1, args.len(), None);
                return Ty::List(Arc::new(args.pop().unwrap_or(Ty::Error)));
            }
            "map" | "set" => {
                let item = core_item(self.db, ItemKind::Form, &name.name);
                let wanted = if name.name == "map" { 2 } else { 1 };
                let fits = self.expect_args(ty, name, wanted, args.len(), item);
                return match item {
                    Some(item) if fits => Ty::Form(item, args.into()),
                    _ => Ty::Error,
                };
            }
            "str" | "String" => {
                self.expect_args(ty, name, 0, args.len(), None);
                let lint = Diagnostic::warning(
                    codes::FOREIGN_TYPE_NAME,
                    Phase::Typeck,
                    place,
                    format!("`{}` is another spelling of `string`", name.name),
                    "accepted as `string`",
                )
                .note("the type of text is called `string`")
                .suggest(place, "string", "write `string`", Applicability::MachineApplicable);
                self.diagnostics.push(Diagnostic { severity: Severity::Lint, ..lint });
                return Ty::String;
            }
            _ => {}
        }
        if let Some(builtin) = builtin_type(&name.name) {
            self.expect_args(ty, name, 0, args.len(), None);
            return builtin;
        }
        if module_scope(self.db, self.owner.file(self.db)).incomplete {
            return Ty::Error; // a glob import failed; it may be one of its names
        }
        let diagnostic = self.unknown(name, "type");
        self.diagnostics.push(diagnostic);
        Ty::Error
    }

    fn item(&mut self, ty: &TypeRef, name: &Ident, item: ItemId, args: Vec<Ty>) -> Ty {
        let generic_count =
            |count: usize, resolver: &mut Self| resolver.expect_args(ty, name, count, args.len(), Some(item));
        match item.kind(self.db) {
            ItemKind::Form | ItemKind::Pick if args.len() < generics_of(self.db, item) => {
                let mut filled = args;
                while let Some(default) = default_argument(self.db, item, filled.len() as u32) {
                    filled.push(default.subst(&filled));
                }
                let fits = self.expect_args(ty, name, generics_of(self.db, item), filled.len(), Some(item))
                    && self.expect_kinds(ty, item, &filled);
                match (fits, item.kind(self.db)) {
                    (false, _) => Ty::Error,
                    (true, ItemKind::Form) => Ty::Form(item, filled.into()),
                    (true, _) => Ty::Pick(item, filled.into()),
                }
            }
            ItemKind::Form => {
                match generic_count(generics_of(self.db, item), self) && self.expect_kinds(ty, item, &args) {
                    true => Ty::Form(item, args.into()),
                    false => Ty::Error,
                }
            }
            ItemKind::Pick => {
                match generic_count(generics_of(self.db, item), self) && self.expect_kinds(ty, item, &args) {
                    true => Ty::Pick(item, args.into()),
                    false => Ty::Error,
                }
            }
            ItemKind::Alias => {
                let alias = alias_data(self.db, item);
                match generic_count(alias.generics.len(), self) {
                    true => alias.ty.subst(&args),
                    false => Ty::Error,
                }
            }
            ItemKind::Unsupported => Ty::Error,
            ItemKind::Proc
            | ItemKind::Const
            | ItemKind::Trait
            | ItemKind::Impl
            | ItemKind::Use
            | ItemKind::Export
            | ItemKind::StaticAssert => {
                self.not_a_type(ty, name, &Resolution::Item(item));
                Ty::Error
            }
        }
    }

    /// Reports a wrong number of type arguments.
    fn expect_args(
        &mut self,
        ty: &TypeRef,
        name: &Ident,
        wanted: usize,
        given: usize,
        item: Option<ItemId>,
    ) -> bool {
        if wanted == given {
            return true;
        }
        let plural =
            |n: usize| if n == 1 { "1 type argument".to_owned() } else { format!("{n} type arguments") };
        let mut diagnostic = Diagnostic::error(
            codes::TYPE_ARGUMENTS,
            Phase::Typeck,
            Place::Node(self.owner, ty.node),
            format!(
                "`{}` takes {}, but {given} {} given",
                name.name,
                plural(wanted),
                if given == 1 { "is" } else { "are" }
            ),
            format!("expected {}", plural(wanted)),
        );
        if let Some(item) = item {
            diagnostic = diagnostic
                .label(Place::Node(item, NodeId(0)), format!("`{}` is declared here", item.name(self.db)));
        }
        let letters = ["T", "U", "V"];
        let shown: Vec<&str> = (0..wanted).map(|n| letters.get(n).copied().unwrap_or("_")).collect();
        self.diagnostics.push(if wanted == 0 {
            diagnostic.note(format!("`{}` is not generic", name.name)).help(format!("write `{}`", name.name))
        } else {
            diagnostic.note("in a type, every type argument is written out").help(format!(
                "write `{}<{}>` with types in these places",
                name.name,
                shown.join(", ")
            ))
        });
        false
    }

    fn not_a_type(&mut self, ty: &TypeRef, name: &Ident, found: &Resolution) {
        let (what, declared) = match found {
            Resolution::Item(item) => {
                let what = match item.kind(self.db) {
                    ItemKind::Proc => "a proc",
                    ItemKind::Const => "a const",
                    ItemKind::Trait => "a trait",
                    ItemKind::Form
                    | ItemKind::Pick
                    | ItemKind::Alias
                    | ItemKind::Impl
                    | ItemKind::Use
                    | ItemKind::Export
                    | ItemKind::StaticAssert
                    | ItemKind::Unsupported => "an item",
                };
                (what, Some(*item))
            }
            Resolution::Variant { pick, .. } => ("a variant", Some(*pick)),
            Resolution::Module(_) => ("a module", None),
        };
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_TYPE,
            Phase::Typeck,
            Place::Node(self.owner, ty.node),
            format!("`{}` is {what}, not a type", name.name),
            "expected a type",
        )
        .note("types are built-in ones, forms, picks, aliases and type parameters");
        if let Some(item) = declared {
            diagnostic = diagnostic
                .label(Place::Node(item, NodeId(0)), format!("`{}` is declared here", item.name(self.db)));
        }
        self.diagnostics.push(match found {
            Resolution::Variant { pick, .. } => {
                diagnostic.help(format!("write the pick: `{}`", pick.name(self.db)))
            }
            Resolution::Item(_) | Resolution::Module(_) => diagnostic.help("write the name of a type here"),
        });
    }

    fn unknown(&self, name: &Ident, what: &str) -> Diagnostic {
        let place = Place::Node(self.owner, name.node);
        let text = name.name.as_str();
        let diagnostic = Diagnostic::error(
            codes::UNKNOWN_TYPE,
            Phase::Typeck,
            place,
            format!("unknown {what} `{text}`"),
            "not declared, imported or built in",
        );
        if UNSUPPORTED_TYPES.contains(&text) {
            return diagnostic
                .note(format!("`{text}` belongs to the language, but this compiler does not support it yet"))
                .help("use a type of known width, such as `i32` or `u64`");
        }
        if let Some(ours) = foreign_type(text) {
            return diagnostic.note("it is called otherwise here").suggest(
                place,
                ours,
                format!("write `{ours}`"),
                Applicability::MaybeIncorrect,
            );
        }
        let diagnostic =
            match super::missing_import::suggested(self.db, self.owner.file(self.db), text, diagnostic) {
                ControlFlow::Break(diagnostic) => {
                    return diagnostic.note("the standard library has a type of this name");
                }
                ControlFlow::Continue(diagnostic) => diagnostic,
            };
        let known = type_names(self.db, self.owner.file(self.db));
        let candidates = known.iter().chain(self.generics).map(Name::as_str).chain(BUILTIN_TYPES);
        match meant(text, candidates.filter(|candidate| *candidate != text)) {
            Some((meant, sure)) => diagnostic.note("a type of a similar name is in scope").suggest(
                place,
                meant,
                format!("did you mean `{meant}`?"),
                sure,
            ),
            None => diagnostic
                .note("types are built-in ones, forms, picks, aliases and type parameters")
                .help(format!("declare `form {text} {{ … }}` or import it with `use`")),
        }
    }
}

/// The impl that an item is, or is a member of.
pub(crate) fn impl_around(db: &dyn Db, item: ItemId) -> Option<ItemId> {
    match item.kind(db) {
        ItemKind::Impl => Some(item),
        ItemKind::Proc => super::traits::owner_of(db, item).filter(|owner| owner.kind(db) == ItemKind::Impl),
        ItemKind::Form
        | ItemKind::Pick
        | ItemKind::Const
        | ItemKind::Alias
        | ItemKind::Trait
        | ItemKind::Use
        | ItemKind::Export
        | ItemKind::StaticAssert
        | ItemKind::Unsupported => None,
    }
}

/// What Vitte calls a type of other languages.
fn foreign_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "Vec" | "List" | "Array" | "ArrayList" | "array" => "list",
        "integer" | "Integer" | "Int" | "long" | "short" | "number" => "int",
        "unsigned" => "uint",
        "boolean" | "Boolean" | "Bool" => "bool",
        "double" | "Double" | "real" => "f64",
        "text" | "Str" => "string",
        "Maybe" | "Optional" => "Option",
        _ => return None,
    })
}

/// Names of the types in scope of a file, sorted.
pub fn type_names(db: &dyn Db, file: SourceFile) -> Vec<Name> {
    let is_type = |binding: &Binding| match binding {
        Binding::Item(item) => matches!(item.kind(db), ItemKind::Form | ItemKind::Pick | ItemKind::Alias),
        Binding::Module(_) | Binding::Ambiguous(_) | Binding::Error => false,
    };
    let scope = module_scope(db, file);
    let mut names: Vec<Name> =
        scope.items().filter(|(_, binding)| is_type(binding)).map(|(name, _)| name.clone()).collect();
    names.extend(["Option", "Result"].map(Name::new_static));
    names.sort();
    names.dedup();
    names
}

/// How many type parameters a form or pick has. Reads names only, so that types may refer to each
/// other in circles.
#[salsa::tracked(returns(copy))]
pub fn generics_of(db: &dyn Db, item: ItemId) -> usize {
    match &**item_hir(db, item) {
        ItemHir::Form(hir) => hir.generics.len(),
        ItemHir::Pick(hir) => hir.generics.len(),
        ItemHir::Alias(hir) => hir.generics.len(),
        ItemHir::Proc(hir) => hir.sig.generics.len(),
        ItemHir::Trait(hir) => hir.generics.len(),
        ItemHir::Impl(hir) => hir.generics.len(),
        ItemHir::Missing | ItemHir::Const(_) | ItemHir::StaticAssert(..) => 0,
    }
}

/// The constant parameters that an item declares itself, with their written types.
fn written_constants(db: &dyn Db, item: ItemId) -> &[(Name, TypeRef)] {
    if let Some(sig) = proc_signature(db, item) {
        return &sig.consts;
    }
    match &**item_hir(db, item) {
        ItemHir::Form(hir) => &hir.consts,
        ItemHir::Pick(hir) => &hir.consts,
        ItemHir::Impl(hir) => &hir.consts,
        ItemHir::Proc(_)
        | ItemHir::Alias(_)
        | ItemHir::Trait(_)
        | ItemHir::Missing
        | ItemHir::Const(_)
        | ItemHir::StaticAssert(..) => &[],
    }
}

/// The type of the constant parameter `name` of an item or of the impl around it; `None` if that is no constant
/// parameter.
pub fn const_parameter(db: &dyn Db, item: ItemId, name: &Name) -> Option<Ty> {
    let owner = proc_signature(db, item).as_ref().and_then(|sig| sig.owner);
    for declared in [Some(item), owner].into_iter().flatten() {
        if let Some((_, written)) = written_constants(db, declared).iter().find(|(known, _)| known == name) {
            return Some(resolve_type(db, declared, &[], written).0);
        }
    }
    None
}

/// What is wrong with the types of an item's constant parameters.
pub(super) fn constant_diagnostics(db: &dyn Db, item: ItemId) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (name, written) in written_constants(db, item) {
        let (ty, found) = resolve_type(db, item, &[], written);
        diagnostics.extend(found);
        let fits = match &ty {
            Ty::Int(int) => int.bits() <= 64,
            Ty::Bool | Ty::Error => true,
            _ => false,
        };
        if !fits {
            diagnostics.push(
                Diagnostic::error(
                    codes::TYPE_ARGUMENTS,
                    Phase::Typeck,
                    Place::Node(item, written.node),
                    format!("the constant parameter `{name}` is neither an integer nor a `bool`"),
                    "not a type of constant parameters",
                )
                .note("constants that are part of a type are integers of up to 64 bits and `bool`s")
                .help("pass other values as arguments"),
            );
        }
    }
    diagnostics
}

/// The first of `args`, written in `owner`, that is a type where `item` declares a constant parameter, or the other
/// way round; and whether a constant is wanted.
pub(super) fn wrong_kind(db: &dyn Db, owner: ItemId, item: ItemId, args: &[Ty]) -> Option<(usize, bool)> {
    let own = own_parameters(db, item);
    let constants = written_constants(db, item);
    own.iter().zip(args).enumerate().find_map(|(index, (name, arg))| {
        let wanted = constants.iter().any(|(known, _)| known == name);
        let given = match arg {
            Ty::Value(_) => true,
            Ty::Param(_, name) => const_parameter(db, owner, name).is_some(),
            Ty::Error | Ty::Infer(_) => wanted,
            _ => false,
        };
        (wanted != given).then_some((index, wanted))
    })
}

/// Names of the type parameters that an item writes itself.
fn own_parameters(db: &dyn Db, item: ItemId) -> Vec<Name> {
    let names = |list: &[Ident]| list.iter().map(|ident| ident.name.clone()).collect();
    if let Some(sig) = proc_signature(db, item) {
        return names(&sig.generics);
    }
    match &**item_hir(db, item) {
        ItemHir::Form(hir) => names(&hir.generics),
        ItemHir::Pick(hir) => names(&hir.generics),
        ItemHir::Impl(hir) => names(&hir.generics),
        ItemHir::Proc(_)
        | ItemHir::Alias(_)
        | ItemHir::Trait(_)
        | ItemHir::Missing
        | ItemHir::Const(_)
        | ItemHir::StaticAssert(..) => Vec::new(),
    }
}

/// The error for what [`wrong_kind`] finds.
pub(super) fn kind_mismatch(
    db: &dyn Db,
    place: Place,
    item: ItemId,
    index: usize,
    constant: bool,
) -> Diagnostic {
    let name = own_parameters(db, item).get(index).cloned().unwrap_or_default();
    let (message, help) = if constant {
        (format!("`{name}` stands for a constant, but a type is given"), "write an integer here, such as `4`")
    } else {
        (format!("`{name}` stands for a type, but a constant is given"), "write the name of a type here")
    };
    Diagnostic::error(codes::TYPE_ARGUMENTS, Phase::Typeck, place, message, "wrong kind of type argument")
        .label(Place::Node(item, NodeId(0)), "declared here")
        .note("parameters declared with `const` take constants, all others take types")
        .help(help)
}

/// What stands for a type argument of a proc, form or pick that is left out, over the arguments before it.
#[salsa::tracked(returns(ref), cycle_result = default_argument_cycle)]
pub(super) fn default_argument(db: &dyn Db, item: ItemId, index: u32) -> Option<Ty> {
    if let Some(sig) = proc_signature(db, item) {
        let written = sig.defaults.get(index as usize)?.as_ref()?;
        let names: Vec<Name> =
            sig.generics.iter().take(index as usize).map(|ident| ident.name.clone()).collect();
        return Some(resolve_argument(db, item, &names, written).0);
    }
    let (names, defaults) = match &**item_hir(db, item) {
        ItemHir::Form(hir) => (&hir.generics, &hir.defaults),
        ItemHir::Pick(hir) => (&hir.generics, &hir.defaults),
        _ => return None,
    };
    let written = defaults.get(index as usize)?.as_ref()?;
    let names: Vec<Name> = names.iter().take(index as usize).map(|ident| ident.name.clone()).collect();
    Some(resolve_argument(db, item, &names, written).0)
}

/// A default that needs itself.
fn default_argument_cycle(_db: &dyn Db, _id: salsa::Id, _item: ItemId, _index: u32) -> Option<Ty> {
    Some(Ty::Error)
}

/// The number of type constructors in `ty`, or `limit` if there are more.
pub(crate) fn type_size(ty: &Ty, limit: usize) -> usize {
    let mut size = 0;
    let mut stack = vec![ty];
    while let Some(ty) = stack.pop() {
        size += 1;
        if size >= limit {
            return limit;
        }
        ty.for_each_part(|part| stack.push(part));
    }
    size
}

/// Whether replacing an alias leads back to it.
pub(crate) fn alias_reaches_itself(db: &dyn Db, start: ItemId) -> bool {
    let mut seen: HashSet<ItemId> = HashSet::new();
    let mut stack = vec![start];
    while let Some(item) = stack.pop() {
        for &next in aliases_named(db, item).iter() {
            if next == start {
                return true;
            }
            if seen.insert(next) {
                stack.push(next);
            }
        }
    }
    false
}

/// The aliases that the right side of an alias names.
#[salsa::tracked(returns(ref))]
fn aliases_named(db: &dyn Db, item: ItemId) -> Arc<[ItemId]> {
    let hir = item_hir(db, item);
    let ItemHir::Alias(hir) = &**hir else { return Arc::from([]) };
    let mut found = Vec::new();
    let mut stack = vec![&hir.ty];
    while let Some(ty) = stack.pop() {
        match &ty.kind {
            TypeRefKind::Path { path, args } => {
                stack.extend(args);
                found.extend(aliases_in_path(db, item, &hir.generics, path));
            }
            TypeRefKind::List(inner)
            | TypeRefKind::Ref(_, inner)
            | TypeRefKind::Pointer(_, inner)
            | TypeRefKind::Dyn(inner) => stack.push(inner),
            TypeRefKind::Proc(params, ret) => {
                stack.extend(params);
                stack.extend(ret.as_deref());
            }
            TypeRefKind::Tuple(parts) => stack.extend(parts),
            TypeRefKind::Named(_, inner) => stack.push(inner),
            TypeRefKind::Value(_) | TypeRefKind::Error => {}
        }
    }
    super::scope::sort_items(db, &mut found);
    found.into()
}

/// The aliases that a path goes through. Looks names up one by one: [`resolve_path`] would ask what an
/// alias stands for, and that asks here first.
fn aliases_in_path(db: &dyn Db, owner: ItemId, generics: &[Ident], path: &[Ident]) -> Vec<ItemId> {
    let file = owner.file(db);
    let Some((first, rest)) = path.split_first() else { return Vec::new() };
    if generics.iter().any(|generic| generic.name == first.name) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(Binding::Item(item)) = module_scope(db, file).item(&first.name) {
        found.push(*item);
    }
    if let (Some(Binding::Module(module)), Some(member)) =
        (module_scope(db, file).qualifier(&first.name), rest.first())
    {
        found.extend(exported(db, *module, member.name.clone()));
    }
    found.retain(|item| item.kind(db) == ItemKind::Alias);
    found
}
