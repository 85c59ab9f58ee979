//! Colours and the terminal they are for.
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Use colours.
    pub color: bool,
    /// Columns to stay within.
    pub width: usize,
    /// The terminal shows only ASCII: other characters become `?`.
    pub ascii: bool,
}

/// Columns when nobody says how many there are.
const WIDTH_DEFAULT: usize = 140;

impl Theme {
    /// No colours, wide, every character: for pipes and tests.
    pub const PLAIN: Self = Self { color: false, width: WIDTH_DEFAULT, ascii: false };

    /// What standard error and the environment ask for.
    pub fn of_stderr(choice: ColorChoice) -> Self {
        let stderr = std::io::stderr();
        let terminal = stderr.is_terminal();
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !is_set("NO_COLOR") && !dumb,
        };
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let columns = columns.or_else(|| vitte_sys::terminal::size(&stderr).map(|size| size.columns.into()));
        let width = columns
            .filter(|&columns: &usize| columns > 0)
            .map_or(WIDTH_DEFAULT, |columns| columns.clamp(40, 200));
        Self { color, width, ascii: terminal && !locale_is_utf8() }
    }

    /// `text` in `style`, if colours are on.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Errors.
    pub fn error(&self, text: &str) -> String {
        self.paint(AnsiColor::BrightRed.on_default().bold(), text)
    }

    /// Warnings.
    pub fn warning(&self, text: &str) -> String {
        self.paint(AnsiColor::BrightYellow.on_default().bold(), text)
    }

    /// The frame around source lines, and explanations.
    pub fn frame(&self, text: &str) -> String {
        self.paint(AnsiColor::BrightBlue.on_default().bold(), text)
    }

    /// Help and new text.
    pub fn help(&self, text: &str) -> String {
        self.paint(AnsiColor::BrightCyan.on_default().bold(), text)
    }

    /// What a suggestion adds.
    pub fn added(&self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What a suggestion removes.
    pub fn removed(&self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    /// What must be read first.
    pub fn bold(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// The last step before the terminal.
    pub fn finish(&self, text: String) -> String {
        if !self.ascii || text.is_ascii() {
            return text;
        }
        text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
    }
}

/// Whether the locale's characters are UTF-8, by the first of the three variables that is set.
fn locale_is_utf8() -> bool {
    let first = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    first.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
