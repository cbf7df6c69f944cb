//! The JSON body of a call on the Graph face, read as the service reads it: what annotates the payload is no part of it.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a body. Members that annotate (`@odata.type`, `itemIds@odata.type`) are passed over, as a service does with those it does not know (OData
/// JSON Format 4.01, sections 4.6 and 20); any other member that `T` does not name makes it unreadable.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut value = serde_json::from_slice(body).ok()?;
    drop_annotations(&mut value);
    serde_json::from_value(value).ok()
}

/// As deep as the body goes: serde_json reads 128 levels at most.
fn drop_annotations(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !name.contains("@odata."));
            members.values_mut().for_each(drop_annotations);
        }
        Value::Array(entries) => entries.iter_mut().for_each(drop_annotations),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::graph::export::ExportRequest;
    use crate::wire::graph::folders::NewFolder;

    fn ids(body: &str) -> Option<Vec<String>> {
        read::<ExportRequest>(body.as_bytes()).map(|request| request.item_ids)
    }

    #[test]
    fn an_annotation_is_passed_over_and_an_unknown_member_is_not() {
        let wanted = Some(vec!["a".to_owned()]);
        for body in [
            r#"{"itemIds":["a"]}"#,
            r#"{"ItemIds":["a"]}"#,
            r##"{"@odata.type":"#x.y","itemIds":["a"]}"##,
            r##"{"ItemIds@odata.type":"#Collection(String)","ItemIds":["a"]}"##,
        ] {
            assert_eq!(ids(body), wanted, "{body}");
        }
        for body in [
            r#"{"itemIds":["a"],"mode":"x"}"#,
            r#"{"itemids":["a"]}"#,
            r#"{"itemIds":["a"],"ItemIds":["b"]}"#,
            r#"{"@odata.type":"x"}"#,
            r#"{"itemIds":[{"@odata.id":"a"}]}"#,
            r#"{"itemIds":["a"]"#,
            "",
        ] {
            assert_eq!(ids(body), None, "{body}");
        }
        let folder = r#"{"displayName":"n","type":"IPF.Note","singleValueExtendedProperties":
            [{"@odata.type":"x","id":"Boolean 0x10F4","value":"true"}]}"#;
        assert!(read::<NewFolder>(folder.as_bytes()).is_some_and(|new| new.is_hidden()));
    }
}
