//! Whether a program gives the same bytes elsewhere: `vitte build --check-determinism`.
//!
//! The files that decide the program are copied below two other folders, with names of other lengths and
//! times decades apart, and built there anew, both at once, without memory or store. The compiler
//! itself sees no path, clock or thread; this shows that nothing else does either.
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::api::{BuildRequest, CancellationToken, DriverError, Event};
use crate::driver::Driver;
use crate::engine::internal;
use crate::project::io_error;

/// Where the copies are, below a new folder, and when their files say that they were written.
const PLACES: [(&str, u64); 2] =
    [("a", 1_000_000_000), ("a folder with a much longer name/and/deeper", 2_000_000_000)];
/// The compiler recurses as deeply as programs nest.
const STACK: usize = 64 << 20;

/// Builds what `request` means twice elsewhere and compares the results with `built`. `files` are all
/// that decide the program; `fresh` makes a driver that knows nothing.
///
/// # Errors
/// [`DriverError::Internal`] naming the artifact that differs and the first byte; whatever keeps a copy
/// from being made or built.
pub(crate) fn check(
    request: &BuildRequest,
    files: &[PathBuf],
    built: &Path,
    cancel: &CancellationToken,
    fresh: impl Fn() -> Driver + Sync,
) -> Result<(), DriverError> {
    let scratch = tempfile::tempdir().map_err(|source| DriverError::Io {
        operation: "create",
        path: std::env::temp_dir(),
        source,
    })?;
    let cwd = vitte_sys::fs::canonical(&request.cwd).map_err(io_error)?;
    let folders = [Some(&cwd), request.root.as_ref(), request.library.as_ref()];
    let shared = common(files.iter().chain(folders.into_iter().flatten()));
    let rebased = |place: &Path, path: &Path| match path.strip_prefix(&shared) {
        Ok(below) => place.join(below),
        Err(_) => path.to_path_buf(),
    };
    let build = |(name, seconds): (&str, u64)| {
        let place = scratch.path().join(name);
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for file in files {
            copy(file, &rebased(&place, file), written)?;
        }
        let elsewhere = BuildRequest {
            entry: request.entry.as_ref().map(|entry| rebased(&place, entry)),
            cwd: rebased(&place, &cwd),
            root: request.root.as_ref().map(|root| rebased(&place, root)),
            library: request.library.as_ref().map(|library| rebased(&place, library)),
            output: Some(place.join("program")),
            check_determinism: false,
            check_cache: false,
            ..request.clone()
        };
        vitte_sys::fs::create_directories(&elsewhere.cwd).map_err(io_error)?;
        let outcome = fresh().build(&elsewhere, &|_: Event| {}, cancel)?;
        let executable = outcome.executable.ok_or_else(|| internal("a copy of the program has errors"))?;
        vitte_sys::fs::read(&executable).map_err(io_error)
    };
    let expected = vitte_sys::fs::read(built).map_err(io_error)?;
    let results = std::thread::scope(|scope| {
        let build = &build;
        let running = PLACES.map(|place| {
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || build(place))
        });
        running.map(|thread| match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(internal("a build elsewhere panicked")),
            Err(error) => Err(internal(format!("cannot start a thread: {error}"))),
        })
    });
    for result in results {
        let bytes = result?;
        if let Some(at) = first_difference(&expected, &bytes) {
            return Err(internal(format!(
                "the executable is not deterministic: built in another folder it differs from byte {at} on \
                 ({} and {} bytes); this is a fault of the compiler",
                expected.len(),
                bytes.len()
            )));
        }
    }
    Ok(())
}

/// The deepest folder that all of `paths` are below.
fn common<'a>(mut paths: impl Iterator<Item = &'a PathBuf>) -> PathBuf {
    let Some(first) = paths.next() else { return PathBuf::new() };
    let mut shared: Vec<Component<'_>> = first.parent().unwrap_or(first).components().collect();
    for path in paths {
        let same = shared.iter().zip(path.components()).take_while(|(a, b)| **a == *b).count();
        shared.truncate(same);
    }
    shared.into_iter().collect()
}

fn copy(from: &Path, to: &Path, written: SystemTime) -> Result<(), DriverError> {
    let bytes = match vitte_sys::fs::read(from) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(error)),
    };
    if let Some(folder) = to.parent() {
        vitte_sys::fs::create_directories(folder).map_err(io_error)?;
    }
    let failed = |source| DriverError::Io { operation: "write", path: to.to_path_buf(), source };
    std::fs::write(to, bytes).map_err(failed)?;
    let file = std::fs::File::options().write(true).open(to).map_err(failed)?;
    file.set_modified(written).map_err(failed)
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let differs = a.iter().zip(b).position(|(a, b)| a != b);
    differs.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_folder_is_the_deepest() {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(common(paths(&["/a/b/c.vit", "/a/b/d/e.vit"]).iter()), Path::new("/a/b"));
        assert_eq!(common(paths(&["/a/b/c.vit", "/a/b"]).iter()), Path::new("/a/b"));
        assert_eq!(common(paths(&["/a/b/c.vit", "/x"]).iter()), Path::new("/"));
    }

    #[test]
    fn differences_are_found() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"axc"), Some(1));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
    }
}
