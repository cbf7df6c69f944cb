//! Every bound in the product, with its arithmetic and its source. If you need a number, it is here or it is wrong.

use crate::base::quantity::{Bytes, Count, Span};

// ---- The target's published limits (reference/graph.md section 4) ----------------------------------------------------------

/// Outlook admits four requests in flight per (application, mailbox).
pub const GRAPH_CALLS_IN_FLIGHT_PER_MAILBOX: u32 = 4;

/// What we use of them: all. Three would cap a mailbox of small items at three quarters of what four calls of 250 ms reach (7,200 of 9,600
/// requests in 10 minutes). Who shares the mailbox with us is told by a throttle, and we by [`TARGET_CALM`] leave it a lane for a while.
pub const TARGET_CALLS_IN_FLIGHT_PER_MAILBOX: u32 = GRAPH_CALLS_IN_FLIGHT_PER_MAILBOX;

/// After a throttle for too many calls at once lanes are halved, and one comes back per this time without another.
pub const TARGET_CALM: Span = Span::from_secs(30);

/// 10,000 requests per 10 minutes per (application, mailbox).
pub const GRAPH_REQUESTS_PER_WINDOW: Count = Count::new(10_000);

/// The window of the request limit.
pub const GRAPH_REQUEST_WINDOW: Span = Span::from_secs(600);

/// What we use of the request limit: 1 %, 100 requests, is left for an operator's own looks and for retries that never reached us as answers.
/// With a window of 600 s and a slot of 1 s that is 0.99 x 600/601 = 98.8 % of the limit.
pub const TARGET_REQUESTS_PER_WINDOW: Count = Count::new(9_900);

/// 150 MB of upload (POST, PUT, PATCH) per 5 minutes per (application, mailbox).
pub const GRAPH_UPLOAD_PER_WINDOW: Bytes = Bytes::new(150_000_000);

/// What we use of it: 2 MB, 1.3 %, are left for headers and whatever else is counted that we do not see. 148 MB / 300 s = 0.493 MB/s =
/// 1.78 GB/h on the wire = 1.33 GB/h before base64. With a slot of 0.5 s and a last call of 1 s that is 148/150 x 300/301.5 = 98.2 % of
/// the limit, less what whole items leave of a window: 22 items of 6.67 MB on the wire are 146.7 MB.
pub const TARGET_UPLOAD_PER_WINDOW: Bytes = Bytes::new(148_000_000);

/// What an import's body holds besides the base64 text: keys, mode, folder id (reference/graph.md 1.6). Folder ids of 120 to 400 characters
/// have been seen; headers are not counted.
pub const IMPORT_FRAME: Bytes = Bytes::new(600);

/// Parts of a window in which costs are forgotten together: 600 of 0.5 s and of 1 s, 10 KB per window, 2 MB for 100 mailboxes.
pub const WINDOW_SLOTS: u64 = 600;

/// Calls behind the first of a line that are looked at for one that fits where the first does not. More than a mailbox ever has waiting.
pub const BACKFILL_LOOK: usize = 16;

/// Calls of one mailbox that wait for their turn besides those in flight, so that a small one can use what a large one must leave empty.
pub const TARGET_CALLS_WAITING: usize = 4;

/// The window of the upload limit.
pub const GRAPH_UPLOAD_WINDOW: Span = Span::from_secs(300);

/// The wait after a throttle that names none: 15, 30, 45, 60 s (reference/graph.md 1.6, throughput).
pub const TARGET_HOLD_DEFAULT: Span = Span::from_secs(15);

/// Items per page of a target listing. Up to 999 is used by others, 250 with a binary property expanded (reference/graph.md 1.5).
pub const TARGET_PAGE: Count = Count::new(250);

/// Folders of one target mailbox; a listing that goes on beyond it does not end. Ten times what Exchange recommends for a mailbox (10,000).
pub const TARGET_FOLDERS_MAX: usize = 100_000;

/// A folder listing that broke off is gone on with for this long; one back-off series of reads (8 attempts, at most 60 s each) fits in.
pub const TARGET_LISTING_RESUME: Span = Span::from_secs(600);

/// An import session is renewed this long before it ends (reference/graph.md 1.6).
pub const IMPORT_SESSION_MARGIN: Span = Span::from_secs(300);

/// A token is renewed this long before it ends (reference/graph.md 7.1).
pub const TOKEN_MARGIN: Span = Span::from_secs(300);

// ---- The typed route (reference/graph.md 2.3) ------------------------------------------------------------------------------------

/// Graph takes requests of 4 MB, and answers a larger one with 413 and no body. Not said is which megabyte; the smaller one is safe.
pub const GRAPH_REQUEST_MAX: Bytes = Bytes::new(4_000_000);

/// What one creating request holds at most, small attachments in Base64 included: an eighth below the limit, for headers and for whatever the
/// service counts that we do not see. 3.5 MB carry 2.6 MB of attachments.
pub const TYPED_REQUEST_MAX: Bytes = Bytes::new(3_500_000);

/// What a request with one attachment holds besides its Base64 text: names of fields, and file name, type and content id of some hundred bytes.
/// Only for the bounds below; a request is measured.
pub const ATTACHMENT_FRAME: u64 = 2_000;

/// The largest attachment that goes in a call of its own: 2,998,500 / 3 x 4 + 2,000 = 4.0 MB.
pub const ATTACHMENT_POST_MAX: Bytes = Bytes::new(2_998_500);

/// From here an upload session is sure to be taken: sessions are for 3 MB and more, and 3 MiB is the larger reading of it. Between the two either
/// may be refused, and the other one helps.
pub const ATTACHMENT_SESSION_MIN: Bytes = Bytes::new(3 << 20);

/// The largest attachment that a session takes.
pub const ATTACHMENT_MAX: Bytes = Bytes::new(150 << 20);

/// Bytes of one PUT of an upload session, twelve times 320 KiB: below 4 MB, as advised, and good for services that want that multiple.
pub const UPLOAD_SLICE: u64 = 12 * 327_680;

/// Times in a row that an upload may not move on before it is given up. Each is one question or one slice sent again.
pub const UPLOAD_STALLS_MAX: u32 = 5;

/// Sessions of one attachment. A session that is gone loses everything sent: three of 150 MB are the most that one attempt may cost.
pub const UPLOAD_SESSIONS_MAX: u32 = 3;

/// Ranges that one answer may say are missing. Slices go in order, so that there is one.
pub const UPLOAD_RANGES_MAX: usize = 1_000;

/// UTF-16 units of one named text property that we write: 32,000 bytes. From 32 KB on, Exchange hands a property out only as a stream, and whoever
/// lists it may see nothing or a part of it (general knowledge of the store; no document of Graph names a limit).
pub const KEPT_UNITS_MAX: usize = 16_000;

/// Properties among which a longer text is divided. Each is 60 letters of the query that reads them back.
pub const KEPT_PIECES: usize = 8;

/// As many attendees of an event as are sure to be kept with their answers: 256 UTF-16 units for each, of which our frame takes 110. Those that do not
/// fit stand in the text.
pub const ATTENDEES_KEPT: usize = 500;

/// Electronic mail addresses, and likewise addresses for instant messages, that a contact of the service has (contact resource).
pub const CONTACT_ADDRESSES_MAX: usize = 3;

const _: () = assert!(KEPT_UNITS_MAX * KEPT_PIECES / ATTENDEES_KEPT == 256);

/// Times in a row that an item which was made just now may be out of sight of the next call before it is made anew. Others saw some fifty over 250
/// attachments (reference/graph.md 2.3), which is one in five and never thirty in a row.
pub const UNSEEN_MAX: u32 = 30;

/// Attachments that one item may have. The service documents no bound; a listing that is longer does not end.
pub const ATTACHMENTS_MAX: usize = 10_000;

const _: () = assert!(TYPED_REQUEST_MAX.get() < GRAPH_REQUEST_MAX.get());
const _: () = assert!(
    ATTACHMENT_POST_MAX.get().div_ceil(3) * 4 + ATTACHMENT_FRAME <= GRAPH_REQUEST_MAX.get()
);
const _: () = assert!(UPLOAD_SLICE < GRAPH_REQUEST_MAX.get());

// ---- The source's limits (reference/ews.md section 3) ------------------------------------------------------------------------

/// EWSMaxConcurrency is 27 per user; a start of 2 to 4 per mailbox is advised.
pub const SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX: u32 = 2;

/// Connections to the whole source server, at most.
pub const SOURCE_CONNECTIONS: u32 = 20;

/// Connections a run begins with: what two mailboxes use. More are opened while the server stays as quick as it was.
pub const SOURCE_CONNECTIONS_START: u32 = 2 * SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX;

/// One more connection to the source at most this often: from 4 to 20 in half a minute.
pub const SOURCE_CALM: Span = Span::from_secs(2);

/// When users of the source work, unless the plan says otherwise: 07:00 to 19:00 on working days, in minutes of the day.
pub const WORKING_HOURS: (u16, u16) = (7 * 60, 19 * 60);

/// The most a plan may ask for: twice the 27 that EWSMaxConcurrency gives one user, spread over impersonated mailboxes.
pub const SOURCE_CONNECTIONS_MAX: u32 = 54;

/// The wait after ErrorServerBusy that names none.
pub const SOURCE_HOLD_DEFAULT: Span = Span::from_secs(60);

/// Changes per SyncFolderItems page; the schema allows 1 to 512.
pub const SOURCE_SYNC_PAGE: Count = Count::new(512);

/// Items per FindItem page; the server caps at 1000.
pub const SOURCE_FIND_PAGE: Count = Count::new(500);

/// Folders per FindFolder page (reference/ews.md section 1: 500 to 1000).
pub const SOURCE_FOLDER_PAGE: Count = Count::new(500);

/// Ids per ExportItems call: at most 100 are advised; a whole intent group is asked at once.
pub const SOURCE_EXPORT_IDS: usize = INTENT_GROUP;

/// Listed bytes per ExportItems call: larger items go alone.
pub const SOURCE_EXPORT_BYTES: Bytes = Bytes::new(4_000_000);

/// Refused streams of one class, with none taken, after which a run tries no more of that class: each costs a call and an upload.
pub const ROUTE_CLASS_REFUSALS: u32 = 3;

/// The same for all classes of the tenant together: three classes tried, and some of the fourth.
pub const ROUTE_TENANT_REFUSALS: u32 = 10;

// ---- Engine --------------------------------------------------------------------------------------------------------------------

/// Intents that share one durable append. 1,000,000 items x 2 syncs x 5 ms = 2.8 h of waiting for disks one by one; in groups of
/// 32 about 5 minutes. The price: one crash puts up to 32 items of a mailbox in doubt, which is one look at the folder.
pub const INTENT_GROUP: usize = 32;

/// How long an answer waits for others before it is made durable: 20,000 answers one by one are 20,000 flushes, in groups some hundred.
pub const ACK_GATHER: Span = Span::new(50);

/// Groups of one mailbox that are being made ready at the same time: as many as may be exported at once, and as many whose intents are being
/// written. A crash then puts up to 6 x 32 items of a mailbox in doubt (these, one waiting, one being sent), which one look settles.
pub const GROUPS_AHEAD: usize = 2 * SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX as usize;

/// Answers of one mailbox waiting for the recorder.
pub const NOTES_WAITING: usize = 4 * INTENT_GROUP;

/// Mailboxes worked on at once, unless the plan says otherwise.
pub const MAILBOXES_AT_ONCE: u32 = 20;

/// The most a plan may ask for: 100 mailboxes x 5 calls = 500 sockets, below the usual 1,024 open files.
pub const MAILBOXES_AT_ONCE_MAX: u32 = 100;

/// Times a create is attempted before the item is parked.
pub const ATTEMPTS_MAX: u32 = 5;

/// Times a read is repeated before the mailbox is halted.
pub const READ_ATTEMPTS_MAX: u32 = 8;

/// Times a call is repeated while the far side cannot be reached at all: with back-offs of up to 60 s that is half an hour of outage,
/// after which the run ends in order and says so.
pub const UNREACHED_ATTEMPTS_MAX: u32 = 34;

/// Times in a row that a renewed token or session may be refused.
pub const RENEWALS_MAX: u32 = 3;

/// A mailbox that is on its way to another database is left alone this long (reference/ews.md section 4: 15 minutes and more).
pub const MOVE_PAUSE: Span = Span::from_secs(900);

/// Times a call meets a moving mailbox before the mailbox is left for another run: 8 x 15 min = 2 h. Local moves of ordinary mailboxes end
/// within it; a move that takes the night would keep the place of a mailbox that can be worked on.
pub const MOVE_PAUSES_MAX: u32 = 8;

/// Times one folder may be enumerated from its start again in one sweep, because its sync state was refused.
pub const RESYNCS_MAX: u32 = 5;

/// Times a listing may say "more to come" without bringing anything or moving on.
pub const EMPTY_PAGES_MAX: u32 = 8;

/// Looks at the target that must miss an item before it is sent again.
pub const EMPTY_LOOKS_MIN: u32 = 2;

/// How long the target may take to show a new item: we wait this long before a missing item counts as missing, each time. 30 to 60 s
/// are advised (reference/graph.md section 10); the delay itself is not documented.
pub const VISIBILITY_SETTLE: Span = Span::from_secs(30);

/// Settle times waited on top while the target shows fewer items than it acknowledged: 10 x 30 s = 5 min per mailbox and run, in which its
/// user may as well have deleted some.
pub const WITNESS_WAITS_MAX: u32 = 10;

/// Facts in one row: each attempt leaves at most intent, loss and the looks; with room for skips, adoption,
/// change, updates and decisions.
pub const FACTS_PER_ROW_MAX: usize = (ATTEMPTS_MAX as usize) * (2 + EMPTY_LOOKS_MIN as usize) + 108;

/// Facts from which a row at rest is given a short history that leads to the same state: an item that changes every night for a year must not
/// fill its row.
pub const FACTS_PER_ROW_LONG: usize = FACTS_PER_ROW_MAX / 2;

/// Newer contents of one copy that are remembered as ours while updates fail: an attempt each, twice over.
pub const TRIED_MAX: usize = 2 * ATTEMPTS_MAX as usize;

/// First back-off after a setback; doubles.
pub const BACKOFF_FIRST: Span = Span::from_secs(1);

/// Longest back-off after a setback.
pub const BACKOFF_MAX: Span = Span::from_secs(60);

/// Longest hold we accept from the far side before it looks like a mistake: one hour. Five minutes are ordinary.
pub const HOLD_MAX: Span = Span::from_secs(3600);

/// Copies taken off one target mailbox in one pass without a word: what a person cleans up in an evening.
pub const DELETES_FREE: Count = Count::new(100);

/// Beyond that, the share of the mailbox's copies in hundredths that may go in one pass unless the operator allows more. A mailbox that lost more
/// than a tenth of its items overnight was reorganised by its user, or emptied by somebody else; a person tells which.
pub const DELETES_PERCENT_MAX: u64 = 10;

/// Rows without a settled copy that are kept in mind while copies are taken away: about 60 bytes each, so 6 MB. With more of them nothing is
/// taken away in this pass.
pub const UNSETTLED_STAMPS_MAX: usize = 100_000;

/// After a hold calls start this far apart ...
pub const HOLD_GAP: Span = Span::new(25);

/// ... for this long: 400 calls, as many as 100 mailboxes have in flight.
pub const HOLD_EASE: Span = Span::from_secs(10);

/// Lanes fall at most once in this time: long enough for the calls of the moment to end and for fewer lanes to be felt.
pub const TIDE_REST: Span = Span::from_secs(5);

/// The best time of a call is remembered for one to two of these.
pub const TIDE_SPELL: Span = Span::from_secs(1_800);

/// Calls of a far side are compared in thousandths of the best of their size: as quick as the best.
pub const TIDE_STRAIN_NONE: u64 = 1_000;

/// Up to here more lanes are opened: a wavering server shows up to 1.3 without being strained.
pub const TIDE_STRAIN_EASY: u64 = 1_400;

/// From here lanes are closed: at 1.8 times the best, four ninths of a call are waiting.
pub const TIDE_STRAIN_HIGH: u64 = 1_800;

/// Differences between calls below this are noise.
pub const TIDE_LATENCY_NOISE: Span = Span::new(50);

/// Open rows that one look at a target folder answers for: about 100 bytes each, so 2 MB.
pub const ADOPT_BATCH: usize = 20_000;

/// Rounds of settling and sending again before a mailbox is left with what is open. Each round spends an attempt of every item it sends.
pub const ROUNDS_MAX: u32 = ATTEMPTS_MAX + 1;

/// Rows read from the ledger at a time.
pub const LEDGER_PAGE: Count = Count::new(1_000);

/// Characters of a name or a reason that a person gives: a sentence or two; a row holds at most [`FACTS_PER_ROW_MAX`] of them.
pub const DECISION_TEXT_MAX: usize = 500;

/// Bytes of rows that lie together in one leaf of the embedded ledger, before it is packed: some 60 rows of 300 to 400 bytes. The store keeps some
/// 700 bytes in memory for each of its pages, of at most 16 leaves: 1,000,000 rows / 50 a leaf / 12 leaves a page = 1,700 pages = 1.2 MB. Row by
/// row it was 145 MB; with half of it some 2 MB more. Twice as much would fill half a segment with one page.
pub const LEDGER_LEAF: usize = 24_000;

/// Bytes of a segment of the embedded ledger's log, a power of two: twice what the store takes by itself, because a page of 16 leaves has 200 KB, and
/// what does not fit into a segment's rest stays empty: 6.6 GB for 1,000,000 rows with 512 KB, 1.5 GB with this.
pub const LEDGER_SEGMENT: usize = 1 << 20;

/// Bytes of a segment of ledgers that were begun before that.
pub const LEDGER_SEGMENT_OLD: usize = 1 << 19;

/// Bytes a leaf may unpack to: a row holds at most [`FACTS_PER_ROW_MAX`] facts of some 700 bytes, decisions with their texts among them, so
/// anything above is damage.
pub const LEDGER_LEAF_MAX: usize = 64_000_000;

/// Leaves the embedded ledger touches before its store is opened anew. The store bounds what it remembers by 64 looks at each of 256 shelves and
/// not by bytes, which comes to 100 MB; opening it anew takes some 20 ms and forgets everything. Leaves that lie apart have a page of some 30 KB
/// each: 64 x 60 KB = 4 MB.
pub const LEDGER_LEAVES_OPEN: usize = 64;

/// Milliseconds a store that was closed may take to let go of its file before opening it anew is given up: its own threads finish a write or two.
pub const LEDGER_CLOSE_WAITS: u32 = 10_000;

/// Damaged places that a check of a ledger lists; the rest are counted. A damaged page of the store is some hundred rows.
pub const DAMAGE_SHOWN: usize = 100;

/// Rows written in one atomic batch where a ledger is written anew: about 1 MB.
pub const COMPACT_BATCH: usize = 1_000;

/// Lines of a manifest that are sorted in memory at once: 50,000 x 450 bytes = 23 MB. Of a larger folder, sorted runs of as many lie in files
/// beside the pack and are merged: 20 of them for 1,000,000 items, with a buffer of 8 KB each.
pub const MANIFEST_SORTED_AT_ONCE: usize = 50_000;

/// Appends waiting for the shared flush.
pub const APPEND_QUEUE: usize = 256;

/// Room on the ledger's disk that is never used: a store that meets a full disk in the middle of a write may not read back what it wrote. It
/// writes segments of [`LEDGER_SEGMENT`], and a snapshot of its page table when it opens (less than 1 MB per 100,000 rows); eight segments.
pub const LEDGER_DISK_RESERVE: Bytes = Bytes::new(8 << 20);

/// Events waiting for the narrator; when it is full, events are dropped and counted.
pub const EVENT_QUEUE: usize = 8_192;

// ---- Inventory -----------------------------------------------------------------------------------------------------------------

/// Items in one folder from which it is named: Exchange advises at most 100,000 (reference/inventory.md section 7).
pub const FOLDER_CROWDED: Count = Count::new(100_000);

/// The largest cell of an export. The longest honest ones are address lists: 1,000 addresses x 254 bytes, four times over.
pub const INVENTORY_CELL_MAX: usize = 1_000_000;

/// Columns of an export. `Get-Mailbox` has about 200 (reference/inventory.md section 4), five times over.
pub const INVENTORY_COLUMNS_MAX: usize = 1_000;

/// Places listed for one reason in one file; the rest are counted. A person mends the first twenty and looks again.
pub const NOTES_PER_REASON_MAX: usize = 20;

/// Distinct reasons kept over all files: 1,000 columns x 10 files; at about 300 bytes each 3 MB.
pub const NOTE_REASONS_MAX: usize = 10_000;

/// Objects of one CLIXML file that others may refer to, and the bytes of their texts: 1,000,000 x 64 bytes = 64 MB.
pub const CLIXML_REFERENCES_MAX: usize = 1_000_000;

/// Bytes of the texts of those objects.
pub const CLIXML_REFERENCE_BYTES_MAX: usize = 64_000_000;

// ---- Content -------------------------------------------------------------------------------------------------------------------

/// The largest item carried, unless the plan says otherwise: the highest message size a tenant can set (reference/graph.md 1.6).
pub const ITEM_MAX: Bytes = Bytes::new(150_000_000);

/// Up to this size a body stays in memory; above, it goes to an owner-only file.
pub const SPOOL_IN_MEMORY: Bytes = Bytes::new(8_000_000);

/// All bodies together, in memory and on disk: 20 mailboxes x 2 groups x 4 MB = 160 MB of small items, with room for two of the
/// largest (2 x 150 MB).
pub const SPOOL_TOTAL: Bytes = Bytes::new(512_000_000);

/// The most a plan may give them: one disk's worth, 64 GB.
pub const SPOOL_TOTAL_MAX: Bytes = Bytes::new(64_000_000_000);

/// The part of it that may be memory.
pub const SPOOL_MEMORY_TOTAL: Bytes = Bytes::new(64_000_000);

/// A reply without payload larger than this is not honest.
pub const REPLY_MAX: Bytes = Bytes::new(64_000_000);

/// Depth of elements in a SOAP message; EWS itself stays below 20.
pub const XML_DEPTH_MAX: usize = 128;

/// Attributes of one element in a SOAP message; EWS has at most six.
pub const XML_ATTRIBUTES_MAX: usize = 64;

/// Elements in a SOAP message that is read as a tree: 1,000 items x 30 elements, ten times over; at about 150 bytes each 45 MB.
pub const XML_ELEMENTS_MAX: usize = 300_000;

/// Items whose properties are asked for in one GetItem on the typed route (reference/ews.md section 1: 10 to 20).
pub const TYPED_BATCH: usize = 10;

/// Such a reply: some 100 KB for each of 10 items, and room for one whose text fills a parcel's head three times over. What is larger is asked for
/// in halves.
pub const TYPED_REPLY_MAX: Bytes = Bytes::new(3 * PARCEL_HEAD_MAX as u64);

/// Embedded items of one item that are kept from the call which tells their kind; what is more is read a second time. 20 messages of 200 KB.
pub const TYPED_HELD_MAX: usize = 4_000_000;

/// Attachments read by one GetAttachment, by the sizes the server states: ten signatures' pictures of 100 KB. A larger one is read alone.
pub const TYPED_TOGETHER: Bytes = Bytes::new(1_000_000);

/// The same, by number.
pub const TYPED_TOGETHER_IDS: usize = 20;

/// The largest request Exchange 2016 takes (maxAllowedContentLength; reference/ews.md section 3). The lab refuses more.
pub const EWS_REQUEST_MAX: usize = 67_108_864;

/// How long the lab is silent before it drops a call that gets no answer: longer than any latency it is given, short enough to rehearse.
pub const LAB_SILENCE: Span = Span::from_secs(2);

/// An ExportItems reply without its data: 100 messages x 1 KB, ten times over.
pub const EXPORT_SKELETON_MAX: usize = 1_000_000;

/// An error, a token or a session is at most some KB; more is not read.
pub const ERROR_BODY_MAX: Bytes = Bytes::new(1_000_000);

/// The largest request body the lab reads: the largest item in Base64, and a frame.
pub const LAB_BODY_MAX: Bytes = Bytes::new(ITEM_MAX.get() / 3 * 4 + 1_000_000);

/// Piece in which bodies travel: a multiple of 3, so that base64 needs no carry.
pub const BODY_PIECE: usize = 48 * 1024;

/// The head of a parcel: 4 MB of text, all that a Graph request takes, four times over for JSON's escapes.
pub const PARCEL_HEAD_MAX: usize = 16_000_000;

/// Depth of folders; Exchange allows 300.
pub const FOLDER_DEPTH_MAX: usize = 300;

/// Depth of embedded messages the reader follows; deeper ones are copied unread.
pub const EMBED_DEPTH_MAX: usize = 32;

/// Payload of one TransferBuffer record as Exchange writes it (0x7BC0; reference/fts.md section 1).
pub const STREAM_PIECE: usize = 31_680;

/// Longest name of a named property the reader follows, in bytes of UTF-16 with terminator: property names are at most 254 characters;
/// four times that is read, longer ones leave the item unread.
pub const STREAM_NAME_MAX: usize = 2_048;

/// Longest identity value (search key, message id, class) the reader keeps: a header line is at most 998 bytes, twice that in UTF-16.
pub const STREAM_IDENTITY_MAX: usize = 4_096;

/// Properties, recipients and attachments of one stream that the digest holds open at once, 32 bytes each: 8 MB at most. A message with more
/// is copied unread.
pub const STREAM_ENTRIES_MAX: usize = 262_144;

// ---- Screening -----------------------------------------------------------------------------------------------------------------

/// Hits kept of one item in the ledger, 50 to 160 bytes each; the quarantine record holds up to [`SCREEN_RECORD_HITS`].
pub const SCREEN_HITS_KEPT: usize = 4;

/// Hits kept in a quarantine record.
pub const SCREEN_RECORD_HITS: usize = 100;

/// Depth to which messages, archives and encoded blocks inside each other are followed. ClamAV follows 17; nobody packs mail six times over
/// except to be hidden.
pub const SIFT_DEPTH_MAX: u8 = 8;

/// Parts of one item that are looked into: bodies, attachments, members of archives, encoded blocks (ClamAV's MaxFiles is 10,000).
pub const SIFT_PARTS_MAX: u32 = 10_000;

/// Bytes of one item that are looked into, unpacked ones included (ClamAV's MaxScanSize is 400 MB). It bounds the time too: every byte is
/// looked at a bounded number of times, so at 100 MB/s an item takes some seconds, whatever it holds.
pub const SIFT_BYTES_MAX: u64 = 400_000_000;

/// The largest part that is unpacked: an archive's member is held in memory while it is looked into.
pub const SIFT_UNPACKED_MAX: u64 = 160_000_000;

/// Unpacked bytes of one item above which it is looked into alone, one at a time: four items side by side then hold at most 4 x 16 MB more than
/// their own bytes, and one alone what [`SIFT_BYTES_MAX`] allows.
pub const SIFT_LIGHT_MAX: u64 = 16_000_000;

/// How many times its packed size a member may unpack to, once it is larger than [`SIFT_RATIO_FROM`]. Deflate reaches 1,032; text about 10,
/// drawings and logs up to 100.
pub const SIFT_RATIO_MAX: u64 = 250;

/// Members that unpack to less than this are no bombs, whatever the ratio.
pub const SIFT_RATIO_FROM: u64 = 4_000_000;

/// An encoded block is looked into from this many characters on: the shortest thing worth finding, the 68 bytes of the test file, takes 92.
pub const SIFT_BASE64_MIN: usize = 64;

/// Longest name of an attachment that is kept for rules and record, in characters; Windows allows 255.
pub const SIFT_NAME_MAX: usize = 512;

/// Items looked into at once. Four keep two cores busy while some of them wait for the engine.
pub const SCREENS_AT_ONCE: usize = 4;

/// Questions to clamd at once; it works on 10 (MaxThreads) and queues 100.
pub const CLAMD_AT_ONCE: usize = 8;

/// Bytes of parts that are looked into without a thread of their own: a millisecond or two.
pub const SIFT_INLINE_MAX: u64 = 256 * 1024;

/// Bytes of streams that are held for being looked into at once: the largest item, and three ordinary ones beside it.
pub const SCREEN_MEMORY: u64 = 200_000_000;

/// Entries of all hash lists together: 32 bytes each, 160 MB; the larger public lists have some millions.
pub const HASH_LIST_MAX: usize = 5_000_000;

/// Bytes of one hash list: 65 characters and a label a line.
pub const HASH_LIST_BYTES: u64 = 1_000_000_000;

/// Piece in which bytes travel to clamd.
pub const CLAMD_CHUNK: usize = 64 * 1024;

/// Bytes of one part that are sent to clamd. Its StreamMaxLength is 100 MB unless it was raised, and what is over it is answered by an error,
/// which counts as not scanned.
pub const CLAMD_STREAM_MAX: u64 = 4_000_000_000;

/// clamd is given this long to take or give anything (its own ReadTimeout is 120 s).
pub const CLAMD_TIMEOUT: Span = Span::from_secs(150);

/// A reply of clamd is one line; a signature's name has at most some 200 characters.
pub const CLAMD_REPLY_MAX: usize = 4_096;

/// Times an engine that does not answer is asked about an item before the run ends in order: with back-offs of 1, 2, 4, 8 and 16 s half a
/// minute, in which a daemon is restarted.
pub const SCREEN_ATTEMPTS_MAX: u32 = 6;

/// An engine proves after this long that it still finds the test file ...
pub const SELF_TEST_EVERY: Span = Span::from_secs(600);

/// ... and after so many items: both bound what a blind engine lets pass.
pub const SELF_TEST_ITEMS: u64 = 1_000;

/// Signatures older than this are worth a warning: freshclam asks for new ones several times a day.
pub const SIGNATURES_STALE: Span = Span::from_secs(3 * 86_400);

const _: () = assert!(SCREEN_MEMORY >= ITEM_MAX.get() + ITEM_MAX.get() / 4);
const _: () = assert!(SIFT_UNPACKED_MAX <= SIFT_BYTES_MAX);

// ---- Signatures ----------------------------------------------------------------------------------------------------------------

/// An SSH agent is given this long to answer: somebody may have to find their token and touch it.
pub const AGENT_PATIENCE: Span = Span::from_secs(120);

// ---- Verification ---------------------------------------------------------------------------------------------------------------

/// Items of both sides together whose listings are held at once, all mailboxes of a verification together: 2,000,000 x 32 bytes = 64 MB. That is
/// one folder of the most a folder of Exchange Online may hold (1,000,000 items); a larger one is verified alone.
pub const AUDIT_ROOM_ITEMS: u32 = 2_000_000;

/// Items that one unit of that room stands for.
pub const AUDIT_ROOM_UNIT: u32 = 1_000;

/// Differences of one mailbox that are listed one by one, at about 300 bytes each: 30 MB. The rest are counted.
pub const FINDINGS_LISTED_MAX: usize = 100_000;

/// Items of one mailbox whose content is compared before the listing is read again, two ids and two digests each: 50,000 x 600 bytes = 30 MB.
/// Each batch costs the two listings once more, about 300 calls beside 100,000 exports.
pub const CONTENT_BATCH: usize = 50_000;

/// Occurrences of one series that are expanded: a daily appointment over 13 years. Of a series without end these are compared, and the pattern.
pub const OCCURRENCES_MAX: usize = 5_000;

/// The longest recurrence that is read: a thousand exceptions with subject and place, 100,000 bytes, rounded up.
pub const RECURRENCE_MAX: usize = 131_072;

/// Differences of content per folder whose properties are looked into, two exports each; the rest are listed without them.
pub const CONTENT_EXPLAINED_MAX: usize = 1_000;

// ---- The planner's assumptions (each printed with the plan; measured rates replace them) ---------------------------------------

/// Mailboxes per wave, unless asked otherwise: what a help desk can answer for on one morning (pilots of 20 to 30 people are advised,
/// reference/peers.md).
pub const WAVE_MAILBOXES: u32 = 50;

/// The published upload limit in hundredths that a slow mailbox reaches: stalls and throttling take a fifth (MRS loses up to 25 %,
/// reference/peers.md).
pub const FORECAST_SLOW_UPLOAD_PERCENT: u64 = 80;

/// Requests per item: a create each, with sessions and listings a tenth more, or twice as many where every create is looked for and read
/// again; in tenths.
pub const FORECAST_REQUESTS_PER_ITEM_TENTHS: (u64, u64) = (11, 20);

/// How long one create takes, fast and slow. Assumed; nobody publishes it.
pub const FORECAST_CREATE: (Span, Span) = (Span::new(300), Span::new(1_200));

/// What Exchange gives per hour out of one mailbox, fast and slow: 1.1 GB/h is the best of a published MRS sample, ExportItems with two
/// calls in flight is assumed to reach four times that (reference/peers.md).
pub const FORECAST_SOURCE_MAILBOX: (Bytes, Bytes) =
    (Bytes::new(4_000_000_000), Bytes::new(1_100_000_000));

/// What the whole source gives per hour, fast and slow: 30 GB/h was sustained by two servers, a third of it is assumed at worst
/// (reference/peers.md).
pub const FORECAST_SOURCE_SERVER: (Bytes, Bytes) =
    (Bytes::new(30_000_000_000), Bytes::new(10_000_000_000));

/// What every mailbox costs besides its items: folders, sessions, two waits of [`VISIBILITY_SETTLE`].
pub const FORECAST_MAILBOX: (Span, Span) = (Span::from_secs(60), Span::from_secs(300));

/// A measured rate is taken as this range of itself, in hundredths.
pub const FORECAST_MEASURED_PERCENT: (u64, u64) = (120, 80);

/// What changes in a mailbox between its copy ahead and its night, in hundredths of items and bytes. Assumed.
pub const FORECAST_DELTA_PERCENT: u64 = 5;

/// Members up to which a group pulls mailboxes together; the rights of larger ones cross waves anyway, and are listed.
pub const GROUP_TOGETHER_MAX: usize = 100;

/// Rights by way of groups that the planner follows, 16 bytes each: 32 MB.
pub const GROUP_LINKS_MAX: usize = 2_000_000;

/// Mailboxes that work together up to which every arrangement is tried: 21,147 partitions of 9.
pub const EXACT_TOGETHER_MAX: usize = 9;

/// Partitions tried in one plan before the heuristic has the word: under a second.
pub const EXACT_STEPS_MAX: u64 = 5_000_000;

/// Nights a calendar looks ahead: four years.
pub const NIGHTS_MAX: usize = 1_461;

/// The mailbox size of the common licence; 100 GB with the larger one (reference/inventory.md section 7).
pub const TARGET_QUOTA_COMMON: Bytes = Bytes::new(50 << 30);

/// The mailbox size of the larger licence.
pub const TARGET_QUOTA_LARGE: Bytes = Bytes::new(100 << 30);

/// The message size a tenant takes unless it was raised (reference/inventory.md section 7).
pub const TENANT_ITEM_DEFAULT: Bytes = Bytes::new(35 << 20);

/// Mailboxes without a logon for longer are worth a question.
pub const IDLE_DAYS: i32 = 180;

// ---- Transport -----------------------------------------------------------------------------------------------------------------

/// To make a connection.
pub const CONNECT_TIMEOUT: Span = Span::from_secs(30);

/// The second address of a host is tried this long after the first (RFC 8305 section 5: 250 ms recommended).
pub const CONNECT_STAGGER: Span = Span::new(250);

/// The head of a reply: IIS allows 16 KB for a request's, and sends some KB; sixteen times as much is no honest head.
pub const REPLY_HEAD_MAX: usize = 262_144;

/// Lines of a reply's head; Exchange sends some 30.
pub const REPLY_HEADERS_MAX: usize = 256;

/// To make a connection, or shake hands, while a preflight looks: a person waits for it, and a server that takes longer is not fit for a night.
pub const LOOK_TIMEOUT: Span = Span::from_secs(10);

/// An idle connection is closed by us before the far side does it: load balancers before Exchange and Graph drop idle connections after
/// 100 s and more.
pub const POOL_IDLE: Span = Span::from_secs(60);

/// A silent connection is probed this often, so that a dead one is found before [`TRANSFER_TIMEOUT`].
pub const TCP_KEEPALIVE: Span = Span::from_secs(60);

/// For an ordinary answer: at least 120 s (reference/ews.md section 3).
pub const CALL_TIMEOUT: Span = Span::from_secs(130);

/// For an export or import: 300 s and more for the largest item over a slow line (20 minutes are used by others).
pub const TRANSFER_TIMEOUT: Span = Span::from_secs(1_200);

/// The part of a window that is given to the drain at its end, at most: one in ten. A window of 200 minutes and more drains for the whole
/// [`TRANSFER_TIMEOUT`] where the largest items are carried.
pub const DRAIN_SHARE: u64 = 10;

/// A run without a progress bar says how far it is this often: some sixty lines a night.
pub const LOG_EVERY: Span = Span::from_secs(600);

/// A run that works night after night tries again this long after a side could not be reached: six times an hour troubles nobody, and an outage
/// of an hour costs a night little more than the hour.
pub const CONTACT_PAUSE: Span = Span::from_secs(600);

const _: () = assert!(DRAIN_SHARE >= 2);
const _: () = assert!(CALL_TIMEOUT.get() <= TRANSFER_TIMEOUT.get());
const _: () = assert!(TARGET_CALLS_IN_FLIGHT_PER_MAILBOX >= 1);
const _: () = assert!(TARGET_UPLOAD_PER_WINDOW.get() <= GRAPH_UPLOAD_PER_WINDOW.get());
const _: () = assert!(TARGET_REQUESTS_PER_WINDOW.get() <= GRAPH_REQUESTS_PER_WINDOW.get());
const _: () = assert!(SOURCE_SYNC_PAGE.get() <= 512);
const _: () = assert!(SOURCE_EXPORT_IDS <= 100);
const _: () = assert!(TYPED_BATCH <= 20);
const _: () = assert!(BODY_PIECE.is_multiple_of(3));
const _: () = assert!(SPOOL_TOTAL.get() >= 2 * ITEM_MAX.get());
const _: () = assert!(SPOOL_IN_MEMORY.get() <= SPOOL_MEMORY_TOTAL.get());
// The largest item as base64 (4/3) exceeds one upload window (200 MB > 148 MB): the budget carries it on debt, see `pace::window`.
const _: () = assert!(ITEM_MAX.get() / 3 * 4 > TARGET_UPLOAD_PER_WINDOW.get());

// ---- Preflight -----------------------------------------------------------------------------------------------------------------

/// Times a question of a preflight is asked in all: a storm of the lab spoils one call in six, so that one question in 46,000 fails six times.
pub const LOOK_ATTEMPTS_MAX: u32 = 6;

/// What one question of a preflight waits for throttles in all, before the throttling itself is the finding. A person is waiting.
pub const LOOK_PATIENCE: Span = Span::from_secs(20);

/// The wait of a preflight after a throttle that names none.
pub const LOOK_HOLD: Span = Span::from_secs(5);

/// Mailboxes a preflight looks at side by side: each has one call in flight on each side, so that 8 sockets a side are open.
pub const LOOKS_AT_ONCE: usize = 8;

/// Times a canary is sent, as long as it is certain that the time before nothing arrived.
pub const CANARY_ATTEMPTS_MAX: u32 = 3;

/// Pages of a canary's folder that are read: it holds a few items of ours.
pub const CANARY_PAGES_MAX: u32 = 4;
