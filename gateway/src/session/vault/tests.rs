//! What the vault promises: the right keys open, nothing else does, and nothing is printed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

const SECRET: [u8; 32] = [7; 32];

/// A key that no chance is part of, so that what it seals and finds can be written down here.
fn known_key() -> ServerKey {
    ServerKey::parse("8f3a5c0de1b24796a0c81f5b9e6d2374c5b7190842fae6d3715c9b20de4f8a61").expect("a key")
}

fn session(number: u8) -> SessionKey {
    SessionKey::from_bytes([number; 32])
}

/// Every text that differs from `sealed` in one byte, or lacks its end.
fn damaged(sealed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..sealed.len()).map(|position| {
        let mut changed = sealed.to_vec();
        changed[position] ^= 1;
        changed
    });
    flipped.chain((0..sealed.len()).map(|length| sealed[..length].to_vec()))
}

#[test]
fn a_summary_opens_for_its_session_and_every_changed_byte_is_noticed() {
    let vault = Vault::generate();
    let sealed = vault.seal_summary(session(1), b"alice");
    assert_eq!(vault.open_summary(session(1), &sealed).as_deref(), Some(&b"alice"[..]));
    assert_eq!(vault.open_summary(session(2), &sealed), None);
    assert_eq!(Vault::generate().open_summary(session(1), &sealed), None);
    assert!(damaged(&sealed).all(|changed| vault.open_summary(session(1), &changed).is_none()));
}

#[test]
fn a_body_opens_with_its_key_session_and_header_and_every_changed_byte_is_noticed() {
    let (vault, key) = (Vault::generate(), DataKey::generate());
    let sealed = vault.seal_body(&key, session(1), b"head", b"tokens");
    let open = |key: &DataKey, session, header: &[u8]| vault.open_body(key, session, header, &sealed);
    assert_eq!(open(&key, session(1), b"head").as_deref(), Some(&b"tokens"[..]));
    assert_eq!(open(&DataKey::generate(), session(1), b"head"), None);
    assert_eq!(open(&key, session(2), b"head"), None);
    assert_eq!(open(&key, session(1), b"heed"), None);
    assert_eq!(open(&key, session(1), b""), None);
    assert!(damaged(&sealed).all(|changed| vault.open_body(&key, session(1), b"head", &changed).is_none()));
}

#[test]
fn a_door_opens_with_the_cookie_and_the_server_key_and_every_changed_byte_is_noticed() {
    let (vault, key) = (Vault::generate(), DataKey::generate());
    let wrap = vault.wrap(session(1), &SECRET, &key);
    let body = vault.seal_body(&key, session(1), b"", b"tokens");
    let (opened, is_current) = vault.unwrap(session(1), &SECRET, &wrap).expect("it opens");
    assert!(is_current);
    assert_eq!(vault.open_body(&opened, session(1), b"", &body).as_deref(), Some(&b"tokens"[..]));

    let mut other_secret = SECRET;
    other_secret[31] ^= 1;
    assert!(vault.unwrap(session(1), &other_secret, &wrap).is_none());
    assert!(vault.unwrap(session(2), &SECRET, &wrap).is_none());
    assert!(Vault::generate().unwrap(session(1), &SECRET, &wrap).is_none());
    for changed in damaged(wrap.as_bytes()).take(Wrap::LENGTH) {
        let changed = Wrap::from_bytes(changed.try_into().expect("as long"));
        assert!(vault.unwrap(session(1), &SECRET, &changed).is_none());
    }
}

/// Sessions outlive releases: what stands here was computed without this code and must open and be found for ever.
#[test]
fn what_earlier_gateways_wrote_is_found_and_opens() {
    let (key, vault) = (known_key(), Vault::new(&known_key(), &[]));
    let bytes = |digits: &str| crate::hex::decode(digits).expect("hex digits");
    assert_eq!(key.id().to_vec(), bytes("af7d3d19"));
    assert_eq!(
        vault.index(Purpose::Subject, "https://op.example", "alice")[0].to_vec(),
        bytes("d2b4b45303adb91ebe2f0a035a521616ade99bc8b417acd402b1aebb52564f91")
    );
    let summary = "af7d3d19000102030405060708090a0b8081e693b7d283e21de59bd0692cece97b3c489f95";
    assert_eq!(vault.open_summary(session(1), &bytes(summary)).as_deref(), Some(&b"alice"[..]));
    let wrap = "af7d3d19000102030405060708090a0b0688edbd37381d6e8102b84c401ec4da\
                137a644252788e1937bc7e1e239e53b5ea24edb03a5cc05254a6ea1b0015494a";
    let wrap = Wrap::from_bytes(bytes(wrap).try_into().expect("a wrap's length"));
    let (data, _) = vault.unwrap(session(1), &SECRET, &wrap).expect("it opens");
    let body = "000102030405060708090a0bd956ae97881dfb30f2557c8e12841e8032a56fd4a56d";
    assert_eq!(vault.open_body(&data, session(1), b"head", &bytes(body)).as_deref(), Some(&b"tokens"[..]));
}

#[test]
fn an_older_key_opens_while_it_is_there_and_a_dropped_one_does_not() {
    let (old, new) = (ServerKey::generate(), ServerKey::generate());
    let before = Vault::new(&old, &[]);
    let during = Vault::new(&new, std::slice::from_ref(&old));
    let after = Vault::new(&new, &[]);
    let summary = before.seal_summary(session(1), b"alice");
    let wrap = before.wrap(session(1), &SECRET, &DataKey::generate());

    assert!(during.open_summary(session(1), &summary).is_some());
    assert!(matches!(during.unwrap(session(1), &SECRET, &wrap), Some((_, false))));
    assert!(after.open_summary(session(1), &summary).is_none());
    assert!(after.unwrap(session(1), &SECRET, &wrap).is_none());

    let summary = during.seal_summary(session(1), b"alice");
    let wrap = during.wrap(session(1), &SECRET, &DataKey::generate());
    assert!(after.open_summary(session(1), &summary).is_some());
    assert!(matches!(after.unwrap(session(1), &SECRET, &wrap), Some((_, true))));
    assert!(before.open_summary(session(1), &summary).is_none());
    assert!(before.unwrap(session(1), &SECRET, &wrap).is_none());
}

#[test]
fn sessions_are_found_under_every_key_and_written_under_the_first() {
    let (old, new) = (ServerKey::generate(), ServerKey::generate());
    let find = |vault: &Vault| vault.index(Purpose::Subject, "https://op.example", "alice");
    let before = find(&Vault::new(&old, &[]));
    let during = find(&Vault::new(&new, std::slice::from_ref(&old)));
    assert_eq!(during, [find(&Vault::new(&new, &[])), before].concat());
}

#[test]
fn an_index_entry_is_of_one_purpose_one_issuer_and_one_value() {
    let vault = Vault::generate();
    let entries = [
        (Purpose::Subject, "https://a", "bc"),
        (Purpose::ProviderSession, "https://a", "bc"),
        (Purpose::Subject, "https://ab", "c"),
        (Purpose::Subject, "https://a", "bcd"),
        (Purpose::Subject, "", "https://abc"),
        (Purpose::Subject, "https://abc", ""),
    ];
    let find = |(purpose, issuer, value): (Purpose, &str, &str)| vault.index(purpose, issuer, value);
    for (number, one) in entries.iter().enumerate() {
        for (other_number, other) in entries.iter().enumerate() {
            assert_eq!(find(*one) == find(*other), number == other_number, "{one:?} {other:?}");
        }
    }
}

#[test]
fn what_is_sealed_for_one_purpose_opens_for_no_other() {
    // One key for all, as it could only be by mistake: the purposes alone must keep them apart.
    let (derived, key) = (Derived::of(&known_key()), aead::cipher(&SECRET));
    let contexts = [
        summary_context(&derived, session(1)),
        body_context(session(1), b""),
        with_context(purpose::DOOR, &[&derived.id, session(1).as_bytes()]),
    ];
    for (number, context) in contexts.iter().enumerate() {
        let mut sealed = Vec::new();
        aead::seal_onto(&mut sealed, &key, context, b"value");
        for (other_number, other) in contexts.iter().enumerate() {
            assert_eq!(aead::open(&key, other, &sealed).is_some(), number == other_number);
        }
    }
}

#[test]
fn the_same_value_is_never_sealed_alike() {
    let (vault, key) = (Vault::generate(), DataKey::generate());
    assert_ne!(vault.seal_summary(session(1), b"alice"), vault.seal_summary(session(1), b"alice"));
    assert_ne!(
        vault.seal_body(&key, session(1), b"", b"tokens"),
        vault.seal_body(&key, session(1), b"", b"tokens")
    );
    assert_ne!(vault.wrap(session(1), &SECRET, &key), vault.wrap(session(1), &SECRET, &key));
}

#[test]
fn a_key_is_read_in_every_usual_spelling() {
    let key = ServerKey::generate();
    let padded = key.to_text().expose().clone();
    let bytes = STANDARD.decode(&padded).expect("base64");
    for text in [
        padded.clone(),
        format!("\n  {padded}\r\n"),
        padded.trim_end_matches('=').to_owned(),
        URL_SAFE.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
        crate::hex::encode(&bytes),
        crate::hex::encode(&bytes).to_uppercase(),
    ] {
        assert_eq!(ServerKey::parse(&text).map(|read| read.id()), Ok(key.id()), "{text}");
    }
}

#[test]
fn a_text_that_is_no_key_is_refused_with_the_command_that_makes_one() {
    for (text, error) in [
        (String::new(), KeyError::Empty),
        (" \n".into(), KeyError::Empty),
        ("correct horse battery staple".into(), KeyError::NotText),
        (STANDARD.encode(crate::entropy::bytes::<31>()), KeyError::Short(31)),
        (STANDARD.encode(crate::entropy::bytes::<1025>()), KeyError::Long(1025)),
        ("A".repeat(100_000), KeyError::Long(75_000)),
        ("0".repeat(64), KeyError::NotRandom),
        (STANDARD.encode([0xa5; 48]), KeyError::NotRandom),
        (crate::hex::encode(&(0..32).collect::<Vec<u8>>()), KeyError::NotRandom),
        (STANDARD.encode(b"changemechangemechangemechangeme"), KeyError::NotRandom),
    ] {
        let refused = ServerKey::parse(&text).map(|key| key.id()).expect_err("no key");
        assert_eq!(refused, error, "{text:.80}");
        assert!(refused.to_string().contains("openssl rand -base64 32"));
        assert!(text.trim().is_empty() || !refused.to_string().contains(text.trim()));
    }
    assert!(ServerKey::parse(&STANDARD.encode(crate::entropy::bytes::<1024>())).is_ok());
}

#[test]
fn nothing_secret_is_printed() {
    let (key, vault, data) = (ServerKey::generate(), Vault::generate(), DataKey::generate());
    let wrap = vault.wrap(session(1), &SECRET, &data);
    assert_eq!(
        format!("{key:?} {vault:?} {data:?} {wrap:?} {:?}", key.to_text()),
        "[server key] [vault] [data key] [wrap] [secret]"
    );
}
