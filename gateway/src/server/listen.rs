//! Binding addresses: one socket per worker and address, so that the kernel spreads connections without a shared lock.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::upstream::connect::KEEPALIVE;

use super::StartError;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// The listening sockets of all workers.
pub struct Listeners {
    /// The addresses, with real ports where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// For each worker, one socket per address.
    pub per_worker: Vec<Vec<TcpListener>>,
}

/// Binds every address once per worker.
pub fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Listeners, StartError> {
    let mut listeners =
        Listeners { addresses: Vec::new(), per_worker: (0..workers).map(|_| Vec::new()).collect() };
    for &wanted in addresses {
        let failed = |source| StartError::Listen { address: wanted, source };
        let mut address = wanted;
        if wanted.port() != 0 {
            // Shared ports let a second program of the same user join in silently; an exclusive bind notices it.
            drop(socket(wanted, false).map_err(failed)?);
        }
        for sockets in &mut listeners.per_worker {
            let listener = socket(address, true).map_err(failed)?;
            address = listener.local_addr().map_err(failed)?;
            sockets.push(listener);
        }
        listeners.addresses.push(address);
    }
    Ok(listeners)
}

/// The same sockets for every worker, if there are open ones: they wake each other then, and one of them gets the
/// connection. Otherwise every address is bound.
pub(super) fn share_or_bind(
    open: Vec<TcpListener>,
    addresses: &[SocketAddr],
    workers: usize,
) -> Result<Listeners, StartError> {
    if open.is_empty() {
        return bind(addresses, workers);
    }
    let mut listeners =
        Listeners { addresses: Vec::new(), per_worker: (0..workers).map(|_| Vec::new()).collect() };
    for socket in open {
        listeners.addresses.push(socket.local_addr().map_err(StartError::Worker)?);
        for sockets in &mut listeners.per_worker {
            sockets.push(socket.try_clone().map_err(StartError::Worker)?);
        }
    }
    Ok(listeners)
}

/// The open socket, or one that is bound now.
pub(super) fn take_or_bind(
    open: Option<TcpListener>,
    wanted: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    match open {
        Some(socket) => {
            let address = socket.local_addr().map_err(StartError::Worker)?;
            Ok((socket, address))
        }
        None => bind_one(wanted),
    }
}

/// How many client connections the process can serve: two file descriptors each, its own and an upstream's, and some
/// in reserve for the admin listener, the provider and files (requirement RL-01).
pub fn capacity() -> usize {
    const RESERVE: usize = 128;
    const MOST: usize = 65_536;
    (descriptors().unwrap_or(2 * MOST).saturating_sub(RESERVE) / 2).clamp(64, MOST)
}

/// How many file descriptors the process may have, after asking for as many as it is allowed to ask for. The usual limit
/// of 1,024 is for programs that use `select`. Nothing where there is no limit.
#[cfg(unix)]
fn descriptors() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where the system refuses, the limit stays what it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    usize::try_from(getrlimit(Resource::Nofile).current?).ok()
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}

/// Binds one address for one listener.
pub fn bind_one(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address: wanted, source };
    let listener = socket(wanted, false).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    // Accepted connections inherit it, which costs them nothing.
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::net::TcpStream;

    #[test]
    fn a_client_that_vanishes_is_noticed_by_the_kernel() {
        let (listener, address) = bind_one(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        listener.set_nonblocking(false).expect("a fresh socket");
        let _client = TcpStream::connect(address).expect("it listens");
        let (accepted, _) = listener.accept().expect("a client");
        assert!(SockRef::from(&accepted).keepalive().expect("a live socket"));
    }
}
