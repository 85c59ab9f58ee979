//! `check --fix`: applies what messages suggest.
//!
//! Rounds of checking and applying, until nothing is left to apply. A file is written whole or not at all, and only
//! while it holds the text that was checked. After each round the program is checked again: files in which there are more
//! errors than before get their old text back and are left alone from then on.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::event::Kind;

use super::{build, channel, options};
use crate::cli::{BuildArgs, Common};
use crate::edit::{Edit, applied, compatible, replace};
use crate::failure::{Exit, Failure};
use crate::render::is_error;
use crate::render::style::Theme;
use crate::report::print_line;

/// An edit may make another one possible; more rounds than this would go in circles.
const ROUNDS_MAX: usize = 10;

/// An edit with what is said of it.
struct Fix {
    edit: Edit,
    digest: String,
    line: u32,
    column: u32,
    code: String,
    message: String,
}

/// What was done to a file in a round.
struct Changed {
    old: String,
    new: String,
    errors: usize,
    told: Vec<Fix>,
}

/// `vitte check --fix`.
///
/// # Errors
/// When the program could not be checked at all, or a file could not be written.
pub async fn fix(common: &Common, args: BuildArgs) -> Result<u8, Failure> {
    let dry_run = args.dry_run;
    let args = BuildArgs { dry_run: false, ..args };
    let mut request = options(&args)?;
    request.check_cache = false;
    let channel = channel(common).await?;
    let cwd = std::path::PathBuf::from(&request.cwd);
    let mut teller = Teller::new(common);
    let mut left_alone = BTreeSet::new();
    let mut total = 0;
    for _ in 0..ROUNDS_MAX {
        let before = diagnostics(&channel, &request).await?;
        let errors = errors_by_file(&before);
        let mut changed = BTreeMap::new();
        for (file, fixes) in fixes_by_file(before) {
            if left_alone.contains(&file) {
                continue;
            }
            let path = cwd.join(&file);
            let Ok(old) = fs::read_to_string(&path) else {
                teller.note(&format!("{file} cannot be read and stays as it is"));
                left_alone.insert(file);
                continue;
            };
            let digest = hex(&Sha256::digest(old.as_bytes()));
            let fixes: Vec<Fix> = fixes.into_iter().filter(|fix| fix.digest == digest).collect();
            if fixes.is_empty() {
                teller.note(&format!("{file} changed while it was checked and stays as it is"));
                left_alone.insert(file);
                continue;
            }
            let edits: Vec<Edit> = fixes.iter().map(|fix| fix.edit.clone()).collect();
            let chosen = compatible(&edits);
            let Some(new) = applied(&old, chosen.iter().map(|&index| &edits[index])) else { continue };
            let chosen: BTreeSet<usize> = chosen.into_iter().collect();
            let told: Vec<Fix> = fixes
                .into_iter()
                .enumerate()
                .filter(|(index, _)| chosen.contains(index))
                .map(|(_, fix)| fix)
                .collect();
            if new == old {
                continue;
            }
            if !dry_run {
                replace(&path, &new).map_err(|error| cannot_write(&path, &error))?;
            }
            let errors = errors.get(&file).copied().unwrap_or(0);
            changed.insert(file, Changed { old, new, errors, told });
        }
        if dry_run {
            for (file, change) in &changed {
                teller.tell("would fix", file, &change.told)?;
                total += change.told.len();
            }
            teller.total("could be fixed", total);
            return build::check(common, args, "check").await;
        }
        if changed.is_empty() {
            break;
        }
        // What an edit breaks may show in another file: then the whole round goes.
        let after = diagnostics(&channel, &request).await?;
        let now = errors_by_file(&after);
        let whole = now.values().sum::<usize>() > errors.values().sum::<usize>();
        let grew = |file: &str, before: usize| now.get(file).copied().unwrap_or(0) > before;
        let any_grew = changed.iter().any(|(file, change)| grew(file, change.errors));
        let all_go = whole && !any_grew;
        for (file, change) in changed {
            let path = cwd.join(&file);
            if !all_go && !grew(&file, change.errors) {
                total += change.told.len();
                teller.tell("fixed", &file, &change.told)?;
                continue;
            }
            if fs::read_to_string(&path).is_ok_and(|text| text == change.new) {
                replace(&path, &change.old).map_err(|error| cannot_write(&path, &error))?;
                teller.note(&format!("{file} had more errors with what was suggested, and is as it was"));
            }
            left_alone.insert(file);
        }
    }
    teller.total("fixed", total);
    build::check(common, args, "check").await
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::InputOutput, format!("cannot write `{}`: {error}", path.display()))
        .help("check that you may write to it and that there is room")
}

/// All that is said of the program.
async fn diagnostics(channel: &Channel, options: &v1::BuildOptions) -> Result<Vec<v1::Diagnostic>, Failure> {
    let request = v1::CheckRequest { options: Some(options.clone()), ..Default::default() };
    let mut stream = BuildServiceClient::new(channel.clone()).check(request).await?.into_inner();
    let mut found = Vec::new();
    while let Some(response) = stream.message().await? {
        if let Some(Kind::Diagnostic(diagnostic)) = response.event.and_then(|event| event.kind) {
            found.push(diagnostic);
        }
    }
    Ok(found)
}

fn errors_by_file(diagnostics: &[v1::Diagnostic]) -> BTreeMap<String, usize> {
    let mut errors = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| is_error(diagnostic)) {
        let file = diagnostic.labels.first().and_then(|label| label.span.as_ref());
        *errors.entry(file.map(|span| span.file.clone()).unwrap_or_default()).or_default() += 1;
    }
    errors
}

/// The first edit of each diagnostic that is safe to make. Files that are not below the working folder are not ours.
fn fixes_by_file(diagnostics: Vec<v1::Diagnostic>) -> BTreeMap<String, Vec<Fix>> {
    let mut fixes: BTreeMap<String, Vec<Fix>> = BTreeMap::new();
    for diagnostic in diagnostics {
        let safe = diagnostic
            .suggestions
            .into_iter()
            .find(|suggestion| suggestion.applicability() == v1::Applicability::MachineApplicable);
        let Some(v1::Suggestion { message, replacement, span: Some(span), file_sha256, .. }) = safe else {
            continue;
        };
        let (start, end) = (span.start.unwrap_or_default(), span.end.unwrap_or_default());
        if span.file.is_empty() || Path::new(&span.file).is_absolute() {
            continue;
        }
        fixes.entry(span.file).or_default().push(Fix {
            edit: Edit { start: start.byte as usize, end: end.byte as usize, replacement },
            digest: file_sha256,
            line: start.line,
            column: start.column,
            code: diagnostic.code,
            message,
        });
    }
    fixes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says what was done: in lines, or as events of JSON.
struct Teller {
    theme: Theme,
    json: bool,
    programs: bool,
}

impl Teller {
    fn new(common: &Common) -> Self {
        Self {
            theme: Theme::of_stderr(common.color),
            json: common.json,
            programs: common.format().is_for_programs(),
        }
    }

    fn tell(&self, what: &str, file: &str, fixes: &[Fix]) -> Result<(), Failure> {
        for Fix { edit, line, column, code, message, .. } in fixes {
            if self.json {
                let event = json!({
                    "event": "fix",
                    "applied": what == "fixed",
                    "file": file,
                    "line": line,
                    "column": column,
                    "code": code,
                    "message": message,
                    "replaced_bytes": edit.end - edit.start,
                    "replacement": edit.replacement,
                });
                print_line(&event.to_string())?;
            } else {
                let place = format!("{file}:{line}:{column}");
                self.say(&format!(
                    "{} {}: {message} [{code}]",
                    self.theme.added(what),
                    self.theme.bold(&place)
                ));
            }
        }
        Ok(())
    }

    fn note(&mut self, text: &str) {
        self.say(&format!("{}: {text}", self.theme.bold("note")));
    }

    fn total(&self, what: &str, count: usize) {
        if self.json || self.programs {
            return;
        }
        let text = match count {
            0 => "nothing to fix".to_owned(),
            1 => format!("1 place {what}"),
            count => format!("{count} places {what}"),
        };
        self.say(&text);
    }

    /// On standard error: standard output has what the check says, as without `--fix`.
    fn say(&self, text: &str) {
        use std::io::Write as _;
        // A closed standard error has no reader to tell.
        let _ = writeln!(std::io::stderr().lock(), "{}", self.theme.finish(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(file: &str, applicability: v1::Applicability) -> v1::Diagnostic {
        let span = v1::FileSpan { file: file.to_owned(), ..v1::FileSpan::default() };
        let suggestion = v1::Suggestion {
            span: Some(span.clone()),
            applicability: applicability.into(),
            ..v1::Suggestion::default()
        };
        v1::Diagnostic {
            severity: v1::Severity::Error.into(),
            labels: vec![v1::Label { primary: true, message: String::new(), span: Some(span) }],
            suggestions: vec![suggestion],
            ..v1::Diagnostic::default()
        }
    }

    #[test]
    fn only_safe_edits_of_own_files_are_made() {
        let all = vec![
            diagnostic("a.vit", v1::Applicability::MachineApplicable),
            diagnostic("b.vit", v1::Applicability::MaybeIncorrect),
            diagnostic("/lib/c.vit", v1::Applicability::MachineApplicable),
        ];
        assert_eq!(errors_by_file(&all).len(), 3);
        let fixes = fixes_by_file(all);
        assert_eq!(fixes.keys().collect::<Vec<_>>(), ["a.vit"]);
    }
}
