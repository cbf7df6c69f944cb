//! Entry point. Everything worth reading is in the library; start at `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    with_a_heap_that_gives_back();
    mailferry::cli::main()
}

/// Starts this program once more in its own place, with the two words by which glibc's allocator gives back what it no longer needs.
///
/// Without them, the first large buffer that is freed teaches the allocator to keep as much for good, in each of eight arenas per core: a run of
/// half a minute grew from 20 to 63 MB, with them to 29 (`scripts/bench.sh ledger`). The words can only be given before the program begins,
/// other than by unsafe code. Whoever sets one keeps what they set; where starting again fails, the program goes on as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn with_a_heap_that_gives_back() {
    use std::os::unix::process::CommandExt as _;
    const WORDS: [(&str, &str); 2] = [
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("MALLOC_ARENA_MAX", "2"),
    ];
    if WORDS
        .iter()
        .any(|(word, _)| std::env::var_os(word).is_some())
    {
        return;
    }
    let Ok(own) = std::env::current_exe() else {
        return;
    };
    let mut args = std::env::args_os();
    let mut again = std::process::Command::new(own);
    again.envs(WORDS);
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    // Comes back only with an error.
    let _ = again.args(args).exec();
}
