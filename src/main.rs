//! Entry point. Everything worth reading is in the library; start at `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailferry::cli::main()
}
