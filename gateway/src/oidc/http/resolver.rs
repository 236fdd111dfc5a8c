//! Names into addresses. `localhost` and every name under it mean this machine, whatever a name server says: plain
//! http is allowed there and nowhere else (RFC 6761, section 6.3). Only for development in containers a name under
//! `localhost` may be another one of them.

use std::future::{Future, ready};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

use crate::origin::Localhost;

/// The system's resolver for every other name.
#[derive(Clone)]
pub(super) struct Resolver {
    system: GaiResolver,
    localhost: Localhost,
}

impl Resolver {
    pub(super) fn new(localhost: Localhost) -> Self {
        Self { system: GaiResolver::new(), localhost }
    }
}

impl Service<Name> for Resolver {
    type Response = IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let localhost = self.localhost;
        if localhost.is_loopback(name.as_str()) {
            // The port is the connector's matter.
            let both = vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
            return Box::pin(ready(Ok(both.into_iter())));
        }
        let found = self.system.call(name.clone());
        Box::pin(async move {
            let mut found: Vec<_> = found.await?.collect();
            found.retain(|address| localhost.allows(name.as_str(), address.ip()));
            if found.is_empty() {
                return Err(io::Error::other("the name has no address that it may have"));
            }
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> Resolver {
        Resolver::new(Localhost::ThisMachine)
    }

    #[tokio::test]
    async fn every_name_under_localhost_is_this_machine() {
        for name in ["localhost", "tenant.localhost", "LOCALHOST", "a.b.localhost."] {
            let name: Name = name.parse().expect("a name");
            let addresses: Vec<_> = resolver().call(name).await.expect("resolved").collect();
            assert!(!addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()));
        }
        for name in ["localhost.example", "mylocalhost", "login.example"] {
            assert!(!Localhost::ThisMachine.is_loopback(name), "{name}");
        }
    }

    #[tokio::test]
    async fn in_containers_a_name_under_localhost_is_looked_up_and_localhost_is_not() {
        let call = |name: &str| Resolver::new(Localhost::Containers).call(name.parse().expect("a name"));
        let found: Vec<_> = call("localhost").await.expect("resolved").collect();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        // Whether this machine's own resolver knows names under localhost differs; where it does, they are its own.
        if let Ok(found) = call("no-such-container.localhost").await {
            assert!(found.into_iter().all(|address| address.ip().is_loopback()));
        }
    }
}
