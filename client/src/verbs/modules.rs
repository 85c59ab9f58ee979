//! `load|unload|reload|modules|call`.
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::module_service_client::ModuleServiceClient;

use super::{build, channel, current_folder, text};
use crate::cli::{CallArgs, Common, LoadArgs, ModulesArgs, ReloadArgs};
use crate::failure::{Exit, Failure};
use crate::report::print_line;

/// `vitte load`
///
/// # Errors
/// When the file is no module, or one of its name is loaded; when the package in the folder cannot be built for
/// another reason than errors in it.
pub async fn load(common: &Common, args: LoadArgs) -> Result<u8, Failure> {
    let LoadArgs { file, name, watch, grants, search, locked, arguments } = args;
    let path = if file.is_dir() {
        match build::package(common, &file).await? {
            Ok(path) => path,
            Err(status) => return Ok(status),
        }
    } else {
        absolute(&file)?
    };
    let request = v1::LoadRequest {
        path,
        name: name.unwrap_or_default(),
        request_id: String::new(),
        follow: watch,
        grants: grants.iter().map(|grant| in_this_folder(grant)).collect::<Result<_, _>>()?,
        arguments,
        search: search.iter().map(|folder| absolute(folder)).collect::<Result<_, _>>()?,
        locked,
    };
    let module = client(common).await?.load(request).await?.into_inner().module.unwrap_or_default();
    print_served(common, "loaded", &[module])
}

/// `vitte reload`
///
/// # Errors
/// When one cannot be replaced; then none is.
pub async fn reload(common: &Common, args: ReloadArgs) -> Result<u8, Failure> {
    let ReloadArgs { names, file, allow_breaking } = args;
    if file.is_some() && names.len() > 1 {
        return Err(Failure::new(Exit::Usage, "`--file` goes with one module").help("reload them one by one"));
    }
    let path = file.map(|file| absolute(&file)).transpose()?.unwrap_or_default();
    let modules =
        names.into_iter().map(|name| v1::ModuleReload { name, path: path.clone(), allow_breaking }).collect();
    let request = v1::ReloadRequest { modules, request_id: String::new() };
    let modules = client(common).await?.reload(request).await?.into_inner().modules;
    print_served(common, "reloaded", &modules)
}

/// `vitte unload`
///
/// # Errors
/// When one is not loaded; those before it have been unloaded.
pub async fn unload(common: &Common, names: Vec<String>, force: bool) -> Result<u8, Failure> {
    let mut client = client(common).await?;
    for name in names {
        let request = v1::UnloadRequest { name: name.clone(), request_id: String::new(), force };
        let generation = client.unload(request).await?.into_inner().generation;
        if common.json {
            print_line(&json!({"event": "unloaded", "module": name, "generation": generation}).to_string())?;
        } else {
            print_line(&format!("unloaded {name} generation {generation}"))?;
        }
    }
    Ok(0)
}

/// `vitte modules`
///
/// # Errors
/// When the service cannot be asked, or the module that is named is not loaded.
pub async fn modules(common: &Common, args: ModulesArgs) -> Result<u8, Failure> {
    let ModulesArgs { name, watch, graph } = args;
    let mut client = client(common).await?;
    if graph {
        return print_graph(common, &mut client, name.unwrap_or_default()).await;
    }
    if watch {
        return follow(common, &mut client, name.unwrap_or_default()).await;
    }
    if let Some(name) = name {
        let module = client.get_module(v1::GetModuleRequest { name }).await?.into_inner().module;
        return print_whole(common, &module.unwrap_or_default());
    }
    let mut request = v1::ListModulesRequest::default();
    let mut any = false;
    loop {
        let page = client.list_modules(request.clone()).await?.into_inner();
        for module in &page.modules {
            any = true;
            print_line(&if common.json { to_json(module).to_string() } else { summary(module) })?;
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if !any && !common.json {
        print_line("no modules are loaded")?;
    }
    Ok(0)
}

/// `vitte call`
///
/// # Errors
/// When there is no such function, the arguments do not fit, or the function fails.
pub async fn call(common: &Common, args: CallArgs) -> Result<u8, Failure> {
    let CallArgs { module, call, generation, timeout } = args;
    let (function, arguments) = split(&call);
    let request = v1::CallRequest {
        module,
        function: function.to_owned(),
        arguments: Some(v1::call_request::Arguments::Wave(arguments.to_owned())),
        generation,
        time_max: timeout.map(prost_types::Duration::try_from).transpose().map_err(|_| {
            Failure::new(Exit::Usage, "the time is too long").help("give at most some thousand years")
        })?,
    };
    let reply = client(common).await?.call(request).await?.into_inner();
    let v1::CallResponse { module, version, generation, tier, results, elapsed } = reply;
    let results = match results {
        Some(v1::call_response::Results::Wave(text)) => text,
        // Results have the form of the arguments, and this command never sends bytes or messages.
        Some(v1::call_response::Results::Raw(_) | v1::call_response::Results::Values(_)) | None => {
            String::new()
        }
    };
    if common.json {
        let line = json!({
            "module": module,
            "version": version,
            "generation": generation,
            "tier": tier,
            "results": results,
            "elapsed_us": elapsed.map(micros),
        });
        return print_line(&line.to_string()).map(|()| 0);
    }
    if !results.is_empty() {
        print_line(&results)?;
    }
    Ok(0)
}

/// `vitte inspect`
///
/// # Errors
/// When the file cannot be read, is malformed, or of no known kind.
pub async fn inspect(common: &Common, file: &Path, grants: &[String]) -> Result<u8, Failure> {
    let grants = grants.iter().map(|grant| in_this_folder(grant)).collect::<Result<_, _>>()?;
    let request = v1::InspectRequest { path: absolute(file)?, grants };
    let found = client(common).await?.inspect(request).await?.into_inner();
    let v1::InspectResponse {
        kind,
        target,
        bytes,
        sections,
        imports,
        exports,
        needed,
        soname,
        build_id,
        obstacle,
        signer,
        granted,
        denied,
    } = found;
    if common.json {
        let symbols = |list: &[v1::FileSymbol]| -> Vec<Value> {
            let each = |symbol: &v1::FileSymbol| {
                let v1::FileSymbol { module, name, what } = symbol;
                json!({"module": module, "name": name, "what": what})
            };
            list.iter().map(each).collect()
        };
        let sections: Vec<Value> = sections
            .iter()
            .map(|v1::FileSection { name, bytes }| json!({"name": name, "bytes": bytes}))
            .collect();
        let line = json!({
            "kind": kind,
            "target": target,
            "bytes": bytes,
            "sections": sections,
            "imports": symbols(&imports),
            "exports": symbols(&exports),
            "needed": needed,
            "soname": soname,
            "build_id": build_id,
            "obstacle": obstacle,
            "signer": signer,
            "granted": granted,
            "denied": denied
                .iter()
                .map(|v1::DeniedCapability { capability, reason, optional }| {
                    json!({"capability": capability, "reason": reason, "optional": optional})
                })
                .collect::<Vec<Value>>(),
        });
        return print_line(&line.to_string()).map(|()| 0);
    }
    print_line(&format!("{kind} for {target}, {bytes} bytes"))?;
    for (what, text) in
        [("name", &soname), ("build id", &build_id), ("signed by", &signer), ("refused", &obstacle)]
    {
        if !text.is_empty() {
            print_line(&format!("{what:<9} {text}"))?;
        }
    }
    for library in needed {
        print_line(&format!("needs     {library}"))?;
    }
    for v1::FileSection { name, bytes } in sections {
        print_line(&format!("section   {bytes:>9}  {name}"))?;
    }
    for v1::FileSymbol { module, name, what } in imports {
        let from = if module.is_empty() { String::new() } else { format!(" from {module}") };
        print_line(&format!("import    {name}{from}: {what}"))?;
    }
    for v1::FileSymbol { module, name, what } in exports {
        let version = if module.is_empty() { String::new() } else { format!("@{module}") };
        print_line(&format!("export    {name}{version}: {what}"))?;
    }
    for capability in granted {
        print_line(&format!("granted   {capability}"))?;
    }
    for v1::DeniedCapability { capability, reason, optional } in denied {
        let optional = if optional { "; it does without" } else { "" };
        print_line(&format!("denied    {capability}: {reason}{optional}"))?;
    }
    Ok(0)
}

async fn client(common: &Common) -> Result<ModuleServiceClient<Channel>, Failure> {
    Ok(ModuleServiceClient::new(channel(common).await?))
}

/// A path as the service, which stands in another folder, finds it.
fn absolute(path: &Path) -> Result<String, Failure> {
    text(&current_folder()?.join(path))
}

/// The name of the function, and its arguments in parentheses.
fn split(call: &str) -> (&str, &str) {
    let call = call.trim();
    match call.find('(') {
        Some(at) => {
            let (name, arguments) = call.split_at(at);
            (name.trim_end(), arguments)
        }
        None => (call, "()"),
    }
}

/// A capability whose folder is meant from here.
fn in_this_folder(grant: &str) -> Result<String, Failure> {
    for access in ["fs:ro:", "fs:rw:"] {
        if let Some(folder) = grant.strip_prefix(access) {
            return Ok(format!("{access}{}", absolute(Path::new(folder))?));
        }
    }
    Ok(grant.to_owned())
}

async fn print_graph(
    common: &Common,
    client: &mut ModuleServiceClient<Channel>,
    module: String,
) -> Result<u8, Failure> {
    let modules = client.graph(v1::GraphRequest { module }).await?.into_inner().modules;
    for v1::GraphModule { name, version, generation, imports } in modules {
        if common.json {
            let imports: Vec<Value> = imports.iter().map(import_json).collect();
            let line =
                json!({"module": name, "version": version, "generation": generation, "imports": imports});
            print_line(&line.to_string())?;
            continue;
        }
        let version = if version.is_empty() { String::new() } else { format!(" {version}") };
        print_line(&match generation {
            0 => format!("{name}{version}  not loaded"),
            generation => format!("{name}{version}  generation {generation}"),
        })?;
        for import in &imports {
            print_line(&import_line(import))?;
        }
    }
    Ok(0)
}

fn import_line(import: &v1::ModuleImport) -> String {
    let v1::ModuleImport { interface: _, name, signature, target, generation, on_call } = import;
    let state = match (generation, on_call) {
        (0, true) => "  (loaded when it is called)".to_owned(),
        (0, false) => "  (not loaded)".to_owned(),
        (generation, _) => format!("  (generation {generation})"),
    };
    format!("  -> {target}  {name}: {signature}{state}")
}

fn import_json(import: &v1::ModuleImport) -> Value {
    let v1::ModuleImport { interface, name, signature, target, generation, on_call } = import;
    json!({
        "interface": interface,
        "name": name,
        "signature": signature,
        "target": target,
        "generation": generation,
        "on_call": on_call,
    })
}

async fn follow(
    common: &Common,
    client: &mut ModuleServiceClient<Channel>,
    module: String,
) -> Result<u8, Failure> {
    let request = v1::WatchModulesRequest { after_sequence: 0, module };
    let mut events = client.watch_modules(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        let state = state_name(event.state());
        let v1::WatchModulesResponse { sequence, module, generation, state: _, reason, elapsed } = event;
        let micros = elapsed.map(micros).unwrap_or_default();
        print_line(&if common.json {
            json!({
                "event": "module",
                "sequence": sequence,
                "module": module,
                "generation": generation,
                "state": state,
                "reason": reason,
                "elapsed_us": micros,
            })
            .to_string()
        } else {
            let reason = if reason.is_empty() { String::new() } else { format!("  {reason}") };
            format!("{module}  {generation}  {state:<11}  {}{reason}", span(Duration::from_micros(micros)))
        })?;
    }
    Err(Failure::new(Exit::Unavailable, "the service ended"))
}

fn print_served(common: &Common, what: &str, modules: &[v1::Module]) -> Result<u8, Failure> {
    for module in modules {
        if common.json {
            let mut line = to_json(module);
            line["event"] = what.into();
            print_line(&line.to_string())?;
        } else {
            let v1::Module { name, generation, exports, .. } = module;
            print_line(&format!(
                "{what} {name} generation {generation}, {}",
                count(exports.len(), "function")
            ))?;
        }
    }
    Ok(0)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn summary(module: &v1::Module) -> String {
    let v1::Module { name, generation, kind, path, exports, generations, signer, follows, .. } = module;
    let calls: u64 = generations.iter().map(|generation| generation.calls).sum();
    let functions = count(exports.len(), "function");
    let signer = if signer.is_empty() { "unsigned".to_owned() } else { format!("signed by {signer}") };
    let follows = if *follows { "  watched" } else { "" };
    format!(
        "{name:<20}  generation {generation}  {kind}  {functions}  {calls} calls  {signer}  {path}{follows}"
    )
}

fn print_whole(common: &Common, module: &v1::Module) -> Result<u8, Failure> {
    if common.json {
        return print_line(&to_json(module).to_string()).map(|()| 0);
    }
    print_line(&summary(module))?;
    for v1::ModuleExport { name, signature, obstacle } in &module.exports {
        let obstacle = if obstacle.is_empty() { String::new() } else { format!("  ({obstacle})") };
        print_line(&format!("  {name}: {signature}{obstacle}"))?;
    }
    for import in &module.imports {
        print_line(&import_line(import))?;
    }
    if !module.capabilities.is_empty() {
        print_line(&format!("  may reach {}", module.capabilities.join(", ")))?;
    }
    for generation in &module.generations {
        let v1::ModuleGeneration { number, reason, pins, calls, failures, age, sha256, .. } = generation;
        let age = age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
        let digest = sha256.get(..12).unwrap_or(sha256);
        let reason = if reason.is_empty() { String::new() } else { format!("  {reason}") };
        print_line(&format!(
            "  generation {number}  {:<11}  {pins} running, {calls} calls, {failures} failed  {}  {digest}{reason}",
            state_name(generation.state()),
            span(age),
        ))?;
    }
    Ok(0)
}

fn to_json(module: &v1::Module) -> Value {
    let v1::Module {
        name,
        version,
        generation,
        kind,
        tier,
        path,
        bytes,
        has_state,
        exports,
        generations,
        signer,
        follows,
        imports,
        capabilities,
    } = module;
    let imports: Vec<Value> = imports.iter().map(import_json).collect();
    let exports: Vec<Value> = exports
        .iter()
        .map(|v1::ModuleExport { name, signature, obstacle }| {
            json!({"name": name, "signature": signature, "obstacle": obstacle})
        })
        .collect();
    let generations: Vec<Value> = generations
        .iter()
        .map(|generation| {
            let state = state_name(generation.state());
            let v1::ModuleGeneration { number, state: _, reason, sha256, pins, calls, failures, age } =
                generation;
            json!({
                "number": number,
                "state": state,
                "reason": reason,
                "sha256": sha256,
                "pins": pins,
                "calls": calls,
                "failures": failures,
                "age_us": age.map(micros),
            })
        })
        .collect();
    json!({
        "module": name,
        "version": version,
        "generation": generation,
        "kind": kind,
        "tier": tier,
        "path": path,
        "bytes": bytes,
        "has_state": has_state,
        "follows": follows,
        "signer": signer,
        "exports": exports,
        "imports": imports,
        "capabilities": capabilities,
        "generations": generations,
    })
}

fn state_name(state: v1::GenerationState) -> &'static str {
    match state {
        v1::GenerationState::Unspecified => "unknown",
        v1::GenerationState::Staged => "staged",
        v1::GenerationState::Verified => "verified",
        v1::GenerationState::Linked => "linked",
        v1::GenerationState::Initialised => "initialised",
        v1::GenerationState::Migrated => "migrated",
        v1::GenerationState::Active => "active",
        v1::GenerationState::Draining => "draining",
        v1::GenerationState::Standby => "standby",
        v1::GenerationState::Purged => "purged",
        v1::GenerationState::Failed => "failed",
    }
}

fn micros(duration: prost_types::Duration) -> u64 {
    Duration::try_from(duration).map(|duration| duration.as_micros() as u64).unwrap_or_default()
}

/// A duration for people.
fn span(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{:.1} ms", duration.as_secs_f64() * 1000.0),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_name_and_arguments() {
        assert_eq!(split("add(1, 2)"), ("add", "(1, 2)"));
        assert_eq!(split(" now "), ("now", "()"));
        assert_eq!(split("a:b/c@1.0.0#f (\"(\")"), ("a:b/c@1.0.0#f", "(\"(\")"));
    }

    #[test]
    fn spans_are_for_people() {
        assert_eq!(span(Duration::from_micros(1500)), "1.5 ms");
        assert_eq!(span(Duration::from_secs(119)), "119 s");
        assert_eq!(span(Duration::from_secs(120)), "2 min");
    }
}
