//! The library across modules.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod fsck;
mod gc;
mod support;
