//! What makes a run stop early: the first Ctrl-C or SIGTERM drains, the second stops at once, and so does time.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;

use crate::base::quantity::{Moment, Span};
use crate::cli::ui::Ui;
use crate::engine::control::{Lever, Wish};
use crate::port::clock::Clock;

/// Who asked a run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A person, or the system: Ctrl-C, SIGTERM.
    Signal,
    /// `--stop-after`.
    StopAfter,
    /// `--until`.
    Until,
    /// The plan's window, which ends then.
    Window(Moment),
}

impl Asked {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Signal => "asked to stop".to_owned(),
            Self::StopAfter => "--stop-after is reached".to_owned(),
            Self::Until => "--until is reached".to_owned(),
            Self::Window(end) => format!("the plan's window ends at {end}"),
        }
    }
}

/// The time after which nothing new begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopAt {
    /// How long from now.
    pub after: Span,
    /// Who wants it.
    pub by: Asked,
}

/// The interrupt and termination signals of this process. One that comes while nobody waits is heard by the next who does.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    both: Option<[tokio::signal::unix::Signal; 2]>,
}

impl Signals {
    /// Begins to listen; from now on neither signal ends the process by itself. Belongs inside a runtime.
    pub fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt());
            let terminate = signal(SignalKind::terminate());
            Self {
                both: interrupt.and_then(|one| Ok([one, terminate?])).ok(),
            }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Ends at the next signal. Where none can be heard, never: that must not look like having heard one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        let heard = match &mut self.both {
            Some([interrupt, terminate]) => tokio::select! {
                biased;
                heard = interrupt.recv() => heard.is_some(),
                heard = terminate.recv() => heard.is_some(),
            },
            None => false,
        };
        #[cfg(not(unix))]
        let heard = tokio::signal::ctrl_c().await.is_ok();
        if !heard {
            std::future::pending::<()>().await;
        }
    }
}

/// Pulls the lever on signals and when the time is up, and notes who asked. Never ends by itself: drop it with the run.
pub async fn watch(
    lever: Lever,
    clock: Arc<dyn Clock>,
    stop_at: Option<StopAt>,
    signals: &mut Signals,
    asked: &Cell<Option<Asked>>,
    ui: Ui,
) -> Infallible {
    let began = clock.tick();
    let mut timer = stop_at;
    let mut heard = 0u32;
    loop {
        let time_is_up = async {
            match timer {
                Some(stop) => clock.sleep_until(began + stop.after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = signals.next() => {
                heard += 1;
                // A person outweighs the clock: a run that works night after night ends too.
                asked.set(Some(Asked::Signal));
                if heard == 1 {
                    ui.say("stopping: what is on its way is finished and recorded; press Ctrl-C again to stop at once");
                    lever.pull(Wish::Drain);
                } else {
                    ui.say("stopping at once; the next run looks at what was on its way");
                    lever.pull(Wish::Abandon);
                }
            }
            () = time_is_up => {
                if let Some(stop) = timer.take() {
                    asked.set(asked.get().or(Some(stop.by)));
                    ui.say(&format!(
                        "stopping: {}; what is on its way is finished and recorded",
                        stop.by.words()
                    ));
                    lever.pull(Wish::Drain);
                }
            }
        }
    }
}
