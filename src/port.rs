//! Published ports: which port of a node is reached where on the engine's host.
//!
//! Owns Compose's words for them and the rules of these. Must not know nodes or sockets.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// What is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// What follows a port's number where connections are meant unless said.
    pub fn suffix(self) -> &'static str {
        match self {
            Protocol::Tcp => "",
            Protocol::Udp => "/udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// One entry of `ports:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortMapping {
    /// The address of the engine's host that listens; loopback unless said.
    pub address: IpAddr,
    /// The port there; none: a free one.
    pub host_port: Option<u16>,
    /// The port of the node.
    pub port: u16,
    /// What is carried.
    #[serde(default)]
    pub protocol: Protocol,
}

/// Why a text is no [`PortMapping`]: a sentence, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PortError {
    /// The sentence.
    pub what: String,
    /// The cure.
    pub cure: &'static str,
}

const FORMS: &str = "write \"8080:80\", \"127.0.0.1:8080:80\", \"5353:53/udp\", or \"80\" for a free port of the host";

impl PortMapping {
    /// Whether both want the same port of the host: at the same address, or at every one. Connections
    /// and datagrams have ports of their own.
    pub fn clashes(&self, other: &PortMapping) -> bool {
        let any = self.address.is_unspecified() || other.address.is_unspecified();
        self.host_port.is_some()
            && self.host_port == other.host_port
            && self.protocol == other.protocol
            && (any || self.address == other.address)
    }

    /// Where it listens; port 0 stands for a free one.
    pub fn listens(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.host_port.unwrap_or(0))
    }

    /// The port of the host as messages name it: `8080`, `5353/udp`.
    pub fn host_name(&self) -> String {
        format!("{}{}", self.listens().port(), self.protocol.suffix())
    }
}

impl FromStr for PortMapping {
    type Err = PortError;

    /// `[[ADDRESS:]HOST:]PORT[/tcp|/udp]`, as in Compose's short form.
    fn from_str(text: &str) -> Result<PortMapping, PortError> {
        let (rest, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((rest, "tcp")) => (rest, Protocol::Tcp),
            Some((rest, "udp")) => (rest, Protocol::Udp),
            Some((_, other)) => return Err(unknown_protocol(other)),
        };
        let (address, rest) = address(rest)?;
        let (host, port) = match rest.split_once(':') {
            None if address.is_some() => {
                return Err(wrong("a port of the node is missing".to_owned(), FORMS));
            }
            None => ("", rest),
            Some((host, port)) => (host, port),
        };
        Ok(PortMapping {
            address: address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host_port: match host {
                "" => None,
                host => Some(number(host)?),
            },
            port: number(port)?,
            protocol,
        })
    }
}

impl fmt::Display for PortMapping {
    /// As it would be written in full: `127.0.0.1:8080:80`, `127.0.0.1:5353:53/udp`; `127.0.0.1::80` for
    /// a free port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (listens, port, suffix) = (self.listens(), self.port, self.protocol.suffix());
        match (self.host_port, self.address) {
            (Some(_), _) => write!(f, "{listens}:{port}{suffix}"),
            (None, IpAddr::V4(v4)) => write!(f, "{v4}::{port}{suffix}"),
            (None, IpAddr::V6(v6)) => write!(f, "[{v6}]::{port}{suffix}"),
        }
    }
}

fn wrong(what: String, cure: &'static str) -> PortError {
    PortError { what, cure }
}

fn unknown_protocol(word: &str) -> PortError {
    match word {
        "sctp" => wrong(
            format!("`{word}` is not published"),
            "TCP and UDP are: leave `/sctp` out, or write `/udp`",
        ),
        _ => wrong(format!("`{}` is no protocol", clip(word)), FORMS),
    }
}

/// The address in front, and what follows it.
fn address(text: &str) -> Result<(Option<IpAddr>, &str), PortError> {
    let parse = |word: &str| {
        let no = |_| {
            let cure = "write an address of the engine's host: 127.0.0.1 for itself, 0.0.0.0 for everyone who reaches it";
            wrong(format!("`{}` is no IP address", clip(word)), cure)
        };
        word.parse::<IpAddr>().map_err(no)
    };
    if let Some(rest) = text.strip_prefix('[') {
        let end = || wrong(format!("`{}` has no `]:`", clip(text)), FORMS);
        let (word, rest) = rest.split_once("]:").ok_or_else(end)?;
        return Ok((Some(parse(word)?), rest));
    }
    match text.matches(':').count() {
        0 | 1 => Ok((None, text)),
        2 => {
            let (word, rest) = text.split_once(':').unwrap_or((text, ""));
            Ok((Some(parse(word)?), rest))
        }
        _ => Err(wrong(
            format!("`{}` has too many parts", clip(text)),
            "an IPv6 address stands in brackets: \"[::1]:8080:80\"",
        )),
    }
}

fn number(word: &str) -> Result<u16, PortError> {
    if word.contains('-') && word.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
        let what = format!("`{}` is a range", clip(word));
        return Err(wrong(what, "write one entry for each port"));
    }
    let number = word.parse().ok().filter(|port| *port != 0);
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    number.filter(|_| digits).ok_or_else(|| {
        let what = format!("`{}` is no port: 1 to 65535", clip(word));
        wrong(what, FORMS)
    })
}

/// What a message shows of a text.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let mapping: Result<PortMapping, PortError> = text.parse();
        mapping.map(|m| m.to_string()).map_err(|e| e.what)
    }

    #[test]
    fn composes_words() {
        for (text, expected) in [
            ("80", "127.0.0.1::80"),
            ("6379:6379", "127.0.0.1:6379:6379"),
            ("8080:80/tcp", "127.0.0.1:8080:80"),
            ("0.0.0.0:8080:80", "0.0.0.0:8080:80"),
            ("127.0.0.1::80", "127.0.0.1::80"),
            ("[::1]:8080:80", "[::1]:8080:80"),
            ("53/udp", "127.0.0.1::53/udp"),
            ("5353:53/udp", "127.0.0.1:5353:53/udp"),
            ("[::1]::53/udp", "[::1]::53/udp"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
            assert_eq!(read(expected).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            ":",
            "0",
            "65536",
            "+80",
            "80:",
            "a:80",
            "8080:80/sctp",
            "8080:80/UDP",
            "8080/udp:80",
            "80/",
            "8000-8010:80",
            "localhost:8080:80",
            "::1:8080:80",
            "[::1]",
            "[::1]:80",
            "1.2.3.4:5:6:7",
            "0:80",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_of_every_address_clashes_with_one_of_any() {
        let of = |text: &str| text.parse::<PortMapping>().unwrap();
        assert!(of("8080:80").clashes(&of("127.0.0.1:8080:81")));
        assert!(of("8080:80").clashes(&of("0.0.0.0:8080:80")));
        assert!(!of("8080:80").clashes(&of("127.0.0.2:8080:80")));
        assert!(!of("8080:80").clashes(&of("8081:80")));
        assert!(!of("80").clashes(&of("80")));
        assert!(!of("5353:53").clashes(&of("5353:53/udp")));
        assert!(of("5353:53/udp").clashes(&of("0.0.0.0:5353:54/udp")));
    }
}
