//! Secrets that passed during a test, and the two places where they must not turn up: any log, and anything that the
//! gateway sent to a browser. Checked when the site goes away, so in every test.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What a secret is; says where it may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// An ID token. The browser carries it to the provider at sign-out, as `id_token_hint`, and only then.
    IdToken,
    /// An authorization code. The browser carries it to the gateway.
    Code,
    /// A PKCE verifier.
    Verifier,
    /// The gateway's own secret at the provider.
    ClientSecret,
    /// The value of a cookie of the gateway.
    Cookie,
    /// A state or a nonce. The browser carries them.
    Attempt,
    /// A key that gateways seal with.
    ServerKey,
    /// What operators show.
    AdminToken,
}

impl Kind {
    /// Whether no browser may ever be sent it.
    fn stays_on_the_server(self) -> bool {
        match self {
            Self::AccessToken
            | Self::RefreshToken
            | Self::IdToken
            | Self::Verifier
            | Self::ClientSecret
            | Self::ServerKey
            | Self::AdminToken => true,
            Self::Code | Self::Cookie | Self::Attempt => false,
        }
    }
}

/// 256 random bits as text.
pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Shorter texts are not secrets, and would be found everywhere.
const SHORTEST: usize = 16;

/// The secrets of one site.
#[derive(Debug, Default)]
pub struct Secrets {
    known: Mutex<BTreeMap<String, Kind>>,
    sent: Mutex<Vec<Sent>>,
}

/// Something that the gateway sent to a browser.
#[derive(Debug)]
struct Sent {
    what: String,
    bytes: Vec<u8>,
    /// Whether it is the answer to a sign-out.
    is_sign_out: bool,
}

impl Secrets {
    /// Remembers a secret.
    pub fn add(&self, kind: Kind, secret: &str) {
        if secret.len() >= SHORTEST {
            lock(&self.known).entry(secret.to_owned()).or_insert(kind);
        }
    }

    /// Remembers what a browser was sent.
    pub(crate) fn add_sent(&self, what: &str, bytes: Vec<u8>) {
        let is_sign_out = what.contains("/auth/sign-out");
        lock(&self.sent).push(Sent { what: what.to_owned(), bytes, is_sign_out });
    }

    /// How many secrets are known of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        lock(&self.known).values().filter(|known| **known == kind).count()
    }

    /// Every secret of a kind.
    pub fn of(&self, kind: Kind) -> BTreeSet<String> {
        let known = lock(&self.known);
        known.iter().filter(|(_, found)| **found == kind).map(|(secret, _)| secret.clone()).collect()
    }

    /// Whether any secret of these kinds stands in bytes that strangers might get hold of, in whatever spelling; says
    /// which and where.
    pub fn find(&self, kinds: &[Kind], bytes: &[u8]) -> Option<String> {
        let known = lock(&self.known);
        let wanted = known.iter().filter(|(_, kind)| kinds.contains(kind));
        let (kind, at) = Finder::new(wanted.map(|(secret, kind)| (secret.as_str(), *kind))).find(bytes)?;
        Some(format!("a secret ({kind:?}) at byte {at}"))
    }

    /// The first secret found in a log, with the line it stands in.
    pub(crate) fn find_in_log(&self, log: &[u8]) -> Option<String> {
        let known = lock(&self.known);
        let finder = Finder::new(known.iter().map(|(secret, kind)| (secret.as_str(), *kind)));
        let (kind, at) = finder.find(log)?;
        let start = log[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = log[at..].iter().position(|byte| *byte == b'\n').map_or(log.len(), |end| at + end);
        Some(format!("a secret ({kind:?}) stands in the log: {}", String::from_utf8_lossy(&log[start..end])))
    }

    /// The first secret found in what browsers were sent.
    pub(crate) fn find_in_sent(&self) -> Option<String> {
        let known = lock(&self.known);
        let never = known.iter().filter(|(_, kind)| kind.stays_on_the_server());
        let finder = Finder::new(never.clone().map(|(secret, kind)| (secret.as_str(), *kind)));
        let at_sign_out = never.filter(|(_, kind)| **kind != Kind::IdToken);
        let finder_at_sign_out = Finder::new(at_sign_out.map(|(secret, kind)| (secret.as_str(), *kind)));
        let sent = lock(&self.sent);
        sent.iter().find_map(|sent| {
            let finder = if sent.is_sign_out { &finder_at_sign_out } else { &finder };
            let (kind, _) = finder.find(&sent.bytes)?;
            Some(format!("a secret ({kind:?}) was sent to the browser in answer to {}", sent.what))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for many texts at once, in time that hardly depends on how many they are.
struct Finder {
    /// Which three first bytes are worth a closer look, by a short hash of them.
    starts: Vec<bool>,
    by_start: HashMap<[u8; 8], Vec<(Vec<u8>, Kind)>>,
}

const STARTS: usize = 1 << 20;

impl Finder {
    fn new<'a>(secrets: impl Iterator<Item = (&'a str, Kind)>) -> Self {
        let mut finder = Self { starts: vec![false; STARTS], by_start: HashMap::new() };
        for (secret, kind) in secrets {
            for spelling in spellings(secret) {
                finder.add(spelling.into_bytes(), kind);
            }
        }
        finder
    }

    fn add(&mut self, text: Vec<u8>, kind: Kind) {
        if let Some(start) = text.first_chunk::<8>() {
            self.starts[short(text[0], text[1], text[2])] = true;
            self.by_start.entry(*start).or_default().push((text, kind));
        }
    }

    fn find(&self, bytes: &[u8]) -> Option<(Kind, usize)> {
        if self.by_start.is_empty() || bytes.len() < 8 {
            return None;
        }
        for at in 0..=bytes.len() - 8 {
            if !self.starts[short(bytes[at], bytes[at + 1], bytes[at + 2])] {
                continue;
            }
            let rest = &bytes[at..];
            let texts = rest.first_chunk::<8>().and_then(|start| self.by_start.get(start));
            let found = texts.into_iter().flatten().find(|(text, _)| rest.starts_with(text));
            if let Some((_, kind)) = found {
                return Some((*kind, at));
            }
        }
        None
    }
}

fn short(a: u8, b: u8, c: u8) -> usize {
    (usize::from(a) << 12) ^ (usize::from(b) << 6) ^ usize::from(c)
}

/// The ways in which a secret may be written without being hidden.
fn spellings(secret: &str) -> BTreeSet<String> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    BTreeSet::from([secret.to_owned(), encoded, STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(secret: &str, kind: Kind) -> Secrets {
        let secrets = Secrets::default();
        secrets.add(kind, secret);
        secrets
    }

    #[test]
    fn a_secret_is_found_in_every_spelling_and_its_line_is_told() {
        let secret = "s3cret/value+with=odd&letters";
        let secrets = with(secret, Kind::ClientSecret);
        for spelling in spellings(secret) {
            let log = format!("before\nhere: {spelling}!\nafter\n");
            let found = secrets.find_in_log(log.as_bytes()).expect("it is there");
            assert!(found.contains("here: ") && !found.contains("after"), "{found}");
        }
        assert_eq!(secrets.find_in_log(b"s3cret/value+with=odd&letterz"), None);
    }

    #[test]
    fn a_code_may_pass_the_browser_and_a_token_may_not() {
        for (kind, found) in [(Kind::Code, false), (Kind::AccessToken, true), (Kind::IdToken, true)] {
            let secrets = with("abcdefghijklmnopqrstuvwxyz", kind);
            secrets.add_sent("GET /", b"x=abcdefghijklmnopqrstuvwxyz".to_vec());
            assert_eq!(secrets.find_in_sent().is_some(), found, "{kind:?}");
        }
    }

    #[test]
    fn an_id_token_travels_at_sign_out_only() {
        let secrets = with("abcdefghijklmnopqrstuvwxyz", Kind::IdToken);
        secrets.add_sent("POST /auth/sign-out", b"id_token_hint=abcdefghijklmnopqrstuvwxyz".to_vec());
        assert_eq!(secrets.find_in_sent(), None);
    }
}
