#!/bin/bash
# In the guest: a way to the modules outside, the disk as the last cut left it, a copy of the record
# for who judges, the station; and a copy of what it leaves if it ends well.
# Arguments: the Python to run, then those of guest.py.
set -eu

copy_record() {
    mkdir "/rig/$1"
    for part in /disk/line/station.sqlite* /disk/line/evidence; do
        [ ! -e "$part" ] || cp -r "$part" "/rig/$1/"
    done
    : >"/rig/$1.whole"
}

modprobe -a virtio_net virtio_blk ext4
udevadm settle --timeout=30
for card in /sys/bus/virtio/drivers/virtio_net/virtio*/net/*; do
    busybox ip link set "${card##*/}" up
    busybox ip addr add 10.0.2.15/24 dev "${card##*/}"
done
mkdir -p /disk
mount -t ext4 /dev/vda /disk
copy_record found
"$1" -m tests.powercut.guest "${@:2}"
copy_record left
umount /disk
