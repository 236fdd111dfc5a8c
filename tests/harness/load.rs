//! Many people at once, at a steady rate, through a load balancer that sends nobody to a gateway that is dead. Each
//! answer is looked at: was it the owner's, was it one that the documentation allows, how long did it take.

mod balancer;
mod judge;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::ask::Ask;
use crate::browser::Browser;

use balancer::{Balancer, Reached};
use judge::{Verdict, judge};

/// How many requests may wait for their answers, where nothing is said. More means that the gateways have stopped.
const MOST_OPEN: usize = 4_096;
/// More in a second than any gateway answers.
const AS_FAST_AS_IT_GOES: u32 = 100_000;
/// No answer takes longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// How hard to press.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Requests in a second, all people together.
    pub rate: u32,
    /// What they ask for, in turns.
    pub paths: Vec<String>,
    /// How many requests may wait for their answers; then the next ones wait too.
    pub at_once: usize,
}

impl Pace {
    /// So many requests in a second, however long the answers take.
    pub fn steady(rate: u32, paths: &[&str]) -> Self {
        Self { rate, paths: owned(paths), at_once: MOST_OPEN }
    }

    /// A request for each answer: so many at once, as fast as they are answered.
    pub fn flat_out(at_once: usize, paths: &[&str]) -> Self {
        Self { rate: AS_FAST_AS_IT_GOES, paths: owned(paths), at_once }
    }
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// Somebody who is signed in, and the marks by which tokens are known to be theirs.
#[derive(Clone, Debug)]
pub struct User {
    browser: Browser,
    oid: String,
    sid: String,
}

impl User {
    /// The person signed in in that browser, as `/echo` tells.
    ///
    /// # Panics
    /// If nobody is.
    pub async fn of(browser: Browser) -> Self {
        let claims = browser.fetch("GET", "/echo").await.must_be(200).json();
        let mark =
            |name: &str| claims[name].as_str().unwrap_or_else(|| panic!("no {name}: {claims}")).to_owned();
        Self { oid: mark("oid"), sid: mark("sid"), browser }
    }

    /// Whether claims are this person's, of this very sign-in.
    fn owns(&self, claims: &Value) -> bool {
        claims["oid"] == self.oid.as_str() && claims["sid"] == self.sid.as_str()
    }

    /// The person's browser.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers with the owner's data.
    pub good: usize,
    /// 503 with Retry-After, by their reason: what the documentation allows while something is down.
    pub unavailable: BTreeMap<String, usize>,
    /// Anything else that is no answer to the question.
    pub errors: Vec<String>,
    /// Answers that said that nobody is signed in.
    pub signed_out: Vec<String>,
    /// Answers with somebody else's data. There is no excuse for one.
    pub mismatches: Vec<String>,
    /// Requests that a dead gateway dropped and another answered.
    pub moved: usize,
    /// The longest wait for an answer that was good.
    pub slowest: Duration,
}

impl Tally {
    /// How many requests were answered.
    pub fn answered(&self) -> usize {
        self.good + self.waits() + self.errors.len() + self.signed_out.len() + self.mismatches.len()
    }

    /// How many documented 503s there were.
    pub fn waits(&self) -> usize {
        self.unavailable.values().sum()
    }

    /// Fails the test unless everything but documented 503s was good.
    #[track_caller]
    pub fn must_be_clean(&self) -> &Self {
        let first = |list: &[String]| list.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
        for (what, list) in
            [("data of others", &self.mismatches), ("sign-outs", &self.signed_out), ("errors", &self.errors)]
        {
            assert!(
                list.is_empty(),
                "{} {what} in {} answers:\n{}",
                list.len(),
                self.answered(),
                first(list)
            );
        }
        self
    }

    fn add(&mut self, verdict: Verdict, took: Duration, moved: bool) {
        self.moved += usize::from(moved);
        match verdict {
            Verdict::Good => {
                self.good += 1;
                self.slowest = self.slowest.max(took);
            }
            Verdict::Unavailable(reason) => *self.unavailable.entry(reason).or_default() += 1,
            Verdict::Error(what) => self.errors.push(what),
            Verdict::SignedOut(what) => self.signed_out.push(what),
            Verdict::Mismatch(what) => self.mismatches.push(what),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} good", self.good)?;
        for (reason, count) in &self.unavailable {
            write!(f, ", {count} {reason}")?;
        }
        for (what, list) in
            [("error", &self.errors), ("signed out", &self.signed_out), ("of others", &self.mismatches)]
        {
            for one in list.iter().rev().take(3) {
                write!(f, "\n{what}: {one}")?;
            }
        }
        Ok(())
    }
}

/// A load that goes on until it is stopped.
#[derive(Debug)]
pub struct Load {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
    driver: tokio::task::JoinHandle<()>,
}

impl Load {
    /// Begins to press: these people, on the gateways at these ports.
    pub fn start(users: Vec<User>, ports: Vec<u16>, pace: Pace) -> Self {
        let (tally, stop) = (Arc::default(), Arc::default());
        let driver = tokio::spawn(drive(users, ports, pace, Arc::clone(&tally), Arc::clone(&stop)));
        Self { tally, stop, driver }
    }

    /// What came of it so far.
    pub fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Waits until so many more requests were answered.
    pub async fn more(&self, count: usize) {
        let enough = lock(&self.tally).answered() + count;
        let waiting = async {
            while lock(&self.tally).answered() < enough {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let most = PATIENCE + Duration::from_millis(count as u64 * 50);
        assert!(tokio::time::timeout(most, waiting).await.is_ok(), "the gateways no longer answer");
    }

    /// Waits until `count` answers in a row were good.
    ///
    /// # Panics
    /// When half a minute is over, with what was answered instead.
    pub async fn calm(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        let bad = |tally: &Tally| tally.answered() - tally.good;
        let mut since = self.tally();
        loop {
            let now = self.tally();
            if bad(&now) > bad(&since) {
                assert!(Instant::now() < until, "half a minute later not everything is good: {now}");
                since = now;
            } else if now.good >= since.good + count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops pressing, waits for what is under way, and gives the sum.
    pub async fn stop(self) -> Tally {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.driver.await.expect("the load does not panic");
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn drive(
    users: Vec<User>,
    ports: Vec<u16>,
    pace: Pace,
    tally: Arc<Mutex<Tally>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
) {
    let balancer = Arc::new(Balancer::new(ports));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / pace.rate);
    let mut open = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        while open.try_join_next().is_some() || open.len() >= pace.at_once {
            if open.len() >= pace.at_once {
                open.join_next().await;
            }
        }
        let user = users[number % users.len()].clone();
        // Every person asks for everything: the step is not the number of people.
        let path = pace.paths[(number / users.len()) % pace.paths.len()].clone();
        let (balancer, tally) = (Arc::clone(&balancer), Arc::clone(&tally));
        open.spawn(async move {
            let began = Instant::now();
            let asked = ask(&user, &path, &balancer);
            let (verdict, moved) = match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Reached::Reply { reply, moved }) => (judge(&user, &reply), moved),
                Ok(Reached::Nobody(why)) => (Verdict::Error(format!("GET {path}: {why}")), true),
                Err(_) => (Verdict::Error(format!("GET {path}: no answer in {PATIENCE:?}")), false),
            };
            lock(&tally).add(verdict, began.elapsed(), moved);
        });
    }
    open.join_all().await;
}

async fn ask(user: &User, path: &str, balancer: &Balancer) -> Reached {
    let url = user.browser.resolve(path);
    let reached = balancer.send(|| user.browser.dress(Ask::fetch("GET", path), &url), &url).await;
    if let Reached::Reply { reply, .. } = &reached {
        user.browser.keep_cookies(&url, reply);
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Echo, FreePort, Plan, Site, person};

    async fn site(echo: &Echo) -> (Site, Vec<User>) {
        let site = Plan::new().echo(echo).people(4).start().await;
        let mut users = Vec::new();
        for number in 0..4 {
            users.push(User::of(site.signed_in(&person(number)).await).await);
        }
        (site, users)
    }

    fn pace() -> Pace {
        Pace::steady(200, &["/echo", "/reports"])
    }

    #[tokio::test]
    async fn good_answers_are_counted_and_dead_gateways_are_passed_by() {
        let echo = Echo::start().await;
        let (site, users) = site(&echo).await;
        let nobody = FreePort::take();
        let load = Load::start(users, vec![site.ports()[0], nobody.number()], pace());
        load.more(100).await;
        load.calm(50).await;
        let tally = load.stop().await;
        tally.must_be_clean();
        assert!(tally.good >= 150 && tally.moved >= 50 && tally.waits() == 0, "{tally:?}");
    }

    #[tokio::test]
    async fn whatever_is_not_good_is_told_apart() {
        let echo = Echo::start().await;
        let (site, mut users) = site(&echo).await;
        // Two who were taken for one another, and one who signed out.
        let (first, rest) = users.split_at_mut(1);
        std::mem::swap(&mut first[0].browser, &mut rest[0].browser);
        users[2].browser.fetch("POST", "/auth/sign-out").await.must_be(200);
        let load = Load::start(users, site.ports(), pace());
        load.more(80).await;
        let tally = load.stop().await;
        assert!(
            tally.mismatches.len() >= 30 && tally.signed_out.len() >= 15 && tally.good >= 15,
            "{tally:?}"
        );
        assert!(tally.errors.is_empty(), "{tally:?}");
        assert!(std::panic::catch_unwind(|| tally.must_be_clean().good).is_err());
    }

    #[tokio::test]
    async fn a_documented_503_is_no_error_and_any_other_is() {
        let echo = Echo::start().await;
        let (site, users) = site(&echo).await;
        let reply = |head: &str| crate::Reply {
            status: http::StatusCode::SERVICE_UNAVAILABLE,
            headers: head
                .split_once(": ")
                .into_iter()
                .map(|(name, value)| {
                    let name: http::HeaderName = name.parse().expect("a name");
                    (name, value.parse::<http::HeaderValue>().expect("a value"))
                })
                .collect(),
            body: bytes::Bytes::from_static(b"{\"reason\":\"store_unavailable\"}"),
            asked: "GET /echo".to_owned(),
        };
        assert!(
            matches!(judge(&users[0], &reply("retry-after: 5")), Verdict::Unavailable(why) if why == "store_unavailable")
        );
        assert!(matches!(judge(&users[0], &reply("x-other: 5")), Verdict::Error(_)));
        drop(site);
    }
}
