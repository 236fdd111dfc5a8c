//! The errors that each kind of call may be answered with, for the API's description. Knows nothing of when they
//! happen; `refused` does.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

type Responses = BTreeMap<String, RefOr<Response>>;

const MALFORMED_AUTHORIZATION: (u16, &str) = (400, "The Authorization header is malformed");
const MALFORMED_CHANGE: (u16, &str) =
    (400, "The body is not one strict JSON object or sets `owner`, or a header is malformed");
const NO_TOKEN: (u16, &str) = (401, "No access token, or one that is not accepted");
const NO_READ: (u16, &str) = (403, "The token lacks ToDoList.Read (user) or ToDoList.Read.All (app)");
const NO_WRITE: (u16, &str) =
    (403, "The token lacks ToDoList.ReadWrite (user) or ToDoList.ReadWrite.All (app)");
const MISSING: (u16, &str) = (404, "No such item, or somebody else's");
const SLOW: (u16, &str) = (408, "The body did not arrive in time");
const STALE: (u16, &str) = (412, "The item has changed in the meantime");
const TOO_LARGE: (u16, &str) = (413, "The body is larger than 64 KiB");
const NOT_JSON: (u16, &str) = (415, "The body is not JSON");
const INVALID: (u16, &str) = (422, "What was sent is not valid; `errors` says where");
const UNAVAILABLE: (u16, &str) =
    (503, "Tokens cannot be checked just now, or the database does not answer; see Retry-After");

/// Of reading the list.
pub(super) struct OfListing;

/// Of reading one item.
pub(super) struct OfReading;

/// Of adding an item.
pub(super) struct OfAdding;

/// Of changing an item.
pub(super) struct OfChanging;

/// Of removing an item.
pub(super) struct OfRemoving;

impl IntoResponses for OfListing {
    fn responses() -> Responses {
        problems(&[MALFORMED_AUTHORIZATION, NO_TOKEN, NO_READ, INVALID, UNAVAILABLE])
    }
}

impl IntoResponses for OfReading {
    fn responses() -> Responses {
        problems(&[MALFORMED_AUTHORIZATION, NO_TOKEN, NO_READ, MISSING, UNAVAILABLE])
    }
}

impl IntoResponses for OfAdding {
    fn responses() -> Responses {
        problems(&[MALFORMED_CHANGE, NO_TOKEN, NO_WRITE, SLOW, TOO_LARGE, NOT_JSON, INVALID, UNAVAILABLE])
    }
}

impl IntoResponses for OfChanging {
    fn responses() -> Responses {
        let mut responses = OfAdding::responses();
        responses.extend(problems(&[MISSING, STALE]));
        responses
    }
}

impl IntoResponses for OfRemoving {
    fn responses() -> Responses {
        problems(&[MALFORMED_CHANGE, NO_TOKEN, NO_WRITE, MISSING, STALE, UNAVAILABLE])
    }
}

fn problems(cases: &[(u16, &str)]) -> Responses {
    let problem = |&(status, description): &(u16, &str)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(description);
        (status.to_string(), response.content("application/problem+json", content).build().into())
    };
    cases.iter().map(problem).collect()
}
