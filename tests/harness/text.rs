//! Changes to the gateway's configuration as text, by table and key. Knows the shape of TOML lines, and no key's meaning.

/// The text with `key = value` in `[table]`: in the place of what the table says of that key, or as a new line, or in a
/// new table.
pub(crate) fn set(text: &str, table: &str, key: &str, value: &str) -> String {
    let header = format!("[{table}]");
    let line = format!("{key} = {value}");
    let mut lines = Vec::new();
    let (mut inside, mut written) = (false, false);
    for old in text.lines() {
        if old.starts_with('[') {
            inside = old.split('#').next().unwrap_or_default().trim_end() == header;
        }
        if inside && old.split('=').next().unwrap_or_default().trim() == key {
            continue;
        }
        lines.push(old);
        if inside && !written && old.starts_with('[') {
            lines.push(&line);
            written = true;
        }
    }
    if !written {
        lines.extend([header.as_str(), line.as_str()]);
    }
    lines.join("\n") + "\n"
}

/// Whether `[table]` says something of `key`.
pub(crate) fn has(text: &str, table: &str, key: &str) -> bool {
    remove(text, table, key).lines().count() < text.lines().count()
}

/// The text without `key` in `[table]`.
pub(crate) fn remove(text: &str, table: &str, key: &str) -> String {
    let header = format!("[{table}]");
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        if line.starts_with('[') {
            inside = line.split('#').next().unwrap_or_default().trim_end() == header;
        }
        !(inside && line.split('=').next().unwrap_or_default().trim() == key)
    });
    kept.collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_set_once_in_its_own_table() {
        let text = "[a]   # first\nx = 1\n# y = 2\n[b]\nx = 3\n";
        assert_eq!(set(text, "a", "x", "9"), "[a]   # first\nx = 9\n# y = 2\n[b]\nx = 3\n");
        assert_eq!(set(text, "b", "y", "9"), "[a]   # first\nx = 1\n# y = 2\n[b]\ny = 9\nx = 3\n");
        assert_eq!(set("[a]\n", "c", "x", "9"), "[a]\n[c]\nx = 9\n");
    }

    #[test]
    fn a_key_is_removed_from_its_own_table_only() {
        assert_eq!(remove("[a]\nx = 1\ny = 2\n[b]\nx = 3\n", "a", "x"), "[a]\ny = 2\n[b]\nx = 3\n");
    }
}
