//! Thousands of small files: names relative to an open directory, one stat each, buffers used again,
//! and one pass that asks the disk for everything when the first file is not in memory.
use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::{FileStamp, Root, contents};
use crate::platform::handle::{OwnedHandle, borrow};
use crate::platform::{Errno, Open, Stat, files};
use crate::{Op, SysError};

/// Files opened ahead of the reading when they are not in memory. Below the usual limit of 1024 open
/// files; when the limit is lower still, as many as it allows.
const AHEAD: usize = 512;

/// What is told of each file, in the order of the names.
#[derive(Debug)]
pub struct Visit<'v> {
    /// Which of the names it is.
    pub index: usize,
    /// The whole contents, valid during the visit, and the stamp they were read under.
    pub file: Result<(&'v [u8], FileStamp), SysError>,
}

/// Reads many files with one set of buffers. Keep it to use them again.
#[derive(Debug, Default)]
pub struct Reader {
    /// As long as the longest file so far, so that it is zeroed once and not for each file.
    now: Vec<u8>,
    /// For what does not come at once.
    later: Vec<u8>,
    ahead: Vec<(usize, io::Result<(OwnedHandle, Stat)>)>,
    /// Whether files were met that belong to others, see [`open`].
    foreign: bool,
    /// Files still to be read without asking whether they are in memory.
    presumed: u32,
}

/// How many files are presumed to be in memory after one that was. To ask costs 5 % of a small file;
/// to presume wrongly costs waiting for as many files one after the other, once.
const PRESUMED: u32 = 63;

/// Files larger than this are read by the patient way: one more call is nothing beside their bytes.
const SMALL: u64 = 1 << 20;

/// What an attempt to read without waiting for a disk gave.
enum Attempt {
    /// All of it: that many bytes.
    Whole(usize),
    /// The bytes are on a disk.
    Cold,
    /// Neither is certain.
    Unclear,
}

impl Reader {
    /// A reader without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the regular files `names` of `root`, each of at most `limit` bytes, and shows each to
    /// `visit`, in order, until that breaks. A file that fails is shown with its error; the others are
    /// still read.
    pub fn read_many<N: AsRef<OsStr>>(
        &mut self,
        root: &Root,
        names: &[N],
        limit: u64,
        mut visit: impl FnMut(Visit<'_>) -> ControlFlow<()>,
    ) {
        let path = |index: usize| names.get(index).map_or(Path::new(""), |name| Path::new(name.as_ref()));
        let fail =
            |index: usize, error: io::Error| SysError::new(Op::Read, &root.path().join(path(index)), error);
        let mut next = 0;
        while next < names.len() {
            let index = next;
            next += 1;
            let (descriptor, stat) = match open(root, path(index), &mut self.foreign) {
                Ok(opened) => opened,
                Err(error) => {
                    if visit(Visit { index, file: Err(fail(index, error)) }).is_break() {
                        return;
                    }
                    continue;
                }
            };
            match self.attempt(&descriptor, &stat, limit) {
                Attempt::Whole(length) => {
                    let bytes = self.now.get(..length).unwrap_or_default();
                    if visit(Visit { index, file: Ok((bytes, FileStamp::of(&stat))) }).is_break() {
                        return;
                    }
                    continue;
                }
                Attempt::Cold => {
                    self.ahead.push((index, Ok((descriptor, stat))));
                    next = self.open_ahead(root, names.len(), next, path);
                }
                Attempt::Unclear => self.ahead.push((index, Ok((descriptor, stat)))),
            }
            for (index, opened) in self.ahead.drain(..) {
                self.later.clear();
                let read = opened.and_then(|(descriptor, stat)| {
                    contents::read_into(&descriptor, stat.size, limit, &mut self.later)?;
                    Ok(FileStamp::of(&stat))
                });
                let file = match read {
                    Ok(stamp) => Ok((self.later.as_slice(), stamp)),
                    Err(error) => Err(fail(index, error)),
                };
                if visit(Visit { index, file }).is_break() {
                    return;
                }
            }
        }
    }

    /// Opens the files from `next` on and asks the disk for all of them; answers with the first that
    /// is not open.
    fn open_ahead<'n>(
        &mut self,
        root: &Root,
        count: usize,
        mut next: usize,
        path: impl Fn(usize) -> &'n Path,
    ) -> usize {
        while next < count && self.ahead.len() < AHEAD {
            let opened = open(root, path(next), &mut self.foreign);
            if matches!(&opened, Err(error) if Errno::from_io_error(error) == Some(Errno::MFILE)) {
                break;
            }
            self.ahead.push((next, opened));
            next += 1;
        }
        for (descriptor, _) in self.ahead.iter().filter_map(|(_, opened)| opened.as_ref().ok()) {
            files::will_need(descriptor);
        }
        next
    }

    fn attempt(&mut self, descriptor: &OwnedHandle, stat: &Stat, limit: u64) -> Attempt {
        let size = stat.size;
        // A file that reports nothing may be one of procfs, which can have anything.
        if size == 0 || size > limit.min(SMALL) {
            return Attempt::Unclear;
        }
        // One byte more than there is: a short answer then is the end.
        let wanted = size as usize + 1;
        if self.now.len() < wanted {
            self.now.resize(wanted.next_power_of_two(), 0);
        }
        let Some(buffer) = self.now.get_mut(..wanted) else { return Attempt::Unclear };
        let presumed = self.presumed;
        let answer = if presumed > 0 {
            self.presumed -= 1;
            files::read_start(descriptor, buffer)
        } else {
            files::read_cached(descriptor, buffer)
        };
        match answer {
            Ok(count) if count as u64 == size => {
                if presumed == 0 {
                    self.presumed = PRESUMED;
                }
                Attempt::Whole(count)
            }
            // Part of it is in memory, or it grew.
            Ok(_) => Attempt::Unclear,
            Err(Errno::AGAIN) => Attempt::Cold,
            Err(_) => {
                // Most likely a file system that cannot be asked, tmpfs for one.
                self.presumed = PRESUMED;
                Attempt::Unclear
            }
        }
    }
}

/// Opens a regular file; `foreign` is kept from one to the next.
///
/// Reading does not touch the time of last access: ten thousand of them would have to be written to
/// the disk for nobody. Only the owner may ask for that, so the first refusal ends the asking.
fn open(root: &Root, path: &Path, foreign: &mut bool) -> io::Result<(OwnedHandle, Stat)> {
    if !*foreign {
        match open_as(root, path, Open { quiet: true, ..Open::READ }) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::PERM) => *foreign = true,
            answer => return answer,
        }
    }
    open_as(root, path, Open::READ)
}

fn open_as(root: &Root, path: &Path, how: Open) -> io::Result<(OwnedHandle, Stat)> {
    let descriptor = match root.plain(path) {
        // One name that is no link cannot lead outside.
        Some(name) => match files::open_at(borrow(root), name, how.no_follow(), 0) {
            Err(Errno::LOOP) => root.resolve(path, how, 0)?,
            answer => answer?,
        },
        None => root.resolve(path, how, 0)?,
    };
    let stat = files::stat(&descriptor)?;
    contents::regular(&stat)?;
    Ok((descriptor, stat))
}
