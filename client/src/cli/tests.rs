//! What command lines mean.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::ffi::OsString;
use std::time::Duration;

use clap::CommandFactory;

use super::parse::{of_one_verb, parse_with};
use super::values::{age, duration, size};
use super::*;

fn ok(line: &str) -> Cli {
    parse(line.split(' ').map(OsString::from).collect()).unwrap()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

/// Flags that every verb takes may stand in front of `buildkit`; its `--format` is that of what is made all the same.
#[test]
fn formats_of_packages_are_told_from_those_of_diagnostics() {
    for line in [
        "vitte buildkit package --format deb,rpm",
        "vitte --no-daemon --color never buildkit package --format=deb,rpm",
    ] {
        let Verb::Buildkit(BuildkitVerb::Package { formats, .. }) = ok(line).verb else { panic!("{line}") };
        assert_eq!(formats, ["deb", "rpm"], "{line}");
    }
    let plain = parse("vitte --lang buildkit check --format deb".split(' ').map(OsString::from).collect());
    assert!(plain.is_err(), "`deb` is no format of diagnostics");
}

#[test]
fn one_verb_alone_means_the_same() {
    let lines = [
        "build",
        "build a.vit -O2 -o b --json --deny A --allow B --timings",
        "build --color never --max-errors 3 --no-daemon --lang fr --emit mir a.vit",
        "check --error-format json --deny-warnings --src a.vit",
        "check -v a.vit --profile release --disable-pass inline",
        "run a.vit --timeout 5 -- one --two -O9",
        "run",
        "run a.vit b c",
        "build a.vit b.vit",
        "build --help",
        "check -h",
        "build -V",
        "run -O9 a.vit",
        "build --color sometimes",
        "build help",
        "check --frobnicate",
    ];
    let mut accepted = 0;
    for line in lines {
        let args: Vec<OsString> = format!("vitte {line}").split(' ').map(OsString::from).collect();
        let one = parse_with(of_one_verb(args[1].to_str().unwrap()).unwrap(), &args);
        let whole = parse_with(Cli::command(), &args);
        accepted += usize::from(one.is_ok());
        match (one, whole) {
            (Ok(one), Ok(whole)) => assert_eq!(format!("{one:?}"), format!("{whole:?}"), "{line}"),
            (Err(_), Err(_)) => {}
            (one, whole) => panic!("{line}: {one:?} and {whole:?}"),
        }
    }
    assert!(accepted >= 7, "{accepted} of the lines are right");
}

#[test]
fn older_spellings_work() {
    assert!(
        matches!(ok("vitte --explain TYP0213 --lang=fr").verb, Verb::Explain { code } if code == "TYP0213")
    );
    assert!(matches!(ok("vitte dump-mir a.vit").verb, Verb::Emit(EmitArgs { stage: StageName::Mir, .. })));
    let cli = ok("vitte parse --diagnostics-json --lang en --src a.vit");
    assert_eq!(cli.common.format(), Format::Legacy);
    assert!(matches!(cli.verb, Verb::Parse(BuildArgs { src: Some(_), .. })));
    assert!(matches!(ok("vitte build a.vit -O2 -o b").verb, Verb::Build(b) if b.build.opt_level == Some(2)));
}

#[test]
fn lint_flags_keep_their_order() {
    let Verb::Check(check) = ok("vitte check --deny A -A B --warn A --deny-warnings a.vit").verb else {
        panic!("not a check")
    };
    let lints: Vec<(LintLevel, &str)> =
        check.build.lints.iter().map(|(level, code)| (*level, code.as_str())).collect();
    let expected = [
        (LintLevel::Deny, "warnings"),
        (LintLevel::Deny, "A"),
        (LintLevel::Allow, "B"),
        (LintLevel::Warn, "A"),
    ];
    assert_eq!(lints, expected);
}

#[test]
fn watching_has_goals() {
    let watch = |line: &str| match ok(line).verb {
        Verb::Watch(watch) => *watch,
        other => panic!("{other:?}"),
    };
    let plain = watch("vitte watch a.vit --clear --deny A --allow B");
    assert!(plain.goal.is_none() && plain.rebuild.clear);
    assert_eq!(plain.rebuild.build.lints.len(), 2);
    let Some(WatchGoal::Run(run)) = watch("vitte watch run a.vit --keep --warn C -- --keep x").goal else {
        panic!("not a run")
    };
    assert!(run.keep && run.args == ["--keep", "x"]);
    assert_eq!(run.rebuild.build.lints, [(LintLevel::Warn, "C".to_owned())]);
    let anywhere = watch("vitte watch --json --no-daemon build a.vit");
    assert!(matches!(anywhere.goal, Some(WatchGoal::Build(_))));
    for misplaced in ["vitte watch --clear build", "vitte watch a.vit build", "vitte watch --deny A check"] {
        assert!(parse(misplaced.split(' ').map(OsString::from).collect()).is_err(), "{misplaced}");
    }
    let Some(WatchGoal::Test(test)) = watch("vitte watch test a.vit --filter x --shuffle=7 --deny A").goal
    else {
        panic!("not a test")
    };
    assert_eq!((test.tests.filter, test.tests.shuffle), (vec!["x".to_owned()], Some(Some(7))));
    assert_eq!(test.rebuild.build.lints.len(), 1);
    let both = "vitte watch run a.vit --keep --restart";
    assert!(Cli::command().try_get_matches_from(both.split(' ')).is_err());
}

#[test]
fn durations_have_units() {
    assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
    assert_eq!(duration("1.5"), duration("1.5s"));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    for wrong in ["", "soon", "-1", "0", "3 days", "1e400h", "nan"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sizes_and_ages_have_units() {
    assert_eq!(size("2 GiB"), Ok(2 << 30));
    assert_eq!(size("512M"), Ok(512 << 20));
    assert_eq!(size("0"), Ok(0));
    for wrong in ["", "GiB", "-1", "1.5GiB", "10 GB", "99999999999TiB"] {
        assert!(size(wrong).is_err(), "{wrong}");
    }
    assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
    assert_eq!(age("12h"), duration("12h"));
    assert!(age("d").is_err() && age("-3d").is_err() && age("1e300d").is_err());
}

#[test]
fn arguments_after_two_dashes_are_the_programs() {
    let Verb::Run(run) = ok("vitte run a.vit -- --help -v").verb else { panic!("not a run") };
    assert_eq!(run.args, ["--help", "-v"]);
}
