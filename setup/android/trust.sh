# Trusts a certificate authority as one of the system's own, until the device is
# restarted. Run as root on an Android device:
#
#   sh trust.sh install CERTIFICATE HASH
#   sh trust.sh remove
#
# CERTIFICATE is a PEM file, HASH its name in the store without the suffix, as
# "openssl x509 -subject_hash_old" prints it. Both commands may be repeated.
#
# A copy of the store, with the certificate added, is made in memory and bound over
# the store. Android 14 and later read it from an APEX (so do some devices with
# Android 13); mounts below /apex do not spread from one process to others, so the
# copy is bound in the mount namespace of every process: in zygote's, from which
# new apps inherit it, and in those of apps that run. Nothing is written to the
# system's partitions. The source of each mount is "telltale", which is how they
# are found again; mounts of others are left alone.
set -u

system=/system/etc/security/cacerts
apex=/apex/com.android.conscrypt/cacerts
copy=/data/local/tmp/telltale/cacerts
source=telltale

fail() {
    echo "telltale: $1"
    exit 1
}

# namespaces prints a process of each mount namespace: init and the zygotes first,
# since apps that start meanwhile inherit from a zygote.
namespaces() {
    if ! command -v nsenter >/dev/null; then
        echo self
        return
    fi
    seen=
    for pid in 1 $(pidof zygote64 zygote) $(cd /proc && echo [0-9]*); do
        space=$(readlink "/proc/$pid/ns/mnt" 2>/dev/null) || continue
        case " $seen " in *" $space "*) continue ;; esac
        seen="$seen $space"
        echo "$pid"
    done
}

# within runs a command in the mount namespace of a process. (toybox 0.8.9 does not
# understand -t with -m.)
within() {
    inside=$1
    shift
    if [ "$inside" = self ]; then
        "$@"
    else
        nsenter --mount="/proc/$inside/ns/mnt" -- "$@"
    fi
}

# covered tells whether, for a process, our copy is bound over a folder.
covered() {
    grep -q " $2 .* - tmpfs $source " "/proc/$1/mountinfo" 2>/dev/null
}

uncover() {
    for pid in $(namespaces); do
        for folder in "$apex" "$system" "$copy"; do
            layers=0
            while [ $layers -lt 9 ] && covered "$pid" "$folder"; do
                within "$pid" umount -l "$folder" || break
                layers=$((layers + 1))
            done
        done
    done
    if [ -d "$copy" ]; then rmdir "$copy"; fi
}

# labelled gives the copy the SELinux label of the store: apps may not read what has
# the label of a tmpfs.
labelled() {
    label=u:object_r:system_file:s0
    for word in $(ls -Zd "$store" 2>/dev/null); do
        case $word in *:*:*:s0*) label=$word ;; esac
    done
    if [ -e /sys/fs/selinux/enforce ]; then
        chcon "$label" "$copy" "$copy"/*
    fi
}

# named sets file to the certificate's name in the copy: HASH.0, or the next number
# where another certificate has that one.
named() {
    number=0
    while [ -e "$copy/$hash.$number" ] && ! cmp -s "$certificate" "$copy/$hash.$number"; do
        number=$((number + 1))
    done
    file=$hash.$number
}

# cover makes the copy and binds it over the stores of this namespace at once, so
# that no app meets a store that is empty or half filled.
cover() {
    set -- "$store"/*
    [ -e "$1" ] || fail "$store is empty"
    mkdir -p "$copy" &&
        mount -t tmpfs -o mode=755 "$source" "$copy" &&
        cp "$@" "$copy"/ &&
        named &&
        cp "$certificate" "$copy/$file" &&
        chown 0:0 "$copy" "$copy"/* &&
        chmod 644 "$copy"/* &&
        labelled &&
        mount -o bind "$copy" "$system" &&
        umount -l "$copy" &&
        rmdir "$copy"
}

# trusted tells whether a process finds the certificate in the store.
trusted() {
    for candidate in "/proc/$1/root$store/$hash".*; do
        if cmp -s "$certificate" "$candidate"; then return 0; fi
    done
    return 1
}

install() {
    certificate=$1 hash=$2 store=$system
    [ -r "$certificate" ] || fail "cannot read $certificate"
    case $hash in *[!0-9a-f]* | '') fail "$hash is no hash of a certificate" ;; esac
    if [ -d "$apex" ]; then
        store=$apex
        command -v nsenter >/dev/null || fail "this device has no nsenter, which its APEX store needs"
    fi
    if ! covered self "$system" || ! trusted self; then
        uncover
        if ! cover; then
            uncover
            fail "the copy of the store could not be made"
        fi
    fi
    reached=0 missed=0
    for pid in $(namespaces); do
        [ -d "/proc/$pid/root$store" ] || continue
        if [ "$store" = "$apex" ] && covered "$pid" "$system" && ! covered "$pid" "$apex"; then
            within "$pid" mount -o bind "$system" "$apex"
        fi
        if trusted "$pid"; then
            reached=$((reached + 1))
        elif [ -d "/proc/$pid" ]; then
            missed=$((missed + 1))
        fi
    done
    for pid in $(pidof zygote64 zygote); do
        trusted "$pid" || fail "zygote does not see the certificate, so new apps would not"
    done
    [ $reached -gt 0 ] || fail "no process sees the certificate"
    echo "telltale: trusted in $store, mount namespaces: $reached, not reached: $missed"
}

remove() {
    uncover
    for pid in $(namespaces); do
        if covered "$pid" "$apex" || covered "$pid" "$system"; then
            fail "the store of process $pid is still covered; restart the device"
        fi
    done
    echo "telltale: removed"
}

# A shell under su may have a mount namespace of its own; init's is where mounts
# spread from.
if [ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ] && command -v nsenter >/dev/null; then
    exec nsenter --mount=/proc/1/ns/mnt -- sh "$0" "$@"
fi
case "${1-} $#" in
"install 3") install "$2" "$3" ;;
"remove 1") remove ;;
*) fail "usage: trust.sh install CERTIFICATE HASH | remove" ;;
esac
