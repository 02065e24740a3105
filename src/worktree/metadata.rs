//! From what the file system says of an entry to what a commit keeps of it.

use super::{Error, Result};
use crate::disk::meta::read_xattrs;
use crate::disk::{Dir, FileKind, Stat, Time};
use crate::object::{Feature, Metadata, Policy};
use crate::path::TreePath;

/// Whether any extended attribute is kept.
pub(super) fn keeps_xattrs(policy: Policy) -> bool {
    [Feature::Xattrs, Feature::Acl, Feature::Selinux, Feature::Fcaps].into_iter().any(|f| policy.keeps(f))
}

/// The feature by which an extended attribute is kept, if any is.
pub(super) fn xattr_feature(name: &[u8]) -> Option<Feature> {
    match name {
        b"system.posix_acl_access" | b"system.posix_acl_default" => Some(Feature::Acl),
        b"security.selinux" => Some(Feature::Selinux),
        b"security.capability" => Some(Feature::Fcaps),
        _ if name.starts_with(b"user.") || name.starts_with(b"trusted.") => Some(Feature::Xattrs),
        _ => None,
    }
}

/// What the policy keeps of an entry: of `name` in `dir`, or of `dir` itself.
pub(super) fn metadata_of(
    policy: Policy,
    dir: &Dir,
    name: Option<&[u8]>,
    stat: &Stat,
    at: &TreePath,
) -> Result<Metadata> {
    let mut metadata = plain_metadata_of(policy, stat);
    if keeps_xattrs(policy) {
        metadata.xattrs = read_xattrs(dir, name, |key| xattr_feature(key).is_some_and(|f| policy.keeps(f)))?;
        metadata.check_xattrs().map_err(|source| {
            let path = name.map_or_else(|| at.clone(), |name| at.join(name));
            Error::Unstorable { path, source }
        })?;
    }
    Ok(metadata)
}

/// What the policy keeps of metadata that come from elsewhere.
pub(super) fn filter(policy: Policy, metadata: Metadata) -> Metadata {
    let mtime = if policy.keeps(Feature::NsecTime) {
        metadata.mtime
    } else {
        metadata.mtime.filter(|_| policy.keeps(Feature::SecTime)).map(|mtime| Time { nanos: 0, ..mtime })
    };
    let xattrs = metadata.xattrs.into_iter();
    Metadata {
        mode: metadata.mode.filter(|_| policy.keeps(Feature::Permissions)),
        mtime,
        owner: metadata.owner.filter(|_| policy.keeps(Feature::Uids)),
        xattrs: xattrs.filter(|(name, _)| xattr_feature(name).is_some_and(|f| policy.keeps(f))).collect(),
        link: metadata.link.filter(|_| policy.keeps(Feature::HardLinks)),
    }
}

/// The part of it that needs no look at extended attributes.
pub(super) fn plain_metadata_of(policy: Policy, stat: &Stat) -> Metadata {
    let mode = policy.keeps(Feature::Permissions) && stat.kind != FileKind::Symlink;
    let mtime = if policy.keeps(Feature::NsecTime) {
        Some(stat.mtime)
    } else if policy.keeps(Feature::SecTime) {
        Some(Time { nanos: 0, ..stat.mtime })
    } else {
        None
    };
    Metadata {
        mode: mode.then_some(stat.mode),
        mtime,
        owner: policy.keeps(Feature::Uids).then_some((stat.uid, stat.gid)),
        xattrs: Vec::new(),
        link: None,
    }
}
