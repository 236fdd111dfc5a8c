//! Changes to configuration files as text, so that what runs is what is shipped, comments and all, but for a port here
//! and a line there. Knows the few lines it changes, and nothing of what they mean.

use std::fmt::Write as _;

use anyhow::{Context, ensure};

/// The text with each port of `moves` replaced by its new one. A port is a colon, digits, and then no digit.
pub fn move_ports(text: &str, moves: &[(u16, u16)]) -> String {
    let mut moved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        moved.push_str(before);
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = after.split_at(length);
        let new = digits.parse::<u16>().ok().and_then(|port| moves.iter().find(|(old, _)| *old == port));
        match new {
            // Writing to a String cannot fail.
            Some((_, new)) => drop(write!(moved, "{new}")),
            None => moved.push_str(digits),
        }
        rest = after;
    }
    moved.push_str(rest);
    moved
}

/// A gateway configuration that signs people in at the provider's other face: the one that looks like an Entra External
/// ID tenant, whose issuer is on another host than its metadata.
pub fn entra_face(gateway_toml: &str, issuer: &str, metadata_url: &str) -> anyhow::Result<String> {
    let lines = format!("issuer        = \"{issuer}\"\nmetadata_url  = \"{metadata_url}\"");
    replace_line(gateway_toml, "[provider]", "issuer", &lines)
}

/// A gateway configuration whose sessions end after `idle` without use.
pub fn session_idle(gateway_toml: &str, idle: &str) -> anyhow::Result<String> {
    ensure!(
        !idle.is_empty() && idle.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "\"{idle}\" is not a duration; write, for example, 30m"
    );
    replace_line(gateway_toml, "[session]", "idle", &format!("idle     = \"{idle}\""))
}

/// A gateway configuration whose sessions end with the process. The development provider forgets as it stops what it
/// granted: sessions that outlived it would be of no use.
pub(crate) fn sessions_in_memory(gateway_toml: &str) -> anyhow::Result<String> {
    replace_line(gateway_toml, "[session]", "store", "store    = \"memory\"")
}

/// The text with the line `key = …` of the table `header` replaced.
fn replace_line(text: &str, header: &str, key: &str, with: &str) -> anyhow::Result<String> {
    let mut inside = false;
    let mut found = false;
    let mut replaced = String::with_capacity(text.len());
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.trim_end() == header;
        }
        let name = line.split('=').next().unwrap_or_default().trim();
        if inside && !found && name == key {
            found = true;
            replaced.push_str(with);
        } else {
            replaced.push_str(line);
        }
        replaced.push('\n');
    }
    found
        .then_some(replaced)
        .with_context(|| format!("the gateway's configuration has no line `{key} = …` under {header}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_move_all_at_once_and_nothing_else_does() {
        let text = "a = \"http://localhost:3000\" b = \"127.0.0.1:3001\" # :30000 3000 :03000x";
        let moved = move_ports(text, &[(3000, 3001), (3001, 3000)]);
        assert_eq!(moved, "a = \"http://localhost:3001\" b = \"127.0.0.1:3000\" # :30000 3000 :3001x");
        assert_eq!(move_ports(text, &[]), text);
    }

    #[test]
    fn a_line_is_replaced_in_its_own_table_only() {
        let text = "[provider]\nissuer = \"a\"\n[session]\nissuer = \"b\"\n# issuer = \"c\"\n";
        let swapped = entra_face(text, "i", "m").expect("the line is there");
        assert_eq!(swapped.matches("\"i\"").count(), 1);
        assert!(swapped.contains("issuer = \"b\"") && swapped.contains("metadata_url  = \"m\""));
        assert!(entra_face("[session]\nissuer = \"b\"\n", "i", "m").is_err());
    }

    #[test]
    fn a_duration_cannot_bring_lines_of_its_own() {
        let text = "[session]\nidle = \"30m\"\n";
        assert_eq!(session_idle(text, "5m").expect("a duration"), "[session]\nidle     = \"5m\"\n");
        assert!(session_idle(text, "5m\"\nabsolute=\"9h").is_err());
        assert!(session_idle(text, "").is_err());
    }

    #[test]
    fn sessions_of_the_demo_end_with_it() {
        let text = "[session]\nstore = { file = \"x\" }\n";
        assert_eq!(
            sessions_in_memory(text).expect("the line is there"),
            "[session]\nstore    = \"memory\"\n"
        );
        assert!(sessions_in_memory("[session]\n").is_err());
    }
}
