//! A Redis that holds what no gateway wrote. See [`crate::fuzzing`].

use redis::Value;

use crate::clock::Timestamp;
use crate::session::SessionKey;
use crate::session::store::backend::Stored;

use super::record::{
    self, ALL, INDICES, LISTING, REACH, fields, index_lifetime, indices_of, lifetime, score, session_key,
};

/// Each line is one value of a hash, in the order of [`ALL`]: `-` for none, `:` and a number, or bytes.
pub(crate) fn redis_record(data: &[u8]) -> bool {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let values: Vec<Value> = lines.iter().copied().map(value).collect();
    let first = |count: usize| Value::Array(values.iter().take(count).cloned().collect());
    let key = SessionKey::from_bytes([7; 32]);
    for line in &lines {
        assert_eq!(session_key(line).is_ok(), line.len() == key.as_bytes().len());
    }
    if let Ok(Some(listed)) = record::listed(key, first(LISTING.len())) {
        assert!(listed.key == key && score(listed.end).parse::<i64>().is_ok());
    }
    // Whether they are read matters not, only that nothing breaks.
    drop(record::indices(first(INDICES.len())));
    drop(record::reach(first(REACH.len())));
    let Ok(Some(stored)) = record::stored(first(ALL.len())) else {
        return false;
    };
    check(&stored);
    true
}

/// What was read is written the same; what Redis is told of it are numbers that it takes.
fn check(stored: &Stored) {
    let written = fields(stored);
    let named = |name: &&[u8]| {
        let found = written.chunks_exact(2).find(|pair| pair[0] == *name);
        found.map_or(Value::Nil, |pair| Value::BulkString(pair[1].clone()))
    };
    let again = record::stored(Value::Array(ALL.iter().map(named).collect()));
    assert!(again.is_ok_and(|again| again.as_ref() == Some(stored)));
    let century = 100 * 365 * 24 * 60 * 60;
    assert!(lifetime(stored) < century && index_lifetime(stored) < century);
    for moment in [stored.end(), stored.absolute_end, Timestamp(i64::MIN)] {
        assert!(score(moment).parse::<i64>().is_ok_and(|score| score.unsigned_abs() <= 1 << 53));
    }
    assert!((1..=2).contains(&indices_of(stored).count()));
}

fn value(line: &[u8]) -> Value {
    let number = || std::str::from_utf8(line.strip_prefix(b":")?).ok()?.parse().ok();
    match line {
        b"-" => Value::Nil,
        _ => number().map_or_else(|| Value::BulkString(line.to_vec()), Value::Int),
    }
}

pub(crate) fn redis_records() -> Vec<Vec<u8>> {
    let index = "0123456789abcdef0123456789abcdef";
    [
        format!("1\nbody\nsummary\n1800000000\n3600\n1800028800\n{index}\n{index}"),
        format!(":1\nb\ns\n:-9223372036854775808\n:9223372036854775807\n:9223372036854775807\n{index}\n-"),
        format!("18446744073709551615\n\n\n9223372036854775807\n0\n-1\n{index}\n-"),
        format!("many\nbody\nsummary\n1\n1\n1\n{index}\nshort"),
        "summary\n1\n1\n1".to_owned(),
        "-\n-\n-\n-\n-\n-\n-\n-".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
