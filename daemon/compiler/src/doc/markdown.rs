//! The Markdown of comments: paragraphs, headings, lists, fenced blocks, `code`, *emphasis*, **strong**, links.
//!
//! A subset of CommonMark (0.31) that reads the same there. Whatever else stands in a comment is shown as it is; HTML in it
//! is text.
use super::highlight::escaped;

/// What the caller knows: addresses of names in `code`, and colours of fenced blocks.
pub(super) struct Context<'a> {
    pub(super) link: &'a dyn Fn(&str) -> Option<String>,
    pub(super) code: &'a dyn Fn(&str) -> String,
}

/// A comment as HTML.
pub(super) fn html(text: &str, context: &Context<'_>) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut paragraph: Vec<&str> = Vec::new();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(info) = trimmed.strip_prefix("```") {
            close(&mut out, &mut paragraph, context);
            let mut code = String::new();
            for inside in lines.by_ref() {
                if inside.trim_start().starts_with("```") {
                    break;
                }
                code.push_str(inside);
                code.push('\n');
            }
            let shown = if info.trim().starts_with("vitte") || info.trim().is_empty() {
                (context.code)(&code)
            } else {
                escaped(&code)
            };
            out.push_str(&format!("<pre><code>{}</code></pre>\n", shown.trim_end()));
        } else if trimmed.is_empty() {
            close(&mut out, &mut paragraph, context);
        } else if let Some((level, title)) = heading(trimmed) {
            close(&mut out, &mut paragraph, context);
            let level = level + 2;
            out.push_str(&format!("<h{level}>{}</h{level}>\n", inline(title, context)));
        } else if let Some(first) = bullet(trimmed) {
            close(&mut out, &mut paragraph, context);
            let mut items = vec![first.to_owned()];
            while let Some(next) = lines.peek() {
                let next_trimmed = next.trim();
                if let Some(item) = bullet(next_trimmed) {
                    items.push(item.to_owned());
                } else if next.starts_with("  ") && !next_trimmed.is_empty() {
                    if let Some(last) = items.last_mut() {
                        last.push(' ');
                        last.push_str(next_trimmed);
                    }
                } else {
                    break;
                }
                lines.next();
            }
            out.push_str("<ul>\n");
            for item in items {
                out.push_str(&format!("<li>{}</li>\n", inline(&item, context)));
            }
            out.push_str("</ul>\n");
        } else {
            paragraph.push(trimmed);
        }
    }
    close(&mut out, &mut paragraph, context);
    out
}

/// The first sentence, without code blocks: for lists.
pub(super) fn summary(text: &str) -> String {
    let first: Vec<&str> =
        text.lines().map(str::trim).take_while(|line| !line.is_empty() && !line.starts_with("```")).collect();
    let joined = first.join(" ");
    let end = joined.match_indices(['.', '?', '!']).find_map(|(at, mark)| {
        let behind = &joined[at + mark.len()..];
        (behind.is_empty() || behind.starts_with(' ')).then_some(at + mark.len())
    });
    joined[..end.unwrap_or(joined.len())].to_owned()
}

fn close(out: &mut String, paragraph: &mut Vec<&str>, context: &Context<'_>) {
    if !paragraph.is_empty() {
        out.push_str(&format!("<p>{}</p>\n", inline(&paragraph.join("\n"), context)));
        paragraph.clear();
    }
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.len() - line.trim_start_matches('#').len();
    let title = line[level..].strip_prefix(' ')?;
    (1..=4).contains(&level).then_some((level, title))
}

fn bullet(line: &str) -> Option<&str> {
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))
}

/// A line's marks. What has no end is text.
pub(super) fn inline(text: &str, context: &Context<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        out.push_str(&escaped(&rest[..at]));
        rest = &rest[at..];
        let (shown, length) = marked(rest, context).unwrap_or_else(|| (escaped(&rest[..1]), 1));
        out.push_str(&shown);
        rest = &rest[length..];
    }
    out.push_str(&escaped(rest));
    out
}

/// What begins with a mark, and how much of the text it takes.
fn marked(text: &str, context: &Context<'_>) -> Option<(String, usize)> {
    if let Some(rest) = text.strip_prefix("``") {
        let end = rest.find("``")?;
        let code = rest[..end].trim();
        return Some((format!("<code>{}</code>", escaped(code)), end + 4));
    }
    if let Some(rest) = text.strip_prefix('`') {
        let end = rest.find('`')?;
        let code = &rest[..end];
        let shown = escaped(code);
        let name = code.trim_end_matches("()");
        let html = match (context.link)(name) {
            Some(address) => format!("<a href=\"{}\"><code>{shown}</code></a>", escaped(&address)),
            None => format!("<code>{shown}</code>"),
        };
        return Some((html, end + 2));
    }
    if let Some(rest) = text.strip_prefix("**") {
        let end = rest.find("**").filter(|&end| end > 0)?;
        return Some((format!("<strong>{}</strong>", inline(&rest[..end], context)), end + 4));
    }
    if let Some(rest) = text.strip_prefix('*') {
        let end = rest.find('*').filter(|&end| end > 0 && !rest.starts_with(' '))?;
        return Some((format!("<em>{}</em>", inline(&rest[..end], context)), end + 2));
    }
    let rest = text.strip_prefix('[')?;
    let end = rest.find(']')?;
    let label = &rest[..end];
    if let Some(behind) = rest[end + 1..].strip_prefix('(') {
        let close = behind.find(')')?;
        let address = &behind[..close];
        // No scripts: what is no address of a page is text.
        let is_safe =
            ["https://", "http://", "#", "./", "../"].iter().any(|start| address.starts_with(start))
                || !address.contains(':');
        let shown = inline(label, context);
        let html = if is_safe { format!("<a href=\"{}\">{shown}</a>", escaped(address)) } else { shown };
        return Some((html, 1 + end + 2 + close + 1));
    }
    let name = label.trim_matches('`');
    let address = (context.link)(name)?;
    Some((format!("<a href=\"{}\"><code>{}</code></a>", escaped(&address), escaped(name)), end + 2))
}
