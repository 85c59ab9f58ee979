//! RPM packages, by the `rpm` library.
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};
use vitte_compiler::base::Processor;
use vitte_driver::Product;

use super::{Format, Job, Written};
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
    let config = BuildConfig::v4().source_date(job.time as u32).compression(CompressionWithLevel::Zstd(12));
    let mut builder =
        PackageBuilder::new(&recipe.name, &version, &recipe.license, architecture, &recipe.summary);
    builder.using_config(config).release("1").build_host("localhost");
    builder.group("Applications/System").default_dir_attrs(
        Some(0o755),
        Some("root".into()),
        Some("root".into()),
    );
    let description = if recipe.description.is_empty() { &recipe.summary } else { &recipe.description };
    builder.description(description.as_str());
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
    Ok(Written { name: format!("{}-{version}-1.{architecture}.rpm", recipe.name), bytes })
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
