//! A host of `wasi_snapshot_preview1` over wasmtime, as small as programs of the cross suite need: output is kept, and the
//! only folder that a program sees is one of its own, which is its `/`.
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use wasmtime::{Caller, Config, Engine, Extern, Linker, Module, Store};

const WASI: &str = "wasi_snapshot_preview1";
/// The folder that is open from the start.
const ROOT: i32 = 3;

/// How a program has ended.
pub struct Ended {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

struct Exit(i32);

impl std::fmt::Debug for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit with {}", self.0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit with {}", self.0)
    }
}

impl std::error::Error for Exit {}

enum Open {
    File(File),
    Folder(PathBuf),
}

struct Host {
    args: Vec<String>,
    stdin: std::io::Cursor<Vec<u8>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    open: HashMap<i32, Open>,
    random: u64,
}

/// Runs a module to its end with what it reads, in `root`.
pub fn run(module: &[u8], args: &[String], stdin: Vec<u8>, root: &Path) -> Ended {
    let mut config = Config::new();
    config.wasm_memory64(true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, module).unwrap();
    let args = [&["program".to_owned()], args].concat();
    let open = HashMap::from([(ROOT, Open::Folder(root.to_path_buf()))]);
    let stdin = std::io::Cursor::new(stdin);
    let host = Host { args, stdin, stdout: Vec::new(), stderr: Vec::new(), open, random: 1 };
    let mut store = Store::new(&engine, host);
    let mut linker = Linker::new(&engine);
    link(&mut linker).unwrap();
    // Whatever else it imports must not be called.
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
    let status = match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<Exit>() {
            Some(Exit(status)) => *status,
            None => {
                let told = format!("{error:?}");
                store.data_mut().stderr.extend(told.bytes());
                134
            }
        },
    };
    let Host { stdout, stderr, .. } = store.into_data();
    Ended { status, stdout, stderr }
}

/// What a function answers that did not do what it was asked.
#[derive(Clone, Copy)]
enum Errno {
    BadDescriptor = 8,
    Exists = 20,
    Fault = 21,
    Invalid = 28,
    Io = 29,
    NotFound = 44,
    NotDirectory = 54,
    NotEmpty = 55,
    NotSeekable = 70,
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            std::io::ErrorKind::AlreadyExists => Self::Exists,
            std::io::ErrorKind::NotADirectory => Self::NotDirectory,
            std::io::ErrorKind::DirectoryNotEmpty => Self::NotEmpty,
            std::io::ErrorKind::InvalidInput => Self::Invalid,
            _ => Self::Io,
        }
    }
}

type Answer = Result<(), Errno>;

/// The program's memory and its host.
struct At<'a> {
    memory: &'a mut [u8],
    host: &'a mut Host,
}

impl At<'_> {
    fn bytes(&self, at: i32, count: i32) -> Result<&[u8], Errno> {
        let (at, count) = (at as u32 as usize, count as u32 as usize);
        self.memory.get(at..at + count).ok_or(Errno::Fault)
    }

    fn word(&self, at: i32) -> Result<i32, Errno> {
        Ok(i32::from_le_bytes(self.bytes(at, 4)?.try_into().map_err(|_| Errno::Fault)?))
    }

    fn put(&mut self, at: i32, bytes: &[u8]) -> Answer {
        let at = at as u32 as usize;
        self.memory.get_mut(at..at + bytes.len()).ok_or(Errno::Fault)?.copy_from_slice(bytes);
        Ok(())
    }

    /// A path of the program, in its root; it has none that leads out.
    fn path(&self, folder: i32, path: i32, length: i32) -> Result<PathBuf, Errno> {
        let path = std::str::from_utf8(self.bytes(path, length)?).map_err(|_| Errno::Invalid)?;
        match self.host.open.get(&folder) {
            Some(Open::Folder(root)) if !path.contains("..") => Ok(root.join(path.trim_start_matches('/'))),
            _ => Err(Errno::BadDescriptor),
        }
    }

    fn file(&mut self, number: i32) -> Result<&mut File, Errno> {
        match self.host.open.get_mut(&number) {
            Some(Open::File(file)) => Ok(file),
            Some(Open::Folder(_)) | None => Err(Errno::BadDescriptor),
        }
    }

    /// The buffers of a read or write: address and length each.
    fn buffers(&self, at: i32, count: i32) -> Result<Vec<(i32, i32)>, Errno> {
        (0..count).map(|number| Ok((self.word(at + number * 8)?, self.word(at + number * 8 + 4)?))).collect()
    }

    fn write(&mut self, number: i32, at: i32, count: i32, place: Option<i64>, written: i32) -> Answer {
        let mut all = Vec::new();
        for (at, length) in self.buffers(at, count)? {
            all.extend_from_slice(self.bytes(at, length)?);
        }
        match (number, place) {
            (1, None) => self.host.stdout.extend_from_slice(&all),
            (2, None) => self.host.stderr.extend_from_slice(&all),
            (_, None) => self.file(number)?.write_all(&all)?,
            (_, Some(place)) => self.file(number)?.write_all_at(&all, place as u64)?,
        }
        self.put(written, &(all.len() as u32).to_le_bytes())
    }

    fn read(&mut self, number: i32, at: i32, count: i32, place: Option<i64>, read: i32) -> Answer {
        let mut total = 0_u32;
        for (at, length) in self.buffers(at, count)? {
            let mut bytes = vec![0; length as u32 as usize];
            let got = match (number, place) {
                (0, None) => self.host.stdin.read(&mut bytes)?,
                (_, None) => self.file(number)?.read(&mut bytes)?,
                (_, Some(place)) => {
                    self.file(number)?.read_at(&mut bytes, place as u64 + u64::from(total))?
                }
            };
            self.put(at, &bytes[..got])?;
            total += got as u32;
            if got < bytes.len() {
                break;
            }
        }
        self.put(read, &total.to_le_bytes())
    }

    /// Kind and size where a `filestat` has them.
    fn stat(&mut self, data: &std::fs::Metadata, into: i32) -> Answer {
        let mut bytes = [0; 64];
        bytes[16] = if data.is_dir() { 3 } else { 4 };
        bytes[24] = 1;
        bytes[32..40].copy_from_slice(&data.len().to_le_bytes());
        self.put(into, &bytes)
    }

    fn open(&mut self, path: &Path, flags: i32, rights: i64, appends: bool, into: i32) -> Answer {
        let [create, folder, exclusive, truncate] = [1, 2, 4, 8].map(|flag| flags & flag != 0);
        let open = if folder || path.is_dir() {
            if !path.is_dir() {
                return Err(if path.exists() { Errno::NotDirectory } else { Errno::NotFound });
            }
            Open::Folder(path.to_path_buf())
        } else {
            let mut options = File::options();
            let writes = rights & 1 << 6 != 0 || create || truncate;
            options.read(true).write(writes).create(create && !exclusive).create_new(create && exclusive);
            Open::File(options.append(appends).truncate(truncate).open(path)?)
        };
        let number = (4..).find(|number| !self.host.open.contains_key(number)).unwrap();
        self.host.open.insert(number, open);
        self.put(into, &number.to_le_bytes())
    }

    fn names(&mut self, number: i32, into: i32, size: i32, from: i64, used: i32) -> Answer {
        let Some(Open::Folder(folder)) = self.host.open.get(&number) else {
            return Err(Errno::BadDescriptor);
        };
        let mut names: Vec<(String, bool)> = std::fs::read_dir(folder)?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir()))
            })
            .collect::<std::io::Result<_>>()?;
        names.sort();
        let mut bytes = Vec::new();
        for (place, (name, is_folder)) in names.iter().enumerate().skip(from as usize) {
            bytes.extend((place as u64 + 1).to_le_bytes());
            bytes.extend((place as u64 + 1).to_le_bytes());
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend([if *is_folder { 3 } else { 4 }, 0, 0, 0]);
            bytes.extend(name.bytes());
        }
        bytes.truncate(size as u32 as usize);
        self.put(into, &bytes)?;
        self.put(used, &(bytes.len() as u32).to_le_bytes())
    }

    /// Texts with a zero behind each, and where each begins.
    fn texts(&mut self, list: i32, texts: i32) -> Answer {
        let mut at = texts;
        for (number, text) in self.host.args.clone().iter().enumerate() {
            self.put(list + number as i32 * 4, &at.to_le_bytes())?;
            self.put(at, &[text.as_bytes(), &[0]].concat())?;
            at += text.len() as i32 + 1;
        }
        Ok(())
    }
}

fn with(caller: &mut Caller<'_, Host>, what: impl FnOnce(&mut At<'_>) -> Answer) -> i32 {
    let Some(memory) = caller.get_export("memory").and_then(Extern::into_memory) else {
        return Errno::Fault as i32;
    };
    let (memory, host) = memory.data_and_store_mut(caller);
    match what(&mut At { memory, host }) {
        Ok(()) => 0,
        Err(error) => error as i32,
    }
}

type C<'a> = Caller<'a, Host>;

fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, "args_sizes_get", |mut c: C<'_>, count: i32, size: i32| {
        with(&mut c, |at| {
            let bytes: usize = at.host.args.iter().map(|text| text.len() + 1).sum();
            let number = at.host.args.len() as u32;
            at.put(count, &number.to_le_bytes())?;
            at.put(size, &(bytes as u32).to_le_bytes())
        })
    })?;
    linker.func_wrap(WASI, "args_get", |mut c: C<'_>, list: i32, texts: i32| {
        with(&mut c, |at| at.texts(list, texts))
    })?;
    linker.func_wrap(WASI, "environ_sizes_get", |mut c: C<'_>, count: i32, size: i32| {
        with(&mut c, |at| at.put(count, &[0; 4]).and_then(|()| at.put(size, &[0; 4])))
    })?;
    linker.func_wrap(WASI, "environ_get", |_: i32, _: i32| 0)?;
    linker.func_wrap(WASI, "clock_time_get", |mut c: C<'_>, _: i32, _: i64, into: i32| {
        with(&mut c, |at| {
            at.host.random += 1_000_000;
            let now = at.host.random;
            at.put(into, &now.to_le_bytes())
        })
    })?;
    linker.func_wrap(WASI, "random_get", |mut c: C<'_>, into: i32, count: i32| {
        with(&mut c, |at| {
            for number in 0..count {
                at.host.random = at.host.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                let byte = (at.host.random >> 40) as u8;
                at.put(into + number, &[byte])?;
            }
            Ok(())
        })
    })?;
    linker.func_wrap(WASI, "proc_exit", |status: i32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::from(Exit(status)))
    })?;
    linker.func_wrap(WASI, "fd_write", |mut c: C<'_>, fd: i32, at: i32, count: i32, written: i32| {
        with(&mut c, |host| host.write(fd, at, count, None, written))
    })?;
    linker.func_wrap(
        WASI,
        "fd_pwrite",
        |mut c: C<'_>, fd: i32, at: i32, count: i32, place: i64, written: i32| {
            with(&mut c, |host| host.write(fd, at, count, Some(place), written))
        },
    )?;
    linker.func_wrap(WASI, "fd_read", |mut c: C<'_>, fd: i32, at: i32, count: i32, read: i32| {
        with(&mut c, |host| host.read(fd, at, count, None, read))
    })?;
    linker.func_wrap(
        WASI,
        "fd_pread",
        |mut c: C<'_>, fd: i32, at: i32, count: i32, place: i64, read: i32| {
            with(&mut c, |host| host.read(fd, at, count, Some(place), read))
        },
    )?;
    linker.func_wrap(WASI, "fd_close", |mut c: C<'_>, fd: i32| {
        with(&mut c, |at| at.host.open.remove(&fd).map(drop).ok_or(Errno::BadDescriptor))
    })?;
    linker.func_wrap(WASI, "fd_sync", |mut c: C<'_>, fd: i32| {
        with(&mut c, |at| Ok(at.file(fd)?.sync_all()?))
    })?;
    linker.func_wrap(WASI, "fd_filestat_set_size", |mut c: C<'_>, fd: i32, size: i64| {
        with(&mut c, |at| Ok(at.file(fd)?.set_len(size as u64)?))
    })?;
    linker.func_wrap(WASI, "fd_seek", |mut c: C<'_>, fd: i32, offset: i64, whence: i32, into: i32| {
        with(&mut c, |at| {
            let from = match whence {
                0 => SeekFrom::Start(offset as u64),
                1 => SeekFrom::Current(offset),
                _ => SeekFrom::End(offset),
            };
            if fd < ROOT {
                return Err(Errno::NotSeekable);
            }
            let place = at.file(fd)?.seek(from)?;
            at.put(into, &place.to_le_bytes())
        })
    })?;
    linker.func_wrap(WASI, "fd_filestat_get", |mut c: C<'_>, fd: i32, into: i32| {
        with(&mut c, |at| {
            if (0..ROOT).contains(&fd) {
                // A stream of characters.
                let mut bytes = [0; 64];
                bytes[16] = 2;
                return at.put(into, &bytes);
            }
            let data = at.file(fd)?.metadata()?;
            at.stat(&data, into)
        })
    })?;
    linker.func_wrap(WASI, "fd_prestat_get", |mut c: C<'_>, fd: i32, into: i32| {
        with(&mut c, |at| {
            if fd != ROOT {
                return Err(Errno::BadDescriptor);
            }
            at.put(into, &[0, 0, 0, 0, 1, 0, 0, 0])
        })
    })?;
    linker.func_wrap(WASI, "fd_prestat_dir_name", |mut c: C<'_>, fd: i32, into: i32, _: i32| {
        with(&mut c, |at| if fd == ROOT { at.put(into, b"/") } else { Err(Errno::BadDescriptor) })
    })?;
    linker.func_wrap(
        WASI,
        "fd_readdir",
        |mut c: C<'_>, fd: i32, into: i32, size: i32, from: i64, used: i32| {
            with(&mut c, |at| at.names(fd, into, size, from, used))
        },
    )?;
    files(linker)
}

fn files(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "path_open",
        |mut c: C<'_>,
         fd: i32,
         _: i32,
         path: i32,
         length: i32,
         flags: i32,
         rights: i64,
         _: i64,
         how: i32,
         into: i32| {
            with(&mut c, |at| {
                let path = at.path(fd, path, length)?;
                at.open(&path, flags, rights, how & 1 != 0, into)
            })
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_filestat_get",
        |mut c: C<'_>, fd: i32, _: i32, path: i32, length: i32, into: i32| {
            with(&mut c, |at| {
                let data = std::fs::metadata(at.path(fd, path, length)?)?;
                at.stat(&data, into)
            })
        },
    )?;
    linker.func_wrap(WASI, "path_create_directory", |mut c: C<'_>, fd: i32, path: i32, length: i32| {
        with(&mut c, |at| Ok(std::fs::create_dir(at.path(fd, path, length)?)?))
    })?;
    linker.func_wrap(WASI, "path_remove_directory", |mut c: C<'_>, fd: i32, path: i32, length: i32| {
        with(&mut c, |at| Ok(std::fs::remove_dir(at.path(fd, path, length)?)?))
    })?;
    linker.func_wrap(WASI, "path_unlink_file", |mut c: C<'_>, fd: i32, path: i32, length: i32| {
        with(&mut c, |at| Ok(std::fs::remove_file(at.path(fd, path, length)?)?))
    })?;
    linker.func_wrap(
        WASI,
        "path_rename",
        |mut c: C<'_>, fd: i32, from: i32, from_length: i32, to_fd: i32, to: i32, to_length: i32| {
            with(&mut c, |at| {
                Ok(std::fs::rename(at.path(fd, from, from_length)?, at.path(to_fd, to, to_length)?)?)
            })
        },
    )?;
    Ok(())
}
