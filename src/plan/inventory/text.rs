//! Single values as the shell prints them: booleans, GUIDs, lists, type names that stand where data was lost.

use super::model::{FolderRights, Guid, ProxyKind, RecipientKind};

/// `True` and `False`, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// `8-4-4-4-12`, with or without braces.
pub(super) fn guid(text: &str) -> Option<Guid> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    if text.len() != 36 {
        return None;
    }
    let mut value: u128 = 0;
    for (at, byte) in text.bytes().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
    }
    Some(Guid(value))
}

/// True where a cell holds the name of a .NET type: the values were lost when the file was written.
///
/// The rule is that of reference/inventory.md section 2: `System.Object[]`, ``Microsoft.Exchange.Data.MultiValuedProperty`1[...]``.
pub(super) fn is_type_name(text: &str) -> bool {
    let Some(rest) = ["System.", "Microsoft.Exchange.", "Deserialized."]
        .iter()
        .find_map(|start| text.strip_prefix(start))
    else {
        return false;
    };
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '+')))
        .unwrap_or(rest.len());
    let (name, mut rest) = rest.split_at(end);
    if name.is_empty() {
        return false;
    }
    if let Some(digits) = rest.strip_prefix('`') {
        rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == digits.len() {
            return false;
        }
    }
    // An address of a domain that begins like a type has an @, and ended above.
    rest.is_empty() || (rest.starts_with('[') && rest.ends_with(']'))
}

/// True where a list or a cell was cut for a screen: `{a, b, c...}`.
pub(super) fn is_cut(text: &str) -> bool {
    let text = text.trim_end_matches('}');
    text.ends_with("...") || text.ends_with('…')
}

/// The values of a cell that the collector joined: `|` between them, `\|` and `\\` inside them.
///
/// `{a, b}` of the shell's own printing is opened too. Other separators are the caller's business: names hold commas.
pub(super) fn joined(text: &str) -> Vec<String> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        return inner
            .split(", ")
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
    }
    let mut out = Vec::new();
    let mut value = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next @ ('|' | '\\'))) => {
                value.push(*next);
                chars.next();
            }
            ('|', _) => out.push(std::mem::take(&mut value)),
            _ => value.push(c),
        }
    }
    out.push(value);
    out.retain(|value| !value.trim().is_empty());
    for value in &mut out {
        if value.trim().len() != value.len() {
            *value = value.trim().to_owned();
        }
    }
    out
}

/// The entries of EmailAddresses, however they were joined: a new one begins where a kind and a colon follow a separator.
pub(super) fn proxies(text: &str) -> Vec<(String, String)> {
    let mut starts = Vec::new();
    let bytes = text.as_bytes();
    for (colon, _) in text.match_indices(':') {
        let mut from = colon;
        while from > 0 && colon - from < 8 && bytes[from - 1].is_ascii_alphanumeric() {
            from -= 1;
        }
        let fresh =
            from == 0 || matches!(bytes[from - 1], b'|' | b',' | b';' | b' ' | b'\n' | b'{');
        if from < colon && fresh && bytes[from].is_ascii_alphabetic() {
            starts.push((from, colon));
        }
    }
    let mut out = Vec::new();
    for (at, (from, colon)) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(text.len(), |(next, _)| *next);
        let value = text[colon + 1..end]
            .trim_matches(|c: char| c.is_whitespace() || matches!(c, '|' | ',' | ';' | '{' | '}'));
        if !value.is_empty() {
            out.push((text[*from..*colon].to_owned(), value.to_owned()));
        }
    }
    out
}

/// The kind of an address by what stands before its colon.
pub(super) fn proxy_kind(prefix: &str) -> ProxyKind {
    match prefix.to_ascii_lowercase().as_str() {
        "smtp" => ProxyKind::Smtp,
        "x500" => ProxyKind::X500,
        "sip" => ProxyKind::Sip,
        "eum" => ProxyKind::Eum,
        "x400" => ProxyKind::X400,
        other => ProxyKind::Other(other.into()),
    }
}

/// Recipients of a rule, `"Name" [SMTP:a@b]` or `"Name" [EX:/o=...]`: the address in brackets, or the whole text where there is none.
pub(super) fn rule_recipients(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while let Some(open) = rest.find('[') {
        let Some(close) = rest[open..].find(']') else {
            break;
        };
        let inside = &rest[open + 1..open + close];
        let address = match inside.split_once(':') {
            Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => address,
            Some((kind, address)) if kind.eq_ignore_ascii_case("ex") => address,
            _ => inside,
        };
        out.push(address.trim().to_owned());
        rest = rest[open + close + 1..].trim_start_matches([',', ';', '|', '}', ' ', '\r', '\n']);
    }
    let rest = rest.trim_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | '"'));
    if !rest.is_empty() {
        out.extend(joined(rest));
    }
    out
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident -> $kind:ident { $($variant:ident),+ $(,)? } else $other:ident) => {
        $(#[$doc])*
        pub(super) fn $name(text: &str) -> $kind {
            $(if text.eq_ignore_ascii_case(stringify!($variant)) {
                return $kind::$variant;
            })+
            $kind::$other(text.into())
        }
    };
}

words! {
    /// RecipientTypeDetails; what no list has is kept.
    recipient_kind -> RecipientKind {
        UserMailbox, SharedMailbox, RoomMailbox, EquipmentMailbox, LinkedMailbox, LinkedRoomMailbox, LegacyMailbox, TeamMailbox,
        SchedulingMailbox, GroupMailbox, DiscoveryMailbox, ArbitrationMailbox, MonitoringMailbox, AuditLogMailbox,
        PublicFolderMailbox, PublicFolder, MailUser, MailContact, GuestMailUser, MailUniversalDistributionGroup,
        MailUniversalSecurityGroup, DynamicDistributionGroup, RoomList, RemoteUserMailbox, RemoteSharedMailbox,
        RemoteRoomMailbox, RemoteEquipmentMailbox, RemoteTeamMailbox,
    } else Unknown
}

words! {
    /// A role in a folder; single rights are kept as they came.
    folder_rights -> FolderRights {
        Owner, PublishingEditor, Editor, PublishingAuthor, Author, NonEditingAuthor, Reviewer, Contributor, None, AvailabilityOnly,
        LimitedDetails,
    } else Custom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_are_told_from_values() {
        for lost in [
            "System.Object[]",
            "System.Collections.ArrayList",
            "Microsoft.Exchange.Data.ProxyAddressCollection",
            "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]",
            "Microsoft.Exchange.Management.RecipientTasks.MailboxRights[]",
            "Deserialized.Microsoft.Exchange.Data.Directory.ADObjectId",
            "System.Collections.Generic.List`1[[System.String, mscorlib]]",
        ] {
            assert!(is_type_name(lost), "{lost}");
        }
        for kept in [
            "",
            "System.",
            "Systems",
            "System.Object`[]",
            "System.user@clinic.example",
            "clinic.local/System.Object",
            "SMTP:a@x.example",
            "Microsoft Exchange",
        ] {
            assert!(!is_type_name(kept), "{kept}");
        }
    }

    #[test]
    fn lists_open_as_they_were_joined() {
        assert_eq!(
            joined("a|b\\|c|d\\\\|CLINIC\\x"),
            ["a", "b|c", "d\\", "CLINIC\\x"]
        );
        assert_eq!(
            joined("{FullAccess, ReadPermission}"),
            ["FullAccess", "ReadPermission"]
        );
        assert_eq!(joined(" "), Vec::<String>::new());
        assert!(is_cut("{a, b, c...}") && !is_cut("{a, b}"));
        let x500 =
            "/o=Clinic/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=a";
        for separator in ["|", ";", ", ", " ", "\n"] {
            let text = [
                "SMTP:a@x.example",
                "smtp:b@x.example",
                &format!("X500:{x500}"),
            ]
            .join(separator);
            let want = [
                ("SMTP", "a@x.example"),
                ("smtp", "b@x.example"),
                ("X500", x500),
            ];
            assert_eq!(
                proxies(&text),
                want.map(|(kind, address)| (kind.to_owned(), address.to_owned())),
                "{separator:?}"
            );
        }
        assert_eq!(proxies("a@x.example"), []);
    }

    #[test]
    fn rule_recipients_are_addresses_where_the_rule_has_them() {
        assert_eq!(
            rule_recipients("\"Anna\" [SMTP:a@x.example], \"Bea [x]\" [EX:/o=Clinic/cn=b]"),
            ["a@x.example", "x", "/o=Clinic/cn=b"]
        );
        assert_eq!(rule_recipients("\"Anna Harris\""), ["Anna Harris"]);
        assert_eq!(
            rule_recipients("a@x.example|b@x.example"),
            ["a@x.example", "b@x.example"]
        );
        assert_eq!(rule_recipients(""), Vec::<String>::new());
    }

    #[test]
    fn guids_and_words_are_exact() {
        let text = "d5a0bd9b-4e95-49b5-9736-14fde1eec1e3";
        assert_eq!(guid(text).expect("a GUID").to_string(), text);
        assert_eq!(guid(&format!("{{{}}}", text.to_uppercase())), guid(text));
        assert_eq!(guid("d5a0bd9b-4e95-49b5-9736-14fde1eec1e"), None);
        assert_eq!(guid("d5a0bd9b04e95-49b5-9736-14fde1eec1e3"), None);
        assert_eq!(boolean("TRUE"), Some(true));
        assert_eq!(boolean("$false"), None);
        assert_eq!(
            recipient_kind("sharedmailbox"),
            RecipientKind::SharedMailbox
        );
        assert_eq!(
            recipient_kind("HoloMailbox"),
            RecipientKind::Unknown("HoloMailbox".into())
        );
        assert_eq!(folder_rights("Reviewer"), FolderRights::Reviewer);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}") {
            let _ = (is_type_name(&text), joined(&text), proxies(&text), rule_recipients(&text), guid(&text));
        }

        #[test]
        fn what_the_collector_joins_comes_back(values in proptest::collection::vec("[a-z|\\\\é,;]{0,4}x", 1..5)) {
            let text: Vec<String> = values.iter().map(|v| v.replace('\\', "\\\\").replace('|', "\\|")).collect();
            proptest::prop_assert_eq!(joined(&text.join("|")), values);
        }
    }
}
