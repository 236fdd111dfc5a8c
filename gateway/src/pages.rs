//! The gateway's own pages: one template, no scripts, everything escaped. Knows nothing of why a page is shown.

use std::fmt::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::request_id::RequestId;

mod list;
mod onward_form;

pub use list::{Button, Entry, List, Moment};
pub use onward_form::Form;

const TEMPLATE: &str = include_str!("pages/page.html");

/// The style sheet as it is sent: the comments are for its authors.
static STYLE: LazyLock<String> = LazyLock::new(|| {
    let source = concat!(include_str!("pages/tokens.css"), include_str!("pages/page.css"));
    let kept = source.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, after)| after));
    kept.collect::<String>().lines().map(str::trim).filter(|line| !line.is_empty()).collect()
});

/// Nothing but the one style sheet, by its hash; no frame may hold the page (requirement CS-08).
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
});

/// What a page says.
pub struct Page<'a> {
    /// The status it is sent with.
    pub status: StatusCode,
    /// One line: what happened.
    pub heading: &'a str,
    /// A sentence or two: what that means.
    pub message: &'a str,
    /// The ways on: where and what the link says. The first is the one to take.
    pub actions: &'a [(&'a str, &'a str)],
}

impl Page<'_> {
    /// The page as a response that nobody stores.
    pub fn render(&self, request_id: &RequestId) -> Response<Body> {
        self.with("", "", request_id)
    }

    /// The page with a list between its message and its actions.
    pub fn with_list(&self, list: &List<'_>, request_id: &RequestId) -> Response<Body> {
        self.with("", &list.html(), request_id)
    }

    /// The page, which leads to a path of this site by itself. It tells nobody its own address.
    pub fn leading_on(&self, target: &str, request_id: &RequestId) -> Response<Body> {
        let refresh = format!(r#"<meta http-equiv="refresh" content="0;url={}">"#, escape(target));
        let mut response = self.with(&refresh, "", request_id);
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn with(&self, head: &str, content: &str, request_id: &RequestId) -> Response<Body> {
        let mut actions = String::new();
        for (position, (target, label)) in self.actions.iter().enumerate() {
            let class = if position == 0 { "action primary" } else { "action" };
            let (target, label) = (escape(target), escape(label));
            // Writing to a String cannot fail.
            let _ = write!(actions, r#"<a class="{class}" href="{target}">{label}</a>"#);
        }
        let status = if self.status.is_success() { String::new() } else { self.status.as_u16().to_string() };
        let html = fill(&[
            ("style", &STYLE),
            ("head", head),
            ("title", &escape(self.heading)),
            ("heading", &escape(self.heading)),
            ("message", &escape(self.message)),
            ("content", content),
            ("actions", &actions),
            ("request_id", &escape(request_id.as_str())),
            ("status", &status),
        ]);
        let mut response = Response::new(Body::Full(Bytes::from(html)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        response
    }
}

/// One pass over the template, so that a value which looks like a placeholder stays text.
fn fill(values: &[(&str, &str)]) -> String {
    let mut html = String::with_capacity(TEMPLATE.len() + STYLE.len() + 1_024);
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        html.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        html.push_str(values.iter().find(|(known, _)| *known == name.trim()).map_or("", |(_, value)| value));
        rest = after;
    }
    html.push_str(rest);
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;

    fn html(heading: &str, target: &str) -> String {
        let page = Page {
            status: StatusCode::BAD_REQUEST,
            heading,
            message: "{{style}}",
            actions: &[(target, "Go")],
        };
        match page.render(&RequestIds::new().next()).into_body() {
            Body::Full(bytes) => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
            _ => panic!("a page has a body"),
        }
    }

    #[test]
    fn every_value_is_escaped() {
        let html = html("<script>alert(1)</script>", "/\"onclick='x'");
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(html.contains("href=\"/&quot;onclick=&#39;x&#39;\""));
    }

    #[test]
    fn a_page_that_leads_on_stays_on_its_path_and_tells_nobody_where_it_was() {
        let page = Page { status: StatusCode::OK, heading: "H", message: "M", actions: &[] };
        let response = page.leading_on("/a?b=1&c=\"><script>", &RequestIds::new().next());
        assert_eq!(response.headers()[REFERRER_POLICY], "no-referrer");
        let Body::Full(html) = response.into_body() else { panic!("a page has a body") };
        let html = String::from_utf8(html.to_vec()).expect("UTF-8");
        let refresh = r#"<meta http-equiv="refresh" content="0;url=/a?b=1&amp;c=&quot;&gt;&lt;script&gt;">"#;
        assert!(html.contains(refresh), "{html}");
    }

    #[test]
    fn a_value_is_never_read_as_a_placeholder() {
        assert!(html("Heading", "/").contains("{{style}}"));
    }

    #[test]
    fn the_visual_language_is_that_of_the_web_ui() {
        let web_ui = concat!(env!("CARGO_MANIFEST_DIR"), "/../web-ui/tokens.css");
        assert_eq!(
            std::fs::read_to_string(web_ui).expect("beside this crate"),
            include_str!("pages/tokens.css")
        );
    }

    #[test]
    fn comments_of_the_style_sheet_are_not_sent() {
        assert!(!STYLE.contains("/*") && STYLE.contains("--accent") && STYLE.contains(".message"));
    }

    #[test]
    fn the_style_sheet_is_the_one_that_the_policy_allows() {
        let html = html("Heading", "/");
        let inline = html
            .split("<style>")
            .nth(1)
            .and_then(|rest| rest.split("</style>").next())
            .expect("a style element");
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, inline.as_bytes()));
        assert!(POLICY.to_str().expect("ASCII").contains(&hash));
    }
}
