//! Paths and routing: one reading of every path, and what has two is refused (requirements section 10, TK-01).

use harness::{Ask, Outside, Plan, Recorder, Site, Wire};

/// `/public` for everybody and `/private` for who is signed in, on one upstream.
async fn site() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let routes = format!(
        "[upstreams.recorder]\nservers = [\"{}\"]\n\
         [[routes]]\npath = \"/public\"\nupstream = \"recorder\"\nallow = \"anyone\"\n\
         [[routes]]\npath = \"/private\"\nupstream = \"recorder\"\n\
         [[routes]]\npath = \"/public/but/private\"\nupstream = \"recorder\"\n",
        recorder.url()
    );
    (Plan::new().append(routes).start().await, recorder)
}

/// The status of a request with this target, byte for byte.
async fn status(site: &Site, target: &str) -> u16 {
    let mut request = b"GET ".to_vec();
    request.extend_from_slice(target.as_bytes());
    request.extend_from_slice(
        format!(" HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host()).as_bytes(),
    );
    let answer = site.raw(request).await;
    answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{target}: {answer:?}"))
}

#[tokio::test]
async fn ambiguous_paths_are_refused_on_public_and_protected_prefixes() {
    let (site, recorder) = site().await;
    let odd = [
        "%2f",
        "%2F",
        "a%2fb",
        "%5c",
        "%5C",
        "\\",
        "a\\b",
        "%00",
        "a%00b",
        "%0a",
        "%0d%0a",
        "%7f",
        "%01",
        "é",
        "%",
        "%2",
        "%zz",
        "%u002f",
        ".",
        "..",
        "../private",
        "./x",
        "x/..",
        "x/../y",
        "%2e",
        "%2e%2e",
        "%2E%2E/private",
        ".%2e/private",
        "..;",
        "..;/private",
        "..;x=1/private",
        "x/..;/y",
        "%2e%2e;/x",
        "/",
        "/x",
        "x//y",
        "//",
        "..%2fprivate",
        "..%5cprivate",
        "%252f",
        "%252e%252e",
        "%252%65%252%65",
        "%c0%af/%00",
        "....//..",
        ".;/x",
    ];
    for prefix in ["/public/", "/private/", "/"] {
        for rest in odd {
            let target = format!("{prefix}{rest}");
            let got = status(&site, &target).await;
            assert_eq!(got, 400, "{target}");
        }
    }
    recorder.must_be_untouched();
    for good in [
        "/public",
        "/public/",
        "/public/a.b-c_d~e",
        "/public/a%20b",
        "/public/%61",
        "/public/a..b",
        "/public/...",
        "/public/a;b=1",
    ] {
        assert_eq!(status(&site, good).await, 200, "{good}");
    }
}

#[tokio::test]
async fn a_path_is_forwarded_as_it_was_judged() {
    let (site, recorder) = site().await;
    for (asked, forwarded) in [
        ("/%70ublic/%61", "GET /public/a HTTP/1.1"),
        ("/public/a%2eb%7E", "GET /public/a.b~ HTTP/1.1"),
        ("/public/a%c3%a9?q=%2f..%2f", "GET /public/a%C3%A9?q=%2f..%2f HTTP/1.1"),
        ("/public?x=/private", "GET /public?x=/private HTTP/1.1"),
    ] {
        assert_eq!(status(&site, asked).await, 200, "{asked}");
        assert_eq!(recorder.last().line(), forwarded);
    }
    let fragment = status(&site, "/private#/public").await;
    assert!(matches!(fragment, 400 | 401), "{fragment}");
    let fragment = status(&site, "/public#/../private").await;
    assert!(matches!(fragment, 400 | 200), "{fragment}");
    assert!(recorder.seen().iter().all(|seen| !seen.line().starts_with("GET /private")));
}

#[tokio::test]
async fn a_route_ends_at_a_segment_and_letters_have_their_case() {
    let (site, recorder) = site().await;
    for path in [
        "/publicx",
        "/public-x",
        "/public.x",
        "/public..",
        "/public../private",
        "/PUBLIC",
        "/Public",
        "/publi",
        "/public%20",
    ] {
        assert_eq!(status(&site, path).await, 404, "{path}");
    }
    for path in [
        "/private",
        "/private/",
        "/private/x",
        "/%70rivate",
        "/privat%65/x",
        "/public/but/private",
        "/public/but/private/x",
        "/public/but/%70rivate",
        "/private;/x",
        "/private?/public",
        "/private?x=/public",
        "/private/public",
    ] {
        let got = status(&site, path).await;
        assert!(matches!(got, 401 | 404), "{path}: {got}");
    }
    recorder.must_be_untouched();
    assert_eq!(status(&site, "/public/but").await, 200);
    assert_eq!(status(&site, "/public/but/privatex").await, 200);
}

#[tokio::test]
async fn nothing_but_the_path_decides_what_is_public() {
    let (site, recorder) = site().await;
    let browser = site.browser();
    for target in [
        "/private?x=/public",
        "/private?/public",
        "/private?path=/public&allow=anyone",
        "/private?%2e%2e/public",
    ] {
        browser.send(Ask::bare("GET", target)).await.must_be(401);
    }
    let ask = Ask::bare("GET", "/private")
        .header("x-original-url", "/public")
        .header("referer", &site.url("/public"));
    browser.send(ask).await.must_be(401);
    recorder.must_be_untouched();
}

#[tokio::test]
async fn no_part_of_a_target_chooses_where_a_request_goes() {
    let outside = Outside::start();
    let (site, recorder) = site().await;
    let there = outside.authority();
    let targets = [
        format!("http://{there}/public"),
        format!("http://localhost@{there}/public"),
        format!("//{there}/public"),
        format!("/\\{there}/public"),
        format!("@{there}/public"),
        format!(":@{there}/public"),
        format!("http:{there}/public"),
        format!("https://{there}/public"),
        format!("http://{}@{there}/public", site.host()),
    ];
    for target in targets {
        let answer = site
            .raw(format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host()))
            .await;
        let refused = ["400", "404", "421"].iter().any(|status| answer.get(9..12) == Some(status));
        assert!(refused, "{target}: {answer}");
    }
    outside.must_be_silent();
    recorder.must_be_untouched();
    assert_eq!(status(&site, "/public/@evil.example").await, 200);
    assert_eq!(recorder.last().value("host"), Some(recorder.authority().as_str()));
}

#[tokio::test]
async fn methods_are_exact_and_strange_ones_go_nowhere() {
    let (site, recorder) = site().await;
    for method in ["TRACE", "get", "Get", "PROPFIND", "FOO"] {
        let answer = site
            .raw(format!("{method} /public HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host()))
            .await;
        let refused = ["400", "405", "501"].iter().any(|status| answer.get(9..12) == Some(status));
        assert!(refused, "{method}: {answer}");
    }
    for line in [
        format!("CONNECT {} HTTP/1.1", site.host()),
        "CONNECT evil.example:443 HTTP/1.1".to_owned(),
        "OPTIONS * HTTP/1.1".to_owned(),
        "GET * HTTP/1.1".to_owned(),
    ] {
        let answer = site.raw(format!("{line}\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host())).await;
        let refused = ["400", "405", "421", "501"].iter().any(|status| answer.get(9..12) == Some(status));
        assert!(refused, "{line}: {answer}");
    }
    recorder.must_be_untouched();
    let browser = site.browser();
    let reply = browser.send(Ask::bare("POST", "/app.css")).await;
    reply.must_be(405);
    assert_eq!(reply.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn the_gateways_own_paths_belong_to_nobody_else() {
    for (path, what) in [("/auth", "files"), ("/auth/sign-in", "upstream"), ("/auth/x", "upstream")] {
        let route = match what {
            "files" => format!("[[routes]]\npath = \"{path}\"\nfiles = \"web-ui\"\n"),
            _ => format!("[[routes]]\npath = \"{path}\"\nupstream = \"todo-service\"\n"),
        };
        let error = Plan::new().append(route).try_start().await.err().expect("it must not start");
        assert!(format!("{error:#}").contains("/auth"), "{error:#}");
    }
    // A file of that name in a served folder is not found either, and other spellings lead to the same place or nowhere.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("auth")).expect("a folder");
    for name in ["auth/session", "auth/sign-in", "auth/other.html", "index.html"] {
        std::fs::write(folder.path().join(name), "SHADOW").expect("a file");
    }
    let site = Plan::new().replace("\"web-ui\"", format!("\"{}\"", folder.path().display())).start().await;
    let browser = site.browser();
    for path in ["/auth/session", "/%61uth/session", "/auth/sessio%6e"] {
        let reply = browser.send(Ask::bare("GET", path)).await;
        reply.must_be(200);
        assert_eq!(reply.json()["signed_in"], false, "{path}");
    }
    for path in [
        "/auth",
        "/auth/",
        "/auth/other.html",
        "/auth/session/",
        "/auth/session/x",
        "/auth/SESSION",
        "/auth/sign-in/",
    ] {
        let reply = browser.send(Ask::bare("GET", path)).await;
        reply.must_be(404);
        assert!(!reply.text().contains("SHADOW"), "{path}");
    }
    // Case matters: another name is another path, here one for the page.
    let other = browser.send(Ask::page("/Auth/session")).await;
    assert!(!other.text().contains("signed_in"));
    browser.open("/").await.must_show("/");
}

#[tokio::test]
async fn a_host_is_known_whatever_its_case() {
    let (site, _recorder) = site().await;
    let port = site.addresses().ports.gateway;
    for host in [format!("LOCALHOST:{port}"), format!("LocalHost:{port}"), format!("localhost.:{port}")] {
        let answer =
            site.raw(format!("GET /public HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn one_refused_request_does_not_take_the_next_one_with_it() {
    let (site, recorder) = site().await;
    let mut wire = Wire::connect(site.addresses().ports.gateway).await;
    let host = site.host();
    wire.send(format!("GET /public HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 200"));
    wire.send(format!("GET /private HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 401"));
    wire.send(format!("GET /public HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await;
    assert!(wire.rest().await.starts_with("HTTP/1.1 200"));
    assert_eq!(recorder.count(), 2);
}
