//! The thread that tells: it takes events out of the fanout's queue and writes journal, JSON lines, bar and status snapshot.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::event::{Event, EventKind};
use crate::base::limits::LOG_EVERY;
use crate::base::quantity::{Span, Tick};
use crate::port::clock::Clock;
use crate::report::bar::{self, Bar};
use crate::report::fanout::Fanout;
use crate::report::journal;
use crate::report::progress::Progress;
use crate::report::words;

/// How often the bar is fed and silence is noticed.
const BEAT: Duration = Duration::from_millis(100);

/// How often the snapshot for `status` is renewed.
const SNAPSHOT_EVERY: Span = Span::from_secs(2);

/// The file a run leaves for `status` while it holds the state directory.
pub const SNAPSHOT_FILE: &str = "status.json";

/// The journal's file in a state directory.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// Where lines of JSON go, without their end.
pub type LineOut = Box<dyn FnMut(&str) + Send>;

/// What a narrator writes.
pub struct Outputs {
    /// The state directory: journal and snapshot go there.
    pub state: PathBuf,
    /// Where `--json` lines go, where they are wanted.
    pub lines: Option<LineOut>,
    /// Whether a bar is drawn.
    pub bar: bool,
    /// Where a line goes from time to time while no bar is drawn, for logs.
    pub log: Option<LineOut>,
    /// Where the ledger stood when the run began.
    pub began_at: Progress,
}

/// A running narrator.
#[derive(Debug)]
pub struct Narrator {
    fanout: Arc<Fanout>,
    thread: JoinHandle<()>,
}

impl Narrator {
    /// Starts the thread. Fails when the journal cannot be opened.
    pub fn start(
        fanout: Arc<Fanout>,
        events: Receiver<Event>,
        clock: Arc<dyn Clock>,
        outputs: Outputs,
    ) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        owner_only(&mut options);
        let journal = options.open(outputs.state.join(JOURNAL_FILE))?;
        let mut work = Work {
            fanout: Arc::clone(&fanout),
            clock,
            journal,
            bar: outputs.bar.then(Bar::new),
            outputs,
            next_snapshot: Tick::ZERO,
            next_log: None,
        };
        let thread = std::thread::Builder::new()
            .name("narrator".to_owned())
            .spawn(move || work.run(&events))?;
        Ok(Self { fanout, thread })
    }

    /// Writes what waits and ends.
    pub fn finish(self) {
        self.fanout.close();
        // Narration is no truth: a narrator that died costs lines, not items.
        let _ = self.thread.join();
    }
}

struct Work {
    fanout: Arc<Fanout>,
    clock: Arc<dyn Clock>,
    journal: File,
    bar: Option<Bar>,
    outputs: Outputs,
    next_snapshot: Tick,
    next_log: Option<Tick>,
}

impl Work {
    fn run(&mut self, events: &Receiver<Event>) {
        loop {
            match events.recv_timeout(BEAT) {
                Ok(event) => {
                    self.tell(&event);
                    // What waits is told before the next beat, so that a busy run is narrated in bulk.
                    for event in events.try_iter() {
                        self.tell(&event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.beat();
        }
        if let Some(bar) = &self.bar {
            bar.clear();
        }
        let _ = self.journal.flush();
        let _ = std::fs::remove_file(self.outputs.state.join(SNAPSHOT_FILE));
    }

    fn tell(&mut self, event: &Event) {
        if !journal::is_kept(event) {
            return;
        }
        let line = journal::line(event);
        let _ = writeln!(self.journal, "{line}");
        if let Some(lines) = &mut self.outputs.lines {
            lines(&line);
        }
        if let (EventKind::JobHalted(cause), Some(job), Some(log)) =
            (&event.kind, event.job, &mut self.outputs.log)
        {
            log(&format!("mailbox {job} is halted: {}", words::halt(*cause)));
        }
        if let (EventKind::ScreenerProved { stale: true, by }, Some(log)) =
            (&event.kind, &mut self.outputs.log)
        {
            log(&format!(
                "warning: what looks into items has old signatures ({by}); is freshclam running?"
            ));
        }
    }

    fn beat(&mut self) {
        let now = self.clock.tick();
        let due = now >= self.next_snapshot;
        let told =
            self.outputs.log.is_none() || now < *self.next_log.get_or_insert(now + LOG_EVERY);
        if self.bar.is_none() && !due && told {
            return;
        }
        let progress = self
            .outputs
            .began_at
            .with(&self.fanout.tally(), self.clock.moment());
        if let Some(bar) = &self.bar {
            bar.draw(&progress);
        }
        if let (false, Some(log)) = (told, &mut self.outputs.log) {
            self.next_log = Some(now + LOG_EVERY);
            log(&bar::message(&progress));
        }
        if due {
            self.next_snapshot = now + SNAPSHOT_EVERY;
            let text = progress.to_json().to_string();
            let _ = replace(&self.outputs.state.join(SNAPSHOT_FILE), text.as_bytes());
        }
    }
}

/// Writes a file whole or not at all, owner-only.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    owner_only(&mut options);
    let mut file = options.open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

fn owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = options;
}
