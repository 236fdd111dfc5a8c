//! An authorization request, checked. A request whose client or redirect URI is not right is answered with a page and
//! never with a redirect; everything else goes back to the app. Knows nothing of who is signed in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::level::Level;
use crate::call::Params;
use crate::claims::ClaimsAsk;
use crate::faces::Face;
use crate::scopes::{Ask, ScopeError};
use crate::tenant::{AuthMethod, Client, Tenant};

/// What Entra's v2.0 endpoints say to `resource`: there, scopes name the API.
pub(crate) const ENTRA_HAS_NO_RESOURCE: &str = "The 'resource' request parameter is not supported.";

/// Where and how an answer goes to the app.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    pub(crate) face: Face,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) form_post: bool,
    pub(crate) state: Option<String>,
}

/// A request that may be answered.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizeRequest {
    pub(crate) reply: ReplyTo,
    pub(crate) ask: Ask,
    /// The APIs that `resource` parameters name, by client id (RFC 8707).
    pub(crate) resources: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) prompt: Prompt,
    pub(crate) max_age: Option<i64>,
    /// How surely the person must be recognised.
    pub(crate) level: Level,
    pub(crate) login_hint: Option<String>,
    /// The person an id_token_hint names. An unreadable hint is as good as none.
    pub(crate) hinted_oid: Option<String>,
}

/// The values of `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) none: bool,
    pub(crate) login: bool,
    pub(crate) consent: bool,
    pub(crate) select_account: bool,
    pub(crate) create: bool,
}

/// A request that is refused.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// By a page: where an answer may go is not known.
    Page(String),
    /// By an error to the app.
    Reply { to: ReplyTo, error: &'static str, why: String },
}

type Problem = (&'static str, String);

impl AuthorizeRequest {
    pub(crate) fn read(tenant: &Tenant, face: Face, params: &Params) -> Result<Self, Rejected> {
        let reply = reply_to(tenant, face, params)?;
        let to = reply.clone();
        read_rest(tenant, params, reply).map_err(|(error, why)| Rejected::Reply { to, error, why })
    }
}

fn reply_to(tenant: &Tenant, face: Face, params: &Params) -> Result<ReplyTo, Rejected> {
    let page = |why: String| Rejected::Page(why);
    for name in ["client_id", "redirect_uri"] {
        if params.pairs().iter().filter(|(found, _)| found == name).count() > 1 {
            return Err(page(format!("The parameter {name} is there twice.")));
        }
    }
    let client_id =
        params.get("client_id").ok_or_else(|| page("The parameter client_id is missing.".to_owned()))?;
    let client = tenant.client(client_id).ok_or_else(|| {
        page(format!("No application has the client ID “{client_id}”. tenant.toml lists them all."))
    })?;
    let uri = params
        .get("redirect_uri")
        .ok_or_else(|| page("The parameter redirect_uri is missing.".to_owned()))?;
    if !client.redirect_uris.iter().any(|registered| registered == uri) {
        return Err(page(format!(
            "“{uri}” is not a registered redirect URI of “{client_id}”. If it should be, add it to redirect_uris in \
             tenant.toml, byte for byte."
        )));
    }
    Ok(ReplyTo {
        face,
        client_id: client_id.to_owned(),
        redirect_uri: uri.to_owned(),
        form_post: params.get("response_mode") == Some("form_post"),
        state: params.get("state").map(str::to_owned),
    })
}

fn read_rest(tenant: &Tenant, params: &Params, reply: ReplyTo) -> Result<AuthorizeRequest, Problem> {
    let invalid = |why: String| ("invalid_request", why);
    if let Some(name) = params.repeated_but(&["resource"]) {
        return Err(invalid(format!("The parameter {name} is there twice.")));
    }
    if params.get("request").is_some() {
        return Err(("request_not_supported", "Request objects are not supported.".to_owned()));
    }
    if params.get("request_uri").is_some() {
        return Err(("request_uri_not_supported", "Request objects are not supported.".to_owned()));
    }
    match params.get("response_type") {
        Some("code") => {}
        None => return Err(invalid("The parameter response_type is missing.".to_owned())),
        Some(_) => {
            return Err(("unsupported_response_type", "The only response_type is code.".to_owned()));
        }
    }
    if !matches!(params.get("response_mode"), None | Some("query" | "form_post")) {
        return Err(invalid("response_mode must be query or form_post.".to_owned()));
    }
    let client =
        tenant.client(&reply.client_id).filter(|client| tenant.flow_of(client).is_some()).ok_or_else(
            || ("unauthorized_client", "The application is not associated with a user flow.".to_owned()),
        )?;
    let (mut ask, resources) = ask(tenant, client, params, reply.face)?;
    ask.claims = ClaimsAsk::parse(params.get("claims")).map_err(invalid)?;
    let challenge = challenge(params).map_err(invalid)?;
    if challenge.is_none() && client.registration.auth == AuthMethod::None {
        return Err(invalid("A public client must send a code_challenge.".to_owned()));
    }
    Ok(AuthorizeRequest {
        nonce: params.get("nonce").map(str::to_owned),
        challenge,
        level: Level::wanted(params.get("acr_values").unwrap_or_default(), &ask.claims),
        prompt: prompt(params.get("prompt").unwrap_or_default()).map_err(invalid)?,
        max_age: max_age(params.get("max_age")).map_err(invalid)?,
        login_hint: params.get("login_hint").map(str::to_owned),
        hinted_oid: params.get("id_token_hint").and_then(hinted_oid),
        ask,
        resources,
        reply,
    })
}

fn ask(tenant: &Tenant, client: &Client, params: &Params, face: Face) -> Result<(Ask, Vec<String>), Problem> {
    let resources: Vec<&str> = params.all("resource").collect();
    if face == Face::Entra && !resources.is_empty() {
        return Err(("invalid_request", ENTRA_HAS_NO_RESOURCE.to_owned()));
    }
    let scope = params.get("scope").unwrap_or_default();
    let ask = Ask::parse_with(tenant, client, scope, &resources).map_err(|error| match error {
        ScopeError::Unknown(_) => ("invalid_scope", error.to_string()),
        ScopeError::UnknownResource(_) => ("invalid_target", error.to_string()),
        ScopeError::TwoResources | ScopeError::Empty => ("invalid_request", error.to_string()),
    })?;
    let apis = resources.iter().filter_map(|uri| tenant.api(uri)).map(|api| api.client_id.clone());
    Ok((ask, apis.collect()))
}

/// The PKCE challenge (RFC 7636); `plain`, also by default, is refused.
fn challenge(params: &Params) -> Result<Option<String>, String> {
    let Some(challenge) = params.get("code_challenge") else {
        return match params.get("code_challenge_method") {
            None => Ok(None),
            Some(_) => Err("There is a code_challenge_method, but no code_challenge.".to_owned()),
        };
    };
    if params.get("code_challenge_method") != Some("S256") {
        return Err("code_challenge_method must be S256.".to_owned());
    }
    match URL_SAFE_NO_PAD.decode(challenge) {
        Ok(hash) if hash.len() == 32 => Ok(Some(challenge.to_owned())),
        _ => Err("code_challenge must be the base64url of a SHA-256.".to_owned()),
    }
}

fn prompt(text: &str) -> Result<Prompt, String> {
    let mut prompt = Prompt::default();
    let mut count = 0;
    for value in text.split(' ').filter(|value| !value.is_empty()) {
        count += 1;
        match value {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            "create" => prompt.create = true,
            _ => return Err("prompt must be none, login, consent, select_account or create.".to_owned()),
        }
    }
    if prompt.none && count > 1 {
        return Err("prompt=none goes with no other value.".to_owned());
    }
    Ok(prompt)
}

fn max_age(text: Option<&str>) -> Result<Option<i64>, String> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(seconds) if seconds >= 0 => Ok(Some(seconds)),
        _ => Err("max_age must be a number of seconds.".to_owned()),
    }
}

/// The `oid` in a hint. The hint only narrows who will do; a forged one narrows it to nobody, so its signature is not
/// checked.
fn hinted_oid(hint: &str) -> Option<String> {
    let payload = hint.split('.').nth(1)?;
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get("oid")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const RIGHT: [(&str, &str); 6] = [
        ("client_id", "todo-web"),
        ("redirect_uri", "http://localhost:3000/auth/callback"),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<AuthorizeRequest, Rejected> {
        let tenant = Tenant::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tenant.toml"))
            .expect("the shipped tenant");
        let kept = RIGHT.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept.chain(changes)).finish();
        AuthorizeRequest::read(&tenant, Face::Plain, &Params::parse(query.as_bytes()))
    }

    fn error(changes: &[(&str, &str)]) -> &'static str {
        match read(changes) {
            Err(Rejected::Reply { error, .. }) => error,
            Err(Rejected::Page(_)) => "page",
            Ok(_) => "accepted",
        }
    }

    #[test]
    fn a_right_request_is_accepted() {
        let request = read(&[("state", "s"), ("nonce", "n"), ("max_age", "0"), ("prompt", "login consent")]);
        let request = request.expect("a right request");
        assert_eq!(request.challenge.as_deref(), Some(CHALLENGE));
        assert_eq!(request.max_age, Some(0));
        assert!(request.prompt.login && request.prompt.consent && !request.prompt.none);
    }

    #[test]
    fn an_unknown_client_or_redirect_uri_is_never_redirected_to() {
        assert_eq!(error(&[("client_id", "nobody")]), "page");
        assert_eq!(error(&[("redirect_uri", "http://localhost:3000/auth/callback/")]), "page");
        assert_eq!(error(&[("redirect_uri", "")]), "page");
        assert_eq!(error(&[("client_id", "todo-web"), ("client_id", "todo-web")]), "page");
    }

    #[test]
    fn other_mistakes_are_told_to_the_app() {
        assert_eq!(error(&[("response_type", "token")]), "unsupported_response_type");
        assert_eq!(error(&[("response_type", "")]), "invalid_request");
        assert_eq!(error(&[("response_mode", "fragment")]), "invalid_request");
        assert_eq!(error(&[("code_challenge_method", "plain")]), "invalid_request");
        assert_eq!(error(&[("code_challenge_method", "")]), "invalid_request");
        assert_eq!(error(&[("code_challenge", "short")]), "invalid_request");
        assert_eq!(error(&[("scope", "openid nonsense")]), "invalid_scope");
        assert_eq!(error(&[("scope", "")]), "invalid_request");
        assert_eq!(error(&[("prompt", "none login")]), "invalid_request");
        assert_eq!(error(&[("prompt", "please")]), "invalid_request");
        assert_eq!(error(&[("max_age", "-1")]), "invalid_request");
        assert_eq!(error(&[("state", "a"), ("state", "b")]), "invalid_request");
        assert_eq!(error(&[("request", "e30")]), "request_not_supported");
        assert_eq!(error(&[("resource", "api://nobody")]), "invalid_target");
        assert_eq!(error(&[("claims", "[]")]), "invalid_request");
    }

    #[test]
    fn a_request_may_name_several_resources() {
        let request = read(&[("resource", "api://reports"), ("resource", "api://todo-service")]);
        let request = request.expect("a right request");
        assert_eq!(request.ask.to_scp(), "Reports.Read");
        assert_eq!(request.resources.len(), 2);
    }
}
