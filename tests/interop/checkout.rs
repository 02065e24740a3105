//! A checkout, and the sums and lists of it that the program writes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::run;

fn chasm<const N: usize>(directory: &Path, args: [&str; N]) -> Vec<u8> {
    run(env!("CARGO_BIN_EXE_chasm"), "chasm", directory, args)
}

/// A commit of files with odd names, checked out to `out`.
fn scene() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("sub/deep")).unwrap();
    for name in [&b"-"[..], b" a ", b"b\\c", b"sub/d\ne", b"sub/f\rg", b"sub/deep/\xff*", b"sub/deep/empty"] {
        let content = if name.ends_with(b"empty") { b"" } else { name };
        fs::write(tree.join(OsStr::from_bytes(name)), content).unwrap();
    }
    fs::write(tree.join("large"), vec![1; 200_000]).unwrap();
    chasm(directory.path(), ["init", "repository"]);
    chasm(directory.path(), ["-R", "repository", "commit", "tree"]);
    chasm(directory.path(), ["-R", "repository", "checkout", "main", "out"]);
    directory
}

#[test]
fn sha256sum_checks_a_checkout_by_its_manifest() {
    let directory = scene();
    for (rev, root) in [("main", "out"), ("main:sub", "out/sub"), ("main:sub/deep", "out/sub/deep")] {
        chasm(directory.path(), ["-R", "repository", "manifest", rev, "--format", "sha256sums", "-o", "sums"]);
        let sums = directory.path().join("sums");
        let args = ["--check".as_ref(), "--strict".as_ref(), sums.as_os_str()];
        let checked = run("sha256sum", "coreutils", &directory.path().join(root), args);
        let files = fs::read(&sums).unwrap().split(|&b| b == b'\n').count() - 1;
        assert_eq!(checked.split(|&b| b == b'\n').count() - 1, files);
    }
    fs::remove_file(directory.path().join("out/large")).unwrap();
    fs::write(directory.path().join("out/large"), vec![2; 200_000]).unwrap();
    let sums = chasm(directory.path(), ["-R", "repository", "manifest", "--format", "sha256sums"]);
    fs::write(directory.path().join("sums"), sums).unwrap();
    let mut check = std::process::Command::new("sha256sum");
    check.args(["--check", "--quiet"]).arg(directory.path().join("sums")).current_dir(directory.path().join("out"));
    let output = check.output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("large: FAILED"));
}

#[test]
fn what_sha256sum_writes_is_committed() {
    let directory = scene();
    let root = directory.path().join("out");
    let sums = run("sh", "dash", &root, ["-c", "find . -type f -print0 | xargs -0 sha256sum"]);
    fs::write(directory.path().join("sums"), sums).unwrap();
    chasm(directory.path(), ["init", "new"]);
    chasm(directory.path(), ["-R", "new", "commit", "out", "--manifest", "sums"]);
    let listed = |repository| chasm(directory.path(), ["-R", repository, "manifest", "--format", "sha256sums"]);
    assert_eq!(listed("new"), listed("repository"));
}

#[test]
fn bsd_mtree_checks_a_checkout_by_its_manifest() {
    let directory = scene();
    chasm(directory.path(), ["-R", "repository", "manifest", "--format", "mtree", "-o", "spec"]);
    let spec = directory.path().join("spec");
    let args = ["-p".as_ref(), "out".as_ref(), "-f".as_ref(), spec.as_os_str()];
    run("mtree", "mtree-netbsd", directory.path(), args);
}

#[test]
fn a_list_that_cannot_be_made_leaves_the_file_as_it_was() {
    let directory = scene();
    fs::write(directory.path().join("list"), b"old").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chasm"));
    // This format has no place for the line break in a name.
    command.args(["-R", "repository", "manifest", "--format", "fullfiletimelist", "-o", "list"]);
    assert_eq!(command.current_dir(directory.path()).output().unwrap().status.code(), Some(2));
    assert_eq!(fs::read(directory.path().join("list")).unwrap(), b"old");
    let left = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("chasm")).count(), 0);
}
