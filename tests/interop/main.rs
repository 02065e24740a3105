//! chasm and real programs, each reading what the other writes.
//!
//! A program that is missing fails its test, which says what to install.

// Helpers of tests, too, are tests.
#![allow(clippy::unwrap_used)]

mod checkout;
mod mtree;
mod sums;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Runs a program in a directory and gives what it wrote.
fn run<S: AsRef<OsStr>>(program: &str, package: &str, directory: &Path, args: impl IntoIterator<Item = S>) -> Vec<u8> {
    let output = Command::new(program).args(args).current_dir(directory).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|e| panic!("cannot run '{program}' ({e}): apt-get install {package}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} failed in {}: {errors}", directory.display());
    output.stdout
}
