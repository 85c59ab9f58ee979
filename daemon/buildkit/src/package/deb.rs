//! Debian packages: an `ar` archive of a version, a control archive and the files.
//!
//! Format: deb(5), deb-control(5), Debian Policy 4.6.
use std::fmt::Write;

use vitte_compiler::base::Processor;
use vitte_driver::Product;

use super::{Format, Job, Written, wrapped};
use crate::archive::{Method, tar};
use crate::digest::hex;
use crate::error::Error;
use crate::recipe::{DebCompression, Moment};
use crate::stage::{Content, Entry, Kind, Stage};

pub(super) fn write(job: &Job<'_>) -> Result<Written, Error> {
    let failed = |reason: std::io::Error| {
        let message = format!("the .deb cannot be written: {reason}");
        Error::input("PKG_E_WRITE", "deb", message, "look for a name that is too long")
    };
    let architecture = match job.processor() {
        Processor::X86_64 => "amd64",
        Processor::Aarch64 => "arm64",
        Processor::Riscv64 => "riscv64",
    };
    let version = version(&job.recipe.version);
    let control = control_files(job, architecture, &version)?;
    let (method, end) = match job.recipe.deb_compression {
        DebCompression::Xz => (Method::Xz, "xz"),
        DebCompression::Zstd => (Method::ZstdFrame, "zst"),
    };
    let control = tar(&control, ".", job.time, method).map_err(failed)?;
    let data = tar(job.stage, ".", job.time, method).map_err(failed)?;
    let mut builder = ar::Builder::new(Vec::new());
    let (control_name, data_name) = (format!("control.tar.{end}"), format!("data.tar.{end}"));
    for (name, bytes) in
        [("debian-binary", &b"2.0\n"[..]), (control_name.as_str(), &control), (data_name.as_str(), &data)]
    {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(job.time);
        builder.append(&header, bytes).map_err(failed)?;
    }
    let bytes = builder.into_inner().map_err(failed)?;
    Ok(Written { name: format!("{}_{version}_{architecture}.deb", job.recipe.name), bytes })
}

/// A pre-release sorts before its release, which Debian writes with `~`.
fn version(version: &str) -> String {
    version.replacen('-', "~", 1)
}

fn control_files(job: &Job<'_>, architecture: &str, version: &str) -> Result<Stage, Error> {
    let recipe = job.recipe;
    let mut depends = recipe.depends_on(Format::Deb).to_vec();
    // What the program itself is bound to.
    if job.product == Product::Executable && !depends.iter().any(|name| name.starts_with("libc6")) {
        depends.insert(0, "libc6".to_owned());
    }
    let mut control = String::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(control, "{name}: {value}");
        }
    };
    field("Package", &recipe.name);
    field("Version", version);
    field("Section", &recipe.section);
    field("Priority", "optional");
    field("Architecture", architecture);
    field("Maintainer", &recipe.maintainer);
    field("Installed-Size", &installed_kilobytes(job.stage).to_string());
    field("Depends", &depends.join(", "));
    field("Homepage", &recipe.homepage);
    field("Description", &recipe.summary);
    // The summary stands already in front of what follows.
    let is_said = |line: &&str| line.trim().is_empty() || line.trim().eq_ignore_ascii_case(&recipe.summary);
    for line in wrapped(recipe.description.lines().skip_while(is_said)) {
        let _ = writeln!(control, " {}", if line.is_empty() { "." } else { &line });
    }
    let mut files = Stage::default();
    let mut add = |name: &str, text: String, mode: u32| {
        let entry = Entry { mode, kind: Kind::Other, content: Content::File(text.into_bytes()) };
        files.add(name, entry, name)
    };
    add("control", control, 0o644)?;
    let mut sums = String::new();
    let mut kept = String::new();
    for (path, entry) in job.stage.entries() {
        if let Content::File(bytes) = &entry.content {
            let _ = writeln!(sums, "{}  {path}", hex(&md5(bytes)));
        }
        if entry.kind == Kind::Config {
            let _ = writeln!(kept, "/{path}");
        }
    }
    add("md5sums", sums, 0o644)?;
    if !kept.is_empty() {
        add("conffiles", kept, 0o644)?;
    }
    for (moment, name) in [
        (Moment::BeforeInstall, "preinst"),
        (Moment::AfterInstall, "postinst"),
        (Moment::BeforeRemove, "prerm"),
        (Moment::AfterRemove, "postrm"),
    ] {
        if let Some(text) = script(job, moment) {
            add(name, text, 0o755)?;
        }
    }
    Ok(files)
}

/// The recipe's script, and what systemd must be told of units.
fn script(job: &Job<'_>, moment: Moment) -> Option<String> {
    let own = job.recipe.scripts.get(&moment);
    let reload = matches!(moment, Moment::AfterInstall | Moment::AfterRemove) && !job.recipe.units.is_empty();
    if !reload {
        return own.cloned();
    }
    let mut text = own.cloned().unwrap_or_else(|| "#!/bin/sh\nset -e\n".to_owned());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(
        "if [ -d /run/systemd/system ]; then\n    systemctl --system daemon-reload >/dev/null || true\nfi\n",
    );
    Some(text)
}

/// As dpkg-gencontrol counts: whole kilobytes for each file, one for each folder.
fn installed_kilobytes(stage: &Stage) -> u64 {
    let files: u64 =
        stage.entries().map(|(_, entry)| (entry.bytes().len() as u64).div_ceil(1024).max(1)).sum();
    files + stage.folders().len() as u64
}

/// MD5 by RFC 1321: dpkg compares installed files by it, and nothing else here needs it.
fn md5(bytes: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let table: Vec<u32> =
        (1..=64).map(|step| (f64::from(step).sin().abs() * 4_294_967_296.0) as u32).collect();
    let mut message = bytes.to_vec();
    message.push(0x80);
    message.resize((message.len() + 8).next_multiple_of(64) - 8, 0);
    message.extend((bytes.len() as u64 * 8).to_le_bytes());
    for block in message.chunks_exact(64) {
        let words: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mixed, word) = match step / 16 {
                0 => (b & c | !b & d, step),
                1 => (d & b | !d & c, (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), 7 * step % 16),
            };
            let sum = a.wrapping_add(mixed).wrapping_add(table[step]).wrapping_add(words[word]);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4]));
        }
        for (whole, part) in state.iter_mut().zip([a, b, c, d]) {
            *whole = whole.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (place, word) in digest.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_is_that_of_its_definition() {
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(&md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(hex(&md5(&[b'x'; 64])), hex(&md5("x".repeat(64).as_bytes())));
        assert_eq!(
            hex(&md5(b"12345678901234567890123456789012345678901234567890123456789012345678901234567890")),
            "57edf4a22be3c955ac49da2e2107b67a"
        );
    }
}
