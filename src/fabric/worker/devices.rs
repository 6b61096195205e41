//! The devices a worker watches.
//!
//! Owns which port has which, from when it is attached until it is closed. Must not know packets.

use super::super::FabricError;
use super::super::map::PortIndex;
use super::super::switch::Switch;
use super::super::sys::{self, Tun};
use super::Worker;
use super::rest::Account;
use crate::id::NodeIndex;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A device and the token under which epoll reports it. Every attachment has a token of its own, so
/// that an event of an earlier device, or of an earlier numbering, is nobody's.
pub(super) struct Port {
    pub tun: Arc<Tun>,
    pub token: u64,
    pub junk: Account,
}

impl Worker {
    /// Takes over the device of a port; one it had before is closed.
    pub(in super::super) fn attach(&mut self, port: PortIndex, tun: Tun) -> nix::Result<()> {
        self.release(port);
        let token = self.attached;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, token);
        self.epoll.add(&tun, event)?;
        self.attached += 1;
        self.tokens.insert(token, port);
        let tun = Arc::new(tun);
        let junk = Account::default();
        self.ports[port.at()] = Some(Port { tun, token, junk });
        self.switch.set_alive(port, true);
        Ok(())
    }

    /// All devices, by node.
    pub(in super::super) fn devices(&self) -> Vec<(NodeIndex, Arc<Tun>)> {
        let ports = self.ports.iter().zip((0..).map(PortIndex));
        let device = |(port, at): (&Option<Port>, PortIndex)| {
            let tun = Arc::clone(&port.as_ref()?.tun);
            Some((self.switch.map().of(at).node, tun))
        };
        ports.filter_map(device).collect()
    }

    /// The devices of some nodes.
    pub(in super::super) fn devices_of(
        &self,
        nodes: &BTreeSet<NodeIndex>,
    ) -> Vec<(NodeIndex, Arc<Tun>)> {
        if nodes.is_empty() {
            return Vec::new();
        }
        let mut devices = self.devices();
        devices.retain(|(node, _)| nodes.contains(node));
        devices
    }

    /// Another set of nodes: devices follow their nodes, those of ports that are gone are closed.
    /// Returns who has to forget path mtus.
    pub(in super::super) fn reconfigure(
        &mut self,
        new: Switch,
        was: &[Option<NodeIndex>],
    ) -> Result<BTreeSet<NodeIndex>, FabricError> {
        let (moves, told) = self.switch.reconfigure(new, was, sys::now())?;
        let count = self.switch.map().len();
        let old = std::mem::replace(&mut self.ports, (0..count).map(|_| None).collect());
        for (port, to) in old.into_iter().zip(moves) {
            match (port, to) {
                (Some(port), Some(to)) => {
                    self.tokens.insert(port.token, to);
                    self.ports[to.at()] = Some(port);
                }
                (Some(port), None) => self.close(&port),
                (None, _) => {}
            }
        }
        Ok(told)
    }

    /// Charges a port for what its junk took, in ns, and leaves its device alone when that was too much.
    pub(super) fn charge(&mut self, port: PortIndex, cost: u64, now: u64) {
        let Some(device) = &mut self.ports[port.at()] else {
            return;
        };
        if self.rests.charge(&mut device.junk, device.token, cost, now) {
            // Errors are told all the same (epoll_ctl(2)): a device that vanishes is noticed.
            let mut nothing = EpollEvent::new(EpollFlags::empty(), device.token);
            let _ = self.epoll.modify(&*device.tun, &mut nothing); // it is read on, then
            self.switch.count_rest(port);
        }
    }

    /// Watches the devices again whose rest is over.
    pub(super) fn rouse(&mut self) -> nix::Result<()> {
        if self.rests.next().is_none() {
            return Ok(()); // mostly: and the clock need not be read
        }
        let now = sys::now();
        while let Some(token) = self.rests.over(now) {
            let port = self.tokens.get(&token);
            if let Some(port) = port.and_then(|port| self.ports[port.at()].as_ref()) {
                let mut event = EpollEvent::new(EpollFlags::EPOLLIN, token);
                self.epoll.modify(&*port.tun, &mut event)?;
            }
        }
        Ok(())
    }

    /// Closes all devices of a node; the kernel removes them. Whether it had one.
    pub(in super::super) fn detach(&mut self, node: NodeIndex) -> bool {
        let ports = self.switch.map().ports(node);
        let mut had = false;
        for port in ports {
            had |= self.release(port);
        }
        had
    }

    fn release(&mut self, port: PortIndex) -> bool {
        self.switch.set_alive(port, false);
        let had = self.ports[port.at()].take();
        if let Some(port) = &had {
            self.close(port);
        }
        had.is_some()
    }

    /// Before the descriptor is closed: a sampler may hold it for another moment.
    fn close(&mut self, port: &Port) {
        self.tokens.remove(&port.token);
        let _ = self.epoll.delete(&*port.tun); // nothing to be done about it
    }

    /// A device that vanished took its namespace with it: the node's other devices are gone as well.
    pub(super) fn lose(&mut self, port: PortIndex) {
        let node = self.switch.map().of(port).node;
        if let (true, Some(on_lost)) = (self.detach(node), &self.on_lost) {
            on_lost(node);
        }
    }
}
