#!/usr/bin/env bash
# Independent software against the lab and our client: nothing here was written by us but the glue. Installs what it needs into target/peers, says aloud
# what it cannot have, and fails where a peer disagrees. The last line counts. The peers: exchangelib and DavMail read the lab's Exchange; pyspnego, an MIT
# KDC with GSSAPI, and OpenSSL with old suites judge our sign-in and our TLS; msgraph-sdk lists and exports in the lab's Microsoft 365, and O365 reads there
# what our typed route made.
#   scripts/peers.sh
#   MAILFERRY_PEERS_FEATURES="legacy-tls kerberos" scripts/peers.sh    builds with these features and tries them, too
set -uo pipefail
cd "$(dirname "$0")/.."
dir=$PWD/target/peers
work=$(mktemp -d)
mkdir -p "$dir"
passed=0 failed=0 skipped=0
jobs_started=()

finish() {
  for job in "${jobs_started[@]}"; do kill "$job" 2>/dev/null; done
  rm -rf "$work"
}
trap finish EXIT

note() { echo "== $*"; }
skip() { echo "skipped: $*"; skipped=$((skipped + 1)); }
check() { # check NAME COMMAND...
  local name=$1; shift
  note "$name"
  if "$@"; then passed=$((passed + 1)); else echo "FAILED: $name"; failed=$((failed + 1)); fi
}
wait_for() { # wait_for FILE
  for _ in $(seq 600); do [ -s "$1" ] && return 0; sleep 0.1; done
  echo "waited a minute for $1"; return 1
}
start() { # start LOG COMMAND...
  local log=$1; shift
  "$@" >"$log" 2>&1 & jobs_started+=($!)
}

# ---- what can be had --------------------------------------------------------------------------------------------------------------

have_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_get() {
  have_apt || return 1
  if [ ! -e "$work/updated" ]; then apt-get update -qq >"$work/apt.log" 2>&1 && : >"$work/updated"; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >>"$work/apt.log" 2>&1
}

python=$dir/venv/bin/python
if [ ! -x "$python" ]; then
  python3 -m venv "$dir/venv" 2>/dev/null || { apt_get python3-venv && python3 -m venv "$dir/venv"; } || python=
fi
pip() { [ -n "$python" ] && "$python" -m pip install -q --disable-pip-version-check "$@" >>"$work/pip.log" 2>&1; }

# MAILFERRY_PEERS_FEATURES names features to build with and to try as well: "legacy-tls kerberos", or none.
features=()
for feature in ${MAILFERRY_PEERS_FEATURES:-}; do
  case $feature in
    legacy-tls)
      command -v pkg-config >/dev/null || apt_get pkg-config
      if pkg-config --exists openssl 2>/dev/null || apt_get libssl-dev; then features+=(legacy-tls); else skip "legacy TLS: no OpenSSL headers on this machine"; fi ;;
    kerberos)
      if { [ -e /usr/include/gssapi/gssapi.h ] && ls /usr/lib/llvm-*/lib/libclang*.so* >/dev/null 2>&1; } || apt_get libkrb5-dev libclang-dev clang; then
        features+=(kerberos)
      else
        skip "Kerberos: no GSSAPI headers or libclang on this machine"
      fi ;;
    *) echo "no feature is called $feature"; exit 2 ;;
  esac
done
has() { [[ " ${features[*]:-} " == *" $1 "* ]]; }
has legacy-tls || skip "legacy TLS: not asked for by MAILFERRY_PEERS_FEATURES"
has kerberos || skip "Kerberos: not asked for by MAILFERRY_PEERS_FEATURES"

if [ "${MAILFERRY_PEERS_BUILD:-yes}" = yes ]; then
  note "building with: ${features[*]:-nothing more}"
  cargo build --quiet ${features[*]:+--features "$(IFS=,; echo "${features[*]}")"} || { echo "FAILED: the build"; exit 1; }
fi
mailferry=$PWD/target/debug/mailferry

# ---- the lab ----------------------------------------------------------------------------------------------------------------------

lab=$work/lab
start "$work/lab.log" "$mailferry" lab --dir "$lab" --mailboxes 2 --items 30 --record "$work/record"
wait_for "$lab/lab.json" || { cat "$work/lab.log"; exit 1; }
fact() { python3 -c "import json,sys;print(json.load(open('$lab/lab.json'))[sys.argv[1]])" "$1"; }
ews_port=$(fact ews_url | sed -E 's|.*:([0-9]+)/.*|\1|')
password=$(fact ews_password)

certificate() { # certificate NAME: for localhost, by itself
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout "$work/$1.key" -out "$work/$1.pem" -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE" >/dev/null 2>&1
}
plan() { # plan NAME URL AUTH [LINE]: the lab's plan, with another source
  sed -E "s|^ews_url = .*|ews_url = \"$2\"|; s|^auth = .*|auth = $3|" "$lab/plan.toml" >"$lab/$1.toml"
  [ $# -lt 4 ] || sed -i "s|^\[source\]|[source]\n$4|" "$lab/$1.toml"
}
run() { # run NAME: its exit code; what it said stands in $work/NAME.out
  "$mailferry" run "$lab/$1.toml" --secrets "$lab/secrets.env" --state "$work/$1.state" --json >"$work/$1.json" 2>"$work/$1.out"
}
runs() { run "$1" || { echo "exit $?"; cat "$work/$1.out"; return 1; }; }
refused() { # refused NAME WORDS: ends with 4 and says so
  run "$1"; local code=$?
  [ $code = 4 ] && grep -qF "$2" "$work/$1.out" || { echo "exit $code, wanted 4 and: $2"; cat "$work/$1.out"; return 1; }
}
number() { "$python" -c "import requests,sys;requests.packages.urllib3.disable_warnings();print(requests.get(sys.argv[1],verify=False,timeout=30).json()[sys.argv[2]])" "$1" "$2"; }

check "a run of our own over the lab" runs plan

# ---- exchangelib ------------------------------------------------------------------------------------------------------------------

if pip exchangelib==5.6.0 pyspnego==0.12.4 requests cryptography; then
  for method in basic ntlm; do
    check "exchangelib reads, syncs and exports by $method" "$python" scripts/peers/ews.py "$lab" "$method" "$work/exported.$method.json"
  done
  check "exchangelib's exports and ours are the same streams" "$python" scripts/peers/streams.py "$work/exported.basic.json" "$work/record" "$work/plan.json"
  check "exports by Basic and by NTLM are the same" cmp "$work/exported.basic.json" "$work/exported.ntlm.json"
else
  skip "exchangelib: not to be had from PyPI"
fi

# ---- our NTLM against pyspnego ----------------------------------------------------------------------------------------------------

ntlm_accepted() {
  runs ntlm && [ "$(number "https://localhost:$(cat "$work/ntlm.port")/" passed_on)" -gt 10 ]
}
if [ -n "$python" ] && "$python" -c "import spnego, requests" 2>/dev/null; then
  certificate ntlm
  echo "PEER:svc:$password" >"$work/users"
  NTLM_USER_FILE=$work/users start "$work/ntlm.log" "$python" scripts/peers/front.py "$lab" ntlm 0 "$work/ntlm.port" "$work/ntlm.pem" "$work/ntlm.key"
  if wait_for "$work/ntlm.port"; then
    url=https://localhost:$(cat "$work/ntlm.port")/EWS/Exchange.asmx
    auth='{ method = "ntlm", username = "PEER\\\\svc", password_env = "MAILFERRY_LAB_SOURCE_PASSWORD" }'
    tls="tls = { ca = \"$work/ntlm.pem\" }"
    plan ntlm "$url" "$auth" "$tls"
    check "pyspnego accepts our NTLM with channel binding and integrity code" ntlm_accepted
    plan ntlm-wrong "$url" "${auth/svc/other}" "$tls"
    check "pyspnego refuses another account, and we say why" refused ntlm-wrong "likely: the password"
  fi
else
  skip "our NTLM against pyspnego: not to be had from PyPI"
fi

# ---- our Kerberos against a KDC of MIT ----------------------------------------------------------------------------------------------

kdc_up() {
  mkdir -p "$work/krb5"
  cat >"$work/krb5.conf" <<CONF
[libdefaults]
  default_realm = LAB.TEST
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  LAB.TEST = {
    kdc = 127.0.0.1:18888
  }
[domain_realm]
  localhost = LAB.TEST
CONF
  cat >"$work/kdc.conf" <<CONF
[kdcdefaults]
  kdc_listen = 127.0.0.1:18888
  kdc_tcp_listen = 127.0.0.1:18888
[realms]
  LAB.TEST = {
    database_name = $work/krb5/principal
    key_stash_file = $work/krb5/stash
    acl_file = $work/krb5/acl
  }
CONF
  export KRB5_CONFIG=$work/krb5.conf KRB5_KDC_PROFILE=$work/kdc.conf
  kdb5_util create -s -r LAB.TEST -P lab-master-word >/dev/null 2>&1 || return 1
  kadmin.local -q "addprinc -randkey HTTP/localhost" >/dev/null 2>&1
  kadmin.local -q "addprinc -randkey svc" >/dev/null 2>&1
  kadmin.local -q "ktadd -k $work/http.keytab HTTP/localhost" >/dev/null 2>&1
  kadmin.local -q "ktadd -k $work/svc.keytab svc" >/dev/null 2>&1
  start "$work/kdc.log" krb5kdc -n
  for _ in $(seq 50); do KRB5CCNAME=FILE:$work/ccache kinit -k -t "$work/svc.keytab" svc 2>/dev/null && return 0; sleep 0.2; done
  return 1
}
by_cache() { KRB5CCNAME=FILE:$work/ccache runs kerberos; }
by_keytab() { KRB5CCNAME=FILE:$work/fresh KRB5_CLIENT_KTNAME=$work/svc.keytab runs keytab; }
without_ticket() { KRB5CCNAME=FILE:$work/none refused kerberos-none "has no ticket"; }
if has kerberos && { command -v krb5kdc >/dev/null || apt_get krb5-kdc krb5-admin-server krb5-user; } && pip gssapi krb5 pyspnego==0.12.4 requests cryptography; then
  certificate kerberos
  if kdc_up; then
    KRB5_KTNAME=$work/http.keytab start "$work/kerberos.log" "$python" scripts/peers/front.py "$lab" kerberos 0 "$work/kerberos.port" "$work/kerberos.pem" "$work/kerberos.key"
    wait_for "$work/kerberos.port"
    url=https://localhost:$(cat "$work/kerberos.port")/EWS/Exchange.asmx
    tls="tls = { ca = \"$work/kerberos.pem\" }"
    plan kerberos "$url" "{ method = \"negotiate\", ticket_cache = \"FILE:$work/ccache\" }" "$tls"
    check "a GSSAPI server accepts our Kerberos out of a ticket cache, bound to its channel" by_cache
    plan keytab "$url" "{ method = \"negotiate\", username = \"svc@LAB.TEST\", keytab = \"$work/svc.keytab\" }" "$tls"
    check "the same with a key table" by_keytab
    plan kerberos-none "$url" "{ method = \"negotiate\", ticket_cache = \"FILE:$work/none\" }" "$tls"
    check "without a ticket we say so" without_ticket
  else
    echo "FAILED: the KDC does not start"; failed=$((failed + 1))
  fi
elif has kerberos; then
  skip "Kerberos: no KDC or GSSAPI for Python on this machine"
fi

# ---- old suites -------------------------------------------------------------------------------------------------------------------

old=ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES256-SHA:AES256-SHA256:AES256-SHA
if command -v openssl >/dev/null; then
  certificate old
  start "$work/s_server.log" openssl s_server -accept 127.0.0.1:18889 -cert "$work/old.pem" -key "$work/old.key" -tls1_2 -cipher "$old" -www
  tls() { echo "tls = { ca = \"$work/old.pem\", backend = \"$1\" }"; }
  auth='{ method = "basic", username = "LAB\\\\svc-migrate", password_env = "MAILFERRY_LAB_SOURCE_PASSWORD" }'
  for _ in $(seq 50); do openssl s_client -connect 127.0.0.1:18889 </dev/null >/dev/null 2>&1 && break; sleep 0.1; done
  plan old-modern https://localhost:18889/EWS/Exchange.asmx "$auth" "$(tls modern)"
  check "openssl s_server with CBC suites only is named, with what to type" refused old-modern "share no TLS version or cipher suite"
  if has legacy-tls && [ -n "$python" ]; then
    start "$work/relay.log" "$python" scripts/peers/relay.py 0 "$ews_port" "$work/relay.port" "$work/old.pem" "$work/old.key" "$old"
    wait_for "$work/relay.port"
    url=https://localhost:$(cat "$work/relay.port")/EWS/Exchange.asmx
    plan old-auto "$url" "$auth" "$(tls auto)"
    check "a run over CBC suites, by itself" runs old-auto
    plan old-legacy "$url" "$auth" "$(tls legacy)"
    check "a run over CBC suites, as the plan says" runs old-legacy
    fingerprint=$(openssl x509 -in "$work/old.pem" -noout -fingerprint -sha256 | cut -d= -f2)
    plan old-pin "$url" "$auth" "tls = { pin = \"$fingerprint\", backend = \"legacy\" }"
    check "the same with a pinned certificate" runs old-pin
  fi
else
  skip "old suites: no openssl command"
fi

# ---- Graph ------------------------------------------------------------------------------------------------------------------------

if [ "${MAILFERRY_PEERS_GRAPH:-yes}" = no ]; then
  skip "msgraph-sdk: switched off by MAILFERRY_PEERS_GRAPH=no"
elif pip msgraph-sdk==1.65.0 deprecated azure-identity requests; then
  check "msgraph-sdk signs in, lists, exports, batches and opens a session" "$python" scripts/peers/graph.py "$lab"
else
  skip "msgraph-sdk: not to be had from PyPI"
fi

# ---- the typed route, and a mail program's view of the source ------------------------------------------------------------------------
# In a lab of their own: what was imported as streams would be counted, too.

by_class() { # by_class: a run that carries items by their class; some of them may have to wait for a decision
  run typed; local code=$?
  [ $code = 0 ] || [ $code = 5 ] || { echo "exit $code"; cat "$work/typed.out"; return 1; }
}
lab=$work/typed
start "$work/typed.log" "$mailferry" lab --dir "$lab" --mailboxes 2 --items 30
if wait_for "$lab/lab.json"; then
  sed 's|^\[target\]|[target]\nroute = "typed"|' "$lab/plan.toml" >"$lab/typed.toml"
  check "a run of our own by the typed route" by_class
  if pip O365==2.1.10 requests; then
    check "O365 lists and reads what the typed route made: mail, attachments, calendars, contacts" "$python" scripts/peers/o365.py "$lab"
  else
    skip "O365: not to be had from PyPI"
  fi
fi

free_port() { python3 -c "import socket;s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1])"; }
answers() { # answers PORT
  for _ in $(seq 600); do (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null && return 0; sleep 0.1; done
  echo "waited a minute for port $1"; return 1
}
davmail() { # davmail IMAP_PORT OWNER_PORT: starts one, without windows, for this machine alone
  cat >"$work/davmail.properties" <<CONF
davmail.server=true
davmail.mode=EWS
davmail.url=http://127.0.0.1:$2/EWS/Exchange.asmx
davmail.imapPort=$1
davmail.smtpPort=
davmail.popPort=
davmail.caldavPort=
davmail.ldapPort=
davmail.allowRemote=false
davmail.bindAddress=127.0.0.1
davmail.disableUpdateCheck=true
davmail.disableGuiNotifications=true
davmail.folderSizeLimit=0
davmail.logFilePath=$work/davmail.own.log
CONF
  JAVA_TOOL_OPTIONS=-Djava.awt.headless=true start "$work/davmail.log" "$(type -P davmail)" -server "$work/davmail.properties"
  answers "$1"
}
if [ ! -s "$lab/lab.json" ]; then
  echo "FAILED: the second lab does not open"; failed=$((failed + 1))
elif ! { type -P davmail >/dev/null && type -P java >/dev/null || apt_get davmail; }; then
  skip "DavMail: no such package on this machine"
elif ! pip requests; then
  skip "DavMail: no requests from PyPI for what stands between"
else
  owner=$(python3 -c "import json;print(json.load(open('$lab/lab.json'))['mailboxes'][0]['source'])")
  start "$work/owner.log" "$python" scripts/peers/owner.py "$lab" "$owner" "$work/owner.port"
  imap=$(free_port)
  if wait_for "$work/owner.port" && davmail "$imap" "$(cat "$work/owner.port")"; then
    check "DavMail lists and reads a source mailbox by EWS, over IMAP" "$python" scripts/peers/imap.py "$lab" "$owner" "$imap" "$(cat "$work/owner.port")"
  else
    echo "FAILED: DavMail does not start"; failed=$((failed + 1))
  fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
