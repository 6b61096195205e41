//! Where the engine listens: what `docker` itself would use.
//!
//! `DOCKER_HOST`, then the context (`DOCKER_CONTEXT`, then `currentContext` of the client's
//! configuration), then the default sockets. Reads the environment through a closure.

use super::ConnectError;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// The engine's usual socket.
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Endpoints to try, in that order; the first that exists counts.
pub(super) fn candidates(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, ConnectError> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(host) = variable("DOCKER_HOST") {
        return Ok(vec![host]);
    }
    let home = variable("HOME").map(PathBuf::from);
    let config = variable("DOCKER_CONFIG").map(PathBuf::from);
    let config = config.or_else(|| home.as_ref().map(|home| home.join(".docker")));
    if let Some(config) = &config {
        let context = variable("DOCKER_CONTEXT").or_else(|| current_context(config));
        if let Some(name) = context.filter(|name| name != "default") {
            return context_endpoint(config, &name).map(|endpoint| vec![endpoint]);
        }
    }
    let mut sockets = vec![DEFAULT_SOCKET.to_owned()];
    sockets.extend(variable("XDG_RUNTIME_DIR").map(|run| format!("{run}/docker.sock")));
    sockets.extend(home.map(|home| format!("{}/.docker/run/docker.sock", home.display())));
    Ok(sockets
        .iter()
        .map(|path| format!("unix://{path}"))
        .collect())
}

/// The Docker context that is chosen, whether it is used or `DOCKER_HOST` goes before it; none: the
/// default one.
pub(super) fn chosen_context(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let config = variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    let current = || config.as_deref().and_then(current_context);
    let context = variable("DOCKER_CONTEXT").or_else(current);
    context.filter(|name| name != "default")
}

fn current_context(config: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "currentContext")]
        current_context: Option<String>,
    }
    let text = fs::read(config.join("config.json")).ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    config.current_context.filter(|name| !name.is_empty())
}

/// A context is kept in a folder named by the SHA-256 of its name.
fn context_endpoint(config: &Path, name: &str) -> Result<String, ConnectError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        endpoints: Endpoints,
    }
    #[derive(Deserialize)]
    struct Endpoints {
        docker: Endpoint,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Endpoint {
        host: String,
    }
    let digest = Sha256::digest(name.as_bytes());
    let folder: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    let path = config.join("contexts/meta").join(folder).join("meta.json");
    let unreadable = |source: std::io::Error| ConnectError::Context {
        name: name.to_owned(),
        source,
    };
    let text = fs::read(path).map_err(unreadable)?;
    let meta: Meta = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
    Ok(meta.endpoints.docker.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Vec<String>, ConnectError> {
        candidates(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn host_before_context_before_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().to_str().unwrap();
        let meta = |name: &str| {
            let digest = Sha256::digest(name.as_bytes());
            let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
            folder.path().join("contexts/meta").join(hex)
        };
        fs::create_dir_all(meta("lab")).unwrap();
        let text = r#"{"Name":"lab","Endpoints":{"docker":{"Host":"tcp://lab:2375"}}}"#;
        fs::write(meta("lab").join("meta.json"), text).unwrap();
        fs::write(
            folder.path().join("config.json"),
            r#"{"currentContext":"lab"}"#,
        )
        .unwrap();

        let base = ("DOCKER_CONFIG", config);
        assert_eq!(with(&[base]).unwrap(), ["tcp://lab:2375"]);
        let chosen = |name: &str| (name == "DOCKER_CONFIG").then(|| config.to_owned());
        assert_eq!(chosen_context(chosen), Some("lab".to_owned()));
        assert_eq!(
            with(&[base, ("DOCKER_HOST", "unix:///x")]).unwrap(),
            ["unix:///x"]
        );
        let all = with(&[
            base,
            ("DOCKER_CONTEXT", "default"),
            ("XDG_RUNTIME_DIR", "/run/me"),
        ]);
        assert_eq!(
            all.unwrap(),
            ["unix:///var/run/docker.sock", "unix:///run/me/docker.sock"]
        );
        let error = with(&[base, ("DOCKER_CONTEXT", "other")]).unwrap_err();
        assert!(error.to_string().contains("`other`"), "{error}");
    }
}
