# Stands in for an Android device: a tree of its own in new user, mount and process
# namespaces, with a system store, perhaps an APEX store, a zygote and two apps, each
# in a mount namespace as Android makes them. Then it runs trust.sh as a story.
#
#   unshare -rmpf sh device.sh TRUST_SH SHELL TOOLS STORE
#
# SHELL runs trust.sh; TOOLS is a folder with its commands, "" for this machine's;
# STORE is system or apex. Prints lines of "QUESTION: ANSWER".
set -eu
script=$1 shell=$2 tools=$3 store=$4

# The tree.
mount --make-rprivate /
tree=$(mktemp -d)
mount -t tmpfs tree "$tree"
mkdir -p "$tree/data/local/tmp/telltale" "$tree/proc" "$tree/old" "$tree/sys/fs/selinux" "$tree/run" "$tree/shims"
for folder in bin sbin lib lib32 lib64 usr etc dev nix; do
    [ -e "/$folder" ] || continue
    if [ -L "/$folder" ]; then cp -P "/$folder" "$tree/$folder"; else mkdir "$tree/$folder" && mount --rbind "/$folder" "$tree/$folder"; fi
done
cp "$script" "$tree/data/local/tmp/telltale/trust.sh"
cp "$(command -v sleep)" "$tree/run/zygote64"
if [ -n "$tools" ]; then cp -r "$tools" "$tree/tools"; fi
mkdir -p "$tree/system/etc/security/cacerts"
echo root-a >"$tree/system/etc/security/cacerts/0a0a0a0a.0"
echo root-b >"$tree/system/etc/security/cacerts/0b0b0b0b.0"
echo other >"$tree/system/etc/security/cacerts/5ed36f99.0"
printf '#!/bin/sh\necho "$@" >>/run/labels\n' >"$tree/shims/chcon"
chmod 755 "$tree/shims/chcon"
touch "$tree/sys/fs/selinux/enforce"
mount -t proc proc "$tree/proc"
cd "$tree"
pivot_root . old
cd /
umount -l old
mount --make-rshared /
if [ "$store" = apex ]; then
    mkdir -p /apex
    mount -t tmpfs apex /apex
    mount --make-private /apex
    mkdir -p /apex/com.android.conscrypt/cacerts
    cp /system/etc/security/cacerts/* /apex/com.android.conscrypt/cacerts/
    echo root-c >/apex/com.android.conscrypt/cacerts/0c0c0c0c.0
    folder=/apex/com.android.conscrypt/cacerts
else
    folder=/system/etc/security/cacerts
fi
echo "-----ours-----" >/data/local/tmp/telltale/ca.pem
PATH=/shims:${tools:+/tools:}$PATH

# Processes in namespaces that receive mounts from init's and send none.
unshare -m --propagation slave /run/zygote64 1000 &
zygote=$!
unshare -m --propagation slave sleep 1000 &
app=$!
until [ "$(readlink /proc/$zygote/exe)" = /run/zygote64 ] && [ "$(readlink /proc/$zygote/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ]; do :; done
until [ "$(readlink /proc/$app/exe)" != "$(readlink /proc/1/exe)" ] && [ "$(readlink /proc/$app/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ]; do :; done
case $(readlink /proc/$app/exe) in */unshare) until [ "$(basename "$(readlink /proc/$app/exe)")" != unshare ]; do :; done ;; esac

trust() {
    $shell /data/local/tmp/telltale/trust.sh "$@" 2>&1 || echo "exit code $?"
}
look() {
    for pid in 1 $zygote $app; do
        echo "$1: $(cd "/proc/$pid/root$folder" && echo *)"
    done
    echo "$1, mounts of ours: $(cat /proc/1/mountinfo /proc/$zygote/mountinfo /proc/$app/mountinfo | grep -c ' - tmpfs telltale ')"
}

look before
echo "install: $(trust install /data/local/tmp/telltale/ca.pem 5ed36f99)"
look installed
echo "modes: $(cd $folder && stat -c '%a %u:%g' . * | sort -u | tr '\n' ' ')"
echo "content: $(cat $folder/5ed36f99.0) $(cat /proc/$app/root$folder/5ed36f99.1)"
echo "labels: $(sed 's/ .*//' /run/labels | sort -u)"
echo "again: $(trust install /data/local/tmp/telltale/ca.pem 5ed36f99)"
look again
unshare -m --propagation slave sleep 1000 &
late=$!
until [ "$(readlink /proc/$late/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ]; do :; done
echo "started later: $(cd "/proc/$late/root$folder" && echo *)"
echo "-----newer-----" >/data/local/tmp/telltale/ca.pem
echo "rotated: $(trust install /data/local/tmp/telltale/ca.pem 77777777)"
look rotated
echo "remove: $(trust remove)"
look removed
echo "left behind: $(echo /data/local/tmp/telltale/*)"
echo "remove again: $(trust remove)"
echo "elsewhere: $(unshare -m --propagation slave $shell /data/local/tmp/telltale/trust.sh install /data/local/tmp/telltale/ca.pem 77777777)"
look elsewhere
echo "remove elsewhere: $(unshare -m --propagation slave $shell /data/local/tmp/telltale/trust.sh remove)"
look "removed elsewhere"
rm "$folder"/*
echo "empty store: $(trust install /data/local/tmp/telltale/ca.pem 77777777)"
look "after failing"
echo "no certificate: $(trust install /data/nothing 77777777)"
echo "hostile hash: $(trust install /data/local/tmp/telltale/ca.pem '../../x')"
echo "usage: $(trust install)"
