//! What clients get: items and pages of items. Knows nothing of how they are kept.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::etag;
use crate::todo::Todo;

/// One thing to do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Item {
    /// UUID v7: ids sort in the order of creation.
    pub(super) id: Uuid,
    /// Whose it is, as the identity provider names them.
    owner: String,
    /// What is to be done.
    description: String,
    /// Whether it is done.
    done: bool,
    /// When it was made (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    /// When it was last changed (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    updated: OffsetDateTime,
    /// Its version, for If-Match; the same as the ETag header of a single item.
    #[schema(example = "\"1\"")]
    etag: String,
}

/// A stretch of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemPage {
    /// In the order of creation.
    pub(super) items: Vec<Item>,
    /// Give this as `after` to get the next page; null on the last one.
    pub(super) next: Option<String>,
}

impl From<&Todo> for Item {
    fn from(todo: &Todo) -> Self {
        Self {
            id: todo.id,
            owner: todo.owner.subject.to_string(),
            description: todo.description.as_str().to_owned(),
            done: todo.done,
            created: moment(todo.created),
            updated: moment(todo.updated),
            etag: etag::of(todo.version),
        }
    }
}

impl Item {
    /// The item as an answer, with its ETag.
    pub(super) fn answer(&self, status: StatusCode) -> Response {
        let etag = HeaderValue::from_str(&self.etag).expect("digits in quotes are visible ASCII");
        (status, [(header::ETAG, etag)], Json(self)).into_response()
    }
}

fn moment(millis: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
