//! The provider as a Microsoft Entra External ID tenant: another host for the issuer than for the metadata, a tenant in
//! every path, one API per token (SI-21, IT-20, the "Entra External ID must work").

use dev_idp::{Endpoint, Face};
use harness::{Ask, Plan, Recorder, Site};
use serde_json::json;
use url::Url;

use crate::support::*;
use crate::tokens::{NOTES_API, with_notes};

const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";

#[tokio::test]
async fn a_person_signs_in_works_on_the_list_and_signs_out() {
    let site = Plan::new().entra().start().await;
    let issuer = site.addresses().entra_issuer.clone();
    let metadata = Url::parse(&site.addresses().entra_metadata_url).expect("a URL");
    assert_ne!(Url::parse(&issuer).expect("a URL").host_str(), metadata.host_str());
    let browser = site.browser();
    let location = begin(&browser, "/auth/sign-in").await;
    assert_eq!(location.path(), format!("/{TENANT}/oauth2/v2.0/authorize"));
    assert_eq!(parameter(&location, "code_challenge_method"), "S256");
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    assert!(!callback.query_pairs().any(|(name, _)| name == "iss"), "{callback}");
    browser.send(Ask::page(callback.as_str())).await.must_be(303);
    let session = browser.session().await;
    assert_eq!((&session["name"], &session["claims"]["tid"]), (&json!("Alice Adams"), &json!(TENANT)));
    browser
        .send(Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "Buy milk" })))
        .await
        .must_be(201);
    let list = browser.fetch("GET", "/api/todolist").await.must_be(200).json();
    assert_eq!(list["items"][0]["owner"], session["claims"]["oid"]);
    let old = browser.copy();
    let reply = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let location = Url::parse(reply.must_redirect()).expect("the provider's address");
    assert_eq!(location.path(), format!("/{TENANT}/oauth2/v2.0/logout"));
    assert_eq!(claims(&parameter(&location, "id_token_hint"))["iss"], issuer.as_str());
    assert_eq!(site.requests(Endpoint::Revoke), 0, "Entra has no revocation endpoint");
    old.fetch("GET", "/api/todolist").await.must_be(401);
    assert!(site.faults().seen(Endpoint::Token).iter().all(|seen| seen.face == Face::Entra));
}

#[tokio::test]
async fn access_tokens_carry_what_entra_puts_into_them_and_each_api_has_its_own() {
    let (recorder, notes) = (Recorder::start().await, Recorder::start().await);
    let plan = with_notes(Plan::new().entra().append(recorder_routes(&recorder)), &notes);
    let site = plan.start().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    browser.fetch("GET", "/notes").await.must_be(200);
    let oid = browser.session().await["claims"]["oid"].clone();
    for (upstream, audience, scope) in
        [(&recorder, TODO_API, "ToDoList.Read"), (&notes, NOTES_API, "Notes.Read")]
    {
        let seen = upstream.last();
        let token = bearer(&seen);
        assert_eq!(token["iss"], site.addresses().entra_issuer.as_str());
        for (name, value) in [
            ("aud", audience),
            ("scp", scope),
            ("tid", TENANT),
            ("ver", "2.0"),
            ("idtyp", "user"),
            ("azp", "todo-web"),
        ] {
            assert_eq!(token[name], value, "{name}");
        }
        assert_eq!(token["oid"], oid);
        assert!(token.get("roles").is_none());
        let header =
            seen.value("authorization").and_then(|value| value.strip_prefix("Bearer ")).expect("a token");
        let header = claims(&format!("x.{}", header.split('.').next().expect("a header")));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("RS256")));
    }
    // Each was asked for with the refresh token and the scopes of one API.
    let asked: Vec<_> = site.faults().seen(Endpoint::Token).iter().map(dev_idp::faults::Seen::map).collect();
    let refreshes: Vec<_> = asked.iter().filter(|asked| asked["grant_type"] == "refresh_token").collect();
    assert_eq!(refreshes.len(), 2);
    for refresh in refreshes {
        let apis = refresh["scope"].split(' ').filter(|scope| scope.starts_with("api://")).count();
        assert_eq!(apis, 1, "{}", refresh["scope"]);
    }
}

#[tokio::test]
async fn the_issuer_is_exact_on_this_face_too() {
    // An issuer without its last segment is not the metadata's.
    let other = Plan::new().entra().replace("/v2.0\"\nmetadata_url", "\"\nmetadata_url").start().await;
    other.browser().send(Ask::page("/auth/sign-in")).await.must_be(503);
    assert_eq!(token_requests(&other), 0);
    let site = Plan::new().entra().start().await;
    let browser = site.browser();
    for fault in [dev_idp::faults::IdTokenFault::IssuerSlash, dev_idp::faults::IdTokenFault::WrongIssuer] {
        site.faults().set(fault);
        sign_in_must_fail(&browser, &[400, 502], fault.name()).await;
        site.heal();
    }
    let plain = site.addresses().provider.clone();
    site.faults().edit_id_token(move |_, claims| drop(claims.insert("iss".to_owned(), json!(plain))));
    sign_in_must_fail(&browser, &[400, 502], "the issuer of the other face").await;
    site.heal();
    sign_in_must_work(&browser, "the exact issuer").await;
}

/// A gateway for many tenants: the issuer is a template, and only listed tenants may sign in.
fn of_many_tenants(tenants: &str) -> Plan {
    let tenants = format!("tenants = [{tenants}]\n");
    Plan::new().entra().gateway(move |text| {
        text.lines()
            .map(|line| {
                let is_issuer = line.starts_with("issuer ");
                let line = if is_issuer { line.replace(TENANT, "{tenantid}") } else { line.to_owned() };
                if is_issuer { format!("{line}\n{tenants}") } else { format!("{line}\n") }
            })
            .collect()
    })
}

#[tokio::test]
async fn a_template_issuer_takes_the_tenants_on_its_list_only() {
    // The metadata's issuer is the template itself, as Entra's is for many tenants.
    async fn started(tenants: &str) -> Site {
        let plan = of_many_tenants(tenants).provider(|provider| {
            provider.faults().edit_metadata(|document| {
                let issuer = document["issuer"].as_str().expect("an issuer").replace(TENANT, "{tenantid}");
                document["issuer"] = json!(issuer);
            });
        });
        plan.start().await
    }
    let site = started(&format!("\"{TENANT}\"")).await;
    let browser = site.browser();
    sign_in_must_work(&browser, "the tenant on the list").await;
    site.faults().set(dev_idp::faults::IdTokenFault::WrongTid);
    sign_in_must_fail(&browser, &[400, 403], "another tid in a token of this issuer").await;
    let stranger = started("\"00000000-0000-4000-8000-000000000000\"").await;
    sign_in_must_fail(&stranger.browser(), &[400, 403], "a tenant that is not on the list").await;
}
