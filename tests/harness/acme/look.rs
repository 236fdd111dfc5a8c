//! Goes to where a name is, and looks whether the challenge is answered there (RFC 8555, section 8.3; RFC 8737, section 3).

use aws_lc_rs::digest;

use crate::tls::{Greeting, shown};
use crate::wire;

/// The extension acmeIdentifier, critical, with 32 bytes in it.
const IDENTIFIER: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 0x22, 4, 0x20];

pub(super) async fn over_tls(port: u16, name: &str, proof: &str) -> bool {
    let greeting = Greeting::to(name).offering(&["acme-tls/1"]);
    let Ok(stream) = greeting.connect(port).await else {
        return false;
    };
    if stream.get_ref().1.alpn_protocol() != Some(b"acme-tls/1") {
        return false;
    }
    let certificate = shown(&stream);
    let hash = digest::digest(&digest::SHA256, proof.as_bytes());
    let extension = [IDENTIFIER, hash.as_ref()].concat();
    let length = u8::try_from(name.len()).expect("a short name");
    // One name in the extension subjectAltName, and it is this one.
    let names = [&[0x30, length + 2, 0x82, length][..], name.as_bytes()].concat();
    holds(&certificate, &extension) && holds(&certificate, &names)
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

pub(super) async fn over_http(port: u16, name: &str, token: &str, proof: &str) -> bool {
    let request = format!(
        "GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let answer = wire::raw(port, request.as_bytes()).await;
    answer.starts_with("HTTP/1.1 200 ")
        && answer.split_once("\r\n\r\n").is_some_and(|(_, body)| body.trim_end() == proof)
}
