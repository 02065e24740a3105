//! chasm keeps software-archive mirrors the way git keeps source.
//!
//! Each published state of a tree is a commit in a local object database; blobs
//! are named by plain SHA-256; checkout builds a tree from hard links into one
//! pool of files and touches only what changed.
//!
//! The modules form layers; each imports only from layers above its own:
//!
//! | layer        | modules                                  | may know                          |
//! |--------------|------------------------------------------|-----------------------------------|
//! | 1 values     | [`id`] [`path`] [`compress`]             | bytes and names; no input, output |
//! | 2 machine    | [`disk`] [`monitor`]                     | the file system; who listens      |
//! | 3 model      | [`object`]                               | what is stored                    |
//! | 4 storage    | [`odb`] [`refs`]                         | objects at rest, names for commits |
//! | 5 repository | [`repo`] [`diff`]                        | one repository as a whole         |
//! | 6 work       | [`worktree`]                             | one use of a repository           |

pub mod compress;
pub mod diff;
pub mod disk;
pub mod id;
pub mod monitor;
pub mod object;
pub mod odb;
pub mod path;
pub mod refs;
pub mod repo;
pub mod worktree;
