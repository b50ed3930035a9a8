#!/usr/bin/env bash
# Installs the flashing station on this machine, or brings it to the version in this folder.
# Starts nothing, keeps settings and records. Run again it ends the same: the software and our files
# are laid out anew, screens that are open are opened anew.
set -euo pipefail
umask 022

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root=""
python="python3"
wheels=""

usage() {
    cat <<'END'
sudo deploy/install.sh [--python PROGRAM] [--wheels DIR]
     deploy/install.sh --root DIR

  --python PROGRAM  Python 3.11, 3.12 or 3.13; default python3
  --wheels DIR      for a machine without a network: everything comes from this folder, made by
                    `pip wheel --wheel-dir DIR --constraint deploy/constraints.txt .`
  --root DIR        only lay the files out below DIR, to look at them or to pack them: no users,
                    no software, no record, no word to systemd or udev

Puts the software into /opt/station, the command `station` into /usr/local/bin, settings into
/etc/station, services into /etc/systemd/system and USB rights into /etc/udev/rules.d.
END
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case "$1" in
        --root | --python | --wheels)
            if [ -z "${2:-}" ]; then
                fail "$1 needs a value; see --help"
            fi
            declare "${1#--}=$2"
            shift 2
            ;;
        --help)
            usage
            exit 0
            ;;
        *) fail "unknown argument $1; see --help" ;;
    esac
done
if [ "$root" = / ]; then
    fail "--root is for a copy somewhere else, not for /"
fi

# --- steps ----------------------------------------------------------------------------------------

check_machine() {
    [ "$(id -u)" -eq 0 ] || fail "must be run as root: sudo deploy/install.sh"
    for program in systemctl systemd-sysusers setpriv; do
        command -v "$program" >/dev/null || fail "$program is missing: this needs Linux with systemd"
    done
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
        fail "$python is not Python 3.11, 3.12 or 3.13; name one with --python"
    if [ -d /run/systemd/system ] && systemctl is-active --quiet station; then
        fail "the engine is running: let it finish with 'systemctl stop station', then try again"
    fi
}

# put MODE NAME PLACE: our file, the newest version always.
put() {
    say "file      $root$3"
    install -D -m "$1" "$here/$2" "$root$3"
}

# offer NAME PLACE: a file people edit, only where there is none.
offer() {
    if [ -e "$root$2" ]; then
        say "kept      $root$2"
    else
        put 0640 "$1" "$2"
    fi
}

add_users() {
    say "users     station, station-screen"
    systemd-sysusers /etc/sysusers.d/station.conf
}

install_software() {
    say "software  /opt/station"
    "$python" -m venv /opt/station ||
        fail "$python cannot make a virtual environment; on Debian: apt install python3-venv"
    local from=("$here/..")
    if [ -n "$wheels" ]; then
        from=(--no-index --find-links "$wheels" flashing-station)
    fi
    /opt/station/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --force-reinstall --constraint "$here/constraints.txt" "${from[@]}"
    say "          version $(/opt/station/bin/station --version)"
}

link_command() {
    local link="$root/usr/local/bin/station"
    if { [ -e "$link" ] || [ -L "$link" ]; } &&
        [ "$(readlink "$link")" != /opt/station/bin/station ]; then
        say "kept      $link, which is not ours: call /opt/station/bin/station"
        return
    fi
    say "command   $link"
    mkdir -p "$root/usr/local/bin"
    ln -sfn /opt/station/bin/station "$link"
}

lay_out_files() {
    put 0644 station.sysusers.conf /etc/sysusers.d/station.conf
    put 0644 60-station.rules /etc/udev/rules.d/60-station.rules
    for unit in station station-kiosk station-console station-campaign; do
        put 0644 "$unit.service" "/etc/systemd/system/$unit.service"
    done
    put 0644 station-campaign.timer /etc/systemd/system/station-campaign.timer
    offer station.yaml /etc/station/station.yaml
    offer foot.ini /etc/station/foot.ini
    if [ -d "$root/etc/station/recipes" ]; then
        say "kept      $root/etc/station/recipes"
    else
        mkdir -p "$root/etc/station/recipes"
        for recipe in "$here"/../config/recipes/*.yaml; do
            offer "../config/recipes/${recipe##*/}" "/etc/station/recipes/${recipe##*/}"
        done
    fi
    if [ -d "$root/etc/station/campaigns" ]; then
        say "kept      $root/etc/station/campaigns"
    else
        mkdir -p "$root/etc/station/campaigns"
        offer ../config/campaigns/nightly.yaml /etc/station/campaigns/nightly.yaml
    fi
    link_command
}

# Settings may name a database server: the station may read them, others not.
give_folders() {
    say "folder    /etc/station, /var/lib/station"
    chown -R root:station /etc/station
    chmod 0750 /etc/station /etc/station/recipes /etc/station/campaigns
    install -d -m 0750 -o station -g station /var/lib/station
}

reload() {
    if [ -d /run/systemd/system ]; then
        say "reload    systemd; screens are opened anew"
        systemctl daemon-reload
        systemctl try-restart station-kiosk station-console
    fi
    if [ -S /run/udev/control ]; then
        say "reload    udev"
        udevadm control --reload
        udevadm trigger --subsystem-match=usb --action=add
    fi
}

# as_station ARGUMENT...: our command as the user that the engine runs as.
as_station() {
    (cd / && setpriv --reuid station --regid station --init-groups \
        "$root/opt/station/bin/station" "$@" --config "$root/etc/station/station.yaml")
}

# The engine refuses a record of another version; here somebody is present and nothing runs. An
# older record is copied beside itself first.
upgrade_record() {
    say "record    created, or brought to this version"
    (umask 0027 && as_station db upgrade) ||
        fail "everything is installed, but not the record: see above, then run this again"
}

# The station's own name under its record. One that is there is kept: it is on old checkpoints.
make_key() {
    local told
    say "key       for the record's signature"
    if told="$(as_station audit key 2>&1)"; then
        say "          its public half, for auditors: ${told##*$'\n'}"
    else
        say "          not made, so the record stays unsigned: $told"
    fi
}

next_steps() {
    cat <<'END'

Next:
  1. sudoedit /etc/station/station.yaml        name, site, and the USB ports of the slots
  2. sudo -u station station package add DIR   the firmware; DIR must be readable for `station`
  3. recipes in /etc/station/recipes, then     sudo -u station station recipe check
  4. sudo usermod -aG station NAME             whoever may watch and command; log in again
  5. sudo systemctl enable --now station
  6. station dash                              or a screen on the wall: deploy/kiosk.md
  7. nights: edit /etc/station/campaigns/nightly.yaml, look at 'station campaign plan nightly', then
     sudo systemctl enable --now station-campaign.timer
END
}

install_station() {
    check_machine
    lay_out_files
    add_users
    install_software
    give_folders
    reload
    upgrade_record
    make_key
    next_steps
}

# Sourced, as by its tests, it only knows how.
if [ "${BASH_SOURCE[0]}" != "$0" ]; then
    :
elif [ -n "$root" ]; then
    lay_out_files
    say "not done  users, software, record: this is a copy below $root"
else
    install_station
fi
