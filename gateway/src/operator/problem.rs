//! What can go wrong between the command line and a gateway, each with the way out.

use std::io;
use std::net::SocketAddr;

/// Why sessions could not be listed or ended.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nobody listens there.
    #[error(
        "no gateway answers at {0}: is it running, with this configuration? \
         (--address names another place, such as that of a forwarded port)"
    )]
    NotRunning(SocketAddr, #[source] io::Error),
    /// Whoever listens there does not answer in time.
    #[error("{0} does not answer in time: is that the admin listener of a gateway?")]
    TooSlow(SocketAddr),
    /// Whoever listens there is no gateway, or one of another version.
    #[error("{0} does not answer as the admin listener of a gateway of this version does: {1}")]
    Strange(SocketAddr, String),
    /// The configuration names no port.
    #[error(
        "[listen] admin has port 0, so the system chose one: give it with --address, as the gateway's line \
         \"admin listening\" has it"
    )]
    NoPort,
    /// The configuration names no token.
    #[error(
        "the configuration has no admin token: run `openssl rand -base64 32 > admin.token && chmod 600 admin.token`, \
         and write admin_token = {{ file = \"admin.token\" }} under [listen]"
    )]
    NoToken,
    /// The address belongs to another machine, where the token must not go in the clear.
    #[error("{0} is not this machine's: forward a port of 127.0.0.1 to it, and name that with --address")]
    Elsewhere(SocketAddr),
    /// The gateway has no token.
    #[error(
        "the running gateway has no admin token: /readyz says whether it refused the configuration that has one"
    )]
    GatewayHasNoToken,
    /// The gateway has another token.
    #[error(
        "the running gateway has another admin token: /readyz says whether it refused a newer configuration"
    )]
    WrongToken,
    /// There is no such session.
    #[error("there is no such session")]
    NotFound,
    /// The gateway refuses, and says why.
    #[error("the gateway at {0} refuses: {1}")]
    Refused(SocketAddr, String),
    /// The session store is away.
    #[error(
        "the gateway's session store cannot be used at the moment: try again. What this gateway itself could end, it has"
    )]
    StoreUnavailable,
    /// What came could not be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}
