//! Whether the services behind the gateway take connections. They are asked nothing.

use tokio_rustls::TlsConnector;

use crate::finding::{Finding, Report};
use crate::origin::Localhost;
use crate::reach::reach;
use crate::upstream::Settings;

/// Connects to each server of each upstream.
pub(super) async fn examine(upstreams: &[Settings], tls: &TlsConnector, report: &mut Report<'_>) {
    for upstream in upstreams {
        for server in &upstream.servers {
            let scheme = if server.https { "https" } else { "http" };
            let authority = server.authority.to_str().unwrap_or(&server.host);
            let place = format!("upstreams.{}: {scheme}://{authority}", upstream.name);
            report.looking(&format!("connecting to {authority}"));
            let tls = server.https.then_some(tls);
            match reach(&server.host, server.port, tls, Localhost::ThisMachine).await {
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
