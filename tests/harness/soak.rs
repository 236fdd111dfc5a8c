//! The story of a bad night: two gateways, their store and their provider under load, failing one after the other and
//! coming back, round after round. Nobody may be signed out, see another's data, or be told anything but to try again.

mod report;

use std::time::{Duration, Instant};

use dev_idp::Endpoint;
use dev_idp::faults::{Fault, HttpFault, TokenFault};

use crate::load::{Load, Pace, Tally, User};
use crate::plan::{Kept, Plan, person};
use crate::redis::RedisServer;
use crate::{Echo, Site};

pub use report::Report;

/// How many answers of the provider are lost in a row: one, and then one together with what is asked at once after it.
const LOST: [u32; 2] = [1, 2];

/// For so many seconds nothing else fails after a gateway did: a lease lives four.
const TAKING_OVER: usize = 6;

/// How long, and how hard.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// How often each part fails.
    pub rounds: usize,
    /// How long the provider is away in each round.
    pub provider_away: Duration,
    /// How long an access token lives, in seconds: short, so that there is always one to renew.
    pub access_token: i64,
    /// Requests in a second.
    pub rate: u32,
    /// How many people are signed in.
    pub people: usize,
    /// Told what happens.
    pub progress: fn(&str),
}

impl Soak {
    /// Twenty rounds in real time: about half an hour.
    pub fn full() -> Self {
        Self {
            rounds: 20,
            provider_away: Duration::from_secs(60),
            access_token: 75,
            rate: 200,
            people: 24,
            progress: |_| {},
        }
    }

    /// A few rounds in which the provider comes back sooner.
    pub fn quick() -> Self {
        Self { rounds: 2, provider_away: Duration::from_secs(5), access_token: 36, ..Self::full() }
    }

    /// Tells the story.
    ///
    /// # Panics
    /// If a part does not come back by itself.
    pub async fn run(self) -> Report {
        let mut night = Night::fall(self).await;
        night.load.more(self.second()).await;
        for round in 0..self.rounds {
            night.round(round).await;
        }
        night.end().await
    }

    /// How many requests make a second.
    fn second(self) -> usize {
        self.rate as usize
    }
}

/// A night under way.
struct Night {
    soak: Soak,
    site: Site,
    redis: RedisServer,
    load: Load,
    report: Report,
    began: Instant,
    _echo: Echo,
}

impl Night {
    async fn fall(soak: Soak) -> Self {
        let (redis, echo) = (RedisServer::launch().await, Echo::start().await);
        let plan =
            Plan::new().store(Kept::Redis(redis.url())).keys(&["soak"]).echo(&echo).people(soak.people);
        // Rotation by the day's usual hour would hardly ever happen in a night this short.
        let plan = plan.set("session", "rotate", "\"1m\"").programs(2);
        let plan = plan.tenant(move |tenant| {
            tenant.lifetimes.access_token = soak.access_token;
            // Who spends a refresh token and does not live to hear the answer may ask again that long.
            tenant.lifetimes.refresh_overlap = 10;
        });
        (soak.progress)("starting Redis, the provider and two gateways");
        let site = plan.start().await;
        (soak.progress)(&format!("signing {} people in", soak.people));
        let ports = site.ports();
        let mut users = Vec::new();
        for number in 0..soak.people {
            let browser = site.browser().at(ports[number % ports.len()]);
            browser.sign_in(&person(number)).await.must_show("/");
            users.push(User::of(browser).await);
        }
        let load = Load::start(users, ports, Pace::steady(soak.rate, &["/echo", "/reports"]));
        Self { soak, site, redis, load, report: Report::default(), began: Instant::now(), _echo: echo }
    }

    async fn round(&mut self, round: usize) {
        let gateway = round % 2;
        // Over four rounds each gateway is killed and asked to end.
        let how = ["kill -9", "SIGTERM", "SIGTERM", "kill -9"][round % 4];
        let before = self.load.tally();
        self.gateway_falls(gateway, how).await;
        self.note(round, &format!("gateway {}: {how}", gateway + 1), &before);

        let before = self.load.tally();
        let how = ["restart", "kill -9"][round % 2];
        self.redis_falls(how).await;
        self.note(round, &format!("Redis: {how}"), &before);

        let before = self.load.tally();
        let how = ["refuses", "503", "hangs"][round % 3];
        self.provider_fails(how).await;
        self.note(round, &format!("provider: {how}"), &before);

        let before = self.load.tally();
        self.answers_are_lost().await;
        self.note(round, "provider: lost answers", &before);
    }

    async fn gateway_falls(&mut self, number: usize, how: &str) {
        if how == "SIGTERM" {
            self.site.program(number).terminate().await;
        } else {
            self.site.program(number).kill().await;
        }
        self.load.more(self.soak.second() * 2).await;
        self.site.program(number).start().await;
        // A refresh token that was spent by a gateway which did not live to hear the answer must be shown again before
        // the provider's overlap is over. That takes as long as a lease lives; nothing else may fail meanwhile, or
        // nobody in the world could save that session.
        self.load.calm(self.soak.second() * TAKING_OVER).await;
    }

    async fn redis_falls(&mut self, how: &str) {
        if how == "restart" {
            self.redis.stop().await;
        } else {
            self.redis.kill().await;
        }
        self.load.more(self.soak.second()).await;
        self.redis.start().await;
        self.load.calm(self.soak.second()).await;
    }

    async fn provider_fails(&mut self, how: &str) {
        let provider = self.site.provider();
        match how {
            "refuses" => provider.disconnect().await.expect("its port is its own"),
            "503" => provider.faults().set(Fault::Everywhere(HttpFault::Status503)),
            _ => provider.faults().set(Fault::Everywhere(HttpFault::Hang)),
        }
        let until = Instant::now() + self.soak.provider_away;
        while Instant::now() < until {
            self.load.more(self.soak.second() / 2).await;
        }
        if how == "refuses" {
            self.site.provider().reconnect().await.expect("its port is its own");
        }
        self.site.heal();
        self.load.calm(self.soak.second()).await;
    }

    /// The provider rotates refresh tokens, and the gateway does not hear of it.
    async fn answers_are_lost(&mut self) {
        for in_a_row in LOST {
            let before = self.repeats();
            self.site.faults().times(in_a_row, Fault::Refresh(TokenFault::LoseAnswer));
            // Every token is renewed once in its life: that long it takes at most until somebody asks.
            let until = Instant::now() + Duration::from_secs(self.soak.access_token.unsigned_abs());
            while self.repeats() < before + in_a_row && Instant::now() < until {
                self.load.more(self.soak.second() / 2).await;
            }
            assert!(self.repeats() > before, "nobody asked the provider for a token, or nobody asked twice");
        }
        self.load.calm(self.soak.second()).await;
        self.site.heal();
    }

    /// How often the provider gave the same answer again.
    fn repeats(&self) -> u32 {
        self.site.provider().refresh_families().iter().map(|family| family.repeats).sum()
    }

    fn note(&mut self, round: usize, what: &str, before: &Tally) {
        let after = self.load.tally();
        let line = self.report.add(round + 1, what, before, &after, self.began.elapsed());
        (self.soak.progress)(&line);
    }

    async fn end(self) -> Report {
        let Self { site, load, mut report, .. } = self;
        let tally = load.stop().await;
        report.finish(tally, site.requests(Endpoint::Token), site.provider().refresh_families());
        report
    }
}
