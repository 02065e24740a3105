//! Names of objects: the SHA-256 of an object's canonical bytes.
//!
//! A blob's canonical bytes are the file's own, so a [`BlobId`] equals the
//! digest that `Packages`, `repomd.xml` or `SHA256SUMS` publish. What kind an
//! object is, is not part of its id; it is told by what refers to it, and every
//! lookup is by ([`Kind`], id). The typed faces keep the kinds apart in code.
//!
//! The value type is [`gix_hash::ObjectId`], built with SHA-256 alone. Its serde
//! form, its default kind and its "empty blob" constant are git's and are not
//! used: ids are written as 64 lower-case hexadecimal digits, or as 32 bytes.

mod hash;

use std::fmt;
use std::str::FromStr;

pub use hash::{Hasher, HashingReader, hash_bytes};

/// Length of an id in bytes.
pub const ID_LEN: usize = 32;
/// Length of an id in hexadecimal digits.
pub const ID_HEX_LEN: usize = 64;
/// Fewest digits by which an abbreviated id may be given.
pub const MIN_PREFIX_LEN: usize = 8;

/// What an id refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The bytes of a file.
    Blob,
    /// One directory, or one page of a wide one.
    Tree,
    /// One published state of a tree.
    Commit,
}

impl Kind {
    /// All kinds, in the order of their numbers on disk.
    pub const ALL: [Kind; 3] = [Kind::Blob, Kind::Tree, Kind::Commit];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Blob => "blob",
            Kind::Tree => "tree",
            Kind::Commit => "commit",
        })
    }
}

/// A text that is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an id of 64 hexadecimal digits")]
pub struct InvalidId(pub String);

/// The SHA-256 of some object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(gix_hash::ObjectId);

impl ObjectId {
    /// Takes the 32 bytes of a digest.
    pub fn from_bytes(bytes: [u8; ID_LEN]) -> Self {
        ObjectId(gix_hash::ObjectId::Sha256(bytes))
    }

    /// Takes a digest from a slice; `None` unless it is 32 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn from_hex(hex: &[u8]) -> Result<Self, InvalidId> {
        let invalid = || InvalidId(String::from_utf8_lossy(hex).into_owned());
        if hex.len() != ID_HEX_LEN || hex.iter().any(u8::is_ascii_uppercase) {
            return Err(invalid());
        }
        gix_hash::ObjectId::from_hex(hex).map(ObjectId).map_err(|_| invalid())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; ID_LEN] {
        self.0.as_slice().try_into().expect("gix-hash is built with SHA-256 alone, a test checks its size")
    }

    /// Whether the hexadecimal form begins with `prefix` (lower-case digits).
    pub fn has_hex_prefix(&self, prefix: &str) -> bool {
        self.to_string().starts_with(prefix)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ID_HEX_LEN];
        let hex: &str = self.0.hex_to_buf(&mut buffer);
        match f.precision() {
            Some(digits) => f.write_str(&hex[..digits.min(ID_HEX_LEN)]),
            None => f.write_str(hex),
        }
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:.12}")
    }
}

impl FromStr for ObjectId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::from_hex(text.as_bytes())
    }
}

impl serde::Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub ObjectId);

        impl $name {
            /// The kind of object such an id names.
            pub const KIND: Kind = $kind;

            /// Takes the 32 bytes of a digest.
            pub fn from_bytes(bytes: [u8; ID_LEN]) -> Self {
                $name(ObjectId::from_bytes(bytes))
            }

            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; ID_LEN] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {:.12}", Self::KIND, self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map($name)
            }
        }
    };
}

typed_id!(
    /// Names the bytes of a file.
    BlobId,
    Kind::Blob
);
typed_id!(
    /// Names one directory, or one page of a wide one.
    TreeId,
    Kind::Tree
);
typed_id!(
    /// Names one published state of a tree.
    CommitId,
    Kind::Commit
);

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn an_id_is_32_bytes_so_no_dependency_has_turned_on_sha1() {
        assert_eq!(size_of::<ObjectId>(), ID_LEN);
    }

    #[test]
    fn the_id_of_bytes_is_their_plain_sha256() {
        assert_eq!(hash_bytes(b"").to_string(), EMPTY);
    }

    #[test]
    fn only_64_lower_case_digits_are_an_id() {
        assert_eq!(EMPTY.parse::<ObjectId>().unwrap().to_string(), EMPTY);
        for bad in ["", "e3b0", &EMPTY[..63], &EMPTY.to_uppercase(), &format!("{EMPTY}0"), &EMPTY[..32]] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn serde_writes_hexadecimal_text() {
        let id: BlobId = EMPTY.parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{EMPTY}\""));
        assert_eq!(serde_json::from_str::<BlobId>(&json).unwrap(), id);
    }
}
