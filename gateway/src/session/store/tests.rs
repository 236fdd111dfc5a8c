//! What every store must do, whatever is behind it, and what two gateways see of each other through a shared place.

use super::super::State;
use super::*;
use crate::secret::Secret;
use crate::session::tests::{beginning, lifetimes};
use crate::session::{Credentials, Device, Held};
use http::HeaderValue;
use shared::Shared;

/// A store's settings with keys of its own.
pub(crate) fn settings() -> Settings {
    Settings {
        lifetimes: lifetimes(),
        tokens: Vec::new(),
        max_per_person: None,
        vault: Arc::new(Vault::generate()),
        metrics: Arc::default(),
    }
}

/// Gateways that share a place and a server key.
pub(crate) struct Fleet {
    place: Arc<Shared>,
    key: super::super::vault::ServerKey,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        Self { place: Arc::default(), key: super::super::vault::ServerKey::generate() }
    }

    pub(crate) fn gateway(&self) -> Store {
        self.gateway_with(|settings| settings)
    }

    /// Takes the place away from all of them, or brings it back.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.place.set_down(is_down);
    }

    /// The same, for whoever outlives this.
    pub(crate) fn handle(&self) -> impl Fn(bool) + Send + Sync + use<> {
        let place = Arc::clone(&self.place);
        move |is_down| place.set_down(is_down)
    }

    pub(crate) fn gateway_with(&self, edit: impl FnOnce(Settings) -> Settings) -> Store {
        let (warm, live_since) = (Arc::new(Warm::new(false)), Arc::default());
        self.place.subscribe(listener(&warm, &live_since));
        let settings = edit(Settings { vault: Arc::new(Vault::new(&self.key, &[])), ..settings() });
        Store::on(settings, Some(Kind::Shared(Arc::clone(&self.place))), warm, live_since)
    }
}

/// As if the place had been there for long.
pub(crate) fn settle(store: &Store) {
    *store.live_since.lock().expect("whole") = Instant::now().checked_sub(SETTLING);
}

/// What a request that shows `id` gets.
async fn ask(store: &Store, id: &SessionId, now: i64) -> Result<Option<Arc<Session>>, StoreError> {
    match store.find(id.shown(), Timestamp(now)) {
        Found::Session(session) => Ok(Some(session)),
        Found::Nothing => Ok(None),
        Found::Unsure => store.open(id, Timestamp(now)).await,
    }
}

async fn is_known(store: &Store, id: &SessionId, now: i64) -> bool {
    ask(store, id, now).await.expect("the place is there").is_some()
}

fn is_warm(store: &Store, id: &SessionId, now: i64) -> bool {
    matches!(store.find(id.shown(), Timestamp(now)), Found::Session(_))
}

/// What every store must do.
async fn conforms(store: &Store) {
    let (id, alice) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let (other_id, _) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert_eq!(store.count().await.expect("there"), 2);

    let found = ask(store, &id, 1_001).await.expect("there").expect("alice is signed in");
    assert!(Arc::ptr_eq(&found, &alice), "one session is one value in one process");
    assert!(is_warm(store, &id, 1_001));
    assert!(!is_known(store, &SessionId::generate(), 1_001).await, "an unknown session");
    assert!(!is_known(store, &id.renewed(), 1_001).await, "the right name with a wrong secret");
    assert!(!is_known(store, &id, 1_060).await, "idle too long");

    uses_extend_and_never_past_the_end(store).await;
    changes_are_seen_at_once(store, &alice).await;
    identifiers_are_replaced(store).await;
    operators_find_sessions(store).await;

    assert!(store.end(&found, Ending::SignedOut).await.expect("there"), "the first to end it");
    assert!(!store.end(&found, Ending::SignedOut).await.expect("there"), "already ended");
    assert!(!is_known(store, &id, 1_001).await);
    assert!(!found.is_live(Timestamp(1_001)), "also for requests that already held it");
    assert!(is_known(store, &other_id, 1_001).await, "another's session lives on");
    let late = store.change(&found, |state| Some(state.clone())).await.expect("there");
    assert_eq!(late, Changed::Over, "a change that comes too late brings nothing back");
    assert!(!is_known(store, &id, 1_001).await);

    store.sweep(Timestamp(1_001)).await.expect("there");
    assert!(is_known(store, &other_id, 1_001).await, "a sweep takes nothing that lives");
    store.sweep(Timestamp(9_000)).await.expect("there");
    assert_eq!(store.count().await.expect("there"), 0);
    assert!(!is_known(store, &other_id, 1_001).await);
}

async fn uses_extend_and_never_past_the_end(store: &Store) {
    let (id, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    store.note_use(&session, Timestamp(1_050));
    assert!(is_known(store, &id, 1_100).await);
    store.write_uses().await.expect("there");
    assert!(is_known(store, &id, 1_109).await);
    assert!(!is_known(store, &id, 1_110).await);
    for now in (1_050..1_600).step_by(30) {
        store.note_use(&session, Timestamp(now));
    }
    store.write_uses().await.expect("there");
    assert!(is_known(store, &id, 1_599).await);
    assert!(!is_known(store, &id, 1_600).await, "as old as a session may be");
    store.end(&session, Ending::SignedOut).await.expect("there");
}

async fn changes_are_seen_at_once(store: &Store, session: &Arc<Session>) {
    let credentials =
        Credentials { refresh_token: Some(Secret::new("rt-1".into())), ..(*session.credentials()).clone() };
    let credentials = Arc::new(credentials);
    let before = session.state().version;
    let changed =
        store.change(session, |state| Some(State { credentials: Arc::clone(&credentials), ..state.clone() }));
    assert_eq!(changed.await.expect("there"), Changed::Yes);
    assert_eq!(session.state().version, before + 1);
    assert!(session.credentials().refresh_token.is_some());
    assert_eq!(store.change(session, |_| None).await.expect("there"), Changed::Unneeded);
}

async fn identifiers_are_replaced(store: &Store) {
    let (old, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(store.renew(&session, &old, Timestamp(1_001)).await.expect("there").is_none(), "not due");
    let due = store.change(&session, |state| Some(State { renewal_due: Timestamp(0), ..state.clone() }));
    assert_eq!(due.await.expect("there"), Changed::Yes);

    let new = store.renew(&session, &old, Timestamp(1_002)).await.expect("there").expect("due");
    assert!(store.renew(&session, &old, Timestamp(1_002)).await.expect("there").is_none(), "on its way");
    assert!(is_known(store, &old, 1_003).await, "the new one may be lost");
    for _ in 0..2 {
        assert!(is_known(store, &new, 1_003).await);
    }
    assert!(is_warm(store, &new, 1_003), "the browser has it");
    assert!(is_known(store, &old, 1_010).await, "a request under way");
    store.note_use(&session, Timestamp(1_050));
    assert!(!is_known(store, &old, 1_063).await, "the grace is over");
    assert!(is_known(store, &new, 1_063).await);
    assert_eq!(
        session.state().renewal_due,
        Timestamp(1_003).plus(lifetimes().renewal),
        "due again much later"
    );
    store.end(&session, Ending::SignedOut).await.expect("there");
}

async fn operators_find_sessions(store: &Store) {
    let mut bob = beginning();
    bob.identity.subject = "bob".into();
    bob.identity.provider_session = Some("sid-1".into());
    bob.device = Device { agent: "Firefox".into(), address: "192.0.2.1".into() };
    let (_, session) = store.begin(bob, Timestamp(1_000)).await.expect("kept");
    let issuer = "http://localhost:3002";

    let found = store.of_person(issuer, "bob").await.expect("there");
    assert_eq!(found.iter().map(|one| one.key).collect::<Vec<_>>(), [session.key()]);
    assert_eq!(&*found[0].summary.device.agent, "Firefox");
    assert_eq!((found[0].summary.started, found[0].end), (1_000, Timestamp(1_060)));
    let by_sid = store.of_provider_session(issuer, "sid-1").await.expect("there");
    assert_eq!(by_sid.len(), 1);
    assert!(
        store.of_person("http://elsewhere", "bob").await.expect("there").is_empty(),
        "another issuer's bob"
    );
    assert!(store.of_provider_session(issuer, "bob").await.expect("there").is_empty(), "kinds do not mix");

    let mut all = Vec::new();
    let mut next = None;
    loop {
        let (page, following) = store.page(next.as_deref(), 1).await.expect("there");
        all.extend(page.into_iter().map(|one| one.key));
        next = following;
        if next.is_none() {
            break;
        }
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len() as u64, store.count().await.expect("there"), "each session once");
    store.end_all(&[session.key()], Ending::EndedByOperator).await.expect("there");
    assert!(store.of_person(issuer, "bob").await.expect("there").is_empty());
}

/// Sign-outs while other requests of the same person are under way, as pages that poll have them. What such a request
/// reads in the place just before the end is written there must not outlive that end.
async fn what_ends_beside_other_requests_stays_ended(store: &Store) {
    for round in 0..20 {
        let (id, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
        assert!(is_warm(store, &id, 1_001));
        let (ended, _) =
            tokio::join!(store.end(&session, Ending::SignedOut), store.open(&id, Timestamp(1_001)));
        assert!(ended.expect("there"));
        assert!(!is_warm(store, &id, 1_001), "round {round}: it is back in memory");
        assert!(!is_known(store, &id, 1_001).await, "round {round}: it is known again");
    }
}

#[tokio::test]
async fn memory_conforms() {
    let store = Store::in_memory(settings());
    conforms(&store).await;
    what_ends_beside_other_requests_stays_ended(&store).await;
}

#[tokio::test]
async fn a_shared_place_conforms() {
    conforms(&Fleet::new().gateway()).await;
}

#[tokio::test]
async fn a_file_conforms_and_outlives_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions.db");
    let key = super::super::vault::ServerKey::generate();
    let open = || {
        let settings = Settings { vault: Arc::new(Vault::new(&key, &[])), ..settings() };
        Store::in_file(settings, file::File::open(&path).expect("opened"))
    };
    let store = open();
    conforms(&store).await;
    what_ends_beside_other_requests_stays_ended(&store).await;
    drop(store);
    let (id, _) = open().begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&open(), &id, 1_001).await);
}

/// A store on a real server, which answers before this returns.
fn on_redis(server: &redis::testing::Server, settings: Settings) -> Store {
    let redis = redis::settings::Settings::single(&server.url()).expect("an address");
    let store = Store::in_redis(settings, redis, &tokio::runtime::Handle::current()).expect("usable");
    redis::testing::until("the server is there", || store.is_ready());
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_conforms() {
    let server = redis::testing::Server::start(&[]);
    let store = on_redis(&server, settings());
    conforms(&store).await;
    what_ends_beside_other_requests_stays_ended(&store).await;
}

/// A browser that goes away takes the work with it that was to sign it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_was_broken_off_is_finished() {
    let server = redis::testing::Server::start(&[]);
    let key = super::super::vault::ServerKey::generate();
    let gateway = || on_redis(&server, Settings { vault: Arc::new(Vault::new(&key, &[])), ..settings() });
    let (one, two) = (gateway(), gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&two, &id, 1_001).await && is_warm(&two, &id, 1_001));
    // Broken off after the first step, wherever that ends.
    let _ = futures_util::FutureExt::now_or_never(one.end(&session, Ending::SignedOut));
    assert!(!is_known(&one, &id, 1_001).await);
    one.finish_ends().await.expect("there");
    redis::testing::until("the news is heard", || !is_warm(&two, &id, 1_001));
    assert!(!is_known(&two, &id, 1_001).await && !is_known(&one, &id, 1_001).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_on_one_redis_are_one() {
    let server = redis::testing::Server::start(&[]);
    let key = super::super::vault::ServerKey::generate();
    let gateway = || on_redis(&server, Settings { vault: Arc::new(Vault::new(&key, &[])), ..settings() });
    let (one, two) = (gateway(), gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&two, &id, 1_001).await && is_warm(&two, &id, 1_001));
    one.end(&session, Ending::SignedOut).await.expect("there");
    redis::testing::until("the news is heard", || !is_warm(&two, &id, 1_001));
    assert!(!is_known(&two, &id, 1_001).await);
}

#[tokio::test]
async fn sessions_are_the_same_on_every_gateway() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.gateway(), fleet.gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&two, &id, 1_001).await);
    assert!(is_warm(&two, &id, 1_001), "looked up once");

    one.end(&session, Ending::SignedOut).await.expect("there");
    assert!(!is_known(&two, &id, 1_001).await, "dead at once everywhere");
}

#[tokio::test]
async fn where_news_stopped_before_anybody_noticed_nothing_in_memory_is_trusted() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.gateway(), fleet.gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&two, &id, 1_001).await && is_warm(&two, &id, 1_001));
    fleet.place.set_silent(true);
    assert!(!is_warm(&two, &id, 1_001), "it may have ended");
    assert!(is_known(&two, &id, 1_001).await, "but has not");
    let held = ask(&two, &id, 1_001).await.expect("there").expect("known");
    one.end(&session, Ending::SignedOut).await.expect("there");
    assert_eq!(two.standing(&held, Timestamp(1_001)), Standing::Unsure);
    assert!(!is_known(&two, &id, 1_001).await);
}

#[tokio::test]
async fn a_restart_keeps_sessions() {
    let fleet = Fleet::new();
    let (id, _) = fleet.gateway().begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&fleet.gateway(), &id, 1_001).await);
}

#[tokio::test]
async fn a_warm_session_needs_no_look_at_the_place() {
    let fleet = Fleet::new();
    let store = fleet.gateway();
    let (id, _) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    for _ in 0..100 {
        assert!(is_warm(&store, &id, 1_001));
    }
    assert_eq!(fleet.place.loads(), 0);
}

#[tokio::test]
async fn what_one_gateway_changes_another_looks_up() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.gateway(), fleet.gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let copy = ask(&two, &id, 1_001).await.expect("there").expect("known");
    changes_are_seen_at_once(&one, &session).await;
    assert!(!is_warm(&two, &id, 1_001), "there is news of it");
    let again = ask(&two, &id, 1_001).await.expect("there").expect("known");
    assert!(Arc::ptr_eq(&copy, &again));
    assert!(copy.credentials().refresh_token.is_some());
}

#[tokio::test]
async fn changes_of_two_gateways_do_not_undo_each_other() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.gateway(), fleet.gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let copy = ask(&two, &id, 1_001).await.expect("there").expect("known");
    let due = |state: &State| Some(State { renewal_due: Timestamp(77), ..state.clone() });
    assert_eq!(one.change(&session, due).await.expect("there"), Changed::Yes);
    changes_are_seen_at_once_on_stale(&two, &copy).await;
    one.reload(&session).await.expect("there");
    assert_eq!(session.state().renewal_due, Timestamp(77));
    assert!(session.credentials().refresh_token.is_some());
}

async fn changes_are_seen_at_once_on_stale(store: &Store, session: &Arc<Session>) {
    let changed = store.change(session, |state| {
        let refresh_token = Some(Secret::new("rt-1".into()));
        let credentials = Credentials { refresh_token, ..(*state.credentials).clone() };
        Some(State { credentials: Arc::new(credentials), ..state.clone() })
    });
    assert_eq!(changed.await.expect("there"), Changed::Yes);
}

#[tokio::test]
async fn a_use_at_one_gateway_keeps_the_session_at_another() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.gateway(), fleet.gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(is_known(&two, &id, 1_001).await);
    one.note_use(&session, Timestamp(1_055));
    one.write_uses().await.expect("there");
    assert!(is_known(&two, &id, 1_100).await);
    assert!(!is_known(&two, &id, 1_115).await);
}

#[tokio::test]
async fn while_the_place_is_away_nobody_is_anybody_and_afterwards_everybody_is_back() {
    let fleet = Fleet::new();
    let store = fleet.gateway();
    let (id, _) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    fleet.place.set_down(true);
    assert!(!store.is_ready());
    assert!(matches!(ask(&store, &id, 1_001).await, Err(StoreError::Unreachable(_))));
    assert!(store.begin(beginning(), Timestamp(1_001)).await.is_err());
    fleet.place.set_down(false);
    assert!(store.is_ready());
    assert!(is_known(&store, &id, 1_001).await);
}

#[tokio::test]
async fn a_copy_that_takes_over_is_told_again_what_ended() {
    let fleet = Fleet::new();
    let store = fleet.gateway();
    let (id, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let copy = fleet.place.dump().remove(0);
    store.end(&session, Ending::SignedOut).await.expect("there");
    fleet.set_down(true);
    fleet.place.create(id.key(), &copy).await.expect_err("away");
    fleet.set_down(false);
    fleet.place.create(id.key(), &copy).await.expect("the copy never heard of the end");
    assert!(is_known(&fleet.gateway(), &id, 1_001).await);
    store.finish_ends().await.expect("there");
    assert!(!is_known(&store, &id, 1_001).await && !is_known(&fleet.gateway(), &id, 1_001).await);
}

#[tokio::test]
async fn a_session_ended_while_the_place_is_away_stays_ended() {
    let fleet = Fleet::new();
    let store = fleet.gateway();
    let (id, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    fleet.place.set_down(true);
    assert!(store.end(&session, Ending::InvalidGrant).await.is_err());
    fleet.place.set_down(false);
    assert!(!is_known(&store, &id, 1_001).await, "although the place still has it");
    store.finish_ends().await.expect("there");
    assert_eq!(fleet.place.dump().len(), 0);
    assert!(!is_known(&fleet.gateway(), &id, 1_001).await);
}

#[tokio::test]
async fn a_copy_of_the_place_opens_nothing() {
    let fleet = Fleet::new();
    let mut secret = beginning();
    secret.identity.subject = "canary-subject".into();
    secret.credentials.id_token = Secret::new("canary-id-token".into());
    secret.credentials.refresh_token = Some(Secret::new("canary-refresh-token".into()));
    let store = fleet.gateway();
    let (id, _) = store.begin(secret, Timestamp(1_000)).await.expect("kept");
    let dump = fleet.place.dump();
    let text: String = dump
        .iter()
        .flat_map(|stored| [&stored.body, &stored.summary])
        .map(|bytes| String::from_utf8_lossy(bytes))
        .collect();
    assert!(!text.contains("canary") && !text.contains("localhost"));

    // Somebody else's key, the same place: neither the cookie nor the operator's listing opens it.
    let stranger = Fleet { place: Arc::clone(&fleet.place), ..Fleet::new() }.gateway();
    assert!(!is_known(&stranger, &id, 1_001).await);
    assert!(stranger.page(None, 10).await.expect("there").0.is_empty());
    assert!(is_known(&fleet.gateway(), &id, 1_001).await);
}

#[tokio::test]
async fn server_keys_are_replaced_by_overlap() {
    use super::super::vault::ServerKey;
    let fleet = Fleet::new();
    let (id, _) = fleet.gateway().begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let new = ServerKey::generate();
    let overlap = fleet.gateway_with(|settings| Settings {
        vault: Arc::new(Vault::new(&new, &[fleet_key(&fleet)])),
        ..settings
    });
    assert!(is_known(&overlap, &id, 1_001).await);
    assert_eq!(overlap.of_person("http://localhost:3002", "alice").await.expect("there").len(), 1);
    let after =
        fleet.gateway_with(|settings| Settings { vault: Arc::new(Vault::new(&new, &[])), ..settings });
    assert!(is_known(&after, &id, 1_001).await, "it was locked anew when it was used");
    assert_eq!(
        after.of_person("http://localhost:3002", "alice").await.expect("there").len(),
        1,
        "and is found"
    );

    let (unused, _) = fleet.gateway().begin(beginning(), Timestamp(1_000)).await.expect("kept");
    assert!(!is_known(&after, &unused, 1_001).await, "what nobody used in time is gone");
}

fn fleet_key(fleet: &Fleet) -> super::super::vault::ServerKey {
    super::super::vault::ServerKey::parse(fleet.key.to_text().expose()).expect("its own text")
}

#[tokio::test]
async fn one_gateway_refreshes_at_a_time() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.gateway(), fleet.gateway());
    let (id, session) = one.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let copy = ask(&two, &id, 1_001).await.expect("there").expect("known");
    let ttl = Duration::from_secs(4);
    // Right after the place came back nobody may: whoever refreshed before writes down first what came of it.
    assert!(!one.lease(&session, [1; 16], ttl).await.expect("there"));
    settle(&one);
    settle(&two);
    assert!(one.lease(&session, [1; 16], ttl).await.expect("there"));
    assert!(one.lease(&session, [1; 16], ttl).await.expect("there"), "its own, for longer");
    assert!(!two.lease(&copy, [2; 16], ttl).await.expect("there"));
    one.release(&session, [1; 16]).await.expect("there");
    assert!(two.lease(&copy, [2; 16], ttl).await.expect("there"));
}

#[tokio::test]
async fn a_person_has_so_many_sessions_and_no_more() {
    let store = Store::in_memory(Settings { max_per_person: NonZeroUsize::new(2), ..settings() });
    let (first, _) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let (second, _) = store.begin(beginning(), Timestamp(1_001)).await.expect("kept");
    assert!(is_known(&store, &first, 1_002).await);
    let mut bob = beginning();
    bob.identity.subject = "bob".into();
    let (other, _) = store.begin(bob, Timestamp(1_001)).await.expect("kept");
    let (third, _) = store.begin(beginning(), Timestamp(1_002)).await.expect("kept");
    assert!(!is_known(&store, &first, 1_003).await, "the oldest makes room");
    assert!(is_known(&store, &second, 1_003).await && is_known(&store, &third, 1_003).await);
    assert!(is_known(&store, &other, 1_003).await, "another person's");
}

#[tokio::test]
async fn a_token_of_a_changed_configuration_is_got_anew() {
    let fleet = Fleet::new();
    let spec = |scopes: &str| Arc::new(TokenSpec::user("read", scopes.parse().expect("valid")));
    let header = HeaderValue::from_static("Bearer x");
    let held = Held::new(&spec("a"), header, [Timestamp(1_000), Timestamp(5_000)], true);
    let mut begun = beginning();
    begun.credentials.access = vec![held];
    let with =
        |scopes: &str| fleet.gateway_with(|settings| Settings { tokens: vec![spec(scopes)], ..settings });
    let (id, _) = with("a").begin(begun, Timestamp(1_000)).await.expect("kept");
    let (same, other) = (with("a"), with("b"));
    let found = ask(&same, &id, 1_001).await.expect("there").expect("known");
    assert!(found.credentials().held(&same.settings.load().tokens[0]).is_some());
    let found = ask(&other, &id, 1_001).await.expect("there").expect("known");
    assert!(found.credentials().access.is_empty());
}

#[tokio::test]
async fn what_is_not_in_use_leaves_memory_and_comes_back() {
    let fleet = Fleet::new();
    let lifetimes =
        Lifetimes { idle: Duration::from_secs(5_000), absolute: Duration::from_secs(50_000), ..lifetimes() };
    let store = fleet.gateway_with(|settings| Settings { lifetimes, ..settings });
    let (id, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    store.sweep(Timestamp(2_000)).await.expect("there");
    assert_eq!(store.count_warm(), 1, "somebody holds it and must hear of its end");
    drop(session);
    store.sweep(Timestamp(3_000)).await.expect("there");
    assert_eq!(store.count_warm(), 0);
    assert!(is_known(&store, &id, 3_001).await);
}

#[tokio::test]
async fn what_begins_and_ends_and_is_asked_is_counted() {
    let fleet = Fleet::new();
    for store in [Store::in_memory(settings()), fleet.gateway()] {
        let (_, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
        store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
        store.measure().await.expect("there");
        let must_say = |line: &str| {
            let text = store.metrics.text(crate::metrics::Format::OpenMetrics);
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        };
        must_say("gateway_sessions_created_total 2");
        must_say(&format!("gateway_sessions_live{{store=\"{}\"}} 2", store.name()));
        must_say(&format!("gateway_session_store_up{{store=\"{}\"}} 1", store.name()));
        must_say("gateway_sessions_in_memory 2");
        assert!(store.end(&session, Ending::SignedOut).await.expect("there"));
        store.end(&session, Ending::SignedOut).await.expect("there");
        store.sweep(Timestamp(1_100)).await.expect("there");
        store.measure().await.expect("there");
        must_say("gateway_sessions_ended_total{reason=\"signed_out\"} 1");
        must_say("gateway_sessions_ended_total{reason=\"idle\"} 1");
        must_say(&format!("gateway_sessions_live{{store=\"{}\"}} 0", store.name()));
        let creations = if store.durable().is_some() { 2 } else { 0 };
        must_say(&format!(
            "gateway_session_store_operations_total{{operation=\"create\",result=\"ok\"}} {creations}"
        ));
    }
}

#[tokio::test]
async fn a_place_without_room_is_rid_of_what_is_over_all_the_same() {
    let fleet = Fleet::new();
    let store = fleet.gateway();
    store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let (_, used) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    store.note_use(&used, Timestamp(1_050));
    store.write_uses().await.expect("there");
    fleet.place.set_full(true);
    for now in 1_090..1_100 {
        store.note_use(&used, Timestamp(now));
        assert!(store.tend(Timestamp(now)).await.is_err(), "the use is not written");
    }
    assert_eq!(store.count().await.expect("there"), 1);
    assert_eq!(store.unwritten.lock().expect("whole").len(), 1);
    fleet.place.set_full(false);
    store.tend(Timestamp(1_100)).await.expect("there");
    assert_eq!(store.unwritten.lock().expect("whole").len(), 0);
}

#[tokio::test]
async fn whoever_can_write_to_the_place_cannot_make_a_session_live_longer() {
    let fleet = Fleet::new();
    let store = fleet.gateway();
    let (id, session) = store.begin(beginning(), Timestamp(1_000)).await.expect("kept");
    let stored = fleet.place.dump().remove(0);
    let open = |stored: &backend::Stored| {
        let opened = record::open(&store.vault(), &id, stored, &[], Timestamp(1_001));
        opened.map(|opened| opened.session.lifetimes())
    };
    assert_eq!(open(&stored), Some(session.lifetimes()));
    let year = Duration::from_hours(365 * 24);
    let longer = backend::Stored { idle: year, absolute_end: Timestamp(1_000).plus(year), ..stored.clone() };
    assert_eq!(open(&longer), Some(session.lifetimes()));
    let for_ever = backend::Stored { absolute_end: Timestamp(i64::MAX), ..stored.clone() };
    assert_eq!(open(&for_ever), Some(session.lifetimes()));
    let shorter = backend::Stored { absolute_end: Timestamp(1_300), ..stored };
    assert_eq!(open(&shorter).map(|lasts| lasts.absolute), Some(Duration::from_secs(300)));
}
