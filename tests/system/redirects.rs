//! Where people can be sent after signing in: to this site and nowhere else (requirements section 16).

use harness::{Ask, Plan, Site};
use url::Url;

use crate::support::*;

/// Targets that some browser, somewhere, would take as another site, or that make no sense here.
const BAD: [&str; 84] = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\evil.example",
    "//\\evil.example",
    "http://evil.example",
    "https://evil.example",
    "HTTP://evil.example",
    "http:evil.example",
    "http:/evil.example",
    "https:/evil.example",
    "http:\\\\evil.example",
    "ftp://evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:x",
    "mailto:x@evil.example",
    "//evil.example/%2e%2e",
    "//evil.example:80",
    "//user@evil.example",
    "//[::1]/",
    "//localhost@evil.example",
    "http://localhost@evil.example",
    "http://localhost.evil.example",
    "///",
    "//",
    "\\",
    "evil.example",
    ".evil.example",
    "@evil.example",
    ":evil",
    ";evil",
    "?x=1",
    "#x",
    "",
    " ",
    " /x",
    "\t/x",
    "\n/x",
    "\r/x",
    "/ /evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\u{0}/evil.example",
    "/\u{b}/x",
    "/\u{7f}x",
    "/x\u{0}",
    "/x\r\nSet-Cookie: a=b",
    "/x\nLocation: //evil.example",
    "/%0d%0aLocation:%20//evil.example",
    "/%2f/evil.example",
    "/%2F%2Fevil.example",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%2e%2e//evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/../evil.example",
    "/x/../../evil",
    "/x/%2e%2e/y",
    "/..;/x",
    "/x//y",
    "/%252f%252fevil.example",
    "/%00",
    "/%",
    "/%zz",
    "/\u{e9}",
    "/\u{2028}x",
    "/\u{ff0f}evil.example",
    "/\u{2215}evil.example",
    "\u{ff0f}\u{ff0f}evil.example",
    "/\"onmouseover=alert(1)",
    "/<script>alert(1)</script>",
    "/x\\y",
    "/auth/sign-out",
    "/auth/callback?code=x",
    "/auth/sign-in",
];

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn eighty_ways_to_name_another_site_all_end_on_this_one() {
    let site = Site::start().await;
    let browser = site.browser();
    let own = Url::parse(&site.addresses().gateway).expect("a URL");
    browser.sign_in(ALICE).await;
    for bad in BAD {
        let once = encode(bad);
        for query in [once.clone(), encode(&once)] {
            let address = format!("/auth/sign-in?return_to={query}");
            let callback = browser.callback_address(&address, ALICE).await;
            let reply = browser.send(Ask::page(callback.as_str())).await;
            let location = reply.must_redirect();
            let target = own.join(location).unwrap_or_else(|error| panic!("{bad:?}: {location}: {error}"));
            assert_eq!(target.origin(), own.origin(), "{bad:?} led to {location}");
            assert!(
                location.starts_with('/') && !location.starts_with("//") && !location.contains('\\'),
                "{bad:?}: {location}"
            );
            if query == once {
                assert_eq!(location, "/", "{bad:?}");
            }
        }
    }
    // Paths of this site are kept.
    for good in ["/", "/lists", "/lists?done=1&q=a%20b", "/a/b.c"] {
        let address = format!("/auth/sign-in?return_to={}", encode(good));
        let callback = browser.callback_address(&address, ALICE).await;
        assert_eq!(browser.send(Ask::page(callback.as_str())).await.must_redirect(), good);
    }
}

#[tokio::test]
async fn a_return_path_may_have_two_kibibytes_and_not_more() {
    let site = Site::start().await;
    let browser = site.browser();
    browser.sign_in(ALICE).await;
    for (length, kept) in [(2_048, true), (2_049, false), (6_000, false)] {
        let path = format!("/{}", "a".repeat(length - 1));
        let callback = browser.callback_address(&format!("/auth/sign-in?return_to={path}"), ALICE).await;
        let reply = browser.send(Ask::page(callback.as_str())).await;
        assert_eq!(reply.must_redirect() == path, kept, "{length}");
    }
}

#[tokio::test]
async fn links_on_pages_lead_to_this_site_too() {
    let site = Site::start().await;
    let browser = site.browser();
    for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
        for path in ["/auth/sign-in", "/auth/sign-up", "/auth/signed-out", "/auth/callback", "/auth/nothing"]
        {
            let ask = Ask::fetch("GET", &format!("{path}?return_to={}&next={}", encode(bad), encode(bad)));
            let reply = browser.send(ask.set("accept", "text/html")).await;
            assert!(
                !reply.text().contains("evil") && !reply.text().contains("javascript:"),
                "{path}: {}",
                reply.text()
            );
            assert!(reply.location().is_none_or(|to| !to.contains("evil")), "{path}");
        }
    }
}

#[tokio::test]
async fn a_folder_without_its_slash_leads_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["docs", "evil.example"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        std::fs::write(folder.path().join(name).join("index.html"), "hello").expect("a file");
    }
    std::fs::write(folder.path().join("index.html"), "home").expect("a file");
    let site = Plan::new().replace("\"web-ui\"", format!("\"{}\"", folder.path().display())).start().await;
    for target in [
        "//evil.example/%2e%2e",
        "//evil.example",
        "//evil.example/..",
        "/\\evil.example",
        "/%2fevil.example",
        "///docs",
    ] {
        let answer = site
            .raw(format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host()))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("\r\nlocation:"), "{target}: {answer}");
    }
    let reply = site.browser().send(Ask::page("/docs?x=1")).await;
    if let Some(location) = reply.location() {
        assert_eq!(location, "/docs/?x=1");
    }
    let visit = site.browser().open("/docs").await;
    assert_eq!(visit.reply.must_be(200).text(), "hello");
}
