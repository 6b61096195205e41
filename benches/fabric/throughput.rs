//! TCP: clean against a veth pair, and at a delay against mm-delay.

use crate::bed::lab::lab;
use crate::bed::{lab, stats, tcp, veth};
use crate::{mahimahi, print};
use netlab::link::LinkProperties;
use std::time::Duration;

const ROUNDS: usize = 5;
const WARM: Duration = Duration::from_millis(200);
const TIME: Duration = Duration::from_millis(800);

fn giga(values: &[f64]) -> String {
    let giga: Vec<f64> = values.iter().map(|v| v / 1e9).collect();
    format!("{} Gbit/s", stats::spread(&giga))
}

pub fn clean() {
    let (_fabric, nodes) = lab(3, LinkProperties::default());
    let bare = veth();
    for congestion in tcp::available(&["cubic", "bbr", "reno"]) {
        let measure =
            |[a, b]: [&lab::Namespace; 2]| tcp::throughput([a, b], Some(congestion), WARM, TIME);
        let rounds = (0..ROUNDS).map(|_| {
            let bare = measure([&bare[0], &bare[1]]);
            (bare, measure([&nodes[0], &nodes[1]]))
        });
        let (bare, fabric): (Vec<_>, Vec<_>) = rounds.unzip();
        let ratios: Vec<_> = fabric.iter().zip(&bare).map(|(f, b)| f / b).collect();
        print(&format!("{congestion}, veth pair"), &giga(&bare), "");
        print(&format!("{congestion}, fabric"), &giga(&fabric), "");
        let what = format!("{congestion}, fabric to veth");
        print(&what, &stats::spread(&ratios), "budget ≥ 0.9");
    }
}

pub fn delayed() {
    let delay = Duration::from_millis(5);
    let (_fabric, [a, b, _c]) = lab(3, lab::delayed(5));
    let warm = Duration::from_secs(1);
    let rounds = (0..3).map(|_| tcp::throughput([&a, &b], None, warm, TIME));
    let fabric: Vec<_> = rounds.collect();
    print("fabric", &giga(&fabric), "");
    match mahimahi::delayed(delay, warm, TIME) {
        Ok(rate) => {
            print("mm-delay", &giga(&[rate]), "");
            let ratio = stats::median(&fabric) / rate;
            print("fabric to mm-delay", &format!("{ratio:.1}"), "budget ≥ 10");
        }
        Err(why) => print("mm-delay", &format!("not measured: {why}"), "budget ≥ 10 ×"),
    }
}
