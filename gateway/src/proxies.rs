//! Whom a request comes from when a trusted proxy stands in front (requirements HD-03, HD-04). Only connections from
//! `[listen] trusted_proxies` are believed, and only what the nearest of them can know: from the right of the chain, each
//! hop vouches for the one before it, and the first that is no proxy of ours is the client. Everybody else's headers are
//! never looked at. Knows nothing of what the address is used for.

mod hops;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::intake::Peer;
use crate::request_id::{self, RequestId};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How many hops are looked at, from the nearest on.
const MOST_HOPS: usize = 16;

/// The proxies in front, and how they say whom they speak for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Where they are. Nobody is trusted where there is none.
    pub networks: Vec<IpNet>,
    /// Which of the two spellings they keep. The other one may be a client's own word, which they only pass on.
    pub header: Spelling,
}

/// How proxies say whom they speak for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What a trusted proxy said of one request.
pub struct Told {
    /// The client, in the place of the other end of the connection.
    pub client: Peer,
    /// The request's name in the proxy's own log.
    pub request_id: Option<RequestId>,
    /// Whether the client came to the proxy without TLS.
    pub is_plain: bool,
}

impl Proxies {
    /// Whether that address is one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// What the proxy at the other end says of the client; nothing where it is no proxy of ours any more, or says nothing:
    /// then the request is its own.
    pub fn hear(&self, peer: &Peer, headers: &HeaderMap) -> Option<Box<Told>> {
        if !self.trust(peer.address) {
            return None;
        }
        let mut chain = vec![peer.address];
        let mut plain = false;
        match self.header {
            Spelling::XForwarded => {
                self.follow(hops::of_list(headers, &X_FORWARDED_FOR), &mut chain);
                plain = hops::all_say_http(headers, &X_FORWARDED_PROTO);
            }
            Spelling::Forwarded => {
                let said = hops::of_forwarded(headers).inspect(|hop| plain = hop.is_plain);
                self.follow(said.map(|hop| hop.address), &mut chain);
            }
        }
        let mut client = Peer::new(*chain.last()?);
        client.handshake.clone_from(&peer.handshake);
        client.chain = (chain.len() > 1).then(|| text_of(&chain)).flatten();
        let request_id = headers.get(&request_id::HEADER).and_then(RequestId::told);
        Some(Box::new(Told { client, request_id, is_plain: plain }))
    }

    /// From the nearest hop on, for as long as the last one is a proxy of ours: what it says of the one before it counts.
    /// A hop that is no address ends it.
    fn follow(&self, mut said: impl Iterator<Item = Option<IpAddr>>, chain: &mut Vec<IpAddr>) {
        while chain.len() <= MOST_HOPS && chain.last().is_some_and(|last| self.trust(*last)) {
            let Some(Some(before)) = said.next() else {
                return;
            };
            chain.push(before);
        }
    }
}

/// The chain as upstreams get it: the client first.
fn text_of(chain: &[IpAddr]) -> Option<HeaderValue> {
    let hops: Vec<String> = chain.iter().rev().map(IpAddr::to_string).collect();
    HeaderValue::try_from(hops.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: Spelling) -> Proxies {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        Proxies { networks: networks.to_vec(), header }
    }

    fn hear(header: Spelling, from: &str, lines: &[(&'static str, &str)]) -> Option<Box<Told>> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        proxies(header).hear(&Peer::new(from.parse().expect("an address")), &headers)
    }

    /// The client and the chain that upstreams get.
    fn heard(lines: &[(&'static str, &str)]) -> (String, Option<String>) {
        let told = hear(Spelling::XForwarded, "10.0.0.1", lines).expect("a proxy of ours");
        let chain = told.client.chain.as_ref().map(|chain| chain.to_str().expect("ASCII").to_owned());
        (told.client.address.to_string(), chain)
    }

    #[test]
    fn the_first_hop_from_the_right_that_is_no_proxy_of_ours_is_the_client() {
        for (value, client, chain) in [
            ("203.0.113.9", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
            ("203.0.113.9, 10.0.0.7", "203.0.113.9", "203.0.113.9, 10.0.0.7, 10.0.0.1"),
            ("198.51.100.1, 203.0.113.9", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
            ("10.0.0.9, 203.0.113.9", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
            ("10.0.0.9,10.0.0.8", "10.0.0.9", "10.0.0.9, 10.0.0.8, 10.0.0.1"),
            ("203.0.113.9:1234", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
            ("2001:db8::1, fd00::5", "2001:db8::1", "2001:db8::1, fd00::5, 10.0.0.1"),
            ("[2001:db8::1]:443", "2001:db8::1", "2001:db8::1, 10.0.0.1"),
            ("[2001:db8::1]", "2001:db8::1", "2001:db8::1, 10.0.0.1"),
            ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
        ] {
            let wanted = (client.to_owned(), Some(chain.to_owned()));
            assert_eq!(heard(&[("x-forwarded-for", value)]), wanted, "{value}");
        }
    }

    #[test]
    fn lines_are_one_list() {
        let lines = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9, 10.0.0.7")];
        assert_eq!(heard(&lines).0, "203.0.113.9");
    }

    #[test]
    fn what_is_no_address_ends_the_chain_at_the_last_hop_that_is_known() {
        for (value, client) in [
            ("", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
            ("203.0.113.9, _hidden", "10.0.0.1"),
            ("203.0.113.9, 10.0.0.7, evil", "10.0.0.1"),
            ("203.0.113.9, evil, 10.0.0.7", "10.0.0.7"),
            ("203.0.113.9.5", "10.0.0.1"),
            ("\"203.0.113.9\"", "10.0.0.1"),
            ("fe80::1%eth0", "10.0.0.1"),
        ] {
            assert_eq!(heard(&[("x-forwarded-for", value)]).0, client, "{value:?}");
        }
        assert_eq!(heard(&[]), ("10.0.0.1".to_owned(), None), "it said nothing, so the request is its own");
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        let endless = vec!["10.0.0.2"; 500].join(",");
        let (_, chain) = heard(&[("x-forwarded-for", &endless)]);
        assert_eq!(chain.expect("a chain").split(", ").count(), MOST_HOPS + 1);
    }

    #[test]
    fn strangers_are_not_heard_at_all() {
        let lines = [("x-forwarded-for", "10.0.0.9"), ("x-request-id", "0123456789abcdef")];
        assert!(hear(Spelling::XForwarded, "203.0.113.9", &lines).is_none());
        assert!(hear(Spelling::XForwarded, "10.0.0.1", &lines).is_some());
    }

    #[test]
    fn only_the_spelling_that_the_proxies_keep_is_read() {
        let lines = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=203.0.113.9;proto=http")];
        let client = |header| hear(header, "10.0.0.1", &lines).expect("a proxy").client.address.to_string();
        assert_eq!(client(Spelling::XForwarded), "198.51.100.1");
        assert_eq!(client(Spelling::Forwarded), "203.0.113.9");
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        for (value, client, is_plain) in [
            ("for=203.0.113.9", "203.0.113.9", false),
            ("For=\"203.0.113.9:80\"; proto=HTTP", "203.0.113.9", true),
            ("by=10.0.0.1;for=\"[2001:db8::1]:443\";proto=https", "2001:db8::1", false),
            ("for=1.2.3.4;proto=http, for=203.0.113.9;proto=https", "203.0.113.9", false),
            ("for=203.0.113.9;proto=http, for=10.0.0.7;proto=https", "203.0.113.9", true),
            ("for=\", for=203.0.113.9", "203.0.113.9", false),
            ("for=unknown", "10.0.0.1", false),
            ("for=_x, for=10.0.0.7", "10.0.0.7", false),
            ("for=1.2.3.4;for=203.0.113.9", "10.0.0.1", false),
            ("proto=http", "10.0.0.1", true),
        ] {
            let told = hear(Spelling::Forwarded, "10.0.0.1", &[("forwarded", value)]).expect("a proxy");
            assert_eq!(
                (told.client.address.to_string().as_str(), told.is_plain),
                (client, is_plain),
                "{value}"
            );
        }
    }

    #[test]
    fn a_client_came_without_tls_only_where_every_proxy_says_so() {
        for (values, is_plain) in [
            (&["http"][..], true),
            (&["HTTP"], true),
            (&["http, http"], true),
            (&["https"], false),
            (&["https, http"], false),
            (&["http", "https"], false),
            (&[""], false),
            (&["ws"], false),
            (&[], false),
        ] {
            let lines: Vec<_> = values.iter().map(|value| ("x-forwarded-proto", *value)).collect();
            let told = hear(Spelling::XForwarded, "10.0.0.1", &lines).expect("a proxy");
            assert_eq!(told.is_plain, is_plain, "{values:?}");
        }
    }

    #[test]
    fn a_proxys_name_for_a_request_is_taken_if_it_is_one() {
        let named = |value: &str| {
            let told = hear(Spelling::XForwarded, "10.0.0.1", &[("x-request-id", value)]).expect("a proxy");
            told.request_id.map(|id| id.as_str().to_owned())
        };
        for name in ["0123456789abcdef", "a3bb189e-8bf9-3888-9912-ace4e6543002", "Root=1-67891233"] {
            let wanted = (!name.contains('=')).then(|| name.to_owned());
            assert_eq!(named(name), wanted, "{name}");
        }
        for other in ["", "short", "with space 12345", "0123456789\"<script>", &"a".repeat(41)] {
            assert_eq!(named(other), None, "{other:?}");
        }
    }
}
