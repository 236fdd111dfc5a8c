//! The decision: may this caller use this route? The only maker of a [`Permit`], without which nothing is forwarded.

use std::sync::Arc;

use http::HeaderValue;

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::intake::{Inbound, Peer};
use crate::routing::{Changes, Csrf, Edge, Forwarding, MaxBody, Route, Target};
use crate::session::return_to::ReturnTo;
use crate::session::{TokenFor, TokenKind};
use crate::stop::{Reason, Refusal, Remedy, SignIn, Stop};

/// Proof that policy let this caller use this route. Its fields are private: there is no other way to one.
#[derive(Debug)]
pub struct Permit<'live> {
    route: &'live Route,
    caller: Caller,
}

impl<'live> Permit<'live> {
    /// The route that lets them pass.
    pub fn route(&self) -> &'live Route {
        self.route
    }

    /// What it changes on the way.
    pub fn changes(&self) -> Option<&'live Changes> {
        self.route.changes.as_deref()
    }

    /// Where the route leads.
    pub fn target(&self) -> Target {
        self.route.target
    }

    /// Whether the answer is for this caller alone: the route is not for everybody, or is the gateway's own.
    pub fn is_private(&self) -> bool {
        !self.route.rule.is_public() || matches!(self.route.target, Target::Endpoint(_))
    }

    /// What the route asks of clients and adds to answers.
    pub fn edge(&self) -> Option<&'live Edge> {
        self.route.edge.as_deref()
    }

    /// How large the request's body may be.
    pub fn max_body(&self) -> MaxBody {
        self.route.max_body
    }

    /// Whoever was let pass.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The client's certificate, if the upstream is to be told of it.
    pub fn client_certificate<'peer>(&self, peer: &'peer Peer) -> Option<&'peer HeaderValue> {
        self.route.client_certificate.as_ref().filter(|wanted| wanted.forward)?;
        Some(peer.handshake.as_ref()?.client.as_ref()?.header())
    }

    /// Whether the route lets a WebSocket be opened.
    pub fn takes_websockets(&self) -> bool {
        self.route.websocket
    }

    /// How the route forwards, where it differs from most.
    pub fn forwarding(&self) -> Option<&Forwarding> {
        self.route.forwarding.as_deref()
    }

    /// The access token to attach, on a route that has one. The gateway's own only where the route says so: never
    /// because the caller's could not be had (requirement TK-14).
    pub fn token(&self) -> Option<TokenFor<'_>> {
        let spec = self.route.token.as_ref()?;
        match (&spec.kind, self.caller.session()) {
            (TokenKind::Client, _) | (TokenKind::UserOrClient, None) => Some(TokenFor::Gateway(spec)),
            (_, session) => session.map(|session| TokenFor::Session(session, spec)),
        }
    }
}

/// Refuses clients without the certificate that the route wants, before anything else is looked at (requirement TL-06).
/// One whose time is over is none, however long its connection has been there.
pub fn certificate(route: &Route, peer: &Peer, now: Timestamp) -> Result<(), Stop> {
    let Some(wanted) = &route.client_certificate else {
        return Ok(());
    };
    let shown = peer.handshake.as_ref().and_then(|handshake| handshake.client.as_ref());
    if shown.is_some_and(|shown| shown.is_among(wanted) && !shown.has_expired(now)) {
        return Ok(());
    }
    Err(Stop::refused(Reason::ClientCertificate))
}

/// Decides, in this order, denying whatever no line admits.
pub fn decide<'live>(route: &'live Route, caller: Caller, inbound: &Inbound) -> Result<Permit<'live>, Stop> {
    let return_to = || {
        // Where scripts alone may go, a person who comes back would only be refused again.
        if route.csrf == Csrf::Header { ReturnTo::home() } else { inbound.return_to() }
    };
    let sign_in = |reason| {
        let provider = route.provider.as_ref().map(|provider| Arc::clone(&provider.name));
        let remedy = Remedy::SignIn(SignIn { provider, ..SignIn::to(return_to()) });
        Err(Stop::Refused(Refusal { reason, remedy }))
    };
    match &caller {
        // Whoever signed in elsewhere is a stranger here, and their token is another provider's.
        Caller::Session(session) if route.provider.is_some() && !route.takes(&session.state().identity) => {
            sign_in(Reason::OtherProvider)
        }
        // A public route takes everybody, with or without a session.
        _ if route.rule.is_public() => Ok(Permit { route, caller }),
        Caller::Session(session) if route.rule.holds(&*session.state().identity) => {
            Ok(Permit { route, caller })
        }
        Caller::Session(_) => Err(Stop::refused(Reason::RuleNotMet)),
        Caller::Anonymous { stale_cookie } => {
            let reason = if *stale_cookie { Reason::SessionOver } else { Reason::NoSession };
            sign_in(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::request_id::RequestIds;
    use crate::rule::Rule;
    use crate::session::TokenSpec;
    use std::sync::Arc;
    use std::time::Duration;

    fn inbound(target: &str) -> Inbound {
        let request = http::Request::get(target).header("host", "app.example").header("accept", "text/html");
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let sites = crate::site::tests::sites(&["https://app.example"]);
        crate::intake::admit(parts, Body::Empty, &sites, RequestIds::new().next(), Timestamp(0))
            .expect("admitted")
    }

    fn route(rule: Rule) -> Route {
        Route { rule, target: Target::Upstream(0), ..crate::routing::tests::route("/", &[]) }
    }

    fn alice() -> Caller {
        Caller::Session(Arc::new(crate::session::tests::started(0).1))
    }

    fn reason(rule: Rule, caller: Caller) -> Option<Reason> {
        decide(&route(rule), caller, &inbound("/x?y=1")).err().map(|stop| stop.reason())
    }

    #[test]
    fn a_public_route_takes_everybody() {
        assert_eq!(reason(Rule::Anyone, Caller::Anonymous { stale_cookie: true }), None);
        assert_eq!(reason(Rule::Anyone, alice()), None);
    }

    #[test]
    fn a_protected_route_takes_whom_its_rule_names() {
        assert_eq!(reason(Rule::SignedIn, alice()), None);
        assert_eq!(
            reason(Rule::SignedIn, Caller::Anonymous { stale_cookie: false }),
            Some(Reason::NoSession)
        );
        assert_eq!(
            reason(Rule::SignedIn, Caller::Anonymous { stale_cookie: true }),
            Some(Reason::SessionOver)
        );
        assert_eq!(reason(Rule::Role("Admin".into()), alice()), Some(Reason::RuleNotMet));
    }

    /// Whose token goes with the request: "person", "gateway" or nothing.
    fn whose(kind: TokenKind, rule: Rule, caller: Caller) -> Option<&'static str> {
        let spec = TokenSpec { kind, ..TokenSpec::user("t", "a".parse().expect("valid")) };
        let route = Route { token: Some(Arc::new(spec)), ..route(rule) };
        let permit = decide(&route, caller, &inbound("/x")).expect("allowed");
        permit.token().map(|token| match token {
            TokenFor::Session(..) => "person",
            TokenFor::Gateway(_) => "gateway",
        })
    }

    #[test]
    fn the_gateways_own_token_goes_only_where_the_route_says_so() {
        let nobody = || Caller::Anonymous { stale_cookie: true };
        let from = Arc::new(TokenSpec::user("from", "a".parse().expect("valid")));
        for kind in [TokenKind::User, TokenKind::Exchange(Arc::clone(&from)), TokenKind::OnBehalfOf(from)] {
            assert_eq!(whose(kind.clone(), Rule::SignedIn, alice()), Some("person"));
            assert_eq!(whose(kind.clone(), Rule::Anyone, alice()), Some("person"));
            assert_eq!(whose(kind, Rule::Anyone, nobody()), None);
        }
        assert_eq!(whose(TokenKind::Client, Rule::Anyone, nobody()), Some("gateway"));
        assert_eq!(whose(TokenKind::Client, Rule::SignedIn, alice()), Some("gateway"));
        assert_eq!(whose(TokenKind::UserOrClient, Rule::Anyone, nobody()), Some("gateway"));
        assert_eq!(whose(TokenKind::UserOrClient, Rule::Anyone, alice()), Some("person"));
        assert_eq!(whose(TokenKind::UserOrClient, Rule::SignedIn, alice()), Some("person"));
    }

    fn comes_back_to(route: &Route) -> String {
        let stop = decide(route, Caller::Anonymous { stale_cookie: false }, &inbound("/x?y=1"));
        let Err(Stop::Refused(Refusal { remedy: Remedy::SignIn(sign_in), .. })) = stop else {
            panic!("a sign-in would help");
        };
        sign_in.return_to.to_string()
    }

    #[test]
    fn a_refused_visitor_comes_back_to_the_page_asked_for() {
        assert_eq!(comes_back_to(&route(Rule::SignedIn)), "/x?y=1");
    }

    #[test]
    fn a_person_who_opened_an_address_for_scripts_comes_back_to_the_front_page() {
        assert_eq!(comes_back_to(&Route { csrf: Csrf::Header, ..route(Rule::SignedIn) }), "/");
    }

    #[test]
    fn a_route_for_certificates_takes_no_client_without_the_right_one() {
        use crate::handshake::client::Wanted;
        use crate::handshake::{ClientCertificate, Handshake};
        const END: Timestamp = Timestamp(100);
        let peer = |client: Option<ClientCertificate>| Peer {
            handshake: Some(Arc::new(Handshake::new(Arc::default(), None, client))),
            ..Peer::new([127, 0, 0, 1].into())
        };
        let billing =
            || Some(ClientCertificate::new(&[1], "CN=billing".into(), vec!["billing.example".into()], END));
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let wanted = |names| Some(Box::new(Wanted { names, ..Wanted::default() }));
        let route = |client_certificate| Route { client_certificate, ..route(Rule::Anyone) };
        let passes = |route: &Route, peer: &Peer| certificate(route, peer, END).is_ok();
        assert!(passes(&route(None), &Peer::new([127, 0, 0, 1].into())));
        assert!(passes(&route(wanted(names(&[]))), &peer(billing())));
        assert!(passes(&route(wanted(names(&["billing.example"]))), &peer(billing())));
        let late =
            certificate(&route(wanted(names(&[]))), &peer(billing()), END.plus(Duration::from_secs(1)));
        assert!(late.is_err(), "its connection has outlasted it");
        assert!(!passes(&route(wanted(names(&["x"]))), &peer(billing())));
        assert!(!passes(&route(wanted(names(&[]))), &peer(None)));
        assert!(!passes(&route(wanted(names(&[]))), &Peer::new([127, 0, 0, 1].into())));
    }
}
