//! `RunService`.
use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};
use vitte_driver::RunSpec;
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;
use vitte_proto::v1::run_service_server::RunService;
use vitte_proto::v1::{attach_request, run_request};

use super::build::{parse, title};
use super::page::{number_key, page};
use super::stream::{ResponseStream, deadline, events};
use crate::convert;
use crate::hot::run_hot;
use crate::operation::{NewOperation, Operation, OperationKind, StdinPiece, Subscription};
use crate::program::{self, Stdin};
use crate::service::Service;
use crate::status::Refusal;
use crate::workspaces::Trust;

/// Most arguments and environment variables together; execve would refuse more bytes anyway.
pub(super) const STRINGS_MAX: usize = 65_536;
/// SIGWINCH
const WINDOW_CHANGED: u32 = 28;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct Run(pub Arc<Service>);

/// What a client sends after the first request, on `Run` and `Attach` alike.
enum Input {
    Stdin(StdinPiece),
    Signal(u32),
}

#[tonic::async_trait]
impl RunService for Run {
    type RunStream = ResponseStream<v1::RunResponse>;
    type AttachStream = ResponseStream<v1::AttachResponse>;

    async fn run(
        &self,
        request: Request<Streaming<v1::RunRequest>>,
    ) -> Result<Response<Self::RunStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let mut requests = request.into_inner();
        let first = requests.next().await.transpose()?.and_then(|request| request.input);
        let Some(run_request::Input::Start(start)) = first else {
            return Err(Refusal::bad_field("start", "must be the first request").into());
        };
        let subscription = start_run(&self.0, start, deadline)?;
        let inputs = requests.filter_map(|request| match request {
            Ok(request) => Some(match request.input? {
                run_request::Input::Start(_) => Err(again("start")),
                run_request::Input::Stdin(v1::StdinData { data, end }) => {
                    Ok(Input::Stdin(StdinPiece { data, end }))
                }
                run_request::Input::Resize(_) => Ok(Input::Signal(WINDOW_CHANGED)),
                run_request::Input::Signal(signal) => Ok(Input::Signal(signal)),
            }),
            Err(status) => Some(Err(status)),
        });
        let stream = with_input(subscription, inputs, |event| v1::RunResponse { event: Some(event) });
        Ok(Response::new(stream))
    }

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut requests = request.into_inner();
        let first = requests.next().await.transpose()?.and_then(|request| request.input);
        let Some(attach_request::Input::Attach(v1::AttachStart { operation, after_sequence })) = first else {
            return Err(Refusal::bad_field("attach", "must be the first request").into());
        };
        let operation = self.0.operations.get(&operation)?;
        if operation.kind() != OperationKind::Run {
            return Err(Refusal::bad_field("attach.operation", "must be a run").into());
        }
        let inputs = requests.filter_map(|request| match request {
            Ok(request) => Some(match request.input? {
                attach_request::Input::Attach(_) => Err(again("attach")),
                attach_request::Input::Stdin(v1::StdinData { data, end }) => {
                    Ok(Input::Stdin(StdinPiece { data, end }))
                }
                attach_request::Input::Resize(_) => Ok(Input::Signal(WINDOW_CHANGED)),
                attach_request::Input::Signal(signal) => Ok(Input::Signal(signal)),
            }),
            Err(status) => Some(Err(status)),
        });
        let subscription = operation.subscribe(after_sequence);
        let stream = with_input(subscription, inputs, |event| v1::AttachResponse { event: Some(event) });
        Ok(Response::new(stream))
    }

    async fn signal(
        &self,
        request: Request<v1::SignalRequest>,
    ) -> Result<Response<v1::SignalResponse>, Status> {
        let v1::SignalRequest { operation, signal, request_id: _ } = request.into_inner();
        self.0.operations.get(&operation)?.send_signal(signal)?;
        Ok(Response::new(v1::SignalResponse {}))
    }

    async fn list_runs(
        &self,
        request: Request<v1::ListRunsRequest>,
    ) -> Result<Response<v1::ListRunsResponse>, Status> {
        let v1::ListRunsRequest { page_size, page_token } = request.into_inner();
        let runs = self.0.operations.list().into_iter();
        let runs = runs.filter_map(|(number, operation)| Some((number, operation.describe_run()?)));
        let (runs, next_page_token) = page(runs, page_size, &page_token, |&(number, _)| number_key(number))?;
        let runs = runs.into_iter().map(|(_, run)| run).collect();
        Ok(Response::new(v1::ListRunsResponse { runs, next_page_token }))
    }
}

fn again(field: &str) -> Status {
    Refusal::bad_field(field, "may be sent only once").into()
}

fn start_run(
    service: &Arc<Service>,
    start: v1::RunStart,
    deadline: Option<Duration>,
) -> Result<Subscription, Refusal> {
    let when_unwatched = convert::when_unwatched(start.on_disconnect());
    let v1::RunStart {
        options,
        args,
        environment,
        cwd,
        timeout,
        forward_stdin,
        request_id,
        on_disconnect: _,
        hot,
    } = start;
    if args.len() + environment.len() > STRINGS_MAX {
        return Err(Refusal::bad_field("start.args", "and `start.environment` are too long"));
    }
    let args = args.into_iter().map(|arg| text("start.args", arg)).collect::<Result<Vec<_>, _>>()?;
    let environment = environment_of(service, options.as_ref(), environment)?;
    let timeout = timeout.map(|timeout| convert::positive("start.timeout", timeout)).transpose()?;
    let stdin = if forward_stdin { Stdin::Forwarded } else { Stdin::Empty };
    let mut build = parse(service, options)?;
    let scratch = &service.identity.scratch;
    build.scratch = (!scratch.as_os_str().is_empty()).then(|| scratch.clone());
    let cwd = if cwd.is_empty() { build.cwd.clone() } else { PathBuf::from(cwd) };
    if !cwd.is_absolute() {
        return Err(Refusal::bad_field("start.cwd", "must be an absolute path"));
    }
    let new =
        NewOperation { kind: OperationKind::Run, title: title("run", &build), request_id, when_unwatched };
    if hot {
        let spec = RunSpec { executable: PathBuf::new(), args, env: environment, cwd, timeout };
        return service.begin(new, deadline, |service, operation, input| {
            run_hot(service, operation, build, spec, stdin, input)
        });
    }
    service.begin(new, deadline, |service, operation, mut input| async move {
        let building =
            service.drive(&operation, move |driver, sink, cancel| driver.build(&build, sink, cancel));
        let outcome = tokio::select! {
            outcome = building => outcome?,
            // Nothing runs yet that could catch a signal.
            Some(signal) = program::fatal(&mut input.signals) => {
                return Err(program::ended_early(&operation, signal));
            }
        };
        let executable = outcome.executable.clone().filter(|_| outcome.errors == 0);
        operation.emit(Kind::BuildFinished(convert::outcome(outcome)));
        let Some(executable) = executable else { return Ok(()) };
        let spec = RunSpec { executable, args, env: environment, cwd, timeout };
        program::run(&operation, spec, stdin, input).await
    })
}

pub(super) fn text(field: &str, value: String) -> Result<OsString, Refusal> {
    if value.contains('\0') {
        Err(Refusal::bad_field(field, "must not contain NUL"))
    } else {
        Ok(value.into())
    }
}

/// The program's whole environment. A workspace that is not trusted may not run at all.
pub(super) fn environment_of(
    service: &Service,
    options: Option<&v1::BuildOptions>,
    given: Vec<v1::EnvironmentVariable>,
) -> Result<Vec<(OsString, OsString)>, Refusal> {
    let workspace = options.map(|options| options.workspace.as_str()).filter(|name| !name.is_empty());
    let workspace = workspace.map(|name| service.workspaces.get(name)).transpose()?;
    match workspace.as_ref().map(|workspace| workspace.trust) {
        Some(Trust::Restricted) => {
            return Err(Refusal::new(
                Code::PermissionDenied,
                "WORKSPACE_NOT_TRUSTED",
                "programs of this workspace may not run, because it is not trusted",
            )
            .help("open it with `TRUST_TRUSTED` if you trust its code"));
        }
        Some(Trust::Trusted) | None => {}
    }
    if !given.is_empty() {
        let given = given.into_iter().map(|v1::EnvironmentVariable { name, value }| {
            if name.is_empty() || name.contains('=') {
                return Err(Refusal::bad_field("start.environment.name", "must be a name without `=`"));
            }
            Ok((text("start.environment.name", name)?, text("start.environment.value", value)?))
        });
        return given.collect();
    }
    let allowed = workspace.map(|workspace| workspace.environment_allow_list).unwrap_or_default();
    let names = ["PATH", "HOME"].into_iter().map(str::to_owned).chain(allowed);
    Ok(names.filter_map(|name| Some((OsString::from(&name), std::env::var_os(&name)?))).collect())
}

/// The operation's events; the client's input is taken while they are read.
fn with_input<R: Send + 'static>(
    subscription: Subscription,
    inputs: impl Stream<Item = Result<Input, Status>> + Send + 'static,
    wrap: fn(v1::Event) -> R,
) -> ResponseStream<R> {
    let operation = Arc::clone(subscription.operation());
    let pump = async move { take_input(&operation, inputs).await };
    let events = events(subscription, wrap);
    Box::pin(Joined { events, pump: Some(Box::pin(pump)) })
}

/// Takes input until the client stops sending; what the client got wrong is noted on the operation.
async fn take_input(operation: &Operation, inputs: impl Stream<Item = Result<Input, Status>>) {
    tokio::pin!(inputs);
    while let Some(input) = inputs.next().await {
        match input {
            Ok(Input::Stdin(piece)) => operation.send_stdin(piece).await,
            Ok(Input::Signal(signal)) => {
                if let Err(refusal) = operation.send_signal(signal) {
                    operation.emit(Kind::Note(v1::Note { message: refusal.message }));
                }
            }
            // The connection is gone, or the request was malformed: the reader of the events learns the same.
            Err(_) => return,
        }
    }
    // No more requests means no more standard input.
    operation.send_stdin(StdinPiece { data: bytes::Bytes::new(), end: true }).await;
}

/// A response stream that drives the taking of input whenever it is polled: no task of its own to own.
struct Joined<R> {
    events: ResponseStream<R>,
    pump: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<R> Stream for Joined<R> {
    type Item = Result<R, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(pump) = &mut this.pump
            && pump.as_mut().poll(cx).is_ready()
        {
            this.pump = None;
        }
        this.events.as_mut().poll_next(cx)
    }
}
