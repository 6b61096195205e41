//! The test bed of the fabric's benches: namespaces on a fabric or on a veth pair, traffic between
//! them, a busy host, and the statistics of what was measured.
//!
//! Rulers are the applications' own clocks and counts; where the fabric's numbers are used, it says so.
#![allow(dead_code, reason = "each bench uses its part")]

#[path = "../../tests/fabric/lab.rs"]
pub mod lab;
#[path = "../../tests/fabric/noise.rs"]
pub mod noise;

pub mod stats;
pub mod tcp;
pub mod udp;

use lab::{A, B, Namespace, four, six};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Two namespaces joined by a veth pair, as A and B.
pub fn veth() -> [Namespace; 2] {
    let pair = [A, B].map(|_| Namespace::new());
    let peer = pair[1].run(|| nix::unistd::gettid().to_string());
    let run = |at: &Namespace, line: String| {
        let command = move || Command::new("ip").args(line.split(' ')).status();
        assert!(at.run(command).unwrap().success());
    };
    run(
        &pair[0],
        format!("link add eth0 type veth peer name eth0 netns {peer}"),
    );
    for (at, node) in pair.iter().zip([A, B]) {
        run(at, "link set eth0 up".to_owned());
        run(at, format!("addr add {}/16 dev eth0", four(node)));
        run(at, format!("addr add {}/64 dev eth0 nodad", six(node)));
    }
    pair
}

/// Keeps every core busy at the usual priority until it is dropped.
pub struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    pub fn all_cores() -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let spin = |stop: Arc<AtomicBool>| while !stop.load(Ordering::Relaxed) {};
        let threads = (0..cores()).map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || spin(stop))
        });
        Busy {
            threads: threads.collect(),
            stop,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// While it lives, processors that have nothing to do stay awake (Documentation/power/pm_qos_interface.rst).
pub struct Awake(#[allow(dead_code, reason = "it is its being open that counts")] std::fs::File);

impl Awake {
    pub fn hold() -> std::io::Result<Awake> {
        let mut file = std::fs::File::options()
            .write(true)
            .open("/dev/cpu_dma_latency")?;
        std::io::Write::write_all(&mut file, &0_i32.to_ne_bytes())?;
        Ok(Awake(file))
    }
}

/// Gives this thread, and those it starts, nice −20 or 0, so that other work on the host stops neither sender
/// nor receiver.
pub fn ahead_of_others(ahead: bool) {
    let (nice, thread) = (
        if ahead { "-20" } else { "0" },
        nix::unistd::gettid().to_string(),
    );
    let set = Command::new("renice")
        .args(["-n", nice, "-p", &thread])
        .output();
    if !set.is_ok_and(|output| output.status.success()) {
        eprintln!("nice {nice} was refused: other work may disturb what follows");
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the figures depend on, in one line.
pub fn conditions() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} cores, load {load}, Linux {}",
        cores(),
        kernel.trim().split('-').next().unwrap_or("?")
    )
}

/// The words of the command line; `cargo bench` adds `--bench`.
pub fn words() -> Vec<String> {
    let words = std::env::args().skip(1);
    words.filter(|word| word != "--bench").collect()
}
