//! A listener that nobody has a reason to talk to: where redirects, key addresses and hosts of attacks point.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Listens, and remembers that somebody came.
#[derive(Debug)]
pub struct Outside {
    listener: TcpListener,
    address: SocketAddr,
}

impl Outside {
    /// Begins to listen.
    ///
    /// # Panics
    /// If the machine has no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a fresh socket");
        let address = listener.local_addr().expect("it is bound");
        Self { listener, address }
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Fails the test if anybody connected.
    #[track_caller]
    pub fn must_be_silent(&self) {
        // The kernel completes connections by itself: whoever came stands in the queue.
        match self.listener.accept() {
            Ok((_, who)) => panic!("{who} connected to the address outside"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_silent() {
        Outside::start().must_be_silent();
    }

    #[test]
    #[should_panic(expected = "connected to the address outside")]
    fn a_visitor_is_noticed() {
        let outside = Outside::start();
        let _visitor = std::net::TcpStream::connect(outside.authority()).expect("it listens");
        outside.must_be_silent();
    }
}
