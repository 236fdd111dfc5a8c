//! The table `[postgres]` of the file. Knows its keys; what they mean is the business of `todo::store::postgres`.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Problems, Section};
use crate::secret::SecretSource;
use crate::todo::{PostgresLogin, PostgresSettings};

/// Reads the table; what is left out keeps its default.
pub(super) fn read(mut table: Section, problems: &mut Problems) -> PostgresSettings {
    let defaults = PostgresSettings::default();
    let login = login(&mut table, problems);
    let owner = table.table("owner", problems).map(|mut owner| {
        let read = self::login(&mut owner, problems);
        if read.is_none() {
            problems.push(owner.problem("user", "is missing: name the role that owns the tables"));
        }
        owner.finish(problems);
        read
    });
    let tls = table.optional_text("tls", problems);
    let tls = tls.and_then(|text| table.parsed("tls", &text, read_tls, problems));
    let mut seconds = |key, otherwise: Duration| {
        table.optional_number(key, problems).map_or(otherwise, Duration::from_secs)
    };
    let settings = PostgresSettings {
        login,
        owner: owner.flatten(),
        tls,
        acquire_timeout: seconds("acquire_timeout", defaults.acquire_timeout),
        statement_timeout: seconds("statement_timeout", defaults.statement_timeout),
        lock_timeout: seconds("lock_timeout", defaults.lock_timeout),
        idle_in_transaction_timeout: seconds(
            "idle_in_transaction_timeout",
            defaults.idle_in_transaction_timeout,
        ),
        migrate: table.optional_flag("migrate", problems).unwrap_or(defaults.migrate),
        ca: table.optional_text("ca", problems).map(PathBuf::from),
        max_connections: table
            .optional_number("max_connections", problems)
            .map_or(defaults.max_connections, |number| u32::try_from(number).unwrap_or(u32::MAX)),
        application_name: table
            .optional_text("application_name", problems)
            .unwrap_or(defaults.application_name),
    };
    table.finish(problems);
    settings
}

fn login(table: &mut Section, problems: &mut Problems) -> Option<PostgresLogin> {
    let user = table.optional_text("user", problems);
    let password = table.table_not_text("password", WRITTEN_DOWN, problems).and_then(|mut kept| {
        let (file, variable) = (kept.optional_text("file", problems), kept.optional_text("env", problems));
        kept.finish(problems);
        match (file, variable) {
            (Some(file), None) => Some(SecretSource::File(PathBuf::from(file))),
            (None, Some(variable)) => Some(SecretSource::Env(variable)),
            _ => {
                problems.push(table.problem("password", WRITTEN_DOWN));
                None
            }
        }
    });
    Some(PostgresLogin { user: user?, password })
}

const WRITTEN_DOWN: &str =
    "must be { file = \"PATH\" } or { env = \"NAME\" }: passwords are not written into the configuration";

fn read_tls(text: &str) -> Result<bool, String> {
    match text {
        "verify-full" => Ok(true),
        "disable" => Ok(false),
        "require" | "prefer" | "allow" | "verify-ca" => Err(
            "would talk to whoever answers; use \"verify-full\", with `ca` for a certificate authority of your own"
                .to_owned(),
        ),
        _ => Err("must be \"verify-full\" or \"disable\"".to_owned()),
    }
}
