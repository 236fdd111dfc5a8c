//! Ports for programs that must be told theirs: held free from the choice to the end, also while the program is dead.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// A port of this computer that the system gives to nobody else while this lives. Bound, but not listening: a program
/// that allows addresses to be reused, as servers do, can still listen there.
#[derive(Debug)]
pub struct FreePort {
    number: u16,
    _socket: Socket,
}

impl FreePort {
    /// A port of the system's choice.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub fn take() -> Self {
        let bind = || -> io::Result<Self> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
            let address = socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("no address"))?;
            Ok(Self { number: address.port(), _socket: socket })
        };
        bind().expect("a free port")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
