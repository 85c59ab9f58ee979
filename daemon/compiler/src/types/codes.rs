//! The codes of name resolution, signatures and whole programs.
//!
//! Numbers and keys are those of the public registry where it has one; `SEM09xx` and `TYP09xx` are
//! ours. The catalogue of every stage's codes is [`crate::explain`].
crate::codes! {
    // Modules.
    /// Modules import each other in a circle; only reported under the strict profile.
    IMPORT_CYCLE = "RES0065" "RESOLVE_E_IMPORT_CYCLE";
    /// A module does not have the imported name.
    IMPORT_NOT_FOUND = "RES0066" "RESOLVE_E_IMPORT_NOT_FOUND";
    /// No file for a module path.
    MODULE_NOT_FOUND = "RES0067" "MOD_E_MODULE_NOT_FOUND";
    /// The name exists but its module does not export it.
    NOT_EXPORTED = "RES0070" "RESOLVE_E_SYMBOL_NOT_EXPORTED";
    /// Two files fit one module path.
    MODULE_SHADOWED = "SEM0940" "RESOLVE_W_MODULE_SHADOWED";

    // Names.
    /// A name with two meanings.
    AMBIGUOUS = "SEM0010" "SEMA_E_AMBIGUOUS_NAME";
    /// `export` of an unknown name, or two exports under one name.
    BAD_EXPORT = "SEM0018" "SEMA_E_INVALID_EXPORT";
    /// Two variants have one ordinal.
    DUPLICATE_ORDINAL = "SEM0941" "SEMA_E_DUPLICATE_ORDINAL";
    /// The program's `main` has parameters or type parameters that it cannot have.
    BAD_MAIN = "SEM0942" "SEMA_E_BAD_MAIN";
    /// The program's `main` gives something that is no exit status.
    MAIN_RESULT = "SEM0943" "SEMA_W_MAIN_RESULT";
    /// One name exported twice.
    REPEATED_EXPORT = "SEM0944" "SEMA_W_REPEATED_EXPORT";

    // Constants.
    /// Consts need each other's values.
    CONST_CYCLE = "TYP0001" "CONST_EVAL_E_CYCLE";

    // Traits.
    /// Two impls of a trait fit one type.
    OVERLAPPING_IMPLS = "TYP0219" "TYPECK_E_OVERLAPPING_IMPLS";
    /// An impl lacks what its trait asks for.
    MISSING_MEMBER = "TYP0224" "TYPECK_E_MISSING_TRAIT_MEMBER";
    /// A member of an impl is not what its trait declares.
    WRONG_SIGNATURE = "TYP0225" "TYPECK_E_TRAIT_SIGNATURE";
    /// Something that is no trait where one is due.
    UNKNOWN_TRAIT = "TYP0226" "TYPECK_E_UNKNOWN_TRAIT";
    /// A type parameter of an impl that its head does not decide.
    OPEN_PARAMETER = "TYP0950" "TYPECK_E_OPEN_IMPL_PARAMETER";

    // Types.
    /// A value or module has no such member.
    UNKNOWN_MEMBER = "TYP0247" "TYPECK_E_UNKNOWN_MEMBER";
    /// An unknown type.
    UNKNOWN_TYPE = "TYP0249" "TYPECK_E_UNKNOWN_TYPE";
    /// A type in an `extern` declaration that C does not know.
    FOREIGN_SIGNATURE = "TYP0945" "TYPECK_E_FOREIGN_SIGNATURE";
    /// Wrong number of type arguments.
    TYPE_ARGUMENTS = "TYP0940" "TYPECK_E_TYPE_ARGUMENTS";
    /// A form that contains itself.
    RECURSIVE_TYPE = "TYP0941" "TYPECK_E_RECURSIVE_TYPE";
    /// An alias that stands for itself.
    ALIAS_CYCLE = "TYP0942" "TYPECK_E_ALIAS_CYCLE";
    /// `str`, `String` for `string`.
    FOREIGN_TYPE_NAME = "TYP0943" "TYPECK_L_FOREIGN_TYPE_NAME";
    /// A type that is too large when its aliases are replaced.
    TYPE_TOO_LARGE = "TYP0944" "TYPECK_E_TYPE_TOO_LARGE";

    // Programs.
    /// A program without `main`.
    NO_ENTRY_POINT = "LNK0071" "LINK_E_NO_ENTRY_POINT";
}
