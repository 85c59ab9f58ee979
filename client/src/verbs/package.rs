//! `targets`, `toolchains` and `buildkit package|cross|export|bench`.
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;
use vitte_proto::v1::package_service_client::PackageServiceClient;

use super::build::pump;
use super::{channel, current_folder, places, text};
use crate::cli::{BuildkitVerb, Common, PackageArgs};
use crate::failure::{Exit, Failure};
use crate::report::{Report, Stdout, print_line};

async fn client(common: &Common) -> Result<PackageServiceClient<Channel>, Failure> {
    Ok(PackageServiceClient::new(channel(common).await?))
}

/// `vitte targets`
///
/// # Errors
/// When the service cannot be asked.
pub async fn targets(common: &Common) -> Result<u8, Failure> {
    let targets = client(common).await?.list_targets(v1::ListTargetsRequest {}).await?.into_inner().targets;
    if !common.json {
        print_line(&format!("{:<26}{:<10}{:<5}{:<11}RUNS HERE BY", "TARGET", "FORMAT", "BITS", "SYSTEM"))?;
    }
    for target in targets {
        let v1::Target { name, aliases, triple, format, pointer_width, libc, features, host, .. } = target;
        let (runner, path, missing) = (target.runner, target.runner_path, target.missing);
        if common.json {
            let line = json!({
                "event": "target", "name": name, "aliases": aliases, "triple": triple, "format": format,
                "pointer_width": pointer_width, "libc": libc, "features": features, "host": host, "runner": runner,
                "runner_path": path, "missing": missing,
            });
            print_line(&line.to_string())?;
            continue;
        }
        let runs = match (host, runner.as_str(), missing.as_str()) {
            (true, ..) => "itself".to_owned(),
            (_, "", _) if libc == "loader" => "vitte load".to_owned(),
            (_, "", _) => "nothing; it is built all the same".to_owned(),
            (_, _, "") => path,
            (_, runner, missing) => format!("{runner}, which is not there: {missing}"),
        };
        print_line(&format!("{name:<26}{format:<10}{pointer_width:<5}{libc:<11}{runs}"))?;
    }
    Ok(Exit::Ok as u8)
}

/// `vitte toolchains`
///
/// # Errors
/// When the service cannot be asked.
pub async fn toolchains(common: &Common) -> Result<u8, Failure> {
    let request = v1::ListToolchainsRequest {};
    let all = client(common).await?.list_toolchains(request).await?.into_inner().toolchains;
    for tool in all {
        let v1::Toolchain { name, kind, path, version, reason, chosen, found } = tool;
        if common.json {
            let line = json!({
                "event": "toolchain", "name": name, "kind": kind, "path": path, "version": version, "reason": reason,
                "chosen": chosen, "found": found,
            });
            print_line(&line.to_string())?;
            continue;
        }
        let place = match (found, path.as_str()) {
            (false, _) => "not found".to_owned(),
            (true, "") => format!("built in, {version}"),
            (true, path) if version.is_empty() => path.to_owned(),
            (true, path) => format!("{path}, {version}"),
        };
        let mark = if chosen { "*" } else { " " };
        print_line(&format!("{mark} {name:<19}{kind:<16}{place}; {reason}"))?;
    }
    Ok(Exit::Ok as u8)
}

/// `vitte buildkit …`
///
/// # Errors
/// When nothing could be made.
pub async fn run(common: &Common, verb: BuildkitVerb) -> Result<u8, Failure> {
    match verb {
        BuildkitVerb::Package { what, formats } => {
            let options = options(what, formats)?;
            let mut report = Report::new(common, Stdout::Ours, &options.cwd);
            let request = v1::PackageRequest { options: Some(options), ..Default::default() };
            let stream = client(common).await?.package(request).await?.into_inner();
            let mut files = Vec::new();
            pump(
                stream,
                |response: v1::PackageResponse| response.event,
                &mut report,
                |kind, _| note(kind, &mut files),
            )
            .await?;
            finish(&mut report, "package", &files)
        }
        BuildkitVerb::Cross(what) => {
            let options = options(what, Vec::new())?;
            let mut report = Report::new(common, Stdout::Ours, &options.cwd);
            let request = v1::CrossRequest { options: Some(options), ..Default::default() };
            let stream = client(common).await?.cross(request).await?.into_inner();
            let mut files = Vec::new();
            pump(
                stream,
                |response: v1::CrossResponse| response.event,
                &mut report,
                |kind, _| note(kind, &mut files),
            )
            .await?;
            finish(&mut report, "cross", &files)
        }
        BuildkitVerb::Export { what, formats } => {
            let options = options(what, formats)?;
            let mut report = Report::new(common, Stdout::Ours, &options.cwd);
            let request = v1::ExportRequest { options: Some(options), ..Default::default() };
            let stream = client(common).await?.export(request).await?.into_inner();
            let mut files = Vec::new();
            pump(
                stream,
                |response: v1::ExportResponse| response.event,
                &mut report,
                |kind, _| note(kind, &mut files),
            )
            .await?;
            finish(&mut report, "export", &files)
        }
        BuildkitVerb::Bench { package, target, profile, baseline, save } => {
            let folder = current_folder()?.join(package.unwrap_or_default());
            let request = v1::BenchRequest {
                folder: text(&folder)?,
                targets: target,
                profile: profile.unwrap_or_default(),
            };
            let report = client(common).await?.bench(request).await?.into_inner().report;
            bench(common, &report, baseline.as_deref(), save.as_deref())
        }
    }
}

/// Remembers the files that are in place.
fn note(kind: &Kind, files: &mut Vec<String>) -> Result<(), Failure> {
    if let Kind::Artifact(artifact) = kind {
        files.push(artifact.path.clone());
    }
    Ok(())
}

fn finish(report: &mut Report, verb: &str, files: &[String]) -> Result<u8, Failure> {
    let status = report.summary(verb, verb).exit();
    if status == Exit::Ok as u8 && report.speaks_to_people() {
        let here = current_folder().unwrap_or_default();
        for file in files {
            let shown = Path::new(file).strip_prefix(&here).unwrap_or(Path::new(file));
            print_line(&shown.display().to_string())?;
        }
    }
    Ok(status)
}

fn options(what: PackageArgs, formats: Vec<String>) -> Result<v1::PackageOptions, Failure> {
    let PackageArgs { package, target, profile, out, sign, sign_rpm } = what;
    let cwd = current_folder()?;
    let key = match &sign {
        None => String::new(),
        Some(key) => text(&key_file(&cwd, key)?)?,
    };
    let openpgp_key = match &sign_rpm {
        None => String::new(),
        Some(key) => text(&cwd.join(key))?,
    };
    Ok(v1::PackageOptions {
        out: text(&cwd.join(out))?,
        cwd: text(&cwd)?,
        package: package.unwrap_or_default(),
        target: target.unwrap_or_default(),
        profile: profile.unwrap_or_default(),
        formats,
        key,
        openpgp_key,
        key_password: std::env::var("VITTE_KEY_PASSWORD").unwrap_or_default(),
        source_date: std::env::var("SOURCE_DATE_EPOCH").unwrap_or_default(),
    })
}

/// A path, or the name of a key that `vitte key generate` made.
fn key_file(cwd: &Path, key: &str) -> Result<PathBuf, Failure> {
    if key.contains('/') || cwd.join(key).is_file() {
        return Ok(cwd.join(key));
    }
    let folder = places().keys().ok_or_else(|| {
        Failure::new(Exit::Configuration, "there is no folder for keys: neither HOME nor VITTE_HOME is set")
    })?;
    Ok(folder.join(format!("{key}.key")))
}

/// The numbers of one target, by their names.
const NUMBERS: [(&str, &str); 4] =
    [("cold_ms", "COLD MS"), ("warm_ms", "WARM MS"), ("bytes", "BYTES"), ("peak_bytes", "PEAK BYTES")];

fn bench(common: &Common, report: &str, baseline: Option<&Path>, save: Option<&Path>) -> Result<u8, Failure> {
    let wrong = |what: &str| {
        Failure::new(Exit::BadInput, format!("{what} is not a report of `vitte buildkit bench`"))
    };
    let value: Value = serde_json::from_str(report).map_err(|_| wrong("what the service sent"))?;
    let before: Option<Value> = match baseline {
        None => None,
        Some(path) => {
            let bytes = vitte_sys::fs::read(path)?;
            Some(serde_json::from_slice(&bytes).map_err(|_| wrong(&format!("`{}`", path.display())))?)
        }
    };
    if let Some(path) = save {
        vitte_sys::fs::write(path, format!("{report}\n").as_bytes())?;
    }
    let rows = |value: &Value| value.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
    let known = before.as_ref().map(rows).unwrap_or_default();
    if common.json {
        print_line(&json!({"event": "bench", "rows": rows(&value), "baseline": known}).to_string())?;
        return Ok(Exit::Ok as u8);
    }
    let heads: Vec<String> = NUMBERS.iter().map(|(_, head)| format!("{head:>14}")).collect();
    print_line(&format!("{:<26}{:<20}{}", "TARGET", "TOOLCHAIN", heads.concat()))?;
    let word = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    for row in rows(&value) {
        let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_f64).unwrap_or_default();
        let numbers: Vec<String> = NUMBERS
            .iter()
            .map(|(name, _)| {
                let value = number(&row, name);
                if name.ends_with("_ms") { format!("{value:>14.2}") } else { format!("{value:>14.0}") }
            })
            .collect();
        let target = word(&row, "target");
        print_line(&format!("{target:<26}{:<20}{}", word(&row, "toolchain"), numbers.concat()))?;
        let same =
            |old: &&Value| word(old, "target") == target && word(old, "toolchain") == word(&row, "toolchain");
        let Some(old) = known.iter().find(same) else { continue };
        let ratios: Vec<String> = NUMBERS
            .iter()
            .map(|(name, _)| {
                let (now, then) = (number(&row, name), number(old, name));
                format!("{:>13.2}x", if then > 0.0 { now / then } else { 1.0 })
            })
            .collect();
        print_line(&format!("{:<46}{}", "  to the baseline", ratios.concat()))?;
    }
    Ok(Exit::Ok as u8)
}
