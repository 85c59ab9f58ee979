//! Archives: sorted, with fixed owners and one time, compressed by fixed settings, so that equal files give equal bytes.
mod pieces; // compression on all processors, and of what changed alone
mod read; // archives of anybody's making, read and extracted with care
mod xz; // the frame of xz files

pub(crate) use pieces::Method;
pub use read::{Limits, Read, extract, read};

use std::io::{self, Cursor, Write};
use std::ops::Range;

use crate::digest::Date;
use crate::stage::{Content, Stage};

/// How an archive is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// `.tar.gz`
    TarGz,
    /// `.tar.zst`
    TarZst,
    /// `.tar.xz`
    TarXz,
    /// `.zip`
    Zip,
}

impl Archive {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TarGz, Self::TarZst, Self::TarXz, Self::Zip];

    /// The end of the file's name, without the dot before it.
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::TarXz => "tar.xz",
            Self::Zip => "zip",
        }
    }

    /// The one with that extension.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|archive| archive.extension() == name)
    }
}

/// Writes an archive; `folder` is the one folder in it that everything is below, empty for none. `time` is in seconds
/// since 1970. Linear in the bytes.
///
/// # Errors
/// Only what the libraries for the formats refuse, such as a path that is too long.
pub fn write(stage: &Stage, folder: &str, archive: Archive, time: u64) -> io::Result<Vec<u8>> {
    match archive {
        Archive::TarGz => tar(stage, folder, time, Method::Gzip),
        Archive::TarZst => tar(stage, folder, time, Method::Zstd),
        Archive::TarXz => tar(stage, folder, time, Method::Xz),
        Archive::Zip => zip(stage, folder, time),
    }
}

fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// A tar archive of the `ustar` format with GNU's long names, owned by root, compressed.
pub(crate) fn tar(stage: &Stage, folder: &str, time: u64, method: Method) -> io::Result<Vec<u8>> {
    let (bytes, large) = plain_tar(stage, folder, time)?;
    pieces::compress(&bytes, &pieces::divide(bytes.len(), &large), method)
}

/// Where a large file is with its header, and whether it is machine code of x86.
type Large = (Range<usize>, bool);

fn plain_tar(stage: &Stage, folder: &str, time: u64) -> io::Result<(Vec<u8>, Vec<Large>)> {
    let mut large = Vec::new();
    let mut builder = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType, mode: u32, size: u64| -> io::Result<tar::Header> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_mtime(time);
        Ok(header)
    };
    let mut folders: Vec<String> = stage.folders().into_iter().map(|path| below(folder, path)).collect();
    if !folder.is_empty() && !folder.ends_with('.') {
        folders.insert(0, folder.to_owned());
    }
    if folder == "." {
        put(&mut builder, header(tar::EntryType::Directory, 0o755, 0)?, "./", &[])?;
    }
    // Folders stand before what is in them, whatever sorts between.
    for path in &folders {
        let path = format!("{path}/");
        put(&mut builder, header(tar::EntryType::Directory, 0o755, 0)?, &path, &[])?;
    }
    for (path, entry) in stage.entries() {
        let path = below(folder, path);
        match &entry.content {
            Content::File(bytes) => {
                let start = builder.get_ref().len();
                let header = header(tar::EntryType::Regular, entry.mode, bytes.len() as u64)?;
                put(&mut builder, header, &path, bytes)?;
                if bytes.len() >= pieces::LARGE {
                    large.push((start..builder.get_ref().len(), is_x86(bytes)));
                }
            }
            Content::Link(target) => {
                let mut header = header(tar::EntryType::Symlink, 0o777, 0)?;
                header.set_link_name(target)?;
                put(&mut builder, header, &path, &[])?;
            }
        }
    }
    Ok((builder.into_inner()?, large))
}

/// Whether it is a program or library with code of x86-64 for Linux, macOS or Windows.
fn is_x86(bytes: &[u8]) -> bool {
    let at = |range: Range<usize>| bytes.get(range).unwrap_or_default();
    let is_elf = bytes.starts_with(b"\x7fELF") && at(18..20) == [62, 0];
    let is_macho = bytes.starts_with(&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1]);
    let header = at(60..64).try_into().map_or(0, u32::from_le_bytes) as usize;
    let is_pe = bytes.starts_with(b"MZ") && at(header..header.saturating_add(6)) == b"PE\0\0\x64\x86";
    is_elf || is_macho || is_pe
}

/// Keeps a leading `./`, which the library takes away and Debian's tools expect.
fn put(
    builder: &mut tar::Builder<Vec<u8>>,
    mut header: tar::Header,
    path: &str,
    bytes: &[u8],
) -> io::Result<()> {
    if path.len() >= 100 {
        return builder.append_data(&mut header, path, bytes);
    }
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.name[..path.len()].copy_from_slice(path.as_bytes());
    }
    header.set_cksum();
    builder.append(&header, bytes)
}

/// Compressed, without a name, a time, or what system it was made on.
pub(crate) fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::new(level));
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn zip(stage: &Stage, folder: &str, time: u64) -> io::Result<Vec<u8>> {
    let date = Date::of(time);
    let stamp = zip::DateTime::from_date_and_time(
        date.year.clamp(1980, 2107) as u16,
        date.month,
        date.day,
        date.hour,
        date.minute,
        date.second & !1,
    )
    .unwrap_or_default();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, entry) in stage.entries() {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .last_modified_time(stamp)
            .unix_permissions(entry.mode);
        let path = below(folder, path);
        match &entry.content {
            Content::File(bytes) => {
                writer.start_file(path, options)?;
                writer.write_all(bytes)?;
            }
            Content::Link(target) => writer.add_symlink(path, target.as_str(), options)?,
        }
    }
    Ok(writer.finish()?.into_inner())
}
