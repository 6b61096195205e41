//! Reaches the engine, and says what is wrong when it cannot be.

use super::exit::Failure;
use crate::engine::docker::Docker;
use crate::engine::image::OwnImages;
use crate::engine::{Engine, EngineInfo};
use std::error::Error;

/// The engine that `docker` would use.
///
/// # Errors
/// [`Failure::Unfit`] with the cure.
pub async fn connect() -> Result<(Docker, EngineInfo), Failure> {
    let docker = Docker::connect().await.map_err(|error| unfit(&error))?;
    let info = docker.describe().await?;
    Ok((docker, info))
}

/// netlab's own images for an engine of this architecture.
///
/// # Errors
/// [`Failure::Unfit`] with the cure.
pub fn own_images(owner: &str, architecture: &str) -> Result<OwnImages, Failure> {
    OwnImages::of_this_executable(owner, architecture).map_err(|error| unfit(&error))
}

/// An error that reads `what: cure`, as those of the engine's stage do.
pub fn unfit(error: &dyn Error) -> Failure {
    let text = error.to_string();
    let (what, cure) = text.rsplit_once(": ").unwrap_or((&text, "`netlab doctor`"));
    let mut what = what.to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !what.contains(&words) {
            what = format!("{what} ({words})");
        }
        cause = error.source();
    }
    Failure::Unfit {
        what,
        cure: cure.to_owned(),
    }
}

/// An error with its causes, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
