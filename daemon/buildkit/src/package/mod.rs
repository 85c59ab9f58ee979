//! The formats of each system's package manager, all written from the same recipe and the same files.
mod deb; // Debian
mod msi; // Windows
mod pkg; // macOS
mod rpm; // Red Hat, SUSE

use vitte_compiler::base::{Machine, Processor, System};
use vitte_driver::Product;

use crate::archive::Archive;
use crate::error::Error;
use crate::openpgp::OpenPgpKey;
use crate::recipe::Recipe;
use crate::stage::Stage;

/// What can be made of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `.deb`
    Deb,
    /// `.rpm`
    Rpm,
    /// `.msi`
    Msi,
    /// `.pkg`
    Pkg,
    /// `.vitmod`: what the loader of this project takes, on every machine.
    Vitmod,
    /// `.tar.gz`
    TarGz,
    /// `.tar.zst`
    TarZst,
    /// `.tar.xz`
    TarXz,
    /// `.zip`
    Zip,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Deb,
        Self::Rpm,
        Self::Msi,
        Self::Pkg,
        Self::Vitmod,
        Self::TarGz,
        Self::TarZst,
        Self::TarXz,
        Self::Zip,
    ];

    /// The name that `--format` takes, and the end of the file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Msi => "msi",
            Self::Pkg => "pkg",
            Self::Vitmod => "vitmod",
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::TarXz => "tar.xz",
            Self::Zip => "zip",
        }
    }

    /// The format of that name.
    ///
    /// # Errors
    /// [`Error::Input`] with those that there are.
    pub fn named(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            let message = format!("there is no format `{name}`");
            Error::input("PKG_E_FORMAT", "--format", message, format!("known: {}", known.join(", ")))
        })
    }

    /// What people on the target expect: the formats that are made when none is named.
    pub fn of(product: Product) -> &'static [Self] {
        match system(product) {
            Some(System::Linux) => &[Self::Deb, Self::Rpm, Self::TarGz],
            Some(System::Windows) => &[Self::Msi, Self::Zip],
            Some(System::Macos) => &[Self::Pkg, Self::TarGz],
            None => &[Self::TarGz],
        }
    }

    /// The archive that it is, if it is one.
    pub fn archive(self) -> Option<Archive> {
        match self {
            Self::TarGz => Some(Archive::TarGz),
            Self::TarZst => Some(Archive::TarZst),
            Self::TarXz => Some(Archive::TarXz),
            Self::Zip => Some(Archive::Zip),
            Self::Deb | Self::Rpm | Self::Msi | Self::Pkg | Self::Vitmod => None,
        }
    }

    /// Refuses a format that no package manager of the target reads.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn check_target(self, product: Product, target: &str) -> Result<(), Error> {
        let wanted = match self {
            Self::Deb | Self::Rpm => System::Linux,
            Self::Msi => System::Windows,
            Self::Pkg => System::Macos,
            Self::Vitmod | Self::TarGz | Self::TarZst | Self::TarXz | Self::Zip => return Ok(()),
        };
        if system(product) == Some(wanted) {
            return Ok(());
        }
        let known: Vec<&str> = Self::of(product).iter().map(|format| format.name()).collect();
        let message = format!("a .{} cannot be installed on `{target}`", self.name());
        Err(Error::input("PKG_E_FORMAT", "--format", message, format!("make {} instead", known.join(", "))))
    }
}

fn machine(product: Product) -> Option<Machine> {
    match product {
        Product::Executable => Some(Machine::default()),
        Product::Foreign(machine) => Some(machine),
        Product::Wasm(_)
        | Product::Bytecode
        | Product::SharedLibrary
        | Product::CSource
        | Product::Component
        | Product::Package(_) => None,
    }
}

/// The system that installs what is made for a target; `None` if it is none in particular.
pub(crate) fn system(product: Product) -> Option<System> {
    machine(product).map(Machine::system)
}

/// What a format's writer is given.
pub(crate) struct Job<'a> {
    pub(crate) recipe: &'a Recipe,
    /// Everything that is installed, the program included.
    pub(crate) stage: &'a Stage,
    pub(crate) product: Product,
    /// The target's short name.
    pub(crate) target: &'a str,
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// Signs every .rpm.
    pub(crate) rpm_key: Option<&'a OpenPgpKey>,
    /// The package for the loader, where one is made.
    pub(crate) module: Option<&'a [u8]>,
}

impl Job<'_> {
    fn processor(&self) -> Processor {
        machine(self.product).unwrap_or_default().processor()
    }
}

/// A file's name and bytes.
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Writes one package.
pub(crate) fn write(job: &Job<'_>, format: Format) -> Result<Written, Error> {
    job.recipe.check_for(format)?;
    format.check_target(job.product, job.target)?;
    let failed = |reason: std::io::Error| {
        let message = format!("the .{} cannot be written: {reason}", format.name());
        Error::input(
            "PKG_E_WRITE",
            format.name(),
            message,
            "look for a file that is too large or a name too long",
        )
    };
    let Recipe { name, version, .. } = job.recipe;
    match format {
        Format::Deb => deb::write(job),
        Format::Rpm => rpm::write(job),
        Format::Msi => msi::write(job).map_err(failed),
        Format::Pkg => pkg::write(job).map_err(failed),
        Format::Vitmod => {
            let module =
                job.module.ok_or_else(|| failed(std::io::Error::other("nothing was built for it")))?;
            Ok(Written { name: format!("{name}-{version}.vitmod"), bytes: module.to_vec() })
        }
        Format::TarGz | Format::TarZst | Format::TarXz | Format::Zip => {
            let folder = format!("{name}-{version}-{}", job.target);
            let archive = format.archive().unwrap_or(Archive::TarGz);
            let bytes = crate::archive::write(job.stage, &folder, archive, job.time).map_err(failed)?;
            // What people will unpack was read once before they do.
            let read = crate::archive::read(&bytes, archive, crate::archive::Limits::default())?;
            if read.entries().count() != job.stage.entries().count() || read.size() != job.stage.size() {
                return Err(failed(std::io::Error::other("it does not read back as it was written")));
            }
            Ok(Written { name: format!("{folder}.{}", format.name()), bytes })
        }
    }
}

/// Lines of a description that package managers show whole: words are moved to the next line behind 78 letters, and empty
/// lines keep paragraphs apart. Lines that begin with a space are left as they are.
fn wrapped<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    const LENGTH_MAX: usize = 78;
    let mut out = Vec::new();
    for line in lines {
        let line = line.trim_end();
        if line.starts_with(' ') || line.chars().count() <= LENGTH_MAX {
            out.push(line.to_owned());
            continue;
        }
        let mut current = String::new();
        for word in line.split_whitespace() {
            if !current.is_empty() && current.chars().count() + 1 + word.chars().count() > LENGTH_MAX {
                out.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        out.push(current);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_at_words() {
        let long = "word ".repeat(40);
        let lines = wrapped(["short", "", &long, "  as it is"].into_iter());
        assert_eq!((lines[0].as_str(), lines[1].as_str()), ("short", ""));
        assert!(lines.iter().all(|line| line.len() <= 78));
        assert_eq!(lines.last().map(String::as_str), Some("  as it is"));
        assert_eq!(lines[2..lines.len() - 1].join(" "), long.trim_end());
    }
}
