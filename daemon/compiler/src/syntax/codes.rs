//! Codes of the lexer and the parser. `LEX09xx` and `PAR09xx` are our own numbers, used where the
//! public registry has none.

crate::codes! {
    /// A character that no token starts with.
    INVALID_CHAR = "LEX0002" "LEX_E_INVALID_CHAR";
    /// An escape sequence that is not one.
    INVALID_ESCAPE = "LEX0004" "LEX_E_INVALID_ESCAPE";
    /// A malformed number.
    INVALID_NUMBER = "LEX0009" "LEX_E_INVALID_NUMBER";
    /// Bytes that are not UTF-8.
    INVALID_UTF8 = "LEX0014" "LEX_E_INVALID_UTF8";
    /// `/*` without `*/`.
    UNTERMINATED_COMMENT = "LEX0017" "LEX_E_UNTERMINATED_COMMENT";
    /// `<<<` without `>>>`.
    UNTERMINATED_ZONE = "LEX0020" "LEX_E_UNTERMINATED_ZONE";
    /// A string or character literal that its line does not close.
    UNTERMINATED_STRING = "LEX0021" "LEX_E_UNTERMINATED_STRING";
    /// `''` or `'ab'`.
    CHAR_LENGTH = "LEX0901" "LEX_E_CHAR_LENGTH";

    /// An expression should stand here.
    EXPECTED_EXPRESSION = "PAR0024" "PARSE_E_EXPECTED_EXPRESSION";
    /// A name should stand here.
    EXPECTED_IDENTIFIER = "PAR0025" "PARSE_E_EXPECTED_IDENTIFIER";
    /// A type should stand here.
    EXPECTED_TYPE = "PAR0027" "PARSE_E_EXPECTED_TYPE";
    /// A `{ }` block should stand here.
    EXPECTED_BLOCK = "PAR0028" "PARSE_E_EXPECTED_BLOCK";
    /// Some other token should stand here.
    EXPECTED_TOKEN = "PAR0029" "PARSE_E_EXPECTED_TOKEN";
    /// A parameter without `: type`.
    EXPECTED_PARAMETER_COLON = "PAR0033" "PARSE_E_EXPECTED_PARAMETER_COLON";
    /// Something that is no declaration at the top level of a file.
    EXPECTED_DECLARATION = "PAR0035" "PARSE_E_EXPECTED_TOP_LEVEL";
    /// `{` without `}`.
    UNCLOSED_BLOCK = "PAR0037" "PARSE_E_UNCLOSED_BLOCK";
    /// Too many levels of nesting, or too long an operator chain.
    TOO_DEEP = "PAR0901" "PARSE_E_NESTED_TOO_DEEPLY";
    /// A pattern should stand here.
    EXPECTED_PATTERN = "PAR0902" "PARSE_E_EXPECTED_PATTERN";
    /// A keyword of another language or an old spelling of ours.
    FOREIGN_KEYWORD = "PAR0903" "PARSE_E_FOREIGN_KEYWORD";
    /// `return` for `give`.
    RETURN_FOR_GIVE = "PAR0904" "PARSE_W_RETURN_FOR_GIVE";
    /// `a & b == c`, `not a == b`.
    PRECEDENCE = "PAR0905" "PARSE_W_PRECEDENCE";
}
