//! Types and generic parameter lists.
use super::*;
use crate::syntax::ast::Generic;
use crate::syntax::literal::NUMBER_SUFFIXES;

impl Parser<'_> {
    /// A type; reports `PAR0027` and gives an error node if there is none.
    pub(super) fn ty(&mut self) -> TypeId {
        let start = self.tok().start;
        let first = self.nested(Self::single_type, |p| p.add_type(start, TypeKind::Error));
        if !self.at(TokenKind::Pipe) || self.on_new_line() {
            return first;
        }
        while self.eat(TokenKind::Pipe) {
            self.nested(Self::single_type, |p| p.add_type(start, TypeKind::Error));
        }
        self.add_type(start, TypeKind::Unsupported("union types"))
    }

    /// The type of a cast. Behind one that takes no arguments, `<` and `|` are operators: `n as int < 3`.
    pub(super) fn cast_type(&mut self) -> TypeId {
        let word = self.word();
        let plain =
            NUMBER_SUFFIXES.contains(&word) || matches!(word, "bool" | "byte" | "char" | "rune" | "string");
        if plain && matches!(self.nth(1).kind, TokenKind::Lt | TokenKind::Pipe) {
            let start = self.tok().start;
            let name = self.ident("a type name");
            return self.add_type(start, TypeKind::Path(vec![name], Vec::new()));
        }
        self.ty()
    }

    /// A type that a `|` ends.
    pub(super) fn type_before_bar(&mut self) -> TypeId {
        let start = self.tok().start;
        self.nested(Self::single_type, |p| p.add_type(start, TypeKind::Error))
    }

    fn single_type(&mut self) -> TypeId {
        let start = self.tok().start;
        let kind = match self.kind() {
            TokenKind::Ident => match self.word() {
                "ref" if self.type_follows(1) => {
                    self.bump();
                    let mutable = self.at_word("mut") && self.type_follows(1) && self.eat_word("mut");
                    TypeKind::Ref(mutable, self.ty())
                }
                "mut" if self.nth_word(1) == "ref" => {
                    self.bump();
                    self.bump();
                    TypeKind::Ref(true, self.ty())
                }
                "dyn" | "impl" if self.nth(1).kind == TokenKind::Ident => {
                    let word = self.bump();
                    let is_dyn = self.text_of(word) == "dyn";
                    let of = self.type_before_bar();
                    if is_dyn { TypeKind::Dyn(of) } else { TypeKind::ImplTrait(of) }
                }
                "volatile" | "atomic" if self.type_follows(1) && !self.nth(1).newline => {
                    self.bump();
                    self.ty();
                    TypeKind::Unsupported("type qualifiers")
                }
                _ => {
                    let (path, args) = self.type_path();
                    TypeKind::Path(path, args)
                }
            },
            TokenKind::Amp => {
                self.bump();
                let mutable = self.eat_word("mut");
                TypeKind::Ref(mutable, self.ty())
            }
            TokenKind::AmpAmp => {
                self.bump();
                let mutable = self.eat_word("mut");
                let inner = self.ty();
                let inner = self.add_type(start + 1, TypeKind::Ref(mutable, inner));
                TypeKind::Ref(false, inner)
            }
            TokenKind::Star => {
                self.bump();
                let mutable = !self.eat(TokenKind::Const) && self.at_word("mut") && self.type_follows(1);
                if mutable {
                    self.bump();
                }
                TypeKind::Pointer(mutable, self.ty())
            }
            TokenKind::Ellipsis => {
                self.bump();
                if self.type_follows(0) {
                    self.ty();
                }
                TypeKind::Unsupported("variadic parameters")
            }
            TokenKind::Question => {
                self.bump();
                TypeKind::Option(self.ty())
            }
            TokenKind::LBracket => {
                let mut element = None;
                let mut length = None;
                self.list(TokenKind::RBracket, "list types", |p| {
                    element = Some(p.ty());
                    if p.eat(TokenKind::Semi) {
                        length = Some(p.expr());
                    }
                });
                match (element, length) {
                    (Some(element), None) => TypeKind::List(element),
                    (Some(element), Some(length)) => TypeKind::Array(element, length),
                    (None, _) => {
                        let diagnostic = self
                            .error(
                                codes::EXPECTED_TYPE,
                                self.span_from(start),
                                "a list type names its element type",
                                "expected `[T]`",
                            )
                            .help("write for example `[int]`");
                        self.report(diagnostic);
                        TypeKind::Error
                    }
                }
            }
            TokenKind::LParen => {
                let mut elements = Vec::new();
                self.list(TokenKind::RParen, "tuple types", |p| elements.push(p.ty()));
                match elements.as_slice() {
                    &[one] => return one,
                    _ => TypeKind::Tuple(elements),
                }
            }
            // At the start of a line it begins the next declaration.
            TokenKind::Proc if !self.in_first_column(self.tok()) => {
                self.bump();
                let mut params = Vec::new();
                if self.at(TokenKind::LParen) && !self.on_new_line() {
                    self.list(TokenKind::RParen, "parameter types", |p| {
                        if p.at(TokenKind::Ident) && p.nth(1).kind == TokenKind::Colon {
                            p.bump();
                            p.bump();
                        }
                        params.push(p.ty());
                    });
                }
                let ret = self.eat(TokenKind::Arrow).then(|| self.ty());
                TypeKind::Proc(params, ret)
            }
            TokenKind::Minus if self.nth(1).kind == TokenKind::Int => {
                self.bump();
                self.constant_argument(true)
            }
            TokenKind::Int => self.constant_argument(false),
            TokenKind::True | TokenKind::False => {
                TypeKind::Value(i128::from(self.bump().kind == TokenKind::True))
            }
            _ => {
                let mut diagnostic = self.expected(codes::EXPECTED_TYPE, "a type");
                if self.at(TokenKind::Const) {
                    diagnostic = diagnostic.help("references are written `ref T` and `ref mut T`");
                }
                self.report(diagnostic);
                let at = self.expected_span().start;
                self.tree.types.push(Type { span: Span::new(at, at), kind: TypeKind::Error });
                return TypeId(self.tree.types.len() as u32 - 1);
            }
        };
        self.add_type(start, kind)
    }

    /// An integer among type arguments; its sign has been taken.
    fn constant_argument(&mut self, negative: bool) -> TypeKind {
        let start = self.tok().start;
        let token = self.bump();
        let value = crate::syntax::literal::int_value(self.text_of(token));
        let Some(value) = value.and_then(|value| i64::try_from(value).ok()) else {
            let diagnostic = self
                .error(
                    codes::EXPECTED_TYPE,
                    self.span_from(start),
                    "a constant among type arguments has at most 63 bits",
                    "too large",
                )
                .note("constants that are part of a type are lengths, sizes and the like")
                .help("pass larger numbers as arguments");
            self.report(diagnostic);
            return TypeKind::Error;
        };
        TypeKind::Value(i128::from(if negative { -value } else { value }))
    }

    /// `a.b::C<T>` or `list[T]`.
    fn type_path(&mut self) -> (Vec<Ident>, Vec<TypeId>) {
        let mut path = vec![self.ident("a type name")];
        let mut args = Vec::new();
        loop {
            match self.kind() {
                TokenKind::Dot | TokenKind::ColonColon
                    if self.nth(1).kind == TokenKind::Ident && !self.on_new_line() =>
                {
                    self.bump();
                    path.push(self.ident("a type name"));
                }
                TokenKind::Lt if args.is_empty() && !self.on_new_line() => args = self.type_args(),
                TokenKind::LBracket if args.is_empty() && self.nth(1).kind == TokenKind::RBracket => {
                    args = self.array_suffix(&mut path);
                    return (path, args);
                }
                TokenKind::LBracket if args.is_empty() && !self.on_new_line() => {
                    self.list(TokenKind::RBracket, "type arguments", |p| {
                        let arg = p.ty();
                        args.push(arg);
                    });
                    return (path, args);
                }
                _ => return (path, args),
            }
        }
    }

    /// `<A, B>`; the `<` is the current token.
    pub(super) fn type_args(&mut self) -> Vec<TypeId> {
        let open = self.bump();
        let mut args = Vec::new();
        loop {
            if self.eat_closing_angle() {
                return args;
            }
            let errors = self.errors;
            let start = self.tok().start;
            if self.at(TokenKind::Ident) && self.nth(1).kind == TokenKind::Eq {
                let name = self.ident("an associated type");
                self.bump();
                let ty = self.ty();
                args.push(self.add_type(start, TypeKind::Named(name, ty)));
            } else {
                args.push(self.ty());
            }
            if self.eat(TokenKind::Comma) {
                continue;
            }
            if self.eat_closing_angle() {
                return args;
            }
            if self.errors == errors {
                let end = self.prev_end();
                let diagnostic = self
                    .expected(codes::EXPECTED_TOKEN, "`,` or `>`")
                    .label(self.place(open.span()), "the type arguments start here")
                    .note("type arguments are written `<A, B>`")
                    .suggest(
                        self.place(Span::new(end, end)),
                        ">",
                        "close the type arguments",
                        Applicability::MaybeIncorrect,
                    );
                self.report(diagnostic);
            }
            return args;
        }
    }

    /// Whether the token `ahead` can start a type.
    fn type_follows(&self, ahead: usize) -> bool {
        matches!(
            self.nth(ahead).kind,
            TokenKind::Ident
                | TokenKind::Amp
                | TokenKind::AmpAmp
                | TokenKind::Star
                | TokenKind::Question
                | TokenKind::LBracket
                | TokenKind::LParen
                | TokenKind::Proc
        )
    }

    /// `<T: Show + Other = int, const N: int>` or `[T]` after the name of a declaration, if there.
    pub(super) fn generics(&mut self) -> Vec<Generic> {
        let mut generics = Vec::new();
        match self.kind() {
            TokenKind::LBracket => {
                self.list(TokenKind::RBracket, "type parameters", |p| generics.push(p.generic()));
            }
            TokenKind::Lt => {
                let open = self.bump();
                while !self.eat_closing_angle() {
                    let errors = self.errors;
                    generics.push(self.generic());
                    if self.eat(TokenKind::Comma) || self.at(TokenKind::Gt) {
                        continue;
                    }
                    if self.eat_closing_angle() {
                        break;
                    }
                    if self.errors == errors {
                        let diagnostic = self
                            .expected(codes::EXPECTED_TOKEN, "`,` or `>`")
                            .label(self.place(open.span()), "the type parameters start here")
                            .note("type parameters are written `<T, U>`")
                            .help("close the list with `>`");
                        self.report(diagnostic);
                    }
                    break;
                }
            }
            _ => {}
        }
        generics
    }

    fn generic(&mut self) -> Generic {
        let constant = self.eat(TokenKind::Const);
        let name = self.ident("a type parameter");
        let mut bounds = Vec::new();
        if constant {
            self.expect(TokenKind::Colon, "the name of a constant parameter");
            bounds.push(self.ty());
        } else if self.eat(TokenKind::Colon) {
            bounds = self.bounds();
        }
        let default = self.eat(TokenKind::Eq).then(|| self.ty());
        Generic { name, bounds, default, constant }
    }

    /// Whether the `<` at the current token opens type arguments of an expression (§5): only type
    /// syntax up to the matching `>`, then `(`, `{`, `.` or `::`. Looks at most 256 tokens ahead.
    pub(super) fn type_args_follow(&self) -> bool {
        if self.tok().newline {
            return false;
        }
        // What is open, innermost last: true for an angle bracket, false for `(` and `[`.
        let mut open = Vec::new();
        let mut after_name = false;
        for ahead in 0..256 {
            let token = self.nth(ahead);
            let name_before = std::mem::replace(&mut after_name, false);
            match token.kind {
                TokenKind::Lt => open.push(true),
                TokenKind::Gt | TokenKind::Shr => {
                    let closes = if token.kind == TokenKind::Gt { 1 } else { 2 };
                    for _ in 0..closes {
                        if open.pop() != Some(true) {
                            return false;
                        }
                    }
                    if open.is_empty() {
                        let next = self.nth(ahead + 1);
                        let line = !next.newline || self.in_brackets;
                        return match next.kind {
                            TokenKind::LParen => line,
                            TokenKind::LBrace => line && !self.no_record,
                            TokenKind::Dot | TokenKind::ColonColon => true,
                            _ => false,
                        };
                    }
                }
                TokenKind::LParen | TokenKind::LBracket => open.push(false),
                TokenKind::RParen | TokenKind::RBracket => {
                    if open.pop() != Some(false) {
                        return false;
                    }
                }
                TokenKind::Ident => {
                    if name_before {
                        return false;
                    }
                    after_name = !matches!(self.text_of(token), "ref" | "mut" | "dyn" | "impl");
                }
                TokenKind::Comma
                | TokenKind::Dot
                | TokenKind::ColonColon
                | TokenKind::Amp
                | TokenKind::Star
                | TokenKind::Question
                | TokenKind::Arrow
                | TokenKind::Proc => {}
                TokenKind::Semi if open.contains(&false) => {}
                TokenKind::Int | TokenKind::True | TokenKind::False => {
                    if name_before {
                        return false;
                    }
                    after_name = true;
                }
                TokenKind::Minus if self.nth(ahead + 1).kind == TokenKind::Int && !name_before => {}
                _ => return false,
            }
        }
        false
    }
}
