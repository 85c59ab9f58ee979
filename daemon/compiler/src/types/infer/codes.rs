//! Codes of the type check. Numbers from 0900 up are ours: the registry has none for these keys.
crate::codes! {
    /// Two declarations fit a name.
    AMBIGUOUS_NAME = "SEM0010" "SEMA_E_AMBIGUOUS_NAME";
    /// One name twice in one scope.
    DUPLICATE_BINDING = "SEM0011" "SEMA_E_DUPLICATE_BINDING";
    /// A record literal gives a field twice.
    DUPLICATE_FIELD = "SEM0013" "SEMA_E_DUPLICATE_FIELD";
    /// `break` or `continue` outside a loop.
    OUTSIDE_LOOP = "SEM0017" "SEMA_E_OUTSIDE_LOOP";
    /// Assignment to a name that was never declared.
    UNDECLARED_TARGET = "SEM0025" "SEMA_E_UNDECLARED_TARGET";
    /// A record literal or pattern names a field that the form lacks.
    UNKNOWN_FIELD = "SEM0026" "SEMA_E_UNKNOWN_FIELD";
    /// A name that nothing declares.
    UNKNOWN_IDENTIFIER = "SEM0028" "SEMA_E_UNKNOWN_IDENTIFIER";
    /// A variant matched twice.
    REPEATED_VARIANT = "SEM0031" "SEMA_E_REPEATED_VARIANT";
    /// A local hides an outer name.
    SHADOWED = "SEM0920" "SEMA_W_SHADOWED_NAME";
    /// A binding that looks like a variant.
    BINDING_LIKE_VARIANT = "SEM0921" "SEMA_W_BINDING_LIKE_VARIANT";
    /// Alternatives that bind different names.
    ALTERNATIVE_BINDINGS = "SEM0922" "SEMA_E_ALTERNATIVE_BINDINGS";
    /// An arm that no value reaches.
    UNREACHABLE_ARM = "SEM0923" "SEMA_W_UNREACHABLE_ARM";
    /// Something that parses but is not supported yet.
    UNSUPPORTED = "SEM0925" "SEMA_E_UNSUPPORTED";
    /// Division by a constant zero.
    DIVISION_BY_ZERO = "TYP0002" "CONST_EVAL_E_DIVISION_BY_ZERO";
    /// A constant that its type cannot hold.
    OVERFLOW = "TYP0005" "TYPECK_E_CONST_OVERFLOW";
    /// Two methods fit a call.
    AMBIGUOUS_METHOD = "TYP0211" "TYPECK_E_AMBIGUOUS_METHOD";
    /// A type that does not implement the trait that is asked of it.
    BOUND = "TYP0932" "TYPECK_E_BOUND_NOT_MET";
    /// A member that is reached through its type, or a proc of a type that is no method.
    NOT_A_METHOD = "TYP0933" "TYPECK_E_NOT_A_METHOD";
    /// A lambda that changes or holds on to what it may not.
    CAPTURE = "TYP0934" "TYPECK_E_CAPTURE";
    /// What only `unsafe` may do.
    UNSAFE_ONLY = "TYP0935" "TYPECK_E_UNSAFE_ONLY";
    /// A trait of which no `dyn` value can be made.
    NOT_DYN = "TYP0936" "TYPECK_E_TRAIT_NOT_DYN";
    /// An argument of the wrong type.
    ARGUMENT = "TYP0212" "TYPECK_E_ARGUMENT_MISMATCH";
    /// A value of the wrong type for a place.
    ASSIGNMENT = "TYP0213" "TYPECK_E_ASSIGN_MISMATCH";
    /// Operands that do not fit the operator.
    BINARY = "TYP0214" "TYPECK_E_BINARY_MISMATCH";
    /// Wrong number of arguments or payload fields.
    ARITY = "TYP0215" "TYPECK_E_CALL_ARITY";
    /// A condition that is neither bool nor integer.
    CONDITION = "TYP0218" "TYPECK_E_CONDITION";
    /// A type that cannot be found out.
    INFERENCE = "TYP0221" "TYPECK_E_INFERENCE";
    /// Branches of different types.
    BRANCHES = "TYP0222" "TYPECK_E_BRANCH_MISMATCH";
    /// Assignment to what may not change.
    IMMUTABLE = "TYP0223" "TYPECK_E_IMMUTABLE_ASSIGN";
    /// An index that is no integer.
    INDEX_TYPE = "TYP0227" "TYPECK_E_INDEX_TYPE";
    /// A cast that does not exist.
    CAST = "TYP0230" "TYPECK_E_INVALID_CAST";
    /// Something that has no elements.
    NOT_INDEXABLE = "TYP0234" "TYPECK_E_NOT_INDEXABLE";
    /// A match that misses a case.
    NON_EXHAUSTIVE = "TYP0242" "TYPECK_E_NON_EXHAUSTIVE";
    /// A `give` that does not fit the proc.
    RETURN = "TYP0243" "TYPECK_E_RETURN_MISMATCH";
    /// A member that the type lacks.
    UNKNOWN_MEMBER = "TYP0247" "TYPECK_E_UNKNOWN_MEMBER";
    /// A proc whose end can be reached without a value.
    MISSING_GIVE = "TYP0920" "TYPECK_E_CONTROL_PATH_MISSING_GIVE";
    /// A record literal that leaves out fields.
    MISSING_FIELD = "TYP0921" "TYPECK_E_MISSING_FIELD";
    /// A call of something that is no proc.
    NOT_CALLABLE = "TYP0922" "TYPECK_E_NOT_CALLABLE";
    /// A value where `ref mut` wants a place.
    NOT_A_PLACE = "TYP0923" "TYPECK_E_NOT_A_PLACE";
    /// A pattern of another type than what is matched.
    PATTERN = "TYP0924" "TYPECK_E_PATTERN_MISMATCH";
    /// A type or module where a value is due.
    NOT_A_VALUE = "TYP0925" "TYPECK_E_NOT_A_VALUE";
    /// `for` over something that has no elements.
    NOT_ITERABLE = "TYP0926" "TYPECK_E_NOT_ITERABLE";
    /// A named argument that fits no parameter, or one given twice.
    NAMED_ARGUMENT = "TYP0927" "TYPECK_E_NAMED_ARGUMENT";
    /// `e?` in a proc that cannot pass the failure on.
    TRY = "TYP0928" "TYPECK_E_TRY_MISMATCH";
    /// Dereference of something that is no reference.
    NOT_A_REFERENCE = "TYP0929" "TYPECK_E_NOT_A_REFERENCE";
    /// An implicit conversion that can lose values.
    LOSSY_CONVERSION = "TYP0930" "TYPECK_L_LOSSY_CONVERSION";
    /// Constant arithmetic that wraps.
    WRAPPING_CONSTANT = "TYP0931" "TYPECK_L_WRAPPING_CONSTANT";
}
