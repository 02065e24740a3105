//! What metadata a commit keeps.
//!
//! Three named policies cover most uses; single features are added and taken
//! away by the words casync uses for them.
//!
//! | policy   | keeps                                                               |
//! |----------|---------------------------------------------------------------------|
//! | `mirror` | permissions, mtime with nanoseconds, symlinks                       |
//! | `unix`   | and numeric owners, fifos, sockets, device nodes                    |
//! | `full`   | and extended attributes, ACLs, SELinux labels, file capabilities, hard links |

use std::fmt;
use std::str::FromStr;

/// One thing a commit can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Feature {
    /// Permission, set-id and sticky bits.
    Permissions = 1,
    /// Modification times in whole seconds.
    SecTime = 1 << 1,
    /// Modification times in nanoseconds.
    NsecTime = 1 << 2,
    /// Numeric users and groups.
    Uids = 1 << 3,
    /// Symbolic links.
    Symlinks = 1 << 4,
    /// Named pipes.
    Fifos = 1 << 5,
    /// Sockets' names.
    Sockets = 1 << 6,
    /// Character and block devices.
    DeviceNodes = 1 << 7,
    /// Extended attributes of the `user.` and `trusted.` namespaces.
    Xattrs = 1 << 8,
    /// POSIX access control lists.
    Acl = 1 << 9,
    /// SELinux labels.
    Selinux = 1 << 10,
    /// File capabilities.
    Fcaps = 1 << 11,
    /// Which names are names of one inode.
    HardLinks = 1 << 12,
}

use Feature::*;

const NAMES: [(Feature, &str); 13] = [
    (Permissions, "permissions"),
    (SecTime, "sec-time"),
    (NsecTime, "nsec-time"),
    (Uids, "32bit-uids"),
    (Symlinks, "symlinks"),
    (Fifos, "fifos"),
    (Sockets, "sockets"),
    (DeviceNodes, "device-nodes"),
    (Xattrs, "xattrs"),
    (Acl, "acl"),
    (Selinux, "selinux"),
    (Fcaps, "fcaps"),
    (HardLinks, "hard-links"),
];

/// A set of features.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Policy(u16);

/// A word that names no feature and no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no metadata feature; there are mirror, unix, full, special, privileged, {names}", names = NAMES.map(|(_, name)| name).join(", "))]
pub struct UnknownFeature(pub String);

impl Policy {
    /// Keeps content and directories only.
    pub const NONE: Policy = Policy(0);
    /// What a software mirror serves.
    pub const MIRROR: Policy = Policy(Permissions as u16 | NsecTime as u16 | Symlinks as u16);
    /// What `tar` keeps of a system.
    pub const UNIX: Policy =
        Policy(Policy::MIRROR.0 | Uids as u16 | Fifos as u16 | Sockets as u16 | DeviceNodes as u16);
    /// Everything.
    pub const FULL: Policy =
        Policy(Policy::UNIX.0 | Xattrs as u16 | Acl as u16 | Selinux as u16 | Fcaps as u16 | HardLinks as u16);
    const SPECIAL: Policy = Policy(Fifos as u16 | Sockets as u16 | DeviceNodes as u16);
    const PRIVILEGED: Policy = Policy(Uids as u16 | DeviceNodes as u16 | Acl as u16 | Selinux as u16 | Fcaps as u16);

    /// Whether it keeps this.
    pub fn keeps(self, feature: Feature) -> bool {
        self.0 & feature as u16 != 0
    }

    /// This and what a word names: a feature, or a named set of them.
    pub fn with(self, word: &str) -> Result<Policy, UnknownFeature> {
        let mut added = named(word)?.0;
        // Of the two precisions of time, the newer word holds.
        if added & NsecTime as u16 != 0 {
            added &= !(SecTime as u16);
            return Ok(Policy((self.0 & !(SecTime as u16)) | added));
        }
        if added & SecTime as u16 != 0 {
            return Ok(Policy((self.0 & !(NsecTime as u16)) | added));
        }
        Ok(Policy(self.0 | added))
    }

    /// This less what a word names.
    pub fn without(self, word: &str) -> Result<Policy, UnknownFeature> {
        Ok(Policy(self.0 & !named(word)?.0))
    }
}

impl FromIterator<Feature> for Policy {
    /// Keeps just these.
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Policy {
        Policy(features.into_iter().fold(0, |bits, feature| bits | feature as u16))
    }
}

fn named(word: &str) -> Result<Policy, UnknownFeature> {
    Ok(match word {
        "mirror" => Policy::MIRROR,
        "unix" => Policy::UNIX,
        "full" | "best" => Policy::FULL,
        "special" => Policy::SPECIAL,
        "privileged" => Policy::PRIVILEGED,
        "none" => Policy::NONE,
        _ => {
            let feature = NAMES.iter().find(|(_, name)| *name == word);
            Policy(feature.ok_or_else(|| UnknownFeature(word.to_owned()))?.0 as u16)
        }
    })
}

impl Default for Policy {
    fn default() -> Self {
        Policy::MIRROR
    }
}

impl fmt::Display for Policy {
    /// The name of a named policy, else its features, joined by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Policy::NONE => f.write_str("none"),
            Policy::MIRROR => f.write_str("mirror"),
            Policy::UNIX => f.write_str("unix"),
            Policy::FULL => f.write_str("full"),
            policy => {
                let kept = NAMES.iter().filter(|(feature, _)| policy.keeps(*feature));
                let names: Vec<_> = kept.map(|(_, name)| *name).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Policy {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        text.split(',').try_fold(Policy::NONE, |policy, word| policy.with(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_and_read() {
        for policy in
            [Policy::NONE, Policy::MIRROR, Policy::UNIX, Policy::FULL, Policy::MIRROR.without("symlinks").unwrap()]
        {
            assert_eq!(policy.to_string().parse::<Policy>().unwrap(), policy);
        }
        assert!("mirror,nonsense".parse::<Policy>().is_err());
    }

    #[test]
    fn of_two_precisions_of_time_the_last_word_holds() {
        let policy = Policy::MIRROR.with("sec-time").unwrap();
        assert!(policy.keeps(SecTime) && !policy.keeps(NsecTime));
        assert_eq!(policy.with("nsec-time").unwrap(), Policy::MIRROR);
    }
}
