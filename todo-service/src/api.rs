//! The HTTP face: every route, and what each needs. A handler says in its arguments which permit it wants; without a
//! permit there is nothing that it could do to the list. Knows nothing of tokens and nothing of SQL.

mod body;
mod etag;
mod failures;
mod health;
mod input;
mod item;
mod openapi;
mod page;
mod refused;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use uuid::Uuid;

use self::body::JsonBody;
use self::input::{ItemChange, ItemReplacement, NewItem};
use self::item::{Item, ItemPage};
use crate::auth::{Authenticator, ReadPermit, WritePermit};
use crate::owner::guid;
use crate::problem::Problem;
use crate::todo::Todos;

/// Where the list is.
const LIST: &str = "/api/todolist";

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) todos: Arc<Todos>,
}

/// All routes, without the seal.
pub(crate) fn router(app: App) -> Router {
    let (router, description) = openapi::routes().split_for_parts();
    router.with_state(app).merge(openapi::served(&description))
}

impl FromRequestParts<App> for ReadPermit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self::of(app.auth.authenticate(&parts.headers).await?)?)
    }
}

impl FromRequestParts<App> for WritePermit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self::of(app.auth.authenticate(&parts.headers).await?)?)
    }
}

/// The id in the path. What is no id cannot be an item's, so it gets the answer of a missing item.
struct ItemId(Uuid);

impl FromRequestParts<App> for ItemId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::no_such_item())?;
        guid(&text).map(Self).ok_or_else(Problem::no_such_item)
    }
}

/// List items
///
/// A user gets their own; an app with an application permission gets all of its tenant. Items come in the order in
/// which they were made. If there are more, `next` is the value for `after`, and the Link header has the address.
#[utoipa::path(
    get, path = "/api/todolist", tag = "todo",
    params(
        ("limit" = Option<u32>, Query, description = "How many items at most", minimum = 1, maximum = 100, example = 50),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of the list", body = ItemPage, headers(
            ("link" = Option<String>, description = "The next page, if there is one (RFC 8288, rel=\"next\")"),
        )),
        failures::OfListing,
    ),
    security(("access_token" = ["ToDoList.Read"])),
)]
async fn list(
    permit: ReadPermit,
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = page::parse(query.as_deref().unwrap_or_default())?;
    let found = app.todos.list(&permit, asked.after, asked.limit).await?;
    let next = found.next.map(page::cursor);
    let link = next.as_ref().map(|next| format!("<{LIST}?limit={}&after={next}>; rel=\"next\"", asked.limit));
    let page = ItemPage { items: found.items.iter().map(Item::from).collect(), next };
    let mut response = Json(page).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Get one item
#[utoipa::path(
    get, path = "/api/todolist/{id}", tag = "todo",
    params(("id" = Uuid, Path, description = "The item")),
    responses(
        (status = 200, description = "The item", body = Item, headers(("etag" = String, description = "Its version"))),
        failures::OfReading,
    ),
    security(("access_token" = ["ToDoList.Read"])),
)]
async fn get_one(
    permit: ReadPermit,
    State(app): State<App>,
    ItemId(id): ItemId,
) -> Result<Response, Problem> {
    Ok(Item::from(&app.todos.get(&permit, id).await?).answer(StatusCode::OK))
}

/// Add an item
///
/// It belongs to the calling user. An app must name the owner; a user may not.
#[utoipa::path(
    post, path = "/api/todolist", tag = "todo", request_body = NewItem,
    responses(
        (status = 201, description = "The new item", body = Item, headers(
            ("location" = String, description = "Its address"), ("etag" = String, description = "Its version"),
        )),
        failures::OfAdding,
    ),
    security(("access_token" = ["ToDoList.ReadWrite"])),
)]
async fn create(permit: WritePermit, State(app): State<App>, body: JsonBody) -> Result<Response, Problem> {
    let draft = NewItem::read(body)?.draft()?;
    let item = Item::from(&app.todos.create(&permit, draft).await?);
    let location =
        HeaderValue::from_str(&format!("{LIST}/{}", item.id)).expect("a path and a UUID are visible ASCII");
    let mut response = item.answer(StatusCode::CREATED);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Change an item in part
///
/// What is not mentioned stays as it is. With If-Match, only if the item is still at that version.
#[utoipa::path(
    patch, path = "/api/todolist/{id}", tag = "todo", request_body = ItemChange,
    params(
        ("id" = Uuid, Path, description = "The item"),
        ("if-match" = Option<String>, Header, description = "The `etag` that is to be changed; without it the last writer wins"),
    ),
    responses(
        (status = 200, description = "The item as it is now", body = Item, headers(("etag" = String, description = "Its version"))),
        failures::OfChanging,
    ),
    security(("access_token" = ["ToDoList.ReadWrite"])),
)]
async fn change(
    permit: WritePermit,
    State(app): State<App>,
    ItemId(id): ItemId,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let expected = etag::expected(&headers)?;
    let change = ItemChange::read(body)?.change()?;
    Ok(Item::from(&app.todos.change(&permit, id, &change, &expected).await?).answer(StatusCode::OK))
}

/// Change an item in full
///
/// Like PATCH, but both `description` and `done` must be given.
#[utoipa::path(
    put, path = "/api/todolist/{id}", tag = "todo", request_body = ItemReplacement,
    params(
        ("id" = Uuid, Path, description = "The item"),
        ("if-match" = Option<String>, Header, description = "The `etag` that is to be changed; without it the last writer wins"),
    ),
    responses(
        (status = 200, description = "The item as it is now", body = Item, headers(("etag" = String, description = "Its version"))),
        failures::OfChanging,
    ),
    security(("access_token" = ["ToDoList.ReadWrite"])),
)]
async fn replace(
    permit: WritePermit,
    State(app): State<App>,
    ItemId(id): ItemId,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let expected = etag::expected(&headers)?;
    let change = ItemReplacement::read(body)?.change()?;
    Ok(Item::from(&app.todos.change(&permit, id, &change, &expected).await?).answer(StatusCode::OK))
}

/// Remove an item
#[utoipa::path(
    delete, path = "/api/todolist/{id}", tag = "todo",
    params(
        ("id" = Uuid, Path, description = "The item"),
        ("if-match" = Option<String>, Header, description = "The `etag` that is to be removed; without it whatever is there goes"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        failures::OfRemoving,
    ),
    security(("access_token" = ["ToDoList.ReadWrite"])),
)]
async fn remove(
    permit: WritePermit,
    State(app): State<App>,
    ItemId(id): ItemId,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    app.todos.remove(&permit, id, &etag::expected(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
