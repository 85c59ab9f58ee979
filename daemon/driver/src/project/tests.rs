//! Discovery on real folders.
#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;

fn manifest(name: &str, more: &str) -> String {
    format!(
        r#"{{"schema": "vitte.package.manifest.v1", "name": "{name}", "version": "0.1.0", "kind": "binary",
"entry": "src/main.vit", "dependencies": {{{more}}}, "tests": []}}"#
    )
}

fn package(folder: &Path, name: &str, more: &str) {
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/main.vit"), "").unwrap();
    std::fs::write(folder.join(PACKAGE_FILE), manifest(name, more)).unwrap();
}

fn find(cwd: &Path, entry: Option<&str>) -> Result<Project, DriverError> {
    Project::find(&BuildRequest {
        cwd: cwd.to_path_buf(),
        entry: entry.map(PathBuf::from),
        ..BuildRequest::default()
    })
}

fn complaint(result: Result<Project, DriverError>) -> (&'static str, String) {
    match result {
        Err(DriverError::BadInput { reason, message, .. }) => (reason, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lone_file_needs_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    std::fs::create_dir(real.join("x")).unwrap();
    std::fs::write(real.join("x/a.vit"), "").unwrap();
    let project = find(&real, Some("x/a.vit")).unwrap();
    assert_eq!(project.root, real.join("x"));
    assert_eq!(project.entry, SourcePath::workspace("a.vit"));
    assert_eq!(project.default_output("dev"), real.join("x/a"));
    std::fs::write(real.join("x/plain"), "").unwrap();
    assert_eq!(find(&real, Some("x/plain")).unwrap().default_output("dev"), real.join("x/plain.out"));
}

#[test]
fn a_given_root_counts_for_files_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(real.join("x/y")).unwrap();
    std::fs::create_dir_all(real.join("z")).unwrap();
    std::fs::write(real.join("x/y/a.vit"), "").unwrap();
    let with_root = |root: &str| {
        Project::find(&BuildRequest {
            cwd: real.clone(),
            entry: Some("x/y/a.vit".into()),
            root: Some(root.into()),
            ..BuildRequest::default()
        })
    };
    let project = with_root("x").unwrap();
    assert_eq!((project.root, project.entry), (real.join("x"), SourcePath::workspace("y/a.vit")));
    assert_eq!(with_root("z").unwrap().root, real.join("x/y"));
    assert_eq!(complaint(with_root("none")).0, "NOT_FOUND");
    // A workspace around a file is its root, manifest or not.
    std::fs::write(real.join(WORKSPACE_FILE), r#"{"schema": "vitte.workspace.v1", "members": []}"#).unwrap();
    assert_eq!(find(&real, Some("x/y/a.vit")).unwrap().entry, SourcePath::workspace("x/y/a.vit"));
}

#[test]
fn packages_workspaces_and_dependencies_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    package(&real.join("app"), "app", r#""util": {"source": "workspace"}, "far": {"path": "../far"}"#);
    package(&real.join("util"), "util", "");
    package(&real.join("far"), "far", r#""util": {"source": "path", "path": "../util"}"#);
    std::fs::write(
        real.join(WORKSPACE_FILE),
        r#"{"schema": "vitte.workspace.v1", "version": "1.0.0", "members": ["app", "util"]}"#,
    )
    .unwrap();
    let project = find(&real.join("app/src"), None).unwrap();
    assert_eq!(project.root, real);
    assert_eq!(project.entry, SourcePath::workspace("app/src/main.vit"));
    assert_eq!(project.name, "app");
    assert_eq!(project.default_output("dev"), real.join("app/target/dev/app"));
    let roots: Vec<_> =
        project.roots.iter().map(|(root, folder)| (root.root.as_str(), folder.clone())).collect();
    assert_eq!(roots, [("pkg:far", real.join("far")), ("pkg:util", real.join("util"))]);
    std::fs::write(real.join("app/src/tool.vit"), "").unwrap();
    let tool = find(&real, Some("app/src/tool.vit")).unwrap();
    assert_eq!(tool.default_output("dev"), real.join("app/target/dev/src/tool"));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    std::fs::write(real.join("program.vit"), "").unwrap();
    match find(&real, Some("progam.vit")) {
        Err(DriverError::BadInput { reason: "NOT_FOUND", message, help }) => {
            assert_eq!(message, "`progam.vit` does not exist");
            assert!(help.contains("`program.vit`"), "{help}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(complaint(find(&real, Some("."))).0, "IS_A_DIRECTORY");
    assert_eq!(complaint(find(&real, None)).0, "IS_A_DIRECTORY");
    assert_eq!(complaint(find(&real, Some("/dev/null"))).0, "NOT_A_FILE");
    let native =
        |entries: &str| manifest("a", "").replacen('{', &format!("{{\"native\": {{{entries}}}, "), 1);
    let cases = [
        ("{", "PKG_E_SYNTAX"),
        ("[]", "PKG_E_SYNTAX"),
        (r#"{"name": "a"}"#, "PKG_E_FIELD_MISSING"),
        (&manifest("a", "").replace("manifest.v1", "v9"), "PKG_E_SCHEMA"),
        (&manifest("Bad", ""), "PKG_E_NAME"),
        (&manifest("a", "").replace("0.1.0", "1"), "PKG_E_VERSION"),
        (&manifest("a", "").replace("binary", "plugin"), "PKG_E_KIND"),
        (&manifest("a", "").replace("src/main", "../main"), "PKG_E_ENTRY"),
        (&manifest("a", "").replace("src/main", "src/gone"), "PKG_E_ENTRY_MISSING"),
        (&manifest("a", "").replace("[]", "3"), "PKG_E_FIELD_TYPE"),
        (&manifest("a", r#""b": ">2""#), "PKG_E_REQUIREMENT"),
        (&manifest("a", r#""b": "1.0.0""#), "PKG_E_REGISTRY"),
        (&manifest("a", r#""b": {"path": "nowhere"}"#), "PKG_E_DEPENDENCY_MISSING"),
        (&manifest("a", r#""b": {"source": "moon"}"#), "PKG_E_DEPENDENCY"),
        (&native(r#""moon": {"library": "a.so"}"#), "PKG_E_NATIVE"),
        (&native(r#""x86_64-unknown-linux-gnu": {"library": "../a.so"}"#), "PKG_E_NATIVE"),
        (&native(r#""x86_64-unknown-linux-gnu": {"table": "a.vitffi"}"#), "PKG_E_FIELD_MISSING"),
    ];
    package(&real.join("p"), "a", "");
    for (text, code) in cases {
        std::fs::write(real.join("p").join(PACKAGE_FILE), text).unwrap();
        let (reason, message) = complaint(find(&real.join("p"), None));
        assert_eq!(reason, "BAD_MANIFEST", "{message}");
        assert!(message.contains(code), "{code}: {message}");
    }
    std::fs::write(real.join("p").join(PACKAGE_FILE), manifest("a", r#""b": {"source": "moon"}"#)).unwrap();
    let (_, message) = complaint(find(&real.join("p"), None));
    assert!(message.contains("vitte-package.json:2:43: "), "{message}");
}

#[test]
fn a_workspace_stands_for_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let members = |list: &str| {
        let text = format!(
            r#"{{"schema": "vitte.workspace.v1", "version": "1.0.0", "members": [{list}],
"registry": {{"mode": "offline", "path": "registry"}}}}"#
        );
        std::fs::write(real.join(WORKSPACE_FILE), text).unwrap();
    };
    package(&real.join("app"), "app", "");
    package(&real.join("tool"), "tool", "");
    members(r#""app""#);
    assert_eq!(find(&real, None).unwrap().entry, SourcePath::workspace("app/src/main.vit"));
    let elsewhere = tempfile::tempdir().unwrap();
    let set = Project::find(&BuildRequest {
        cwd: elsewhere.path().to_path_buf(),
        root: Some(real.clone()),
        ..BuildRequest::default()
    });
    assert_eq!(set.unwrap().entry, SourcePath::workspace("app/src/main.vit"));
    members(r#""app", "tool""#);
    assert_eq!(complaint(find(&real, None)).0, "WHICH_MEMBER");
    assert_eq!(find(&real, Some("tool")).unwrap().entry, SourcePath::workspace("tool/src/main.vit"));
    members("");
    assert_eq!(complaint(find(&real, None)).0, "NO_MEMBERS");
}
