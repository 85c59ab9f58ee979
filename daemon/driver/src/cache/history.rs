//! What each target was built from, and what was different the last time: the answer to "why was this
//! rebuilt?".
//!
//! One record for each target, under a key of its place on this machine: it is nobody else's business and
//! part of no action. Texts are kept as digests of their lines, so that the lines which changed can be
//! named without keeping the texts.
use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use vitte_compiler::base::{FileContents, SourcePath};
use vitte_store::{ActionKey, ActionResult, Lookup};

use super::{BUILD_ID, BuildCache, portable_name};
use crate::api::{Cause, CauseKind};
use crate::digest::{hex, sha256};
use crate::plan::BuildPlan;

/// What a target was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Facts {
    /// Everything of the plan that decides the result, by name.
    plan: BTreeMap<String, String>,
    /// What stood at each file that was looked at, by portable name; those that were not there are left out.
    files: BTreeMap<String, FileFact>,
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct FileFact {
    /// SHA-256, lower-case hex.
    digest: String,
    /// The first 32 bits of the SHA-256 of each line.
    lines: Vec<u32>,
}

/// What is kept for a target.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Record {
    facts: Facts,
    /// What was different the last time that something was.
    causes: Vec<Cause>,
}

impl Facts {
    pub(crate) fn new(plan: &BuildPlan, linker: &str, inputs: &[(SourcePath, FileContents)]) -> Self {
        let mut facts = BTreeMap::new();
        let mut fact = |name: &str, value: String| facts.insert(name.to_owned(), value);
        fact("compiler", BUILD_ID.to_owned());
        fact("target", plan.target.to_owned());
        fact("profile", plan.profile.clone());
        fact("entry", plan.project.entry.to_string());
        fact("opt-level", format!("{:?}", plan.options.opt_level));
        fact("debug-info", plan.options.debug_info.to_string());
        fact("strict", plan.options.strict.to_string());
        fact("disabled-passes", plan.options.disabled_passes.join(","));
        fact("symbols", format!("{:?}", plan.debug));
        fact("link-mode", format!("{:?}", plan.link_mode));
        fact("linker", linker.to_owned());
        fact("libraries", plan.libraries.join(","));
        fact("link-flags", plan.link_flags.join(" "));
        fact(
            "lints",
            plan.lints.iter().map(|(level, name)| format!("{level:?} {name}")).collect::<Vec<_>>().join(", "),
        );
        let roots: Vec<&str> = plan.project.roots.iter().map(|(root, _)| root.root.as_str()).collect();
        fact("dependencies", roots.join(","));
        let files = inputs.iter().filter_map(|(path, contents)| {
            let fact = match contents {
                FileContents::Text(text) => FileFact {
                    digest: sha256(text.as_bytes()),
                    lines: text.split('\n').map(line_digest).collect(),
                },
                FileContents::NotUtf8(offset) => {
                    FileFact { digest: format!("not text from {offset}"), lines: Vec::new() }
                }
                FileContents::Unreadable(reason) => {
                    FileFact { digest: format!("unreadable: {reason}"), lines: Vec::new() }
                }
                FileContents::Missing => return None,
            };
            Some((portable_name(path), fact))
        });
        Self { plan: facts, files: files.collect() }
    }

    /// What differs from `old`, in order: the compiler, the plan, then files by name.
    fn causes(&self, old: &Self) -> Vec<Cause> {
        let mut causes = Vec::new();
        let plan = self.plan.iter().filter_map(|(name, new)| {
            let old = old.plan.get(name).map_or("", String::as_str);
            (old != new).then(|| Cause {
                kind: if name == "compiler" { CauseKind::Compiler } else { CauseKind::Option },
                name: name.clone(),
                old: old.to_owned(),
                new: new.clone(),
                ..Cause::default()
            })
        });
        causes.extend(plan);
        // The compiler first: it explains whatever else there is.
        causes.sort_by_key(|cause| cause.kind != CauseKind::Compiler);
        let names: std::collections::BTreeSet<&String> = self.files.keys().chain(old.files.keys()).collect();
        for name in names {
            causes.extend(match (old.files.get(name), self.files.get(name)) {
                (Some(old), Some(new)) if old.digest != new.digest => {
                    let (first_line, last_line) = changed_lines(&old.lines, &new.lines);
                    Some(Cause {
                        kind: CauseKind::File,
                        name: name.clone(),
                        old: old.digest.clone(),
                        new: new.digest.clone(),
                        first_line,
                        last_line,
                    })
                }
                (None, Some(new)) => Some(Cause {
                    kind: CauseKind::Appeared,
                    name: name.clone(),
                    new: new.digest.clone(),
                    ..Cause::default()
                }),
                (Some(old), None) => Some(Cause {
                    kind: CauseKind::Gone,
                    name: name.clone(),
                    old: old.digest.clone(),
                    ..Cause::default()
                }),
                (Some(_), Some(_)) | (None, None) => None,
            });
        }
        causes
    }
}

fn line_digest(line: &str) -> u32 {
    let digest = Sha256::digest(line.as_bytes());
    digest.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The lines of `new`, from 1, between what both begin and what both end with.
fn changed_lines(old: &[u32], new: &[u32]) -> (u32, u32) {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - prefix;
    let suffix = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let first = prefix as u32 + 1;
    (first, (new.len() - suffix).max(prefix + 1) as u32)
}

/// The key of a target's record: its place on this machine.
fn key(target: &Path) -> ActionKey {
    let place = hex(target.as_os_str().as_encoded_bytes());
    ActionKey::of(&[b"vitte.history.v1", place.as_bytes()])
}

impl BuildCache {
    /// Notes that `target` was built from `facts`.
    pub(crate) fn remember(&self, target: &Path, facts: Facts) {
        let causes = match self.record(target) {
            Some(known) if known.facts == facts => return,
            Some(known) => facts.causes(&known.facts),
            None => vec![Cause { kind: CauseKind::First, ..Cause::default() }],
        };
        // Plain data: it cannot fail, and if it did the record would be none.
        let inputs = serde_json::to_vec(&Record { facts, causes }).unwrap_or_default();
        self.store.publish(&key(target), &ActionResult { inputs, ..ActionResult::default() });
    }

    /// What was different when `target` was last built anew; `None` when nothing is known of it.
    pub(crate) fn causes(&self, target: &Path) -> Option<Vec<Cause>> {
        self.record(target).map(|record| record.causes)
    }

    fn record(&self, target: &Path) -> Option<Record> {
        match self.store.lookup(&key(target)) {
            Lookup::Hit(result) => serde_json::from_slice(&result.inputs).ok(),
            Lookup::Miss(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(opt: &str, files: &[(&str, &str)]) -> Facts {
        let fact = |text: &str| FileFact {
            digest: sha256(text.as_bytes()),
            lines: text.split('\n').map(line_digest).collect(),
        };
        Facts {
            plan: [("opt-level".to_owned(), opt.to_owned())].into(),
            files: files.iter().map(|(name, text)| ((*name).to_owned(), fact(text))).collect(),
        }
    }

    #[test]
    fn causes_name_what_differs() {
        let old = facts("O1", &[("a", "x\ny\nz\n"), ("b", "1")]);
        let new = facts("O2", &[("a", "x\nw\nz\n"), ("c", "2")]);
        let found = new.causes(&old);
        let short: Vec<_> = found
            .iter()
            .map(|cause| (cause.kind, cause.name.as_str(), cause.first_line, cause.last_line))
            .collect();
        assert_eq!(
            short,
            [
                (CauseKind::Option, "opt-level", 0, 0),
                (CauseKind::File, "a", 2, 2),
                (CauseKind::Gone, "b", 0, 0),
                (CauseKind::Appeared, "c", 0, 0),
            ]
        );
        assert_eq!(old.causes(&old), []);
    }

    #[test]
    fn lines_are_those_of_the_new_text() {
        let lines = |text: &str| text.split('\n').map(line_digest).collect::<Vec<_>>();
        let changed = |old: &str, new: &str| changed_lines(&lines(old), &lines(new));
        assert_eq!(changed("a\nb\nc", "a\nB\nc"), (2, 2));
        assert_eq!(changed("a\nb\nc", "a\nb1\nb2\nc"), (2, 3));
        assert_eq!(changed("a\nb\nc", "a\nc"), (2, 2));
        assert_eq!(changed("a\na", "a\na\na"), (3, 3));
        assert_eq!(changed("", "a"), (1, 1));
    }
}
