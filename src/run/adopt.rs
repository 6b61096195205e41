//! Tells a lab's agent what the lab is from now on.

use super::attach::{self, AttachError, Line};
use super::{Context, Failure};
use crate::engine::Engine;
use crate::id::Name;
use crate::plan::{Adoption, Leaving};
use crate::record::stream::{Reply, Request};
use std::time::Duration;

/// A playing run heals and delivers its last reports first.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has the agent adopt the lab of `context`; over `line`, when there is one already.
pub(super) async fn adopt<E: Engine>(
    engine: &E,
    agent: &str,
    line: Option<Line>,
    (from, leaving, starting): (&str, &[Leaving], &[Name]),
    context: &Context<'_>,
) -> Result<(), Failure> {
    let failed = |source| Failure::Agent {
        what: "lab adopt".to_owned(),
        source,
    };
    let adoption = Adoption {
        from: from.to_owned(),
        lab: context.lab.clone(),
        ttl: context.options.ttl,
        leaving: leaving.to_vec(),
        starting: starting.to_vec(),
        replace: context.replace,
    };
    let payload =
        serde_json::to_vec(&adoption).map_err(|source| failed(AttachError::Send(source.into())))?;
    let bytes = payload.len() as u64;
    let request = (&Request::Adopt { bytes }, payload.as_slice());
    let quick = match line {
        Some(line) => line.ask(request, PATIENCE).await.ok(),
        None => None,
    };
    // A line that broke meanwhile is no reason to give up: to be told twice does no harm.
    let reply = match quick {
        Some(reply) => Ok(reply),
        None => attach::ask_with(engine, agent, request, PATIENCE).await,
    };
    match reply {
        Ok(Reply::Adopted) => Ok(()),
        Ok(Reply::Refused { why }) => Err(Failure::Refused(why)),
        Ok(other) => Err(failed(AttachError::unexpected(&other))),
        Err(source) => Err(failed(source)),
    }
}
