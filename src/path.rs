//! Paths inside a tree: bytes, validated once, never resolved by the system.
//!
//! A name is 1 to 255 bytes, not `.` or `..`, without `/` and NUL; every other
//! byte is allowed and UTF-8 is not required. [`check_name`] is the one place
//! that decides. A [`TreePath`] is names joined by `/`; the empty path is the
//! root. Paths are ordered name by name as bytes, which is the order of entries
//! in trees: a directory's contents follow it directly.

use std::cmp::Ordering;
use std::fmt;

/// Longest name of a directory entry, in bytes.
pub const MAX_NAME_LEN: usize = 255;
/// Most names in a path: deeper directories are refused.
pub const MAX_DEPTH: usize = 4096;

/// Bytes that cannot be a name or a path inside a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// A name has no bytes.
    #[error("empty name")]
    EmptyName,
    /// A name would lead elsewhere: `.`, `..`, or one that contains `/` or NUL.
    #[error("name '{}' is not allowed in a tree", Escaped(.0))]
    ForbiddenName(Vec<u8>),
    /// A name is longer than [`MAX_NAME_LEN`].
    #[error("name of {0} bytes, longer than {MAX_NAME_LEN}")]
    NameTooLong(usize),
    /// A path has more than [`MAX_DEPTH`] names.
    #[error("path of {0} names, deeper than {MAX_DEPTH}")]
    TooDeep(usize),
}

/// Decides whether `name` may be a directory entry.
pub fn check_name(name: &[u8]) -> Result<(), InvalidPath> {
    if name.is_empty() {
        Err(InvalidPath::EmptyName)
    } else if name.len() > MAX_NAME_LEN {
        Err(InvalidPath::NameTooLong(name.len()))
    } else if name == b"." || name == b".." || name.iter().any(|&b| b == b'/' || b == 0) {
        Err(InvalidPath::ForbiddenName(name.to_vec()))
    } else {
        Ok(())
    }
}

/// A validated path below the root of a tree; the empty path is the root.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self::default()
    }

    /// Takes names joined by single `/`. Leading and trailing ones are ignored,
    /// as is a leading `./`, so that what people type works.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidPath> {
        let mut path = TreePath::root();
        let mut depth = 0;
        for name in bytes.split(|&b| b == b'/').filter(|n| !n.is_empty() && *n != b".") {
            check_name(name)?;
            path.push(name);
            depth += 1;
        }
        if depth > MAX_DEPTH { Err(InvalidPath::TooDeep(depth)) } else { Ok(path) }
    }

    /// Whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a name that [`check_name`] has accepted.
    pub fn push(&mut self, name: &[u8]) {
        debug_assert!(check_name(name).is_ok());
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }

    /// This path with one more name.
    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = Vec::with_capacity(self.0.len() + 1 + name.len());
        path.extend_from_slice(&self.0);
        let mut path = TreePath(path);
        path.push(name);
        path
    }

    /// The names from the root downwards.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|name| !name.is_empty())
    }

    /// The last name; `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.names().last()
    }

    /// The path of the directory this lies in; `None` for the root.
    pub fn parent(&self) -> Option<TreePath> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(TreePath(self.0[..end].to_vec()))
    }

    /// Whether this is `ancestor` or lies below it.
    pub fn starts_with(&self, ancestor: &TreePath) -> bool {
        ancestor.is_root()
            || (self.0.starts_with(&ancestor.0) && matches!(self.0.get(ancestor.0.len()), None | Some(b'/')))
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(other.names())
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { Escaped(&self.0).fmt(f) }
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{self}'")
    }
}

/// Shows foreign bytes on a terminal without obeying them: what is not printable
/// text becomes `\n`, `\t`, `\\`, or `\xNN` for each byte.
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    '\\' => f.write_str("\\\\")?,
                    c if is_deceptive(c) => {
                        let mut buffer = [0; 4];
                        for byte in c.encode_utf8(&mut buffer).bytes() {
                            write!(f, "\\x{byte:02x}")?;
                        }
                    }
                    c => fmt::Write::write_char(f, c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that a terminal obeys or that make text look like other text:
/// controls, line separators, zero-width and direction marks.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b", &[b'x'; 256]] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in [&b"..."[..], b"-rf", b"\n", b"\xff\xfe", &[b'x'; 255]] {
            assert!(check_name(good).is_ok(), "{good:?}");
        }
        assert!(TreePath::parse(b"a/../b").is_err());
    }

    #[test]
    fn contents_of_a_directory_follow_it_directly() {
        let mut paths = [path("a.d"), path("a/x"), path("a"), path("a-b"), path("a0")];
        paths.sort();
        assert_eq!(paths, [path("a"), path("a/x"), path("a-b"), path("a.d"), path("a0")]);
    }

    #[test]
    fn a_path_knows_its_place() {
        assert_eq!(path("./a//b/").as_bytes(), b"a/b");
        assert_eq!(path("a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(TreePath::root()));
        assert_eq!(TreePath::root().parent(), None);
        assert!(path("a/b").starts_with(&path("a")));
        assert!(!path("ab").starts_with(&path("a")));
    }

    #[test]
    fn foreign_bytes_are_shown_and_not_obeyed() {
        let shown = Escaped(b"a\x1b[31m\n\xff\\\xe2\x80\xaeb\xc3\xa9").to_string();
        assert_eq!(shown, "a\\x1b[31m\\n\\xff\\\\\\xe2\\x80\\xaeb\u{e9}");
    }
}
