//! Faults that wait for a condition, on the real engine: they begin when it holds and not before, what
//! follows them follows, a record replays their times, and one that never holds is no pass.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;
use support::{Sandbox, steady};

const SECOND: i64 = 1_000_000_000;

/// The rate is reached after five seconds: a condition over two seconds cannot hold before.
const BUSY: &str = "name: busy
nodes:
  server: { role: server }
  client:
    role: client
    load: { target: server, rate: { from: 5/s, to: 50/s, over: 5s }, timeout: 500ms }
scenario:
  warmup: 1s
  duration: 20s
  quiet: 1s
  faults:
    loss: { when: 'throughput(client, last=2s) > 30/s', within: 12s, for: 1s, kill: server }
    freeze: { after: { fault: loss, delay: 1s }, for: 1s, pause: server }
";

#[test]
fn a_fault_begins_when_its_condition_holds_and_its_record_plays_it_again() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("busy") else {
            return;
        };
        let file = sandbox.topology("busy.yaml", BUSY);
        sandbox.netlab(&["run", &file]).expect(0);
        let first = sandbox.record("busy");
        // 30/s on average over two seconds, on a ramp of 9/s each second: four seconds at the soonest.
        let loss = first.time("fault-began", Some("loss"));
        assert!(loss > 4 * SECOND, "{loss}");
        // A second after the heal, by the schedule; effects are seen some milliseconds after it.
        assert!(first.time("fault-began", Some("freeze")) > loss + 3 * SECOND / 2);
        first.of("condition-held", "loss");

        let timeline = first.folder.join("timeline.json");
        let timeline = timeline.to_str().unwrap();
        sandbox
            .netlab(&["run", &file, "--timeline", timeline])
            .expect(0);
        let second = sandbox.record("busy");
        assert_ne!(first.folder, second.folder);
        for fault in ["loss", "freeze"] {
            let times = [&first, &second].map(|record| record.time("fault-began", Some(fault)));
            let apart = Duration::from_nanos(times[0].abs_diff(times[1]));
            assert!(apart < Duration::from_millis(500), "{fault}: {times:?}");
        }
    });
}

#[test]
fn a_fault_whose_condition_never_holds_is_inconclusive_with_what_was_seen() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("calm") else {
            return;
        };
        let calm = BUSY.replace("name: busy", "name: calm");
        let calm = calm.replace("> 30/s', within: 12s", "> 3000/s', within: 6s");
        let file = sandbox.topology("calm.yaml", &calm);
        let done = sandbox.netlab(&["run", &file]).expect(3);
        assert!(done.stdout.contains("loss"), "{}", done.stdout);
        assert!(done.stdout.contains("throughput(client"), "{}", done.stdout);
        let record = sandbox.record("calm");
        record.of("fault-never-began", "loss");
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}
