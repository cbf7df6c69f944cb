//! `GET /users/{id}` and the deleted users: licences, addresses, and whether a user is gone for now.

use serde::Deserialize;

use crate::base::outcome::Setback;
use crate::base::probe::UserSight;
use crate::base::secret::Private;
use crate::wire::graph::escape;
use crate::wire::graph::json;

/// What is asked of a user.
pub const SELECT: &str =
    "id,mail,userPrincipalName,proxyAddresses,assignedPlans,onPremisesSyncEnabled";

/// The query of a user.
pub fn query() -> String {
    format!("$select={}", escape::query_value(SELECT))
}

/// The query that finds a deleted user by its address. Advanced queries count and say so (`ConsistencyLevel: eventual`).
pub fn deleted_query(address: &str) -> String {
    let filter = format!("mail eq '{}'", address.replace('\'', "''"));
    format!(
        "$filter={}&$count=true&$select=id&$top=1",
        escape::query_value(&filter)
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(default)]
    mail: Option<String>,
    #[serde(default, rename = "userPrincipalName")]
    principal_name: Option<String>,
    #[serde(default)]
    proxy_addresses: Option<Vec<String>>,
    #[serde(default)]
    assigned_plans: Option<Vec<Plan>>,
    #[serde(default)]
    on_premises_sync_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    capability_status: Option<String>,
    #[serde(default)]
    service_plan_id: Option<String>,
}

impl Plan {
    /// The id of an Exchange plan that is in force; a warning is a licence that is about to end.
    fn exchange(self) -> Option<String> {
        let service = self.service.unwrap_or_default();
        let status = self.capability_status.unwrap_or_default();
        let works = ["Enabled", "Warning"].contains(&status.as_str());
        (service.eq_ignore_ascii_case("exchange") && works)
            .then(|| self.service_plan_id.unwrap_or_default())
    }
}

/// Reads a user.
pub fn read(status: u16, body: &[u8]) -> Result<UserSight, Setback> {
    let user: User = json::read(status, body)?;
    let smtp = |proxy: &String| {
        let (kind, address) = proxy.split_once(':')?;
        kind.eq_ignore_ascii_case("smtp")
            .then(|| address.to_lowercase())
    };
    let proxies = user.proxy_addresses.unwrap_or_default();
    let mut addresses: Vec<String> = proxies.iter().filter_map(smtp).collect();
    addresses.extend(
        [user.mail, user.principal_name]
            .into_iter()
            .flatten()
            .map(|address| address.to_lowercase()),
    );
    addresses.sort_unstable();
    addresses.dedup();
    Ok(UserSight {
        licences_known: user.assigned_plans.is_some(),
        exchange_plans: user
            .assigned_plans
            .unwrap_or_default()
            .into_iter()
            .filter_map(Plan::exchange)
            .collect(),
        on_premises: user.on_premises_sync_enabled.unwrap_or(false),
        addresses: addresses.into_iter().map(Private::new).collect(),
    })
}

/// True where a listing of deleted users has one.
pub fn any(status: u16, body: &[u8]) -> Result<bool, Setback> {
    #[derive(Deserialize)]
    struct Page {
        value: Vec<serde_json::Value>,
    }
    let page: Page = json::read(status, body)?;
    Ok(!page.value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_in_force_and_addresses_are_read() {
        let body = br#"{"id":"1","mail":"A@c.example","proxyAddresses":["SMTP:a@c.example","smtp:old@c.example","X500:/o=x"],
            "assignedPlans":[{"service":"exchange","capabilityStatus":"Enabled","servicePlanId":"p1"},
            {"service":"exchange","capabilityStatus":"Deleted","servicePlanId":"p2"},{"service":"SharePoint","capabilityStatus":"Enabled"}],
            "onPremisesSyncEnabled":null}"#;
        let user = read(200, body).unwrap();
        assert_eq!(user.exchange_plans, ["p1"]);
        assert!(user.licences_known && !user.on_premises);
        let shown: Vec<&str> = user.addresses.iter().map(Private::reveal).collect();
        assert_eq!(shown, ["a@c.example", "old@c.example"]);
        assert!(!read(200, b"{}").unwrap().licences_known);
        assert!(read(200, b"<html>").is_err());
        assert_eq!(any(200, br#"{"value":[{}]}"#), Ok(true));
        assert_eq!(any(200, br#"{"value":[]}"#), Ok(false));
    }

    #[test]
    fn an_address_with_a_quote_stays_inside_its_filter() {
        let query = deleted_query("o'hara@c.example");
        let pairs = escape::pairs(&query).unwrap();
        assert_eq!(pairs[0].1, "mail eq 'o''hara@c.example'");
    }
}
