//! Takes the events of a migration and passes them on: to the status, to observers such as the control server, and to
//! the console. It waits for none of them.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::console::Feed;
use crate::signals::StatusRequests;
use crate::status::live::{Live, View};
use crate::status::notice::Notice;
use towpath::{Event, EventStream};

/// Learns what happens in a run. No method may block: the engine would wait for it.
pub(crate) trait Observer: Send {
    /// The engine emitted an event; the status knows it already.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// The status changed in a way that is worth a report.
    fn notice(&mut self, notice: &Notice) {
        let _ = notice;
    }

    /// The status was updated. This happens at least each second.
    fn tick(&mut self, view: &View) {
        let _ = view;
    }
}

/// What a listener listens to.
pub(crate) struct Inputs {
    pub(crate) events: EventStream,
    /// Signals that request the status.
    pub(crate) requests: StatusRequests,
    /// Jumps of the clock.
    pub(crate) jumps: mpsc::Receiver<SignedDuration>,
    /// Problems that do not concern the run itself.
    pub(crate) notes: mpsc::Receiver<String>,
    /// Warnings that are printed even with --quiet.
    pub(crate) warnings: Option<mpsc::Receiver<String>>,
    /// Is cancelled when the migration is to stop.
    pub(crate) stop: CancellationToken,
    /// How often the status is updated.
    pub(crate) tick: Duration,
}

/// Passes on what happens in a run.
pub(crate) struct Listener {
    live: Live,
    observers: Vec<Box<dyn Observer>>,
    console: Feed,
}

impl Listener {
    pub(crate) fn new(live: Live, observers: Vec<Box<dyn Observer>>, console: Feed) -> Self {
        Self { live, observers, console }
    }

    /// Listens until the migration ends; returns the way to the console.
    pub(crate) async fn listen(mut self, inputs: Inputs) -> Feed {
        let Inputs { mut events, mut requests, mut jumps, mut notes, mut warnings, stop, tick } = inputs;
        let mut ticks = interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(&event, &stop).await,
                    None => break,
                },
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.console.stopping();
                }
                () = requests.next() => self.console.status(&self.live.view()),
                Some(jump) = jumps.recv() => self.console.clock_jump(jump),
                Some(note) = notes.recv() => self.console.note(note),
                Some(text) = next(&mut warnings) => self.console.warning(text),
                _ = ticks.tick() => self.tick(),
            }
        }
        self.tick();
        while let Some(Ok(text)) = warnings.as_mut().map(mpsc::Receiver::try_recv) {
            self.console.warning(text);
        }
        self.console
    }

    async fn event(&mut self, event: &Event, stop: &CancellationToken) {
        self.live.observe(event);
        self.observers.iter_mut().for_each(|observer| observer.event(event));
        if let Event::Planned { .. } = event {
            // The result of a dry run: nothing of it may be missing.
            tokio::select! {
                biased;
                () = self.console.planned(event) => {}
                () = stop.cancelled() => {}
            }
        } else {
            self.console.event(event);
        }
    }

    fn tick(&mut self) {
        let (view, notices) = self.live.tick();
        for notice in &notices {
            self.observers.iter_mut().for_each(|observer| observer.notice(notice));
            self.console.notice(notice);
        }
        self.observers.iter_mut().for_each(|observer| observer.tick(&view));
        self.console.view(view);
    }
}

/// The next text, if there can be one.
async fn next(texts: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match texts {
        Some(texts) => texts.recv().await,
        None => None,
    }
}
