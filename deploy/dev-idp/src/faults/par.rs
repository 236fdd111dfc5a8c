//! What can be wrong with the answer to a pushed authorization request. Knows nothing of how the right one is made.

use super::{Fault, Faults, faults};

faults! {
    /// Something wrong with the answer to a pushed authorization request.
    ParFault {
        /// SI-19: 400 invalid_request.
        InvalidRequest = "invalid-request",
        /// SI-19: 401 invalid_client.
        InvalidClient = "invalid-client",
        /// SI-19: 500 with a JSON error.
        ServerError = "server-error",
        /// SI-19: 400 with a description full of markup.
        HostileError = "hostile-error",
        /// SI-19: the request_uri has expired by the time the browser comes.
        Expired = "expired",
        /// SI-19: no request_uri.
        MissingRequestUri = "missing-request-uri",
        /// SI-19: request_uri is a number.
        RequestUriNumber = "request-uri-number",
        /// SI-19: request_uri is empty.
        RequestUriEmpty = "request-uri-empty",
        /// SI-10: request_uri with a parameter and a header behind it.
        HostileRequestUri = "hostile-request-uri",
        /// SI-19: no expires_in.
        MissingExpiresIn = "missing-expires-in",
        /// SI-19: 200 instead of 201.
        StatusOk = "status-ok",
        /// SI-19: the right object in an array.
        Array = "array",
        /// SI-19: not JSON.
        NotJson = "not-json",
    }
}

impl Faults {
    /// The faults that apply to this request.
    pub(crate) fn on_par(&self) -> Vec<ParFault> {
        self.take(|fault| if let Fault::Par(fault) = fault { Some(fault) } else { None })
    }

    /// Whether the metadata said, by a fault, that requests must be pushed.
    pub(crate) fn par_is_required(&self) -> bool {
        self.active().contains(&Fault::Metadata(super::MetadataFault::RequirePar))
    }
}
