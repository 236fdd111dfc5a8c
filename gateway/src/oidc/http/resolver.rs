//! Names into addresses. `localhost` and every name under it mean this machine, whatever a name server says: plain
//! http is allowed there and nowhere else (RFC 6761, section 6.3).

use std::future::{Future, ready};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

use crate::origin::is_loopback_name;

/// The system's resolver for every other name.
#[derive(Clone)]
pub(super) struct Resolver {
    system: GaiResolver,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self { system: GaiResolver::new() }
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
        if is_loopback_name(name.as_str()) {
            // The port is the connector's matter.
            let both = vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
            return Box::pin(ready(Ok(both.into_iter())));
        }
        let found = self.system.call(name);
        Box::pin(async move { Ok(found.await?.collect::<Vec<_>>().into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_name_under_localhost_is_this_machine() {
        for name in ["localhost", "tenant.localhost", "LOCALHOST", "a.b.localhost."] {
            let name: Name = name.parse().expect("a name");
            let addresses: Vec<_> = Resolver::new().call(name).await.expect("resolved").collect();
            assert!(!addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()));
        }
        for name in ["localhost.example", "mylocalhost", "login.example"] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
