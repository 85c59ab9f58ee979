//! The gRPC services: parse, call, render.
mod build;
mod cache;
mod call_stream;
mod module;
mod operation;
mod package;
mod page;
mod plugin;
mod run;
mod stream;
mod system;
mod value;
mod watch;
mod workspace;

pub use build::Build;
pub use cache::CacheApi;
pub use module::ModulesApi;
pub use operation::OperationsApi;
pub use package::PackagesApi;
pub use plugin::PluginsApi;
pub use run::Run;
pub use system::System;
pub use watch::WatchApi;
pub use workspace::WorkspacesApi;
