//! What answers wear: compression, and how long caches may keep them (requirements HD-14, RL-06).

use harness::{Ask, Plan, Recorder, Site};

use crate::support::*;

async fn site() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let routes = format!(
        "{}\n[[routes]]\npath = \"/small\"\nupstream = \"recorder\"\nallow = \"anyone\"\ncsrf = \"origin\"\ncompress = true\n\
         [[routes]]\npath = \"/always\"\nupstream = \"recorder\"\ncompress = \"always\"\n\
         [[routes]]\npath = \"/kept\"\nupstream = \"recorder\"\nallow = \"anyone\"\ncache_control = \"public, max-age=60\"\n\
         [[routes]]\npath = \"/mine\"\nupstream = \"recorder\"\ncache_control = \"private, max-age=60\"\n",
        recorder_routes(&recorder)
    );
    (Plan::new().append(routes).start().await, recorder)
}

fn page(more: &str) -> String {
    let text = "Words. ".repeat(400);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n{more}\r\n{text}",
        text.len()
    )
}

#[tokio::test]
async fn answers_are_compressed_where_the_route_says_so_and_secrets_only_on_demand() {
    let (site, recorder) = site().await;
    let (nobody, alice) = (site.browser(), site.signed_in(ALICE).await);
    recorder.answer_always(page("etag: \"1\"\r\n"));
    for (browser, path, wanted) in [
        (&nobody, "/open", false),
        (&nobody, "/small", true),
        (&alice, "/small", false),
        (&alice, "/always", true),
        (&alice, "/plain", false),
    ] {
        let reply = browser.send(Ask::fetch("GET", path).set("accept-encoding", "gzip, br")).await;
        reply.must_be(200);
        assert_eq!(reply.header("content-encoding").is_some(), wanted, "{path}");
        assert_eq!(reply.body.len() < 1_000, wanted, "{path}");
        assert_eq!(reply.header("etag"), Some(if wanted { "W/\"1\"" } else { "\"1\"" }), "{path}");
    }
    let plain = nobody.send(Ask::fetch("GET", "/small").without("accept-encoding")).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    recorder.answer_always(page("cache-control: no-transform\r\n"));
    let kept = nobody.send(Ask::fetch("GET", "/small").set("accept-encoding", "gzip")).await;
    assert_eq!(kept.header("content-encoding"), None);
}

#[tokio::test]
async fn caches_are_told_what_the_route_says_of_what_was_found() {
    let (site, recorder) = site().await;
    let (nobody, alice) = (site.browser(), site.signed_in(ALICE).await);
    recorder.answer_always(page("cache-control: no-cache\r\n"));
    let told = async |browser: &harness::Browser, path: &str| {
        let reply = browser.send(Ask::fetch("GET", path)).await;
        reply.header("cache-control").map(str::to_owned)
    };
    assert_eq!(told(&nobody, "/kept").await.as_deref(), Some("public, max-age=60"));
    assert_eq!(told(&alice, "/mine").await.as_deref(), Some("private, max-age=60"));
    assert_eq!(told(&nobody, "/open").await.as_deref(), Some("no-cache"));
    recorder.answer_always(page("set-cookie: a=b\r\n"));
    assert_eq!(told(&nobody, "/kept").await, None, "a cookie is for one");
    assert_eq!(told(&alice, "/plain").await.as_deref(), Some("no-store"));
    recorder.answer_always("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(told(&nobody, "/kept").await, None, "nothing was found");
    // What nobody may see is never told to be kept.
    let refused = nobody.send(Ask::fetch("GET", "/mine")).await;
    refused.must_be(401);
    assert_eq!(refused.header("cache-control"), Some("no-store"));
}
