//! `lanthorn openapi`: the description of the HTTP API, made from the code, for programs and for people.

use std::fmt::Write;
use std::sync::LazyLock;

use anyhow::Result;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use proto::ErrorCode;
use proto::api::writing::{FileChanged, WatchList};
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// What the description says of itself, and the shapes that go over the event socket.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lanthorn",
        description = "Browse, search, stream and download the files of your machines.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(FileChanged, WatchList))
)]
struct Description;

/// The whole API: the coordinator's and, below `/agent/v1`, the device's.
pub fn description() -> utoipa::openapi::OpenApi {
    let mut whole = Description::openapi();
    whole.info.version = env!("CARGO_PKG_VERSION").into();
    whole.merge(coordinator::openapi());
    whole.merge(agent::serve::openapi());
    say_type(&mut whole, "FileChanged", "file_changed");
    for (path, item) in &mut whole.paths.paths {
        for (method, operation) in operations(item) {
            // Handlers of several rooms have the same name; an operation's id has to be its own.
            operation.operation_id = Some(operation_id(method, path));
        }
    }
    whole
}

/// Adds the word by which a message is told from others: of a struct the description does not have it by itself.
fn say_type(api: &mut utoipa::openapi::OpenApi, name: &str, word: &str) {
    let schemas = api.components.as_mut().map(|components| &mut components.schemas);
    if let Some(RefOr::T(Schema::Object(shape))) = schemas.and_then(|schemas| schemas.get_mut(name)) {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([word])).build();
        shape.properties.insert("type".into(), RefOr::T(Schema::Object(word)));
        shape.required.push("type".into());
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, head, options, post, put, patch, delete, .. } = item;
    let all = [
        ("GET", get),
        ("HEAD", head),
        ("OPTIONS", options),
        ("POST", post),
        ("PUT", put),
        ("PATCH", patch),
        ("DELETE", delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// `get_agent_v1_shares_share_list` for `GET /agent/v1/shares/{share}/list`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method.to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}

/// Made when it is first asked for: the making takes megabytes, and most processes are never asked.
static WRITTEN: LazyLock<String> = LazyLock::new(|| description().to_json().unwrap_or_default());

/// `GET /api/openapi.json`.
pub async fn serve() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], WRITTEN.as_str())
}

/// Prints the description, as OpenAPI or as Markdown.
#[expect(clippy::print_stdout, reason = "this is what was asked for")]
pub fn run(markdown: bool) -> Result<()> {
    let mut api = description();
    if markdown {
        print!("{}", to_markdown(&mut api))
    } else {
        println!("{}", api.to_pretty_json()?)
    }
    Ok(())
}

fn to_markdown(api: &mut utoipa::openapi::OpenApi) -> String {
    let mut text = String::from(
        "# HTTP API\n\nWritten by `make api` from the code; the whole of it, with every shape, is `openapi.json` beside this page and \
         `/api/openapi.json` on a running machine.\n\nThe page reaches the device API (`/agent/v1/…`) through the gateway: \
         `/api/v1/devices/{device}/…` with the same tail.\n\n## Routes\n\n| | route | what it does | query |\n|---|---|---|---|\n",
    );
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            let summary = operation.summary.as_deref().unwrap_or_default().replace('\n', " ");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {method} | `{path}` | {summary} | {} |", query_names(operation));
        }
    }
    text.push_str("\n## Errors\n\n`{code, message, hint, request_id, retry_after?}`, with these codes:\n\n| code | status | exit code |\n|---|---|---|\n");
    for code in ErrorCode::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", code.as_str(), code.status().as_u16(), code.exit_code());
    }
    text
}

fn query_names(operation: &Operation) -> String {
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let query = parameters.filter(|p| matches!(p.parameter_in, ParameterIn::Query));
    query.map(|p| format!("`{}`", p.name)).collect::<Vec<_>>().join(" ")
}
