//! Sentinels name the master, also the next one.

use super::super::settings::Mode;
use super::super::testing::until;
use super::*;
use crate::secret::Secret;

/// A replica that has everything its master has.
fn replica_of(master: &Server) -> Server {
    let port = master.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    until("the replica is in step", || {
        replica.ask::<String>(&["INFO", "replication"]).contains("link_status:up")
    });
    replica
}

fn master() -> Server {
    Server::start(&["--repl-diskless-sync-delay", "0"])
}

fn knows_the_replica(sentinel: &Server) -> bool {
    sentinel.ask::<String>(&["INFO", "sentinel"]).contains("slaves=1")
}

fn by_way_of(addresses: &[String]) -> Settings {
    Settings::sentinel(addresses, "mymaster").expect("addresses")
}

#[tokio::test]
async fn when_the_master_dies_sessions_go_on_at_its_successor() {
    let mut first = master();
    let second = replica_of(&first);
    let sentinel = Server::sentinel(&first, "");
    until("the Sentinel knows both", || knows_the_replica(&sentinel));
    // One of the Sentinels is down; the other does.
    let mut down = Server::start(&[]);
    down.stop();
    let gateway = Gateway::live(by_way_of(&[down.address(), sentinel.address()])).await;
    let stored = session();
    let key = created(&gateway.redis, &stored).await;
    until("the replica has it", || second.ask::<u64>(&["DBSIZE"]) == first.ask::<u64>(&["DBSIZE"]));
    gateway.forget();
    first.stop();
    gateway.hears(News::Lost).await;
    gateway.hears(News::Live).await;
    assert_eq!(load(&gateway.redis, key).await, Some(stored.clone()));
    assert!(gateway.redis.replace(key, &next(&stored)).await.expect("the successor takes writes"));
    assert_eq!(
        second.ask::<u64>(&["EXISTS", &String::from_utf8(gateway.redis.layout.session(key)).expect("ASCII")]),
        1
    );
}

#[tokio::test]
async fn a_master_that_is_demoted_is_left() {
    let first = master();
    let second = replica_of(&first);
    let sentinel = Server::sentinel(&first, "");
    until("the Sentinel knows both", || knows_the_replica(&sentinel));
    let gateway = Gateway::live(by_way_of(&[sentinel.address()])).await;
    until("the Sentinel finds the replica good enough", || {
        sentinel.try_ask::<()>(&["SENTINEL", "FAILOVER", "mymaster"]).is_ok()
    });
    let named = || sentinel.ask::<(String, u16)>(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
    until("the Sentinel names the other", || named().1 == second.port);
    // The Sentinel does so by itself, some seconds later. Nobody is disconnected: only writes tell.
    first.ask::<()>(&["REPLICAOF", "127.0.0.1", &second.port.to_string()]);
    let key = new_key();
    eventually("writes work", async || gateway.redis.create(key, &session()).await.is_ok()).await;
    let name = String::from_utf8(gateway.redis.layout.session(key)).expect("ASCII");
    assert_eq!(second.ask::<u64>(&["EXISTS", &name]), 1);
}

#[tokio::test]
async fn sentinels_have_a_password_of_their_own() {
    let master = Server::start(&["--requirepass", "one"]);
    let sentinel = Server::sentinel(&master, "requirepass two\nsentinel auth-pass mymaster one");
    let with = |own: &str, masters: &str| {
        let mut settings = by_way_of(&[sentinel.address()]);
        settings.password = Some(Secret::new(masters.to_owned()));
        if let Mode::Sentinel(sentinels) = &mut settings.mode {
            sentinels.password = Some(Secret::new(own.to_owned()));
        }
        settings
    };
    let gateway = Gateway::live(with("two", "one")).await;
    created(&gateway.redis, &session()).await;
    for wrong in [with("one", "one"), with("two", "two")] {
        assert!(is_unreachable(&Gateway::start(wrong).redis.load(new_key()).await));
    }
    let mut unknown = with("two", "one");
    if let Mode::Sentinel(sentinels) = &mut unknown.mode {
        sentinels.master = "other".to_owned();
    }
    assert!(is_unreachable(&Gateway::start(unknown).redis.load(new_key()).await));
}
