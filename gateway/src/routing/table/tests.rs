//! Which route takes what, seen from outside.

use super::*;
use crate::routing::tests::route as plain;

fn route(path: &str, methods: &[&str]) -> Arc<Route> {
    Arc::new(plain(path, methods))
}

fn exact(path: &str, methods: &[&str]) -> Arc<Route> {
    let route = plain(path, methods);
    Arc::new(Route { name: format!("={}", route.name).into(), path: Pattern::Exact(path.into()), ..route })
}

fn on(places: &[usize], route: Route) -> Arc<Route> {
    let sites = places.iter().map(|place| SiteId::at(*place).expect("few")).collect();
    Arc::new(Route { name: format!("{places:?} {}", route.name).into(), sites, ..route })
}

fn at(table: &RouteTable, site: usize, method: &Method, path: &str) -> Result<String, Reason> {
    let site = SiteId::at(site).expect("few");
    table.find(site, path, method).map(|route| route.name.to_string()).map_err(|stop| stop.reason())
}

fn name(table: &RouteTable, method: &Method, path: &str) -> Result<String, Reason> {
    at(table, 0, method, path)
}

#[test]
fn the_longest_prefix_wins_on_segment_borders() {
    let table = RouteTable::build(vec![
        route("/", &["GET"]),
        route("/api", &["GET"]),
        route("/api/admin/", &["GET"]),
    ])
    .expect("no overlap");
    for (path, wanted) in [
        ("/", "GET /"),
        ("/apix", "GET /"),
        ("/x/api", "GET /"),
        ("/api", "GET /api"),
        ("/api/", "GET /api"),
        ("/api/adminx", "GET /api"),
        ("/api/admin", "GET /api/admin/"),
        ("/api/admin/", "GET /api/admin/"),
        ("/api/admin/users/1", "GET /api/admin/"),
    ] {
        assert_eq!(name(&table, &Method::GET, path).as_deref(), Ok(wanted), "{path}");
    }
}

#[test]
fn the_most_specific_path_decides_about_the_method() {
    let table = RouteTable::build(vec![route("/", &[]), route("/api", &["GET"]), route("/api", &["POST"])])
        .expect("no overlap");
    assert_eq!(name(&table, &Method::POST, "/api/x").as_deref(), Ok("POST /api"));
    assert_eq!(name(&table, &Method::DELETE, "/api/x"), Err(Reason::MethodNotAllowed));
    assert_eq!(name(&table, &Method::TRACE, "/"), Err(Reason::MethodNotAllowed));
    assert_eq!(
        name(&table, &Method::from_bytes(b"get").expect("a token"), "/"),
        Err(Reason::MethodNotAllowed)
    );
}

#[test]
fn a_lenient_upstream_cannot_be_reached_past_a_more_specific_route() {
    let table = RouteTable::build(vec![
        route("/pub", &["GET"]),
        route("/pub/admin", &["GET"]),
        route("/Docs", &["GET"]),
    ])
    .expect("no overlap");
    for (path, wanted) in [
        ("/pub/admin;x", Ok("GET /pub/admin")),
        ("/pub;a/admin;b=c/users", Ok("GET /pub/admin")),
        ("/pub/other;admin", Ok("GET /pub")),
        ("/pub/Admin", Err(Reason::NoRoute)),
        ("/PUB/admin", Err(Reason::NoRoute)),
        ("/pub/Administrators", Ok("GET /pub")),
        ("/pub/admin/AbC", Ok("GET /pub/admin")),
        ("/Docs/Page", Ok("GET /Docs")),
        ("/docs/page", Err(Reason::NoRoute)),
    ] {
        assert_eq!(name(&table, &Method::GET, path), wanted.map(str::to_owned), "{path}");
    }
}

#[test]
fn a_route_that_is_written_in_capitals_is_guarded_like_any_other() {
    let table = RouteTable::build(vec![route("/", &["GET"]), route("/Admin", &["GET"])]).expect("no overlap");
    assert_eq!(name(&table, &Method::GET, "/Admin/x").as_deref(), Ok("GET /Admin"));
    for path in ["/admin", "/admin/x", "/ADMIN"] {
        assert_eq!(name(&table, &Method::GET, path), Err(Reason::NoRoute), "{path}");
    }
    let both =
        RouteTable::build(vec![route("/Admin", &["GET"]), route("/admin", &["GET"])]).expect("no overlap");
    assert_eq!(name(&both, &Method::GET, "/admin/x").as_deref(), Ok("GET /admin"));
    assert_eq!(name(&both, &Method::GET, "/Admin/x").as_deref(), Ok("GET /Admin"));
    assert_eq!(name(&both, &Method::GET, "/aDmin/x"), Err(Reason::NoRoute));
}

#[test]
fn an_exact_path_is_that_path_and_no_other_spelling_of_it_gets_past() {
    let table = RouteTable::build(vec![
        route("/", &["GET"]),
        route("/api", &["GET"]),
        exact("/api/health", &["GET"]),
        exact("/", &["GET"]),
        exact("/home/", &["GET"]),
        exact("/home", &["HEAD"]),
    ])
    .expect("no overlap");
    for (path, wanted) in [
        ("/api/health", Ok("=GET /api/health")),
        ("/api/healthy", Ok("GET /api")),
        ("/api/health/x", Ok("GET /api")),
        ("/api/health/", Err(Reason::NoRoute)),
        ("/api/Health", Err(Reason::NoRoute)),
        ("/api/health;x", Err(Reason::NoRoute)),
        ("/api;x/health", Err(Reason::NoRoute)),
        ("/", Ok("=GET /")),
        ("/;x", Err(Reason::NoRoute)),
        ("/x", Ok("GET /")),
        ("/home/", Ok("=GET /home/")),
        ("/home", Err(Reason::MethodNotAllowed)),
    ] {
        assert_eq!(name(&table, &Method::GET, path), wanted.map(str::to_owned), "{path}");
    }
}

#[test]
fn a_host_sees_its_own_routes_and_those_of_no_host_and_its_own_decide_where_both_stand() {
    let table = RouteTable::build(vec![
        route("/", &["GET"]),
        route("/api", &["GET", "POST"]),
        on(&[1], plain("/api", &["GET"])),
        on(&[1, 2], plain("/admin", &["GET"])),
        on(&[2], plain("/admin", &["POST"])),
        on(&[2], plain("/", &["GET"])),
    ])
    .expect("no overlap");
    for (site, method, path, wanted) in [
        (0, "GET", "/api/x", Ok("GET, POST /api")),
        (1, "GET", "/api/x", Ok("[1] GET /api")),
        (1, "POST", "/api/x", Err(Reason::MethodNotAllowed)),
        (2, "POST", "/api/x", Ok("GET, POST /api")),
        (0, "GET", "/admin", Ok("GET /")),
        (1, "GET", "/admin/x", Ok("[1, 2] GET /admin")),
        (1, "POST", "/admin", Err(Reason::MethodNotAllowed)),
        (2, "POST", "/admin", Ok("[2] POST /admin")),
        (1, "GET", "/x", Ok("GET /")),
        (2, "GET", "/x", Ok("[2] GET /")),
    ] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        assert_eq!(at(&table, site, &method, path), wanted.map(str::to_owned), "{site} {method} {path}");
    }
}

#[test]
fn another_hosts_exact_path_stands_in_nobodys_way() {
    let table =
        RouteTable::build(vec![route("/", &["GET"]), on(&[1], Route { ..plain("/Secret", &["GET"]) })])
            .expect("no overlap");
    assert_eq!(at(&table, 0, &Method::GET, "/secret").as_deref(), Ok("GET /"));
    assert_eq!(at(&table, 1, &Method::GET, "/secret"), Err(Reason::NoRoute));
}

#[test]
fn a_405_names_every_method_of_the_path() {
    let table = RouteTable::build(vec![route("/api", &["GET", "HEAD"]), route("/api", &["POST"])])
        .expect("no overlap");
    let Err(Stop::Refused(Refusal { remedy: Remedy::Methods(allow), .. })) =
        table.find(SiteId::FIRST, "/api", &Method::PUT)
    else {
        panic!("PUT is not allowed");
    };
    assert_eq!(&*allow, "GET, HEAD, POST");
}

#[test]
fn an_empty_table_serves_nothing() {
    assert_eq!(name(&RouteTable::default(), &Method::GET, "/"), Err(Reason::NoRoute));
}

#[test]
fn overlapping_routes_are_all_named() {
    let overlaps = |routes: Vec<Arc<Route>>| -> Vec<(usize, usize, String)> {
        let overlaps = RouteTable::build(routes).expect_err("they overlap");
        overlaps.into_iter().map(|o| (o.earlier, o.later, o.shared)).collect()
    };
    let same_path = vec![
        route("/a", &["GET"]),
        route("/a/", &["GET", "POST"]),
        route("/a", &["POST"]),
        exact("/a", &["GET"]),
        route("/b", &[]),
    ];
    assert_eq!(overlaps(same_path), [(0, 1, "GET".to_owned()), (1, 2, "POST".to_owned())]);
    let same_host = vec![
        on(&[1, 2], plain("/a", &["GET"])),
        route("/a", &["GET"]),
        on(&[2, 1], plain("/a", &["GET"])),
        on(&[3], plain("/a", &["GET"])),
    ];
    assert_eq!(overlaps(same_host), [(0, 2, "GET".to_owned())]);
}

#[test]
fn ten_thousand_routes_cost_a_request_no_more_than_ten() {
    let table = |count: usize| {
        let paths =
            (0..count).map(|number| route(&format!("/team-{}/service-{number}", number % 97), &["GET"]));
        RouteTable::build(paths.collect()).expect("no overlap")
    };
    let (small, large) = (table(10), table(10_000));
    assert_eq!(large.places.size(), 1 + 97 + 10_000);
    assert_eq!(name(&large, &Method::GET, "/team-7/service-7/a/b/c").as_deref(), Ok("GET /team-7/service-7"));
    assert_eq!(name(&small, &Method::GET, "/team-7/service-7/a/b/c").as_deref(), Ok("GET /team-7/service-7"));
    assert!(small.places.longest_search() <= 8 && large.places.longest_search() <= 64);
}

#[test]
fn ten_thousand_routes_of_one_path_are_refused_without_comparing_each_with_each() {
    let overlaps =
        RouteTable::build((0..10_000).map(|_| route("/a", &[])).collect()).expect_err("they overlap");
    assert_eq!(overlaps.len(), 9_999, "each is told of one other");
}
