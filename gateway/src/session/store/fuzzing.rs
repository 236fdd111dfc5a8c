//! A place that lies: what comes back is not what was written. See [`crate::fuzzing`].

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::origin::OriginTag;
use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::session::id::SessionId;
use crate::session::vault::{DataKey, Vault, Wrap};
use crate::session::{Beginning, Credentials, Device, Identity, Lifetimes, Session};

use super::backend::Stored;
use super::record::{self, Opened, Summary};

const NOW: Timestamp = Timestamp(1_800_000_000);
/// What of a body stands in front of the sealed part, where there is one door.
const HEADER: usize = 2 + Wrap::LENGTH;

/// One session as it was written, and what opens it.
struct Kept {
    vault: Vault,
    id: SessionId,
    data_key: DataKey,
    session: Session,
    stored: Stored,
}

static KEPT: LazyLock<Kept> = LazyLock::new(|| {
    let (vault, id, data_key) = (Vault::generate(), SessionId::generate(), DataKey::generate());
    let wrap = vault.wrap(id.key(), id.secret(), &data_key);
    let claims = json!({ "name": "Alice Adams", "roles": ["admin"] });
    let beginning = Beginning {
        identity: Identity {
            provider: "http://localhost:3002".into(),
            issuer: "http://localhost:3002".into(),
            subject: "alice".to_owned(),
            claims: claims.as_object().cloned().unwrap_or_default().into(),
            granted: ScopeSet::default(),
            provider_session: Some("s-1".to_owned()),
            asserted: NOW,
        },
        credentials: Credentials {
            id_token: Secret::new("id".to_owned()),
            refresh_token: Some(Secret::new("rt".to_owned())),
            access: Vec::new(),
        },
        device: Device::default(),
        origin: OriginTag(7),
    };
    let lifetimes = Lifetimes {
        idle: Duration::from_hours(1),
        absolute: Duration::from_hours(8),
        renewal: Duration::from_mins(15),
    };
    let session = Session::start(&id, beginning, lifetimes, NOW, Some((data_key.clone(), wrap)));
    let stored = record::write(&vault, &session, &session.state());
    Kept { vault, id, data_key, session, stored }
});

/// The first byte says what the rest is: a body, or (1) what a gateway sealed, or (2) nothing, and the body is the one
/// that was written. Between them stand what the place alone says: version, last use, idle time and end, of eight bytes.
pub(crate) fn stored_record(data: &[u8]) -> bool {
    let Some((&[kind], rest)) = data.split_first_chunk() else {
        return false;
    };
    let Some((numbers, rest)) = rest.split_first_chunk::<32>() else {
        return false;
    };
    let mut numbers = numbers.as_chunks::<8>().0.iter().copied();
    let mut number = || numbers.next().unwrap_or_default();
    let genuine = &KEPT.stored;
    let body = match kind {
        1 => sealed(rest),
        2 => genuine.body.clone(),
        _ => rest.to_vec(),
    };
    let stored = Stored {
        version: u64::from_le_bytes(number()),
        last_used: Timestamp(i64::from_le_bytes(number())),
        idle: Duration::from_secs(u64::from_le_bytes(number())),
        absolute_end: Timestamp(i64::from_le_bytes(number())),
        summary: rest.to_vec(),
        body,
        ..genuine.clone()
    };
    check(kind, &stored)
}

/// As a gateway of the same keys would have sealed it, whatever it is.
fn sealed(plain: &[u8]) -> Vec<u8> {
    let header = &KEPT.stored.body[..HEADER];
    let sealed = KEPT.vault.seal_body(&KEPT.data_key, KEPT.id.key(), header, plain);
    [header, &sealed].concat()
}

fn check(kind: u8, stored: &Stored) -> bool {
    let Kept { vault, id, session, .. } = &*KEPT;
    assert_eq!(Summary::open(vault, id.key(), &stored.summary), None, "a forged summary");
    let is_genuine = stored.body == KEPT.stored.body;
    let state = record::reopen(vault, session, stored, &[]);
    assert!(kind == 1 || is_genuine || state.is_none(), "a forged body");
    assert!(!is_genuine || state.is_some(), "what was written is not read");
    assert!(
        record::open(vault, &id.renewed(), stored, &[], NOW).is_none(),
        "a stranger's identifier opens it"
    );
    assert!(record::open(vault, &SessionId::generate(), stored, &[], NOW).is_none());
    let Some(Opened { session, .. }) = record::open(vault, id, stored, &[], NOW) else {
        return false;
    };
    assert!(kind == 1 || is_genuine, "a forged body");
    // Whatever moments the place makes up, they can be reckoned with.
    let ends = [session.idle_end(), session.absolute_end(), stored.end()];
    assert!(ends[0] <= ends[1], "{ends:?}");
    assert!(!session.is_live(session.absolute_end()));
    assert!(session.absolute_end() <= stored.absolute_end, "it lives longer than anybody said");
    if is_genuine {
        assert!(session.identity().subject == "alice" && session.started() == NOW);
        let (sealed, lives) = (KEPT.session.lifetimes(), session.lifetimes());
        assert!(
            lives.idle <= sealed.idle && lives.absolute <= sealed.absolute,
            "it lives longer than was sealed"
        );
    }
    // What was read is written the same, but for what is random.
    let again = record::write(vault, &session, &session.state());
    let opened = record::open(vault, id, &again, &[], NOW).expect("what was written opens");
    assert_eq!(Summary::of(&opened.session), Summary::of(&session));
    assert_eq!(opened.session.identity().claims, session.identity().claims);
    assert_eq!(opened.session.state().version, stored.version);
    true
}

pub(crate) fn stored_records() -> Vec<Vec<u8>> {
    let genuine = &KEPT.stored;
    let numbers = |last_used: i64, idle: u64, end: i64| {
        [1_u64.to_le_bytes(), last_used.to_le_bytes(), idle.to_le_bytes(), end.to_le_bytes()].concat()
    };
    let sound = numbers(NOW.0, 3_600, NOW.0 + 28_800);
    let seed = |kind: u8, numbers: &[u8], rest: &[u8]| [&[kind], numbers, rest].concat();
    let plain = KEPT
        .vault
        .open_body(&KEPT.data_key, KEPT.id.key(), &genuine.body[..HEADER], &genuine.body[HEADER..])
        .expect("what was written");
    let with = |name: &str, value: Value| {
        let mut wire: Map<String, Value> = serde_json::from_slice(&plain).expect("JSON");
        wire.insert(name.to_owned(), value);
        seed(1, &sound, Value::Object(wire).to_string().as_bytes())
    };
    vec![
        seed(2, &sound, b""),
        seed(1, &sound, &plain),
        seed(0, &sound, &genuine.body[..genuine.body.len() - 1]),
        seed(0, &sound, &[1, 255]),
        seed(0, &sound, b""),
        // The end of time, and the moment before its beginning.
        seed(2, &numbers(i64::MAX, u64::MAX, i64::MAX), b""),
        seed(2, &numbers(i64::MIN, 0, i64::MIN), b""),
        with("started", json!(i64::MIN)),
        with("renewal", json!(u64::MAX)),
        with("claims", json!({ "deep": [[[[1e300]]]] })),
        with("granted", json!("openid profile")),
        with("pending", json!(["AAAA", 1])),
        with(
            "tokens",
            json!({
                "id_token": "", "refresh_token": null,
                "access": [{ "name": "a", "fingerprint": "b", "authorization": "c", "renew_from": 0, "expires": 1, "suffices": true }],
            }),
        ),
    ]
}
