//! Rules of the house, as tests: layers, names, what is generated, what is
//! tracked.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What git tracks, or would; without git, all but what is built.
fn tracked() -> Vec<PathBuf> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(args).current_dir(root()).output();
    let mut paths: Vec<PathBuf> = match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).unwrap();
            text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect()
        }
        _ => files_below(root())
            .into_iter()
            .map(|path| path.strip_prefix(root()).unwrap().to_owned())
            .filter(|path| !path.starts_with("target") && !path.starts_with(".git"))
            .collect(),
    };
    // What is deleted and not yet committed so.
    paths.retain(|path| root().join(path).is_file());
    paths
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![dir.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { stack.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned()
}

/// The layer of each module, from the table in `lib.rs`.
fn layers() -> BTreeMap<String, u32> {
    let mut layers = BTreeMap::new();
    for line in text(Path::new("src/lib.rs")).lines() {
        let Some(row) = line.strip_prefix("//! | ") else { continue };
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let Some(number) = cells[0].split(' ').next().and_then(|word| word.parse().ok()) else { continue };
        for name in cells[1].split('`').skip(1).step_by(2) {
            layers.insert(name.to_owned(), number);
        }
    }
    layers
}

#[test]
fn every_module_is_in_the_table_of_layers() {
    let layers: BTreeSet<String> = layers().into_keys().collect();
    let modules: BTreeSet<String> = text(Path::new("src/lib.rs"))
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert_eq!(layers, modules);
    assert!(modules.len() >= 9);
}

#[test]
fn modules_import_from_layers_above_their_own_only() {
    let layers = layers();
    let mut wrong = Vec::new();
    for path in files_below(&root().join("src")) {
        let path = path.strip_prefix(root().join("src")).unwrap();
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let own = first.trim_end_matches(".rs");
        let Some(layer) = layers.get(own) else {
            assert!(["lib", "main", "cli"].contains(&own), "{} is in no layer", path.display());
            continue;
        };
        let source = text(&Path::new("src").join(path));
        for (number, line) in source.lines().enumerate() {
            // What follows is for tests, which may use anything.
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            let code = line.split("//").next().unwrap();
            for piece in code.split("crate::").skip(1) {
                let names = match piece.strip_prefix('{') {
                    Some(list) => list.split(", ").collect(),
                    None => vec![piece],
                };
                for name in names {
                    let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if layers.get(&name).is_some_and(|other| name != own && other >= layer) {
                        wrong.push(format!("src/{}:{}: {own} imports {name}", path.display(), number + 1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_one_place_knows_each_outside_crate() {
    // Crate, and the files that may name it.
    let homes: [(&str, &[&str]); 8] = [
        ("gix_hash", &["src/id/"]),
        ("sha2", &["src/id/"]),
        ("zstd", &["src/compress.rs"]),
        ("similar", &["src/diff/"]),
        ("redb", &["src/odb/"]),
        ("clap", &["src/cli/"]),
        ("indicatif", &["src/cli/"]),
        ("memmap2", &["src/disk/"]),
    ];
    let mut wrong = Vec::new();
    for path in tracked().into_iter().filter(|path| path.starts_with("src")) {
        let name = path.to_str().unwrap().to_owned();
        for line in text(&path).lines().map(|line| line.split("//").next().unwrap().to_owned()) {
            for (outside, allowed) in homes {
                let used = line.contains(&format!("use {outside}::")) || line.contains(&format!(" {outside}::"));
                if used && !allowed.iter().any(|home| name.starts_with(home)) {
                    wrong.push(format!("{name}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_of_tests_is_orphaned() {
    let mut wrong = Vec::new();
    for path in tracked().into_iter().filter(|path| path.starts_with("tests")) {
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let dir = path.parent().unwrap();
        if stem == "main" || (stem == "mod" && dir.ends_with("support")) {
            continue;
        }
        // `a/mod.rs` is declared beside `a`, any other file beside itself.
        let (module, beside) = match stem {
            "mod" => (dir.file_name().unwrap().to_str().unwrap(), dir.parent().unwrap()),
            _ => (stem, dir),
        };
        let parents = [beside.join("main.rs"), beside.join("mod.rs"), beside.with_extension("rs")];
        let declared = parents.iter().filter(|parent| root().join(parent).is_file()).any(|parent| {
            text(parent).lines().any(|line| line.trim().trim_start_matches("pub ") == format!("mod {module};"))
        });
        if !declared {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "no test binary includes {wrong:?}");
}

#[test]
fn man_pages_and_completions_are_current() {
    let made = tempfile::tempdir().unwrap();
    let (man, completions) = (made.path().join("man"), made.path().join("completions"));
    fs::create_dir(&man).unwrap();
    fs::create_dir(&completions).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chasm"));
    command.arg("complete").arg("--man").arg(&man).arg("--completions").arg(&completions);
    assert!(command.status().unwrap().success());
    let advice = "chasm complete --man man --completions completions makes them anew";
    let mut expected = BTreeSet::new();
    for path in files_below(made.path()) {
        let name = path.strip_prefix(made.path()).unwrap().to_owned();
        let committed = fs::read(root().join(&name)).unwrap_or_default();
        assert!(committed == fs::read(&path).unwrap(), "{} is not current: {advice}", name.display());
        expected.insert(name);
    }
    for path in tracked() {
        let generated = path.starts_with("completions") || path.starts_with("man") && path.extension().unwrap() == "1";
        assert!(!generated || expected.contains(&path), "{} is of a verb that is gone", path.display());
    }
}

#[test]
fn no_file_tells_of_the_machine_it_was_written_on() {
    let homes = ["work", "root", "home"].map(|dir| format!("/{dir}/"));
    let mut wrong = Vec::new();
    for path in tracked() {
        for (number, line) in text(&path).lines().enumerate() {
            // What precedes must not be a name: `$x/home/y` is a path of another tree.
            let found = homes.iter().any(|home| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| !c.is_alphanumeric() && !"_.}-~>/".contains(c))
                })
            });
            if found {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_come_from_the_public_registry() {
    let home = "\"registry+https://github.com/rust-lang/crates.io-index\"";
    for line in text(Path::new("Cargo.lock")).lines() {
        if let Some(source) = line.strip_prefix("source = ") {
            assert_eq!(source, home);
        }
    }
    let settings: Vec<_> = tracked().into_iter().filter(|path| path.starts_with(".cargo")).collect();
    assert!(settings.is_empty(), "{settings:?} may name a registry of one machine");
}

#[test]
fn sources_are_ascii() {
    let mut wrong = Vec::new();
    for path in tracked() {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_source = ["rs", "toml", "sh", "py", "1", "5", "7"].contains(&ending) || path.ends_with("run");
        if is_source && !fs::read(root().join(&path)).unwrap().is_ascii() {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn nothing_lies_at_the_top_that_does_not_belong_there() {
    let allowed = [
        ".ci",
        ".gitattributes",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "clippy.toml",
        "completions",
        "fuzz",
        "man",
        "rustfmt.toml",
        "src",
        "tests",
    ];
    let top: BTreeSet<String> = tracked()
        .iter()
        .map(|path| path.components().next().unwrap().as_os_str().to_string_lossy().into_owned())
        .filter(|name| !allowed.contains(&&name[..]))
        .collect();
    assert!(top.is_empty(), "{top:?}");
}

#[test]
fn unsafe_code_is_where_its_proof_is() {
    let allowed = ["src/disk/map.rs", "src/chunker.rs"];
    for path in tracked() {
        if path.extension().is_some_and(|ending| ending == "rs") && !allowed.iter().any(|known| path.ends_with(known)) {
            let word = ["un", "safe "].concat();
            let found = text(&path).lines().any(|line| line.split("//").next().unwrap().contains(&word));
            assert!(!found, "{}", path.display());
        }
    }
}
