//! What `mailferry lab --help` says at its end: examples, and everything the weather page takes by name.

use std::fmt::Write as _;

use crate::lab::wrong::Wrong;

/// The end of the long help.
pub fn lab_help() -> String {
    let mut out = LAB_HELP.to_owned();
    out.push_str(
        "\n\nMisconfigurations (--misconfigured NAME), for `mailferry preflight` to name:\n",
    );
    for wrong in Wrong::ALL {
        let _ = writeln!(out, "  {:<28}{}", wrong.word(), wrong.help());
    }
    out
}

const LAB_HELP: &str = r#"Examples:
  mailferry lab --dir /tmp/lab
  mailferry lab --dir /tmp/lab --mailboxes 3 --items 50 --weather storm --limits small
  mailferry run /tmp/lab/plan.toml    (in another terminal; the plan finds its secrets by itself)

The lab is ready when DIR/lab.json is there; its control_url takes orders while the lab runs.

With --tls both faces speak TLS, and a client has to trust the lab's authority. mailferry trusts
what the system trusts. On Linux and BSD, SSL_CERT_FILE names the file it reads instead of the
system's; on Windows and macOS, DIR/ca.pem has to be added to the system's store (take it out
again afterwards). Nothing switches the verification off:
  mailferry lab --dir /tmp/lab --tls
  SSL_CERT_FILE=/tmp/lab/ca.pem mailferry run /tmp/lab/plan.toml

Weather: POST {control_url}/weather takes one JSON object, each part of it optional:
  {"weather":"calm|busy|storm",
   "faults":[{"fault":NAME,"call":CALL,"times":1,"after":0,"wait_ms":1000}],
   "mishaps":[{"mishap":NAME,"mailbox":ADDRESS,"folder":PATH,"count":1,"skip":0,"ms":N,"bytes":N,
               "at":{"call":CALL,"after":0}}]}

  curl -d '{"faults":[{"fault":"gateway_after","call":"import","times":3}]}' $CONTROL_URL/weather
  curl -d '{"mishaps":[{"mishap":"moving","mailbox":"a@clinic.example"}]}' $CONTROL_URL/weather

CALL is token, read, sync, export, make_folder, open_session, import, attach or delete, on either
side.

A fault befalls the next calls of its kind, `times` of them, after `after` that pass. A side that
has no such shape shows its nearest relative, or lets the call pass:
  busy              429 MailboxConcurrency; ErrorServerBusy (wait_ms 0: asked to wait for nothing)
  incoming_bytes    429 IncomingBytes
  busy_fault        503 with Retry-After; ErrorServerBusy as a fault with a back-off
  connections       429 without Retry-After; ErrorExceededConnectionCount, 0 ms suggested
  busy_entry        ErrorServerBusy in one entry of ExportItems
  busy_entries      ErrorServerBusy in every entry of ExportItems
  batch_stopped     ErrorBatchProcessingStopped behind an entry that failed
  holes             errors between good entries of ExportItems
  short_page        a listing gives fewer than asked
  empty_state       an error beside an empty SyncState and "includes the last item"
  hollow_page       the same beside a success
  state_refused     ErrorInvalidSyncStateData
  unavailable       503 as a web page
  server_error      500 without a word
  unauthorized      401 although the sign-in is good
  claims            401 with a claims challenge
  claims_forbidden  403 with a claims challenge
  moving            ErrorMailboxMoveInProgress
  gateway_before    504, nothing done
  gateway_after     504, and it was done
  reset_before      the connection is reset, nothing done
  reset_after       the connection is reset, and it was done
  silence_after     it was done, and no answer comes
  cut_body          the answer breaks off in its middle
  truncated         an export ends in === Truncated Data ===
  slow              it takes wait_ms longer

A mishap lasts. It happens at once, or `at` a call of a kind after so many others:
  moving                 the source mailbox is being moved for ms (15 minutes)
  poisoned_item          the export of these items kills the whole call with a 500
  corrupt_item           their export is refused
  refused_item           their import is refused with 500 ErrorCorruptData
  failing_item           their import ends in a 500 without a word
  items_deleted          the source's user deletes them
  source_folder_deleted  the source's user deletes the folder
  target_folder_deleted  the target's user deletes the folder
  quota_full             the target mailbox takes bytes more, or nothing
  lag                    new target items stay out of listings for ms
  clock_step             the civil clock of the services steps by ms, back where negative
  tokens_ended           every access token has ended
  sessions_ended         every import session has ended
  unseen                 the next count typed messages are not found by the call after
Items are those of folder (a path as the truth shows it; the Inbox), count of them after skip."#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::fault::Fault;
    use crate::lab::mishap::Mishap;

    #[test]
    fn every_fault_and_every_mishap_is_explained() {
        let mishaps = Mishap::ALL.map(|mishap| serde_json::to_value(mishap).unwrap());
        let mishaps = mishaps
            .iter()
            .filter_map(|name| Some(name.as_str()?.to_owned()));
        let names: Vec<String> = Fault::names().map(str::to_owned).chain(mishaps).collect();
        for name in names {
            let line = format!("\n  {name} ");
            assert!(LAB_HELP.contains(&line), "{name}");
        }
        for line in lab_help().lines() {
            assert!(line.len() <= 98, "{line}");
        }
    }
}
