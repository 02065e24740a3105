//! What chasm must withstand: damage, hostile trees, a world that changes, a
//! crash. The names of tests begin with those of the cases in the safety notes:
//! O objects, T trees and commits, P packs, W the world, K concurrency and crash.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod commits;
mod crash;
mod objects;
mod packs;
mod refs;
mod surroundings;
mod targets;
mod trees;
mod world;
