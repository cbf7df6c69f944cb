//! What antivirus found and nobody looked at: exports of Defender (`Get-MpThreatDetection`) and of others, as CSV or JSON, set against the window
//! of exposure. Each needs a name and a note before anybody moves.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use super::finding::{self, Decision};
use super::sheet::{Fault, Sheet, decode, loose_date, plain};
use super::timeline::Window;

/// One detection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The id of this finding.
    pub finding: String,
    /// The day; `None` where the export does not say it for certain.
    pub day: Option<Date>,
    /// What it was called.
    pub threat: String,
    /// Where it was. For the operator's own screen and files.
    pub resource: String,
    /// What the engine did about it, as it says.
    pub action: String,
    /// The file it was read from.
    pub file: String,
    /// The line or the place in the list, from 1.
    pub line: u64,
    /// Whether it falls into a window of exposure; `None` where day or windows are not known.
    pub in_window: Option<bool>,
    /// Who looked at it.
    pub acknowledged: Option<Decision>,
}

const TIME: [&str; 10] = [
    "initialdetectiontime",
    "detectiontime",
    "detected",
    "detectedat",
    "datetime",
    "timestamp",
    "eventtime",
    "date",
    "time",
    "lastthreatstatuschangetime",
];
const THREAT: [&str; 9] = [
    "threatname",
    "threat",
    "detectionname",
    "malware",
    "malwarename",
    "virus",
    "virusname",
    "signature",
    "threatid",
];
const RESOURCE: [&str; 8] = [
    "resources",
    "path",
    "filepath",
    "file",
    "filename",
    "object",
    "objectname",
    "location",
];
const ACTION: [&str; 8] = [
    "action",
    "actiontaken",
    "result",
    "status",
    "threatstatus",
    "cleaningaction",
    "actionsuccess",
    "cleaningactionid",
];

/// Reads an export. JSON where it begins like JSON, else delimited text.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Vec<Detection>, Fault> {
    let text = decode(bytes)?;
    let rows = if text.trim_start().starts_with(['[', '{']) {
        from_json(&text)?
    } else {
        from_sheet(&Sheet::parse(&text)?)?
    };
    let mut out: Vec<Detection> = rows.into_iter().map(|row| row.made(file)).collect();
    number_twins(&mut out);
    Ok(out)
}

/// Two detections that look the same are two all the same.
fn number_twins(list: &mut [Detection]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for one in list {
        let n = seen.entry(one.finding.clone()).or_default();
        *n += 1;
        if *n > 1 {
            one.finding = format!("{}.{n}", one.finding);
        }
    }
}

#[derive(Debug, Default)]
struct Raw {
    time: String,
    threat: String,
    resource: String,
    action: String,
    line: u64,
}

impl Raw {
    fn made(self, file: &str) -> Detection {
        Detection {
            finding: finding::id("D", &[&self.time, &self.threat, &self.resource]),
            day: loose_date(&self.time),
            threat: self.threat,
            resource: self.resource,
            action: self.action,
            file: file.to_owned(),
            line: self.line,
            in_window: None,
            acknowledged: None,
        }
    }
}

fn from_sheet(sheet: &Sheet) -> Result<Vec<Raw>, Fault> {
    if !sheet.has(&THREAT) && !sheet.has(&RESOURCE) {
        return Err(Fault::at(
            1,
            "no column that names a threat or a file, such as ThreatName or Resources",
        ));
    }
    let rows = sheet.rows().map(|row| Raw {
        time: row.get(&TIME).to_owned(),
        threat: row.get(&THREAT).to_owned(),
        resource: row.get(&RESOURCE).to_owned(),
        action: row.get(&ACTION).to_owned(),
        line: row.line,
    });
    Ok(rows.collect())
}

fn from_json(text: &str) -> Result<Vec<Raw>, Fault> {
    let whole: Value =
        serde_json::from_str(text).map_err(|e| Fault::at(e.line() as u64, "not JSON"))?;
    let list = match &whole {
        Value::Array(list) => list.as_slice(),
        Value::Object(map) => match map.get("value").and_then(Value::as_array) {
            Some(list) => list.as_slice(),
            None => std::slice::from_ref(&whole),
        },
        _ => return Err(Fault::at(1, "neither a list nor an object")),
    };
    let mut out = Vec::new();
    for (n, value) in list.iter().enumerate() {
        let place = n as u64 + 1;
        let map = value
            .as_object()
            .ok_or_else(|| Fault::at(1, format!("entry {place} is no object")))?;
        let cells: BTreeMap<String, String> =
            map.iter().map(|(k, v)| (plain(k), flat(v))).collect();
        let get = |names: &[&str]| {
            let found = names.iter().find_map(|name| cells.get(*name));
            found.cloned().unwrap_or_default()
        };
        let raw = Raw {
            time: get(&TIME),
            threat: get(&THREAT),
            resource: get(&RESOURCE),
            action: get(&ACTION),
            line: place,
        };
        if raw.threat.is_empty() && raw.resource.is_empty() {
            let reason = format!("entry {place} names neither a threat nor a file");
            return Err(Fault::at(1, reason));
        }
        out.push(raw);
    }
    Ok(out)
}

/// A value as text; lists joined; the `value`/`DateTime` wrappers of PowerShell opened.
fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Array(list) => list.iter().map(flat).collect::<Vec<_>>().join("; "),
        Value::Object(map) => map.get("value").map(flat).unwrap_or_default(),
        Value::Null => String::new(),
    }
}

/// Sets detections against the windows and the decisions.
pub fn weigh(list: &mut [Detection], windows: &[Window], decisions: &BTreeMap<String, Decision>) {
    for one in list {
        one.in_window = match one.day {
            Some(day) if !windows.is_empty() => Some(windows.iter().any(|w| w.holds(day))),
            _ => None,
        };
        one.acknowledged = decisions.get(&one.finding).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_of_both_kinds_are_read_and_set_against_the_window() {
        let csv = b"ThreatName,Resources,InitialDetectionTime,ActionSuccess\r\n\
            Backdoor:ASP/Chopper,file:_C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx,8/14/2021 3:12:09 AM,True\r\n\
            Backdoor:ASP/Chopper,file:_C:\\inetpub\\wwwroot\\aspnet_client\\supp0rt.aspx,8/14/2021 3:12:09 AM,True\r\n";
        let mut list = parse("av.csv", csv).expect("readable");
        assert_eq!(list.len(), 2);
        assert_ne!(list[0].finding, list[1].finding);
        let window = Window::parse("2021-04-13..2021-12-01").expect("a window");
        weigh(&mut list, &[window], &BTreeMap::new());
        assert_eq!(list[0].in_window, Some(true));
        let json = br#"[{"ThreatID":2147, "Resources":["file:_C:\\x.aspx"], "InitialDetectionTime":"\/Date(1628910729000)\/"}]"#;
        let list = parse("av.json", json).expect("readable");
        assert_eq!(list[0].day, Some(jiff::civil::date(2021, 8, 14)));
        assert_eq!(list[0].threat, "2147");
    }

    #[test]
    fn what_is_no_export_is_refused_with_its_place() {
        assert_eq!(parse("a", b"a,b\n1,2\n").expect_err("no threat").line, 1);
        assert_eq!(parse("a", b"threat\n\"x").map(|l| l.len()), Ok(1));
        assert_eq!(
            parse("a", b"threat,file\nx,y\nz\n")
                .expect_err("short")
                .line,
            3
        );
        assert_eq!(parse("a", b"[\n{]").expect_err("no JSON").line, 2);
        assert!(parse("a", b"[3]").is_err());
        assert!(parse("a", b"").is_err());
    }
}
