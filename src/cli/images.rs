//! `netlab images`: netlab's own images on the engine.

use super::exit::{Exit, Failure};
use super::table::{self, Format};
use super::{Context, connect};
use crate::engine::docker::Docker;
use crate::engine::{Engine, ImageFound, image};
use crate::plan::labels;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Arguments of `netlab images`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Write the node program and a Dockerfile that makes the same image into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "rm")]
    export: Option<PathBuf>,
    /// Remove those of mine that no container uses
    #[arg(long)]
    rm: bool,
    /// How the list is printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    image: String,
    owner: String,
    build: String,
    bytes: i64,
}

/// Lists, exports or removes.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if let Some(folder) = &arguments.export {
        image::export(folder).map_err(|source| Failure::Write {
            path: folder.clone(),
            source,
        })?;
        let folder = folder.display();
        context.terminal.print(&format!(
            "{folder}/Dockerfile and {folder}/netlab-node; docker build {folder}\n"
        ))?;
        return Ok(Exit::Passed);
    }
    let (engine, _) = connect::connect().await?;
    if arguments.rm {
        remove(&engine, context).await?;
        return Ok(Exit::Passed);
    }
    let rows: Vec<Row> = own(&engine, &[(labels::BUILD, "")]).await?;
    let heads = ["IMAGE", "SIZE", "OWNER"];
    let cells = |row: &Row| vec![row.image.clone(), table::size(row.bytes), row.owner.clone()];
    let text = table::list(arguments.format, &rows, &heads, cells, context.terminal.out);
    context.terminal.print(&text)?;
    Ok(Exit::Passed)
}

/// netlab's images with these labels, by tag.
async fn own(engine: &Docker, wanted: &[(&str, &str)]) -> Result<Vec<Row>, Failure> {
    let row = |found: &ImageFound, tag: &String| {
        let label = |key: &str| found.labels.get(key).cloned().unwrap_or_default();
        Row {
            image: tag.clone(),
            owner: label(labels::OWNER),
            build: label(labels::BUILD),
            bytes: found.size,
        }
    };
    let found = engine.images(wanted).await?;
    let rows = found
        .iter()
        .flat_map(|one| one.tags.iter().map(move |tag| row(one, tag)));
    let mut rows: Vec<Row> = rows
        .filter(|row| row.image.starts_with("netlab-"))
        .collect();
    rows.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(rows)
}

/// Removes those of mine that no container uses, one line each.
///
/// # Errors
/// A call that failed for another reason than that the image is in use.
pub async fn remove(engine: &Docker, context: &Context) -> Result<(), Failure> {
    let wanted = [(labels::BUILD, ""), (labels::OWNER, context.owner.as_str())];
    let rows = own(engine, &wanted).await?;
    if rows.is_empty() {
        return context
            .terminal
            .print("no image of netlab; nothing to remove\n");
    }
    for row in rows {
        match engine.remove_image(&row.image).await {
            Ok(()) => context
                .terminal
                .print(&format!("{}  removed\n", row.image))?,
            Err(error) if error.status == Some(409) => {
                let text = format!("{} stays: a container uses it", row.image);
                context.terminal.warn(&text);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
