//! Compiles the service's protocol files with `protox`, so that no `protoc` need be installed.
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use tonic_prost_build::Builder;

const FILES: [&str; 13] = [
    "vitte/v1/build.proto",
    "vitte/v1/cache.proto",
    "vitte/v1/diagnostic.proto",
    "vitte/v1/event.proto",
    "vitte/v1/module.proto",
    "vitte/v1/operation.proto",
    "vitte/v1/package.proto",
    "vitte/v1/plugin.proto",
    "vitte/v1/run.proto",
    "vitte/v1/system.proto",
    "vitte/v1/value.proto",
    "vitte/v1/watch.proto",
    "vitte/v1/workspace.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=vitte");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    // Source information would triple the set and reflection does not show it.
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;
    let with_comments = compiler.file_descriptor_set();
    let mut bare = with_comments.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&bare))?;
    let builder: Builder = tonic_prost_build::configure();
    // Large payloads travel as shared buffers and are never copied on the way through.
    builder
        .bytes(".vitte.v1.ProgramOutput.data")
        .bytes(".vitte.v1.StageOutput.data")
        .bytes(".vitte.v1.StdinData.data")
        .bytes(".vitte.v1.CallRequest.raw")
        .bytes(".vitte.v1.CallResponse.raw")
        .bytes(".vitte.v1.Value.bytes_value")
        .compile_fds(with_comments)?;
    Ok(())
}
