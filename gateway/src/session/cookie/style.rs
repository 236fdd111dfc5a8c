//! What operators may choose of how cookies are written.

/// How cookies are written, as far as operators may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// When browsers send the session along.
    pub same_site: SameSite,
    /// What names begin with on https.
    pub prefix: Prefix,
}

/// When browsers send the session's cookie (RFC 6265bis, section 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Also when a link on another site leads here.
    #[default]
    Lax,
    /// Only when this site itself sent the request.
    Strict,
}

/// What browsers check before they keep a cookie of that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// `__Host-`: secure, for this host alone and all of it.
    #[default]
    Host,
    /// `__Host-Http-`: besides, set by an answer and not by a script (draft-ietf-httpbis-layered-cookies).
    HostHttp,
}

impl Prefix {
    /// Every prefix, the longer first.
    pub(super) const ALL: [Self; 2] = [Self::HostHttp, Self::Host];

    /// As it stands in a name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Host => "__Host-",
            Self::HostHttp => "__Host-Http-",
        }
    }
}
