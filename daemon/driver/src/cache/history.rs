//! What each target was built from, and what was different the last time: the answer to "why was this
//! rebuilt?".
//!
//! There is one record for each target, under a key of its place on this machine: it is nobody else's
//! business and part of no action. Texts are kept as digests of their lines, so that the lines which changed
//! can be named without keeping the texts.
//!
//! An edit must not cost what the program is large, so a record has two parts: a blob with all files as they
//! once stood, and in the record itself the files that have changed since, until they are so many that a new
//! blob is written. What was written last is kept in memory with the texts themselves, and a text that is
//! still the same object is not looked into.
mod facts; // files and options as data, and their bytes

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use vitte_compiler::base::{FileContents, SourcePath};
use vitte_store::{ActionKey, ActionResult, Digest, Lookup, Store};

use super::{BUILD_ID, portable_name};
use crate::api::{Cause, CauseKind};
use crate::digest::{hex, sha256};
use crate::plan::BuildPlan;
use facts::{Entry, FileFact, Files};

/// Names the blob of files among the outputs of a record.
const BASE: &str = "files";
/// Lines of changed files that a record holds before a new blob is written: some tens of kilobytes.
const LINES_MAX: usize = 4_096;
/// Changed files that a record holds at most.
const CHANGES_MAX: usize = 64;
/// Targets whose files are kept in memory; then the one that was built longest ago is read again.
const TARGETS_MAX: usize = 8;

/// What a target is built from, besides the files of its program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Everything of the plan that decides the result, by name.
    options: BTreeMap<String, String>,
    /// The manifests that the plan was read from, by name, with their texts.
    manifests: Vec<(String, FileContents)>,
}

impl Facts {
    /// Of a plan. Reads its manifests.
    pub(crate) fn new(plan: &BuildPlan, linker: &str) -> Self {
        let mut options = BTreeMap::new();
        let mut option = |name: &str, value: String| options.insert(name.to_owned(), value);
        option("compiler", BUILD_ID.to_owned());
        option("target", plan.target.to_owned());
        option("makes", plan.product.description().to_owned());
        option("profile", plan.profile.clone());
        option("entry", plan.project.entry.to_string());
        option(ROOT, plan.project.root.display().to_string());
        option("opt-level", format!("{:?}", plan.options.opt_level));
        option("debug-info", plan.options.debug_info.to_string());
        option("strict", plan.options.strict.to_string());
        option("tests", plan.options.tests.to_string());
        option("disabled-passes", plan.options.disabled_passes.join(","));
        option("symbols", format!("{:?}", plan.debug));
        option("link-mode", format!("{:?}", plan.link_mode));
        option("linker", linker.to_owned());
        option("libraries", plan.libraries.join(","));
        option("link-flags", plan.link_flags.join(" "));
        let lints = plan.lints.iter().map(|(level, name)| format!("{level:?} {name}"));
        option("lints", lints.collect::<Vec<_>>().join(", "));
        let roots = plan.project.roots.iter();
        let roots = roots.map(|(root, folder)| format!("{} = {}", root.root, folder.display()));
        option("dependencies", roots.collect::<Vec<_>>().join(", "));
        let folders = plan.folders();
        let manifests = plan.project.project_files(&plan.project.root).into_iter().filter_map(|place| {
            let path = folders.source_path(&place)?;
            match folders.contents(&path).0 {
                FileContents::Missing => None,
                contents => Some((portable_name(&path), contents)),
            }
        });
        Self { manifests: manifests.collect(), options }
    }
}

/// The record of a target, besides the blob.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Record {
    options: BTreeMap<String, String>,
    manifests: BTreeMap<String, FileFact>,
    /// What is different from the blob, by portable name.
    changes: BTreeMap<String, Entry>,
    /// What was different the last time that something was.
    causes: Vec<Cause>,
}

/// The histories of all targets.
#[derive(Debug)]
pub(crate) struct History {
    store: Arc<Store>,
    /// Built last, last.
    recent: Mutex<Vec<Recent>>,
}

/// A target whose record this process wrote.
#[derive(Debug)]
struct Recent {
    target: PathBuf,
    /// SHA-256 of the record's own bytes: another process may have written another since.
    written: String,
    files: Files,
}

/// A target's record, read.
struct Known {
    record: Record,
    base: Digest,
    files: Files,
}

impl History {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, recent: Mutex::default() }
    }

    /// Notes that `target` was built from `facts` and `files`: all that its program looked at, in order of path,
    /// but with what `before` says of some of them. Takes time in proportion to what differs from the last
    /// time, and very little for every file.
    pub(crate) fn remember(
        &self,
        target: &Path,
        facts: Facts,
        files: &[(SourcePath, FileContents)],
        before: &HashMap<SourcePath, FileContents>,
    ) {
        let (base, mut record, known, causes) = match self.known(target) {
            None => {
                let mut known = Files::default();
                known.bring_up_to(files, before);
                (None, Record::default(), known, vec![Cause { kind: CauseKind::First, ..Cause::default() }])
            }
            Some(Known { mut record, base, files: mut known }) => {
                let changed = known.bring_up_to(files, before);
                let mut causes = causes_in_options(&record, &facts.options, &facts.manifests);
                // From another root every file has another name.
                if !causes.iter().any(is_root) {
                    causes.extend(changed.iter().filter_map(facts::Changed::cause));
                }
                causes.sort_by_key(rank);
                record.changes.extend(changed.into_iter().map(facts::Changed::into_entry));
                if causes.is_empty() {
                    // Only places where nothing is may have joined or left.
                    causes = std::mem::take(&mut record.causes);
                }
                (Some(base), record, known, causes)
            }
        };
        record.causes = causes;
        record.options = facts.options;
        record.manifests = facts
            .manifests
            .iter()
            .filter_map(|(name, text)| Some((name.clone(), FileFact::of(text)?)))
            .collect();
        let is_large = record.changes.len() > CHANGES_MAX
            || record.changes.values().map(Entry::lines).sum::<usize>() > LINES_MAX;
        let base = match base.filter(|_| !is_large) {
            Some(base) => base,
            None => {
                record.changes.clear();
                self.store.put(&known.encode()).0
            }
        };
        // Plain data: it cannot fail, and if it did the record would be none.
        let inputs = serde_json::to_vec(&record).unwrap_or_default();
        let written = sha256(&inputs);
        let outputs = vec![(BASE.to_owned(), base)];
        self.store.publish(&key(target), &ActionResult { inputs, outputs, ..ActionResult::default() });
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|recent| recent.target != target);
        if recent.len() >= TARGETS_MAX {
            recent.remove(0);
        }
        recent.push(Recent { target: target.to_path_buf(), written, files: known });
    }

    /// What was different when `target` was last built anew; `None` when nothing is known of it.
    pub(crate) fn causes(&self, target: &Path) -> Option<Vec<Cause>> {
        let (record, _, _) = self.record(target)?;
        Some(record.causes)
    }

    fn known(&self, target: &Path) -> Option<Known> {
        let (record, base, written) = self.record(target)?;
        let recent = {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let at = recent.iter().position(|recent| recent.target == target);
            at.map(|at| recent.remove(at)).filter(|recent| recent.written == written)
        };
        let files = match recent {
            Some(recent) => recent.files,
            None => {
                let mut files = Files::decode(&self.store.get(&base)?)?;
                files.apply(&record.changes);
                files
            }
        };
        Some(Known { record, base, files })
    }

    fn record(&self, target: &Path) -> Option<(Record, Digest, String)> {
        let Lookup::Hit(result) = self.store.lookup(&key(target)) else { return None };
        let (_, base) = result.outputs.into_iter().find(|(name, _)| name == BASE)?;
        Some((serde_json::from_slice(&result.inputs).ok()?, base, sha256(&result.inputs)))
    }
}

/// What differs in the plan, and the manifest that says so before what it says.
fn causes_in_options(
    old: &Record,
    options: &BTreeMap<String, String>,
    manifests: &[(String, FileContents)],
) -> Vec<Cause> {
    let names: std::collections::BTreeSet<&String> = options.keys().chain(old.options.keys()).collect();
    let value = |options: &BTreeMap<String, String>, name| options.get(name).cloned().unwrap_or_default();
    let mut causes: Vec<Cause> = names
        .into_iter()
        .filter_map(|name| {
            let (old, new) = (value(&old.options, name), value(options, name));
            (old != new).then(|| Cause {
                kind: if name == "compiler" { CauseKind::Compiler } else { CauseKind::Option },
                name: name.clone(),
                old,
                new,
                ..Cause::default()
            })
        })
        .collect();
    if causes.iter().any(|cause| cause.kind == CauseKind::Option) && !causes.iter().any(is_root) {
        causes.extend(facts::manifest_causes(&old.manifests, manifests));
    }
    causes
}

/// Options that decide others.
const DECISIVE: [&str; 3] = [ROOT, "target", "profile"];
/// The option from which all files have their names.
const ROOT: &str = "root";

fn is_root(cause: &Cause) -> bool {
    cause.kind == CauseKind::Option && cause.name == ROOT
}

/// What is more telling stands first: what somebody did, then what came of it.
fn rank(cause: &Cause) -> u8 {
    match cause.kind {
        CauseKind::First => 0,
        // It explains whatever else there is.
        CauseKind::Compiler => 1,
        CauseKind::Manifest => 2,
        CauseKind::Option if DECISIVE.contains(&cause.name.as_str()) => 3,
        CauseKind::Option => 4,
        CauseKind::File | CauseKind::Appeared | CauseKind::Gone => 5,
        CauseKind::Joined | CauseKind::Left => 6,
    }
}

/// Which build of each target was noted last.
#[derive(Debug, Default)]
pub(crate) struct Noted(Mutex<HashMap<PathBuf, (ActionKey, u64)>>);

/// Targets that are remembered; then all are forgotten, which costs noting again what is known.
const NOTED_MAX: usize = 1_024;

impl Noted {
    /// Takes in that `target` was built by the plan `key` from the database's `revision`; says whether the
    /// build before was another.
    pub(crate) fn is_news(&self, target: &Path, key: ActionKey, revision: u64) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= NOTED_MAX {
            noted.clear();
        }
        noted.insert(target.to_path_buf(), (key, revision)) != Some((key, revision))
    }
}

/// The key of a target's record: its place on this machine.
pub(crate) fn key(target: &Path) -> ActionKey {
    let place = hex(target.as_os_str().as_encoded_bytes());
    ActionKey::of(&[b"vitte.history.v2", place.as_bytes()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    type Texts<'a> = &'a [(&'a str, Option<&'a str>)];

    type State = (Facts, Vec<(SourcePath, FileContents)>);

    fn facts(opt: &str, files: Texts<'_>) -> State {
        let mut files: Vec<_> = files
            .iter()
            .map(|(name, text)| {
                let contents = text.map_or(FileContents::Missing, |text| FileContents::Text(text.into()));
                (SourcePath::workspace(name), contents)
            })
            .collect();
        files.sort_by(|(one, _), (two, _)| one.cmp(two));
        (Facts { options: [("opt-level".to_owned(), opt.to_owned())].into(), manifests: Vec::new() }, files)
    }

    fn remember(history: &History, target: &Path, (facts, files): State) {
        history.remember(target, facts, &files, &HashMap::new());
    }

    fn store(folder: &Path) -> Arc<Store> {
        let options = vitte_store::Options { index: vitte_store::IndexUse::Never, ..Default::default() };
        Arc::new(Store::open(folder, options).unwrap())
    }

    fn short(causes: &[Cause]) -> Vec<(CauseKind, String, u32, u32)> {
        let short = |cause: &Cause| {
            (cause.kind, cause.name.trim_start().to_owned(), cause.first_line, cause.last_line)
        };
        causes.iter().map(short).collect()
    }

    #[test]
    fn causes_name_what_differs_and_first_what_was_done() {
        let folder = tempfile::tempdir().unwrap();
        let target = Path::new("/t");
        let old = facts("O1", &[("a", Some("x\ny\nz\n")), ("b", Some("1")), ("c", None), ("e", Some("5"))]);
        let new =
            facts("O2", &[("a", Some("x\nuse d\nz\n")), ("b", None), ("c", Some("2")), ("d", Some("3"))]);
        // Whether the old state is known from memory or from the disk.
        for fresh in [false, true] {
            let mut history = History::new(store(folder.path()));
            remember(&history, target, old.clone());
            if fresh {
                history = History::new(store(folder.path()));
            }
            remember(&history, target, new.clone());
            let causes = history.causes(target).unwrap();
            assert_eq!(
                short(&causes),
                [
                    (CauseKind::Option, "opt-level".into(), 0, 0),
                    (CauseKind::File, "a".into(), 2, 2),
                    (CauseKind::Gone, "b".into(), 0, 0),
                    (CauseKind::Appeared, "c".into(), 0, 0),
                    (CauseKind::Joined, "d".into(), 0, 0),
                    (CauseKind::Left, "e".into(), 0, 0),
                ],
                "fresh: {fresh}"
            );
            assert_eq!(causes[1].imports_added, ["d"]);
            // The same again is no news.
            remember(&history, target, new.clone());
            assert_eq!(history.causes(target).unwrap(), causes);
        }
    }

    #[test]
    fn many_changes_begin_a_new_blob() {
        let folder = tempfile::tempdir().unwrap();
        let target = Path::new("/t");
        let history = History::new(store(folder.path()));
        let base = |history: &History| history.record(target).unwrap().1;
        let texts: Vec<(String, String)> =
            (0..100).map(|at| (format!("m{at:02}"), "1\n".repeat(60))).collect();
        let with = |count: usize| {
            let edited =
                |at: usize, text: &str| if at < count { format!("{text}2") } else { text.to_owned() };
            let texts: Vec<_> =
                texts.iter().enumerate().map(|(at, (name, text))| (name, edited(at, text))).collect();
            let texts: Vec<_> =
                texts.iter().map(|(name, text)| (name.as_str(), Some(text.as_str()))).collect();
            facts("O1", &texts)
        };
        remember(&history, target, with(0));
        let first = base(&history);
        remember(&history, target, with(10));
        assert_eq!(base(&history), first);
        assert_eq!(history.causes(target).unwrap().len(), 10);
        remember(&history, target, with(90));
        assert_ne!(base(&history), first);
        assert_eq!(history.causes(target).unwrap().len(), 80);
        let fresh = History::new(store(folder.path()));
        remember(&fresh, target, with(91));
        assert_eq!(short(&fresh.causes(target).unwrap()), [(CauseKind::File, "m90".into(), 61, 61)]);
    }

    #[test]
    fn another_process_may_have_written_since() {
        let folder = tempfile::tempdir().unwrap();
        let target = Path::new("/t");
        let (one, two) = (History::new(store(folder.path())), History::new(store(folder.path())));
        remember(&one, target, facts("O1", &[("a", Some("1"))]));
        remember(&two, target, facts("O1", &[("a", Some("2"))]));
        remember(&one, target, facts("O1", &[("a", Some("2")), ("b", Some("3"))]));
        assert_eq!(short(&one.causes(target).unwrap()), [(CauseKind::Joined, "b".into(), 0, 0)]);
    }
}
