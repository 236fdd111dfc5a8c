//! Encrypted connections to a server that must prove its name, with a certificate authority of one's own.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;

/// A server with a certificate for this name, and the authority that made it.
fn certified(name: &str) -> (PostgresServer, PathBuf) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("sound");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).expect("signs").pem();
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .expect("sound")
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .expect("signs");
    let mut server = PostgresServer::prepared(
        "ssl = on\nssl_cert_file = 'FOLDER/server.pem'\nssl_key_file = 'FOLDER/server.key'",
    );
    let ca_file = server.folder().join("ca.pem");
    std::fs::write(&ca_file, authority_pem).expect("written");
    server.give("server.pem", &certificate.pem());
    server.give("server.key", &key.serialize_pem());
    server.start();
    server.database_of("todo", "somebody", "pw");
    (server, ca_file)
}

async fn trouble(server: &PostgresServer, tls: bool, ca: Option<PathBuf>) -> Option<String> {
    let settings = PostgresSettings {
        login: Some(login("somebody", Some(password(server, "pw", "pw")))),
        tls: Some(tls),
        ca,
        ..PostgresSettings::default()
    };
    match Postgres::migrate(&server.url("todo"), &settings).await {
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test]
async fn a_server_whose_certificate_is_of_ones_own_authority_is_believed_and_no_other() {
    let (server, ca) = certified("127.0.0.1");
    let untrusted = trouble(&server, true, None).await.expect("refused");
    assert!(untrusted.contains("TLS that can be trusted; correct `postgres.ca`"), "{untrusted}");
    assert_eq!(trouble(&server, true, Some(ca)).await, None);
    let missing = trouble(&server, true, Some(server.folder().join("missing.pem"))).await.expect("refused");
    assert!(missing.contains("postgres.ca: the file") && missing.contains("missing.pem"), "{missing}");
}

#[tokio::test]
async fn a_server_of_another_name_or_without_tls_is_refused() {
    let (server, ca) = certified("db.example");
    let misnamed = trouble(&server, true, Some(ca.clone())).await.expect("refused");
    assert!(misnamed.contains("TLS that can be trusted"), "{misnamed}");
    assert_eq!(
        trouble(&server, false, None).await,
        None,
        "the same server without TLS, where that was asked for"
    );

    let plain = PostgresServer::launch();
    plain.database_of("todo", "somebody", "pw");
    let none = trouble(&plain, true, Some(ca)).await.expect("refused");
    assert!(none.contains("does not offer TLS"), "{none}");
}
