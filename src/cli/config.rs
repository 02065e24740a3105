use anyhow::Result;

use super::error::usage;
use super::{Context, Exit};

const AFTER_HELP: &str = "\
Keys:
  commit.policy          what metadata commits keep: mirror, unix, full, or features joined by commas (mirror)
  commit.author          who commits (the user and the name of the host)
  commit.link            true: the pool links files of the tree instead of copying them (false)
  commit.exclude         array of patterns of what is left out ([])
  commit.delete-guard    most files, in percent, that a commit may remove (50)
  checkout.index-files   array of globs: files that are replaced last (InRelease, repomd.xml, ...)
  checkout.delete-guard  most files, in percent, that a checkout may remove (50)
  pool.threshold         files of at least so many bytes lie in the pool as they are (32768)
  gc.grace               how long what nothing needs waits in the trash (24h)
  gc.retention           how long the journal keeps what refs named before from gc (30d)";

/// Read and change the configuration
///
/// The configuration is the file 'config' of the repository, in TOML; see chasm-repository(5).
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Print the value of a key; exit code 1 if it is not set
    Get {
        /// For instance commit.policy
        key: String,
    },
    /// Set a key
    Set {
        /// For instance commit.policy
        key: String,
        /// A TOML value; text needs no quotes
        value: String,
    },
    /// Take a key away, back to the default
    Unset {
        /// For instance commit.policy
        key: String,
    },
    /// Print all keys that are set
    List,
    /// Accept a configuration that was edited by hand; fsck takes it for damage until then
    Seal,
}

pub fn run(context: &Context, args: Args) -> Result<Exit> {
    let repository = context.repository()?;
    let mut document: toml_edit::DocumentMut = repository.config_text()?.parse()?;
    match args.action {
        Action::Get { key } => {
            let (table, name) = split(&key)?;
            match document.get(table).and_then(|table| table.get(name)) {
                Some(value) => context.out.line(show(value))?,
                None => return Ok(Exit::No),
            }
        }
        Action::Set { key, value } => {
            let (table, name) = split(&key)?;
            let value: toml_edit::Value = value.parse().unwrap_or_else(|_| value.as_str().into());
            let entry = document.entry(table).or_insert(toml_edit::table());
            let entry = entry.as_table_like_mut().ok_or_else(|| usage(format!("'{table}' is no table")))?;
            entry.insert(name, toml_edit::Item::Value(value));
            repository.write_config(&document.to_string())?;
        }
        Action::Unset { key } => {
            let (table, name) = split(&key)?;
            if let Some(entry) = document.get_mut(table).and_then(|item| item.as_table_like_mut()) {
                entry.remove(name);
                repository.write_config(&document.to_string())?;
            }
        }
        Action::Seal => repository.write_config(&document.to_string())?,
        Action::List => {
            for (table, item) in document.iter() {
                let Some(entries) = item.as_table_like() else { continue };
                for (name, value) in entries.iter() {
                    if context.json {
                        context
                            .out
                            .json(&serde_json::json!({ "key": format!("{table}.{name}"), "value": show(value) }))?;
                    } else {
                        context.out.line(format_args!("{table}.{name} = {}", show(value)))?;
                    }
                }
            }
        }
    }
    Ok(Exit::Done)
}

fn split(key: &str) -> Result<(&str, &str)> {
    key.split_once('.').ok_or_else(|| usage(format!("'{key}' is no key like commit.policy")))
}

fn show(value: &toml_edit::Item) -> String {
    value.as_str().map_or_else(|| value.to_string().trim().to_owned(), str::to_owned)
}
