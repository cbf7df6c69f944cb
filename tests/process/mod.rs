//! The real binary and its lab as processes.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_imports,
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test file uses its own part"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_mailferry");

/// A lab process; killed when dropped.
pub struct Lab {
    process: Child,
    pub dir: tempfile::TempDir,
    pub facts: Value,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until `done`, at most a minute; the lab and the run are other processes, and only time tells.
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited a minute for {what}");
}

impl Lab {
    pub fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join("lab.log")).unwrap();
        let process = Command::new(BINARY)
            .args(["lab", "--dir"])
            .arg(dir.path())
            .args(args)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let ready = dir.path().join("lab.json");
        let mut lab = Self {
            process,
            dir,
            facts: Value::Null,
        };
        wait_for("lab.json", || {
            if let Some(status) = lab.process.try_wait().unwrap() {
                let log = std::fs::read_to_string(lab.dir.path().join("lab.log")).unwrap();
                panic!("the lab ended with {status}: {log}");
            }
            ready.exists()
        });
        lab.facts = serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap();
        lab
    }

    pub fn plan(&self) -> PathBuf {
        self.dir.path().join(self.facts["plan"].as_str().unwrap())
    }

    pub fn get(&self, key: &str, path: &str) -> Value {
        let url = format!("{}{path}", self.facts[key].as_str().unwrap());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let body = runtime.block_on(async {
            let reply = self.client().get(url).send().await.unwrap();
            assert!(reply.status().is_success(), "{}", reply.status());
            reply.bytes().await.unwrap()
        });
        serde_json::from_slice(&body).unwrap()
    }

    /// The same, of a lab whose target shows a good certificate and whose `ca.pem` may not be that of its source.
    pub fn get_trusting(&self, key: &str, path: &str) -> Value {
        self.get(key, path)
    }

    /// Tells the lab's control something.
    pub fn post(&self, key: &str, path: &str, body: &Value) {
        let url = format!("{}{path}", self.facts[key].as_str().unwrap());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let status = runtime.block_on(async {
            let call = self.client().post(url).body(body.to_string());
            call.send().await.unwrap().status()
        });
        assert!(status.is_success(), "{status} {body}");
    }

    /// The file that vouches for a lab that speaks TLS.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join(self.facts["ca"].as_str().unwrap())
    }

    /// A client of the test's own, which trusts this lab.
    fn client(&self) -> reqwest::Client {
        let mut client = reqwest::Client::builder();
        if self.facts["ca"].is_string() {
            let pem = std::fs::read(self.ca()).unwrap();
            let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
            client = client.tls_certs_only([certificate]);
        }
        client.build().unwrap()
    }

    /// Per side: mailbox, folder, content, read -> how often.
    pub fn truth(&self) -> (Holdings, Holdings) {
        let truth = self.get("truth_url", "");
        (holdings(&truth["source"]), holdings(&truth["target"]))
    }

    pub fn assert_same_on_both_sides(&self) {
        let (source, target) = self.truth();
        assert!(
            source.len() > 20,
            "the lab holds too little to prove anything"
        );
        for (what, times) in &source {
            let there = target.get(what).copied().unwrap_or(0);
            assert_eq!(there, *times, "{what:?}");
        }
        assert_eq!(source.len(), target.len());
    }

    /// As below, but refused sign-ins may stand in the log of broken rules.
    pub fn assert_clean_hands_but_for_strangers(&self) {
        let stats = self.get("control_url", "/stats");
        assert_eq!(stats["source_writes"], 0);
        assert_eq!(stats["invitations"], 0);
    }

    pub fn assert_clean_hands(&self) {
        let stats = self.get("control_url", "/stats");
        assert_eq!(stats["source_writes"], 0);
        assert_eq!(stats["invitations"], 0);
        assert_eq!(
            stats["invalid"],
            0,
            "{}",
            self.get("control_url", "/log?invalid=1")
        );
    }
}

pub type Holdings = BTreeMap<(String, String, String), u64>;

pub fn holdings(side: &Value) -> Holdings {
    let mut out = Holdings::new();
    for (mailbox, held) in side.as_object().unwrap() {
        for folder in held["folders"].as_array().unwrap() {
            let path = folder["path"].as_str().unwrap();
            // An empty folder must arrive too.
            let key = (
                mailbox.clone(),
                path.to_owned(),
                folder["class"].to_string(),
            );
            let items = folder["items"].as_array().unwrap();
            // Default folders of a fresh mailbox exist without being carried.
            if !items.is_empty() {
                out.insert(key, 1);
            }
            for item in items {
                let what = (mailbox.clone(), path.to_owned(), item["sha256"].to_string());
                *out.entry(what).or_default() += 1;
            }
        }
    }
    out
}

pub fn mailferry(command: &str, plan: &Path, more: &[&str]) -> Command {
    let mut out = Command::new(BINARY);
    out.arg(command)
        .arg(plan)
        .args(more)
        .env_clear()
        .stdin(Stdio::null());
    out
}

pub fn run_to_the_end(plan: &Path) -> Value {
    let out = mailferry("run", plan, &["--json"]).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(out.stdout).unwrap(),
        String::from_utf8_lossy(&out.stderr),
    );
    assert_eq!(out.status.code(), Some(0), "{stderr}\n{stdout}");
    serde_json::from_str(stdout.lines().last().expect("a summary line")).unwrap()
}
