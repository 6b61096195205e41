//! Capture: what went over links, as a pcapng file.
//!
//! Owns the way from the forwarding thread to a file: a bounded queue and a thread that writes.
//! The forwarding thread copies a frame when somebody captures its link, and never waits; what finds
//! the queue full is left out of the file and counted.
//!
//! A packet stands in the file once, at the time it was given to the receiver or dropped, with the
//! cause of a drop as its comment (`dropped: loss`), under an interface named after its link
//! (`client-1 > server`). A file that was ended ends with how many packets are in it and how many are
//! missing ([`summary`]). Offload packets are written as the segments they stand for.

use super::frame::Frame;
use super::model::Cause;
use super::offload;
use super::pcapng::{self, Writer};
use crate::id::NodeIndex;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Packets that may wait to be written.
const WAITING: usize = 4096;
/// Their bytes.
const WAITING_BYTES: u64 = 16 << 20;

/// Which packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of the lab.
    All,
    /// Those a node sends or is sent.
    Node(NodeIndex),
    /// Those between two nodes, in both directions.
    Between(NodeIndex, NodeIndex),
    /// Those of one link.
    Link {
        /// The sender.
        from: NodeIndex,
        /// The receiver.
        to: NodeIndex,
    },
}

/// A node's number in captures: never given twice, while a [`NodeIndex`] may change its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Serial(u32);

/// Names of all nodes there ever were, by [`Serial`].
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<Vec<String>>>);

impl Names {
    fn list(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for one more node.
    pub(super) fn add(&self, name: &str) -> Serial {
        let mut names = self.list();
        names.push(name.to_owned());
        Serial(names.len() as u32 - 1)
    }

    /// The name of a node.
    pub(super) fn get(&self, node: Serial) -> String {
        let name = self.list().get(node.0 as usize).cloned();
        name.unwrap_or_else(|| "?".to_owned())
    }
}

/// A [`Filter`] that outlives a change of the nodes; a node that there is not has no number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sieve {
    All,
    Node(Option<Serial>),
    Between(Option<Serial>, Option<Serial>),
    Link(Option<Serial>, Option<Serial>),
}

impl Filter {
    /// With the nodes' numbers.
    pub(super) fn sieve(self, of: impl Fn(NodeIndex) -> Option<Serial>) -> Sieve {
        match self {
            Filter::All => Sieve::All,
            Filter::Node(node) => Sieve::Node(of(node)),
            Filter::Between(a, b) => Sieve::Between(of(a), of(b)),
            Filter::Link { from, to } => Sieve::Link(of(from), of(to)),
        }
    }
}

impl Sieve {
    fn takes(self, from: Serial, to: Serial) -> bool {
        let (from, to) = (Some(from), Some(to));
        match self {
            Sieve::All => true,
            Sieve::Node(node) => node == from || node == to,
            Sieve::Between(a, b) => [(a, b), (b, a)].contains(&(from, to)),
            Sieve::Link(a, b) => (a, b) == (from, to),
        }
    }
}

/// One frame for the file.
struct Record {
    link: (Serial, Serial),
    time: u64,
    cause: Option<Cause>,
    frame: Box<[u8]>,
}

/// What the two ends share.
#[derive(Default)]
struct Shared {
    waiting_bytes: AtomicU64,
    lost: AtomicU64,
}

/// The forwarding thread's end.
pub(super) struct Tap {
    sieve: Sieve,
    records: SyncSender<Record>,
    shared: Arc<Shared>,
}

impl Tap {
    /// Sends a copy to the file; `false` when nobody writes it any more.
    pub(super) fn see(
        &self,
        link: (Serial, Serial),
        frame: &[u8],
        cause: Option<Cause>,
        time: u64,
    ) -> bool {
        if !self.sieve.takes(link.0, link.1) {
            return true;
        }
        let bytes = frame.len() as u64;
        if self.shared.waiting_bytes.load(Ordering::Relaxed) + bytes > WAITING_BYTES {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        self.shared
            .waiting_bytes
            .fetch_add(bytes, Ordering::Relaxed);
        let record = Record {
            link,
            time,
            cause,
            frame: frame.into(),
        };
        use std::sync::mpsc::TrySendError;
        match self.records.try_send(record) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.shared
                    .waiting_bytes
                    .fetch_sub(bytes, Ordering::Relaxed);
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

/// What a capture wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureSummary {
    /// Packets in the file.
    pub packets: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Frames that are missing because writing was too slow.
    pub lost: u64,
}

/// Packets in a file and packets missing from it, from its last bytes; none when it was not ended, or
/// holds no packet.
pub fn summary(end_of_file: &[u8]) -> Option<(u64, u64)> {
    pcapng::statistics(end_of_file)
}

/// A capture under way. It ends when this is dropped, when the file has its size, or with the fabric.
pub struct Capture {
    /// Closing it ends the thread.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<io::Result<CaptureSummary>>>,
}

impl Capture {
    /// Ends it; returns when everything seen so far is written.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn stop(mut self) -> io::Result<CaptureSummary> {
        self.stop = None;
        let Some(thread) = self.thread.take() else {
            return Ok(CaptureSummary::default());
        };
        let panicked = |_| io::Error::other("the thread that writes the capture panicked");
        thread.join().map_err(panicked)?
    }

    /// Whether nothing is written any more.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// Starts the writing thread. `zero` is what CLOCK_MONOTONIC is less than the
/// time since 1970, in ns; the file grows to about `most` bytes.
pub(super) fn start(
    sieve: Sieve,
    names: Names,
    zero: u64,
    most: u64,
    file: impl Write + Send + 'static,
) -> io::Result<(Capture, Tap)> {
    let (records, inbox) = sync_channel(WAITING);
    let (stop, stopped) = sync_channel(0);
    let shared = Arc::new(Shared::default());
    let output = Output {
        shared: Arc::clone(&shared),
        names,
        zero,
        most,
        interfaces: HashMap::new(),
        summary: CaptureSummary::default(),
    };
    let thread = std::thread::Builder::new()
        .name("netlab-capture".to_owned())
        .spawn(move || output.run(&inbox, &stopped, file))?;
    let capture = Capture {
        stop: Some(stop),
        thread: Some(thread),
    };
    Ok((
        capture,
        Tap {
            sieve,
            records,
            shared,
        },
    ))
}

/// The writing end.
struct Output {
    shared: Arc<Shared>,
    names: Names,
    zero: u64,
    most: u64,
    interfaces: HashMap<(Serial, Serial), u32>,
    summary: CaptureSummary,
}

impl Output {
    fn run(
        mut self,
        inbox: &Receiver<Record>,
        stopped: &Receiver<()>,
        file: impl Write,
    ) -> io::Result<CaptureSummary> {
        use std::sync::mpsc::RecvTimeoutError::Disconnected;
        let mut writer = Writer::new(io::BufWriter::new(file))?;
        let beat = std::time::Duration::from_millis(50);
        loop {
            let over = stopped.try_recv() == Err(TryRecvError::Disconnected);
            match inbox.recv_timeout(if over {
                std::time::Duration::ZERO
            } else {
                beat
            }) {
                Ok(record) => self.write(&mut writer, &record)?,
                Err(Disconnected) => break,
                Err(_) if over => break,
                Err(_) => writer.flush()?,
            }
            if writer.written >= self.most {
                break;
            }
        }
        self.summary.lost = self.shared.lost.load(Ordering::Relaxed);
        let CaptureSummary { packets, lost, .. } = self.summary;
        writer.statistics(packets, lost)?;
        writer.flush()?;
        self.summary.bytes = writer.written;
        Ok(self.summary)
    }

    fn write<W: Write>(&mut self, writer: &mut Writer<W>, record: &Record) -> io::Result<()> {
        let bytes = record.frame.len() as u64;
        self.shared
            .waiting_bytes
            .fetch_sub(bytes, Ordering::Relaxed);
        let interface = match self.interfaces.get(&record.link) {
            Some(known) => *known,
            None => {
                let (from, to) = (self.names.get(record.link.0), self.names.get(record.link.1));
                let number = writer.interface(&format!("{from} > {to}"))?;
                self.interfaces.insert(record.link, number);
                number
            }
        };
        let comment = record.cause.map(|c| format!("dropped: {}", c.name()));
        let time = record.time.wrapping_add(self.zero);
        let mut one = |frame: &Frame, summary: &mut CaptureSummary| {
            summary.packets += 1;
            let packet = offload::packet(frame);
            writer.packet(interface, time, packet, comment.as_deref())
        };
        let mut frame = Frame::small();
        if let Ok(Some(parts)) = offload::parts(&record.frame) {
            for number in 0..parts.count() {
                parts.segment(&record.frame, number, &mut frame);
                one(&frame, &mut self.summary)?;
            }
            return Ok(());
        }
        frame.fill(&[&record.frame]);
        offload::complete(&mut frame);
        one(&frame, &mut self.summary)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pcapng::tests::read;
    use super::*;

    const A: Serial = Serial(0);
    const B: Serial = Serial(1);

    #[derive(Clone, Default)]
    struct File(Arc<Mutex<Vec<u8>>>);

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn begin(filter: Filter, most: u64) -> (File, Capture, Tap) {
        let file = File::default();
        let names = Names::default();
        let numbers = ["a", "b"].map(|name| names.add(name));
        let sieve = filter.sieve(|node| numbers.get(node.at()).copied());
        let (capture, tap) = start(sieve, names, 1000, most, file.clone()).unwrap();
        (file, capture, tap)
    }

    #[test]
    fn a_capture_holds_what_its_filter_takes() {
        let (a, b) = (NodeIndex(0), NodeIndex(1));
        let link = Filter::Link { from: a, to: b };
        for (filter, expected) in [
            (Filter::All, 2),
            (Filter::Node(b), 2),
            (Filter::Node(NodeIndex(5)), 0),
            (Filter::Between(b, a), 2),
            (link, 1),
        ] {
            let (file, capture, tap) = begin(filter, u64::MAX);
            let frame = Frame::around(&[0x45; 60]);
            assert!(tap.see((A, B), &frame, Some(Cause::Loss), 5));
            assert!(tap.see((B, A), &frame, None, 6));
            let summary = capture.stop().unwrap();
            let file = file.0.lock().unwrap().clone();
            let packets = read(&file);
            let said = (expected > 0).then_some((expected as u64, 0));
            assert_eq!(super::summary(&file), said);
            assert_eq!(
                (packets.len(), summary.packets),
                (expected, expected as u64)
            );
            if filter == Filter::All {
                let loss = Some("dropped: loss".to_owned());
                let bytes = vec![0x45; 60];
                assert_eq!(packets[0], ("a > b".to_owned(), 1005, bytes.clone(), loss));
                assert_eq!(packets[1], ("b > a".to_owned(), 1006, bytes, None));
            }
        }
    }

    #[test]
    fn a_capture_is_bounded_and_never_waits() {
        let (file, capture, tap) = begin(Filter::All, 2000);
        let frame = Frame::around(&[0x45; 1000]);
        let seen = || tap.see((A, B), &frame, None, 0);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while seen() {
            assert!(std::time::Instant::now() < deadline, "it never ends");
        }
        assert!(capture.is_over() || capture.stop().is_ok());
        assert!(file.0.lock().unwrap().len() < 4000);
    }
}
