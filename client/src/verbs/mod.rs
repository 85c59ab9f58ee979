//! The verbs.
mod bench;
mod build;
mod cache;
mod daemon;
mod doc;
mod fix;
mod fmt;
mod key;
mod modules;
mod package;
mod plugin;
mod run;
mod test;
mod watch;
mod why;

use std::env;
use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::system_service_client::SystemServiceClient;
use vitte_sys::rendezvous::{Environment, Rendezvous};

use crate::cli::{self, BuildArgs, Cli, Common, LintLevel, Verb};
use crate::connect::{self, Use};
use crate::failure::{Exit, Failure};
use crate::package as project;
use crate::render::human;
use crate::render::style::Theme;
use crate::report::{print_bytes, print_line};

pub use daemon::quick_status;

/// Does what the command line asks; the exit status.
pub fn run(cli: Cli) -> ExitCode {
    let theme = Theme::of_stderr(cli.common.color);
    match dispatch(cli) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            if !failure.message.is_empty() {
                let text = human::plain(&theme, &failure.message, &failure.help, &failure.output);
                // A closed standard error has no reader to tell.
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
            }
            ExitCode::from(failure.exit)
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let Cli { verb, common } = cli;
    match verb {
        Verb::Run(args) => block_on(run::run(&common, args)),
        Verb::Test(args) => block_on(test::test(&common, *args)),
        Verb::Check(args) if args.fix => block_on(fix::fix(&common, args.build)),
        Verb::Check(args) => block_on(build::check(&common, args.build, "check")),
        Verb::Bench(args) => block_on(bench::bench(&common, *args)),
        Verb::Doc(args) => block_on(doc::doc(&common, args)),
        Verb::Parse(args) => block_on(build::check(&common, args, "parse")),
        Verb::Build(args) => block_on(build::build(&common, args)),
        Verb::Emit(args) => block_on(build::emit(&common, args)),
        Verb::Watch(args) => block_on(watch::watch(&common, *args)),
        Verb::Why(args) => block_on(why::why(&common, args)),
        Verb::Fmt(args) => block_on(fmt::fmt(&common, args)),
        Verb::Explain { code } => block_on(explain(&common, code)),
        Verb::New(args) => {
            let name = project::create(&args.path, args.name.as_deref())?;
            print_line(&format!("created package `{name}` in `{}`", args.path.display())).map(|()| 0)
        }
        Verb::Init(args) => {
            let name = project::init(&current_folder()?, args.name.as_deref())?;
            print_line(&format!("created package `{name}`")).map(|()| 0)
        }
        Verb::Clean => block_on(clean(&common)),
        Verb::Cache(verb) => block_on(cache::run(&common, verb)),
        Verb::Load(args) => block_on(modules::load(&common, args)),
        Verb::Reload(args) => block_on(modules::reload(&common, args)),
        Verb::Unload { names, force } => block_on(modules::unload(&common, names, force)),
        Verb::Modules(args) => block_on(modules::modules(&common, args)),
        Verb::Inspect { file, grants } => block_on(modules::inspect(&common, &file, &grants)),
        Verb::Call(args) => block_on(modules::call(&common, args)),
        Verb::Targets => block_on(package::targets(&common)),
        Verb::Toolchains => block_on(package::toolchains(&common)),
        Verb::Buildkit(verb) => block_on(package::run(&common, verb)),
        Verb::Key(verb) => key::run(&common, verb),
        Verb::Plugin(verb) => block_on(plugin::run(&common, verb)),
        Verb::Doctor => block_on(doctor(&common)),
        Verb::Daemon(verb) => daemon::run(&common, verb),
        Verb::Version => print_line(&format!("vitte {}", env!("CARGO_PKG_VERSION"))).map(|()| 0),
        Verb::Help { verb } => match cli::help(verb.as_deref()) {
            Some(help) => print_bytes(help.as_bytes()).map(|()| 0),
            None => {
                Err(Failure::new(Exit::Usage, format!("there is no verb `{}`", verb.unwrap_or_default()))
                    .help("`vitte help` lists them"))
            }
        },
    }
}

/// Runs `work` on a runtime of one thread: all a client needs, and the quickest to start.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::InputOutput, format!("cannot start: {error}")))?;
    let result = runtime.block_on(work);
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    result
}

fn places() -> Rendezvous {
    Rendezvous::new(&Environment::of_this_process())
}

/// A channel to the service that the flags ask for.
async fn channel(common: &Common) -> Result<Channel, Failure> {
    let which = if common.no_daemon { Use::Private } else { Use::Resident };
    let theme = Theme::of_stderr(common.color);
    let mut say = |line: &str| {
        // A closed standard error has no reader to tell.
        let _ = writeln!(std::io::stderr().lock(), "{}: {line}", theme.bold("note"));
    };
    connect::connect(which, &places(), &mut say).await
}

fn current_folder() -> Result<PathBuf, Failure> {
    env::current_dir()
        .map_err(|error| Failure::new(Exit::InputOutput, format!("cannot find the current folder: {error}")))
}

/// A path for the wire, which carries UTF-8 only.
fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(Exit::BadInput, format!("the path `{}` is not UTF-8", path.display())).help("rename it")
    })
}

/// An argument for the wire.
fn argument(argument: OsString) -> Result<String, Failure> {
    argument.into_string().map_err(|argument| {
        Failure::new(Exit::Usage, format!("the argument `{}` is not UTF-8", argument.display()))
    })
}

/// The wire's options from the flags.
fn options(args: &BuildArgs) -> Result<v1::BuildOptions, Failure> {
    let BuildArgs {
        entry,
        src,
        out,
        target,
        profile,
        opt_level,
        disable_pass,
        allow: _,
        warn: _,
        deny: _,
        deny_warnings: _,
        stdlib_path,
        root,
        backend,
        linker,
        dry_run,
        check_cache,
        check_determinism,
        deterministic: _,
        cache_dir: _,
        lints,
    } = args;
    let optional =
        |path: Option<&PathBuf>| path.map(|path| text(path)).transpose().map(Option::unwrap_or_default);
    let opt_level = match opt_level {
        None => v1::OptLevel::Unspecified,
        Some(0) => v1::OptLevel::O0,
        Some(1) => v1::OptLevel::O1,
        Some(2) => v1::OptLevel::O2,
        Some(_) => v1::OptLevel::O3,
    };
    let lints = lints.iter().map(|(level, lint)| {
        let level = match level {
            LintLevel::Allow => v1::LintLevel::Allow,
            LintLevel::Warn => v1::LintLevel::Warn,
            LintLevel::Deny => v1::LintLevel::Deny,
        };
        v1::LintSetting { lint: lint.clone(), level: level.into() }
    });
    let cwd = current_folder()?;
    // The service has a working directory of its own.
    let root = root.as_ref().map(|root| cwd.join(root));
    let library = stdlib_path.as_ref().map(|library| cwd.join(library));
    Ok(v1::BuildOptions {
        entry: optional(entry.as_ref().or(src.as_ref()))?,
        cwd: text(&cwd)?,
        workspace: String::new(),
        root: optional(root.as_ref())?,
        library: optional(library.as_ref())?,
        output: optional(out.as_ref())?,
        target: target.clone().unwrap_or_default(),
        profile: profile.clone().unwrap_or_default(),
        opt_level: opt_level.into(),
        disabled_passes: disable_pass.clone(),
        linker: linker.clone().unwrap_or_default(),
        lints: lints.collect(),
        dry_run: *dry_run,
        check_cache: *check_cache,
        check_determinism: *check_determinism,
        without_digest: false,
        emit: String::new(),
        backend: backend.map(cli::BackendName::name).unwrap_or_default().to_owned(),
    })
}

/// What is compiled, in words.
fn subject(options: &v1::BuildOptions) -> &str {
    let folder = Path::new(&options.cwd).file_name().and_then(|name| name.to_str()).unwrap_or(&options.cwd);
    if options.entry.is_empty() { folder } else { &options.entry }
}

async fn explain(common: &Common, code: String) -> Result<u8, Failure> {
    let request = v1::ExplainRequest { code, language: common.lang.clone() };
    let answer = BuildServiceClient::new(channel(common).await?).explain(request).await?;
    let markdown = answer.into_inner().markdown;
    print_line(markdown.trim_end()).map(|()| 0)
}

async fn clean(common: &Common) -> Result<u8, Failure> {
    let request = v1::CleanRequest { cwd: text(&current_folder()?)?, request_id: String::new() };
    let removed = BuildServiceClient::new(channel(common).await?).clean(request).await?.into_inner().removed;
    let line = if removed.is_empty() { "nothing to remove".to_owned() } else { format!("removed {removed}") };
    print_line(&line).map(|()| 0)
}

async fn doctor(common: &Common) -> Result<u8, Failure> {
    let channel = channel(common).await?;
    let info = SystemServiceClient::new(channel.clone()).info(v1::InfoRequest {}).await?.into_inner();
    let answer = SystemServiceClient::new(channel).doctor(v1::DoctorRequest {}).await?.into_inner();
    let kind = if info.socket.is_empty() { "private".to_owned() } else { format!("at {}", info.socket) };
    let own = v1::Finding {
        subject: "service".into(),
        state: "ok".into(),
        detail: format!("version {}, process {}, {kind}", info.version, info.pid),
        ..Default::default()
    };
    let log =
        v1::Finding { subject: "log".into(), state: "ok".into(), detail: info.log, ..Default::default() };
    for v1::Finding { subject, state, detail, chosen, help } in [own, log].into_iter().chain(answer.findings)
    {
        if common.json {
            let line = serde_json::json!({"subject": subject, "state": state, "detail": detail, "chosen": chosen, "help": help});
            print_line(&line.to_string())?;
            continue;
        }
        let chosen = if chosen { " (chosen)" } else { "" };
        print_line(&format!("{state:>8}  {subject}: {detail}{chosen}"))?;
        if !help.is_empty() {
            print_line(&format!("          help: {help}"))?;
        }
    }
    Ok(0)
}
