//! The screener against an engine that answers as clamd does, and as a clamd in trouble does.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use mailferry::base::limits::SELF_TEST_ITEMS;
use mailferry::base::outcome::Setback;
use mailferry::base::quantity::Bytes;
use mailferry::base::screen_rules::{Mode, Rule, RuleBook};
use mailferry::base::screening::{Answer, ClamdAddress, Effect, Unscanned};
use mailferry::base::typed::{TypedAttachment, TypedBody, TypedCommon, TypedItem, TypedMessage};
use mailferry::lab::infected::{Disguise, Specimen, infect};
use mailferry::port::body::{Body, BodyStream, Rewind};
use mailferry::port::clock::Clock;
use mailferry::port::screen::{Looked, ScreenFault, Screener as _};
use mailferry::screen::quarantine::QuarantineDir;
use mailferry::screen::{Clamd, ItemScreener, ScreenOptions};
use mailferry::sift::HashLists;
use mailferry::wire::item_stream::{Attachment, Message, Prop, encode, tags};
use mailferry::wire::parcel;

/// How the engine is today.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Well,
    /// Finds nothing, not even the test file.
    Blind,
    /// Finds something in everything.
    Raving,
    /// Hangs up without a word.
    Mute,
    /// Everything is over its limit; says so and hangs up at once.
    Small,
    /// Says that something went wrong.
    Sick,
    /// Answers with what is no answer.
    Strange,
}

const MOODS: [Mood; 7] = [
    Mood::Well,
    Mood::Blind,
    Mood::Raving,
    Mood::Mute,
    Mood::Small,
    Mood::Sick,
    Mood::Strange,
];

#[derive(Default)]
struct Engine {
    mood: AtomicU8,
    scans: AtomicU64,
}

impl Engine {
    fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    async fn talk(&self, mut wire: TcpStream) -> Option<()> {
        let mut command = Vec::new();
        while !command.ends_with(&[0]) {
            command.push(wire.read_u8().await.ok()?);
        }
        let mood = MOODS[usize::from(self.mood.load(Ordering::SeqCst))];
        if mood == Mood::Mute {
            return None;
        }
        let reply: String = match command.as_slice() {
            b"zVERSION\0" => "ClamAV 1.4.3/27500/Thu Nov 26 09:30:00 2026".into(),
            b"zINSTREAM\0" => self.scan(&mut wire, mood).await?,
            _ => "UNKNOWN COMMAND".into(),
        };
        wire.write_all(reply.as_bytes()).await.ok()?;
        wire.write_all(&[0]).await.ok()
    }

    async fn scan(&self, wire: &mut TcpStream, mood: Mood) -> Option<String> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        let mut held = Vec::new();
        loop {
            let length = wire.read_u32().await.ok()?;
            if length == 0 {
                break;
            }
            let from = held.len();
            held.resize(from + length as usize, 0);
            wire.read_exact(&mut held[from..]).await.ok()?;
            if mood == Mood::Small && held.len() > 100 {
                return Some("INSTREAM size limit exceeded. ERROR".into());
            }
        }
        let bad = memchr::memmem::find(&held, &Specimen::TestFile.bytes()).is_some();
        Some(match mood {
            Mood::Raving => "stream: Everything FOUND".into(),
            Mood::Sick => "stream: Can't allocate memory ERROR".into(),
            Mood::Strange => "stream: perhaps".into(),
            Mood::Blind => "stream: OK".into(),
            _ if bad => "stream: Eicar-Test-Signature FOUND".into(),
            _ => "stream: OK".into(),
        })
    }
}

/// A stream in memory.
#[derive(Debug)]
struct Held(bytes::Bytes);

impl Rewind for Held {
    fn len(&self) -> Bytes {
        Bytes::new(self.0.len() as u64)
    }
    fn open(&self) -> BodyStream {
        let pieces: Vec<Result<bytes::Bytes, Setback>> = (0..self.0.len())
            .step_by(48 * 1024)
            .map(|at| Ok(self.0.slice(at..self.0.len().min(at + 48 * 1024))))
            .collect();
        stream::iter(pieces).boxed()
    }
}

fn body(message: &Message) -> Body {
    Arc::new(Held(encode(message).into()))
}

fn mail(name: &str, data: Vec<u8>) -> Message {
    Message {
        props: vec![
            Prop::text(tags::MESSAGE_CLASS, "IPM.Note"),
            Prop::text(
                tags::BODY,
                "Dear all, please find attached what was asked for last week.",
            ),
        ],
        attachments: vec![Attachment {
            props: vec![Prop::text(0x3707, name), Prop::binary(0x3701, data)],
            embedded: None,
        }],
        ..Message::default()
    }
}

fn clock() -> Arc<dyn Clock> {
    let at = mailferry::base::quantity::Moment::from_unix_ms(1_795_700_000_000);
    Arc::new(mailferry::engine::clock::TokioClock::starting_at(at))
}

/// A screener with an engine of our own, and the engine.
async fn bench(book: RuleBook) -> (ItemScreener, Arc<Engine>) {
    let engine = Arc::new(Engine::default());
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = door.local_addr().unwrap().port();
    let own = Arc::clone(&engine);
    #[expect(clippy::disallowed_methods, reason = "the engine of a test")]
    tokio::spawn(async move {
        while let Ok((wire, _)) = door.accept().await {
            let own = Arc::clone(&own);
            tokio::spawn(async move { own.talk(wire).await });
        }
    });
    let address = ClamdAddress::parse(&format!("tcp:127.0.0.1:{port}")).unwrap();
    let state = std::env::temp_dir();
    let options = ScreenOptions {
        book,
        lists: HashLists::default(),
        engine: Some(Clamd::new(address, clock())),
        quarantine: QuarantineDir::new(&state, None).unwrap(),
    };
    (ItemScreener::new(options, clock()), engine)
}

fn marks(looked: &Looked) -> Vec<String> {
    looked
        .found
        .iter()
        .map(|found| found.mark.to_string())
        .collect()
}

#[tokio::test]
async fn an_answer_says_who_looked_and_what_was_found() {
    let (screener, _) = bench(RuleBook::all(Mode::Off)).await;
    let proof = screener.prove().await.unwrap();
    assert_eq!(
        proof.by.to_string(),
        "ClamAV-1.4.3/27500, signatures of 2026-11-26T09:30:00Z"
    );
    assert!(!proof.stale);
    let plain = screener
        .look(&body(&mail("a.txt", b"nothing".to_vec())))
        .await
        .unwrap();
    assert_eq!(
        (plain.answer, plain.effect, plain.parts),
        (Answer::NothingFound, Effect::Passes, 2)
    );
    let bad = mail("a.txt", Specimen::TestFile.bytes());
    let bad = screener.look(&body(&bad)).await.unwrap();
    assert_eq!(bad.effect, Effect::Withheld);
    assert_eq!(marks(&bad), ["Eicar-Test-Signature"]);
    assert_eq!(bad.found[0].names, ["a.txt"]);
}

/// A parcel of the typed route with one attachment, as the spool holds it.
fn parcel(name: &str, data: Vec<u8>) -> Vec<u8> {
    let message = TypedMessage {
        common: TypedCommon {
            class: "IPM.Note".to_owned(),
            body: TypedBody {
                html: false,
                content: "Dear all, please find attached what was asked for.".to_owned(),
            },
            attachments: vec![TypedAttachment {
                name: name.to_owned(),
                ..TypedAttachment::default()
            }],
            ..TypedCommon::default()
        },
        ..TypedMessage::default()
    };
    parcel::encode(&TypedItem::Message(Box::new(message)), &[data])
}

#[tokio::test]
async fn a_parcel_is_looked_into_as_a_stream_is_and_a_broken_one_waits() {
    let (screener, _) = bench(RuleBook::all(Mode::Quarantine)).await;
    let look = |bytes: Vec<u8>| {
        let body: Body = Arc::new(Held(bytes.into()));
        let screener = &screener;
        async move { screener.look(&body).await.unwrap() }
    };
    let plain = look(parcel("a.txt", b"nothing".to_vec())).await;
    assert_eq!(
        (plain.answer, plain.effect, plain.parts),
        (Answer::NothingFound, Effect::Passes, 2)
    );
    let bad = look(parcel("a.txt", Specimen::TestFile.bytes())).await;
    assert_eq!(bad.effect, Effect::Withheld);
    assert!(marks(&bad).contains(&"Eicar-Test-Signature".to_owned()));
    assert!(bad.found.iter().all(|found| found.names == ["a.txt"]));
    let named = look(parcel("letter.pdf.exe", b"MZ".to_vec())).await;
    assert_eq!(named.effect, Effect::Withheld, "by its name alone");
    let whole = parcel("a.txt", vec![b'x'; 100_000]);
    let cut = look(whole[..whole.len() - 1].to_vec()).await;
    assert_eq!(
        (cut.answer, cut.effect),
        (Answer::NotScanned(Unscanned::Unread), Effect::Waits)
    );
}

#[tokio::test]
async fn an_engine_in_trouble_lets_nothing_pass() {
    let (screener, engine) = bench(RuleBook::default()).await;
    let plain = body(&mail("a.txt", vec![b'x'; 500_000]));
    assert_eq!(screener.look(&plain).await.unwrap().effect, Effect::Passes);
    for (mood, want) in [
        (Mood::Small, Unscanned::EngineLimit),
        (Mood::Sick, Unscanned::EngineError),
    ] {
        engine.set(mood);
        let looked = screener.look(&plain).await.unwrap();
        assert_eq!(looked.answer, Answer::NotScanned(want));
        assert_eq!(looked.effect, Effect::Waits);
    }
    for mood in [Mood::Mute, Mood::Strange] {
        engine.set(mood);
        assert_eq!(screener.look(&plain).await, Err(ScreenFault::NoEngine));
        assert_eq!(screener.prove().await, Err(ScreenFault::NoEngine));
    }
    for mood in [Mood::Blind, Mood::Raving] {
        engine.set(mood);
        assert_eq!(
            screener.prove().await,
            Err(ScreenFault::NoEngine),
            "no proof"
        );
        assert_eq!(screener.look(&plain).await, Err(ScreenFault::NoEngine));
    }
    engine.set(Mood::Well);
    assert_eq!(screener.look(&plain).await.unwrap().effect, Effect::Passes);
}

#[tokio::test]
async fn a_proof_is_used_up_by_items() {
    let (screener, engine) = bench(RuleBook::all(Mode::Off)).await;
    screener.prove().await.unwrap();
    engine.set(Mood::Blind);
    let plain = body(&mail("a.txt", b"x".to_vec()));
    let mut passed = 0;
    while screener.look(&plain).await.is_ok() {
        passed += 1;
        assert!(
            passed < SELF_TEST_ITEMS,
            "a blind engine lets everything pass"
        );
    }
    assert_eq!(passed, SELF_TEST_ITEMS - 1);
}

#[tokio::test]
async fn an_engine_that_is_gone_lets_nothing_pass() {
    let address = ClamdAddress::parse("tcp:127.0.0.1:9").unwrap();
    let options = ScreenOptions {
        book: RuleBook::default(),
        lists: HashLists::default(),
        engine: Some(Clamd::new(address, clock())),
        quarantine: QuarantineDir::new(&std::env::temp_dir(), None).unwrap(),
    };
    let screener = ItemScreener::new(options, clock());
    assert_eq!(screener.prove().await, Err(ScreenFault::NoEngine));
    let plain = body(&mail("a.txt", b"x".to_vec()));
    assert_eq!(screener.look(&plain).await, Err(ScreenFault::NoEngine));
}

#[tokio::test]
async fn rules_and_lists_find_every_disguise_without_an_engine() {
    let mut lists = HashLists::default();
    lists.add(&mailferry::lab::infected::hash_list()).unwrap();
    let options = ScreenOptions {
        book: RuleBook::default(),
        lists,
        engine: None,
        quarantine: QuarantineDir::new(&std::env::temp_dir(), None).unwrap(),
    };
    let screener = ItemScreener::new(options, clock());
    for disguise in Disguise::ALL {
        let mut message = mail("list.txt", b"harmless".to_vec());
        infect(&mut message, disguise);
        let looked = screener.look(&body(&message)).await.unwrap();
        assert_eq!(looked.effect, Effect::Withheld, "{disguise:?}: {looked:?}");
    }
    let cut = encode(&mail("a.txt", b"x".to_vec()));
    let cut: Body = Arc::new(Held(bytes::Bytes::copy_from_slice(&cut[..cut.len() - 1])));
    let looked = screener.look(&cut).await.unwrap();
    assert_eq!(looked.answer, Answer::NotScanned(Unscanned::Unread));
    let macros = RuleBook::default();
    assert_eq!(macros.mode(Rule::OfficeMacro), Mode::Report);
}
