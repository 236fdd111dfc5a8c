//! `development_in_containers`: the one switch that lets plain http out of the loopback interface, so that several
//! containers of one machine can be tried together without certificates. Loud, and refused for a real site.

use crate::origin::{Localhost, Origin};

use super::raw::Section;

const KEY: &str = "development_in_containers";

/// Reads the switch.
pub(super) fn read(top: &Section<'_>, public_url: Option<&Origin>) -> Localhost {
    if !top.flag(KEY, false) {
        return Localhost::ThisMachine;
    }
    if let Some(value) = top.value(KEY).filter(|_| public_url.is_some_and(Origin::is_secure)) {
        top.report().problem(
            &value.place(),
            "this is for development, and `public_url` is https",
            "remove it: behind https the gateway may listen on every address without it",
        );
    }
    top.report().warning(
        "development_in_containers: passwords, sessions and tokens travel in the clear between containers; publish \
         ports on 127.0.0.1 only, and let nobody sign in whose account is worth something"
            .to_owned(),
    );
    Localhost::Containers
}
