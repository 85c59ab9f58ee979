//! The `package` object of `vitte-package.json`: what is installed where, and what package managers are told.
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::package::Format;
use crate::stage::{Content, Entry, Kind, Stage, read_inside};

/// When a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the files are put in place.
    BeforeInstall,
    /// After that.
    AfterInstall,
    /// Before they are removed.
    BeforeRemove,
    /// After that.
    AfterRemove,
}

impl Moment {
    const ALL: [(Self, &'static str); 4] = [
        (Self::BeforeInstall, "preinst"),
        (Self::AfterInstall, "postinst"),
        (Self::BeforeRemove, "prerm"),
        (Self::AfterRemove, "postrm"),
    ];

    /// The name of Debian for it, which the manifest uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeInstall => "preinst",
            Self::AfterInstall => "postinst",
            Self::BeforeRemove => "prerm",
            Self::AfterRemove => "postrm",
        }
    }
}

/// How the members of a .deb are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DebCompression {
    /// Small, and known to every system that takes .deb and to their checkers.
    #[default]
    Xz,
    /// Fast; for dpkg of Ubuntu since 2018 and of Debian since 2023.
    Zstd,
}

/// Everything about a package but its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Lower-case letters, digits and `-`.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Longer, in lines.
    pub description: String,
    /// SPDX expression.
    pub license: String,
    /// `Name <address>`.
    pub maintainer: String,
    /// URL.
    pub homepage: String,
    /// Debian's section.
    pub section: String,
    /// Whether the package is not about a program of ours: then nothing is built, and the files are all that is installed.
    pub files_only: bool,
    /// Names of packages that must be there, by format.
    pub depends: BTreeMap<String, Vec<String>>,
    /// How a .deb is compressed.
    pub deb_compression: DebCompression,
    /// What is installed besides the program.
    pub stage: Stage,
    /// Scripts.
    pub scripts: BTreeMap<Moment, String>,
    /// Names of systemd units among the files.
    pub units: Vec<String>,
    /// Dependencies of the manifest: name and requirement.
    pub modules: Vec<(String, String)>,
    /// The inputs that were read: path and SHA-256.
    pub inputs: BTreeMap<String, String>,
}

/// Reads one object of the manifest and says where it is.
struct Fields<'a> {
    at: String,
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn field(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    fn wrong(&self, name: &str, expected: &str) -> Error {
        let field = self.field(name);
        let message = format!("the field `{field}` must be {expected}");
        Error::input("PKG_E_FIELD_TYPE", field, message, "correct the value in `vitte-package.json`")
    }

    fn known(&self, names: &[&str]) -> Result<(), Error> {
        match self.object.keys().find(|key| !names.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let field = self.field(key);
                let message = format!("the field `{field}` is not known");
                Err(Error::input(
                    "PKG_E_FIELD_UNKNOWN",
                    field,
                    message,
                    format!("known: {}", names.join(", ")),
                ))
            }
        }
    }

    fn text(&self, name: &str) -> Result<&'a str, Error> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    fn list(&self, name: &str) -> Result<Vec<&'a str>, Error> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| value.as_str().ok_or_else(|| self.wrong(name, "an array of strings")))
                .collect(),
            Some(_) => Err(self.wrong(name, "an array of strings")),
        }
    }

    fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Error> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Fields { at: self.field(name), object })),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }
}

const PACKAGE_FIELDS: [&str; 17] = [
    "summary",
    "description",
    "maintainer",
    "homepage",
    "section",
    "depends",
    "deb_compression",
    "files",
    "config",
    "scripts",
    "units",
    "man",
    "completions",
    "icons",
    "changelog",
    "copyright",
    "program",
];

impl Recipe {
    /// The recipe of the package in `folder`, and the files that it names.
    ///
    /// # Errors
    /// [`Error::Input`] with the field.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("vitte-package.json");
        let text = vitte_sys::fs::read(&path).map_err(|reason| {
            let message = format!("`{}` cannot be read: {reason}", path.display());
            Error::input("PKG_E_MANIFEST", "vitte-package.json", message, "make a package with `vitte init`")
        })?;
        let value: Value = serde_json::from_slice(&text).map_err(|reason| {
            let message = format!("`{}` is not JSON: {reason}", path.display());
            Error::input("PKG_E_MANIFEST", "vitte-package.json", message, "mend the file")
        })?;
        let Value::Object(object) = &value else {
            return Err(Error::input(
                "PKG_E_MANIFEST",
                "vitte-package.json",
                "it is not an object",
                "mend the file",
            ));
        };
        let mut recipe = Self::parse(object, folder)?;
        recipe.inputs.insert("vitte-package.json".to_owned(), crate::digest::sha256(&text));
        Ok(recipe)
    }

    fn parse(object: &Map<String, Value>, folder: &Path) -> Result<Self, Error> {
        let top = Fields { at: String::new(), object };
        let none = Map::new();
        let package = top.object("package")?.unwrap_or(Fields { at: "package".to_owned(), object: &none });
        package.known(&PACKAGE_FIELDS)?;
        let description = match package.text("description")? {
            "" => top.text("description")?,
            text => text,
        };
        let summary = match package.text("summary")? {
            "" => description.lines().next().unwrap_or_default(),
            text => text,
        };
        let mut recipe = Self {
            name: top.text("name")?.to_owned(),
            version: top.text("version")?.to_owned(),
            summary: summary.trim().trim_end_matches('.').to_owned(),
            description: description.to_owned(),
            license: top.text("license")?.to_owned(),
            maintainer: package.text("maintainer")?.to_owned(),
            homepage: package.text("homepage")?.to_owned(),
            section: match package.text("section")? {
                "" => "utils".to_owned(),
                text => text.to_owned(),
            },
            deb_compression: match package.text("deb_compression")? {
                "" | "xz" => DebCompression::Xz,
                "zstd" => DebCompression::Zstd,
                _ => return Err(package.wrong("deb_compression", "`xz` or `zstd`")),
            },
            files_only: match package.object.get("program") {
                None | Some(Value::Null | Value::Bool(true)) => false,
                Some(Value::Bool(false)) => true,
                Some(_) => return Err(package.wrong("program", "`true` or `false`")),
            },
            ..Self::default()
        };
        if let Some(depends) = package.object("depends")? {
            depends.known(&["deb", "rpm"])?;
            for format in ["deb", "rpm"] {
                let names = depends.list(format)?.into_iter().map(String::from).collect();
                recipe.depends.insert(format.to_owned(), names);
            }
        }
        if let Some(Value::Object(modules)) = object.get("dependencies") {
            for (name, value) in modules {
                let requirement = value.as_str().or_else(|| value.get("version")?.as_str()).unwrap_or("*");
                recipe.modules.push((name.clone(), requirement.to_owned()));
            }
        }
        recipe.check()?;
        recipe.files(&package, folder)?;
        Ok(recipe)
    }

    /// Refuses what no format takes.
    fn check(&self) -> Result<(), Error> {
        let named = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let starts = self.name.starts_with(|letter: char| letter.is_ascii_lowercase());
        if self.name.len() < 2 || !starts || !self.name.chars().all(named) {
            let message = format!("`{}` is not a name that packages can have", self.name);
            let help = "use two or more lower-case letters, digits and `-`, beginning with a letter";
            return Err(Error::input("PKG_E_NAME", "name", message, help));
        }
        if semver::Version::parse(&self.version).is_err() {
            let message = format!("`{}` is not a semantic version", self.version);
            return Err(Error::input("PKG_E_VERSION", "version", message, "write MAJOR.MINOR.PATCH"));
        }
        for (field, text) in [
            ("package.summary", &self.summary),
            ("package.maintainer", &self.maintainer),
            ("package.homepage", &self.homepage),
            ("package.section", &self.section),
            ("license", &self.license),
        ] {
            if text.chars().any(char::is_control) {
                let message = format!("the field `{field}` must be one line");
                return Err(Error::input("PKG_E_FIELD_TYPE", field, message, "take the line breaks out"));
            }
        }
        let (_, address) = self.maintainer_parts();
        if !self.maintainer.is_empty() && !address.contains('@') {
            let message = format!("`{}` is not `Name <address>`", self.maintainer);
            return Err(Error::input(
                "PKG_E_MAINTAINER",
                "package.maintainer",
                message,
                "write `Name <name@example.org>`",
            ));
        }
        Ok(())
    }

    /// Refuses what `format` does not take.
    ///
    /// # Errors
    /// [`Error::Input`] with the field.
    pub fn check_for(&self, format: Format) -> Result<(), Error> {
        let needs = |field: &'static str, text: &str| {
            if !text.is_empty() {
                return Ok(());
            }
            let message = format!("a {} needs the field `{field}`", format.name());
            Err(Error::input(
                "PKG_E_FIELD_MISSING",
                field,
                message,
                format!("add `{field}` to `vitte-package.json`"),
            ))
        };
        if matches!(format, Format::Deb | Format::Rpm | Format::Msi) {
            needs("package.summary", &self.summary)?;
        }
        if format == Format::Deb {
            needs("package.maintainer", &self.maintainer)?;
        }
        if format == Format::Rpm {
            needs("license", &self.license)?;
        }
        let version = semver::Version::parse(&self.version).ok();
        if let Some(version) = version.filter(|_| format == Format::Msi)
            && (version.major > 255 || version.minor > 255 || version.patch > 65_535)
        {
            let message = format!("`{}` is not a version that an .msi can have", self.version);
            return Err(Error::input("PKG_E_VERSION", "version", message, "use at most 255.255.65535"));
        }
        for dependency in self.depends_on(format) {
            let letters = |letter: char| letter.is_ascii_alphanumeric() || " .+-_~:()<>=|,/".contains(letter);
            if dependency.is_empty() || !dependency.chars().all(letters) {
                let field = format!("package.depends.{}", format.name());
                let message = format!("`{dependency}` is not a dependency");
                return Err(Error::input(
                    "PKG_E_DEPENDENCY",
                    field,
                    message,
                    "write `name` or `name (>= 1.2)`",
                ));
            }
        }
        Ok(())
    }

    /// What must be there, in the words of the format.
    pub fn depends_on(&self, format: Format) -> &[String] {
        self.depends.get(format.name()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Name and address.
    pub fn maintainer_parts(&self) -> (&str, &str) {
        match self.maintainer.split_once('<') {
            Some((name, rest)) => (name.trim(), rest.trim_end_matches('>').trim()),
            None => (self.maintainer.trim(), ""),
        }
    }

    fn take(&mut self, folder: &Path, source: &str, field: &str) -> Result<Entry, Error> {
        let entry = read_inside(folder, source, field)?;
        self.inputs.insert(source.to_owned(), crate::digest::sha256(entry.bytes()));
        Ok(entry)
    }

    fn files(&mut self, package: &Fields<'_>, folder: &Path) -> Result<(), Error> {
        let name = self.name.clone();
        let listed = match package.object.get("files") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(values)) => values,
            Some(_) => return Err(package.wrong("files", "an array of objects")),
        };
        for (number, value) in listed.iter().enumerate() {
            let at = format!("package.files[{number}]");
            let Value::Object(object) = value else {
                return Err(package.wrong("files", "an array of objects"));
            };
            let fields = Fields { at: at.clone(), object };
            fields.known(&["source", "target", "mode", "kind", "link"])?;
            let (source, target) = (fields.text("source")?, fields.text("target")?);
            let kind = match fields.text("kind")? {
                "" => Kind::Other,
                "config" => Kind::Config,
                "doc" => Kind::Doc,
                "license" => Kind::License,
                "binary" => Kind::Binary,
                _ => return Err(fields.wrong("kind", "`binary`, `config`, `doc` or `license`")),
            };
            let link = fields.text("link")?;
            let mut entry = if link.is_empty() {
                self.take(folder, source, &format!("{at}.source"))?
            } else {
                Entry { mode: 0o777, kind, content: Content::Link(link.to_owned()) }
            };
            entry.kind = kind;
            match fields.text("mode")? {
                "" => {}
                text => match u32::from_str_radix(text, 8) {
                    Ok(mode) if mode <= 0o7777 => entry.mode = mode,
                    _ => return Err(fields.wrong("mode", "permissions in octal, such as \"0644\"")),
                },
            }
            self.stage.add(target, entry, &format!("{at}.target"))?;
        }
        for source in package.list("config")? {
            let mut entry = self.take(folder, source, "package.config")?;
            entry.kind = Kind::Config;
            entry.mode = 0o644;
            self.stage.add(&format!("etc/{name}/{}", base(source)), entry, "package.config")?;
        }
        for source in package.list("units")? {
            let entry = Entry { mode: 0o644, ..self.take(folder, source, "package.units")? };
            let unit = base(source).to_owned();
            self.stage.add(&format!("usr/lib/systemd/system/{unit}"), entry, "package.units")?;
            self.units.push(unit);
        }
        for source in package.list("man")? {
            let page = self.take(folder, source, "package.man")?;
            let section = source.rsplit('.').next().unwrap_or_default();
            if section.is_empty() || !section.starts_with(|digit: char| ('1'..='9').contains(&digit)) {
                let message = format!("`{source}` does not end with the manual's section, as in `{name}.1`");
                return Err(Error::input(
                    "PKG_E_MAN",
                    "package.man",
                    message,
                    "name the file `NAME.SECTION`",
                ));
            }
            let target = format!("usr/share/man/man{}/{}.gz", &section[..1], base(source));
            self.stage.add(&target, compressed(page.bytes()), "package.man")?;
        }
        if let Some(completions) = package.object("completions")? {
            completions.known(&["bash", "zsh", "fish"])?;
            for (shell, target) in [
                ("bash", format!("usr/share/bash-completion/completions/{name}")),
                ("zsh", format!("usr/share/zsh/vendor-completions/_{name}")),
                ("fish", format!("usr/share/fish/vendor_completions.d/{name}.fish")),
            ] {
                let source = completions.text(shell)?;
                if !source.is_empty() {
                    let field = format!("package.completions.{shell}");
                    let entry = Entry { mode: 0o644, ..self.take(folder, source, &field)? };
                    self.stage.add(&target, entry, &field)?;
                }
            }
        }
        for source in package.list("icons")? {
            let entry = Entry { mode: 0o644, ..self.take(folder, source, "package.icons")? };
            let size = if source.ends_with(".svg") { "scalable" } else { "128x128" };
            let target = format!("usr/share/icons/hicolor/{size}/apps/{}", base(source));
            self.stage.add(&target, entry, "package.icons")?;
        }
        let copyright = package.text("copyright")?;
        let text = if copyright.is_empty() {
            let (who, _) = self.maintainer_parts();
            let upstream = format!(
                "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: {name}\n"
            );
            let license = if self.license.is_empty() { "unknown" } else { &self.license };
            format!("{upstream}\nFiles: *\nCopyright: {who}\nLicense: {license}\n").into_bytes()
        } else {
            self.take(folder, copyright, "package.copyright")?.bytes().to_vec()
        };
        let entry = Entry { mode: 0o644, kind: Kind::License, content: Content::File(text) };
        self.stage.add(&format!("usr/share/doc/{name}/copyright"), entry, "package.copyright")?;
        let changelog = package.text("changelog")?;
        if !changelog.is_empty() {
            let entry = self.take(folder, changelog, "package.changelog")?;
            let target = format!("usr/share/doc/{name}/changelog.gz");
            self.stage.add(
                &target,
                Entry { kind: Kind::Doc, ..compressed(entry.bytes()) },
                "package.changelog",
            )?;
        }
        if let Some(scripts) = package.object("scripts")? {
            scripts.known(&["preinst", "postinst", "prerm", "postrm"])?;
            for (moment, name) in Moment::ALL {
                let source = scripts.text(name)?;
                if source.is_empty() {
                    continue;
                }
                let field = format!("package.scripts.{name}");
                let entry = self.take(folder, source, &field)?;
                let text =
                    String::from_utf8(entry.bytes().to_vec()).ok().filter(|text| text.starts_with("#!"));
                let Some(text) = text else {
                    let message = format!("`{source}` is not a script");
                    return Err(Error::input("PKG_E_SCRIPT", field, message, "begin it with `#!/bin/sh`"));
                };
                self.scripts.insert(moment, text);
            }
        }
        Ok(())
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn compressed(bytes: &[u8]) -> Entry {
    let kind = Kind::Doc;
    Entry { mode: 0o644, kind, content: Content::File(crate::archive::gzip(bytes, 9)) }
}
