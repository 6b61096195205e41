//! `netlab port`: where published ports are reached, as `docker port` says it.

use super::exit::{Exit, Failure};
use super::table::{self, Format};
use super::{Context, LabOption, labs};
use crate::port::Protocol;
use crate::record::stream::{Published, Reply, Request};
use crate::run::attach;
use clap::Args;
use std::time::Duration;

/// How long a lab may take to answer.
const ASK: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  netlab port
  netlab port server
  curl http://$(netlab port server 80)/healthz";

/// Arguments of `netlab port`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Only those of this node
    node: Option<String>,
    /// Only where this port of it is reached: the address alone
    #[arg(value_name = "PORT[/PROTOCOL]", value_parser = parse_port)]
    port: Option<Port>,
    #[command(flatten)]
    lab: LabOption,
    /// How the list is printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
}

/// A port of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Port {
    number: u16,
    protocol: Option<Protocol>,
}

fn parse_port(text: &str) -> Result<Port, String> {
    let (number, protocol) = match text.split_once('/') {
        None => (text, None),
        Some((number, "tcp")) => (number, Some(Protocol::Tcp)),
        Some((number, "udp")) => (number, Some(Protocol::Udp)),
        Some((_, other)) => {
            return Err(format!("`{other}` is not published; tcp and udp are"));
        }
    };
    match number.parse() {
        Ok(number) if number > 0 => Ok(Port { number, protocol }),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

/// Prints the list, or the one address that is asked for.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    if let Some(node) = &arguments.node {
        lab.node(node)?;
    }
    let agent = lab.answering_agent()?.id.clone();
    let failed = |source| Failure::step("the lab does not say where its ports are", source);
    let asked = attach::ask(&engine, &agent, &Request::Status, ASK).await;
    let ports = match asked.map_err(failed)? {
        Reply::Status(status) => status.ports,
        other => return Err(failed(attach::AttachError::unexpected(&other))),
    };
    let wanted = arguments.chosen(ports);
    if wanted.is_empty() && arguments.node.is_some() {
        return Err(arguments.nothing());
    }
    context.terminal.print(&arguments.text(&wanted, context))?;
    Ok(Exit::Passed)
}

impl Arguments {
    /// What is asked for. A number alone means TCP, and UDP where that is all there is: a script gets
    /// one kind of port.
    fn chosen(&self, mut ports: Vec<Published>) -> Vec<Published> {
        ports.retain(|one| self.wants(one));
        let tcp = |one: &Published| one.protocol == Protocol::Tcp;
        let unsaid = self.port.is_some_and(|port| port.protocol.is_none());
        if unsaid && ports.iter().any(tcp) {
            ports.retain(tcp);
        }
        ports
    }

    fn wants(&self, one: &Published) -> bool {
        let port = self.port.is_none_or(|port| {
            port.number == one.port && port.protocol.is_none_or(|p| p == one.protocol)
        });
        port && self.node.as_ref().is_none_or(|node| *node == one.node)
    }

    fn nothing(&self) -> Failure {
        let node = self.node.as_deref().unwrap_or_default();
        let (what, port) = match self.port {
            Some(Port { number, protocol }) => {
                let port = format!("{number}{}", protocol.unwrap_or_default().suffix());
                (format!("port {port} of `{node}`"), port)
            }
            None => (format!("no port of `{node}`"), "80".to_owned()),
        };
        let verb = match self.port {
            Some(_) => "is not published",
            None => "is published",
        };
        Failure::usage(
            format!("{what} {verb}"),
            format!("say so at the node: `ports: [\"{port}\"]`, then `netlab up` again"),
        )
    }

    fn text(&self, ports: &[Published], context: &Context) -> String {
        if self.format == Format::Table && self.port.is_some() {
            let line = |one: &Published| format!("{}\n", one.address);
            return ports.iter().map(line).collect();
        }
        let cells = |one: &Published| {
            vec![
                one.node.clone(),
                format!("{}/{}", one.port, one.protocol),
                one.address.to_string(),
            ]
        };
        let heads = ["NODE", "PORT", "HOST"];
        table::list(self.format, ports, &heads, cells, context.terminal.out)
    }
}

/// `127.0.0.1:8080 -> server:80`, `127.0.0.1:5353 -> names:53/udp`.
pub fn told(port: &Published) -> String {
    let suffix = port.protocol.suffix();
    format!("{} -> {}:{}{suffix}", port.address, port.node, port.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_as_docker_names_them() {
        let number = |text| parse_port(text).map(|port| (port.number, port.protocol.is_some()));
        assert_eq!(number("80"), Ok((80, false)));
        assert_eq!(number("80/tcp"), Ok((80, true)));
        assert_eq!(number("53/udp"), Ok((53, true)));
        for text in ["", "0", "80/sctp", "http", "80:80", "65536"] {
            assert!(parse_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_alone_means_one_kind_of_port() {
        let of = |port: u16, protocol| Published {
            node: "a".to_owned(),
            port,
            protocol,
            address: ([127, 0, 0, 1], port).into(),
        };
        let (tcp, udp) = (of(53, Protocol::Tcp), of(53, Protocol::Udp));
        let only = of(54, Protocol::Udp);
        let all = vec![tcp.clone(), udp.clone(), only.clone()];
        for (text, expected) in [
            ("53", vec![tcp.clone()]),
            ("53/udp", vec![udp]),
            ("53/tcp", vec![tcp]),
            ("54", vec![only.clone()]),
            ("54/udp", vec![only]),
            ("54/tcp", vec![]),
        ] {
            let asked = Arguments {
                node: Some("a".to_owned()),
                port: Some(parse_port(text).unwrap()),
                lab: LabOption { lab: None },
                format: Format::Table,
            };
            assert_eq!(asked.chosen(all.clone()), expected, "{text}");
        }
    }
}
