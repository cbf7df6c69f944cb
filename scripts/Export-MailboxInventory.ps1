<#
.SYNOPSIS
Writes what `mailferry inventory` and `mailferry plan` need to know about an Exchange 2016 organisation. Reads only.

.DESCRIPTION
Run it in the Exchange Management Shell (Windows PowerShell 5.1), on a server or in a remoting session:

    .\Export-MailboxInventory.ps1 -OutputDirectory C:\Temp\inventory

It writes one CSV file per kind into a new or empty directory:

    mailboxes.csv            one row per mailbox, archives, system and public folder mailboxes excluded
    statistics.csv           one row per store: Primary, and Archive where there is one; dumpster beside it
    folder-statistics.csv    one row per folder of the primary mailbox
    full-access.csv          rights in mailboxes that were given, not inherited
    send-as.csv              the extended right Send-As, given, not inherited
    send-on-behalf.csv       one row per mailbox, everybody who may
    folder-permissions.csv   rights in Calendar, Inbox, Contacts, Tasks and the root (-AllFolderPermissions: in all folders; slow)
    inbox-rules.csv          rules with their recipients; no subjects, no words, no descriptions
    forwarding.csv           forwards of whole mailboxes
    holds.csv                what keeps deleted items
    mobile-devices.csv       device partnerships
    apps.csv                 add-ins of Outlook
    role-assignments.csv     who may act for every mailbox or export it
    servers.csv              servers with AdminDisplayVersion and the file version of ExSetup.exe
    groups.csv               groups of every kind, with their number of members
    group-members.csv        one row per member
    problems.csv             what could not be read, and why

The format is the same on every machine: UTF-8 with mark, comma, every cell quoted, sizes and counts as plain integers (bytes),
`Unlimited` as that word, times in UTC as 2026-11-20T16:12:09.0000000Z, True and False, GUIDs with hyphens. Several values in one
cell are joined with `|`; a `|` inside a value is written `\|`, a `\` is written `\\`. Cells with one value are written as they are.

Rights: View-Only Organization Management is enough for all but Get-ADPermission and Get-InboxRule, which want
Organization Management or the roles "Active Directory Permissions" and "Mail Recipients".
ExSetup.exe is read over the administrative share of every server; without access the cell stays empty and problems.csv says so.

The script calls no cmdlet that changes anything: Get-*, and the ones that select, sort and write files. tests/inventory.rs holds it to that.

Syntax: where `pwsh` is installed the test parses this file with PowerShell's own parser. Where it is not (as on most build machines),
the test checks that brackets, quotes and here-strings are balanced, and the manual check is, in Windows PowerShell 5.1:

    $errors = $null
    [void][System.Management.Automation.Language.Parser]::ParseFile((Resolve-Path .\Export-MailboxInventory.ps1), [ref]$null, [ref]$errors)
    $errors

.PARAMETER OutputDirectory
Where the files go. It is made where it is missing, and refused where it holds a CSV file: files of two days must not mix.

.PARAMETER AllFolderPermissions
Reads the rights in every folder. Takes about a second per ten folders.

.PARAMETER SkipFolderStatistics
Leaves out folder-statistics.csv, the slowest part.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)]
    [string] $OutputDirectory,

    [switch] $AllFolderPermissions,

    [switch] $SkipFolderStatistics
)

Set-StrictMode -Off
$ErrorActionPreference = 'Stop'

if (-not (Test-Path -LiteralPath $OutputDirectory)) {
    $null = [System.IO.Directory]::CreateDirectory($OutputDirectory)
}
$target = (Resolve-Path -LiteralPath $OutputDirectory).ProviderPath
if (Get-ChildItem -LiteralPath $target -Filter '*.csv') {
    throw "The directory holds CSV files already. Name a new one: files of two days must not mix."
}

$culture = [System.Globalization.CultureInfo]::InvariantCulture
$utf8 = New-Object System.Text.UTF8Encoding($true)
$writers = @{}
$problemCount = 0

# One cell: quoted, whatever it holds.
function Get-Cell {
    param($Value)
    if ($null -eq $Value) { return '""' }
    $text = [System.Convert]::ToString($Value, $culture)
    return '"' + $text.Replace('"', '""') + '"'
}

# Several values in one cell.
function Get-JoinedText {
    param($Values)
    $parts = @()
    foreach ($value in @($Values)) {
        if ($null -eq $value) { continue }
        $text = [System.Convert]::ToString($value, $culture)
        if ($text.Length -eq 0) { continue }
        $parts += $text.Replace('\', '\\').Replace('|', '\|')
    }
    return ($parts -join '|')
}

# Bytes of a ByteQuantifiedSize, which a remoting session hands over as text: `1.2 GB (1,325,400,064 bytes)`.
function Get-ByteText {
    param($Value)
    if ($null -eq $Value) { return '' }
    $text = [System.Convert]::ToString($Value, $culture).Trim()
    if ($text.Length -eq 0) { return '' }
    if ($text -eq 'Unlimited') { return 'Unlimited' }
    if ($text -match '\(([^A-Za-z)]*)') {
        $digits = $Matches[1] -replace '[^0-9]', ''
        if ($digits.Length -gt 0) { return $digits }
    }
    # Not understood: left as it is, so that the reader can say so.
    return $text
}

# A time in UTC. Cells of remoting sessions are DateTime already; a text stays as it is.
function Get-TimeText {
    param($Value)
    if ($null -eq $Value) { return '' }
    if ($Value -is [System.DateTime]) {
        return $Value.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", $culture)
    }
    return [System.Convert]::ToString($Value, $culture)
}

function Get-GuidText {
    param($Value)
    if ($null -eq $Value) { return '' }
    return [System.Convert]::ToString($Value, $culture).Trim('{', '}').ToLowerInvariant()
}

# Opens a file and writes its header; returns nothing.
function Out-Header {
    param([string] $Name, [string[]] $Columns)
    $path = [System.IO.Path]::Combine($target, $Name + '.csv')
    $writer = New-Object System.IO.StreamWriter($path, $false, $utf8)
    $writer.NewLine = "`r`n"
    $cells = foreach ($column in $Columns) { Get-Cell $column }
    $writer.WriteLine($cells -join ',')
    $writers[$Name] = $writer
}

function Out-Row {
    param([string] $Name, [object[]] $Values)
    $cells = foreach ($value in $Values) { Get-Cell $value }
    $writers[$Name].WriteLine($cells -join ',')
}

# Notes what could not be read. The message of Exchange may name people; the file is as private as the others.
function Out-Problem {
    param([string] $What, [string] $Of, $Failure)
    $script:problemCount++
    Out-Row 'problems' @($What, $Of, [System.Convert]::ToString($Failure, $culture))
}

# Addresses of recipients that are given as directory ids; each is looked up once.
$addressOf = @{}
function Get-AddressText {
    param($Recipient)
    if ($null -eq $Recipient) { return '' }
    $text = [System.Convert]::ToString($Recipient, $culture)
    if ($text.Length -eq 0) { return '' }
    if (-not $addressOf.ContainsKey($text)) {
        $address = $text
        try {
            $found = @(Get-Recipient -Identity $text -ErrorAction Stop)
            if ($found.Count -eq 1 -and $found[0].PrimarySmtpAddress) {
                $address = [System.Convert]::ToString($found[0].PrimarySmtpAddress, $culture)
            }
        }
        catch {
            Out-Problem 'recipient' $text $_
        }
        $addressOf[$text] = $address
    }
    return $addressOf[$text]
}

$identityColumns = @('ExchangeGuid', 'PrimarySmtpAddress')
Out-Header 'problems' @('What', 'Of', 'Message')
Out-Header 'mailboxes' ($identityColumns + @(
    'Guid', 'ArchiveGuid', 'UserPrincipalName', 'SamAccountName', 'Alias', 'DisplayName', 'Identity', 'LegacyExchangeDN',
    'EmailAddresses', 'RecipientTypeDetails', 'Database', 'ServerName', 'ArchiveStatus', 'UseDatabaseQuotaDefaults',
    'ProhibitSendReceiveQuota', 'RecoverableItemsQuota', 'ArchiveQuota', 'MaxSendSize', 'MaxReceiveSize',
    'HiddenFromAddressListsEnabled', 'LinkedMasterAccount', 'RetentionPolicy', 'WhenMailboxCreated'))
Out-Header 'statistics' ($identityColumns + @(
    'Store', 'MailboxGuid', 'ItemCount', 'AssociatedItemCount', 'DeletedItemCount', 'TotalItemSize', 'TotalDeletedItemSize',
    'LastLogonTime', 'IsQuarantined', 'DisconnectReason', 'Database'))
Out-Header 'folder-statistics' ($identityColumns + @(
    'Store', 'FolderPath', 'FolderType', 'ItemsInFolder', 'DeletedItemsInFolder', 'FolderSize'))
Out-Header 'full-access' ($identityColumns + @('User', 'AccessRights', 'IsInherited', 'Deny'))
Out-Header 'send-as' ($identityColumns + @('User', 'ExtendedRights', 'IsInherited', 'Deny'))
Out-Header 'send-on-behalf' ($identityColumns + @('GrantSendOnBehalfTo'))
Out-Header 'folder-permissions' ($identityColumns + @('FolderName', 'FolderPath', 'User', 'AccessRights'))
Out-Header 'inbox-rules' ($identityColumns + @(
    'Name', 'RuleIdentity', 'Enabled', 'InError', 'ForwardTo', 'ForwardAsAttachmentTo', 'RedirectTo', 'DeleteMessage', 'SoftDeleteMessage'))
Out-Header 'forwarding' ($identityColumns + @(
    'ForwardingAddress', 'ForwardingRecipientAddress', 'ForwardingSmtpAddress', 'DeliverToMailboxAndForward'))
Out-Header 'holds' ($identityColumns + @('LitigationHoldEnabled', 'RetentionHoldEnabled', 'InPlaceHolds'))
Out-Header 'mobile-devices' ($identityColumns + @(
    'DeviceId', 'DeviceType', 'DeviceModel', 'DeviceOS', 'DeviceAccessState', 'FirstSyncTime', 'LastSuccessSync'))
Out-Header 'apps' ($identityColumns + @('DisplayName', 'AppId', 'ProviderName', 'Scope', 'Type', 'Enabled'))
Out-Header 'role-assignments' @('Name', 'Role', 'RoleAssigneeName', 'RoleAssigneeType', 'RoleAssignmentDelegationType', 'Enabled')
Out-Header 'servers' @('Name', 'Edition', 'ServerRole', 'AdminDisplayVersion', 'ExSetupVersion')
Out-Header 'groups' @(
    'Guid', 'PrimarySmtpAddress', 'SamAccountName', 'DisplayName', 'Name', 'Identity', 'RecipientTypeDetails', 'MemberCount')
Out-Header 'group-members' @('GroupGuid', 'GroupAddress', 'Group', 'Member')

function Export-Store {
    param($Mailbox, [object[]] $Who, [string] $Store)
    try {
        if ($Store -eq 'Archive') {
            $rows = @(Get-MailboxStatistics -Identity $Mailbox.ExchangeGuid.ToString() -Archive -WarningAction SilentlyContinue)
        }
        else {
            $rows = @(Get-MailboxStatistics -Identity $Mailbox.ExchangeGuid.ToString() -WarningAction SilentlyContinue)
        }
    }
    catch {
        Out-Problem 'statistics' $Who[1] $_
        return
    }
    foreach ($row in $rows) {
        Out-Row 'statistics' ($Who + @(
            $Store, (Get-GuidText $row.MailboxGuid), $row.ItemCount, $row.AssociatedItemCount, $row.DeletedItemCount,
            (Get-ByteText $row.TotalItemSize), (Get-ByteText $row.TotalDeletedItemSize), (Get-TimeText $row.LastLogonTime),
            $row.IsQuarantined, $row.DisconnectReason, $row.Database))
    }
}

function Export-Folder {
    param($Mailbox, [object[]] $Who)
    $paths = @()
    try {
        foreach ($folder in @(Get-MailboxFolderStatistics -Identity $Mailbox.ExchangeGuid.ToString())) {
            # A slash inside a name comes as U+F8FF; it stays, and is told apart from the slash between names.
            if (-not $SkipFolderStatistics) {
                Out-Row 'folder-statistics' ($Who + @(
                    'Primary', $folder.FolderPath, $folder.FolderType, $folder.ItemsInFolder, $folder.DeletedItemsInFolder,
                    (Get-ByteText $folder.FolderSize)))
            }
            $paths += New-Object PSObject -Property @{ Path = [string] $folder.FolderPath; Type = [string] $folder.FolderType }
        }
    }
    catch {
        Out-Problem 'folder statistics' $Who[1] $_
    }
    $usual = @('Calendar', 'Inbox', 'Contacts', 'Tasks', 'Root')
    foreach ($folder in $paths) {
        if ($folder.Type -like 'RecoverableItems*') { continue }
        if (-not $AllFolderPermissions -and $usual -notcontains $folder.Type) { continue }
        $inside = if ($folder.Type -eq 'Root') { '' } else { $folder.Path.Replace('/', '\').Replace([string][char]0xF8FF, '/') }
        if ($inside -eq '') { $inside = '\' }
        try {
            foreach ($right in @(Get-MailboxFolderPermission -Identity ($Mailbox.ExchangeGuid.ToString() + ':' + $inside))) {
                $user = $right.User
                if ($right.User.ADRecipient -and $right.User.ADRecipient.PrimarySmtpAddress) {
                    $user = $right.User.ADRecipient.PrimarySmtpAddress
                }
                Out-Row 'folder-permissions' ($Who + @($right.FolderName, $folder.Path, $user, (Get-JoinedText $right.AccessRights)))
            }
        }
        catch {
            Out-Problem 'folder permissions' $Who[1] $_
        }
    }
}

function Export-Right {
    param($Mailbox, [object[]] $Who)
    try {
        foreach ($right in @(Get-MailboxPermission -Identity $Mailbox.ExchangeGuid.ToString())) {
            if ($right.IsInherited -or [string] $right.User -eq 'NT AUTHORITY\SELF') { continue }
            Out-Row 'full-access' ($Who + @($right.User, (Get-JoinedText $right.AccessRights), $right.IsInherited, $right.Deny))
        }
    }
    catch {
        Out-Problem 'full access' $Who[1] $_
    }
    try {
        foreach ($right in @(Get-ADPermission -Identity ([string] $Mailbox.DistinguishedName))) {
            if ($right.IsInherited -or [string] $right.User -eq 'NT AUTHORITY\SELF') { continue }
            if (@($right.ExtendedRights | ForEach-Object { [string] $_ }) -notcontains 'Send-As') { continue }
            Out-Row 'send-as' ($Who + @($right.User, 'Send-As', $right.IsInherited, $right.Deny))
        }
    }
    catch {
        Out-Problem 'send as' $Who[1] $_
    }
    $behalf = @(@($Mailbox.GrantSendOnBehalfTo) | Where-Object { $_ } | ForEach-Object { Get-AddressText $_ })
    if ($behalf.Count -gt 0) {
        Out-Row 'send-on-behalf' ($Who + @((Get-JoinedText $behalf)))
    }
}

function Export-Rule {
    param($Mailbox, [object[]] $Who)
    try {
        foreach ($rule in @(Get-InboxRule -Mailbox $Mailbox.ExchangeGuid.ToString() -IncludeHidden -WarningAction SilentlyContinue)) {
            Out-Row 'inbox-rules' ($Who + @(
                $rule.Name, $rule.RuleIdentity, $rule.Enabled, $rule.InError, (Get-JoinedText $rule.ForwardTo),
                (Get-JoinedText $rule.ForwardAsAttachmentTo), (Get-JoinedText $rule.RedirectTo), $rule.DeleteMessage,
                $rule.SoftDeleteMessage))
        }
    }
    catch {
        Out-Problem 'inbox rules' $Who[1] $_
    }
}

function Export-Device {
    param($Mailbox, [object[]] $Who)
    try {
        foreach ($device in @(Get-MobileDeviceStatistics -Mailbox $Mailbox.ExchangeGuid.ToString() -WarningAction SilentlyContinue)) {
            Out-Row 'mobile-devices' ($Who + @(
                $device.DeviceId, $device.DeviceType, $device.DeviceModel, $device.DeviceOS, $device.DeviceAccessState,
                (Get-TimeText $device.FirstSyncTime), (Get-TimeText $device.LastSuccessSync)))
        }
    }
    catch {
        Out-Problem 'mobile devices' $Who[1] $_
    }
}

function Export-App {
    param($Mailbox, [object[]] $Who)
    try {
        foreach ($app in @(Get-App -Mailbox $Mailbox.ExchangeGuid.ToString() -WarningAction SilentlyContinue)) {
            Out-Row 'apps' ($Who + @($app.DisplayName, $app.AppId, $app.ProviderName, $app.Scope, $app.Type, $app.Enabled))
        }
    }
    catch {
        Out-Problem 'add-ins' $Who[1] $_
    }
}

function Export-Role {
    foreach ($role in 'ApplicationImpersonation', 'Mailbox Import Export') {
        try {
            foreach ($given in @(Get-ManagementRoleAssignment -Role $role)) {
                Out-Row 'role-assignments' @(
                    $given.Name, $given.Role, $given.RoleAssigneeName, $given.RoleAssigneeType,
                    $given.RoleAssignmentDelegationType, $given.Enabled)
            }
        }
        catch {
            Out-Problem 'role assignments' $role $_
        }
    }
}

function Export-Mailbox {
    param($Mailbox)
    $who = @((Get-GuidText $Mailbox.ExchangeGuid), [string] $Mailbox.PrimarySmtpAddress)
    Out-Row 'mailboxes' ($who + @(
        (Get-GuidText $Mailbox.Guid), (Get-GuidText $Mailbox.ArchiveGuid), $Mailbox.UserPrincipalName, $Mailbox.SamAccountName,
        $Mailbox.Alias, $Mailbox.DisplayName, $Mailbox.Identity, $Mailbox.LegacyExchangeDN, (Get-JoinedText $Mailbox.EmailAddresses),
        $Mailbox.RecipientTypeDetails, $Mailbox.Database, $Mailbox.ServerName, $Mailbox.ArchiveStatus,
        $Mailbox.UseDatabaseQuotaDefaults, (Get-ByteText $Mailbox.ProhibitSendReceiveQuota),
        (Get-ByteText $Mailbox.RecoverableItemsQuota), (Get-ByteText $Mailbox.ArchiveQuota), (Get-ByteText $Mailbox.MaxSendSize),
        (Get-ByteText $Mailbox.MaxReceiveSize), $Mailbox.HiddenFromAddressListsEnabled, $Mailbox.LinkedMasterAccount,
        $Mailbox.RetentionPolicy, (Get-TimeText $Mailbox.WhenMailboxCreated)))
    Export-Store $Mailbox $who 'Primary'
    if ((Get-GuidText $Mailbox.ArchiveGuid) -notmatch '^[0-]*$') {
        Export-Store $Mailbox $who 'Archive'
    }
    Export-Folder $Mailbox $who
    Export-Right $Mailbox $who
    Export-Rule $Mailbox $who
    Export-Device $Mailbox $who
    Export-App $Mailbox $who
    if ($Mailbox.ForwardingAddress -or $Mailbox.ForwardingSmtpAddress) {
        Out-Row 'forwarding' ($who + @(
            $Mailbox.ForwardingAddress, (Get-AddressText $Mailbox.ForwardingAddress), $Mailbox.ForwardingSmtpAddress,
            $Mailbox.DeliverToMailboxAndForward))
    }
    if ($Mailbox.LitigationHoldEnabled -or $Mailbox.RetentionHoldEnabled -or @($Mailbox.InPlaceHolds | Where-Object { $_ }).Count -gt 0) {
        Out-Row 'holds' ($who + @($Mailbox.LitigationHoldEnabled, $Mailbox.RetentionHoldEnabled, (Get-JoinedText $Mailbox.InPlaceHolds)))
    }
}

function Export-Server {
    foreach ($server in @(Get-ExchangeServer)) {
        $version = ''
        try {
            $path = [string] $server.DataPath -replace '\\Mailbox$', '\Bin\ExSetup.exe'
            $path = '\\' + $server.Name + '\' + ($path -replace '^([A-Za-z]):', '$1$$')
            $version = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($path).FileVersion
        }
        catch {
            Out-Problem 'ExSetup.exe' $server.Name $_
        }
        Out-Row 'servers' @($server.Name, $server.Edition, $server.ServerRole, $server.AdminDisplayVersion, $version)
    }
}

function Export-Group {
    foreach ($group in @(Get-Group -ResultSize Unlimited)) {
        $guid = Get-GuidText $group.Guid
        $address = [string] $group.WindowsEmailAddress
        $members = @($group.Members | Where-Object { $_ })
        Out-Row 'groups' @(
            $guid, $address, $group.SamAccountName, $group.DisplayName, $group.Name, $group.Identity, $group.RecipientTypeDetails,
            $members.Count)
        foreach ($member in $members) {
            Out-Row 'group-members' @($guid, $address, $group.Identity, $member)
        }
    }
}

try {
    $done = 0
    $mailboxes = @(Get-Mailbox -ResultSize Unlimited -WarningAction SilentlyContinue)
    foreach ($mailbox in $mailboxes) {
        Export-Mailbox $mailbox
        $done++
        Write-Progress -Activity 'Mailboxes' -Status "$done of $($mailboxes.Count)" -PercentComplete (100 * $done / $mailboxes.Count)
    }
    Export-Server
    Export-Role
    Export-Group
}
finally {
    foreach ($writer in $writers.Values) { $writer.Dispose() }
}

Write-Output "$done mailboxes written to $target; $problemCount problems, see problems.csv."
