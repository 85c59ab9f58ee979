//! Packages for macOS: a XAR archive of a description, a bill of materials and the files as a cpio archive.
//!
//! There is no library that writes XAR or bills of materials; both are here. Formats: the XAR project's description, and what
//! is known of Apple's BOM files by those who read them.
mod bom; // bills of materials
mod xar; // the archive around everything

use std::fmt::Write;
use std::io;

use vitte_compiler::base::Processor;

use self::xar::Xar;
use super::{Job, Written};
use crate::archive::gzip;
use crate::recipe::Moment;
use crate::stage::{Content, Entry, Kind, Stage};

pub(super) fn write(job: &Job<'_>) -> io::Result<Written> {
    let recipe = job.recipe;
    let moved = moved(job);
    let identifier = format!("org.vitte.{}", recipe.name);
    let version = recipe.version.split(['-', '+']).next().unwrap_or_default();
    let files = moved.entries().count() + moved.folders().len();
    let kilobytes = moved.size().div_ceil(1024);
    let mut scripts = Stage::default();
    let mut named = String::new();
    for (moment, name) in [(Moment::BeforeInstall, "preinstall"), (Moment::AfterInstall, "postinstall")] {
        if let Some(text) = recipe.scripts.get(&moment) {
            let content = Content::File(text.clone().into_bytes());
            let entry = Entry { mode: 0o755, kind: Kind::Other, content };
            scripts.add(name, entry, name).map_err(io::Error::other)?;
            let _ = write!(named, "\n        <{name} file=\"./{name}\"/>");
        }
    }
    let scripts_text =
        if named.is_empty() { String::new() } else { format!("\n    <scripts>{named}\n    </scripts>") };
    let info = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<pkg-info overwrite-permissions=\"true\" relocatable=\"false\" \
         identifier=\"{identifier}\" postinstall-action=\"none\" version=\"{version}\" format-version=\"2\" \
         generator-version=\"vitte-buildkit\" auth=\"root\" install-location=\"/\">\n    <payload numberOfFiles=\"{files}\" \
         installKBytes=\"{kilobytes}\"/>{scripts_text}\n</pkg-info>\n"
    );
    let mut xar = Xar::new(job.time);
    xar.add("PackageInfo", info.into_bytes(), true);
    xar.add("Bom", bom::write(&moved), true);
    xar.add("Payload", gzip(&cpio(&moved, job.time), 9), false);
    if !scripts.is_empty() {
        xar.add("Scripts", gzip(&cpio(&scripts, job.time), 9), false);
    }
    let processor = match job.processor() {
        Processor::X86_64 => "x86_64",
        Processor::Aarch64 | Processor::Riscv64 => "arm64",
    };
    Ok(Written { name: format!("{}-{version}-{processor}.pkg", recipe.name), bytes: xar.finish() })
}

/// Programs that do not come with the system are below `/usr/local`; systemd is not there at all.
fn moved(job: &Job<'_>) -> Stage {
    let mut stage = Stage::default();
    for (path, entry) in job.stage.entries() {
        if path.starts_with("usr/lib/systemd/") {
            continue;
        }
        let path = match path.strip_prefix("usr/") {
            Some(below) => format!("usr/local/{below}"),
            None => format!("usr/local/{path}"),
        };
        // No two paths become one.
        let _ = stage.add(&path, entry.clone(), "package");
    }
    stage
}

/// A cpio archive of the portable (`odc`) format of POSIX.1-1988, which macOS uses.
fn cpio(stage: &Stage, time: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut number = 0;
    let mut put = |name: &str, mode: u32, links: u32, bytes: &[u8]| {
        number += 1;
        let inode = number & 0o777_777;
        let header = format!(
            "070707{:06o}{inode:06o}{mode:06o}{:06o}{:06o}{links:06o}{:06o}{time:011o}{:06o}{:011o}{name}\0",
            0,
            0,
            0,
            0,
            name.len() + 1,
            bytes.len()
        );
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(bytes);
    };
    put(".", 0o40_755, 2, &[]);
    for folder in stage.folders() {
        put(&format!("./{folder}"), 0o40_755, 2, &[]);
    }
    for (path, entry) in stage.entries() {
        match &entry.content {
            Content::File(bytes) => put(&format!("./{path}"), 0o100_000 | entry.mode, 1, bytes),
            Content::Link(target) => put(&format!("./{path}"), 0o120_777, 1, target.as_bytes()),
        }
    }
    put("TRAILER!!!", 0, 1, &[]);
    out
}
