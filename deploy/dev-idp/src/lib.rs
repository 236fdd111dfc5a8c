//! A development identity provider: what an Entra External ID tenant does, on loopback, for people who try the demo and
//! for tests. Never a dependency of the gateway or the to-do service, and never reachable from another computer.
//!
//! The map, in the order a sign-in passes through it:
//!
//! - `tenant`: who may ask for what, from tenant.toml; `faces`: the two sets of addresses
//! - `provider`: state, start and stop, sockets and paths, minting; `container`: the exception to loopback; `call`,
//!   `answer`: requests and responses
//! - `discovery`: metadata and keys; `keys`, `jwt`: signing
//! - `authorize`: a request becomes a journey; `user_flow`, `pages`: the forms on the way; `people`: accounts,
//!   passcodes, mailbox; `sessions`: single sign-on; `scopes`, `consent`: what is asked and granted
//! - `token`: codes, refresh tokens, other tokens and an app's own word become tokens; `codes`, `grants`: what was given
//!   out; also userinfo, revocation
//! - `par`: requests handed over before the browser comes; `claims`: single claims asked for
//! - `logout`: sign-out, which `participants` concern; `backchannel`, `logout_token`: telling them; `outside`: the only
//!   requests that the provider itself makes
//! - [`faults`]: misbehaviour on demand, and the record of requests
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let tenant = dev_idp::Tenant::load(std::path::Path::new("deploy/dev-idp/tenant.toml"))?;
//! let clock = dev_idp::Clock::system();
//! let idp = dev_idp::start(dev_idp::Options { listener, tenant, clock }).await?;
//! idp.faults().once(dev_idp::faults::IdTokenFault::WrongNonce);
//! idp.stop().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod authorize;
mod backchannel;
mod call;
mod claims;
mod clock;
mod codes;
mod consent;
mod container;
mod discovery;
mod faces;
pub mod faults;
mod grants;
mod jwt;
mod keys;
mod logout;
mod logout_token;
mod outside;
mod pages;
mod par;
mod participants;
mod people;
mod provider;
mod random;
mod scopes;
mod sessions;
pub mod tenant;
mod token;
mod user_flow;

pub use backchannel::Delivery;
pub use clock::Clock;
pub use container::{Container, ContainerError};
pub use faces::{Endpoint, Face};
pub use faults::Faults;
pub use grants::Family;
pub use keys::Algorithm;
pub use logout_token::LogoutMint;
pub use provider::{
    Mint, MintError, Options, Running, StartError, start, start_in_container, start_with_faults_over_http,
};
pub use tenant::{Tenant, TenantError};
