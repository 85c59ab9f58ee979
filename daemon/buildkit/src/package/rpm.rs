//! RPM packages, by the `rpm` library.
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};
use vitte_compiler::base::Processor;
use vitte_driver::Product;

use super::{Format, Job, Written, wrapped};
use crate::error::Error;
use crate::recipe::Moment;
use crate::stage::{Content, Kind};

pub(super) fn write(job: &Job<'_>) -> Result<Written, Error> {
    let failed = |reason: rpm::Error| {
        let message = format!("the .rpm cannot be written: {reason}");
        Error::input("PKG_E_WRITE", "rpm", message, "look for a name or a version that rpm does not take")
    };
    let recipe = job.recipe;
    let architecture = match job.processor() {
        Processor::X86_64 => "x86_64",
        Processor::Aarch64 => "aarch64",
        Processor::Riscv64 => "riscv64",
    };
    // A pre-release sorts before its release, which rpm writes with `~`.
    let version = recipe.version.replacen('-', "~", 1);
    // Version 4: what every rpm since 2018 installs. zstd: since 2019.
    let config = BuildConfig::v4().source_date(job.time as u32).compression(CompressionWithLevel::Zstd(9));
    let mut builder =
        PackageBuilder::new(&recipe.name, &version, &recipe.license, architecture, &recipe.summary);
    builder.using_config(config).release("1").build_host("localhost");
    builder.group("Applications/System").default_dir_attrs(
        Some(0o755),
        Some("root".into()),
        Some("root".into()),
    );
    let description = if recipe.description.is_empty() { &recipe.summary } else { &recipe.description };
    builder.description(wrapped(description.lines()).join("\n"));
    if !recipe.homepage.is_empty() {
        builder.url(recipe.homepage.as_str());
    }
    if !recipe.maintainer.is_empty() {
        builder.packager(recipe.maintainer.as_str());
    }
    for dependency in recipe.depends_on(Format::Rpm) {
        builder.requires(requirement(dependency));
    }
    if job.product == Product::Executable {
        builder.requires(Dependency::any("libc.so.6()(64bit)"));
    }
    let who = if recipe.maintainer.is_empty() { recipe.name.as_str() } else { recipe.maintainer.as_str() };
    let news = format!("- version {version}");
    builder.add_changelog_entry(format!("{who} - {version}-1"), news, job.time as u32);
    for (path, entry) in job.stage.entries() {
        let place = format!("/{path}");
        match &entry.content {
            Content::File(bytes) => {
                let options =
                    FileOptions::new(place).permissions(entry.mode as u16).user("root").group("root");
                let options = match entry.kind {
                    Kind::Config => options.config().noreplace(),
                    Kind::Doc => options.doc(),
                    // Checkers want it told as documentation too.
                    Kind::License => options.license().doc(),
                    Kind::Binary | Kind::Other => options,
                };
                builder.with_file_contents(bytes.clone(), options).map_err(failed)?;
            }
            Content::Link(target) => {
                let options = FileOptions::symlink(place, target.as_str()).user("root").group("root");
                builder.with_symlink(options).map_err(failed)?;
            }
        }
    }
    for (moment, text) in &recipe.scripts {
        let text = text.as_str();
        match moment {
            Moment::BeforeInstall => builder.pre_install_script(text),
            Moment::AfterInstall => builder.post_install_script(text),
            Moment::BeforeRemove => builder.pre_uninstall_script(text),
            Moment::AfterRemove => builder.post_uninstall_script(text),
        };
    }
    let package = builder.build().map_err(failed)?;
    let mut bytes = Vec::new();
    package.write(&mut bytes).map_err(failed)?;
    if let Some(key) = job.rpm_key {
        let signature = key.sign(&package.header_bytes().map_err(failed)?, job.time as u32);
        bytes = signed(&bytes, &signature).ok_or_else(|| {
            let message = "the .rpm cannot be signed: its headers are not where they should be";
            Error::input("PKG_E_WRITE", "rpm", message, "please report this")
        })?;
    }
    Ok(Written { name: format!("{}-{version}-1.{architecture}.rpm", recipe.name), bytes })
}

/// Bytes in front of the first header.
const LEAD: usize = 96;
/// Bytes of a header in front of its index.
const INTRODUCTION: usize = 16;
/// Bytes of an entry of the index: tag, type, offset and count.
const ENTRY: usize = 16;
/// A signature of the main header by DSA, ECDSA or EdDSA.
const SIGNATURE: u32 = 267;
/// The tag of bytes.
const BINARY: u32 = 7;

/// The package with a signature of its main header in its first header. The index is one region, which an entry with the
/// lowest tag opens and a copy of it behind the data closes. Entries are in order of tag and, which rpm checks, of their data.
///
/// Format: rpm's `docs/manual/format_header.md` and `format_v4.md`.
fn signed(package: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(u32::from_be_bytes(package.get(at..at + 4)?.try_into().ok()?) as usize);
    let (count, size) = (number(LEAD + 8)?, number(LEAD + 12)?);
    let index = LEAD + INTRODUCTION;
    let data = index + count * ENTRY;
    let closing = number(index + 8)?;
    if closing + ENTRY != size {
        return None;
    }
    let mut entries: Vec<[u8; ENTRY]> =
        package.get(index..data)?.chunks_exact(ENTRY).filter_map(|entry| entry.try_into().ok()).collect();
    let entry = |tag: u32, offset: u32, count: u32| {
        let mut bytes = [0; ENTRY];
        for (place, number) in bytes.chunks_exact_mut(4).zip([tag, BINARY, offset, count]) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    };
    // What was first stays aligned as it was.
    let moved = signature.len().next_multiple_of(8);
    let (first, others) = entries.split_first_mut()?;
    let region = first.first_chunk::<4>().map(|tag| u32::from_be_bytes(*tag))?;
    *first = entry(region, (closing + moved) as u32, ENTRY as u32);
    for other in others {
        let (tag, rest) = other.split_first_chunk_mut::<4>()?;
        if u32::from_be_bytes(*tag) <= SIGNATURE {
            return None;
        }
        let offset = rest.get_mut(4..8)?;
        let moved = u32::from_be_bytes((&*offset).try_into().ok()?).checked_add(moved as u32)?;
        offset.copy_from_slice(&moved.to_be_bytes());
    }
    entries.insert(1, entry(SIGNATURE, 0, signature.len() as u32));
    let mut out = package.get(..LEAD + 8)?.to_vec();
    out.extend((entries.len() as u32).to_be_bytes());
    out.extend(((size + moved) as u32).to_be_bytes());
    let back = (entries.len() * ENTRY) as u32;
    out.extend(entries.concat());
    out.extend(signature);
    out.resize(out.len() + moved - signature.len(), 0);
    out.extend(package.get(data..data + closing)?);
    out.extend(entry(region, back.wrapping_neg(), ENTRY as u32));
    // What follows begins at a multiple of eight.
    out.resize(LEAD + (out.len() - LEAD).next_multiple_of(8), 0);
    let end = LEAD + (data + size - LEAD).next_multiple_of(8);
    out.extend(package.get(end..)?);
    Some(out)
}

/// `name`, or `name >= 1.2` with or without brackets.
fn requirement(text: &str) -> Dependency {
    let plain = text.replace(['(', ')'], " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    match words[..] {
        [name, ">=", version] => Dependency::greater_eq(name, version),
        [name, "<=", version] => Dependency::less_eq(name, version),
        [name, "=", version] => Dependency::eq(name, version),
        _ => Dependency::any(text),
    }
}
