//! Parts lists (SPDX 2.3, CycloneDX 1.6) and the statement of where everything came from (in-toto, SLSA provenance 1.0).
use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::digest::{Date, sha256};
use crate::recipe::Recipe;
use crate::stage::{Content, Stage};

/// The parts list as SPDX.
pub(crate) fn spdx(recipe: &Recipe, stage: &Stage, target: &str, time: u64) -> Vec<u8> {
    let license = |text: &str| if text.is_empty() { "NOASSERTION".to_owned() } else { text.to_owned() };
    let id = |text: &str| text.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-', "-");
    let root = format!("SPDXRef-Package-{}", id(&recipe.name));
    let mut packages = vec![json!({
        "SPDXID": root, "name": recipe.name, "versionInfo": recipe.version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false, "licenseConcluded": "NOASSERTION", "licenseDeclared": license(&recipe.license),
        "copyrightText": "NOASSERTION", "supplier": supplier(recipe),
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl(recipe)}],
    })];
    let mut relations = vec![json!({
        "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": root,
    })];
    for (name, requirement) in &recipe.modules {
        let module = format!("SPDXRef-Package-{}", id(name));
        packages.push(json!({
            "SPDXID": module, "name": name, "versionInfo": requirement, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
        }));
        relations.push(json!({
            "spdxElementId": root, "relationshipType": "DEPENDS_ON", "relatedSpdxElement": module,
        }));
    }
    let mut files = Vec::new();
    for (number, (path, entry)) in stage.entries().enumerate() {
        if let Content::File(bytes) = &entry.content {
            let file = format!("SPDXRef-File-{number}");
            files.push(json!({
                "SPDXID": file, "fileName": format!("./{path}"), "licenseConcluded": "NOASSERTION",
                "copyrightText": "NOASSERTION",
                "checksums": [
                    {"algorithm": "SHA1", "checksumValue": sha1(bytes)},
                    {"algorithm": "SHA256", "checksumValue": sha256(bytes)},
                ],
            }));
            relations.push(json!({
                "spdxElementId": root, "relationshipType": "CONTAINS", "relatedSpdxElement": file,
            }));
        }
    }
    let space = identity(recipe, stage, target);
    text(&json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{}-{}-{target}", recipe.name, recipe.version),
        "documentNamespace": format!("urn:uuid:{space}"),
        "creationInfo": {"created": Date::of(time).iso(), "creators": [tool()]},
        "packages": packages, "files": files, "relationships": relations,
    }))
}

/// The parts list as CycloneDX.
pub(crate) fn cyclonedx(recipe: &Recipe, stage: &Stage, target: &str, time: u64) -> Vec<u8> {
    let root = purl(recipe);
    let mut components: Vec<Value> = (recipe.modules.iter())
        .map(|(name, requirement)| {
            json!({"type": "library", "bom-ref": format!("module:{name}"), "name": name, "version": requirement})
        })
        .collect();
    let modules: Vec<String> = recipe.modules.iter().map(|(name, _)| format!("module:{name}")).collect();
    for (path, entry) in stage.entries() {
        if let Content::File(bytes) = &entry.content {
            components.push(json!({
                "type": "file", "bom-ref": format!("file:{path}"), "name": path,
                "hashes": [{"alg": "SHA-256", "content": sha256(bytes)}],
            }));
        }
    }
    let mut component = json!({
        "type": "application", "bom-ref": root, "name": recipe.name, "version": recipe.version, "purl": root,
    });
    if !recipe.license.is_empty() {
        component["licenses"] = json!([{"expression": recipe.license}]);
    }
    text(&json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": format!("urn:uuid:{}", identity(recipe, stage, target)),
        "metadata": {
            "timestamp": Date::of(time).iso(),
            "tools": {"components": [{"type": "application", "name": "vitte-buildkit", "version": env!("CARGO_PKG_VERSION")}]},
            "component": component,
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": modules}],
    }))
}

/// Where the files named in `made` came from: the digests of all inputs.
pub(crate) fn provenance(
    recipe: &Recipe,
    inputs: &BTreeMap<String, String>,
    made: &[(String, String, u64)],
    target: &str,
    profile: &str,
) -> Vec<u8> {
    let subjects: Vec<Value> =
        made.iter().map(|(name, digest, _)| json!({"name": name, "digest": {"sha256": digest}})).collect();
    let inputs: Vec<Value> =
        inputs.iter().map(|(path, digest)| json!({"name": path, "digest": {"sha256": digest}})).collect();
    text(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://vitte.org/buildkit/v1",
                "externalParameters": {"package": recipe.name, "version": recipe.version, "target": target, "profile": profile},
                "resolvedDependencies": inputs,
            },
            "runDetails": {"builder": {"id": format!("vitte-buildkit {}", env!("CARGO_PKG_VERSION"))}},
        },
    }))
}

fn supplier(recipe: &Recipe) -> String {
    match recipe.maintainer_parts() {
        ("", _) => "NOASSERTION".to_owned(),
        (name, "") => format!("Person: {name}"),
        (name, address) => format!("Person: {name} ({address})"),
    }
}

fn purl(recipe: &Recipe) -> String {
    format!("pkg:generic/{}@{}", recipe.name, recipe.version)
}

fn tool() -> String {
    format!("Tool: vitte-buildkit-{}", env!("CARGO_PKG_VERSION"))
}

/// Equal files have equal identities.
fn identity(recipe: &Recipe, stage: &Stage, target: &str) -> Uuid {
    let mut all = format!("{}\n{}\n{target}\n", recipe.name, recipe.version);
    for (path, entry) in stage.entries() {
        all.push_str(&format!("{path} {}\n", sha256(entry.bytes())));
    }
    Uuid::new_v5(&Uuid::NAMESPACE_URL, all.as_bytes())
}

fn sha1(bytes: &[u8]) -> String {
    use sha1::Digest;
    crate::digest::hex(&sha1::Sha1::digest(bytes))
}

fn text(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
