//! `/dev/faults`: setting faults from another process, for browser tests. Exists only when asked for at the start.
//!
//! GET tells the names and which are active. POST takes JSON: `{"set": [names], "once": [names], "clear": true}`; clear
//! is done first.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Provider;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::faces::Endpoint;
use crate::faults::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    clear: bool,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    once: Vec<String>,
}

pub(super) fn faults(provider: &Provider, call: &Call) -> Answer {
    if call.method != Method::POST {
        return report(provider);
    }
    // A page elsewhere can send a form or plain text here without asking, but not JSON.
    if call.header(http::header::CONTENT_TYPE) != Some("application/json") {
        return wrong("the body must be application/json");
    }
    let order: Order = match serde_json::from_slice(&call.body) {
        Ok(order) => order,
        Err(error) => return wrong(&error.to_string()),
    };
    let named = |names: &[String]| -> Result<Vec<Fault>, String> {
        names
            .iter()
            .map(|name| Fault::from_name(name).ok_or_else(|| format!("there is no fault \"{name}\"")))
            .collect()
    };
    let (set, once) = match (named(&order.set), named(&order.once)) {
        (Ok(set), Ok(once)) => (set, once),
        (Err(why), _) | (_, Err(why)) => return wrong(&why),
    };
    if order.clear {
        provider.faults.clear();
    }
    for fault in set {
        provider.faults.set(fault);
    }
    for fault in once {
        provider.faults.once(fault);
    }
    report(provider)
}

fn report(provider: &Provider) -> Answer {
    let names = |faults: Vec<Fault>| faults.into_iter().map(Fault::name).collect::<Vec<_>>();
    let requests =
        Endpoint::ALL.map(|endpoint| (endpoint.name().to_owned(), provider.faults.requests(endpoint).into()));
    let body = json!({
        "active": names(provider.faults.active()),
        "requests": serde_json::Map::from_iter(requests),
        "faults": names(Fault::all()),
    });
    answer::json(StatusCode::OK, &body)
}

fn wrong(why: &str) -> Answer {
    answer::json(StatusCode::BAD_REQUEST, &json!({"error": why}))
}
