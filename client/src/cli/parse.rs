//! From the words of the command line to what is asked for.
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use super::build::{BuildArgs, BuildVerb, CheckArgs, LintLevel, RunArgs};
use super::watch::WatchGoal;
use super::{Cli, Common, Verb};
use crate::failure::Exit;

/// Parses the command line; on a mistake, or for `--help`, says so and gives the status to exit with.
///
/// # Errors
/// The exit status of a command that is over already.
pub fn parse(args: Vec<OsString>) -> Result<Cli, ExitCode> {
    let args = modernise(args);
    // Most of the time that parsing takes is describing what nobody asked for.
    let quick = args.get(1).and_then(|verb| of_one_verb(verb.to_str()?));
    if let Some(Ok(cli)) = quick.map(|command| parse_with(command, &args)) {
        return Ok(cli);
    }
    parse_with(Cli::command(), &args).map_err(|error| {
        // A closed terminal needs no message.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(Exit::Usage as u8),
        }
    })
}

pub(super) fn parse_with(command: Command, args: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command.try_get_matches_from(args)?;
    check_watch(&matches)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    order_lints(&mut cli, &matches);
    Ok(cli)
}

/// A command line with this verb alone, for the verbs that are typed all day. It accepts what the whole one
/// accepts; what it refuses the whole one must explain.
pub(super) fn of_one_verb(verb: &str) -> Option<Command> {
    let verb = match verb {
        "build" => BuildVerb::augment_args(Command::new("build")),
        "check" => CheckArgs::augment_args(Command::new("check")),
        "run" => RunArgs::augment_args(Command::new("run")),
        _ => return None,
    };
    Some(Common::augment_args(Command::new("vitte")).subcommand(verb).disable_help_subcommand(true))
}

/// Older spellings in today's words: `--explain CODE`, `dump-ast FILE`. `--format` of `buildkit` is that of what is made,
/// elsewhere that of diagnostics.
fn modernise(mut args: Vec<OsString>) -> Vec<OsString> {
    let Some(first) = args.get(1).and_then(|first| first.to_str()).map(str::to_owned) else { return args };
    if let Some(at) = verb_place(&args).filter(|at| args[*at] == "buildkit") {
        for arg in args.iter_mut().skip(at + 1) {
            let Some(text) = arg.to_str() else { continue };
            match text.strip_prefix("--format") {
                Some("") => *arg = "--package-format".into(),
                Some(value) if value.starts_with('=') => *arg = format!("--package-format{value}").into(),
                _ => {}
            }
        }
        return args;
    }
    let stage = match first.as_str() {
        "--explain" => {
            args[1] = "explain".into();
            return args;
        }
        "dump-tokens" => "tokens",
        "dump-ast" => "ast",
        "dump-hir" => "hir",
        "dump-mir" => "mir",
        other => {
            if let Some(code) = other.strip_prefix("--explain=") {
                args.splice(1..2, ["explain".into(), code.into()]);
            }
            return args;
        }
    };
    args.splice(1..2, ["emit", "--stage", stage].map(OsString::from));
    args
}

/// Where the verb stands: behind flags that every verb takes, some of which have a value.
fn verb_place(args: &[OsString]) -> Option<usize> {
    let mut is_value = false;
    args.iter().enumerate().skip(1).find_map(|(at, arg)| {
        if std::mem::take(&mut is_value) {
            return None;
        }
        let arg = arg.to_str()?;
        is_value = ["--color", "--error-format", "--max-errors", "--lang"].contains(&arg);
        (!arg.starts_with('-')).then_some(at)
    })
}

/// Refuses flags of `watch` in front of its goal, which has the same flags. Flags that every verb takes may
/// stand anywhere.
fn check_watch(matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(("watch", watch)) = matches.subcommand() else { return Ok(()) };
    let Some((goal, _)) = watch.subcommand() else { return Ok(()) };
    let mut command = Cli::command();
    let is_global = |id: &clap::Id| {
        command.get_arguments().any(|argument| argument.get_id() == id && argument.is_global_set())
    };
    // Groups have no source of their own.
    let is_given = |id: &clap::Id| {
        watch.try_contains_id(id.as_str()).is_ok()
            && watch.value_source(id.as_str()) == Some(ValueSource::CommandLine)
    };
    if !watch.ids().any(|id| is_given(id) && !is_global(id)) {
        return Ok(());
    }
    let message = format!("the goal comes first: `vitte watch {goal}`, then the file and the flags");
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

/// Puts the lint flags into the order of the command line, which only the raw matches know.
fn order_lints(cli: &mut Cli, matches: &ArgMatches) {
    let Some((_, matches)) = matches.subcommand() else { return };
    let build = match &mut cli.verb {
        Verb::Watch(watch) => {
            let watch = &mut **watch;
            let inner = matches.subcommand().map_or(matches, |(_, inner)| inner);
            let build = match &mut watch.goal {
                None => &mut watch.rebuild.build,
                Some(WatchGoal::Check(rebuild) | WatchGoal::Build(rebuild)) => &mut rebuild.build,
                Some(WatchGoal::Run(run)) => &mut run.rebuild.build,
                Some(WatchGoal::Test(test)) => &mut test.rebuild.build,
            };
            return order_lints_of(build, inner);
        }
        Verb::Run(run) => &mut run.build,
        Verb::Test(test) => &mut test.build,
        Verb::Build(build) => &mut build.build,
        Verb::Emit(emit) => &mut emit.build,
        Verb::Why(why) => &mut why.build,
        Verb::Check(check) => &mut check.build,
        Verb::Bench(bench) => &mut bench.build,
        Verb::Parse(build) => build,
        Verb::Fmt(_)
        | Verb::Doc(_)
        | Verb::Explain { .. }
        | Verb::New(_)
        | Verb::Init(_)
        | Verb::Clean
        | Verb::Cache(_)
        | Verb::Load(_)
        | Verb::Reload(_)
        | Verb::Unload { .. }
        | Verb::Modules(_)
        | Verb::Call(_)
        | Verb::Inspect { .. }
        | Verb::Targets
        | Verb::Toolchains
        | Verb::Buildkit(_)
        | Verb::Key(_)
        | Verb::Plugin(_)
        | Verb::Doctor
        | Verb::Daemon(_)
        | Verb::Version
        | Verb::Help { .. } => return,
    };
    order_lints_of(build, matches);
}

fn order_lints_of(build: &mut BuildArgs, matches: &ArgMatches) {
    let flags = [("allow", LintLevel::Allow), ("warn", LintLevel::Warn), ("deny", LintLevel::Deny)];
    let mut found: Vec<(usize, LintLevel, String)> = Vec::new();
    for (id, level) in flags {
        let values = matches.get_many::<String>(id).into_iter().flatten().cloned();
        let indices = matches.indices_of(id).into_iter().flatten();
        found.extend(indices.zip(values).map(|(index, value)| (index, level, value)));
    }
    found.sort_by_key(|&(index, _, _)| index);
    build.lints = found.into_iter().map(|(_, level, value)| (level, value)).collect();
    if build.deny_warnings {
        build.lints.insert(0, (LintLevel::Deny, "warnings".to_owned()));
    }
}
