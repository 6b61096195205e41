//! A run is written, torn, read back and brought home.
#![allow(clippy::unwrap_used)] // helpers of tests, too

use netlab::id::{Name, NetworkIndex, NodeIndex};
use netlab::lab::{
    Addresses, FORMAT, Image, Interface, Lab, Links, Network, Node, Program, Scenario,
};
use netlab::link::LinkProperties;
use netlab::metrics::LinkMetric;
use netlab::record::event::{Event, Verdict, What};
use netlab::record::{self, AgentEnv, LatencyRow, LinkSample, ReadError, Run, RunWriter, home};
use netlab::timeline::Recorded;
use netlab_protocol::control::{RequestRow, Sample};
use netlab_protocol::latency::{LatencyCount, Op, Outcome};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

const ID: &str = "20260101T120000Z-7";

fn lab() -> Lab {
    let node = |name: &str, i: u8| Node {
        name: Name::new(name).unwrap(),
        group: Name::new(name).unwrap(),
        labels: Vec::new(),
        interfaces: vec![Interface {
            network: NetworkIndex(0),
            addresses: Addresses {
                v4: Ipv4Addr::new(10, 77, 0, i),
                v6: Ipv6Addr::LOCALHOST,
            },
            fixed: false,
        }],
        forward: false,
        uplink: None,
        downlink: None,
        ports: Vec::new(),
        volume: None,
        program: Program::Image(Image {
            image: "x".into(),
            command: None,
            env: BTreeMap::new(),
            healthcheck: None,
            metrics: None,
        }),
    };
    Lab {
        format: FORMAT,
        name: Name::new("t").unwrap(),
        seed: 7,
        sampling: netlab::lab::SAMPLING,
        traces: Vec::new(),
        checks: Vec::new(),
        networks: vec![Network::implicit(Links {
            default: LinkProperties::default(),
            others: Vec::new(),
        })],
        nodes: vec![node("server", 2), node("client-1", 3)],
        groups: BTreeMap::new(),
        scenario: Some(Scenario {
            warmup: Duration::from_secs(1),
            duration: Duration::from_secs(2),
            quiet: Duration::ZERO,
            conditions: Vec::new(),
            faults: Vec::new(),
        }),
    }
}

fn event(t: i64, what: What) -> Event {
    Event { t, what }
}

fn ended() -> What {
    What::RunEnded {
        verdict: Verdict::Inconclusive,
        reasons: vec!["the host was too slow".into()],
    }
}

fn link() -> LinkSample {
    LinkSample {
        t: 1_000_000_000,
        from: NodeIndex(1),
        to: NodeIndex(0),
        metric: LinkMetric::DroppedLossTotal,
        value: 12,
    }
}

/// Writes a small run below `runs` and returns its directory.
fn write(runs: &Path) -> std::path::PathBuf {
    let dir = runs.join(ID);
    let lab = lab();
    let timeline = Recorded::of(&lab, &[]);
    let mut run = RunWriter::create(&dir, &lab, timeline.as_ref()).unwrap();
    run.event(&event(0, What::WarmupEnded)).unwrap();
    let row = LatencyCount {
        slot: 12,
        op: Op::Write,
        outcome: Outcome::Timeout,
        le_us: 1_000_000,
        count: 3,
    };
    run.latency("client-1", &[row]).unwrap();
    let sample = |metric: &str, labels: &str, value| Sample {
        metric: metric.into(),
        labels: labels.into(),
        value,
    };
    let samples = [
        sample("queue_length", "", 2.5),
        sample("requests_served_total", "status=200,node=x", 7.0),
    ];
    run.samples(-5, "server", &samples).unwrap();
    run.links(&[link()], &["server", "client-1"]).unwrap();
    run.agent_env(&AgentEnv::default()).unwrap();
    run.event(&event(3_000_000_000, ended())).unwrap();
    run.flush().unwrap();
    dir
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::read(&write(dir.path())).unwrap();
    assert_eq!((run.id.as_str(), &run.lab), (ID, &lab()));
    assert_eq!(run.timeline.unwrap().end, Duration::from_secs(3));
    assert_eq!(run.events.len(), 2);
    let row = LatencyRow {
        t: 1_200_000_000,
        node: NodeIndex(1),
        op: Op::Write,
        outcome: Outcome::Timeout,
        le_us: 1_000_000,
        count: 3,
    };
    assert_eq!(run.latency, [row]);
    let samples: Vec<_> = run
        .samples
        .iter()
        .map(|s| (s.t, s.labels.as_str(), s.value))
        .collect();
    assert_eq!(samples, [(-5, "", 2.5), (-5, "status=200,node=x", 7.0)]);
    assert_eq!(run.links, [link()]);
    assert_eq!(run.agent, Some(AgentEnv::default()));
}

/// One by one: made with the first row, read back, appended to by who goes on.
#[test]
fn requests_are_recorded_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let run = write(dir.path());
    assert!(!run.join(record::REQUESTS).exists());
    assert_eq!(record::read_requests(&run).unwrap(), []);
    let row = RequestRow {
        intended: 5,
        sent: Some(7),
        done: 90,
        op: Op::Write,
        key: Some(3),
        outcome: Outcome::Ok,
        attempts: 2,
    };
    let dropped = RequestRow {
        sent: None,
        key: None,
        outcome: Outcome::Dropped,
        attempts: 0,
        ..row
    };
    for row in [row, dropped] {
        let mut writer = RunWriter::open(&run).unwrap();
        writer.requests("client-1", &[row]).unwrap();
        writer.flush().unwrap();
    }
    assert_eq!(
        fs::read_to_string(run.join(record::REQUESTS)).unwrap(),
        "t,sent,done,node,op,key,outcome,attempts\n\
         5,7,90,client-1,write,3,ok,2\n5,,90,client-1,write,,dropped,0\n"
    );
    let read = record::read_requests(&run).unwrap();
    assert_eq!(
        (read[0].t, read[0].node, read[0].attempts),
        (5, NodeIndex(1), 2)
    );
    assert_eq!((read[1].sent, read[1].key), (None, None));
    assert_eq!(read.len(), 2);
}

#[test]
fn the_formats_are_those_documented() {
    let dir = tempfile::tempdir().unwrap();
    let run = write(dir.path());
    let text = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    assert_eq!(
        text(record::LATENCY),
        "t,node,op,outcome,le_us,count\n1200000000,client-1,write,timeout,1000000,3\n"
    );
    assert_eq!(
        text(record::SAMPLES),
        "t,node,metric,labels,value\n-5,server,queue_length,,2.5\n\
         -5,server,requests_served_total,\"status=200,node=x\",7\n"
    );
    assert_eq!(
        text(record::EVENTS),
        "{\"t\":0,\"event\":\"warmup-ended\"}\n{\"t\":3000000000,\"event\":\"run-ended\",\
         \"verdict\":\"inconclusive\",\"reasons\":[\"the host was too slow\"]}\n"
    );
}

#[test]
fn a_torn_last_line_is_left_out_and_cut_off_by_who_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let run = write(dir.path());
    for (name, torn) in [
        (record::EVENTS, "{\"t\":4,\"ev"),
        (record::LATENCY, "1300000000,client-1,wri"),
        (record::SAMPLES, "9"),
    ] {
        let mut file = OpenOptions::new()
            .append(true)
            .open(run.join(name))
            .unwrap();
        file.write_all(torn.as_bytes()).unwrap();
    }
    let read = Run::read(&run).unwrap();
    assert_eq!(
        (read.events.len(), read.latency.len(), read.samples.len()),
        (2, 1, 2)
    );
    let mut writer = RunWriter::open(&run).unwrap();
    writer.event(&event(5, What::WarmupEnded)).unwrap();
    drop(writer);
    assert_eq!(Run::read(&run).unwrap().events.len(), 3);
}

#[test]
fn an_empty_or_damaged_record_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let run = write(dir.path());
    fs::write(run.join(record::EVENTS), "").unwrap();
    assert!(Run::read(&run).unwrap().events.is_empty());
    fs::write(
        run.join(record::LATENCY),
        "1,nobody,read,ok,1,1\n1,server,read,ok,1,1\n",
    )
    .unwrap();
    let error = Run::read(&run).unwrap_err();
    assert!(
        matches!(error, ReadError::Content { line: 1, .. }),
        "{error}"
    );
    assert!(matches!(Run::read(dir.path()), Err(ReadError::File { .. })));
}

#[test]
fn a_run_is_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let run = write(dir.path());
    assert!(RunWriter::create(&run, &lab(), None).is_err());
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Not `set_path`: a hostile archive is not written by an honest library.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn only_known_files_of_runs_come_home() {
    let home_dir = tempfile::tempdir().unwrap();
    let name = Name::new("t").unwrap();
    let good = format!("runs/{ID}/events.jsonl");
    let evil = [
        format!("runs/{ID}/../../../escape.json"),
        format!("runs/{ID}/bin/lab.json"),
        format!("/runs/{ID}/lab.json"),
        format!("runs/{ID}/authorized_keys"),
        "runs/../lab.json".to_owned(),
    ];
    let mut files: Vec<(&str, &[u8])> = vec![(&good, b"x\n")];
    files.extend(evil.iter().map(|path| (path.as_str(), &b"evil"[..])));
    let archive = archive(&files);
    let unpack = |archive: &[u8]| {
        let brought = home::unpack(archive, home_dir.path(), &name).unwrap();
        let runs = brought.into_iter().map(|run| (run.id, run.is_new));
        runs.collect::<Vec<_>>()
    };
    assert_eq!(unpack(&archive), [(ID.to_owned(), true)]);
    let dir = home::run_dir(home_dir.path(), &name, ID);
    let found: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(found, ["events.jsonl"]);
    assert_eq!(fs::read_dir(home_dir.path()).unwrap().count(), 1);
    home::write_log(&dir, &name, b"hello").unwrap();
    assert_eq!(fs::read(dir.join("logs/t.log")).unwrap(), b"hello");
    // What is at home as it is, is not completed again; without its page it is.
    assert_eq!(unpack(&archive), [(ID.to_owned(), true)]);
    home::write_report(&dir, "page").unwrap();
    assert_eq!(unpack(&archive), [(ID.to_owned(), false)]);
    let longer = self::archive(&[(&good, b"x\ny\n")]);
    assert_eq!(unpack(&longer), [(ID.to_owned(), true)]);
    assert_eq!(fs::read(dir.join("events.jsonl")).unwrap(), b"x\ny\n");
}
