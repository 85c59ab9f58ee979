//! The service: config -> build -> serve -> drain.
//!
//! Start at [`server::serve`]. [`service::Service`] is the state that all gRPC services share; `rpc` is
//! the thin layer between wire and engine; [`operation`] is long work by name and its events.
#![forbid(unsafe_code)]

pub mod authority; // stock clients over Unix sockets
pub mod config; // settings, read once
pub mod connections; // who is connected
mod convert; // wire types to the driver's and back
pub mod endpoint; // socket, lock, handed-over connection
pub mod follow; // modules that follow their files
mod hot; // programs that are changed while they run
pub mod in_place; // short work without another thread
pub mod logging; // the log file
mod memory; // how much this process takes
pub mod manager; // notes to the service manager
mod middleware; // a span for every call
pub mod operation; // long work and its events
mod pool; // the threads that compile
pub mod plugins; // what plugins contribute to checks and builds
mod program; // running what was built
mod rebuild; // watch mode
pub mod rpc; // the gRPC services
pub mod server; // all of them over a source of connections
pub mod service; // what they share
mod status; // errors on the wire
mod benching; // benchmarks, one after the other
mod testing; // tests in processes of their own
pub mod upkeep; // memory and the store at rest
pub mod watcher; // which files may have changed
mod workspaces; // open workspaces
