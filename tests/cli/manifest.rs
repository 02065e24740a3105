use std::fs;

use crate::support::TestRepo;

#[test]
fn sums_check_a_checkout() {
    let repo = TestRepo::holding("a/x = hello\na/y = 40000 * y\nb = 1");
    let run = repo.shell("$CHASM manifest main --format SHA256SUMS > sums");
    if run.code() != 0 {
        // The name of the format is the manual's, in one of two spellings.
        repo.shell("$CHASM manifest main --format sha256sums > sums").ok();
    }
    repo.chasm("checkout main out").ok();
    repo.shell("cd out && sha256sum -c ../sums").ok();
}

#[test]
fn a_manifest_is_a_commit_again() {
    let repo = TestRepo::holding("a/x = hello\na/y = 40000 * y\nl -> b\nb = 1");
    let text = repo.chasm("manifest main").ok().stdout;
    fs::write(repo.path("list"), text).unwrap();
    repo.chasm("commit --manifest list -b again").ok();
    let tree = |rev: &str| repo.run(["show", rev, "--json"]).ok().json()[0]["tree"].clone();
    assert_eq!(tree("again"), tree("main"));
    repo.chasm("manifest nowhere").exits(2);
}

#[test]
fn a_manifest_that_leads_out_of_its_tree_is_refused() {
    let repo = TestRepo::holding("a = hello");
    let sum = chasm::id::hash_bytes(b"hello");
    for path in ["../canary/file", "/etc/passwd", "a/../../canary/file", ".", ""] {
        fs::write(repo.path("list"), format!("{sum}  {path}\n")).unwrap();
        let run = repo.chasm("commit --manifest list -b forged");
        assert!([2, 3].contains(&run.code()), "{path}\n{run}");
    }
    repo.canary_is_untouched();
    repo.chasm("log forged").exits(2);
}
