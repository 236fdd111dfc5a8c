//! What the demo says on the terminal. Progress goes to the error output, so that a program that reads the standard
//! output finds there only what it waits for.

use std::io::{self, Write};

use demo::Addresses;

/// Where the gateway's access lines go, in the data folder.
pub(crate) const ACCESS_LOG: &str = "gateway-access.log";

/// One step that begins now.
pub(crate) fn progress(what: &str) {
    // A closed terminal must not stop the demo.
    let _ = writeln!(io::stderr(), "demo: {what}");
}

/// Everything runs.
pub(crate) fn ready(addresses: &Addresses, json: bool) -> io::Result<()> {
    let text = if json { line(addresses) } else { welcome(addresses) };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn line(addresses: &Addresses) -> String {
    let Addresses { gateway, admin, todo, provider, .. } = addresses;
    // The addresses are ours: letters, digits, colons and slashes, nothing that JSON would escape.
    format!(r#"ready {{"gateway":"{gateway}","idp":"{provider}","todo":"{todo}","admin":"{admin}"}}"#) + "\n"
}

fn welcome(addresses: &Addresses) -> String {
    let Addresses { gateway, admin, todo, provider, .. } = addresses;
    format!(
        "\n\
         \x20 Open      {gateway}\n\
         \n\
         \x20 Sign in   alice@example.com  or  bob@example.com\n\
         \x20 Password  correct-horse-battery\n\
         \x20 Sign up   with any address; its one-time passcode is at {provider}/mailbox\n\
         \n\
         \x20 To-do API            {todo}/api/todolist   (checks tokens itself: 401 without one)\n\
         \x20 Gateway's health     {admin}/readyz\n\
         \x20 Identity provider    {provider}   (accounts made there last until it stops)\n\
         \x20 Every request        {ACCESS_LOG} in the data folder (var, if no flag moves it)\n\
         \n\
         \x20 Ctrl-C stops everything.\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            ports: demo::Ports::default(),
            gateway: "http://localhost:3000".to_owned(),
            admin: "http://127.0.0.1:3003".to_owned(),
            todo: "http://127.0.0.1:3001".to_owned(),
            provider: "http://localhost:3002".to_owned(),
            entra_issuer: String::new(),
            entra_metadata_url: String::new(),
        }
    }

    #[test]
    fn programs_read_one_line() {
        let expected = "ready {\"gateway\":\"http://localhost:3000\",\"idp\":\"http://localhost:3002\",\
                        \"todo\":\"http://127.0.0.1:3001\",\"admin\":\"http://127.0.0.1:3003\"}\n";
        assert_eq!(line(&addresses()), expected);
    }

    #[test]
    fn people_read_where_to_go_and_how_to_stop() {
        let text = welcome(&addresses());
        for part in
            ["http://localhost:3000", "alice@example.com", "correct-horse-battery", "/mailbox", "Ctrl-C"]
        {
            assert!(text.contains(part), "{part}");
        }
    }
}
