//! Codes of constant evaluation.
crate::codes! {
    /// A constant that needs its own value.
    CONST_CYCLE = "TYP0001" "CONST_EVAL_E_CYCLE";
    /// Division or remainder by zero.
    DIVISION_BY_ZERO = "TYP0002" "CONST_EVAL_E_DIVISION_BY_ZERO";
    /// A value that its type cannot hold.
    OVERFLOW = "TYP0005" "TYPECK_E_CONST_OVERFLOW";
    /// A static assertion that does not hold.
    STATIC_ASSERT = "TYP0007" "TYPECK_E_STATIC_ASSERT";
    /// Something that only exists at run time.
    NOT_CONSTANT = "TYP0910" "TYPECK_E_NOT_CONSTANT";
    /// More steps, memory or nesting than constants may use.
    LIMIT = "TYP0911" "TYPECK_E_CONST_LIMIT";
    /// A panic while a constant was evaluated.
    CONST_PANIC = "TYP0912" "TYPECK_E_CONST_PANIC";
}
