//! `plugin check|verify|load|unload|list|info|format|render|panels`.
use std::path::Path;

use serde_json::{Value, json};
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::call_plugin_request::Contribution;
use vitte_proto::v1::plugin_service_client::PluginServiceClient;

use super::{channel, current_folder, text};
use crate::cli::{Common, PluginVerb};
use crate::failure::{Exit, Failure};
use crate::report::{print_bytes, print_line};

/// Longest file that a plugin is given, in bytes.
const FILE_MAX: u64 = 3 << 20;

/// Does what `verb` asks.
///
/// # Errors
/// When a plugin is wrong, unknown or fails, or the service cannot be asked.
pub async fn run(common: &Common, verb: PluginVerb) -> Result<u8, Failure> {
    let mut client = client(common).await?;
    match verb {
        PluginVerb::Check { file } => check(common, &mut client, &file).await,
        PluginVerb::Verify { file } => verify(common, &mut client, &file).await,
        PluginVerb::Load { file, config } => {
            let request = v1::LoadPluginRequest { path: absolute(&file)?, config };
            let plugin = client.load_plugin(request).await?.into_inner().plugin.unwrap_or_default();
            told(common, "loaded", &plugin)
        }
        PluginVerb::Unload { names } => {
            for name in names {
                let request = v1::UnloadPluginRequest { name };
                let plugin = client.unload_plugin(request).await?.into_inner().plugin.unwrap_or_default();
                told(common, "unloaded", &plugin)?;
            }
            Ok(0)
        }
        PluginVerb::List => {
            let plugins = client.list_plugins(v1::ListPluginsRequest {}).await?.into_inner().plugins;
            for plugin in &plugins {
                print_line(&if common.json { to_json(plugin).to_string() } else { summary(plugin) })?;
            }
            if plugins.is_empty() && !common.json {
                print_line("no plugins are loaded")?;
            }
            Ok(0)
        }
        PluginVerb::Info { name } => {
            let plugin = client.get_plugin(v1::GetPluginRequest { name }).await?.into_inner().plugin;
            whole(common, &plugin.unwrap_or_default())
        }
        PluginVerb::Format { name, file } => {
            let path = file.display().to_string();
            let format = v1::FormatText { path, text: read(&file)? };
            contributed(&mut client, name, Contribution::Format(format)).await
        }
        PluginVerb::Render { name, file } => {
            let title = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let render = v1::RenderMarkdown { title, markdown: read(&file)? };
            contributed(&mut client, name, Contribution::Render(render)).await
        }
        PluginVerb::Panels { name: Some(name), panel: Some(panel) } => {
            contributed(&mut client, name, Contribution::Panel(panel)).await
        }
        PluginVerb::Panels { name, panel: _ } => panels(&mut client, name.as_deref()).await,
    }
}

async fn client(common: &Common) -> Result<PluginServiceClient<Channel>, Failure> {
    Ok(PluginServiceClient::new(channel(common).await?))
}

/// A path as the service, which stands in another folder, finds it.
fn absolute(path: &Path) -> Result<String, Failure> {
    text(&current_folder()?.join(path))
}

fn read(file: &Path) -> Result<String, Failure> {
    String::from_utf8(vitte_sys::fs::read_at_most(file, FILE_MAX)?)
        .map_err(|_| Failure::new(Exit::BadInput, format!("`{}` is not text", file.display())))
}

async fn ask_check(
    client: &mut PluginServiceClient<Channel>,
    file: &Path,
) -> Result<v1::CheckPluginResponse, Failure> {
    let request = v1::CheckPluginRequest { path: absolute(file)? };
    Ok(client.check_plugin(request).await?.into_inner())
}

async fn check(
    common: &Common,
    client: &mut PluginServiceClient<Channel>,
    file: &Path,
) -> Result<u8, Failure> {
    let v1::CheckPluginResponse { plugin, problems, interface_version } = ask_check(client, file).await?;
    let plugin = plugin.unwrap_or_default();
    if common.json {
        let mut line = to_json(&plugin);
        if let Some(line) = line.as_object_mut() {
            line.insert("problems".into(), json!(problems));
            line.insert("interface_version".into(), json!(interface_version));
        }
        print_line(&line.to_string())?;
    } else {
        print_line(&format!("{} {}", plugin.name, plugin.version))?;
        print_line(&format!("  contributes  {}", plugin.contributions.join(", ")))?;
        print_line(&format!("  interfaces   vitte:plugin@{interface_version}"))?;
        print_line(&format!("  signed by    {}", signer(&plugin)))?;
        for problem in &problems {
            print_line(&format!("  problem      {}", problem.replace('\n', "\n             ")))?;
        }
        if problems.is_empty() {
            print_line("it can be loaded")?;
        }
    }
    Ok(if problems.is_empty() { 0 } else { Exit::BadInput as u8 })
}

async fn verify(
    common: &Common,
    client: &mut PluginServiceClient<Channel>,
    file: &Path,
) -> Result<u8, Failure> {
    let plugin = ask_check(client, file).await?.plugin.unwrap_or_default();
    if plugin.signer.is_empty() {
        let message = format!("`{}` is not signed by a key that is trusted", file.display());
        let help = "sign it with `vitte key sign FILE`, and trust the key with `vitte key trust FILE.pub`";
        return Err(Failure::new(Exit::NotPermitted, message).help(help));
    }
    let line = json!({"event": "verified", "plugin": plugin.name, "key": plugin.signer});
    let words = format!("{} is signed by {}", plugin.name, plugin.signer);
    print_line(&if common.json { line.to_string() } else { words }).map(|()| 0)
}

/// Asks for a contribution and prints it as it is.
async fn contributed(
    client: &mut PluginServiceClient<Channel>,
    name: String,
    contribution: Contribution,
) -> Result<u8, Failure> {
    let request = v1::CallPluginRequest { name, contribution: Some(contribution) };
    let text = client.call_plugin(request).await?.into_inner().text;
    print_bytes(text.as_bytes()).map(|()| 0)
}

/// The panels as lines of JSON.
async fn panels(client: &mut PluginServiceClient<Channel>, name: Option<&str>) -> Result<u8, Failure> {
    let v1::ListPanelsResponse { panels, failures } =
        client.list_panels(v1::ListPanelsRequest {}).await?.into_inner();
    for v1::Panel { plugin, id, title } in panels {
        if name.is_none_or(|name| name == plugin) {
            print_line(&json!({"plugin": plugin, "id": id, "title": title}).to_string())?;
        }
    }
    match failures.first() {
        None => Ok(0),
        Some(failure) => Err(Failure::new(Exit::BadInput, failure.clone())),
    }
}

fn signer(plugin: &v1::Plugin) -> &str {
    if plugin.signer.is_empty() { "nobody" } else { &plugin.signer }
}

fn state(plugin: &v1::Plugin) -> &'static str {
    match plugin.state() {
        v1::PluginState::Unspecified => "not loaded",
        v1::PluginState::Waiting => "waiting",
        v1::PluginState::Active => "active",
        v1::PluginState::Quarantined => "quarantined",
    }
}

fn summary(plugin: &v1::Plugin) -> String {
    let reason = if plugin.reason.is_empty() {
        String::new()
    } else {
        format!("  {}", plugin.reason.replace('\n', " "))
    };
    format!(
        "{} {}  {}  {}{reason}",
        plugin.name,
        plugin.version,
        state(plugin),
        plugin.contributions.join(", ")
    )
}

fn told(common: &Common, event: &str, plugin: &v1::Plugin) -> Result<u8, Failure> {
    if common.json {
        let mut line = to_json(plugin);
        if let Some(line) = line.as_object_mut() {
            line.insert("event".into(), json!(event));
        }
        return print_line(&line.to_string()).map(|()| 0);
    }
    print_line(&format!("{event} {} {}", plugin.name, plugin.version)).map(|()| 0)
}

fn whole(common: &Common, plugin: &v1::Plugin) -> Result<u8, Failure> {
    if common.json {
        return print_line(&to_json(plugin).to_string()).map(|()| 0);
    }
    print_line(&summary(plugin))?;
    for (name, value) in [
        ("for", plugin.description.clone()),
        ("file", plugin.path.clone()),
        ("signed by", signer(plugin).to_owned()),
        ("made", plugin.activation.join(", ")),
        ("may use", plugin.capabilities.join(", ")),
        ("imports", plugin.imports.join(", ")),
        ("calls", format!("{}, {} failed by its fault", plugin.calls, plugin.faults)),
    ] {
        if !value.is_empty() {
            print_line(&format!("  {name:<10} {value}"))?;
        }
    }
    for v1::PluginExport { name, signature } in &plugin.exports {
        print_line(&format!("  {name}: {signature}"))?;
    }
    Ok(0)
}

fn to_json(plugin: &v1::Plugin) -> Value {
    let v1::Plugin {
        name,
        version,
        description,
        signer,
        activation,
        capabilities,
        contributions,
        exports,
        imports,
        path,
        state: _,
        reason,
        calls,
        faults,
    } = plugin;
    let exports: Vec<Value> = exports
        .iter()
        .map(|v1::PluginExport { name, signature }| json!({"name": name, "signature": signature}))
        .collect();
    json!({
        "plugin": name,
        "version": version,
        "description": description,
        "signer": signer,
        "activation": activation,
        "capabilities": capabilities,
        "contributions": contributions,
        "exports": exports,
        "imports": imports,
        "path": path,
        "state": state(plugin),
        "reason": reason,
        "calls": calls,
        "faults": faults,
    })
}
