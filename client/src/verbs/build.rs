//! `check`, `parse`, `build` and `emit`.
use std::path::Path;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tonic::Streaming;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::event::Kind;

use super::{channel, current_folder, options, subject};
use crate::cli::{BuildArgs, BuildVerb, Common, EmitArgs, EmitName};
use crate::failure::{Exit, Failure};
use crate::report::{Report, Stdout, print_bytes, print_line};

/// How often the progress line is redrawn.
pub const TICK: Duration = Duration::from_millis(250);

/// `vitte check` and `vitte parse`.
///
/// # Errors
/// When the program could not be checked at all.
pub async fn check(common: &Common, args: BuildArgs, verb: &str) -> Result<u8, Failure> {
    let options = options(&args)?;
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Ours, &options.cwd);
    let request = v1::CheckRequest { options: Some(options), ..Default::default() };
    let stream = BuildServiceClient::new(channel(common).await?).check(request).await?.into_inner();
    pump(stream, |response: v1::CheckResponse| response.event, &mut report, nothing).await?;
    let status = report.summary(verb, &subject).exit();
    if status == Exit::Ok as u8 && report.speaks_to_people() {
        print_line(&format!("{verb} succeeded"))?;
    }
    Ok(status)
}

/// `vitte build`.
///
/// # Errors
/// When the program could not be built for another reason than errors in it.
pub async fn build(common: &Common, args: BuildVerb) -> Result<u8, Failure> {
    let BuildVerb { build: args, emit: what } = args;
    let product = match what {
        Some(EmitName::Stage(stage)) => {
            return emit(common, EmitArgs { build: args, stage, filter: String::new() }).await;
        }
        Some(EmitName::Product(product)) => product.name(),
        None => "",
    };
    let mut options = options(&args)?;
    options.emit = product.into();
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Ours, &options.cwd);
    // People are not shown it.
    options.without_digest = report.speaks_to_people();
    let request = v1::BuildRequest { options: Some(options), ..Default::default() };
    let stream = BuildServiceClient::new(channel(common).await?).build(request).await?.into_inner();
    pump(stream, |response: v1::BuildResponse| response.event, &mut report, nothing).await?;
    let outcome = report.summary("build", &subject).clone();
    if outcome.exit() != Exit::Ok as u8 || !report.speaks_to_people() {
        return Ok(outcome.exit());
    }
    if args.dry_run {
        print_line(outcome.finished.plan.trim_end())?;
    } else {
        let path = shown_path(args.out.as_deref(), &outcome.finished.executable);
        print_line(&format!("build succeeded: {path}"))?;
    }
    Ok(outcome.exit())
}

/// Builds the package in `folder` for the loader: the file's path, or the exit status if there are errors in it, which
/// have been shown.
///
/// # Errors
/// As [`build`].
pub(super) async fn package(common: &Common, folder: &Path) -> Result<Result<String, u8>, Failure> {
    let mut options = options(&BuildArgs { entry: Some(folder.to_owned()), ..BuildArgs::default() })?;
    options.emit = "vitmod".to_owned();
    options.without_digest = true;
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Ours, &options.cwd);
    let request = v1::BuildRequest { options: Some(options), ..Default::default() };
    let stream = BuildServiceClient::new(channel(common).await?).build(request).await?.into_inner();
    pump(stream, |response: v1::BuildResponse| response.event, &mut report, nothing).await?;
    let outcome = report.summary("build", &subject).clone();
    Ok(match outcome.exit() {
        status if status == Exit::Ok as u8 => Ok(outcome.finished.executable),
        status => Err(status),
    })
}

/// The result's path as the user would write it: as given, or relative when it is below this folder.
fn shown_path(given: Option<&Path>, executable: &str) -> String {
    if let Some(given) = given {
        return given.display().to_string();
    }
    let here = current_folder().ok();
    let relative = here.and_then(|here| Path::new(executable).strip_prefix(here).ok().map(Path::to_path_buf));
    relative.map_or_else(|| executable.to_owned(), |relative| relative.display().to_string())
}

/// `vitte emit`.
///
/// # Errors
/// When the stage could not be reached for another reason than errors in the program.
pub async fn emit(common: &Common, args: EmitArgs) -> Result<u8, Failure> {
    let EmitArgs { build: args, stage, filter } = args;
    let mut options = options(&args)?;
    // What `-o` names is ours to write, not the linker's.
    options.output.clear();
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Ours, &options.cwd);
    let request = v1::EmitRequest { options: Some(options), stage: v1::Stage::from(stage).into(), filter };
    let stream = BuildServiceClient::new(channel(common).await?).emit(request).await?.into_inner();
    let mut bytes = Vec::new();
    pump(
        stream,
        |response: v1::EmitResponse| response.event,
        &mut report,
        |kind, _| {
            if let Kind::StageOutput(output) = kind {
                bytes.extend_from_slice(&output.data);
            }
            Ok(())
        },
    )
    .await?;
    let status = report.summary("emit", &subject).exit();
    if status == Exit::Ok as u8 && !common.json {
        match &args.out {
            Some(path) => vitte_sys::fs::write(path, &bytes)?,
            None => print_bytes(&bytes)?,
        }
    }
    Ok(status)
}

/// Reports all events to the last. `first` sees each before the report does.
///
/// # Errors
/// When the stream breaks, or the output cannot be written.
pub(super) async fn pump<R>(
    mut stream: Streaming<R>,
    event: fn(R) -> Option<v1::Event>,
    report: &mut Report,
    mut first: impl FnMut(&Kind, &mut Report) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let response = tokio::select! {
            biased;
            response = stream.message() => response,
            _ = tick.tick() => {
                report.tick();
                continue;
            }
        };
        let Some(response) = response.inspect_err(|_| report.clear_progress())? else { return Ok(()) };
        let Some(event) = event(response) else { continue };
        if let Some(kind) = &event.kind {
            first(kind, report)?;
        }
        report.event(event)?;
    }
}

/// For [`pump`], where the report is all.
fn nothing(_: &Kind, _: &mut Report) -> Result<(), Failure> {
    Ok(())
}
