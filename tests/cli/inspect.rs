use crate::support::TestRepo;

fn repo() -> TestRepo {
    TestRepo::holding("a/x = hello\na/big = 40000 * b\nl -> a/x\nnone = ")
}

#[test]
fn cat_prints_a_file_as_it_is() {
    let repo = repo();
    assert_eq!(repo.chasm("cat main:a/x").ok().stdout, b"hello");
    assert_eq!(repo.chasm("cat main:a/big").ok().stdout.len(), 40_000);
    assert_eq!(repo.chasm("cat main:l").ok().stdout, b"a/x");
    for rev in ["main:a", "main:nowhere", "main", "main:../canary/file", "main:a/x/y"] {
        repo.run(["cat", rev]).exits(2);
    }
}

#[test]
fn ls_lists_a_directory_or_all_below() {
    let repo = repo();
    assert_eq!(repo.chasm("ls main").ok().text().lines().count(), 3);
    assert_eq!(repo.chasm("ls main:a").ok().text(), "a/big\na/x\n");
    assert_eq!(repo.chasm("ls -R main").ok().text().lines().count(), 5);
    repo.chasm("ls -lR main").ok().names("40000");
    assert_eq!(repo.chasm("ls -R main --json").ok().json().len(), 5);
    repo.chasm("ls main:nowhere").exits(2);
}

#[test]
fn show_tells_of_a_commit_or_an_entry() {
    let repo = repo();
    let id = repo.chasm("log --ids").ok().line();
    repo.chasm("show").ok().names(&id);
    let sum = chasm::id::hash_bytes(b"hello").to_string();
    repo.chasm("show main:a/x").ok().names(&sum);
    repo.chasm("show main:a --json").ok().json();
}

#[test]
fn du_tells_what_a_commit_holds() {
    let repo = repo();
    repo.chasm("du main").ok();
    repo.chasm("du main --json").ok().json();
    repo.chasm("du nowhere").exits(2);
}
