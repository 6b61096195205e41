//! Somebody else's image for tests: busybox and some files.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

/// Where Debian's busybox-static puts its one static program.
const BUSYBOX: &str = "/bin/busybox";

/// An image, until dropped; its name is the field.
pub struct Packed(pub String);

impl Packed {
    /// Busybox with these files (path, mode, content), or none (with the reason printed) where there is
    /// no busybox.
    pub fn new<C: AsRef<[u8]>>(name: &str, files: &[(&str, u32, C)]) -> Option<Packed> {
        if !std::path::Path::new(BUSYBOX).exists() {
            assert!(
                std::env::var_os("NETLAB_TESTS_STRICT").is_none(),
                "{BUSYBOX} is missing: install busybox-static"
            );
            eprintln!("SKIP: {BUSYBOX} is missing");
            return None;
        }
        let tag = format!("netlab-test-{name}:{}", std::process::id());
        let mut archive = tar::Builder::new(Vec::new());
        archive
            .append_path_with_name(BUSYBOX, "bin/busybox")
            .unwrap();
        for applet in ["sh", "sleep", "httpd", "wget"] {
            let mut link = tar::Header::new_gnu();
            link.set_entry_type(tar::EntryType::Symlink);
            link.set_size(0);
            let path = format!("bin/{applet}");
            archive.append_link(&mut link, path, "busybox").unwrap();
        }
        for (path, mode, content) in files {
            let mut file = tar::Header::new_gnu();
            let content = content.as_ref();
            file.set_size(content.len() as u64);
            file.set_mode(*mode);
            archive.append_data(&mut file, path, content).unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        let mut import = Command::new("docker")
            .args(["import", "-", &tag])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        import.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(import.wait().unwrap().success());
        Some(Packed(tag))
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rmi", &self.0])
            .stdout(Stdio::null())
            .status();
    }
}
