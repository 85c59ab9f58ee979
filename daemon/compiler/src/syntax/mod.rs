//! Text to syntax tree: lexer, hand-written recursive-descent parser with recovery, and dumps.
//!
//! Nothing here ever fails: any bytes give a tree and a list of diagnostics, in linear time.
pub mod ast;
pub mod codes;
pub mod dump; // stable text of tokens and trees
pub mod lexer;
pub mod literal; // values of literal tokens
pub mod parser;
pub mod token;

#[cfg(test)]
pub(crate) mod testing; // a database of files in memory, rendering of diagnostics
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic, FileContents, Phase, Place, SourceFile, Span};

/// The tree of one file and what the lexer and the parser had to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedFile {
    /// The tree; empty for a file that has no text.
    pub tree: ast::File,
    /// Lexical and syntax diagnostics, in the order they were found.
    pub diagnostics: Diagnostics,
}

/// Lexes and parses one file. A file without text gives an empty tree.
///
/// A missing or unreadable file is reported by whoever imports it, a file that is not UTF-8 here.
#[salsa::tracked(returns(ref))]
pub fn parse(db: &dyn Db, file: SourceFile) -> Arc<ParsedFile> {
    let parsed = match file.contents(db) {
        FileContents::Text(text) => parser::parse_text(file, &text),
        FileContents::NotUtf8(offset) => ParsedFile {
            tree: ast::File::default(),
            diagnostics: Arc::from([Diagnostic::error(
                codes::INVALID_UTF8,
                Phase::Lexer,
                Place::File(file, Span::new(offset, offset)),
                format!("`{}` is not valid UTF-8: bad byte at offset {offset}", file.path(db)),
                "not UTF-8",
            )
            .note("source files are UTF-8, with or without a byte-order mark")
            .help("save the file as UTF-8")]),
        },
        FileContents::Missing | FileContents::Folder | FileContents::Unreadable(_) => {
            ParsedFile { tree: ast::File::default(), diagnostics: Arc::from([]) }
        }
    };
    Arc::new(parsed)
}
