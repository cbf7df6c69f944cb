//! HealthChecker's vulnerability report (`HealthChecker.ps1 -VulnerabilityReport`): JSON, UTF-16 with a mark as PowerShell 5.1 writes it.
//!
//! `HasVulnerability` may be the text "Unknown"; a server that was not online has its number from AdminDisplayVersion; `Vulnerabilities` mixes CVE
//! numbers, lists of them in one text, and names of other findings.

use serde_json::Value;

use super::server::{Origin, Sighting};
use super::sheet::{Fault, decode};
use crate::base::build::Build;

/// What the report says about one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its build.
    pub sighting: Sighting,
    /// CVE numbers it names.
    pub cves: Vec<String>,
    /// Other findings, e.g. `IIS module anomalies detected`.
    pub others: Vec<String>,
}

/// Reads a report.
pub fn parse(bytes: &[u8]) -> Result<Vec<Health>, Fault> {
    let text = decode(bytes)?;
    let report: Value = serde_json::from_str(&text)
        .map_err(|e| Fault::at(e.line() as u64, "not the JSON of a vulnerability report"))?;
    let servers = match &report["Servers"] {
        Value::Array(list) => list.as_slice(),
        // ConvertTo-Json writes a list of one as its only element.
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => return Err(Fault::at(1, "no list `Servers` in it")),
    };
    servers.iter().map(server).collect()
}

fn server(value: &Value) -> Result<Health, Fault> {
    let name = value["Name"]
        .as_str()
        .filter(|name| !name.trim().is_empty())
        .ok_or_else(|| Fault::at(1, "a server without `Name`"))?;
    let online = value["Online"].as_bool() == Some(true);
    let listed = match &value["Vulnerabilities"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let (mut cves, mut others) = (Vec::new(), Vec::new());
    for text in listed {
        let named: Vec<&str> = text
            .split([',', ' ', ';'])
            .filter(|word| word.starts_with("CVE-"))
            .collect();
        if named.is_empty() {
            others.push(text.to_owned());
        }
        cves.extend(named.into_iter().map(str::to_owned));
    }
    Ok(Health {
        sighting: Sighting {
            // The short name is what every other export says.
            server: name.split('.').next().unwrap_or(name).trim().to_owned(),
            origin: if online {
                Origin::HealthChecker
            } else {
                Origin::HealthCheckerOffline
            },
            build: value["BuildVersion"].as_str().and_then(Build::parse),
        },
        cves,
        others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_a_report_says_things_are_understood() {
        let text = r#"{"VersionReport":"26.04.03.1422","Servers":[
          {"Name":"EX16A.clinic.example","BuildVersion":"15.1.2507.17","HasVulnerability":true,
           "Vulnerabilities":["CVE-2023-21529,CVE-2023-21706","IIS module anomalies detected"],"Online":true},
          {"Name":"EX16B","BuildVersion":"15.1.2507.6","HasVulnerability":"Unknown","Vulnerabilities":[],"Online":false}]}"#;
        let mut bytes = vec![0xFF, 0xFE];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        let read = parse(&bytes).expect("a report");
        assert_eq!(read[0].sighting.server, "EX16A");
        assert_eq!(read[0].sighting.origin, Origin::HealthChecker);
        assert_eq!(read[0].cves, ["CVE-2023-21529", "CVE-2023-21706"]);
        assert_eq!(read[0].others, ["IIS module anomalies detected"]);
        assert_eq!(read[1].sighting.origin, Origin::HealthCheckerOffline);
        assert_eq!(parse(b"{\n\"Servers\": 3}").expect_err("no list").line, 1);
        assert_eq!(parse(b"{\n]").expect_err("no JSON").line, 2);
    }
}
