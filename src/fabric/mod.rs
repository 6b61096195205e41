//! The fabric: every IP packet between the nodes of a lab crosses it, in user space.
//!
//! Owns ports (a TUN device per node and network), the link model, the schedule of packets under
//! way, their counters and the resolver. Must not know Docker, YAML, roles or the timeline: it is told nodes,
//! links and namespaces. It has a thread of its own and does not use tokio.
//!
//! | file | job |
//! | --- | --- |
//! | `config` | what the fabric is told, and why it may refuse |
//! | `wire` | makes a device and configures it inside a namespace |
//! | `model` | the fate of one packet on one link: pure; with `chance` (draws) and `line` (capacity) |
//! | `map`, `ways` | places and addresses, and the way from one to another: pure |
//! | `switch` | what becomes of packets: no device, no clock; with `frame` (buffers, schedule) |
//! | `worker` | the loop over devices and timer |
//! | `packet`, `harm`, `offload`, `coalesce`, `resolver` | bytes of IP, wrong bits, super-packets and DNS: pure |
//! | `counters` | what is counted |
//! | `capture`, `pcapng` | packets into a file |
//! | `forget` | path mtus that kernels have learned |
//! | `sys`, `netlink` | system calls |
//!
//! A packet's time on a link starts when the fabric reads it from the sender's device and ends when
//! it is written to the receiver's: never earlier than declared, later by what [`Fabric::lag`] says.
//! On a way of several hops the next link begins when the one before was due to end.
//!
//! Measured on two virtual cores (`cargo bench --bench fabric`; medians of interleaved turns, ranges of
//! runs). All of it varies with the host and its load:
//! - a clean link adds 0 to 60 µs to a veth pair's round trip of 6 to 50 µs, and after 4 ms of silence 80 to 200 µs: processors that
//!   sleep have to wake for the fabric, for the receiver and for the sender. While they are kept awake
//!   (`/dev/cpu_dma_latency`) it is 6 to 8 and 25 to 46 µs, and with all of it on one processor 9 to 12 and 32 to 36;
//! - a TCP connection over a clean link has 0.5 to 1.0 of the veth pair's throughput under BBR (4 to 15 Gbit/s; medians of
//!   runs 0.8 to 0.9) and 0.4 to 1.1 under CUBIC and Reno (8 to 40 Gbit/s; a veth pair 28 to 52; medians 0.9 to 1.05). Every byte is copied four times instead of
//!   twice: of 20 µs that the thread spends on 64 KiB, 6 are the copy in, 5 the copy out, most of the rest both
//!   kernels' TCP, and less than one is ours (perf);
//! - where packets are looked at one by one, but leave together, TCP has 10 Gbit/s (`worker/deliver`);
//!   small datagrams pass at 50,000 to 200,000 a second, about as over the veth pair;
//! - 200 nodes send each other datagrams, all pairs, and none is lost. While the counters of those 39,800 links are
//!   read the lag's p99 is 0.1 ms, 0.1 to 0.2 with their delays; a change of all of them at once, by a fault or as another
//!   configuration, is one piece, and packets wait 5 to 8 ms for it;
//! - polling after each packet is worse: for 20 µs the round trip was 60 instead of 26 µs, for 60 µs
//!   140 µs, and throughput the same within the noise: the application's thread waits for the processor
//!   that polls. SCHED_OTHER with nice −20 has a lag p99 of 11 ms under load. So the thread sleeps between packets,
//!   under SCHED_FIFO, and polls only where the next one is due at once ([`worker`]), or where an answer can be
//!   expected and no thread waits for a processor (`worker/linger`).

pub mod capture;
mod chance;
mod coalesce;
mod config;
mod counters;
mod forget;
mod frame;
mod harm;
mod line;
mod map;
pub mod model;
mod netlink;
mod offload;
mod packet;
mod pcapng;
mod resolver;
mod switch;
mod sys;
mod ways;
pub mod wire;
mod witness;
mod worker;

pub use crate::lab::{Reach, Wires};
pub use config::{
    AccessChange, Answers, Config, FabricError, InterfaceConfig, LinkChange, MAX_NODES,
    NetworkConfig, NodeConfig, ResolverChange, ResolverManner, V4_PREFIX, V6_PREFIX,
};
pub use counters::{DelaySnapshot, Dropped, LagSnapshot, LinkCounters, LinkState, PortCounters};
pub use frame::{IN_FLIGHT, IN_FLIGHT_BYTES};
pub use switch::ICMP_PER_SECOND;
pub use switch::witness::{LinkWitness, Place, Standing, TRIED};
pub use sys::{Priority, Tun};

use crate::id::{NetworkIndex, NodeIndex};
use crate::link::Trace;
use nix::sys::eventfd::EventFd;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use switch::Switch;
use switch::tally::Look;
use worker::{Command, Worker};

/// How long the forwarding thread may take for a command, and for its end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Commands that may wait.
const COMMANDS: usize = 64;

/// A running fabric. Dropping it stops its thread and closes all devices.
pub struct Fabric {
    commands: SyncSender<Command>,
    wake: Arc<EventFd>,
    /// Closes when the thread has ended. In a lock only to make the fabric shareable.
    ended: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fabric {
    /// Starts the forwarding thread; no node is attached yet.
    ///
    /// # Errors
    /// A configuration that contradicts itself, or no thread.
    pub fn start(config: Config) -> Result<Fabric, FabricError> {
        let nodes = config.nodes.len();
        let switch = Switch::new(config)?;
        let start = |e: nix::Error| FabricError::Start(e.into());
        let wake = Arc::new(worker::wake_up().map_err(start)?);
        let (commands, inbox) = sync_channel(COMMANDS);
        let worker = Worker::new(switch, inbox, Arc::clone(&wake)).map_err(start)?;
        let (end, ended) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("netlab-fabric".to_owned())
            .spawn(move || {
                if let Err(error) = worker.run() {
                    tracing::error!(%error, "the forwarding thread failed");
                }
                drop(end);
            })
            .map_err(FabricError::Start)?;
        let fabric = Fabric {
            commands,
            wake,
            ended: Mutex::new(ended),
            thread: Some(thread),
        };
        let priority = fabric.priority()?;
        tracing::debug!(?priority, nodes, "fabric started");
        Ok(fabric)
    }

    /// Runs `work` on the forwarding thread between two packets and returns its result.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, FabricError> {
        let (answer, answered) = sync_channel(1);
        self.tell(Box::new(move |worker| {
            let _ = answer.send(work(worker)); // an asker that gave up needs no answer
        }))?;
        hear(&answered)
    }

    /// All rows of a look at the links, of which the forwarding thread does a part at a time.
    fn look<T: Send + 'static>(&self, mut look: Look<T>) -> Result<Vec<T>, FabricError> {
        let (answer, answered) = sync_channel(1);
        let part = move |worker: &mut Worker| {
            let all = look.go_on(&worker.switch, sys::now());
            all.map(|all| answer.send(all)).is_some()
        };
        self.tell(Box::new(|worker| worker.work_on(Box::new(part))))?;
        Ok(hear(&answered)?.into_iter().flatten().collect())
    }

    fn tell(&self, command: Command) -> Result<(), FabricError> {
        self.commands.send(command).map_err(|_| FabricError::Gone)?;
        self.wake.write(1).map_err(|_| FabricError::Gone)?;
        Ok(())
    }

    /// How the devices of `node` shall look, in the order of its interfaces: `eth0`, `eth1`, … Each has
    /// its own network's prefix, and routes to those networks to which the way through it crosses the
    /// fewest wires. Multicast and limited broadcast leave through the first.
    ///
    /// # Errors
    /// Unknown node.
    pub fn wire_specs(
        &self,
        node: NodeIndex,
    ) -> Result<Vec<(NetworkIndex, wire::WireSpec)>, FabricError> {
        self.ask(move |worker| {
            let map = worker.switch.map();
            map.check(node)?;
            Ok(map.wire_specs(node))
        })?
    }

    /// Takes over the device of `node` in a network; one it had there before is closed.
    ///
    /// # Errors
    /// A node that is not in the network, or the kernel refuses to watch the device.
    pub fn attach(
        &self,
        node: NodeIndex,
        network: NetworkIndex,
        tun: Tun,
    ) -> Result<(), FabricError> {
        self.ask(move |worker| {
            let port = worker.switch.map().port(node, network)?;
            let attach = |source: nix::Error| FabricError::Attach {
                node,
                source: source.into(),
            };
            worker.attach(port, tun).map_err(attach)
        })?
    }

    /// Lets go of all devices of `node`: they disappear, and packets to the node, or over it as a hop,
    /// are dropped in silence (`no_port`). Nothing happens when it has none.
    ///
    /// # Errors
    /// Unknown node.
    pub fn detach(&self, node: NodeIndex) -> Result<(), FabricError> {
        self.ask(move |worker| {
            worker.switch.map().check(node)?;
            worker.detach(node);
            Ok(())
        })?
    }

    /// Applies all changes between two packets; returns the time on CLOCK_MONOTONIC (ns) from which
    /// they hold. Before it returns, kernels that were told of an mtu that is larger now have forgotten
    /// it.
    ///
    /// # Errors
    /// An unknown link or trace: then none of the changes is applied.
    pub fn change(&self, changes: &[LinkChange]) -> Result<u64, FabricError> {
        let changes = changes.to_vec();
        let (at, told) = self.ask(move |worker| {
            let told = worker.switch.change(&changes)?;
            Ok::<_, FabricError>((sys::now(), worker.devices_of(&told)))
        })??;
        Fabric::forget_path_mtus(told);
        Ok(at)
    }

    /// Sampled devices are consumed one by one: a descriptor held longer would keep a device of a
    /// dead node.
    fn forget_path_mtus(devices: Vec<(NodeIndex, Arc<Tun>)>) {
        for (node, tun) in devices {
            if let Err(error) = forget::path_mtus(&tun) {
                // A device that is gone has taken its kernel's memory with it.
                tracing::debug!(%error, node = node.0, "a path mtu is not forgotten");
            }
        }
    }

    /// Applies changes of access links as [`Fabric::change`] does those of links.
    ///
    /// # Errors
    /// An unknown node: then none of the changes is applied.
    pub fn change_access(&self, changes: &[AccessChange]) -> Result<u64, FabricError> {
        let changes = changes.to_vec();
        self.ask(move |worker| worker.switch.change_access(&changes).map(|()| sys::now()))?
    }

    /// Aborts the TCP connections of which packets cross one of these links, from first to second: both
    /// ends get a reset that they believe. Returns how many, and the time on CLOCK_MONOTONIC (ns).
    ///
    /// # Errors
    /// An unknown node: then nothing is aborted.
    pub fn abort(&self, links: &[(NodeIndex, NodeIndex)]) -> Result<(u64, u64), FabricError> {
        let links = links.to_vec();
        self.ask(move |worker| worker.abort(&links))?
    }

    /// Changes how the resolver answers nodes, as [`Fabric::change`] does links. Answers that wait keep
    /// their time and what they say. [`Fabric::reconfigure`] leaves the nodes that stay their manner.
    ///
    /// # Errors
    /// An unknown node: then none of the changes is applied.
    pub fn change_resolver(&self, changes: &[ResolverChange]) -> Result<u64, FabricError> {
        let changes = changes.to_vec();
        self.ask(move |worker| worker.switch.change_resolver(&changes).map(|()| sys::now()))?
    }

    /// Becomes what `config` says, between two packets; returns the time on CLOCK_MONOTONIC (ns) from
    /// which it holds. `was[i]` is the index that node i of `config` had before; none: it is new.
    ///
    /// - What both configurations have (networks are the same by name) stays as it is: devices, both
    ///   directions of a link between two nodes that stay (its draws, counters, packets under way and their order), access
    ///   links, captures, traces. A link or access link is changed only where `config` says other
    ///   than what holds now, as [`Fabric::change`] would: what a fault has changed is changed back
    ///   unless `config` says what the fault does. A link that was told to be
    ///   down ([`LinkChange::down`]) stays so, whatever is said.
    /// - A node that no entry of `was` names, or that left a network, is gone (there): its device is
    ///   closed, and what is under way from, to or over it is dropped (as `no_port` in captures; its counters are gone, too).
    /// - A new node begins without device.
    /// - Path mtus are forgotten as by [`Fabric::change`].
    ///
    /// From here on every [`NodeIndex`] is one of `config`, also those that
    /// [`Fabric::on_lost_device`] reports.
    ///
    /// # Errors
    /// A configuration that contradicts itself or names an unknown trace, or a `was` that does not
    /// fit: then everything is as it was.
    pub fn reconfigure(
        &self,
        config: Config,
        was: &[Option<NodeIndex>],
    ) -> Result<u64, FabricError> {
        let was = was.to_vec();
        // Made here: packets need not wait for it.
        let new = Switch::new(config)?;
        let (at, told) = self.ask(move |worker| {
            let told = worker.reconfigure(new, &was)?;
            Ok::<_, FabricError>((sys::now(), worker.devices_of(&told)))
        })??;
        Fabric::forget_path_mtus(told);
        Ok(at)
    }

    /// Gives the traces that links may name from now on ([`LinkProperties::trace`]); they begin now.
    /// Links that name one of those given before play the new one.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn set_traces(&self, traces: Vec<Trace>) -> Result<(), FabricError> {
        let traces = traces.into_iter().map(Arc::new).collect();
        self.ask(|worker| worker.switch.set_traces(traces, sys::now()))
    }

    /// Sets the time (CLOCK_MONOTONIC, ns) at which all traces begin, such as the zero of a run.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn begin_traces(&self, at: u64) -> Result<(), FabricError> {
        self.ask(move |worker| worker.switch.begin_traces(at))
    }

    /// Calls `callback` on the forwarding thread whenever a node's devices are gone because its
    /// namespace died (not after [`Fabric::detach`]): once per node, for one device takes the others
    /// with it. It must return at once: send to a channel.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn on_lost_device(
        &self,
        callback: impl Fn(NodeIndex) + Send + 'static,
    ) -> Result<(), FabricError> {
        self.ask(move |worker| worker.on_lost = Some(Box::new(callback)))
    }

    /// Links that carried or dropped something since the start, sorted by network, sender and receiver. Each
    /// row is as it was at one moment; those of a large lab are read in parts, between which packets pass.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn counters(&self) -> Result<Vec<LinkCounters>, FabricError> {
        let mut all = self.look(Look::counters())?;
        all.sort_unstable_by_key(LinkCounters::link);
        Ok(all)
    }

    /// The same with the time that packets were under way.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn links(&self) -> Result<Vec<LinkState>, FabricError> {
        let mut all = self.look(Look::states())?;
        all.sort_unstable_by_key(|state| state.counters.link());
        Ok(all)
    }

    /// How long packets were under way on the link from `from` to `to` since the start.
    ///
    /// # Errors
    /// A node that is not in the network.
    pub fn delays(
        &self,
        network: NetworkIndex,
        from: NodeIndex,
        to: NodeIndex,
    ) -> Result<DelaySnapshot, FabricError> {
        self.ask(move |worker| {
            let (from, to) = worker.switch.ends(network, from, to)?;
            Ok(worker.switch.delays(from, to))
        })?
    }

    /// Writes the packets that `filter` takes into `file`, as pcapng, until the capture is stopped or
    /// dropped, or the file has about `most` bytes. A file that is too slow loses packets (counted),
    /// not time.
    ///
    /// # Errors
    /// No thread for it, or [`FabricError::Gone`].
    pub fn capture(
        &self,
        filter: capture::Filter,
        most: u64,
        file: impl io::Write + Send + 'static,
    ) -> Result<capture::Capture, FabricError> {
        let (sieve, names) = self.ask(move |worker| worker.switch.to_capture(filter))?;
        let zero = sys::since_1970().wrapping_sub(sys::now());
        let started = capture::start(sieve, names, zero, most, file);
        let (capture, tap) = started.map_err(FabricError::Start)?;
        self.ask(|worker| worker.switch.tap(tap))?;
        Ok(capture)
    }

    /// What every node sent that crossed no link.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn port_counters(&self) -> Result<Vec<PortCounters>, FabricError> {
        self.ask(|worker| worker.switch.port_counters())
    }

    /// How late packets left since the start.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn lag(&self) -> Result<LagSnapshot, FabricError> {
        self.ask(|worker| worker.lag.clone())
    }

    /// What rank the kernel granted to the forwarding thread.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn priority(&self) -> Result<Priority, FabricError> {
        self.ask(|worker| worker.priority)
    }

    /// Packets that the attached devices of each node dropped because the fabric did not read fast enough
    /// (`tx_dropped`), since it was wired. Nobody declared them. Sampled in the calling thread,
    /// which enters each namespace by a short-lived thread; devices that vanish meanwhile are left out.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn undeclared_drops(&self) -> Result<Vec<(NodeIndex, u64)>, FabricError> {
        let devices = self.ask(|worker| worker.devices())?;
        let mut drops: Vec<(NodeIndex, u64)> = Vec::new();
        for (node, tun) in devices {
            // Consumed one by one: a descriptor held longer would keep a device of a dead node.
            let Ok(dropped) = wire::dropped_by_device(&tun) else {
                continue;
            };
            match drops.last_mut() {
                Some((last, sum)) if *last == node => *sum += dropped,
                _ => drops.push((node, dropped)),
            }
        }
        Ok(drops)
    }

    /// Stops forwarding, closes all devices and waits for the end of the thread.
    ///
    /// # Errors
    /// [`FabricError::Gone`] when it does not end within five seconds.
    pub fn stop(mut self) -> Result<(), FabricError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), FabricError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        let told = self.ask(|worker| worker.stop = true);
        // The channel closes when the thread has dropped everything, also by panicking.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            return Err(FabricError::Gone);
        }
        thread.join().map_err(|_| FabricError::Gone)?;
        told
    }
}

/// What the forwarding thread answers.
fn hear<T>(answer: &Receiver<T>) -> Result<T, FabricError> {
    answer.recv_timeout(PATIENCE).map_err(|_| FabricError::Gone)
}

impl Drop for Fabric {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the fabric did not end in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The agent shares one fabric between its tasks.
    #[test]
    fn a_fabric_can_be_shared_and_ends_when_dropped() {
        fn shareable<T: Send + Sync>(value: T) -> T {
            value
        }
        let fabric = shareable(Fabric::start(Config {
            seed: 7,
            networks: Vec::new(),
            nodes: Vec::new(),
            names: std::collections::BTreeMap::new(),
        }));
        let fabric = fabric.unwrap();
        let unknown = fabric.detach(NodeIndex(3));
        assert!(matches!(unknown, Err(FabricError::UnknownNode(_))));
        assert!(matches!(fabric.counters(), Ok(all) if all.is_empty()));
        assert!(fabric.stop().is_ok());
    }
}
