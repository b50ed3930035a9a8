#!/bin/busybox sh
# shellcheck shell=dash
# First process of the guest: reach the host's files, put memory over them, go there.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /lib/*.ko*; do
    insmod "$module" || echo "rig: $module cannot be loaded"
done
options=trans=virtio,version=9p2000.L,msize=1048576
mount -t 9p -o "$options,ro,cache=loose" root /host || exec poweroff -f
mount -t tmpfs -o size=2g memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root ||
    exec poweroff -f
mkdir -p /root/rig
mount -t 9p -o "$options,cache=none" rig /root/rig || exec poweroff -f
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
exec switch_root /root /bin/bash "$(cat /root/rig/stage)" </dev/console >/dev/console 2>&1
