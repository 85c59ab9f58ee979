//! New packages: `vitte new` and `vitte init`.
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use crate::failure::{Exit, Failure};

/// The manifest's file name.
const MANIFEST: &str = "vitte-package.json";

/// Makes the folder `path` with a package in it.
///
/// # Errors
/// When the folder exists and is not empty, the name is no package name, or writing fails.
pub fn create(path: &Path, name: Option<&str>) -> Result<String, Failure> {
    let name = package_name(path, name)?;
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let empty = fs::read_dir(path).map_err(|error| cannot("read", path, &error))?.next().is_none();
            if !empty {
                let message = format!("`{}` exists and is not empty", path.display());
                return Err(Failure::new(Exit::BadInput, message).help("`vitte init` makes a package in it"));
            }
        }
        Err(error) => return Err(cannot("create", path, &error)),
    }
    fill(path, &name)?;
    Ok(name)
}

/// Makes a package in the existing folder `path`. Keeps whatever sources are there.
///
/// # Errors
/// When there is a package already, the name is no package name, or writing fails.
pub fn init(path: &Path, name: Option<&str>) -> Result<String, Failure> {
    let name = package_name(path, name)?;
    if path.join(MANIFEST).exists() {
        return Err(Failure::new(Exit::BadInput, format!("`{}` is a package already", path.display())));
    }
    fill(path, &name)?;
    Ok(name)
}

fn package_name(path: &Path, given: Option<&str>) -> Result<String, Failure> {
    let from_path = || {
        let absolute = std::path::absolute(path).ok()?;
        absolute.file_name()?.to_str().map(str::to_owned)
    };
    let name = given.map(str::to_owned).or_else(from_path).unwrap_or_default();
    let mut chars = name.chars();
    let valid = chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if valid {
        return Ok(name);
    }
    let message = format!(
        "`{name}` is not a package name: it takes lower-case letters, digits and `-`, a letter first"
    );
    Err(Failure::new(Exit::Usage, message).help("give another with `--name NAME`"))
}

fn fill(root: &Path, name: &str) -> Result<(), Failure> {
    let manifest = json!({
        "schema": "vitte.package.manifest.v1",
        "name": name,
        "version": "0.1.0",
        "kind": "binary",
        "entry": "src/main.vit",
        "dependencies": {},
        "tests": ["tests/smoke.vit"],
    });
    let main = format!("proc main() -> int {{\n    println(\"Hello from {name}!\")\n    give 0\n}}\n");
    let test = "proc main() -> int {\n    assert(1 + 1 == 2)\n    give 0\n}\n";
    for folder in ["src", "tests"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).map_err(|error| cannot("create", &folder, &error))?;
    }
    write_new(&root.join("src/main.vit"), &main)?;
    write_new(&root.join("tests/smoke.vit"), test)?;
    write_new(&root.join(".gitignore"), "target/\n")?;
    // Last, so that a folder with a manifest is a whole package.
    write_new(&root.join(MANIFEST), &format!("{manifest:#}\n"))
}

/// Writes a file that does not exist yet; one that does is kept.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    match File::options().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(|error| cannot("write", path, &error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot("create", path, &error)),
    }
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::InputOutput, format!("cannot {verb} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_package_is_whole_and_an_old_folder_is_safe() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("demo-1");
        assert_eq!(create(&path, None).unwrap(), "demo-1");
        let manifest: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(path.join(MANIFEST)).unwrap()).unwrap();
        assert_eq!((&manifest["name"], &manifest["entry"]), (&json!("demo-1"), &json!("src/main.vit")));
        for file in ["src/main.vit", "tests/smoke.vit", ".gitignore"] {
            assert!(path.join(file).is_file(), "{file}");
        }
        assert_eq!(create(&path, None).unwrap_err().exit, Exit::BadInput as u8);
        assert_eq!(init(&path, None).unwrap_err().exit, Exit::BadInput as u8);
        assert_eq!(create(&root.path().join("Demo"), None).unwrap_err().exit, Exit::Usage as u8);
        assert!(create(&root.path().join("Demo"), Some("demo")).is_ok());
    }
}
