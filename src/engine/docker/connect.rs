//! Finding an engine and agreeing on a version of its API.

use super::{Docker, endpoint, failed};
use crate::engine::EngineError;
use bollard::{API_DEFAULT_VERSION, ClientVersion};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// The oldest API that has everything netlab uses (Docker 20.10).
const OLDEST: (usize, usize) = (1, 41);
/// For the first answer.
const HELLO: Duration = Duration::from_secs(10);
/// bollard's own limit, which is above every call's deadline.
const NEVER: u64 = 3600;

/// Why there is no engine to work with. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No socket where one is expected.
    #[error(
        "there is no Docker engine at {endpoint}: start Docker, or say where it is with DOCKER_HOST or `docker context use`"
    )]
    NoEngine {
        /// Where it was looked for.
        endpoint: String,
    },
    /// There is a socket, and nobody answers.
    #[error("the Docker engine at {endpoint} does not answer: is it running?")]
    NoAnswer {
        /// Where it was asked.
        endpoint: String,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No right to use the socket.
    #[error(
        "no right to use the Docker engine at {endpoint}: add yourself to the group docker (`sudo usermod -aG docker $USER`, then log in again), or use sudo"
    )]
    NoPermission {
        /// Its endpoint.
        endpoint: String,
    },
    /// A kind of endpoint that this build cannot reach.
    #[error("{endpoint} cannot be used: {cure}")]
    Unsupported {
        /// Its endpoint.
        endpoint: String,
        /// What to do instead.
        cure: String,
    },
    /// The Docker context that is chosen cannot be read.
    #[error(
        "the Docker context `{name}` cannot be read: choose another (`docker context ls`, `docker context use`)"
    )]
    Context {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An engine older than netlab needs.
    #[error(
        "the Docker engine at {endpoint} is too old: its API is {api}, netlab needs {}.{} (Docker 20.10): update the engine",
        OLDEST.0, OLDEST.1
    )]
    TooOld {
        /// Its endpoint.
        endpoint: String,
        /// Its newest API version.
        api: String,
    },
    /// An engine that has dropped every version that netlab speaks.
    #[error(
        "the Docker engine at {endpoint} is too new: its oldest API is {minimum}, this netlab speaks up to {newest}: update netlab"
    )]
    TooNew {
        /// Its endpoint.
        endpoint: String,
        /// Its oldest API version.
        minimum: String,
        /// The newest that this build speaks.
        newest: String,
    },
    /// It answered, but not as an engine does.
    #[error("what answers at {endpoint} is no Docker engine")]
    NotDocker {
        /// Its endpoint.
        endpoint: String,
        /// What it answered.
        #[source]
        source: EngineError,
    },
}

impl Docker {
    /// Connects to the engine that `docker` would use.
    ///
    /// # Errors
    /// Any [`ConnectError`].
    pub async fn connect() -> Result<Docker, ConnectError> {
        let candidates = endpoint::candidates(|name| std::env::var(name).ok())?;
        let mut first = None;
        for candidate in candidates {
            match Docker::connect_to(&candidate).await {
                Ok(docker) => return Ok(docker),
                // Another socket may be there; the usual one's error is the one to tell.
                Err(
                    error @ (ConnectError::NoEngine { .. } | ConnectError::NoPermission { .. }),
                ) => {
                    let telling = matches!(error, ConnectError::NoPermission { .. });
                    if first.is_none() || telling {
                        first = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let endpoint = format!("unix://{}", endpoint::DEFAULT_SOCKET);
        Err(first.unwrap_or(ConnectError::NoEngine { endpoint }))
    }

    /// The Docker context that is chosen; none: the default one.
    pub fn chosen_context() -> Option<String> {
        endpoint::chosen_context(|name| std::env::var(name).ok())
    }

    /// Connects to the engine at `endpoint` (`unix:///path`, `tcp://host:port`).
    ///
    /// # Errors
    /// Any [`ConnectError`] but [`ConnectError::Context`].
    pub async fn connect_to(endpoint: &str) -> Result<Docker, ConnectError> {
        let api = open(endpoint)?;
        let no_answer = |source| ConnectError::NoAnswer {
            endpoint: endpoint.to_owned(),
            source,
        };
        let version = match timeout(HELLO, api.version()).await {
            Err(_) => return Err(no_answer("no answer within 10 s".into())),
            Ok(Ok(version)) => version,
            Ok(Err(
                error @ (bollard::errors::Error::DockerResponseServerError { .. }
                | bollard::errors::Error::JsonDataError { .. }),
            )) => {
                return Err(ConnectError::NotDocker {
                    endpoint: endpoint.to_owned(),
                    source: failed("ask for its version", error),
                });
            }
            Ok(Err(error)) => return Err(no_answer(error.into())),
        };
        let newest = version.api_version.unwrap_or_default();
        let oldest = version.min_api_version.unwrap_or_default();
        let (major, minor) = agree(endpoint, &newest, &oldest)?;
        let version = format!("{major}.{minor}");
        Ok(Docker {
            api: versioned(api, &version),
            endpoint: endpoint.to_owned(),
            version,
        })
    }
}

fn open(endpoint: &str) -> Result<bollard::Docker, ConnectError> {
    let unsupported = |cure: &str| ConnectError::Unsupported {
        endpoint: endpoint.to_owned(),
        cure: cure.to_owned(),
    };
    let opened = match endpoint.split_once("://") {
        Some(("unix", path)) => {
            knock(endpoint, path)?;
            bollard::Docker::connect_with_unix(endpoint, NEVER, API_DEFAULT_VERSION)
        }
        Some(("tcp" | "http", _)) if std::env::var_os("DOCKER_TLS_VERIFY").is_none() => {
            bollard::Docker::connect_with_http(endpoint, NEVER, API_DEFAULT_VERSION)
        }
        Some(("tcp" | "http" | "https", _)) => {
            return Err(unsupported(
                "this netlab has no TLS; forward the engine's socket instead (`ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/docker.sock",
            ));
        }
        Some(("ssh", host)) => {
            return Err(unsupported(&format!(
                "this netlab cannot use ssh itself; forward the engine's socket (`ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock {host}`) and set DOCKER_HOST=unix:///tmp/docker.sock"
            )));
        }
        _ => return Err(unsupported("write `unix:///path` or `tcp://host:port`")),
    };
    opened.map_err(|error| ConnectError::NoAnswer {
        endpoint: endpoint.to_owned(),
        source: error.into(),
    })
}

/// Tells apart what bollard does not: no socket, no right, nobody there.
#[cfg(unix)]
fn knock(endpoint: &str, path: &str) -> Result<(), ConnectError> {
    let endpoint = endpoint.to_owned();
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::NotFound => ConnectError::NoEngine { endpoint },
            io::ErrorKind::PermissionDenied => ConnectError::NoPermission { endpoint },
            _ => ConnectError::NoAnswer {
                endpoint,
                source: error.into(),
            },
        }),
    }
}

#[cfg(not(unix))]
fn knock(_endpoint: &str, _path: &str) -> Result<(), ConnectError> {
    Ok(())
}

fn parsed(version: &str) -> Option<(usize, usize)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The newest version that both speak.
fn agree(endpoint: &str, newest: &str, oldest: &str) -> Result<(usize, usize), ConnectError> {
    let ClientVersion {
        major_version,
        minor_version,
    } = *API_DEFAULT_VERSION;
    let ours = (major_version, minor_version);
    let theirs = parsed(newest).filter(|theirs| *theirs >= OLDEST);
    let theirs = theirs.ok_or_else(|| ConnectError::TooOld {
        endpoint: endpoint.to_owned(),
        api: newest.to_owned(),
    })?;
    if parsed(oldest).is_some_and(|minimum| minimum > ours) {
        return Err(ConnectError::TooNew {
            endpoint: endpoint.to_owned(),
            minimum: oldest.to_owned(),
            newest: format!("{major_version}.{minor_version}"),
        });
    }
    Ok(theirs.min(ours))
}

/// bollard 0.21 sends calls without a version, which an engine reads as its own newest one: put it
/// in front of the path.
fn versioned(api: bollard::Docker, version: &str) -> bollard::Docker {
    let prefix = format!("/v{version}");
    api.with_request_modifier(move |mut request| {
        let uri = request.uri();
        let parts = (uri.scheme_str(), uri.authority(), uri.path_and_query());
        if let (Some(scheme), Some(authority), Some(path)) = parts
            && !path.as_str().starts_with("/v1.")
            && let Ok(uri) = format!("{scheme}://{authority}{prefix}{path}").parse()
        {
            *request.uri_mut() = uri;
        }
        request
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_agreed_on_or_refused_with_a_cure() {
        assert_eq!(agree("e", "1.41", "1.12").unwrap(), (1, 41));
        assert_eq!(agree("e", "1.99", "1.44").unwrap(), (1, 53));
        for (newest, oldest, part) in [
            ("1.40", "1.12", "update the engine"),
            ("1.100", "1.90", "update netlab"),
            ("", "", "too old"),
        ] {
            let error = agree("e", newest, oldest).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn endpoints_that_cannot_work_say_what_to_do() {
        for (endpoint, part) in [
            ("unix:///nowhere/docker.sock", "start Docker"),
            (
                "ssh://me@lab",
                "-L /tmp/docker.sock:/var/run/docker.sock me@lab",
            ),
            ("fd://", "write `unix:///path`"),
        ] {
            let error = Docker::connect_to(endpoint).await.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
