//! What to type so that an export comes out right.

use super::records::FileKind;

/// The script that writes everything right.
const COLLECTOR: &str = "scripts/Export-MailboxInventory.ps1";

/// The shell's command that lists what a file of this kind holds.
fn source(kind: FileKind) -> Option<&'static str> {
    Some(match kind {
        FileKind::Mailboxes | FileKind::MailboxList => "Get-Mailbox -ResultSize Unlimited",
        FileKind::Statistics => "Get-Mailbox -ResultSize Unlimited | Get-MailboxStatistics",
        FileKind::FolderStatistics => {
            "Get-Mailbox -ResultSize Unlimited | Get-MailboxFolderStatistics"
        }
        FileKind::FullAccess => "Get-Mailbox -ResultSize Unlimited | Get-MailboxPermission",
        FileKind::SendAs => {
            "Get-Mailbox -ResultSize Unlimited | Get-ADPermission | Where-Object { $_.ExtendedRights -like '*Send-As*' }"
        }
        FileKind::SendOnBehalf | FileKind::Forwarding | FileKind::Holds => {
            "Get-Mailbox -ResultSize Unlimited"
        }
        FileKind::MobileDevices => {
            "Get-Mailbox -ResultSize Unlimited | ForEach-Object { Get-MobileDeviceStatistics -Mailbox $_.Identity }"
        }
        FileKind::RoleAssignments => "Get-ManagementRoleAssignment",
        FileKind::Servers => "Get-ExchangeServer",
        FileKind::Groups => "Get-DistributionGroup -ResultSize Unlimited",
        // These say nothing of their mailbox or group; only the collector writes it beside them.
        FileKind::FolderPermissions
        | FileKind::InboxRules
        | FileKind::Apps
        | FileKind::GroupMembers
        | FileKind::Unknown => return None,
    })
}

/// Export again, `how`.
pub(super) fn again(kind: FileKind, how: &str) -> String {
    match source(kind) {
        Some(source) => {
            format!("export again {how}: run {COLLECTOR}, or {source} | Export-Clixml FILE.xml")
        }
        None => format!("export again {how}: run {COLLECTOR}"),
    }
}

/// Export again so that a column keeps its values.
pub(super) fn column(kind: FileKind, name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
    match source(kind) {
        Some(source) if plain => format!(
            "run {COLLECTOR}, or {source} | Select-Object *,@{{n='{name}';e={{$_.{name} -join '|'}}}} -ExcludeProperty {name} | \
             Export-Csv FILE.csv -NoTypeInformation -Encoding UTF8"
        ),
        _ => format!("run {COLLECTOR}"),
    }
}

/// Export again with every row.
pub(super) fn all_rows(kind: FileKind) -> String {
    again(kind, "with -ResultSize Unlimited")
}
