//! Reads what a run recorded about its faults.

use super::Outcome;
use serde_json::Value;
use std::path::Path;

const MS: i64 = 1_000_000;

/// One occurrence of a fault.
pub struct Occurrence {
    /// From when it was due until it was seen to hold.
    pub begin_ms: f64,
    /// From when its heal was due until it had healed.
    pub heal_ms: Option<f64>,
    /// Whether a node was wired anew for its heal.
    pub by_start: bool,
    /// Whether it was over at once.
    pub is_instant: bool,
    /// What proved it.
    pub proof: Option<String>,
    due: i64,
    began: i64,
    ends: i64,
}

/// A record.
pub struct Record {
    events: Vec<Value>,
    lab: Value,
    latency: Vec<Latency>,
}

/// Requests of one node, slot and outcome.
struct Latency {
    t: i64,
    node: String,
    is_good: bool,
    le_us: u64,
    count: u64,
}

impl Record {
    /// Reads its folder.
    pub fn read(folder: &Path) -> Outcome<Record> {
        let text = |name: &str| std::fs::read_to_string(folder.join(name));
        let events: Result<Vec<Value>, _> = text("events.jsonl")?
            .lines()
            .map(serde_json::from_str)
            .collect();
        let latency = text("latency.csv")?;
        let rows = latency
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(1);
        Ok(Record {
            events: events?,
            lab: serde_json::from_str(&text("lab.json")?)?,
            latency: rows.filter_map(row).collect(),
        })
    }

    /// Every time that a fault was in effect; `node` is what it acts on.
    pub fn occurrences(&self, fault: &str, node: &str) -> Vec<Occurrence> {
        let of = |event: &'static str, number: &Value| {
            let is = |e: &&Value| {
                e["event"] == event && e["fault"] == *fault && e["occurrence"] == *number
            };
            self.events.iter().find(is)
        };
        let began = self
            .events
            .iter()
            .filter(|e| e["event"] == "fault-began" && e["fault"] == *fault);
        let occurrence = |began: &Value| {
            let number = &began["occurrence"];
            let (t, due) = (ns(&began["t"]), ns(&began["due"]));
            let heal = of("heal-started", number);
            let healed = of("fault-healed", number).map(|e| ns(&e["t"]));
            let started = heal.map_or(t, |e| ns(&e["t"]));
            let heal_due = heal.map_or(t, |e| ns(&e["due"]));
            let wired = |e: &Value| {
                e["event"] == "node-wired"
                    && e["node"] == *node
                    && (started..=healed.unwrap_or(0)).contains(&ns(&e["t"]))
            };
            let proof = of("fault-proven", number).and_then(|e| e["seen"].as_str());
            Occurrence {
                begin_ms: (t - due) as f64 / 1e6,
                heal_ms: healed.map(|at| (at - heal_due) as f64 / 1e6),
                by_start: self.events.iter().any(wired),
                is_instant: started - t < MS,
                proof: proof.map(str::to_owned),
                due,
                began: t,
                ends: started,
            }
        };
        began.map(occurrence).collect()
    }

    /// Whether a fault does something to nodes themselves, not only to their network.
    pub fn acts_on_nodes(&self, fault: &str) -> bool {
        let faults = self.lab["scenario"]["faults"].as_array();
        let mut of = faults
            .into_iter()
            .flatten()
            .filter(|one| one["name"] == *fault);
        let network = ["links", "resolver", "abort"];
        of.any(|one| {
            let effects = one["effects"].as_array();
            let mut effects = effects.into_iter().flatten();
            effects.any(|effect| network.iter().all(|word| effect.get(word).is_none()))
        })
    }

    /// What a client's requests were before and while a fault was in effect; none: it asked nothing.
    pub fn felt(&self, client: &str, all: &[Occurrence]) -> Option<String> {
        let before = self.asked(client, all, |once| {
            (once.due - 1_200 * MS, once.due - 600 * MS)
        });
        // What was under way when it began or ended is neither.
        let during = self.asked(client, all, |once| match once.is_instant {
            true => (once.began - 300 * MS, once.began),
            false => (once.began + 100 * MS, once.ends - 600 * MS),
        });
        let ((was, took), (is, takes)) = (before?, during?);
        Some(match (was - is).abs() > 0.02 {
            true => format!("success {:.0} % → {:.0} %", was * 100.0, is * 100.0),
            false => format!("median {took:.1} ms → {takes:.1} ms"),
        })
    }

    /// Share of success and median of it in ms.
    fn asked(
        &self,
        client: &str,
        all: &[Occurrence],
        window: impl Fn(&Occurrence) -> (i64, i64),
    ) -> Option<(f64, f64)> {
        let inside = |t: i64| {
            all.iter()
                .map(&window)
                .any(|(from, to)| t >= from && t + 100 * MS <= to)
        };
        let rows: Vec<&Latency> = self
            .latency
            .iter()
            .filter(|row| row.node == client && inside(row.t))
            .collect();
        let count = |good: bool| -> u64 {
            rows.iter()
                .filter(|row| row.is_good || !good)
                .map(|row| row.count)
                .sum()
        };
        let (good, asked) = (count(true), count(false));
        let mut sorted: Vec<&&Latency> = rows.iter().filter(|row| row.is_good).collect();
        sorted.sort_by_key(|row| row.le_us);
        let mut seen = 0;
        let middle = sorted.iter().find(|row| {
            seen += row.count;
            seen * 2 >= good
        });
        let median = middle.map_or(f64::NAN, |row| row.le_us as f64 / 1e3);
        (asked > 0).then(|| (good as f64 / asked as f64, median))
    }
}

fn ns(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// `t,node,op,outcome,le_us,count`
fn row(line: &str) -> Option<Latency> {
    let fields: Vec<&str> = line.split(',').collect();
    Some(Latency {
        t: fields.first()?.parse().ok()?,
        node: (*fields.get(1)?).to_owned(),
        is_good: ["ok", "missing"].contains(fields.get(3)?),
        le_us: fields.get(4)?.parse().unwrap_or(0),
        count: fields.get(5)?.parse().ok()?,
    })
}
