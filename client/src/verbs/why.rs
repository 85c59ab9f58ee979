//! `why`: what differed the last time that a target was built anew.
use serde_json::json;
use vitte_proto::v1;
use vitte_proto::v1::RebuildCauseKind as Kind;
use vitte_proto::v1::build_service_client::BuildServiceClient;

use super::{channel, current_folder, options, text};
use crate::cli::{Common, WhyArgs};
use crate::failure::Failure;
use crate::report::print_line;

/// Hex digits of a digest that people see.
const DIGITS: usize = 12;
/// Names that people see of a long list.
const NAMES_MAX: usize = 12;

/// `vitte why`.
///
/// # Errors
/// When there is no such program, or the service cannot be asked.
pub async fn why(common: &Common, args: WhyArgs) -> Result<u8, Failure> {
    let WhyArgs { build, touch } = args;
    let touched = touch.map(|file| text(&current_folder()?.join(file))).transpose()?.unwrap_or_default();
    let request = v1::ExplainRebuildRequest { options: Some(options(&build)?), touched };
    let answer = BuildServiceClient::new(channel(common).await?).explain_rebuild(request).await?.into_inner();
    if common.json {
        return print_line(&as_json(&answer).to_string()).map(|()| 0);
    }
    let v1::ExplainRebuildResponse { target, causes, touched } = answer;
    if causes.is_empty() {
        print_line(&format!("{target}: nothing is known of earlier builds"))?;
    } else {
        print_line(&format!("{target} was built anew because"))?;
    }
    for cause in &causes {
        print_line(&format!("  {}", describe(cause)))?;
    }
    if let Some(touched) = touched {
        print_touched(&touched)?;
    }
    Ok(0)
}

fn describe(cause: &v1::RebuildCause) -> String {
    let v1::RebuildCause { kind: _, name, old, new, first_line, last_line, imports_added, imports_removed } =
        cause;
    let (short_old, short_new) = (short(old), short(new));
    match cause.kind() {
        Kind::First => "it was never built before".to_owned(),
        Kind::Compiler => format!("the compiler is another one ({short_old} → {short_new})"),
        Kind::Option => format!("the option `{name}` changed from `{old}` to `{new}`"),
        Kind::Manifest if old.is_empty() => format!("the project file {name} is new ({short_new})"),
        Kind::Manifest if new.is_empty() => format!("the project file {name} is gone ({short_old})"),
        Kind::File | Kind::Manifest => {
            let lines = if first_line == last_line {
                format!("line {first_line}")
            } else {
                format!("lines {first_line} to {last_line}")
            };
            let mut said = format!("{name} changed in {lines} ({short_old} → {short_new})");
            for (verb, imports) in [("imports", imports_added), ("does not import", imports_removed)] {
                if !imports.is_empty() {
                    said += &format!("; it {verb} {} now", shortened(imports));
                }
            }
            said
        }
        Kind::Appeared => format!("{name} was not there before, and was looked for ({short_new})"),
        Kind::Gone => format!("{name} is not there any more ({short_old})"),
        Kind::Joined => format!("therefore {name} is asked for now ({short_new})"),
        Kind::Left => format!("therefore {name} is not asked for any more ({short_old})"),
        Kind::Unspecified => format!("{name} changed"),
    }
}

fn short(digest: &str) -> &str {
    digest.get(..DIGITS).unwrap_or(digest)
}

fn print_touched(touched: &v1::TouchedFile) -> Result<(), Failure> {
    let v1::TouchedFile { file, is_part, procedures, importers } = touched;
    if !is_part {
        return print_line(&format!("an edit of {file} builds nothing anew: the program does not have it"));
    }
    print_line(&format!("an edit of {file}"))?;
    print_line("  of a comment or of its layout builds no procedure anew")?;
    if !procedures.is_empty() {
        let list = shortened(procedures);
        print_line(&format!("  of a body builds that procedure anew, and those that inline it: {list}"))?;
    }
    if importers.is_empty() {
        return print_line("  of a signature reaches no other module");
    }
    let (count, list) = (importers.len(), shortened(importers));
    let modules = if count == 1 { "module that imports" } else { "modules that import" };
    print_line(&format!("  of a signature checks its users anew, in the {count} {modules} it: {list}"))
}

fn shortened(names: &[String]) -> String {
    match names.get(..NAMES_MAX) {
        Some(first) if names.len() > NAMES_MAX => {
            format!("{} and {} more", first.join(", "), names.len() - NAMES_MAX)
        }
        _ => names.join(", "),
    }
}

fn as_json(answer: &v1::ExplainRebuildResponse) -> serde_json::Value {
    let kind = |cause: &v1::RebuildCause| match cause.kind() {
        Kind::First => "first",
        Kind::Compiler => "compiler",
        Kind::Option => "option",
        Kind::File => "file",
        Kind::Appeared => "appeared",
        Kind::Gone => "gone",
        Kind::Manifest => "manifest",
        Kind::Joined => "joined",
        Kind::Left => "left",
        Kind::Unspecified => "unknown",
    };
    let causes: Vec<_> = answer
        .causes
        .iter()
        .map(|cause| {
            json!({
                "kind": kind(cause), "name": cause.name, "old": cause.old, "new": cause.new,
                "first_line": cause.first_line, "last_line": cause.last_line,
                "imports_added": cause.imports_added, "imports_removed": cause.imports_removed,
            })
        })
        .collect();
    let touched = answer.touched.as_ref().map(|touched| {
        json!({
            "file": touched.file, "is_part": touched.is_part, "procedures": touched.procedures,
            "importers": touched.importers,
        })
    });
    json!({"target": answer.target, "causes": causes, "touched": touched})
}
