//! What strangers, friends and chance make of a trace.

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    headers
}

fn parent(value: &str) -> Option<Parent> {
    Parent::of(&headers(&[("traceparent", value)]))
}

fn begin(trust: Trust, records: bool, share: f64, headers: &HeaderMap) -> Option<Box<Trace>> {
    begin_from(false, Sampling::new(trust, records, share), headers)
}

fn begin_from(is_proxy: bool, sampling: Sampling, headers: &HeaderMap) -> Option<Box<Trace>> {
    Trace::begin(&sampling, &Dice::new(), headers, is_proxy, Instant::now(), || Duration::from_secs(1_000))
}

/// What the upstream is told.
fn told(trace: &Trace) -> (String, Option<String>) {
    let mut headers = headers(&[("traceparent", "stale"), ("tracestate", "stale=1")]);
    trace.hop().0.write(&mut headers);
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    (text(&TRACEPARENT).expect("it is told"), text(&TRACESTATE))
}

#[test]
fn a_well_formed_parent_is_read() {
    let read = parent(&format!("00-{TRACE}-{SPAN}-01")).expect("well-formed");
    assert_eq!(
        (read.trace.to_string(), read.span.to_string(), read.sampled),
        (TRACE.into(), SPAN.into(), true)
    );
    assert!(!parent(&format!("00-{TRACE}-{SPAN}-00")).expect("well-formed").sampled);
    assert!(parent(&format!("00-{TRACE}-{SPAN}-03")).expect("other flags do not matter").sampled);
    // A version that is not known yet is read as far as it is the same.
    assert!(parent(&format!("cc-{TRACE}-{SPAN}-01")).is_some());
    assert!(parent(&format!("cc-{TRACE}-{SPAN}-01-what-the-future-brings")).is_some());
}

#[test]
fn anything_else_is_as_good_as_absent() {
    let zeros = "0".repeat(32);
    let long = "a".repeat(10_240);
    for value in [
        String::new(),
        long.clone(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-01 "),
        format!("00-{TRACE}-{SPAN}-01{long}"),
        format!("cc-{TRACE}-{SPAN}-01more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("00-{zeros}-{SPAN}-01"),
        format!("00-{TRACE}-0000000000000000-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{}-{SPAN}-01", TRACE.replace('a', "g")),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{TRACE}-{SPAN}-0x"),
        format!("00-{TRACE}-{SPAN}-é1"),
        format!("0a-{TRACE}-é67aa0ba902b70-01"),
    ] {
        assert_eq!(parent(&value), None, "{value}");
    }
    let good = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(Parent::of(&headers(&[("traceparent", &good), ("traceparent", &good)])), None, "two are none");
    assert_eq!(Parent::of(&HeaderMap::new()), None);
}

#[test]
fn a_state_is_passed_whole_or_not_at_all() {
    let good = format!("00-{TRACE}-{SPAN}-01");
    let state = |lines: &[&str]| {
        let lines: Vec<_> = [("traceparent", good.as_str())]
            .into_iter()
            .chain(lines.iter().map(|line| ("tracestate", *line)))
            .collect();
        let read = Parent::of(&headers(&lines)).expect("a bad state spoils no parent").state;
        read.map(|value| value.to_str().expect("ASCII").to_owned())
    };
    assert_eq!(
        state(&["congo=t61rcWkgMzE,rojo=00f067aa"]).as_deref(),
        Some("congo=t61rcWkgMzE,rojo=00f067aa")
    );
    assert_eq!(state(&["a=1", "b=2"]).as_deref(), Some("a=1,b=2"));
    assert_eq!(state(&["t@v=1, ,b/c*=2 "]).as_deref(), Some("t@v=1, ,b/c*=2 "));
    let many = (0..33).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
    let long = format!("a={}", "b".repeat(600));
    for bad in
        ["", ",", "A=1", "a", "a=", "=1", "a=1,a=2", "a=b=c", "a=é", "a@=1", "@v=1", "t@1=1", &many, &long]
    {
        assert_eq!(state(&[bad]), None, "{bad}");
    }
    assert_eq!(state(&[]), None);
}

#[test]
fn a_stranger_neither_chooses_the_trace_nor_has_it_recorded() {
    let sent = headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("tracestate", "a=1")]);
    assert!(begin(Trust::Nobody, true, 0.0, &sent).is_none(), "the stranger's wish does not count");
    let trace = begin(Trust::Nobody, true, 1.0, &sent).expect("all are recorded");
    let (told, state) = told(&trace);
    assert_ne!(trace.id().to_string(), TRACE);
    assert!(told.starts_with(&format!("00-{}-", trace.id())) && told.ends_with("-01"), "{told}");
    assert_eq!(state, None);
    let story = trace.finish(Duration::from_millis(5), Span::new("GET /", Kind::Server)).expect("recorded");
    assert_eq!(story.link.expect("a link").trace.to_string(), TRACE);
    assert!(story.spans[0].parent.is_none() && !story.is_continued);
}

#[test]
fn a_trusted_callers_trace_goes_on() {
    let sent = headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("tracestate", "a=1")]);
    let mut trace = begin(Trust::Everybody, true, 0.0, &sent).expect("the caller's wish counts");
    let (hop, step) = trace.hop();
    let mut upstream = HeaderMap::new();
    hop.write(&mut upstream);
    assert_eq!(upstream["traceparent"], format!("00-{TRACE}-{step}-01"));
    assert_eq!(upstream["tracestate"], "a=1");
    trace.step(Some(step), Instant::now(), Span::new("GET", Kind::Client));
    let story = trace.finish(Duration::from_millis(5), Span::new("GET /", Kind::Server)).expect("recorded");
    let [call, request] = &story.spans[..] else { panic!("{:?}", story.spans) };
    assert_eq!(request.parent.map(|id| id.to_string()).as_deref(), Some(SPAN));
    assert_eq!((call.parent, call.id), (Some(request.id), step));
    assert_eq!(request.end, request.start + Duration::from_millis(5));
    assert!(story.is_continued && story.link.is_none());
}

#[test]
fn a_proxy_in_front_is_believed_and_nobody_beside_it() {
    let sent = headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]);
    let sampling = Sampling::new(Trust::Proxies, true, 0.0);
    let trace = begin_from(true, sampling, &sent).expect("the proxy's wish counts");
    assert_eq!(trace.id().to_string(), TRACE);
    assert!(begin_from(false, sampling, &sent).is_none());
}

#[test]
fn what_is_not_recorded_here_passes_unchanged() {
    for (flags, records) in [("00", true), ("00", false), ("01", false)] {
        let sent = headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-{flags}")), ("tracestate", "a=1")]);
        let trace = begin(Trust::Everybody, records, 1.0, &sent).expect("it passes");
        let (parent, state) = told(&trace);
        assert_eq!((parent, state.as_deref()), (format!("00-{TRACE}-{SPAN}-{flags}"), Some("a=1")));
        assert!(!trace.is_recorded());
        assert!(trace.finish(Duration::ZERO, Span::new("GET /", Kind::Server)).is_none());
    }
    assert!(begin(Trust::Everybody, false, 1.0, &HeaderMap::new()).is_none());
}

#[test]
fn about_as_many_are_recorded_as_are_asked_for() {
    let dice = Dice::new();
    let count = |share| {
        let threshold = Sampling::new(Trust::Nobody, true, share).threshold;
        (0..100_000).filter(|_| dice.falls_below(threshold)).count()
    };
    assert_eq!((count(0.0), count(1.0)), (0, 100_000));
    assert!((800..1_200).contains(&count(0.01)) && (48_000..52_000).contains(&count(0.5)));
}

#[test]
fn one_request_cannot_fill_the_memory_with_steps() {
    let mut trace = begin(Trust::Nobody, true, 1.0, &HeaderMap::new()).expect("recorded");
    for _ in 0..100 {
        trace.step(None, Instant::now(), Span::new("token", Kind::Internal));
    }
    let story = trace.finish(Duration::ZERO, Span::new("GET /", Kind::Server)).expect("recorded");
    assert_eq!(story.spans.len(), MAX_SPANS + 1);
}
