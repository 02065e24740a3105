use anyhow::Result;

use super::error::usage;
use super::{Context, Exit};

/// Read and change the configuration
#[derive(clap::Args)]
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
