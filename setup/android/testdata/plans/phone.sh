# Pixel 8 (R58M): Android 14, API level 34, phone, no root

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

# 6. Push the certificate to the device's Download folder.
adb -s R58M push telltale-ca.pem /sdcard/Download/telltale-ca.cer
#    undo: adb -s R58M shell rm -f /sdcard/Download/telltale-ca.cer

# 7. Open the security settings on the device.
#    Since Android 11 a certificate authority is installed there, by a person, and by nobody else.
adb -s R58M shell am start -a android.settings.SECURITY_SETTINGS

#    On the device: More security & privacy › Encryption & credentials › Install a certificate › CA certificate › Install anyway, and choose telltale-ca.cer in Download. It is listed as telltale CA 0D6F186D.
#    Since Android 7 apps trust such a certificate only if their network_security_config says so, as debug builds can; Chrome does. For other apps take an emulator image without Google Play, or a rooted device.
#    Apps built with Flutter, and code that opens its own sockets, ignore the proxy setting: nothing of them is seen.
#    The device has no way to the network while the proxy does not run. When the audit is over:
#      telltale setup android --undo --serial R58M
