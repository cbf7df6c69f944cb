//! How a run is asked to stop.

use tokio::sync::watch;

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Go on.
    Work,
    /// Begin nothing new; finish and record what is on its way.
    Drain,
    /// Stop at once. What is on its way becomes doubt, which the next run settles.
    Abandon,
}

/// The operator's end.
#[derive(Clone, Debug)]
pub struct Lever(watch::Sender<Wish>);

/// The engine's end.
#[derive(Clone, Debug)]
pub struct Control(watch::Receiver<Wish>);

/// A lever and the control it moves.
pub fn control() -> (Lever, Control) {
    let (sender, receiver) = watch::channel(Wish::Work);
    (Lever(sender), Control(receiver))
}

impl Lever {
    /// Asks for at least `wish`; a wish is never taken back.
    pub fn pull(&self, wish: Wish) {
        self.0.send_if_modified(|now| {
            let more = wish > *now;
            if more {
                *now = wish;
            }
            more
        });
    }

    /// What is wanted now.
    pub fn wish(&self) -> Wish {
        *self.0.borrow()
    }
}

impl Control {
    /// True when nothing new may begin.
    pub fn draining(&self) -> bool {
        *self.0.borrow() >= Wish::Drain
    }

    /// Returns when at least `wish` is wanted; never, when the lever is gone.
    pub async fn reached(&self, wish: Wish) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|now| *now >= wish).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
