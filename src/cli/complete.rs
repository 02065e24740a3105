//! Writes the man pages of section 1 and the completions, from the command table.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap_complete::Shell;

use super::Exit;

/// Write man pages and shell completions
#[derive(clap::Args)]
pub struct Args {
    /// Where man pages go
    #[arg(long, value_name = "DIR")]
    man: Option<PathBuf>,
    /// Where completions go
    #[arg(long, value_name = "DIR")]
    completions: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Exit> {
    if let Some(dir) = args.man {
        write_man_pages(&dir)?;
    }
    if let Some(dir) = args.completions {
        let mut command = super::command();
        for (shell, name) in [(Shell::Bash, "chasm.bash"), (Shell::Zsh, "_chasm"), (Shell::Fish, "chasm.fish")] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, "chasm", &mut text);
            write(&dir.join(name), &text)?;
        }
    }
    Ok(Exit::Done)
}

fn write_man_pages(dir: &std::path::Path) -> Result<()> {
    let mut command = super::command().disable_help_flag(true).disable_version_flag(true);
    command.build();
    let page = |command: clap::Command, name: &str| -> Result<()> {
        let mut text = Vec::new();
        let title = name.to_uppercase();
        clap_mangen::Man::new(command).title(title).date("").source("chasm").manual("chasm").render(&mut text)?;
        write(&dir.join(format!("{name}.1")), &text)
    };
    page(command.clone(), "chasm")?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("chasm-{}", verb.get_name());
        page(verb.clone().display_name(name.clone()), &name)?;
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &[u8]) -> Result<()> {
    let mut file = std::fs::File::create(path).with_context(|| format!("cannot create '{}'", path.display()))?;
    file.write_all(text).with_context(|| format!("cannot write '{}'", path.display()))
}
