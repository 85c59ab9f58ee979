//! Codes of the lowering. `SEM09xx` are our own numbers.

crate::codes! {
    /// The same parameter twice.
    DUPLICATE_BINDING = "SEM0011" "SEMA_E_DUPLICATE_BINDING";
    /// The same top-level name twice.
    DUPLICATE_ITEM = "SEM0012" "SEMA_E_DUPLICATE_ITEM";
    /// The same field or variant twice.
    DUPLICATE_FIELD = "SEM0013" "SEMA_E_DUPLICATE_FIELD";
    /// In the grammar, not in the compiler yet.
    NOT_SUPPORTED_YET = "SEM0901" "SEMA_E_NOT_SUPPORTED_YET";
    /// An attribute that means nothing to us.
    UNKNOWN_ATTRIBUTE = "SEM0902" "SEMA_W_UNKNOWN_ATTRIBUTE";
    /// `= e` of a variant where `e` is no integer literal.
    ORDINAL_NOT_LITERAL = "SEM0903" "SEMA_E_ORDINAL_NOT_LITERAL";
    /// A fixed array whose list has another number of elements.
    ARRAY_LENGTH = "SEM0905" "SEMA_E_ARRAY_LENGTH";
    /// A member of a trait or impl that lacks a part.
    INCOMPLETE_MEMBER = "SEM0904" "SEMA_E_INCOMPLETE_MEMBER";
}
