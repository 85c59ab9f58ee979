//! Interfaces in WIT, and components made of core modules.
//!
//! `wit/` has the interfaces that the service and its plugins share; [`encode`] wraps a core module whose exports
//! follow the canonical ABI; [`plugin_functions`] says what plugins export, with types compared by structure.
#![forbid(unsafe_code)]

mod encode; // core modules to components
mod plugin; // the world of plugins
mod structure; // types without their names

pub use encode::{Described, EncodeError, Outline, describe, encode, encode_plugin};
pub use plugin::{LIFE, PLUGIN_VERSION, PLUGIN_WIT, PluginFunction, plugin_function, plugin_functions};

/// The interface that components print through.
pub const CONSOLE_WIT: &str = include_str!("../wit/console.wit");
/// Its name.
pub const CONSOLE: &str = "vitte:host/console@1.0.0";
