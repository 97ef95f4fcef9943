# Pixel 8 (R58M): Android 14, API level 34, phone, root by su

# 1. Make a folder on the device that remembers what to undo.
adb -s R58M shell 'mkdir -p /data/local/tmp/telltale && { chown -R 2000:2000 /data/local/tmp/telltale 2>/dev/null || true; }'
#    undo: adb -s R58M shell rm -rf /data/local/tmp/telltale

# 2. Remember port 8080 on the device, so that it can be undone.
adb -s R58M shell 'echo 8080 >>/data/local/tmp/telltale/ports'

# 3. Lead port 8080 of the device to port 8080 here, through adb.
#    It needs no network between the two, and works while the device changes networks.
adb -s R58M reverse tcp:8080 tcp:8080
#    undo: adb -s R58M reverse --remove tcp:8080

# 4. Remember the device's own proxy: none.
#    It is kept on the device, so that it can be undone from any machine.
adb -s R58M shell '[ -e /data/local/tmp/telltale/proxy ] || settings get global http_proxy >/data/local/tmp/telltale/proxy'

# 5. Set the device's proxy to localhost:8080.
#    It holds for every network of the device, and no page of its settings shows it.
adb -s R58M shell settings put global http_proxy localhost:8080
#    check: adb -s R58M shell settings get global http_proxy → localhost:8080
#    undo: adb -s R58M shell settings put global http_proxy :0

# 6. Push the certificate to /data/local/tmp/telltale.
adb -s R58M push telltale-ca.pem /data/local/tmp/telltale/ca.pem

# 7. Push the script that trusts it.
#    It is what telltale setup android --script prints.
adb -s R58M push telltale-trust.sh /data/local/tmp/telltale/trust.sh

# 8. Trust the certificate as one of the system's, until the device restarts.
#    A copy in memory covers /apex/com.android.conscrypt/cacerts; nothing is written to the system's partitions. Android 14 and later read them from an APEX, which each process sees for itself: the script visits them all.
adb -s R58M shell su 0 sh /data/local/tmp/telltale/trust.sh install /data/local/tmp/telltale/ca.pem 5ed36f99
#    expected: telltale: trusted
#    undo: adb -s R58M shell su 0 sh /data/local/tmp/telltale/trust.sh remove

#    Close the app that you audit and open it again: running apps keep the certificates that they read before.
#    Chrome accepts certificates of the system's store only with Certificate Transparency, which these lack. To audit pages in Chrome:
#      telltale setup android --port 8080 --serial R58M --store user
#    Apps built with Flutter, and code that opens its own sockets, ignore the proxy setting: nothing of them is seen.
#    The device has no way to the network while the proxy does not run. When the audit is over:
#      telltale setup android --undo --serial R58M
