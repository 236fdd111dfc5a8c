//! The provider's answer at the callback, and everything that is not one (requirements section 2, CB-01 to CB-12).

use dev_idp::Endpoint;
use dev_idp::faults::CallbackFault;
use harness::{Ask, Plan, Site};

use crate::support::*;

#[tokio::test]
async fn an_answer_with_a_wrong_state_is_refused_before_anybody_is_asked() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let state = parameter(&callback, "state");
    let tampered = format!("{}{}", &state[..42], if state.ends_with('A') { 'B' } else { 'A' });
    let variants = [None, Some(""), Some("unknown"), Some(tampered.as_str()), Some(&state[..42])];
    for value in variants {
        let wrong = with_parameter(&callback, "state", value);
        must_be_refused(&browser.send(Ask::page(wrong.as_str())).await, &[400], &format!("state {value:?}"));
    }
    assert_eq!(token_requests(&site), 0);
    browser.send(Ask::page(callback.as_str())).await.must_be(303);
    // Once used, it is refused, whoever brings the cookie again.
    let saved = browser.copy();
    let asked = token_requests(&site);
    let again = saved.send(Ask::page(callback.as_str())).await;
    must_be_refused(&again, &[400], "a state that was used");
    assert_eq!(token_requests(&site), asked);
}

#[tokio::test]
async fn a_used_attempt_stays_used_although_its_cookie_is_brought_back() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let saved = browser.copy();
    let first = browser.send(Ask::page(callback.as_str())).await;
    first.must_be(303);
    let login = saved.cookies_like(LOGIN).first().expect("a login cookie").clone();
    assert!(
        first.set_cookies().iter().any(|cookie| cookie.name == login && cookie.is_removal()),
        "the attempt's cookie is cleared: {:?}",
        first.set_cookies()
    );
    let asked = token_requests(&site);
    let replayed = saved.send(Ask::page(callback.as_str())).await;
    must_be_refused(&replayed, &[400], "a replay with the login cookie");
    assert!(replayed.set_cookies().iter().any(|cookie| cookie.name == login && cookie.is_removal()));
    assert_eq!(token_requests(&site), asked);
    assert_eq!(browser.session().await["signed_in"], true, "the live session is untouched");
}

#[tokio::test]
async fn a_code_of_another_tab_does_not_sign_in() {
    let site = Site::start().await;
    let browser = site.browser();
    let first = browser.callback_address("/auth/sign-in", ALICE).await;
    let second = browser.callback_address("/auth/sign-in", ALICE).await;
    let swapped = with_parameter(&first, "code", Some(&parameter(&second, "code")));
    must_be_refused(&browser.send(Ask::page(swapped.as_str())).await, &[400, 502], "a swapped code");
    assert_eq!(browser.session().await["signed_in"], false);
    sign_in_must_work(&browser, "its own code").await;
}

#[tokio::test]
async fn doubled_parameters_are_refused() {
    let site = Site::start().await;
    let browser = site.browser();
    for name in ["code", "state", "iss", "error"] {
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let asked = token_requests(&site);
        let mut doubled = callback.clone();
        let value =
            callback.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
        let value = value.unwrap_or_else(|| "access_denied".to_owned());
        doubled.query_pairs_mut().append_pair(name, &value);
        if name == "error" {
            doubled.query_pairs_mut().append_pair(name, &value);
        }
        must_be_refused(&browser.send(Ask::page(doubled.as_str())).await, &[400], name);
        let other = with_parameter(&callback, "unused", None);
        let mut different = other.clone();
        different.query_pairs_mut().append_pair(name, "something-else").append_pair(name, "yet-another");
        must_be_refused(&browser.send(Ask::page(different.as_str())).await, &[400], name);
        assert_eq!(token_requests(&site), asked, "{name}");
    }
    sign_in_must_work(&browser, "each parameter once").await;
}

#[tokio::test]
async fn an_answer_that_names_another_issuer_or_none_is_refused() {
    let site = Site::start().await;
    let browser = site.browser();
    let issuer = site.addresses().provider.clone();
    let wrong = [
        None,
        Some(String::new()),
        Some("https://somebody-else.example".to_owned()),
        Some(format!("{issuer}/")),
        Some(issuer.to_uppercase()),
        Some(issuer.replace("http:", "https:")),
        Some(format!("{issuer}0")),
        Some(site.addresses().entra_issuer.clone()),
    ];
    for iss in wrong {
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let asked = token_requests(&site);
        let wrong = with_parameter(&callback, "iss", iss.as_deref());
        must_be_refused(&browser.send(Ask::page(wrong.as_str())).await, &[400], &format!("iss {iss:?}"));
        assert_eq!(token_requests(&site), asked, "{iss:?}");
    }
    sign_in_must_work(&browser, "the right issuer").await;
}

#[tokio::test]
async fn a_wrong_issuer_counts_also_where_none_is_promised() {
    let site = Plan::new().fault(dev_idp::faults::MetadataFault::NoIss).start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    assert!(!callback.as_str().contains("iss="), "{callback}");
    let wrong = with_parameter(&callback, "iss", Some("https://somebody-else.example"));
    must_be_refused(&browser.send(Ask::page(wrong.as_str())).await, &[400], "an issuer that nobody asked");
    assert_eq!(token_requests(&site), 0);
    sign_in_must_work(&browser, "no issuer where none is promised").await;
}

#[tokio::test]
async fn an_error_of_the_provider_is_a_page_in_fixed_words() {
    let site = Site::start().await;
    let browser = site.browser();
    let errors = [
        CallbackFault::AccessDenied,
        CallbackFault::ServerError,
        CallbackFault::LoginRequired,
        CallbackFault::CodeAndError,
    ];
    for fault in errors {
        site.faults().once(fault);
        site.faults().edit_callback(|pairs| {
            pairs.retain(|(name, _)| name != "error_description");
            pairs.push((
                "error_description".to_owned(),
                format!("<script>alert(1)</script>{}", "x".repeat(4_000)),
            ));
            pairs.push(("error_uri".to_owned(), "javascript:alert(1)".to_owned()));
        });
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let asked = token_requests(&site);
        let authorized = site.requests(Endpoint::Authorize);
        let saved = browser.copy();
        let reply = browser.send(Ask::page(callback.as_str())).await;
        must_be_refused(&reply, &[400], fault.name());
        let text = reply.text();
        for foreign in
            ["<script>", "alert(1)", "javascript:", "xxxxxxxx", "The person said no", "Something broke."]
        {
            assert!(!text.contains(foreign), "{}: {foreign} is in the page", fault.name());
        }
        assert!(!text.contains("http-equiv"), "no automatic retry");
        // The state is spent: the same answer again is refused as used, and nobody was asked either time.
        must_be_refused(&saved.send(Ask::page(callback.as_str())).await, &[400], fault.name());
        assert_eq!(
            (token_requests(&site), site.requests(Endpoint::Authorize)),
            (asked, authorized),
            "{}",
            fault.name()
        );
    }
    site.heal();
    sign_in_must_work(&browser, "no error").await;
}

#[tokio::test]
async fn an_error_full_of_markup_or_longer_than_an_address_may_be_is_not_repeated() {
    let site = Site::start().await;
    let browser = site.browser();
    for description in [100, 8 * 1024] {
        site.faults().edit_callback(move |pairs| {
            pairs.retain(|(name, _)| name == "state" || name == "iss");
            pairs.push(("error".to_owned(), "<script>alert(1)</script>".to_owned()));
            pairs.push(("error_description".to_owned(), format!("<b>{}</b>", "x".repeat(description))));
        });
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        let reply = browser.send(Ask::page(callback.as_str())).await;
        // Longer than 8 KiB is refused before anybody reads it (H1-16).
        must_be_refused(&reply, if description > 1_000 { &[414] } else { &[400] }, "markup as an error");
        assert!(!reply.text().contains("alert(1)") && !reply.text().contains("<b>"), "{}", reply.text());
    }
    assert_eq!(token_requests(&site), 0);
    site.heal();
    sign_in_must_work(&browser, "no error").await;
}

#[tokio::test]
async fn tokens_on_the_callback_are_refused() {
    let site = Site::start().await;
    let browser = site.browser();
    for fault in [CallbackFault::Tokens, CallbackFault::TokensOnly] {
        site.faults().once(fault);
        let asked = token_requests(&site);
        sign_in_must_fail(&browser, &[400], fault.name()).await;
        assert_eq!(token_requests(&site), asked, "{}", fault.name());
    }
    site.faults().once(CallbackFault::Unknown);
    sign_in_must_work(&browser, "parameters nobody knows").await;
}

#[tokio::test]
async fn a_callback_without_a_code_or_with_a_wrong_one_signs_nobody_in() {
    let site = Site::start().await;
    let browser = site.browser();
    site.faults().once(CallbackFault::MissingCode);
    sign_in_must_fail(&browser, &[400], "no code").await;
    assert_eq!(token_requests(&site), 0);
    site.faults().once(CallbackFault::WrongCode);
    sign_in_must_fail(&browser, &[400], "an unknown code").await;
    assert_eq!(token_requests(&site), 1, "asked once and not again");
    sign_in_must_work(&browser, "the right code").await;
}

#[tokio::test]
async fn other_methods_never_spend_a_code() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    for method in ["HEAD", "OPTIONS", "POST", "PUT"] {
        let ask = Ask::bare(method, callback.as_str());
        let reply = browser.send(ask).await;
        reply.must_be(405);
        assert_eq!(reply.header("allow"), Some("GET"), "{method}");
    }
    let posted: Vec<(String, String)> = parameters(&callback);
    let fields: Vec<(&str, &str)> =
        posted.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.send(Ask::submit("/auth/callback", &fields)).await.must_be(405);
    assert_eq!(token_requests(&site), 0);
    browser.send(Ask::page(callback.as_str())).await.must_be(303);
}

#[tokio::test]
async fn a_completed_sign_in_leads_to_the_stored_path_and_leaves_no_trace_of_the_code() {
    let (site, recorder) = with_recorder().await;
    let browser = site.browser();
    let callback = browser.callback_address("/app/start?x=1", ALICE).await;
    let (code, state) = (parameter(&callback, "code"), parameter(&callback, "state"));
    let reply = browser.send(Ask::page(callback.as_str())).await;
    assert_eq!(reply.must_redirect(), "/app/start?x=1");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert!(reply.body.is_empty());
    assert!(reply.sets(SESSION));
    browser.send(Ask::page("/app/start?x=1")).await.must_be(200);
    let seen = recorder.last();
    assert!(!seen.head.contains(&code) && !seen.head.contains(&state), "{}", seen.head);
    let logs = site.into_logs().await;
    let line =
        logs.lines().into_iter().find(|line| line["path"] == "/auth/callback").expect("an access line");
    assert_eq!(line["status"], 303);
    assert!(!logs.access.contains(&code) && !logs.events.contains(&code));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_fired_twenty_times_at_once_spends_the_code_once() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let mut firing = tokio::task::JoinSet::new();
    for _ in 0..20 {
        // Each with the cookies as they were before any answer came.
        let (tab, callback) = (browser.copy(), callback.clone());
        firing.spawn(async move { tab.send(Ask::page(callback.as_str())).await });
    }
    let replies = firing.join_all().await;
    assert_eq!(token_requests(&site), 1);
    let sessions = replies.iter().filter(|reply| reply.sets(SESSION)).count();
    assert_eq!(sessions, 1);
    assert!(replies.iter().all(|reply| matches!(reply.status.as_u16(), 303 | 400)));
}

#[tokio::test]
async fn reloading_the_callback_redeems_nothing_and_leaves_the_session_alone() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    browser.send(Ask::page(callback.as_str())).await.must_be(303);
    let asked = token_requests(&site);
    let session = browser.cookie(SESSION);
    for _ in 0..2 {
        let reply = browser.send(Ask::page(callback.as_str())).await;
        must_be_refused(&reply, &[400], "a reload");
        // The page offers a way on.
        assert!(reply.text().contains("/auth/sign-in?return_to="), "{}", reply.text());
    }
    assert_eq!(token_requests(&site), asked);
    assert_eq!(browser.cookie(SESSION), session);
    browser.fetch("GET", "/api/todolist").await.must_be(200);
}
