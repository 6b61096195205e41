//! Reads `requests.csv`, without the library: the ruler must not be made by what it measures.

use super::{Record, SECOND};

/// A row of `requests.csv`, read without the library.
pub struct Row {
    pub intended: i64,
    pub sent: Option<i64>,
    pub done: i64,
    pub node: String,
    pub outcome: String,
    pub attempts: u32,
}

impl Row {
    /// Seconds from the intended time.
    pub fn took(&self) -> f64 {
        (self.done - self.intended) as f64 / SECOND as f64
    }
}

pub fn rows(record: &Record) -> Vec<Row> {
    let text = std::fs::read_to_string(record.folder.join("requests.csv")).unwrap();
    let mut lines = text.lines();
    let header = "t,sent,done,node,op,key,outcome,attempts";
    assert_eq!(lines.next(), Some(header));
    let row = |line: &str| {
        let f: Vec<&str> = line.split(',').collect();
        Row {
            intended: f[0].parse().unwrap(),
            sent: f[1].parse().ok(),
            done: f[2].parse().unwrap(),
            node: f[3].into(),
            outcome: f[6].into(),
            attempts: f[7].parse().unwrap(),
        }
    };
    lines.map(row).collect()
}

/// The latency in seconds that a share of a node's requests does not exceed.
pub fn quantile(rows: &[Row], node: &str, share: f64) -> f64 {
    let mut took: Vec<f64> = rows
        .iter()
        .filter(|row| row.node == node && row.outcome == "missing")
        .map(Row::took)
        .collect();
    took.sort_by(f64::total_cmp);
    let at = (took.len() as f64 * share).ceil() as usize;
    took[at.max(1) - 1]
}
