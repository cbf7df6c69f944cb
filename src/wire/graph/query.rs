//! Query parameters of listings: written by the adapter, read strictly by the lab.

use std::fmt::Write as _;

use thiserror::Error;

use crate::base::quantity::{Count, Moment};
use crate::wire::graph::escape;
use crate::wire::graph::property::{self, NamedId, PropertyId};
use crate::wire::graph::provenance;

/// Why a query is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum QueryError {
    /// Not decodable.
    #[error("the query is not decodable")]
    Broken,
    /// A parameter this resource does not know.
    #[error("unknown query parameter {0}")]
    Unknown(String),
    /// A parameter that comes twice.
    #[error("query parameter {0} twice")]
    Twice(String),
    /// A value that cannot be read.
    #[error("query parameter {0} has a bad value")]
    BadValue(String),
}

/// The parameters of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// `$select`; empty selects all.
    pub select: Vec<String>,
    /// `$expand=singleValueExtendedProperties($filter=...)`.
    pub expand: Vec<PropertyId>,
    /// Named properties of the same `$expand`, after the others.
    pub named: Vec<NamedId>,
    /// `$top`.
    pub top: Option<Count>,
    /// `$skip`; only nextLinks carry it.
    pub skip: Option<Count>,
    /// `$skiptoken`; likewise, and opaque.
    pub skip_token: Option<String>,
    /// `includeHiddenFolders=true`, for folders (reference/graph.md 1.4).
    pub hidden: bool,
    /// `$count=true`: how many there are, beside the page.
    pub count: bool,
    /// `startDateTime` and `endDateTime`, for the instances of a series (event-list-instances).
    pub window: Option<(Moment, Moment)>,
    /// `$expand=exceptionOccurrences`, for the master of a series (event-get); instead of the other expansions.
    pub exceptions: bool,
    /// `$filter` by a named property of text (singlevaluelegacyextendedproperty-get).
    pub bearing: Option<(NamedId, Sought)>,
}

/// What a filter wants of a text. The service compares without regard to case (reference/graph.md section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// This text.
    Is(String),
    /// A text with this in it.
    Has(String),
}

/// The filter around id and value, for a whole text and for a part of one.
const BEARING: [[&str; 3]; 2] = [
    [
        "singleValueExtendedProperties/Any(ep: ep/id eq '",
        "' and ep/value eq '",
        "')",
    ],
    [
        "singleValueExtendedProperties/Any(ep: ep/id eq '",
        "' and contains(ep/value, '",
        "'))",
    ],
];

/// The expansion of a series that brings its exceptions.
const EXCEPTIONS: &str = "exceptionOccurrences";

const EXPAND_HEAD: &str = "singleValueExtendedProperties($filter=";

impl ListQuery {
    /// A listing of folders with everything we read of them.
    pub fn folders(top: Count) -> Self {
        Self {
            top: Some(top),
            hidden: true,
            ..Self::folder()
        }
    }

    /// One folder with everything we read of it.
    pub fn folder() -> Self {
        Self::selecting(&[
            "id",
            "displayName",
            "parentFolderId",
            "childFolderCount",
            "totalItemCount",
            "type",
            "wellKnownName",
        ])
    }

    /// A listing of items with the properties that identify them.
    pub fn items(top: Count) -> Self {
        Self {
            top: Some(top),
            expand: vec![
                PropertyId::SEARCH_KEY,
                PropertyId::MESSAGE_ID,
                PropertyId::SUBMITTED,
            ],
            named: vec![provenance::SOURCE, provenance::UNFINISHED],
            ..Self::selecting(&["id", "changeKey", "type", "size", "createdDateTime"])
        }
    }

    /// The same of items as the Mail, Calendar and Contacts APIs list them: class and size are no fields there (reference/graph.md 2.7).
    pub fn fields_of_items(top: Count) -> Self {
        let mut query = Self::items(top);
        query.select = ["id", "changeKey", "createdDateTime"]
            .map(str::to_owned)
            .to_vec();
        query.expand.extend([PropertyId::CLASS, PropertyId::SIZE]);
        query
    }

    /// The same listing without our marks.
    #[must_use]
    pub fn unmarked(mut self) -> Self {
        self.named.clear();
        self
    }

    /// The version of one item.
    pub fn version() -> Self {
        Self::selecting(&["id", "changeKey"])
    }

    /// A query of these fields.
    pub fn selecting(names: &[&str]) -> Self {
        Self {
            select: names.iter().map(|&name| name.to_owned()).collect(),
            ..Self::default()
        }
    }

    /// The query, encoded, without the question mark.
    pub fn encode(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |name: &str, value: &str| {
            parts.push(format!("{name}={}", escape::query_value(value)));
        };
        if let Some(top) = self.top {
            add("$top", &top.get().to_string());
        }
        if let Some(skip) = self.skip {
            add("$skip", &skip.get().to_string());
        }
        if let Some(token) = &self.skip_token {
            add("$skiptoken", token);
        }
        if !self.select.is_empty() {
            add("$select", &self.select.join(","));
        }
        if !(self.exceptions || self.expand.is_empty() && self.named.is_empty()) {
            add("$expand", &expand_text(&self.expand, &self.named));
        }
        if self.exceptions {
            add("$expand", EXCEPTIONS);
        }
        if let Some((id, sought)) = &self.bearing {
            let ([head, middle, tail], value) = match sought {
                Sought::Is(value) => (BEARING[0], value),
                Sought::Has(value) => (BEARING[1], value),
            };
            add("$filter", &format!("{head}{id}{middle}{value}{tail}"));
        }
        if let Some((from, to)) = self.window {
            add("startDateTime", &from.to_string());
            add("endDateTime", &to.to_string());
        }
        if self.count {
            add("$count", "true");
        }
        if self.hidden {
            add("includeHiddenFolders", "true");
        }
        parts.join("&")
    }

    /// Reads a query. Unknown names, doubles and values out of form are refused.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut out = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let (mut from, mut to) = (None, None);
        for (name, value) in escape::pairs(query).ok_or(QueryError::Broken)? {
            if seen.contains(&name) {
                return Err(QueryError::Twice(name));
            }
            let count = || {
                let digits = value.bytes().all(|b| b.is_ascii_digit());
                value.parse().ok().filter(|_| digits).map(Count::new)
            };
            let read = match name.as_str() {
                "$top" => count().map(|n| out.top = Some(n)),
                "$skip" => count().map(|n| out.skip = Some(n)),
                "$skiptoken" => present(&value).map(|t| out.skip_token = Some(t)),
                "$select" => names(&value).map(|n| out.select = n),
                "$expand" if value == EXCEPTIONS => {
                    out.exceptions = true;
                    Some(())
                }
                "$filter" => bearing(&value).map(|own| out.bearing = Some(own)),
                "startDateTime" => property::moment(&value).map(|at| from = Some(at)),
                "endDateTime" => property::moment(&value).map(|at| to = Some(at)),
                "$expand" => expand(&value).map(|(e, n)| (out.expand, out.named) = (e, n)),
                "$count" => truth(&value).map(|c| out.count = c),
                "includeHiddenFolders" => truth(&value).map(|h| out.hidden = h),
                _ => return Err(QueryError::Unknown(name)),
            };
            read.ok_or_else(|| QueryError::BadValue(name.clone()))?;
            seen.push(name);
        }
        out.window = from.zip(to);
        if out.window.is_none() && (from.is_some() || to.is_some()) {
            return Err(QueryError::BadValue("startDateTime".to_owned()));
        }
        Ok(out)
    }
}

fn expand_text(ids: &[PropertyId], named: &[NamedId]) -> String {
    let mut out = EXPAND_HEAD.to_owned();
    let tagged = ids.iter().map(ToString::to_string);
    let all = tagged.chain(named.iter().map(ToString::to_string));
    for (i, id) in all.enumerate() {
        let or = if i > 0 { " or " } else { "" };
        let _ = write!(out, "{or}id eq '{id}'");
    }
    out.push(')');
    out
}

fn bearing(value: &str) -> Option<(NamedId, Sought)> {
    let sought: [fn(String) -> Sought; 2] = [Sought::Is, Sought::Has];
    BEARING
        .iter()
        .zip(sought)
        .find_map(|([head, middle, tail], sought)| {
            let inside = value.strip_prefix(head)?.strip_suffix(tail)?;
            let (id, text) = inside.split_once(middle)?;
            let plain = !text.contains('\'');
            Some((NamedId::parse(id)?, sought(text.to_owned()))).filter(|_| plain)
        })
}

fn present(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn truth(value: &str) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn names(value: &str) -> Option<Vec<String>> {
    let names: Vec<String> = value.split(',').map(|n| n.trim().to_owned()).collect();
    let plain = |n: &String| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric());
    names.iter().all(plain).then_some(names)
}

fn expand(value: &str) -> Option<(Vec<PropertyId>, Vec<NamedId>)> {
    let inside = value.strip_prefix(EXPAND_HEAD)?.strip_suffix(')')?;
    let (mut tagged, mut named) = (Vec::new(), Vec::new());
    for term in inside.split(" or ") {
        let term = term.trim();
        let bare = term
            .strip_prefix('(')
            .and_then(|t| t.strip_suffix(')'))
            .unwrap_or(term);
        let quoted = bare.trim().strip_prefix("id eq '")?.strip_suffix('\'')?;
        match PropertyId::parse(quoted) {
            Some(id) => tagged.push(id),
            None => named.push(NamedId::parse(quoted)?),
        }
    }
    Some((tagged, named))
}

/// How a delete disposes of an item (`disposalType`, reference/graph.md 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// Into Deleted Items or the dumpster.
    Soft,
    /// For good.
    Hard,
}

impl Disposal {
    /// The query of a delete.
    pub const fn encode(self) -> &'static str {
        match self {
            Self::Soft => "disposalType=softDelete",
            Self::Hard => "disposalType=hardDelete",
        }
    }

    /// Reads the query of a delete; the parameter is required.
    pub fn parse(query: &str) -> Option<Self> {
        [Self::Soft, Self::Hard]
            .into_iter()
            .find(|disposal| disposal.encode() == query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_of_items_reads_as_documented() {
        let query = ListQuery::items(Count::new(250));
        assert_eq!(
            escape::decode_form(&query.encode()).unwrap(),
            "$top=250&$select=id,changeKey,type,size,createdDateTime&$expand=singleValueExtendedProperties(\
             $filter=id eq 'Binary 0x300B' or id eq 'String 0x1035' or id eq 'SystemTime 0x0039' \
             or id eq 'String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-source' \
             or id eq 'String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-unfinished')"
        );
    }

    #[test]
    fn our_own_queries_come_back_and_odd_ones_are_refused() {
        let skipping = ListQuery {
            skip: Some(Count::new(20)),
            skip_token: Some("a+b".to_owned()),
            ..ListQuery::folders(Count::new(10))
        };
        for query in [
            ListQuery::items(Count::new(1)),
            ListQuery::folder(),
            ListQuery::version(),
            ListQuery::default(),
            super::super::shelf::count_query(Count::new(1)),
            ListQuery::fields_of_items(Count::new(3)),
            ListQuery {
                bearing: Some((provenance::UNFINISHED, Sought::Is("k:00@11".to_owned()))),
                ..ListQuery::version()
            },
            ListQuery {
                bearing: Some((provenance::UNFINISHED, Sought::Has("@11".to_owned()))),
                named: vec![provenance::UNFINISHED],
                ..ListQuery::version()
            },
            skipping,
        ] {
            assert_eq!(ListQuery::parse(&query.encode()), Ok(query));
        }
        let unknown = |name: &str| Err(QueryError::Unknown(name.to_owned()));
        assert_eq!(ListQuery::parse("top=5"), unknown("top"));
        assert_eq!(ListQuery::parse("$Top=5"), unknown("$Top"));
        assert_eq!(ListQuery::parse("$top=5&x=1"), unknown("x"));
        for bad in [
            "$top=-1",
            "$top=",
            "$top=+5",
            "$select=a,,b",
            "$expand=items",
            "$expand=singleValueExtendedProperties($filter=id eq 'String {4d9a1c5e} Name x')",
            "$expand=singleValueExtendedProperties($filter=id eq 'String Name x')",
            "includeHiddenFolders=1",
            "$filter=singleValueExtendedProperties/Any(ep: ep/id eq 'String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name x' and contains(ep/value, 'a'b'))",
            "$filter=singleValueExtendedProperties/Any(ep: ep/id eq 'String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name x' and ep/value eq 'a'))",
        ] {
            assert!(
                matches!(ListQuery::parse(bad), Err(QueryError::BadValue(_))),
                "{bad}"
            );
        }
        assert_eq!(
            ListQuery::parse("$top=1&$top=2"),
            Err(QueryError::Twice("$top".to_owned()))
        );
        assert_eq!(ListQuery::parse("%"), Err(QueryError::Broken));
    }

    #[test]
    fn a_delete_must_say_how() {
        assert_eq!(
            Disposal::parse("disposalType=hardDelete"),
            Some(Disposal::Hard)
        );
        assert_eq!(Disposal::parse(""), None);
        assert_eq!(Disposal::parse("disposalType=harddelete"), None);
    }
}
