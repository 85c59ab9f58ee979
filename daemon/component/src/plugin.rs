//! The world of plugins.
use std::sync::OnceLock;

use wit_parser::{Resolve, WorldItem};

use crate::structure::function_text;
use crate::{CONSOLE_WIT, encode::WitError};

/// The world and the interfaces of contributions.
pub const PLUGIN_WIT: &str = include_str!("../wit/plugin.wit");
/// Its version.
pub const PLUGIN_VERSION: &str = "1.0.0";

/// Functions of a plugin's life, which stand at the root of the component.
pub const LIFE: [&str; 4] = ["init", "save-state", "load-state", "shutdown"];

/// A function that plugins may export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFunction {
    /// The contribution, such as `diagnostics`; empty for functions of its life.
    pub interface: String,
    /// Its name there.
    pub function: String,
    /// Its type; names of types are left out.
    pub signature: String,
}

impl PluginFunction {
    /// As the component exports it: `vitte:plugin/diagnostics@1.0.0#check`.
    pub fn export(&self) -> String {
        if self.interface.is_empty() {
            return self.function.clone();
        }
        format!("vitte:plugin/{}@{PLUGIN_VERSION}#{}", self.interface, self.function)
    }

    /// As a Vitte program writes it: `diagnostics_check`.
    pub fn proc_name(&self) -> String {
        let name = [&*self.interface, &*self.function]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>();
        name.join("-").replace('-', "_")
    }
}

/// Everything that a plugin may export, by interface; the life comes first.
pub fn plugin_functions() -> &'static [PluginFunction] {
    static ALL: OnceLock<Vec<PluginFunction>> = OnceLock::new();
    // The text is part of this program; a test reads it.
    ALL.get_or_init(|| read().unwrap_or_default())
}

/// The function that a Vitte proc is exported as: `diagnostics-check` is `check` of `diagnostics`.
pub fn plugin_function(name: &str) -> Option<&'static PluginFunction> {
    plugin_functions().iter().find(|function| function.proc_name().replace('_', "-") == name)
}

fn read() -> Result<Vec<PluginFunction>, WitError> {
    let mut resolve = Resolve::default();
    resolve.push_source("console.wit", CONSOLE_WIT).map_err(|error| WitError(format!("{error:#}")))?;
    let package = resolve.push_source("plugin.wit", PLUGIN_WIT);
    let package = package.map_err(|error| WitError(format!("{error:#}")))?;
    let mut all = Vec::new();
    let Some(package) = resolve.packages.get(package) else { return Ok(all) };
    for world in package.worlds.values().filter_map(|world| resolve.worlds.get(*world)) {
        for item in world.exports.values() {
            if let WorldItem::Function(function) = item {
                let signature = function_text(&resolve, function);
                let function = function.name.clone();
                all.push(PluginFunction { interface: String::new(), function, signature });
            }
        }
    }
    for (name, interface) in &package.interfaces {
        let Some(interface) = resolve.interfaces.get(*interface) else { continue };
        for function in interface.functions.values() {
            let signature = function_text(&resolve, function);
            all.push(PluginFunction { interface: name.clone(), function: function.name.clone(), signature });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_world_is_read() {
        let all = read().unwrap();
        let life: Vec<&str> =
            all.iter().filter(|one| one.interface.is_empty()).map(|one| one.function.as_str()).collect();
        assert_eq!(life, LIFE);
        let check = plugin_function("diagnostics-check").unwrap();
        assert_eq!(check.export(), "vitte:plugin/diagnostics@1.0.0#check");
        assert_eq!(check.proc_name(), "diagnostics_check");
        assert_eq!(
            check.signature,
            "func(path: string, text: string) -> result<list<record{severity: enum{error, warning, note}, \
             code: string, message: string, start: u32, end: u32, help: option<string>}>, string>"
        );
        assert_eq!(plugin_function("init").unwrap().signature, "func(config: string) -> result<_, string>");
        assert!(plugin_function("diagnostics").is_none());
        assert!(PLUGIN_WIT.contains(&format!("package vitte:plugin@{PLUGIN_VERSION};")));
    }
}
