//! Prints the reference, `gateway/docs/configuration.md`, from the schema.

use std::fmt::Write;

use super::schema::{self, Key, Presence, Table};

const OPENING: &str = "\
# Configuration

<!-- Printed by `gateway docs` from gateway/src/config/schema.rs; do not edit. -->

The gateway reads one TOML file: `gateway --config gateway.toml`. The file `gateway.toml` at the root of the repository
is a commented example. `gateway check --config gateway.toml` reports every problem at once, each with its line, and
exits with 1 if there is one; the gateway itself refuses to start on the same problems. Unknown keys are problems.
Relative paths start from the configuration file's folder. `gateway doctor` asks the provider, the upstreams and the
session store too; what to write for which provider is in the guides (`gateway/docs/providers`).
";

const RULES: &str = "
### Rules

`allow` says who may pass. A route without `allow` lets in whoever is signed in.

| rule | who passes |
|---|---|
| `\"anyone\"` | everybody; must stand alone |
| `\"signed-in\"` | whoever has a live session |
| `{ scope = \"…\" }` | who was granted that scope at sign-in |
| `{ role = \"…\" }` | who has that app role: a member of the `roles` claim |
| `{ claim = \"…\", any_of = [\"…\"] }` | who has a claim that is, or as an array contains, one of the values (strings, whole numbers, true or false), compared exactly |
| `{ all = [ … ] }` | who passes every rule of the list |
| `{ any = [ … ] }` | who passes at least one rule of the list |
";

const WARNINGS: &str = "
## Warnings

These do not stop the gateway; it logs them at the start and `gateway check` shows them: a secret's file that other users
of the machine can read, an `admin` address that other machines can reach, `plain_http`, `form_post` without TLS, upstreams
and tokens that no route uses, and a file without routes.
";

/// The whole reference, as Markdown.
pub(super) fn markdown() -> String {
    let mut text = OPENING.to_owned();
    for table in schema::ALL {
        section(&mut text, table).expect("a String takes everything");
        if table.header == schema::ROUTE.header {
            text.push_str(RULES);
        }
    }
    text.push_str(WARNINGS);
    text
}

fn section(text: &mut String, table: &Table) -> std::fmt::Result {
    let title =
        if table.header.is_empty() { "Top of the file".to_owned() } else { format!("`{}`", table.header) };
    write!(
        text,
        "\n## {title}\n\n{}\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
        table.intro
    )?;
    for Key { name, kind, presence, meaning } in table.keys {
        let default = match presence {
            Presence::Required => "required",
            Presence::Default(default) => default,
        };
        writeln!(text, "| `{name}` | {} | {} | {} |", cell(kind), cell(default), cell(meaning))?;
    }
    Ok(())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_reference_in_the_repository_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == super::markdown(),
            "run: cargo run -p gateway -- docs > gateway/docs/configuration.md"
        );
    }
}
