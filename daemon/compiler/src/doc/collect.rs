//! What there is to say of a module: its exported declarations with their texts and signatures.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::{Db, FileContents, LineIndex, Name, SourceFile, Span};
use crate::lower::{ItemId, ItemKind};
use crate::syntax::{ast, parse};
use crate::types::scope::{Binding, exports, imports, module_scope, own_items};

/// What a declaration is, in the order of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Trait,
    Form,
    Pick,
    Type,
    Const,
    Proc,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Trait => "trait",
            Self::Form => "form",
            Self::Pick => "pick",
            Self::Type => "type",
            Self::Const => "const",
            Self::Proc => "proc",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Trait => "Traits",
            Self::Form => "Forms",
            Self::Pick => "Picks",
            Self::Type => "Types",
            Self::Const => "Constants",
            Self::Proc => "Procedures",
        }
    }
}

/// An exported declaration.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Without bodies, as written.
    pub(super) signature: String,
    /// Markdown; empty if nothing is said.
    pub(super) text: String,
    /// Where it begins, from 1.
    pub(super) line: u32,
    /// Heads of the impls of this module for it, as written.
    pub(super) impls: Vec<(String, u32)>,
}

/// A module.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) file: SourceFile,
    pub(super) text: Arc<str>,
    /// What it says of itself.
    pub(super) about: String,
    /// In order of kind and name.
    pub(super) items: Vec<Item>,
    /// Documented modules whose names it passes on.
    pub(super) passes_on: Vec<String>,
    /// Address of each name that it sees, from the root of the pages.
    pub(super) links: BTreeMap<String, String>,
}

/// The anchor of a declaration on its module's page.
pub(super) fn anchor(kind: &str, name: &str) -> String {
    format!("{kind}.{name}")
}

pub(super) fn module(
    db: &dyn Db,
    name: &str,
    file: SourceFile,
    documented: &HashMap<SourceFile, String>,
) -> Module {
    let FileContents::Text(text) = file.contents(db) else {
        return Module {
            name: name.to_owned(),
            file,
            text: "".into(),
            about: String::new(),
            items: Vec::new(),
            passes_on: Vec::new(),
            links: BTreeMap::new(),
        };
    };
    let parsed = parse(db, file);
    let lines = LineIndex::new(&text);
    let exported = exports(db, file);
    let is_exported = |name: &Name| {
        exported.values().any(|binding| matches!(binding, Binding::Item(item) if item.file(db) == file && item.name(db) == name))
    };
    let mut items = Vec::new();
    let mut impls: Vec<(String, String, u32)> = Vec::new();
    for item in &parsed.tree.items {
        let line = lines.line_column(&text, item.span.start).0;
        if let ast::ItemKind::Impl(block) = &item.kind {
            let of = slice(&text, parsed.tree.ty(block.ty).span);
            let of = of.split(['<', '[']).next().unwrap_or(of).trim().to_owned();
            impls.push((of, members(&text, slice(&text, block.head), &block.members), line));
            continue;
        }
        let Some((kind, name, signature)) = declaration(&text, item) else { continue };
        if is_exported(name) {
            items.push(Item {
                kind,
                name: name.to_string(),
                signature,
                text: said_of(&text, item),
                line,
                impls: Vec::new(),
            });
        }
    }
    for (of, head, line) in impls {
        if let Some(item) = items.iter_mut().find(|item| item.name == of && item.kind != Kind::Proc) {
            item.impls.push((head, line));
        }
    }
    items.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    let mut passes_on = Vec::new();
    if own_items(db, file).export_all {
        let modules = imports(db, file).bindings.iter().map(|import| import.module);
        passes_on.extend(modules.filter_map(|module| documented.get(&module).cloned()));
    }
    passes_on.sort();
    passes_on.dedup();
    Module {
        name: name.to_owned(),
        file,
        about: about(&text, &parsed.tree),
        items,
        passes_on,
        links: links(db, file, documented),
        text,
    }
}

/// Where each name leads that a module sees and that has a place on a page.
fn links(
    db: &dyn Db,
    file: SourceFile,
    documented: &HashMap<SourceFile, String>,
) -> BTreeMap<String, String> {
    let address = |item: ItemId| {
        let module = documented.get(&item.file(db))?;
        let name = item.name(db);
        let is_public = exports(db, item.file(db)).values().any(|binding| *binding == Binding::Item(item));
        let kind = match item.kind(db) {
            ItemKind::Proc => "proc",
            ItemKind::Form => "form",
            ItemKind::Pick => "pick",
            ItemKind::Const => "const",
            ItemKind::Alias => "type",
            ItemKind::Trait => "trait",
            ItemKind::Impl
            | ItemKind::Use
            | ItemKind::Export
            | ItemKind::StaticAssert
            | ItemKind::Unsupported => return None,
        };
        is_public.then(|| format!("{module}.html#{}", anchor(kind, name)))
    };
    let scope = module_scope(db, file);
    let passed_on = exports(db, file);
    let all = passed_on.iter().chain(scope.items());
    let mut links: BTreeMap<String, String> = all
        .filter_map(|(name, binding)| match binding {
            Binding::Item(item) => Some((name.to_string(), address(*item)?)),
            Binding::Module(_) | Binding::Ambiguous(_) | Binding::Error => None,
        })
        .collect();
    for (name, binding) in scope.qualifiers() {
        if let Binding::Module(module) = binding
            && let Some(page) = documented.get(module)
        {
            links.entry(name.to_string()).or_insert_with(|| format!("{page}.html"));
        }
    }
    links
}

fn slice(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or_default()
}

/// Kind, name and signature of a declaration that a page shows.
fn declaration<'t>(text: &str, item: &'t ast::Item) -> Option<(Kind, &'t Name, String)> {
    let from = item.attrs.last().map_or(item.span.start, |attr| attr.span.end);
    let whole = Span::new(from, item.span.end);
    let until = |end: u32| dedented(slice(text, Span::new(from, end)).trim());
    Some(match &item.kind {
        ast::ItemKind::Proc(proc) => {
            let end = proc.body.as_ref().map_or(item.span.end, |body| body.span.start);
            (Kind::Proc, &proc.name.name, until(end).trim_end_matches(';').trim_end().to_owned())
        }
        ast::ItemKind::Form(form) => {
            let end = form.members.first().map_or(item.span.end, |member| member.span.start);
            let mut signature = until(end);
            if !form.members.is_empty() {
                for member in &form.members {
                    signature.push_str("\n    ");
                    signature.push_str(&member_head(text, member));
                }
                signature.push_str("\n}");
            }
            (Kind::Form, &form.name.name, signature)
        }
        ast::ItemKind::Pick(pick) => (Kind::Pick, &pick.name.name, dedented(slice(text, whole).trim())),
        ast::ItemKind::Const(constant) => {
            (Kind::Const, &constant.name.name, shortened(slice(text, whole).trim().trim_end_matches(';')))
        }
        ast::ItemKind::Alias(alias) => {
            (Kind::Type, &alias.name.name, slice(text, whole).trim().trim_end_matches(';').to_owned())
        }
        ast::ItemKind::Trait(block) => {
            let head = slice(text, whole);
            let head = head[..head.find('{').unwrap_or(head.len())].trim();
            (Kind::Trait, &block.name.name, members(text, head, &block.members))
        }
        _ => return None,
    })
}

/// A head with the heads of its members in braces.
fn members(text: &str, head: &str, members: &[ast::Member]) -> String {
    let mut out = format!("{} {{", head.trim());
    for member in members {
        out.push_str("\n    ");
        out.push_str(&member_head(text, member));
    }
    out.push_str(if members.is_empty() { " }" } else { "\n}" });
    out
}

fn member_head(text: &str, member: &ast::Member) -> String {
    let end = match &member.kind {
        ast::MemberKind::Proc(proc) => proc.body.as_ref().map(|body| body.span.start),
        ast::MemberKind::Const { .. } | ast::MemberKind::Type { .. } => None,
    };
    let span = Span::new(member.span.start, end.unwrap_or(member.span.end));
    slice(text, span).trim().trim_end_matches(';').trim_end().to_owned()
}

/// A constant's value may be a table of a thousand lines.
fn shortened(text: &str) -> String {
    const CHARACTERS: usize = 200;
    match text.char_indices().nth(CHARACTERS) {
        Some((cut, _)) => format!("{} …", &text[..cut]),
        None => text.to_owned(),
    }
}

/// Lines behind the first without the blanks that all of them begin with.
fn dedented(text: &str) -> String {
    let blanks = |line: &str| line.len() - line.trim_start().len();
    let rest = text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let common = rest.map(blanks).min().unwrap_or(0);
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push('\n');
        out.push_str(line.get(common..).unwrap_or_default().trim_end());
    }
    out
}

/// What `///`, or else the `//` lines directly above it, say of a declaration.
fn said_of(text: &str, item: &ast::Item) -> String {
    if !item.docs.is_empty() {
        let lines = item.docs.iter().map(|span| {
            let line = slice(text, *span).trim_end();
            let line = line.strip_prefix("///").unwrap_or(line);
            line.strip_prefix(' ').unwrap_or(line)
        });
        return lines.collect::<Vec<_>>().join("\n");
    }
    let before = text.get(..item.span.start as usize).unwrap_or_default();
    let Some(above) = before.trim_end_matches([' ', '\t']).strip_suffix('\n') else { return String::new() };
    let mut lines: Vec<&str> = above.lines().rev().map_while(comment).collect();
    lines.reverse();
    lines.join("\n")
}

/// The text of a line that is a `//` comment.
fn comment(line: &str) -> Option<&str> {
    let said = line.trim().strip_prefix("//")?;
    (!said.starts_with('/')).then(|| said.strip_prefix(' ').unwrap_or(said))
}

/// What a module says of itself: the comment before its first declaration, with an empty line behind it.
fn about(text: &str, tree: &ast::File) -> String {
    let start = tree.space.as_ref().map_or(0, |space| space.span.end as usize);
    let rest = text.get(start..).unwrap_or_default();
    let mut said = Vec::new();
    let mut lines = rest.trim_start_matches(['\u{feff}', ';']).lines().peekable();
    while lines.next_if(|line| line.trim().is_empty()).is_some() {}
    while let Some(line) = lines.peek().copied() {
        let line = line.trim();
        let Some(inside) = line.strip_prefix("//!").or_else(|| comment(line).map(|_| &line[2..])) else {
            break;
        };
        said.push(inside.strip_prefix(' ').unwrap_or(inside));
        lines.next();
    }
    match lines.peek() {
        // It is said of the declaration that follows.
        Some(line) if !line.trim().is_empty() => String::new(),
        Some(_) | None => said.join("\n"),
    }
}
