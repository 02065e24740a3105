use anyhow::Result;

use super::{Context, Exit};

/// placeholder
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_context: &Context, _args: Args) -> Result<Exit> {
    Ok(Exit::Done)
}
