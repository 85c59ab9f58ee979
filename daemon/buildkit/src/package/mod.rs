//! The formats of each system's package manager, all written from the same recipe and the same files.
mod deb; // Debian
mod msi; // Windows
mod pkg; // macOS
mod rpm; // Red Hat, SUSE

use vitte_compiler::base::{Machine, Processor, System};
use vitte_driver::Product;

use crate::archive::Archive;
use crate::error::Error;
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
    pub const ALL: [Self; 8] =
        [Self::Deb, Self::Rpm, Self::Msi, Self::Pkg, Self::TarGz, Self::TarZst, Self::TarXz, Self::Zip];

    /// The name that `--format` takes, and the end of the file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Msi => "msi",
            Self::Pkg => "pkg",
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
            Self::Deb | Self::Rpm | Self::Msi | Self::Pkg => None,
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
            Self::TarGz | Self::TarZst | Self::TarXz | Self::Zip => return Ok(()),
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
