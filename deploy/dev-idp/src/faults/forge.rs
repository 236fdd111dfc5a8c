//! Writes a token, with everything wrong that was asked for. Three places to go wrong, in order: the claims, the text,
//! the signature. Knows nothing of who asked.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::IdTokenFault as Fault;
use super::forge_claims;
use super::{JwtEdit, Members};
use crate::jwt::{encode, signing_input};
use crate::keys::{SigningKey, odd_curve, stranger};

/// A token before it is written.
pub(crate) struct Draft {
    pub(crate) header: Members,
    pub(crate) claims: Members,
}

/// What the faults need to know.
pub(crate) struct Context<'a> {
    pub(crate) key: &'a SigningKey,
    pub(crate) client_secret: &'a str,
    pub(crate) now: i64,
    /// The access token that came with an ID token.
    pub(crate) access_token: Option<&'a str>,
    pub(crate) canary: &'a str,
}

/// The signed token.
pub(crate) fn write(
    mut draft: Draft,
    context: &Context<'_>,
    faults: &[Fault],
    edit: Option<&JwtEdit>,
) -> String {
    for fault in faults {
        forge_claims::apply(*fault, &mut draft, context);
    }
    if let Some(edit) = edit {
        edit(&mut draft.header, &mut draft.claims);
    }
    let mut header = Value::Object(draft.header).to_string();
    let mut payload = Value::Object(draft.claims).to_string();
    for fault in faults {
        change_text(*fault, &mut header, &mut payload);
    }
    let signature = signature(faults, context, &header, &payload);
    let mut token = format!("{}.{}", signing_input(&header, &payload), encode(signature));
    for fault in faults {
        token = change_token(*fault, &token);
    }
    token
}

fn change_text(fault: Fault, header: &mut String, payload: &mut String) {
    match fault {
        Fault::DuplicateAud => payload.insert_str(1, r#""aud":"stranger","#),
        Fault::DuplicateNonce => payload.insert_str(1, r#""nonce":"wrong","#),
        Fault::DuplicateSub => payload.insert_str(payload.len() - 1, r#","sub":"somebody-else""#),
        Fault::DuplicateAlg => header.insert_str(1, r#""alg":"none","#),
        Fault::ExpTwoTo63 => replace_number(payload, "exp", "9223372036854775808"),
        Fault::ExpHuge => replace_number(payload, "exp", "1e300"),
        Fault::PayloadArray => *payload = format!("[{payload}]"),
        Fault::PayloadNotJson => payload.truncate(payload.len() / 2),
        Fault::PayloadDeep => {
            let deep = format!(r#","deep":{}{}"#, "[".repeat(10_000), "]".repeat(10_000));
            payload.insert_str(payload.len() - 1, &deep);
        }
        _ => {}
    }
}

/// Writes a number's text as it could not be written through a `Value`.
fn replace_number(json: &mut String, name: &str, number: &str) {
    let member = format!("\"{name}\":");
    if let Some(start) = json.find(&member).map(|at| at + member.len()) {
        let end = json[start..].find([',', '}']).map_or(json.len(), |length| start + length);
        json.replace_range(start..end, number);
    }
}

fn signature(faults: &[Fault], context: &Context<'_>, header: &str, payload: &str) -> Vec<u8> {
    let input = signing_input(header, payload);
    let input = input.as_bytes();
    let hs256 = |secret: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::sign(&key, input).as_ref().to_vec()
    };
    for fault in faults {
        return match fault {
            Fault::AlgNone | Fault::AlgNoneCapital | Fault::AlgNoneMixed | Fault::EmptySignature => {
                Vec::new()
            }
            Fault::Hs256ClientSecret => hs256(context.client_secret.as_bytes()),
            Fault::Hs256PublicPem => hs256(pem(&context.key.public_der()).as_bytes()),
            Fault::Hs256PublicDer => hs256(&context.key.public_der()),
            Fault::Hs256PublicJwk => hs256(context.key.jwk().to_string().as_bytes()),
            Fault::Es256 => odd_curve().sign(input),
            Fault::Ps256 => context.key.sign_pss(input),
            Fault::WrongKey | Fault::UnknownKid | Fault::Jku | Fault::X5u | Fault::Jwk | Fault::X5c => {
                stranger().sign(input)
            }
            Fault::BadSignature => {
                let mut signature = context.key.sign(input);
                signature[17] ^= 1;
                signature
            }
            _ => continue,
        };
    }
    context.key.sign(input)
}

fn change_token(fault: Fault, token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let &[header, payload, signature] = parts.as_slice() else {
        return token.to_owned();
    };
    let flipped = |part: &str, from: &str, to: &str| {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        encode(String::from_utf8_lossy(&bytes).replacen(from, to, 1))
    };
    match fault {
        Fault::TamperedPayload => {
            format!("{header}.{}.{signature}", flipped(payload, "{", "{\"admin\":true,"))
        }
        Fault::TamperedHeader => format!("{}.{payload}.{signature}", flipped(header, "{", "{\"x\":1,")),
        Fault::JsonSerialization => {
            format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#)
        }
        Fault::Jwe => format!("{header}.{signature}.{payload}.{payload}.{header}"),
        Fault::NotBase64 => "#$%.&*(.)!~".to_owned(),
        Fault::Padded => format!("{token}=="),
        _ => token.to_owned(),
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keyring;

    fn forged(keys: &Keyring, faults: &[Fault]) -> String {
        let key = keys.current();
        let mut claims = Members::new();
        for name in ["iss", "aud", "sub", "nonce", "acr"] {
            claims.insert(name.to_owned(), format!("http://{name}").into());
        }
        for name in ["exp", "iat", "auth_time"] {
            claims.insert(name.to_owned(), 1_000.into());
        }
        let draft = Draft { header: crate::jwt::header(&key), claims };
        let context = Context {
            key: &key,
            client_secret: "secret",
            now: 1_000,
            access_token: Some("access"),
            canary: "http://localhost/dev/canary",
        };
        write(draft, &context, faults, None)
    }

    #[test]
    fn without_a_fault_a_token_is_right() {
        let keys = Keyring::new();
        assert!(crate::jwt::read_own(&keys, &forged(&keys, &[])).is_some());
    }

    #[test]
    fn every_fault_changes_the_token() {
        let keys = Keyring::new();
        let right = forged(&keys, &[]);
        for fault in Fault::ALL {
            assert_ne!(forged(&keys, &[*fault]), right, "{} does nothing", fault.name());
        }
        assert_eq!(forged(&keys, &[]), right, "signing is deterministic, so the comparison means something");
    }

    #[test]
    fn numbers_are_written_as_text_where_no_value_could_hold_them() {
        let mut json = r#"{"exp":5,"x":1}"#.to_owned();
        replace_number(&mut json, "exp", "1e300");
        assert_eq!(json, r#"{"exp":1e300,"x":1}"#);
    }
}
