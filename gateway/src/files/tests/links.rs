//! Links: inside the folder they are names like others, out of it they lead nowhere.

use super::*;
use std::os::unix::fs::symlink;

fn link(site: &Site, name: &str, target: impl AsRef<Path>) {
    symlink(target, site.root().join(name)).expect("links work here");
}

#[tokio::test]
async fn a_link_out_of_the_folder_leads_nowhere_and_one_inside_works() {
    let site = Site::new();
    link(&site, "outside.txt", site.home.path().join("outside.txt"));
    link(&site, "relative.txt", "../outside.txt");
    link(&site, "elsewhere", site.home.path().join("web-other"));
    link(&site, "circle.txt", "circle.txt");
    link(&site, "dangling.txt", "gone.txt");
    link(&site, "inside.txt", "digits.txt");
    let files = site.files();
    for path in
        ["/outside.txt", "/relative.txt", "/elsewhere/x.txt", "/elsewhere/", "/circle.txt", "/dangling.txt"]
    {
        assert_absent(&files, path).await;
    }
    assert_eq!(get(&files, "/inside.txt").ok().await.body, "0123456789");
}

#[tokio::test]
async fn a_link_to_a_protected_file_leads_nowhere() {
    let site = Site::new();
    link(&site, "env.txt", ".env");
    link(&site, "git", ".git");
    link(&site, "map.json", "app.js.map");
    for path in ["/env.txt", "/git/config", "/map.json"] {
        assert_absent(&site.files(), path).await;
    }
}

#[tokio::test]
async fn a_precompressed_sibling_that_leads_out_is_passed_over() {
    let site = Site::new();
    site.write("own.js", SCRIPT);
    link(&site, "own.js.br", site.home.path().join("outside.txt"));
    let files = site.files();
    let answer = get(&files, "/own.js").with(ACCEPT_ENCODING, "br").ok().await;
    assert_eq!((answer.header(CONTENT_ENCODING), answer.body.as_str()), ("", SCRIPT));
    let answer = get(&files, "/app.js").with(ACCEPT_ENCODING, "br").ok().await;
    assert_eq!((answer.header(CONTENT_ENCODING), answer.body.as_str()), ("br", "brotli"));
}

#[tokio::test]
async fn a_fallback_and_an_index_that_lead_out_are_not_served() {
    let site = Site::new();
    link(&site, "shell.html", site.home.path().join("outside.txt"));
    fs::create_dir(site.root().join("linked")).expect("writable");
    link(&site, "linked/index.html", site.home.path().join("outside.txt"));
    let files = Files::new(Settings { fallback: Some("shell.html".into()), ..site.settings() });
    assert_eq!(visit(&files, "/todos").answer().await.map(|answer| answer.body), Err(Reason::NoFile));
    assert_absent(&files, "/linked/").await;
    assert_eq!(visit(&site.files(), "/todos").ok().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_folder_mounted_and_swapped_by_links_is_served_as_it_is_now() {
    let site = Site::new();
    site.write("..first/config.json", "1");
    site.write("..second/config.json", "2");
    link(&site, "..data", "..first");
    link(&site, "config.json", "..data/config.json");
    let files = site.files();
    assert_eq!(get(&files, "/config.json").ok().await.body, "1");
    fs::remove_file(site.root().join("..data")).expect("writable");
    link(&site, "..data", "..second");
    assert_eq!(get(&files, "/config.json").ok().await.body, "2");
    assert_absent(&files, "/..data/config.json").await;

    link(&site, "../current", "web");
    let files = Files::new(Settings { root: site.home.path().join("current"), ..site.settings() });
    assert_eq!(get(&files, "/digits.txt").ok().await.body, "0123456789", "the folder itself may be a link");
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_opened() {
    let site = Site::new();
    // A socket stands for pipes and devices: opening one would wait or fail.
    let _socket =
        std::os::unix::net::UnixListener::bind(site.root().join("socket.txt")).expect("sockets work here");
    assert_absent(&site.files(), "/socket.txt").await;
    assert_eq!(get(&site.files(), "/LICENSE").ok().await.body, "free");
}
