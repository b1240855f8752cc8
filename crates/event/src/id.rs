//! Names of the things that events are about. Each is a type of its own, so that none is taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name_type! {
    /// A component by its name in `seam.yaml`; the tests themselves are the component `test`.
    ComponentId
}
name_type! {
    /// An endpoint of a component by its name, or a database; the one without a name is the empty text.
    Endpoint
}
name_type! {
    /// A run: short, unique among the stored ones, the beginning of a folder's name.
    RunId
}
name_type! {
    /// A test by its full name: the file's path, `::`, the name, and `[case]` where it has cases.
    TestId
}

impl ComponentId {
    /// The tests themselves: the consumer on every seam that a step goes through.
    pub fn test() -> Self {
        Self::from("test")
    }

    /// Is it the tests themselves?
    pub fn is_test(&self) -> bool {
        &*self.0 == "test"
    }
}

impl Endpoint {
    /// The endpoint without a name.
    pub fn main() -> Self {
        Self::from("")
    }
}

/// A seam: the connection from a consumer to one endpoint of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeamId {
    /// Who opens the connection.
    pub consumer: ComponentId,
    /// Who is asked.
    pub provider: ComponentId,
    /// Which of the provider's endpoints; empty for the one without a name.
    pub endpoint: Endpoint,
}

/// As people write it: `orders -> pg.orders`.
impl fmt::Display for SeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.consumer, self.provider)?;
        if !self.endpoint.0.is_empty() {
            write!(f, ".{}", self.endpoint)?;
        }
        Ok(())
    }
}
