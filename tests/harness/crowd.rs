//! Thousands of people at two gateways, as fast as these answer, while tokens are renewed and identifiers change: nobody
//! may ever get what is another's (requirement SE-14).

use std::time::Instant;

use tokio::task::JoinSet;

use crate::load::{Load, Pace, Tally, User};
use crate::plan::{Kept, Plan, person};
use crate::redis::RedisServer;
use crate::{Echo, Site, eventually};

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// People, each signed in once.
    pub people: usize,
    /// Requests, all people together.
    pub requests: usize,
    /// Requests that wait for an answer at the same moment.
    pub at_once: usize,
    /// How long an access token lives, in seconds.
    pub access_token: i64,
    /// Told what happens.
    pub progress: fn(&str),
}

/// People who sign in at the same time.
const DOORS: usize = 8;

impl Crowd {
    /// What the requirement asks for.
    pub fn full() -> Self {
        Self { people: 2_000, requests: 1_000_000, at_once: 64, access_token: 120, progress: |_| {} }
    }

    /// A few of them, for a few seconds.
    pub fn quick() -> Self {
        Self { people: 40, requests: 4_000, access_token: 3, ..Self::full() }
    }

    /// Lets them all in, and press.
    ///
    /// # Panics
    /// If the gateways stop answering.
    pub async fn run(self) -> Tally {
        let (redis, echo) = (RedisServer::launch().await, Echo::start().await);
        let access_token = self.access_token;
        let plan = Plan::new().quiet().store(Kept::Redis(redis.url())).keys(&["crowd"]).echo(&echo);
        let plan = plan.set("session", "rotate", "\"1m\"").people(self.people).programs(2);
        let site = plan.tenant(move |tenant| tenant.lifetimes.access_token = access_token).start().await;
        (self.progress)(&format!("signing {} people in", self.people));
        let users = self.sign_in(&site).await;
        let began = Instant::now();
        let load = Load::start(users, site.ports(), Pace::flat_out(self.at_once, &["/echo", "/reports"]));
        while load.tally().answered() < self.requests {
            load.more((self.requests / 20).max(1)).await;
            let (tally, passed) = (load.tally(), began.elapsed());
            let rate =
                tally.answered() as u64 * 1_000 / u64::try_from(passed.as_millis()).unwrap_or(1).max(1);
            (self.progress)(&format!("{} answers, {rate} in a second: {tally}", tally.answered()));
        }
        load.stop().await
    }

    async fn sign_in(self, site: &Site) -> Vec<User> {
        let (ports, mut users, mut coming) = (site.ports(), Vec::new(), JoinSet::new());
        for number in 0..self.people {
            let browser = site.browser().at(ports[number % ports.len()]);
            if coming.len() == DOORS {
                users.extend(coming.join_next().await.transpose().expect("nobody fails to sign in"));
            }
            coming.spawn(async move {
                browser.sign_in(&person(number)).await.must_show("/");
                // A machine that has so much to do may have no time for its store for a moment.
                eventually("let in", || async { browser.fetch("GET", "/echo").await.status == 200 }).await;
                User::of(browser).await
            });
        }
        users.extend(coming.join_all().await);
        users
    }
}
