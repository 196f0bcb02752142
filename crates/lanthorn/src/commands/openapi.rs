//! `lanthorn openapi`: the description of the HTTP API, made from the code.

use anyhow::Result;
use utoipa::OpenApi;

/// What the description says of itself.
#[derive(OpenApi)]
#[openapi(info(
    title = "Lanthorn",
    description = "Browse, search, stream and download the files of your machines. Errors are `{code, message, hint, request_id}`.",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
))]
struct Description;

/// The whole API: the coordinator's and, below `/agent/v1`, the device's.
pub fn description() -> utoipa::openapi::OpenApi {
    let mut whole = Description::openapi();
    whole.info.version = env!("CARGO_PKG_VERSION").into();
    whole.merge(coordinator::openapi());
    whole.merge(agent::serve::openapi());
    whole
}

/// Prints the description.
#[expect(clippy::print_stdout, reason = "this is what was asked for")]
pub fn run() -> Result<()> {
    println!("{}", description().to_pretty_json()?);
    Ok(())
}
