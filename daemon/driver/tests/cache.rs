//! Drivers that share a content store: what one computed, the next one finds, and only that.
#![allow(clippy::unwrap_used)]
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use vitte_driver::{BuildRequest, CancellationToken, CauseKind, Driver, Event, OptLevel, ResolvedDiagnostic};
use vitte_store::{IndexUse, Options, Store};

const MAIN: &str = "use src/util\n\nproc main() -> int {\n    println(util.word())\n    give 0\n}\n";

/// Two checkouts of one program, and a store beside them.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new(util: &str) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        for checkout in ["one", "another/place"] {
            stage.write(checkout, "src/main.vit", MAIN);
            stage.write(checkout, "src/util.vit", util);
        }
        stage
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn write(&self, checkout: &str, name: &str, text: &str) {
        let path = self.path().join(checkout).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn request(&self, checkout: &str) -> BuildRequest {
        BuildRequest {
            entry: Some("src/main.vit".into()),
            cwd: self.path().join(checkout),
            root: Some(self.path().join(checkout)),
            output: Some("program".into()),
            ..BuildRequest::default()
        }
    }

    /// A driver that knows nothing. What it learns is in the store when it is dropped.
    fn driver(&self) -> Driver {
        let options = Options { index: IndexUse::Never, ..Options::default() };
        let store = Store::open(&self.path().join("store"), options).unwrap();
        Driver::default().cached_in(Arc::new(store))
    }

    /// Builds with a new driver.
    fn build(&self, checkout: &str) -> Built {
        self.build_request(&self.request(checkout))
    }

    fn build_request(&self, request: &BuildRequest) -> Built {
        let told = Mutex::new((0, Vec::new()));
        let sink = |event: Event| match event {
            Event::PhaseFinished { phase, executed, .. } if phase != "link" => {
                told.lock().unwrap().0 += executed
            }
            Event::Diagnostic(diagnostic) => told.lock().unwrap().1.push((*diagnostic).clone()),
            _ => {}
        };
        let outcome = self.driver().build(request, &sink, &CancellationToken::new()).unwrap();
        let (executed, diagnostics) = told.into_inner().unwrap();
        Built { executed, diagnostics, executable: outcome.executable }
    }
}

/// What a build did.
struct Built {
    /// Queries that ran.
    executed: u64,
    diagnostics: Vec<ResolvedDiagnostic>,
    executable: Option<PathBuf>,
}

impl Built {
    fn output(&self) -> String {
        let output = Command::new(self.executable.as_deref().unwrap()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.executable.as_deref().unwrap()).unwrap()
    }

    fn is_from_store(&self) -> bool {
        self.executed == 0
    }
}

const UTIL: &str = "export word\n\nproc word() -> string {\n    give \"first\"\n}\n";

#[test]
fn checkouts_share_results_and_edits_do_not() {
    let stage = Stage::new(UTIL);
    let first = stage.build("one");
    assert!(!first.is_from_store());
    let second = stage.build("another/place");
    assert!(second.is_from_store());
    assert!(first.bytes() == second.bytes());
    assert_eq!(second.output(), "first\n");

    stage.write("one", "src/util.vit", &UTIL.replace("first", "other"));
    let edited = stage.build("one");
    assert!(!edited.is_from_store());
    assert_eq!(edited.output(), "other\n");
    stage.write("one", "src/util.vit", UTIL);
    assert!(stage.build("one").is_from_store());

    let optimised = BuildRequest { opt_level: Some(OptLevel::O3), ..stage.request("one") };
    assert!(!stage.build_request(&optimised).is_from_store());
}

#[test]
fn a_file_that_appears_is_another_program() {
    let stage = Stage::new(UTIL);
    stage.build("one");
    // Looked for before `src/util.vit`.
    stage.write("one", "src/src/util.vit", &UTIL.replace("first", "nearer"));
    let built = stage.build("one");
    let fresh = Driver::default();
    let expected = fresh.build(&stage.request("one"), &|_: Event| {}, &CancellationToken::new()).unwrap();
    assert!(built.bytes() == std::fs::read(expected.executable.unwrap()).unwrap());
    std::fs::remove_file(stage.path().join("one/src/src/util.vit")).unwrap();
    let back = stage.build("one");
    assert!(back.is_from_store());
    assert_eq!(back.output(), "first\n");
}

#[test]
fn diagnostics_come_back_as_this_user_sees_them() {
    let stage = Stage::new("export word\n\nproc word() -> string {\n    give 1\n}\n");
    let first = stage.build("one");
    assert_eq!(first.executable, None);
    assert_eq!(first.diagnostics.len(), 1);
    let second = stage.build("another/place");
    assert!(second.is_from_store());
    assert_eq!(second.diagnostics, first.diagnostics);
    let from_elsewhere = BuildRequest {
        entry: Some("place/src/main.vit".into()),
        root: Some(stage.path().join("another/place")),
        cwd: stage.path().join("another"),
        ..stage.request("another/place")
    };
    let third = stage.build_request(&from_elsewhere);
    assert_eq!(third.diagnostics[0].labels[0].span.file, "place/src/util.vit");
}

#[test]
fn damaged_entries_are_made_again() {
    let stage = Stage::new(UTIL);
    let first = stage.build("one").bytes();
    let mut files = vec![stage.path().join("store")];
    let mut damaged = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(mut bytes) = std::fs::read(&path)
            && bytes.len() > 64
        {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            // Entries are read-only: another file takes the place.
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    let again = stage.build("one");
    assert!(!again.is_from_store());
    assert!(again.bytes() == first);
    // Damage is seen when an entry is read, and one build reads no further than to the first.
    let healed = (0..4).any(|_| {
        let next = stage.build("another/place");
        assert!(next.bytes() == first);
        next.is_from_store()
    });
    assert!(healed);
}

#[test]
fn checks_compare_with_the_store_and_with_other_folders() {
    let stage = Stage::new(UTIL);
    stage.build("one");
    let request = BuildRequest { check_cache: true, check_determinism: true, ..stage.request("one") };
    let built = stage.build_request(&request);
    assert!(!built.is_from_store());
    assert_eq!(built.output(), "first\n");
}

#[test]
fn the_cause_of_a_rebuild_is_named() {
    let stage = Stage::new(UTIL);
    let request = stage.request("one");
    let why = |request: &BuildRequest, touched: Option<&Path>| {
        stage.driver().explain_rebuild(request, touched, &CancellationToken::new()).unwrap()
    };
    assert_eq!(why(&request, None).causes, []);
    stage.build("one");
    assert_eq!(why(&request, None).causes[0].kind, CauseKind::First);
    stage.write("one", "src/util.vit", &UTIL.replace("first", "other"));
    stage.build("one");
    let causes = why(&request, None).causes;
    assert_eq!((causes.len(), causes[0].kind, causes[0].name.as_str()), (1, CauseKind::File, "src/util.vit"));
    assert_eq!((causes[0].first_line, causes[0].last_line), (4, 4));
    let optimised = BuildRequest { opt_level: Some(OptLevel::O2), ..request.clone() };
    stage.build_request(&optimised);
    let causes = why(&optimised, None).causes;
    assert_eq!((causes.len(), causes[0].kind, causes[0].name.as_str()), (1, CauseKind::Option, "opt-level"));
    let touched = why(&request, Some(&stage.path().join("one/src/util.vit"))).touched.unwrap();
    assert!(touched.is_part);
    assert_eq!(touched.procedures, ["word"]);
    assert_eq!(touched.importers, ["src/main.vit"]);
}
