//! It is safe with the gateway absent: everything here speaks to the real service on loopback, directly, with tokens
//! from an issuer that each test makes for itself. One module per subject; every refusal has its positive twin.

#[path = "api/support.rs"]
mod support;

#[path = "api/bearer.rs"]
mod bearer;
#[path = "api/claims.rs"]
mod claims;
#[path = "api/items.rs"]
mod items;
#[path = "api/keys.rs"]
mod keys;
#[path = "api/operations.rs"]
mod operations;
#[path = "api/owners.rs"]
mod owners;
#[path = "api/permissions.rs"]
mod permissions;
#[path = "api/postgres.rs"]
mod postgres;
#[path = "api/program.rs"]
mod program;
#[path = "api/requests.rs"]
mod requests;
#[path = "api/signatures.rs"]
mod signatures;
