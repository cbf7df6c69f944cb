//! The collector script: reads only, is balanced, and writes what the clinic's files show.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test; helpers are not seen as such by the lint, and what it measures or skips is said"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn script() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/Export-MailboxInventory.ps1");
    std::fs::read_to_string(path).unwrap()
}

/// The code without comments, with texts emptied; brackets that do not fit or quotes that do not close are an error with their line.
fn code_of(script: &str) -> Result<String, String> {
    let chars: Vec<char> = script.chars().collect();
    let (mut out, mut open, mut at, mut line) = (String::new(), Vec::new(), 0, 1);
    while at < chars.len() {
        let (c, next) = (chars[at], chars.get(at + 1).copied().unwrap_or(' '));
        let began = line;
        let mut skip_to = |end: &str, at: &mut usize| {
            let end: Vec<char> = end.chars().collect();
            while *at < chars.len() && !chars[*at..].starts_with(&end) {
                line += usize::from(chars[*at] == '\n');
                *at += 1;
            }
            let closed = *at < chars.len();
            *at += end.len();
            closed
                .then_some(())
                .ok_or(format!("line {began}: opens and never closes"))
        };
        match (c, next) {
            ('<', '#') => skip_to("#>", &mut at)?,
            ('@', '"' | '\'') => {
                return Err(format!(
                    "line {line}: a here-string; this check does not follow them"
                ));
            }
            ('#', _) => {
                skip_to("\n", &mut at)?;
                line += 1;
                out.push('\n');
            }
            ('\'', _) => {
                at += 1;
                // Two quotes inside are one.
                loop {
                    skip_to("'", &mut at)?;
                    if chars.get(at) != Some(&'\'') {
                        break;
                    }
                    at += 1;
                }
                out.push_str("''");
            }
            ('"', _) => {
                at += 1;
                while chars.get(at).is_some_and(|c| *c != '"') {
                    // A backtick takes the next character with it.
                    at += if chars[at] == '`' { 2 } else { 1 };
                }
                if at >= chars.len() {
                    return Err(format!("line {line}: a quote opens and never closes"));
                }
                at += 1;
                out.push_str("\"\"");
            }
            _ => {
                match c {
                    '(' | '[' | '{' => open.push((c, line)),
                    ')' | ']' | '}' => {
                        let wanted = match c {
                            ')' => '(',
                            ']' => '[',
                            _ => '{',
                        };
                        let (opened, from) = open
                            .pop()
                            .ok_or(format!("line {line}: {c} closes nothing"))?;
                        if opened != wanted {
                            return Err(format!(
                                "line {line}: {c} closes the {opened} of line {from}"
                            ));
                        }
                    }
                    '\n' => line += 1,
                    _ => {}
                }
                out.push(c);
                at += 1;
            }
        }
    }
    match open.pop() {
        Some((c, from)) => Err(format!("line {from}: {c} never closes")),
        None => Ok(out),
    }
}

#[test]
fn the_script_is_balanced_and_the_check_would_see_it_if_not() {
    let script = script();
    assert!(
        script.is_ascii(),
        "PowerShell 5.1 reads a script without mark as ANSI"
    );
    code_of(&script).unwrap();
    for (from, to) in [
        ("function Get-Cell {", "function Get-Cell "),
        ("return '\"\"'", "return '\"\""),
        (
            "[switch] $AllFolderPermissions,",
            "[switch) $AllFolderPermissions,",
        ),
        ("#>", ""),
    ] {
        let broken = script.replacen(from, to, 1);
        assert_ne!(broken, script, "{from}");
        assert!(code_of(&broken).is_err(), "{from}");
    }
}

#[test]
fn the_script_parses_where_powershell_is_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/Export-MailboxInventory.ps1");
    let parse = format!(
        "$errors = $null; [void][System.Management.Automation.Language.Parser]::ParseFile('{}', [ref]$null, [ref]$errors); \
         $errors | ForEach-Object {{ Write-Output $_.Message }}; exit $errors.Count",
        path.display()
    );
    match Command::new("pwsh")
        .args(["-NoProfile", "-Command", &parse])
        .output()
    {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        ),
        Err(_) => {
            println!(
                "skipped: pwsh is not here; brackets and quotes are checked by the test above"
            );
        }
    }
}

/// Words of the form Verb-Noun in the code.
fn cmdlets(code: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '$' || c == '_';
    code.split(|c: char| !word(c))
        .filter(|token| token.starts_with(|c: char| c.is_ascii_uppercase()))
        .filter(|token| {
            token
                .split_once('-')
                .is_some_and(|(_, noun)| noun.starts_with(|c: char| c.is_ascii_uppercase()))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_script_calls_nothing_that_changes_exchange() {
    let code = code_of(&script()).unwrap();
    let own: BTreeSet<&str> = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("function "))
        .filter_map(|rest| rest.split([' ', '{']).next())
        .collect();
    assert!(own.len() > 10, "the script's own functions are found");
    // What the language needs: nothing of Exchange among it.
    let tools = [
        "ForEach-Object",
        "New-Object",
        "Resolve-Path",
        "Set-StrictMode",
        "Test-Path",
        "Where-Object",
        "Write-Output",
        "Write-Progress",
    ];
    let all = cmdlets(&code);
    assert!(all.contains("Get-MailboxStatistics"), "the words are found");
    for cmdlet in &all {
        let reads = cmdlet.starts_with("Get-")
            || own.contains(cmdlet.as_str())
            || tools.contains(&cmdlet.as_str());
        assert!(
            reads,
            "{cmdlet} is neither a Get- cmdlet nor one of the language"
        );
    }
    // Words that a function of the script may hide behind.
    for verb in [
        "Invoke-",
        "Set-Mailbox",
        "Add-",
        "Remove-",
        "Start-",
        "Stop-",
        "Enable-",
        "Disable-",
        "Import-",
        "iex ",
    ] {
        assert!(!code.contains(verb), "{verb}");
    }
    assert!(cmdlets("Set-Mailbox $x").contains("Set-Mailbox"));
}

#[test]
fn the_clinic_has_the_columns_the_script_writes() {
    let script = script();
    let mut seen = 0;
    for (at, _) in script.match_indices("\nOut-Header '") {
        let call = &script[at + 13..];
        let end = call.find("\nOut-Header").or(call.find("\n\n")).unwrap();
        let call = &call[..end];
        let (name, rest) = call.split_once('\'').unwrap();
        if name == "problems" {
            continue;
        }
        let mut columns: BTreeSet<&str> = rest.split('\'').skip(1).step_by(2).collect();
        if rest.contains("$identityColumns") {
            columns.extend(["ExchangeGuid", "PrimarySmtpAddress"]);
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("plans/clinic/{name}.csv"));
        let text = std::fs::read_to_string(path).unwrap();
        let header = text.trim_start_matches('\u{feff}').lines().next().unwrap();
        for column in header.split(',').map(|cell| cell.trim_matches('"')) {
            assert!(
                columns.contains(column),
                "{name}: the script writes no {column}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 16);
}
