#!/usr/bin/env python3
"""Writes an invented inventory in the collector's format (scripts/Export-MailboxInventory.ps1): a hospital of departments, each with a
shared mailbox, secretaries, rooms, and rights across departments. The same arguments give the same bytes. Nobody in it exists.

  scripts/make_inventory.py plans/hospital                                  400 mailboxes, as checked in
  scripts/make_inventory.py /tmp/large --mailboxes 50000 --grants 500000    for scripts/bench_plan.sh
"""
import argparse
import os

MASK = (1 << 64) - 1
DOMAIN = "hospital.example"
GIVEN = "Anna Ben Céline David Emma François Grace Hugh Ines Jonas Kirsten Liam Maja Noor Oskar Petra Quentin Rosa Samir Tilda Ugo Vera Wim Xenia Yusuf Zoë".split()
FAMILY = "Adler Brehaut Carey Dorey Evans Falla Gallienne Heaume Ingrouille Jory Keyho Langlois Mauger Naftel Ozanne Perchard Queripel Robilliard Sarre Tostevin Umber Vaudin Walden Yeoman Zabiela".split()
TEAMS = "cardiology oncology radiology pathology maternity paediatrics surgery anaesthetics emergency orthopaedics neurology renal pharmacy physio outpatients records finance estates theatres psychiatry".split()


class Dice:
    """SplitMix64, so that no version of Python draws differently."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() * n >> 64

    def pick(self, items):
        return items[self.below(len(items))]

    def guid(self):
        text = f"{self.next():016x}{self.next():016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Box:
    def __init__(self, dice, number, alias, name, kind, team):
        self.guid, self.object = dice.guid(), dice.guid()
        self.alias, self.name, self.kind, self.team = alias, name, kind, team
        self.address = f"{alias}@{DOMAIN}"
        self.account = alias.replace(".", "")[:20] + (str(number) if kind == "UserMailbox" and number >= 400 else "")
        self.size, self.items, self.dumpster = 0, 0, 0


def fill(dice, box):
    """Most mailboxes are small, a tenth is large, one in a hundred does not fit into a night."""
    draw = dice.below(1000)
    mega = 1_000_000
    if box.kind in ("RoomMailbox", "EquipmentMailbox"):
        box.size = dice.below(200 * mega)
    elif draw < 8:
        box.size = 20_000 * mega + dice.below(40_000 * mega)
    elif draw < 110:
        box.size = 4_000 * mega + dice.below(7_000 * mega)
    elif draw < 130:
        box.size = 0
    else:
        box.size = 100 * mega + dice.below(2_900 * mega)
    box.items = box.size // (40_000 + dice.below(90_000))
    box.dumpster = box.size // (20 + dice.below(60))


def people(dice, count):
    """Boxes, team by team: about ten people, a shared mailbox, sometimes a room or a device."""
    out, teams = [], []
    while len(out) < count:
        number = len(teams)
        word = TEAMS[number % len(TEAMS)] + (str(number // len(TEAMS) + 1) if number >= len(TEAMS) else "")
        team = []

        def add(alias, name, kind):
            if len(out) < count:
                box = Box(dice, len(out), alias, name, kind, number)
                fill(dice, box)
                out.append(box)
                team.append(box)

        add(word, word.capitalize(), "SharedMailbox")
        for _ in range(6 + dice.below(9)):
            given, family = dice.pick(GIVEN), dice.pick(FAMILY)
            plain = given.lower().translate(str.maketrans("éçëï", "ceei"))[0]
            add(f"{plain}.{family.lower()}{len(out)}", f"{family}, {given}", "UserMailbox")
        if dice.below(2) == 0:
            add(f"room.{word}", f"Room {word.capitalize()}", "RoomMailbox")
        if dice.below(4) == 0:
            add(f"equipment.{word}", f"Trolley {word.capitalize()}", "EquipmentMailbox")
        teams.append(team)
    return out, teams


class Rights:
    def __init__(self):
        self.full, self.send_as, self.behalf, self.folders, self.seen = [], [], [], [], set()

    def count(self):
        return len(self.full) + len(self.send_as) + sum(len(names) for _, names in self.behalf) + len(self.folders)

    def folder(self, owner, user, role, folder="Calendar"):
        if owner is not user and (owner.guid, user.guid, folder) not in self.seen:
            self.seen.add((owner.guid, user.guid, folder))
            self.folders.append((owner, user.address, folder, role))


def rights_of(dice, boxes, teams, wanted):
    rights, groups = Rights(), []
    users = [box for box in boxes if box.kind == "UserMailbox"]
    for number, team in enumerate(teams):
        own = [box for box in team if box.kind == "UserMailbox"]
        if not own:
            continue
        shared = team[0]
        if number % 3 == 0:
            name = f"gs-{shared.alias}"
            groups.append((dice.guid(), name, [box.address for box in own]))
            rights.full.append((shared, f"HOSPITAL\\{name}"))
        else:
            rights.full.extend((shared, f"HOSPITAL\\{box.account}") for box in own)
        rights.send_as.extend((shared, f"HOSPITAL\\{box.account}") for box in own[:4])
        secretary = own[0]
        chiefs = own[1:3]
        for chief in chiefs:
            rights.folder(chief, secretary, "Editor")
            rights.folder(chief, secretary, "Reviewer", "Inbox")
            rights.behalf.append((chief, [secretary.address]))
        for place in team[1:]:
            if place.kind != "UserMailbox":
                rights.folder(place, secretary, "Editor")
    # Some work for two departments.
    for _ in range(len(teams) // 2):
        rights.full.append((dice.pick(teams)[0], f"HOSPITAL\\{dice.pick(users).account}"))
    # Accounts that left, and a service account.
    for _ in range(1 + len(boxes) // 100):
        rights.full.append((dice.pick(boxes), f"S-1-5-21-1004336348-1177238915-682003330-{1100 + dice.below(9000)}"))
    everybody = ("gs-hospital", [box.address for box in users])
    groups.append((dice.guid(), everybody[0], everybody[1]))
    rights.folder_all = (teams[0][0], everybody[0])
    others = rights.count() - len(rights.folders)
    tries = 0
    while others + len(rights.folders) < wanted and tries < wanted * 3:
        tries += 1
        owner = dice.pick(users)
        # Four of five within the department.
        other = dice.pick(teams[owner.team]) if dice.below(5) else dice.pick(users)
        if other.kind == "UserMailbox":
            rights.folder(owner, other, "Reviewer" if dice.below(3) else "Author", "Calendar" if dice.below(2) else f"Inbox/Project {dice.below(40)}")
    return rights, groups


def quote(value):
    return '"' + str(value).replace('"', '""') + '"'


def table(directory, name, header, rows):
    with open(os.path.join(directory, name), "w", encoding="utf-8-sig", newline="") as out:
        for row in [header, *rows]:
            out.write(",".join(quote(value) for value in row) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--mailboxes", type=int, default=400)
    parser.add_argument("--grants", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args()
    dice = Dice(args.seed)
    boxes, teams = people(dice, args.mailboxes)
    rights, groups = rights_of(dice, boxes, teams, args.grants)
    os.makedirs(args.directory, exist_ok=True)
    exchange = "/o=Hospital/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
    table(args.directory, "mailboxes.csv", ["ExchangeGuid", "Guid", "PrimarySmtpAddress", "UserPrincipalName", "SamAccountName", "Alias", "DisplayName", "Identity", "LegacyExchangeDN", "EmailAddresses", "RecipientTypeDetails", "Database", "ServerName", "ArchiveStatus"],
          [[b.guid, b.object, b.address, b.address, b.account, b.alias, b.name, f"hospital.local/Users/{b.name} {b.account}", f"{exchange}{b.account}", f"SMTP:{b.address}|smtp:{b.account}@old.{DOMAIN}", b.kind, f"DB{1 + b.team % 4:02d}", f"EX16{'AB'[b.team % 2]}", "None"] for b in boxes])
    table(args.directory, "statistics.csv", ["ExchangeGuid", "PrimarySmtpAddress", "Store", "MailboxGuid", "ItemCount", "AssociatedItemCount", "DeletedItemCount", "TotalItemSize", "TotalDeletedItemSize", "LastLogonTime", "IsQuarantined", "DisconnectReason", "Database"],
          [[b.guid, b.address, "Primary", b.guid, b.items, 40, b.items // 30, b.size, b.dumpster, f"2026-{1 + i * 7 % 3 + 8:02d}-{1 + i % 28:02d}T08:00:00.0000000Z", "False", "", f"DB{1 + b.team % 4:02d}"] for i, b in enumerate(boxes) if b.size])
    table(args.directory, "full-access.csv", ["ExchangeGuid", "PrimarySmtpAddress", "User", "AccessRights", "IsInherited", "Deny"],
          [[b.guid, b.address, user, "FullAccess", "False", "False"] for b, user in rights.full])
    table(args.directory, "send-as.csv", ["ExchangeGuid", "PrimarySmtpAddress", "User", "ExtendedRights", "IsInherited", "Deny"],
          [[b.guid, b.address, user, "Send-As", "False", "False"] for b, user in rights.send_as])
    table(args.directory, "send-on-behalf.csv", ["ExchangeGuid", "PrimarySmtpAddress", "GrantSendOnBehalfTo"],
          [[b.guid, b.address, "|".join(names)] for b, names in rights.behalf])
    shown, group = rights.folder_all
    table(args.directory, "folder-permissions.csv", ["ExchangeGuid", "PrimarySmtpAddress", "FolderName", "FolderPath", "User", "AccessRights"],
          [[b.guid, b.address, folder.rsplit("/", 1)[-1], f"/{folder}", user, role] for b, user, folder, role in rights.folders]
          + [[shown.guid, shown.address, "Calendar", "/Calendar", f"{group}@{DOMAIN}", "Reviewer"]])
    table(args.directory, "groups.csv", ["Guid", "PrimarySmtpAddress", "SamAccountName", "DisplayName", "Identity", "RecipientTypeDetails", "MemberCount"],
          [[guid, f"{name}@{DOMAIN}", name, name, f"hospital.local/Groups/{name}", "MailUniversalSecurityGroup", len(members)] for guid, name, members in groups])
    table(args.directory, "group-members.csv", ["GroupGuid", "GroupAddress", "Member"],
          [[guid, f"{name}@{DOMAIN}", member] for guid, name, members in groups for member in members])
    table(args.directory, "servers.csv", ["Name", "Edition", "ServerRole", "AdminDisplayVersion", "ExSetupVersion"],
          [["EX16A", "Standard", "Mailbox", "Version 15.1 (Build 2507.6)", "15.01.2507.061"], ["EX16B", "Standard", "Mailbox", "Version 15.1 (Build 2507.6)", "15.01.2507.039"]])
    print(f"{len(boxes)} mailboxes, {rights.count()} grants, {len(groups)} groups")


if __name__ == "__main__":
    main()
