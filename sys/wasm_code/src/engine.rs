//! One configuration of the engine, for the service that runs code and the worker that makes it.
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Most instances alive at once. A call beyond that is an error, not a wait.
const INSTANCES_MAX: u32 = 256;
/// Most linear memories, tables and collected heaps of all instances.
const MEMORIES_MAX: u32 = 512;
/// Largest linear memory that a slot of the pool can hold, in bytes; limits of stores are below it.
const MEMORY_BYTES_MAX: usize = 1 << 32;
/// Most elements of a table.
const TABLE_ELEMENTS_MAX: usize = 1 << 20;
/// Memory of an instance that stays resident for the next one, in bytes: a list of 64 KiB and what is around it.
const KEPT_BYTES: usize = 256 << 10;

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Measured: a component call costs 165 ns without it and 560 ns with it, and nothing here uses it.
    config.concurrency_support(false);
    // Messages name functions, not places in them, and nothing but the engine unwinds its frames: without these
    // tables compiled code is half as large, and loading it is copying, checking and mapping it.
    config.generate_address_map(false).native_unwind_info(false);
    config
}

/// The engine of a process that runs code: instances come from a pool, if the address space has room
/// for one, and start as copies on write of their module's image.
///
/// # Errors
/// What wasmtime says when this machine cannot run it.
pub(crate) fn for_running() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(2 * INSTANCES_MAX)
        .total_memories(MEMORIES_MAX)
        .total_tables(MEMORIES_MAX)
        .total_gc_heaps(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(KEPT_BYTES)
        .table_keep_resident(KEPT_BYTES)
        // Of what stays resident, only the pages that were written are cleared, where the system can tell which.
        .pagemap_scan(Enabled::Auto);
    let mut pooled = config();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    match Engine::new(&pooled) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::info!(%error, "no pool for instances of modules; each gets memory of its own");
            Engine::new(&config())
        }
    }
}

/// The engine of a process that only makes code.
///
/// # Errors
/// What wasmtime says when this machine cannot run it.
pub(crate) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// What code must have been made for, to run on `engine`: version, target, processor features, settings.
pub(crate) fn key(engine: &Engine) -> blake3::Hash {
    struct Absorb(blake3::Hasher);
    impl std::hash::Hasher for Absorb {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0 // Nobody asks: the whole digest is taken.
        }
    }
    let mut absorb = Absorb(blake3::Hasher::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut absorb);
    absorb.0.finalize()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_worker_compiles_for_the_service() {
        assert_eq!(key(&for_running().unwrap()), key(&for_compiling().unwrap()));
    }
}
