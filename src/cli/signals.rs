//! What makes a run stop early: the first Ctrl-C drains, the second stops at once, and so does time.

use std::convert::Infallible;
use std::sync::Arc;

use crate::base::quantity::Span;
use crate::cli::ui::Ui;
use crate::engine::control::{Lever, Wish};
use crate::port::clock::Clock;

/// Pulls the lever on signals and when the time is up. Never ends by itself: drop it with the run.
pub async fn watch(
    lever: Lever,
    clock: Arc<dyn Clock>,
    stop_at: Option<(Span, &'static str)>,
    ui: Ui,
) -> Infallible {
    let began = clock.tick();
    let mut timer = stop_at;
    let mut asked = 0u32;
    loop {
        let time_is_up = async {
            match timer {
                Some((span, _)) => clock.sleep_until(began + span).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = signal() => {
                asked += 1;
                if asked == 1 {
                    ui.say("stopping: what is on its way is finished and recorded; press Ctrl-C again to stop at once");
                    lever.pull(Wish::Drain);
                } else {
                    ui.say("stopping at once; the next run looks at what was on its way");
                    lever.pull(Wish::Abandon);
                }
            }
            () = time_is_up => {
                if let Some((_, why)) = timer.take() {
                    ui.say(&format!("stopping: {why} is reached"));
                    lever.pull(Wish::Drain);
                }
            }
        }
    }
}

/// Ends at the next interrupt or termination signal.
pub async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                biased;
                interrupted = tokio::signal::ctrl_c() => settle(interrupted.is_ok()).await,
                received = term.recv() => settle(received.is_some()).await,
            }
            return;
        }
    }
    let interrupted = tokio::signal::ctrl_c().await.is_ok();
    settle(interrupted).await;
}

/// Where signals cannot be heard, waiting for one must not look like having heard one.
async fn settle(heard: bool) {
    if !heard {
        std::future::pending::<()>().await;
    }
}
