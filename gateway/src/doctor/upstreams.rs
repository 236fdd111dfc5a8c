//! Whether the services behind the gateway take connections. They are asked nothing.

use crate::finding::{Finding, Report};
use crate::origin::Localhost;
use crate::reach::reach_as;
use crate::upstream::Settings;

/// Connects to each server of each upstream.
pub(super) async fn examine(upstreams: &[Settings], report: &mut Report<'_>) {
    for upstream in upstreams {
        let speaks_tls = upstream.servers.iter().any(|server| server.https);
        let tls = speaks_tls.then(|| upstream.tls.connector(upstream.protocol));
        for server in &upstream.servers {
            let scheme = if server.https { "https" } else { "http" };
            let authority = server.authority.to_str().unwrap_or(&server.host);
            let place = format!("upstreams.{}: {scheme}://{authority}", upstream.name);
            report.looking(&format!("connecting to {authority}"));
            let tls = tls.as_ref().filter(|_| server.https);
            let name = upstream.tls.server_name.clone();
            match reach_as(&server.host, server.port, tls, Localhost::ThisMachine, name).await {
                Ok(reached) => {
                    let found = if reached.tls {
                        "takes connections, and its certificate holds"
                    } else {
                        "takes connections"
                    };
                    report.add(Finding::ok("upstream", place, found));
                }
                Err(error) => {
                    report.add(Finding::fault("upstream", place, error.to_string(), error.repair()))
                }
            }
        }
    }
}
