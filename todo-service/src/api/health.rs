//! Whether the process lives, and whether it can do its work. Open to everybody and says nothing about anybody.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::seal;

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether requests can be answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// The database answers, and tokens of at least one issuer can be checked.
    ready: bool,
    /// What is amiss, also where it is not bad enough to be unready.
    reasons: Vec<String>,
}

/// Is the process alive?
///
/// Independent of the identity provider and of the database.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, description = "It is", body = Health)))]
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Can it do its work?
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "It cannot, for these reasons", body = Readiness),
    ),
)]
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let trouble = app.todos.trouble().await;
    let without_keys = app.auth.issuers_without_keys().await;
    let ready = trouble.is_none() && without_keys.len() < app.auth.issuer_count();
    let mut reasons: Vec<String> =
        without_keys.iter().map(|issuer| format!("no keys from {issuer}")).collect();
    reasons.extend(trouble.map(str::to_owned));
    let body = Readiness { ready, reasons };
    if ready { Json(body).into_response() } else { seal::plain_json(StatusCode::SERVICE_UNAVAILABLE, &body) }
}
