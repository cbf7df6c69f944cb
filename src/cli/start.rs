//! From the process's arguments to its exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::args::{Cli, Command};
use crate::cli::commands;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::secrets;
use crate::cli::ui::{Talk, Ui};

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // A terminal that went away changes nothing about the outcome.
            let _ = error.print();
            return if asked { Exit::Done } else { Exit::Usage }.into();
        }
    };
    let talk = match (cli.common.quiet, cli.common.verbose) {
        (true, _) => Talk::Quiet,
        (false, true) => Talk::Verbose,
        (false, false) => Talk::Normal,
    };
    let ui = Ui::new(cli.common.json, talk, cli.common.color, secrets::no_color());
    quiet_panics(ui);
    let exit = match catch_unwind(AssertUnwindSafe(|| dispatch(&cli, ui))) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            ui.fail(&error.to_string());
            error.exit
        }
        Err(_) => {
            let error = CommandError::new(Exit::Internal, "internal error: this is a bug")
                .hint("please report it; running again is safe");
            ui.fail(&error.to_string());
            error.exit
        }
    };
    exit.into()
}

fn dispatch(cli: &Cli, ui: Ui) -> Result<Exit, CommandError> {
    if cli.common.state.is_some()
        && matches!(
            cli.command,
            Command::Lab(_) | Command::Plan(_) | Command::Losses(_) | Command::Evidence(_)
        )
    {
        return Err(
            CommandError::new(Exit::Usage, "this command keeps no state").hint("leave --state out"),
        );
    }
    match &cli.command {
        Command::Rehearse(args) => commands::rehearse::run(args, &cli.common, ui),
        Command::Lab(args) => commands::lab::run(args, ui),
        Command::Assess(args) => commands::assess::run(args, &cli.common, ui),
        Command::Inventory(args) => commands::inventory::run(args, ui),
        Command::Plan(args) => commands::plan::run(args, ui),
        Command::Losses(args) => Ok(commands::losses::run(args, ui)),
        Command::Preflight(args) => commands::preflight::run(args, &cli.common, ui),
        Command::Run(args) => commands::nights::run(args, &cli.common, ui),
        Command::Status(args) => commands::status::run(args, &cli.common, ui),
        Command::Verify(args) => commands::verify::run(args, &cli.common, ui),
        Command::Retry(args) => commands::retry::run(args, &cli.common, ui),
        Command::Resolve(args) => commands::resolve::run(args, &cli.common, ui),
        Command::Quarantine(args) => commands::quarantine::run(args, &cli.common, ui),
        Command::Ledger(args) => commands::ledger::run(args, &cli.common, ui),
        Command::Report(args) => commands::report::run(args, &cli.common, ui),
        Command::Waive(args) => commands::waive::run(args, &cli.common, ui),
        Command::Sign(args) => commands::sign::run(args, &cli.common, ui),
        Command::Evidence(args) => commands::evidence::run(args, ui),
        Command::Cutover(args) => commands::cutover::run(args, &cli.common, ui),
    }
}

/// A panic's text may quote what it was working on. Only its place is said, and that only to those who asked for more.
fn quiet_panics(ui: Ui) {
    std::panic::set_hook(Box::new(move |info| {
        if let Some(place) = info.location() {
            ui.detail(&format!(
                "a task ended at {}:{}",
                place.file(),
                place.line()
            ));
        }
    }));
}
