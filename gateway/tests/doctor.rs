//! `gateway doctor` as a program: what it prints, how it exits, and what it says of certificates, which only a process of
//! its own can be told to trust.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

const GOOD: &str = r#"
public_url = "http://localhost:3000"
[provider]
issuer        = "ISSUER"
client_id     = "app"
client_secret = { file = "client.secret" }
[session]
store = "memory"
"#;

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("client.secret"), "gMz1-8hT_q2vXc7RkLw0PyNd").expect("written");
    std::fs::write(folder.path().join("gateway.toml"), text).expect("written");
    folder
}

fn doctor(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway"))
        .arg("--config")
        .arg(folder.join("gateway.toml"))
        .arg("doctor")
        .args(more)
        .env("SSL_CERT_FILE", folder.join("ca.pem"))
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A certificate authority, and a certificate of its for that name, made by openssl in `folder`.
fn certify(folder: &Path, name: &str) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority-for-{name} -days 2"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=server"));
    std::fs::write(folder.join("names"), format!("subjectAltName=DNS:{name}\n")).expect("written");
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    );
}

/// A provider with that certificate that answers everything with the same metadata. Returns its port.
fn serve(folder: &Path) -> u16 {
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).expect("openssl wrote it");
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("openssl wrote it");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let config = Arc::new(config.expect("they fit"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let body = format!("{{\"issuer\": \"https://localhost:{port}\"}}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        for tcp in listener.incoming() {
            let (Ok(mut tcp), Ok(mut tls)) = (tcp, ServerConnection::new(Arc::clone(&config))) else {
                continue;
            };
            let mut stream = Stream::new(&mut tls, &mut tcp);
            // A client that only knocks, or does not trust us, says nothing.
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(answer.as_bytes());
                tls.send_close_notify();
                let _ = tls.write_tls(&mut tcp);
            }
        }
    });
    port
}

fn at(port: u16) -> String {
    GOOD.replace("ISSUER", &format!("https://localhost:{port}"))
}

#[test]
fn a_configuration_with_problems_is_shown_as_check_shows_it_and_exits_with_1() {
    let folder = folder(&GOOD.replace("ISSUER", "http://login.example"));
    let output = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("plain http is for loopback only") && text.contains("gateway.toml:4"), "{text}");
    let output = doctor(folder.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!((&json["faults"], &json["findings"][0]["level"]), (&1.into(), &"fault".into()));
    assert!(json["findings"][0]["looked_at"].as_str().is_some_and(|text| text.contains("provider.issuer")));
}

#[test]
fn a_provider_that_is_away_is_one_fault_with_a_repair() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let folder = folder(&GOOD.replace("ISSUER", &format!("http://localhost:{port}")));
    let output = doctor(folder.path(), &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("fault   connection: localhost:{port}")), "{text}");
    assert!(text.contains("        -> start the server"), "{text}");
    assert!(text.contains("gateway.toml: 1 fault, "), "{text}");
    assert!(!text.contains("gMz1-8hT"), "no secret is shown");
}

#[test]
fn a_certificate_for_another_name_is_told_from_one_that_nobody_vouches_for() {
    let trusted = folder("");
    certify(trusted.path(), "localhost");
    let port = serve(trusted.path());
    std::fs::write(trusted.path().join("gateway.toml"), at(port)).expect("written");
    let text = said(&doctor(trusted.path(), &[]));
    assert!(text.contains("ok      connection") && text.contains("its certificate holds"), "{text}");

    let elsewhere = folder("");
    certify(elsewhere.path(), "login.example");
    let port = serve(elsewhere.path());
    std::fs::write(elsewhere.path().join("gateway.toml"), at(port)).expect("written");
    let text = said(&doctor(elsewhere.path(), &[]));
    assert!(
        text.contains("fault   connection") && text.contains("write the host that the certificate names"),
        "{text}"
    );

    // The same server, seen by somebody who trusts the other authority.
    std::fs::copy(trusted.path().join("ca.pem"), elsewhere.path().join("ca.pem")).expect("copied");
    let text = said(&doctor(elsewhere.path(), &[]));
    assert!(text.contains("fault   connection") && text.contains("SSL_CERT_FILE="), "{text}");
}
