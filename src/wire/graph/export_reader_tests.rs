//! Tests of the export reader.

use proptest::prelude::*;

use super::*;
use crate::wire::graph::export::{ExportEntry, ExportReply};
use crate::wire::graph::json;

fn read(pieces: &[&[u8]], asked: &str) -> Result<Vec<u8>, Setback> {
    let mut reader = ExportReader::new(200);
    let mut out = Vec::new();
    for piece in pieces {
        reader.push(piece, &mut out)?;
    }
    reader.finish(&TargetItemId::new(asked), &mut out)?;
    Ok(out)
}

fn why(body: &str) -> Result<Vec<u8>, Setback> {
    read(&[body.as_bytes()], "i")
}

fn reply(data: &str) -> Vec<u8> {
    let entry = ExportEntry {
        item_id: Some("i".to_owned()),
        change_key: Some("c".to_owned()),
        data: Some(data.to_owned()),
        error: None,
    };
    json::write(&ExportReply { value: vec![entry] })
}

#[test]
fn escapes_inside_the_stream_are_undone() {
    let body = r#" { "@odata.context" : "x", "value" : [ {"data":"\u002b\/\u002B/", "itemId":"\u0069", "changeKey":null, "n":[1,-2.5e3,true,{}]} ] } "#;
    assert_eq!(why(body), Ok(vec![0xFB, 0xFF, 0xBF]));
}

#[test]
fn what_is_no_whole_stream_of_this_item_is_refused() {
    let misread = |why| Err(Setback::Misread(why, Said::status(200)));
    for (body, want) in [
        ("", MisreadCause::CutOff),
        (
            r#"{"value":[{"itemId":"i","data":"AAAA""#,
            MisreadCause::CutOff,
        ),
        (r#"{"value":[]}"#, MisreadCause::Incomplete),
        (r#"{"value":[{"itemId":"i"}]}"#, MisreadCause::Incomplete),
        (
            r#"{"value":[{"itemId":"i","data":null}]}"#,
            MisreadCause::Incomplete,
        ),
        (
            r#"{"value":[{"itemId":"I","data":"AAAA"}]}"#,
            MisreadCause::Incomplete,
        ),
        (r#"{"data":"AAAA","itemId":"i"}"#, MisreadCause::Incomplete),
        (
            r#"{"value":[{"itemId":"i","data":"AAA"}]}"#,
            MisreadCause::Malformed,
        ),
        (
            r#"{"value":[{"itemId":"i","data":"AAAA","data":"AAAA"}]}"#,
            MisreadCause::Malformed,
        ),
        (
            r#"{"value":[{"itemId":"i","data":"AAAA"}]}x"#,
            MisreadCause::Malformed,
        ),
        (
            r#"{"value":[{"itemId":"i","data":"AAAA"]}]"#,
            MisreadCause::Malformed,
        ),
        (r#"{"value":[,]}"#, MisreadCause::Malformed),
        (r#"{"value":[nul]}"#, MisreadCause::Malformed),
        ("<html>", MisreadCause::Html),
    ] {
        assert_eq!(why(body), misread(want), "{body}");
    }
    assert_eq!(why(&"[".repeat(100)), misread(MisreadCause::Malformed));
    let long = format!("{{\"{}\":1}}", "k".repeat(5_000));
    assert_eq!(why(&long), misread(MisreadCause::TooLarge));
}

#[test]
fn an_error_of_the_entry_is_that_items() {
    let body = |code: &str| {
        format!(
            r#"{{"value":[{{"itemId":"i","data":"","error":{{"message":"m","code":"{code}"}}}}]}}"#
        )
    };
    assert_eq!(why(&body("ErrorItemNotFound")), Err(Setback::Gone));
    assert!(matches!(
        why(&body("ErrorServerBusy")),
        Err(Setback::Unwell(_))
    ));
    let Err(Setback::ItemRefused(refusal)) = why(&body("ErrorCorruptData")) else {
        panic!("a corrupt item is refused");
    };
    assert_eq!(refusal.said, Said::new(200, "ErrorCorruptData"));
}

#[test]
fn a_truncated_stream_is_named() {
    let body = reply("AAAA=== Truncated Data ===");
    assert_eq!(read(&[&body], "i"), Err(Setback::Truncated));
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces_comes_back(
        stream in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let body = reply(&crate::wire::base64::encode(&stream));
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &body[w[0]..w[1]]).collect();
        prop_assert_eq!(read(&pieces, "i"), Ok(stream));
    }

    #[test]
    fn a_reply_cut_anywhere_is_never_taken_for_whole(
        stream in proptest::collection::vec(any::<u8>(), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let body = reply(&crate::wire::base64::encode(&stream));
        prop_assert!(read(&[&body[..cut.index(body.len())]], "i").is_err());
    }

    #[test]
    fn any_bytes_are_taken(body in r#"([\[\]{}:,"\\a-f0-9 ]|value|data|itemId|error|null|\\u00){0,60}"#) {
        let _ = why(&body);
        // Whatever we take for well-formed is JSON to others too.
        let mut reader = ExportReader::new(200);
        let taken = reader.push(body.as_bytes(), &mut Vec::new()).is_ok() && reader.state == State::End;
        if serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err() {
            prop_assert!(!taken || body.contains("data"), "{}", body);
        }
    }
}
