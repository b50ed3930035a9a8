#!/usr/bin/env bash
# Takes away what install.sh put on this machine. Settings and records stay, unless asked for.
set -euo pipefail

root=""
everything=""
had_screen=""

usage() {
    cat <<'END'
sudo deploy/uninstall.sh [--delete-settings-and-records]
     deploy/uninstall.sh --root DIR [--delete-settings-and-records]

  --delete-settings-and-records  also /etc/station, /var/lib/station (which serial got which
                                 firmware: no way back) and the users. Asks nothing.
  --root DIR                     only below DIR, as in install.sh
END
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'uninstall.sh: %s\n' "$*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case "$1" in
        --root)
            if [ -z "${2:-}" ]; then
                fail "$1 needs a value; see --help"
            fi
            root="$2"
            shift 2
            ;;
        --delete-settings-and-records)
            everything=yes
            shift
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

stop_services() {
    local now=()
    if systemctl --quiet is-enabled station-kiosk station-console 2>/dev/null; then
        had_screen=yes
    fi
    if [ -d /run/systemd/system ]; then
        say "stop      the engine finishes the modules that are being written (20 minutes at most)"
        now=(--now)
    fi
    for unit in station-campaign.timer station station-kiosk station-console; do
        if [ -e "/etc/systemd/system/$unit" ] || [ -e "/etc/systemd/system/$unit.service" ]; then
            systemctl disable "${now[@]}" "$unit"
        fi
    done
}

remove() {
    if [ -e "$root$1" ] || [ -L "$root$1" ]; then
        say "remove    $root$1"
        rm -rf -- "$root$1"
    fi
}

remove_ours() {
    if [ "$(readlink "$root/usr/local/bin/station")" = /opt/station/bin/station ]; then
        remove /usr/local/bin/station
    fi
    for unit in station station-kiosk station-console station-campaign; do
        remove "/etc/systemd/system/$unit.service"
    done
    remove /etc/systemd/system/station-campaign.timer
    remove /etc/udev/rules.d/60-station.rules
    remove /etc/sysusers.d/station.conf
    remove /opt/station
}

remove_users() {
    for user in station-screen station; do
        if getent passwd "$user" >/dev/null; then
            say "remove    user $user"
            userdel "$user" || say "kept      user $user: see above; later: sudo userdel $user"
        fi
    done
}

reload() {
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
    if [ -S /run/udev/control ]; then
        udevadm control --reload
        udevadm trigger --subsystem-match=usb --action=add
    fi
}

# kiosk.md had the login prompt switched off.
name_what_is_left() {
    if [ -n "$had_screen" ]; then
        say "left      tty1 without a login prompt: sudo systemctl enable --now getty@tty1"
    fi
}

if [ -z "$root" ]; then
    [ "$(id -u)" -eq 0 ] || fail "must be run as root: sudo deploy/uninstall.sh"
    stop_services
fi
remove_ours
[ -n "$root" ] || reload # before the users go that it names
if [ -n "$everything" ]; then
    remove /etc/station
    remove /var/lib/station
    [ -n "$root" ] || remove_users
else
    say "kept      $root/etc/station and $root/var/lib/station: settings and records"
fi
name_what_is_left
