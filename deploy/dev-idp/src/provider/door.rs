//! The door: open, or shut so that connections are refused. A shut door keeps its port: the address is bound and nobody
//! listens, so that it opens where it was. Knows nothing of who comes in.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What the door is told. The answer comes when it is done.
pub(super) enum Order {
    Shut(oneshot::Sender<io::Result<()>>),
    Open(oneshot::Sender<io::Result<()>>),
}

pub(super) struct Door {
    address: SocketAddr,
    state: State,
}

enum State {
    Open(TcpListener),
    Shut(TcpSocket),
    /// Neither could be had.
    Lost,
}

impl Door {
    pub(super) fn open(listener: TcpListener, address: SocketAddr) -> Self {
        Self { address, state: State::Open(listener) }
    }

    /// The next visitor; nobody, as long as it is shut.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.state {
            State::Open(listener) => listener.accept().await,
            State::Shut(_) | State::Lost => std::future::pending().await,
        }
    }

    pub(super) fn obey(&mut self, order: Order) {
        let state = std::mem::replace(&mut self.state, State::Lost);
        let (done, outcome) = match order {
            Order::Shut(done) => (done, shut(state, self.address)),
            Order::Open(done) => (done, open(state, self.address)),
        };
        let result = outcome.map(|state| self.state = state);
        // Whoever asked may have gone away meanwhile.
        drop(done.send(result));
    }
}

fn shut(state: State, address: SocketAddr) -> io::Result<State> {
    if let State::Shut(socket) = state {
        return Ok(State::Shut(socket));
    }
    // Two sockets cannot have the port, so the old one goes first.
    drop(state);
    bound(address).map(State::Shut)
}

fn open(state: State, address: SocketAddr) -> io::Result<State> {
    let socket = match state {
        State::Open(listener) => return Ok(State::Open(listener)),
        State::Shut(socket) => socket,
        State::Lost => bound(address)?,
    };
    socket.set_reuseaddr(true)?;
    socket.listen(BACKLOG).map(State::Open)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections that have just ended must not keep us from the port; afterwards, nobody may share it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.set_reuseaddr(false)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shut_door_refuses_and_opens_at_the_same_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut door = Door::open(listener, address);
        let visit =
            || async move { TcpStream::connect(address).await.map(drop).map_err(|error| error.kind()) };
        assert_eq!(visit().await, Ok(()));
        for _ in 0..2 {
            let (done, answer) = oneshot::channel();
            door.obey(Order::Shut(done));
            answer.await.expect("obeyed").expect("shut");
            assert_eq!(visit().await, Err(io::ErrorKind::ConnectionRefused));
            assert!(TcpListener::bind(address).await.is_err(), "nobody else gets the port");
        }
        let (done, answer) = oneshot::channel();
        door.obey(Order::Open(done));
        answer.await.expect("obeyed").expect("open");
        assert_eq!(visit().await, Ok(()));
        assert!(door.accept().await.is_ok());
    }
}
