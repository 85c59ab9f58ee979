//! `vitted`, the resident service of the Vitte language.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use vitte_driver::Driver;
use vitte_loader::plugin::Plugins;
use vitte_loader::{CacheOptions, LoaderConfig, ModuleLoader, NativeOptions, Workers};
use vitte_store::{IndexUse, Store};
use vitte_sys::rendezvous::{self, Environment, Rendezvous};
use vitte_sys::sandbox::Rung;
use vitte_sys::service::{self, Activated, Notifier};
use vitted::config::Config;
use vitted::endpoint::{self, Endpoint, EndpointError, ServiceLock};
use vitted::service::{Identity, Service};
use vitted::watcher::{Watcher, WatcherOptions};
use vitted::{logging, manager, plugins, server, upkeep};

/// sysexits: the service is there already, or its place cannot be used.
const EXIT_UNAVAILABLE: u8 = 69;
/// sysexits: our own fault.
const EXIT_INTERNAL: u8 = 70;
/// sysexits: the settings are wrong.
const EXIT_CONFIG: u8 = 78;

/// The resident service of the Vitte language. `vitte` starts it when it is needed.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    /// Serve one client on the connected socket that is standard input, and end with it
    #[arg(long, conflicts_with = "lock_stdin")]
    private: bool,
    /// Standard input is the lock file, already locked for us
    #[arg(long)]
    lock_stdin: bool,
    /// Leave the terminal's session and say `ready` or `failed: WHY` on standard output
    #[arg(long)]
    detach: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this process is, if not the service.
#[derive(Subcommand)]
enum Role {
    /// Run one piece of work in a process of its own (started by the service itself)
    #[command(hide = true, name = "worker")]
    Link,
    /// Compile one module in a process of its own (started by the service itself)
    #[command(hide = true)]
    CompileModule,
    /// Run one native library in a process of its own (started by the service itself)
    #[command(hide = true)]
    RunLibrary,
}

fn main() -> ExitCode {
    let Cli { private, lock_stdin, detach, role } = Cli::parse();
    match role {
        Some(Role::Link) => return vitte_driver::worker_main(),
        Some(Role::CompileModule) => return vitte_loader::worker_main(),
        Some(Role::RunLibrary) => return vitte_loader::runner_main(),
        None => {}
    }
    // Taken before anything is opened, so that nothing else can get these numbers.
    let activated = match service::activated() {
        Ok(activated) => activated,
        Err(error) => return fail(&anyhow::Error::from(error), &mut None),
    };
    let handed_over = (private || lock_stdin).then(rendezvous::take_stdin).transpose();
    let ready = if detach {
        rendezvous::detach_from_terminal();
        rendezvous::take_stdout().map(|stdout| Some(File::from(stdout)))
    } else {
        Ok(None)
    };
    let (handed_over, mut ready) = match (handed_over, ready) {
        (Ok(handed_over), Ok(ready)) => (handed_over, ready),
        (Err(error), _) | (_, Err(error)) => return fail(&anyhow::Error::from(error), &mut None),
    };
    let start = if private { Start::Private } else { Start::Resident };
    match run(start, handed_over, activated, &mut ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, &mut ready),
    }
}

#[derive(Clone, Copy)]
enum Start {
    Resident,
    Private,
}

impl Start {
    /// One command is too short to own the index; it leaves that to the service.
    fn index(self) -> IndexUse {
        match self {
            Start::Resident => IndexUse::Own,
            Start::Private => IndexUse::Never,
        }
    }
}

/// Config, build, serve, drain.
fn run(
    start: Start,
    handed_over: Option<OwnedFd>,
    activated: Vec<Activated>,
    ready: &mut Option<File>,
) -> anyhow::Result<()> {
    let places = Rendezvous::new(&Environment::of_this_process());
    let log_filter = std::env::var("VITTED_LOG").ok().filter(|filter| !filter.is_empty());
    let config = Config::load(places.config(), log_filter)?;
    let executable = std::env::current_exe().context("cannot find the own executable")?;
    let identity = Identity {
        build_id: rendezvous::executable_identity(&executable)?,
        socket: match start {
            Start::Resident => places.socket(),
            Start::Private => PathBuf::new(),
        },
        log: places.log().unwrap_or_default(),
        scratch: places.cache().join("run"),
    };
    if let Some(log) = places.log() {
        match (logging::to_file(&log, &config.log), start) {
            (Ok(()), _) => {}
            (Err(error @ logging::LoggingError::Filter(_)), _) => return Err(error.into()),
            // Without a log the service still serves: a full disk must not stop anyone's build.
            (Err(logging::LoggingError::Open { .. }), Start::Resident | Start::Private) => {}
        }
    }
    // One thread: it only moves messages, work has threads of its own, and a call that never changes
    // threads is answered in half the time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        for warning in &config.warnings {
            warn!("{warning}");
        }
        let connections_max = config.connections_max.get();
        let options = WatcherOptions {
            own_folder: places.directory(),
            polled: config.polled_folders.clone(),
            folders_max: None,
        };
        let watcher = Watcher::new(options);
        let executable = executable.into_os_string();
        let driver =
            Driver::new(vec![executable.clone(), "worker".into()]).packed_by(Arc::new(plugins::Packing));
        let modules = ModuleLoader::with_config(module_settings(&places, executable, &config));
        let store =
            Arc::new(Store::open_or_without(&places.cache().join("store"), config.store(start.index())));
        // A private service lives for one command: looking at the files is cheaper than watching them.
        let driver = match start {
            Start::Resident => driver.watched_by(Arc::new(watcher.clone())),
            Start::Private => driver,
        };
        let driver = driver.cached_in(Arc::clone(&store));
        let driver = if config.history { driver } else { driver.without_history() };
        let plugins = Plugins::new(modules.clone(), places.plugins());
        let service = Service::new(config, identity, driver, store, modules, plugins, watcher)
            .context("cannot start the compile threads")?;
        upkeep::keep(&service);
        end_on_signals(&service)?;
        match (start, handed_over) {
            (Start::Private, Some(socket)) => {
                let incoming = endpoint::private(socket, &service.connections, service.stopping.clone())?;
                info!(pid = std::process::id(), "serving one client");
                server::serve(service, incoming).await?;
            }
            (Start::Private, None) => anyhow::bail!("standard input was not taken"),
            (Start::Resident, lock) => {
                let lock = match lock {
                    Some(lock) => ServiceLock::HandedOver(lock),
                    None => ServiceLock::take(&places)?,
                };
                // One socket is all that our unit has.
                let endpoint = match activated.into_iter().next() {
                    Some(socket) => Endpoint::activated(&places, lock, socket)?,
                    None => Endpoint::open(&places, lock)?,
                };
                info!(pid = std::process::id(), socket = %places.socket().display(), "serving");
                say(ready, "ready");
                match Notifier::of_this_process() {
                    Ok(Some(notifier)) => manager::keep_informed(&service, notifier),
                    Ok(None) => {}
                    Err(error) => warn!(%error, "the service manager cannot be notified"),
                }
                let (incoming, lock) = endpoint.incoming(Arc::clone(&service.connections), connections_max);
                server::serve(service, incoming).await?;
                drop(lock);
            }
        }
        anyhow::Ok(())
    })?;
    // Threads that could not be stopped in time must not keep a drained service alive.
    runtime.shutdown_background();
    Ok(())
}

/// Bytes of compiled modules that are kept on disk.
const MODULE_CODE_BYTES: u64 = 512 << 20;
/// Address space of the process of a native library, in bytes.
const LIBRARY_BYTES_MAX: u64 = 4 << 30;

/// Modules are compiled by processes of their own; what was compiled is kept below the cache, under a key
/// that is kept with the state.
fn module_settings(places: &Rendezvous, executable: OsString, config: &Config) -> LoaderConfig {
    let cache = places.module_code_key().map(|key| CacheOptions {
        folder: places.cache().join("modules"),
        key,
        budget_bytes: MODULE_CODE_BYTES,
    });
    LoaderConfig {
        native: Some(NativeOptions {
            command: vec![executable.clone(), "run-library".into()],
            folder: places.cache().join("modules").join("native"),
            memory_bytes_max: LIBRARY_BYTES_MAX,
            rung_min: Rung::Limits,
        }),
        workers: Workers::Process(vec![executable, "compile-module".into()]),
        cache,
        trust: places.trust(),
        sequences: places.package_sequences(),
        grants: config.module_grants.clone(),
        search: config.module_search.clone(),
        while_busy: vitted::in_place::give_way,
        ..LoaderConfig::default()
    }
}

/// SIGTERM and SIGINT begin the drain.
fn end_on_signals(service: &Arc<Service>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch signals")?;
    let stopping = service.stopping.clone();
    service.watch(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = stopping.cancelled() => return,
        };
        info!(name, "asked to end by a signal");
        stopping.cancel();
    });
    Ok(())
}

/// Tells whoever started us, once.
fn say(ready: &mut Option<File>, what: &str) {
    if let Some(mut pipe) = ready.take() {
        // The starter may have given up.
        let _ = writeln!(pipe, "{what}");
    }
}

fn fail(error: &anyhow::Error, ready: &mut Option<File>) -> ExitCode {
    say(ready, &format!("failed: {error:#}"));
    let _ = writeln!(std::io::stderr(), "vitted: {error:#}");
    ExitCode::from(if error.is::<EndpointError>() {
        EXIT_UNAVAILABLE
    } else if error.is::<vitted::config::ConfigError>() || error.is::<logging::LoggingError>() {
        EXIT_CONFIG
    } else {
        EXIT_INTERNAL
    })
}
