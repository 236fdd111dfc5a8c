//! What the system tests stand on: a whole running site per test, a browser without a screen, an upstream that remembers
//! bytes, and a search for leaked secrets that every test ends with.
//!
//! ```no_run
//! # async fn example() {
//! let site = harness::Site::start().await;
//! let alice = site.browser();
//! alice.sign_in("alice@example.com").await;
//! alice.fetch("GET", "/api/todolist").await.must_be(200);
//! # }
//! ```
//!
//! Nothing here sleeps, names a port, or reaches another computer. Time is moved with [`Site::advance`].

mod acme;
mod ask;
pub mod backend;
mod browser;
mod child;
mod collector;
pub mod crowd;
mod echo;
mod exchange;
mod forms;
pub mod http2;
mod jar;
mod load;
mod log;
mod outside;
mod plan;
mod port;
mod postgres;
mod program;
mod recorder;
mod redis;
mod reply;
mod secrets;
mod site;
pub mod soak;
mod socket;
mod socket_echo;
mod text;
pub mod tls;
mod upstream_ca;
mod wire;

pub use self::redis::RedisServer;
pub use acme::Acme;
pub use ask::Ask;
pub use backend::{Backend, Got, Speaks};
pub use browser::{Browser, Visit};
pub use collector::{Collector, Posted, Recorded};
pub use echo::Echo;
pub use forms::Form;
pub use http2::Http2;
pub use load::{Load, Pace, Tally, User};
pub use outside::Outside;
pub use plan::{Kept, Plan, person};
pub use port::FreePort;
pub use postgres::PostgresServer;
pub use program::Program;
pub use recorder::{Recorder, Seen};
pub use reply::{Reply, SetCookie};
pub use secrets::{Kind, Secrets};
pub use site::{Logs, Site, eventually};
pub use socket::Socket;
pub use socket_echo::SocketEcho;
pub use upstream_ca::{Flaw, UpstreamCa};
pub use wire::{Wire, raw};
