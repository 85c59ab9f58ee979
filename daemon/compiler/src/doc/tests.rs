//! What pages say, and where their links lead.
#![allow(clippy::unwrap_used)]
use super::examples::{examples, tests_of};
use super::{Page, pages};
use crate::base::testing::TestDb;
use crate::base::{Db, SourcePath};

const MODULES: &str = "//- shapes/rect.vit\nspace shapes/rect\n\n// Rectangles & more.\n\nuse shapes/unit.{Unit}\n\n\
    /// A rectangle. See [`area`] and `Unit`.\n///\n/// ```vitte\n/// assert(area(Rect { width: 2, height: 3 }) == 6)\n/// ```\n\
    export form Rect {\n    width: int\n    height: int\n}\n\n/// The area of a `Rect`, in <b>units</b>.\n\
    export proc area(of: Rect) -> int {\n    give of.width * of.height\n}\n\nproc hidden() { }\n\
    export proc bare(unit: Unit) { }\n//- shapes/unit.vit\nexport *\npick Unit { One, Two }\n";

fn made() -> super::Pages {
    let db = TestDb::new(MODULES);
    let modules = ["shapes/rect", "shapes/unit"]
        .map(|name| (name.to_owned(), db.file(&SourcePath::workspace(&format!("{name}.vit")))));
    pages(&db, "shapes", "A *small* package.", &modules)
}

fn page<'p>(pages: &'p [Page], path: &str) -> &'p str {
    &pages.iter().find(|page| page.path == path).unwrap().text
}

#[test]
fn exported_declarations_have_a_place_with_text_and_links() {
    let made = made();
    assert_eq!((made.modules, made.items, made.undocumented), (2, 4, 2));
    let text = page(&made.pages, "shapes/rect.html");
    assert!(
        text.contains("<article id=\"form.Rect\">") && text.contains("<p>Rectangles &amp; more.</p>"),
        "{text}"
    );
    assert!(text.contains("<a href=\"#proc.area\"><code>area</code></a>"), "{text}");
    assert!(text.contains("<a href=\"../shapes/unit.html#pick.Unit\">Unit</a>"), "{text}");
    assert!(text.contains("in &lt;b&gt;units&lt;/b&gt;.") && !text.contains("proc.hidden"), "{text}");
    assert!(text.contains("href=\"../source/shapes/rect.html#L12\""), "{text}");
    let source = page(&made.pages, "source/shapes/rect.html");
    assert!(source.contains("id=\"L12\"") && source.contains("hidden"), "{source}");
    assert!(page(&made.pages, "index.html").contains("A <em>small</em> package."));
    assert!(
        page(&made.pages, "search-index.js")
            .contains("[\"area\",\"proc\",\"shapes/rect\",\"shapes/rect.html#proc.area\"")
    );
}

#[test]
fn links_lead_to_what_there_is() {
    let made = made();
    for page in made.pages.iter().filter(|page| page.path.ends_with(".html")) {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for address in page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let (path, anchor) = address.split_once('#').unwrap_or((address, ""));
            let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            for part in path.split('/') {
                if part == ".." {
                    parts.pop();
                } else {
                    parts.push(part);
                }
            }
            let target = if path.is_empty() { page.path.clone() } else { parts.join("/") };
            let found = made.pages.iter().find(|other| other.path == target);
            assert!(found.is_some(), "{}: {address} leads to {target}", page.path);
            let id = format!("id=\"{anchor}\"");
            assert!(anchor.is_empty() || found.unwrap().text.contains(&id), "{}: {address}", page.path);
        }
    }
}

#[test]
fn equal_modules_give_equal_pages() {
    assert_eq!(made(), made());
}

#[test]
fn examples_are_fenced_blocks_marked_as_ours() {
    let text = "/// ```vitte\n/// use a/b.{c}\n/// c()\n/// ```\nproc f() { }\n/// ```text\n/// no\n/// ```\n\
                /// ```vitte,ignore\n/// no\n/// ```\nproc g() { }\n";
    let found = examples(text);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].body.as_str()), (1, "c()\n"));
    let program = tests_of("m", &[&found[0]]);
    assert_eq!(program, "use a/b.{c}\nuse m.*\n\n// m, line 1\nproc test_line_1() {\nc()\n}\n");
}
