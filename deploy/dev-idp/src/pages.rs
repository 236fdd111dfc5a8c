//! The pages: one frame, and the pages that are not steps of a user flow. Every page says that it is for development.
//! No script anywhere. Knows nothing of why a page is shown.

pub(crate) mod form;

use std::fmt::Write as _;

use http::{StatusCode, header};

use crate::answer::{self, Answer};
use crate::faces::{Endpoint, Face};
use crate::provider::Provider;
use crate::tenant::Tenant;

/// `/style.css`: the shared properties, then ours.
const STYLE: &str = concat!(include_str!("tokens.css"), include_str!("pages/style.css"));
const ICON: &str = include_str!("pages/icon.svg");

/// Text for HTML, as content or in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// The origin of a URL, for `form-action`.
pub(crate) fn origin(uri: &str) -> Vec<String> {
    let origin = url::Url::parse(uri).map(|url| url.origin());
    origin.ok().filter(url::Origin::is_tuple).map(|origin| origin.ascii_serialization()).into_iter().collect()
}

/// A whole document around `main`, which is HTML already.
pub(crate) fn document(tenant: &Tenant, title: &str, main: &str) -> String {
    let (title, name) = (escape(title), escape(&tenant.name));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title} · {name} (development)</title>\n\
         <link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n<link rel=\"stylesheet\" href=\"/style.css\">\n\
         </head>\n<body>\n<header class=\"top\">\
         <a class=\"brand\" href=\"/\"><img src=\"/icon.svg\" alt=\"\" width=\"28\" height=\"28\">{name}</a>\
         <p class=\"dev\"><strong>For development.</strong> This is not a real sign-in service: \
         do not use a password you use elsewhere.</p></header>\n<main>\n{main}\n</main>\n\
         <footer><a href=\"/mailbox\">Mailbox</a> · accounts live until the provider stops</footer>\n</body>\n</html>\n"
    )
}

fn message(status: StatusCode, tenant: &Tenant, title: &str, html: &str) -> Answer {
    let main = format!("<section class=\"card\"><h1>{}</h1>{html}</section>", escape(title));
    answer::page(status, document(tenant, title, &main), &[])
}

/// Something is wrong with a request, and this page is the only place to say so.
pub(crate) fn problem(status: StatusCode, tenant: &Tenant, title: &str, why: &str) -> Answer {
    message(status, tenant, title, &format!("<p class=\"why\">{}</p>", escape(why)))
}

pub(crate) fn journey_is_over(tenant: &Tenant) -> Answer {
    let why = "It was finished already, took too long, or was begun in another browser. Go back to the app and start \
               again.";
    problem(StatusCode::BAD_REQUEST, tenant, "This sign-in is over", why)
}

pub(crate) fn not_our_form(tenant: &Tenant) -> Answer {
    let why = "The form was not shown by this provider to this browser. Go back to the app and start again.";
    problem(StatusCode::FORBIDDEN, tenant, "That form was not ours", why)
}

pub(crate) fn not_found(tenant: &Tenant) -> Answer {
    problem(StatusCode::NOT_FOUND, tenant, "There is nothing here", "Go back to the app and start again.")
}

pub(crate) fn broken(tenant: &Tenant) -> Answer {
    problem(StatusCode::INTERNAL_SERVER_ERROR, tenant, "Something broke", "The log says more. Try again.")
}

/// `response_mode=form_post` (without script: a button sends it).
pub(crate) fn form_post(tenant: &Tenant, action: &str, pairs: &[(String, String)]) -> String {
    let mut fields = String::new();
    for (name, value) in pairs {
        let (name, value) = (escape(name), escape(value));
        let _ = write!(fields, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    }
    let main = format!(
        "<section class=\"card\"><h1>Back to the app</h1><p class=\"lead\">Everything is done here.</p>\
         <form method=\"post\" action=\"{}\">{fields}<button autofocus>Continue</button></form></section>",
        escape(action)
    );
    document(tenant, "Back to the app", &main)
}

/// `/`: what this is.
pub(crate) fn home(provider: &Provider) -> Answer {
    let tenant = provider.tenant();
    let mut rows = String::new();
    for face in [Face::Plain, Face::Entra] {
        let name = match face {
            Face::Plain => "Plain OpenID Connect",
            Face::Entra => "Entra External ID",
        };
        let (issuer, metadata) = (provider.site.issuer(face), provider.site.url(face, Endpoint::Metadata));
        let _ = write!(
            rows,
            "<h2>{name}</h2><dl><dt>Issuer</dt><dd><code>{0}</code></dd><dt>Metadata</dt>\
             <dd><a href=\"{1}\"><code>{1}</code></a></dd></dl>",
            escape(&issuer),
            escape(&metadata)
        );
    }
    let apps = apps(provider, &tenant);
    let people = tenant
        .accounts
        .iter()
        .map(|account| {
            format!("<li><strong>{}</strong> {}</li>", escape(&account.name), escape(&account.email))
        })
        .collect::<Vec<_>>()
        .concat();
    let html = format!(
        "<p class=\"lead\">One tenant with two faces. Apps send people here to sign in; start from the app.</p>{rows}{apps}\
         <h2>People</h2><ul class=\"people\">{people}</ul><p>Their passwords stand in <code>tenant.toml</code>.</p>\
         <p><a href=\"/mailbox\">Mailbox</a> · <a href=\"/end_session\">Sign out here</a></p>"
    );
    message(StatusCode::OK, &tenant, "Development identity provider", &html)
}

/// Links that begin a sign-in from here (third-party-initiated login).
fn apps(provider: &Provider, tenant: &Tenant) -> String {
    let mut list = String::new();
    for client in &tenant.clients {
        if let Some(url) = provider.initiate_login_url(&client.client_id, Face::Plain, &[]) {
            let _ = write!(list, "<li><a href=\"{}\">{}</a></li>", escape(&url), escape(&client.name));
        }
    }
    if list.is_empty() { list } else { format!("<h2>Sign in to</h2><ul class=\"apps\">{list}</ul>") }
}

/// `/mailbox`: what would have been sent.
pub(crate) fn mailbox(provider: &Provider) -> Answer {
    let mut list = String::new();
    for mail in provider.mailbox.messages() {
        let _ = write!(
            list,
            "<li><p class=\"to\">{}</p><p>{}</p><p class=\"code\">{}</p><p class=\"when\">{}</p></li>",
            escape(&mail.to),
            mail.subject,
            escape(&mail.code),
            ago(provider.clock.now() - mail.at)
        );
    }
    let html = if list.is_empty() {
        "<p class=\"lead\">No mail yet. Codes for new accounts and forgotten passwords arrive here.</p>"
            .to_owned()
    } else {
        format!(
            "<p class=\"lead\">Newest first. No mail leaves this computer.</p><ol class=\"mails\">{list}</ol>"
        )
    };
    message(StatusCode::OK, &provider.tenant(), "Mailbox", &html)
}

fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => "just now".to_owned(),
        60..120 => "a minute ago".to_owned(),
        seconds => format!("{} minutes ago", seconds / 60),
    }
}

pub(crate) fn style() -> Answer {
    let mut answer = answer::bytes(StatusCode::OK, "text/css; charset=utf-8", STYLE);
    answer::set(&mut answer, header::CACHE_CONTROL, "no-cache");
    answer
}

pub(crate) fn icon() -> Answer {
    let mut answer = answer::bytes(StatusCode::OK, "image/svg+xml", ICON);
    answer::set(&mut answer, header::CACHE_CONTROL, "no-cache");
    answer
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_shared_properties_are_the_web_uis_own() {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web-ui/tokens.css");
        let original = std::fs::read_to_string(original).expect("the web UI has its tokens");
        assert!(
            original == include_str!("tokens.css"),
            "copy web-ui/tokens.css to deploy/dev-idp/src/tokens.css"
        );
    }

    #[test]
    fn nothing_gets_out_of_its_place_in_a_page() {
        assert_eq!(escape("<a href='x\">&\r"), "&lt;a href=&#39;x&quot;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn every_page_says_that_it_is_for_development() {
        let tenant = Tenant::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tenant.toml"))
            .expect("the shipped tenant");
        let page = document(&tenant, "<x>", "");
        assert!(page.contains("For development.") && page.contains("&lt;x&gt; ·"));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn origins_are_those_of_urls() {
        assert_eq!(origin("http://localhost:3000/auth/callback"), ["http://localhost:3000"]);
        assert!(origin("nonsense").is_empty());
    }
}
