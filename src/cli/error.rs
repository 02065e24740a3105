//! What went wrong, as one line, a hint, and an exit code.

use std::io::{self, Write};

use super::Exit;
use super::output::StdoutError;
use chasm::{disk, monitor::Interrupted, object::manifest, odb, refs, repo, worktree};

/// A mistake in how the command was called, found after parsing.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Usage {
    message: String,
    hint: Option<String>,
}

/// An error of usage.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage { message: message.into(), hint: None }.into()
}

/// An error of usage, with what to do instead.
pub fn usage_with_hint(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Usage { message: message.into(), hint: Some(hint.into()) }.into()
}

/// Tells the error and gives its exit code. A closed pipe is no error.
pub fn report(error: &anyhow::Error) -> Exit {
    if let Some(StdoutError(e)) = find::<StdoutError>(error)
        && e.kind() == io::ErrorKind::BrokenPipe
    {
        return Exit::Done;
    }
    let mut line = String::from("chasm: ");
    let mut last = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if text == last {
            continue;
        }
        if !last.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text.replace('\n', " "));
        last = text;
    }
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{line}");
    if let Some(hint) = hint(error) {
        let _ = writeln!(err, "hint: {hint}");
    }
    exit_code(error)
}

fn find<E: std::error::Error + 'static>(error: &anyhow::Error) -> Option<&E> {
    error.chain().find_map(|cause| {
        let mut cause = cause;
        loop {
            match cause.downcast_ref() {
                Some(found) => return Some(found),
                None => cause = within(cause)?,
            }
        }
    })
}

/// The error that another one passes on as its own: the chain of causes goes
/// from there to what is behind it.
fn within<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e (dyn std::error::Error + 'static)> {
    if let Some(e) = error.downcast_ref::<worktree::Error>() {
        return match e {
            worktree::Error::Disk(e) => Some(e),
            worktree::Error::Odb(e) => Some(e),
            worktree::Error::Repo(e) => Some(e),
            worktree::Error::Manifest(e) => Some(e),
            worktree::Error::Interrupted(e) => Some(e),
            _ => None,
        };
    }
    if let Some(e) = error.downcast_ref::<repo::Error>() {
        return match e {
            repo::Error::Disk(e) => Some(e),
            repo::Error::Odb(e) => Some(e),
            repo::Error::Refs(e) => Some(e),
            _ => None,
        };
    }
    match error.downcast_ref::<odb::Error>() {
        Some(odb::Error::Disk(e)) => return Some(e),
        Some(odb::Error::Interrupted(e)) => return Some(e),
        _ => {}
    }
    if let Some(refs::Error::Disk(e)) = error.downcast_ref::<refs::Error>() {
        return Some(e);
    }
    Some(error.downcast_ref::<io::Error>()?.get_ref()?)
}

fn exit_code(error: &anyhow::Error) -> Exit {
    if find::<Interrupted>(error).is_some() {
        return Exit::Interrupted;
    }
    if find::<Usage>(error).is_some() {
        return Exit::Usage;
    }
    if let Some(code) = worktree_code(error).or_else(|| repo_code(error)).or_else(|| refs_code(error)) {
        return code;
    }
    if let Some(code) = manifest_code(error) {
        return code;
    }
    if let Some(code) = odb_code(error) {
        return code;
    }
    if find::<disk::Error>(error).is_some()
        || find::<StdoutError>(error).is_some()
        || find::<io::Error>(error).is_some()
    {
        return Exit::Resources;
    }
    Exit::Usage
}

fn worktree_code(error: &anyhow::Error) -> Option<Exit> {
    Some(match find::<worktree::Error>(error)? {
        worktree::Error::Unstorable { .. } | worktree::Error::TooDeep { .. } => Exit::Usage,
        worktree::Error::LocalChange { .. } | worktree::Error::TooManyRemoved { .. } => Exit::No,
        worktree::Error::NotEmpty(_) | worktree::Error::NoSuchPath(_) => Exit::Usage,
        worktree::Error::ListedWrongly { .. }
        | worktree::Error::MissingContent { .. }
        | worktree::Error::OtherContent { .. } => Exit::Damage,
        worktree::Error::Interrupted(_) => Exit::Interrupted,
        _ => return None,
    })
}

/// A manifest that cannot be read is damaged; one that cannot be written was not
/// to be asked for.
fn manifest_code(error: &anyhow::Error) -> Option<Exit> {
    Some(match find::<manifest::Error>(error)? {
        e if e.is_too_new() => Exit::TooNew,
        manifest::Error::Write { .. } | manifest::Error::Read { .. } => Exit::Resources,
        manifest::Error::CannotHold { .. } | manifest::Error::WriteOnly { .. } => Exit::Usage,
        _ => Exit::Damage,
    })
}

fn repo_code(error: &anyhow::Error) -> Option<Exit> {
    Some(match find::<repo::Error>(error)? {
        repo::Error::TooNew { .. } => Exit::TooNew,
        repo::Error::DamagedRecord(_) => Exit::Damage,
        repo::Error::OtherRef { .. } => Exit::Trust,
        repo::Error::Disk(_) => Exit::Resources,
        repo::Error::Odb(_) | repo::Error::Refs(_) => return None,
        _ => Exit::Usage,
    })
}

fn refs_code(error: &anyhow::Error) -> Option<Exit> {
    let refs_error = find::<refs::Error>(error)?;
    Some(if refs_error.is_damage() {
        Exit::Damage
    } else if refs_error.is_busy() || refs_error.is_stale() {
        Exit::Busy
    } else if refs_error.is_too_new() {
        Exit::TooNew
    } else if matches!(refs_error, refs::Error::Disk(_) | refs::Error::Unsettled { .. }) {
        Exit::Resources
    } else {
        Exit::Usage
    })
}

fn odb_code(error: &anyhow::Error) -> Option<Exit> {
    Some(match find::<odb::Error>(error)? {
        odb::Error::Disk(_) | odb::Error::NoLink { .. } => Exit::Resources,
        odb::Error::Invalid { source, .. } if source.is_too_new() => Exit::TooNew,
        odb::Error::DamagedFile { source: odb::DamagedFile::TooNew(_), .. } => Exit::TooNew,
        odb::Error::Missing { .. }
        | odb::Error::Corrupt { .. }
        | odb::Error::Invalid { .. }
        | odb::Error::DamagedFile { .. } => Exit::Damage,
        odb::Error::Unstorable { .. } => Exit::Usage,
        odb::Error::Unstable(_) => Exit::Partial,
        odb::Error::Busy(_) => Exit::Busy,
        odb::Error::Interrupted(_) => Exit::Interrupted,
    })
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(usage) = find::<Usage>(error) {
        return usage.hint.clone();
    }
    if let Some(e) = find::<worktree::Error>(error) {
        match e {
            worktree::Error::LocalChange { more, .. } => {
                let others = match more {
                    0 => String::new(),
                    1 => " (and 1 more path)".into(),
                    n => format!(" (and {n} more paths)"),
                };
                return Some(format!("nothing was touched{others}; --force overwrites local changes"));
            }
            worktree::Error::NotEmpty(_) => {
                return Some(
                    "--force makes it what the commit says and keeps other files; --delete removes them".into(),
                );
            }
            worktree::Error::MissingContent { .. } => {
                return Some(
                    "nothing was committed; 'chasm commit DIR --manifest FILE' takes contents from DIR".into(),
                );
            }
            worktree::Error::OtherContent { .. } => return Some("nothing was committed".into()),
            worktree::Error::TooManyRemoved { .. } => {
                return Some("is a file system not mounted? --allow-delete goes on all the same".into());
            }
            _ => {}
        }
    }
    if let Some(e) = find::<repo::Error>(error) {
        match e {
            repo::Error::NotFound(_) => return Some("-R names a repository, 'chasm init' makes one".into()),
            repo::Error::Ambiguous { candidates, .. } => {
                let ids: Vec<_> = candidates.iter().take(5).map(|id| format!("@{id:.16}")).collect();
                return Some(format!("it may be {}", ids.join(", ")));
            }
            repo::Error::TooNew { .. } => return Some("a newer chasm has written it".into()),
            _ => {}
        }
    }
    if find::<refs::Error>(error).is_some_and(refs::Error::is_stale) {
        return Some("another command was faster; run it again".into());
    }
    if let Some(e) = find::<odb::Error>(error) {
        match e {
            odb::Error::Missing { .. } | odb::Error::Corrupt { .. } => {
                return Some("'chasm fsck' names what is damaged and the paths it serves".into());
            }
            odb::Error::NoLink { .. } => return Some("without --require-link it is copied".into()),
            odb::Error::Unstable(_) => return Some("run it again when nothing writes there".into()),
            _ => {}
        }
    }
    let io = find::<io::Error>(error)?;
    match io.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("nothing was lost; free some space (chasm gc --grace 0 needs none itself), and run it again".into())
        }
        _ => None,
    }
}
