//! Any bytes as an ExportItems reply, in any portions: no panic, bounded output, and portions do not change bytes or verdict.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::base::id::ItemId;
use mailferry::wire::ews::classify::Hints;
use mailferry::wire::ews::export_splitter::{ExportSplitter, Split};

fuzz_target!(|input: (Vec<u8>, u8, u8)| {
    let (bytes, portion, asked) = input;
    let ids: Vec<ItemId> = (0..asked % 8)
        .map(|n| ItemId::new(format!("{n}")))
        .collect();
    let run = |cut: usize| {
        let mut splitter = ExportSplitter::new();
        let (mut begun, mut data) = (Vec::new(), Vec::new());
        for chunk in bytes.chunks(cut) {
            let mut given = 0;
            for part in splitter.push(chunk) {
                match part {
                    Split::Begin(index) => {
                        begun.push(index);
                        data.push(Vec::new());
                    }
                    Split::Piece(piece) => {
                        given += piece.len();
                        data.last_mut()
                            .expect("a piece follows its begin")
                            .extend(piece);
                    }
                }
            }
            assert!(given <= chunk.len() + 3);
        }
        (begun, data, splitter.finish(200, Hints::default(), &ids))
    };
    let whole = run(bytes.len().max(1));
    assert_eq!(run(usize::from(portion).max(1)), whole);
});
