//! The gateway's cookies: their attributes, what a tampered one is worth, and that no upstream sees or sets one (SE-01,
//! SE-05 to SE-08, SE-16).

use harness::{Ask, Plan, Recorder, Site};
use url::Url;

use crate::support::*;

#[tokio::test]
async fn on_plain_http_loopback_cookies_have_plain_names_and_all_attributes_but_secure() {
    let site = Site::start().await;
    let browser = site.browser();
    let begun = browser.send(Ask::page("/auth/sign-in")).await;
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let finished = browser.send(Ask::page(callback.as_str())).await;
    let ended = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let cookies: Vec<_> =
        [&begun, &finished, &ended].into_iter().flat_map(harness::Reply::set_cookies).collect();
    assert!(cookies.iter().any(|cookie| cookie.name == SESSION && cookie.is_removal()));
    for cookie in cookies {
        for attribute in ["HttpOnly", "Path=/", "SameSite=Lax"] {
            assert!(cookie.has(attribute), "{} lacks {attribute}", cookie.name);
        }
        assert!(
            !cookie.attributes.iter().any(|attribute| attribute.to_ascii_lowercase().starts_with("domain"))
        );
        assert!(cookie.name.starts_with("gateway-") && !cookie.has("Secure"), "{}", cookie.name);
    }
}

/// A site that people reach by https, through a proxy that ends TLS; the tests stand where that proxy stands.
async fn secure_site() -> Site {
    secure_site_with("").await
}

/// The same with more lines in `[session]`.
async fn secure_site_with(session: &'static str) -> Site {
    let public = "https://app.example";
    Plan::new()
        .gateway(move |text| {
            text.lines()
                .map(|line| match line {
                    line if line.starts_with("public_url") => format!("public_url = \"{public}\"\n"),
                    "[session]" => format!("{line}\n{session}\n"),
                    line => format!("{line}\n"),
                })
                .collect()
        })
        .tenant(move |tenant| {
            let web = tenant.client_mut("todo-web").expect("the web app");
            web.redirect_uris = vec![format!("{public}/auth/callback")];
            web.post_logout_redirect_uris = vec![format!("{public}/auth/signed-out")];
        })
        .start()
        .await
}

#[tokio::test]
async fn on_https_every_cookie_is_host_prefixed_and_secure_also_when_it_is_taken_away() {
    let site = secure_site().await;
    let browser = site.browser();
    let host = "app.example";
    let begun = browser.send(Ask::page("/auth/sign-in").set("host", host)).await;
    let location = Url::parse(begun.must_redirect()).expect("the provider's address");
    assert_eq!(parameter(&location, "redirect_uri"), "https://app.example/auth/callback");
    let callback = browser.callback_of(Ask::page("/auth/sign-in").set("host", host), ALICE).await;
    assert_eq!(callback.host_str(), Some(host));
    let path = format!("{}?{}", callback.path(), callback.query().unwrap_or_default());
    let finished = browser.send(Ask::page(&path).set("host", host)).await;
    finished.must_be(303);
    assert_eq!(
        browser.send(Ask::fetch("GET", "/auth/session").set("host", host)).await.json()["signed_in"],
        true
    );
    let signing_out =
        Ask::submit("/auth/sign-out", &[]).set("host", host).set("origin", "https://app.example");
    let ended = browser.send(signing_out).await;
    ended.must_redirect();
    let replies = [&begun, &finished, &ended];
    for cookie in replies.into_iter().flat_map(harness::Reply::set_cookies) {
        assert!(cookie.name.starts_with("__Host-gateway-"), "{}", cookie.name);
        for attribute in ["HttpOnly", "Path=/", "Secure", "SameSite=Lax"] {
            assert!(cookie.has(attribute), "{} lacks {attribute}: {:?}", cookie.name, cookie.attributes);
        }
        assert!(
            !cookie.attributes.iter().any(|attribute| attribute.to_ascii_lowercase().starts_with("domain"))
        );
    }
    for reply in replies {
        let hsts = reply.header("strict-transport-security").unwrap_or_default();
        let age = hsts
            .split(';')
            .find_map(|part| part.trim().strip_prefix("max-age="))
            .and_then(|age| age.parse().ok());
        assert!(age.is_some_and(|age: u64| age >= 31_536_000), "{hsts:?}");
    }
}

#[tokio::test]
async fn with_the_longer_prefix_every_cookie_has_it_and_the_shorter_one_opens_nothing() {
    let site = secure_site_with("cookie_prefix = \"__Host-Http-\"").await;
    let browser = site.browser();
    let host = "app.example";
    let begun = browser.send(Ask::page("/auth/sign-in").set("host", host)).await;
    let callback = browser.callback_of(Ask::page("/auth/sign-in").set("host", host), ALICE).await;
    let path = format!("{}?{}", callback.path(), callback.query().unwrap_or_default());
    let finished = browser.send(Ask::page(&path).set("host", host)).await;
    finished.must_be(303);
    let value = browser.cookie("__Host-Http-gateway-session").expect("a session");
    let with = |name: &str| {
        let ask = Ask::fetch("GET", "/api/todolist").set("host", host).without_cookies();
        ask.header("cookie", &format!("{name}={value}"))
    };
    browser.send(with("__Host-Http-gateway-session")).await.must_be(200);
    for other in ["__Host-gateway-session", "gateway-session", "__host-http-gateway-session"] {
        browser.send(with(other)).await.must_be(401);
    }
    let signing_out =
        Ask::submit("/auth/sign-out", &[]).set("host", host).set("origin", "https://app.example");
    let ended = browser.send(signing_out).await;
    for cookie in [&begun, &finished, &ended].into_iter().flat_map(harness::Reply::set_cookies) {
        assert!(cookie.name.starts_with("__Host-Http-gateway-"), "{}", cookie.name);
        for attribute in ["HttpOnly", "Path=/", "Secure", "SameSite=Lax"] {
            assert!(cookie.has(attribute), "{} lacks {attribute}: {:?}", cookie.name, cookie.attributes);
        }
    }
}

/// A site whose session cookies stay behind when another site leads here.
async fn strict_site() -> Site {
    Plan::new().replace("[session]", "[session]\nsame_site = \"strict\"").start().await
}

fn from_elsewhere(target: &str) -> Ask {
    Ask::page(target).set("sec-fetch-site", "cross-site")
}

/// Where a page leads by itself.
fn leads_to(reply: &harness::Reply) -> String {
    let text = reply.must_be(200).text();
    let rest = text.split("http-equiv=\"refresh\" content=\"0;url=").nth(1).expect("it leads on");
    let target = rest.split('"').next().unwrap_or_default().replace("&amp;", "&");
    assert!(text.contains(&format!("href=\"{}\"", target.replace('&', "&amp;"))), "also by hand: {text}");
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    target
}

#[tokio::test]
async fn in_strict_mode_the_callback_leads_on_from_this_site_and_only_the_session_is_strict() {
    let site = strict_site().await;
    let browser = site.browser();
    let begun = browser.send(Ask::page("/auth/sign-in?return_to=%2Fx%3Fa%3D1%26b%3D2")).await;
    assert!(begun.set_cookies().iter().all(|cookie| cookie.has("SameSite=Lax")));
    let callback = browser.callback_address("/auth/sign-in?return_to=%2Fx%3Fa%3D1%26b%3D2", ALICE).await;
    let finished = browser.send(from_elsewhere(callback.as_str())).await;
    assert_eq!(leads_to(&finished), "/x?a=1&b=2");
    let cookies = finished.set_cookies();
    let session = cookies.iter().find(|cookie| cookie.name == SESSION).expect("a session");
    assert!(session.has("SameSite=Strict") && session.has("HttpOnly"), "{session:?}");
    assert!(cookies.iter().filter(|cookie| cookie.name != SESSION).all(|cookie| cookie.has("SameSite=Lax")));
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let ended = browser.send(Ask::submit("/auth/sign-out", &[])).await;
    let removal =
        ended.set_cookies().into_iter().find(|cookie| cookie.name == SESSION).expect("it is cleared");
    assert!(removal.is_removal() && removal.has("SameSite=Strict"), "{removal:?}");
}

#[tokio::test]
async fn in_strict_mode_a_page_asked_for_from_another_site_takes_one_step_inside_this_one() {
    let site = strict_site().await;
    let stranger = site.browser();
    // A session may have stayed behind: one step, which keeps path and query.
    let step = leads_to(&stranger.send(from_elsewhere("/auth/sessions?a=1&b=2")).await);
    assert_eq!(step, "/auth/continue?return_to=%2Fauth%2Fsessions%3Fa%3D1%26b%3D2");
    let inside = Ask::page(&step).set("sec-fetch-site", "same-origin");
    assert_eq!(stranger.send(inside).await.must_redirect(), "/auth/sessions?a=1&b=2");
    // From here it is as ever: whoever is signed out goes to the provider.
    for from in ["same-origin", "none", "same-site"] {
        let reply = stranger.send(Ask::page("/auth/sessions").set("sec-fetch-site", from)).await;
        assert!(reply.must_redirect().starts_with(&site.addresses().provider), "{from}");
    }
    let unsaid = stranger.send(Ask::page("/auth/sessions").without("sec-fetch-site")).await;
    assert!(unsaid.must_redirect().starts_with(&site.addresses().provider));
    // A cookie that came along and is dead is no reason for a step.
    let over = site.browser();
    over.set_cookie(SESSION, &"A".repeat(64));
    assert!(over.send(from_elsewhere("/auth/sessions")).await.must_redirect().starts_with("http"));
    // Only pages take it.
    stranger.send(Ask::fetch("GET", "/auth/sessions").set("sec-fetch-site", "cross-site")).await.must_be(401);
    // An address that signs in takes the step too, and not twice.
    let step = leads_to(&stranger.send(from_elsewhere("/auth/sign-in?return_to=%2Fx")).await);
    assert_eq!(step, "/auth/sign-in?return_to=%2Fx&continued=1");
    let begun = stranger.send(from_elsewhere(&step)).await;
    assert!(begun.must_redirect().starts_with(&site.addresses().provider));
}

#[tokio::test]
async fn in_lax_mode_nothing_takes_a_step_and_the_step_leads_nowhere_else() {
    let site = Site::start().await;
    let browser = site.browser();
    let reply = browser.send(from_elsewhere("/auth/sessions")).await;
    assert!(reply.must_redirect().starts_with(&site.addresses().provider));
    for bad in
        ["//evil.example", "https://evil.example", "/\\evil.example", "/auth/sign-in", "/auth/continue", ""]
    {
        let target: String = url::form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        let reply = browser.send(Ask::page(&format!("/auth/continue?return_to={target}"))).await;
        assert_eq!(reply.must_redirect(), "/", "{bad}");
    }
}

#[tokio::test]
async fn form_post_answers_need_a_login_cookie_that_travels_and_a_session_that_does_not() {
    let public = "https://app.example";
    let plan = Plan::new()
        .gateway(move |text| {
            let text = text.replacen("[provider]", "[provider]\nresponse_mode = \"form_post\"", 1);
            text.lines()
                .map(|line| {
                    if line.starts_with("public_url") {
                        format!("public_url = \"{public}\"\n")
                    } else {
                        format!("{line}\n")
                    }
                })
                .collect()
        })
        .tenant(move |tenant| {
            tenant.client_mut("todo-web").expect("the web app").redirect_uris =
                vec![format!("{public}/auth/callback")];
        });
    let site = plan.start().await;
    let browser = site.browser();
    let host = "app.example";
    let begun = browser.send(Ask::page("/auth/sign-in").set("host", host)).await;
    assert!(begun.set_cookies().iter().all(|cookie| cookie.has("SameSite=None") && cookie.has("Secure")));
    let location = Url::parse(begun.must_redirect()).expect("the provider's address");
    assert_eq!(parameter(&location, "response_mode"), "form_post");
    // Through the provider's forms by hand: the last one posts to the site itself.
    let mut visit = browser.open(location.as_str()).await;
    let answer = loop {
        let form = visit.forms().into_iter().next().expect("a form");
        if form.action.starts_with(public) {
            break form;
        }
        visit =
            browser.submit(&visit, &form, &[("email", ALICE), ("password", "correct-horse-battery")]).await;
    };
    let fields: Vec<(String, String)> = ["code", "state", "iss"]
        .iter()
        .map(|name| ((*name).to_owned(), answer.value(name).expect("it is in the form").to_owned()))
        .collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let posted = |ask: Ask| {
        ask.set("host", host).set("origin", "http://localhost").set("sec-fetch-site", "cross-site")
    };
    browser.send(Ask::page("/auth/callback").set("host", host)).await.must_be(405);
    let reply = browser.send(posted(Ask::submit("/auth/callback", &fields))).await;
    reply.must_be(303);
    let session = reply.set_cookies().into_iter().find(|cookie| cookie.name == "__Host-gateway-session");
    assert!(session.expect("a session").has("SameSite=Lax"));
}

#[tokio::test]
async fn a_cookie_that_was_changed_in_any_way_is_no_session() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    let good = browser.cookie(SESSION).expect("a session");
    let mut bad: Vec<String> = (0..good.len())
        .map(|at| {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'E' } else { b'A' };
            String::from_utf8(bytes).expect("ASCII")
        })
        .collect();
    bad.extend([
        String::new(),
        good[..42].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("\"{good}\""),
        good.replace(['-', '_'], "+"),
        good.to_uppercase(),
        format!("{good}%20"),
        "null".to_owned(),
        "x".repeat(4_000),
    ]);
    bad.retain(|value| *value != good);
    let thief = site.browser();
    let mut answers = std::collections::BTreeSet::new();
    for value in bad {
        thief.set_cookie(SESSION, &value);
        let reply = thief.send(Ask::fetch("GET", "/plain")).await;
        assert_eq!(reply.status, 401, "{value}");
        assert!(
            reply.set_cookies().iter().any(|cookie| cookie.name == SESSION && cookie.is_removal()),
            "{value} is not cleared"
        );
        let mut problem = reply.json();
        problem["request_id"] = "same".into();
        answers.insert(problem.to_string());
    }
    assert_eq!(answers.len(), 1, "all are answered alike: {answers:?}");
    recorder.must_be_untouched();
    browser.fetch("GET", "/plain").await.must_be(200);
}

#[tokio::test]
async fn a_login_cookie_is_never_a_session_and_a_session_never_a_login() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let login = browser.cookies_like(LOGIN).into_iter().next().expect("a login cookie");
    let attempt = browser.cookie(&login).expect("a value");
    let thief = site.browser();
    thief.set_cookie(SESSION, &attempt);
    thief.fetch("GET", "/api/todolist").await.must_be(401);
    let session = site.signed_in(BOB).await.cookie(SESSION).expect("a session");
    let mixed = browser.copy();
    mixed.set_cookie(&login, &session);
    must_be_refused(&mixed.send(Ask::page(callback.as_str())).await, &[400], "a session as login cookie");
    browser.send(Ask::page(callback.as_str())).await.must_be(303);
}

#[tokio::test]
async fn a_session_of_another_site_is_worth_nothing_here() {
    let (here, there) = (Site::start().await, Site::start().await);
    let browser = there.signed_in(ALICE).await;
    let thief = here.browser();
    thief.set_cookie(SESSION, &browser.cookie(SESSION).expect("a session"));
    thief.fetch("GET", "/api/todolist").await.must_be(401);
    let callback = here.browser().callback_address("/auth/sign-in", ALICE).await;
    let foreign = there.browser();
    foreign.send(Ask::page("/auth/sign-in")).await.must_redirect();
    let mixed = here.browser();
    for name in foreign.cookies_like(LOGIN) {
        mixed.set_cookie(&name, &foreign.cookie(&name).expect("a value"));
    }
    must_be_refused(
        &mixed.send(Ask::page(callback.as_str())).await,
        &[400],
        "another gateway's login cookie",
    );
}

#[tokio::test]
async fn two_session_cookies_in_one_request_are_refused_both() {
    let (site, recorder) = with_recorder().await;
    let (alice, bob) = (site.signed_in(ALICE).await, site.signed_in(BOB).await);
    let (a, b) = (alice.cookie(SESSION).expect("a session"), bob.cookie(SESSION).expect("a session"));
    let junk = "A".repeat(64);
    let ask = || Ask::fetch("GET", "/plain").without_cookies();
    for (first, second) in [(&a, &junk), (&junk, &a), (&a, &b), (&a, &a)] {
        let one_line = ask().header("cookie", &format!("{SESSION}={first}; {SESSION}={second}"));
        let two_lines = ask()
            .header("cookie", &format!("{SESSION}={first}"))
            .header("cookie", &format!("{SESSION}={second}"));
        for ask in [one_line, two_lines] {
            let reply = alice.send(ask).await;
            assert!(matches!(reply.status.as_u16(), 400 | 401), "{}", reply.status);
        }
    }
    recorder.must_be_untouched();
    alice.send(ask().header("cookie", &format!("{SESSION}={a}; other=1"))).await.must_be(200);
    alice
        .send(ask().header("cookie", "other=1").header("cookie", &format!("{SESSION}={a}")))
        .await
        .must_be(200);
}

#[tokio::test]
async fn only_the_exact_name_is_the_session() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    let good = browser.cookie(SESSION).expect("a session");
    for name in [
        "Gateway-Session",
        "gateway_session",
        "GATEWAY-SESSION",
        "a=1;\tgateway-session",
        "a=1;  gateway-session",
        "__Host-gateway-session",
        "$gateway-session",
    ] {
        let ask = Ask::fetch("GET", "/plain").without_cookies().header("cookie", &format!("{name}={good}"));
        assert_eq!(browser.send(ask).await.status, 401, "{name:?}");
    }
    let version = Ask::fetch("GET", "/plain")
        .without_cookies()
        .header("cookie", &format!("$Version=1, {SESSION}={good}"));
    assert_eq!(browser.send(version).await.status, 401);
    recorder.must_be_untouched();
}

#[tokio::test]
async fn upstreams_neither_see_nor_set_the_gateways_cookies_and_keep_their_own() {
    let recorder = Recorder::start().await;
    let site = Plan::new().append(recorder_routes(&recorder)).start().await;
    let browser = site.signed_in(ALICE).await;
    browser.send(Ask::page("/app/elsewhere").without_cookies()).await.must_redirect();
    browser.set_cookie("app", "its-own");
    assert!(!browser.cookies_like(LOGIN).is_empty());
    for path in ["/rec", "/plain", "/open", "/app"] {
        browser.fetch("GET", path).await.must_be(200);
        let seen = recorder.last();
        assert!(!seen.head.contains("gateway-"), "{path}: {}", seen.head);
        assert!(
            seen.value("cookie").is_some_and(|cookies| cookies.contains("app=its-own")),
            "{path}: {}",
            seen.head
        );
    }
    let before = browser.cookie(SESSION);
    recorder.answer_once(
        "HTTP/1.1 200 OK\r\nset-cookie: gateway-session=evil; Path=/\r\nset-cookie: mine=1; Path=/\r\n\
         set-cookie: gateway-login-x=evil; Path=/\r\ncontent-length: 0\r\n\r\n",
    );
    let reply = browser.fetch("GET", "/plain").await;
    let names: Vec<String> = reply.set_cookies().into_iter().map(|cookie| cookie.name).collect();
    assert_eq!(names, ["mine"]);
    assert_eq!(browser.cookie(SESSION), before);
}

#[tokio::test]
async fn cookies_stay_small_however_large_tokens_and_paths_are() {
    let (site, _recorder) = with_recorder().await;
    site.faults()
        .edit_id_token(|_, claims| drop(claims.insert("padding".to_owned(), "x".repeat(50 * 1024).into())));
    let browser = site.browser();
    let path = format!("/app/{}", "a".repeat(2_000));
    let begun = browser.send(Ask::page(&path)).await;
    let callback = browser.callback_address(&path, ALICE).await;
    let finished = browser.send(Ask::page(callback.as_str())).await;
    assert_eq!(finished.must_redirect(), path);
    for reply in [&begun, &finished] {
        for line in reply.headers.get_all("set-cookie") {
            assert!(line.len() <= 4_096, "{} bytes", line.len());
        }
    }
    browser.send(Ask::page(&path)).await.must_be(200);
    assert_eq!(browser.session().await["name"], "Alice Adams");
}

#[tokio::test]
async fn a_session_is_one_cookie_and_pieces_of_one_are_none() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let value = browser.cookie(SESSION).expect("a session");
    let (first, second) = value.split_at(value.len() / 2);
    let with =
        |cookies: String| Ask::fetch("GET", "/api/todolist").without_cookies().header("cookie", &cookies);
    browser.send(with(format!("{SESSION}={value}"))).await.must_be(200);
    let many: Vec<_> = (0..500).map(|number| format!("{SESSION}_{number}=x")).collect();
    for cookies in [
        format!("{SESSION}_0={first}; {SESSION}_1={second}"),
        format!("{SESSION}.0={first}; {SESSION}.1={second}"),
        format!("{SESSION}=chunks-2; {SESSION}C1={first}; {SESSION}C2={second}"),
        format!("{SESSION}=chunks:99999999"),
        format!("{SESSION}_chunks=99999999; {SESSION}_0={first}"),
        many.join("; "),
    ] {
        browser.send(with(cookies)).await.must_be(401);
    }
}
