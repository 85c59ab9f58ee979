//! `PackageService`.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Response, Status};
use vitte_buildkit::{BuildKit, Format, MadeFile, Progress, Toolchains, bench};
use vitte_driver::{DriverError, Event};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;
use vitte_proto::v1::package_service_server::PackageService;

use super::stream::{ResponseStream, deadline, events};
use crate::convert;
use crate::operation::{NewOperation, OperationKind, Subscription, WhenUnwatched};
use crate::service::Service;
use crate::status::Refusal;

/// What is kept of the search for tools, beside the store.
const TOOLCHAINS: &str = "toolchains.json";

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct PackagesApi(pub Arc<Service>);

/// What is made of a package.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Packages,
    Program,
    Archives,
}

#[tonic::async_trait]
impl PackageService for PackagesApi {
    type PackageStream = ResponseStream<v1::PackageResponse>;
    type CrossStream = ResponseStream<v1::CrossResponse>;
    type ExportStream = ResponseStream<v1::ExportResponse>;

    async fn list_targets(
        &self,
        _: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        let targets = self.0.ask(|_| vitte_buildkit::targets()).await?;
        let targets = targets.into_iter().map(|target| v1::Target {
            name: target.name,
            aliases: target.aliases,
            triple: target.triple,
            format: target.format,
            pointer_width: target.pointer_width.into(),
            libc: target.libc,
            features: target.features,
            host: target.host,
            runner: target.runner,
            runner_path: target.runner_path,
            missing: target.missing,
        });
        Ok(Response::new(v1::ListTargetsResponse { targets: targets.collect() }))
    }

    async fn list_toolchains(
        &self,
        _: Request<v1::ListToolchainsRequest>,
    ) -> Result<Response<v1::ListToolchainsResponse>, Status> {
        let kept = self.0.store.folder().with_file_name(TOOLCHAINS);
        let found = self.0.ask(move |_| Toolchains::detect_kept(&kept)).await?;
        let toolchains = found.all.into_iter().map(|tool| v1::Toolchain {
            name: tool.name,
            kind: tool.kind,
            path: tool.path,
            version: tool.version,
            reason: tool.reason,
            chosen: tool.chosen,
            found: tool.found,
        });
        Ok(Response::new(v1::ListToolchainsResponse { toolchains: toolchains.collect() }))
    }

    async fn package(
        &self,
        request: Request<v1::PackageRequest>,
    ) -> Result<Response<Self::PackageStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let v1::PackageRequest { options, request_id } = request.into_inner();
        let subscription = self.begin(options, request_id, deadline, Goal::Packages)?;
        Ok(Response::new(events(subscription, |event| v1::PackageResponse { event: Some(event) })))
    }

    async fn cross(&self, request: Request<v1::CrossRequest>) -> Result<Response<Self::CrossStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let v1::CrossRequest { options, request_id } = request.into_inner();
        let subscription = self.begin(options, request_id, deadline, Goal::Program)?;
        Ok(Response::new(events(subscription, |event| v1::CrossResponse { event: Some(event) })))
    }

    async fn export(
        &self,
        request: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let v1::ExportRequest { options, request_id } = request.into_inner();
        let subscription = self.begin(options, request_id, deadline, Goal::Archives)?;
        Ok(Response::new(events(subscription, |event| v1::ExportResponse { event: Some(event) })))
    }

    async fn bench(&self, request: Request<v1::BenchRequest>) -> Result<Response<v1::BenchResponse>, Status> {
        let v1::BenchRequest { folder, targets, profile } = request.into_inner();
        let folder = absolute("folder", &folder)?;
        let profile = if profile.is_empty() { "release".to_owned() } else { profile };
        let measure = move |_: &vitte_driver::Driver| {
            bench::Report::measure(&vitte_driver::Driver::default, &folder, &targets, &profile)
        };
        let report = self.0.ask(measure).await?.map_err(Refusal::from)?;
        let report = serde_json::to_string(&report).map_err(|error| Refusal::internal(&error.to_string()))?;
        Ok(Response::new(v1::BenchResponse { report }))
    }
}

fn absolute(field: &str, path: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(path);
    if path.is_absolute() { Ok(path) } else { Err(Refusal::bad_field(field, "must be an absolute path")) }
}

impl PackagesApi {
    fn begin(
        &self,
        options: Option<v1::PackageOptions>,
        request_id: String,
        deadline: Option<Duration>,
        goal: Goal,
    ) -> Result<Subscription, Status> {
        let options = options.ok_or_else(|| Refusal::bad_field("options", "is missing"))?;
        let v1::PackageOptions {
            cwd,
            package,
            target,
            profile,
            out,
            formats,
            key,
            key_password,
            source_date,
            openpgp_key,
        } = options;
        let cwd = absolute("options.cwd", &cwd)?;
        let out = absolute("options.out", &out)?;
        let formats = match (goal, formats.is_empty()) {
            (Goal::Archives, true) => vec![Format::TarGz.name().to_owned()],
            _ => formats,
        };
        if goal == Goal::Archives
            && let Some(other) =
                formats.iter().find(|name| vitte_buildkit::archive::Archive::named(name).is_none())
        {
            return Err(Refusal::bad_field(
                "options.formats",
                &format!("holds `{other}`, which is no archive"),
            )
            .into());
        }
        let mut kit = BuildKit::new()
            .in_folder(cwd)
            .target(target)
            .profile(if profile.is_empty() { "release".to_owned() } else { profile })
            .formats(formats)
            .source_date(Some(source_date));
        if !key.is_empty() {
            let password = Some(key_password).filter(|password| !password.is_empty());
            kit = kit.sign_with(absolute("options.key", &key)?, password);
        }
        if !openpgp_key.is_empty() {
            kit = kit.sign_rpm_with(absolute("options.openpgp_key", &openpgp_key)?);
        }
        let verb = match goal {
            Goal::Packages => "package",
            Goal::Program => "cross",
            Goal::Archives => "export",
        };
        let shown = if package.is_empty() { "." } else { package.as_str() };
        let title = format!("{verb} {shown}");
        let new = NewOperation {
            kind: OperationKind::Package,
            title,
            request_id,
            when_unwatched: WhenUnwatched::Cancel,
        };
        Ok(self.0.begin(new, deadline, move |service, operation, _| async move {
            let worker = Arc::clone(&operation);
            let tell = move |progress| {
                if let Some(kind) = describe(progress) {
                    worker.emit(kind);
                }
            };
            let outcome = service
                .drive(&operation, move |driver, _, cancel| {
                    let kit = match kit.package(Path::new(&package)) {
                        Ok(kit) => kit.on_progress(tell).cancelled_by(cancel.clone()),
                        Err(error) => return Ok(Err(error)),
                    };
                    let made = match goal {
                        Goal::Packages | Goal::Archives => kit.build_and_export_by(driver, &out),
                        Goal::Program => kit.cross_by(driver, &out),
                    };
                    match made {
                        Err(vitte_buildkit::Error::Build(DriverError::Cancelled)) => {
                            Err(DriverError::Cancelled)
                        }
                        made => Ok(made),
                    }
                })
                .await?;
            let errors = match outcome {
                Ok(_) => 0,
                // The diagnostics have been told.
                Err(vitte_buildkit::Error::Program(errors)) => errors,
                Err(error) => return Err(error.into()),
            };
            operation.emit(Kind::BuildFinished(v1::BuildFinished { errors, ..Default::default() }));
            Ok(())
        })?)
    }
}

/// Progress as an event; `None` for what only the build itself is about.
fn describe(progress: Progress) -> Option<Kind> {
    match progress {
        // The program is on its way into a package: where it is meanwhile is of no use to anybody.
        Progress::Build(Event::Artifact { .. }) => None,
        Progress::Build(event) => Some(convert::event(event)),
        Progress::Step { step, detail } => {
            let message = format!("{step} {detail}").trim_end().to_owned();
            Some(Kind::Note(v1::Note { message }))
        }
        Progress::File(MadeFile { path, sha256, size }) => Some(Kind::Artifact(v1::Artifact {
            kind: "package".to_owned(),
            path: path.to_string_lossy().into_owned(),
            sha256,
            size_bytes: size,
        })),
    }
}
