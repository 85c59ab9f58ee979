//! Values of literal tokens: escapes and numbers.
use crate::base::Span;

/// The names that may follow a number directly.
pub const NUMBER_SUFFIXES: [&str; 17] = [
    "int", "uint", "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "isize", "usize",
    "f32", "f64", "float",
];

/// A bad escape: where it is, relative to the body, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEscape {
    /// Bytes of the body that form the escape.
    pub span: Span,
    /// What is wrong, in words.
    pub message: String,
}

/// Decodes the body of a string or character literal, quotes removed. Bad escapes are reported and
/// stand for nothing. With `bytes`, `\xHH` may be any byte and goes to the sink as it is.
pub fn unescape(body: &str, bytes: bool, sink: &mut dyn FnMut(Unit), bad: &mut dyn FnMut(BadEscape)) {
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        for c in rest[..at].chars() {
            sink(Unit::Char(c));
        }
        let start = body.len() - rest.len() + at;
        let after = &rest[at + 1..];
        let (unit, used) = one_escape(after, bytes);
        match unit {
            Ok(unit) => sink(unit),
            Err(message) => {
                bad(BadEscape { span: Span::new(start as u32, (start + 1 + used) as u32), message });
            }
        }
        rest = &after[used..];
    }
    for c in rest.chars() {
        sink(Unit::Char(c));
    }
}

/// What an escape or a plain character stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A Unicode scalar.
    Char(char),
    /// One byte, only in byte strings.
    Byte(u8),
}

/// Reads the escape after a backslash; gives its value and how many bytes it took.
fn one_escape(after: &str, bytes: bool) -> (Result<Unit, String>, usize) {
    let Some(c) = after.chars().next() else {
        return (Err("nothing follows the backslash".into()), 0);
    };
    let plain = |c: char| (Ok(Unit::Char(c)), 1);
    match c {
        'n' => plain('\n'),
        't' => plain('\t'),
        'r' => plain('\r'),
        '0' => plain('\0'),
        '\\' | '"' | '\'' => plain(c),
        'x' => {
            let digits = hex_prefix(&after[1..], 2);
            let used = 1 + digits.len();
            match u8::from_str_radix(digits, 16) {
                Ok(v) if digits.len() == 2 && bytes => (Ok(Unit::Byte(v)), used),
                Ok(v) if digits.len() == 2 && v < 0x80 => (Ok(Unit::Char(v as char)), used),
                Ok(_) if digits.len() == 2 => {
                    (Err(format!("`\\x{digits}` is above 7F, the last ASCII character")), used)
                }
                _ => (Err("`\\x` needs two hexadecimal digits".into()), used),
            }
        }
        'u' if after[1..].starts_with('{') => {
            let digits = hex_prefix(&after[2..], 6);
            let used = 2 + digits.len();
            if digits.is_empty() || !after[used..].starts_with('}') {
                return (Err("`\\u{` needs one to six hexadecimal digits and `}`".into()), used);
            }
            (scalar(digits), used + 1)
        }
        'u' => {
            let digits = hex_prefix(&after[1..], 4);
            let used = 1 + digits.len();
            if digits.len() < 4 {
                return (Err("`\\u` needs exactly four hexadecimal digits".into()), used);
            }
            (scalar(digits), used)
        }
        other => (Err(format!("`\\{other}` is not an escape sequence")), other.len_utf8()),
    }
}

fn scalar(digits: &str) -> Result<Unit, String> {
    u32::from_str_radix(digits, 16)
        .ok()
        .and_then(char::from_u32)
        .map(Unit::Char)
        .ok_or_else(|| format!("{digits} is not a Unicode scalar value"))
}

fn hex_prefix(text: &str, most: usize) -> &str {
    let n = text.bytes().take(most).take_while(u8::is_ascii_hexdigit).count();
    &text[..n]
}

/// The body of a string, raw string or character token, quotes removed. `closed` says whether the
/// closing quote is there.
pub fn body_of(token: &str) -> (&str, bool) {
    let open = if token.starts_with("\"\"\"") {
        "\"\"\""
    } else if token.starts_with("r\"") || token.starts_with("b\"") {
        &token[..2]
    } else {
        token.get(..1).unwrap_or("")
    };
    let close = open.trim_start_matches(['r', 'b']);
    let rest = &token[open.len().min(token.len())..];
    match rest.strip_suffix(close) {
        Some(body) if !close.is_empty() => (body, true),
        _ => (rest, false),
    }
}

/// Value of a plain string token.
pub fn string_value(token: &str) -> String {
    let (body, _) = body_of(token);
    if !body.contains('\\') {
        return body.to_owned();
    }
    let mut out = String::with_capacity(body.len());
    unescape(
        body,
        false,
        &mut |u| {
            if let Unit::Char(c) = u {
                out.push(c)
            }
        },
        &mut |_| {},
    );
    out
}

/// Value of a byte-string token.
pub fn bytes_value(token: &str) -> Vec<u8> {
    let (body, _) = body_of(token);
    let mut out = Vec::with_capacity(body.len());
    unescape(
        body,
        true,
        &mut |u| match u {
            Unit::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unit::Byte(b) => out.push(b),
        },
        &mut |_| {},
    );
    out
}

/// Value of a character token; `None` if it does not hold exactly one scalar.
pub fn char_value(token: &str) -> Option<char> {
    let (body, _) = body_of(token);
    let mut first = None;
    let mut count = 0;
    unescape(
        body,
        false,
        &mut |u| {
            if let Unit::Char(c) = u {
                first.get_or_insert(c);
                count += 1;
            }
        },
        &mut |_| {},
    );
    if count == 1 { first } else { None }
}

/// A number token split into digits and suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberParts<'a> {
    /// 2, 8, 10 or 16.
    pub radix: u32,
    /// Digits with `_`, without prefix and suffix; for floats with dot and exponent.
    pub digits: &'a str,
    /// What follows the digits.
    pub suffix: &'a str,
}

/// Splits a number token.
pub fn number_parts(token: &str) -> NumberParts<'_> {
    let (radix, rest) = match token.get(..2) {
        Some("0x" | "0X") => (16, &token[2..]),
        Some("0b" | "0B") => (2, &token[2..]),
        Some("0o" | "0O") => (8, &token[2..]),
        _ => (10, token),
    };
    let bytes = rest.as_bytes();
    let mut i = 0;
    if radix == 16 {
        while i < bytes.len() && (bytes[i].is_ascii_hexdigit() || bytes[i] == b'_') {
            i += 1;
        }
    } else {
        let digits = |mut i: usize| {
            while i < bytes.len() && (bytes[i].is_ascii_digit() || bytes[i] == b'_') {
                i += 1;
            }
            i
        };
        i = digits(i);
        if radix == 10 {
            if bytes.get(i) == Some(&b'.') && bytes.get(i + 1).is_some_and(u8::is_ascii_digit) {
                i = digits(i + 1);
            }
            if matches!(bytes.get(i), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-')));
                if bytes.get(i + 1 + sign).is_some_and(u8::is_ascii_digit) {
                    i = digits(i + 1 + sign);
                }
            }
        }
    }
    NumberParts { radix, digits: &rest[..i], suffix: &rest[i..] }
}

/// Value of an integer token; `None` if it does not fit 128 bits or is malformed.
pub fn int_value(token: &str) -> Option<u128> {
    let parts = number_parts(token);
    let mut value: u128 = 0;
    let mut any = false;
    for c in parts.digits.chars().filter(|&c| c != '_') {
        let digit = c.to_digit(parts.radix)?;
        value = value.checked_mul(u128::from(parts.radix))?.checked_add(u128::from(digit))?;
        any = true;
    }
    any.then_some(value)
}

/// Value of a float token, correctly rounded; 0 if it is malformed.
pub fn float_value(token: &str) -> f64 {
    let digits: String = number_parts(token).digits.chars().filter(|&c| c != '_').collect();
    digits.parse().unwrap_or(0.0)
}
