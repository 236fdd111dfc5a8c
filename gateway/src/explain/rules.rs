//! A route's rules in words, each with its outcome. The words are those of the configuration.

use http::Method;

use crate::caller::Caller;
use crate::intake::Inbound;
use crate::routing::{Csrf, Route};
use crate::rule::Rule;
use crate::session::Identity;

/// What was asked of a request that passed.
pub(super) fn csrf(route: &Route, caller: &Caller, inbound: &Inbound) -> &'static str {
    let is_read = matches!(*inbound.method(), Method::GET | Method::HEAD);
    match route.csrf {
        _ if caller.session().is_none() => "no session, so nothing that another site could borrow",
        Csrf::Header if is_read => "the header X-CSRF: 1 is there",
        Csrf::Header => "the header X-CSRF: 1 is there, and the site itself sent it",
        Csrf::Origin if is_read => "reading needs no proof here (csrf = \"origin\")",
        Csrf::Origin => "the site itself sent it",
        Csrf::Exempt => "nothing is asked here",
    }
}

/// Each part of the route's rule, and whether it holds for them.
pub(super) fn weighed(route: &Route, caller: &Caller) -> Vec<String> {
    let mut lines = Vec::new();
    let identity = caller.session().map(|session| session.identity());
    let identity = identity.as_deref();
    if let Some(provider) = &route.provider {
        let holds = identity.is_some_and(|identity| route.takes(identity));
        lines.push(format!("provider = \"{}\": {}", provider.name, outcome(holds)));
    }
    weigh(&route.rule, identity, 0, &mut lines);
    lines
}

fn weigh(rule: &Rule, identity: Option<&Identity>, depth: usize, lines: &mut Vec<String>) {
    let holds = rule.is_public() || identity.is_some_and(|identity| rule.holds(identity));
    let indent = "  ".repeat(depth);
    lines.push(format!("{indent}{}: {}", words(rule), outcome(holds)));
    if let Rule::All(parts) | Rule::Any(parts) = rule {
        for part in parts {
            weigh(part, identity, depth + 1, lines);
        }
    }
}

fn outcome(holds: bool) -> &'static str {
    if holds { "holds" } else { "does not hold" }
}

fn words(rule: &Rule) -> String {
    match rule {
        Rule::Anyone => "allow \"anyone\"".to_owned(),
        Rule::SignedIn => "allow \"signed-in\"".to_owned(),
        Rule::Scope(scope) => format!("scope \"{}\"", scope.as_str()),
        Rule::Role(role) => format!("role \"{role}\""),
        Rule::Claim { name, any_of } => {
            let values: Vec<_> = any_of.iter().map(ToString::to_string).collect();
            format!("claim \"{name}\" any_of [{}]", values.join(", "))
        }
        Rule::All(_) => "all of".to_owned(),
        Rule::Any(_) => "any of".to_owned(),
    }
}
