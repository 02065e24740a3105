//! The program as people meet it: a file a verb. Tests look at what is done and
//! at exit codes, not at wording.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod branch;
mod checkout;
mod commit;
mod config;
mod diff;
mod gc;
mod init;
mod inspect;
mod log;
mod manifest;
mod reflog;
mod status;
mod usage;
