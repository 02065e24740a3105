//! Which paths need an object.

use std::collections::{HashMap, HashSet};

use crate::id::{CommitId, Kind, ObjectId, TreeId};
use crate::monitor::{Amount, Monitor};
use crate::object::{Node, Page};
use crate::odb::{Odb, Result, TreeSource};
use crate::path::{MAX_DEPTH, TreePath};

/// Paths that are named; the others are counted.
const NAMED: usize = 3;

/// For each object, some paths that need it, and how many more.
pub(super) type Needed = HashMap<(Kind, ObjectId), (Vec<String>, u64)>;

/// Finds paths to objects, from the roots back in time. A page that stands at many
/// places is looked at once, so that paths below its other places are not counted.
pub(super) fn find_paths(
    odb: &Odb,
    roots: &[(CommitId, String)],
    wanted: &HashSet<(Kind, ObjectId)>,
    monitor: &dyn Monitor,
) -> Result<Needed> {
    let mut search = Search { odb, wanted, found: Needed::new(), seen: HashSet::new() };
    let mut commits: Vec<(CommitId, String)> = Vec::new();
    for (id, name) in roots {
        search.need(Kind::Commit, id.0, || name.clone());
        commits.push((*id, name.clone()));
    }
    let mut seen: HashSet<CommitId> = HashSet::new();
    let mut at = std::collections::VecDeque::from(commits);
    while let Some((id, name)) = at.pop_front() {
        monitor.check()?;
        if !seen.insert(id) {
            continue;
        }
        let Ok(commit) = odb.commit(id) else { continue };
        search.walk(&name, commit.tree, monitor)?;
        for parent in commit.parents {
            search.need(Kind::Commit, parent.0, || format!("{name}~"));
            at.push_back((parent, format!("@{:.12}", parent.0)));
        }
    }
    Ok(search.found)
}

struct Search<'s> {
    odb: &'s Odb,
    wanted: &'s HashSet<(Kind, ObjectId)>,
    found: Needed,
    seen: HashSet<TreeId>,
}

impl Search<'_> {
    fn need(&mut self, kind: Kind, id: ObjectId, path: impl FnOnce() -> String) {
        if !self.wanted.contains(&(kind, id)) {
            return;
        }
        let (paths, more) = self.found.entry((kind, id)).or_default();
        if paths.len() < NAMED { paths.push(path()) } else { *more += 1 }
    }

    fn walk(&mut self, name: &str, root: TreeId, monitor: &dyn Monitor) -> Result<()> {
        self.need(Kind::Tree, root.0, || format!("{name}:"));
        let mut pending = vec![(TreePath::root(), 0, root)];
        while let Some((path, depth, id)) = pending.pop() {
            monitor.check()?;
            if depth > MAX_DEPTH || !self.seen.insert(id) {
                continue;
            }
            monitor.advance(Amount::file(0));
            let show = |path: &TreePath| match path.is_root() {
                true => format!("{name}:"),
                false => format!("{name}:{path}"),
            };
            match self.odb.page(id) {
                Ok(Page::Leaf(entries)) => {
                    for entry in entries {
                        match entry.node {
                            Node::File { blob, .. } => self.need(Kind::Blob, blob.0, || show(&path.join(&entry.name))),
                            Node::Dir { tree, .. } => {
                                let below = path.join(&entry.name);
                                self.need(Kind::Tree, tree.0, || show(&below));
                                pending.push((below, depth + 1, tree));
                            }
                            _ => {}
                        }
                    }
                }
                Ok(Page::Fork { branches, .. }) => {
                    for branch in branches {
                        self.need(Kind::Tree, branch.page.0, || show(&path));
                        pending.push((path.clone(), depth, branch.page));
                    }
                }
                // What cannot be read is one of those that are looked for.
                Err(_) => {}
            }
        }
        Ok(())
    }
}
