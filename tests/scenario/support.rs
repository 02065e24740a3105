//! A repository with a tree beside it, in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chasm::id::CommitId;
use chasm::monitor::Silent;
use chasm::object::Policy;
use chasm::odb;
use chasm::refs::{Expected, RefEdit, RefName};
use chasm::repo::{Checkout, FsckOptions, FsckReport, GcOptions, GcReport, InitOptions, Problem, Repository};
use chasm::worktree::checkout::{CheckoutOptions, create};
use chasm::worktree::{CommitOptions, Select, SnapshotOptions, commit};
use jiff::Timestamp;

pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Fixture {
    dir: tempfile::TempDir,
    pub repository: Repository,
}

impl Fixture {
    pub fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repository::init(&dir.path().join("repo"), &InitOptions::default()).unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        Fixture { dir, repository }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn repo_path(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn commit(&self, branch: &str) -> CommitId {
        commit_with(&self.repository, &self.tree(), branch, PATIENCE).unwrap()
    }

    /// Opens the same repository once more, as another process would.
    pub fn reopen(&self) -> Repository {
        Repository::open(&self.repo_path()).unwrap()
    }

    pub fn delete_branch(&self, branch: &str) {
        self.set_branch(branch, None);
    }

    pub fn set_branch(&self, branch: &str, to: Option<CommitId>) {
        let edit = RefEdit { name: RefName::branch(branch).unwrap(), new: to, expected: Expected::Any };
        self.repository.refs().commit(&[edit], None, "test", "test", Timestamp::now()).unwrap();
    }

    pub fn checkout(&self, id: CommitId, name: &str) -> PathBuf {
        let target = self.path().join(name);
        let commit = self.repository.commit(id).unwrap();
        create(self.repository.odb(), &commit, &target, &CheckoutOptions::default(), &Silent).unwrap();
        self.repository.record_checkout(&target, Checkout { commit: id, towards: None }).unwrap();
        target
    }

    /// Checks a commit out to a new place and compares it with what `tree` holds.
    pub fn assert_whole(&self, id: CommitId, files: &[(&str, &[u8])]) {
        let repository = self.reopen();
        let commit = repository.commit(id).unwrap();
        let target = tempfile::tempdir_in(self.path()).unwrap();
        let target = target.path().join("co");
        create(repository.odb(), &commit, &target, &CheckoutOptions::default(), &Silent).unwrap();
        for (path, content) in files {
            assert_eq!(fs::read(target.join(path)).unwrap(), *content, "{path}");
        }
    }

    pub fn gc(&self, options: &GcOptions) -> GcReport {
        self.reopen().gc(options, &Silent).unwrap()
    }

    pub fn fsck(&self) -> FsckReport {
        self.reopen().fsck(&FsckOptions::default(), &Silent).unwrap()
    }

    pub fn assert_clean(&self) {
        let report = self.fsck();
        let bad: Vec<String> = serious(&report).map(ToString::to_string).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }

    /// All files below a directory of the repository, as paths in it.
    pub fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut pending = vec![self.repo_path().join(below)];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { pending.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

pub fn serious(report: &FsckReport) -> impl Iterator<Item = &Problem> {
    report.problems.iter().filter(|problem| problem.severity > odb::fsck::Severity::Note)
}

pub fn commit_with(
    repository: &Repository,
    tree: &Path,
    branch: &str,
    patience: Duration,
) -> chasm::worktree::Result<CommitId> {
    let selection = SnapshotOptions {
        policy: Policy::MIRROR,
        select: Select::everything(),
        link: false,
        cross_mounts: false,
        repository: None,
    };
    let options = CommitOptions {
        branch: RefName::branch(branch).unwrap(),
        tag: None,
        message: String::new(),
        author: "test".into(),
        time: Timestamp::from_second(1_800_000_000).unwrap(),
        allow_empty: false,
        delete_guard: None,
        why: "test".into(),
    };
    commit(repository, tree, &selection, &options, patience, &Silent).map(|recorded| recorded.commit.unwrap())
}

/// Bytes that do not compress, different for each seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub fn options(grace_secs: u64) -> GcOptions {
    GcOptions {
        grace: Duration::from_secs(grace_secs),
        retention: None,
        dry_run: false,
        patience: PATIENCE,
        now: Timestamp::now(),
    }
}
