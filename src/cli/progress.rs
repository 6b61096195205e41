//! What a person sees while a lab starts and plays: redrawn lines on a terminal, plain lines
//! elsewhere.
//!
//! Owns when something is drawn. What the lines say is [`view`]'s job, what events say [`words`]'.

mod line;
mod roles;
mod view;
mod words;

use super::screen::Region;
use super::terminal::Terminal;
use crate::lab::Lab;
use crate::plan::Plan;
use crate::record::event::{Event, What};
use crate::record::stream::{Progress as Second, Status};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use view::View;

/// How often a terminal is redrawn.
pub const REDRAW: Duration = Duration::from_millis(200);
/// How often plain output says how it goes, on the run's clock.
const PLAIN_EVERY: i64 = 5_000_000_000;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// What happens, and how it goes.
    All,
    /// How it goes, on a terminal.
    View,
    /// The same in one line.
    Line,
}

/// Shows how a lab starts and plays. Its lines vanish with it.
pub struct Progress {
    terminal: Terminal,
    shows: Shows,
    region: Region,
    inner: Mutex<Inner>,
}

struct Inner {
    view: View,
    /// When `view.now` was true.
    heard: Instant,
    /// When plain output last said how it goes.
    said: i64,
    /// The phase that plain output has named.
    phase: &'static str,
}

impl Progress {
    /// For the lab of this name.
    pub fn new(terminal: Terminal, lab: &str, shows: Shows) -> Progress {
        Progress {
            terminal,
            shows,
            region: Region::new(),
            inner: Mutex::new(Inner {
                view: View::new(lab),
                heard: now(),
                said: i64::MIN,
                phase: "",
            }),
        }
    }

    /// For `lab`, whose faults are known before they come.
    pub fn of(terminal: Terminal, lab: &Lab, shows: Shows) -> Progress {
        let progress = Progress::new(terminal, lab.name.as_str(), shows);
        if let Some(scenario) = &lab.scenario {
            progress.with(|inner| inner.view.expect(scenario));
        }
        progress
    }

    fn with(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut inner);
        self.draw(&mut inner);
    }

    /// The plan that is being carried out.
    pub fn starting(&self, plan: &Plan) {
        self.with(|inner| inner.view.starting(plan));
    }

    /// An operation of the plan is over.
    pub fn done(&self, id: u32) {
        self.with(|inner| inner.view.done(id));
    }

    /// Where the nodes stand.
    pub fn status(&self, status: &Status) {
        self.with(|inner| inner.view.status(status));
    }

    /// What was made is being removed.
    pub fn undoing(&self, why: &'static str) {
        self.with(|inner| inner.view.undoing(why));
    }

    /// Something happened in the run: says it, above what is redrawn.
    pub fn event(&self, event: &Event) {
        self.with(|inner| {
            inner.heard = now();
            let palette = self.terminal.err;
            let text = inner.view.event(event);
            if matches!(event.what, What::RunStarted { .. }) {
                inner.said = event.t;
            }
            if self.shows != Shows::All {
                return;
            }
            if self.terminal.json {
                self.terminal.tell_json(event);
            } else if let Some(text) = text {
                self.terminal.tell(&text.render(usize::MAX, palette));
            }
        });
    }

    /// How the last second went.
    pub fn second(&self, second: &Second) {
        self.with(|inner| {
            inner.heard = now();
            inner.view.second(second);
            let due = second.t - inner.said >= PLAIN_EVERY;
            if !self.terminal.live && self.shows == Shows::All && due {
                inner.said = second.t - second.t.rem_euclid(PLAIN_EVERY);
                self.terminal.tell(&inner.view.plain());
            }
        });
    }

    /// Draws anew, as time has passed.
    pub fn tick(&self) {
        self.with(|_| ());
    }

    fn draw(&self, inner: &mut Inner) {
        if self.terminal.live {
            let width = self.terminal.width();
            let mut lines = inner.view.lines(inner.heard.elapsed(), width);
            if self.shows == Shows::Line {
                lines.truncate(1);
            }
            let painted = lines.iter().map(|l| l.render(width - 1, self.terminal.err));
            self.region.draw(painted.collect());
        } else if self.shows == Shows::All && inner.phase != inner.view.phase() {
            inner.phase = inner.view.phase();
            if let Some(line) = inner.view.phase_line() {
                self.terminal.tell(&line);
            }
        }
    }
}

/// The one place where progress looks at a clock.
fn now() -> Instant {
    Instant::now()
}
