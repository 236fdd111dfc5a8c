//! "Did you mean …?": the known name that is nearest to a wrong one.

/// The candidate that `wrong` is most probably a slip of, if any is near enough.
pub(super) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = normal(wrong);
    candidates
        .into_iter()
        .map(|candidate| (distance(&wrong, &normal(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, or else `one of: x, y`.
pub(super) fn help<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    otherwise: &str,
) -> String {
    if let Some(near) = nearest(wrong, candidates.clone()) {
        return format!("did you mean \"{near}\"?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    if all.is_empty() { otherwise.to_owned() } else { format!("one of: {}", all.join(", ")) }
}

/// Case, `-` and `_` are the commonest slips of all.
fn normal(name: &str) -> String {
    name.chars().take(64).filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_name() {
        let keys = ["issuer", "client_id", "client_secret", "scopes"];
        for (wrong, right) in [
            ("isuer", "issuer"),
            ("clientSecret", "client_secret"),
            ("scope", "scopes"),
            ("client-id", "client_id"),
        ] {
            assert_eq!(nearest(wrong, keys), Some(right), "{wrong}");
        }
    }

    #[test]
    fn far_names_are_not_guessed() {
        assert_eq!(nearest("authority", ["issuer", "scopes"]), None);
        assert_eq!(help("authority", ["issuer", "scopes"], "none"), "one of: issuer, scopes");
        assert_eq!(help("authority", [], "none"), "none");
    }
}
