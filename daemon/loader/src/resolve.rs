//! Which packages a package is loaded with: one version of each, found by `pubgrub`, which also says why there are
//! none.
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};

use pubgrub::{
    DefaultStringReporter, Dependencies, DependencyProvider, PackageResolutionStatistics, PubGrubError,
    Ranges, Reporter,
};
use semver::{Prerelease, Version};

use crate::container::Dependency;
use crate::lock::Lock;

/// Which versions of a package will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    range: Ranges<Version>,
    /// Whether it names a version before a release: only then are such versions considered.
    names_prerelease: bool,
}

impl Requirement {
    /// Reads `*`, `1.2.3`, `^1.2.3` or `=1.2.3`.
    ///
    /// # Errors
    /// Why it is none of them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self { range: Ranges::full(), names_prerelease: false });
        }
        let (is_exact, number) = match text.strip_prefix('=') {
            Some(number) => (true, number),
            None => (false, text.strip_prefix('^').unwrap_or(text)),
        };
        let version = Version::parse(number)
            .map_err(|error| format!("`{text}` is none of `1.2.3`, `^1.2.3`, `=1.2.3` and `*`: {error}"))?;
        let names_prerelease = !version.pre.is_empty();
        let range = if is_exact {
            Ranges::singleton(version)
        } else {
            let end = breaking(&version);
            Ranges::between(version, end)
        };
        Ok(Self { range, names_prerelease })
    }

    /// Whether a version will do.
    pub(crate) fn admits(&self, version: &Version) -> bool {
        self.range.contains(version)
    }
}

/// The first version that is not compatible with `version` any more, before its own prereleases.
fn breaking(version: &Version) -> Version {
    let Version { major, minor, patch, .. } = *version;
    let mut next = match (major, minor) {
        (0, 0) => Version::new(0, 0, patch.saturating_add(1)),
        (0, _) => Version::new(0, minor.saturating_add(1), 0),
        _ => Version::new(major.saturating_add(1), 0, 0),
    };
    // The lowest prerelease that there is.
    next.pre = Prerelease::new("0").unwrap_or(Prerelease::EMPTY);
    next
}

/// Where a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In this file.
    File(PathBuf),
    /// It serves already.
    Loaded,
}

/// A version of a package that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) source: Source,
    /// SHA-256 of its file, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) deps: Vec<Dependency>,
    /// Whether it wants to be loaded when it is first called.
    pub(crate) on_call: bool,
}

/// All that can be had, by name and version.
pub(crate) type Offers = BTreeMap<String, BTreeMap<Version, Offer>>;

/// A package that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) version: Version,
    pub(crate) offer: Offer,
    /// Whether it is loaded when it is first called, not with the package that needs it.
    pub(crate) is_lazy: bool,
}

/// A package's name, as explanations show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

struct Provider<'a> {
    root: &'a str,
    version: &'a Version,
    deps: &'a [Dependency],
    offers: &'a Offers,
    lock: &'a Lock,
    /// Packages of which somebody names a prerelease.
    with_prereleases: BTreeSet<&'a str>,
}

impl Provider<'_> {
    fn versions(&self, name: &str) -> impl DoubleEndedIterator<Item = &Version> {
        let with_prereleases = self.with_prereleases.contains(name);
        let versions = self.offers.get(name).into_iter().flat_map(|versions| versions.keys());
        versions.filter(move |version| with_prereleases || version.pre.is_empty())
    }
}

impl DependencyProvider for Provider<'_> {
    type P = Name;
    type V = Version;
    type VS = Ranges<Version>;
    type M = String;
    type Priority = (u32, std::cmp::Reverse<usize>, std::cmp::Reverse<Name>);
    type Err = Infallible;

    fn prioritize(
        &self,
        package: &Name,
        range: &Self::VS,
        conflicts: &PackageResolutionStatistics,
    ) -> Self::Priority {
        // Whoever has been in conflict first, then whoever leaves the least choice; then by name, so that equal
        // inputs are decided equally.
        let choice = self.versions(&package.0).filter(|version| range.contains(version)).count();
        (conflicts.conflict_count(), std::cmp::Reverse(choice), std::cmp::Reverse(package.clone()))
    }

    fn choose_version(&self, package: &Name, range: &Self::VS) -> Result<Option<Version>, Infallible> {
        if package.0 == self.root {
            return Ok(range.contains(self.version).then(|| self.version.clone()));
        }
        let locked = self.lock.version(&package.0).filter(|version| range.contains(*version));
        let locked = locked.filter(|locked| self.versions(&package.0).any(|version| version == *locked));
        let newest = || self.versions(&package.0).rev().find(|version| range.contains(*version));
        Ok(locked.or_else(newest).cloned())
    }

    fn get_dependencies(
        &self,
        package: &Name,
        version: &Version,
    ) -> Result<Dependencies<Name, Self::VS, String>, Infallible> {
        let deps = if package.0 == self.root {
            self.deps
        } else {
            let offer = self.offers.get(&package.0).and_then(|versions| versions.get(version));
            offer.map_or(&[][..], |offer| offer.deps.as_slice())
        };
        let needed = deps.iter().filter_map(|dep| {
            let requirement = Requirement::parse(&dep.req).ok()?;
            let is_there = || self.versions(&dep.id).any(|version| requirement.admits(version));
            (!dep.optional || is_there()).then(|| (Name(dep.id.clone()), requirement.range))
        });
        Ok(Dependencies::Available(needed.collect()))
    }
}

/// One version of each package that the package `root` needs, itself left out.
///
/// # Errors
/// Why they cannot be had together, in sentences.
pub(crate) fn resolve(
    root: &str,
    version: &Version,
    deps: &[Dependency],
    offers: &Offers,
    lock: &Lock,
) -> Result<BTreeMap<String, Chosen>, String> {
    let all = offers.values().flat_map(BTreeMap::values).flat_map(|offer| &offer.deps).chain(deps);
    let named = all.filter(|dep| Requirement::parse(&dep.req).is_ok_and(|of| of.names_prerelease));
    let with_prereleases = named.map(|dep| dep.id.as_str()).collect();
    let provider = Provider { root, version, deps, offers, lock, with_prereleases };
    let solution = match pubgrub::resolve(&provider, Name(root.to_owned()), version.clone()) {
        Ok(solution) => solution,
        Err(PubGrubError::NoSolution(tree)) => return Err(explain(tree, &provider)),
        Err(error) => return Err(error.to_string()),
    };
    let chosen: BTreeMap<String, Version> =
        solution.into_iter().map(|(name, version)| (name.0, version)).collect();
    // Those that can be reached without passing one that waits for a call.
    let mut eager = BTreeSet::new();
    let mut open = vec![deps];
    while let Some(deps) = open.pop() {
        for dep in deps.iter().filter(|dep| !dep.lazy) {
            let offer = chosen.get(&dep.id).and_then(|version| offers.get(&dep.id)?.get(version));
            let Some(offer) = offer.filter(|offer| !offer.on_call) else { continue };
            if eager.insert(dep.id.as_str()) {
                open.push(&offer.deps);
            }
        }
    }
    let others = chosen.into_iter().filter(|(name, _)| name != root);
    Ok(others
        .filter_map(|(name, version)| {
            let offer = offers.get(&name)?.get(&version)?.clone();
            let is_lazy = !eager.contains(name.as_str());
            Some((name, Chosen { version, offer, is_lazy }))
        })
        .collect())
}

/// A proof that there is no solution, in sentences, and what there would be.
fn explain(mut tree: pubgrub::NoSolutionError<Provider<'_>>, provider: &Provider<'_>) -> String {
    tree.collapse_no_versions();
    // An upper bound is written with the lowest prerelease, which nobody has to read.
    let mut text = DefaultStringReporter::report(&tree).replace("-0", "");
    let packages: BTreeSet<&Name> = tree.packages().into_iter().collect();
    for name in packages.into_iter().filter(|name| name.0 != provider.root) {
        let Name(id) = name;
        let versions = provider.offers.get(id).into_iter().flatten();
        let versions: Vec<String> = versions
            .map(|(version, offer)| match &offer.source {
                Source::File(_) => version.to_string(),
                Source::Loaded => format!("{version}, which is loaded"),
            })
            .collect();
        text.push_str(&match versions.as_slice() {
            [] => format!("\nof {name} there is no version in the folders that were searched"),
            versions => format!("\nof {name} there is {}", versions.join("; ")),
        });
    }
    text
}

/// The packages in `folders`, and why others there were passed over.
pub(crate) fn in_folders(folders: &[PathBuf], bytes_max: u64) -> (Offers, Vec<String>) {
    /// Files of a folder that are looked at.
    const FILES_MAX: usize = 4096;
    let (mut offers, mut passed) = (Offers::new(), Vec::new());
    for folder in folders {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                passed.push(format!("`{}` cannot be read: {error}", folder.display()));
                continue;
            }
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "vitmod")).collect();
        paths.sort();
        for path in paths.into_iter().take(FILES_MAX) {
            match offer(&path, bytes_max) {
                // The first folder, and in it the first file, comes first.
                Ok((id, version, offer)) => {
                    offers.entry(id).or_default().entry(version).or_insert(offer);
                }
                Err(why) => passed.push(format!("`{}` was passed over: {why}", path.display())),
            }
        }
    }
    (offers, passed)
}

fn offer(path: &Path, bytes_max: u64) -> Result<(String, Version, Offer), String> {
    use sha2::{Digest, Sha256};
    let file = vitte_sys::fs::read_at_most(path, bytes_max).map_err(|error| error.to_string())?;
    let package = crate::container::Container::read(&file).map_err(|error| error.to_string())?;
    let manifest = package.manifest();
    let version = Version::parse(&manifest.version).map_err(|error| error.to_string())?;
    let offer = Offer {
        source: Source::File(path.to_owned()),
        digest: crate::loader::hexadecimal(&Sha256::digest(&file)),
        deps: manifest.deps.clone(),
        on_call: manifest.activation.iter().any(|event| event == ON_CALL),
    };
    Ok((manifest.id.clone(), version, offer))
}

/// The activation event of a module that is loaded when it is first called.
pub(crate) const ON_CALL: &str = "on-call";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn dep(text: &str) -> Dependency {
        let mut parts = text.split(' ');
        let (id, req) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
        let flags: Vec<&str> = parts.collect();
        Dependency { id, req, optional: flags.contains(&"optional"), lazy: flags.contains(&"lazy") }
    }

    fn offers(list: &[(&str, &str, &[&str])]) -> Offers {
        let mut offers = Offers::new();
        for (id, version, deps) in list {
            let offer = Offer {
                source: Source::File(format!("{id}-{version}.vitmod").into()),
                digest: String::new(),
                deps: deps.iter().map(|text| dep(text)).collect(),
                on_call: false,
            };
            offers.entry((*id).to_owned()).or_default().insert(version.parse().unwrap(), offer);
        }
        offers
    }

    /// What is chosen, as `id version`, with `lazy` behind it.
    fn solve(deps: &[&str], offers: &Offers, lock: &Lock) -> Result<Vec<String>, String> {
        let deps: Vec<Dependency> = deps.iter().map(|text| dep(text)).collect();
        let chosen = resolve("app", &Version::new(1, 0, 0), &deps, offers, lock)?;
        Ok(chosen
            .into_iter()
            .map(|(id, Chosen { version, is_lazy, .. })| {
                format!("{id} {version}{}", if is_lazy { " lazy" } else { "" })
            })
            .collect())
    }

    #[test]
    fn requirements() {
        for (text, yes, no) in [
            ("1.2.3", &["1.2.3", "1.9.0"][..], &["1.2.2", "2.0.0", "2.0.0-rc.1"][..]),
            ("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "0.3.0-0", "0.2.2"]),
            ("^0.0.3", &["0.0.3"], &["0.0.4"]),
            ("=1.2.3", &["1.2.3"], &["1.2.4"]),
            ("*", &["0.0.1", "9.9.9"], &[]),
            ("1.0.0-rc.1", &["1.0.0-rc.1", "1.0.0-rc.2", "1.0.0"], &["1.0.0-beta.1"]),
        ] {
            let requirement = Requirement::parse(text).unwrap();
            for version in yes {
                assert!(requirement.admits(&version.parse().unwrap()), "{text} {version}");
            }
            for version in no {
                assert!(!requirement.admits(&version.parse().unwrap()), "{text} {version}");
            }
        }
        for wrong in ["", "1", "1.2", "~1.2.3", ">=1.0.0", "=*", "^"] {
            assert!(Requirement::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_newest_that_fit_are_chosen() {
        let offers = offers(&[
            ("json", "1.0.0", &[]),
            ("json", "1.4.0", &["text ^2.0.0"]),
            ("json", "2.0.0-rc.1", &[]),
            ("json", "2.0.0", &[]),
            ("text", "2.1.0", &[]),
            ("text", "1.0.0", &[]),
        ]);
        let none = Lock::default();
        assert_eq!(
            solve(&["json 1.0.0"], &offers, &none),
            Ok(vec!["json 1.4.0".into(), "text 2.1.0".into()])
        );
        assert_eq!(
            solve(&["json 1.0.0", "text =1.0.0"], &offers, &none).unwrap(),
            ["json 1.0.0", "text 1.0.0"]
        );
        assert_eq!(solve(&["json *"], &offers, &none).unwrap(), ["json 2.0.0"]);
        assert_eq!(solve(&["json =2.0.0-rc.1"], &offers, &none).unwrap(), ["json 2.0.0-rc.1"]);
        // What is locked stays, as long as it fits.
        let lock = Lock::of([("json".to_owned(), Version::new(1, 0, 0), String::new(), String::new())]);
        assert_eq!(solve(&["json 1.0.0"], &offers, &lock).unwrap(), ["json 1.0.0"]);
        assert_eq!(solve(&["json 2.0.0"], &offers, &lock).unwrap(), ["json 2.0.0"]);
    }

    #[test]
    fn optional_and_lazy_ones() {
        let offers = offers(&[
            ("a", "1.0.0", &["b 1.0.0", "c 1.0.0 lazy"]),
            ("b", "1.0.0", &["a 1.0.0"]),
            ("c", "1.0.0", &["d 1.0.0"]),
            ("d", "1.0.0", &[]),
        ]);
        let none = Lock::default();
        let expected = ["a 1.0.0", "b 1.0.0", "c 1.0.0 lazy", "d 1.0.0 lazy"];
        assert_eq!(solve(&["a 1.0.0", "none 1.0.0 optional"], &offers, &none).unwrap(), expected);
        let expected = ["a 1.0.0", "b 1.0.0", "c 1.0.0 lazy", "d 1.0.0"];
        assert_eq!(solve(&["a 1.0.0", "d *"], &offers, &none).unwrap(), expected);
    }

    #[test]
    fn a_conflict_is_explained() {
        let offers = offers(&[
            ("acme:json", "1.0.0", &["acme:text ^2.0.0"]),
            ("acme:xml", "1.0.0", &["acme:text ^1.0.0"]),
            ("acme:text", "1.0.0", &[]),
            ("acme:text", "2.0.0", &[]),
        ]);
        let why = solve(&["acme:json 1.0.0", "acme:xml 1.0.0"], &offers, &Lock::default()).unwrap_err();
        for part in [
            "`acme:json`",
            "`acme:xml`",
            "`acme:text` >=2.0.0, <3.0.0",
            "of `acme:text` there is 1.0.0; 2.0.0",
        ] {
            assert!(why.contains(part), "{part} in:\n{why}");
        }
        let why = solve(&["none 1.0.0"], &offers, &Lock::default()).unwrap_err();
        assert!(why.contains("`none`") && why.contains("no version"), "{why}");
    }
}
