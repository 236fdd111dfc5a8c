//! The whole system in one process on loopback: identity provider, to-do service and gateway. `cargo demo` starts it for
//! people, the system tests for themselves. It runs the very configuration files that are shipped, and changes nothing in
//! them but ports and folders.
//!
//! Knows how the parts are put together; knows nothing of what they do.

mod options;
mod ports;
mod stack;
mod texts;
mod workspace;

pub use options::{Edits, Files, Options};
pub use ports::{Part, Ports, Taken};
pub use stack::{Addresses, Stack};
pub use texts::{entra_face, move_ports, session_idle};
pub use workspace::root;
