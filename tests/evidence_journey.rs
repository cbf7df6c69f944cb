//! From a rehearsal to a cutover with the real binary: waivers by two people, signatures that OpenSSH accepts and makes, the pack checked
//! offline, the gate with its exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::print_stderr,
    clippy::allow_attributes,
    reason = "a test: a journey is told in one piece, helpers are not seen as such by the lint, and what is skipped is said"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_mailferry");

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(self.out.trim())
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    /// A rehearsal with three items in each of two mailboxes that cannot be carried.
    fn rehearsed() -> Self {
        let room = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let args = [
            "rehearse",
            "--mailboxes",
            "2",
            "--items",
            "30",
            "--refused",
            "2",
            "--corrupt",
            "1",
            "--limits",
            "off",
            "--dir",
        ];
        let said = room.ask(&[&args[..], &["."]].concat(), &[]).ends(5);
        assert!(said.out.contains("6 refused"), "{}", said.out);
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ask(&self, args: &[&str], env: &[(&str, &str)]) -> Said {
        let out = Command::new(BINARY)
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .env("TMPDIR", self.dir.path())
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        Said {
            code: out.status.code().expect("an exit code"),
            out: String::from_utf8(out.stdout).unwrap(),
            err: String::from_utf8(out.stderr).unwrap(),
        }
    }

    fn do_(&self, args: &[&str]) -> Said {
        self.ask(args, &[])
    }

    fn keygen(&self, args: &[&str], input: Option<&Path>) -> bool {
        let stdin = input.map_or_else(Stdio::null, |path| {
            std::fs::File::open(path).unwrap().into()
        });
        let out = Command::new("ssh-keygen")
            .args(args)
            .stdin(stdin)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        out.status.success()
    }

    /// A key pair of this kind, by OpenSSH.
    fn key(&self, name: &str, kind: &[&str], passphrase: &str) {
        let made = self.keygen(
            &[&["-q", "-N", passphrase, "-C", "", "-f", name], kind].concat(),
            None,
        );
        assert!(made, "{name}");
    }

    fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.pub")))
            .unwrap()
            .trim()
            .to_owned()
    }

    fn signers(&self, lines: &[(&str, &str)]) {
        let lines = lines
            .iter()
            .map(|(who, key)| format!("{who} {}", self.public(key)));
        let text = lines.collect::<Vec<_>>().join(
            "
",
        );
        std::fs::write(self.path("allowed_signers"), text).unwrap();
    }

    fn standing(&self) -> String {
        let said = self.do_(&["waive", "plan.toml", "list", "--json"]).ends(0);
        said.json()["waivers"][0]["standing"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The gates that are open once a person looked at what the files here cannot tell.
    fn gates(&self) -> Vec<String> {
        self.gates_of(&LOOKED)
    }

    fn gates_of(&self, more: &[&str]) -> Vec<String> {
        let cutover = ["cutover", "plan.toml", "--name", "Ada", "--json"];
        let said = self.do_(&[&cutover[..], more].concat()).ends(8);
        let found = said.json();
        assert_eq!(found["free"], false);
        found["gates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gate| gate["gate"].as_str().unwrap().to_owned())
            .collect()
    }
}

const LOOKED: [&str; 6] = [
    "--confirm",
    "licences",
    "--confirm",
    "addresses",
    "--confirm",
    "legacy-names",
];

/// True where OpenSSH is installed. On a build server (CI) it must be.
fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("-?").output().is_ok();
    let server = std::env::var_os("CI").is_some();
    assert!(there || !server, "{tool} is not installed");
    if !there {
        eprintln!("SKIPPED: {tool} is not installed, nothing was signed");
    }
    there
}

fn has_keygen() -> bool {
    has("ssh-keygen")
}

const CREATE: [&str; 11] = [
    "waive",
    "plan.toml",
    "create",
    "--bucket",
    "refused",
    "--until",
    "2999-01-31",
    "--name",
    "Ada",
    "--reason",
    "corrupt since 2014",
];

#[test]
fn open_items_are_waived_by_two_people_or_the_gate_stays_open() {
    if !has_keygen() {
        return;
    }
    let room = Room::rehearsed();
    room.key("ada", &["-t", "ed25519"], "");
    room.key("ben", &["-t", "ecdsa", "-b", "256"], "geheim");
    assert_eq!(room.gates(), ["items.open"]);
    // What nobody looked at is no less open.
    let unseen = [
        "items.open",
        "licences.not_checked",
        "addresses.not_checked",
        "legacy_names.not_checked",
    ];
    assert_eq!(room.gates_of(&[]), unseen);
    // Nothing open falls under it; no day to come; no item key.
    for (flags, code) in [
        (&["--class", "IPM.Nothing"][..], 3),
        (&["--item", "xyz"], 3),
        (&["--mailbox", "nobody@clinic.example"], 3),
        (&["--at-most", "0"], 2),
    ] {
        room.do_(&[&CREATE[..], flags].concat()).ends(code);
    }
    let mut late = CREATE;
    late[6] = "2020-01-31";
    room.do_(&late).ends(3);
    room.do_(&CREATE).ends(0);
    assert_eq!(room.gates(), ["waiver.unsigned", "items.open"]);
    let sign = |name: &str, key: &str| {
        let env = [("MAILFERRY_KEY_PASSPHRASE", "geheim")];
        room.ask(
            &[
                "sign",
                "plan.toml",
                "--waiver",
                "W0001",
                "--name",
                name,
                "--key",
                key,
            ],
            &env,
        )
    };
    // Without a list of signers a signature is kept and does not count.
    sign("Ada", "ada").ends(0);
    assert_eq!(room.standing(), "not_requested");
    room.signers(&[("Ada", "ada"), ("Ben", "ben")]);
    assert_eq!(room.standing(), "not_approved");
    // The one who asks grants nothing, under no name.
    sign("Ben", "ada").ends(3);
    sign("Mallory", "ada").ends(3);
    assert_eq!(room.standing(), "not_approved");
    // A wrong passphrase, and none.
    room.ask(
        &[
            "sign",
            "plan.toml",
            "--waiver",
            "W0001",
            "--name",
            "Ben",
            "--key",
            "ben",
        ],
        &[("MAILFERRY_KEY_PASSPHRASE", "wrong")],
    )
    .ends(3);
    room.do_(&[
        "sign",
        "plan.toml",
        "--waiver",
        "W0001",
        "--name",
        "Ben",
        "--key",
        "ben",
    ])
    .ends(4);
    sign("Ben", "ben").ends(0);
    assert_eq!(room.standing(), "counts");
    // The rehearsal did not say who operated it, so nobody can tell whether Ben did.
    assert_eq!(room.gates(), ["operators.not_checked"]);
    let cutover = ["cutover", "plan.toml", "--name", "Ada"];
    let said = room
        .do_(&[&cutover[..], &LOOKED, &["--confirm", "operators"]].concat())
        .ends(0);
    for word in [
        "Set-CASMailbox -Identity 'a.harris@clinic.example'",
        "mailferry run plan.toml",
        "confirmed by Ada: whether every user mailbox of the target has a licence",
        "confirmed by Ada: whether nobody who operated a run granted a waiver",
        "not checked: whether no critical finding about the source is open",
    ] {
        assert!(said.out.contains(word), "{word}: {}", said.out);
    }
    let log = std::fs::read_to_string(room.path("state/decisions.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["kind"], &last["who"]),
        (&"cutover".into(), &"Ada".into())
    );
    let confirmed = ["licences", "addresses", "legacy_names", "operators"];
    assert_eq!(last["facts"]["confirmed"], serde_json::json!(confirmed));
    assert_eq!(last["facts"]["not_checked"], serde_json::json!(["posture"]));
    // A key that may not approve, a waiver that was edited, one that was taken back.
    std::fs::write(
        room.path("allowed_signers"),
        format!(
            "Ada {}\nBen namespaces=\"mailferry-pack\" {}\n",
            room.public("ada"),
            room.public("ben")
        ),
    )
    .unwrap();
    assert_eq!(room.standing(), "not_approved");
    room.signers(&[("Ada", "ada"), ("Ben", "ben")]);
    let path = room.path("state/waivers/W0001.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"at_most\": 6", "\"at_most\": 7")).unwrap();
    assert_eq!(
        room.standing(),
        "not_requested",
        "what was signed was changed"
    );
    std::fs::write(&path, text).unwrap();
    assert_eq!(room.standing(), "counts");
    room.do_(&["waive", "plan.toml", "revoke", "W0001", "--name", "Ada"])
        .ends(0);
    assert_eq!(room.standing(), "revoked");
    assert_eq!(room.gates(), ["items.open"]);
    // The log cannot be edited: every command that needs it refuses.
    std::fs::write(
        room.path("state/decisions.jsonl"),
        log.replace("corrupt since 2014", "corrupt since 2015"),
    )
    .unwrap();
    let said = room.do_(&["cutover", "plan.toml", "--name", "Ada"]).ends(3);
    assert!(said.err.contains("decisions.jsonl"), "{}", said.err);
}

#[test]
fn openssh_accepts_our_signatures_and_we_accept_its() {
    if !has_keygen() {
        return;
    }
    let room = Room::rehearsed();
    room.key("ed", &["-t", "ed25519"], "");
    room.key("ec", &["-t", "ecdsa", "-b", "256"], "");
    room.key("rsa", &["-t", "rsa", "-b", "3072"], "");
    room.signers(&[
        ("ed@clinic.example", "ed"),
        ("ec@clinic.example", "ec"),
        ("\"R. S. A.\"", "rsa"),
    ]);
    let sign = |name: &str, flag: &str, file: &str| {
        room.do_(&["sign", "plan.toml", "--name", name, flag, file, "--json"])
    };
    let first = sign("ed@clinic.example", "--key", "ed").ends(0).json();
    let second = sign("ec@clinic.example", "--key", "ec").ends(0).json();
    assert_eq!(first["over"], second["over"], "two people sign one pack");
    let document = room.path(first["over"].as_str().unwrap());
    for (made, name) in [
        (&first, "ed@clinic.example"),
        (&second, "ec@clinic.example"),
    ] {
        let file = made["signature"].as_str().unwrap();
        let verify = |space| {
            room.keygen(
                &[
                    "-Y",
                    "verify",
                    "-f",
                    "allowed_signers",
                    "-I",
                    name,
                    "-n",
                    space,
                    "-s",
                    file,
                ],
                Some(&document),
            )
        };
        assert!(
            verify("mailferry-pack"),
            "ssh-keygen refuses our signature of {name}"
        );
        assert!(!verify("git"));
    }
    // An RSA private key is never used here; OpenSSH signs with it and we check.
    let said = sign("R. S. A.", "--key", "rsa").ends(3);
    assert!(said.err.contains("ssh-keygen -Y sign"), "{}", said.err);
    let copy = room.path("copy.json");
    std::fs::copy(&document, &copy).unwrap();
    for (key, name) in [
        ("rsa", "R. S. A."),
        ("ed", "ed@clinic.example"),
        ("ec", "ec@clinic.example"),
    ] {
        let _ = std::fs::remove_file(room.path("copy.json.sig"));
        assert!(room.keygen(
            &[
                "-q",
                "-Y",
                "sign",
                "-n",
                "mailferry-pack",
                "-f",
                key,
                "copy.json"
            ],
            None
        ));
        sign(name, "--signature", "copy.json.sig").ends(0);
    }
    let _ = std::fs::remove_file(room.path("copy.json.sig"));
    assert!(room.keygen(
        &["-q", "-Y", "sign", "-n", "git", "-f", "rsa", "copy.json"],
        None
    ));
    sign("R. S. A.", "--signature", "copy.json.sig").ends(3);
    let pack = document.parent().unwrap().to_str().unwrap();
    let verify = [
        "evidence",
        "verify",
        pack,
        "--allowed-signers",
        "allowed_signers",
        "--signed-by",
        "R. S. A.",
        "--json",
    ];
    let found = room.do_(&verify).ends(0).json();
    assert_eq!(
        (
            &found["good"],
            found["signatures"].as_array().unwrap().len()
        ),
        (&true.into(), 3)
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/verify_pack.py");
    match Command::new("python3")
        .arg(script)
        .arg(pack)
        .arg(room.path("allowed_signers"))
        .output()
    {
        Ok(out) => assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stdout)
        ),
        Err(_) => eprintln!("SKIPPED: python3 is not installed"),
    }
}

/// An agent of the test's own; ends with the test.
struct Agent {
    process: std::process::Child,
    socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Agent {
    fn start(room: &Room) -> Self {
        let socket = room.path("agent.sock");
        let process = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        crate::process::wait_for("the agent", || socket.exists());
        Self { process, socket }
    }

    fn add(&self, room: &Room, key: &str) {
        let done = Command::new("ssh-add")
            .args(["-q", key])
            .env("SSH_AUTH_SOCK", &self.socket)
            .current_dir(room.dir.path())
            .status()
            .unwrap();
        assert!(done.success(), "{key}");
    }
}

#[cfg(unix)]
#[test]
fn an_agent_signs_with_keys_this_program_never_sees() {
    if !has("ssh-keygen") || !has("ssh-agent") {
        return;
    }
    let room = Room::rehearsed();
    let kinds: [(&str, &[&str]); 3] = [
        ("ed", &["-t", "ed25519"]),
        ("ec", &["-t", "ecdsa", "-b", "256"]),
        ("rsa", &["-t", "rsa", "-b", "3072"]),
    ];
    for (name, kind) in kinds {
        room.key(name, kind, "");
    }
    room.signers(&[("ed", "ed"), ("ec", "ec"), ("rsa", "rsa")]);
    let agent = Agent::start(&room);
    let socket = agent.socket.to_str().unwrap().to_owned();
    let sign = |name: &str, socket: &str| {
        let file = format!("{name}.pub");
        room.ask(
            &[
                "sign",
                "plan.toml",
                "--name",
                name,
                "--key",
                &file,
                "--json",
            ],
            &[("SSH_AUTH_SOCK", socket)],
        )
    };
    // A key it does not hold, no agent there, none named.
    let said = sign("ed", &socket).ends(3);
    assert!(said.err.contains("does not sign"), "{}", said.err);
    sign("ed", "nowhere.sock").ends(3);
    let said = sign("ed", "").ends(3);
    assert!(said.err.contains("SSH_AUTH_SOCK"), "{}", said.err);
    for (name, _) in kinds {
        agent.add(&room, name);
        // It holds the key from now on; the file is not needed.
        std::fs::remove_file(room.path(name)).unwrap();
        let made = sign(name, &socket).ends(0).json();
        let document = room.path(made["over"].as_str().unwrap());
        let file = made["signature"].as_str().unwrap();
        let verify = [
            "-Y",
            "verify",
            "-f",
            "allowed_signers",
            "-I",
            name,
            "-n",
            "mailferry-pack",
            "-s",
            file,
        ];
        assert!(
            room.keygen(&verify, Some(&document)),
            "ssh-keygen refuses the agent's signature by {name}"
        );
    }
}

#[test]
fn who_operated_the_run_grants_nothing_even_with_a_key_of_their_own() {
    if !has_keygen() {
        return;
    }
    let lab = crate::process::Lab::start(&[
        "--mailboxes",
        "1",
        "--items",
        "30",
        "--limits",
        "off",
        "--refused",
        "2",
    ]);
    let room = Room {
        dir: tempfile::tempdir().unwrap(),
    };
    let plan = lab.plan();
    for (name, kind) in [("ada", "ed25519"), ("ben", "ed25519"), ("cyd", "ecdsa")] {
        room.key(name, &["-t", kind], "");
    }
    room.signers(&[("Ada", "ada"), ("Ben", "ben"), ("Cyd", "cyd")]);
    let list = room.path("allowed_signers");
    std::fs::copy(&list, plan.with_file_name("allowed_signers")).unwrap();
    let ask = |args: &[&str]| {
        let mut args = args.to_vec();
        args.insert(1, plan.to_str().unwrap());
        room.do_(&args)
    };
    ask(&["run", "--name", "Ben"]).ends(5);
    ask(&["verify"]).ends(5);
    let mut create = CREATE.to_vec();
    create.remove(1);
    ask(&create).ends(0);
    let standing = || {
        let listed = ask(&["waive", "list", "--json"]).ends(0).json();
        listed["waivers"][0]["standing"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let sign = |name: &str, key: &str| {
        ask(&["sign", "--waiver", "W0001", "--name", name, "--key", key]).ends(0);
    };
    sign("Ada", "ada");
    sign("Ben", "ben");
    assert_eq!(standing(), "same_name", "Ben ran it");
    sign("Cyd", "cyd");
    assert_eq!(standing(), "counts");
    let cutover = ["cutover", "--name", "Ada"];
    let said = ask(&[&cutover[..], &LOOKED].concat()).ends(0);
    let checked = "checked: whether nobody who operated a run granted a waiver";
    assert!(said.out.contains(checked), "{}", said.out);
}

/// A plan that asks for the register of actions opens only when every one is settled, or none is late.
#[test]
fn a_plan_may_make_the_register_of_actions_a_gate() {
    let lab = crate::process::Lab::start(&["--mailboxes", "1", "--items", "20", "--limits", "off"]);
    let plan = lab.plan();
    let ask = |command: &str, more: &[&str]| {
        let out = crate::process::mailferry(command, &plan, more)
            .output()
            .unwrap();
        let said = String::from_utf8(out.stdout).unwrap();
        (out.status.code(), said)
    };
    let text = std::fs::read_to_string(&plan).unwrap();
    let (head, tail) = text.split_once("[select]").unwrap();
    let asks = |rule: &str| {
        let asked = format!("{head}[cutover]\nactions = \"{rule}\"\n\n[select]{tail}");
        std::fs::write(&plan, asked).unwrap();
    };
    let register = lab.dir.path().join("register.csv");
    std::fs::write(lab.dir.path().join("order.pdf"), "seen").unwrap();
    let rows = |due: &str, status: &str, verified: &str| {
        let head = "id,requirement,basis,action,owner,due,status,evidence,evidence_sha256,verified_by,closed,note";
        let row = format!(
            "A1,switch off MRSProxy,order,do it,Ann,{due},{status},order.pdf,,{verified},,"
        );
        std::fs::write(&register, format!("{head}\n{row}\n")).unwrap();
    };
    let assess = || {
        let out = std::process::Command::new(crate::process::BINARY)
            .args([
                "assess",
                "--json",
                "--server",
                "EX1=15.1.2507.72",
                "--state",
            ])
            .arg(lab.dir.path().join("state"))
            .arg("--actions")
            .arg(&register)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(matches!(out.status.code(), Some(0 | 5)), "{err}");
    };
    let cutover = [&["--name", "Ada"][..], &LOOKED].concat();
    let open = || {
        let (code, said) = ask("cutover", &cutover);
        let gates = said.lines().filter(|line| line.starts_with("actions.open"));
        (code, gates.map(str::to_owned).collect::<Vec<_>>())
    };
    asks("settled");
    assert_eq!(ask("run", &["--name", "Ada"]).0, Some(0));
    assert_eq!(ask("verify", &["--level", "content"]).0, Some(0));
    // Nobody assessed: the plan asks for a register, and there is none.
    assert_eq!(open().0, Some(8));
    rows("2999-01-01", "in progress", "");
    assess();
    let (code, gates) = open();
    assert_eq!(code, Some(8));
    assert!(gates.iter().any(|gate| gate.contains("A1")), "{gates:?}");
    rows("2999-01-01", "verified", "Ben");
    assess();
    let (_, gates) = open();
    assert!(!gates.iter().any(|gate| gate.contains("A1")), "{gates:?}");
}

/// Over the wire: the verdict covers what it saw, a change at the source ends that for one folder, and the gate names it.
#[test]
fn a_later_change_makes_the_verdict_stale_for_its_folder_and_cutover_says_so() {
    let lab = crate::process::Lab::start(&["--mailboxes", "1", "--items", "30", "--limits", "off"]);
    let plan = lab.plan();
    let ask = |command: &str, more: &[&str], code: i32| {
        let out = crate::process::mailferry(command, &plan, more)
            .output()
            .unwrap();
        let said = String::from_utf8(out.stdout).unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{command}: {said}{err}");
        said
    };
    let cutover = [&["--name", "Ada"][..], &LOOKED].concat();
    ask("run", &["--name", "Ada"], 0);
    ask("verify", &["--level", "content"], 0);
    let said = ask("cutover", &cutover, 0);
    assert!(
        said.contains("checked: whether nobody who operated"),
        "{said}"
    );
    // A run without news changes nothing about the verdict.
    ask("run", &["--name", "Ada"], 0);
    ask("cutover", &cutover, 0);
    let deed = serde_json::json!({"mailbox": lab.facts["mailboxes"][0]["source"], "action": "add", "folder": "Inbox", "count": 1});
    lab.post("control_url", "/source", &deed);
    ask("run", &["--name", "Ada"], 0);
    let said = ask("cutover", &cutover, 8);
    let stale: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("verdict.stale"))
        .collect();
    assert_eq!(stale.len(), 1, "{said}");
    let tail = "no longer so for Inbox (changed since it was verified)";
    assert!(stale[0].ends_with(tail), "{}", stale[0]);
    ask("verify", &[], 0);
    // What the users of the target made since is no gate, and is said by that name.
    let deed = serde_json::json!({"mailbox": lab.facts["mailboxes"][0]["target"], "action": "add", "folder": "Inbox", "count": 2});
    lab.post("control_url", "/target", &deed);
    // The target takes its time to show new items.
    crate::process::wait_for("the target to show what was added", || {
        ask("verify", &[], 0).contains("made on the target since")
    });
    let said = ask("verify", &[], 0);
    assert!(said.contains("Invitations caused: 0 ("), "{said}");
    let deed = serde_json::json!({"mailbox": lab.facts["mailboxes"][0]["target"], "action": "invite", "folder": "Sent Items", "count": 1});
    lab.post("control_url", "/target", &deed);
    crate::process::wait_for("the target to show what was sent", || {
        let said = ask("verify", &[], 0);
        said.contains("Invitations caused: not known")
            && said.contains("1 meeting messages lie on the target")
    });
    let said = ask("cutover", &cutover, 0);
    let noted = "3 items made on the target since, not by this plan";
    assert!(said.contains(noted), "{said}");
}

#[test]
fn a_pack_is_written_twice_alike_checked_offline_and_told_from_a_changed_one() {
    let room = Room::rehearsed();
    let report = || room.do_(&["report", "plan.toml", "--json"]).ends(0).json();
    let (one, two) = (report(), report());
    assert_eq!(one, two);
    let pack = room.path(one["pack"].as_str().unwrap());
    let pack = pack.to_str().unwrap();
    room.do_(&["evidence", "verify", pack]).ends(0);
    // An item by the key the house knows it by.
    let exceptions = room.do_(&["waive", "plan.toml", "list", "--json"]).ends(0);
    assert_eq!(exceptions.json()["waivers"].as_array().unwrap().len(), 0);
    let report: Value = serde_json::from_str(
        &std::fs::read_to_string(room.path("state/reports/report.json")).unwrap(),
    )
    .unwrap();
    let item = report["mailboxes"][0]["exceptions"][0]["item"]
        .as_str()
        .unwrap();
    let prove = ["evidence", "verify", pack, "--item", item, "--json"];
    let with_key = [&prove[..], &["--pseudonym-key", "state/evidence.key"]].concat();
    let found = room.do_(&with_key).ends(0).json();
    assert!(
        found["proof"]["line"]
            .as_str()
            .unwrap()
            .contains("\"bucket\":\"refused\"")
    );
    room.do_(&prove).ends(7);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name: &str| {
            std::fs::metadata(room.path(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(
            (mode("state/evidence.key"), mode("state/evidence")),
            (0o600, 0o700)
        );
    }
    let inside = room
        .do_(&["report", "plan.toml", "--reveal", "--json"])
        .ends(0)
        .json();
    assert_ne!(inside["pack"], one["pack"]);
    let path = Path::new(pack).join("manifest.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("refused", "skipped", 1)).unwrap();
    let said = room.do_(&["evidence", "verify", pack]).ends(7);
    assert!(said.out.contains("manifest.jsonl: changed"), "{}", said.out);
    room.do_(&["evidence", "verify", "nowhere"]).ends(3);
    room.do_(&["evidence", "verify", "state"]).ends(3);
    room.do_(&["evidence", "verify", pack, "--signed-by", "Ada"])
        .ends(2);
}

#[test]
fn the_gate_names_what_is_open_and_what_the_inventories_lack() {
    let room = Room::rehearsed();
    // A verdict that says nothing about what it covers covers nothing.
    let verify = room.path("state/reports/verify.json");
    let mut found: Value =
        serde_json::from_str(&std::fs::read_to_string(&verify).unwrap()).unwrap();
    found["mailboxes"][0]["folders"] = Value::Null;
    std::fs::write(&verify, found.to_string()).unwrap();
    assert_eq!(room.gates(), ["verdict.stale", "items.open"]);
    std::fs::remove_file(&verify).unwrap();
    assert_eq!(room.gates(), ["verdict.missing", "items.open"]);
    std::fs::write(room.path("state/assess.json"), r#"{"schema":"mailferry.assess/1","leads":[{"id":"L7","state":"found","weight":"critical","remedy":"look"},
        {"id":"L8","state":"not_found","weight":"critical"}]}"#)
    .unwrap();
    assert_eq!(
        room.gates(),
        ["verdict.missing", "items.open", "posture.critical"]
    );
    let head =
        "PrimarySmtpAddress,EmailAddresses,LegacyExchangeDN,RecipientTypeDetails,ExchangeGuid\n";
    let row = |address: &str, more: &str, n: u32| {
        format!(
            "{address},SMTP:{address}{more},/o=Clinic/cn={n},UserMailbox,{n}1111111-1111-1111-1111-111111111111\n"
        )
    };
    let told = |text: &str, licence: &str| {
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        let rows: Vec<String> = lines.map(|line| format!("{line},{licence}\n")).collect();
        format!("{head},SKUAssigned\n{}", rows.concat())
    };
    let (a, b) = ("a.harris@clinic.example", "b.okafor@clinic.example");
    std::fs::write(
        room.path("source.csv"),
        [head, &row(a, ";smtp:old@clinic.example", 1), &row(b, "", 2)].concat(),
    )
    .unwrap();
    std::fs::write(room.path("target.csv"), [head, &row(a, "", 3)].concat()).unwrap();
    let said = room
        .do_(&[
            "cutover",
            "plan.toml",
            "--name",
            "Ada",
            "--inventory",
            "source.csv",
            "--target-inventory",
            "target.csv",
        ])
        .ends(8);
    for word in [
        "target.addresses a.harris@clinic.example: the target lacks old@clinic.example",
        "target.x500 a.harris@clinic.example",
        "X500:/o=Clinic/cn=1",
        "target.licence b.okafor@clinic.example",
        "closes:",
    ] {
        assert!(said.out.contains(word), "{word}: {}", said.out);
    }
    let files = [
        "--inventory",
        "source.csv",
        "--target-inventory",
        "target.csv",
    ];
    let licence = || {
        let mut gates = room.gates_of(&files);
        gates.retain(|gate| gate.contains("licence"));
        gates
    };
    let target = [head, &row(a, "", 3), &row(b, "", 4)].concat();
    std::fs::write(room.path("target.csv"), &target).unwrap();
    assert_eq!(licence(), ["licences.not_checked"], "no column says it");
    std::fs::write(room.path("target.csv"), told(&target, "False")).unwrap();
    assert_eq!(licence(), ["target.licence", "target.licence"]);
    std::fs::write(room.path("target.csv"), told(&target, "True")).unwrap();
    assert_eq!(licence(), Vec::<String>::new());
    room.do_(&["cutover", "plan.toml"]).ends(2);
    room.do_(&["cutover", "plan.toml", "--name", " "]).ends(2);
}

#[test]
fn what_one_person_decides_alone_keeps_the_gate_open() {
    let room = Room::rehearsed();
    let listed = room
        .do_(&["resolve", "plan.toml", "list", "--json"])
        .ends(0)
        .json();
    let keys: Vec<String> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["item"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys.len(), 6);
    let mut args = vec!["resolve", "plan.toml", "leave"];
    args.extend(keys.iter().map(String::as_str));
    args.extend(["--name", "Ada", "--reason", "nobody needs them"]);
    room.do_(&args).ends(0);
    assert!(room.gates().contains(&"items.open".to_owned()));
    let log = std::fs::read_to_string(room.path("state/decisions.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["kind"], &last["who"], &last["facts"]["items"]),
        (&"resolved".into(), &"Ada".into(), &6.into())
    );
    let mut create = CREATE;
    create[4] = "decided";
    let made = room
        .do_(&[&create[..], &["--json"]].concat())
        .ends(0)
        .json();
    assert_eq!(made["at_most"], 6);
    let pack = room.do_(&["report", "plan.toml", "--json"]).ends(0).json();
    room.do_(&["evidence", "verify", pack["pack"].as_str().unwrap()])
        .ends(0);
}
