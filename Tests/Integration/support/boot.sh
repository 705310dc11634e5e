#!/bin/sh
# Boots systemd over a view of / whose changes are kept in memory, for machine.py:
#
#   unshare --fork --pid --mount --uts --ipc --net  boot.sh CGROUP DIRECTORY SHARED
#
# CGROUP is an empty control group, DIRECTORY an empty directory, and SHARED what is to be seen as /srv. Every mount
# here is of a namespace that ends with this process.
set -eu
cgroup=$1 directory=$2 shared=$3

# In a control group of its own, and then in a namespace in which that one is the root.
if [ -z "${machine-}" ]; then
  echo 0 >"$cgroup/cgroup.procs"
  machine=1 exec unshare --cgroup "$0" "$@"
fi

mount -t tmpfs -o mode=755 tmpfs "$directory"
cd "$directory"
mkdir changes work root
mount -t overlay -o "lowerdir=/,upperdir=$PWD/changes,workdir=$PWD/work" overlay root
cd root
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir -p dev/pts dev/shm srv
mount --bind "$shared" srv
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys # the kernel is the host's
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
number=3
for device in null - zero - full random urandom; do
  [ $device = - ] || mknod -m 666 "dev/$device" c 1 $number
  number=$((number + 1))
done
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

# Of the host's units, none starts by itself but the journal.
rm -rf etc/systemd/system lib/systemd/system-generators lib/systemd/system/*.wants
mkdir -p etc/systemd/system/sysinit.target.wants etc/systemd/journald.conf.d
ln -s /lib/systemd/system/systemd-journald.service etc/systemd/system/sysinit.target.wants
ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\nReadKMsg=no\nAudit=\n' >etc/systemd/journald.conf.d/machine.conf

pivot_root . .
umount -l .
cd /
mount --make-rshared / # LoadCredential= passes nothing otherwise
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio \
  env -i container=machine PATH="$PATH" LANG=C.UTF-8 /lib/systemd/systemd --unit=multi-user.target --show-status=no
