//! Counts words, and renders Markdown: `documentation` and `diagnostics` of `vitte:plugin@1.0.0`, with the canonical ABI written
//! out. Generators of bindings do the same from `plugin.wit`.

/// A text or list as it lies in memory.
#[repr(C)]
struct Slice {
    start: *const u8,
    length: usize,
}

impl Slice {
    /// Gives the text away: whoever read it does not say so, and it stays until the instance ends.
    fn of(text: String) -> Self {
        let text: &'static str = text.leak();
        Self { start: text.as_ptr(), length: text.len() }
    }
}

/// `result<string, string>`.
#[repr(C)]
pub struct TextResult {
    tag: u8,
    text: Slice,
}

/// `diagnostic`: an enum, two texts, two numbers, `option<string>`.
#[repr(C)]
struct Diagnostic {
    severity: u8,
    code: Slice,
    message: Slice,
    start: u32,
    end: u32,
    has_help: u8,
    help: Slice,
}

/// `result<list<diagnostic>, string>`.
#[repr(C)]
pub struct Diagnostics {
    tag: u8,
    list: Slice,
}

const OK: u8 = 0;
const WARNING: u8 = 1;
/// Longest line, in characters.
const LINE_MAX: usize = 120;

/// The text that the caller has put into memory of ours.
///
/// # Safety
/// The caller follows the canonical ABI: `start` came from `cabi_realloc` with this length.
unsafe fn taken(start: *mut u8, length: usize) -> String {
    if length == 0 {
        return String::new();
    }
    // SAFETY: by the contract above the block is ours, was allocated with this size, and is filled.
    let bytes = unsafe { Vec::from_raw_parts(start, length, length) };
    String::from_utf8(bytes).unwrap_or_default()
}

/// Memory for arguments.
///
/// # Safety
/// As the canonical ABI has it: `old` is null or came from here with `old_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    use std::alloc::{Layout, alloc, realloc};
    let (Ok(before), Ok(wanted)) =
        (Layout::from_size_align(old_size, align), Layout::from_size_align(size, align))
    else {
        std::process::abort()
    };
    if size == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    let block = if old_size == 0 {
        // SAFETY: the size is not zero.
        unsafe { alloc(wanted) }
    } else {
        // SAFETY: by the contract above the block was allocated so.
        unsafe { realloc(old, before, size) }
    };
    if block.is_null() {
        std::process::abort()
    }
    block
}

/// `documentation.render`: a page with a title and the number of its words.
///
/// # Safety
/// As [`taken`], for both texts.
#[unsafe(export_name = "vitte:plugin/documentation@1.0.0#render")]
pub unsafe extern "C" fn render(
    title: *mut u8,
    title_length: usize,
    markdown: *mut u8,
    markdown_length: usize,
) -> *const TextResult {
    // SAFETY: by the contract above.
    let title = unsafe { taken(title, title_length) };
    // SAFETY: by the contract above.
    let markdown = unsafe { taken(markdown, markdown_length) };
    let words = markdown.split_whitespace().count();
    let mut page = format!("<h1>{}</h1>\n<p>{words} words</p>\n", escaped(&title));
    for paragraph in markdown.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        page.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
    }
    Box::leak(Box::new(TextResult { tag: OK, text: Slice::of(page) }))
}

/// `diagnostics.check`: lines that are too long.
///
/// # Safety
/// As [`taken`], for both texts.
#[unsafe(export_name = "vitte:plugin/diagnostics@1.0.0#check")]
pub unsafe extern "C" fn check(
    path: *mut u8,
    path_length: usize,
    text: *mut u8,
    text_length: usize,
) -> *const Diagnostics {
    // SAFETY: by the contract above.
    drop(unsafe { taken(path, path_length) });
    // SAFETY: by the contract above.
    let text = unsafe { taken(text, text_length) };
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let length = bare.chars().count();
        if length > LINE_MAX {
            found.push(Diagnostic {
                severity: WARNING,
                code: Slice::of("LONG_LINE".to_owned()),
                message: Slice::of(format!("a line of {length} characters; {LINE_MAX} are enough")),
                start: at as u32,
                end: (at + bare.len()) as u32,
                has_help: 0,
                help: Slice::of(String::new()),
            });
        }
        at += line.len();
    }
    let found: &'static [Diagnostic] = found.leak();
    let list = Slice { start: found.as_ptr().cast(), length: found.len() };
    Box::leak(Box::new(Diagnostics { tag: OK, list }))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
