//! `/api/v1/audit`: the log of who did what, read, exported and checked. The owner reads all, others what they did.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use proto::api::audit::{AuditCheck, AuditEntry, AuditPage, AuditQuery};
use proto::{ApiError, PrincipalId};
use tokio::sync::mpsc;

use super::caller::{OwnerCaller, PrivateCaller};
use super::error::Refusal;
use super::json::QueryOf;
use crate::access::Caller;
use crate::audit::Verdict;
use crate::clock::from_ms;
use crate::coordinator::Coordinator;
use crate::store::Store;
use crate::store::audit::{AuditFilter, AuditRow};

/// Entries of a page, at most and if nothing is said.
const MAX_PAGE: u32 = 1000;
const USUAL_PAGE: u32 = 100;
/// Pages of an export that wait for the reader.
const PAGES_AHEAD: usize = 2;

fn shown(row: AuditRow) -> AuditEntry {
    AuditEntry {
        seq: u64::try_from(row.seq).unwrap_or_default(),
        time: from_ms(row.time_ms),
        actor: row.actor.and_then(|id| id.parse().ok()),
        action: row.action,
        allowed: row.allowed,
        device: row.device.and_then(|id| id.parse().ok()),
        share: row.share.and_then(|id| id.parse().ok()),
        address: row.address,
        request_id: row.request_id,
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        hash: blake3::Hash::from_bytes(row.hash).to_hex().to_string(),
    }
}

/// What the caller may read of what was asked for.
fn filter(caller: &Caller, query: AuditQuery) -> Result<AuditFilter, Refusal> {
    let asked: Option<PrincipalId> = match query.actor {
        Some(id) => Some(id.parse().map_err(|_| Refusal::parameter("That is nobody's id."))?),
        None => None,
    };
    let actor = if caller.is_owner() { asked } else { Some(caller.principal) };
    if !caller.is_owner() && asked.is_some_and(|asked| asked != caller.principal) {
        return Err(Refusal::owner_only());
    }
    let before = query.before.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    Ok(AuditFilter {
        before,
        action: query.action,
        actor: actor.map(|id| id.to_string()),
        allowed: query.allowed,
    })
}

/// What happened, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<AuditPage>, Refusal> {
    let limit = query.limit.unwrap_or(USUAL_PAGE).clamp(1, MAX_PAGE);
    let filter = filter(&caller, query)?;
    let rows = coordinator.rooms().store.audit_page(&filter, limit).await?;
    let more = rows.len() == limit as usize;
    let entries: Vec<_> = rows.into_iter().map(shown).collect();
    let next = entries.last().filter(|_| more).map(|entry| entry.seq);
    Ok(Json(AuditPage { entries, next }))
}

/// The same as lines of JSON, newest first, without an end to their number.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", params(AuditQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = String), (status = 400, body = ApiError),
        (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn export(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Response, Refusal> {
    let filter = filter(&caller, query)?;
    let (pages, mut waiting) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(read_pages(coordinator.rooms().store.clone(), filter, pages));
    let body = Body::from_stream(futures_util::stream::poll_fn(move |cx| waiting.poll_recv(cx)));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"lanthorn-audit.ndjson\""),
    ];
    Ok((headers, body).into_response())
}

/// Reads on as long as somebody takes the pages.
async fn read_pages(
    store: Store,
    mut filter: AuditFilter,
    pages: mpsc::Sender<Result<Bytes, crate::StoreError>>,
) {
    loop {
        let page = match store.audit_page(&filter, MAX_PAGE).await {
            Ok(rows) if rows.is_empty() => return,
            Ok(rows) => {
                filter.before = rows.last().map(|row| row.seq);
                Ok(lines(rows))
            }
            Err(error) => Err(error),
        };
        let failed = page.is_err();
        if pages.send(page).await.is_err() || failed {
            return;
        }
    }
}

fn lines(rows: Vec<AuditRow>) -> Bytes {
    let mut text = Vec::new();
    for row in rows {
        // An entry is ids and words: it can be written as JSON, and a Vec takes it.
        if serde_json::to_writer(&mut text, &shown(row)).is_ok() {
            text.push(b'\n');
        }
    }
    text.into()
}

/// Reads the whole log and says whether each entry is as it was written.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit",
    responses((status = 200, body = AuditCheck), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn verify(
    State(coordinator): State<Coordinator>,
    _: OwnerCaller,
) -> Result<Json<AuditCheck>, Refusal> {
    Ok(Json(match coordinator.rooms().audit.verify().await? {
        Verdict::Intact(entries) => AuditCheck { intact: true, entries, broken_at: None, why: None },
        Verdict::Broken(at, why) => {
            let at = u64::try_from(at).unwrap_or_default();
            AuditCheck {
                intact: false,
                entries: at.saturating_sub(1),
                broken_at: Some(at),
                why: Some(why.to_owned()),
            }
        }
    }))
}
