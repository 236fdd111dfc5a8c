//! Starting, stopping, and who may ask at all.

use std::net::TcpListener;

use dev_idp::{Clock, Endpoint, Face, Options, StartError};
use http::Method;

use crate::app::{App, tenant};
use crate::browser::send;

#[tokio::test]
async fn it_refuses_to_listen_beyond_loopback() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let outcome = dev_idp::start(Options { listener, tenant: tenant(), clock: Clock::system() }).await;
    let Err(StartError::NotLoopback(address)) = outcome else { panic!("it must not start") };
    assert!(address.ip().is_unspecified());
}

#[tokio::test]
async fn a_request_for_another_host_is_misdirected() {
    let app = App::start().await;
    let metadata = app.url(Endpoint::Metadata);
    let evil =
        send(Method::GET, &metadata, &[("host", "evil.example")], String::new()).await.expect("an answer");
    assert_eq!(evil.status, 421);
    let right = send(Method::GET, &metadata, &[], String::new()).await.expect("an answer");
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn it_stops_when_told_to_and_when_dropped() {
    let app = App::start().await;
    let port = app.url(Endpoint::Metadata).port().expect("a port");
    app.idp.stop().await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn both_faces_describe_themselves_as_they_should() {
    let mut app = App::start().await;
    let plain = app.get(Endpoint::Metadata, &[]).await.json();
    assert_eq!(plain["issuer"], app.idp.issuer());
    assert_eq!(plain["code_challenge_methods_supported"][0], "S256");
    assert_eq!(plain["authorization_response_iss_parameter_supported"], true);
    assert!(
        plain["prompt_values_supported"].as_array().is_some_and(|values| values.contains(&"create".into()))
    );
    assert!(plain["revocation_endpoint"].is_string());

    app.face = Face::Entra;
    assert_eq!(app.url(Endpoint::Metadata).as_str(), app.idp.entra_metadata_url());
    let entra = app.get(Endpoint::Metadata, &[]).await.json();
    assert_eq!(entra["issuer"], app.idp.entra_issuer());
    assert!(app.idp.entra_issuer().contains(".localhost:"), "the issuer's host is not the metadata's");
    for absent in ["revocation_endpoint", "code_challenge_methods_supported", "prompt_values_supported"] {
        assert!(entra.get(absent).is_none(), "{absent}");
    }
    let keys = app.get(Endpoint::Keys, &[]).await.json();
    assert!(keys["keys"][0].get("alg").is_none() && keys["keys"][0]["issuer"] == app.idp.entra_issuer());
}
