//! Which labs there are, and which of them is meant. By labels only.

use super::connect;
use super::exit::Failure;
use crate::engine::docker::Docker;
use crate::engine::image::BUILD;
use crate::engine::{Container, Engine, EngineError};
use crate::id::Name;
use crate::plan::labels;
use std::collections::BTreeMap;

/// What an engine shows of one lab.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// The build that made it.
    pub build: String,
    /// Seconds since the epoch at which its first container was created.
    pub created: i64,
    /// The agent's container.
    pub agent: Option<Container>,
    /// The nodes' containers, by name.
    pub nodes: Vec<Container>,
}

impl Seen {
    /// The agent, when it runs.
    pub fn running_agent(&self) -> Option<&Container> {
        self.agent.as_ref().filter(|agent| agent.state == "running")
    }

    /// The agent, when it runs and speaks this build's language.
    ///
    /// # Errors
    /// [`Failure::Usage`] that says why it cannot be asked.
    pub fn answering_agent(&self) -> Result<&Container, Failure> {
        let name = &self.name;
        let Some(agent) = self.running_agent() else {
            return Err(Failure::usage(
                format!("lab `{name}` has no agent that runs"),
                format!("remove it: `netlab down {name}`"),
            ));
        };
        if self.build != BUILD {
            return Err(Failure::usage(
                format!("lab `{name}` was made by another build of netlab"),
                "only `down`, `logs` and `ps` work with it",
            ));
        }
        Ok(agent)
    }

    /// The container of a node.
    ///
    /// # Errors
    /// [`Failure::Usage`] that names those there are.
    pub fn node(&self, name: &str) -> Result<&Container, Failure> {
        let found = self.nodes.iter().find(|node| node_name(node) == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.nodes.iter().map(node_name).collect();
            let nearest = crate::spec::nearest(name, names.iter().copied());
            let meant = nearest.map(|near| format!("did you mean `{near}`? "));
            Failure::usage(
                format!("lab `{}` has no node `{name}`", self.name),
                format!("{}it has {}", meant.unwrap_or_default(), names.join(", ")),
            )
        })
    }

    /// Whether packets come from a node of this name, or from the engine's host (if it is of the lab,
    /// which its agent knows).
    ///
    /// # Errors
    /// As [`Seen::node`].
    pub fn end(&self, name: &str) -> Result<(), Failure> {
        match name {
            "host" => Ok(()),
            name => self.node(name).map(drop),
        }
    }

    /// The name as one.
    ///
    /// # Errors
    /// A label that netlab did not write.
    pub fn checked_name(&self) -> Result<Name, Failure> {
        let wrong = |e| Failure::step(format!("the label of lab `{}` is no name", self.name), e);
        Name::new(self.name.clone()).map_err(wrong)
    }
}

/// The node that a container is.
pub fn node_name(container: &Container) -> &str {
    label(&container.labels, labels::NODE)
}

fn label<'a>(labels: &'a BTreeMap<String, String>, key: &str) -> &'a str {
    labels.get(key).map_or("", String::as_str)
}

/// All labs, everybody's, by name.
///
/// # Errors
/// A call that failed.
pub async fn all<E: Engine>(engine: &E) -> Result<Vec<Seen>, EngineError> {
    let wanted = [(labels::LAB, "")];
    let (containers, volumes) = tokio::join!(engine.containers(&wanted), engine.volumes(&wanted));
    let mut labs: BTreeMap<String, Seen> = BTreeMap::new();
    for volume in volumes? {
        seen(&mut labs, &volume.labels);
    }
    for container in containers? {
        let lab = seen(&mut labs, &container.labels);
        lab.created = match lab.created {
            0 => container.created,
            first => first.min(container.created),
        };
        match node_name(&container) == labels::AGENT {
            true => lab.agent = Some(container),
            false => lab.nodes.push(container),
        }
    }
    for lab in labs.values_mut() {
        lab.nodes
            .sort_by_cached_key(|node| natural(node_name(node)));
    }
    Ok(labs.into_values().collect())
}

fn seen<'a>(
    labs: &'a mut BTreeMap<String, Seen>,
    labels: &BTreeMap<String, String>,
) -> &'a mut Seen {
    let name = label(labels, labels::LAB);
    let lab = labs.entry(name.to_owned()).or_default();
    lab.name = name.to_owned();
    lab.owner = label(labels, labels::OWNER).to_owned();
    lab.build = label(labels, labels::BUILD).to_owned();
    lab
}

/// Orders `client-2` before `client-10`.
fn natural(name: &str) -> (String, u64) {
    match name.rsplit_once('-') {
        Some((head, number)) => match number.parse() {
            Ok(number) => (head.to_owned(), number),
            Err(_) => (name.to_owned(), 0),
        },
        None => (name.to_owned(), 0),
    }
}

/// Connects to the engine and finds the lab that is meant ([`choose`]).
///
/// # Errors
/// No engine, or as [`choose`].
pub async fn open(wanted: Option<&str>, owner: &str) -> Result<(Docker, Seen), Failure> {
    let (engine, _) = connect::connect().await?;
    let all = all(&engine).await?;
    let lab = choose(&all, wanted, owner)?.clone();
    Ok((engine, lab))
}

/// The lab that is meant: the one that is named, or the only one that is mine.
///
/// # Errors
/// [`Failure::Usage`] when there is none, when several could be meant, or it is somebody else's.
pub fn choose<'a>(
    labs: &'a [Seen],
    wanted: Option<&str>,
    owner: &str,
) -> Result<&'a Seen, Failure> {
    let mine: Vec<&Seen> = labs.iter().filter(|lab| lab.owner == owner).collect();
    let names = || -> Vec<&str> { mine.iter().map(|lab| lab.name.as_str()).collect() };
    let Some(wanted) = wanted else {
        return match mine.as_slice() {
            [] => Err(Failure::usage(
                "no lab of yours is up",
                "start one: `netlab up FILE`",
            )),
            [one] => Ok(one),
            _ => Err(Failure::usage(
                "which lab?",
                format!("several are up, name one of {}", names().join(", ")),
            )),
        };
    };
    match labs.iter().find(|lab| lab.name == wanted) {
        Some(lab) if lab.owner == owner => Ok(lab),
        Some(lab) => Err(Failure::usage(
            format!(
                "lab `{wanted}` belongs to `{}` and you are `{owner}`",
                lab.owner
            ),
            "set NETLAB_OWNER if that is you, too",
        )),
        None => Err(Failure::usage(
            format!("no lab `{wanted}` is up"),
            match mine.is_empty() {
                true => "start one: `netlab up FILE`".to_owned(),
                false => format!("yours are {}", names().join(", ")),
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(name: &str, owner: &str) -> Seen {
        Seen {
            name: name.into(),
            owner: owner.into(),
            ..Seen::default()
        }
    }

    #[test]
    fn the_only_one_of_mine_is_meant() {
        let labs = [lab("a", "me"), lab("b", "you")];
        assert_eq!(choose(&labs, None, "me").unwrap().name, "a");
        assert!(choose(&labs, None, "nobody").is_err());
        let error = choose(&labs, Some("b"), "me").unwrap_err().to_string();
        assert_eq!(error, "lab `b` belongs to `you` and you are `me`");
        let labs = [lab("a", "me"), lab("c", "me")];
        assert_eq!(
            choose(&labs, None, "me").unwrap_err().to_string(),
            "which lab?"
        );
        assert_eq!(choose(&labs, Some("c"), "me").unwrap().name, "c");
    }

    #[test]
    fn replicas_in_the_order_of_their_numbers() {
        let mut names = ["client-10", "server", "client-2"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["client-2", "client-10", "server"]);
    }
}
