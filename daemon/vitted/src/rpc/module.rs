//! `ModuleService`.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use tracing::info;
use vitte_loader::{
    Allowed, Breaking, CallError, CallRequest, Cancel, Capability, Event, Export, GenerationInfo, Inspection,
    LinkOptions, LoadError, LoadRequest, ModuleImport, ModuleInfo, ModuleName, ParseCapabilityError, Reply,
    Section, State, Symbol, Value,
};
use vitte_proto::v1;
use vitte_proto::v1::module_service_server::ModuleService;

use super::call_stream;
use super::page::page;
use super::stream::{ResponseStream, deadline};
use super::value::{from_messages, to_messages};
use crate::convert;
use crate::follow;
use crate::operation::duration;
use crate::service::Service;
use crate::status::Refusal;

/// Most modules of one `Reload`.
const RELOADS_MAX: usize = 256;
/// Largest file that is inspected, in bytes.
const INSPECT_MAX: u64 = 256 << 20;
/// How long a streamed call may take if nobody says.
const STREAM_MAX: Duration = Duration::from_secs(30);
/// How long one may take at most: no clock overflows.
const STREAM_LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Events that a slow client may leave waiting before its stream ends.
const EVENTS_MAX: usize = 1024;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct ModulesApi(pub Arc<Service>);

#[tonic::async_trait]
impl ModuleService for ModulesApi {
    type CallStreamStream = ResponseStream<v1::CallStreamResponse>;
    type WatchModulesStream = ResponseStream<v1::WatchModulesResponse>;

    async fn load(&self, request: Request<v1::LoadRequest>) -> Result<Response<v1::LoadResponse>, Status> {
        let v1::LoadRequest { path, name, request_id, follow, grants, arguments, search, locked } =
            request.into_inner();
        info!(request_id, path, name, "asked to load a module");
        let request = LoadRequest {
            path: absolute("path", path)?,
            name: if name.is_empty() { None } else { Some(module_name("name", &name)?) },
            breaking: Breaking::Refuse,
        };
        let options = LinkOptions {
            grants: capabilities(&grants)?,
            arguments,
            search: search.into_iter().map(|path| absolute("search", path)).collect::<Result<_, _>>()?,
            locked,
        };
        let cancel = Cancel::default();
        let modules = self.0.modules.clone();
        let loaded = self.0.block(cancel.clone(), move || {
            let name = modules.load_linked(&request, &options, &cancel)?.name;
            modules.module(&name).ok_or(LoadError::NotLoaded { module: name })
        });
        let module = loaded.await?.map_err(Refusal::from)?;
        if follow {
            follow::follow(&self.0, module.module.name.clone(), module.path.clone());
        }
        Ok(Response::new(v1::LoadResponse { module: Some(self.describe(module)) }))
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        let v1::ReloadRequest { modules: wanted, request_id } = request.into_inner();
        if wanted.is_empty() || wanted.len() > RELOADS_MAX {
            return Err(Refusal::bad_field("modules", "must name 1 to 256 modules").into());
        }
        info!(request_id, modules = wanted.len(), "asked to reload modules");
        let mut requests = Vec::new();
        for v1::ModuleReload { name, path, allow_breaking } in wanted {
            let name = module_name("modules.name", &name)?;
            let path = if path.is_empty() {
                let serving = self.0.modules.module(&name);
                serving.ok_or_else(|| Refusal::from(LoadError::NotLoaded { module: name.clone() }))?.path
            } else {
                absolute("modules.path", path)?
            };
            let breaking = if allow_breaking { Breaking::Accept } else { Breaking::Refuse };
            requests.push(LoadRequest { path, name: Some(name), breaking });
        }
        let cancel = Cancel::default();
        let modules = self.0.modules.clone();
        let reloaded = self.0.block(cancel.clone(), move || {
            let reloaded = modules.reload(&requests, &cancel)?;
            let served = reloaded.iter().filter_map(|module| modules.module(&module.name));
            Ok::<Vec<ModuleInfo>, LoadError>(served.collect())
        });
        let modules = reloaded.await?.map_err(Refusal::from)?;
        let modules = modules.into_iter().map(|module| self.describe(module)).collect();
        Ok(Response::new(v1::ReloadResponse { modules }))
    }

    async fn unload(
        &self,
        request: Request<v1::UnloadRequest>,
    ) -> Result<Response<v1::UnloadResponse>, Status> {
        let v1::UnloadRequest { name, request_id, force } = request.into_inner();
        info!(request_id, name, "asked to unload a module");
        let name = module_name("name", &name)?;
        let modules = self.0.modules.clone();
        // A commit that is under way may hold it up.
        let unloading = name.clone();
        let unloaded = self.0.block(Cancel::default(), move || {
            if force { modules.unload_anyway(&unloading) } else { modules.unload(&unloading) }
        });
        let generation = unloaded.await?.map_err(Refusal::from)?;
        self.0.followed.stop(&name);
        Ok(Response::new(v1::UnloadResponse { generation }))
    }

    async fn list_modules(
        &self,
        request: Request<v1::ListModulesRequest>,
    ) -> Result<Response<v1::ListModulesResponse>, Status> {
        let v1::ListModulesRequest { page_size, page_token } = request.into_inner();
        let all = self.0.modules.modules();
        let (modules, next_page_token) =
            page(all, page_size, &page_token, |info| info.module.name.as_str().to_owned())?;
        let modules = modules.into_iter().map(|module| self.describe(module)).collect();
        Ok(Response::new(v1::ListModulesResponse { modules, next_page_token }))
    }

    async fn get_module(
        &self,
        request: Request<v1::GetModuleRequest>,
    ) -> Result<Response<v1::GetModuleResponse>, Status> {
        let name = module_name("name", &request.into_inner().name)?;
        let module = self.0.modules.module(&name);
        let module = module.ok_or_else(|| Refusal::from(LoadError::NotLoaded { module: name }))?;
        Ok(Response::new(v1::GetModuleResponse { module: Some(self.describe(module)) }))
    }

    async fn call(&self, request: Request<v1::CallRequest>) -> Result<Response<v1::CallResponse>, Status> {
        let deadline = deadline(request.metadata())?;
        let v1::CallRequest { module, function, arguments, generation, time_max } = request.into_inner();
        let time_max = time_max.map(|time_max| convert::positive("time_max", time_max)).transpose()?;
        let time_max = time_max.into_iter().chain(deadline).min();
        let arguments = arguments.unwrap_or_else(|| v1::call_request::Arguments::Wave("()".to_owned()));
        let cancel = Cancel::default();
        let module = module_name("module", &module)?;
        let modules = self.0.modules.clone();
        let is_short = modules.is_short(&module, &function);
        let stopped = cancel.clone();
        let work = move || match arguments {
            v1::call_request::Arguments::Wave(arguments) => {
                let request = CallRequest { module, function, arguments, generation, time_max, cancel };
                modules.call(&request).map(|reply| answer(reply, v1::call_response::Results::Wave))
            }
            v1::call_request::Arguments::Raw(arguments) => {
                let arguments = arguments.into();
                let request = CallRequest { module, function, arguments, generation, time_max, cancel };
                let raw = |bytes: Vec<u8>| v1::call_response::Results::Raw(bytes.into());
                modules.call_bytes(&request).map(|reply| answer(reply, raw))
            }
            v1::call_request::Arguments::Values(values) => {
                let arguments = values_of(values, &function)?;
                let request = CallRequest { module, function, arguments, generation, time_max, cancel };
                let values = |values| v1::call_response::Results::Values(to_messages(values));
                modules.call_values(&request).map(|reply| answer(reply, values))
            }
        };
        let called = if is_short {
            self.0.block_shortly(stopped, work).await
        } else {
            self.0.block(stopped, work).await
        };
        Ok(Response::new(called?.map_err(Refusal::from)?))
    }

    async fn call_stream(
        &self,
        request: Request<v1::CallStreamRequest>,
    ) -> Result<Response<Self::CallStreamStream>, Status> {
        let deadline = deadline(request.metadata())?;
        let v1::CallStreamRequest { module, function, arguments, generation, time_max } =
            request.into_inner();
        let time_max = time_max.map(|time_max| convert::positive("time_max", time_max)).transpose()?;
        let time_max = time_max.into_iter().chain(deadline).min();
        let over = tokio::time::Instant::now() + time_max.unwrap_or(STREAM_MAX).min(STREAM_LONGEST);
        let cancel = Cancel::default();
        let module = module_name("module", &module)?;
        let modules = self.0.modules.clone();
        let called = self.0.block(cancel.clone(), move || {
            let arguments = values_of(arguments.unwrap_or_default(), &function)?;
            let request = CallRequest { module, function, arguments, generation, time_max, cancel };
            modules.call_values(&request)
        });
        let reply = called.await?.map_err(Refusal::from)?;
        Ok(Response::new(call_stream::send(&self.0, reply, over)))
    }

    async fn inspect(
        &self,
        request: Request<v1::InspectRequest>,
    ) -> Result<Response<v1::InspectResponse>, Status> {
        let v1::InspectRequest { path, grants } = request.into_inner();
        let path = absolute("path", path)?;
        let grants = capabilities(&grants)?;
        let modules = self.0.modules.clone();
        let inspected = self.0.block(Cancel::default(), move || {
            let bytes = vitte_sys::fs::read_at_most(&path, INSPECT_MAX)
                .map_err(|source| Refusal::from(LoadError::Read { path: path.clone(), source }))?;
            let found = vitte_loader::inspect(&bytes).map_err(|error| {
                let message = format!("`{}` cannot be inspected: {error}", path.display());
                Refusal::new(Code::InvalidArgument, error.code(), message)
            })?;
            Ok::<_, Refusal>((found, modules.examine(&path, &grants)))
        });
        let (found, allowed) = inspected.await??;
        Ok(Response::new(inspection(found, allowed)))
    }

    async fn graph(&self, request: Request<v1::GraphRequest>) -> Result<Response<v1::GraphResponse>, Status> {
        let module = request.into_inner().module;
        let of = if module.is_empty() { None } else { Some(module_name("module", &module)?) };
        let all: BTreeMap<ModuleName, ModuleInfo> =
            self.0.modules.modules().into_iter().map(|info| (info.module.name.clone(), info)).collect();
        let mut open: Vec<ModuleName> = match of {
            Some(name) if all.contains_key(&name) => vec![name],
            Some(name) => return Err(Refusal::from(LoadError::NotLoaded { module: name }).into()),
            None => all.keys().cloned().collect(),
        };
        let mut modules = BTreeMap::new();
        while let Some(name) = open.pop() {
            if modules.contains_key(&name) {
                continue;
            }
            let info = all.get(&name);
            let imports = info.map(|info| info.imports.clone()).unwrap_or_default();
            open.extend(imports.iter().map(|import| import.target.clone()));
            let node = v1::GraphModule {
                name: name.as_str().to_owned(),
                version: info.map(|info| info.module.version.clone()).unwrap_or_default(),
                generation: info.map(|info| info.module.generation).unwrap_or_default(),
                imports: imports.into_iter().map(import_message).collect(),
            };
            modules.insert(name, node);
        }
        Ok(Response::new(v1::GraphResponse { modules: modules.into_values().collect() }))
    }

    async fn watch_modules(
        &self,
        request: Request<v1::WatchModulesRequest>,
    ) -> Result<Response<Self::WatchModulesStream>, Status> {
        let v1::WatchModulesRequest { after_sequence, module } = request.into_inner();
        let only = if module.is_empty() { None } else { Some(module_name("module", &module)?) };
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        self.0.modules.watch(
            after_sequence,
            Box::new(move |event| {
                if only.as_ref().is_some_and(|only| *only != event.module) {
                    return !sender.is_closed();
                }
                sender.try_send(Ok(event_message(event))).is_ok()
            }),
        );
        let over = self.0.stopping.clone().cancelled_owned();
        let events = futures_util::StreamExt::take_until(ReceiverStream::new(receiver), Box::pin(over));
        Ok(Response::new(Box::pin(events)))
    }
}

impl ModulesApi {
    fn describe(&self, info: ModuleInfo) -> v1::Module {
        let follows = self.0.followed.contains(&info.module.name);
        v1::Module { follows, ..describe(info) }
    }
}

/// The arguments of a call; its function is named where they stand for none.
fn values_of(values: v1::Values, function: &str) -> Result<Vec<Value>, CallError> {
    from_messages(values).map_err(|message| CallError::Arguments {
        function: function.to_owned(),
        signature: "what `vitte modules NAME` shows".to_owned(),
        message,
    })
}

fn answer<R>(reply: Reply<R>, results: impl FnOnce(R) -> v1::call_response::Results) -> v1::CallResponse {
    let Reply { module, version, generation, tier, results: value, elapsed } = reply;
    v1::CallResponse {
        module: module.as_str().to_owned(),
        version,
        generation,
        tier: tier.name().to_owned(),
        results: Some(results(value)),
        elapsed: Some(duration(elapsed)),
    }
}

fn module_name(field: &str, text: &str) -> Result<ModuleName, Refusal> {
    text.parse().map_err(|error: vitte_loader::ParseModuleNameError| {
        Refusal::from(LoadError::Name(error)).help(format!("it is the field `{field}`"))
    })
}

fn absolute(field: &str, path: String) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(path);
    if path.is_absolute() { Ok(path) } else { Err(Refusal::bad_field(field, "must be an absolute path")) }
}

fn describe(info: ModuleInfo) -> v1::Module {
    let ModuleInfo { module, path, size, has_state, generations, imports, capabilities } = info;
    let vitte_loader::Module { name, version, generation, kind, tier, signer, exports } = module;
    let exports = exports.into_iter().map(|Export { name, signature, obstacle }| v1::ModuleExport {
        name,
        signature,
        obstacle: obstacle.unwrap_or_default(),
    });
    let generations = generations.into_iter().map(|generation| {
        let GenerationInfo { number, state, reason, digest, pins, calls, failures, age } = generation;
        v1::ModuleGeneration {
            number,
            state: state_of(state).into(),
            reason,
            sha256: digest,
            pins: pins as u64,
            calls,
            failures,
            age: Some(duration(age)),
        }
    });
    v1::Module {
        name: name.as_str().to_owned(),
        version,
        generation,
        kind: kind.name().to_owned(),
        tier: tier.name().to_owned(),
        path: path.to_string_lossy().into_owned(),
        bytes: size,
        has_state,
        exports: exports.collect(),
        generations: generations.collect(),
        signer: signer.unwrap_or_default(),
        follows: false,
        imports: imports.into_iter().map(import_message).collect(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
    }
}

fn import_message(import: ModuleImport) -> v1::ModuleImport {
    let ModuleImport { interface, name, signature, target, generation, on_call } = import;
    v1::ModuleImport {
        interface,
        name,
        signature,
        target: target.as_str().to_owned(),
        generation: generation.unwrap_or_default(),
        on_call,
    }
}

fn capabilities(texts: &[String]) -> Result<Vec<Capability>, Refusal> {
    let parsed = texts.iter().map(|text| text.parse());
    let parsed = parsed.collect::<Result<Vec<Capability>, ParseCapabilityError>>();
    parsed
        .map_err(|error| Refusal::new(Code::InvalidArgument, "MODULE_CAPABILITY_UNKNOWN", error.to_string()))
}

fn inspection(found: Inspection, allowed: Result<Allowed, LoadError>) -> v1::InspectResponse {
    let Inspection { kind, target, size, sections, imports, exports, needed, soname, build_id } = found;
    let symbols = |list: Vec<Symbol>| {
        let each = |Symbol { module, name, what }| v1::FileSymbol { module, name, what };
        list.into_iter().map(each).collect()
    };
    let sections = sections.into_iter().map(|Section { name, size }| v1::FileSection { name, bytes: size });
    v1::InspectResponse {
        kind: kind.name().to_owned(),
        target,
        bytes: size,
        sections: sections.collect(),
        imports: symbols(imports),
        exports: symbols(exports),
        needed,
        soname: soname.unwrap_or_default(),
        build_id: build_id.unwrap_or_default(),
        ..examined(allowed)
    }
}

fn examined(allowed: Result<Allowed, LoadError>) -> v1::InspectResponse {
    match allowed {
        Err(error) => v1::InspectResponse { obstacle: error.to_string(), ..v1::InspectResponse::default() },
        Ok(Allowed { signer, granted, denied }) => v1::InspectResponse {
            signer: signer.unwrap_or_default(),
            granted: granted.iter().map(ToString::to_string).collect(),
            denied: denied
                .into_iter()
                .map(|(denied, optional)| v1::DeniedCapability {
                    capability: denied.capability.to_string(),
                    reason: denied.by.to_string(),
                    optional,
                })
                .collect(),
            ..v1::InspectResponse::default()
        },
    }
}

fn event_message(event: &Event) -> v1::WatchModulesResponse {
    let Event { sequence, module, generation, state, reason, elapsed } = event;
    v1::WatchModulesResponse {
        sequence: *sequence,
        module: module.as_str().to_owned(),
        generation: *generation,
        state: state_of(*state).into(),
        reason: reason.clone(),
        elapsed: Some(duration(*elapsed)),
    }
}

fn state_of(state: State) -> v1::GenerationState {
    match state {
        State::Staged => v1::GenerationState::Staged,
        State::Verified => v1::GenerationState::Verified,
        State::Linked => v1::GenerationState::Linked,
        State::Initialised => v1::GenerationState::Initialised,
        State::Migrated => v1::GenerationState::Migrated,
        State::Active => v1::GenerationState::Active,
        State::Draining => v1::GenerationState::Draining,
        State::Standby => v1::GenerationState::Standby,
        State::Purged => v1::GenerationState::Purged,
        State::Failed => v1::GenerationState::Failed,
    }
}
