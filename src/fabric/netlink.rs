//! A blocking rtnetlink socket: one request, one acknowledgement, with a deadline.
//!
//! Owns the exchange (rtnetlink(7)). Must not know what a node is.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;

/// How long the kernel may take for one answer: it holds the rtnl lock for milliseconds when
/// many namespaces come and go.
const DEADLINE_SECONDS: i64 = 10;

/// Flags of a request that creates something and refuses to replace.
pub(super) const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Flags of a request that replaces something that is there.
pub(super) const REPLACE: u16 = NLM_F_REPLACE;

/// Most messages of one listing: the far side may be a node that fills its own tables.
const MANY: usize = 20_000;

/// A socket in the network namespace of the thread that opened it.
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(DEADLINE_SECONDS))?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink {
            socket,
            sequence: 0,
        })
    }

    /// Sends `message` and waits for the kernel's acknowledgement.
    pub(super) fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, flags | NLM_F_ACK)?;
        while self.answer()?.is_some() {}
        Ok(())
    }

    /// The attributes and index of the link that `message` names.
    pub(super) fn link(&mut self, message: LinkMessage) -> io::Result<LinkMessage> {
        self.send(RouteNetlinkMessage::GetLink(message), 0)?;
        match self.answer()? {
            Some(RouteNetlinkMessage::NewLink(link)) => Ok(link),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    }

    /// Everything that the kernel lists for `message`.
    pub(super) fn dump(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.send(message, NLM_F_DUMP)?;
        let mut all = Vec::new();
        loop {
            let mut bytes = Vec::with_capacity(32 * 1024);
            self.socket.recv(&mut bytes, 0)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length.max(4)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(all),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(inner) if all.len() < MANY => all.push(inner),
                    NetlinkPayload::InnerMessage(_) => {
                        return Err(io::Error::other("it lists too much"));
                    }
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// The next message for the last request; `None` is the acknowledgement.
    fn answer(&mut self) -> io::Result<Option<RouteNetlinkMessage>> {
        loop {
            let mut bytes = Vec::with_capacity(32 * 1024);
            self.socket.recv(&mut bytes, 0)?;
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            if message.header.sequence_number != self.sequence {
                continue;
            }
            match message.payload {
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(None),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(inner) => return Ok(Some(inner)),
                _ => {}
            }
        }
    }
}

/// A link message for the device called `name`.
pub(super) fn by_name(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// A link message for the device with `index`.
pub(super) fn by_index(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}
