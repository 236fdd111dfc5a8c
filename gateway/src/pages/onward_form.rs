//! A page that posts a form to another site by itself, for what is too long for an address. The only page with a script:
//! one fixed line, which the page's policy allows by its hash. Without scripts there is a button. Knows nothing of what is
//! posted.

use std::fmt::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderValue, Response};
use url::Url;

use crate::body::Body;
use crate::request_id::RequestId;
use crate::secret::Secret;

use super::{Page, STYLE, escape};

const SCRIPT: &str = "document.forms[0].submit()";

/// Where forms may be sent is left open within https: browsers apply it to every redirect that follows, and how many
/// sites a provider sends people through is its own affair.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; object-src 'none'; \
         frame-ancestors 'none'; form-action 'self' https:",
        hash(&STYLE),
        hash(SCRIPT),
    )
});

/// What is posted.
pub struct Form<'a> {
    /// Where.
    pub action: &'a Url,
    /// Hidden fields.
    pub fields: &'a [(&'static str, Secret<String>)],
    /// What stands on the button.
    pub button: &'static str,
}

impl Page<'_> {
    /// The page, which posts the form by itself.
    pub fn posting(&self, form: &Form<'_>, request_id: &RequestId) -> Response<Body> {
        let mut response = self.with("", &form.html(), request_id);
        let policy = format!("{} {}", *POLICY, form.action.origin().ascii_serialization());
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::try_from(policy).expect("base64 and an origin are visible ASCII"),
        );
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

impl Form<'_> {
    /// Writing to a String cannot fail.
    fn html(&self) -> String {
        let mut html = format!(r#"<form method="post" action="{}">"#, escape(self.action.as_str()));
        for (name, value) in self.fields {
            let _ = write!(html, r#"<input type="hidden" name="{name}" value="{}">"#, escape(value.expose()));
        }
        let _ = write!(
            html,
            r#"<button class="action primary">{}</button></form><script>{SCRIPT}</script>"#,
            escape(self.button)
        );
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;
    use http::StatusCode;

    fn page() -> (String, String) {
        let action = Url::parse("http://localhost:3002/end?p=1&q=2").expect("valid");
        let fields = [("id_token_hint", Secret::new("\"><script>alert(1)</script>".to_owned()))];
        let form = Form { action: &action, fields: &fields, button: "Go on" };
        let page = Page { status: StatusCode::OK, heading: "H", message: "M", actions: &[] };
        let response = page.posting(&form, &RequestIds::new().next());
        assert_eq!(response.headers()[REFERRER_POLICY], "no-referrer");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().expect("ASCII").to_owned();
        let Body::Full(html) = response.into_body() else { panic!("a page has a body") };
        (policy, String::from_utf8(html.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn the_form_holds_its_fields_as_text() {
        let (_, html) = page();
        assert!(html.contains(r#"action="http://localhost:3002/end?p=1&amp;q=2""#), "{html}");
        assert!(html.contains(r#"value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;""#), "{html}");
        assert_eq!(html.matches("<script>").count(), 1);
    }

    #[test]
    fn the_one_script_is_the_one_that_the_policy_allows() {
        let (policy, html) = page();
        let script = html.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next());
        let hash = digest::digest(&digest::SHA256, script.expect("a script").as_bytes());
        assert!(policy.contains(&format!("script-src 'sha256-{}';", STANDARD.encode(hash))), "{policy}");
        assert!(policy.ends_with("form-action 'self' https: http://localhost:3002"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
