//! `BuildService`.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tonic::{Code, Request, Response, Status};
use vitte_driver::{BuildRequest, CancellationToken, Driver, LineRange, SyntaxProblem};
use vitte_proto::v1;
use vitte_proto::v1::build_service_server::BuildService;
use vitte_proto::v1::event::Kind;

use super::run::{STRINGS_MAX, environment_of};
use super::stream::{ResponseStream, deadline, events};
use crate::benching::{Measure, run_benches};
use crate::convert;
use crate::operation::{NewOperation, OperationKind, WhenUnwatched};
use crate::plugins;
use crate::service::Service;
use crate::status::Refusal;
use crate::testing::{Choice, run_tests};

/// What a test may take when nobody says.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What a benchmark may take when nobody says.
const BENCH_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a sample of a benchmark shall take when nobody says.
const SAMPLE: Duration = Duration::from_millis(5);
/// How many samples are taken when nobody says, and at most.
const SAMPLES: u32 = 60;
const SAMPLES_MAX: u32 = 100_000;
/// Most tests that run at once.
const JOBS_MAX: usize = 256;
/// Most bytes of one piece of a stage.
const PIECE_BYTES: usize = 1 << 20;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct Build(pub Arc<Service>);

#[tonic::async_trait]
impl BuildService for Build {
    type CheckStream = ResponseStream<v1::CheckResponse>;
    type BuildStream = ResponseStream<v1::BuildResponse>;
    type TestStream = ResponseStream<v1::TestResponse>;
    type MeasureStream = ResponseStream<v1::MeasureResponse>;
    type EmitStream = ResponseStream<v1::EmitResponse>;

    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<Self::CheckStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let message = request.into_inner();
        let when_unwatched = convert::when_unwatched(message.on_disconnect());
        let build = parse(&self.0, message.options)?;
        let new = NewOperation {
            kind: OperationKind::Check,
            title: title("check", &build),
            request_id: message.request_id,
            when_unwatched,
        };
        let subscription = self.0.begin(new, deadline, |service, operation, _| async move {
            let outcome = service
                .drive_with(&operation, move |service, sink, cancel| {
                    let outcome = service.driver.check(&build, sink, cancel)?;
                    Ok(plugins::look(&service.plugins, &service.driver, &build, sink, outcome))
                })
                .await?;
            operation.emit(Kind::BuildFinished(convert::outcome(outcome)));
            Ok(())
        })?;
        Ok(Response::new(events(subscription, |event| v1::CheckResponse { event: Some(event) })))
    }

    async fn build(&self, request: Request<v1::BuildRequest>) -> Result<Response<Self::BuildStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let message = request.into_inner();
        let when_unwatched = convert::when_unwatched(message.on_disconnect());
        let build = parse(&self.0, message.options)?;
        let new = NewOperation {
            kind: OperationKind::Build,
            title: title("build", &build),
            request_id: message.request_id,
            when_unwatched,
        };
        let subscription = self.0.begin(new, deadline, |service, operation, _| async move {
            let outcome = service
                .drive_with(&operation, move |service, sink, cancel| {
                    plugins::before_build(&service.plugins, &build, sink)?;
                    service.driver.build(&build, sink, cancel)
                })
                .await?;
            operation.emit(Kind::BuildFinished(convert::outcome(outcome)));
            Ok(())
        })?;
        Ok(Response::new(events(subscription, |event| v1::BuildResponse { event: Some(event) })))
    }

    async fn test(&self, request: Request<v1::TestRequest>) -> Result<Response<Self::TestStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let message = request.into_inner();
        let when_unwatched = convert::when_unwatched(message.on_disconnect());
        let v1::TestRequest { options, tests, request_id, .. } = message;
        let examples = tests.as_ref().is_some_and(|tests| tests.examples);
        let (build, choice) = parse_tests(&self.0, options, tests)?;
        let new = NewOperation {
            kind: OperationKind::Test,
            title: title("test", &build),
            request_id,
            when_unwatched,
        };
        let subscription = self.0.begin(new, deadline, |service, operation, _| async move {
            let built = service
                .drive(&operation, move |driver, sink, cancel| {
                    if examples {
                        driver.build_examples(&build, sink, cancel)
                    } else {
                        driver.build_tests(&build, sink, cancel)
                    }
                })
                .await?;
            let can_run = built.outcome.errors == 0;
            operation.emit(Kind::BuildFinished(convert::outcome(built.outcome)));
            if can_run {
                run_tests(&operation, &built.programs, &choice, operation.cancel()).await?;
            }
            Ok(())
        })?;
        Ok(Response::new(events(subscription, |event| v1::TestResponse { event: Some(event) })))
    }

    async fn measure(
        &self,
        request: Request<v1::MeasureRequest>,
    ) -> Result<Response<Self::MeasureStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let message = request.into_inner();
        let when_unwatched = convert::when_unwatched(message.on_disconnect());
        let v1::MeasureRequest { options, benches, request_id, .. } = message;
        let (build, plan) = parse_benches(&self.0, options, benches)?;
        let new = NewOperation {
            kind: OperationKind::Bench,
            title: title("bench", &build),
            request_id,
            when_unwatched,
        };
        let subscription = self.0.begin(new, deadline, |service, operation, _| async move {
            let built = service
                .drive(&operation, move |driver, sink, cancel| driver.build_tests(&build, sink, cancel))
                .await?;
            let can_run = built.outcome.errors == 0;
            operation.emit(Kind::BuildFinished(convert::outcome(built.outcome)));
            if can_run {
                run_benches(&operation, &built.programs, &plan, operation.cancel()).await?;
            }
            Ok(())
        })?;
        Ok(Response::new(events(subscription, |event| v1::MeasureResponse { event: Some(event) })))
    }

    async fn document(
        &self,
        request: Request<v1::DocumentRequest>,
    ) -> Result<Response<v1::DocumentResponse>, Status> {
        let v1::DocumentRequest { options, library, folder } = request.into_inner();
        let build = parse(&self.0, options)?;
        let folder = Some(PathBuf::from(folder)).filter(|folder| !folder.as_os_str().is_empty());
        if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            return Err(Refusal::bad_field("folder", "must be an absolute path").into());
        }
        let write = move |driver: &Driver| {
            driver.document(&build, library, folder.as_deref(), &CancellationToken::new())
        };
        let made = self.0.ask(write).await?.map_err(Refusal::from)?;
        Ok(Response::new(v1::DocumentResponse {
            index: made.index.to_string_lossy().into_owned(),
            modules: made.modules as u64,
            undocumented: made.undocumented as u64,
            items: made.items as u64,
        }))
    }

    async fn emit(&self, request: Request<v1::EmitRequest>) -> Result<Response<Self::EmitStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let message = request.into_inner();
        let stage = convert::stage(message.stage())?;
        let filter = Some(message.filter).filter(|filter| !filter.is_empty());
        let build = parse(&self.0, message.options)?;
        let new = NewOperation {
            kind: OperationKind::Emit,
            title: title("emit", &build),
            request_id: String::new(),
            when_unwatched: WhenUnwatched::Cancel,
        };
        let subscription = self.0.begin(new, deadline, |service, operation, _| async move {
            let outcome = service
                .drive(&operation, move |driver, sink, cancel| {
                    driver.emit(&build, stage, filter.as_deref(), sink, cancel)
                })
                .await?;
            let mut rest = Bytes::from(outcome.bytes);
            while !rest.is_empty() {
                let data = rest.split_to(rest.len().min(PIECE_BYTES));
                operation.emit_paced(Kind::StageOutput(v1::StageOutput { data })).await;
            }
            let finished = v1::BuildFinished { errors: outcome.errors, ..Default::default() };
            operation.emit(Kind::BuildFinished(finished));
            Ok(())
        })?;
        Ok(Response::new(events(subscription, |event| v1::EmitResponse { event: Some(event) })))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let v1::ExplainRequest { code, language } = request.into_inner();
        let asked = code.clone();
        let markdown = self.0.ask(move |driver| driver.explain(&code, &language)).await?;
        let markdown = markdown.ok_or_else(|| {
            Refusal::new(Code::NotFound, "UNKNOWN_CODE", format!("there is no diagnostic code `{asked}`"))
                .help("codes look like `TYP0213`; keys like `TYPECK_E_ASSIGN_MISMATCH` work too")
        })?;
        Ok(Response::new(v1::ExplainResponse { markdown }))
    }

    async fn format(
        &self,
        request: Request<v1::FormatRequest>,
    ) -> Result<Response<v1::FormatResponse>, Status> {
        let v1::FormatRequest { text, lines } = request.into_inner();
        let range = lines.map(|v1::LineRange { first, last }| LineRange { first, last });
        if range.is_some_and(|range| range.first == 0 || range.last < range.first) {
            return Err(Refusal::bad_field("lines", "begin at 1 and end where they begin or later").into());
        }
        let answer = match self.0.ask(move |driver| driver.format(&text, range)).await? {
            Ok(text) => v1::FormatResponse { text, problems: Vec::new() },
            Err(problems) => {
                let problems = problems.into_iter().map(|problem| {
                    let SyntaxProblem { line, column, code, message } = problem;
                    v1::SyntaxProblem { line, column, code, message }
                });
                v1::FormatResponse { text: String::new(), problems: problems.collect() }
            }
        };
        Ok(Response::new(answer))
    }

    async fn explain_rebuild(
        &self,
        request: Request<v1::ExplainRebuildRequest>,
    ) -> Result<Response<v1::ExplainRebuildResponse>, Status> {
        let v1::ExplainRebuildRequest { options, touched } = request.into_inner();
        let build = parse(&self.0, options)?;
        let touched = Some(PathBuf::from(touched)).filter(|path| !path.as_os_str().is_empty());
        if touched.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(Refusal::bad_field("touched", "must be an absolute path").into());
        }
        let explain = move |driver: &Driver| {
            driver.explain_rebuild(&build, touched.as_deref(), &CancellationToken::new())
        };
        let report = self.0.ask(explain).await?.map_err(Refusal::from)?;
        Ok(Response::new(convert::rebuild_report(report)))
    }

    async fn clean(&self, request: Request<v1::CleanRequest>) -> Result<Response<v1::CleanResponse>, Status> {
        let cwd = PathBuf::from(request.into_inner().cwd);
        let removed = self.0.ask(move |_| clean(&cwd)).await??;
        let removed = removed.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Response::new(v1::CleanResponse { removed }))
    }
}

/// What tests to build, and which of them to run.
pub(super) fn parse_tests(
    service: &Service,
    options: Option<v1::BuildOptions>,
    tests: Option<v1::TestOptions>,
) -> Result<(BuildRequest, Choice), Refusal> {
    let v1::TestOptions { filters, exact, list, shuffle_seed, jobs, timeout, environment, examples: _ } =
        tests.unwrap_or_default();
    if filters.len() + environment.len() > STRINGS_MAX {
        return Err(Refusal::bad_field("tests.filters", "and `tests.environment` are too long"));
    }
    let env = environment_of(service, options.as_ref(), environment)?;
    let mut build = parse(service, options)?;
    let scratch = &service.identity.scratch;
    build.scratch = (!scratch.as_os_str().is_empty()).then(|| scratch.clone());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let choice = Choice {
        filters,
        exact,
        list,
        shuffle_seed,
        jobs: if jobs == 0 { processors } else { (jobs as usize).min(JOBS_MAX) },
        timeout: timeout.map_or(Ok(TIMEOUT), |timeout| convert::positive("tests.timeout", timeout))?,
        env,
        cwd: build.cwd.clone(),
    };
    Ok((build, choice))
}

/// What benchmarks to build, and which of them to run.
fn parse_benches(
    service: &Service,
    options: Option<v1::BuildOptions>,
    benches: Option<v1::MeasureOptions>,
) -> Result<(BuildRequest, Measure), Refusal> {
    let v1::MeasureOptions { filters, exact, list, sample, samples, timeout, environment } =
        benches.unwrap_or_default();
    let tests = v1::TestOptions { filters, exact, list, jobs: 1, environment, ..v1::TestOptions::default() };
    let (mut build, choice) = parse_tests(service, options, Some(tests))?;
    build.profile.get_or_insert_with(|| "release".to_owned());
    let timeout =
        timeout.map_or(Ok(BENCH_TIMEOUT), |timeout| convert::positive("benches.timeout", timeout))?;
    let measure = Measure {
        choice: Choice { timeout, ..choice },
        sample: sample.map_or(Ok(SAMPLE), |sample| convert::positive("benches.sample", sample))?,
        samples: if samples == 0 { SAMPLES } else { samples.min(SAMPLES_MAX) },
    };
    Ok((build, measure))
}

/// The driver's request, with the workspace it names looked up.
pub(super) fn parse(service: &Service, options: Option<v1::BuildOptions>) -> Result<BuildRequest, Refusal> {
    let name = options.as_ref().map(|options| options.workspace.as_str()).filter(|name| !name.is_empty());
    let workspace = name.map(|name| service.workspaces.get(name)).transpose()?;
    convert::build_request(options, workspace.as_ref())
}

/// `build hello.vit`
pub(super) fn title(verb: &str, build: &BuildRequest) -> String {
    format!("{verb} {}", build.entry.as_ref().unwrap_or(&build.cwd).display())
}

/// Removes the `target` folder of the package around `cwd`.
fn clean(cwd: &Path) -> Result<Option<PathBuf>, Refusal> {
    if !cwd.is_absolute() {
        return Err(Refusal::bad_field("cwd", "must be an absolute path"));
    }
    let package =
        cwd.ancestors().find(|folder| folder.join("vitte-package.json").is_file()).ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                "NOT_FOUND",
                format!("there is no package around `{}`", cwd.display()),
            )
            .help("`clean` works in a folder with a `vitte-package.json`, or below one")
        })?;
    let target = package.join("target");
    // A link may lead anywhere: the link goes, what it leads to stays. So it is with links inside.
    match vitte_sys::fs::remove_tree(&target) {
        Ok(()) => Ok(Some(target)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let source = error.into();
            Err(vitte_driver::DriverError::Io { operation: "remove", path: target, source }.into())
        }
    }
}
