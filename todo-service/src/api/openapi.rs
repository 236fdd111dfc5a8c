//! The description of the API (OpenAPI 3.1), generated from the handlers: a route that is not described is not served.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, health};
use crate::problem::Document;

const PATH: &str = "/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "To-do service",
        description = "A to-do list per person. Every call carries an access token, which this service checks itself.",
    ),
    tags((name = "todo", description = "The list"), (name = "operations", description = "For whoever runs it")),
    paths(description),
    components(schemas(Document)),
    modifiers(&AccessToken),
)]
struct Base;

struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            "An access token for this API with ToDoList.Read or ToDoList.ReadWrite (users), or with the role \
             ToDoList.Read.All or ToDoList.ReadWrite.All (apps).",
        ));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("access_token", SecurityScheme::Http(scheme.build()));
    }
}

/// Every route but the description itself.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(routes!(super::list, super::create))
        .routes(routes!(super::get_one, super::replace, super::change, super::remove))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// The route that serves the description. It is written out once, here.
pub(super) fn served(description: &utoipa::openapi::OpenApi) -> Router {
    let text = Bytes::from(description.to_json().expect("a description is made of texts, lists and maps"));
    let answer = async move || ([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response();
    Router::new().route(PATH, get(answer))
}

/// This description
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value)),
)]
#[expect(dead_code, reason = "stands for the route above, which needs the finished description")]
fn description() {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn document() -> Value {
        serde_json::to_value(routes().to_openapi()).expect("serialises")
    }

    #[test]
    fn the_description_says_openapi_3_1() {
        assert_eq!(document()["openapi"], "3.1.0");
    }

    #[test]
    fn every_reference_in_the_description_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("local");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_on_the_list_asks_for_a_token_and_the_others_do_not() {
        let document = document();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let secured = operation["security"][0]["access_token"].is_array();
                assert_eq!(secured, path.starts_with("/api/"), "{method} {path}");
            }
        }
    }
}
