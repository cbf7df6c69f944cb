//! The words of `mailferry losses`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// `mailferry losses`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry losses
  mailferry losses --class IPM.Note --class IPM.Task
  mailferry losses --json | jq '.not_carried[] | {class, advice}'

Items travel as streams, which keep everything. Where the service refuses a stream, and with route = \"typed\" in [target] of a plan, an item is read
and created by its class: as mail, as a calendar entry or as a contact. This table says what does not arrive as it was. It needs no plan and reaches
nobody.")]
pub struct LossesArgs {
    /// Say it of items of CLASS (IPM.Note, IPM.Task) only; may be given again
    #[arg(long, value_name = "CLASS", value_parser = NonEmptyStringValueParser::new())]
    pub class: Vec<String>,
}
