//! A repository to try things on: a directory of its own, trees written as text,
//! and the real binary, whose exit code and output every failure shows.

// Each test binary uses a part of it.
#![allow(dead_code, clippy::unwrap_used)]

pub mod forge;
pub mod mount;
pub mod run;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub use run::Run;

/// The program under test.
pub const CHASM: &str = env!("CARGO_BIN_EXE_chasm");

/// A bare repository `repo`, a directory `tree` to commit, and a `canary` that
/// nothing may touch, side by side in a directory that commands run in.
pub struct TestRepo {
    root: TempDir,
}

impl TestRepo {
    /// An empty repository and an empty tree.
    pub fn new() -> TestRepo {
        let repo = TestRepo::without_repository();
        repo.chasm("init --bare repo").ok();
        repo
    }

    /// The same without the repository.
    pub fn without_repository() -> TestRepo {
        let root = tempfile::Builder::new().prefix("chasm-test-").tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(root.path().join("tree")).unwrap();
        write(&root.path().join("canary"), "etc/passwd = root\nfile = bird");
        TestRepo { root }
    }

    /// A repository whose branch `main` has one commit of such a tree.
    pub fn holding(tree: &str) -> TestRepo {
        let repo = TestRepo::new();
        repo.write(tree);
        repo.commit();
        repo
    }

    /// A path beside the repository.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(name)
    }

    /// Adds files to the tree, see [`write`].
    pub fn write(&self, text: &str) {
        write(&self.path("tree"), text);
    }

    /// Runs the program with arguments that have no blanks in them.
    pub fn chasm(&self, args: &str) -> Run {
        self.run(args.split_whitespace())
    }

    /// Runs the program in the common directory, on the repository.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        Run::of(self.command(args))
    }

    /// What [`TestRepo::run`] runs, to be changed.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = clean(Command::new(CHASM), self.root.path());
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let of_program = args.iter().take_while(|arg| arg.as_bytes().starts_with(b"-"));
        let names_one = args.iter().any(|arg| arg == "init") || of_program.into_iter().any(|arg| arg == "-R");
        if !names_one && self.path("repo").exists() {
            command.env("CHASM_REPO", self.path("repo"));
        }
        command.args(args);
        command
    }

    /// Runs a shell command in the common directory; `$CHASM` is the program.
    pub fn shell(&self, script: &str) -> Run {
        let mut command = clean(Command::new("bash"), self.root.path());
        command.arg("-c").arg(script).env("CHASM", CHASM).env("CHASM_REPO", self.path("repo"));
        Run::of(command)
    }

    /// Commits the tree to `main`; gives the id.
    pub fn commit(&self) -> String {
        self.chasm("commit tree -b main -m story --allow-delete").ok().line()
    }

    /// What `fsck` ends with.
    pub fn fsck(&self) -> Run {
        self.chasm("fsck")
    }

    /// Every file of the repository whose path below it starts with `prefix` and
    /// ends with `ending`, sorted.
    pub fn files(&self, prefix: &str, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut stack = vec![self.path("repo").join(prefix)];
        while let Some(dir) = stack.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    stack.push(entry.path());
                } else if entry.file_name().as_bytes().ends_with(ending.as_bytes()) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    /// Nothing that lies outside of what was asked for has changed.
    pub fn canary_is_untouched(&self) {
        assert_eq!(listing(&self.path("canary")), "etc/\netc/passwd = root\nfile = bird\n", "the canary was touched");
    }

    /// The names in the common directory beside those it began with.
    pub fn leftovers(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !["repo", "tree", "canary"].contains(&&name[..]))
            .collect();
        names.sort();
        names
    }
}

/// A command that inherits nothing it could depend on by accident.
pub fn clean(mut command: Command, dir: &Path) -> Command {
    command.current_dir(dir).env_clear();
    for (key, value) in [("PATH", std::env::var_os("PATH")), ("TMPDIR", std::env::var_os("TMPDIR"))] {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    command.env("HOME", dir).env("LC_ALL", "C").env("USER", "tester").env("NO_COLOR", "1");
    command
}

/// Writes a tree from lines such as `a/x = hello`, `a/empty/`, `a/l -> x`, and
/// `a/big = 40000 * z` for many bytes.
pub fn write(root: &Path, text: &str) {
    fs::create_dir_all(root).unwrap();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((name, target)) = line.split_once(" -> ") {
            std::os::unix::fs::symlink(target, parent_made(root, name)).unwrap();
        } else if let Some((name, content)) = line.split_once(" = ") {
            let content = match content.split_once(" * ") {
                Some((count, byte)) => byte.repeat(count.parse().unwrap()),
                None => content.to_owned(),
            };
            let path = parent_made(root, name);
            fs::write(path, content).unwrap();
        } else {
            fs::create_dir_all(root.join(line)).unwrap();
        }
    }
}

fn parent_made(root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

/// What [`write`] would take, sorted; long contents as their length.
pub fn listing(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut stack = vec![PathBuf::new()];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap_or_else(|e| panic!("{}: {e}", root.join(&dir).display())) {
            let entry = entry.unwrap();
            let path = dir.join(entry.file_name());
            let shown = path.display();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                lines.push(format!("{shown}/"));
                stack.push(path);
            } else if kind.is_symlink() {
                lines.push(format!("{shown} -> {}", fs::read_link(entry.path()).unwrap().display()));
            } else if kind.is_file() {
                let content = fs::read(entry.path()).unwrap();
                if content.len() > 200 {
                    lines.push(format!("{shown} = {} bytes", content.len()));
                } else {
                    lines.push(format!("{shown} = {}", String::from_utf8_lossy(&content)));
                }
            } else {
                lines.push(format!("{shown} special"));
            }
        }
    }
    lines.sort();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says, past the test harness, what could not be run here, and why.
pub fn could_not_run(what: &str, why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "could not run: {what}: {why}");
}
