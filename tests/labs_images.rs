//! Nodes with somebody else's image, on the real engine: a small one is packed from busybox.

#![allow(clippy::unwrap_used)]

#[path = "support/packed.rs"]
mod packed;
mod support;

use packed::Packed;
use support::{Sandbox, docker, steady};

/// A server that begins to listen late: `up -d` returns when it does, and programs in it reach it by
/// its name.
#[test]
fn an_image_is_ready_when_its_healthcheck_says_so() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("images") else {
            return;
        };
        let page = ("www/index.html", 0o644, "hello from an image\n");
        let Some(image) = Packed::new("images", &[page]) else {
            return;
        };
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
