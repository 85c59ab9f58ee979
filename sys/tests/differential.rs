//! The same operations through `Root`, through the C library `ffi_syscalls` and through the standard
//! library must give the same tree and the same kinds of answers.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vitte_sys::fs::{Durability, Root};

mod common;
#[cfg(target_os = "linux")]
#[path = "common/c_library.rs"]
mod c_library;
use common::Scratch;

#[derive(Clone, Debug)]
enum Step {
    Write(PathBuf, Vec<u8>),
    Read(PathBuf),
    Stamp(PathBuf),
    Directories(PathBuf),
    RemoveFile(PathBuf),
    RemoveTree(PathBuf),
    Rename(PathBuf, PathBuf),
    Copy(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    ReadLink(PathBuf),
    List(PathBuf),
}

/// Few names, so that they meet; at most three deep.
fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "ü"]), 1..=3)
        .prop_map(|names| names.iter().collect())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (path(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(p, b)| Step::Write(p, b)),
        2 => path().prop_map(Step::Read),
        2 => path().prop_map(Step::Stamp),
        4 => path().prop_map(Step::Directories),
        1 => path().prop_map(Step::RemoveFile),
        1 => path().prop_map(Step::RemoveTree),
        2 => (path(), path()).prop_map(|(a, b)| Step::Rename(a, b)),
        2 => (path(), path()).prop_map(|(a, b)| Step::Copy(a, b)),
        2 => (path(), path()).prop_map(|(a, b)| Step::Link(a, b)),
        1 => path().prop_map(Step::ReadLink),
        2 => path().prop_map(Step::List),
    ]
}

type Answer = Result<Vec<u8>, ()>;

fn ours(root: &Root, step: &Step) -> Answer {
    let unit = |answer: Result<(), vitte_sys::SysError>| answer.map(|()| Vec::new()).map_err(drop);
    match step {
        Step::Write(path, bytes) => unit(root.replace(path, bytes, 0o644, Durability::Cached)),
        Step::Read(path) => root.read(path, u64::MAX).map_err(drop),
        Step::Stamp(path) => match root.stamp(path) {
            Ok(Some(stamp)) => Ok(vec![stamp.kind as u8]),
            Ok(None) | Err(_) => Err(()),
        },
        Step::Directories(path) => unit(root.create_directories(path)),
        Step::RemoveFile(path) => unit(root.remove_file(path)),
        Step::RemoveTree(path) => unit(root.remove_tree(path)),
        Step::Rename(from, to) => unit(root.rename(from, to)),
        Step::Copy(from, to) => root.copy(from, to).map(|copied| vec![copied.bytes as u8]).map_err(drop),
        Step::Link(target, path) => unit(root.symlink(target, path)),
        Step::ReadLink(path) => {
            root.read_link(path).map(|p| p.into_os_string().into_encoded_bytes()).map_err(drop)
        }
        Step::List(path) => root
            .entries(path)
            .map(|all| all.into_iter().flat_map(|entry| entry.name.into_encoded_bytes()).collect())
            .map_err(drop),
    }
}

fn standard(root: &Path, step: &Step) -> Answer {
    let unit = |answer: io::Result<()>| answer.map(|()| Vec::new()).map_err(drop);
    match step {
        Step::Write(path, bytes) => {
            let beside = root.join("beside");
            let written =
                std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, root.join(path)));
            let _ = std::fs::remove_file(&beside);
            unit(written)
        }
        Step::Read(path) => std::fs::read(root.join(path)).map_err(drop),
        Step::Stamp(path) => std::fs::metadata(root.join(path))
            .map(|data| vec![if data.is_file() { 0 } else { u8::from(data.is_dir()) }])
            .map_err(drop),
        Step::Directories(path) => {
            // `Root` makes directories through no link.
            let mut at = root.to_path_buf();
            for name in path {
                at.push(name);
                if at.is_symlink() {
                    return Err(());
                }
                match std::fs::create_dir(&at) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists && at.is_dir() => {}
                    Err(_) => return Err(()),
                }
            }
            Ok(Vec::new())
        }
        Step::RemoveFile(path) => unit(std::fs::remove_file(root.join(path))),
        Step::RemoveTree(path) => {
            let path = root.join(path);
            match std::fs::symlink_metadata(&path) {
                Ok(data) if data.is_dir() => unit(std::fs::remove_dir_all(path)),
                Ok(_) => unit(std::fs::remove_file(path)),
                Err(_) => Err(()),
            }
        }
        Step::Rename(from, to) => unit(std::fs::rename(root.join(from), root.join(to))),
        Step::Copy(from, to) => {
            // `Root` copies regular files to new names only.
            if root.join(to).symlink_metadata().is_ok() || !root.join(from).is_file() {
                return Err(());
            }
            std::fs::copy(root.join(from), root.join(to)).map(|count| vec![count as u8]).map_err(drop)
        }
        Step::Link(target, path) => unit(std::os::unix::fs::symlink(target, root.join(path))),
        Step::ReadLink(path) => {
            std::fs::read_link(root.join(path)).map(|p| p.into_os_string().into_encoded_bytes()).map_err(drop)
        }
        Step::List(path) => {
            let mut names: Vec<_> = std::fs::read_dir(root.join(path))
                .map_err(drop)?
                .map(|entry| entry.unwrap().file_name().into_encoded_bytes())
                .collect();
            names.sort();
            Ok(names.concat())
        }
    }
}

#[cfg(target_os = "linux")]
fn through_c(library: &c_library::Library, root: &Path, step: &Step) -> Answer {
    const DIRECTORY: u32 = 0o040_000;
    const FILE: u32 = 0o100_000;
    const LINK: u32 = 0o120_000;
    let unit = |answer: c_library::Answer<u64>| answer.map(|_| Vec::new()).map_err(drop);
    match step {
        Step::Write(path, bytes) => {
            let beside = root.join("beside");
            let written =
                library.write(&beside, bytes).and_then(|_| library.rename(&beside, &root.join(path)));
            let _ = library.remove(&beside);
            unit(written)
        }
        Step::Read(path) => library.read(&root.join(path)).map_err(drop),
        Step::Stamp(path) => library
            .kind(&root.join(path), true)
            .map(|kind| vec![if kind == FILE { 0 } else { u8::from(kind == DIRECTORY) }])
            .map_err(drop),
        Step::Directories(path) => {
            let mut at = root.to_path_buf();
            for name in path {
                at.push(name);
                if library.kind(&at, false) == Ok(LINK) {
                    return Err(());
                }
                match library.make_directory(&at) {
                    Ok(_) => {}
                    Err(libc::EEXIST) if library.kind(&at, true) == Ok(DIRECTORY) => {}
                    Err(_) => return Err(()),
                }
            }
            Ok(Vec::new())
        }
        Step::RemoveFile(path) => unit(library.remove(&root.join(path))),
        Step::RemoveTree(path) => unit(library.remove_tree(&root.join(path))),
        Step::Rename(from, to) => unit(library.rename(&root.join(from), &root.join(to))),
        Step::Copy(from, to) => {
            let (from, to) = (root.join(from), root.join(to));
            if library.kind(&to, false).is_ok() || library.kind(&from, true) != Ok(FILE) {
                return Err(());
            }
            library.copy(&from, &to).map(|count| vec![count as u8]).map_err(drop)
        }
        Step::Link(target, path) => unit(library.symlink(target, &root.join(path))),
        Step::ReadLink(path) => library.link_target(&root.join(path)).map_err(drop),
        Step::List(path) => library.list(&root.join(path)).map(|names| names.concat()).map_err(drop),
    }
}

/// Path to kind and contents.
fn tree(at: &Path) -> BTreeMap<PathBuf, (char, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut queue = vec![PathBuf::new()];
    while let Some(folder) = queue.pop() {
        for entry in std::fs::read_dir(at.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().unwrap();
            let what = if kind.is_dir() {
                queue.push(path.clone());
                ('d', Vec::new())
            } else if kind.is_symlink() {
                let target = std::fs::read_link(entry.path()).unwrap();
                ('l', target.into_os_string().into_encoded_bytes())
            } else {
                ('f', std::fs::read(entry.path()).unwrap())
            };
            all.insert(path, what);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn root_and_std_agree(steps in prop::collection::vec(step(), 1..40)) {
        let (one, two) = (Scratch::new("ours"), Scratch::new("std"));
        let root = Root::open(one.path()).unwrap();
        for step in &steps {
            prop_assert_eq!(ours(&root, step), standard(two.path(), step), "{:?}", step);
        }
        prop_assert_eq!(tree(one.path()), tree(two.path()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn ffi_syscalls_and_std_agree(steps in prop::collection::vec(step(), 1..40)) {
        static LIBRARY: std::sync::OnceLock<Result<c_library::Library, String>> = std::sync::OnceLock::new();
        let library = match LIBRARY.get_or_init(c_library::Library::load) {
            Ok(library) => library,
            Err(reason) => {
                static SAID: std::sync::Once = std::sync::Once::new();
                SAID.call_once(|| println!("SKIP: {reason}"));
                return Ok(());
            }
        };
        let (one, two) = (Scratch::new("c"), Scratch::new("std"));
        for step in &steps {
            prop_assert_eq!(through_c(library, one.path(), step), standard(two.path(), step), "{:?}", step);
        }
        prop_assert_eq!(tree(one.path()), tree(two.path()));
    }
}
