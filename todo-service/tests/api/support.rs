//! What every test needs: an issuer, keys, tokens, the running service and a client. Knows nothing of what is tested.

#[path = "support/client.rs"]
mod client;
#[path = "support/issuer.rs"]
mod issuer;
#[path = "support/keys.rs"]
mod keys;
#[path = "support/logs.rs"]
pub(crate) mod logs;
#[path = "../../../tests/harness/postgres.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the other tests, which use other parts of it")]
mod postgres;
#[path = "support/service.rs"]
mod service;
#[path = "support/token.rs"]
mod token;

pub(crate) use client::Call;
pub(crate) use issuer::{Publish, TestIssuer};
pub(crate) use keys::{EcKey, RsaKey};
pub(crate) use postgres::PostgresServer;
pub(crate) use service::{API, OTHER_TENANT, Service, TENANT};
pub(crate) use token::{Token, compact};
