//! Windows Installer packages: a database of what to install, and a cabinet with the files in it.
//!
//! Tables: Microsoft's "Windows Installer Database Tables". Every identity is a UUID of version 5 of the names, so that equal
//! packages have equal ones, and a newer version knows the older by its upgrade code.
use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::time::{Duration, UNIX_EPOCH};

use msi::{Column, Insert, Value};
use uuid::Uuid;

use super::{Job, Written};
use crate::digest::Date;
use crate::stage::Content;

const CABINET: &str = "files.cab";

/// A file with what the tables call it.
struct Installed<'a> {
    key: String,
    /// The path below the program's folder.
    path: String,
    bytes: &'a [u8],
}

fn guid(job: &Job<'_>, about: &str) -> Uuid {
    let text = format!("vitte:{}:{about}", job.recipe.name);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes())
}

fn braced(uuid: Uuid) -> Value {
    Value::from(uuid.braced().to_string().to_uppercase())
}

pub(super) fn write(job: &Job<'_>) -> io::Result<Written> {
    let recipe = job.recipe;
    let files = files(job);
    let mut package = msi::Package::create(msi::PackageType::Installer, Cursor::new(Vec::new()))?;
    let version = recipe.version.split(['-', '+']).next().unwrap_or_default();
    let (who, _) = recipe.maintainer_parts();
    let who = if who.is_empty() { recipe.name.as_str() } else { who };
    let info = package.summary_info_mut();
    info.set_title(format!("{} {version}", recipe.name));
    info.set_subject(recipe.summary.as_str());
    info.set_author(who);
    info.set_comments(recipe.summary.as_str());
    info.set_creating_application("vitte-buildkit");
    info.set_arch("x64");
    info.set_languages(&[msi::LanguageId::from_tag("en-US")]);
    info.set_uuid(guid(job, &format!("package:{version}:{}", contents_digest(&files))));
    info.set_creation_time(UNIX_EPOCH + Duration::from_secs(job.time));
    // Long names, compressed; for version 2.0 of the installer, the first for 64 bits.
    info.set_word_count(2);
    info.set_page_count(200);
    properties(&mut package, job, version, who)?;
    let folders = folders(&mut package, job, &files)?;
    components(&mut package, job, &files, &folders)?;
    sequences(&mut package)?;
    let cabinet = cabinet(&files, job.time)?;
    package.write_stream(CABINET)?.write_all(&cabinet)?;
    package.flush()?;
    let bytes = package.into_inner()?.into_inner();
    Ok(Written { name: format!("{}-{version}-x64.msi", recipe.name), bytes })
}

fn contents_digest(files: &[Installed<'_>]) -> String {
    let all: Vec<String> =
        files.iter().map(|file| format!("{} {}", file.path, crate::digest::sha256(file.bytes))).collect();
    crate::digest::sha256(all.join("\n").as_bytes())
}

/// What Windows has a place for: `usr/bin/x.exe` becomes `bin\x.exe`; the manual and what is for other systems stay away.
fn files<'a>(job: &Job<'a>) -> Vec<Installed<'a>> {
    let mut all = Vec::new();
    for (path, entry) in job.stage.entries() {
        let Content::File(bytes) = &entry.content else { continue };
        let foreign = [
            "usr/share/man/",
            "usr/lib/systemd/",
            "usr/share/bash-completion/",
            "usr/share/zsh/",
            "usr/share/fish/",
        ];
        if foreign.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let path = path.strip_prefix("usr/").unwrap_or(path);
        all.push(Installed { key: format!("f{}", all.len()), path: path.to_owned(), bytes });
    }
    all
}

type Package = msi::Package<Cursor<Vec<u8>>>;

fn table(package: &mut Package, name: &str, columns: Vec<Column>, rows: Vec<Vec<Value>>) -> io::Result<()> {
    package.create_table(name, columns)?;
    if rows.is_empty() { Ok(()) } else { package.insert_rows(Insert::into(name).rows(rows)) }
}

fn text(value: &str) -> Value {
    Value::from(value)
}

fn properties(package: &mut Package, job: &Job<'_>, version: &str, who: &str) -> io::Result<()> {
    let rows = vec![
        vec![text("ALLUSERS"), text("1")],
        vec![text("Manufacturer"), text(who)],
        vec![text("ProductCode"), braced(guid(job, &format!("product:{version}")))],
        vec![text("ProductLanguage"), text("1033")],
        vec![text("ProductName"), text(&job.recipe.name)],
        vec![text("ProductVersion"), text(version)],
        vec![text("SecureCustomProperties"), text("OLDERFOUND")],
        vec![text("UpgradeCode"), braced(guid(job, "upgrade"))],
    ];
    let columns = vec![
        Column::build("Property").primary_key().id_string(72),
        Column::build("Value").localizable().text_string(0),
    ];
    table(package, "Property", columns, rows)?;
    let upgrade = vec![
        Column::build("UpgradeCode").primary_key().string(38),
        Column::build("VersionMin").primary_key().nullable().string(20),
        Column::build("VersionMax").primary_key().nullable().string(20),
        Column::build("Language").primary_key().nullable().string(255),
        Column::build("Attributes").primary_key().int32(),
        Column::build("Remove").nullable().string(255),
        Column::build("ActionProperty").id_string(72),
    ];
    // Versions below this one are removed first.
    let row = vec![
        braced(guid(job, "upgrade")),
        text("0.0.0"),
        text(version),
        Value::Null,
        Value::Int(1),
        Value::Null,
        text("OLDERFOUND"),
    ];
    table(package, "Upgrade", upgrade, vec![row])
}

/// Writes the folders; gives the key of each path.
fn folders(
    package: &mut Package,
    job: &Job<'_>,
    files: &[Installed<'_>],
) -> io::Result<BTreeMap<String, String>> {
    let mut keys: BTreeMap<String, String> = BTreeMap::from([(String::new(), "INSTALLDIR".to_owned())]);
    let mut rows = vec![
        vec![text("TARGETDIR"), Value::Null, text("SourceDir")],
        vec![text("ProgramFiles64Folder"), text("TARGETDIR"), text(".")],
        vec![text("INSTALLDIR"), text("ProgramFiles64Folder"), text(&long_name(&job.recipe.name, 0))],
    ];
    for file in files {
        for (at, _) in file.path.match_indices('/') {
            let path = &file.path[..at];
            if keys.contains_key(path) {
                continue;
            }
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let key = format!("d{}", keys.len());
            let above = keys.get(above).cloned().unwrap_or_default();
            rows.push(vec![text(&key), text(&above), text(&long_name(name, keys.len()))]);
            keys.insert(path.to_owned(), key);
        }
    }
    let columns = vec![
        Column::build("Directory").primary_key().id_string(72),
        Column::build("Directory_Parent").nullable().id_string(72),
        Column::build("DefaultDir").localizable().string(255),
    ];
    table(package, "Directory", columns, rows)?;
    Ok(keys)
}

/// `SHORT|long name`, with a short one that nobody else has.
fn long_name(name: &str, number: usize) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).take(4).collect();
    let end: String = match name.rsplit_once('.') {
        Some((_, end)) => {
            format!(".{}", end.chars().filter(char::is_ascii_alphanumeric).take(3).collect::<String>())
        }
        None => String::new(),
    };
    format!("{}~{number}{}|{name}", letters.to_uppercase(), end.to_uppercase())
}

fn components(
    package: &mut Package,
    job: &Job<'_>,
    files: &[Installed<'_>],
    folders: &BTreeMap<String, String>,
) -> io::Result<()> {
    let (mut components, mut members, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (number, file) in files.iter().enumerate() {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let component = format!("c{number}");
        let folder = folders.get(folder).cloned().unwrap_or_default();
        let id = braced(guid(job, &format!("component:{}", file.path)));
        // 256: of 64 bits.
        components.push(vec![
            text(&component),
            id,
            text(&folder),
            Value::Int(256),
            Value::Null,
            text(&file.key),
        ]);
        members.push(vec![text("Main"), text(&component)]);
        rows.push(vec![
            text(&file.key),
            text(&component),
            text(&long_name(name, number)),
            Value::Int(file.bytes.len() as i32),
            Value::Null,
            Value::Null,
            Value::Int(512),
            Value::Int(number as i32 + 1),
        ]);
    }
    let has_program = files.iter().position(|file| file.path.starts_with("bin/"));
    table(
        package,
        "Component",
        vec![
            Column::build("Component").primary_key().id_string(72),
            Column::build("ComponentId").nullable().string(38),
            Column::build("Directory_").id_string(72),
            Column::build("Attributes").int16(),
            Column::build("Condition").nullable().string(255),
            Column::build("KeyPath").nullable().id_string(72),
        ],
        components,
    )?;
    table(
        package,
        "Feature",
        vec![
            Column::build("Feature").primary_key().id_string(38),
            Column::build("Feature_Parent").nullable().id_string(38),
            Column::build("Title").nullable().localizable().string(64),
            Column::build("Description").nullable().localizable().string(255),
            Column::build("Display").nullable().int16(),
            Column::build("Level").int16(),
            Column::build("Directory_").nullable().id_string(72),
            Column::build("Attributes").int16(),
        ],
        vec![vec![
            text("Main"),
            Value::Null,
            text(&job.recipe.name),
            text(&job.recipe.summary),
            Value::Int(1),
            Value::Int(1),
            text("INSTALLDIR"),
            Value::Int(0),
        ]],
    )?;
    table(
        package,
        "FeatureComponents",
        vec![
            Column::build("Feature_").primary_key().id_string(38),
            Column::build("Component_").primary_key().id_string(72),
        ],
        members,
    )?;
    table(
        package,
        "File",
        vec![
            Column::build("File").primary_key().id_string(72),
            Column::build("Component_").id_string(72),
            Column::build("FileName").localizable().string(255),
            Column::build("FileSize").int32(),
            Column::build("Version").nullable().string(72),
            Column::build("Language").nullable().string(20),
            Column::build("Attributes").nullable().int16(),
            Column::build("Sequence").int16(),
        ],
        rows,
    )?;
    table(
        package,
        "Media",
        vec![
            Column::build("DiskId").primary_key().int16(),
            Column::build("LastSequence").int16(),
            Column::build("DiskPrompt").nullable().localizable().string(64),
            Column::build("Cabinet").nullable().string(255),
            Column::build("VolumeLabel").nullable().string(32),
            Column::build("Source").nullable().string(72),
        ],
        vec![vec![
            Value::Int(1),
            Value::Int(files.len() as i32),
            Value::Null,
            Value::from(format!("#{CABINET}")),
            Value::Null,
            Value::Null,
        ]],
    )?;
    let environment = match has_program {
        // Behind what is in PATH already, for the whole machine, while the program is installed.
        Some(number) => {
            let component = format!("c{number}");
            vec![vec![text("Path"), text("=-*PATH"), text("[~];[INSTALLDIR]bin"), text(&component)]]
        }
        None => Vec::new(),
    };
    table(
        package,
        "Environment",
        vec![
            Column::build("Environment").primary_key().id_string(72),
            Column::build("Name").localizable().string(255),
            Column::build("Value").nullable().localizable().string(255),
            Column::build("Component_").id_string(72),
        ],
        environment,
    )
}

/// The installer's standard actions in the order that its documentation suggests.
fn sequences(package: &mut Package) -> io::Result<()> {
    let columns = || {
        vec![
            Column::build("Action").primary_key().id_string(72),
            Column::build("Condition").nullable().string(255),
            Column::build("Sequence").nullable().int16(),
        ]
    };
    let rows = |actions: &[(&str, i32)]| {
        actions.iter().map(|(name, at)| vec![text(name), Value::Null, Value::Int(*at)]).collect()
    };
    let execute: [(&str, i32); 19] = [
        ("FindRelatedProducts", 200),
        ("LaunchConditions", 400),
        ("ValidateProductID", 700),
        ("CostInitialize", 800),
        ("FileCost", 900),
        ("CostFinalize", 1000),
        ("InstallValidate", 1400),
        ("RemoveExistingProducts", 1450),
        ("InstallInitialize", 1500),
        ("ProcessComponents", 1600),
        ("UnpublishFeatures", 1800),
        ("RemoveEnvironmentStrings", 3300),
        ("RemoveFiles", 3500),
        ("InstallFiles", 4000),
        ("WriteEnvironmentStrings", 5200),
        ("RegisterUser", 6000),
        ("RegisterProduct", 6100),
        ("PublishFeatures", 6300),
        ("InstallFinalize", 6600),
    ];
    let mut all = execute.to_vec();
    all.push(("PublishProduct", 6400));
    table(package, "InstallExecuteSequence", columns(), rows(&all))?;
    let interface = [
        ("FindRelatedProducts", 200),
        ("CostInitialize", 800),
        ("FileCost", 900),
        ("CostFinalize", 1000),
        ("ExecuteAction", 1300),
    ];
    table(package, "InstallUISequence", columns(), rows(&interface))?;
    let launch = vec![
        Column::build("Condition").primary_key().string(255),
        Column::build("Description").localizable().string(255),
    ];
    table(
        package,
        "LaunchCondition",
        launch,
        vec![vec![text("VersionNT64"), text("This program needs Windows of 64 bits.")]],
    )
}

fn cabinet(files: &[Installed<'_>], time: u64) -> io::Result<Vec<u8>> {
    let date = Date::of(time);
    let stamp = time::Month::try_from(date.month)
        .and_then(|month| time::Date::from_calendar_date(date.year as i32, month, date.day))
        .and_then(|day| day.with_hms(date.hour, date.minute, date.second & !1))
        .map_err(io::Error::other)?;
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(cab::CompressionType::MsZip);
    for file in files {
        let entry = folder.add_file(file.key.as_str());
        entry.set_datetime(stamp);
        entry.set_is_archive(true);
    }
    let mut writer = builder.build(Cursor::new(Vec::new()))?;
    let mut number = 0;
    while let Some(mut file) = writer.next_file()? {
        if let Some(wanted) = files.get(number) {
            file.write_all(wanted.bytes)?;
        }
        number += 1;
    }
    Ok(writer.finish()?.into_inner())
}
