//! A signed-in person, made without a provider: what `sessions.rs` makes by the million and `instructions.rs` once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gateway::clock::Timestamp;
use gateway::live::Live;
use gateway::origin::OriginTag;
use gateway::secret::Secret;
use gateway::session::{Beginning, Credentials, Device, Held, Identity, SessionId};
use serde_json::{Map, Value, json};

/// Bytes of the tokens of one session, as providers write them.
pub(super) const ID_TOKEN: usize = 700;
pub(super) const REFRESH_TOKEN: usize = 300;
pub(super) const ACCESS_TOKEN: usize = 900;
/// The session cookie's name on plain http.
pub(super) const COOKIE: &str = "gateway-session";
/// The token that every person holds.
pub(super) const TOKEN: &str = "todo-read";

/// Signs in person number `number`.
pub(super) async fn begin(live: &Live, number: usize) -> anyhow::Result<SessionId> {
    let spec = live.token_specs.iter().find(|spec| spec.name == TOKEN);
    let spec = spec.context("the configuration has no such token")?;
    let now = live.clock.now();
    let authorization = format!("Bearer ey{number:0>width$}", width = ACCESS_TOKEN - 2);
    let mut authorization = http::HeaderValue::from_str(&authorization)?;
    authorization.set_sensitive(true);
    let expires = now.plus(Duration::from_secs(7 * 24 * 3_600));
    let held = Held::new(spec, authorization, [now, expires], true);
    let credentials = Credentials {
        id_token: Secret::new(format!("{number:0>ID_TOKEN$}")),
        refresh_token: Some(Secret::new(format!("{number:0>REFRESH_TOKEN$}"))),
        access: vec![held],
    };
    let device = Device {
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        address: "192.0.2.17".into(),
    };
    let beginning =
        Beginning { identity: identity(live, number)?, credentials, device, origin: OriginTag::default() };
    let (id, _) = live.sessions.begin(beginning, now).await?;
    Ok(id)
}

/// A person as Entra External ID describes one.
fn identity(live: &Live, number: usize) -> anyhow::Result<Identity> {
    // One text, as in the gateway, where it is the configuration's: nobody else's people are let in.
    let provider = live.providers.at(0).context("the configuration has no provider")?;
    let issuer = &provider.settings().issuer;
    let claims = json!({
        "sub": format!("{number:0>43}"),
        "oid": format!("{number:0>36}"),
        "tid": "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0",
        "name": format!("Person Number {number}"),
        "preferred_username": format!("person-{number}@example.com"),
        "email": format!("person-{number}@example.com"),
        "roles": ["Reader"],
    });
    let claims = match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    };
    Ok(Identity {
        provider: Arc::clone(issuer),
        issuer: Arc::clone(issuer),
        provider_session: None,
        asserted: Timestamp(1_800_000_000),
        subject: format!("{number:0>43}"),
        claims: claims.into(),
        granted: "openid profile email".parse().unwrap_or_default(),
    })
}
