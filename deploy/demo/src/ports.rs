//! Ports: which part listens where, and getting hold of a port before the part that will use it runs. Addresses are
//! always 127.0.0.1: nothing here is for other machines.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The gateway, for browsers.
    Gateway,
    /// The gateway, for operators.
    Admin,
    /// The to-do service.
    Todo,
    /// The identity provider.
    Provider,
}

impl Part {
    /// The port that the shipped files name.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Gateway => 3000,
            Self::Todo => 3001,
            Self::Provider => 3002,
            Self::Admin => 3003,
        }
    }

    /// The flag of `cargo demo` that moves it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Gateway => "--gateway-port",
            Self::Admin => "--admin-port",
            Self::Todo => "--todo-port",
            Self::Provider => "--idp-port",
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Admin => "gateway's admin address",
            Self::Todo => "to-do service",
            Self::Provider => "identity provider",
        }
    }
}

/// One port for each part; 0 is any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The gateway, for browsers.
    pub gateway: u16,
    /// The gateway, for operators.
    pub admin: u16,
    /// The to-do service.
    pub todo: u16,
    /// The identity provider.
    pub provider: u16,
}

impl Ports {
    /// Any free ports.
    pub const ANY: Self = Self { gateway: 0, admin: 0, todo: 0, provider: 0 };
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            gateway: Part::Gateway.usual_port(),
            admin: Part::Admin.usual_port(),
            todo: Part::Todo.usual_port(),
            provider: Part::Provider.usual_port(),
        }
    }
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "port {port} for the {} is taken ({source}); choose another with {} PORT, or stop the program that uses it",
    .part.name(),
    .part.flag()
)]
pub struct Taken {
    /// Who wanted it.
    pub part: Part,
    /// Which.
    pub port: u16,
    /// The operating system's word.
    pub source: io::Error,
}

/// A port that is set aside for a part which is not running yet, or not at the moment.
#[derive(Debug)]
pub(crate) struct Reserved {
    part: Part,
    port: u16,
    /// Bound, but not listening: nobody else is given the port meanwhile, and the part itself can still listen on it.
    /// Only for ports that the system chose; a port by name is checked and let go.
    _socket: Option<Socket>,
}

impl Reserved {
    pub(crate) fn new(part: Part, wanted: u16) -> Result<Self, Taken> {
        let taken = |source| Taken { part, port: wanted, source };
        if wanted != 0 {
            drop(listen(wanted).map_err(taken)?);
            return Ok(Self { part, port: wanted, _socket: None });
        }
        let socket = bind(0).map_err(taken)?;
        let port = socket
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket())
            .map_or(0, |address| address.port());
        Ok(Self { part, port, _socket: Some(socket) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn listen(&self) -> Result<TcpListener, Taken> {
        listen(self.port).map_err(|source| Taken { part: self.part, port: self.port, source })
    }
}

fn bind(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = bind(port)?;
    socket.listen(1_024)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_listened_on_again_and_again() {
        let reserved = Reserved::new(Part::Gateway, 0).expect("a free port");
        for _ in 0..2 {
            let listener = reserved.listen().expect("it is ours");
            assert_eq!(listener.local_addr().expect("bound").port(), reserved.port());
        }
    }

    #[test]
    fn a_taken_port_is_reported_with_the_flag_that_moves_it() {
        let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = other.local_addr().expect("bound").port();
        let error = Reserved::new(Part::Todo, port).expect_err("it is taken").to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--todo-port"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        drop(other);
        assert!(Reserved::new(Part::Todo, port).is_ok());
    }
}
