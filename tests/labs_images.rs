//! Nodes with somebody else's image, on the real engine: a small one is packed from busybox.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use support::{Sandbox, docker, steady};

/// Where Debian's busybox-static puts its one static program.
const BUSYBOX: &str = "/bin/busybox";

/// An image of busybox, until dropped.
struct Packed(String);

impl Packed {
    fn new(tag: String) -> Packed {
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
        let page = b"hello from an image\n";
        let mut file = tar::Header::new_gnu();
        file.set_size(page.len() as u64);
        file.set_mode(0o644);
        archive
            .append_data(&mut file, "www/index.html", &page[..])
            .unwrap();
        let bytes = archive.into_inner().unwrap();
        let mut import = Command::new("docker")
            .args(["import", "-", &tag])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        import.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(import.wait().unwrap().success());
        Packed(tag)
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

/// A server that begins to listen late: `up -d` returns when it does, and programs in it reach it by
/// its name.
#[test]
fn an_image_is_ready_when_its_healthcheck_says_so() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("images") else {
            return;
        };
        if !std::path::Path::new(BUSYBOX).exists() {
            assert!(
                std::env::var_os("NETLAB_TESTS_STRICT").is_none(),
                "{BUSYBOX} is missing: install busybox-static"
            );
            eprintln!("SKIP: {BUSYBOX} is missing");
            return;
        }
        let image = Packed::new(format!("netlab-test-busybox:{}", std::process::id()));
        let file = sandbox.topology(
            "images.yaml",
            &format!(
                "name: images
nodes:
  web:
    image: \"{}\"
    command: [sh, -c, \"sleep 2; exec httpd -f -p 8080 -h /www\"]
    port: 8080
    healthcheck: {{ tcp: 8080 }}
  client: {{ role: client, load: {{ target: web, path: /index.html, rate: 10/s }} }}
",
                image.0
            ),
        );
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let url = "http://web:8080/index.html";
        let page = sandbox
            .netlab(&["exec", "web", "--", "wget", "-q", "-O", "-", url])
            .expect(0);
        assert_eq!(page.stdout, "hello from an image\n");
        sandbox
            .netlab(&["exec", "web", "--", "sh", "-c", "exit 7"])
            .expect(7);
        // Only the healthcheck changes: no container is touched.
        let id = || docker(&["inspect", "--format", "{{.Id}}", "netlab-images.web"]);
        let before = id();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("tcp: 8080", "tcp: 8081")).unwrap();
        let plan = sandbox.netlab(&["plan", &file]).expect(0).stdout;
        assert!(
            plan.contains("live      web: healthcheck.tcp 8080 → 8081"),
            "{plan}"
        );
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        assert_eq!(id(), before);
        sandbox.netlab(&["down", "images"]).expect(0);
    });
}
