//! `run`: the program's output as it comes, its input, its signals, its exit status.
use std::io::{self, Read, Write};
use std::thread;

use bytes::Bytes;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;
use vitte_proto::v1::program_exited::How;
use vitte_proto::v1::run_request::Input;
use vitte_proto::v1::run_service_client::RunServiceClient;

use super::build::TICK;
use super::{argument, channel, options, subject};
use crate::cli::{Common, RunArgs};
use crate::failure::{Exit, Failure};
use crate::report::{Report, Stdout, output_failure, print_line};

/// Pieces of standard input under way to the service.
const INPUT_QUEUE: usize = 8;
/// Pieces of output under way to the terminal.
const OUTPUT_QUEUE: usize = 8;
/// Bytes of one piece of standard input.
const INPUT_BYTES: usize = 32 * 1024;

const SIGINT: u32 = 2;
const SIGABRT: u32 = 6;
const SIGKILL: u32 = 9;
const SIGSEGV: u32 = 11;
const SIGPIPE: u32 = 13;
const SIGTERM: u32 = 15;
const SIGHUP: u32 = 1;

/// `vitte run`.
///
/// # Errors
/// When the program could not be run for another reason than errors in it.
pub async fn run(common: &Common, args: RunArgs) -> Result<u8, Failure> {
    let RunArgs { build, hot, timeout, args } = args;
    let options = options(&build)?;
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Programs, &options.cwd);
    let cwd = options.cwd.clone();
    let timeout = timeout.map(|timeout| prost_types::Duration {
        seconds: timeout.as_secs() as i64,
        nanos: timeout.subsec_nanos() as i32,
    });
    let start = v1::RunStart {
        options: Some(options),
        args: args.into_iter().map(argument).collect::<Result<_, _>>()?,
        environment: environment(),
        cwd,
        timeout,
        forward_stdin: true,
        request_id: String::new(),
        on_disconnect: v1::OnDisconnect::Cancel.into(),
        hot,
    };
    let channel = channel(common).await?;
    let (requests, queue) = mpsc::channel(INPUT_QUEUE);
    let first = v1::RunRequest { input: Some(Input::Start(start)) };
    // The queue is empty and its reader is right below.
    let _ = requests.try_send(first);
    let signals = Signals::watch()?;
    let stream = RunServiceClient::new(channel.clone()).run(ReceiverStream::new(queue)).await?.into_inner();
    let exited =
        Session { channel, requests, signals, operation: String::new(), generation: 0, interrupts: 0 }
            .follow(stream, &mut report, common.json)
            .await?;
    if let Some(how) = exited {
        return Ok(exit_status(how, &mut report));
    }
    let outcome = report.summary("run", &subject).clone();
    if outcome.exit() == Exit::Ok as u8 && build.dry_run && report.speaks_to_people() {
        print_line(outcome.finished.plan.trim_end())?;
    }
    Ok(outcome.exit())
}

/// Our own environment for the program. What is not UTF-8 cannot travel and stays behind.
pub(super) fn environment() -> Vec<v1::EnvironmentVariable> {
    let utf8 = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    utf8.map(|(name, value)| v1::EnvironmentVariable { name, value }).collect()
}

fn exit_status(how: How, report: &mut Report) -> u8 {
    match how {
        How::Code(code) => code as u8,
        How::Signal(signal) => {
            // Those that the user sends, and a closed pipe, need no explanation.
            // A program that aborts has said why.
            if !matches!(signal, SIGINT | SIGPIPE | SIGTERM | SIGHUP | SIGABRT) {
                let text = format!(
                    "{}: the program was ended by signal {signal}{}",
                    report.theme().error("error"),
                    name(signal)
                );
                report.say(&text);
            }
            if signal == SIGSEGV {
                let help = report.theme().help("help");
                report.say(&format!("{help}: a very deep recursion overflows the stack"));
            }
            128_u8.saturating_add(signal as u8)
        }
        How::TimedOut(_) => {
            let text = format!("{}: the program ran over its time limit", report.theme().error("error"));
            report.say(&text);
            Exit::TryAgain as u8
        }
    }
}

fn name(signal: u32) -> &'static str {
    match signal {
        4 => " (SIGILL, illegal instruction)",
        7 => " (SIGBUS, bad memory access)",
        8 => " (SIGFPE, arithmetic)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV, bad memory access)",
        24 => " (SIGXCPU, processor time limit)",
        25 => " (SIGXFSZ, file size limit)",
        31 => " (SIGSYS, forbidden system call)",
        _ => "",
    }
}

/// The signals that are the program's business while it runs.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    window: Signal,
}

impl Signals {
    fn watch() -> Result<Self, Failure> {
        let watch = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(Exit::InputOutput, format!("cannot watch signals: {error}")))
        };
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
            hang_up: watch(SignalKind::hangup())?,
            window: watch(SignalKind::window_change())?,
        })
    }

    /// The number of the next signal; `None` for a new window size.
    async fn next(&mut self) -> Option<u32> {
        tokio::select! {
            _ = self.interrupt.recv() => Some(SIGINT),
            _ = self.terminate.recv() => Some(SIGTERM),
            _ = self.hang_up.recv() => Some(SIGHUP),
            _ = self.window.recv() => None,
        }
    }
}

/// A run that goes on.
struct Session {
    channel: Channel,
    requests: mpsc::Sender<v1::RunRequest>,
    signals: Signals,
    operation: String,
    /// How often the program has become another; 0 before it runs, 1 for what was started.
    generation: u64,
    interrupts: u32,
}

impl Session {
    /// Follows the run to its end; how the program ended, if it ever began.
    async fn follow(
        mut self,
        mut stream: tonic::Streaming<v1::RunResponse>,
        report: &mut Report,
        json: bool,
    ) -> Result<Option<How>, Failure> {
        let mut output = Some(Output::start());
        let mut pending: Option<v1::ProgramOutput> = None;
        let mut exited = None;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let writer = output.as_ref().map(|output| output.pieces.clone());
            tokio::select! {
                // A terminal that does not take output must not keep signals or the end from us.
                signal = self.signals.next() => self.signal(signal).await?,
                room = reserve(writer), if pending.is_some() => match (room, pending.take()) {
                    (Ok(room), Some(piece)) => drop(room.send(piece)),
                    // The writer is gone: whoever read our output is. Leaving ends the program.
                    (Err(_), _) => return Err(output.take().map_or(Failure::silent(0), Output::finish_failed)),
                    (Ok(_), None) => {}
                },
                response = stream.message(), if pending.is_none() => {
                    let Some(response) = response.inspect_err(|_| report.clear_progress())? else { break };
                    let Some(event) = response.event else { continue };
                    self.operation.clone_from(&event.operation);
                    match &event.kind {
                        Some(Kind::ProgramStarted(_)) => {
                            report.clear_progress();
                            // Once: what is read later is for the process that runs then.
                            if std::mem::replace(&mut self.generation, 1) == 0 {
                                forward_stdin(self.requests.clone())?;
                            }
                        }
                        Some(Kind::ProgramSwapped(swapped)) => {
                            self.generation = swapped.generation;
                            if report.speaks_to_people() {
                                report.say(&describe_swap(swapped));
                            }
                        }
                        Some(Kind::ProgramRestarting(restarting)) if report.speaks_to_people() => {
                            report.say(&format!("hot: restarted: {}", restarting.reason));
                        }
                        Some(Kind::Note(note)) if self.generation > 0 && report.speaks_to_people() => {
                            report.say(&format!("hot: {}", note.message));
                        }
                        Some(Kind::BuildFinished(finished)) if self.generation > 0 => {
                            let (errors, generation) = (finished.errors, self.generation);
                            report.event(event)?;
                            if errors > 0 && report.speaks_to_people() {
                                let errors = if errors == 1 { "1 error".into() } else { format!("{errors} errors") };
                                report.say(&format!("hot: {errors}; generation {generation} runs on"));
                            }
                            report.begin_again();
                            continue;
                        }
                        Some(Kind::ProgramOutput(piece)) if !json => {
                            pending = Some(piece.clone());
                            continue;
                        }
                        Some(Kind::ProgramExited(v1::ProgramExited { how })) => exited = *how,
                        Some(_) | None => {}
                    }
                    report.event(event)?;
                }
                _ = tick.tick(), if self.generation == 0 => report.tick(),
            }
        }
        if let Some(output) = output {
            output.finish()?;
        }
        Ok(exited)
    }

    /// Hands a signal on. Before the program runs it ends us, and with us the build.
    async fn signal(&mut self, signal: Option<u32>) -> Result<(), Failure> {
        let Some(mut signal) = signal else {
            let size = vitte_sys::terminal::size(io::stdout());
            let size =
                size.map(|size| v1::TerminalSize { rows: size.rows.into(), columns: size.columns.into() });
            if let Some(size) = size.filter(|_| self.generation > 0) {
                // A full queue means that the program does not read its input; it will not miss a resize.
                let _ = self.requests.try_send(v1::RunRequest { input: Some(Input::Resize(size)) });
            }
            return Ok(());
        };
        if self.generation == 0 {
            return Err(Failure::silent(128 + signal as u8));
        }
        if signal == SIGINT {
            self.interrupts += 1;
            if self.interrupts > 1 {
                signal = SIGKILL;
            }
        }
        let request =
            v1::SignalRequest { operation: self.operation.clone(), signal, request_id: String::new() };
        // The program may have ended a moment ago; the stream will tell.
        let _ = RunServiceClient::new(self.channel.clone()).signal(request).await;
        Ok(())
    }
}

/// One line for each swap.
fn describe_swap(swapped: &v1::ProgramSwapped) -> String {
    let v1::ProgramSwapped { generation, procedures, moved, elapsed } = swapped;
    let elapsed = elapsed.unwrap_or_default();
    let milliseconds = elapsed.seconds * 1000 + i64::from(elapsed.nanos) / 1_000_000;
    let what = match (procedures, moved) {
        (0, 1) => "1 procedure moved in its file".to_owned(),
        (0, moved) => format!("{moved} procedures moved in their files"),
        (1, _) => "1 procedure swapped".to_owned(),
        (procedures, _) => format!("{procedures} procedures swapped"),
    };
    format!("hot: generation {generation}: {what} in {milliseconds} ms")
}

async fn reserve(
    pieces: Option<mpsc::Sender<v1::ProgramOutput>>,
) -> Result<mpsc::OwnedPermit<v1::ProgramOutput>, ()> {
    pieces.ok_or(())?.reserve_owned().await.map_err(|_| ())
}

/// The thread that writes to the terminal, which may block for as long as it likes.
pub(super) struct Output {
    pieces: mpsc::Sender<v1::ProgramOutput>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Output {
    pub(super) fn start() -> Self {
        let (pieces, mut queue) = mpsc::channel::<v1::ProgramOutput>(OUTPUT_QUEUE);
        let thread = thread::spawn(move || {
            while let Some(piece) = queue.blocking_recv() {
                match piece.stream() {
                    v1::OutputStream::Stderr => {
                        // A closed standard error is no reason to end the program.
                        let _ = io::stderr().lock().write_all(&piece.data);
                    }
                    v1::OutputStream::Stdout | v1::OutputStream::Unspecified => {
                        let mut stdout = io::stdout().lock();
                        stdout.write_all(&piece.data)?;
                        stdout.flush()?;
                    }
                }
            }
            Ok(())
        });
        Self { pieces, thread }
    }

    /// Queues a piece, behind others when the terminal is slow; false when nothing more can be written.
    pub(super) async fn send(&self, piece: v1::ProgramOutput) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) -> Result<(), Failure> {
        drop(self.pieces);
        match self.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(output_failure(&error)),
            Err(_) => Err(Failure::new(Exit::Internal, "internal error: the output thread panicked")),
        }
    }

    /// Why nothing more can be written.
    pub(super) fn finish_failed(self) -> Failure {
        self.finish()
            .err()
            .unwrap_or_else(|| Failure::new(Exit::InputOutput, "cannot write to standard output"))
    }
}

/// Sends our standard input to the program, from a thread: reading it cannot be given up half-way.
fn forward_stdin(requests: mpsc::Sender<v1::RunRequest>) -> Result<(), Failure> {
    let forward = move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; INPUT_BYTES];
        loop {
            let count = match stdin.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // As good as its end: there is no more to be had.
                Err(_) => 0,
            };
            let data = Bytes::copy_from_slice(&buffer[..count]);
            let piece = v1::StdinData { data, end: count == 0 };
            let sent = requests.blocking_send(v1::RunRequest { input: Some(Input::Stdin(piece)) });
            if sent.is_err() || count == 0 {
                return;
            }
        }
    };
    let spawned = thread::Builder::new().name("stdin".into()).spawn(forward);
    spawned
        .map(drop)
        .map_err(|error| Failure::new(Exit::InputOutput, format!("cannot start a thread: {error}")))
}
