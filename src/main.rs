//! The `chasm` program: see [`cli::main`].

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
