//! Sets of methods. Names are case-sensitive, and a method that is never forwarded is in no set (requirement PA-07).

use std::fmt;

use http::Method;

/// A set of the methods that the gateway forwards (RFC 9110, section 9; PATCH by RFC 5789).
/// CONNECT, TRACE and unknown methods are in no set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Methods(u8);

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

impl Methods {
    /// None.
    pub const NONE: Self = Self(0);
    /// Every method that is ever forwarded.
    pub const ALL: Self = Self(0b111_1111);

    /// The set of one method, or nothing for a method that is never forwarded. Names are case-sensitive.
    pub fn one(method: &Method) -> Option<Self> {
        METHODS.iter().position(|known| known == method).map(|bit| Self(1 << bit))
    }

    /// The set of those methods; the first unknown name otherwise.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Self(0), |set, name| {
            let method = Method::from_bytes(name.as_bytes()).map_err(|_| name)?;
            Self::one(&method).map(|one| Self(set.0 | one.0)).ok_or(name)
        })
    }

    /// Whether `method` is in the set.
    pub fn contains(self, method: &Method) -> bool {
        Self::one(method).is_some_and(|one| self.0 & one.0 != 0)
    }

    /// Whether both sets share a method.
    pub fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The methods that are in both.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The methods that are in either.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Each method of the set, as a set of its own.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..METHODS.len()).map(|bit| Self(1 << bit)).filter(move |one| self.overlaps(*one))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// `GET, HEAD`, as in an `Allow` header.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = METHODS.iter().filter(|method| self.contains(method));
        for (position, method) in names.enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Methods({self})")
    }
}
