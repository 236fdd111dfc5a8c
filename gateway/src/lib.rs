//! An auth gateway: it owns the user's session, signs people in and out with any OpenID Connect provider, keeps access
//! and refresh tokens on the server, gives the browser one opaque cookie, and attaches to each route the access token
//! it asks for.
//!
//! The map, in layers. A module imports only modules that stand before it; a test reads the imports and fails on an
//! arrow that points back. Everything down to `respond` is pure and synchronous.
//!
//! To understand the gateway, read [`gateway`], where one request goes from the socket to the answer, and follow it.

// Vocabulary: words that everything else uses.
pub mod body;
pub mod clock;
pub mod entropy;
pub mod handshake;
pub mod hash;
pub mod hex;
pub mod origin;
pub mod path;
pub mod request_id;
pub mod scope;
pub mod secret;
pub mod trace;
// Facts: what can be known about people, sessions and refusals.
pub mod caller;
pub mod finding;
pub mod limits;
pub mod places;
pub mod rates;
pub mod rule;
pub mod session;
pub mod stop;
// Judgement: decisions on values, no I/O.
pub mod access;
pub mod cors;
pub mod csrf;
pub mod https;
pub mod intake;
pub mod metrics;
pub mod outfit;
pub mod pages;
pub mod policy;
pub mod providers;
pub mod proxies;
pub mod respond;
pub mod routing;
pub mod site;
pub mod websocket;
// I/O: the provider, tokens, upstreams, files.
pub mod files;
pub mod oidc;
pub mod otlp;
pub mod reach;
pub mod tls;
pub mod tokens;
pub mod upstream;
pub mod vouch;
// Composition: one request.
pub mod endpoints;
pub mod gateway;
pub mod identity;
pub mod live;
pub mod toll;
// Edge: the process.
pub mod config;
pub mod doctor;
pub mod explain;
pub mod operator;
pub mod server;
pub mod telemetry;

// For fuzzing and tests alone: in a gateway that is built to be used there is no such module.
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use server::run;
