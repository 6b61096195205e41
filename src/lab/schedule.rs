//! When each fault of a scenario happens: repetitions, delays and draws become times.
//!
//! Owns the rules by which times refer to each other. Must not know what faults do. All times are
//! scenario time. What is drawn depends on the seed, the fault's name and the number of the
//! occurrence: neither other faults nor the order in the file shift it.

use crate::spec::defaults::MAX_OCCURRENCES;
use crate::spec::{AfterSpec, Diagnostic, FaultSpec, ScenarioSpec, Span, nearest, short};
use netlab_protocol::draw;
use netlab_protocol::duration::format as time;
use std::time::Duration;

/// One occurrence of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Once {
    /// The condition from whose moment times count, which is the scenario's begin at the soonest.
    pub since: Option<usize>,
    /// When it begins.
    pub at: Duration,
    /// When it begins at the latest, whatever is drawn.
    pub latest: Duration,
    /// How long it lasts; none: until everything heals, or not at all.
    pub lasts: Option<Duration>,
}

/// The occurrences of each fault, in the file's order; none for those that were reported.
pub(super) fn schedule(
    seed: u64,
    spec: &ScenarioSpec,
    reports: &mut Vec<Diagnostic>,
) -> Vec<Option<Vec<Once>>> {
    let Some(end) = healed_by(spec, reports) else {
        return vec![None; spec.faults.len()];
    };
    let mut book = Book {
        seed,
        spec,
        end,
        pages: vec![Page::Blank; spec.faults.len()],
        room: MAX_OCCURRENCES,
        reports,
    };
    for at in 0..spec.faults.len() {
        book.fill(at);
    }
    let times = |page| match page {
        Page::Done(times) => times,
        Page::Blank | Page::Open => None,
    };
    book.pages.into_iter().map(times).collect()
}

/// When every fault has healed: where the quiet period begins, or the end.
pub(super) fn healed_by(spec: &ScenarioSpec, reports: &mut Vec<Diagnostic>) -> Option<Duration> {
    let duration = spec.duration.as_ref()?;
    let Some(quiet) = &spec.quiet else {
        return Some(duration.value);
    };
    if quiet.value >= duration.value {
        let message = "the quiet period is the last part of the scenario, and shorter than it";
        reports.push(
            Diagnostic::error("bad-value", message)
                .at(quiet.span, "")
                .at(duration.span, "the whole"),
        );
        return None;
    }
    Some(duration.value - quiet.value)
}

/// From when on a fault is repeated.
#[derive(Clone, Copy, Debug)]
struct Base {
    at: Duration,
    latest: Duration,
    since: Option<usize>,
}

impl Base {
    fn at(at: Duration, since: Option<usize>) -> Base {
        Base {
            at,
            latest: at,
            since,
        }
    }
}

#[derive(Clone, Debug)]
enum Page {
    Blank,
    Open,
    Done(Option<Vec<Once>>),
}

struct Book<'a> {
    seed: u64,
    spec: &'a ScenarioSpec,
    end: Duration,
    pages: Vec<Page>,
    /// Occurrences that may still be added.
    room: usize,
    reports: &'a mut Vec<Diagnostic>,
}

impl Book<'_> {
    /// The occurrences of a fault, and of those it waits for.
    fn fill(&mut self, at: usize) -> Option<Vec<Once>> {
        match &self.pages[at] {
            Page::Done(times) => return times.clone(),
            Page::Open => {
                self.report_cycle(at);
                return None;
            }
            Page::Blank => {}
        }
        self.pages[at] = Page::Open;
        let times = self.times(at);
        self.pages[at] = Page::Done(times.clone());
        times
    }

    fn times(&mut self, at: usize) -> Option<Vec<Once>> {
        let spec = self.spec;
        let fault = &spec.faults[at];
        let schedule = &fault.schedule;
        let bases = match (&schedule.at, &schedule.after, &schedule.when) {
            (Some(at), None, None) => vec![Base::at(at.value, None)],
            (None, Some(after), None) => self.bases(at, after)?,
            (None, None, Some(_)) => {
                let before = &spec.faults[..at];
                let place = before.iter().filter(|f| f.schedule.when.is_some()).count();
                vec![Base::at(Duration::ZERO, Some(place))]
            }
            _ => return None,
        };
        let mut times = Vec::new();
        for base in bases {
            self.repeat(fault, base, &mut times)?;
        }
        let in_time = self.in_time(fault, &times) & self.hurries(fault);
        (in_time && self.apart(fault, &times)).then_some(times)
    }

    /// When the fault begins for the first time after each occurrence of another one.
    fn bases(&mut self, at: usize, after: &AfterSpec) -> Option<Vec<Base>> {
        let spec = self.spec;
        let (name, span) = (after.fault.value.as_str(), after.fault.span);
        let names = || spec.faults.iter().map(|fault| fault.name.value.as_str());
        if let Some(drawn) = spec
            .drawn
            .iter()
            .find(|one| one.name.value.as_str() == name)
        {
            let message = format!("nothing can follow `{name}`: its occurrences are drawn");
            self.reports.push(
                Diagnostic::error("conflict", message)
                    .at(span, "")
                    .at(drawn.name.span, "drawn here")
                    .help("begin `at` a time"),
            );
            return None;
        }
        let Some(other) = names().position(|other| other == name) else {
            let near = nearest(
                name,
                names().filter(|n| *n != spec.faults[at].name.value.as_str()),
            );
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let message = format!("there is no fault `{}`{near}", short(name));
            self.reports
                .push(Diagnostic::error("unknown-fault", message).at(span, ""));
            return None;
        };
        let others = self.fill(other)?;
        let kind = spec.faults[other].kind.0;
        if after.healed && !kind.lasts {
            let message = format!(
                "`{name}` is a {}: when its nodes are back is not known before the start",
                kind.name
            );
            let help = format!("write `after: {{ fault: {name}, event: begun, delay: 5s }}`");
            self.reports.push(
                Diagnostic::error("unknown-time", message)
                    .at(span, "")
                    .help(help),
            );
            return None;
        }
        let until = |once: &Once| once.lasts.unwrap_or(self.end.saturating_sub(once.at));
        let base = |once: &Once| {
            let event = if after.healed {
                until(once)
            } else {
                Duration::ZERO
            };
            let later = event.saturating_add(after.delay);
            Base {
                at: once.at.saturating_add(later),
                latest: once.latest.saturating_add(later),
                since: once.since,
            }
        };
        Some(others.iter().map(base).collect())
    }

    /// The occurrences from one base on: `times` of them, or as many as there is room for.
    fn repeat(&mut self, fault: &FaultSpec, base: Base, times: &mut Vec<Once>) -> Option<()> {
        let schedule = &fault.schedule;
        let lasts = schedule.lasts.as_ref().map(|lasts| lasts.value);
        if schedule.every.is_some() && fault.kind.0.lasts && lasts.is_none() {
            return None; // The reader has said so.
        }
        let jitter = schedule.jitter.as_ref().map_or(Duration::ZERO, |j| j.value);
        let every = schedule.every.as_ref().map(|every| every.value);
        let most = match (&schedule.times, every) {
            (_, None) => Some(1),
            (times, Some(_)) => times.as_ref().map(|times| times.value),
        };
        for turn in 0..most.unwrap_or(u32::MAX) {
            let later = every.unwrap_or_default().saturating_mul(turn);
            let latest = base.latest.saturating_add(later).saturating_add(jitter);
            let heals = latest.saturating_add(lasts.unwrap_or_default());
            if most.is_none() && turn > 0 && (latest >= self.end || heals > self.end) {
                break;
            }
            if self.room == 0 {
                self.report_too_many(fault);
                return None;
            }
            self.room -= 1;
            let drawn = self.drawn(fault, jitter, times.len());
            let at = base.at.saturating_add(later).saturating_add(drawn);
            times.push(Once {
                since: base.since,
                at,
                latest,
                lasts,
            });
        }
        Some(())
    }

    /// A part of `jitter`, in whole milliseconds where it is longer than one.
    fn drawn(&self, fault: &FaultSpec, jitter: Duration, occurrence: usize) -> Duration {
        let counters = [
            draw::name("jitter"),
            draw::name(fault.name.value.as_str()),
            occurrence as u64,
        ];
        rounded(jitter.mul_f64(draw::unit(self.seed, &counters)))
    }

    /// Whether a condition has to hold before all faults have to have healed; reports one that does not.
    fn hurries(&mut self, fault: &FaultSpec) -> bool {
        let Some(within) = fault
            .schedule
            .within
            .as_ref()
            .filter(|w| w.value > self.end)
        else {
            return true;
        };
        let (name, by) = (fault.name.value.as_str(), time(self.end));
        let message = format!("the fault `{name}` would wait longer than until everything heals");
        let late = Diagnostic::error("fault-too-late", message).at(within.span, "");
        self.reports
            .push(late.help(format!("that is at {by}, which it is without `within`")));
        false
    }

    /// Whether all begin and heal in time; reports the first that does not.
    fn in_time(&mut self, fault: &FaultSpec, times: &[Once]) -> bool {
        let heals = |once: &Once| once.latest.saturating_add(once.lasts.unwrap_or_default());
        let late = |once: &Once| once.latest >= self.end || heals(once) > self.end;
        let Some(number) = times.iter().position(late) else {
            return true;
        };
        let once = times[number];
        let name = fault.name.value.as_str();
        let who = match times.len() {
            1 => format!("the fault `{name}`"),
            _ => format!("occurrence {} of the fault `{name}`", number + 1),
        };
        let schedule = &fault.schedule;
        let begins = once.latest >= self.end;
        let (does, when) = if begins {
            ("begin", once.latest)
        } else {
            ("heal", heals(&once))
        };
        let place = match (&schedule.lasts, begins) {
            (Some(lasts), false) => Some(lasts.span),
            _ if number > 0 => schedule.times.as_ref().map(|times| times.span),
            _ => None,
        };
        let place = place.or_else(|| schedule.begins());
        let soonest = once.since.is_some();
        self.report_late(&who, does, (when, soonest), place);
        false
    }

    /// `soonest`: whether it may be later still.
    fn report_late(
        &mut self,
        who: &str,
        does: &str,
        (when, soonest): (Duration, bool),
        place: Option<Span>,
    ) {
        let (quiet, duration) = (&self.spec.quiet, &self.spec.duration);
        let over = duration.as_ref().is_some_and(|end| when > end.value);
        let (what, span, label) = match (quiet, duration) {
            (Some(quiet), _) if !over => ("in the quiet period", quiet.span, "the quiet period"),
            (_, Some(end)) if does == "heal" => {
                ("after the end of the scenario", end.span, "the end")
            }
            (_, Some(end)) => ("when the scenario is over", end.span, "the end"),
            _ => return,
        };
        let soonest = if soonest { " at the soonest" } else { "" };
        let message = format!("{who} would {does} at {}{soonest}, {what}", time(when));
        let by = time(self.end);
        let help = match does {
            "heal" => format!("it must heal by {by}; without `for` it heals then"),
            _ => format!("it must begin before {by}"),
        };
        let late = Diagnostic::error("fault-too-late", message);
        let late = match place {
            Some(place) => late.at(place, "").at(span, label),
            None => late.at(span, label),
        };
        self.reports.push(late.help(help));
    }

    /// Whether no two can be in effect at once.
    fn apart(&mut self, fault: &FaultSpec, times: &[Once]) -> bool {
        let schedule = &fault.schedule;
        let name = &fault.name.value;
        if let Some(every) = &schedule.every {
            let lasts = schedule.lasts.as_ref().map_or(Duration::ZERO, |l| l.value);
            let jitter = schedule.jitter.as_ref().map_or(Duration::ZERO, |j| j.value);
            if lasts.saturating_add(jitter) > every.value && times.len() > 1 {
                let message = format!("the fault `{name}` may begin again before it has healed");
                let longest = time(lasts.saturating_add(jitter));
                let mut wrong = Diagnostic::error("overlapping-occurrences", message)
                    .at(every.span, format!("it takes up to {longest}"));
                for other in [&schedule.lasts, &schedule.jitter].into_iter().flatten() {
                    wrong = wrong.at(other.span, "");
                }
                let help = "`every` is at least `for` and `jitter` together";
                self.reports.push(wrong.help(help));
                return false;
            }
        }
        let mut order: Vec<Once> = times.to_vec();
        order.sort_by_key(|once| once.at);
        let overlap = |pair: &[Once]| {
            let lasts = pair[0]
                .lasts
                .or((fault.kind.0.lasts).then_some(Duration::MAX));
            pair[0].at.saturating_add(lasts.unwrap_or_default()) > pair[1].at
        };
        if !order.windows(2).any(overlap) {
            return true;
        }
        let message = format!("the fault `{name}` would begin again before it has healed");
        let place = schedule.begins();
        let wrong = Diagnostic::error("overlapping-occurrences", message);
        let wrong = match place {
            Some(place) => wrong.at(place, "it begins after each of these"),
            None => wrong,
        };
        let help = "give it a `for` that is shorter than the time between them";
        self.reports.push(wrong.help(help));
        false
    }

    fn report_too_many(&mut self, fault: &FaultSpec) {
        let message = "the faults of this scenario happen too often";
        let every = fault.schedule.every.as_ref().map(|every| every.span);
        let wrong = Diagnostic::error("too-many", message);
        let wrong = match every.or_else(|| fault.schedule.begins()) {
            Some(place) => wrong.at(place, "here it becomes too much"),
            None => wrong,
        };
        let help = format!("all together may begin {MAX_OCCURRENCES} times");
        self.reports.push(wrong.help(help));
    }

    /// Reports the faults that wait for each other, `at` being one of them.
    fn report_cycle(&mut self, at: usize) {
        let faults = &self.spec.faults;
        let next = |at: usize| {
            let name = faults[at].schedule.after.as_ref()?.fault.value.as_str();
            faults.iter().position(|f| f.name.value.as_str() == name)
        };
        let mut circle = vec![at];
        while let Some(other) = next(circle[circle.len() - 1])
            && other != at
            && circle.len() <= faults.len()
        {
            circle.push(other);
        }
        let first = &faults[at].name.value;
        let message = match circle.len() {
            1 => format!("the fault `{first}` waits for itself"),
            _ => {
                let names = circle
                    .iter()
                    .chain([&at])
                    .map(|&at| format!("`{}`", faults[at].name.value));
                let names: Vec<String> = names.collect();
                format!(
                    "these faults wait for each other: {}",
                    names.join(" after ")
                )
            }
        };
        let mut wrong = Diagnostic::error("cycle", message);
        for &at in circle.iter().take(10) {
            if let Some(after) = &faults[at].schedule.after {
                wrong = wrong.at(after.fault.span, "");
            }
        }
        self.reports
            .push(wrong.help("one of them begins `at` a time"));
    }
}

/// In whole milliseconds, where that is not nothing: times are read by people.
pub(super) fn rounded(drawn: Duration) -> Duration {
    match drawn.as_millis() {
        0 => drawn,
        whole => Duration::from_millis(u64::try_from(whole).unwrap_or(u64::MAX)),
    }
}
