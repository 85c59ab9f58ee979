//! `WatchService`.
use std::path::PathBuf;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use vitte_driver::RunSpec;
use vitte_proto::v1;
use vitte_proto::v1::watch_service_server::WatchService;

use super::build::{parse, parse_tests, title};
use super::run::{STRINGS_MAX, environment_of, text};
use super::stream::{ResponseStream, deadline, events};
use crate::convert;
use crate::operation::{NewOperation, OperationKind};
use crate::rebuild::{Goal, Job, WhenRebuilt, rebuild};
use crate::service::Service;
use crate::status::Refusal;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct WatchApi(pub Arc<Service>);

#[tonic::async_trait]
impl WatchService for WatchApi {
    type RebuildStream = ResponseStream<v1::RebuildResponse>;

    async fn rebuild(
        &self,
        request: Request<v1::RebuildRequest>,
    ) -> Result<Response<Self::RebuildStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let message = request.into_inner();
        let when_unwatched = convert::when_unwatched(message.on_disconnect());
        let request_id = message.request_id.clone();
        let (verb, job) = job(&self.0, message)?;
        let new = NewOperation {
            kind: OperationKind::Rebuild,
            title: format!("watch {}", title(verb, &job.build)),
            request_id,
            when_unwatched,
        };
        let subscription =
            self.0.begin(new, deadline, |service, operation, _| rebuild(service, operation, job))?;
        Ok(Response::new(events(subscription, |event| v1::RebuildResponse { event: Some(event) })))
    }
}

/// What is asked, and its verb.
fn job(service: &Arc<Service>, message: v1::RebuildRequest) -> Result<(&'static str, Job), Refusal> {
    let (goal, when_rebuilt) = (message.goal(), message.when_rebuilt());
    let v1::RebuildRequest { options, args, environment, cwd, tests, .. } = message;
    if options.as_ref().is_some_and(|options| options.dry_run) {
        return Err(Refusal::bad_field("options.dry_run", "is of no use in watch mode"));
    }
    let mut build = parse(service, options.clone())?;
    let (verb, goal) = match goal {
        v1::RebuildGoal::Unspecified => return Err(Refusal::bad_field("goal", "is missing")),
        v1::RebuildGoal::Check => ("check", Goal::Check),
        v1::RebuildGoal::Build => ("build", Goal::Build),
        v1::RebuildGoal::Run => {
            if args.len() + environment.len() > STRINGS_MAX {
                return Err(Refusal::bad_field("args", "and `environment` are too long"));
            }
            let args = args.into_iter().map(|arg| text("args", arg)).collect::<Result<Vec<_>, _>>()?;
            let env = environment_of(service, options.as_ref(), environment)?;
            let cwd = if cwd.is_empty() { build.cwd.clone() } else { PathBuf::from(cwd) };
            if !cwd.is_absolute() {
                return Err(Refusal::bad_field("cwd", "must be an absolute path"));
            }
            let scratch = &service.identity.scratch;
            build.scratch = (!scratch.as_os_str().is_empty()).then(|| scratch.clone());
            let when_rebuilt = match when_rebuilt {
                v1::WhenRebuilt::Unspecified | v1::WhenRebuilt::Restart => WhenRebuilt::Restart,
                v1::WhenRebuilt::Keep => WhenRebuilt::Keep,
            };
            let spec = RunSpec { executable: PathBuf::new(), args, env, cwd, timeout: None };
            ("run", Goal::Run { spec, when_rebuilt })
        }
        v1::RebuildGoal::Test => {
            let (tests_of, choice) = parse_tests(service, options, tests)?;
            build = tests_of;
            ("test", Goal::Test(choice))
        }
    };
    Ok((verb, Job { build, goal }))
}
