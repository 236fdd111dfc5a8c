//! Which server a worker asks next: the less loaded of two by their shares, another one after a failure. Shares follow
//! how the servers are doing, and servers follow their names.

use std::rc::Rc;
use std::sync::Arc;

use crate::stop::{Reason, Stop, Whose};

use super::Upstream;
use super::balance::Choice;
use super::deadline::TICK;
use super::station::Station;

/// One request is tried at this many servers at most, when none takes it.
const MOST_SERVERS: usize = 4;

impl Upstream {
    /// What is due every [`TICK`]: new addresses are taken up, idle connections are closed, shares change.
    pub fn tick(&self) {
        if self.lineup.borrow().has_changed().unwrap_or(false) {
            self.line_up();
        }
        let now = self.ticks.get().wrapping_add(1);
        self.ticks.set(now);
        let idle = self.shared.settings.idle.as_millis() / TICK.as_millis();
        let oldest = now.saturating_sub(u32::try_from(idle).unwrap_or(u32::MAX));
        for station in self.stations.borrow().iter() {
            station.tick(now, oldest);
        }
        self.weigh();
    }

    /// Takes up the endpoints as they are now. Those that were there before stay as they are; the connections of those
    /// that are gone end with what they are doing.
    pub(super) fn line_up(&self) {
        let lineup = self.lineup.borrow_mut().borrow_and_update().endpoints.clone();
        let mut stations = self.stations.borrow_mut();
        let before = std::mem::take(&mut *stations);
        for endpoint in lineup {
            let same = before.iter().find(|station| Arc::ptr_eq(&station.endpoint, &endpoint));
            let station =
                same.map_or_else(|| Rc::new(Station::new(endpoint, &self.shared.settings)), Rc::clone);
            stations.push(station);
        }
        let is_gone = |old: &&Rc<Station>| !stations.iter().any(|station| Rc::ptr_eq(station, old));
        before.iter().filter(is_gone).for_each(|station| station.retire());
        drop(stations);
        self.weigh();
    }

    /// Decides anew who of several gets how much. When all are left out, all are asked: some may be well again.
    pub(super) fn weigh(&self) {
        let stations = self.stations.borrow();
        if stations.len() < 2 {
            return;
        }
        let (now, settings) = (self.deadlines.now(), &self.shared.settings);
        let weight = |station: &Station| settings.servers[station.endpoint.server].weight;
        let shares = |share: &dyn Fn(&Station) -> u32| {
            Choice::new(stations.iter().enumerate().map(|(index, station)| (index, share(station))))
        };
        let mut choice =
            shares(&|station| weight(station) * station.endpoint.health.weight(now, settings.slow_start));
        if choice.is_empty() {
            choice = shares(&weight);
        }
        drop(stations);
        self.choice.replace(choice);
    }

    /// The endpoint for the next request; nothing while none is known.
    pub(super) fn choose(&self) -> Option<Rc<Station>> {
        let stations = self.stations.borrow();
        if let [only] = &stations[..] {
            return Some(Rc::clone(only));
        }
        let picked = self.pick(&stations)?;
        if picked.has_room() {
            return Some(picked);
        }
        // Whoever would have to wait looks around first.
        let usable = |station: &&Rc<Station>| {
            station.has_room() && !station.endpoint.health.is_out(self.deadlines.now())
        };
        Some(stations.iter().find(usable).map_or(picked, Rc::clone))
    }

    fn pick(&self, stations: &[Rc<Station>]) -> Option<Rc<Station>> {
        let mut chance = self.chance.borrow_mut();
        let load = |index: usize| stations.get(index).map_or(0, |station| station.pool.load());
        let picked = self.choice.borrow().pick(|bound| chance.below(bound), load)?;
        stations.get(picked).map(Rc::clone)
    }

    /// The endpoint for a request that was tried in vain at others; nothing if there is no other.
    pub(super) fn choose_other(&self, tried: &[Rc<Station>]) -> Option<Rc<Station>> {
        let stations = self.stations.borrow();
        let is_new = |station: &Rc<Station>| !tried.iter().any(|other| Rc::ptr_eq(station, other));
        if tried.len() >= MOST_SERVERS || !stations.iter().any(is_new) {
            return None;
        }
        // By share, as ever; when chance insists on the same, whoever is next and not left out, or just next.
        let picked = (0..4).find_map(|_| self.pick(&stations).filter(is_new));
        let is_in = |station: &&Rc<Station>| !station.endpoint.health.is_out(self.deadlines.now());
        let new = || stations.iter().filter(|station| is_new(station));
        picked.or_else(|| new().find(is_in).or_else(|| new().next()).map(Rc::clone))
    }

    /// Waits until the names of its servers are looked up, which nobody waits for but the first requests.
    pub(super) async fn choose_when_known(&self) -> Result<Rc<Station>, Stop> {
        let mut lineup = self.shared.lineup();
        let known = lineup.wait_for(|lineup| lineup.is_known || !lineup.endpoints.is_empty());
        let trouble = match tokio::time::timeout(self.usual.connect, known).await {
            Ok(Ok(lineup)) => lineup.trouble.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        self.line_up();
        self.choose().ok_or_else(|| {
            let cause = trouble.as_deref().unwrap_or("no address of its servers is known yet").to_owned();
            Stop::failed(Whose::Upstream, Reason::UpstreamUnreachable, cause)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::time::{Duration, Instant};

    use http::HeaderValue;

    use super::*;
    use crate::clock::Clock;
    use crate::session::store::Store;
    use crate::session::store::tests::settings as of_store;
    use crate::upstream::deadline::Deadlines;
    use crate::upstream::names::Resolver;
    use crate::upstream::settings::Ejection;
    use crate::upstream::shared::tests::{settings, shared_by};
    use crate::upstream::vigil::Vigil;
    use crate::upstream::{Forwarded, Settings, Shared};

    fn upstream(shared: Arc<Shared>) -> Upstream {
        let value = || HeaderValue::from_static("app.example");
        let sessions = Arc::new(Store::in_memory(of_store()));
        let vigil = Rc::new(Vigil::new(Clock::system(), sessions));
        let deadlines = Rc::new(Deadlines::new(Instant::now()));
        Upstream::new(shared, &Forwarded { host: value(), scheme: value() }, deadlines, vigil)
    }

    /// One name, which means one address: the one that ends with that number.
    fn named(last: &Arc<AtomicU8>) -> Resolver {
        let last = Arc::clone(last);
        Resolver::Scripted(Arc::new(move |_| match last.load(Ordering::SeqCst) {
            0 => Err(io::Error::other("no such name")),
            last => Ok(vec![IpAddr::from(Ipv4Addr::new(192, 0, 2, last))]),
        }))
    }

    fn address(station: &Station) -> String {
        station.endpoint.addresses[0].to_string()
    }

    #[tokio::test]
    async fn a_worker_follows_a_name_and_knows_why_it_cannot() {
        let last = Arc::new(AtomicU8::new(0));
        let upstream = upstream(shared_by(settings("http://api.example:80"), named(&last)));
        let Err(stop) = upstream.choose_when_known().await else {
            panic!("there is nowhere to go");
        };
        let Stop::Failed(fault) = stop else { panic!("a fault") };
        assert!(fault.causes().contains("no such name"), "{}", fault.causes());
        for number in [1, 2] {
            last.store(number, Ordering::SeqCst);
            let wanted = format!("192.0.2.{number}:80");
            let mut lineup = upstream.shared.lineup();
            let is_there = lineup.wait_for(|lineup| {
                lineup.endpoints.first().is_some_and(|first| first.addresses[0].to_string() == wanted)
            });
            is_there.await.expect("it is there");
            upstream.tick();
            assert_eq!(upstream.choose().map(|station| address(&station)), Some(wanted));
        }
    }

    fn of_three() -> Settings {
        let mut three = settings("http://127.0.0.1:1");
        for port in [2, 3] {
            let more = settings(&format!("http://127.0.0.1:{port}")).servers.remove(0);
            three.servers.push(more);
        }
        let time = Duration::from_secs(60);
        three.eject = Some(Ejection { failures: 1, time, longest: time, server_errors: false });
        three
    }

    #[tokio::test]
    async fn who_is_left_out_gets_nothing_until_all_are() {
        let upstream = upstream(shared_by(of_three(), Resolver::System));
        let chosen = || {
            let mut ports: Vec<u16> =
                (0..200).filter_map(|_| Some(upstream.choose()?.endpoint.addresses[0].port())).collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        let fail = |port: u16| {
            let stations = upstream.stations.borrow();
            let station = stations.iter().find(|station| station.endpoint.addresses[0].port() == port);
            let endpoint = &station.expect("it is there").endpoint;
            assert!(upstream.shared.note_failure(endpoint, upstream.deadlines.now()));
            drop(stations);
            upstream.weigh();
        };
        assert_eq!(chosen(), [1, 2, 3]);
        fail(2);
        assert_eq!(chosen(), [1, 3]);
        fail(1);
        assert_eq!(chosen(), [3]);
        fail(3);
        assert_eq!(chosen(), [1, 2, 3], "better any than none");
    }

    #[tokio::test]
    async fn another_server_is_one_that_was_not_tried() {
        let upstream = upstream(shared_by(of_three(), Resolver::System));
        let mut tried = vec![upstream.choose().expect("one")];
        for _ in 0..2 {
            let other = upstream.choose_other(&tried).expect("another");
            assert!(!tried.iter().any(|station| Rc::ptr_eq(station, &other)));
            tried.push(other);
        }
        assert!(upstream.choose_other(&tried).is_none());
    }
}
