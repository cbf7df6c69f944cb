//! Layer 6: words, wiring, exit codes. The only layer that knows every other.

pub mod commands;

/// Runs the program.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
