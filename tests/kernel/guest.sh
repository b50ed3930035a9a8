#!/bin/bash
# The guest's life: a small Debian with udevd, one command, its exit code, power off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t tmpfs tmpfs /run
# Not over /tmp: the repository may lie there.
export TMPDIR=/tmp/rig
mkdir -p "$TMPDIR"
mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR"
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
hostname rig
ip link set lo up 2>/dev/null || busybox ip link set lo up

here="$(dirname "$(readlink -f "$0")")"
groupadd --system station 2>/dev/null
mkdir -p /etc/udev/rules.d
cp "$here/../../deploy/60-station.rules" /etc/udev/rules.d/
/lib/systemd/systemd-udevd --daemon
modprobe -a vhci_hcd option qcserial qmi_wwan
udevadm trigger --action=add
udevadm settle --timeout=30

printf 'rig: up after %s s\n' "$(cut -d' ' -f1 /proc/uptime)"
bash /rig/command
printf '%s\n' "$?" >/rig/exit
dmesg >/rig/dmesg
sync
exec busybox poweroff -f
