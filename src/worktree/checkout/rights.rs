//! What an entry becomes on disk: as it is, or without what gives rights.

use crate::object::{Entry, Metadata, Node};

/// What of an entry's metadata is applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub as_is: bool,
}

impl Rights {
    /// The metadata that is applied, and whether anything was held back.
    pub fn apply(self, metadata: &Metadata) -> (Metadata, bool) {
        if self.as_is {
            return (metadata.clone(), false);
        }
        let mode = metadata.mode.map(|mode| mode & 0o1777);
        let harmless = |(name, _): &&(Vec<u8>, Vec<u8>)| name.starts_with(b"user.");
        let xattrs: Vec<_> = metadata.xattrs.iter().filter(harmless).cloned().collect();
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let foreign = metadata.owner.is_some_and(|owner| owner != own);
        let dropped = mode != metadata.mode || xattrs.len() != metadata.xattrs.len() || foreign;
        (Metadata { mode, mtime: metadata.mtime, owner: None, xattrs, link: metadata.link }, dropped)
    }

    /// Whether an entry is made at all.
    pub fn makes(self, entry: &Entry) -> bool {
        self.as_is || matches!(entry.node, Node::File { .. } | Node::Dir { .. } | Node::Symlink { .. })
    }
}
