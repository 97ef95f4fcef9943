# Pixel 8 (R58M): Android 14, API level 19, phone, no root

# 1. Make a folder on the device that remembers what to undo.
adb -s R58M shell 'mkdir -p /data/local/tmp/telltale && { chown -R 2000:2000 /data/local/tmp/telltale 2>/dev/null || true; }'
#    undo: adb -s R58M shell rm -rf /data/local/tmp/telltale

# 2. Remember the device's own proxy: none.
#    It is kept on the device, so that it can be undone from any machine.
adb -s R58M shell '[ -e /data/local/tmp/telltale/proxy ] || settings get global http_proxy >/data/local/tmp/telltale/proxy'

# 3. Set the device's proxy to 192.168.1.2:8080.
#    It holds for every network of the device, and no page of its settings shows it.
adb -s R58M shell settings put global http_proxy 192.168.1.2:8080
#    check: adb -s R58M shell settings get global http_proxy → 192.168.1.2:8080
#    undo: adb -s R58M shell settings put global http_proxy :0

# 4. Push the certificate to the device's Download folder.
adb -s R58M push telltale-ca.pem /sdcard/Download/telltale-ca.cer
#    undo: adb -s R58M shell rm -f /sdcard/Download/telltale-ca.cer

# 5. Open the security settings on the device.
#    Since Android 11 a certificate authority is installed there, by a person, and by nobody else.
adb -s R58M shell am start -a android.settings.SECURITY_SETTINGS

#    On the device: Encryption & credentials › Install from storage, and choose telltale-ca.cer in Download. It is listed as telltale CA 0D6F186D.
#    Apps built with Flutter, and code that opens its own sockets, ignore the proxy setting: nothing of them is seen.
#    The device has no way to the network while the proxy does not run. When the audit is over:
#      telltale setup android --undo --serial R58M
