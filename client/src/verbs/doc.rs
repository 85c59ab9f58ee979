//! `doc`: pages of what modules say about themselves.
use serde_json::json;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;

use super::{channel, current_folder, text};
use crate::cli::{Common, DocArgs};
use crate::failure::Failure;
use crate::report::print_line;

/// `vitte doc`.
///
/// # Errors
/// When there is no package, or the pages cannot be written.
pub async fn doc(common: &Common, args: DocArgs) -> Result<u8, Failure> {
    let DocArgs { entry, library, out } = args;
    let cwd = current_folder()?;
    let options = v1::BuildOptions {
        entry: entry.map(|entry| text(&entry)).transpose()?.unwrap_or_default(),
        cwd: text(&cwd)?,
        ..v1::BuildOptions::default()
    };
    let folder = match out {
        Some(out) => text(&cwd.join(out))?,
        None if library => text(&cwd.join("target").join("doc"))?,
        None => String::new(),
    };
    let request = v1::DocumentRequest { options: Some(options), library, folder };
    let made = BuildServiceClient::new(channel(common).await?).document(request).await?.into_inner();
    let v1::DocumentResponse { index, modules, undocumented, items } = made;
    if common.json {
        let made = json!({"index": index, "modules": modules, "items": items, "undocumented": undocumented});
        print_line(&made.to_string())?;
        return Ok(0);
    }
    let shown = std::path::Path::new(&index);
    let shown = shown.strip_prefix(&cwd).unwrap_or(shown);
    let count =
        |number: u64, what: &str| if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") };
    let bare = if undocumented == 0 { String::new() } else { format!(", {undocumented} without a text") };
    print_line(&format!(
        "documented {} with {}{bare}: {}",
        count(modules, "module"),
        count(items, "exported declaration"),
        shown.display()
    ))?;
    Ok(0)
}
