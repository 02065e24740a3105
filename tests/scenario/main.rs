//! The library across modules.

mod fsck;
mod gc;
mod support;
