# Pixel 8 (R58M): Android 14, API level 34, phone, root by adb root

# 1. Clear the device's proxy.
adb -s R58M shell settings put global http_proxy :0
#    check: adb -s R58M shell settings get global http_proxy → :0

# 2. Delete global_http_proxy_host.
adb -s R58M shell settings delete global global_http_proxy_host

# 3. Delete global_http_proxy_port.
adb -s R58M shell settings delete global global_http_proxy_port

# 4. Delete global_http_proxy_exclusion_list.
adb -s R58M shell settings delete global global_http_proxy_exclusion_list

# 5. Restart adb on the device as root.
#    The system's certificates can be covered by root alone. It ends what else uses adb on the device, also its adb reverse.
adb -s R58M root
#    undo: adb -s R58M unroot

# 6. Wait until it is back.
adb -s R58M wait-for-device
#    check: adb -s R58M shell id -u → 0

# 7. Stop trusting the certificate, in every process.
adb -s R58M shell sh /data/local/tmp/telltale/trust.sh remove
#    expected: telltale: removed

# 8. Remove what was pushed to the device.
adb -s R58M shell rm -rf /data/local/tmp/telltale

# 9. Restart adb on the device without root.
adb -s R58M unroot
