//! Calls to the provider: one small client with limits on everything. Redirects are never followed, nothing is
//! decompressed, no proxy is taken from the environment (requirements CB-15, CB-16). Knows nothing of OpenID.

mod look;
mod resolver;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::SemaphorePermit;
use url::Url;

use crate::oidc::client::certificate::ClientCertificate;
use crate::origin::{self, Localhost};

pub(super) use look::Look;
use resolver::Resolver;
use turns::Turns;

/// Longer answers are refused (requirement CB-16).
const MAX_BODY: usize = 1024 * 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// From the call until the last byte of the answer.
pub(super) const TOTAL_LIMIT: Duration = Duration::from_secs(10);

/// This many calls that people cause are made at a time, so many more wait, and none of those for longer (requirement
/// RL-03). Metadata and keys are asked for by one at a time anyway, and wait for nobody.
const AT_ONCE: usize = 128;
const WAITING: usize = 1_024;
const PATIENCE: Duration = Duration::from_secs(3);

/// What a call accepts that can read both.
const JSON_OR_JWT: &str = "application/json, application/jwt";

/// However long a provider asks to be left alone, it is tried again after this.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Why there is no answer that could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// `http:` to a host that is not this machine.
    #[error("{0} is plain http to another machine")]
    Insecure(String),
    /// An address that HTTP cannot carry.
    #[error("the address cannot be called")]
    Address(#[source] http::Error),
    /// No connection: refused, unknown host, untrusted certificate, too slow.
    #[error("no connection to {0}")]
    Connect(String, #[source] hyper_util::client::legacy::Error),
    /// The connection broke before the answer was complete.
    #[error("the connection to {0} broke")]
    Broken(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Too slow.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// Not made: others are before it, and take too long.
    #[error("too many calls wait for {0} to answer")]
    Busy(String),
    /// The answer is longer than one mebibyte.
    #[error("the answer of {0} is too large")]
    TooLarge(String),
    /// A redirect, which is never followed.
    #[error("{0} answered with a redirect ({1}), and redirects are not followed")]
    Redirect(String, StatusCode),
    /// Not the kind of content that was asked for.
    #[error("the answer of {0} is not plain JSON")]
    NotJson(String),
}

impl CallError {
    /// Whether trying again later may help by itself.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Connect(..) | Self::Broken(..) | Self::Timeout(_) | Self::Busy(_))
    }

    /// Whether the request may have been received and acted on, although nobody knows what came of it.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Broken(..) | Self::Timeout(_))
    }
}

/// Why the client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up")]
pub struct TlsError(#[from] rustls::Error);

/// A complete answer.
pub(super) struct Reply {
    /// Never a redirect.
    pub(super) status: StatusCode,
    /// How long the other side asks to be left alone, where it says so in seconds.
    pub(super) retry_after: Option<Duration>,
    /// What kind of content a success says that it is.
    pub(super) kind: Kind,
    /// At most one mebibyte.
    pub(super) body: Bytes,
}

/// The kinds of content that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A JSON document.
    Json,
    /// A signed one, where that was asked for.
    Jwt,
}

/// The client. Connections are not kept: calls are rare, and one that the provider closed meanwhile would make a
/// call fail that must not be repeated (requirement CB-20).
pub(super) struct HttpClient {
    plain: Connections,
    /// Shows the gateway's certificate, where there is one, to endpoints that the gateway authenticates to.
    as_client: Connections,
    turns: Turns,
}

type Connections = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

impl HttpClient {
    /// A client that trusts the certificates that the machine trusts.
    pub(super) fn new(
        certificate: Option<&ClientCertificate>,
        localhost: Localhost,
    ) -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (trusted, _) = roots.add_parsable_certificates(found.certs);
        if trusted == 0 {
            tracing::warn!(
                target: "gateway::oidc",
                event = "no_root_certificates",
                "the machine trusts no certificate: only a provider on this machine can be reached",
            );
        }
        Self::trusting(roots, certificate, localhost)
    }

    fn trusting(
        roots: RootCertStore,
        certificate: Option<&ClientCertificate>,
        localhost: Localhost,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let plain = connections(tls.clone(), localhost);
        let as_client = match certificate {
            None => plain.clone(),
            Some(certificate) => {
                let resolver = Arc::new(SingleCertAndKey::from(certificate.certified_key()));
                let mut tls = tls;
                tls.client_auth_cert_resolver = resolver;
                connections(tls, localhost)
            }
        };
        Ok(Self { plain, as_client, turns: Turns::new(AT_ONCE, WAITING, PATIENCE) })
    }

    /// GETs a JSON document.
    pub(super) async fn get(&self, url: &Url) -> Result<Reply, CallError> {
        let request = Request::get(url.as_str()).body(Full::default()).map_err(CallError::Address)?;
        self.call(&self.plain, url, request, TOTAL_LIMIT).await
    }

    /// GETs a JSON document, signed or not, by showing an access token.
    pub(super) async fn get_as_bearer(
        &self,
        url: &Url,
        authorization: HeaderValue,
    ) -> Result<Reply, CallError> {
        let mut request = Request::get(url.as_str()).body(Full::default()).map_err(CallError::Address)?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(JSON_OR_JWT));
        let _turn = self.turn(url).await?;
        self.call(&self.plain, url, request, TOTAL_LIMIT).await
    }

    /// POSTs a form, once, to an endpoint that the gateway authenticates to.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        form: String,
        limit: Duration,
    ) -> Result<Reply, CallError> {
        let mut request = Request::post(url.as_str()).body(Full::from(form)).map_err(CallError::Address)?;
        *request.headers_mut() = headers;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        let _turn = self.turn(url).await?;
        self.call(&self.as_client, url, request, limit).await
    }

    async fn turn(&self, url: &Url) -> Result<SemaphorePermit<'_>, CallError> {
        self.turns.take().await.ok_or_else(|| CallError::Busy(place(url)))
    }

    async fn call(
        &self,
        connections: &Connections,
        url: &Url,
        mut request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Reply, CallError> {
        let place = place(url);
        if !is_acceptable(url) {
            return Err(CallError::Insecure(place));
        }
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().entry(ACCEPT).or_insert(json);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("gateway"));
        match tokio::time::timeout(limit, exchange(connections, &place, request)).await {
            Ok(reply) => reply,
            Err(_) => Err(CallError::Timeout(place)),
        }
    }
}

fn connections(tls: ClientConfig, localhost: Localhost) -> Connections {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(localhost));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_LIMIT));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
}

async fn exchange(
    connections: &Connections,
    place: &str,
    request: Request<Full<Bytes>>,
) -> Result<Reply, CallError> {
    let takes_jwt = request.headers().get(ACCEPT).is_some_and(|kinds| kinds == JSON_OR_JWT);
    let answer = connections.request(request).await.map_err(|error| {
        if error.is_connect() {
            CallError::Connect(place.to_owned(), error)
        } else {
            CallError::Broken(place.to_owned(), error.into())
        }
    })?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(CallError::Redirect(place.to_owned(), status));
    }
    let kind = kind(answer.headers()).filter(|kind| *kind == Kind::Json || takes_jwt);
    // What a failure says of itself is of no interest.
    let Some(kind) = kind.or((!status.is_success()).then_some(Kind::Json)) else {
        return Err(CallError::NotJson(place.to_owned()));
    };
    let retry_after = retry_after(answer.headers());
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            CallError::TooLarge(place.to_owned())
        } else {
            CallError::Broken(place.to_owned(), error)
        }
    })?;
    Ok(Reply { status, retry_after, kind, body: body.to_bytes() })
}

/// https, or http that does not leave this machine (requirement CF-02).
pub(super) fn is_acceptable(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => origin::is_loopback(url),
        _ => false,
    }
}

/// Scheme, host and path: what may be told of an address. Queries may hold anything.
fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3). A date would be by the other side's clock: it is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than fit are a long time.
    let seconds = is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// JSON or a JWT by its media type, whatever parameters follow and however they are spaced, and not compressed. An
/// answer that does not say what it is passes for JSON: reading it decides.
fn kind(headers: &HeaderMap) -> Option<Kind> {
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return Some(Kind::Json);
    };
    let kind = kind.to_str().unwrap_or_default();
    match &*kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase() {
        "application/json" => Some(Kind::Json),
        "application/jwt" => Some(Kind::Jwt),
        kind => (kind.starts_with("application/") && kind.ends_with("+json")).then_some(Kind::Json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::client::certificate::tests::Authority;

    fn is_plain_json(headers: &HeaderMap) -> bool {
        kind(headers) == Some(Kind::Json)
    }

    fn headers(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
    }

    #[test]
    fn json_is_recognised_however_its_type_is_written() {
        for good in [
            "application/json",
            "Application/JSON ;charset=utf-8",
            "application/json; charset=utf-8",
            "application/jwk-set+json",
        ] {
            assert!(is_plain_json(&headers(good)), "{good}");
        }
        for bad in [
            "text/html",
            "application/jsonx",
            "text/json",
            "application/jwt",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_plain_json(&headers(bad)), "{bad}");
        }
        assert!(is_plain_json(&HeaderMap::new()));
    }

    #[test]
    fn compressed_answers_are_refused() {
        let mut headers = headers("application/json");
        assert!(is_plain_json(&headers));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_plain_json(&headers));
    }

    #[test]
    fn a_pause_is_read_in_seconds_and_bounded() {
        let read = |text: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]))
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(LONGEST_PAUSE));
        for bad in ["", "-1", "+1", "1.5", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    /// The certificates that a server got which asks for one but needs none.
    async fn shown(client: &HttpClient, authority: &Authority, posts: bool) -> usize {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let parse = |name: &str| CertificateDer::from_pem_slice(authority.pem(name).as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(authority.pem("server.key").as_bytes()).expect("PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(trusting(authority));
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let verifier = verifier.allow_unauthenticated().build().expect("a verifier");
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![parse("server.pem")], key)
            .expect("a pair");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (stream, _) = listener.accept().await.expect("a client");
            let mut stream =
                tokio_rustls::TlsAcceptor::from(Arc::new(tls)).accept(stream).await.expect("a handshake");
            let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.expect("a request");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).await.expect("sent");
            stream.shutdown().await.expect("sent");
            shown
        });
        let url = Url::parse(&format!("https://localhost:{port}/")).expect("valid");
        let reply = if posts {
            client.post(&url, HeaderMap::new(), "a=b".to_owned(), TOTAL_LIMIT).await
        } else {
            client.get(&url).await
        };
        assert_eq!(reply.expect("an answer").status, StatusCode::OK);
        server.await.expect("served")
    }

    fn trusting(authority: &Authority) -> RootCertStore {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(authority.pem("ca.pem").as_bytes()).expect("PEM");
        roots.add(ca).expect("an authority");
        roots
    }

    #[tokio::test]
    async fn the_gateways_certificate_is_shown_where_it_authenticates_and_nowhere_else() {
        let authority = Authority::new();
        let with =
            HttpClient::trusting(trusting(&authority), Some(&authority.client()), Localhost::default())
                .expect("a client");
        assert_eq!(shown(&with, &authority, true).await, 1);
        assert_eq!(shown(&with, &authority, false).await, 0, "metadata and keys are public");
        let without =
            HttpClient::trusting(trusting(&authority), None, Localhost::default()).expect("a client");
        assert_eq!(shown(&without, &authority, true).await, 0);
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let url = |text: &str| Url::parse(text).expect("valid");
        assert!(is_acceptable(&url("https://login.example/token")));
        assert!(is_acceptable(&url("http://127.0.0.1:3002/token")));
        assert!(is_acceptable(&url("http://tenant.localhost:3002/token")));
        assert!(!is_acceptable(&url("http://login.example/token")));
        assert!(!is_acceptable(&url("ftp://localhost/token")));
        assert!(!is_acceptable(&url("file:///etc/passwd")));
    }

    #[test]
    fn what_is_told_of_an_address_never_holds_its_query() {
        let url = Url::parse("https://login.example/a/b?secret=1#x").expect("valid");
        assert_eq!(place(&url), "https://login.example/a/b");
    }
}
