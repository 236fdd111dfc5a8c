//! Follows the names of an upstream's servers: looks them up again and again, off the request path. The last good answer
//! stays while there is no other. Every address of a name is an endpoint of its own.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::shared::{Shared, fixed};

/// A look-up that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(5);
/// After a failure it is tried again this soon.
const SOON: Duration = Duration::from_secs(1);
/// More addresses of one name are left aside.
const MOST: usize = 64;

/// Who knows what names mean.
#[derive(Clone)]
pub(super) enum Resolver {
    /// This machine's resolver.
    System,
    #[cfg(test)]
    Scripted(Arc<Script>),
}

#[cfg(test)]
type Script = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

impl Resolver {
    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()),
            #[cfg(test)]
            Self::Scripted(script) => script(host),
        }
    }
}

/// Looks up names until the upstream is gone.
pub(super) async fn follow(shared: Weak<Shared>, resolver: Resolver) {
    let mut known: HashMap<usize, Vec<IpAddr>> = HashMap::new();
    loop {
        let Some(upstream) = shared.upgrade() else {
            return;
        };
        let trouble = refresh(&upstream, &resolver, &mut known).await;
        let every = upstream.settings.resolve;
        let pause = if trouble.is_some() { SOON.min(every) } else { every };
        upstream.line_up(&known, trouble, true);
        drop(upstream);
        tokio::time::sleep(pause).await;
    }
}

/// Looks up each name once. What cannot be looked up stays as it is known; the last trouble is told.
async fn refresh(
    upstream: &Shared,
    resolver: &Resolver,
    known: &mut HashMap<usize, Vec<IpAddr>>,
) -> Option<Arc<str>> {
    let mut trouble = None;
    let named = upstream.settings.servers.iter().enumerate().filter(|(_, server)| fixed(server).is_none());
    for (index, server) in named {
        let host = &server.host;
        let failed = match tokio::time::timeout(LIMIT, resolver.look_up(host)).await {
            Ok(Ok(found)) if !found.is_empty() => {
                known.insert(index, in_order(found));
                continue;
            }
            Ok(Ok(_)) => format!("the name {host} has no address"),
            Ok(Err(error)) => format!("the name {host} cannot be resolved: {error}"),
            Err(_) => format!("the name {host} cannot be resolved in time"),
        };
        // Said once for each time that things go wrong, not for each try.
        if upstream.lineup().borrow().trouble.as_deref() != Some(&failed) {
            let name = upstream.name();
            tracing::warn!(target: "gateway", upstream = name, cause = failed, "an upstream's name");
        }
        trouble = Some(failed.into());
    }
    trouble
}

/// Without doubles, in an order that does not change from answer to answer.
fn in_order(mut found: Vec<IpAddr>) -> Vec<IpAddr> {
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::shared::tests::{settings, shared_by};
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    /// What the name means, or nothing for trouble.
    #[derive(Clone, Default)]
    struct Answers(Arc<Mutex<Option<Vec<IpAddr>>>>);

    impl Answers {
        fn say(&self, last: &[u8]) {
            let found = last.iter().map(|last| IpAddr::from(Ipv4Addr::new(192, 0, 2, *last))).collect();
            *self.0.lock().expect("nobody panicked") = Some(found);
        }

        fn fail(&self) {
            *self.0.lock().expect("nobody panicked") = None;
        }

        fn resolver(&self) -> Resolver {
            let script = self.clone();
            Resolver::Scripted(Arc::new(move |_| {
                let found = script.0.lock().expect("nobody panicked").clone();
                found.ok_or_else(|| io::Error::other("no such name"))
            }))
        }
    }

    fn addresses(shared: &Shared) -> Vec<String> {
        let lineup = shared.lineup();
        let lineup = lineup.borrow();
        lineup.endpoints.iter().map(|endpoint| endpoint.addresses[0].to_string()).collect()
    }

    #[tokio::test]
    async fn addresses_come_and_go_and_those_that_stay_are_the_same_ones() {
        let script = Answers::default();
        script.say(&[2, 1, 2]);
        let shared = shared_by(settings("http://api.example:80"), script.resolver());
        let mut lineup = shared.lineup();
        let first = lineup.wait_for(|lineup| lineup.is_known).await.expect("it is there").endpoints.clone();
        assert_eq!(addresses(&shared), ["192.0.2.1:80", "192.0.2.2:80"]);
        script.say(&[2, 3]);
        lineup.wait_for(|lineup| !Arc::ptr_eq(&lineup.endpoints[0], &first[0])).await.expect("it is there");
        assert_eq!(addresses(&shared), ["192.0.2.2:80", "192.0.2.3:80"]);
        assert!(Arc::ptr_eq(&lineup.borrow().endpoints[0], &first[1]), "all that is known of it stays");
    }

    #[tokio::test]
    async fn the_last_good_answer_stays_while_there_is_no_other() {
        let script = Answers::default();
        let shared = shared_by(settings("http://api.example:80"), script.resolver());
        let mut lineup = shared.lineup();
        lineup.wait_for(|lineup| lineup.is_known).await.expect("it is there");
        assert!(addresses(&shared).is_empty());
        let trouble = shared.picture(std::time::Instant::now()).trouble.expect("told");
        assert!(trouble.contains("api.example") && trouble.contains("no such name"), "{trouble}");
        script.say(&[1]);
        lineup.wait_for(|lineup| lineup.trouble.is_none()).await.expect("it is there");
        script.fail();
        lineup.wait_for(|lineup| lineup.trouble.is_some()).await.expect("it is there");
        assert_eq!(addresses(&shared), ["192.0.2.1:80"]);
        script.say(&[]);
        lineup
            .wait_for(|lineup| lineup.trouble.as_ref().is_some_and(|trouble| trouble.contains("no address")))
            .await
            .expect("it is there");
        assert_eq!(addresses(&shared), ["192.0.2.1:80"]);
    }

    #[tokio::test]
    async fn addresses_and_this_machine_are_nothing_to_look_up() {
        for url in ["http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80"] {
            let shared = shared_by(settings(url), Answers::default().resolver());
            assert!(shared.lineup().borrow().is_known, "{url}");
            assert_eq!(addresses(&shared).len(), 1, "{url}");
        }
    }
}
