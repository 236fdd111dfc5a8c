//! Listening sockets that a service manager opened before the gateway began (`LISTEN_FDS`, by the names in
//! `LISTEN_FDNAMES`). Then nobody's connection is refused while the gateway restarts, and low ports need no privilege.

use std::net::TcpListener;
use std::{env, io};

use listenfd::ListenFd;

/// The sockets, by what they are for. Those that were not handed over are opened by the configuration.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    /// For requests without TLS.
    pub(super) http: Vec<TcpListener>,
    /// For requests with TLS.
    pub(super) https: Vec<TcpListener>,
    /// For operators: one at most.
    pub(super) admin: Option<TcpListener>,
}

/// Why what was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum InheritError {
    /// It has no name, or one of something else.
    #[error(
        "the service manager handed over a socket named \"{0}\": write FileDescriptorName=http, https or admin into its .socket unit"
    )]
    Name(String),
    /// It does not listen, or for something else than TCP.
    #[error(
        "the socket \"{0}\" that the service manager handed over is no listening TCP socket: write ListenStream=ADDRESS:PORT into its .socket unit"
    )]
    Kind(String, #[source] io::Error),
    /// Operators have one address.
    #[error("the service manager handed over more than one socket named \"admin\"")]
    Admins,
}

impl Inherited {
    /// Takes what there is. To be called before the process has a second thread: the variables are removed, so that no
    /// child takes them for its own.
    pub(super) fn take() -> Result<Self, InheritError> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut sockets = ListenFd::from_env();
        let mut names = names.split(':');
        let mut inherited = Self::default();
        for position in 0..sockets.len() {
            // As systemd calls what has no name.
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned();
            let socket = match sockets.take_tcp_listener(position) {
                Ok(Some(socket)) => socket,
                Ok(None) => continue,
                Err(error) => return Err(InheritError::Kind(name, error)),
            };
            if let Err(error) = socket.set_nonblocking(true) {
                return Err(InheritError::Kind(name, error));
            }
            inherited.add(&name, socket)?;
        }
        Ok(inherited)
    }

    fn add(&mut self, name: &str, socket: TcpListener) -> Result<(), InheritError> {
        match name {
            "http" => self.http.push(socket),
            "https" => self.https.push(socket),
            "admin" if self.admin.is_some() => return Err(InheritError::Admins),
            "admin" => self.admin = Some(socket),
            _ => return Err(InheritError::Name(name.to_owned())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").expect("a free port")
    }

    #[test]
    fn sockets_are_told_apart_by_their_names() {
        let mut inherited = Inherited::default();
        for name in ["http", "admin", "http", "https"] {
            inherited.add(name, socket()).expect(name);
        }
        assert_eq!((inherited.http.len(), inherited.https.len()), (2, 1));
        assert!(matches!(inherited.add("admin", socket()), Err(InheritError::Admins)));
        for name in ["gateway.socket", "unknown", "HTTP", ""] {
            assert!(matches!(inherited.add(name, socket()), Err(InheritError::Name(_))), "{name}");
        }
    }
}
