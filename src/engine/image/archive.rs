//! The archive of an image with one layer: docker-archive (`manifest.json`) and OCI image layout
//! (`oci-layout`, `index.json`) in one tar, both naming the same blobs.

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

const BLOCK: usize = 512;

/// An image's blobs.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    layer: Vec<Bytes>,
    layer_digest: String,
    config: Bytes,
    config_digest: String,
}

impl Layout {
    /// `program` at `path`, run with `command`. Its root needs no folders: the engine makes mount
    /// points, also in a container whose root is read-only.
    pub(super) fn new(
        architecture: &str,
        path: &str,
        command: &str,
        labels: &[(&str, &str)],
        program: Bytes,
    ) -> Layout {
        let mut layer = Vec::new();
        append(
            &mut layer,
            path.trim_start_matches('/'),
            0o755,
            vec![program],
        );
        finish(&mut layer);
        let layer_digest = digest(&layer);
        let labels: serde_json::Map<_, _> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let config = json!({
            "architecture": goarch(architecture),
            "config": { "Entrypoint": [path], "Cmd": [command], "Labels": labels },
            "created": "1970-01-01T00:00:00Z",
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "netlab" }],
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        });
        let config = Bytes::from(config.to_string());
        let config_digest = digest(std::slice::from_ref(&config));
        Layout {
            layer,
            layer_digest,
            config,
            config_digest,
        }
    }

    /// Twelve digits that stand for all of the content: the configuration names the layer.
    pub(super) fn short_digest(&self) -> &str {
        &self.config_digest[..12]
    }

    pub(super) fn archive(&self, tag: &str) -> Vec<Bytes> {
        let blob = |digest: &str| format!("blobs/sha256/{digest}");
        let described = |media: &str, digest: &str, size: usize| json!({ "mediaType": media, "digest": format!("sha256:{digest}"), "size": size });
        let layer_size = self.layer.iter().map(Bytes::len).sum();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", &self.config_digest, self.config.len()),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &self.layer_digest, layer_size)],
        });
        let manifest = Bytes::from(manifest.to_string());
        let manifest_digest = digest(std::slice::from_ref(&manifest));
        let mut named = described(
            "application/vnd.oci.image.manifest.v1+json",
            &manifest_digest,
            manifest.len(),
        );
        named["annotations"] = json!({
            "io.containerd.image.name": format!("docker.io/library/{tag}"),
            "org.opencontainers.image.ref.name": tag.rsplit(':').next(),
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [named],
        });
        let docker = json!([{
            "Config": blob(&self.config_digest),
            "RepoTags": [tag],
            "Layers": [blob(&self.layer_digest)],
        }]);
        let mut archive = Vec::new();
        let mut add = |path: &str, bytes: Vec<Bytes>| append(&mut archive, path, 0o644, bytes);
        add(&blob(&self.layer_digest), self.layer.clone());
        add(&blob(&self.config_digest), vec![self.config.clone()]);
        add(&blob(&manifest_digest), vec![manifest]);
        for (path, content) in [
            ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
            ("index.json", index),
            ("manifest.json", docker),
        ] {
            add(path, vec![Bytes::from(content.to_string())]);
        }
        finish(&mut archive);
        archive
    }
}

fn goarch(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn digest(pieces: &[Bytes]) -> String {
    let mut sha = Sha256::new();
    for piece in pieces {
        sha.update(piece);
    }
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Appends a file. Owner, times and order are fixed.
fn append(pieces: &mut Vec<Bytes>, path: &str, mode: u32, bytes: Vec<Bytes>) {
    let size: usize = bytes.iter().map(Bytes::len).sum();
    let mut header = tar::Header::new_ustar();
    // Paths are this module's own and shorter than a header's 100 bytes.
    let _ = header.set_path(path);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    pieces.push(Bytes::copy_from_slice(header.as_bytes()));
    pieces.extend(bytes);
    pieces.push(Bytes::from(vec![0; size.next_multiple_of(BLOCK) - size]));
}

/// Two empty blocks end a tar.
fn finish(pieces: &mut Vec<Bytes>) {
    pieces.push(Bytes::from(vec![0; 2 * BLOCK]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read;

    fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (
                entry.path().unwrap().to_string_lossy().into_owned(),
                content,
            )
        });
        entries.collect()
    }

    #[test]
    fn both_indexes_lead_to_the_program() {
        let program = Bytes::from_static(b"program");
        let layout = Layout::new("x86_64", "/netlab-node", "run", &[("a", "b")], program);
        let files = unpack(&layout.archive("netlab-node:1").concat());
        let json = |path: &str| serde_json::from_slice::<serde_json::Value>(&files[path]).unwrap();
        let blob = |digest: &serde_json::Value| {
            format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"))
        };
        let manifest = json(&blob(&json("index.json")["manifests"][0]["digest"]));
        let layer = blob(&manifest["layers"][0]["digest"]);
        assert_eq!(json("manifest.json")[0]["Layers"][0], layer);
        assert_eq!(
            files[&layer].len() as u64,
            manifest["layers"][0]["size"].as_u64().unwrap()
        );
        assert_eq!(unpack(&files[&layer])["netlab-node"], b"program");
        let config = json(&blob(&manifest["config"]["digest"]));
        assert_eq!(config["architecture"], "amd64");
        assert_eq!(config["config"]["Labels"]["a"], "b");
    }
}
