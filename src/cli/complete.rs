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
        let more = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let command = command.after_help(None::<&str>).after_long_help(None::<&str>);
        clap_mangen::Man::new(command).title(title).date("").source("chasm").manual("chasm").render(&mut text)?;
        write!(text, "{}", sections(&more))?;
        write(&dir.join(format!("{name}.1")), &text)
    };
    page(command.clone(), "chasm")?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("chasm-{}", verb.get_name());
        page(verb.clone().display_name(name.clone()), &name)?;
    }
    Ok(())
}

/// What stands below the options of a verb's help, as sections: a line that ends
/// in a colon heads one; an indented line with a gap of two blanks is a word and
/// what it means; a page ends with where to read on.
fn sections(help: &str) -> String {
    let mut text = String::new();
    let escape = |line: &str| line.replace('\\', "\\e").replace('-', "\\-");
    for line in help.lines().filter(|line| !line.is_empty()) {
        let plain = escape(line.trim());
        text += &match (line.strip_suffix(':'), plain.split_once("  ")) {
            (Some(_), _) if !line.starts_with(' ') => {
                format!(".SH \"{}\"\n", plain.trim_end_matches(':').to_uppercase())
            }
            (_, Some((word, meaning))) => format!(".TP\n{word}\n{}\n", meaning.trim_start()),
            _ => format!("{plain}\n"),
        };
    }
    text + ".SH \"SEE ALSO\"\nchasm(1), chasm\\-revisions(7), chasm(7)\n"
}

fn write(path: &std::path::Path, text: &[u8]) -> Result<()> {
    let mut file = std::fs::File::create(path).with_context(|| format!("cannot create '{}'", path.display()))?;
    file.write_all(text).with_context(|| format!("cannot write '{}'", path.display()))
}
