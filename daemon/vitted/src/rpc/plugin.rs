//! `PluginService`.
use std::path::PathBuf;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use tracing::info;
use vitte_loader::plugin::{Checked, PluginError, PluginInfo, PluginState};
use vitte_loader::{Cancel, ModuleName};
use vitte_proto::v1;
use vitte_proto::v1::call_plugin_request::Contribution;
use vitte_proto::v1::plugin_service_server::PluginService;

use crate::service::Service;
use crate::status::Refusal;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct PluginsApi(pub Arc<Service>);

impl PluginsApi {
    /// Asks the plugins on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Service) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let service = Arc::clone(&self.0);
        Ok(self.0.block(Cancel::default(), move || work(&service)).await?)
    }
}

#[tonic::async_trait]
impl PluginService for PluginsApi {
    async fn check_plugin(
        &self,
        request: Request<v1::CheckPluginRequest>,
    ) -> Result<Response<v1::CheckPluginResponse>, Status> {
        let path = absolute(request.into_inner().path)?;
        let checked = self.ask(move |service| service.plugins.check(&path).map(|checked| (checked, path)));
        let (checked, path) = checked.await?.map_err(Refusal::from)?;
        let problems = checked.problems.clone();
        let plugin = message(PluginInfo { checked, path, state: PluginState::Waiting, calls: 0, faults: 0 });
        let plugin = v1::Plugin { state: v1::PluginState::Unspecified.into(), ..plugin };
        Ok(Response::new(v1::CheckPluginResponse {
            plugin: Some(plugin),
            problems,
            interface_version: vitte_loader::plugin::INTERFACE_VERSION.to_owned(),
        }))
    }

    async fn load_plugin(
        &self,
        request: Request<v1::LoadPluginRequest>,
    ) -> Result<Response<v1::LoadPluginResponse>, Status> {
        let v1::LoadPluginRequest { path, config } = request.into_inner();
        info!(path, "asked to load a plugin");
        let path = absolute(path)?;
        let plugin = self.ask(move |service| service.plugins.add(&path, config)).await?;
        let plugin = Some(message(plugin.map_err(Refusal::from)?));
        Ok(Response::new(v1::LoadPluginResponse { plugin }))
    }

    async fn unload_plugin(
        &self,
        request: Request<v1::UnloadPluginRequest>,
    ) -> Result<Response<v1::UnloadPluginResponse>, Status> {
        let name = name_of(&request.into_inner().name)?;
        info!(%name, "asked to unload a plugin");
        let plugin = self.ask(move |service| service.plugins.remove(&name)).await?;
        let plugin = Some(message(plugin.map_err(Refusal::from)?));
        Ok(Response::new(v1::UnloadPluginResponse { plugin }))
    }

    async fn list_plugins(
        &self,
        _request: Request<v1::ListPluginsRequest>,
    ) -> Result<Response<v1::ListPluginsResponse>, Status> {
        let plugins = self.ask(|service| service.plugins.all()).await?;
        Ok(Response::new(v1::ListPluginsResponse { plugins: plugins.into_iter().map(message).collect() }))
    }

    async fn get_plugin(
        &self,
        request: Request<v1::GetPluginRequest>,
    ) -> Result<Response<v1::GetPluginResponse>, Status> {
        let name = name_of(&request.into_inner().name)?;
        let plugin = self.ask(move |service| service.plugins.get(&name)).await?;
        let plugin = Some(message(plugin.map_err(Refusal::from)?));
        Ok(Response::new(v1::GetPluginResponse { plugin }))
    }

    async fn call_plugin(
        &self,
        request: Request<v1::CallPluginRequest>,
    ) -> Result<Response<v1::CallPluginResponse>, Status> {
        let v1::CallPluginRequest { name, contribution } = request.into_inner();
        let name = name_of(&name)?;
        let contribution = contribution
            .ok_or_else(|| Refusal::bad_field("contribution", "must be one of the known ones"))?;
        let called = self.ask(move |service| match contribution {
            Contribution::Format(v1::FormatText { path, text }) => {
                service.plugins.format(&name, &path, &text)
            }
            Contribution::Render(v1::RenderMarkdown { title, markdown }) => {
                service.plugins.render(&name, &title, &markdown)
            }
            Contribution::Panel(id) => service.plugins.show_panel(&name, &id),
        });
        let text = called.await?.map_err(Refusal::from)?;
        Ok(Response::new(v1::CallPluginResponse { text }))
    }

    async fn list_panels(
        &self,
        _request: Request<v1::ListPanelsRequest>,
    ) -> Result<Response<v1::ListPanelsResponse>, Status> {
        let mut response = v1::ListPanelsResponse::default();
        for (name, answer) in self.ask(|service| service.plugins.panels()).await? {
            match answer {
                Ok(panels) => response.panels.extend(panels.into_iter().map(|panel| v1::Panel {
                    plugin: name.as_str().to_owned(),
                    id: panel.id,
                    title: panel.title,
                })),
                Err(error) => response.failures.push(error.to_string()),
            }
        }
        Ok(Response::new(response))
    }
}

fn absolute(path: String) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(path);
    if path.is_absolute() { Ok(path) } else { Err(Refusal::bad_field("path", "must be an absolute path")) }
}

fn name_of(name: &str) -> Result<ModuleName, Refusal> {
    // A name that none can have is one that none has.
    name.parse().map_err(|_| PluginError::Unknown(ModuleName::of_file(name.as_ref())).into())
}

fn message(info: PluginInfo) -> v1::Plugin {
    let PluginInfo { checked, path, state, calls, faults } = info;
    let Checked {
        name,
        version,
        description,
        signer,
        activation,
        capabilities,
        contributions,
        exports,
        imports,
        problems: _,
    } = checked;
    let (state, reason) = match state {
        PluginState::Waiting => (v1::PluginState::Waiting, String::new()),
        PluginState::Active => (v1::PluginState::Active, String::new()),
        PluginState::Quarantined(reason) => (v1::PluginState::Quarantined, reason),
    };
    v1::Plugin {
        name: name.as_str().to_owned(),
        version,
        description,
        signer: signer.unwrap_or_default(),
        activation: activation.iter().map(ToString::to_string).collect(),
        capabilities,
        contributions: contributions.into_iter().collect(),
        exports: exports.into_iter().map(|(name, signature)| v1::PluginExport { name, signature }).collect(),
        imports,
        path: path.to_string_lossy().into_owned(),
        state: state.into(),
        reason,
        calls,
        faults,
    }
}
