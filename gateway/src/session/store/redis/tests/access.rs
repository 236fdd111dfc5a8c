//! Who may come in: passwords, users with few rights, TLS.

use super::super::settings::Tls;
use super::super::testing::Authority;
use super::*;
use crate::secret::Secret;

/// Everything that a gateway asks of a server.
const COMMANDS: &str = "+hmget +hset +hdel +del +expire +ttl +get +set +sadd +srem +smembers +zadd +zrem +zcard +zcount \
    +zrange +zrangebyscore +eval +evalsha +publish +subscribe";

fn word(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A whole session's life.
async fn everything_works(redis: &Redis) {
    let stored = session();
    let key = created(redis, &stored).await;
    redis.touch(&[(key, Timestamp(1_001))]).await.expect("touch");
    assert!(redis.replace(key, &next(&stored)).await.expect("replace"));
    assert_eq!(redis.of(stored.subject).await.expect("of"), [key]);
    assert_eq!(redis.page(None, 5).await.expect("page").sessions.len(), 1);
    assert_eq!(redis.count().await.expect("count"), 1);
    assert!(redis.lease(key, [1; 16], Duration::from_secs(1)).await.expect("lease"));
    redis.release(key, [1; 16]).await.expect("release");
    assert!(redis.claim(&[7; 32], Duration::from_millis(1)).await.expect("claim"));
    assert_eq!(redis.expire(Timestamp(5_000), 5).await.expect("expire").len(), 1);
    let again = created(redis, &stored).await;
    assert_eq!(redis.end(&[again]).await.expect("end"), [again]);
}

async fn stays_out(settings: Settings) {
    let gateway = Gateway::start(settings);
    assert!(is_unreachable(&within_a_second(gateway.redis.load(new_key())).await));
    assert_eq!(gateway.heard(), []);
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let server = Server::start(&["--requirepass", "right"]);
    let with = |password| Settings { password, ..single(&server) };
    everything_works(&Gateway::live(with(Some(word("right")))).await.redis).await;
    stays_out(with(Some(word("wrong")))).await;
    stays_out(with(None)).await;
}

#[tokio::test]
async fn a_user_who_may_do_what_a_gateway_does_suffices() {
    let rule = format!("user gateway on >word ~gateway:* &gateway:* {COMMANDS}");
    let server = Server::start_with("--port", &[], |folder| {
        std::fs::write(folder.join("redis.conf"), format!("user default off\n{rule}\n")).expect("a file");
    });
    let with = |name: &str, password| Settings {
        username: Some(name.to_owned()),
        password: Some(word(password)),
        ..single(&server)
    };
    everything_works(&Gateway::live(with("gateway", "word")).await.redis).await;
    stays_out(with("gateway", "wrong")).await;
    stays_out(with("other", "word")).await;
    let outside = Settings { prefix: "elsewhere:".to_owned(), ..with("gateway", "word") };
    stays_out(outside).await;
}

#[tokio::test]
async fn tls_with_a_private_authority_works_and_nothing_less_does() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.server(&["--port", "0"]);
    let trusting = |host: &str, pem| Settings {
        tls: Some(Tls { private_ca: Some(pem) }),
        ..Settings::single(&format!("rediss://{host}:{}", server.port)).expect("an address")
    };
    everything_works(&Gateway::live(trusting("localhost", authority.pem())).await.redis).await;
    stays_out(trusting("localhost", stranger.pem())).await;
    stays_out(trusting("127.0.0.1", authority.pem())).await;
    stays_out(single(&server)).await;
}

#[tokio::test]
async fn an_authority_that_is_none_is_refused_at_once() {
    for pem in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let mut settings = Settings::single("rediss://localhost").expect("an address");
        settings.tls = Some(Tls { private_ca: Some(pem.to_vec()) });
        assert!(matches!(Gateway::try_start(settings), Err(SetupError::PrivateCa)));
    }
    let mut settings = Settings::single("rediss://localhost").expect("an address");
    settings.tls = Some(Tls { private_ca: Some(Authority::new().pem()) });
    assert!(Gateway::try_start(settings).is_ok());
}
