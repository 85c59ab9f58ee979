//! The pages: one for each module and its source, the index, the search.
use std::collections::BTreeMap;
use std::fmt::Write;

use super::Page;
use super::collect::{Item, Kind, Module, anchor};
use super::highlight::{code, escaped};
use super::markdown::{self, Context};

const STYLE: &str = include_str!("style.css");
const SEARCH: &str = include_str!("search.js");

pub(super) fn all(title: &str, about: &str, modules: &[Module]) -> Vec<Page> {
    let mut pages = vec![
        Page { path: "style.css".into(), text: STYLE.into() },
        Page { path: "search.js".into(), text: SEARCH.into() },
        Page { path: "search-index.js".into(), text: search_index(modules) },
        Page { path: "index.html".into(), text: index(title, about, modules) },
    ];
    for module in modules {
        pages.push(Page { path: format!("{}.html", module.name), text: module_page(title, modules, module) });
        pages.push(Page { path: source_path(module), text: source_page(title, modules, module) });
    }
    pages
}

fn source_path(module: &Module) -> String {
    format!("source/{}.html", module.name)
}

/// What all pages have around what they say. `path` is the page's own, from which links go up to the root.
fn frame(title: &str, heading: &str, path: &str, modules: &[Module], body: &str) -> String {
    let root = "../".repeat(path.matches('/').count());
    let mut list = String::new();
    for module in modules {
        let address = format!("{}.html", module.name);
        let here = if address == path { " class=\"here\"" } else { "" };
        let _ = writeln!(
            list,
            "<li><a{here} href=\"{root}{}\">{}</a></li>",
            escaped(&address),
            broken(&module.name)
        );
    }
    let whole = if heading == title { title.to_owned() } else { format!("{heading} · {title}") };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<link rel=\"stylesheet\" href=\"{root}style.css\">\n\
         <script>const ROOT = \"{root}\";</script>\n\
         <script defer src=\"{root}search-index.js\"></script>\n<script defer src=\"{root}search.js\"></script>\n\
         </head>\n<body>\n<nav>\n<h2><a href=\"{root}index.html\">{}</a></h2>\n\
         <input id=\"search\" type=\"search\" placeholder=\"Search ( / )\" aria-label=\"Search\" autocomplete=\"off\">\n\
         <ul class=\"modules\">\n{list}</ul>\n</nav>\n<main>\n<section id=\"results\" hidden></section>\n\
         <div id=\"page\">\n{body}</div>\n</main>\n</body>\n</html>\n",
        escaped(&whole),
        escaped(title),
    )
}

/// A name that may be broken behind its slashes.
fn broken(name: &str) -> String {
    escaped(name).replace('/', "/<wbr>")
}

fn index(title: &str, about: &str, modules: &[Module]) -> String {
    let context = Context { link: &|_| None, code: &escaped };
    let mut body = format!("<h1>{}</h1>\n", escaped(title));
    if !about.is_empty() {
        let _ = writeln!(body, "<p class=\"lead\">{}</p>", markdown::inline(about, &context));
    }
    body.push_str("<h2>Modules</h2>\n<dl class=\"list\">\n");
    for module in modules {
        let said = markdown::inline(&markdown::summary(&module.about), &context);
        let address = format!("{}.html", escaped(&module.name));
        let _ = writeln!(
            body,
            "<dt><a href=\"{address}\"><code>{}</code></a></dt><dd>{said}</dd>",
            broken(&module.name)
        );
    }
    body.push_str("</dl>\n");
    frame(title, title, "index.html", modules, &body)
}

fn module_page(title: &str, modules: &[Module], module: &Module) -> String {
    let root = "../".repeat(module.name.matches('/').count());
    let page = format!("{}.html", module.name);
    let link = |name: &str| {
        let address = module.links.get(name)?;
        Some(match address.strip_prefix(page.as_str()) {
            Some(anchor) if !anchor.is_empty() => anchor.to_owned(),
            _ => format!("{root}{address}"),
        })
    };
    let coloured = |text: &str| code(module.file, text, &link);
    let context = Context { link: &link, code: &coloured };
    let source = format!("{root}{}", escaped(&source_path(module)));
    let mut body = format!(
        "<h1><span class=\"kind\">module</span> {}<a class=\"source\" href=\"{source}\">source</a></h1>\n",
        broken(&module.name)
    );
    body.push_str(&markdown::html(&module.about, &context));
    if !module.passes_on.is_empty() {
        body.push_str("<p>Passes on ");
        for (index, name) in module.passes_on.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(
                body,
                "{comma}<a href=\"{root}{0}.html\"><code>{1}</code></a>",
                escaped(name),
                broken(name)
            );
        }
        body.push_str(".</p>\n");
    }
    let mut kinds: BTreeMap<Kind, Vec<&Item>> = BTreeMap::new();
    for item in &module.items {
        kinds.entry(item.kind).or_default().push(item);
    }
    for (kind, items) in &kinds {
        let _ = writeln!(body, "<h2>{}</h2>\n<dl class=\"list\">", kind.title());
        for item in items {
            let said = markdown::inline(&markdown::summary(&item.text), &context);
            let _ = writeln!(
                body,
                "<dt><a href=\"#{}\"><code>{}</code></a></dt><dd>{said}</dd>",
                escaped(&anchor(kind.word(), &item.name)),
                escaped(&item.name)
            );
        }
        body.push_str("</dl>\n");
    }
    for items in kinds.values() {
        for item in items {
            declaration(&mut body, item, &source, &coloured, &context);
        }
    }
    frame(title, &module.name, &page, modules, &body)
}

fn declaration(
    body: &mut String,
    item: &Item,
    source: &str,
    coloured: &dyn Fn(&str) -> String,
    context: &Context<'_>,
) {
    let id = escaped(&anchor(item.kind.word(), &item.name));
    let _ = writeln!(
        body,
        "<article id=\"{id}\">\n<h3><a class=\"anchor\" href=\"#{id}\"><span class=\"kind\">{}</span> {}</a>\
         <a class=\"source\" href=\"{source}#L{}\">source</a></h3>\n<pre class=\"signature\"><code>{}</code></pre>",
        item.kind.word(),
        escaped(&item.name),
        item.line,
        coloured(&item.signature)
    );
    body.push_str(&markdown::html(&item.text, context));
    for (head, line) in &item.impls {
        let _ = writeln!(
            body,
            "<details><summary><code>{}</code> <a class=\"source\" href=\"{source}#L{line}\">source</a></summary>\n\
             <pre><code>{}</code></pre></details>",
            escaped(head.split(" {").next().unwrap_or(head)),
            coloured(head)
        );
    }
    body.push_str("</article>\n");
}

fn source_page(title: &str, modules: &[Module], module: &Module) -> String {
    let path = source_path(module);
    let root = "../".repeat(path.matches('/').count());
    let link = |name: &str| module.links.get(name).map(|address| format!("{root}{address}"));
    let mut body = format!(
        "<h1><span class=\"kind\">source</span> <a href=\"{root}{}.html\">{}</a></h1>\n<pre class=\"listing\"><code>",
        escaped(&module.name),
        broken(&module.name)
    );
    let shown = code(module.file, &module.text, &link);
    for (number, line) in (1..).zip(shown.trim_end_matches('\n').split('\n')) {
        let _ = writeln!(
            body,
            "<span class=\"line\" id=\"L{number}\"><a class=\"number\" href=\"#L{number}\">{number}</a>{}</span>",
            line.trim_end_matches('\r')
        );
    }
    body.push_str("</code></pre>\n");
    frame(title, &module.name, &path, modules, &body)
}

/// Name, kind, address and summary of everything, as a script: pages from a disk may not fetch data.
fn search_index(modules: &[Module]) -> String {
    let mut out = String::from("const INDEX = [\n");
    for module in modules {
        let address = format!("{}.html", module.name);
        entry(&mut out, &module.name, "module", "", &address, &markdown::summary(&module.about));
        for item in &module.items {
            let kind = item.kind.word();
            let address = format!("{address}#{}", anchor(kind, &item.name));
            entry(&mut out, &item.name, kind, &module.name, &address, &markdown::summary(&item.text));
        }
    }
    out.push_str("];\n");
    out
}

fn entry(out: &mut String, name: &str, kind: &str, module: &str, address: &str, summary: &str) {
    let fields = [name, kind, module, address, summary].map(literal);
    let _ = writeln!(out, "[{}],", fields.join(","));
}

/// A string of JavaScript that may stand in a page too.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() || matches!(c, '<' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}
